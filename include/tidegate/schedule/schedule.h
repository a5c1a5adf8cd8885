/*
 * GPU scheduler core: where does this pod go? Pure: no clock, no I/O, no random source.
 *
 * Keeps the cluster's free capacity, fed with nodes and with the assigned pods of every scheduler.
 * Exact filter semantics of kube-scheduler for: resources (all extended ones), pod
 * count, node selector, required node affinity, taints, unschedulable, host ports,
 * plus max-per-node of a ModelDeployment; a pod with a constraint that is not
 * implemented (pod.unsupported) is refused with a reason, never placed wrongly.
 * Score: Pack (GPU-MostAllocated: fullest node whose cards still fit, then CPU/memory
 * most allocated), Spread (least allocated), preferred node affinity and
 * PreferNoSchedule on top; ties by node name.
 *
 * Cost: nodes are indexed so that pods of one shape share the filter work; placing a pod is
 * far below O(nodes x terms).
 * Ownership: copies what it needs of nodes and pods.
 */
#ifndef TIDEGATE_SCHEDULE_SCHEDULE_H
#define TIDEGATE_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"

struct schedule;

struct schedule *schedule_new(void);
void schedule_free(struct schedule *s);

/* Adds or replaces. Pods counted on a node that is not known yet count once it appears. */
void schedule_set_node(struct schedule *s, const struct node *n);
void schedule_remove_node(struct schedule *s, const char *name);

/*
 * Tells the state of any pod: counted on p->node while it is bound and neither Succeeded nor
 * Failed; otherwise not counted. Confirms or ends an assumption about it.
 */
void schedule_set_pod(struct schedule *s, const struct pod *p);
void schedule_remove_pod(struct schedule *s, const char *key);

/* Counts p on `node` from now on (the bind is under way); schedule_forget() when it failed. */
void schedule_assume(struct schedule *s, const struct pod *p, const char *node);
void schedule_forget(struct schedule *s, const char *key);
bool schedule_assumed(const struct schedule *s, const char *key);

struct schedule_decision {
	const char *node;   /* NULL: none fits; valid until the next change of s */
	bool refused;       /* unsupported constraint: waiting will not help */
	char message[1024]; /* "0/6 nodes are available: 4 Insufficient nvidia.com/gpu, ..." */
};

/* Decides; changes nothing. */
void schedule_place(struct schedule *s, const struct pod *p, struct schedule_decision *out);

/* How many pods like p could be placed now, `most` at most; -1: waiting for it will not help. */
int schedule_room(struct schedule *s, const struct pod *p, int most);

/* Why `p` does not fit on `node`; NULL when it does. For tests and explanations. */
const char *schedule_why_not(struct schedule *s, const struct pod *p, const char *node);
size_t schedule_nodes(const struct schedule *s);

#endif
