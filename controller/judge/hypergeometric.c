#include "hypergeometric.h"

#include <math.h>
#include <stdbool.h>

/* Terms below e^-45 of the greatest do not change a double's sum. */
#define NEGLIGIBLE 45.0

static long max_long(long a, long b)
{
	return a > b ? a : b;
}

static long min_long(long a, long b)
{
	return a < b ? a : b;
}

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* log of term u without its factor psi^u. */
static double log_weight(const struct table2x2 *t, long bad, long u)
{
	return log_choose((double)t->canary, (double)u) +
	       log_choose((double)t->stable, (double)(bad - u));
}

/* term u+1 over term u, without psi. */
static double growth(const struct table2x2 *t, long bad, long u)
{
	return (double)(t->canary - u) * (double)(bad - u) /
	       ((double)(u + 1) * (double)(t->stable - bad + u + 1));
}

/* Mode of the distribution: the terms are unimodal, so growth * psi crosses 1 once. */
static long find_mode(const struct table2x2 *t, long bad, long lo, long hi, double psi)
{
	while (lo < hi) {
		long mid = lo + (hi - lo) / 2;

		if (growth(t, bad, mid) * psi >= 1)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* log of the sum over the support, walked from the mode outwards until terms vanish. */
static double log_norm(const struct table2x2 *t, long bad, long lo, long hi, double psi)
{
	long mode = find_mode(t, bad, lo, hi, psi);
	double sum = 1, term = 1, cut = exp(-NEGLIGIBLE);

	for (long u = mode; u < hi; u++) {
		term *= growth(t, bad, u) * psi;
		if (term < cut)
			break;
		sum += term;
	}
	term = 1;
	for (long u = mode; u > lo; u--) {
		term /= growth(t, bad, u - 1) * psi;
		if (term < cut)
			break;
		sum += term;
	}
	return log_weight(t, bad, mode) + (double)mode * log(psi) + log(sum);
}

/* --- few terms: one set of weights serves every odds ratio --------------------------------- */

#define TERMS_MAX 49
/* So that no weight and no power of an odds ratio leaves the range of a double. */
#define FEW_REQUESTS_MAX 100000
#define FEW_PSI_MAX      10000.0

/* Weights of lo..hi relative to the greatest. */
static unsigned fill_weights(const struct table2x2 *t, long bad, long lo, long hi, double *w)
{
	long mode = find_mode(t, bad, lo, hi, 1);

	w[mode - lo] = 1;
	for (long u = mode; u < hi; u++)
		w[u + 1 - lo] = w[u - lo] * growth(t, bad, u);
	for (long u = mode; u > lo; u--)
		w[u - 1 - lo] = w[u - lo] / growth(t, bad, u - 1);
	return (unsigned)(hi - lo + 1);
}

static double polynomial(const double *w, unsigned n, double psi)
{
	double sum = 0;

	while (n--)
		sum = sum * psi + w[n];
	return sum;
}

static bool is_few(const struct table2x2 *t, long lo, long hi, const double *psi, unsigned n)
{
	if (hi - lo >= TERMS_MAX || t->canary + t->stable > FEW_REQUESTS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (psi[i] > FEW_PSI_MAX)
			return false;
	return true;
}

static void few_log_ratios(const struct table2x2 *t, long lo, long hi, const double *psi,
                           unsigned n, double null_psi, double *out)
{
	double w[TERMS_MAX], null_sum, above = (double)(t->canary_bad - lo);
	unsigned terms = fill_weights(t, t->canary_bad + t->stable_bad, lo, hi, w);

	null_sum = polynomial(w, terms, null_psi);
	for (unsigned i = 0; i < n; i++)
		out[i] = above * log(psi[i] / null_psi) -
		         log(polynomial(w, terms, psi[i]) / null_sum);
}

void hypergeometric_log_ratios(const struct table2x2 *t, const double *psi, unsigned n,
                               double null_psi, double *out)
{
	long bad = t->canary_bad + t->stable_bad;
	long lo = max_long(0, bad - t->stable), hi = min_long(t->canary, bad);
	double null_norm;

	for (unsigned i = 0; i < n; i++)
		out[i] = 0;
	if (lo >= hi)
		return;
	if (is_few(t, lo, hi, psi, n) && null_psi <= FEW_PSI_MAX) {
		few_log_ratios(t, lo, hi, psi, n, null_psi, out);
		return;
	}
	null_norm = log_norm(t, bad, lo, hi, null_psi);
	for (unsigned i = 0; i < n; i++)
		out[i] = (double)t->canary_bad * (log(psi[i]) - log(null_psi)) -
		         (log_norm(t, bad, lo, hi, psi[i]) - null_norm);
}
