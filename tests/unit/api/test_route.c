#include "fixture.h"

static void test_texts(void **state)
{
	struct route *r = decode_members(&httproute_kind,
	                                 "'labels':{'app.kubernetes.io/managed-by':'tidegate'}",
	                                 "'spec':{'rules':[{}]}");

	(void)state;
	assert_true(r->ours);
	assert_string_equal(r->spec_json, "{\"rules\":[{}]}");
	assert_null(r->annotations_json);
	free(r);
	r = decode_members(&virtualservice_kind, "", "'status':{}");
	assert_false(r->ours);
	assert_null(r->spec_json);
	free(r);
	r = decode_members(&ingress_kind, "'annotations':{'a/canary':'true'}", "'spec':{}");
	assert_string_equal(r->annotations_json, "{\"a/canary\":\"true\"}");
	free(r);
}

#define OK(gen)                                                                                    \
	"'conditions':[{'type':'Accepted','status':'True','observedGeneration':" gen               \
	"},{'type':'ResolvedRefs','status':'True','observedGeneration':" gen "}]"

/* spec.parentRefs, status.parents -> parents, answered, problem */
static const struct {
	const char *what, *refs, *parents;
	unsigned nparents, nanswered;
	const char *problem;
} rows[] = {
	{"nobody answered", "{'name':'g'}", "", 1, 0, NULL},
	{"answered", "{'name':'g'}", "{'parentRef':{'name':'g'}," OK("5") "}", 1, 1, NULL},
	{"defaults written out", "{'name':'g'}",
         "{'parentRef':{'name':'g','group':'gateway.networking.k8s.io','kind':'Gateway',"
         "'namespace':'ns'}," OK("5") "}",
         1, 1, NULL},
	{"a later generation", "{'name':'g'}", "{'parentRef':{'name':'g'}," OK("6") "}", 1, 1,
         NULL},
	{"an earlier generation", "{'name':'g'}", "{'parentRef':{'name':'g'}," OK("4") "}", 1, 0,
         NULL},
	{"another gateway", "{'name':'g'}", "{'parentRef':{'name':'h'}," OK("5") "}", 1, 0, NULL},
	{"another namespace", "{'name':'g'}",
         "{'parentRef':{'name':'g','namespace':'x'}," OK("5") "}", 1, 0, NULL},
	{"another kind", "{'name':'g'}",
         "{'parentRef':{'name':'g','kind':'Service','group':''}," OK("5") "}", 1, 0, NULL},
	{"another listener", "{'name':'g','sectionName':'a'}",
         "{'parentRef':{'name':'g','sectionName':'b'}," OK("5") "}", 1, 0, NULL},
	{"one listener of two", "{'name':'g','sectionName':'a'},{'name':'g','sectionName':'b'}",
         "{'parentRef':{'name':'g','sectionName':'b'}," OK("5") "}", 2, 1, NULL},
	{"another port", "{'name':'g','port':80}",
         "{'parentRef':{'name':'g','port':81}," OK("5") "}", 1, 0, NULL},
	{"two parents, one late", "{'name':'g'},{'name':'h'}",
         "{'parentRef':{'name':'g'}," OK("5") "},{'parentRef':{'name':'h'}," OK("4") "}", 2, 1,
         NULL},
	{"two controllers on one parent", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'controllerName':'a'},{'parentRef':{'name':'g'}," OK("5") "}",
         1, 1, NULL},
	{"refused", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'conditions':[{'type':'Accepted','status':'False','reason':"
         "'NotAllowedByListeners','message':'no','observedGeneration':5}]}",
         1, 0, "NotAllowedByListeners: no"},
	{"refused an earlier generation", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'conditions':[{'type':'Accepted','status':'False','reason':'N',"
         "'observedGeneration':4}]}",
         1, 0, NULL},
	{"no backend", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'conditions':[{'type':'Accepted','status':'True',"
         "'observedGeneration':5},{'type':'ResolvedRefs','status':'False','reason':"
         "'BackendNotFound','observedGeneration':5}]}",
         1, 0, "BackendNotFound: the gateway gives no message"},
	{"partly invalid", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'conditions':[{'type':'Accepted','status':'True',"
         "'observedGeneration':5},{'type':'ResolvedRefs','status':'True','observedGeneration':5},"
         "{'type':'PartiallyInvalid','status':'True','reason':'UnsupportedValue','message':'m',"
         "'observedGeneration':5}]}",
         1, 1, "UnsupportedValue: m"},
	{"without observedGeneration", "{'name':'g'}",
         "{'parentRef':{'name':'g'},'conditions':[{'type':'Accepted','status':'True'},{'type':"
         "'ResolvedRefs','status':'True'}]}",
         1, 0, NULL},
	{"no parents", "", "{'parentRef':{'name':'g'}," OK("5") "}", 0, 0, NULL},
};

static void test_parents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *members = xasprintf("'spec':{'parentRefs':[%s]},'status':{'parents':[%s]}",
		                          rows[i].refs, rows[i].parents);
		struct route *r = decode_members(&httproute_kind, "'generation':5", members);

		print_message("%s\n", rows[i].what);
		assert_int_equal(r->nparents, rows[i].nparents);
		assert_int_equal(r->nanswered, rows[i].nanswered);
		assert_true(str_eq(r->problem, rows[i].problem));
		assert_false(r->ours);
		free(r);
		free(members);
	}
}

#define ONE(w)                                                                                     \
	"'spec':{'parentRefs':[{'name':'g'}],'rules':[{'backendRefs':[{'name':'a','weight':" w     \
	"}]}]}"

static void test_same(void **state)
{
	(void)state;
	assert_true(same_members(&httproute_kind, "", ONE("1"), "'managedFields':[1]", ONE("1")));
	assert_false(same_members(&httproute_kind, "", ONE("1"), "", ONE("2")));
	assert_false(same_members(&httproute_kind, "'generation':1", "", "'generation':2", ""));
	assert_false(same_members(
		&httproute_kind, "'generation':5", ONE("1"), "'generation':5",
		ONE("1") ",'status':{'parents':[{'parentRef':{'name':'g'}," OK("5") "}]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_parents),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
