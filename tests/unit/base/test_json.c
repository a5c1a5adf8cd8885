#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* Parses text that must be good. The copy ends exactly where the text does, for ASan. */
static const struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	size_t len = strlen(text);
	char *copy = memcpy(malloc(len ? len : 1), text, len);
	const struct json *v = json_parse(&arena, copy, len, &err);

	if (!v)
		fail_msg("%s: %s", text, err.msg);
	free(copy);
	return v;
}

static void test_getters(void **state)
{
	const struct json *o =
		parse("{\"s\":\"x\",\"S\":\"upper\",\"i\":-7,\"d\":2.5,\"t\":true,\"f\":false,"
	              "\"n\":null,\"a\":[1,2,3],\"o\":{\"in\":{\"k\":\"deep\"}},\"e\":\"\"}");

	(void)state;
	assert_string_equal(json_str(o, "s"), "x");
	assert_string_equal(json_str(o, "S"), "upper");
	assert_string_equal(json_str(o, "e"), "");
	assert_null(json_str(o, "i"));
	assert_null(json_str(o, "missing"));
	assert_int_equal(json_i64(o, "i", 1), -7);
	assert_int_equal(json_i64(o, "s", 1), 1);
	assert_int_equal(json_i64(o, "d", 1), 1);
	assert_true(json_double(o, "d", 0) == 2.5);
	assert_true(json_double(o, "i", 0) == -7);
	assert_true(json_double(o, "t", 9) == 9);
	assert_true(json_bool(o, "t", false));
	assert_false(json_bool(o, "f", true));
	assert_true(json_bool(o, "n", true));
	assert_true(json_bool(o, "s", true));
	assert_true(json_has(o, "f"));
	assert_false(json_has(o, "n"));
	assert_false(json_has(o, "missing"));
	assert_non_null(json_get(o, "n"));
	assert_int_equal(json_size(json_get(o, "a")), 3);
	assert_int_equal(json_size(json_get(o, "o")), 1);
	assert_int_equal(json_size(json_get(o, "s")), 0);
	assert_string_equal(json_value_str(json_path(o, "o", "in", "k", NULL)), "deep");
	assert_null(json_path(o, "o", "x", "k", NULL));
	assert_null(json_path(o, "s", "k", NULL));
	assert_ptr_equal(json_path(o, NULL), o);
	assert_true(json_is_object(o) && json_is_array(json_get(o, "a")));
	assert_true(json_is_string(json_get(o, "s")) && json_is_number(json_get(o, "i")));
	assert_true(json_is_bool(json_get(o, "f")) && !json_is_bool(json_get(o, "n")));
}

static void test_getters_take_null(void **state)
{
	(void)state;
	assert_null(json_get(NULL, "k"));
	assert_null(json_str(NULL, "k"));
	assert_int_equal(json_i64(NULL, "k", 5), 5);
	assert_true(json_double(NULL, "k", 5) == 5);
	assert_true(json_bool(NULL, "k", true));
	assert_false(json_has(NULL, "k"));
	assert_null(json_path(NULL, "k", NULL));
	assert_null(json_value_str(NULL));
	assert_int_equal(json_value_i64(NULL, 5), 5);
	assert_true(json_value_bool(NULL, true));
	assert_false(json_is_object(NULL));
	assert_null(json_first(NULL));
	assert_null(json_key(NULL));
	assert_int_equal(json_size(NULL), 0);
	/* A key of an array element is none. */
	assert_null(json_get(parse("[{\"k\":1}]"), "k"));
}

static void test_iteration(void **state)
{
	const struct json *o = parse("{\"a\":1,\"b\":[10,20]}"), *it;
	unsigned n = 0;
	int64_t sum = 0;

	(void)state;
	json_for_each (it, o)
		assert_string_equal(json_key(it), n++ ? "b" : "a");
	assert_int_equal(n, 2);
	json_for_each (it, json_get(o, "b")) {
		assert_null(json_key(it));
		sum += json_value_i64(it, 0);
	}
	assert_int_equal(sum, 30);
	json_for_each (it, parse("[]"))
		fail();
}

