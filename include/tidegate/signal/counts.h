/*
 * What a model server's metrics say, as plain counters: extraction by preset, and
 * the increments between two readings with resets and restarts seen through. Pure.
 */
#ifndef TIDEGATE_SIGNAL_COUNTS_H
#define TIDEGATE_SIGNAL_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/api/preset.h"
#include "tidegate/base/err.h"

#define COUNTS_BUCKETS_MAX 40

struct counts {
	bool known; /* the request counter was there */
	double requests, errors;
	double in_flight;                   /* at the time of reading; -1 = not told */
	unsigned nbuckets;                  /* 0 = no histogram */
	double bounds[COUNTS_BUCKETS_MAX];  /* seconds, ascending, +Inf last */
	double buckets[COUNTS_BUCKETS_MAX]; /* cumulative */
};

/* Sums over all series of the preset's metrics (labels like model_name must match `model`, when
 * present). */
int counts_read(const struct preset *p, const char *model, const char *text, size_t len,
                struct counts *out, struct err *err);
/*
 * now - before. A counter that went down means a restart: then `now` itself is the increment.
 * False when nothing can be said (unknown, or other buckets than before: those are dropped).
 */
bool counts_increment(const struct counts *before, const struct counts *now, struct counts *out);

#endif
