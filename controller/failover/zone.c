#include "tidegate/failover/zone.h"

#include <stdio.h>
#include <string.h>

#include "step.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#define BAD_PERCENT     60
#define RELAPSE_MAX     5 /* doublings of recoverAfter */
#define RECOVER_MAX_MS  1800000
#define RELAPSE_KEEP_MS 3600000 /* a relapse is forgotten after an hour of health */
#define LOOK_AGAIN_MS   1000
#define THAW_MS         10000

static const int ramp[] = {FAILOVER_RAMP_FIRST, 25, 50, 100};

/* --- what the facts say ------------------------------------------------------------------ */

/* A single pod is no zone: with two or more at least two must agree. */
static bool most(const struct step *s, const struct zone_facts *f, int n)
{
	int least = f->pods < 2 ? 1 : 2;

	return s->in->mdep->failover.mode != FAILOVER_DISABLED && f->pods > 0 && n >= least &&
	       n * 100 >= BAD_PERCENT * f->pods;
}

static bool is_bad(const struct step *s, const struct zone_facts *f)
{
	return most(s, f, f->failing - f->served);
}

/* It would be left if its clients were not answered. */
static bool is_vetoed(const struct step *s, const struct zone_facts *f)
{
	return most(s, f, f->failing) && !is_bad(s, f);
}

bool zone_is_good(const struct zone_facts *f)
{
	return f->pods > 0 && f->ready > 0 && f->shaky * 100 < BAD_PERCENT * f->pods;
}

static bool lasts(const struct zone_facts *f, int64_t since_ms)
{
	return f->good_since_ms && f->good_since_ms <= since_ms;
}

bool zone_others_healthy(const struct step *s, unsigned self, int64_t for_ms)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && !mdep_zone_is_out(&s->zones[i]) &&
		    zone_is_good(&s->in->zones[i]) &&
		    (!for_ms || lasts(&s->in->zones[i], s->in->now_ms - for_ms)))
			return true;
	return false;
}

/*
 * Left, on its way back, or about to be left: a second one at the same time is one too many. What
 * people wanted proves nothing about the others.
 */
static bool other_is_out(const struct step *s, unsigned self)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && mdep_zone_is_out(&s->zones[i]) && s->zones[i].percent < 100 &&
		    !failover_is_ordered(&s->zones[i]))
			return true;
	return false;
}

static bool stands_by(const struct mdep *m, const char *zone)
{
	for (unsigned i = 0; i < m->nzones; i++)
		if (str_eq(m->zones[i].name, zone))
			return m->zones[i].role == ZONE_STANDBY;
	return false;
}

bool zone_standby_waits(const struct step *s, unsigned self)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && stands_by(s->in->mdep, s->in->zones[i].name) &&
		    !mdep_zone_is_out(&s->zones[i]) && !is_bad(s, &s->in->zones[i]))
			return true;
	return false;
}

/*
 * A model with pods in one zone only has none elsewhere that could answer. Then it counts that the
 * zone is dark for others, too (a pod that fails alone is its kubelet's affair), and that another
 * one could take it. What was decided on once holds while its witnesses come and go.
 */
static bool could_be_replaced(const struct step *s, unsigned self)
{
	if (!s->in->zones[self].dark && s->zones[self].state != ZONE_DEGRADED)
		return false;
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && s->in->zones[i].room && !mdep_zone_is_out(&s->zones[i]) &&
		    !is_bad(s, &s->in->zones[i]))
			return true;
	return false;
}

static bool others_may_come(const struct step *s, unsigned self)
{
	return zone_standby_waits(s, self) || could_be_replaced(s, self);
}

int zone_ready_elsewhere(const struct step *s, unsigned self)
{
	int n = 0;

	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && !mdep_zone_is_out(&s->zones[i]))
			n += s->in->zones[i].ready;
	return n;
}

