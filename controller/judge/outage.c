#include "outage.h"

#include <math.h>

/* Canary share on the border of the null, where the stable share is s. */
static double border(double s, double margin)
{
	return margin * s / (1 - s + margin * s);
}

/*
 * Where the expected log likelihood of the border point is greatest: its slope in s, times what is
 * positive, is a quadratic of s that falls from a positive value at 0 through 0 once.
 */
static double nearest(const struct table2x2 *t, double margin, double c1, double s1)
{
	double canary = (double)t->canary, stable = (double)t->stable;
	double a = -stable * (margin - 1), c = canary * c1 + stable * s1;
	double b = stable * (s1 * (margin - 1) - 1) - canary * (c1 + margin * (1 - c1));
	double root = sqrt(b * b - 4 * a * c);

	return b < 0 ? 2 * c / (root - b) : (-b - root) / (2 * a);
}

double outage_log_ratio(const struct table2x2 *t, double margin, double canary_share,
                        double stable_share)
{
	double s, c;

	if (!t->canary || !t->stable || canary_share <= border(stable_share, margin))
		return 0;
	s = nearest(t, margin, canary_share, stable_share);
	c = border(s, margin);
	return (double)t->canary_bad * log(canary_share / c) +
	       (double)(t->canary - t->canary_bad) * log((1 - canary_share) / (1 - c)) +
	       (double)t->stable_bad * log(stable_share / s) +
	       (double)(t->stable - t->stable_bad) * log((1 - stable_share) / (1 - s));
}
