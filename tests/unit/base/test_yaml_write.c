/* What is written as YAML reads back as the same JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/yaml.h"
#include "tidegate/base/yaml_write.h"

static void write_text(const char *json, struct buf *yaml)
{
	struct arena a;
	struct err err = ERR_INIT;
	const struct json *v;

	arena_init(&a, 0);
	v = json_parse(&a, json, strlen(json), &err);
	if (!v)
		fail_msg("%s: %s", json, err.msg);
	assert_int_equal(yaml_write(yaml, v), 0);
	arena_release(&a);
}

static void test_reads_back(void **state)
{
	static const char *const rows[] = {
		"{\"a\":1}",
		"{\"a\":{\"b\":{\"c\":[1,2,[3,[4]],{\"d\":[]}]}}}",
		"[[],{},[{}],null,true,false,-1.5,1e30,9007199254740993]",
		"[{\"a\":1,\"b\":{\"c\":2}},{\"a\":[{\"x\":1}]}]",
		"{\"yes\":\"no\",\"on\":\"off\",\"n\":\"y\",\"null\":\"null\",\"true\":\"True\"}",
		"[\"\",\" \",\"a b\",\"a: b\",\"#x\",\"- x\",\"1\",\"1.5\",\"0644\",\"~\",\"=\"]",
		"[\"20261111-1\",\"2026-11-11\",\"12:30:45\",\"0x1f\",\"1e3\",\".5\",\"+1\"]",
		"[\"a\\nb\",\"\\t\",\"\\\"\",\"\\\\\",\"\xc3\xa9\xe2\x82\xac\",\"\\u0001\","
		"\"\\u2028\"]",
		"{\"a/b.c\":\"registry/x:1\",\"a b\":\"x-y_z\",\"\":\"\"}",
		"[\"nan\",\"inf\",\"Infinity\",\".nan\",\"<<\",\"&a\",\"*a\",\"!t\",\"%x\"]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf yaml, back;
		struct err err = ERR_INIT;

		buf_init(&yaml, 65536);
		buf_init(&back, 65536);
		write_text(rows[i], &yaml);
		if (yaml_to_json(yaml.data, yaml.len, &back, &err))
			fail_msg("%s: %s in\n%s", rows[i], err.msg, yaml.data);
		buf_reset(&yaml);
		write_text(back.data, &yaml);
		buf_reset(&back);
		assert_int_equal(yaml_to_json(yaml.data, yaml.len, &back, &err), 0);
		/* Both as the writer of JSON puts them, so that escapes compare. */
		{
			cleanup_buf struct buf want, got;
			struct arena a;

			arena_init(&a, 0);
			buf_init(&want, 65536);
			buf_init(&got, 65536);
			json_write_value(&want, json_parse(&a, rows[i], strlen(rows[i]), NULL));
			json_write_value(&got, json_parse(&a, back.data, back.len, NULL));
			assert_string_equal(got.data, want.data);
			arena_release(&a);
		}
	}
}

static void test_looks(void **state)
{
	cleanup_buf struct buf yaml;

	(void)state;
	buf_init(&yaml, 4096);
	write_text(
		"{\"kind\":\"Pod\",\"ports\":[{\"port\":80,\"name\":\"http\"}],\"args\":[\"--x\"],"
		"\"empty\":{},\"v\":\"7\"}",
		&yaml);
	assert_string_equal(yaml.data, "kind: Pod\n"
	                               "ports:\n"
	                               "  - port: 80\n"
	                               "    name: http\n"
	                               "args:\n"
	                               "  - \"--x\"\n"
	                               "empty: {}\n"
	                               "v: \"7\"\n");
}

static void test_bound(void **state)
{
	cleanup_buf struct buf yaml;
	struct arena a;
	const char *json = "{\"a\":\"0123456789\"}";

	(void)state;
	arena_init(&a, 0);
	buf_init(&yaml, 8);
	assert_int_equal(yaml_write(&yaml, json_parse(&a, json, strlen(json), NULL)), -1);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
