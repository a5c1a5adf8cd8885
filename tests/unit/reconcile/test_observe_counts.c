/* Counts of a canary: how long it has been silent. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/reconcile/observe.h"
#include "tidegate/judge/scoreplan.h"

#define BEGAN 1700000000000

static struct scoreplan builtin(void)
{
	struct scorepolicy p = {.sequential = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, true},
	                        .thresholds = {NAN, NAN, NAN, NAN, NAN, NAN, false, false}};
	struct scoreplan plan;

	scoreplan_counts(&p, &plan);
	return plan;
}

static void test_a_canary_that_was_never_measured_is_silent(void **state)
{
	struct scoreplan plan = builtin();
	struct sequential *judge = sequential_new(&plan.sequential);
	struct thresholds limits;
	struct sequential_result r;

	(void)state;
	observe_counts(judge, NULL, 40000, BEGAN + 40000, &r);
	assert_int_equal(r.verdict, JUDGE_NONE);
	assert_true(fabs(r.since_data_s - 40) < 1e-6);
	sequential_free(judge);

	thresholds_init(&limits, &plan.thresholds);
	observe_counts(NULL, &limits, 40000, BEGAN + 40000, &r);
	assert_true(fabs(r.since_data_s - 40) < 1e-6);
}

/* What is said at now_ms, silent_ms after a sample of second 30. */
static double silence_after_a_sample(int64_t silent_ms, int64_t now_ms)
{
	struct scoreplan plan = builtin();
	struct sequential *judge = sequential_new(&plan.sequential);
	struct sequential_sample x = {
		.t = BEGAN / 1000 + 30, .stratum = "z", .pod = "p", .canary = true, .requests = 5};
	struct sequential_result r;

	sequential_observe(judge, &x);
	observe_counts(judge, NULL, silent_ms, now_ms, &r);
	sequential_free(judge);
	return r.since_data_s;
}

static void test_silence_ends_with_a_sample(void **state)
{
	(void)state;
	assert_true(fabs(silence_after_a_sample(2000, BEGAN + 32000) - 2) < 1e-6);
}

/* Set back to before the last sample: the silence goes on all the same. */
static void test_a_wall_clock_that_is_set_back_ends_no_silence(void **state)
{
	(void)state;
	assert_true(fabs(silence_after_a_sample(40000, BEGAN) - 40) < 1e-6);
}

static void test_without_a_judge_of_counts_nothing_is_silent(void **state)
{
	struct sequential_result r;

	(void)state;
	observe_counts(NULL, NULL, 40000, BEGAN + 40000, &r);
	assert_int_equal(r.verdict, JUDGE_NONE);
	assert_int_equal(r.score, -1);
	assert_true(r.since_data_s == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_canary_that_was_never_measured_is_silent),
		cmocka_unit_test(test_silence_ends_with_a_sample),
		cmocka_unit_test(test_a_wall_clock_that_is_set_back_ends_no_silence),
		cmocka_unit_test(test_without_a_judge_of_counts_nothing_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