static void test_integer_precision(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1 = refused */
	} rows[] = {
		{"0", 0},
		{"-0", 0},
		{"1.0", 1},
		{"1e3", 1000},
		{"2147483648", 2147483648},
		{"9007199254740991", 9007199254740991},
		{"-9007199254740991", -9007199254740991},
		{"9007199254740992", -1},
		{"9007199254740993", -1},
		{"-9007199254740993", -1},
		{"9223372036854775807", -1},
		{"1e400", -1},
		{"0.5", -1},
		{"1e-5", -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct json *v = parse(rows[i].text);

		if (json_value_i64(v, -1) != rows[i].want)
			fail_msg("%s gave %lld", rows[i].text, (long long)json_value_i64(v, -1));
	}
	assert_true(json_value_double(parse("1e400"), 7) == 7);
}

static void test_strings(void **state)
{
	static const struct {
		const char *json, *want;
	} rows[] = {
		{"\"\"", ""},
		{"\"a\\\"b\\\\c\\/d\"", "a\"b\\c/d"},
		{"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u4E2d\"", "A\xc3\xa9\xe4\xb8\xad"},
		{"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
		{"\"\xf0\x9f\x98\x80\x7f\"", "\xf0\x9f\x98\x80\x7f"},
		{"\"a\\u0000b\"", "a\xef\xbf\xbd"
	                          "b"},
		{"\"\\\\u0000\\u0000\"", "\\u0000\xef\xbf\xbd"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(json_value_str(parse(rows[i].json)), rows[i].want);
	/* A NUL must not make two keys look the same. */
	assert_null(json_get(parse("{\"a\\u0000b\":1}"), "a"));
}

static void test_refuses(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{"", "unexpected end"},
		{"  ", "unexpected end"},
		{"{} x", "more text"},
		{"{}{}", "more text"},
		{"1 2", "more text"},
		{"nul", "unexpected character"},
		{"nulll", "more text"},
		{"True", "unexpected character"},
		{"NaN", "unexpected character"},
		{"{", "expected a string"},
		{"{\"a\"}", "expected \":\""},
		{"{\"a\":}", "unexpected character"},
		{"{\"a\":1,}", "expected a string"},
		{"{a:1}", "expected a string"},
		{"{'a':1}", "expected a string"},
		{"{\"a\":1 \"b\":2}", "expected \",\" or \"}\""},
		{"[1,]", "unexpected character"},
		{"[1 2]", "expected \",\" or \"]\""},
		{"[1", "expected \",\" or \"]\""},
		{"[", "unexpected end"},
		{"\"abc", "without an end"},
		{"\"a\\\"", "without an end"},
		{"\"\\", "invalid escape"},
		{"\"\\x41\"", "invalid escape"},
		{"\"\\u12\"", "escape"},
		{"\"\\u12g4\"", "invalid \\u"},
		{"\"\\ud800\"", "surrogate"},
		{"\"\\ud800x\"", "surrogate"},
		{"\"\\ud800\\u0041\"", "surrogate"},
		{"\"\\udc00\"", "surrogate"},
		{"\"a\nb\"", "control character"},
		{"\"a\tb\"", "control character"},
		{"\"\x01\"", "control character"},
		{"\"\xff\"", "UTF-8"},
		{"\"\xc0\x80\"", "UTF-8"},
		{"\"\xed\xa0\x80\"", "UTF-8"},
		{"{\"\xc3\":1}", "UTF-8"},
		{"01", "leading zero"},
		{"-01", "leading zero"},
		{"1.", "behind the point"},
		{"1e", "exponent"},
		{"1e+", "exponent"},
		{".5", "unexpected character"},
		{"+1", "unexpected character"},
		{"-", "unexpected character"},
		{"0x1", "more text"},
		{"1.1111111111111111111111111111111111111111111111111111111111111", "too long"},
		{"/* c */ 1", "unexpected character"},
		{"\xef\xbb\xbf{}", "unexpected character"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;

		if (json_parse(&arena, rows[i].json, strlen(rows[i].json), &err))
			fail_msg("%s was taken", rows[i].json);
		assert_int_equal(err.class, ERR_INVALID);
		if (!strstr(err.msg, rows[i].why))
			fail_msg("%s: %s", rows[i].json, err.msg);
		assert_int_equal(json_check(rows[i].json, strlen(rows[i].json), NULL), -1);
	}
	assert_null(json_parse(&arena, "{}\0", 3, NULL));
	assert_null(json_parse(&arena, "\"\0\"", 3, NULL));
}

static void test_error_names_the_byte(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(json_parse(&arena, "{\"a\": x}", 8, &err));
	assert_string_equal(err.msg, "invalid JSON at byte 7: unexpected character");
}

static void test_depth(void **state)
{
	struct err err = ERR_INIT;
	struct buf out cleanup_buf;
	char text[600];
	unsigned i;

	(void)state;
	memset(text, '[', 100);
	memset(text + 100, ']', 100);
	buf_init(&out, 1000);
	assert_int_equal(json_write_value(&out, json_parse(&arena, text, 200, &err)), 0);
	assert_memory_equal(out.data, text, 200);
	memset(text, '[', 101);
	memset(text + 101, ']', 101);
	assert_null(json_parse(&arena, text, 202, &err));
	assert_non_null(strstr(err.msg, "deeper than 100"));
	/* Siblings do not count. */
	buf_reset(&out);
	for (i = 0; i < 200; i++)
		buf_addstr(&out, i ? ",[]" : "[[]");
	buf_addch(&out, ']');
	assert_non_null(json_parse(&arena, out.data, out.len, &err));
}

static void test_write_value(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{" { \"a\" : [ 1 , true , null , \"x\" ] } ", "{\"a\":[1,true,null,\"x\"]}"},
		{"[]", "[]"},
		{"{}", "{}"},
		{"{\"\":{}}", "{\"\":{}}"},
		{"false", "false"},
		{"[9223372036854775807,1,-9223372036854775808,2]",
	         "[9223372036854775807,1,-9223372036854775808,2]"},
		{"{\"a\":[9007199254740993,[1.5,18446744073709551615]],\"b\":3}",
	         "{\"a\":[9007199254740993,[1.5,18446744073709551615]],\"b\":3}"},
		{"1e400", "1e400"},
		{"999999999999999", "999999999999999"},
		{"1234567890123460", "1234567890123460"},
		{"0.1", "0.1"},
		{"-0.25", "-0.25"},
		{"1.0", "1"},
		{"\"\\u0001\\\"\\\\\\/\\u00e9\"", "\"\\u0001\\\"\\\\/\xc3\xa9\""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out cleanup_buf;

		buf_init(&out, 1000);
		assert_int_equal(json_write_value(&out, parse(rows[i].in)), 0);
		assert_string_equal(out.data, rows[i].out);
	}
}

static void test_write_value_leaves_buffer_alone_when_full(void **state)
{
	struct buf out cleanup_buf;

	(void)state;
	buf_init(&out, 8);
	buf_addstr(&out, "ab");
	assert_int_equal(json_write_value(&out, parse("[1,2,3,4]")), -1);
	assert_string_equal(out.data, "ab");
	assert_int_equal(json_write_string(&out, "12345", 5), -1);
	assert_string_equal(out.data, "ab");
	assert_int_equal(json_write_string(&out, "1234", 4), 0);
	assert_string_equal(out.data, "ab\"1234\"");
}

static void test_writer(void **state)
{
	struct buf out cleanup_buf;
	struct json_writer w;

	(void)state;
	buf_init(&out, 10000);
	jw_init(&w, &out);
	jw_object(&w, NULL);
	jw_str(&w, "s", "x");
	jw_str(&w, "absent", NULL);
	jw_strn(&w, "n", "abc", 2);
	jw_i64(&w, "min", INT64_MIN);
	jw_i64(&w, "max", INT64_MAX);
	jw_bool(&w, "t", true);
	jw_null(&w, "z");
	jw_double(&w, "d", 0.1);
	jw_double(&w, "nan", NAN);
	jw_double(&w, "inf", -INFINITY);
	jw_strf(&w, "f", "%d/%s", 3, "\"q\"");
	jw_raw(&w, "r", "{\"k\":1}");
	jw_value(&w, "v", parse("[9223372036854775807]"));
	jw_array(&w, "a");
	jw_i64(&w, NULL, 1);
	jw_array(&w, NULL);
	jw_end_array(&w);
	jw_object(&w, NULL);
	jw_end_object(&w);
	jw_str(&w, NULL, "e");
	jw_end_array(&w);
	jw_i64(&w, "last", 0);
	jw_end_object(&w);
	assert_int_equal(jw_end(&w), 0);
	assert_string_equal(out.data,
	                    "{\"s\":\"x\",\"n\":\"ab\",\"min\":-9223372036854775808,"
	                    "\"max\":9223372036854775807,\"t\":true,\"z\":null,\"d\":0.1,"
	                    "\"nan\":null,\"inf\":null,\"f\":\"3/\\\"q\\\"\",\"r\":{\"k\":1},"
	                    "\"v\":[9223372036854775807],\"a\":[1,[],{},\"e\"],\"last\":0}");
	assert_non_null(parse(out.data));
}

static void test_writer_escapes(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *out;
	} rows[] = {
		{"a/b<>&'", 7, "\"a/b<>&'\""},
		{"\"\\\n\r\t", 5, "\"\\\"\\\\\\n\\r\\t\""},
		{"\b\f\x01\x1f\0", 5, "\"\\u0008\\u000c\\u0001\\u001f\\u0000\""},
		{"\x7f", 1, "\"\\u007f\""},
		{"\xc2\x85", 2, "\"\\u0085\""},     /* next line */
		{"\xe2\x80\xa8", 3, "\"\\u2028\""}, /* line separator */
		{"\xef\xbb\xbf", 3, "\"\\ufeff\""}, /* byte order mark */
		{"\xef\xbf\xbe", 3, "\"\\ufffe\""},
		{"\xe4\xb8\xad\xf0\x9f\x98\x80", 7, "\"\xe4\xb8\xad\xf0\x9f\x98\x80\""},
		{"a\xff"
	         "b",
	         3,
	         "\"a\xef\xbf\xbd"
	         "b\""},
		{"\xe4\xb8", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"", 0, "\"\""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out cleanup_buf;

		buf_init(&out, 100);
		assert_int_equal(json_write_string(&out, rows[i].in, rows[i].n), 0);
		assert_string_equal(out.data, rows[i].out);
		assert_int_equal(json_check(out.data, out.len, NULL), 0);
	}
}

/* Strings are looked at in pieces of several bytes: wherever the one that matters stands. */
static void test_each_byte_at_each_place(void **state)
{
	enum { LEN = 19 };
	struct buf out cleanup_buf;

	(void)state;
	buf_init(&out, 1000);
	for (unsigned byte = 0; byte < 256; byte++)
		for (unsigned i = 0; i < LEN; i++) {
			bool raw = byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
			char text[LEN + 2], *in = text + 1;
			const char *back;

			memset(text, 'x', sizeof(text));
			text[0] = text[LEN + 1] = '"';
			in[i] = (char)byte;
			assert_int_equal(json_check(text, sizeof(text), NULL) == 0, raw);
			buf_reset(&out);
			assert_int_equal(json_write_string(&out, in, LEN), 0);
			back = json_value_str(parse(out.data));
			assert_non_null(back);
			if (byte && byte < 0x80)
				assert_memory_equal(back, in, LEN);
			else
				assert_memory_equal(back + i, "\xef\xbf\xbd", 3);
		}
}

static void test_writer_failures(void **state)
{
	struct buf out cleanup_buf;
	struct json_writer w;
	unsigned i;

	(void)state;
	buf_init(&out, 10);
	jw_init(&w, &out);
	jw_object(&w, NULL);
	jw_str(&w, "key", "too long for it");
	jw_end_object(&w);
	assert_int_equal(jw_end(&w), -1);
	assert_true(out.len <= 10);

	buf_reset(&out);
	jw_init(&w, &out);
	jw_array(&w, NULL);
	assert_int_equal(jw_end(&w), -1); /* left open */

	buf_reset(&out);
	jw_init(&w, &out);
	jw_end_array(&w);
	assert_int_equal(jw_end(&w), -1); /* never opened */

	buf_reset(&out);
	jw_init(&w, &out);
	jw_i64(&w, NULL, 1);
	jw_i64(&w, NULL, 2);
	assert_int_equal(jw_end(&w), -1); /* two values */

	buf_reset(&out);
	out.max = 1000;
	jw_init(&w, &out);
	for (i = 0; i < 63; i++)
		jw_array(&w, NULL);
	for (i = 0; i < 63; i++)
		jw_end_array(&w);
	assert_int_equal(jw_end(&w), 0);
	buf_reset(&out);
	jw_init(&w, &out);
	for (i = 0; i < 64; i++)
		jw_array(&w, NULL);
	for (i = 0; i < 64; i++)
		jw_end_array(&w);
	assert_int_equal(jw_end(&w), -1);
}

/* Whatever is cut off at whatever byte must be refused, never read past. */
static char *rewritten(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	const struct json *v = json_parse_object(a, text, strlen(text), &err);
	struct buf out;
	char *copy;

	if (!v)
		return arena_printf(a, "refused: %s", err.msg);
	buf_init(&out, 1 << 16);
	assert_int_equal(json_write_value(&out, v), 0);
	copy = arena_strdup(a, out.data);
	buf_release(&out);
	return copy;
}

/* An object's own managedFields are not in the tree; whatever else has that name is. */
static void test_object_without_managed_fields(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{\"metadata\":{\"name\":\"x\",\"managedFields\":[{\"f:a\":{}},{\"n\":1}]},\"s\":"
	         "1}",
	         "{\"metadata\":{\"name\":\"x\",\"managedFields\":[]},\"s\":1}"},
		{"{\"object\":{\"metadata\":{\"managedFields\": [ 1 ] ,\"a\":2}}}",
	         "{\"object\":{\"metadata\":{\"managedFields\":[],\"a\":2}}}"},
		/* The kept text of a number goes to the right one. */
		{"{\"metadata\":{\"managedFields\":[12345678901234567890,1],\"n\":9007199254740993}"
	         "}",
	         "{\"metadata\":{\"managedFields\":[],\"n\":9007199254740993}}"},
		{"{\"n\":9007199254740993,\"metadata\":{\"managedFields\":[9007199254740995]},"
	         "\"m\":[1,9007199254740997]}",
	         "{\"n\":9007199254740993,\"metadata\":{\"managedFields\":[]},"
	         "\"m\":[1,9007199254740997]}"},
		{"{\"metadata\":{\"managedFields\":[\"\\u0000\"],\"a\":\"\\u0000\"}}",
	         "{\"metadata\":{\"managedFields\":[],\"a\":\"\xef\xbf\xbd\"}}"},
		{"{\"managedFields\":[1]}", "{\"managedFields\":[1]}"},
		{"{\"metadata\":{\"managedFields\":7}}", "{\"metadata\":{\"managedFields\":7}}"},
		{"{\"metadata\":[{\"managedFields\":[1]}]}",
	         "{\"metadata\":[{\"managedFields\":[1]}]}"},
		{"{\"o\":{\"spec\":{\"metadata\":{\"managedFields\":[1]}}}}",
	         "{\"o\":{\"spec\":{\"metadata\":{\"managedFields\":[1]}}}}"},
	};
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(rewritten(&a, rows[i].text), rows[i].want);
	assert_true(
		str_starts(rewritten(&a, "{\"metadata\":{\"managedFields\":[01]}}"), "refused"));
	assert_true(str_starts(rewritten(&a, "{\"metadata\":{\"managedFields\":[}}"), "refused"));
	arena_release(&a);
}

/* A tree that is made reads and is written as one that was parsed. */
static void test_trees_that_are_made(void **state)
{
	const struct json *from =
		parse("{\"n\":12345678901234567890,\"list\":[true,null,{\"x\":\"y\"}],\"e\":{}}");
	struct json *v = json_new_object(&arena), *inner = json_new_object(&arena);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	json_set(&arena, v, "head", inner);
	json_set(&arena, v, "copy", json_copy(&arena, from));
	json_set(&arena, inner, "name", json_new_str(&arena, "a\"b"));
	json_set(&arena, inner, "count", json_new_i64(&arena, -7));
	assert_int_equal(json_write_value(&out, v), 0);
	assert_string_equal(out.data,
	                    "{\"head\":{\"name\":\"a\\\"b\",\"count\":-7},\"copy\":{\"n\":"
	                    "12345678901234567890,\"list\":[true,null,{\"x\":\"y\"}],\"e\":{}}}");
	assert_int_equal(json_i64(json_get(v, "head"), "count", 0), -7);
	assert_string_equal(json_str(json_get(v, "head"), "name"), "a\"b");
	assert_true(json_same(json_get(v, "copy"), from, false));
	assert_int_equal(json_size(json_path(v, "copy", "list", NULL)), 3);
	buf_release(&out);
}

/* What stands in the object is replaced where it stands, and what is there already is left alone.
 */
static void test_trees_that_are_changed(void **state)
{
	static const struct {
		const char *object, *member, *put, *patched; /* NULL: that changes nothing */
	} rows[] = {
		{"{}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}"},
		{"{\"a\":\"b\",\"c\":1}", "{\"a\":\"d\"}", "{\"a\":\"d\",\"c\":1}",
	         "{\"a\":\"d\",\"c\":1}"},
		{"{\"a\":\"b\"}", "{\"a\":\"b\"}", NULL, NULL},
		{"{\"a\":\"b\",\"b\":1}", "{\"a\":null}", "{\"a\":null,\"b\":1}", "{\"b\":1}"},
		{"{\"a\":1,\"b\":1}", "{\"b\":null}", "{\"a\":1,\"b\":null}", "{\"a\":1}"},
		{"{\"b\":1}", "{\"a\":null}", "{\"b\":1,\"a\":null}", NULL},
		{"{\"a\":[1,2]}", "{\"a\":[1,2]}", NULL, NULL},
		{"{\"a\":[1,2]}", "{\"a\":[2]}", "{\"a\":[2]}", "{\"a\":[2]}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":null,\"d\":3}}",
	         "{\"a\":{\"c\":null,\"d\":3}}", "{\"a\":{\"b\":1,\"d\":3}}"},
		{"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2,\"b\":1}}", NULL, NULL},
		{"{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{}}", NULL},
		{"{\"a\":7}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"b\":null,\"c\":1}}",
	         "{\"a\":{\"c\":1}}"},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const char *want = i % 2 ? rows[i / 2].patched : rows[i / 2].put;
		struct json *v = json_copy(&arena, parse(rows[i / 2].object));
		const struct json *member = json_first(parse(rows[i / 2].member));

		assert_int_equal(i % 2 ? json_patch(&arena, v, member)
		                       : json_put(&arena, v, member),
		                 want != NULL);
		/* The end of the members is known, whichever went. */
		json_set(&arena, v, "end", json_new_i64(&arena, 0));
		assert_true(json_remove(v, "end"));
		assert_false(json_remove(v, "end"));
		buf_reset(&out);
		assert_int_equal(json_write_value(&out, v), 0);
		assert_string_equal(out.data, want ? want : rows[i / 2].object);
	}
	buf_release(&out);
}

static void test_every_prefix_is_refused(void **state)
{
	static const char text[] =
		"{\"k\":[-1.5e+3,\"\\ud83d\\ude00\xe4\xb8\xad\",{\"t\":true,\"n\":null}]}";
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text) - 1; n++) {
		char *copy = memcpy(malloc(n ? n : 1), text, n);

		assert_null(json_parse(&arena, copy, n, NULL));
		free(copy);
	}
	assert_non_null(parse(text));
}

static void test_find_by_number(void **state)
{
	static const char text[] = "[{\"n\":1},{\"port\":80,\"n\":2},{\"port\":80,\"n\":3},7]";
	cleanup_arena struct arena a;
	const struct json *v;

	(void)state;
	arena_init(&a, 0);
	v = json_parse(&a, text, strlen(text), NULL);
	assert_int_equal(json_i64(json_find_i64(v, "port", 80), "n", 0), 2);
	assert_null(json_find_i64(v, "port", 0));
	assert_null(json_find_i64(NULL, "port", 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_by_number),
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_getters_take_null),
		cmocka_unit_test(test_iteration),
		cmocka_unit_test(test_integer_precision),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_error_names_the_byte),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_write_value),
		cmocka_unit_test(test_write_value_leaves_buffer_alone_when_full),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_writer_escapes),
		cmocka_unit_test(test_each_byte_at_each_place),
		cmocka_unit_test(test_writer_failures),
		cmocka_unit_test(test_object_without_managed_fields),
		cmocka_unit_test(test_trees_that_are_made),
		cmocka_unit_test(test_trees_that_are_changed),
		cmocka_unit_test(test_every_prefix_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
