/*
 * Objectives: what a breach leads to. During a release it is one more reason to go back; after a
 * promotion, within the bake time, it leads back to the revision that was stable before.
 */
#include <inttypes.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

#define SLO_REASON "SLOBreached"

static struct mdep_revision_status *stable_record(const struct planner *p)
{
	return mdep_revision_find(p->st, p->st->stable);
}

/* Told once: it did not hold the pass before. */
static bool is_news(const struct planner *p)
{
	const struct mdep_condition *c = mdep_condition_get(p->before, "SLOMet");

	return !c || !str_eq(c->status, "False");
}

static void tell(struct planner *p, const char *what)
{
	if (is_news(p))
		plan_event(p, true, SLO_REASON,
		           arena_printf(p->arena, "revision %s: %s; %s", p->s->slo.revision,
		                        p->s->slo.text, what));
}

/* --- during a release -------------------------------------------------------------------- */

static void pause_release(struct planner *p)
{
	enum rollout_phase ph = p->st->phase;

	/* Whoever resumes in spite of it has decided so. */
	if (!is_news(p) ||
	    (ph != ROLLOUT_MOVING && ph != ROLLOUT_HOLDING && ph != ROLLOUT_APPROVAL))
		return;
	tell(p, "the release is paused (onBreach: Pause), `resume` goes on");
	p->st->paused_from = ph;
	p->st->phase = ROLLOUT_PAUSED;
}

static void target_breach(struct planner *p)
{
	switch (p->m->slo.on_breach) {
	case BREACH_ROLLBACK:
		plan_rollback(p, "RolledBack", SLO_REASON, p->s->slo.text);
		break;
	case BREACH_PAUSE:
		pause_release(p);
		break;
	case BREACH_NOTIFY:
		tell(p, "the release goes on (onBreach: Notify)");
		break;
	}
}

/* --- after a promotion ------------------------------------------------------------------- */

/* What stands in the way of going back, NULL when nothing does. */
static const char *no_way_back(struct planner *p)
{
	const struct mdep_status *st = p->st;
	const struct mdep_revision_status *r = mdep_revision_find(st, st->previous);

	if (p->m->slo.on_breach != BREACH_ROLLBACK)
		return "nothing is done (onBreach)";
	if (p->now >= st->promoted_ms + p->m->slo.bake_ms)
		return "its bake time is over, nothing is done";
	if (st->returned_ms && p->now < st->returned_ms + p->m->slo.cool_down_ms)
		return "the last return is too recent (coolDown), nothing is done";
	if (str_empty(st->previous))
		return "no revision was stable before it, nothing is done";
	if (!r || !str_eq(r->result, "Promoted"))
		return "the revision before it failed itself or is forgotten, nothing is done";
	if (!plan_has_replicasets(p, st->previous))
		return "the revision before it has no ReplicaSets any more, nothing is done";
	return NULL;
}

static void return_to_previous(struct planner *p)
{
	const char *why =
		arena_printf(p->arena, "revision %s, promoted %" PRId64 " s ago: %s", p->st->stable,
	                     (p->now - p->st->promoted_ms) / 1000, p->s->slo.text);
	const char *to = p->st->previous;

	stable_record(p)->result = "RolledBack";
	plan_return_to(p, to);
	plan_event(p, true, "RollbackStarted",
	           arena_printf(p->arena, "%s; returning to revision %s", why, to));
	mdep_condition_set(p->st, "ReleaseFailed", "True", SLO_REASON, why, p->m->meta.generation,
	                   p->now);
}

static void stable_breach(struct planner *p)
{
	const char *why = no_way_back(p);

	if (p->st->phase != ROLLOUT_IDLE || !str_eq(p->st->stable, p->m->revision) ||
	    !stable_record(p))
		tell(p, "nothing is done about the stable revision during a release");
	else if (why)
		tell(p, why);
	else
		return_to_previous(p);
}

void plan_slo(struct planner *p)
{
	const struct rollout_slo *s = &p->s->slo;

	p->st->nobjectives = p->m->slo.n && s->known ? s->nobjectives : p->st->nobjectives;
	if (!p->m->slo.n)
		p->st->nobjectives = 0;
	for (unsigned i = 0; s->known && i < p->st->nobjectives; i++)
		p->st->objectives[i] = s->objectives[i];
	if (s->known)
		p->st->counted_ms = s->counted_ms;
	if (!p->m->slo.n || !s->breach || s->held || p->begun || plan_first(p) ||
	    plan_returning(p) || plan_zone_out(p))
		return;
	if (str_eq(s->revision, p->st->target) && plan_releasing(p) &&
	    p->st->phase != ROLLOUT_COMPLETING)
		target_breach(p);
	else if (str_eq(s->revision, p->st->stable))
		stable_breach(p);
}

/* Why a breach leads to nothing, NULL when it does. */
static const char *held(const struct planner *p)
{
	const struct rollout_slo *s = &p->s->slo;

	if (!s->held && plan_returning(p) && str_eq(s->revision, p->st->target))
		return "traffic is on its way back to it";
	return s->held;
}

void plan_slo_condition(struct planner *p)
{
	const struct rollout_slo *s = &p->s->slo;
	const char *why_not = held(p);
	const char *status = "True", *reason = "WithinBudget", *text = "every objective is met";

	if (!p->m->slo.n && !mdep_condition_get(p->st, "SLOMet"))
		return;
	if (!p->m->slo.n) {
		status = "Unknown";
		reason = "NoObjectives";
		text = "spec.slo names no objective";
	} else if (!s->known) {
		status = "Unknown";
		reason = "NotWatched";
		text = "no pod of the stable revision is being measured";
	} else if (s->breach) {
		status = "False";
		reason = why_not ? "BreachHeld" : SLO_REASON;
		text = arena_printf(p->arena, "revision %s: %s%s%s", s->revision, s->text,
		                    why_not ? "; not acted on: " : "", str_or(why_not, ""));
	}
	mdep_condition_set(p->st, "SLOMet", status, reason, text, p->m->meta.generation, p->now);
}
