#include "tidegate/base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

/* Years 0000 to 9999: what RFC 3339 can write. */
#define WALL_MIN_MS (-62167219200000LL)
#define WALL_MAX_MS 253402300799999LL

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const struct clock_virtual *virtual_clock;

void clock_use(const struct clock_virtual *v)
{
	virtual_clock = v;
}

int64_t clock_mono_ms(void)
{
	return virtual_clock ? virtual_clock->mono_ms : read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
	return virtual_clock ? virtual_clock->wall_ms : read_clock(CLOCK_REALTIME);
}

int64_t clock_cpu_ms(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* v in that many digits and a character behind them; status and logs have many times. */
static void put_digits(char **s, int v, int digits, char end)
{
	for (int i = digits; i--; v /= 10)
		(*s)[i] = (char)('0' + v % 10);
	(*s)[digits] = end;
	*s += digits + 1;
}

#define DAY_MS 86400000LL

/* Most times that are written are of few days. */
static void put_date(char **s, int64_t day)
{
	static int64_t known = INT64_MAX;
	static char text[] = "2026-11-24T";
	time_t seconds = (time_t)(day * (DAY_MS / 1000));
	char *p = text;
	struct tm tm;

	if (day != known) {
		gmtime_r(&seconds, &tm);
		put_digits(&p, tm.tm_year + 1900, 4, '-');
		put_digits(&p, tm.tm_mon + 1, 2, '-');
		put_digits(&p, tm.tm_mday, 2, 'T');
		known = day;
	}
	memcpy(*s, text, sizeof(text) - 1);
	*s += sizeof(text) - 1;
}

/* Date and time, and a character behind the seconds; returns the milliseconds that follow. */
static int put_seconds(char **s, int64_t wall_ms, char end)
{
	int64_t day;
	int ms, second;

	if (wall_ms < WALL_MIN_MS)
		wall_ms = WALL_MIN_MS;
	if (wall_ms > WALL_MAX_MS)
		wall_ms = WALL_MAX_MS;
	day = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
	ms = (int)(wall_ms - day * DAY_MS);
	second = ms / 1000;
	put_date(s, day);
	put_digits(s, second / 3600, 2, ':');
	put_digits(s, second / 60 % 60, 2, ':');
	put_digits(s, second % 60, 2, end);
	return ms % 1000;
}

char *clock_format(int64_t wall_ms, char *buf)
{
	char *p = buf;

	put_seconds(&p, wall_ms, 'Z');
	*p = '\0';
	return buf;
}

char *clock_format_ms(int64_t wall_ms, char *buf)
{
	char *p = buf;
	int ms = put_seconds(&p, wall_ms, '.');

	put_digits(&p, ms, 3, 'Z');
	*p = '\0';
	return buf;
}

char *clock_format_micro(int64_t wall_ms, char *buf)
{
	char *p = buf;
	int ms = put_seconds(&p, wall_ms, '.');

	put_digits(&p, ms * 1000, 6, 'Z');
	*p = '\0';
	return buf;
}

/* Exactly n digits at *s with a value in lo..hi. */
static bool take_number(const char **s, unsigned n, int lo, int hi, int *out)
{
	int v = 0;

	for (; n; n--, ++*s) {
		if (!isdigit((unsigned char)**s))
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return v >= lo && v <= hi;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool take_date_time(const char **s, struct tm *tm)
{
	int year, month;

	if (!take_number(s, 4, 0, 9999, &year) || !take_char(s, '-') ||
	    !take_number(s, 2, 1, 12, &month) || !take_char(s, '-') ||
	    !take_number(s, 2, 1, days_in_month(year, month), &tm->tm_mday))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	if (!take_char(s, 'T') && !take_char(s, 't'))
		return false;
	return take_number(s, 2, 0, 23, &tm->tm_hour) && take_char(s, ':') &&
	       take_number(s, 2, 0, 59, &tm->tm_min) && take_char(s, ':') &&
	       take_number(s, 2, 0, 59, &tm->tm_sec);
}

/* ".123456": milliseconds, what is finer is cut off. */
static bool take_fraction(const char **s, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (!take_char(s, '.'))
		return true;
	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); ++*s, scale /= 10)
		*ms += (**s - '0') * scale;
	return true;
}

static bool take_offset(const char **s, int *minutes)
{
	bool west = **s == '-';
	int h, m;

	*minutes = 0;
	if (take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_number(s, 2, 0, 23, &h) || !take_char(s, ':') || !take_number(s, 2, 0, 59, &m))
		return false;
	*minutes = (h * 60 + m) * (west ? -1 : 1);
	return true;
}

int clock_parse(const char *s, int64_t *wall_ms)
{
	struct tm tm = {0};
	int ms, offset;

	if (!s || !take_date_time(&s, &tm) || !take_fraction(&s, &ms) ||
	    !take_offset(&s, &offset) || *s)
		return -1;
	*wall_ms = ((int64_t)timegm(&tm) - (int64_t)offset * 60) * 1000 + ms;
	return 0;
}