/* Rounded down: a third of six pods may go when 70 % are to stay. */
int zone_ready_needed(const struct step *s)
{
	const struct mdep *m = s->in->mdep;
	int n = m->replicas * m->failover.min_capacity / 100;

	return n > 0 ? n : 1;
}

static int64_t recover_after(const struct step *s, const struct mdep_zone_status *z)
{
	int again = z->relapses > 0 ? z->relapses - 1 : 0;
	int doublings = again < RELAPSE_MAX ? again : RELAPSE_MAX;
	int64_t ms = s->in->mdep->failover.recover_after_ms << doublings;

	return ms < RECOVER_MAX_MS ? ms : RECOVER_MAX_MS;
}

/* --- moving on --------------------------------------------------------------------------- */

void zone_wake_at(struct step *s, int64_t at_ms)
{
	if (at_ms > s->in->now_ms && (!s->out->wake_ms || at_ms < s->out->wake_ms))
		s->out->wake_ms = at_ms;
}

void zone_enter(struct step *s, unsigned i, enum zone_state state, int percent, const char *reason)
{
	struct mdep_zone_status *z = &s->zones[i];

	if (z->state == state && z->percent == percent && str_eq(z->reason, reason))
		return;
	if (z->state != state || z->percent != percent)
		z->since_ms = s->in->now_ms;
	z->state = state;
	z->percent = percent;
	z->reason = reason;
	if (!str_eq(reason, REASON_MISSES))
		z->objective = NULL;
}

void zone_tell(struct step *s, unsigned i, bool warning, const char *reason)
{
	if (s->out->nevents < MDEP_ZONES_MAX)
		s->out->events[s->out->nevents++] = (struct failover_event){
			.warning = warning, .reason = reason, .zone = s->in->zones[i].name};
}

static void relapse(struct step *s, unsigned i)
{
	s->zones[i].relapses++;
	s->zones[i].relapse_ms = s->in->now_ms;
}

static void leave_zone(struct step *s, unsigned i, const char *reason, const char *event)
{
	relapse(s, i);
	zone_enter(s, i, ZONE_EVACUATING, 0, reason);
	zone_tell(s, i, true, event);
}

static void freeze(struct step *s, unsigned i, const char *event, const char *reason)
{
	if (s->zones[i].state != ZONE_FROZEN)
		zone_tell(s, i, true, event);
	zone_enter(s, i, ZONE_FROZEN, mdep_zone_percent(&s->zones[i]), reason);
}

/* The part that the others cannot take stays, however bad: it would break them too. */
void zone_degrade(struct step *s, unsigned i, const char *reason, int percent)
{
	if (s->zones[i].state != ZONE_DEGRADED)
		zone_tell(s, i, true, reason);
	zone_enter(s, i, ZONE_DEGRADED, percent, reason);
}

/* What all models together say against leaving it now. */
static bool is_held(struct step *s, unsigned i)
{
	switch (s->in->zones[i].say) {
	case ZONE_ANOTHER:
		zone_degrade(s, i, "AnotherZoneIsOut", 100);
		return true;
	case ZONE_STORM:
		freeze(s, i, "ZonesDisagree", "ZonesDisagree");
		return true;
	case ZONE_WAIT:
		return true;
	case ZONE_GO:
		break;
	}
	return false;
}

static void decide(struct step *s, unsigned i)
{
	int have = zone_ready_elsewhere(s, i), need = zone_ready_needed(s);

	if (!zone_others_healthy(s, i, 0) &&
	    !(s->in->mdep->failover.mode == FAILOVER_AUTOMATIC && others_may_come(s, i))) {
		freeze(s, i, "ZonesFrozen", "NoHealthyZone");
	} else if (s->in->mdep->failover.mode != FAILOVER_AUTOMATIC) {
		if (s->zones[i].state != ZONE_IMPAIRED)
			zone_tell(s, i, true, "ZoneImpaired");
		zone_enter(s, i, ZONE_IMPAIRED, 100, "WaitsForOrder");
	} else if (other_is_out(s, i)) {
		zone_degrade(s, i, "AnotherZoneIsOut", 100);
	} else if (have < need) {
		zone_degrade(s, i, "CapacityShortfall", (need - have) * 100 / need);
	} else if (!is_held(s, i)) {
		bool alone = s->in->zones[i].alone;

		leave_zone(s, i, alone ? REASON_MODEL : "ProbesFail",
		           alone ? REASON_MODEL : "ZoneEvacuating");
	}
}

