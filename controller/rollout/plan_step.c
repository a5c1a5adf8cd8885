/* The step machine: moving, holding, waiting for approval, completing. */
#include "plan_internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

bool plan_releasing(const struct planner *p)
{
	switch (p->st->phase) {
	case ROLLOUT_MOVING:
	case ROLLOUT_HOLDING:
	case ROLLOUT_APPROVAL:
	case ROLLOUT_PAUSED:
	case ROLLOUT_COMPLETING:
		return true;
	default:
		return false;
	}
}

bool plan_first(const struct planner *p)
{
	return str_empty(p->st->stable);
}

/* A step that names no weight keeps that of the steps before it; past the last it is 100. */
int plan_step_weight(const struct mdep *m, int step)
{
	if (step >= (int)m->nsteps)
		return 100;
	for (int i = step; i >= 0; i--)
		if (m->steps[i].weight >= 0)
			return m->steps[i].weight > 100 ? 100 : m->steps[i].weight;
	return 0;
}

/* Pods that the step, or one before it, asks for apart from its weight. */
static int step_capacity(const struct mdep *m, int step)
{
	for (int i = step < (int)m->nsteps ? step : -1; i >= 0; i--) {
		const struct int_or_percent *c = &m->steps[i].capacity;

		if (c->value > 0)
			return c->percent ? (m->replicas * c->value + 99) / 100 : c->value;
	}
	return 0;
}

int plan_step_for(const struct mdep *m, int weight)
{
	int i = 0;

	while (i < (int)m->nsteps && plan_step_weight(m, i) < weight)
		i++;
	return i;
}

static bool on_step(const struct planner *p)
{
	return plan_releasing(p) && p->st->phase != ROLLOUT_COMPLETING && !plan_first(p);
}

/* The step if it has an audience or a mirror; without a driver nothing could tell or copy requests.
 */
static const struct mdep_step *step_audience(const struct planner *p)
{
	const struct mdep_step *s;

	if (!on_step(p) || !p->s->traffic.managed || p->st->step >= (int)p->m->nsteps)
		return NULL;
	s = &p->m->steps[p->st->step];
	return s->nheaders || s->mirror ? s : NULL;
}

const struct mdep_step *plan_audience(const struct planner *p)
{
	const struct track_view *t = &p->tracks[TRACK_TARGET];

	return t->in_service > 0 && t->known ? step_audience(p) : NULL;
}

int plan_target_weight(const struct planner *p)
{
	int w;

	if (!plan_releasing(p))
		return 0;
	if (plan_first(p) || p->st->phase == ROLLOUT_COMPLETING)
		return 100;
	w = plan_step_weight(p->m, p->st->step);
	/* An audience needs a pod that answers it, also while everybody else's share is 0. */
	return w == 0 && step_audience(p) ? 1 : w;
}

int plan_capacity(const struct planner *p)
{
	/* Where shares follow the pods, pods are weight. */
	return on_step(p) && p->s->traffic.managed ? step_capacity(p->m, p->st->step) : 0;
}

/* As many of the step's pods as can be had before its weight moves come first. */
bool plan_capacity_first(const struct planner *p)
{
	struct replicas_input in = p->in;
	struct replicas_plan now;

	if (p->st->step >= (int)p->m->nsteps || p->m->steps[p->st->step].capacity.value <= 0)
		return false;
	in.target_weight = p->st->weight;
	replicas_plan(&in, &now);
	return p->tracks[TRACK_TARGET].in_service < now.new_goal &&
	       p->tracks[TRACK_TARGET].in_service < p->goals.new_goal;
}

void plan_step_enter(struct planner *p, int step)
{
	struct mdep_status *st = p->st;

	st->phase = ROLLOUT_MOVING;
	st->step = step > (int)p->m->nsteps ? (int)p->m->nsteps : step;
	st->step_started_ms = p->now;
	st->step_reached_ms = 0;
	st->hold_until_ms = 0;
	st->watched_ms = 0;
	st->progress_ms = p->now;
}

static const char *step_name(struct planner *p)
{
	return arena_printf(p->arena, "step %d of %u: %d %%", p->st->step + 1, p->m->nsteps,
	                    plan_step_weight(p->m, p->st->step));
}

