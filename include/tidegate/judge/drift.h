/*
 * Has the distribution of a model's scores moved? A new version that answers quickly and without an
 * error may still answer nonsense; nobody clicks on shadow traffic, but its scores can be held
 * against those of the stable version, bucket by bucket of a histogram.
 *
 * Two questions, and FAIL needs both: is it chance (Kolmogorov-Smirnov, two samples), and does it
 * matter (population stability index)? The first is asked when both sides have grown by half since
 * the last time, the k-th look at the level alpha / (k (k + 1)): whatever the number of looks, the
 * chance that equal versions are ever told apart is at most alpha. On buckets the test errs on the
 * quiet side. What the index is by chance alone, (buckets - 1)(1/n + 1/m), is taken off it. PASS
 * needs evidence as well: so many scores that an index of max_psi would have been seen.
 *
 * Pure; constant memory. Sources: Smirnov 1939 (limit distribution); Yurdakul 2018, "Statistical
 * Properties of Population Stability Index" (its distribution is that of a chi-square).
 */
#ifndef TIDEGATE_JUDGE_DRIFT_H
#define TIDEGATE_JUDGE_DRIFT_H

#include "tidegate/judge/sequential.h"

struct drift_options {
	double alpha;       /* chance of a false FAIL over the whole release, default 0.01 */
	double max_psi;     /* tolerated index, default 0.2 */
	double min_samples; /* of each side before the first look, default 500 */
};
void drift_options_default(struct drift_options *o);

struct drift {
	struct drift_options options;
	unsigned nbuckets;
	double bounds[JUDGE_BUCKETS_MAX];
	double stable[JUDGE_BUCKETS_MAX], canary[JUDGE_BUCKETS_MAX]; /* not cumulative */
	double stable_n, canary_n;
	unsigned looks;
	double next_n; /* both sides have so many: look again */
	enum judge_verdict verdict;
	double d, psi, p; /* of the last look; psi without what is chance */
};

void drift_init(struct drift *x, const struct drift_options *o);
/*
 * New scores of a pod: cumulative counts by ascending upper bound, +Inf last. Another layout than
 * before begins anew.
 */
void drift_observe(struct drift *x, bool canary, unsigned nbuckets, const double *bounds,
                   const double *counts);

struct drift_result {
	enum judge_verdict verdict; /* FAIL is final */
	int score;      /* 0..100: 0 at FAIL, by how near the index is; -1 before a look */
	char text[224]; /* "score has moved: PSI 0.31 (limit 0.2), KS 0.21, p<1e-9, ..." */
};
/* name: of the metric, for the text. */
void drift_result(const struct drift *x, const char *name, struct drift_result *out);

/* --- parts ------------------------------------------------------------------------------- */
/* Over counts a bucket each; where one side is empty, half a sample is put. */
double drift_psi(const double *a, const double *b, unsigned n);
/* Greatest difference of the two cumulative shares. */
double drift_ks(const double *a, const double *b, unsigned n);
/* Chance of a difference of d or more between samples of n and m from one distribution. */
double drift_ks_chance(double d, double n, double m);

#endif
