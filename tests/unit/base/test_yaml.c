#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/yaml.h"

struct case_ok {
	const char *yaml, *json;
};

static void expect_all(const struct case_ok *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct buf json cleanup_buf;
		struct err err = ERR_INIT;

		buf_init(&json, 1 << 20);
		if (yaml_to_json(rows[i].yaml, strlen(rows[i].yaml), &json, &err) != 0)
			fail_msg("%s: %s", rows[i].yaml, err.msg);
		if (strcmp(json.data, rows[i].json) != 0)
			fail_msg("%s gave %s", rows[i].yaml, json.data);
		assert_int_equal(json_check(json.data, json.len, NULL), 0);
	}
}

/* The comments tell what sigs.k8s.io/yaml makes of them. */
static void test_scalars(void **state)
{
	static const struct case_ok rows[] = {
		{"[true, True, TRUE, yes, on, y]", "[true,true,true,true,true,true]"},
		{"[false, False, no, Off, N]", "[false,false,false,false,false]"},
		{"[tRUE, yEs, nope, onn]", "[\"tRUE\",\"yEs\",\"nope\",\"onn\"]"},
		{"[null, ~, Null, x]", "[null,null,null,\"x\"]"},
		{"[nULL, nil, none]", "[\"nULL\",\"nil\",\"none\"]"},
		{"['true', \"1\", 'null', '']", "[\"true\",\"1\",\"null\",\"\"]"},
		{"[0, 1, -1, +5, 1_000]", "[0,1,-1,5,1000]"},
		{"[0644, 0o17, 0x1F, 0b101, -0x10]", "[420,15,31,5,-16]"},
		{"[08, 00, -0]", "[8,0,0]"},
		{"[9223372036854775807, -9223372036854775808, 18446744073709551615]",
	         "[9223372036854775807, -9223372036854775808, 18446744073709551615]"},
		{"[123456789012345678901234567890]", "[123456789012345678901234567890]"},
		{"[1.5, -.5, .5, 1., 1e3, 1E-2, 6.02e+23]", "[1.5,-0.5,0.5,1,1000,0.01,6.02e+23]"},
		{"- 1.50\n- 0.1", "[1.5,0.1]"},
		{"[1e999, 0x, 0b2, 0xg, _1, 1__, 1.2.3, '-', +, 1e, e1]",
	         "[\"1e999\",\"0x\",\"0b2\",\"0xg\",\"_1\",1,\"1.2.3\",\"-\",\"+\",\"1e\",\"e1\"]"},
		{"[2026-11-24, 2026-11-24T10:52:17Z, 20Gi, 500m, 12:30:45, 1.2.3.4]",
	         "[\"2026-11-24\",\"2026-11-24T10:52:17Z\",\"20Gi\",\"500m\",\"12:30:45\",\"1.2.3."
	         "4\"]"},
		{"[inf, nan, Infinity]", "[\"inf\",\"nan\",\"Infinity\"]"},
		{"a: b", "{\"a\":\"b\"}"},
		{"x", "\"x\""},
		{"42", "42"},
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void test_tags(void **state)
{
	static const struct case_ok rows[] = {
		{"!!str 123", "\"123\""},      {"! 123", "\"123\""},
		{"!!int \"42\"", "42"},        {"!!float 1", "1"},
		{"!!bool 'yes'", "true"},      {"!!null ''", ""},
		{"!!map {a: 1}", "{\"a\":1}"}, {"!!seq [1]", "[1]"},
		{"!!str true", "\"true\""},    {"!!timestamp 2026-11-24", "\"2026-11-24\""},
	};
	struct buf json cleanup_buf;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (*rows[i].json)
			expect_all(&rows[i], 1);
	buf_init(&json, 100);
	/* A null is an empty document. */
	assert_int_equal(yaml_to_json("!!null ''", 9, &json, NULL), -1);
}

static void test_strings_and_blocks(void **state)
{
	static const struct case_ok rows[] = {
		{"a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}"},
		{"a: |-\n  one\n  two\n", "{\"a\":\"one\\ntwo\"}"},
		{"a: >\n  one\n  two\n", "{\"a\":\"one two\\n\"}"},
		{"a: \"q\\\"\\\\\\t\\u00e9\"", "{\"a\":\"q\\\"\\\\\\t\xc3\xa9\"}"},
		{"a: 'it''s'", "{\"a\":\"it's\"}"},
		{"a: \xe4\xb8\xad", "{\"a\":\"\xe4\xb8\xad\"}"},
		{"a: \"x\\0y\"", "{\"a\":\"x\\u0000y\"}"},
		{"a: \"\\x01\"", "{\"a\":\"\\u0001\"}"},
		{"a: b # comment\n# more\n", "{\"a\":\"b\"}"},
		{"a: b\r\nc: d\r\n", "{\"a\":\"b\",\"c\":\"d\"}"},
		{"\xef\xbb\xbf"
	         "a: b\n",
	         "{\"a\":\"b\"}"},
		{"%YAML 1.2\n---\na: b\n", "{\"a\":\"b\"}"},
		{"a:\n- 1\n- b: 2\n  c: 3\n-\n  - 4\n", "{\"a\":[1,{\"b\":2,\"c\":3},[4]]}"},
		{"{}", "{}"},
		{"[]", "[]"},
		{"a: {}\nb: []\nc:\n", "{\"a\":{},\"b\":[],\"c\":null}"},
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void test_keys(void **state)
{
	static const struct case_ok rows[] = {
		{"1: a", "{\"1\":\"a\"}"},         {"0x10: a", "{\"16\":\"a\"}"},
		{"true: a", "{\"true\":\"a\"}"},   {"on: a", "{\"true\":\"a\"}"},
		{"'on': a", "{\"on\":\"a\"}"},     {"1.5: a", "{\"1.5\":\"a\"}"},
		{"? a\n: b", "{\"a\":\"b\"}"},     {"'': a", "{\"\":\"a\"}"},
		{"x.y/z: a", "{\"x.y/z\":\"a\"}"}, {"&k a: *k", "{\"a\":\"a\"}"},
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void test_anchors_and_merges(void **state)
{
	static const struct case_ok rows[] = {
		{"a: &x 1\nb: *x", "{\"a\":1,\"b\":1}"},
		{"a: &x {p: 1}\nb: [*x, *x]", "{\"a\":{\"p\":1},\"b\":[{\"p\":1},{\"p\":1}]}"},
		{"a: &x 1\nb: &x 2\nc: *x", "{\"a\":1,\"b\":2,\"c\":2}"},
		{"a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}",
	         "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"q\":3,\"p\":1}}"},
		{"a: &x {p: 1}\nb: &y {p: 2, r: 3}\nc: {<<: [*x, *y]}",
	         "{\"a\":{\"p\":1},\"b\":{\"p\":2,\"r\":3},\"c\":{\"p\":1,\"r\":3}}"},
		{"a: &x {p: 1}\nb: &y {<<: *x, q: 2}\nc: {<<: *y}",
	         "{\"a\":{\"p\":1},\"b\":{\"q\":2,\"p\":1},\"c\":{\"q\":2,\"p\":1}}"},
		{"{<<: {p: 1}}", "{\"p\":1}"},
		{"{'<<': 1}", "{\"<<\":1}"},
		{"a: &x {<<: {}}\nb: {<<: *x}", "{\"a\":{},\"b\":{}}"},
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void test_refuses(void **state)
{
	static const struct {
		const char *yaml, *why;
	} rows[] = {
		{"a: b\nc: [", "line 2"},
		{"a: b\n c: d", "line 2: mapping values are not allowed"},
		{"a:\n\t- b", "line 2"},
		{"a: *none", "line 1: unknown anchor \"none\""},
		{"a: 1\nb: 2\na: 3", "line 3: key \"a\" occurs twice"},
		{"1: a\n0x1: b", "line 2: key \"1\" occurs twice"},
		{"a: .inf", "line 1: .inf is no JSON number"},
		{"a: .NaN", ".NaN is no JSON number"},
		{"a: -.Inf", "-.Inf is no JSON number"},
		{"a:\n  !secret b", "line 2: tag \"!secret\" is not supported"},
		{"a: !!binary aGk=", "binary\" is not supported"},
		{"a: !!set {x}", "set\" is not supported"},
		{"a: !!int x", "line 1: \"x\" is no int"},
		{"a: !!int 1.5x", "is no int"},
		{"? [1]\n: a", "a key must be a scalar"},
		{"~: a", "a key must not be null"},
		{"\"x\\0y\": a", "NUL in a key"},
		{"<<: 1", "\"<<\" needs a mapping"},
		{"<<: [1]", "\"<<\" needs a mapping"},
		{"a: 1\n---\nb: 2", "line 2: a second document"},
		{"", "empty"},
		{"# only a comment\n", "empty"},
		{"---\n...\n", "empty"},
		{"a: \xff\xfe", "line 1"},
		{"ok: 1\nbad: \xc3(", "line 2"},
		{"a: &x [*x]", "alias inside its own anchor"},
		{"a: &x {<<: *x}", "merge keys"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf json cleanup_buf;
		struct err err = ERR_INIT;

		buf_init(&json, 1 << 20);
		if (yaml_to_json(rows[i].yaml, strlen(rows[i].yaml), &json, &err) != -1)
			fail_msg("%s was taken: %s", rows[i].yaml, json.data);
		if (!strstr(err.msg, rows[i].why))
			fail_msg("%s: %s", rows[i].yaml, err.msg);
		assert_int_equal(yaml_to_json(rows[i].yaml, strlen(rows[i].yaml), &json, NULL), -1);
	}
}

static void test_json_passes_through(void **state)
{
	static const struct case_ok rows[] = {
		{"{\"a\": \"\\ud83d\\ude00\"}", "{\"a\": \"\\ud83d\\ude00\"}"},
		{" \n\t[1,\t2]", "[1,\t2]"},
		/* Not JSON, but YAML in flow style. */
		{"{a: [1, x]}", "{\"a\":[1,\"x\"]}"},
		{"{\n\t\"a\": 1, # comment\n}", "{\"a\":1}"},
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

struct seen {
	struct buf log;
	int stop_at, calls, rc;
};

static int note(void *arg, const char *json, size_t len, unsigned line, struct err *err)
{
	struct seen *s = arg;

	buf_addf(&s->log, "%u=%.*s;", line, (int)len, json);
	if (++s->calls != s->stop_at)
		return 0;
	err_set(err, ERR_INVALID, "stopped");
	return s->rc;
}

static void test_documents(void **state)
{
	static const char text[] = "# head\n"
				   "a: 1\n"
				   "---\n"
				   "\n"
				   "b: 2\n"
				   "---\n"
				   "# nothing\n"
				   "---\n"
				   "~\n"
				   "...\n"
				   "---\n"
				   "[3]\n";
	struct seen s = {0};
	struct err err = ERR_INIT;

	(void)state;
	buf_init(&s.log, 1000);
	assert_int_equal(yaml_each_document(text, sizeof(text) - 1, note, &s, &err), 0);
	assert_string_equal(s.log.data, "2={\"a\":1};3={\"b\":2};11=[3];");
	buf_reset(&s.log);
	s.calls = 0, s.stop_at = 2, s.rc = 7;
	assert_int_equal(yaml_each_document(text, sizeof(text) - 1, note, &s, &err), 7);
	assert_string_equal(err.msg, "stopped");
	assert_int_equal(s.calls, 2);
	buf_reset(&s.log);
	assert_int_equal(yaml_each_document("\n\n {\"a\":1}", 10, note, &s, &err), 0);
	assert_string_equal(s.log.data, "3={\"a\":1};");
	/* What stands before the broken one was delivered. */
	buf_reset(&s.log);
	s.calls = 0, s.stop_at = 0;
	assert_int_equal(yaml_each_document("a: 1\n---\nb: [\n", 14, note, &s, &err), -1);
	assert_string_equal(s.log.data, "1={\"a\":1};");
	/* An anchor ends with its document. */
	assert_int_equal(yaml_each_document("a: &x 1\n---\nb: *x\n", 18, note, &s, &err), -1);
	assert_non_null(strstr(err.msg, "unknown anchor"));
	buf_release(&s.log);
}

static void test_depth(void **state)
{
	struct buf json cleanup_buf;
	struct err err = ERR_INIT;
	char text[1000];

	(void)state;
	buf_init(&json, 10000);
	/* The space keeps it from being taken for JSON. */
	memset(text, '[', 100);
	text[100] = 'x';
	memset(text + 101, ']', 100);
	assert_int_equal(yaml_to_json(text, 201, &json, &err), 0);
	memset(text, '[', 101);
	text[101] = 'x';
	memset(text + 102, ']', 101);
	assert_int_equal(yaml_to_json(text, 203, &json, &err), -1);
	assert_non_null(strstr(err.msg, "deeper than 100"));
}

/* Ten levels of ten aliases each: 10^10 scalars if nobody stopped it. */
static void test_expansion_is_bounded(void **state)
{
	struct buf text cleanup_buf, json cleanup_buf;
	struct err err = ERR_INIT;
	unsigned level, i;

	(void)state;
	buf_init(&text, 10000);
	buf_init(&json, 100 << 20);
	buf_addstr(&text, "a0: &a0 lol\n");
	for (level = 1; level <= 10; level++) {
		buf_addf(&text, "a%u: &a%u [", level, level);
		for (i = 0; i < 10; i++)
			buf_addf(&text, "%s*a%u", i ? "," : "", level - 1);
		buf_addstr(&text, "]\n");
	}
	assert_int_equal(yaml_to_json(text.data, text.len, &json, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
}

/* The same through merge keys, which write nothing. */
static void test_merging_is_bounded(void **state)
{
	struct buf text cleanup_buf, json cleanup_buf;
	struct err err = ERR_INIT;
	unsigned level, i;

	(void)state;
	buf_init(&text, 10000);
	buf_init(&json, 100 << 20);
	buf_addstr(&text, "a0: &a0 {}\n");
	for (level = 1; level <= 10; level++) {
		buf_addf(&text, "a%u: &a%u {<<: [", level, level);
		for (i = 0; i < 10; i++)
			buf_addf(&text, "%s*a%u", i ? "," : "", level - 1);
		buf_addstr(&text, "]}\n");
	}
	assert_int_equal(yaml_to_json(text.data, text.len, &json, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	assert_non_null(strstr(err.msg, "merge keys"));
}

static void test_sizes_are_bounded(void **state)
{
	struct buf json cleanup_buf;
	struct err err = ERR_INIT;
	char *big = memset(malloc(YAML_INPUT_MAX + 1), ' ', YAML_INPUT_MAX + 1);

	(void)state;
	buf_init(&json, 4);
	assert_int_equal(yaml_to_json(big, YAML_INPUT_MAX + 1, &json, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	assert_int_equal(yaml_to_json("a: b", 4, &json, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	/* A plain large document is no expansion. */
	memcpy(big, "- ", 2);
	memset(big + 2, 'x', 3000000);
	json.max = 4000000;
	assert_int_equal(yaml_to_json(big, 3000002, &json, &err), 0);
	assert_int_equal(json.len, 3000004);
	free(big);
}

static void test_line_of(void **state)
{
	static const char text[] = "kind: A\n"              /* 1 */
				   "---\n"                  /* 2 */
				   "metadata:\n"            /* 3 */
				   "  annotations:\n"       /* 4 */
				   "    x.y/z: 1\n"         /* 5 */
				   "    x: {y/z: 2}\n"      /* 6 */
				   "spec:\n"                /* 7 */
				   "  steps:\n"             /* 8 */
				   "  - weight: 5\n"        /* 9 */
				   "    hold: 1m\n"         /* 10 */
				   "  -\n"                  /* 11 */
				   "    weight: 25\n"       /* 12 */
				   "  zones: [{name: a},\n" /* 13 */
				   "          {name: b}]\n" /* 14 */
				   "  nested: [[1,\n"       /* 15 */
				   "    2]]\n";             /* 16 */
	static const struct {
		unsigned doc;
		const char *path;
		unsigned line;
	} rows[] = {
		{1, "kind", 1},
		{2, "", 3},
		{2, "spec", 7},
		{2, "spec.steps", 8},
		{2, "spec.steps[0]", 9},
		{2, "spec.steps[0].hold", 10},
		{2, "spec.steps[1].weight", 12},
		{2, "spec.zones[1].name", 14},
		{2, "spec.nested[0][1]", 16},
		{2, "metadata.annotations.x.y/z", 5},
		{2, "metadata.annotations[x.y/z]", 5},
		{2, "metadata.annotations.x", 6},
		/* the nearest that is there */
		{2, "spec.steps[1].hold", 12},
		{2, "spec.steps[2].weight", 8},
		{2, "spec.steps.weight", 8},
		{2, "spec.missing.deep", 7},
		{2, "missing", 3},
		{2, "spec.steps[0].weight.below", 9},
		{2, "spec.steps[99999999999999999999999]", 8},
		{2, "spec.steps[", 8},
		{2, "spec.steps[x", 8},
		{2, "spec..", 7},
		{2, "[[[", 3},
		{7, "kind", 7}, /* no such document */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned line = yaml_line_of(text, sizeof(text) - 1, rows[i].doc, rows[i].path);

		if (line != rows[i].line)
			fail_msg("%s gave %u", rows[i].path, line);
	}
	assert_int_equal(yaml_line_of("{\n\"a\": 1,\n\"b\": 2}", 17, 1, "b"), 3);
	assert_int_equal(yaml_line_of("a: [", 4, 1, "a"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_strings_and_blocks),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_anchors_and_merges),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_json_passes_through),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_expansion_is_bounded),
		cmocka_unit_test(test_merging_is_bounded),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_line_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
