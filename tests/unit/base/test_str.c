#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static void test_compare(void **state)
{
	(void)state;
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "b"));
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_empty(NULL));
	assert_true(str_empty(""));
	assert_false(str_empty(" "));
	assert_true(str_cmp(NULL, "a") < 0);
	assert_true(str_cmp("a", NULL) > 0);
	assert_int_equal(str_cmp(NULL, NULL), 0);
	assert_true(str_cmp("a", "b") < 0);
	assert_string_equal(str_or(NULL, "f"), "f");
	assert_string_equal(str_or("", "f"), "");
}

static void test_affixes(void **state)
{
	(void)state;
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
	assert_false(str_starts(NULL, ""));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("c", "bc"));
	assert_false(str_ends(NULL, "c"));
}

static void test_copy(void **state)
{
	char b[4] = "zzz";

	(void)state;
	assert_true(str_copy(b, sizeof(b), "abc"));
	assert_string_equal(b, "abc");
	assert_false(str_copy(b, sizeof(b), "defg"));
	assert_string_equal(b, "def");
	assert_false(str_copy(b, 1, "x"));
	assert_string_equal(b, "");
	assert_true(str_copy(b, 1, ""));
	b[0] = 'q';
	assert_false(str_copy(b, 0, "x"));
	assert_int_equal(b[0], 'q');
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		bool ok_i64, ok_u64;
		int64_t i64;
		uint64_t u64;
	} rows[] = {
		{"0", true, true, 0, 0},
		{"007", true, true, 7, 7},
		{"-1", true, false, -1, 0},
		{"-0", true, false, 0, 0},
		{"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
		{"9223372036854775808", false, true, 0, 9223372036854775808ULL},
		{"-9223372036854775808", true, false, INT64_MIN, 0},
		{"-9223372036854775809", false, false, 0, 0},
		{"18446744073709551615", false, true, 0, UINT64_MAX},
		{"18446744073709551616", false, false, 0, 0},
		{"99999999999999999999999", false, false, 0, 0},
		{"", false, false, 0, 0},
		{NULL, false, false, 0, 0},
		{"-", false, false, 0, 0},
		{"--1", false, false, 0, 0},
		{"+1", false, false, 0, 0},
		{" 1", false, false, 0, 0},
		{"1 ", false, false, 0, 0},
		{"1.0", false, false, 0, 0},
		{"0x10", false, false, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t s = 0;
		uint64_t u = 0;

		if (str_to_i64(rows[i].text, &s) != rows[i].ok_i64 || s != rows[i].i64)
			fail_msg("i64 \"%s\" gave %lld", str_or(rows[i].text, "NULL"),
			         (long long)s);
		if (str_to_u64(rows[i].text, &u) != rows[i].ok_u64 || u != rows[i].u64)
			fail_msg("u64 \"%s\" gave %llu", str_or(rows[i].text, "NULL"),
			         (unsigned long long)u);
	}
}

static void expect_text(int64_t v)
{
	char want[STR_I64_MAX], got[STR_I64_MAX];

	snprintf(want, sizeof(want), "%" PRId64, v);
	assert_string_equal(str_from_i64(v, got), want);
	assert_int_equal(str_put_i64(got, v), strlen(want));
}

/* Around each power of ten, where a digit more is needed. */
static void test_integer_text(void **state)
{
	(void)state;
	expect_text(INT64_MIN);
	expect_text(INT64_MAX);
	for (int64_t power = 1; power <= INT64_MAX / 10; power *= 10)
		for (int64_t v = 10 * power - 1; v <= 10 * power + 1; v++) {
			expect_text(v);
			expect_text(-v);
			expect_text(v / 10);
		}
}

static void test_doubles(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		double v;
	} rows[] = {
		{"0", true, 0},          {"1.5", true, 1.5},
		{"-1.5e3", true, -1500}, {"+2", true, 2},
		{".5", true, .5},        {"5.", true, 5},
		{"1E-2", true, 0.01},    {"+Inf", true, INFINITY},
		{"Inf", true, INFINITY}, {"-Inf", true, -INFINITY},
		{"1e-400", true, 0},     {"", false, 0},
		{NULL, false, 0},        {".", false, 0},
		{"1e", false, 0},        {"1e+", false, 0},
		{"0x1p3", false, 0},     {"inf", false, 0},
		{"nan", false, 0},       {"1e400", false, 0},
		{" 1", false, 0},        {"1 ", false, 0},
		{"1,5", false, 0},       {"--1", false, 0},
	};
	double d;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		d = 0;
		if (str_to_double(rows[i].text, &d) != rows[i].ok || d != rows[i].v)
			fail_msg("\"%s\" gave %g", str_or(rows[i].text, "NULL"), d);
	}
	assert_true(str_to_double("NaN", &d));
	assert_true(isnan(d));
}

