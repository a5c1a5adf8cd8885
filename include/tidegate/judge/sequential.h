/*
 * Sequential canary judge: an anytime-valid test that may be looked at after every scrape.
 *
 * For each tick and stratum (zone) the canary's and the stable version's requests
 * form a 2x2 table (bad or good, canary or stable). Conditioned on its margins the
 * number of bad canary requests is noncentral hypergeometric, so baseline drift,
 * unequal load and weight changes drop out. The evidence is a mixture of likelihood
 * ratios over effect sizes psi against the null "odds ratio <= margin"; it is an
 * e-process: by Ville's inequality the chance that it ever passes 1/alpha under the
 * null is at most alpha, at any look. Several metrics share alpha (Bonferroni).
 * Overdispersion is estimated on the stable side and tempers the likelihood.
 * Latency is judged the same way, "bad" = slower than a bucket's bound, for several
 * bounds, averaged. Sources: Turner & Grunwald arXiv 2302.11401 (stratified 2x2
 * e-values), Lindon et al. arXiv 2205.14762 (canaries), research notes 3.6-3.8.
 *
 * Pure: time comes with the samples. Bounded memory: fixed number of strata, pods
 * and buckets; what is beyond is folded into the last stratum.
 * Units: seconds.
 */
#ifndef TIDEGATE_JUDGE_SEQUENTIAL_H
#define TIDEGATE_JUDGE_SEQUENTIAL_H

#include <stdbool.h>

enum judge_verdict { JUDGE_NONE, JUDGE_PASS, JUDGE_FAIL };
const char *judge_verdict_name(enum judge_verdict v); /* "NONE", "PASS", "FAIL" */

#define JUDGE_BUCKETS_MAX 40

struct sequential_options {
	double alpha;         /* family-wise chance of a false FAIL, default 0.01 */
	double margin;        /* odds ratio that is tolerated, default 1.25 */
	double tick_s;        /* samples are gathered into tables of this length, default 5 */
	double pass_psi;      /* PASS needs evidence against an odds ratio this large, default 2 */
	double pass_evidence; /* and this much of it, default 20 */
	double no_data_s;   /* NONE is reported after so long without canary requests, default 30 */
	bool judge_latency; /* default true */
};
void sequential_options_default(struct sequential_options *o);

/* Increments since the last sample of the same pod. */
struct sequential_sample {
	double t;
	const char *stratum; /* zone; "" = one stratum */
	const char *pod;
	bool canary;
	double requests, errors;
	/* Cumulative by ascending upper bound in seconds, +Inf last; nbuckets 0 = no latency known.
	 */
	unsigned nbuckets;
	double bounds[JUDGE_BUCKETS_MAX];
	double counts[JUDGE_BUCKETS_MAX];
};

struct sequential;
struct sequential *sequential_new(const struct sequential_options *o);
void sequential_free(struct sequential *s);
/* Samples come in time order per pod; small disorder between pods within a tick is fine. */
void sequential_observe(struct sequential *s, const struct sequential_sample *x);
/* Closes ticks that end at or before `now`. */
void sequential_advance(struct sequential *s, double now);

struct sequential_metric {
	const char *name; /* "errors", "latency" */
	enum judge_verdict verdict;
	double log_evidence; /* natural log of the e-value */
	double effect;       /* estimated odds ratio */
	double decided_at;   /* seconds, NaN before */
};
struct sequential_result {
	enum judge_verdict verdict; /* FAIL is final; PASS needs every metric */
	int score;                  /* 0..100: 100 = no evidence against it */
	double decided_at;          /* NaN before */
	double canary_requests, canary_errors, stable_requests, stable_errors;
	double since_data_s; /* time since the last canary request, from the first sample on */
	struct sequential_metric metrics[2];
	unsigned nmetrics;
	char text[256]; /* "canary errors 6.1 % vs 0.4 %, 41 of 672 requests, p<1e-5" */
};
void sequential_result(const struct sequential *s, double now, struct sequential_result *out);

#endif
