/* A user's template over the generated one. */
#include "../../../controller/reconcile/merge.h"
#include "fixture.h"

static void test_rules(void **state)
{
	static const struct {
		const char *base, *over, *want;
	} rows[] = {
		/* maps by key, ours first, the user's value wins */
		{"{'a':1,'b':{'c':2}}", "{'b':{'d':3,'c':4},'e':5}",
	         "{'a':1,'b':{'c':4,'d':3},'e':5}"},
		{"{'a':1}", "{}", "{'a':1}"},
		{"{}", "{'a':null}", "{'a':null}"},
		/* null, and another type, replace */
		{"{'a':{'b':1}}", "{'a':null}", "{'a':null}"},
		{"{'a':{'b':1}}", "{'a':'x'}", "{'a':'x'}"},
		{"{'a':'x'}", "{'a':{'b':1}}", "{'a':{'b':1}}"},
		/* lists without names are replaced */
		{"{'args':['a','b']}", "{'args':['c']}", "{'args':['c']}"},
		{"{'tolerations':[{'key':'a'}]}", "{'tolerations':[]}", "{'tolerations':[]}"},
		/* lists of named things by name, in our order, new ones behind */
		{"{'env':[{'name':'A','value':'1'},{'name':'B','value':'2'}]}",
	         "{'env':[{'name':'C','value':'3'},{'name':'A','value':'9'}]}",
	         "{'env':[{'name':'A','value':'9'},{'name':'B','value':'2'},"
	         "{'name':'C','value':'3'}]}"},
		{"{'containers':[{'name':'model','image':'x','ports':[{'name':'http',"
	         "'containerPort':1}]}]}",
	         "{'containers':[{'name':'side'},{'name':'model','ports':[{'name':'grpc',"
	         "'containerPort':2}]}]}",
	         "{'containers':[{'name':'model','image':'x','ports':[{'name':'http',"
	         "'containerPort':1},{'name':'grpc','containerPort':2}]},{'name':'side'}]}"},
		/* an element without a name is the user's and comes behind */
		{"{'volumes':[{'name':'a'}]}", "{'volumes':[{'x':1}]}",
	         "{'volumes':[{'name':'a'},{'x':1}]}"},
		/* keys are case-sensitive */
		{"{'a':1}", "{'A':2}", "{'a':1,'A':2}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		cleanup_buf struct buf out;

		arena_init(&a, 0);
		buf_init(&out, 65536);
		assert_int_equal(json_merge(parse(&a, rows[i].base), parse(&a, rows[i].over), &out),
		                 0);
		assert_json(&a, parse_body(&a, &out), rows[i].want);
	}
}

/* The labels that select a pod, and the annotations that move it, are not the user's. */
static void test_ours_stay(void **state)
{
	static const char base[] =
		"{'metadata':{'labels':{'serving.tidegate.io/name':'ranker','app':'x'},"
		"'annotations':{'serving.tidegate.io/placement':'Pack'}}}";
	static const struct {
		const char *over, *want;
	} rows[] = {
		{"{'metadata':{'labels':{'serving.tidegate.io/name':'other','app':'y'}}}",
	         "{'metadata':{'labels':{'serving.tidegate.io/name':'ranker','app':'y'},"
	         "'annotations':{'serving.tidegate.io/placement':'Pack'}}}"},
		{"{'metadata':{'labels':{'serving.tidegate.io/name':null}}}",
	         "{'metadata':{'labels':{'serving.tidegate.io/name':'ranker','app':'x'},"
	         "'annotations':{'serving.tidegate.io/placement':'Pack'}}}"},
		{"{'metadata':{'annotations':{'serving.tidegate.io/leaving-since':'now','k':'v'}}}",
	         "{'metadata':{'labels':{'serving.tidegate.io/name':'ranker','app':'x'},"
	         "'annotations':{'serving.tidegate.io/placement':'Pack','k':'v'}}}"},
		{"{'metadata':null}", base},
		{"{'metadata':[]}", base},
		{"{'metadata':{'labels':null,'annotations':'x'}}", base},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		cleanup_buf struct buf out;

		arena_init(&a, 0);
		buf_init(&out, 65536);
		assert_int_equal(json_merge(parse(&a, base), parse(&a, rows[i].over), &out), 0);
		assert_json(&a, parse_body(&a, &out), rows[i].want);
	}
}

static void test_without_a_template(void **state)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf out;

	(void)state;
	arena_init(&a, 0);
	buf_init(&out, 65536);
	assert_int_equal(json_merge(parse(&a, "{'a':[1,2]}"), NULL, &out), 0);
	assert_json(&a, parse_body(&a, &out), "{'a':[1,2]}");
}

static void test_too_large(void **state)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf out;

	(void)state;
	arena_init(&a, 0);
	buf_init(&out, 16);
	assert_int_equal(json_merge(parse(&a, "{'a':1}"), parse(&a, "{'b':'0123456789'}"), &out),
	                 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_ours_stay),
		cmocka_unit_test(test_without_a_template),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
