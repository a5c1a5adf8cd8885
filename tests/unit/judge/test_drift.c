/* Drift of scores: published figures, levels kept over all looks, evidence for both verdicts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "tidegate/judge/drift.h"

#define BUCKETS 10

static void near(double got, double want, double by)
{
	if (!(fabs(got - want) <= by))
		fail_msg("got %.12g, want %.12g", got, want);
}

/* (p - q) ln(p / q), added up by hand with eight digits. */
static void test_index(void **state)
{
	static const double a[] = {10, 20, 30, 40}, b[] = {40, 30, 20, 10};
	static const double twice[] = {20, 40, 60, 80}, gap[] = {0, 50, 50}, full[] = {50, 25, 25};

	(void)state;
	/* 0.3 ln 4 twice, 0.1 ln 1.5 twice */
	near(drift_psi(a, b, 4), 0.6 * log(4) + 0.2 * log(1.5), 1e-12);
	near(drift_psi(a, b, 4), 0.91287, 5e-6);
	near(drift_psi(b, a, 4), drift_psi(a, b, 4), 1e-12);
	near(drift_psi(a, twice, 4), 0, 1e-12);
	/* Three income groups, 40 30 30 % before and 35 25 40 % after, as textbooks have it: 0.0446
	 */
	near(drift_psi((double[]){40, 30, 30}, (double[]){35, 25, 40}, 3), 0.04456, 5e-6);
	/* An empty side counts half a sample: 0.495 ln 100 + 2 x 0.25 ln 2. */
	near(drift_psi(full, gap, 3), 0.495 * log(100) + 0.5 * log(2), 1e-12);
	near(drift_psi(a, (double[]){0, 0, 0, 0}, 4), 0, 0);
}

static void test_greatest_difference(void **state)
{
	static const double a[] = {10, 20, 30, 40}, b[] = {40, 30, 20, 10};

	(void)state;
	near(drift_ks(a, b, 4), 0.4, 1e-12); /* 0.3 against 0.7 */
	near(drift_ks(a, a, 4), 0, 1e-12);
}

