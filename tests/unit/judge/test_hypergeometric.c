#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/judge/hypergeometric.h"
#include "random.h"
#include "tidegate/base/alloc.h"

static double choose(long n, long k)
{
	double c = 1;

	for (long i = 1; i <= k; i++)
		c = c * (double)(n - k + i) / (double)i;
	return c;
}

/* P(canary_bad | psi) by summing every term. */
static double brute(const struct table2x2 *t, double psi)
{
	long bad = t->canary_bad + t->stable_bad;
	double sum = 0, mine = 0, x;

	for (long u = 0; u <= bad && u <= t->canary; u++) {
		if (bad - u > t->stable)
			continue;
		x = choose(t->canary, u) * choose(t->stable, bad - u) * pow(psi, (double)u);
		sum += x;
		if (u == t->canary_bad)
			mine = x;
	}
	return mine / sum;
}

static void test_equals_brute_force(void **state)
{
	static const double psi[] = {0.5, 1, 1.5, 3, 10, 400};
	struct rng r = {7};
	double out[ARRAY_SIZE(psi)];

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct table2x2 t = {(long)(rng_uniform(&r) * 40), 0, (long)(rng_uniform(&r) * 40),
		                     0};

		t.canary_bad = (long)(rng_uniform(&r) * (double)(t.canary + 1));
		t.stable_bad = (long)(rng_uniform(&r) * (double)(t.stable + 1));
		if (!hypergeometric_log_chances(&t, psi, ARRAY_SIZE(psi), out))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(psi); i++)
			assert_true(fabs(out[i] - log(brute(&t, psi[i]))) < 1e-9);
	}
}

static void test_tables_without_freedom_say_nothing(void **state)
{
	static const double psi[] = {2, 100};
	static const struct table2x2 t[] = {
		{0, 0, 0, 0}, {10, 0, 50, 0}, {10, 10, 50, 50}, {0, 0, 50, 7}, {10, 4, 0, 0}};
	double out[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_false(hypergeometric_log_chances(&t[i], psi, 2, out));
}

static double log_choose(long n, long k)
{
	return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

/* log P(canary_bad | psi), every term by its logarithm. */
static double log_brute(const struct table2x2 *t, double psi)
{
	long bad = t->canary_bad + t->stable_bad;
	double mine = log_choose(t->canary, t->canary_bad) + log_choose(t->stable, t->stable_bad) +
	              (double)t->canary_bad * log(psi);
	double max = -INFINITY, sum = 0, x;

	for (int pass = 0; pass < 2; pass++)
		for (long u = 0; u <= bad && u <= t->canary; u++) {
			if (bad - u > t->stable)
				continue;
			x = log_choose(t->canary, u) + log_choose(t->stable, bad - u) +
			    (double)u * log(psi);
			if (!pass)
				max = fmax(max, x);
			else
				sum += exp(x - max);
		}
	return mine - max - log(sum);
}

/* Few terms and many, those that fit a double and those that do not. */
static void test_large_tables(void **state)
{
	static const double psi[] = {0.5, 0.7, 1, 1.25, 2, 25, 80, 400, 2400};
	struct rng r = {11};
	double out[ARRAY_SIZE(psi)];

	(void)state;
	for (int round = 0; round < 300; round++) {
		double share = pow(rng_uniform(&r), 3);
		struct table2x2 t = {(long)(rng_uniform(&r) * 3000), 0,
		                     (long)(rng_uniform(&r) * 3000), 0};

		t.canary_bad = (long)(rng_uniform(&r) * share * (double)(t.canary + 1));
		t.stable_bad = (long)(rng_uniform(&r) * share * (double)(t.stable + 1));
		if (!hypergeometric_log_chances(&t, psi, ARRAY_SIZE(psi), out))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(psi); i++)
			assert_true(fabs(out[i] - log_brute(&t, psi[i])) < 1e-9);
	}
}

static void test_huge_tables_stay_finite(void **state)
{
	static const double psi[] = {0.7, 1.25, 1.5, 400};
	const struct table2x2 t = {100000, 40000, 2000000, 300000};
	double out[ARRAY_SIZE(psi)];

	(void)state;
	assert_true(hypergeometric_log_chances(&t, psi, ARRAY_SIZE(psi), out));
	for (size_t i = 0; i < ARRAY_SIZE(psi); i++)
		assert_true(isfinite(out[i]));
	assert_true(out[2] > out[1] && out[0] < out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_brute_force),
		cmocka_unit_test(test_tables_without_freedom_say_nothing),
		cmocka_unit_test(test_large_tables),
		cmocka_unit_test(test_huge_tables_stay_finite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
