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
 *                                 so also where no other zone has pods, but one stands by, or the
 *                                 zone itself is dark (not only this model's pods) and another that
 *                                 answers could take them
 *                -> Frozen        no zone is healthy, or we see nothing: weights stay as they are
 *   Evacuating   -> Evacuated     the route carries nothing for the zone any more
 *   Evacuated    -> Recovering    the zone has been good for recoverAfter, doubled by each
 *                                 relapse, half an hour at most
 *   Recovering   -> FailbackRamp  a pod of it is in service; mode Manual waits for `return`
 *   FailbackRamp -> Healthy       5, 25, 50 and 100 % of its part, each for its time
 *                -> Evacuated     a relapse
 *
 * People come first. A zone that an order `evacuate` or a ZoneShift wants out is left whatever its
 * probes say and in every mode, with reason Ordered; through Degraded where capacity is short. It
 * stays out until the later of the two ends (time, `return`, the ZoneShift's deletion), and comes
 * back by the ramp as soon as its pods answer, also with failback Manual: that is for zones that
 * were left because their probes failed. One without pods is Healthy at once. An order that cannot
 * be carried out when it is given is ignored, a ZoneShift waits (`refused`): where no other zone is
 * healthy, or another is out and the rest could not carry it. Of several ZoneShifts about one zone
 * the longest counts; of those about several zones the oldest comes first.
 *
 * Several models (failover/group.h): whoever is to leave a zone or to come back may be told to wait
 * for its turn, which changes nothing; that another zone is being left; or that nobody leaves
 * (Frozen). A model that is bad in a zone where others are well leaves with reason ModelBadInZone.
 *
 * Success on the clients' path is a veto: pods that give us no answer, but answer clients by their
 * own counters (a long queue, a status path that hangs), do not count as failing. The zone is
 * Suspect, reason ClientsServed, and no capacity for others.
 *
 * A zone that answers probes and misses an objective which the others keep (slow, or errors) is
 * left too, reason MissesObjective, but only where nothing speaks against it: it is Impaired as
 * long as the mode is Manual, capacity is short or another zone is out. On its way back it relapses
 * when it misses again. That is always this model's own affair, no other one's. So it is where
 * requests are judged on the way back: it relapses when clients are answered worse there than in
 * the other zones, reason WorseThanOthers.
 *
 * Guards: one zone is out at a time, not counting those that people want out, beside which another
 * is left where the rest carries minCapacity; never the last healthy one; a zone without pods in
 * service proves nothing, neither good nor bad; an observer that sees no zone at all suspects
 * itself. A zone that is out does not count as capacity until it is Healthy again: what replaced it
 * stays. Sources: research on Kubernetes' node lifecycle controller, AWS zonal shift, Karmada; the
 * 60 % is above Envoy's panic threshold (50 %) and below its 71 % dead band. Units: wall
 * milliseconds, percent. Ownership: strings belong to the caller.
 */
#ifndef TIDEGATE_FAILOVER_ZONE_H
#define TIDEGATE_FAILOVER_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/mdep.h"

/* As order `evacuate` without a duration, and the bounds of one. */
#define FAILOVER_ORDER_MS     (12 * 3600 * 1000LL)
#define FAILOVER_ORDER_MIN_MS (10 * 1000LL)
#define FAILOVER_ORDER_MAX_MS (7 * 24 * 3600 * 1000LL)

/* Percent of its traffic that a zone gets first on its way back. */
#define FAILOVER_RAMP_FIRST 5

/* The longest of the ZoneShifts that want a zone out. */
struct zone_shift {
	const char *name; /* NULL = none */
	int64_t until_ms, since_ms;
};

/* What a model wants to do at once with others (failover/group.h). */
enum zone_lane { ZONE_LANE_LEAVE, ZONE_LANE_RETURN, ZONE_LANES };
/* What all models together say of it. */
enum zone_say {
	ZONE_GO,
	ZONE_WAIT,    /* its turn has not come: everything stays as it is */
	ZONE_ANOTHER, /* models are leaving another zone */
	ZONE_STORM,   /* models want to leave different zones at once: Frozen */
};

/* What is known of one zone now. */
struct zone_facts {
	const char *name;
	int pods;              /* in service by label, not being deleted: those that are probed */
	int shaky;             /* their last probe failed */
	int failing;           /* failed as many times in a row as it takes */
	int served;            /* of these: gave us no answer, but some to clients a moment ago */
	int ready;             /* in service and answering: what can carry traffic */
	int64_t good_since_ms; /* no probe failed since then and one passed; 0 = not so */
	bool in_route;         /* the route still sends requests there */
	/* No pod is wanted there, or the zone is Frozen and none has a node; and a node of it is
	 * Ready. */
	bool vacant;
	/* Objective that it misses and the others keep (failover/miss.h); NULL = none. */
	const char *misses;
	/* On its way back it answers clients worse than the other zones, in words; NULL = no. */
	const char *worse;
	bool dark; /* by others than this model's pods: other models', or observers there */
	bool room; /* somebody answers from there, and a node of it is Ready */
	struct zone_shift shift;
	enum zone_say say;
	bool alone; /* other models are well there */
};

struct failover_input {
	int64_t now_ms;
	const struct mdep *mdep; /* spec.failover, replicas */
	const struct zone_facts *zones;
	unsigned nzones;
	bool blind;        /* we see no zone, or the API server is gone: nothing is decided */
	bool shifts_known; /* false: what is on record of them holds until its time */
	/* Orders that are due, as written (mdep_order_is_due()); NULL = none. */
	const char *evacuate;  /* "<zone>[,<duration>][,<reason>]" */
	const char *give_back; /* `return`: "<zone>" */
};

struct failover_event {
	bool warning;
	const char *reason;
	const char *zone;
	const char *hindrance; /* why a zone that misses an objective is not left; else NULL */
	const char *worse;     /* the fact, where a zone relapses because of it; else NULL */
};

#define FAILOVER_TEXT_MAX 256

/* Outcome NULL: no such order was due. */
struct failover_answer {
	const char *outcome; /* Done, Ignored, Pending */
	char message[FAILOVER_TEXT_MAX];
};

struct failover_plan {
	struct mdep_zone_status
		zones[MDEP_ZONES_MAX]; /* Healthy ones without a past are left out */
	unsigned nzones;
	struct failover_event events[MDEP_ZONES_MAX];
	unsigned nevents;
	int64_t wake_ms; /* look again then; 0 = only when a fact changes */
	struct failover_answer evacuate, give_back;
	char reason[FAILOVER_TEXT_MAX]; /* of the order evacuate, for a record */
};

void failover_step(const struct failover_input *in, struct failover_plan *out);
/* What the plan has on record of the zone; NULL = nothing, it is Healthy. */
const struct mdep_zone_status *failover_plan_zone(const struct failover_plan *plan,
                                                  const char *zone);

/*
 * The zone (index of in->zones) that the plan leaves or brings back on account of probes, and needs
 * to ask for; -1 = none. What people want needs nobody's leave.
 */
int failover_wish(const struct failover_input *in, const struct failover_plan *plan,
                  enum zone_lane *lane);
/* It leaves the zone, or left it, for what this model does there: nothing is said of other models.
 */
bool failover_is_own_affair(const struct mdep_zone_status *z);
/* The zone that the plan is out of because it is bad for all models; NULL = none. */
const char *failover_zone_out(const struct mdep_zone_status *zones, unsigned nzones);

/* It was left because people wanted it, or is on its way back from that. */
bool failover_is_ordered(const struct mdep_zone_status *z);

/* What people are told of the zones that are not Healthy; empty when all are. */
void failover_describe(const struct failover_plan *plan, char *text, unsigned size);

#endif
