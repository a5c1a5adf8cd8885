/* Intents for what a ModelDeployment owns: how they are put down, whatever the kind. */
#ifndef TIDEGATE_RECONCILE_INTENT_H
#define TIDEGATE_RECONCILE_INTENT_H

#include "internal.h"

struct owned {
	enum intent_class class;
	enum cache cache;
	const char *name;
	const struct service *have; /* NULL: it is to be made */
	bool taken_ok;
	enum kube_patch patch; /* of body, where it is there */
	const struct buf *body;
};

/*
 * What is not in the cache is created by POST, not applied: an object of the same name that is not
 * ours must not be taken over. 409 then says so. NULL: that was said a moment ago.
 */
struct intent *intent_own(struct mdep_operator *op, struct intents *t, const struct mdep *m,
                          const struct key_state *ks, const struct owned *o);
void intent_delete(struct intents *t, enum intent_class class, enum cache cache,
                   const struct object *o);

/* One that is to be there. */
struct cell_service {
	const char *name;
	const char *revision, *zone;
	bool front;
	const struct service *have; /* NULL: it is not there */
};

struct cell_services {
	struct cell_service *v;
	unsigned n;
};

/* DestinationRules of the cells' Services, for spec.traffic.slowStart; they go without it. */
int slow_start_collect(struct mdep_operator *op, const struct mdep *m, const struct key_state *ks,
                       const struct cell_services *services, struct intents *t, struct err *err);

#endif