static bool route_carries_step(const struct planner *p, const struct mdep_step *step)
{
	bool chosen = false, copied = false;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		chosen |= c->track == TRACK_TARGET && c->chosen;
		copied |= c->track == TRACK_TARGET && c->copied;
	}
	return (chosen || !step->nheaders) && (copied || !step->mirror);
}

/*
 * The rule of an audience and a mirror travel with the route: they are taken for in force some time
 * after the route has them and its status says so.
 */
static bool audience_reached(struct planner *p)
{
	const struct mdep_step *step = step_audience(p);
	int64_t settled = plan_route_changed_ms(p) + PLAN_SETTLE_MS;

	if (!step)
		return true;
	if (p->tracks[TRACK_TARGET].in_service > 0 && !route_carries_step(p, step))
		return false;
	if (!p->before->nweights || !p->s->traffic.in_force)
		return false;
	if (p->tracks[TRACK_TARGET].in_service > 0 && !plan_audience(p))
		return false;
	if (settled < p->st->step_started_ms + PLAN_SETTLE_MS)
		settled = p->st->step_started_ms + PLAN_SETTLE_MS;
	if (p->now < settled)
		plan_wake(p, settled);
	return p->now >= settled;
}

static bool step_reached(struct planner *p)
{
	int weight = plan_step_weight(p->m, p->st->step);

	plan_arithmetic(p);
	if (p->m->replicas <= 0 || p->goals.compares ||
	    p->tracks[TRACK_TARGET].in_service < p->goals.new_goal)
		return false;
	/* One replica without surge cannot be split: such a step is reached at 0 %. */
	if (weight > p->goals.weight_now)
		weight = p->goals.weight_now;
	return p->st->weight >= weight && plan_verified(p) && audience_reached(p);
}

static int64_t whole_second(int64_t ms)
{
	return (ms + 999) / 1000 * 1000;
}

static bool arrive(struct planner *p)
{
	struct mdep_status *st = p->st;
	const struct mdep_step *s;
	int64_t hold;

	st->step_reached_ms = p->now;
	if (st->step >= (int)p->m->nsteps) {
		st->phase = ROLLOUT_COMPLETING;
		st->progress_ms = p->now;
		return true;
	}
	s = &p->m->steps[st->step];
	plan_event(p, false, "StepReached", step_name(p));
	if (plan_order_arrived(p)) {
		plan_step_enter(p, st->step + 1);
		return true;
	}
	st->phase = ROLLOUT_HOLDING;
	/* Status carries whole seconds; a hold is never cut short by that. */
	hold = s->analysis_ms > 0 ? s->analysis_ms : s->hold_ms;
	st->hold_until_ms = hold > 0 ? whole_second(p->now + hold) : 0;
	st->watched_ms = hold > 0 && p->s->judgement.judging && !p->begun ? p->now : 0;
	return true;
}

#define RESUMED_MS 20000

/*
 * Another leader's silence may be as old as the step; a release's first judge begins before it.
 * Compared as a name: that leader's clock may have been ahead of ours.
 */
static bool began_in_step(const struct planner *p)
{
	int64_t step_ms = p->s->judgement.began_step_ms;

	return step_ms && step_ms == p->st->step_started_ms;
}

/*
 * End of the last silence that held this step or may have; 0 = none. A judge that began before
 * there was anything to hear is not held to be silent, unless it heard nothing of the step either.
 */
static int64_t resumed(const struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;
	bool beginning = j->resumed_first && !began_in_step(p) &&
	                 j->resumed_ms <= p->st->step_reached_ms + ROLLOUT_NO_DATA_MS;

	return beginning ? 0 : j->resumed_ms;
}

/* Real users are on the step, and without data it is not to end. */
static bool needs_data(const struct planner *p)
{
	return p->m->canary.on_no_data == NO_DATA_HOLD && p->m->canary.enabled && !p->begun &&
	       !plan_returning(p) && (p->st->weight > 0 || step_audience(p));
}

/* So long a hold does not end before anything was heard, but by a clock that was set forward. */
static bool is_long_hold(const struct planner *p)
{
	return p->st->hold_until_ms > p->st->step_reached_ms + ROLLOUT_NO_DATA_MS;
}

/* A step that real users are on is not over while nobody can say how it does. */
static bool blind(const struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	return needs_data(p) && j->judging &&
	       (j->since_data_ms > ROLLOUT_NO_DATA_MS ||
	        (!j->heard && (began_in_step(p) || is_long_hold(p))));
}

