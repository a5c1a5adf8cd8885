/* ScorePolicy: the decoder against the CRD, what is refused and how it is told. */
#include "fixture.h"

#include <math.h>

#include "tidegate/api/names.h"
#include "tidegate/api/schema.h"
#include "tidegate/api/scorepolicy.h"

#define PROMETHEUS "'prometheus':{'url':'http://p'}"
#define METRIC     PROMETHEUS ",'metrics':[{'name':'ctr','query':'q'"

/* Every field of spec with a value that is not its default. */
static const struct {
	const char *path, *spec;
} fields[] = {
	{"judge", "'judge':'Thresholds'"},
	{"sequential.alpha", "'sequential':{'alpha':'0.02'}"},
	{"sequential.margin", "'sequential':{'margin':'2'}"},
	{"sequential.latencyMargin", "'sequential':{'latencyMargin':'2'}"},
	{"sequential.podSpread", "'sequential':{'podSpread':'0.2'}"},
	{"sequential.minDifference", "'sequential':{'minDifference':'0.2'}"},
	{"sequential.latency", "'sequential':{'latency':false}"},
	{"sequential.noData", "'sequential':{'noData':'9s'}"},
	{"sequential.noStable", "'sequential':{'noStable':'9s'}"},
	{"thresholds.interval", "'thresholds':{'interval':'9s'}"},
	{"thresholds.maxErrors", "'thresholds':{'maxErrors':'0.5'}"},
	{"thresholds.maxLatency", "'thresholds':{'maxLatency':'9s'}"},
	{"thresholds.quantile", "'thresholds':{'quantile':'0.5'}"},
	{"thresholds.failures", "'thresholds':{'failures':9}"},
	{"thresholds.consecutive", "'thresholds':{'consecutive':true}"},
	{"thresholds.looks", "'thresholds':{'looks':9}"},
	{"thresholds.noData", "'thresholds':{'noData':'Fail'}"},
	{"prometheus.url", PROMETHEUS},
	{"prometheus.secretRef.name", "'prometheus':{'url':'http://p','secretRef':{'name':'s'}}"},
	{"prometheus.timeout", "'prometheus':{'url':'http://p','timeout':'9s'}"},
	{"prometheus.requestsQuery", "'prometheus':{'url':'http://p','requestsQuery':'q'}"},
	{"series.interval", "'series':{'interval':'9s'}"},
	{"series.step", "'series':{'step':'9s'}"},
	{"series.window", "'series':{'window':'90s'}"},
	{"series.minPoints", "'series':{'minPoints':9}"},
	{"series.failures", "'series':{'failures':9}"},
	{"series.pass", "'series':{'pass':'90'}"},
	{"series.marginal", "'series':{'marginal':'9'}"},
	{"series.tolerance", "'series':{'tolerance':'0.1'}"},
	{"series.confidence", "'series':{'confidence':'0.9'}"},
	{"kayenta.config", PROMETHEUS ",'kayenta':{'config':'{}'}"},
	{"kayenta.configMapRef.name", PROMETHEUS ",'kayenta':{'configMapRef':{'name':'c'}}"},
	{"kayenta.configMapRef.key",
         PROMETHEUS ",'kayenta':{'configMapRef':{'name':'c','key':'k'}}"},
	{"drift.metric", "'drift':{'metric':'m'}"},
	{"drift.alpha", "'drift':{'metric':'m','alpha':'0.05'}"},
	{"drift.maxPSI", "'drift':{'metric':'m','maxPSI':'0.5'}"},
	{"drift.minSamples", "'drift':{'metric':'m','minSamples':200}"},
	{"metrics[].name", METRIC "}]"},
	{"metrics[].query", METRIC "}]"},
	{"metrics[].group", METRIC ",'group':'g'}]"},
	{"metrics[].direction", METRIC ",'direction':'Decrease'}]"},
	{"metrics[].maxChange", METRIC ",'maxChange':'5%'}]"},
	{"metrics[].weight", METRIC ",'weight':7}]"},
	{"metrics[].critical", METRIC ",'critical':true}]"},
	{"metrics[].nanStrategy", METRIC ",'nanStrategy':'Replace'}]"},
	{"metrics[].mustHaveData", METRIC ",'mustHaveData':true}]"},
};

static struct scorepolicy *policy(const char *spec)
{
	cleanup_free char *members = xasprintf("'spec':{%s}", spec);