/* What is short is not read by strtod(), and is the same double. */
static void test_short_decimals(void **state)
{
	char text[40];
	double d;

	(void)state;
	for (int64_t v = 1, i = 0; i < 20000; i++) {
		v = (v * 48271 + i) % 1000000007;
		snprintf(text, sizeof(text), "%" PRId64 ".%0*" PRId64, v % 1000, (int)(i % 12 + 1),
		         v);
		assert_true(str_to_double(text, &d));
		if (d != strtod(text, NULL))
			fail_msg("\"%s\" gave %.17g", text, d);
	}
}

static void test_double_text(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
		{0, "0"},
		{0.1, "0.1"},
		{1.0 / 3, "0.3333333333333333"},
		{100, "100"},
		{1e21, "1e+21"},
		{-2.5, "-2.5"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{5e-324, "4.94065645841247e-324"},
		{9007199254740993.0, "9007199254740992"},
	};
	char text[STR_DOUBLE_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(str_from_double(rows[i].v, text), rows[i].text);
	assert_string_equal(str_from_double(NAN, text), "NaN");
	str_from_double(-1.7976931348623157e308, text);
	assert_true(strtod(text, NULL) == -1.7976931348623157e308);
}

static void test_hash(void **state)
{
	(void)state;
	/* Published FNV-1a 64 vectors. */
	assert_int_equal(str_hash(STR_HASH_SEED, "", 0), 0xcbf29ce484222325ULL);
	assert_int_equal(str_hash(STR_HASH_SEED, "a", 1), 0xaf63dc4c8601ec8cULL);
	assert_int_equal(str_hash(STR_HASH_SEED, "foobar", 6), 0x85944171f73967e8ULL);
	assert_int_equal(str_hash(str_hash(STR_HASH_SEED, "foo", 3), "bar", 3),
	                 0x85944171f73967e8ULL);
}

/* Each byte counts, wherever it stands, and so does the length. */
static void test_hash_fast(void **state)
{
	char text[33];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = 1; n <= sizeof(text); n++) {
		uint64_t hash = str_hash_fast(text, n);

		assert_int_not_equal(hash, str_hash_fast(text, n - 1));
		for (size_t i = 0; i < n; i++) {
			text[i] = 'y';
			assert_int_not_equal(hash, str_hash_fast(text, n));
			text[i] = 'x';
		}
		assert_int_equal(hash, str_hash_fast(text, n));
	}
}

static void test_safe_encode(void **state)
{
	char out[12];
	uint64_t v;

	(void)state;
	str_safe_encode(0, out, 3);
	assert_string_equal(out, "bbb");
	str_safe_encode(1 + 27 * 26, out, 2);
	assert_string_equal(out, "c9");
	str_safe_encode(UINT64_MAX, out, 0);
	assert_string_equal(out, "");
	for (v = 1; v; v <<= 1) {
		str_safe_encode(v * 0x9e3779b97f4a7c15ULL, out, 10);
		assert_int_equal(strlen(out), 10);
		assert_int_equal(strspn(out, "bcdfghjklmnpqrstvwxz2456789"), 10);
		assert_true(str_is_dns_label(out));
	}
}

static void test_base64_vectors(void **state)
{
	/* RFC 4648, section 10. */
	static const char *const rows[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};
	unsigned char out[16];
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i][0]);

		base64_encode(rows[i][0], n, text);
		assert_string_equal(text, rows[i][1]);
		assert_int_equal(base64_decode(text, strlen(text), out, sizeof(out)), n);
		assert_memory_equal(out, rows[i][0], n);
		/* Exactly enough room, and one byte too little. */
		assert_int_equal(base64_decode(text, strlen(text), out, n), n);
		if (n)
			assert_int_equal(base64_decode(text, strlen(text), out, n - 1), -1);
	}
}

static void test_base64_refuses(void **state)
{
	static const char *const bad[] = {"Z",     "Zg",    "Zg=",   "Zg===",   "Zm8",
	                                  "Zm8==", "=",     "====",  "Zm9v=",   "Zg==Zg==",
	                                  "Z-_=",  "Zg= =", " Zg==", "Zm9\x80", "Z=g="};
	unsigned char out[16];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (base64_decode(bad[i], strlen(bad[i]), out, sizeof(out)) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(base64_decode("Zg\0=", 4, out, sizeof(out)), -1);
	assert_int_equal(base64_decode("Zm\r\n8=\n", 7, out, sizeof(out)), 2);
}

static void test_base64_all_bytes(void **state)
{
	unsigned char in[256], out[256];
	char text[4 * 86 + 1];
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++)
		in[i] = (unsigned char)i;
	for (i = 0; i <= 256; i++) {
		base64_encode(in, i, text);
		assert_int_equal(base64_decode(text, strlen(text), out, sizeof(out)), i);
		assert_memory_equal(in, out, i);
	}
}

