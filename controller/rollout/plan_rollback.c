/* Going back: when, how it begins, when it has ended. */
#include "plan_internal.h"
#include "tidegate/base/str.h"

/*
 * The result is on record before anything moves: it says how the rollback ends after a restart.
 * A weight that is left above 0 goes down as stable grows (plan_weight_move).
 */
void plan_give_back(struct planner *p, const char *result, const char *reason, const char *message)
{
	struct mdep_status *st = p->st;
	struct mdep_revision_status *r = mdep_revision_find(st, st->target);
	struct mdep_revision_status *stable = mdep_revision_find(st, st->stable);

	if (r)
		r->result = result;
	/* It was to be left, and stays. */
	if (stable && str_eq(stable->result, "RolledBack"))
		stable->result = "Promoted";
	st->phase = ROLLOUT_ROLLING_BACK;
	plan_return_forget(p);
	st->paused_from = ROLLOUT_IDLE;
	st->hold_until_ms = 0;
	st->progress_ms = p->now;
	st->reason = reason;
	st->message = message;
	if (!str_eq(result, "Superseded"))
		plan_event(p, true, "RollbackStarted", message);
}

void plan_rollback(struct planner *p, const char *result, const char *reason, const char *message)
{
	plan_give_back(p, result, reason, message);
	if (p->st->weight != 0)
		plan_weight_set(p, 0);
}

static bool at_stake(const struct planner *p)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (p->st->weight > 0 || p->st->verified_weight > 0 || plan_audience(p))
		return true;
	/* Without a driver pods take requests before their share is on record. */
	if (!t->managed && p->tracks[TRACK_TARGET].in_service > 0)
		return true;
	for (unsigned i = 0; i < t->nweights; i++)
		if (str_eq(t->revisions[i], p->st->target) && t->weights[i] > 0)
			return true;
	return false;
}

static bool under_judgement(const struct planner *p)
{
	return plan_releasing(p) && p->st->phase != ROLLOUT_COMPLETING && !plan_first(p) &&
	       !p->begun && p->s->judgement.judging;
}

static bool judge_failed(struct planner *p)
{
	const char *text = str_or(p->s->judgement.text, "");

	if (!under_judgement(p) || p->s->judgement.verdict != VERDICT_FAIL || !at_stake(p))
		return false;
	plan_rollback(p, "RolledBack", "JudgeFailed",
	              arena_printf(p->arena, "judged worse than %s: %s%s", p->st->stable,
	                           *text ? text : "no figures given", plan_score_words(p)));
	return true;
}

static bool no_data(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	if (!under_judgement(p) || !p->m->canary.enabled ||
	    p->m->canary.on_no_data != NO_DATA_ROLLBACK || j->verdict == VERDICT_FAIL ||
	    p->st->verified_weight <= 0 || j->since_data_ms <= ROLLOUT_NO_DATA_MS)
		return false;
	if (p->now < p->st->weight_set_ms + ROLLOUT_NO_DATA_MS) {
		plan_wake(p, p->st->weight_set_ms + ROLLOUT_NO_DATA_MS);
		return false;
	}
	plan_rollback(p, "RolledBack", "NoData",
	              arena_printf(p->arena,
	                           "no request of the new version was measured for more than "
	                           "%d s (onNoData: Rollback)",
	                           ROLLOUT_NO_DATA_MS / 1000));
	return true;
}

static bool has_to_move(const struct planner *p)
{
	return p->st->phase == ROLLOUT_MOVING || p->st->phase == ROLLOUT_COMPLETING ||
	       p->st->phase == ROLLOUT_ROLLING_BACK;
}

bool plan_deadline_runs(const struct planner *p)
{
	return p->m->progress_deadline_ms > 0 && p->m->replicas > 0 && has_to_move(p);
}

/* A drain that is under way is a wait that was chosen. */
static int64_t deadline_at(const struct planner *p)
{
	int64_t from = p->st->progress_ms > p->drain_ms ? p->st->progress_ms : p->drain_ms;

	return from + p->m->progress_deadline_ms;
}

static void check_deadline(struct planner *p)
{
	if (!plan_deadline_runs(p))
		return;
	if (p->now < deadline_at(p)) {
		plan_wake(p, deadline_at(p));
		return;
	}
	if (plan_first(p) || p->st->phase == ROLLOUT_ROLLING_BACK ||
	    p->st->phase == ROLLOUT_COMPLETING || !str_empty(p->st->return_to)) {
		p->deadline = true;
		return;
	}
	plan_event(p, true, "ProgressDeadlineExceeded",
	           arena_printf(p->arena, "step %d of %u: nothing has moved for %lld s",
	                        p->st->step + 1, p->m->nsteps,
	                        (long long)p->m->progress_deadline_ms / 1000));
	plan_rollback(p, "RolledBack", "ProgressDeadlineExceeded",
	              arena_printf(p->arena,
	                           "nothing has moved for %lld s: traffic returns to revision %s",
	                           (long long)p->m->progress_deadline_ms / 1000, p->st->stable));
}

void plan_safety(struct planner *p)
{
	if (!judge_failed(p) && !no_data(p))
		check_deadline(p);
}

void plan_moved(struct planner *p, int64_t at_ms)
{
	/* In a hold nobody reads it, and each move of it would be a write of status. */
	if (has_to_move(p) && at_ms > p->st->progress_ms)
		p->st->progress_ms = at_ms;
}

/* More ready pods, or while pods are to leave fewer of them: something moves. */
void plan_progress(struct planner *p)
{
	const struct mdep_status *b = p->before;
	bool leaving = p->st->phase == ROLLOUT_COMPLETING || p->st->phase == ROLLOUT_ROLLING_BACK;

	if (p->st->ready_replicas > b->ready_replicas ||
	    p->st->verified_weight != b->verified_weight ||
	    (leaving && p->st->replicas < b->replicas))
		plan_moved(p, p->now);
}

static void finish(struct planner *p, enum rollout_phase phase)
{
	struct mdep_status *st = p->st;

	st->phase = phase;
	st->finished_ms = p->now;
	st->step = 0;
	st->weight = st->verified_weight = 0;
	if (phase == ROLLOUT_IDLE) {
		st->target = st->stable;
		st->reason = st->message = "";
		plan_tracks(p);
		return;
	}
	plan_event(p, true, "RolledBack",
	           arena_printf(p->arena, "revision %s carries all traffic again, %s has no pods",
	                        st->stable, st->target));
}

bool plan_rollback_finish(struct planner *p)
{
	const struct mdep_revision_status *r = mdep_revision_find(p->st, p->st->target);
	const char *result = r ? str_or(r->result, "") : "";

	if (p->tracks[TRACK_TARGET].count > 0)
		return false;
	if ((!plan_verified(p) || p->st->weight > 0) && p->m->replicas > 0)
		return false;
	if (str_eq(p->m->revision, p->st->stable) || str_eq(result, "Superseded"))
		finish(p, ROLLOUT_IDLE);
	else
		finish(p, str_eq(result, "Aborted") ? ROLLOUT_ABORTED : ROLLOUT_ROLLED_BACK);
	return true;
}
