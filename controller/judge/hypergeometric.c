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

/* Both directions in one go: it is the divisions that take the time. */
typedef double sides __attribute__((vector_size(2 * sizeof(double))));

/*
 * The sum of all terms over the one at the mode. On each side a term is the one before times
 * odds * ab/(cd), which is 0 where the support ends.
 */
static double sum_around(const struct table2x2 *t, long bad, long mode, double psi)
{
	double u = (double)mode, canary = (double)t->canary, m = (double)bad;
	double rest = (double)(t->stable - bad);
	sides odds = {psi, 1 / psi}, term = {1, 1}, sum = {1, 0};
	sides a = {canary - u, u}, b = {m - u, rest + u};
	sides c = {u + 1, canary - u + 1}, d = {rest + u + 1, m - u + 1};

	do {
		term *= odds * (a * b) / (c * d);
		sum += term;
		a -= 1;
		b -= 1;
		c += 1;
		d += 1;
	} while (term[0] + term[1] > NEGLIGIBLE);
	return sum[0] + sum[1];
}

static double log_chance_of_many(const struct table2x2 *t, long bad, long lo, long hi, double psi)
{
	long mode = find_mode(t, bad, lo, hi, psi), mine = t->canary_bad;

	return log_weight(t, bad, mine) - log_weight(t, bad, mode) +
	       (double)(mine - mode) * log(psi) - log(sum_around(t, bad, mode, psi));
}

bool hypergeometric_log_chances(const struct table2x2 *t, const double *psi, unsigned n,
                                double *out)
{
	long bad = t->canary_bad + t->stable_bad;
	long lo = max_long(0, bad - t->stable), hi = min_long(t->canary, bad);
	struct neighbours nb;
	bool few = hi - lo <= FEW;
	double sum;

	if (lo >= hi)
		return false;
	if (few)
		find_neighbours(t, bad, lo, hi, &nb);
	for (unsigned i = 0; i < n; i++) {
		sum = few ? sum_few(&nb, psi[i]) : INFINITY;
		out[i] = isfinite(sum) ? -log(sum) : log_chance_of_many(t, bad, lo, hi, psi[i]);
	}
	return true;
}
