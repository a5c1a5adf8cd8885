#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/quantity.h"

#define UNITS_MAX (INT64_MAX / 1000)
#define MILLI_MAX (UNITS_MAX * 1000)

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t milli, units;
	} rows[] = {
		{"0", 0, 0},
		{"2", 2000, 2},
		{"500m", 500, 1},
		{"1500m", 1500, 2},
		{"0.1", 100, 1},
		{".5", 500, 1},
		{"1.", 1000, 1},
		{"+3", 3000, 3},
		{"-3", -3000, -3},
		{"-1500m", -1500, -2},
		{"1k", 1000000, 1000},
		{"1M", 1000000000, 1000000},
		{"1G", 1000000000000, 1000000000},
		{"1T", 1000000000000000, 1000000000000},
		{"1P", 1000000000000000000, 1000000000000000},
		{"9P", 9000000000000000000, 9000000000000000},
		{"10P", MILLI_MAX, UNITS_MAX},
		{"1E", MILLI_MAX, UNITS_MAX},
		{"1Ki", 1024000, 1024},
		{"20Gi", 21474836480000, 21474836480},
		{"0.5Gi", 536870912000, 536870912},
		{"8Pi", 9007199254740992000, 9007199254740992},
		{"8.2Pi", MILLI_MAX, UNITS_MAX},
		{"16Ei", MILLI_MAX, UNITS_MAX},
		{"-16Ei", -MILLI_MAX, -UNITS_MAX},
		{"1e3", 1000000, 1000},
		{"1E3", 1000000, 1000},
		{"1e+3", 1000000, 1000},
		{"1.5e-3", 2, 1}, /* 1.5 thousandths */
		{"1e-3", 1, 1},
		{"1e-9", 1, 1},
		{"0e99", 0, 0},
		{"0Ei", 0, 0},
		{"1e999999999999", MILLI_MAX, UNITS_MAX},
		{"1e-999999999999", 1, 1},
		{"1u", 1, 1},
		{"1000u", 1, 1},
		{"1001u", 2, 1},
		{"1n", 1, 1},
		{"1000000n", 1, 1},
		{"0.0001", 1, 1},
		{"-0.0001", -1, -1},
		{"9007199254740993", 9007199254740993000, 9007199254740993},
		{"9007199254740993000m", 9007199254740993000, 9007199254740993},
		{"9223372036854775", 9223372036854775000, UNITS_MAX},
		{"9223372036854775.0001", MILLI_MAX, UNITS_MAX},
		{"9223372036854776", MILLI_MAX, UNITS_MAX},
		{"99999999999999999999999999999", MILLI_MAX, UNITS_MAX},
		{"1.00000000000000000000000000000", 1000, 1},
		{"1.00000000000000000000000000001", 1001, 2},
		{"0000000000000000000000000000001", 1000, 1},
		{"0.00000000000000000000000000000000000001Ei", 1, 1},
		{"1.5Ki", 1536000, 1536},
		{"0.0009765625Ki", 1000, 1},
	};
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t milli = 42, units = 42;

		if (quantity_parse_milli(rows[i].text, &milli, &err) != 0 || milli != rows[i].milli)
			fail_msg("%s gave %lld milli", rows[i].text, (long long)milli);
		if (quantity_parse(rows[i].text, &units, &err) != 0 || units != rows[i].units)
			fail_msg("%s gave %lld units", rows[i].text, (long long)units);
	}
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {"",      "-",    "m",     "Gi",  ".",   "1 Gi",
	                                  "1gi",   "1GiB", "1K",    "1mi", "1e",  "1e+",
	                                  "1e3.5", "1e3m", "1.2.3", "1,5", "--1", " 1",
	                                  "1 ",    "0x10", "NaN",   "inf", "1ki", "1Kii"};
	struct err err = ERR_INIT;
	int64_t v = 42;
	size_t i;

	(void)state;
	assert_int_equal(quantity_parse(NULL, &v, &err), -1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (quantity_parse(bad[i], &v, &err) != -1 ||
		    quantity_parse_milli(bad[i], &v, NULL) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.msg, bad[i]));
	}
	assert_int_equal(v, 42);
}

static void test_long_digits(void **state)
{
	char text[5000];
	int64_t v;

	(void)state;
	memset(text, '9', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(quantity_parse(text, &v, NULL), 0);
	assert_int_equal(v, UNITS_MAX);
	memset(text, '0', sizeof(text) - 1);
	text[1] = '.';
	assert_int_equal(quantity_parse(text, &v, NULL), 0);
	assert_int_equal(v, 0);
	text[sizeof(text) - 2] = '1';
	assert_int_equal(quantity_parse_milli(text, &v, NULL), 0);
	assert_int_equal(v, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_long_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