	return decode_members(&scorepolicy_kind, "", members);
}

static void describe(const struct scorepolicy *p, struct buf *b)
{
	buf_init(b, 1 << 16);
	buf_addf(b, "%d %g %g %g %g %g %g %g %d;", p->judge, p->sequential.alpha,
	         p->sequential.margin, p->sequential.latency_margin, p->sequential.pod_spread,
	         p->sequential.min_difference, p->sequential.no_data_s, p->sequential.no_stable_s,
	         p->sequential.latency);
	buf_addf(b, "%g %g %g %g %g %g %d %d;", p->thresholds.interval_s, p->thresholds.max_errors,
	         p->thresholds.max_latency_s, p->thresholds.quantile, p->thresholds.failures,
	         p->thresholds.looks, p->thresholds.consecutive, p->thresholds.no_data_fails);
	buf_addf(b, "%s %s %g %s;", str_or(p->prometheus.url, "-"),
	         str_or(p->prometheus.secret, "-"), p->prometheus.timeout_s,
	         str_or(p->prometheus.requests, "-"));
	buf_addf(b, "%g %g %g %g %g %g %g %g %g;", p->series.interval_s, p->series.step_s,
	         p->series.window_s, p->series.min_points, p->series.failures, p->series.pass,
	         p->series.marginal, p->series.tolerance, p->series.confidence);
	buf_addf(b, "%s %g %g %g;", str_or(p->drift.metric, "-"), p->drift.alpha, p->drift.max_psi,
	         p->drift.min_samples);
	buf_addf(b, "%s %s %s;", str_or(p->kayenta.config, "-"), str_or(p->kayenta.configmap, "-"),
	         p->kayenta.configmap_key);
	for (unsigned i = 0; i < p->nmetrics; i++)
		buf_addf(b, "%s %s %s %d %g %d %d %d %d;", p->metrics[i].name, p->metrics[i].group,
		         p->metrics[i].query, p->metrics[i].direction, p->metrics[i].max_change,
		         p->metrics[i].weight, p->metrics[i].critical, p->metrics[i].replace_nan,
		         p->metrics[i].must_have_data);
}

static const char *baseline(const char *path)
{
	if (str_starts(path, "drift.") && !str_eq(path, "drift.metric"))
		return "'drift':{'metric':'m'}";
	if (str_eq(path, "kayenta.configMapRef.key"))
		return PROMETHEUS ",'kayenta':{'configMapRef':{'name':'c'}}";
	if (str_starts(path, "metrics[].") && !str_eq(path, "metrics[].name") &&
	    !str_eq(path, "metrics[].query"))
		return METRIC "}]";
	return "";
}

static void test_every_field_has_an_effect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct scorepolicy *with = policy(fields[i].spec);
		struct scorepolicy *without = policy(baseline(fields[i].path));
		struct buf a, b;

		describe(with, &a);
		describe(without, &b);
		if (with->problem)
			fail_msg("%s: %s", fields[i].path, with->problem);
		if (str_eq(a.data, b.data))
			fail_msg("spec.%s changes nothing", fields[i].path);
		buf_release(&a);
		buf_release(&b);
		free(with);
		free(without);
	}
}

/* Leaves of the schema, each of which must be in the table. */
static unsigned check_leaves(const struct json *schema, const char *path)
{
	const struct json *properties = json_get(schema, "properties"), *it;
	const struct json *items = json_get(schema, "items");
	bool known = false;
	unsigned n = 0;

	if (items) {
		cleanup_free char *sub = xasprintf("%s[]", path);

		return check_leaves(items, sub);
	}
	json_for_each (it, properties) {
		cleanup_free char *sub = xasprintf("%s%s%s", path, *path ? "." : "", json_key(it));

		n += check_leaves(it, sub);
	}
	if (properties)
		return n;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		known |= str_eq(fields[i].path, path);
	if (!known)
		fail_msg("spec.%s of the schema is not in this table", path);
	return 1;
}

static void on_finding(void *arg, const char *path, const char *message)
{
	(void)arg;
	fail_msg("%s: %s", path, message);
}

