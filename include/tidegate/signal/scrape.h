/*
 * Scraper: reads /metrics of the pods that matter, on one loop, without Prometheus.
 *
 * A group (a ModelDeployment) has targets and a period; each target is scraped
 * once a period, spread over it by a hash so that 1,000 pods make no burst. A
 * slow target delays nobody: time-out = min(period, 5 s), at most `concurrency` at once.
 * Bodies are bounded (4 MB) and parsed at once; only counters are kept.
 */
#ifndef TIDEGATE_SIGNAL_SCRAPE_H
#define TIDEGATE_SIGNAL_SCRAPE_H

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
/* A histogram that a group's pods are asked for beside their counts; NULL = none. */
void scraper_scores(struct scraper *s, const char *group, const char *metric);

#endif
