/*
 * The stable version's latency histogram, and which of its bounds canaries are judged at: those
 * that the canary has too. Chosen once, from stable requests alone and before the first table that
 * uses them, so that the choice spends none of the error rate. Pure.
 */
#ifndef TIDEGATE_JUDGE_BOUNDS_H
#define TIDEGATE_JUDGE_BOUNDS_H

#include <stdbool.h>

#include "tidegate/judge/sequential.h"

#define BOUNDS_USED 6

struct bounds {
	double le[JUDGE_BUCKETS_MAX], counts[JUDGE_BUCKETS_MAX]; /* cumulative, stable */
	double canary_le[JUDGE_BUCKETS_MAX];
	unsigned nle, ncanary_le;
	unsigned used[BOUNDS_USED]; /* places in le */
	unsigned nused;             /* 0 until chosen */
};

void bounds_add(struct bounds *b, const struct sequential_sample *x);
/* Enough of the stable version's requests were seen, and what bounds the canary has. */
bool bounds_known(const struct bounds *b);
/* Chooses once enough is known; none when the versions have none in common. */
void bounds_choose(struct bounds *b);
static inline double bounds_at(const struct bounds *b, unsigned i)
{
	return b->le[b->used[i]];
}
/*
 * Requests of x above bound i; *seen = requests whose latency is known. False when x does not
 * have that bound.
 */
bool bounds_slower(const struct bounds *b, unsigned i, const struct sequential_sample *x,
                   double *seen, double *slower);
/*
 * How the log odds of "slower than bound i" fall with the log of the bound: what turns "by a tenth
 * slower" into an odds ratio.
 */
double bounds_slope(const struct bounds *b, unsigned i);

#endif
