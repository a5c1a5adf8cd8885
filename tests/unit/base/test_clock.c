#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"

static void test_clocks_run(void **state)
{
	int64_t mono = clock_mono_ms(), cpu = clock_cpu_ms();

	(void)state;
	assert_true(mono > 0);
	assert_true(clock_mono_ms() >= mono);
	assert_true(cpu >= 0);
	/* After 2020 and before 2100. */
	assert_true(clock_wall_ms() > 1577836800000 && clock_wall_ms() < 4102444800000);
}

static void test_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *seconds, *millis, *micros;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z",
	         "1970-01-01T00:00:00.000000Z"},
		{1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001Z",
	         "1970-01-01T00:00:00.001000Z"},
		{-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z",
	         "1969-12-31T23:59:59.999000Z"},
		{1795517537123, "2026-11-24T10:52:17Z", "2026-11-24T10:52:17.123Z",
	         "2026-11-24T10:52:17.123000Z"},
		{951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z",
	         "2000-02-29T00:00:00.000000Z"},
		{INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z",
	         "9999-12-31T23:59:59.999000Z"},
		{INT64_MIN, "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z",
	         "0000-01-01T00:00:00.000000Z"},
	};
	char buf[CLOCK_RFC3339_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(clock_format(rows[i].ms, buf), rows[i].seconds);
		assert_string_equal(clock_format_ms(rows[i].ms, buf), rows[i].millis);
		assert_string_equal(clock_format_micro(rows[i].ms, buf), rows[i].micros);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-24T10:52:17Z", 1795517537000},
		{"2026-11-24t10:52:17z", 1795517537000},
		{"2026-11-24T10:52:17.1Z", 1795517537100},
		{"2026-11-24T10:52:17.123456Z", 1795517537123},
		{"2026-11-24T10:52:17.9999999999999999999Z", 1795517537999},
		{"2026-11-24T18:52:17+08:00", 1795517537000},
		{"2026-11-24T02:22:17-08:30", 1795517537000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"2000-02-29T00:00:00-00:00", 951782400000},
		{"1969-12-31T23:59:59.999Z", -1},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
		{"0000-01-01T00:00:00Z", -62167219200000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ms = 42;

		if (clock_parse(rows[i].text, &ms) != 0 || ms != rows[i].ms)
			fail_msg("%s gave %lld", rows[i].text, (long long)ms);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-11-24",
		"2026-11-24T10:52:17",
		"2026-11-24 10:52:17Z",
		"2026-11-24T10:52Z",
		"2026-11-24T10:52:17.Z",
		"2026-11-24T10:52:17Zx",
		"2026-11-24T10:52:17 Z",
		" 2026-11-24T10:52:17Z",
		"2026-1-24T10:52:17Z",
		"2026-00-24T10:52:17Z",
		"2026-13-24T10:52:17Z",
		"2026-11-00T10:52:17Z",
		"2026-11-31T10:52:17Z",
		"2023-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-11-24T24:00:00Z",
		"2026-11-24T10:60:00Z",
		"2026-11-24T23:59:60Z",
		"2026-11-24T10:52:17+0800",
		"2026-11-24T10:52:17+24:00",
		"2026-11-24T10:52:17+08:60",
		"2026-11-24T10:52:17+08",
		"-026-11-24T10:52:17Z",
		"null",
	};
	int64_t ms = 42;
	size_t i;

	(void)state;
	assert_int_equal(clock_parse(NULL, &ms), -1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (clock_parse(bad[i], &ms) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(ms, 42);
}

static void test_round_trip(void **state)
{
	char buf[CLOCK_RFC3339_MAX];
	int64_t ms, back;

	(void)state;
	for (ms = -62167219200000; ms < 253402300799999; ms += 86399999 * 397LL) {
		assert_int_equal(clock_parse(clock_format_micro(ms, buf), &back), 0);
		assert_int_equal(back, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks_run), cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
