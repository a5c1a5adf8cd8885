#include "tidegate/base/duration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define NS_PER_MS 1000000LL
/* As Go: what fits 63 bits of nanoseconds, about 292 years. */
#define DURATION_MAX_NS INT64_MAX
/* More digits behind the point say less than a nanosecond for every unit. */
#define FRACTION_DIGITS 14

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	/* A name that another one starts with comes behind that. */
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000}, /* micro sign */
	{"\xce\xbcs", 1000}, /* greek mu */
	{"ms", NS_PER_MS},
	{"s", 1000 * NS_PER_MS},
	{"m", 60000 * NS_PER_MS},
	{"h", 3600000 * NS_PER_MS},
	{"d", 86400000 * NS_PER_MS},
};

static int64_t take_unit(const char **p)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (str_starts(*p, units[i].name)) {
			*p += strlen(units[i].name);
			return units[i].ns;
		}
	}
	return 0;
}

/* One "1.5h" at *p, in nanoseconds. Returns -1 on bad syntax; too long saturates above the maximum.
 */
static int take_term(const char **p, __int128 *ns)
{
	__int128 whole = 0, fraction = 0, scale = 1;
	unsigned digits = 0, places;
	int64_t unit;

	for (; isdigit((unsigned char)**p); ++*p, digits++)
		if (whole <= DURATION_MAX_NS)
			whole = whole * 10 + (**p - '0');
	if (**p == '.') {
		++*p;
		for (places = 0; isdigit((unsigned char)**p); ++*p, digits++, places++) {
			if (places >= FRACTION_DIGITS)
				continue;
			fraction = fraction * 10 + (**p - '0');
			scale *= 10;
		}
	}
	unit = digits ? take_unit(p) : 0;
	if (!unit)
		return -1;
	*ns = whole * unit + fraction * unit / scale;
	return 0;
}

int duration_parse(const char *s, int64_t *ms, struct err *err)
{
	const char *p = str_or(s, "");
	__int128 total = 0, term;

	if (str_eq(p, "0")) {
		*ms = 0;
		return 0;
	}
	do {
		if (take_term(&p, &term) < 0)
			return err_set(
				err, ERR_INVALID,
				"invalid duration \"%.40s\": write for example 30s, 5m or 1h30m",
				str_or(s, ""));
		total += term;
		if (total > DURATION_MAX_NS)
			return err_set(err, ERR_INVALID, "duration \"%.40s\" is too long", s);
	} while (*p);
	/* Rounded up, so that a wish for some time never becomes none. */
	*ms = (int64_t)((total + NS_PER_MS - 1) / NS_PER_MS);
	return 0;
}

static size_t add_part(char *buf, size_t n, uint64_t v, const char *unit)
{
	if (v)
		n += (size_t)snprintf(buf + n, DURATION_MAX - n, "%llu%s", (unsigned long long)v,
		                      unit);
	return n;
}

/* Seconds with what is needed of three places behind the point. */
static size_t add_seconds(char *buf, size_t n, unsigned ms)
{
	unsigned places = 3, fraction = ms % 1000;

	if (!fraction)
		return add_part(buf, n, ms / 1000, "s");
	for (; fraction % 10 == 0; fraction /= 10)
		places--;
	return n + (size_t)snprintf(buf + n, DURATION_MAX - n, "%u.%0*us", ms / 1000, (int)places,
	                            fraction);
}

char *duration_format(int64_t ms, char *buf)
{
	uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	size_t n = 0;

	if (!left) {
		str_copy(buf, DURATION_MAX, "0s");
		return buf;
	}
	if (ms < 0)
		buf[n++] = '-';
	if (left < 1000) {
		add_part(buf, n, left, "ms");
		return buf;
	}
	n = add_part(buf, n, left / 3600000, "h");
	n = add_part(buf, n, left / 60000 % 60, "m");
	add_seconds(buf, n, (unsigned)(left % 60000));
	return buf;
}
