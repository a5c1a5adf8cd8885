/*
 * Descriptive statistics of a series of numbers. The mean and the variance are corrected for
 * their own rounding (two passes), percentiles interpolate linearly, as Apache Commons
 * Math does, so that figures agree with Kayenta's in every digit that it prints. Pure.
 */
#ifndef TIDEGATE_JUDGE_SERIES_H
#define TIDEGATE_JUDGE_SERIES_H

#include <stddef.h>

/* All of them: 0 for an empty series. */
double series_mean(const double *v, size_t n);
double series_variance(const double *v, size_t n); /* of a sample: n - 1 */
double series_min(const double *v, size_t n);
double series_max(const double *v, size_t n);
void series_sort(double *v, size_t n); /* ascending, -0 before 0, NaN last */
/* p from 0 to 1; v is sorted and not empty. */
double series_percentile(const double *v, size_t n, double p);

#endif
