/*
 * Metrics: a process-wide registry of counters, gauges and histograms under the
 * names that controller-runtime and client-go use where they exist. It stands
 * this low so that every layer can count; serve/ renders it.
 *
 * A family is a static descriptor; a series is a family with label values, found
 * or made by metric_series(). Keep the pointer: updating is then one addition.
 * A family holds at most METRIC_SERIES_MAX series; what comes later is counted
 * in one series whose label values are "other".
 */
#ifndef TIDEGATE_BASE_METRIC_H
#define TIDEGATE_BASE_METRIC_H

#include <stdint.h>

#include "tidegate/base/buf.h"

#define METRIC_LABELS_MAX 4
#define METRIC_SERIES_MAX 2000

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_series {
	struct metric_series *next;
	char *labels[METRIC_LABELS_MAX];
	double value;      /* counter, gauge; sum of a histogram */
	uint64_t count;    /* histogram */
	uint64_t *buckets; /* histogram, one a bound, not cumulative */
};

struct metric_family {
	const char *name, *help;
	enum metric_type type;
	const char *label_names[METRIC_LABELS_MAX + 1]; /* NULL-terminated */
	const double *bounds;                           /* histogram, ascending, without +Inf */
	unsigned nbounds;
	/* Called before rendering when a value is computed on demand; may be NULL. */
	void (*collect)(struct metric_family *f);
	/* the registry's own */
	struct metric_series *series;
	unsigned nseries;
	struct metric_family *next;
};

/* Label values in the order of label_names; registers the family at first use. */
struct metric_series *metric_series(struct metric_family *f, ...);
/* Registers without a series, for families that only have a collect function. */
void metric_register(struct metric_family *f);
/* Drops every series of the family (a collect function that refills it starts with this). */
void metric_clear(struct metric_family *f);

static inline void metric_add(struct metric_series *s, double v)
{
	s->value += v;
}
static inline void metric_set(struct metric_series *s, double v)
{
	s->value = v;
}
void metric_observe(struct metric_family *f, struct metric_series *s, double v);

/* Prometheus text format 0.0.4, or OpenMetrics 1.0 with its EOF line. */
int metric_render(struct buf *out, int openmetrics);

#endif
