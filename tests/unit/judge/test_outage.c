/* The e-variable that listens to good requests: valid on the whole null, quick on an outage. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/judge/outage.h"
#include "tidegate/base/alloc.h"

static double binomial(long n, long k, double p)
{
	return exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1)) *
	       pow(p, (double)k) * pow(1 - p, (double)(n - k));
}

/* Expectation of exp(log ratio) when the shares are (c, s). */
static double expectation(long canary, long stable, double margin, double guess_c, double guess_s,
                          double c, double s)
{
	double sum = 0;

	for (long x = 0; x <= canary; x++)
		for (long y = 0; y <= stable; y++) {
			struct table2x2 t = {canary, x, stable, y};

			sum += binomial(canary, x, c) * binomial(stable, y, s) *
			       exp(outage_log_ratio(&t, margin, guess_c, guess_s));
		}
	return sum;
}

static void test_expectation_is_at_most_one_under_the_null(void **state)
{
	static const double margins[] = {1, 1.25, 1.5, 4}, shares[] = {1e-4, 0.01, 0.2, 0.6, 0.95};
	static const double guesses[][2] = {{0.2, 0.01}, {0.6, 0.01}, {0.6, 0.3}, {0.9, 0.0001}};
	static const long sizes[][2] = {{1, 1}, {3, 8}, {8, 2}};

	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(margins); m++)
		for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
			for (size_t g = 0; g < ARRAY_SIZE(guesses); g++)
				for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
					for (double within = 1; within > 0.2; within -= 0.35) {
						double s = shares[i], o = margins[m] * within;
						double c = o * s / (1 - s + o * s);

						assert_true(expectation(sizes[k][0], sizes[k][1],
						                        margins[m], guesses[g][0],
						                        guesses[g][1], c,
						                        s) <= 1 + 1e-9);
					}
}

static void test_an_outage_is_told_by_good_answers_too(void **state)
{
	const struct table2x2 bad = {10, 5, 10, 0}, good = {10, 0, 10, 0};
	static const double psi[] = {1.25, 100};
	double chance[2];

	(void)state;
	assert_true(hypergeometric_log_chances(&bad, psi, 2, chance));
	assert_true(outage_log_ratio(&bad, 1.25, 0.5, 0.01) > chance[1] - chance[0]);
	assert_true(outage_log_ratio(&good, 1.25, 0.5, 0.01) < 0);
}

static void test_a_guess_within_the_margin_says_nothing(void **state)
{
	const struct table2x2 t = {10, 5, 10, 0}, alone = {10, 5, 0, 0};

	(void)state;
	assert_true(outage_log_ratio(&t, 1.25, 0.2, 0.2) == 0);
	assert_true(outage_log_ratio(&t, 4, 0.2, 0.1) == 0);
	assert_true(outage_log_ratio(&alone, 1.25, 0.5, 0.01) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expectation_is_at_most_one_under_the_null),
		cmocka_unit_test(test_an_outage_is_told_by_good_answers_too),
		cmocka_unit_test(test_a_guess_within_the_margin_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