static void test_table_is_the_schema(void **state)
{
	const struct json *schema;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	schema = schema_of(TG_API_VERSION, "ScorePolicy");
	assert_non_null(schema);
	assert_null(schema_unknown_keyword(schema));
	assert_int_equal(check_leaves(json_path(schema, "properties", "spec", NULL), ""),
	                 ARRAY_SIZE(fields));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		cleanup_free char *text = xasprintf("{'spec':{%s}}", fields[i].spec);

		schema_check(schema, parse(&a, text), &a, on_finding, NULL);
	}
	arena_release(&a);
}

static void test_problems(void **state)
{
	static const struct {
		const char *spec, *path, *problem;
	} rows[] = {
		{"'judge':'Best'", "spec.judge", "must be Sequential, Thresholds or Kayenta"},
		{"'sequential':{'alpha':2}", "spec.sequential.alpha", "must be a number from"},
		{"'sequential':{'alpha':'x'}", "spec.sequential.alpha", "must be a number from"},
		{"'sequential':{'alpha':'nan'}", "spec.sequential.alpha", "must be a number from"},
		{"'sequential':7", "spec.sequential", "must be an object"},
		{"'sequential':{'latency':'no'}", "spec.sequential.latency", "true or false"},
		{"'thresholds':{'failures':1.5}", "spec.thresholds.failures", "whole number"},
		{"'thresholds':{'interval':'x'}", "spec.thresholds.interval", "a duration"},
		{"'thresholds':{'noData':'Hold'}", "spec.thresholds.noData", "Ignore or Fail"},
		{"'prometheus':{'url':'ftp://p'}", "spec.prometheus.url", "begin with http"},
		{"'prometheus':{'url':'http://u:p@h'}", "spec.prometheus.url", "credentials"},
		{"'series':{'minPoints':4}", "spec.series.minPoints", "from 5 to 1000"},
		{"'drift':{}", "spec.drift.metric", "name of a histogram"},
		{"'drift':{'metric':'a b'}", "spec.drift.metric", "name of a histogram"},
		{"'drift':{'metric':'m','maxPSI':0}", "spec.drift.maxPSI", "from 0.01 to 10"},
		{"'metrics':7", "spec.metrics", "must be a list"},
		{"'metrics':[{'name':'a','query':'q'}]", "spec.prometheus.url", "is needed"},
		{METRIC "},{'name':'ctr','query':'q'}]", "spec.metrics[1].name", "taken"},
		{PROMETHEUS ",'metrics':[{'name':'a'}]", "spec.metrics[0].query", "missing"},
		{METRIC ",'weight':0}]", "spec.metrics[0].weight", "from 1 to 100"},
		{METRIC ",'maxChange':'5'}]", "spec.metrics[0].maxChange", "percentage"},
		{METRIC "}],'kayenta':{'config':'{}'}", "spec.kayenta", "already"},
		{PROMETHEUS ",'kayenta':{}", "spec.kayenta", "needs one of"},
		{"'kayenta':{'config':'{}'}", "spec.prometheus.url", "is needed"},
		{"'judge':'Kayenta'", "spec.judge", "needs spec.metrics or spec.kayenta"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scorepolicy *p = policy(rows[i].spec);

		if (!str_eq(p->problem_path, rows[i].path) ||
		    !strstr(str_or(p->problem, ""), rows[i].problem))
			fail_msg("%s: %s: %s", rows[i].spec, str_or(p->problem_path, "-"),
			         str_or(p->problem, "-"));
		free(p);
	}
}

static void test_too_many_metrics(void **state)
{
	struct buf b;
	struct scorepolicy *p;

	(void)state;
	buf_init(&b, 65536);
	buf_addstr(&b, PROMETHEUS ",'metrics':[");
	for (int i = 0; i < 17; i++)
		buf_addf(&b, "%s{'name':'m%d','query':'q'}", i ? "," : "", i);
	buf_addstr(&b, "]");
	p = policy(b.data);
	assert_int_equal(p->nmetrics, 0);
	assert_string_equal(p->problem_path, "spec.metrics");
	free(p);
	buf_release(&b);
}

/* Our own status writes wake nobody; another spec does. */
static void test_same(void **state)
{
	(void)state;
	assert_true(same_members(&scorepolicy_kind, "'generation':1", "", "'generation':1",
	                         "'status':{'observedGeneration':1}"));
	assert_false(same_members(&scorepolicy_kind, "'generation':1", "", "'generation':2", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_has_an_effect),
		cmocka_unit_test(test_table_is_the_schema),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_too_many_metrics),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
