#include "tidegate/rollout/plan.h"

#include <string.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

#define WAKE_MIN_MS  50
#define HELD_STEP_MS 30000

void plan_wake(struct planner *p, int64_t at_ms)
{
	if (!p->wake_ms || at_ms < p->wake_ms)
		p->wake_ms = at_ms;
}

void plan_event(struct planner *p, bool warning, const char *reason, const char *note)
{
	struct rollout_plan *o = p->out;

	if (o->nevents < ROLLOUT_EVENTS_MAX)
		o->events[o->nevents++] =
			(struct rollout_event){.warning = warning, .reason = reason, .note = note};
}

const char *plan_model_version(const struct planner *p, const char *revision)
{
	const struct mdep_revision_status *r = mdep_revision_find(p->st, revision);

	if (r)
		return str_or(r->model_version, "");
	return str_eq(revision, p->m->revision) ? str_or(p->m->model.version, "") : "";
}

/* A status that no controller has written yet carries the schema's default only. */
static void first_status(struct mdep_status *st)
{
	*st = (struct mdep_status){.score = -1,
	                           .observed_permille = -1,
	                           .steps_hash = "",
	                           .reason = "",
	                           .message = "",
	                           .verdict = "",
	                           .score_message = ""};
}

static void planner_init(struct planner *p, const struct rollout_snapshot *s, struct arena *arena,
                         struct rollout_plan *out)
{
	*p = (struct planner){.s = s,
	                      .m = s->mdep,
	                      .before = &s->mdep->status,
	                      .arena = arena,
	                      .out = out,
	                      .st = &out->status,
	                      .now = s->now_ms};
	memset(out, 0, sizeof(*out));
	out->status = *p->before;
	if (!s->mdep->has_status)
		first_status(&out->status);
	mdep_status_widen(&out->status, &out->lists);
	if (str_empty(p->st->stable))
		p->st->stable = NULL;
	if (str_empty(p->st->target))
		p->st->target = NULL;
	mdep_resolve_bounds(s->mdep, &p->max_surge, &p->unavailable);
	p->surge = p->max_surge;
}

static const struct mdep_finding *fatal_finding(const struct mdep *m)
{
	for (unsigned i = 0; i < m->nfindings; i++)
		if (m->findings[i].fatal)
			return &m->findings[i];
	return NULL;
}

/* While traffic is being taken back the same counters tell when it has left. */
static bool wants_judge(const struct planner *p)
{
	if (plan_first(p) || !p->tracks[TRACK_TARGET].revision || plan_returning(p))
		return false;
	return p->st->phase == ROLLOUT_ROLLING_BACK ||
	       (plan_releasing(p) && p->st->phase != ROLLOUT_COMPLETING);
}

static void plan_frozen(struct planner *p, const struct mdep_finding *fatal)
{
	plan_counts(p);
	plan_arithmetic(p);
	/* The evidence goes on being gathered: what it says counts as soon as hands are on again.
	 */
	p->out->judge = wants_judge(p);
	plan_conditions_frozen(p, fatal);
}

/* Times in which nothing could move do not count against the progress deadline. */
static bool was_frozen(const struct planner *p)
{
	const struct mdep_condition *stalled = mdep_condition_get(p->before, "Stalled");
	const struct mdep_condition *busy = mdep_condition_get(p->before, "Reconciling");

	if (stalled && str_eq(stalled->reason, "InvalidSpec"))
		return true;
	if (p->m->replicas > 0 && str_eq(p->before->reason, PLAN_SCALED_TO_ZERO))
		return true;
	/* The phase of a `pause` order has the same name. */
	return busy && str_eq(busy->reason, "Paused") && p->st->phase != ROLLOUT_PAUSED;
}

/*
 * While a zone is out the deadline stands still. Each move of it is a write of status, for every
 * model and for as long as the zone is out: so it is moved in steps that a deadline does not feel.
 */
static void hold_deadline(struct planner *p)
{
	int64_t step_ms = p->m->progress_deadline_ms / 10;

	if (step_ms > HELD_STEP_MS)
		step_ms = HELD_STEP_MS;
	if (plan_deadline_runs(p) && p->now - p->st->progress_ms >= step_ms)
		p->st->progress_ms = p->now;
}

static void plan_release(struct planner *p)
{
	if (was_frozen(p))
		p->st->progress_ms = p->now;
	if (plan_zone_out(p))
		hold_deadline(p);
	plan_detect(p);
	plan_orders(p);
	plan_slo(p);
	plan_counts(p);
	plan_arithmetic(p);
	plan_weight_verify(p);
	plan_progress(p);
	plan_judgement(p);
	plan_safety(p);
	plan_steps(p);
	plan_weight_move(p);
	plan_arithmetic(p);
	plan_pods(p);
	plan_stranded(p);
	plan_matrix(p);
	plan_counts(p);
	p->out->audience = plan_audience(p);
	p->out->judge = wants_judge(p);
	plan_message(p);
	plan_conditions(p);
}

void rollout_plan(const struct rollout_snapshot *s, struct arena *arena, struct rollout_plan *out)
{
	struct planner p;
	const struct mdep_finding *fatal;

	planner_init(&p, s, arena, out);
	if (s->mdep->meta.deleted_ms)
		return;
	fatal = fatal_finding(s->mdep);
	out->status.observed_generation = s->mdep->meta.generation;
	plan_zones(&p);
	plan_view(&p);
	if (fatal || s->mdep->paused)
		plan_frozen(&p, fatal);
	else
		plan_release(&p);
	if (p.wake_ms) {
		out->requeue_ms = p.wake_ms - s->now_ms;
		if (out->requeue_ms < WAKE_MIN_MS)
			out->requeue_ms = WAKE_MIN_MS;
	}
}
