/*
 * The numbers TensorFlow Serving exports, under its names (slashes of the original become
 * colons, hence the leading one), and those of the process. Latency in microseconds.
 */
#ifndef BED_MODELSERVER_STATS_H
#define BED_MODELSERVER_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/buf.h"

void stats_init(const char *model_name);
/* A prediction that was answered with 200, and how long it took. */
void stats_ok(int64_t us);
/* One that was not: "INTERNAL", "INVALID_ARGUMENT". Failures are not timed, as in the original. */
void stats_failed(const char *grpc_code);
/* What a recommender tells of its own business: a score was shown; `clicked` of what was shown. */
void stats_shown(double score, bool clicked);
int stats_render(struct buf *out);

#endif
