/* What sequential.c gathers and sequential_result.c tells. */
#ifndef TIDEGATE_JUDGE_SEQUENTIAL_INTERNAL_H
#define TIDEGATE_JUDGE_SEQUENTIAL_INTERNAL_H

#include <stdint.h>

#include "bounds.h"
#include "evidence.h"
#include "spread.h"
#include "tidegate/judge/sequential.h"

/* Kinds of bad requests: errors, then "slower than" one bound each. */
#define TRACKS     (1 + BOUNDS_USED)
#define STRATA_MAX 16

struct cell {
	double n, bad;
};

struct side {
	struct cell cells[TRACKS];
};

struct stratum {
	uint64_t key;
	struct side canary, stable; /* not compared yet */
	double since;               /* of the oldest of it; with looks, without a comparison */
	/* In this look the split changed; the canary got at most this share. 0 = it did not. */
	double split;
};

struct track {
	struct evidence evidence;
	struct drift drift;
	struct evidence_null null; /* of the next tables */
	double log_worse;          /* what all of the evidence says, as of the last look */
	double log_budget;         /* against "BUDGET of the canary's requests are bad" */
	struct cell block;         /* stable, since the block began */
};

struct pod_counts {
	uint64_t key;
	bool canary;
	unsigned char stratum;
	float n[TRACKS], bad[TRACKS];
};

struct metric_state {
	enum judge_verdict verdict;
	double decided_at;
};

struct sequential {
	struct sequential_options o;
	struct stratum *strata;
	unsigned nstrata;
	struct stratum rest; /* what found no partner in its stratum */
	struct pod_counts pods[SPREAD_PODS];
	unsigned npods;
	bool started;
	bool canary_latency, stable_latency; /* somebody told one */
	double start, tick_end, last_canary_t, last_stable_t;
	double block_start, block_canary; /* canary requests since */
	struct side canary, stable;       /* totals of what was compared or given up */
	struct track tracks[TRACKS];
	struct bounds bounds;
	struct metric_state errors, latency;
};

/* Combined log evidence of latency: e-values of the bounds averaged; 0 before there are bounds. */
double latency_log_worse(const struct sequential *s);
/* Log evidence at which one of the metrics fails: alpha shared among them. */
enum sequential_which { SEQUENTIAL_ERRORS, SEQUENTIAL_LATENCY };
double sequential_fail_at(const struct sequential *s, enum sequential_which which);
/* The bound at which the difference speaks loudest, as a track; 0 when there is none. */
unsigned latency_loudest(const struct sequential *s);

#endif
