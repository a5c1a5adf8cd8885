/* Which revision is wished for, and what that means for the one that serves. */
#include <inttypes.h>
#include <string.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

static bool must_stay(const struct planner *p, const struct mdep_revision_status *r)
{
	return str_eq(r->name, p->st->stable) || str_eq(r->name, p->st->target) ||
	       str_eq(r->name, p->m->revision);
}

/* The oldest that is neither served nor released makes room. */
static void forget_oldest(struct planner *p)
{
	struct mdep_status *st = p->st;

	for (unsigned i = st->nrevisions; i-- > 0;) {
		if (must_stay(p, &st->revisions[i]))
			continue;
		memmove(&st->revisions[i], &st->revisions[i + 1],
		        (st->nrevisions - i - 1) * sizeof(st->revisions[0]));
		st->nrevisions--;
		return;
	}
}

/* One past every number ever used, also those that only a ReplicaSet still remembers. */
static int64_t next_number(const struct planner *p)
{
	int64_t n = 0;

	for (unsigned i = 0; i < p->st->nrevisions; i++)
		if (p->st->revisions[i].number > n)
			n = p->st->revisions[i].number;
	for (unsigned i = 0; i < p->s->ncells; i++)
		if (p->s->cells[i].revision_no > n)
			n = p->s->cells[i].revision_no;
	return n + 1;
}

/* The number that a ReplicaSet of this revision carries, 0 = none does. */
static int64_t remembered_number(const struct planner *p, const char *revision)
{
	for (unsigned i = 0; i < p->s->ncells; i++)
		if (str_eq(p->s->cells[i].revision, revision) && p->s->cells[i].revision_no > 0)
			return p->s->cells[i].revision_no;
	return 0;
}

static struct mdep_revision_status *insert_revision(struct planner *p, int64_t number)
{
	struct mdep_status *st = p->st;
	unsigned at = 0;

	while (st->nrevisions >= MDEP_REVISIONS_MAX)
		forget_oldest(p);
	while (at < st->nrevisions && st->revisions[at].number > number)
		at++;
	memmove(&st->revisions[at + 1], &st->revisions[at],
	        (st->nrevisions - at) * sizeof(st->revisions[0]));
	st->nrevisions++;
	return &st->revisions[at];
}

static void record_revision(struct planner *p)
{
	struct mdep_revision_status *r = mdep_revision_find(p->st, p->m->revision);
	int64_t number;

	if (r) {
		r->result = "";
		return;
	}
	number = remembered_number(p, p->m->revision);
	if (!number)
		number = next_number(p);
	r = insert_revision(p, number);
	*r = (struct mdep_revision_status){.name = p->m->revision,
	                                   .model_version = str_or(p->m->model.version, ""),
	                                   .number = number,
	                                   .created_ms = p->now,
	                                   .result = ""};
}

/* The weight of the new target is 0, but the route may still hold what the old one had. */
static void take_traffic_back(struct planner *p)
{
	if (p->st->weight == 0 && p->st->verified_weight == 0)
		return;
	plan_weight_set(p, 0);
}

static void begin(struct planner *p)
{
	struct mdep_status *st = p->st;

	st->started_ms = p->now;
	st->finished_ms = 0;
	st->steps_hash = str_or(p->m->steps_hash, "");
	st->nsteps = (int)p->m->nsteps;
	st->paused_from = ROLLOUT_IDLE;
	plan_score_clear(p);
	st->observed_permille = -1;
	st->reason = st->message = "";
	p->begun = true;
	plan_step_enter(p, plan_first(p) ? (int)p->m->nsteps : 0);
	plan_tracks(p);
}

static const char *began_text(struct planner *p)
{
	const struct mdep_revision_status *r = mdep_revision_find(p->st, p->st->target);
	const char *v = plan_model_version(p, p->st->target);
	int64_t number = r ? r->number : 0;

	if (plan_first(p))
		return arena_printf(p->arena,
		                    "first release: revision %s (number %" PRId64
		                    "), model version %s",
		                    p->st->target, number, v);
	return arena_printf(
		p->arena,
		"releasing revision %s (number %" PRId64 "), model version %s, over %s (%s)",
		p->st->target, number, v, p->st->stable, plan_model_version(p, p->st->stable));
}

static void supersede(struct planner *p)
{
	struct mdep_revision_status *r = mdep_revision_find(p->st, p->st->target);

	if (r && str_eq(r->result, "Superseded"))
		return;
	if (r && str_empty(r->result))
		r->result = "Superseded";
	plan_event(p, false, "ReleaseSuperseded",
	           arena_printf(p->arena, "revision %s gives way to %s", p->st->target,
	                        p->m->revision));
}

/* It served until a moment ago, and nobody found fault with it. */
static bool within_undo_window(const struct planner *p)
{
	const struct mdep_revision_status *r = mdep_revision_find(p->st, p->m->revision);

	return r && p->m->undo_window_ms > 0 && r->retired_ms && str_eq(r->result, "Promoted") &&
	       p->now - r->retired_ms <= p->m->undo_window_ms;
}

static void start_release(struct planner *p)
{
	bool running = p->st->target && (plan_releasing(p) || p->st->phase == ROLLOUT_ROLLING_BACK);
	bool undo = within_undo_window(p);

	record_revision(p);
	if (running)
		supersede(p);
	if (plan_first(p)) {
		/* Whatever serves goes on doing so until a pod of the new target is ready. */
		p->st->weight = p->st->verified_weight = 0;
	} else {
		take_traffic_back(p);
	}
	p->st->target = p->m->revision;
	begin(p);
	if (undo)
		plan_step_enter(p, (int)p->m->nsteps);
	plan_event(p, false, "ReleaseStarted",
	           undo ? arena_printf(p->arena,
	                               "%s without steps: it was stable within "
	                               "undoWindow",
	                               began_text(p))
	                : began_text(p));
}

