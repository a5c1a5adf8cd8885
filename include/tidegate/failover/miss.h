/*
 * Which zone misses an objective (spec.slo) that the other zones keep: slow zones, and zones that
 * answer with errors, which every probe passes. Pure.
 *
 * Counts of the last half minute by zone, looked at every MISS_SLOT_MS. A zone misses when its bad
 * share is 14.4 times the objective's budget or more (the fast burn rate of Google's SRE Workbook,
 * chapter 5), 10 % at least and 50 % at most, in the half minute and in its last five seconds,
 * while all others together are below that and below a quarter of its share, three looks in a row.
 * It misses no more when half of that limit is not reached in one of the two times, the others are
 * as bad or there is no data, three looks in a row. Fewer than MISS_LEAST requests are no data.
 * What all zones miss is no zone's fault, but the release's (rollout/) or the service's. Memory:
 * about 0.6 kB an objective. Units: wall milliseconds, requests.
 */
#ifndef TIDEGATE_FAILOVER_MISS_H
#define TIDEGATE_FAILOVER_MISS_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/mdep.h"

#define MISS_SLOT_MS 5000
#define MISS_SLOTS   6
#define MISS_LEAST   100

struct miss_zone {
	uint64_t name; /* hash; 0 = free */
	float all[MISS_SLOTS], bad[MISS_SLOTS];
	uint8_t looks; /* in a row that say the opposite of `misses` */
	bool misses;
};

struct miss {
	double target; /* 0..1 */
	int64_t slot;  /* number of the present one since 1970 */
	struct miss_zone zones[MDEP_ZONES_MAX];
};

void miss_init(struct miss *m, double target);
/* True when some zone misses the objective now that did not, or the other way round. */
bool miss_add(struct miss *m, const char *zone, int64_t now_ms, double all, double bad);
bool miss_is(const struct miss *m, const char *zone);
/* It has no traffic any more: what was counted says nothing about its way back. */
void miss_forget(struct miss *m, const char *zone);

#endif