static void test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t n, len;
		uint32_t cp;
	} rows[] = {
		{"a", 1, 1, 'a'},
		{"", 0, 0, 0},
		{"\xc3\xa9", 2, 2, 0xe9},
		{"\xe4\xb8\xad", 3, 3, 0x4e2d},
		{"\xf0\x9f\x98\x80", 4, 4, 0x1f600},
		{"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
		{"\xf4\x90\x80\x80", 4, 0, 0},
		{"\xc0\x80", 2, 0, 0},     /* overlong */
		{"\xe0\x80\x80", 3, 0, 0}, /* overlong */
		{"\xf0\x80\x80\x80", 4, 0, 0},
		{"\xed\xa0\x80", 3, 0, 0}, /* surrogate */
		{"\xed\x9f\xbf", 3, 3, 0xd7ff},
		{"\x80", 1, 0, 0},
		{"\xff", 1, 0, 0},
		{"\xc3", 1, 0, 0},
		{"\xc3(", 2, 0, 0},
		{"\xe4\xb8\xad", 2, 0, 0}, /* cut */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t cp = 0;

		if (str_utf8_next(rows[i].s, rows[i].n, &cp) != rows[i].len || cp != rows[i].cp)
			fail_msg("row %zu gave U+%04x", i, cp);
	}
}

static void test_names(void **state)
{
	char text[260];

	(void)state;
	assert_true(str_is_dns_label("a"));
	assert_true(str_is_dns_label("0-a"));
	assert_false(str_is_dns_label("-a"));
	assert_false(str_is_dns_label("a-"));
	assert_false(str_is_dns_label("A"));
	assert_false(str_is_dns_label("a.b"));
	assert_false(str_is_dns_label("a_b"));
	assert_false(str_is_dns_label(""));
	assert_false(str_is_dns_label(NULL));
	assert_true(str_is_dns_subdomain("a.b-c.d"));
	assert_false(str_is_dns_subdomain("a..b"));
	assert_false(str_is_dns_subdomain(".a"));
	assert_false(str_is_dns_subdomain("a."));
	assert_false(str_is_dns_subdomain("a.-b"));
	assert_false(str_is_dns_subdomain(""));
	assert_false(str_is_dns_subdomain(NULL));
	memset(text, 'x', sizeof(text));
	text[63] = '\0';
	assert_true(str_is_dns_label(text));
	text[63] = 'x', text[64] = '\0';
	assert_false(str_is_dns_label(text));
	assert_true(str_is_dns_subdomain(text));
	text[64] = 'x', text[253] = '\0';
	assert_true(str_is_dns_subdomain(text));
	text[253] = 'x', text[254] = '\0';
	assert_false(str_is_dns_subdomain(text));
}

/* Every byte at every place of a text that is longer than what is looked at in one go. */
static void test_plain_run(void **state)
{
	char text[40];

	(void)state;
	for (unsigned n = 0; n <= sizeof(text); n++)
		for (unsigned at = 0; at < n; at++)
			for (unsigned c = 0; c < 256; c++) {
				bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

				memset(text, c % 2 ? 'a' : '!', sizeof(text));
				text[at] = (char)c;
				assert_int_equal(str_plain_run(text, n), plain ? n : at);
				if (at + 1 < n) {
					text[at + 1] = '"';
					assert_int_equal(str_plain_run(text, n),
					                 plain ? at + 1 : at);
				}
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),        cmocka_unit_test(test_affixes),
		cmocka_unit_test(test_copy),           cmocka_unit_test(test_integers),
		cmocka_unit_test(test_integer_text),   cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_short_decimals), cmocka_unit_test(test_double_text),
		cmocka_unit_test(test_hash),           cmocka_unit_test(test_hash_fast),
		cmocka_unit_test(test_safe_encode),    cmocka_unit_test(test_base64_vectors),
		cmocka_unit_test(test_base64_refuses), cmocka_unit_test(test_base64_all_bytes),
		cmocka_unit_test(test_utf8),           cmocka_unit_test(test_names),
		cmocka_unit_test(test_plain_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
