/* ZoneShift: the decoder against the CRD, whom one is about, what is refused. */
#include "fixture.h"

#include "tidegate/api/names.h"
#include "tidegate/api/schema.h"
#include "tidegate/api/zoneshift.h"

#define T0  1767323045000 /* 2026-01-02T03:04:05Z */
#define END "'zone':'hz-a','duration':'1h'"

static struct zoneshift *shift(const char *spec)
{
	cleanup_free char *members = xasprintf("'spec':{%s}", spec);

	return decode_members(&zoneshift_kind, "'creationTimestamp':'2026-01-02T03:04:05Z'",
	                      members);
}

static void test_fields(void **state)
{
	struct zoneshift *z =
		shift(END ",'reason':'rack work','selector':{'namespaces':['shop','a'],"
	                  "'matchLabels':{'tier':'gold','x':'y'}}");

	(void)state;
	assert_null(z->problem);
	assert_string_equal(z->zone, "hz-a");
	assert_string_equal(z->reason, "rack work");
	assert_int_equal(z->until_ms, T0 + 3600000);
	assert_int_equal(z->nnamespaces, 2);
	assert_string_equal(z->namespaces[1], "a");
	assert_string_equal(label_get(z->labels, z->nlabels, "tier"), "gold");
	assert_true(zoneshift_holds(z, T0 + 3599999));
	assert_false(zoneshift_holds(z, T0 + 3600000));
	free(z);
	z = shift("'zone':'hz-a','expiresAt':'2026-01-02T04:04:05Z'");
	assert_int_equal(z->until_ms, T0 + 3600000);
	free(z);
}

static void test_whom_it_is_about(void **state)
{
	static const struct {
		const char *selector;
		bool matches;
	} rows[] = {
		{"", true},
		{"'namespaces':['ns']", true},
		{"'namespaces':['other','ns']", true},
		{"'namespaces':['other']", false},
		{"'matchLabels':{'tier':'gold'}", true},
		{"'matchLabels':{'tier':'tin'}", false},
		{"'matchLabels':{'tier':'gold','absent':''}", false},
		{"'namespaces':['other'],'matchLabels':{'tier':'gold'}", false},
	};
	struct mdep *m = decode_members(&mdep_kind, "'labels':{'tier':'gold'}",
	                                "'spec':{'zones':[{'name':'hz-a'},{'name':'hz-b'}]}");
	struct zoneshift *z;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *spec = xasprintf(END ",'selector':{%s}", rows[i].selector);

		z = shift(spec);
		if (z->problem || zoneshift_matches(z, m) != rows[i].matches)
			fail_msg("%s: %s", rows[i].selector, str_or(z->problem, "matches wrongly"));
		free(z);
	}
	z = shift("'zone':'hz-c','duration':'1h'"); /* which it does not have */
	assert_false(zoneshift_matches(z, m));
	free(z);
	free(m);
}

static void test_problems(void **state)
{
	static const struct {
		const char *spec, *path;
	} rows[] = {
		{"'duration':'1h'", "spec.zone"},
		{"'zone':'Hz','duration':'1h'", "spec.zone"},
		{"'zone':'a'", "spec"},
		{END ",'expiresAt':'2026-01-02T04:04:05Z'", "spec"},
		{"'zone':'a','duration':'9s'", "spec.duration"},
		{"'zone':'a','duration':'169h'", "spec.duration"},
		{"'zone':'a','duration':7", "spec.duration"},
		{"'zone':'a','expiresAt':'tomorrow'", "spec.expiresAt"},
		{"'zone':'a','expiresAt':'2026-01-09T03:04:06Z'", "spec.expiresAt"},
		{END ",'selector':7", "spec.selector"},
		{END ",'selector':{'matchExpressions':[]}", "spec.selector"},
		{END ",'selector':{'namespaces':'shop'}", "spec.selector.namespaces"},
		{END ",'selector':{'namespaces':[7]}", "spec.selector.namespaces"},
		{END ",'selector':{'matchLabels':[]}", "spec.selector.matchLabels"},
		{END ",'selector':{'matchLabels':{'a':1}}", "spec.selector.matchLabels"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct zoneshift *z = shift(rows[i].spec);

		if (!str_eq(z->problem_path, rows[i].path))
			fail_msg("%s: %s", rows[i].spec, str_or(z->problem_path, "-"));
		assert_false(zoneshift_holds(z, T0)); /* not in force at all */
		free(z);
	}
}

static void on_finding(void *arg, const char *path, const char *message)
{
	(void)path;
	(void)message;
	(*(int *)arg)++;
}

/* What the schema takes, the decoder takes; what it bounds, the decoder bounds alike. */
static void test_the_schema_agrees(void **state)
{
	static const struct {
		const char *spec;
		bool taken;
	} rows[] = {
		{END, true},
		{END ",'reason':'r','selector':{'namespaces':['a'],'matchLabels':{'b':'c'}}", true},
		{"'zone':'a','expiresAt':'2026-01-02T04:04:05Z'", true},
		{"'duration':'1h'", false},
		{"'zone':'Hz','duration':'1h'", false},
		{"'zone':'a','duration':'soon'", false},
		{END ",'selector':7", false},
		{END ",'selector':{'namespaces':'shop'}", false},
		{END ",'selector':{'matchLabels':{'a':1}}", false},
		{END ",'minCapacity':'1%'", false},
		{END
	         ",'selector':{'matchLabels':{'1':'','2':'','3':'','4':'','5':'','6':'','7':'',"
	         "'8':'','9':'','10':'','11':'','12':'','13':'','14':'','15':'','16':'','17':''}}",
	         false},
	};
	const struct json *schema;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	schema = schema_of(TG_API_VERSION, "ZoneShift");
	assert_non_null(schema);
	assert_null(schema_unknown_keyword(schema));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = xasprintf("{'spec':{%s}}", rows[i].spec);
		int findings = 0;

		schema_check(schema, parse(&a, text), &a, on_finding, &findings);
		if (rows[i].taken != !findings)
			fail_msg("%s: %d findings", rows[i].spec, findings);
	}
	arena_release(&a);
}

/* Our own status writes wake nobody; another spec does. */
static void test_same(void **state)
{
	(void)state;
	assert_true(same_members(&zoneshift_kind, "'generation':1", "", "'generation':1",
	                         "'status':{'matched':1}"));
	assert_false(same_members(&zoneshift_kind, "'generation':1", "", "'generation':2", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),   cmocka_unit_test(test_whom_it_is_about),
		cmocka_unit_test(test_problems), cmocka_unit_test(test_the_schema_agrees),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