static bool is_poor(const struct step *s, const struct zone_facts *f)
{
	return f->misses && s->in->mdep->failover.mode != FAILOVER_DISABLED;
}

static bool is_worse(const struct step *s, const struct zone_facts *f)
{
	return f->worse && s->in->mdep->failover.mode != FAILOVER_DISABLED;
}

/* What speaks against leaving a zone that answers, if badly; NULL = nothing. */
static const char *poor_hindrance(const struct step *s, unsigned i)
{
	enum zone_say say = s->in->zones[i].say;

	if (s->in->mdep->failover.mode != FAILOVER_AUTOMATIC)
		return "spec.failover.mode is Manual";
	if (other_is_out(s, i) || say == ZONE_ANOTHER)
		return "another zone is out";
	if (say == ZONE_STORM)
		return "models want to leave different zones at once";
	if (!zone_others_healthy(s, i, 0))
		return "no other zone is healthy";
	if (zone_ready_elsewhere(s, i) < zone_ready_needed(s))
		return "the others could not carry spec.failover.minCapacity";
	return NULL;
}

static void tell_hindrance(struct step *s, unsigned i, const char *hindrance)
{
	unsigned n = s->out->nevents;

	zone_tell(s, i, true, "ZoneImpaired");
	if (s->out->nevents > n)
		s->out->events[n].hindrance = hindrance;
}

/* Nothing is risked to leave it. */
static void decide_poor(struct step *s, unsigned i)
{
	const char *hindrance = poor_hindrance(s, i);
	struct mdep_zone_status *z = &s->zones[i];

	if (!hindrance && s->in->zones[i].say == ZONE_WAIT)
		return;
	z->objective = s->in->zones[i].misses;
	if (!hindrance) {
		leave_zone(s, i, REASON_MISSES, REASON_MISSES);
		return;
	}
	if (!str_eq(z->reason, REASON_MISSES))
		tell_hindrance(s, i, hindrance);
	zone_enter(s, i, ZONE_IMPAIRED, 100, REASON_MISSES);
	zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
}

static void veto(struct step *s, unsigned i)
{
	if (!str_eq(s->zones[i].reason, REASON_SERVED))
		zone_tell(s, i, true, REASON_SERVED);
	zone_enter(s, i, ZONE_SUSPECT, 100, REASON_SERVED);
}

static void step_calm(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	struct mdep_zone_status *z = &s->zones[i];

	if (is_bad(s, f))
		decide(s, i);
	else if (is_vetoed(s, f))
		veto(s, i);
	else if (is_poor(s, f))
		decide_poor(s, i);
	else if (f->shaky * 2 >= f->pods && f->shaky > 0)
		zone_enter(s, i, ZONE_SUSPECT, 100, "ProbesFail");
	else
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
	if (z->state == ZONE_SUSPECT)
		zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
}

/*
 * When everything was dark and comes back, the zone that is last to answer is not worse than the
 * others: nothing is left before another zone has been well for a while.
 */
static bool thawed(const struct step *s, unsigned i)
{
	if (s->zones[i].state != ZONE_FROZEN || zone_others_healthy(s, i, THAW_MS))
		return true;
	return others_may_come(s, i) && !zone_others_healthy(s, i, 0);
}

