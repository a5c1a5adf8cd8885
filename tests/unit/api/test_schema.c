/* What the CRD's own schema refuses, found without an API server. */
#include "fixture.h"

#include "tidegate/api/names.h"
#include "tidegate/api/schema.h"

struct found {
	char text[4096];
	unsigned n;
};

static void on_finding(void *arg, const char *path, const char *message)
{
	struct found *f = arg;
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%s: %s\n", path, message);
	f->n++;
}

static const struct json *mdep_schema(void)
{
	const struct json *s = schema_of(TG_API_VERSION, "ModelDeployment");

	assert_non_null(s);
	return s;
}

/* `spec` gets a model and a runtime where it has none. */
static void check_spec(struct arena *a, const struct json *schema, const char *spec,
                       struct found *f)
{
	cleanup_free char *text = xasprintf(
		"{'apiVersion':'" TG_API_VERSION "','kind':'ModelDeployment','metadata':{'name':"
		"'x','anything':{'goes':1}},'spec':{%s%s%s}}",
		strstr(spec, "'model'") ? "" : "'model':{'name':'m','version':'1'},",
		strstr(spec, "'runtime'") ? "" : "'runtime':{'preset':'vllm'},", spec);

	*f = (struct found){.n = 0};
	schema_check(schema, parse(a, text), a, on_finding, f);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *spec, *finding; /* NULL: nothing is wrong */
	} rows[] = {
		{"'replicas':3", NULL},
		{"'replicas':3.0", NULL},
		{"'replicas':null", NULL},
		{"'replicas':'3'", "spec.replicas: must be integer, not string"},
		{"'replicas':1.5", "spec.replicas: must be integer, not number"},
		{"'replicas':-1", "spec.replicas: must be at least 0"},
		{"'replicas':10001", "spec.replicas: must be at most 10000"},
		{"'replicas':99999999999", "spec.replicas: must be at most 10000"},
		{"'paused':1", "spec.paused: must be boolean, not number"},
		{"'replica':1", "spec.replica: is no field of this version"},
		{"'Replicas':1", "spec.Replicas: is no field of this version"},
		{"'model':null", "spec.model: is required"},
		{"'model':[]", "spec.model: must be object, not array"},
		{"'model':{'name':'m'}", "spec.model.version: is required"},
		{"'runtime':{'preset':'vllm','image':''}", "image: must have at least 1 char"},
		{"'model':{'name':'m','version':'a/b'}", "\"a/b\" does not match"},
		{"'runtime':{}", NULL}, /* the preset has a default */
		{"'runtime':{'preset':'tfs'}", "\"tfs\" is none of custom, tensorflow-serving"},
		{"'runtime':{'preset':'vllm','args':'x'}", "must be array, not string"},
		{"'runtime':{'preset':'vllm','env':[{'name':'A'},{'name':'B'},{'name':'A'}]}",
	         "spec.runtime.env[2]: is listed twice, by name"},
		{"'runtime':{'preset':'vllm','golden':{'any':{'thing':1}}}", NULL},
		{"'template':{'spec':{'x':[1]}}", NULL},
		{"'gpu':{'products':['a','b','a']}", "spec.gpu.products[2]: is listed twice"},
		{"'gpu':{'minMemory':'20Gb'}", "does not match"},
		{"'strategy':{'maxSurge':'25%'}", NULL},
		{"'strategy':{'maxSurge':1}", NULL},
		{"'strategy':{'maxSurge':1.5}", "must be integer or string, not number"},
		{"'strategy':{'maxSurge':true}", "must be integer or string, not boolean"},
		{"'strategy':{'drain':'10 s'}", "spec.strategy.drain: \"10 s\" does not match"},
		{"'strategy':{'drain':'1.5s'}", NULL},
		{"'strategy':{'steps':[{}]}", "needs at least one of weight, audience"},
		{"'strategy':{'steps':[{'hold':'1s','analysis':{'duration':'1s'}}]}",
	         "must not have all of hold, analysis"},
		{"'strategy':{'steps':[{'audience':{}}]}", "audience: must not be empty"},
		{"'strategy':{'steps':[{'audience':{'headers':[]}}]}", "at least 1 elements"},
		{"'strategy':{'steps':[{'audience':{'headers':[{'name':'x-a','exact':'1'}]}}]}",
	         NULL},
		{"'strategy':{'steps':[{'audience':{'headers':[{'name':'x-a'}]}}]}",
	         "headers[0]: needs exactly one of exact, regex"},
		{"'strategy':{'steps':[{'audience':{'headers':[{'name':'x-a','exact':'1',"
	         "'regex':'1'}]}}]}",
	         "headers[0]: needs exactly one of exact, regex"},
		{"'strategy':{'steps':[{'audience':{'headers':[{'name':'x a','exact':'1'}]}}]}",
	         "headers[0].name: \"x a\" does not match"},
		{"'zones':[{'name':'z'},{'name':'z'}]", "spec.zones[1]: is listed twice, by name"},
	};
	struct arena a;
	const struct json *schema;

	(void)state;
	arena_init(&a, 0);
	schema = mdep_schema();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct found f;

		check_spec(&a, schema, rows[i].spec, &f);
		if (rows[i].finding ? !strstr(f.text, rows[i].finding) : f.n > 0)
			fail_msg("%s: \"%s\", wanted \"%s\"", rows[i].spec, f.text,
			         str_or(rows[i].finding, ""));
		if (rows[i].finding && f.n != 1)
			fail_msg("%s: said more than once: %s", rows[i].spec, f.text);
	}
	arena_release(&a);
}