/* Not proven worse, but in doubt: more requests will tell, while any go to stable. */
static bool doubtful(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	if (!p->m->canary.enabled || !j->judging || p->begun || j->score < 0 ||
	    p->st->weight >= 100)
		return false;
	return j->score < p->m->canary.min_score && (p->st->weight > 0 || step_audience(p));
}

/*
 * PASS, and requests of this very step have been measured: what a smaller share has shown says
 * nothing yet about this one.
 */
static bool passed(const struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	return j->judging && !p->begun && j->verdict == VERDICT_PASS && !j->held &&
	       j->since_data_ms <= ROLLOUT_NO_DATA_MS &&
	       p->now - j->since_data_ms > p->st->step_reached_ms &&
	       (p->st->weight > 0 || step_audience(p));
}

static bool ended_by_pass(struct planner *p)
{
	const struct mdep_step *s = &p->m->steps[p->st->step];
	int64_t earliest = p->st->step_reached_ms + PLAN_PASS_MS;

	if (!(s->analysis_ms > 0 || p->m->canary.end_hold_on_pass) || !passed(p))
		return false;
	if (p->now < earliest)
		plan_wake(p, earliest);
	return p->now >= earliest;
}

/* The step wants a PASS and its time is over without one: a person may decide otherwise. */
static bool pass_missing(const struct planner *p)
{
	return p->st->step < (int)p->m->nsteps && p->m->steps[p->st->step].require_pass &&
	       !passed(p);
}

/*
 * A judge watched the hold, or none must end it unseen; this process has none yet, but will as soon
 * as this plan is out.
 */
static bool between_judges(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	if ((!p->st->watched_ms && !needs_data(p)) || j->judging || !j->can_judge)
		return false;
	plan_wake(p, p->now + PLAN_POLL_MS);
	return true;
}

/* Status says so twenty times in a hold: each time is a write. */
static int64_t mark_every(const struct planner *p)
{
	int64_t part = (p->st->hold_until_ms - p->st->step_reached_ms) / 20;

	return part > PLAN_WATCH_MARK_MS ? part : PLAN_WATCH_MARK_MS;
}

static int64_t watching_since(const struct planner *p)
{
	int64_t began_ms = p->s->judgement.began_ms, resumed_ms = resumed(p);

	return needs_data(p) && resumed_ms > began_ms ? resumed_ms : began_ms;
}

/*
 * The hold is time under a judge's eyes. A judge that began only after the last one was seen at
 * work (another leader's, without the evidence of the first), or that was told nothing for a while,
 * gets the time between on top: else the first requests that are counted would end the step.
 */
static void count_watched(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;
	int64_t began_ms = watching_since(p);
	struct mdep_status *st = p->st;

	/* One extension tells of both, that no judge was there and that it heard nothing yet. */
	if (!j->judging || p->begun || !st->hold_until_ms || (blind(p) && !j->heard))
		return;
	if (st->watched_ms && began_ms > st->watched_ms) {
		int64_t gap = began_ms - st->watched_ms;

		st->hold_until_ms = whole_second(st->hold_until_ms + gap);
		plan_event(p, false, "HoldExtended",
		           arena_printf(p->arena,
		                        "%s: no judge or no data for %lld s, the hold is "
		                        "longer by that",
		                        step_name(p), (long long)gap / 1000));
		/* A clock that was set back since would find the same gap in each pass. */
		st->watched_ms = p->now > began_ms ? p->now : began_ms;
	} else if (!blind(p) && p->now - st->watched_ms >= mark_every(p)) {
		st->watched_ms = p->now;
	}
}

/*
 * What is measured again after a silence is judged before the step ends, however short its hold;
 * but a model with a request a minute must get on, so for less long than it takes to be blind
 * again.
 */
static bool just_resumed(struct planner *p)
{
	int64_t resumed_ms = resumed(p), judged_ms = resumed_ms + RESUMED_MS;

	/* A time that lies ahead is that of a clock that was set back. */
	if (!resumed_ms || !needs_data(p) || p->now < resumed_ms || p->now >= judged_ms)
		return false;
	plan_wake(p, judged_ms);
	return true;
}

