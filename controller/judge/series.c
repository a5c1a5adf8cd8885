#include "series.h"

#include <math.h>
#include <stdlib.h>

double series_mean(const double *v, size_t n)
{
	double sum = 0, rest = 0, mean;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		rest += v[i] - mean;
	return mean + rest / (double)n;
}

double series_variance(const double *v, size_t n)
{
	double mean = series_mean(v, n), squares = 0, rest = 0;

	if (n < 2)
		return 0;
	for (size_t i = 0; i < n; i++) {
		squares += (v[i] - mean) * (v[i] - mean);
		rest += v[i] - mean;
	}
	return (squares - rest * rest / (double)n) / (double)(n - 1);
}

double series_min(const double *v, size_t n)
{
	double min = n ? v[0] : 0;

	for (size_t i = 1; i < n; i++)
		min = v[i] < min ? v[i] : min;
	return min;
}

double series_max(const double *v, size_t n)
{
	double max = n ? v[0] : 0;

	for (size_t i = 1; i < n; i++)
		max = v[i] > max ? v[i] : max;
	return max;
}

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;

	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	if (a != b)
		return a < b ? -1 : 1;
	return (signbit(b) != 0) - (signbit(a) != 0);
}

void series_sort(double *v, size_t n)
{
	if (n)
		qsort(v, n, sizeof(*v), by_value);
}

double series_percentile(const double *v, size_t n, double p)
{
	/* Ranks count from 1: the sum takes up the rounding of the product, so that a rank that is
	 * whole stays so (0.01 * 700). */
	double at = 1 + p * (double)(n - 1), whole = floor(at);
	size_t i = (size_t)whole;

	return i >= n ? v[n - 1] : v[i - 1] + (at - whole) * (v[i] - v[i - 1]);
}
