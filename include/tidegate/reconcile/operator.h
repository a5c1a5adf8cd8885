/*
 * The operator: caches, work queue, planners and executor put together (design 4).
 *
 * Every replica fills its caches; only the one that leads plans and writes. Everything
 * needed to go on stands in the objects' status, so a new leader continues where the
 * old one was cut off, at any instruction.
 * Ownership: the caller owns loop and client; operator_free() stops everything.
 */
#ifndef TIDEGATE_RECONCILE_OPERATOR_H
#define TIDEGATE_RECONCILE_OPERATOR_H

#include <stdbool.h>

#include "tidegate/base/err.h"
#include "tidegate/kube/client.h"
#include "tidegate/kube/event.h"
#include "tidegate/net/loop.h"

struct mdep_operator;

struct operator_options {
	const char *namespace; /* watch only this one; NULL = all */
	const char *identity;  /* of this replica, for events */
	unsigned workers;      /* ModelDeployments in work at once; 0 = 24 */
	/*
	 * Replicas that watch zones together: each tells what its probes see in a Lease of
	 * its own, in this namespace; group is the label value that makes them one
	 * installation. replica: unique to this process; NULL = there are no others.
	 */
	const char *replica, *votes_namespace, *votes_group;
	/* Where this replica runs: its zone, or the node whose label says it; NULL = unknown. */
	const char *zone, *node;
	event_listener told; /* every event, as it is emitted; NULL = nobody */
	void *told_arg;
};

struct mdep_operator *operator_new(struct loop *l, struct kube_client *c,
                                   const struct operator_options *o, struct err *err);
void operator_free(struct mdep_operator *op);
/* Starts the caches: leader or not. */
void operator_start(struct mdep_operator *op);
/* Planning and writing on (after the lease was won) and off. */
void operator_lead(struct mdep_operator *op);
void operator_stop(struct mdep_operator *op);
/* Writes out what is still to be told (events), takes our vote away; done is called once, whatever
 * came of it. */
void operator_flush(struct mdep_operator *op, void (*done)(void *arg), void *arg);
/* All caches hold a first complete list. */
bool operator_synced(const struct mdep_operator *op);
/* What keeps it from working right now, NULL when nothing. */
const char *operator_trouble(const struct mdep_operator *op, int64_t grace_ms);

#endif