static bool hold_over(struct planner *p)
{
	if (plan_zone_out(p)) {
		plan_wake(p, p->now + PLAN_POLL_MS);
		p->note = arena_printf(p->arena, "%s, held while a zone is out", step_name(p));
		return false;
	}
	if (p->s->judgement.held) {
		plan_wake(p, p->now + PLAN_POLL_MS);
		p->note =
			arena_printf(p->arena, "%s, held: %s", step_name(p), p->s->judgement.held);
		return false;
	}
	if (p->st->step < (int)p->m->nsteps && ended_by_pass(p))
		return !doubtful(p);
	if (p->st->hold_until_ms > p->now) {
		plan_wake(p, p->st->hold_until_ms);
		return false;
	}
	if (between_judges(p)) {
		p->note = arena_printf(p->arena, "%s, held until a judge is at work again",
		                       step_name(p));
		return false;
	}
	if (pass_missing(p))
		return true;
	if (blind(p)) {
		plan_wake(p, p->now + PLAN_POLL_MS);
		p->note = arena_printf(p->arena,
		                       "%s, held because the judge gets no data (onNoData: Hold)",
		                       step_name(p));
		return false;
	}
	if (just_resumed(p)) {
		p->note = arena_printf(p->arena, "%s, held until what is measured again is judged",
		                       step_name(p));
		return false;
	}
	if (doubtful(p)) {
		plan_wake(p, p->now + PLAN_POLL_MS);
		p->note = arena_printf(p->arena, "%s, held because its score is below minScore %d",
		                       step_name(p), p->m->canary.min_score);
		return false;
	}
	return true;
}

/* A step that is reached and waits in the same pass is told of once: each event is a write. */
static void absorb_step_reached(struct planner *p)
{
	struct rollout_plan *o = p->out;

	if (o->nevents && str_eq(o->events[o->nevents - 1].reason, "StepReached"))
		o->nevents--;
}

static bool wait_for_approval(struct planner *p, const char *why)
{
	absorb_step_reached(p);
	p->st->phase = ROLLOUT_APPROVAL;
	p->st->hold_until_ms = p->st->watched_ms = 0;
	plan_event(p, false, "AwaitingApproval",
	           arena_printf(p->arena,
	                        "%s %s, waiting for annotation "
	                        "serving.tidegate.io/promote: \"%s\"",
	                        step_name(p), why, p->st->target));
	return true;
}

static bool holding(struct planner *p)
{
	count_watched(p);
	if (!hold_over(p))
		return false;
	if (pass_missing(p))
		return wait_for_approval(p, "has got no PASS in time");
	if (p->st->step < (int)p->m->nsteps && p->m->steps[p->st->step].approval)
		return wait_for_approval(p, "reached");
	plan_step_enter(p, p->st->step + 1);
	return true;
}

/* Only the missing PASS stood in the way, and here it is. */
static bool passed_late(struct planner *p)
{
	const struct mdep_step *s = &p->m->steps[p->st->step];

	if (p->st->step >= (int)p->m->nsteps || s->approval || !s->require_pass)
		return false;
	if (!passed(p)) {
		p->note = arena_printf(p->arena, "%s, waiting for a PASS or for approval (promote)",
		                       step_name(p));
		return false;
	}
	plan_step_enter(p, p->st->step + 1);
	return true;
}

/* Nothing is at stake that steps could protect: all that counts is that it serves. */
static bool first_release(struct planner *p)
{
	if (p->m->replicas <= 0 || p->tracks[TRACK_TARGET].in_service < p->m->replicas)
		return false;
	plan_promote(p);
	return true;
}

static bool completing(struct planner *p)
{
	if (p->tracks[TRACK_STABLE].count > 0 || p->m->replicas <= 0)
		return false;
	plan_promote(p);
	return true;
}

static bool advance(struct planner *p)
{
	switch (p->st->phase) {
	case ROLLOUT_MOVING:
		if (plan_first(p))
			return first_release(p);
		return step_reached(p) && arrive(p);
	case ROLLOUT_HOLDING:
		return holding(p);
	case ROLLOUT_APPROVAL:
		return passed_late(p);
	case ROLLOUT_COMPLETING:
		return completing(p);
	case ROLLOUT_ROLLING_BACK:
		return plan_rollback_finish(p);
	default:
		return false;
	}
}

void plan_steps(struct planner *p)
{
	/* A step has three transitions at most; the bound only guards against a mistake here. */
	for (unsigned i = 0; i < 4 * (p->m->nsteps + 2); i++)
		if (!advance(p))
			break;
	plan_arithmetic(p);
}
