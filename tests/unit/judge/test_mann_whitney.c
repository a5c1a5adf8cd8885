/* The rank test against what its definition says, computed the long way. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../controller/judge/mann_whitney.h"
#include "../../../controller/judge/series.h"
#include "random.h"
#include "tidegate/base/alloc.h"

static void test_normal_quantiles(void **state)
{
	/* Tables of the normal distribution. */
	static const struct {
		double p, z;
	} rows[] = {{0.01, -2.3263478740408408},
	            {0.025, -1.9599639845400545},
	            {0.5, 0},
	            {0.975, 1.9599639845400545},
	            {0.99, 2.3263478740408408},
	            {1e-9, -5.9978070150076869}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_true(fabs(normal_quantile(rows[i].p) - rows[i].z) < 1e-12);
}

/* The rank sum by pairs: x above y counts 1, a tie a half. */
static double slow_cles(const double *x, size_t m, const double *y, size_t n)
{
	double won = 0;

	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
			won += x[i] > y[j] ? 1 : x[i] == y[j] ? 0.5 : 0;
	return won / (double)(m * n);
}

static void fill(struct rng *r, double *v, size_t n, double shift, bool ties)
{
	for (size_t i = 0; i < n; i++) {
		v[i] = 10 * rng_uniform(r) + shift;
		if (ties)
			v[i] = floor(v[i]);
	}
	series_sort(v, n);
}

static void test_cles_is_the_share_of_pairs_won(void **state)
{
	struct rng r = {7};
	double x[40], y[30];

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t m = 1 + rng_next(&r) % 40, n = 1 + rng_next(&r) % 30;

		fill(&r, x, m, rng_uniform(&r), round % 2);
		fill(&r, y, n, 0, round % 2);
		assert_true(fabs(mann_whitney_cles(x, m, y, n) - slow_cles(x, m, y, n)) < 1e-12);
	}
}

/* Roots of a staircase: the value passes the quantile within the tolerance around each. */
static void test_interval_ends_are_where_the_quantile_is_crossed(void **state)
{
	struct rng r = {11};
	struct mann_whitney mw;
	double x[60], y[60], z = normal_quantile(0.99), eps = 2e-4;

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t m = 6 + rng_next(&r) % 55, n = 6 + rng_next(&r) % 55;

		fill(&r, x, m, 3 * rng_uniform(&r), false);
		fill(&r, y, n, 0, false);
		assert_int_equal(mann_whitney_test(x, m, y, n, 0.98, &mw), 0);
		assert_true(mw.lower <= mw.estimate && mw.estimate <= mw.upper);
		assert_true(mann_whitney_z(x, m, y, n, mw.lower - eps, z) >= -1e-9);
		assert_true(mann_whitney_z(x, m, y, n, mw.lower + eps, z) <= 1e-9);
		assert_true(mann_whitney_z(x, m, y, n, mw.upper - eps, -z) >= -1e-9);
		assert_true(mann_whitney_z(x, m, y, n, mw.upper + eps, -z) <= 1e-9);
		assert_true(mann_whitney_z(x, m, y, n, mw.estimate - eps, 0) >= -1e-9);
		assert_true(mann_whitney_z(x, m, y, n, mw.estimate + eps, 0) <= 1e-9);
	}
}

static void test_all_tied_is_no_test(void **state)
{
	static const double x[] = {2}, y[] = {0};
	struct mann_whitney mw;

	(void)state;
	assert_int_equal(mann_whitney_test(x, 1, y, 1, 0.98, &mw), -1);
}

/* NaN comes of noise on infinite values: it ends all the same, above all else and equal to itself.
 */
static void test_infinite_and_nan_values_end(void **state)
{
	static const double nans[] = {NAN, NAN}, low[] = {-INFINITY, 1}, high[] = {1, INFINITY};
	struct mann_whitney mw;

	(void)state;
	assert_int_equal(mann_whitney_test(nans, 2, nans, 2, 0.98, &mw), -1);
	assert_true(mann_whitney_cles(nans, 2, low, 2) == 1);
	assert_true(mann_whitney_cles(low, 2, nans, 2) == 0);
	assert_true(mann_whitney_cles(high, 2, nans, 2) == 0.25);
	mann_whitney_test(high, 2, low, 2, 0.98, &mw);
}

/* 0.01 * 700 is a little more than 7: the eighth value is met all the same. */
static void test_percentile_at_a_whole_rank_is_that_value(void **state)
{
	double v[701];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = i < 8 ? (double)i + 43 : 100;
	assert_true(series_percentile(v, ARRAY_SIZE(v), 0.01) == v[7]);
}

static void test_series(void **state)
{
	double v[] = {3, 1, 2, 4}, huge[] = {1e16, 1, -1e16};

	(void)state;
	series_sort(v, 4);
	assert_true(series_percentile(v, 4, 0.5) == 2.5);
	assert_true(series_percentile(v, 4, 1) == 4);
	assert_true(series_percentile(v, 4, 0) == 1);
	assert_true(fabs(series_variance(v, 4) - 5.0 / 3) < 1e-15);
	/* The second pass brings back what the first one lost to rounding. */
	assert_true(fabs(series_mean(huge, 3) - 1.0 / 3) < 0.34);
	assert_true(series_mean(v, 0) == 0 && series_variance(v, 1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_quantiles),
		cmocka_unit_test(test_cles_is_the_share_of_pairs_won),
		cmocka_unit_test(test_interval_ends_are_where_the_quantile_is_crossed),
		cmocka_unit_test(test_all_tied_is_no_test),
		cmocka_unit_test(test_infinite_and_nan_values_end),
		cmocka_unit_test(test_percentile_at_a_whole_rank_is_that_value),
		cmocka_unit_test(test_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
