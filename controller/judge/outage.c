#include "outage.h"

#include <math.h>

#define HALVINGS 60

/* Canary share on the border of the null, where the stable share is s. */
static double border(double s, double margin)
{
	return margin * s / (1 - s + margin * s);
}

/* How the expected log likelihood of the border point changes with s: falls, crosses 0 once. */
static double slope(const struct table2x2 *t, double margin, double c1, double s1, double s)
{
	double c = border(s, margin), d = 1 - s + margin * s;
	double canary = (double)t->canary * (c1 / c - (1 - c1) / (1 - c)) * margin / (d * d);
	double stable = (double)t->stable * (s1 / s - (1 - s1) / (1 - s));

	return canary + stable;
}

double outage_log_ratio(const struct table2x2 *t, double margin, double canary_share,
                        double stable_share)
{
	double lo = stable_share, hi = canary_share, s, c;

	if (!t->canary || !t->stable || canary_share <= border(stable_share, margin))
		return 0;
	for (int i = 0; i < HALVINGS && hi - lo > 1e-15 * hi; i++) {
		s = (lo + hi) / 2;
		if (slope(t, margin, canary_share, stable_share, s) > 0)
			lo = s;
		else
			hi = s;
	}
	s = (lo + hi) / 2;
	c = border(s, margin);
	return (double)t->canary_bad * log(canary_share / c) +
	       (double)(t->canary - t->canary_bad) * log((1 - canary_share) / (1 - c)) +
	       (double)t->stable_bad * log(stable_share / s) +
	       (double)(t->stable - t->stable_bad) * log((1 - stable_share) / (1 - s));
}
