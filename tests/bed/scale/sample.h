/* A set of measured times and what is said about it. Units: microseconds in, milliseconds out. */
#ifndef BED_SCALE_SAMPLE_H
#define BED_SCALE_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/json.h"

struct sample {
	int64_t *v;
	size_t len, cap;
};

void sample_release(struct sample *s);
void sample_add(struct sample *s, int64_t us);
/* Nearest-rank percentile in milliseconds, 0 < p <= 100; 0 when the sample is empty. */
double sample_percentile(struct sample *s, double p);
/* "key": {"n", "min", "median", "p90", "p99", "max"}; nothing when empty. */
void sample_write(struct sample *s, struct json_writer *w, const char *key);

#endif
