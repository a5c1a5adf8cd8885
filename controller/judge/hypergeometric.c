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

#define FEW 256

/*
 * Each of the terms on one side of the observed one over that before it, going outwards, without
 * the odds ratio: they serve them all.
 */
struct side {
	double ratios[FEW];
	unsigned n;
};

/* The next ratio has a and b one smaller, c and d one greater. */
static void find_side(struct side *out, long n, double a, double b, double c, double d)
{
	out->n = (unsigned)n;
	for (unsigned i = 0; i < out->n; i++)
		out->ratios[i] = a-- * b-- / (c++ * d++);
}

/* Two odds ratios at a time. */
typedef double pair __attribute__((vector_size(2 * sizeof(double))));

/*
 * The terms on one side over the observed one. From the outermost inwards, four a step: each step
 * has to wait for the one before.
 */
static pair sum_side(const struct side *side, pair odds)
{
	const double *r = side->ratios + side->n;
	pair sum = {0, 0}, first, second, third, last;

	while ((r - side->ratios) % 4)
		sum = *--r * odds * (1 + sum);
	while (r > side->ratios) {
		r -= 4;
		first = r[0] * odds;
		second = r[1] * odds * first;
		third = r[2] * odds * second;
		last = r[3] * odds * third;
		sum = first + second + (third + last) + last * sum;
	}
	return sum;
}

struct sides {
	struct side below, above;
};

static void find_sides(const struct table2x2 *t, long bad, long lo, long hi, struct sides *out)
{
	double u = (double)t->canary_bad, canary = (double)t->canary;
	double m = (double)bad, rest = (double)(t->stable - bad);

	find_side(&out->below, t->canary_bad - lo, u, rest + u, canary - u + 1, m - u + 1);
	find_side(&out->above, hi - t->canary_bad, canary - u, m - u, u + 1, rest + u + 1);
}

/* The sums of all terms over the observed one; infinite where that is too small a part. */
static void sum_few(const struct table2x2 *t, long bad, long lo, long hi, const double *psi,
                    unsigned n, double *sums)
{
	struct sides s;
	pair two, all;

	find_sides(t, bad, lo, hi, &s);
	for (unsigned i = 0; i < n; i += 2) {
		two = (pair){psi[i], psi[i + 1 < n ? i + 1 : i]};
		all = 1 + sum_side(&s.below, 1 / two) + sum_side(&s.above, two);
		sums[i] = all[0];
		if (i + 1 < n)
			sums[i + 1] = all[1];
	}
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

/*
 * The sum of all terms over the one at the mode, both directions in one go: it is the divisions
 * that take the time. On each side a term is the one before times odds * ab/(cd), which is 0 where
 * the support ends.
 */
static double sum_around(const struct table2x2 *t, long bad, long mode, double psi)
{
	double u = (double)mode, canary = (double)t->canary;
	double m = (double)bad, rest = (double)(t->stable - bad);
	pair odds = {psi, 1 / psi}, a = {canary - u, u}, b = {m - u, rest + u};
	pair c = {u + 1, canary - u + 1}, d = {rest + u + 1, m - u + 1};
	pair term = {1, 1}, sum = {1, 0};

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

	if (lo >= hi)
		return false;
	if (hi - lo <= FEW)
		sum_few(t, bad, lo, hi, psi, n, out);
	for (unsigned i = 0; i < n; i++)
		out[i] = hi - lo <= FEW && isfinite(out[i])
		                 ? -log(out[i])
		                 : log_chance_of_many(t, bad, lo, hi, psi[i]);
	return true;
}
