#include "tidegate/failover/zone.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define BAD_PERCENT     60
#define RELAPSE_MAX     5 /* doublings of recoverAfter */
#define RECOVER_MAX_MS  1800000
#define RELAPSE_KEEP_MS 3600000 /* a relapse is forgotten after an hour of health */
#define LOOK_AGAIN_MS   1000
#define THAW_MS         10000

static const int ramp[] = {5, 25, 50, 100};

/* --- what the facts say ------------------------------------------------------------------ */

/* A single pod is no zone: with two or more at least two must agree. */
static bool is_bad(const struct zone_facts *f)
{
	int least = f->pods < 2 ? 1 : 2;

	return f->pods > 0 && f->failing >= least && f->failing * 100 >= BAD_PERCENT * f->pods;
}

static bool is_good(const struct zone_facts *f)
{
	return f->pods > 0 && f->ready > 0 && f->shaky * 100 < BAD_PERCENT * f->pods;
}

struct step {
	const struct failover_input *in;
	struct failover_plan *out;
	struct mdep_zone_status zones[MDEP_ZONES_MAX]; /* all of them, by the facts' order */
};

static bool lasts(const struct zone_facts *f, int64_t since_ms)
{
	return f->good_since_ms && f->good_since_ms <= since_ms;
}

/* Some other zone answers, and has done so for that long without a failure. */
static bool others_healthy(const struct step *s, unsigned self, int64_t for_ms)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && !mdep_zone_is_out(&s->zones[i]) && is_good(&s->in->zones[i]) &&
		    (!for_ms || lasts(&s->in->zones[i], s->in->now_ms - for_ms)))
			return true;
	return false;
}

/* Left, on its way back, or about to be left: a second one at the same time is one too many. */
static bool other_is_out(const struct step *s, unsigned self)
{
	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && mdep_zone_is_out(&s->zones[i]) && s->zones[i].percent < 100)
			return true;
	return false;
}

static int ready_elsewhere(const struct step *s, unsigned self)
{
	int n = 0;

	for (unsigned i = 0; i < s->in->nzones; i++)
		if (i != self && !mdep_zone_is_out(&s->zones[i]))
			n += s->in->zones[i].ready;
	return n;
}

/* Rounded down: a third of six pods may go when 70 % are to stay. */
static int ready_needed(const struct step *s)
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

static void wake_at(struct step *s, int64_t at_ms)
{
	if (at_ms > s->in->now_ms && (!s->out->wake_ms || at_ms < s->out->wake_ms))
		s->out->wake_ms = at_ms;
}

static void enter(struct step *s, unsigned i, enum zone_state state, int percent,
                  const char *reason)
{
	struct mdep_zone_status *z = &s->zones[i];

	if (z->state == state && z->percent == percent && str_eq(z->reason, reason))
		return;
	if (z->state != state || z->percent != percent)
		z->since_ms = s->in->now_ms;
	z->state = state;
	z->percent = percent;
	z->reason = reason;
}

static void tell(struct step *s, unsigned i, bool warning, const char *reason)
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

static void leave_zone(struct step *s, unsigned i)
{
	relapse(s, i);
	enter(s, i, ZONE_EVACUATING, 0, "ProbesFail");
	tell(s, i, true, "ZoneEvacuating");
}

/* The part that the others cannot take stays, however bad: it would break them too. */
static void degrade(struct step *s, unsigned i, const char *reason, int percent)
{
	if (s->zones[i].state != ZONE_DEGRADED)
		tell(s, i, true, reason);
	enter(s, i, ZONE_DEGRADED, percent, reason);
}

static void decide(struct step *s, unsigned i)
{
	int have = ready_elsewhere(s, i), need = ready_needed(s);

	if (!others_healthy(s, i, 0)) {
		if (s->zones[i].state != ZONE_FROZEN)
			tell(s, i, true, "ZonesFrozen");
		enter(s, i, ZONE_FROZEN, mdep_zone_percent(&s->zones[i]), "NoHealthyZone");
	} else if (s->in->mdep->failover.mode != FAILOVER_AUTOMATIC) {
		if (s->zones[i].state != ZONE_IMPAIRED)
			tell(s, i, true, "ZoneImpaired");
		enter(s, i, ZONE_IMPAIRED, 100, "WaitsForOrder");
	} else if (other_is_out(s, i)) {
		degrade(s, i, "AnotherZoneIsOut", 100);
	} else if (have < need) {
		degrade(s, i, "CapacityShortfall", (need - have) * 100 / need);
	} else {
		leave_zone(s, i);
	}
}

