/*
 * How much a share of bad requests varies although nobody changed anything: from one moment to
 * the next (a tempering factor) and from one pod to the next (a wider margin). Both are estimated
 * on the stable side only, and from the past only, so that the test stays valid. Pure.
 */
#ifndef TIDEGATE_JUDGE_SPREAD_H
#define TIDEGATE_JUDGE_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

/* --- from one moment to the next -------------------------------------------------------------- */

struct drift {
	double n, bad; /* of all blocks */
	double excess,
		squares; /* variance beyond chance, and the mean squared, summed over blocks */
	double noise;    /* variance of `excess` by chance */
	unsigned blocks;
};

/* A block of SPREAD_BLOCK_S of stable requests. */
#define SPREAD_BLOCK_S 20.0
void drift_add(struct drift *d, double n, double bad);
/* >= 1, for a canary with so many bad requests a minute to be expected. */
double drift_phi(const struct drift *d, double canary_requests_per_minute);

/* --- from one pod to the next ----------------------------------------------------------------- */

#define SPREAD_PODS 24

/* One kind of bad request at one pod. */
struct spread_pod {
	bool canary;
	unsigned stratum;
	double n, bad;
};

/*
 * Log of the odds ratio that pods of one version show between them by chance alone. prior = spread
 * (standard deviation of the log odds) that is assumed before anything was seen.
 */
double spread_log_margin(const struct spread_pod *pods, unsigned n, double prior);

#endif
