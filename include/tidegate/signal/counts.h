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
 * Reads the same, and remembers what the texts look like: the next one costs a tenth. For servers
 * of one preset and model.
 */
struct counts_reader;
struct counts_reader *counts_reader_new(const struct preset *p, const char *model);
void counts_reader_free(struct counts_reader *r);
bool counts_reader_is_for(const struct counts_reader *r, const struct preset *p, const char *model);
int counts_reader_read(struct counts_reader *r, const char *text, size_t len, struct counts *out,
                       struct err *err);
/*
 * now - before. A counter that went down means a restart: then `now` itself is the increment.
 * False when nothing can be said (unknown, or other buckets than before: those are dropped).
 */
bool counts_increment(const struct counts *before, const struct counts *now, struct counts *out);
/* Some counter went down between the two: they are not of one run of the server. */
bool counts_restarted(const struct counts *before, const struct counts *now);
/*
 * Nobody sends requests there any more: none was counted since the reading before, and none is
 * under way where the runtime tells. Its gauge alone proves little: short requests are seldom
 * under way at the moment of a reading. Either may be NULL, which proves nothing.
 */
bool counts_quiet(const struct counts *total, const struct counts *increment);

/* Any histogram, in its own unit. */
struct counts_histogram {
	unsigned n; /* 0 = it was not there, or has more bounds than we keep */
	double bounds[COUNTS_BUCKETS_MAX]; /* ascending, +Inf last */
	double counts[COUNTS_BUCKETS_MAX]; /* cumulative */
};
/* metric: without "_bucket". Sums over its series, those of another model left out. */
int counts_histogram_read(const char *metric, const char *model, const char *text, size_t len,
                          struct counts_histogram *out, struct err *err);
/* now - before, as counts_increment(). */
bool counts_histogram_increment(const struct counts_histogram *before,
                                const struct counts_histogram *now, struct counts_histogram *out);

#endif
