#include "spread.h"

#include <math.h>

/* --- from one moment to the next -------------------------------------------------------------- */

#define BLOCKS_MIN 3
/* Old blocks fade: a noisy hour is not held against the next one. */
#define FADING 0.99
/* The estimate may be low by chance. */
#define SAFETY 1.3

void drift_add(struct drift *d, double n, double bad)
{
	double p, mu, variance;

	if (n <= 0)
		return;
	d->n = FADING * d->n + n;
	d->bad = FADING * d->bad + bad;
	p = d->bad / d->n;
	mu = p * n;
	variance = mu * (1 - p);
	d->excess = FADING * d->excess + (bad - mu) * (bad - mu) - variance;
	d->squares = FADING * d->squares + mu * mu;
	d->noise = FADING * d->noise + 2 * variance * variance + variance;
	d->blocks++;
}

/*
 * cv2 is the squared coefficient of variation of the share; each side swings by itself, for about
 * a minute, hence twice cv2 times the count of a minute. What chance explains is not counted.
 */
double drift_phi(const struct drift *d, double canary_requests_per_minute)
{
	double beyond = d->excess - sqrt(d->noise);

	if (d->blocks < BLOCKS_MIN || d->squares <= 0 || beyond <= 0)
		return 1;
	return 1 + 2 * SAFETY * beyond / d->squares * canary_requests_per_minute * d->bad / d->n;
}

/* --- from one pod to the next ----------------------------------------------------------------- */

/* Pods that the prior counts for. */
#define PRIOR_PODS 4
/* Standard deviations that are left to chance. */
#define QUANTILE    2.5
#define STRATA_SEEN 32

struct pool {
	double n, bad;
	unsigned pods;
};

struct estimate {
	double excess;   /* variance of counts beyond chance */
	double binomial; /* by chance */
	double leverage; /* counts' variance for a unit of spread squared */
	double freedom;  /* pods beyond the first, a stratum each */
};

static void pool_strata(const struct spread_pod *pods, unsigned n, struct pool *pools)
{
	for (unsigned i = 0; i < n; i++) {
		struct pool *p = &pools[pods[i].stratum % STRATA_SEEN];

		if (pods[i].canary || pods[i].n <= 0)
			continue;
		p->n += pods[i].n;
		p->bad += pods[i].bad;
		p->pods++;
	}
}

/* Pods are held against their own stratum: zones may differ, that is no spread of pods. */
static void estimate_pod(struct estimate *e, const struct spread_pod *pod, const struct pool *pool)
{
	double p, v, d;

	if (pod->canary || pod->n <= 0 || pool->pods < 2)
		return;
	p = pool->bad / pool->n;
	v = pod->n * p * (1 - p);
	d = pod->bad - pod->n * p;
	e->excess += d * d * pool->pods / (pool->pods - 1) - v;
	e->binomial += v;
	e->leverage += v * v;
	e->freedom += 1 - 1.0 / pool->pods;
}

static unsigned count_pods(const struct spread_pod *pods, unsigned n, bool canary)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		found += pods[i].canary == canary && pods[i].n > 0;
	return found ? found : 1;
}

double spread_log_margin(const struct spread_pod *pods, unsigned n, double prior)
{
	struct pool pools[STRATA_SEEN] = {{0, 0, 0}};
	struct estimate e = {0, 0, 0, 0};
	double squared = prior * prior, weight, signal;

	pool_strata(pods, n, pools);
	for (unsigned i = 0; i < n; i++)
		estimate_pod(&e, &pods[i], &pools[pods[i].stratum % STRATA_SEEN]);
	if (e.leverage > 0) {
		/* Few counts say little about the spread: the prior then keeps its weight. */
		signal = squared * e.leverage / e.binomial;
		weight = e.freedom * signal / (1 + signal);
		squared = (PRIOR_PODS * squared + weight * fmax(0, e.excess / e.leverage)) /
		          (PRIOR_PODS + weight);
	}
	return QUANTILE *
	       sqrt(squared * (1.0 / count_pods(pods, n, true) + 1.0 / count_pods(pods, n, false)));
}
