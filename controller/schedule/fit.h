/* Whether a pod fits on a node, and what keeps it from it. */
#ifndef TIDEGATE_SCHEDULE_FIT_H
#define TIDEGATE_SCHEDULE_FIT_H

#include "cluster.h"

/* What one pod asks, with names resolved, so that a node is checked by comparing numbers. */
struct request {
	const struct pod *pod;
	char *owner;
	unsigned n;
	struct {
		int index; /* -1: no node ever had it */
		int64_t amount;
	} extended[EXTENDED_MAX];
};

struct tally {
	unsigned count[REASONS];
	const struct taint *taint; /* of one node, for the message */
	int unknown;               /* index in pod->extended of a resource nobody has */
};

void request_fill(struct schedule *s, const struct pod *p, struct request *r);
void request_release(struct request *r);

/* why: what is static about it (shape.c). Tells what is short into t. */
bool node_fits(const struct sched_node *n, const struct request *r, enum reason why,
               struct tally *t);
/*
 * What counts on the node against r: not r's own nomination, none of a lower priority, and nobody
 * who is away.
 */
void fit_load(const struct sched_node *n, const struct request *r, struct load *out);
/* As node_fits(), with this load, on a node with nothing static against it. */
bool fit_with(const struct sched_node *n, const struct request *r, const struct load *used,
              struct tally *t);
/* Pods of the same ModelDeployment there. */
unsigned fit_owned(const struct sched_node *n, const struct request *r);

#endif
