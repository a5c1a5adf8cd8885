/* A revision names what is in the pods, and nothing else. */
#include "fixture.h"

#define BASE "'model':{'name':'ranker','version':'3'},'runtime':{'preset':'triton'}"

static void revision(const char *spec, char out[MDEP_REVISION_LEN + 1])
{
	char *members = xasprintf("'spec':{%s}", spec);
	struct mdep *m = decode_members(&mdep_kind, "", members);

	memcpy(out, m->revision, MDEP_REVISION_LEN + 1);
	free(m);
	free(members);
}

static bool same_revision(const char *a, const char *b)
{
	char x[MDEP_REVISION_LEN + 1], y[MDEP_REVISION_LEN + 1];

	revision(a, x);
	revision(b, y);
	assert_int_equal(strlen(x), MDEP_REVISION_LEN);
	assert_int_equal(strspn(x, STR_SAFE_ALPHABET), MDEP_REVISION_LEN);
	return strcmp(x, y) == 0;
}

/* Pairs that are the same pods. */
static const char *const same[][2] = {
	{BASE, "'runtime':{'preset':'triton'},'model':{'version':'3','name':'ranker'}"},
	{BASE ",'template':{'a':{'x':1,'y':[1,2]},'b':2}",
         BASE ",'template':{'b':2,'a':{'y':[1,2],'x':1}}"},
	{BASE, BASE ",'replicas':7"},
	{BASE, BASE ",'zones':[{'name':'a'}]"},
	{BASE, BASE ",'strategy':{'maxSurge':0,'steps':[{'weight':5}]}"},
	{BASE, BASE ",'traffic':{'httpRoute':{'name':'r'}},'canary':{},'paused':true"},
	{BASE, BASE ",'placement':{'policy':'Spread','scheduler':'default-scheduler'}"},
	{BASE, BASE ",'template':{}"},
	{BASE, BASE ",'template':null"},
	{BASE, "'model':{'name':'ranker','version':'3','uri':null},'runtime':{'preset':'triton'}"},
	{BASE, "'model':{'name':'ranker','version':'3'},'runtime':{'preset':'triton','golden':{'a':"
               "1},'warmupRequests':5,'metricsPath':'/m'}"},
	/* what the API server fills in */
	{BASE ",'gpu':{}", BASE ",'gpu':{'count':1,'resource':'nvidia.com/gpu'}"},
	{"'model':{'name':'m','version':'1'},'runtime':{'image':'x','port':1}",
         "'model':{'name':'m','version':'1'},'runtime':{'image':'x','port':1,'preset':'custom'}"},
};

/* Pairs that are not. */
static const char *const different[][2] = {
	{BASE, "'model':{'name':'ranker','version':'4'},'runtime':{'preset':'triton'}"},
	{BASE,
         "'model':{'name':'ranker','version':'3','uri':'file:/x'},'runtime':{'preset':'triton'}"},
	{BASE, "'model':{'name':'ranker','version':'3'},'runtime':{'preset':'vllm'}"},
	{BASE, "'model':{'name':'ranker','version':'3'},'runtime':{'preset':'triton','args':[]}"},
	{BASE, BASE ",'gpu':{}"},
	{BASE ",'gpu':{}", BASE ",'gpu':{'count':2}"},
	{BASE ",'gpu':{}", BASE ",'gpu':{'count':0}"},
	{BASE ",'gpu':{}", BASE ",'gpu':{'resource':'amd.com/gpu'}"},
	{BASE, BASE ",'template':{'spec':{}}"},
	{BASE ",'template':{'a':[1,2]}", BASE ",'template':{'a':[2,1]}"},
	{BASE ",'template':{'a':'1'}", BASE ",'template':{'a':1}"},
	{BASE ",'template':{'a':{'b':1}}", BASE ",'template':{'a':{},'b':1}"},
	{BASE ",'template':{'a':'b'}", BASE ",'template':{'ab':''}"},
	{BASE ",'template':{'a':['b']}", BASE ",'template':{'a':'b'}"},
	{BASE ",'template':{'a':['bc']}", BASE ",'template':{'a':['b','c']}"},
	{BASE ",'template':{'golden':1}", BASE ",'template':{'golden':2}"},
};

static void test_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		print_message("%s = %s\n", same[i][0], same[i][1]);
		assert_true(same_revision(same[i][0], same[i][1]));
	}
}

static void test_different(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
		print_message("%s != %s\n", different[i][0], different[i][1]);
		assert_false(same_revision(different[i][0], different[i][1]));
	}
}

/* The names stand in clusters: another function would replace every pod on an upgrade. */
static void test_fixed_points(void **state)
{
	char r[MDEP_REVISION_LEN + 1];

	(void)state;
	revision(BASE, r);
	assert_string_equal(r, "ltx2nqn6cl");
	revision(BASE ",'gpu':{'count':2},'template':{'spec':{'priority':1000000000}}", r);
	assert_string_equal(r, "6gr7k5449w");
}

static void test_steps_hash(void **state)
{
	struct mdep *a = decode_members(&mdep_kind, "",
	                                "'spec':{'strategy':{'steps':[{'weight':5,'hold':'1m'}]}}");
	struct mdep *b = decode_members(&mdep_kind, "",
	                                "'spec':{'strategy':{'steps':[{'hold':'1m','weight':5}]}}");
	struct mdep *c = decode_members(&mdep_kind, "",
	                                "'spec':{'strategy':{'steps':[{'hold':'2m','weight':5}]}}");

	(void)state;
	assert_string_equal(a->steps_hash, b->steps_hash);
	assert_string_not_equal(a->steps_hash, c->steps_hash);
	free(a);
	free(b);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_different),
		cmocka_unit_test(test_fixed_points),
		cmocka_unit_test(test_steps_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