void plan_restart(struct planner *p)
{
	struct mdep_revision_status *r = mdep_revision_find(p->st, p->st->target);

	if (r)
		r->result = "";
	begin(p);
	plan_event(p, false, "ReleaseStarted", began_text(p));
}

void plan_return_to(struct planner *p, const char *revision)
{
	take_traffic_back(p);
	p->st->target = revision;
	begin(p);
	plan_step_enter(p, (int)p->m->nsteps);
}

/* The wish is the revision that serves already. */
static void go_home(struct planner *p)
{
	struct mdep_status *st = p->st;

	if (plan_releasing(p)) {
		plan_give_back(p, "Superseded", "ReleaseSuperseded",
		               arena_printf(p->arena,
		                            "spec names revision %s again, which serves already",
		                            st->stable));
		plan_event(p, false, "ReleaseSuperseded",
		           arena_printf(p->arena, "revision %s gives way to %s", st->target,
		                        st->stable));
		return;
	}
	if (st->phase == ROLLOUT_ROLLED_BACK || st->phase == ROLLOUT_ABORTED) {
		st->phase = ROLLOUT_IDLE;
		st->target = st->stable;
		st->reason = st->message = "";
		plan_tracks(p);
	}
}

/*
 * The plan of steps was changed under a running release: it goes on at the first step that does not
 * take weight back. Its hold starts anew, because nobody has yet held that step's terms.
 */
static void follow_steps(struct planner *p)
{
	struct mdep_status *st = p->st;
	int weight = st->weight > st->verified_weight ? st->weight : st->verified_weight;
	bool paused = st->phase == ROLLOUT_PAUSED, past;

	if (str_eq(st->steps_hash, str_or(p->m->steps_hash, "")))
		return;
	st->steps_hash = str_or(p->m->steps_hash, "");
	past = st->step >= st->nsteps;
	st->nsteps = (int)p->m->nsteps;
	if (plan_first(p) || past || st->phase == ROLLOUT_COMPLETING) {
		st->step = (int)p->m->nsteps;
		return;
	}
	plan_step_enter(p, plan_step_for(p->m, weight));
	if (paused) {
		st->paused_from = ROLLOUT_MOVING;
		st->phase = ROLLOUT_PAUSED;
	}
}

/*
 * A release that only waits for old pods to leave has passed every step and carries everything, and
 * the old revision has few pods left. So it is promoted, and the next one starts from it; going
 * back to the revision that was stable until now needs no steps, only capacity.
 */
static void overtake(struct planner *p)
{
	const char *was = p->st->stable;

	plan_promote(p);
	start_release(p);
	if (str_eq(p->m->revision, was))
		plan_step_enter(p, (int)p->m->nsteps);
}

/*
 * A version that is superseded in mid-release carries its share until stable has the pods for it;
 * only then the next one begins. Its pods would have to wait for those of stable anyway.
 */
static bool gives_way_first(struct planner *p)
{
	bool back = p->st->phase == ROLLOUT_ROLLING_BACK;

	if (plan_first(p) || !(back || plan_releasing(p)))
		return false;
	plan_arithmetic(p);
	if (plan_weight_back(p) <= 0)
		return false;
	if (back)
		return true;
	supersede(p);
	plan_give_back(p, "Superseded", "ReleaseSuperseded",
	               arena_printf(p->arena,
	                            "spec names revision %s: %s carries its share until %s has the "
	                            "pods for it",
	                            p->m->revision, p->st->target, p->st->stable));
	return true;
}

void plan_detect(struct planner *p)
{
	struct mdep_status *st = p->st;
	const char *wish = p->m->revision;

	if (!str_empty(st->return_to) && !str_eq(st->return_from, wish))
		plan_return_forget(p);
	if (plan_returning(p))
		return;
	if (st->phase == ROLLOUT_COMPLETING && !str_eq(wish, st->target)) {
		overtake(p);
		return;
	}
	if (st->stable && str_eq(wish, st->stable)) {
		go_home(p);
		return;
	}
	if (!st->target || !str_eq(wish, st->target) || st->phase == ROLLOUT_IDLE) {
		if (!gives_way_first(p))
			start_release(p);
	} else if (plan_releasing(p)) {
		follow_steps(p);
	}
}

void plan_promote(struct planner *p)
{
	struct mdep_status *st = p->st;
	struct mdep_revision_status *r = mdep_revision_find(st, st->target);

	/* Whatever had become of it before, if people went back to it. */
	if (r) {
		r->result = "Promoted";
		r->retired_ms = 0;
	}
	if (plan_returning(p)) {
		plan_returned(p);
		return;
	}
	r = mdep_revision_find(st, st->stable);
	if (r)
		r->retired_ms = p->now;
	st->previous = st->stable;
	st->promoted_ms = p->now;
	st->stable = st->target;
	st->phase = ROLLOUT_IDLE;
	st->step = (int)p->m->nsteps;
	st->weight = st->verified_weight = 0; /* a canary's, and there is none any more */
	st->hold_until_ms = 0;
	st->finished_ms = p->now;
	st->reason = "Promoted";
	st->message = "";
	plan_event(p, false, "Promoted",
	           arena_printf(p->arena, "revision %s, model version %s, is stable%s", st->target,
	                        plan_model_version(p, st->target), plan_score_words(p)));
	plan_score_clear(p);
	plan_tracks(p);
}
