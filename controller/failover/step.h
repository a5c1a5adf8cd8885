/* One step of the zones' machine: what zone.c and order.c share. */
#ifndef TIDEGATE_FAILOVER_STEP_H
#define TIDEGATE_FAILOVER_STEP_H

#include "tidegate/failover/zone.h"

/* Reasons of a zone that people wanted out, and of its way back. */
#define REASON_ORDERED  "Ordered"
#define REASON_RETURNED "Returned"

/* Of a zone that fails for us and serves its clients. */
#define REASON_SERVED "ClientsServed"

/* Of a zone that misses an objective which the others keep. */
#define REASON_MISSES "MissesObjective"

/* Of a zone on its way back that answers clients worse than the others. */
#define REASON_WORSE "WorseThanOthers"

/* Of a zone where others are well. */
#define REASON_MODEL "ModelBadInZone"

struct step {
	const struct failover_input *in;
	struct failover_plan *out;
	struct mdep_zone_status zones[MDEP_ZONES_MAX]; /* all of them, by the facts' order */
};

/* --- zone.c ------------------------------------------------------------------------------ */
bool zone_is_good(const struct zone_facts *f);
/* Some other zone answers, and has done so for that long without a failure. */
bool zone_others_healthy(const struct step *s, unsigned self, int64_t for_ms);
/* A Standby zone could still be brought in. */
bool zone_standby_waits(const struct step *s, unsigned self);
int zone_ready_elsewhere(const struct step *s, unsigned self);
int zone_ready_needed(const struct step *s);
/* It has answered for as long as it takes; else *at_ms is when that will be so, 0 = unknown. */
bool zone_has_recovered(const struct step *s, unsigned i, int64_t *at_ms);
void zone_wake_at(struct step *s, int64_t at_ms);
void zone_enter(struct step *s, unsigned i, enum zone_state state, int percent, const char *reason);
void zone_tell(struct step *s, unsigned i, bool warning, const char *reason);
void zone_degrade(struct step *s, unsigned i, const char *reason, int percent);
void zone_start_back(struct step *s, unsigned i, const char *reason);

/* --- order.c ----------------------------------------------------------------------------- */
/* Takes up orders and ZoneShifts into the records, and ends those whose time is over. */
void order_take_up(struct step *s);
/* People want it out, now. */
bool order_keeps_out(const struct step *s, unsigned i);
/* Carries out what people want; false when that cannot be done now. */
bool order_step(struct step *s, unsigned i);
/* The order of zones in which they are looked at: older ZoneShifts first. */
void order_sequence(const struct step *s, unsigned *sequence);

#endif
