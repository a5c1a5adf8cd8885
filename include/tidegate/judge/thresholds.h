/*
 * Judge by constant limits, as other progressive-delivery tools do: at every interval the canary's
 * share of errors and a quantile of its latency are held against a number; so many looks beyond
 * it are a FAIL. No baseline and no error rate of its own: for rules that exist already, and for
 * limits that no version may pass. The sequential judge is the default for a reason
 * (docs/judge.md).
 *
 * Pure; constant memory. Units: seconds, shares.
 */
#ifndef TIDEGATE_JUDGE_THRESHOLDS_H
#define TIDEGATE_JUDGE_THRESHOLDS_H

#include "tidegate/judge/sequential.h"

struct thresholds_rule {
	double interval_s;      /* between looks, default 60 */
	double max_error_share; /* NaN = not judged; default 0.01 */
	double max_latency_s;   /* of the quantile; NaN = not judged, the default */
	double quantile;        /* default 0.99 */
	unsigned failures;      /* looks beyond the limit that decide, default 3 */
	bool consecutive;       /* only looks in a row count, default false */
	unsigned looks;         /* PASS after so many, default 10 */
	bool no_data_fails;     /* a look without canary requests counts as beyond, default false */
};
void thresholds_rule_default(struct thresholds_rule *r);

struct thresholds_limit {
	unsigned looks, failed;
	enum judge_verdict verdict;
	double decided_at, last; /* NaN before */
};

struct thresholds {
	struct thresholds_rule rule;
	bool started;
	double look_at;                  /* end of the interval */
	double requests, errors;         /* of this interval */
	double all_requests, all_errors; /* of the canary, from the beginning */
	unsigned nbuckets;
	double bounds[JUDGE_BUCKETS_MAX], counts[JUDGE_BUCKETS_MAX];
	struct thresholds_limit errors_limit, latency_limit;
};

void thresholds_init(struct thresholds *t, const struct thresholds_rule *rule);
void thresholds_observe(struct thresholds *t, const struct sequential_sample *x);
/* Looks that are due at or before `now`. */
void thresholds_advance(struct thresholds *t, double now);
/* In the terms of the sequential judge; effect = last value over its limit. */
void thresholds_result(const struct thresholds *t, struct sequential_result *out);

/*
 * Quantile of cumulative counts by ascending upper bound, +Inf last, interpolated linearly within
 * a bucket; the greatest finite bound when it lies beyond it. NaN without counts.
 */
double histogram_quantile(double q, const double *bounds, const double *counts, unsigned n);

#endif
