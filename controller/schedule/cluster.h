/* The cluster's state as the scheduler keeps it: nodes, and what counts on them. */
#ifndef TIDEGATE_SCHEDULE_CLUSTER_H
#define TIDEGATE_SCHEDULE_CLUSTER_H

#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/schedule/schedule.h"

/* Extended resources are interned: an index into every node's arrays. */
#define EXTENDED_MAX 12

/* What pods take of a node. */
struct load {
	int64_t cpu, memory, ephemeral, pods;
	int64_t extended[EXTENDED_MAX];
};

/* What constraints are compared with; one allocation. */
struct sched_terms {
	const struct label *labels;
	const struct taint *taints;
	unsigned nlabels, ntaints;
};

struct sched_node {
	char *name;
	struct sched_terms *terms; /* NULL: it was never present */
	unsigned place;            /* index in schedule.nodes while present */
	bool present;              /* a Node object stands behind it; else only pods name it */
	bool unschedulable;
	struct load has, used;
	unsigned nominated; /* of pods_here */
	struct list pods_here;
};

struct sched_amount {
	int64_t amount;
	int resource; /* index in schedule.extended_names */
};

/* One allocation, but for the ports that few pods have: there is one for every pod with a node. */
struct sched_pod {
	struct list link; /* in the node's pods_here */
	struct sched_node *node;
	const char *owner; /* "ns/name" of the ModelDeployment, as a rule the key's beginning */
	int64_t cpu, memory, ephemeral;
	struct pod_port *ports;
	int64_t created_ms, gone_ms; /* gone_ms: it is to have ended by then; 0 = it stays */
	unsigned nports;
	int priority;
	uint16_t owner_len; /* 0 = of no ModelDeployment */
	uint8_t nextended;
	bool assumed;
	bool nominated; /* not bound: the room is kept for it */
	bool unseen;    /* of a nomination: the pod's status does not show it yet */
	bool pinned;    /* taking it away frees nothing for long, or harms the node */
	bool away;      /* for the length of a what-if */
	struct sched_amount extended[]; /* the key behind them, and the owner if need be */
};

struct schedule {
	struct map nodes_by_name;  /* struct sched_node */
	struct sched_node **nodes; /* present ones, sorted by name */
	unsigned nnodes, cap;
	struct map pods; /* key -> struct sched_pod, counted ones only */
	const char *extended_names[EXTENDED_MAX];
	unsigned nextended;
	struct map shapes;   /* see shape.c */
	uint64_t generation; /* of the node set and what is static about it */
	int lowest;          /* no pod counted has a lower priority, or had */
};

/* -1: the resource was never seen and there is no room for another name. */
int extended_index(struct schedule *s, const char *name);
/* Index of a known name, -1 when no node ever had it. */
int extended_find(const struct schedule *s, const char *name);
/* malloc'ed "ns/mdep", NULL when not of a ModelDeployment */
char *sched_owner(const struct pod *p);
/* Of that ModelDeployment; NULL: of none. */
bool sched_pod_owned(const struct sched_pod *p, const char *owner);
/* In schedule.pods. */
const char *sched_pod_key(const struct sched_pod *p);
void load_count(struct load *l, const struct sched_pod *p, int sign);

/* --- shape.c: which nodes can take pods of this shape, resources aside ------------------- */
struct shape {
	uint64_t generation;
	unsigned char *why; /* one enum reason a node, REASON_NONE = fits */
};
enum reason {
	REASON_NONE,
	REASON_UNSCHEDULABLE,
	REASON_AFFINITY,
	REASON_TAINT,
	REASON_PORTS,
	REASON_MAX_PER_NODE,
	REASON_PODS,
	REASON_CPU,
	REASON_MEMORY,
	REASON_EPHEMERAL,
	REASON_EXTENDED, /* + index */
	REASONS = REASON_EXTENDED + EXTENDED_MAX + 1,
};
#define REASON_EXTENDED_UNKNOWN (REASON_EXTENDED + EXTENDED_MAX)

const struct shape *shape_get(struct schedule *s, const struct pod *p);
enum reason static_reason(const struct sched_node *n, const struct pod *p);
void shapes_release(struct schedule *s);
bool selector_term_matches(const struct selector_term *t, const struct sched_node *n);
/* First taint of `effect` kinds that keeps the pod away; NULL when none. */
const struct taint *untolerated(const struct sched_node *n, const struct pod *p, bool prefer);

#endif
