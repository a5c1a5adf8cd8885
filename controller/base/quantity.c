#include "tidegate/base/quantity.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define UNITS_MAX (INT64_MAX / 1000)
#define MILLI_MAX (UNITS_MAX * 1000)
/* Digits kept: all of a value that does not saturate; the rest only decides about rounding. */
#define MANTISSA_DIGITS 19
/* Far beyond what can matter, and far from an overflow of int. */
#define EXPONENT_MAX 1000

/* mantissa * 10^decimal * 2^binary, and a little more when `more`. */
struct parts {
	bool negative, more;
	__int128 mantissa;
	int decimal, binary;
};

static void add_digit(struct parts *q, unsigned *kept, int digit, bool behind_point)
{
	if (*kept < MANTISSA_DIGITS) {
		q->mantissa = q->mantissa * 10 + digit;
		*kept += *kept || digit ? 1 : 0;
		q->decimal -= behind_point;
		return;
	}
	q->more |= digit != 0;
	q->decimal += !behind_point;
}

/* Sign and digits; false when there is no digit. */
static bool take_number(const char **p, struct parts *q)
{
	bool behind_point = false, any = false;
	unsigned kept = 0;

	if (**p == '-' || **p == '+')
		q->negative = *(*p)++ == '-';
	for (;; ++*p) {
		if (isdigit((unsigned char)**p)) {
			any = true;
			/* A string has no bound here, an exponent has. */
			if (q->decimal > -EXPONENT_MAX && q->decimal < EXPONENT_MAX)
				add_digit(q, &kept, **p - '0', behind_point);
			else
				q->more |= **p != '0';
		} else if (**p == '.' && !behind_point) {
			behind_point = true;
		} else {
			return any;
		}
	}
}

static bool take_exponent(const char *p, struct parts *q)
{
	bool negative = *p == '-';
	int e = 0;

	if (*p == '-' || *p == '+')
		p++;
	if (!*p)
		return false;
	for (; isdigit((unsigned char)*p); p++)
		if (e < EXPONENT_MAX)
			e = e * 10 + (*p - '0');
	q->decimal += negative ? -e : e;
	return !*p;
}

static bool take_suffix(const char *p, struct parts *q)
{
	static const struct {
		const char *name;
		int decimal, binary;
	} suffixes[] = {
		{"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},
		{"k", 3, 0},   {"M", 6, 0},   {"G", 9, 0},   {"T", 12, 0},
		{"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
		{"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (!strcmp(p, suffixes[i].name)) {
			q->decimal += suffixes[i].decimal;
			q->binary = suffixes[i].binary;
			return true;
		}
	}
	return (*p == 'e' || *p == 'E') && take_exponent(p + 1, q);
}

/* The value rounded away from zero, as apimachinery does, and saturated. */
static int64_t scale(const struct parts *q, int64_t max)
{
	/* At most 10^19 * 2^60: fits, and the loop stops at a tenfold of max. */
	__int128 v = q->mantissa << q->binary;
	bool more = q->more;
	int e;

	for (e = q->decimal; e > 0 && v && v <= max; e--)
		v *= 10;
	for (; e < 0 && v; e++) {
		more |= v % 10 != 0;
		v /= 10;
	}
	v += more;
	if (v > max)
		v = max;
	return (int64_t)(q->negative ? -v : v);
}

static int parse(const char *s, struct parts *q, struct err *err)
{
	const char *p = str_or(s, "");

	*q = (struct parts){0};
	if (!take_number(&p, q) || !take_suffix(p, q))
		return err_set(err, ERR_INVALID,
		               "invalid quantity \"%.40s\": write for example 500m, 2 or 20Gi",
		               str_or(s, ""));
	return 0;
}

int quantity_parse_milli(const char *s, int64_t *milli, struct err *err)
{
	struct parts q;

	if (parse(s, &q, err) < 0)
		return -1;
	q.decimal += 3;
	*milli = scale(&q, MILLI_MAX);
	return 0;
}

int quantity_parse(const char *s, int64_t *units, struct err *err)
{
	struct parts q;

	if (parse(s, &q, err) < 0)
		return -1;
	*units = scale(&q, UNITS_MAX);
	return 0;
}
