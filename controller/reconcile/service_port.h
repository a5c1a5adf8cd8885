/* Ports of a ModelDeployment's Services while spec.traffic.servicePort changes. */
#ifndef TIDEGATE_RECONCILE_SERVICE_PORT_H
#define TIDEGATE_RECONCILE_SERVICE_PORT_H

#include "internal.h"
#include "tidegate/reconcile/children.h"

struct service_ports {
	int wanted;
	int route;                    /* what the route is to name */
	int old[CHILD_PORTS_MAX - 1]; /* by which Services answer as well */
	unsigned nold;
	int64_t later_ms; /* a wait is over then; 0 = none */
};

/*
 * services: those of m that its route may name, as the cache has them. Without a driver the port
 * changes at once.
 */
void service_ports_plan(const struct mdep_operator *op, const struct rollout_snapshot *s,
                        const struct service *const *services, unsigned n, struct key_state *ks,
                        struct arena *a, struct service_ports *out);
/* have NULL: it is to be made. */
void service_ports_of(const struct service_ports *p, const struct service *have,
                      struct child_ports *out);
/* It shows these ports and no others that may be ours. */
bool service_ports_shown(const struct service *s, const struct child_ports *want);

#endif
