/*
 * Who makes way. For each node the lower priorities are taken away in thought, and then put back,
 * the most important first, as far as the pod still fits: what cannot be put back are the victims.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* A pod that leaves has ended by its deletion time, or something holds it up for good. */
#define LATE_MS 60000

struct victim {
	struct sched_pod *pod;
	bool guarded;
};

struct search {
	struct schedule *s;
	struct request request;
	int64_t now_ms;
	bool (*guarded)(void *arg, const char *key);
	void *arg;
	struct victim *pods; /* lower priorities of the node that is looked at */
	unsigned npods, cap;
};

/* What one node would cost. */
struct cost {
	const struct sched_node *node;
	struct victim *victims;
	unsigned nvictims, violations;
	int highest; /* priority of a victim, INT_MIN without one */
	int64_t sum;
	int64_t latest_ms; /* start of the first of the highest priority */
};

/* --- one node ------------------------------------------------------------------------------ */

static bool is_lower(const struct search *x, const struct sched_pod *q)
{
	return !q->pinned && !q->nominated && !q->gone_ms &&
	       q->priority < x->request.pod->priority &&
	       !(q->owner_len && sched_pod_owned(q, x->request.owner));
}

static bool is_leaving(const struct search *x, const struct sched_pod *q)
{
	return q->gone_ms && x->now_ms < q->gone_ms + LATE_MS;
}

static void add_lower(struct search *x, struct sched_pod *q)
{
	if (x->npods == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 32;
		x->pods = xreallocarray(x->pods, x->cap, sizeof(*x->pods));
	}
	x->pods[x->npods++] = (struct victim){
		.pod = q, .guarded = x->guarded && x->guarded(x->arg, sched_pod_key(q))};
}

static void take_away(struct search *x, struct sched_node *n)
{
	struct list *it;

	x->npods = 0;
	list_for_each (it, &n->pods_here) {
		struct sched_pod *q = list_entry(it, struct sched_pod, link);

		if (is_lower(x, q))
			add_lower(x, q);
		q->away = is_leaving(x, q) || is_lower(x, q);
	}
}

static void bring_back(struct sched_node *n)
{
	struct list *it;

	list_for_each (it, &n->pods_here)
		list_entry(it, struct sched_pod, link)->away = false;
}

/* Guarded ones are spared before others, then the higher priority, then the older. */
static int by_importance(const void *a, const void *b)
{
	const struct victim *x = a, *y = b;

	if (x->guarded != y->guarded)
		return x->guarded ? -1 : 1;
	if (x->pod->priority != y->pod->priority)
		return x->pod->priority > y->pod->priority ? -1 : 1;
	if (x->pod->created_ms != y->pod->created_ms)
		return x->pod->created_ms < y->pod->created_ms ? -1 : 1;
	return strcmp(sched_pod_key(x->pod), sched_pod_key(y->pod));
}

/* With q back on the node, does the pod still fit? */
static bool can_stay(const struct search *x, const struct sched_node *n, struct sched_pod *q,
                     struct load *used)
{
	struct tally t = {.taint = NULL};

	q->away = false;
	load_count(used, q, 1);
	if (fit_with(n, &x->request, used, &t))
		return true;
	load_count(used, q, -1);
	q->away = true;
	return false;
}

static void count_victim(struct cost *c, struct victim v)
{
	c->victims[c->nvictims++] = v;
	c->violations += v.guarded;
	/* Shifted, so that one more victim never makes the sum smaller. */
	c->sum += (int64_t)v.pod->priority - INT_MIN + 1;
	if (v.pod->priority > c->highest) {
		c->highest = v.pod->priority;
		c->latest_ms = v.pod->created_ms;
	} else if (v.pod->priority == c->highest && v.pod->created_ms < c->latest_ms) {
		c->latest_ms = v.pod->created_ms;
	}
}

/* False: the pod would not fit there even alone with its betters. */
static bool node_cost(struct search *x, struct sched_node *n, struct cost *c)
{
	struct tally t = {.taint = NULL};
	struct load used;
	bool fits;

	take_away(x, n);
	fit_load(n, &x->request, &used);
	fits = fit_with(n, &x->request, &used, &t);
	*c = (struct cost){.node = n, .victims = x->pods, .highest = INT_MIN};
	if (fits && x->npods) {
		qsort(x->pods, x->npods, sizeof(*x->pods), by_importance);
		/* In place: as many have been looked at as are kept, or more. */
		for (unsigned i = 0; i < x->npods; i++)
			if (!can_stay(x, n, x->pods[i].pod, &used))
				count_victim(c, x->pods[i]);
	}
	bring_back(n);
	return fits;
}

/* --- all nodes ----------------------------------------------------------------------------- */

static bool is_cheaper(const struct cost *a, const struct cost *b)
{
	if (a->violations != b->violations)
		return a->violations < b->violations;
	if (a->highest != b->highest)
		return a->highest < b->highest;
	if (a->sum != b->sum)
		return a->sum < b->sum;
	if (a->nvictims != b->nvictims)
		return a->nvictims < b->nvictims;
	return a->latest_ms > b->latest_ms;
}

static void tell(const struct cost *c, struct arena *a, struct schedule_preemption *out)
{
	out->node = c->node->name;
	out->nvictims = c->nvictims;
	out->violations = c->violations;
	out->victims = arena_array(a, c->nvictims, sizeof(*out->victims));
	for (unsigned i = 0; i < c->nvictims; i++)
		out->victims[i] = sched_pod_key(c->victims[i].pod);
}

static void search(struct search *x, struct arena *a, struct schedule_preemption *out)
{
	const struct shape *shape = shape_get(x->s, x->request.pod);
	struct cost best = {.node = NULL}, c;

	for (unsigned i = 0; i < x->s->nnodes; i++) {
		if (shape->why[i] != REASON_NONE || !node_cost(x, x->s->nodes[i], &c))
			continue;
		/* Nodes are sorted by name: of equals the first stays. */
		if (best.node && !is_cheaper(&c, &best))
			continue;
		best = c;
		tell(&best, a, out);
	}
}

void schedule_preempt(struct schedule *s, const struct pod *p, int64_t now_ms,
                      bool (*guarded)(void *arg, const char *key), void *arg, struct arena *a,
                      struct schedule_preemption *out)
{
	struct search x = {.s = s, .now_ms = now_ms, .guarded = guarded, .arg = arg};

	*out = (struct schedule_preemption){.node = NULL};
	if (pod_constraints(p)->unsupported || p->preempt_never || p->priority <= s->lowest)
		return;
	request_fill(s, p, &x.request);
	if (!x.request.owner)
		x.request.owner = sched_owner(p);
	search(&x, a, out);
	request_release(&x.request);
	free(x.pods);
}
