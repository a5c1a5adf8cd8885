#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"0", 0},
		{"0s", 0},
		{"30s", 30000},
		{"5m", 300000},
		{"1h30m", 5400000},
		{"250ms", 250},
		{"1.5h", 5400000},
		{".5s", 500},
		{"1.s", 1000},
		{"7d", 604800000},
		{"1d12h", 129600000},
		{"1h1h", 7200000},
		{"1m1h", 3660000},
		{"1s1ms", 1001},
		{"1ns", 1}, /* rounded up */
		{"1500us", 2},
		{"999999ns1ns", 1},
		{"2000\xc2\xb5s", 2},
		{"2000\xce\xbcs", 2},
		{"0.0000000001s", 0},
		{"0.001s", 1},
		{"0.3333333333333333333333333h", 1200000},
		{"2562047h47m16.854775807s", 9223372036855},
		{"000000000000000000000000000001s", 1000},
	};
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ms = -1;

		if (duration_parse(rows[i].text, &ms, &err) != 0 || ms != rows[i].ms)
			fail_msg("%s gave %lld (%s)", rows[i].text, (long long)ms, err.msg);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {"",     "5",     "s",     ".s", "-5s", "+5s",    "5 s",
	                                  " 5s",  "5s ",   "5x",    "5S", "1h5", "5sm5",   "1e3s",
	                                  "0x1s", "1..5s", "1.5.s", "m",  "00",  "5\xb5s", "1w"};
	static const char *const long_ones[] = {"2562047h47m16.854775808s", "106752d",
	                                        "99999999999999999999999999999999999999999999d",
	                                        "9223372036854775807h", "2562047h2562047h"};
	struct err err = ERR_INIT;
	int64_t ms = 42;
	size_t i;

	(void)state;
	assert_int_equal(duration_parse(NULL, &ms, &err), -1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (duration_parse(bad[i], &ms, &err) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.msg, "invalid duration"));
	}
	for (i = 0; i < ARRAY_SIZE(long_ones); i++) {
		if (duration_parse(long_ones[i], &ms, &err) != -1)
			fail_msg("\"%s\" was taken", long_ones[i]);
		assert_non_null(strstr(err.msg, "too long"));
	}
	assert_int_equal(ms, 42);
	assert_int_equal(duration_parse("x", &ms, NULL), -1);
}

static void test_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1, "1ms"},
		{250, "250ms"},
		{999, "999ms"},
		{1000, "1s"},
		{1500, "1.5s"},
		{1001, "1.001s"},
		{1010, "1.01s"},
		{60000, "1m"},
		{60500, "1m0.5s"},
		{90000, "1m30s"},
		{3600000, "1h"},
		{3601000, "1h1s"},
		{5400000, "1h30m"},
		{90061000, "25h1m1s"},
		{-1500, "-1.5s"},
		{-5, "-5ms"},
		{INT64_MAX, "2562047788015h12m55.807s"},
		{INT64_MIN, "-2562047788015h12m55.808s"},
	};
	char buf[DURATION_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(duration_format(rows[i].ms, buf), rows[i].text);
}

static void test_round_trip(void **state)
{
	char buf[DURATION_MAX];
	int64_t ms, back;

	(void)state;
	for (ms = 0; ms < 400000000; ms += 1 + ms / 7) {
		assert_int_equal(duration_parse(duration_format(ms, buf), &back, NULL), 0);
		assert_int_equal(back, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
