/* Constant limits, look by look. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/judge/thresholds.h"

/* Errors of 100 canary requests in each interval; '.' = none, '5' = 5 errors, '-' = no requests. */
static struct sequential_result run(const struct thresholds_rule *rule, const char *looks)
{
	struct sequential_result r;
	struct thresholds t;
	size_t n = strlen(looks);

	thresholds_init(&t, rule);
	for (size_t i = 0; i < n; i++) {
		struct sequential_sample x = {.t = (double)i * 60, .canary = looks[i] != '-'};

		x.requests = looks[i] == '-' ? 0 : 100;
		x.errors = looks[i] == '5' ? 5 : 0;
		thresholds_observe(&t, &x);
	}
	thresholds_advance(&t, (double)n * 60);
	thresholds_result(&t, &r);
	return r;
}

static void test_looks(void **state)
{
	static const struct {
		const char *looks;
		bool consecutive, no_data_fails;
		enum judge_verdict verdict;
		double decided_at; /* in looks; 0 = not */
	} rows[] = {
		{"..........", false, false, JUDGE_PASS, 10},
		{".........", false, false, JUDGE_NONE, 0},
		{"5.5.5.....", false, false, JUDGE_FAIL, 5},
		{"5.5.5.....", true, false, JUDGE_PASS, 10},
		{"..555.....", true, false, JUDGE_FAIL, 5},
		{"----------", false, false, JUDGE_NONE, 0},
		{"5-5-......", false, false, JUDGE_NONE, 0},
		{"-.-.-.....", false, true, JUDGE_FAIL, 5},
		/* FAIL is final. */
		{"555..........", false, false, JUDGE_FAIL, 3},
	};
	struct thresholds_rule rule;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sequential_result r;

		thresholds_rule_default(&rule);
		rule.consecutive = rows[i].consecutive;
		rule.no_data_fails = rows[i].no_data_fails;
		r = run(&rule, rows[i].looks);
		if (r.verdict != rows[i].verdict ||
		    (rows[i].decided_at > 0 && r.decided_at != 60 * rows[i].decided_at))
			fail_msg("row %zu: %s at %g", i, judge_verdict_name(r.verdict),
			         r.decided_at);
		assert_true(rows[i].decided_at > 0 || isnan(r.decided_at));
	}
}

static void test_latency_quantile(void **state)
{
	static const double bounds[] = {0.1, 0.2, 0.4, INFINITY}, counts[] = {50, 90, 100, 100};
	static const double beyond[] = {0, 0, 10, 20}, none[] = {0, 0, 0, 0};

	(void)state;
	assert_true(fabs(histogram_quantile(0.5, bounds, counts, 4) - 0.1) < 1e-12);
	assert_true(fabs(histogram_quantile(0.7, bounds, counts, 4) - 0.15) < 1e-12);
	assert_true(fabs(histogram_quantile(0.99, bounds, counts, 4) - 0.38) < 1e-12);
	assert_true(histogram_quantile(0.99, bounds, beyond, 4) == 0.4);
	assert_true(isnan(histogram_quantile(0.99, bounds, none, 4)));
	assert_true(isnan(histogram_quantile(0.99, bounds, none, 0)));
}

static void test_text_shows_value_and_limit(void **state)
{
	struct thresholds_rule rule;
	struct sequential_result r;

	(void)state;
	thresholds_rule_default(&rule);
	r = run(&rule, "555");
	assert_string_equal(r.text, "canary errors 5.0 %, allowed 1 %, beyond it in 3 of 3 looks");
	assert_int_equal(r.score, 0);
	assert_int_equal(r.nmetrics, 1);
	assert_true(r.metrics[0].effect == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_latency_quantile),
		cmocka_unit_test(test_text_shows_value_and_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