/* What people no longer want out keeps the part that it kept, and gets back the rest. */
static void end_partial(struct step *s, unsigned i)
{
	int percent = mdep_zone_percent(&s->zones[i]);

	zone_start_back(s, i, REASON_RETURNED);
	if (s->zones[i].state == ZONE_FAILBACK && percent > s->zones[i].percent)
		zone_enter(s, i, ZONE_FAILBACK, percent, REASON_RETURNED);
}

static void step_stuck(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];

	zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	if (is_bad(s, f) && thawed(s, i))
		decide(s, i);
	else if (zone_is_good(f) && failover_is_ordered(&s->zones[i]))
		end_partial(s, i);
	else if (zone_is_good(f) && mdep_zone_percent(&s->zones[i]) < 100)
		zone_enter(s, i, ZONE_RECOVERING, 0, "ProbesPass");
	else if (zone_is_good(f))
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
}

static void step_evacuating(struct step *s, unsigned i)
{
	zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	if (s->in->zones[i].in_route)
		return;
	zone_enter(s, i, ZONE_EVACUATED, 0, s->zones[i].reason);
	zone_tell(s, i, true, "ZoneEvacuated");
}

bool zone_has_recovered(const struct step *s, unsigned i, int64_t *at_ms)
{
	const struct zone_facts *f = &s->in->zones[i];
	const struct mdep_zone_status *z = &s->zones[i];
	int64_t from = f->good_since_ms;

	*at_ms = 0;
	if (!from || !zone_is_good(f))
		return false;
	/* What was left because it failed proves itself from then on. */
	if (!failover_is_ordered(z) && z->since_ms > from)
		from = z->since_ms;
	*at_ms = from + recover_after(s, z);
	return s->in->now_ms >= *at_ms;
}

static void step_evacuated(struct step *s, unsigned i)
{
	bool ordered = failover_is_ordered(&s->zones[i]);
	int64_t at_ms;

	if (ordered && !s->in->zones[i].pods) {
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
		zone_tell(s, i, false, "ZoneHealthy");
	} else if (zone_has_recovered(s, i, &at_ms)) {
		zone_enter(s, i, ZONE_RECOVERING, 0, ordered ? REASON_RETURNED : "ProbesPass");
		zone_tell(s, i, false, "ZoneRecovering");
	} else if (at_ms) {
		zone_wake_at(s, at_ms);
	} else if (ordered && is_bad(s, &s->in->zones[i])) {
		zone_enter(s, i, ZONE_EVACUATED, 0, "ProbesFail");
	}
}

static const char *relapse_reason(const struct step *s, const struct zone_facts *f)
{
	if (is_bad(s, f))
		return f->alone ? REASON_MODEL : "Relapse";
	return is_poor(s, f) ? REASON_MISSES : REASON_WORSE;
}

static void fall_back(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	unsigned n = s->out->nevents;

	s->zones[i].objective = f->misses;
	leave_zone(s, i, relapse_reason(s, f), "ZoneRelapsed");
	if (s->out->nevents > n && str_eq(s->zones[i].reason, REASON_WORSE))
		s->out->events[n].worse = f->worse;
}

void zone_start_back(struct step *s, unsigned i, const char *reason)
{
	const struct mdep *m = s->in->mdep;

	if (m->failover.failback == FAILBACK_IMMEDIATE) {
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
		zone_tell(s, i, false, "ZoneHealthy");
		return;
	}
	zone_enter(s, i, ZONE_FAILBACK, ramp[0], reason);
	zone_wake_at(s, s->in->now_ms + m->failover.ramp_ms / (int64_t)ARRAY_SIZE(ramp));
}

static void step_recovering(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	bool waits = s->in->mdep->failover.failback == FAILBACK_MANUAL;

	if (is_bad(s, f))
		fall_back(s, i);
	else if (f->say == ZONE_GO && zone_is_good(f) &&
	         (!waits || failover_is_ordered(&s->zones[i])))
		zone_start_back(s, i, s->zones[i].reason);
}

