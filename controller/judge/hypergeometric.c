#include "hypergeometric.h"

#include <math.h>

#include "tidegate/base/alloc.h"

/* e^-37 of the greatest: terms below do not change a double's sum. */
#define NEGLIGIBLE 8.5e-17

static long max_long(long a, long b)
{
	return a > b ? a : b;
}

static long min_long(long a, long b)
{
	return a < b ? a : b;
}

/* --- few terms: all of them, relative to the observed one ------------------------------------ */

#define FEW 64

/*
 * Of the terms below the observed one each over its upper neighbour, of those above it each over
 * its lower one, without the odds ratio: they serve them all.
 */
struct neighbours {
	double ratios[FEW];
	unsigned below, above;
};

/* Term u+1 over term u. */
static double growth(const struct table2x2 *t, long bad, long u)
{
	return (double)(t->canary - u) * (double)(bad - u) /
	       ((double)(u + 1) * (double)(t->stable - bad + u + 1));
}

static void find_neighbours(const struct table2x2 *t, long bad, long lo, long hi,
                            struct neighbours *out)
{
	double *r = out->ratios;

	out->below = (unsigned)(t->canary_bad - lo);
	out->above = (unsigned)(hi - t->canary_bad);
	for (long u = lo; u < t->canary_bad; u++)
		*r++ = 1 / growth(t, bad, u);
	for (long u = t->canary_bad; u < hi; u++)
		*r++ = growth(t, bad, u);
}

/* The sum of all terms over the observed one; infinite when that is too small a part. */
static double sum_few(const struct neighbours *nb, double psi)
{
	const double *r = nb->ratios;
	double below = 0, above = 1, inverse = 1 / psi;

	for (unsigned i = 0; i < nb->below; i++)
		below = r[i] * inverse * (1 + below);
	for (unsigned i = nb->below + nb->above; i-- > nb->below;)
		above = 1 + r[i] * psi * above;
	return below + above;
}

/* --- many terms: from the greatest one outwards until they vanish ---------------------------- */

/* Tables of some hundred requests are asked for the same few numbers over and over. */
static double log_factorial(long n)
{
	static double known[1024];

	if (n >= (long)ARRAY_SIZE(known))
		return lgamma((double)n + 1);
	if (n > 1 && known[n] == 0)
		known[n] = lgamma((double)n + 1);
	return known[n];
}

/* log of term u, without the odds ratio and what all terms have in common. */
static double log_weight(const struct table2x2 *t, long bad, long u)
{
	return -log_factorial(u) - log_factorial(t->canary - u) - log_factorial(bad - u) -
	       log_factorial(t->stable - bad + u);
}

/* Where growth * psi is 1, the root of a quadratic equation; a neighbour would do as well. */
static long find_mode(const struct table2x2 *t, long bad, long lo, long hi, double psi)
{
	double canary = (double)t->canary, m = (double)bad, rest = (double)(t->stable - bad + 1);
	double a = psi - 1, b = (canary + m) * psi + rest + 1, c = canary * m * psi - rest;
	double u = 2 * c / (b + sqrt(fmax(0, b * b - 4 * a * c)));

	return max_long(lo, min_long(hi, lround(u)));
}

/* Two odds ratios, both directions, in one go: it is the divisions that take the time. */
typedef double sides __attribute__((vector_size(4 * sizeof(double))));

/*
 * The sums of all terms over the one at the mode. On each side a term is the one before times
 * odds * ab/(cd), which is 0 where the support ends.
 */
static void sum_around(const struct table2x2 *t, long bad, const long mode[2], const double psi[2],
                       double sums[2])
{
	double u = (double)mode[0], v = (double)mode[1], canary = (double)t->canary;
	double m = (double)bad, rest = (double)(t->stable - bad);
	sides odds = {psi[0], 1 / psi[0], psi[1], 1 / psi[1]};
	sides a = {canary - u, u, canary - v, v}, b = {m - u, rest + u, m - v, rest + v};
	sides c = {u + 1, canary - u + 1, v + 1, canary - v + 1};
	sides d = {rest + u + 1, m - u + 1, rest + v + 1, m - v + 1};
	sides term = {1, 1, 1, 1}, sum = {1, 0, 1, 0};

	do {
		term *= odds * (a * b) / (c * d);
		sum += term;
		a -= 1;
		b -= 1;
		c += 1;
		d += 1;
	} while (term[0] + term[1] + term[2] + term[3] > NEGLIGIBLE);
	sums[0] = sum[0] + sum[1];
	sums[1] = sum[2] + sum[3];
}

/* out[i] and out[j]. */
static void log_chances_of_many(const struct table2x2 *t, long bad, long lo, long hi,
                                const double *psi, unsigned i, unsigned j, double *out)
{
	const double both[2] = {psi[i], psi[j]};
	const long mode[2] = {find_mode(t, bad, lo, hi, psi[i]), find_mode(t, bad, lo, hi, psi[j])};
	long mine = t->canary_bad;
	double sums[2];

	sum_around(t, bad, mode, both, sums);
	for (int k = 0; k < 2; k++)
		out[k ? j : i] = log_weight(t, bad, mine) - log_weight(t, bad, mode[k]) +
		                 (double)(mine - mode[k]) * log(both[k]) - log(sums[k]);
}

bool hypergeometric_log_chances(const struct table2x2 *t, const double *psi, unsigned n,
                                double *out)
{
	long bad = t->canary_bad + t->stable_bad;
	long lo = max_long(0, bad - t->stable), hi = min_long(t->canary, bad);
	struct neighbours nb;
	bool few = hi - lo <= FEW;
	unsigned many[2], nmany = 0;
	double sum;

	if (lo >= hi)
		return false;
	if (few)
		find_neighbours(t, bad, lo, hi, &nb);
	for (unsigned i = 0; i < n; i++) {
		sum = few ? sum_few(&nb, psi[i]) : INFINITY;
		if (isfinite(sum))
			out[i] = -log(sum);
		else
			many[nmany++] = i;
		if (nmany < 2 && (!nmany || i + 1 < n))
			continue;
		log_chances_of_many(t, bad, lo, hi, psi, many[0], many[nmany - 1], out);
		nmany = 0;
	}
	return true;
}
