/* What the planner needs of the arithmetic beyond totals: limits that it spreads over zones. */
#ifndef TIDEGATE_ROLLOUT_REPLICAS_INTERNAL_H
#define TIDEGATE_ROLLOUT_REPLICAS_INTERNAL_H

#include <stdbool.h>

#include "tidegate/rollout/replicas.h"

static inline int max_int(int a, int b)
{
	return a > b ? a : b;
}

static inline int min_int(int a, int b)
{
	return a < b ? a : b;
}

struct replicas_limits {
	int room;                 /* pods that may be added */
	int floor;                /* ready pods that stay, whosever they are */
	int ready;                /* ready pods that may leave, both tracks together */
	int new_ready, old_ready; /* ready pods that a track may lose by its traffic */
	int new_any, old_any;     /* pods that a track may lose in all */
};

void replicas_limits(const struct replicas_input *in, struct replicas_limits *out);
/*
 * Least share (<= weight) that new must keep, because ready old pods cannot carry more: on a way
 * back that need not be at once.
 */
int replicas_weight_back(const struct replicas_input *in, int weight);
/* Pods that exist or are being made. */
int replicas_count(const struct replicas_track *t);

#endif
