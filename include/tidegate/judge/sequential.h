/*
 * Sequential canary judge: an anytime-valid test that may be looked at after every scrape.
 *
 * For each tick and stratum (zone) the canary's and the stable version's requests form a 2x2
 * table (bad or good, canary or stable). Conditioned on its margins the number of bad canary
 * requests is noncentral hypergeometric, so baseline drift, unequal load and weight changes drop
 * out. A table holds one look: increments of one and the same time at all pods, or else whatever
 * comes from one second to the next at both versions hits the one whose counters were read later.
 * Where looks are not told apart (recorded observations) a table waits until both versions have
 * been heard. Where one of them never is, what is left is compared over all strata together. The
 * evidence is a mixture of likelihood ratios over effect
 * sizes psi against the null "odds ratio <= margin"; it is an e-process: by Ville's inequality the
 * chance that it ever passes 1/alpha under the null is at most alpha, at any look. Two metrics
 * share alpha (Bonferroni): the family-wise chance of a false FAIL is alpha.
 *
 * The margin is the greater of what is tolerated and of what pods of one version differ by among
 * themselves; swings of the stable share over time temper the likelihood. Beyond evidence, FAIL
 * needs a difference that matters in practice. Latency is judged the same way, "bad" = slower than
 * a bucket's bound, for several bounds, averaged. PASS needs evidence too, that the canary is not
 * much worse; silence is NONE. Sources: Turner & Grunwald arXiv 2302.11401 (stratified 2x2
 * e-values), Lindon et al. arXiv 2205.14762 (canaries), research notes 3.6-3.8.
 *
 * Pure: time comes with the samples. Bounded memory: fixed number of strata, pods and buckets (at
 * most 12 kB a judge); what is beyond is folded into the last stratum, or into no pod.
 * Units: seconds.
 */
#ifndef TIDEGATE_JUDGE_SEQUENTIAL_H
#define TIDEGATE_JUDGE_SEQUENTIAL_H

#include <stdbool.h>

enum judge_verdict { JUDGE_NONE, JUDGE_PASS, JUDGE_FAIL };
const char *judge_verdict_name(enum judge_verdict v); /* "NONE", "PASS", "FAIL" */

#define JUDGE_BUCKETS_MAX 40
#define JUDGE_METRICS     2

struct sequential_options {
	double alpha;          /* family-wise chance of a false FAIL, default 0.01 */
	double margin;         /* odds ratio of bad requests that is tolerated, default 1.25 */
	double latency_margin; /* times as slow that is tolerated, default 1.15 */
	double pod_spread;     /* by which pods of one version differ, share, default 0.1 */
	double min_excess;     /* FAIL needs so many more bad requests, share, default 0.001 */
	double tick_s;         /* tables are at most this long, default 5; shorter at first */
	double pass_psi;       /* PASS needs evidence against an odds ratio this large, default 2 */
	double pass_evidence;  /* and this much of it, default 20 */
	double no_data_s;      /* NONE after so long without canary requests, default 30 */
	double no_stable_s;    /* and without stable ones, default 30 */
	bool judge_latency;    /* default true */
	bool looks;            /* the caller tells where a look ends; default false */
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
/*
 * With looks, all samples up to the next sequential_look_end() are increments of the same time, and
 * a pod whose increment is of another time is left out of that look. Without, samples come in time
 * order per pod; small disorder between pods within a tick is fine.
 */
void sequential_observe(struct sequential *s, const struct sequential_sample *x);
/* Closes ticks that end at or before `now`; does nothing with looks. */
void sequential_advance(struct sequential *s, double now);
/*
 * In the look that ends next the stratum's requests were split anew between the versions, and the
 * canary got at most `share` of them at any time of it, 0 to 1 (1 = not known). What came over both
 * versions after that is a greater part of the canary's requests than of the stable version's: only
 * so many good ones of these count as go with the canary's at that share, and nothing for PASS.
 * stratum NULL: of what is compared over all strata together.
 */
void sequential_look_split(struct sequential *s, const char *stratum, double share);
/*
 * A look is complete, t: at or after its samples. In each stratum it is compared if it has requests
 * of both versions, and else no evidence; a few requests wait for the other version's.
 */
void sequential_look_end(struct sequential *s, double t);

struct sequential_metric {
	const char *name; /* "errors", "latency" */
	enum judge_verdict verdict;
	double log_evidence; /* natural log of the e-value */
	double effect;       /* estimated odds ratio */
	double decided_at;   /* seconds, NaN before */
	int score;           /* 0..100: 100 = no evidence against it */
	char text[160];      /* "canary errors 6.1 % vs 0.4 %, 41 of 672 requests, p<1e-5" */
};
struct sequential_result {
	enum judge_verdict verdict; /* FAIL is final; PASS needs every metric */
	int score;                  /* of the worst metric */
	double decided_at;          /* NaN before */
	double canary_requests, canary_errors, stable_requests, stable_errors;
	/* Time since the last request of each side, from the first sample on. */
	double since_data_s, since_stable_s;
	/* Latency is left out when nobody has told any. */
	struct sequential_metric metrics[JUDGE_METRICS];
	unsigned nmetrics;
	char text[256]; /* of the metric that speaks loudest, or what is missing */
};
void sequential_result(const struct sequential *s, double now, struct sequential_result *out);
/* Its verdict alone, for a fraction of its cost. */
enum judge_verdict sequential_verdict(const struct sequential *s, double now);

#endif
