/*
 * Mann-Whitney test (Wilcoxon's rank sum) of two samples: how much higher x lies than y.
 *
 * The interval and the estimate (Hodges and Lehmann 1963) are the shifts at which the standardised
 * rank sum crosses the normal quantiles, always with the normal approximation, correction for
 * continuity and for ties, as R's wilcox.test(exact = FALSE) does. The rank sum is a staircase
 * function of the shift, so a root is the place of a step, found to 1e-4 in absolute terms by
 * Brent's method: the same method with the same tolerance gives the same digits as Kayenta.
 * Pure.
 */
#ifndef TIDEGATE_JUDGE_MANN_WHITNEY_H
#define TIDEGATE_JUDGE_MANN_WHITNEY_H

#include <stddef.h>

struct mann_whitney {
	double lower, upper, estimate; /* of x - y */
};

/* Both sorted (series.h) and not empty. -1 when all observations are tied. */
int mann_whitney_test(const double *x, size_t m, const double *y, size_t n, double confidence,
                      struct mann_whitney *out);
/* Share of pairs in which x is higher, ties half (Vargha and Delaney 2000). Sorted. */
double mann_whitney_cles(const double *x, size_t m, const double *y, size_t n);
/*
 * Standardised rank sum of x - shift against y, minus `quantile`. NaN when all is tied.
 */
double mann_whitney_z(const double *x, size_t m, const double *y, size_t n, double shift,
                      double quantile);
/* z with P(Z <= z) = p for a standard normal Z; 0 < p < 1. */
double normal_quantile(double p);

#endif