static void each_pattern(const struct json *v, unsigned *n)
{
	const struct json *it;

	json_for_each (it, v) {
		if (str_eq(json_key(it), "pattern") && json_value_str(it)) {
			if (schema_pattern_check(json_value_str(it)))
				fail_msg("%s", json_value_str(it));
			++*n;
		}
		if (json_is_object(it) || json_is_array(it))
			each_pattern(it, n);
	}
}

/* A keyword that nobody checks would let everything pass. */
static void test_every_keyword_is_checked(void **state)
{
	struct arena a;
	unsigned n = 0;
	const char *unknown;

	(void)state;
	arena_init(&a, 0);
	unknown = schema_unknown_keyword(mdep_schema());
	if (unknown)
		fail_msg("%s", unknown);
	each_pattern(mdep_schema(), &n);
	assert_true(n > 20);
	assert_string_equal(
		schema_unknown_keyword(parse(&a, "{'properties':{'a':{'multipleOf':1}}}")),
		"multipleOf");
	arena_release(&a);
}

/* POSIX and Go read brackets differently. */
static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{"^[a\\-z]$", "-", true},        {"^[a\\-z]$", "b", false},
		{"^[+\\-.^_]+$", "+-.^_", true}, {"^[+\\-.^_]+$", ",", false},
		{"^[\\]x]$", "]", true},         {"^[\\w]+$", "aZ_9", true},
		{"^\\d{2}$", "42", true},        {"^\\d{2}$", "4a", false},
		{"^(?:a|b)c$", "bc", true},      {"^a\\.b$", "a.b", true},
		{"^a\\.b$", "axb", false},       {"^[^\\-]$", "-", false},
		{"^[-a]$", "-", true},           {"^[\\\\]$", "\\", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena a;
		struct found f = {.n = 0};
		cleanup_buf struct buf b;
		struct json_writer w;

		arena_init(&a, 0);
		buf_init(&b, 4096);
		jw_init(&w, &b);
		jw_object(&w, NULL);
		jw_str(&w, "pattern", rows[i].pattern);
		jw_str(&w, "text", rows[i].text);
		jw_end_object(&w);
		jw_end(&w);
		schema_check(json_parse(&a, b.data, b.len, NULL),
		             json_get(json_parse(&a, b.data, b.len, NULL), "text"), &a, on_finding,
		             &f);
		if ((f.n == 0) != rows[i].matches)
			fail_msg("%s against %s", rows[i].pattern, rows[i].text);
		arena_release(&a);
	}
}

static void test_other_kinds_have_no_schema(void **state)
{
	(void)state;
	assert_null(schema_of("serving.tidegate.io/v1", "ModelDeployment"));
	assert_null(schema_of("serving.tidegate.i/v1alpha1", "ModelDeployment"));
	assert_null(schema_of("v1", "ModelDeployment"));
	assert_null(schema_of(TG_API_VERSION, "Deployment"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_every_keyword_is_checked),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_other_kinds_have_no_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