static int next_percent(int percent)
{
	for (size_t i = 0; i < ARRAY_SIZE(ramp); i++)
		if (ramp[i] > percent)
			return ramp[i];
	return 100;
}

static void step_failback(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	struct mdep_zone_status *z = &s->zones[i];
	int64_t due = z->since_ms + s->in->mdep->failover.ramp_ms / (int64_t)ARRAY_SIZE(ramp);

	if (is_bad(s, f) || is_poor(s, f) || is_worse(s, f)) {
		if (f->say != ZONE_WAIT)
			fall_back(s, i);
	} else if (s->in->now_ms < due) {
		zone_wake_at(s, due);
	} else if (!zone_is_good(f)) {
		zone_wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	} else if (z->percent >= 100) {
		zone_enter(s, i, ZONE_HEALTHY, 100, "");
		zone_tell(s, i, false, "ZoneHealthy");
	} else {
		zone_enter(s, i, ZONE_FAILBACK, next_percent(z->percent), z->reason);
		zone_wake_at(s, s->in->now_ms +
		                        s->in->mdep->failover.ramp_ms / (int64_t)ARRAY_SIZE(ramp));
	}
}

/* Nobody is there who could answer a probe, so its nodes have to speak for it. */
static bool end_vacant(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	const struct mdep_zone_status *z = &s->zones[i];
	int64_t at_ms = z->since_ms + recover_after(s, z);

	if (!f->vacant || f->pods || z->state == ZONE_EVACUATING || !mdep_zone_is_troubled(z))
		return false;
	zone_wake_at(s, at_ms);
	if (s->in->now_ms < at_ms)
		return false;
	zone_enter(s, i, ZONE_HEALTHY, 100, "");
	zone_tell(s, i, false, "ZoneHealthy");
	return true;
}

static void step_zone(struct step *s, unsigned i)
{
	if (order_keeps_out(s, i) && order_step(s, i))
		return;
	if (end_vacant(s, i))
		return;
	switch (s->zones[i].state) {
	case ZONE_HEALTHY:
	case ZONE_SUSPECT:
	case ZONE_IMPAIRED:
		step_calm(s, i);
		break;
	case ZONE_DEGRADED:
	case ZONE_FROZEN:
		step_stuck(s, i);
		break;
	case ZONE_EVACUATING:
		step_evacuating(s, i);
		break;
	case ZONE_EVACUATED:
		step_evacuated(s, i);
		break;
	case ZONE_RECOVERING:
		step_recovering(s, i);
		break;
	case ZONE_FAILBACK:
		step_failback(s, i);
		break;
	default:
		break;
	}
}

static void load(struct step *s)
{
	for (unsigned i = 0; i < s->in->nzones; i++) {
		const struct mdep_zone_status *old =
			mdep_zone_find(&s->in->mdep->status, s->in->zones[i].name);

		s->zones[i] = old ? *old
		                  : (struct mdep_zone_status){
					    .state = ZONE_HEALTHY, .percent = 100, .reason = ""};
		s->zones[i].name = s->in->zones[i].name;
	}
}

/* A Healthy zone is remembered as long as its relapses count, or people want it out. */
static void store(struct step *s)
{
	for (unsigned i = 0; i < s->in->nzones; i++) {
		struct mdep_zone_status *z = &s->zones[i];

		if (z->state == ZONE_HEALTHY && !z->ordered_until_ms && !z->shift &&
		    s->in->now_ms >= z->relapse_ms + RELAPSE_KEEP_MS)
			continue;
		s->out->zones[s->out->nzones++] = *z;
	}
}

void failover_step(const struct failover_input *in, struct failover_plan *out)
{
	struct step s = {.in = in, .out = out};
	unsigned sequence[MDEP_ZONES_MAX];

	*out = (struct failover_plan){.nzones = 0};
	load(&s);
	order_take_up(&s);
	order_sequence(&s, sequence);
	for (unsigned i = 0; i < in->nzones && !in->blind; i++)
		step_zone(&s, sequence[i]);
	if (in->blind)
		zone_wake_at(&s, in->now_ms + LOOK_AGAIN_MS);
	store(&s);
}

