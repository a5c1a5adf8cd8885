/*
 * The parsers of short texts: quantities, durations, times, numbers, names, base64. What is
 * accepted must come back unchanged through its writer where there is one.
 */
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_quantity(const char *s)
{
	int64_t milli, units;
	int rc = quantity_parse_milli(s, &milli, NULL);

	check(quantity_parse(s, &units, NULL) == rc);
	if (rc < 0)
		return;
	check(units <= INT64_MAX / 1000 && units >= -(INT64_MAX / 1000));
	/* Both are rounded away from zero: they differ by less than a unit. */
	check(milli >= 0 ? units * 1000 >= milli && units * 1000 - milli < 1000
	                 : units * 1000 <= milli && milli - units * 1000 < 1000);
}

static void fuzz_duration(const char *s)
{
	char text[DURATION_MAX];
	int64_t ms, back;

	if (duration_parse(s, &ms, NULL) < 0)
		return;
	check(ms >= 0);
	duration_format(ms, text);
	/* The longest one is rounded up to a millisecond that Go's nanoseconds do not reach. */
	if (ms <= INT64_MAX / 1000000)
		check(duration_parse(text, &back, NULL) == 0 && back == ms);
}

static void fuzz_clock(const char *s)
{
	char text[CLOCK_RFC3339_MAX];
	int64_t ms, back;

	if (clock_parse(s, &ms) < 0)
		return;
	/* An offset can lead out of the years that can be written. */
	if (ms < -62167219200000LL || ms > 253402300799999LL)
		return;
	check(clock_parse(clock_format_micro(ms, text), &back) == 0 && back == ms);
}

static void fuzz_numbers(const char *s)
{
	char text[STR_DOUBLE_MAX];
	double d, again;
	uint64_t u;
	int64_t i;

	if (str_to_i64(s, &i) && i >= 0)
		check(str_to_u64(s[0] == '-' ? s + 1 : s, &u) && u == (uint64_t)i);
	if (str_to_double(s, &d) && d == d)
		check(str_to_double(str_from_double(d, text), &again) && again == d);
	if (str_is_dns_label(s))
		check(str_is_dns_subdomain(s));
}

static void fuzz_base64(const unsigned char *data, size_t size)
{
	char *text cleanup_free = xmalloc(4 * ((size + 2) / 3) + 1);
	unsigned char *out cleanup_free = xmalloc(size + 1);

	base64_encode(data, size, text);
	check(base64_decode(text, strlen(text), out, size) == (long)size);
	check(!memcmp(out, data, size));
	base64_decode((const char *)data, size, out, size);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *s cleanup_free = xmalloc(size + 1);

	memcpy(s, data, size);
	s[size] = '\0';
	fuzz_quantity(s);
	fuzz_duration(s);
	fuzz_clock(s);
	fuzz_numbers(s);
	fuzz_base64(data, size);
	return 0;
}
