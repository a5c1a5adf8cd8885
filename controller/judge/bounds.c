#include "bounds.h"

#include <math.h>
#include <string.h>

/* Stable requests from which bounds are chosen. */
#define CHOOSE_AFTER 50
/* Of a log-normal with sigma 2 and of one with sigma 0.25, about. */
#define SLOPE_MIN 1.0
#define SLOPE_MAX 12.0

void bounds_add(struct bounds *b, const struct sequential_sample *x)
{
	if (!x->nbuckets)
		return;
	if (x->canary) {
		memcpy(b->canary_le, x->bounds, x->nbuckets * sizeof(double));
		b->ncanary_le = x->nbuckets;
		return;
	}
	if (b->nle != x->nbuckets || memcmp(b->le, x->bounds, x->nbuckets * sizeof(double)) != 0) {
		if (b->nused)
			return;
		memcpy(b->le, x->bounds, x->nbuckets * sizeof(double));
		memset(b->counts, 0, sizeof(b->counts));
		b->nle = x->nbuckets;
	}
	for (unsigned i = 0; i < x->nbuckets; i++)
		b->counts[i] += x->counts[i];
}

static bool is_bound(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fabs(b);
}

static bool is_common(const struct bounds *b, unsigned place)
{
	for (unsigned i = 0; i + 1 < b->ncanary_le; i++)
		if (is_bound(b->canary_le[i], b->le[place]))
			return true;
	return false;
}

static bool is_used(const struct bounds *b, unsigned place)
{
	for (unsigned i = 0; i < b->nused; i++)
		if (b->used[i] == place)
			return true;
	return false;
}

/* The bound at `place`, else the next greater one in common. */
static void use(struct bounds *b, unsigned place)
{
	while (place + 1 < b->nle && !is_common(b, place))
		place++;
	if (b->nused < BOUNDS_USED && place + 1 < b->nle && !is_used(b, place))
		b->used[b->nused++] = place;
}

bool bounds_known(const struct bounds *b)
{
	return b->ncanary_le && b->nle && b->counts[b->nle - 1] >= CHOOSE_AFTER;
}

/* From body to tail; then the next greater ones, where a slow canary will show. */
void bounds_choose(struct bounds *b)
{
	static const double tails[] = {0.5, 0.2, 0.05, 0.01, 0};
	unsigned place = 0;
	double total;

	if (b->nused || !bounds_known(b))
		return;
	total = b->counts[b->nle - 1];
	for (unsigned k = 0; k < sizeof(tails) / sizeof(tails[0]); k++) {
		while (place + 1 < b->nle && 1 - b->counts[place] / total > tails[k] + 1e-12)
			place++;
		use(b, place);
	}
	while (++place + 1 < b->nle && b->nused < BOUNDS_USED)
		use(b, place);
}

static bool has_bound(const struct sequential_sample *x, unsigned place, double bound)
{
	return place + 1 < x->nbuckets && is_bound(x->bounds[place], bound);
}

bool bounds_slower(const struct bounds *b, unsigned i, const struct sequential_sample *x,
                   double *seen, double *slower)
{
	double bound = bounds_at(b, i);
	unsigned place = b->used[i];

	/* As a rule everybody has the same buckets. */
	if (!has_bound(x, place, bound))
		for (place = 0; place + 1 < x->nbuckets && !has_bound(x, place, bound);)
			place++;
	if (place + 1 >= x->nbuckets)
		return false;
	*seen = x->counts[x->nbuckets - 1];
	*slower = fmax(0, *seen - x->counts[place]);
	return true;
}

static double log_odds_slower(const struct bounds *b, unsigned place)
{
	double total = b->counts[b->nle - 1], slower = total - b->counts[place];

	return log((slower + 0.5) / (total - slower + 0.5));
}

double bounds_slope(const struct bounds *b, unsigned i)
{
	unsigned lo = b->used[i] ? b->used[i] - 1 : 0, hi = lo + 1;
	double slope;

	if (hi + 1 >= b->nle || !(b->le[lo] > 0))
		return SLOPE_MIN;
	slope = (log_odds_slower(b, lo) - log_odds_slower(b, hi)) / log(b->le[hi] / b->le[lo]);
	return fmin(SLOPE_MAX, fmax(SLOPE_MIN, slope));
}