/* Smirnov's table: 1.2238, 1.3581, 1.6276 and 1.9495 at 10, 5, 1 and 0.1 %. */
static void test_chance_is_smirnovs(void **state)
{
	static const struct {
		double lambda, q;
	} rows[] = {{1.22385, 0.1},   {1.35810, 0.05}, {1.62762, 0.01},
	            {1.94947, 0.001}, {0.5, 0.963945}, {0.82757, 0.5}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		near(drift_ks_chance(rows[i].lambda / sqrt(500), 1000, 1000), rows[i].q,
		     rows[i].q * 1e-4);
	near(drift_ks_chance(0, 10, 10), 1, 0);
	near(drift_ks_chance(1, 1e6, 1e6), 0, 0);
}

/* n scores around `mean` into ten buckets of 0.1. */
static void draw(struct rng *r, struct drift *x, bool canary, unsigned n, double mean)
{
	double bounds[BUCKETS], counts[BUCKETS] = {0};

	for (unsigned i = 0; i < BUCKETS; i++)
		bounds[i] = i + 1 < BUCKETS ? 0.1 * (i + 1) : INFINITY;
	for (unsigned k = 0; k < n; k++) {
		double v = mean + 0.15 * rng_normal(r);

		for (unsigned i = 0; i < BUCKETS; i++)
			counts[i] += v <= bounds[i];
	}
	drift_observe(x, canary, BUCKETS, bounds, counts);
}

static enum judge_verdict release(struct rng *r, const struct drift_options *o, double mean,
                                  unsigned rounds, struct drift *x)
{
	drift_init(x, o);
	for (unsigned i = 0; i < rounds && x->verdict != JUDGE_FAIL; i++) {
		draw(r, x, false, 90, 0.5);
		draw(r, x, true, 10, mean);
	}
	return x->verdict;
}

/* Of 2,000 releases with 8 looks each at most alpha are false: by KS alone, no index is tolerated.
 */
static void test_false_alarms_over_all_looks(void **state)
{
	struct drift_options o = {.alpha = 0.01, .max_psi = 0, .min_samples = 100};
	struct rng r = {7};
	struct drift x;
	unsigned failed = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		failed += release(&r, &o, 0.5, 200, &x) == JUDGE_FAIL;
	assert_in_range(failed, 0, 20);
}

static void test_equal_versions_pass(void **state)
{
	struct drift_options o;
	struct drift_result out;
	struct rng r = {8};
	struct drift x;

	(void)state;
	drift_options_default(&o);
	assert_int_equal(release(&r, &o, 0.5, 10, &x), JUDGE_NONE); /* 100 canary scores */
	drift_result(&x, "score", &out);
	assert_int_equal(out.score, -1);
	assert_string_equal(out.text,
	                    "score: 100 canary and 900 stable scores, 500 of each are awaited");
	assert_int_equal(release(&r, &o, 0.5, 100, &x), JUDGE_PASS);
	drift_result(&x, "score", &out);
	assert_true(out.score > 90);
	assert_non_null(strstr(out.text, "score compared: PSI 0"));
}

static void test_a_moved_version_fails_for_good(void **state)
{
	struct drift_options o;
	struct drift_result out;
	struct rng r = {9};
	struct drift x;

	(void)state;
	drift_options_default(&o);
	assert_int_equal(release(&r, &o, 0.6, 100, &x), JUDGE_FAIL);
	near(x.canary_n, 500, 10); /* at the first look */
	drift_result(&x, "score", &out);
	assert_int_equal(out.score, 0);
	assert_non_null(strstr(out.text, "score has moved: PSI 0."));
	assert_non_null(strstr(out.text, "(limit 0.2), KS 0."));
	assert_non_null(strstr(out.text, ", p<1e-"));
	for (int i = 0; i < 100; i++)
		draw(&r, &x, true, 100, 0.5);
	assert_int_equal(x.verdict, JUDGE_FAIL);
}

/* Beyond chance, and still nothing that matters. */
static void test_a_small_difference_is_no_failure(void **state)
{
	struct drift_options o;
	struct rng r = {10};
	struct drift x;

	(void)state;
	drift_options_default(&o);
	assert_int_equal(release(&r, &o, 0.53, 3000, &x), JUDGE_PASS);
	assert_true(x.p < 1e-6 && x.psi > 0.01 && x.psi < 0.1);
}

/* One bucket for all tells nothing; another layout is another histogram. */
static void test_layouts(void **state)
{
	static const double one[] = {INFINITY}, two[] = {1, INFINITY}, other[] = {2, INFINITY};
	struct drift_options o = {.alpha = 0.01, .max_psi = 0.2, .min_samples = 100};
	struct drift x;

	(void)state;
	drift_init(&x, &o);
	for (int i = 0; i < 2; i++)
		drift_observe(&x, i, 1, one, (double[]){1000});
	assert_int_equal(x.looks, 1);
	assert_int_equal(x.verdict, JUDGE_NONE);
	drift_init(&x, &o);
	drift_observe(&x, true, 2, two, (double[]){90, 100});
	drift_observe(&x, false, 2, other, (double[]){10, 100});
	assert_int_equal(x.looks, 0);
	near(x.canary_n, 0, 0);
	drift_observe(&x, true, 2, other, (double[]){90, 100});
	assert_int_equal(x.verdict, JUDGE_FAIL);
	drift_observe(&x, true, 0, other, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_greatest_difference),
		cmocka_unit_test(test_chance_is_smirnovs),
		cmocka_unit_test(test_false_alarms_over_all_looks),
		cmocka_unit_test(test_equal_versions_pass),
		cmocka_unit_test(test_a_moved_version_fails_for_good),
		cmocka_unit_test(test_a_small_difference_is_no_failure),
		cmocka_unit_test(test_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
