/* Spread over time and between pods, and the bounds that latency is judged at. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/judge/bounds.h"
#include "../../../controller/judge/spread.h"
#include "random.h"
#include "tidegate/base/alloc.h"

static double phi_of(double swing, unsigned blocks)
{
	struct drift d = {0};
	struct rng r = {3};

	for (unsigned i = 0; i < blocks; i++) {
		double p = 0.02 * fmax(0, 1 + swing * rng_normal(&r));

		drift_add(&d, 2000, (double)rng_binomial(&r, 2000, p));
	}
	return drift_phi(&d, 600);
}

static void test_swings_temper_and_chance_does_not(void **state)
{
	struct drift none = {0};

	(void)state;
	assert_true(drift_phi(&none, 600) == 1);
	assert_true(phi_of(0.5, 2) == 1);
	assert_true(phi_of(0, 50) < 1.2);
	assert_true(phi_of(0.5, 50) > 3);
}

static double margin_of(double between, unsigned npods, double n)
{
	struct spread_pod pods[SPREAD_PODS];
	struct rng r = {9};

	for (unsigned i = 0; i <= npods; i++) {
		double odds = 0.1 * exp(between * rng_normal(&r));

		pods[i] = (struct spread_pod){.canary = i == npods, .n = n};
		pods[i].bad = (double)rng_binomial(&r, (long)n, odds / (1 + odds));
	}
	return spread_log_margin(pods, npods + 1, 0.1);
}

static void test_pods_that_differ_widen_the_margin(void **state)
{
	(void)state;
	/* Nothing known: 2.5 times the prior, of two pods. */
	assert_true(fabs(spread_log_margin(NULL, 0, 0.1) - 0.25 * sqrt(2)) < 1e-12);
	/* Few counts leave the prior, many replace it. */
	assert_true(fabs(margin_of(0, 3, 10) / (0.25 * sqrt(1 + 1.0 / 3)) - 1) < 0.1);
	assert_true(margin_of(0, 20, 20000) < 0.15);
	assert_true(margin_of(0.5, 20, 20000) > 0.7);
}

static void test_zones_that_differ_do_not(void **state)
{
	struct spread_pod pods[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		pods[i] =
			(struct spread_pod){.stratum = i % 2, .n = 10000, .bad = i % 2 ? 2000 : 10};
	assert_true(spread_log_margin(pods, 8, 0.1) < 0.4);
	for (unsigned i = 0; i < 8; i++)
		pods[i].stratum = 0;
	assert_true(spread_log_margin(pods, 8, 0.1) > 1);
}

static struct sequential_sample sample_of(const double *le, const double *counts, unsigned n)
{
	struct sequential_sample x = {.pod = "p", .requests = counts[n - 1], .nbuckets = n};

	for (unsigned i = 0; i < n; i++) {
		x.bounds[i] = le[i];
		x.counts[i] = counts[i];
	}
	return x;
}

static void test_bounds_span_body_and_tail(void **state)
{
	static const double le[] = {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, INFINITY};
	static const double few[] = {0, 10, 20, 30, 40, 49, 49, 49};
	static const double more[] = {0, 1, 1, 1, 1, 1, 1, 1};
	static const double other_le[] = {0.02, 0.03, INFINITY}, other[] = {4, 6, 10};
	struct sequential_sample x = sample_of(le, few, 8), y = sample_of(other_le, other, 3);
	struct bounds b = {0}, strange = {0};
	double seen, slower;

	(void)state;
	bounds_add(&b, &x);
	bounds_choose(&b);
	assert_int_equal(b.nused, 0);
	x = sample_of(le, more, 8);
	bounds_add(&b, &x);
	bounds_choose(&b);
	assert_false(bounds_known(&b));
	strange = b;
	x.canary = true;
	bounds_add(&b, &x);
	bounds_choose(&b);
	/* Half, a fifth, 5 % and 1 % of 50, nothing; the rest is filled from the tail. */
	assert_int_equal(b.nused, 4);
	assert_true(bounds_at(&b, 0) == 0.08 && bounds_at(&b, 3) == 0.64);
	assert_true(bounds_slope(&b, 0) >= 1 && bounds_slope(&b, 0) <= 12);
	/* A sample with other buckets tells of the bounds that it shares, and of no other. */
	assert_false(bounds_slower(&b, 0, &y, &seen, &slower));
	x = sample_of(le, few, 8);
	assert_true(bounds_slower(&b, 0, &x, &seen, &slower));
	assert_true(seen == 49 && slower == 19);
	/* Of a canary with other buckets only what both have: here 0.02, which is below the body.
	 */
	y.canary = true;
	bounds_add(&strange, &y);
	bounds_choose(&strange);
	assert_true(bounds_known(&strange));
	assert_int_equal(strange.nused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swings_temper_and_chance_does_not),
		cmocka_unit_test(test_pods_that_differ_widen_the_margin),
		cmocka_unit_test(test_zones_that_differ_do_not),
		cmocka_unit_test(test_bounds_span_body_and_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
