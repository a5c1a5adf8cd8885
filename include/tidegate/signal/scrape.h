/*
 * Scraper: reads /metrics of the pods that matter, on one loop, without Prometheus.
 *
 * A group (a ModelDeployment) has targets and a period. Once a period, in a round, all of its
 * targets are asked at one moment, so that what they tell can be compared; groups are spread over
 * the period by a hash, so that 1,000 pods make no burst. A slow target delays nobody else's round:
 * time-out = min(9/10 of the period, 5 s), at most `concurrency` at once, a quarter of them for
 * targets that were silent the last time. Bodies are bounded (4 MB) and parsed at once; only
 * counters are kept.
 *
 * A round is over when all have answered, failed or gone; it waits for those that were silent the
 * last time for 50 ms more than for the others, and for nobody when the next one begins. Whoever
 * answers later is no part of it. An
 * increment is `whole` when it was counted between two rounds that follow each other, the answers
 * of both in time, and the counters were not reset in between: whole increments of one round tell
 * of one and the same time, all others of a longer or shorter one. Rounds are counted in memory
 * only, as the counters are: after a restart the second one is the first with increments.
 */
#ifndef TIDEGATE_SIGNAL_SCRAPE_H
#define TIDEGATE_SIGNAL_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/net/loop.h"
#include "tidegate/signal/counts.h"

struct scrape_target {
	const char *pod; /* "ns/name" */
	const char *uid; /* a new uid starts counters afresh */
	const char *url; /* http://10.244.1.2:8501/monitoring/prometheus/metrics */
	/* How to read it; another of either starts counters afresh. */
	const struct preset *preset;
	const char *model; /* NULL = of any model */
};

struct scrape_reading {
	const char *group, *pod;
	int64_t wall_ms;
	const struct counts *total;     /* as read; NULL when the scrape failed */
	const struct counts *increment; /* since the last reading of this pod; NULL for the first */
	const struct counts_histogram *scores; /* increment of scraper_scores(); NULL as above */
	bool whole;                            /* the increment is of this round, see above */
	const struct err *err;                 /* when it failed */
};

struct scraper;
struct scraper *scraper_new(struct loop *l, unsigned concurrency,
                            void (*fn)(void *arg, const struct scrape_reading *r), void *arg,
                            struct err *err);
void scraper_free(struct scraper *s);
/* Replaces the group's targets (copied); n = 0 ends it. Unchanged targets keep their counters. */
void scraper_set(struct scraper *s, const char *group, int64_t period_ms,
                 const struct scrape_target *targets, unsigned n);
/* fn: a round of the group is over, all its whole increments have been told. */
void scraper_on_round(struct scraper *s, void (*fn)(void *arg, const char *group));
/* A histogram that a group's pods are asked for beside their counts; NULL = none. */
void scraper_scores(struct scraper *s, const char *group, const char *metric);

#endif
