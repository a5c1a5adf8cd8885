/* From a ScorePolicy to what the judges are told: defaults, weights, queries of a canary config. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/scoreplan.h"

struct made {
	struct arena arena;
	struct scorepolicy policy;
	struct scoreplan plan;
	struct err err;
	int code;
};

/* ' stands for " in the policy. */
static void make(struct made *m, const char *spec, const char *config)
{
	cleanup_free char *text =
		xasprintf("{'spec':{'prometheus':{'url':'http://p'}%s%s}}", *spec ? "," : "", spec);

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	*m = (struct made){.err = ERR_INIT};
	arena_init(&m->arena, 0);
	scorepolicy_read(json_parse(&m->arena, text, strlen(text), NULL), &m->arena, &m->policy);
	m->code = scoreplan_build(&m->policy, config, &m->arena, &m->plan, &m->err);
}

static void test_defaults(void **state)
{
	struct sequential_options s;
	struct thresholds_rule t;
	struct made m;

	(void)state;
	make(&m, "", NULL);
	assert_int_equal(m.code, 0);
	sequential_options_default(&s);
	thresholds_rule_default(&t);
	/* What is behind the last member is padding. */
	assert_memory_equal(&m.plan.sequential, &s,
	                    offsetof(struct sequential_options, judge_latency));
	assert_int_equal(m.plan.sequential.judge_latency, s.judge_latency);
	assert_true(m.plan.thresholds.failures == t.failures &&
	            isnan(m.plan.thresholds.max_latency_s));
	assert_int_equal(m.plan.series.nmetrics, 0);
	assert_int_equal(m.plan.min_points, 10);
	arena_release(&m.arena);
}

static void test_metrics_and_weights(void **state)
{
	struct made m;
	const struct kayenta_config *c = &m.plan.series;

	(void)state;
	make(&m,
	     "'metrics':[{'name':'ctr','query':'a','group':'business','weight':3,'direction':"
	     "'Decrease','maxChange':'5%','critical':true},{'name':'gmv','query':'b','group':"
	     "'business'},{'name':'gpu','query':'c','weight':4,'nanStrategy':'Replace'}],"
	     "'series':{'step':'2s','minPoints':7,'pass':'90'}",
	     NULL);
	assert_int_equal(m.code, 0);
	assert_int_equal(c->nmetrics, 3);
	assert_string_equal(m.plan.queries[1], "b");
	assert_int_equal(c->metrics[0].direction, KAYENTA_DECREASE);
	assert_true(c->metrics[0].critical && fabs(c->metrics[0].allowed_decrease - 0.95) < 1e-9);
	assert_true(c->metrics[2].replace_nan && !c->metrics[1].replace_nan);
	assert_int_equal(c->nweights, 2);
	assert_true(fabs(c->weights[0].weight - 50) < 1e-9);
	assert_true(fabs(c->pass - 90) < 1e-9 && isnan(c->marginal));
	assert_true(m.plan.interval_s == m.plan.step_s && m.plan.min_points == 7);
	arena_release(&m.arena);
}

/* Within its group a metric counts by its weight, and the group by the sum. */
static void test_weighted_score(void **state)
{
	static const double calm[] = {1, 1.1, 0.9, 1, 1.05, 0.95, 1, 1.02, 0.98, 1};
	static const double high[] = {9, 9.1, 8.9, 9, 9.05, 8.95, 9, 9.02, 8.98, 9};
	struct kayenta_result r;
	struct made m;

	(void)state;
	make(&m,
	     "'metrics':[{'name':'a','query':'a','group':'g','weight':3},{'name':'b','query':'b',"
	     "'group':'g'},{'name':'c','query':'c','group':'h','weight':4}]",
	     NULL);
	const struct kayenta_pair pairs[] = {
		{.name = "a",
	         .control = calm,
	         .experiment = high,
	         .ncontrol = 10,
	         .nexperiment = 10},
		{.name = "b",
	         .control = calm,
	         .experiment = calm,
	         .ncontrol = 10,
	         .nexperiment = 10},
		{.name = "c",
	         .control = calm,
	         .experiment = calm,
	         .ncontrol = 10,
	         .nexperiment = 10},
	};
	assert_int_equal(kayenta_judge(&m.plan.series, pairs, 3, &m.arena, &r, &m.err), 0);
	assert_true(fabs(r.groups[0].score - 25) < 1e-9);
	assert_true(fabs(r.score - 62.5) < 1e-9);
	arena_release(&m.arena);
}

static void test_canary_config_queries(void **state)
{
	static const struct {
		const char *query, *promql;
	} rows[] = {
		{"\"customInlineTemplate\":\"PromQL:sum(x{r=\\\"${scope}\\\"})\"",
	         "sum(x{r=\"${scope}\"})"},
		{"\"customInlineTemplate\":\"sum(x)\"", "sum(x)"},
		{"\"type\":\"prometheus\",\"metricName\":\"lag\"", "avg(lag{})"},
		{"\"metricName\":\"lag\",\"labelBindings\":[\"a=\\\"1\\\"\",\"b=\\\"2\\\"\"]",
	         "avg(lag{a=\"1\",b=\"2\"})"},
		{"\"metricName\":\"lag\",\"customFilterTemplate\":\"t\"",
	         "avg(lag{rev=\"${scope}\"})"},
		{"\"metricName\":\"lag\",\"labelBindings\":[\"a=\\\"1\\\"\"],\"customFilter\":\"c>"
	         "2\"",
	         "avg(lag{a=\"1\",c>2})"},
		{"\"type\":\"datadog\",\"metricName\":\"lag\"", NULL},
		{"\"type\":\"prometheus\"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *config = xasprintf("{\"templates\":{\"t\":\"rev=\\\"${scope}"
		                                      "\\\"\"},\"metrics\":[{\"name\":\"m\","
		                                      "\"groups\":[\"g\"],\"query\":{%s}}]}",
		                                      rows[i].query);
		struct made m;

		make(&m, "'kayenta':{'configMapRef':{'name':'c'}}", config);
		if (!rows[i].promql) {
			assert_int_equal(m.code, -1);
			assert_non_null(strstr(m.err.msg, "metrics[0].query"));
		} else {
			if (m.code)
				fail_msg("%s: %s", rows[i].query, m.err.msg);
			assert_string_equal(m.plan.queries[0], rows[i].promql);
		}
		arena_release(&m.arena);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *spec, *config, *message;
	} rows[] = {
		{"'judge':'Best'", NULL, "spec.judge: must be"},
		{"'kayenta':{'config':'{'}", NULL, "canary config"},
		{"'kayenta':{'config':'[]'}", NULL, "canary config"},
		{"'kayenta':{'configMapRef':{'name':'c'}}", "{\"metrics\":[]}",
	         "needs 1 to 64 metrics"},
		{"'metrics':[{'name':'a','query':'q'}],'series':{'window':'30s'}", NULL,
	         "spec.series.window"},
		{"'metrics':[{'name':'a','query':'q'}],'series':{'window':'24h','step':'1s'}", NULL,
	         "spec.series.step"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made m;

		make(&m, rows[i].spec, rows[i].config);
		assert_int_equal(m.code, -1);
		if (!strstr(m.err.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].spec, m.err.msg);
		arena_release(&m.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),       cmocka_unit_test(test_metrics_and_weights),
		cmocka_unit_test(test_weighted_score), cmocka_unit_test(test_canary_config_queries),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