/* --- what others must be asked ------------------------------------------------------------ */

static bool is_wish(const struct mdep_zone_status *old, const struct mdep_zone_status *new,
                    enum zone_lane *lane)
{
	enum zone_state was = old ? old->state : ZONE_HEALTHY;
	bool back = new->state == ZONE_FAILBACK || new->state == ZONE_HEALTHY;

	*lane = new->state == ZONE_EVACUATING ? ZONE_LANE_LEAVE : ZONE_LANE_RETURN;
	if (failover_is_ordered(new) || (old && failover_is_ordered(old)))
		return false;
	return (new->state == ZONE_EVACUATING &&was != ZONE_EVACUATING) ||
	       (was == ZONE_RECOVERING && back);
}

static int index_of(const struct failover_input *in, const char *zone)
{
	for (unsigned i = 0; i < in->nzones; i++)
		if (str_eq(in->zones[i].name, zone))
			return (int)i;
	return -1;
}

int failover_wish(const struct failover_input *in, const struct failover_plan *plan,
                  enum zone_lane *lane)
{
	int found = -1;

	for (unsigned i = 0; i < plan->nzones; i++) {
		const struct mdep_zone_status *z = &plan->zones[i];
		enum zone_lane which;

		if (!is_wish(mdep_zone_find(&in->mdep->status, z->name), z, &which) ||
		    (found >= 0 && which != ZONE_LANE_LEAVE))
			continue;
		found = index_of(in, z->name);
		*lane = which;
	}
	return found;
}

const struct mdep_zone_status *failover_plan_zone(const struct failover_plan *plan,
                                                  const char *zone)
{
	for (unsigned i = 0; i < plan->nzones; i++)
		if (str_eq(plan->zones[i].name, zone))
			return &plan->zones[i];
	return NULL;
}

bool failover_is_own_affair(const struct mdep_zone_status *z)
{
	return str_eq(z->reason, REASON_MODEL) || str_eq(z->reason, REASON_MISSES) ||
	       str_eq(z->reason, REASON_WORSE);
}

const char *failover_zone_out(const struct mdep_zone_status *zones, unsigned nzones)
{
	for (unsigned i = 0; i < nzones; i++) {
		const struct mdep_zone_status *z = &zones[i];

		if ((z->state == ZONE_EVACUATING || z->state == ZONE_EVACUATED) &&
		    !failover_is_ordered(z) && !failover_is_own_affair(z))
			return z->name;
	}
	return NULL;
}

static unsigned describe_people(const struct mdep_zone_status *z, char *text, unsigned size)
{
	int64_t until_ms =
		z->ordered_until_ms > z->shift_until_ms ? z->ordered_until_ms : z->shift_until_ms;
	char stamp[CLOCK_RFC3339_MAX];

	return (unsigned)snprintf(text, size, " until %s by %s%s", clock_format(until_ms, stamp),
	                          z->shift ? "ZoneShift " : "order", str_or(z->shift, ""));
}

void failover_describe(const struct failover_plan *plan, char *text, unsigned size)
{
	unsigned used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < plan->nzones && used < size; i++) {
		const struct mdep_zone_status *z = &plan->zones[i];

		if (z->state == ZONE_HEALTHY)
			continue;
		used += (unsigned)snprintf(text + used, size - used, "%s%s is %s (%s%s%s)",
		                           used ? ", " : "", z->name, zone_state_name(z->state),
		                           str_or(z->reason, ""), z->objective ? " " : "",
		                           str_or(z->objective, ""));
		if (used < size && (z->shift || z->ordered_until_ms))
			used += describe_people(z, text + used, size - used);
	}
}
