/*
 * The zones of one ModelDeployment: which of them is left, and how it comes back. Pure.
 *
 * One look at the facts and a time in, the next records out; looking twice at the same facts
 * changes nothing. Records are kept in status, so a new leader goes on where the last one was.
 *
 *   Healthy      -> Suspect       some probe of the zone failed
 *   Suspect      -> Healthy       none fails any more
 *   Suspect      -> Impaired      most of the zone's pods failed as often as it takes
 *   Impaired     -> Evacuating    another zone is positively healthy, no other zone is out, and
 *                                 the others carry minCapacity
 *                -> Degraded      the others cannot carry it: a part of the traffic is taken away
 *                                 (percent), capacity grows elsewhere, then Evacuating
 *                -> Frozen        no zone is healthy, or we see nothing: weights stay as they are
 *   Evacuating   -> Evacuated     the route carries nothing for the zone any more
 *   Evacuated    -> Recovering    the zone has been good for recoverAfter, doubled by each
 *                                 relapse, half an hour at most
 *   Recovering   -> FailbackRamp  a pod of it is in service; mode Manual waits for `return`
 *   FailbackRamp -> Healthy       5, 25, 50 and 100 % of its part, each for its time
 *                -> Evacuated     a relapse
 *
 * Guards: one zone is out at a time; never the last healthy one; a zone without pods in service
 * proves nothing, neither good nor bad; an observer that sees no zone at all suspects itself.
 * A zone that is out does not count as capacity until it is Healthy again: what replaced it stays.
 * Sources: research on Kubernetes' node lifecycle controller, AWS zonal shift, Karmada; the 60 % is
 * above Envoy's panic threshold (50 %) and below its 71 % dead band.
 * Units: wall milliseconds, percent. Ownership: strings belong to the caller.
 */
#ifndef TIDEGATE_FAILOVER_ZONE_H
#define TIDEGATE_FAILOVER_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/mdep.h"

/* What is known of one zone now. */
struct zone_facts {
	const char *name;
	int pods;              /* in service by label, not being deleted: those that are probed */
	int shaky;             /* their last probe failed */
	int failing;           /* failed as many times in a row as it takes */
	int ready;             /* in service and answering: what can carry traffic */
	int64_t good_since_ms; /* no probe failed since then and one passed; 0 = not so */
	bool in_route;         /* the route still sends requests there */
};

struct failover_input {
	int64_t now_ms;
	const struct mdep *mdep; /* spec.failover, replicas */
	const struct zone_facts *zones;
	unsigned nzones;
	bool blind; /* we see no zone, or the API server is gone: nothing is decided */
};

struct failover_event {
	bool warning;
	const char *reason;
	const char *zone;
};

struct failover_plan {
	struct mdep_zone_status
		zones[MDEP_ZONES_MAX]; /* Healthy ones without a past are left out */
	unsigned nzones;
	struct failover_event events[MDEP_ZONES_MAX];
	unsigned nevents;
	int64_t wake_ms; /* look again then; 0 = only when a fact changes */
};

void failover_step(const struct failover_input *in, struct failover_plan *out);

/* What people are told of the zones that are not Healthy; empty when all are. */
void failover_describe(const struct failover_plan *plan, char *text, unsigned size);

#endif
