/*
 * GPU scheduler core: where does this pod go? Pure: no clock, no I/O, no random source.
 *
 * Keeps the cluster's free capacity, fed with nodes and with the assigned pods of every scheduler.
 * Exact filter semantics of kube-scheduler for: resources (all extended ones), pod
 * count, node selector, required node affinity, taints, unschedulable, host ports,
 * plus max-per-node of a ModelDeployment; a pod with a constraint that is not
 * implemented (pod.unsupported) is refused with a reason, never placed wrongly.
 * Pods that are nominated for a node count there for those of no higher priority.
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
#include "tidegate/base/arena.h"

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

/* Decides; changes nothing. A pod whose nominated node has room for it goes there. */
void schedule_place(struct schedule *s, const struct pod *p, struct schedule_decision *out);

/* How many pods like p could be placed now, `most` at most; -1: waiting for it will not help. */
int schedule_room(struct schedule *s, const struct pod *p, int most);

/* --- preemption (preempt.c) -------------------------------------------------------------- */

/*
 * Room on `node` is kept for p, as status.nominatedNodeName will tell: pods of a lower priority do
 * not get it. Until the pod's status has shown it, updates that do not are no end of it.
 */
void schedule_nominate(struct schedule *s, const struct pod *p, const char *node);
void schedule_unnominate(struct schedule *s, const char *key);
const char *schedule_nominated(const struct schedule *s, const char *key); /* NULL = none */
/* The pod is being taken away, and will have ended by then (wall); 0 = it stays after all. */
void schedule_set_gone(struct schedule *s, const char *key, int64_t by_ms);
bool schedule_leaves(const struct schedule *s, const char *key);

struct schedule_preemption {
	const char *node;     /* NULL: nothing helps; valid until the next change of s */
	const char **victims; /* keys, in the arena; those that a budget guards first */
	unsigned nvictims;    /* 0: pods that are leaving make room enough */
	unsigned violations;  /* victims that a budget guards */
};

/*
 * Where the least is lost for a pod that fits nowhere. Victims have a lower priority, are neither
 * mirror pods nor a DaemonSet's, nor of p's own ModelDeployment; only those go without whom p fits,
 * all filters considered: the most important ones are spared first. Of the nodes the one with the
 * fewest violations of budgets, then the lowest highest priority of a victim, the smallest sum of
 * priorities, the fewest victims, the latest start of the most important ones, the first by name.
 * Pods that are leaving count as gone, unless they should have ended long before now_ms.
 * guarded: a budget would refuse to let the pod go.
 */
void schedule_preempt(struct schedule *s, const struct pod *p, int64_t now_ms,
                      bool (*guarded)(void *arg, const char *key), void *arg, struct arena *a,
                      struct schedule_preemption *out);

/* Why `p` does not fit on `node`; NULL when it does. For tests and explanations. */
const char *schedule_why_not(struct schedule *s, const struct pod *p, const char *node);
size_t schedule_nodes(const struct schedule *s);

#endif