static void step_calm(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	struct mdep_zone_status *z = &s->zones[i];

	if (is_bad(f))
		decide(s, i);
	else if (f->shaky * 2 >= f->pods && f->shaky > 0)
		enter(s, i, ZONE_SUSPECT, 100, "ProbesFail");
	else
		enter(s, i, ZONE_HEALTHY, 100, "");
	if (z->state == ZONE_SUSPECT)
		wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
}

/*
 * When everything was dark and comes back, the zone that is last to answer is not worse than the
 * others: nothing is left before another zone has been well for a while.
 */
static bool thawed(const struct step *s, unsigned i)
{
	return s->zones[i].state != ZONE_FROZEN || others_healthy(s, i, THAW_MS);
}

static void step_stuck(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];

	wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	if (is_bad(f) && thawed(s, i))
		decide(s, i);
	else if (is_good(f) && mdep_zone_percent(&s->zones[i]) < 100)
		enter(s, i, ZONE_RECOVERING, 0, "ProbesPass");
	else if (is_good(f))
		enter(s, i, ZONE_HEALTHY, 100, "");
}

static void step_evacuating(struct step *s, unsigned i)
{
	wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	if (s->in->zones[i].in_route)
		return;
	enter(s, i, ZONE_EVACUATED, 0, s->zones[i].reason);
	tell(s, i, true, "ZoneEvacuated");
}

static void step_evacuated(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	struct mdep_zone_status *z = &s->zones[i];
	int64_t from = f->good_since_ms > z->since_ms ? f->good_since_ms : z->since_ms;

	if (!f->good_since_ms || !is_good(f))
		return;
	if (s->in->now_ms < from + recover_after(s, z)) {
		wake_at(s, from + recover_after(s, z));
		return;
	}
	enter(s, i, ZONE_RECOVERING, 0, "ProbesPass");
	tell(s, i, false, "ZoneRecovering");
}

static void fall_back(struct step *s, unsigned i)
{
	relapse(s, i);
	enter(s, i, ZONE_EVACUATING, 0, "Relapse");
	tell(s, i, true, "ZoneRelapsed");
}

static void step_recovering(struct step *s, unsigned i)
{
	const struct zone_facts *f = &s->in->zones[i];
	const struct mdep *m = s->in->mdep;

	if (is_bad(f)) {
		fall_back(s, i);
	} else if (m->failover.failback == FAILBACK_MANUAL || !is_good(f)) {
		return;
	} else if (m->failover.failback == FAILBACK_IMMEDIATE) {
		enter(s, i, ZONE_HEALTHY, 100, "");
		tell(s, i, false, "ZoneHealthy");
	} else {
		enter(s, i, ZONE_FAILBACK, ramp[0], "ProbesPass");
		wake_at(s, s->in->now_ms + m->failover.ramp_ms / (int64_t)ARRAY_SIZE(ramp));
	}
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

	if (is_bad(f)) {
		fall_back(s, i);
	} else if (s->in->now_ms < due) {
		wake_at(s, due);
	} else if (!is_good(f)) {
		wake_at(s, s->in->now_ms + LOOK_AGAIN_MS);
	} else if (z->percent >= 100) {
		enter(s, i, ZONE_HEALTHY, 100, "");
		tell(s, i, false, "ZoneHealthy");
	} else {
		enter(s, i, ZONE_FAILBACK, next_percent(z->percent), z->reason);
		wake_at(s,
		        s->in->now_ms + s->in->mdep->failover.ramp_ms / (int64_t)ARRAY_SIZE(ramp));
	}
}

static void step_zone(struct step *s, unsigned i)
{
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

/* A Healthy zone is remembered as long as its relapses count. */
static void store(struct step *s)
{
	for (unsigned i = 0; i < s->in->nzones; i++) {
		struct mdep_zone_status *z = &s->zones[i];

		if (z->state == ZONE_HEALTHY && s->in->now_ms >= z->relapse_ms + RELAPSE_KEEP_MS)
			continue;
		s->out->zones[s->out->nzones++] = *z;
	}
}

void failover_step(const struct failover_input *in, struct failover_plan *out)
{
	struct step s = {.in = in, .out = out};

	*out = (struct failover_plan){.nzones = 0};
	load(&s);
	for (unsigned i = 0; i < in->nzones && !in->blind; i++)
		step_zone(&s, i);
	if (in->blind)
		wake_at(&s, in->now_ms + LOOK_AGAIN_MS);
	store(&s);
}

void failover_describe(const struct failover_plan *plan, char *text, unsigned size)
{
	unsigned used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < plan->nzones && used < size; i++) {
		const struct mdep_zone_status *z = &plan->zones[i];

		if (z->state == ZONE_HEALTHY)
			continue;
		used += (unsigned)snprintf(text + used, size - used, "%s%s is %s (%s)",
		                           used ? ", " : "", z->name, zone_state_name(z->state),
		                           str_or(z->reason, ""));
	}
}
