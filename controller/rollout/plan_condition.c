/* What the plan says about itself: counts, message, conditions (kstatus). */
#include <inttypes.h>

#include "plan_internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

void plan_counts(struct planner *p)
{
	const struct track_view *t = p->tracks;
	struct mdep_status *st = p->st;

	st->replicas = t[TRACK_STABLE].live + t[TRACK_TARGET].live + t[TRACK_STRAY].live;
	st->ready_replicas = t[TRACK_STABLE].ready + t[TRACK_TARGET].ready +
	                     t[TRACK_TARGET].warming + t[TRACK_STRAY].ready;
	st->stable_replicas = t[TRACK_STABLE].live;
	st->updated_replicas =
		t[TRACK_TARGET].revision ? t[TRACK_TARGET].live : t[TRACK_STABLE].live;
}

/* --- message of the phase ---------------------------------------------------------------- */

static const char *failure(const struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].cell && p->cells[i].cell->failure && p->cells[i].goal > 0)
			return p->cells[i].cell->failure;
	return NULL;
}

/* "step 2 of 4: 25 %" */
static const char *where(struct planner *p)
{
	if (p->st->step >= (int)p->m->nsteps)
		return "last step: 100 %";
	return arena_printf(p->arena, "step %d of %u: %d %%", p->st->step + 1, p->m->nsteps,
	                    plan_step_weight(p->m, p->st->step));
}

static const char *room_text(struct planner *p)
{
	if (p->surge == p->max_surge)
		return "";
	return arena_printf(p->arena, ", room for %d of maxSurge %d", p->surge, p->max_surge);
}

static const char *pods_text(struct planner *p)
{
	const struct track_view *t = &p->tracks[TRACK_TARGET];

	if (p->goals.new_goal < p->in.capacity)
		return arena_printf(p->arena,
		                    "%d of %d new pods ready (capacity %d is more than maxSurge %d "
		                    "and maxUnavailable %d have room for)",
		                    t->in_service, p->goals.new_goal, p->in.capacity, p->max_surge,
		                    p->unavailable);
	if (t->warming)
		return arena_printf(p->arena, "%d of %d new pods ready, %d warming up%s",
		                    t->in_service, p->goals.new_goal, t->warming, room_text(p));
	return arena_printf(p->arena, "%d of %d new pods ready%s", t->in_service, p->goals.new_goal,
	                    room_text(p));
}

static const char *waiting_text(struct planner *p)
{
	const char *why = failure(p);

	if (p->m->replicas <= 0)
		return "waiting: spec.replicas is 0";
	if (why)
		return arena_printf(p->arena, "%s; pods cannot be made: %s", pods_text(p), why);
	if (!plan_verified(p))
		return arena_printf(p->arena, "%d %% is not in force yet: %s", p->st->weight,
		                    str_or(p->doubt, "just asked for"));
	if (p->tracks[TRACK_TARGET].in_service < p->goals.new_goal)
		return arena_printf(p->arena, "now %d %%, %s", p->st->weight, pods_text(p));
	return arena_printf(p->arena, "now %d %%", p->st->weight);
}

static const char *moving_text(struct planner *p)
{
	if (plan_first(p))
		return arena_printf(p->arena, "first release: %s",
		                    p->m->replicas > 0 ? pods_text(p) : waiting_text(p));
	if (plan_returning(p))
		return arena_printf(p->arena, "returning to revision %s, %s", p->st->target,
		                    waiting_text(p));
	return arena_printf(p->arena, "%s, %s", where(p), waiting_text(p));
}

static const char *holding_text(struct planner *p)
{
	char until[CLOCK_RFC3339_MAX];

	if (p->note)
		return p->note;
	if (p->st->hold_until_ms <= p->now)
		return where(p);
	clock_format(p->st->hold_until_ms, until);
	return arena_printf(p->arena, "%s, holding until %s", where(p), until);
}

static const char *completing_text(struct planner *p)
{
	return arena_printf(p->arena, "100 %% on revision %s, %d pods of %s are leaving",
	                    p->st->target, p->tracks[TRACK_STABLE].count, p->st->stable);
}

/* A rollback's message says why; how far it is stands in the counts. */
static const char *phase_text(struct planner *p)
{
	switch (p->st->phase) {
	case ROLLOUT_MOVING:
		return moving_text(p);
	case ROLLOUT_HOLDING:
		return holding_text(p);
	case ROLLOUT_APPROVAL:
		if (p->note)
			return p->note;
		return arena_printf(p->arena, "%s, waiting for approval (promote)", where(p));
	case ROLLOUT_PAUSED:
		return arena_printf(p->arena, "%s, paused by order at %d %%", where(p),
		                    p->st->weight);
	case ROLLOUT_COMPLETING:
		return completing_text(p);
	case ROLLOUT_ROLLING_BACK:
	case ROLLOUT_ROLLED_BACK:
	case ROLLOUT_ABORTED:
		return str_or(p->st->message, "");
	default:
		return "";
	}
}

void plan_message(struct planner *p)
{
	p->st->message = phase_text(p);
	if (plan_releasing(p))
		p->st->reason =
			p->m->replicas > 0 ? rollout_phase_name(p->st->phase) : PLAN_SCALED_TO_ZERO;
}

/* --- conditions -------------------------------------------------------------------------- */

void plan_condition(struct planner *p, const char *type, const char *status, const char *reason,
                    const char *message)
{
	mdep_condition_set(p->st, type, status, reason, message, p->m->meta.generation, p->now);
}

/* When the first pod in service became ready; now, when none is. */
static int64_t first_ready_ms(const struct planner *p)
{
	int64_t first = p->now;

	for (unsigned i = 0; i < p->ncells; i++)
		for (unsigned j = 0; j < p->cells[i].npods; j++) {
			const struct pod_view *v = &p->cells[i].pods[j];

			if (v->class == CLASS_READY && v->pod->ready_since_ms < first)
				first = v->pod->ready_since_ms;
		}
	return first;
}

/* From when on the route should be in force: nobody asks for one before a pod is ready. */
static int64_t traffic_due_ms(const struct planner *p)
{
	int64_t changed = plan_route_changed_ms(p);
	int64_t ready = p->s->traffic.exists ? 0 : first_ready_ms(p);

	return (changed > ready ? changed : ready) + PLAN_TRAFFIC_GRACE_MS;
}

/* A route is out of force for a moment after each change of ours: only longer is worth a word. */
static bool traffic_failing(const struct planner *p)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (!t->managed)
		return false;
	if (t->problem)
		return true;
	return !(t->exists && t->in_force) && p->now >= traffic_due_ms(p);
}

static const char *traffic_problem(const struct planner *p)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (t->problem)
		return t->problem;
	return t->exists ? "the gateway has not accepted the route" : "there is no route yet";
}

static void traffic_condition(struct planner *p)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (!t->managed)
		plan_condition(p, "TrafficInForce", "True", "ReplicaRatio",
		               "shares follow the pods");
	else if (traffic_failing(p))
		plan_condition(p, "TrafficInForce", "False", t->exists ? "NotAccepted" : "NoRoute",
		               traffic_problem(p));
	else if (t->exists && t->in_force)
		plan_condition(p, "TrafficInForce", "True", "Accepted",
		               "the gateway accepts the route");
	else if (!mdep_condition_get(p->st, "TrafficInForce"))
		plan_condition(p, "TrafficInForce", "Unknown", "Pending",
		               "the route was not answered yet");
	if (t->managed && !traffic_failing(p) && !(t->exists && t->in_force))
		plan_wake(p, traffic_due_ms(p));
}

static void ready_condition(struct planner *p)
{
	const struct track_view *t = p->tracks;
	int ready = t[TRACK_STABLE].in_service + t[TRACK_TARGET].in_service;
	int floor = p->m->replicas - p->unavailable;

	if (plan_first(p))
		plan_condition(p, "Ready", "False", "FirstRelease",
		               arena_printf(p->arena, "first release: %s", pods_text(p)));
	else if (plan_takeover_holds(p))
		plan_condition(p, "Ready", "False", "TakeOver",
		               "another still has the requests, see condition TakenOver");
	else if (p->m->replicas <= 0)
		plan_condition(p, "Ready", "True", PLAN_SCALED_TO_ZERO, "spec.replicas is 0");
	else if (ready < floor || ready <= 0)
		plan_condition(p, "Ready", "False", "PodsNotReady",
		               arena_printf(p->arena, "%d of %d pods ready, at least %d are needed",
		                            ready, p->m->replicas, floor > 0 ? floor : 1));
	else if (traffic_failing(p))
		plan_condition(p, "Ready", "False", "TrafficNotInForce", traffic_problem(p));
	else
		plan_condition(p, "Ready", "True", "Available",
		               arena_printf(p->arena, "revision %s, model version %s, serves",
		                            p->st->stable, plan_model_version(p, p->st->stable)));
}

static bool at_spec(const struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (!c->out && (c->count != c->goal || c->in_service < c->goal))
			return false;
	}
	return true;
}

static void reconciling_condition(struct planner *p)
{
	enum rollout_phase ph = p->st->phase;

	if (plan_releasing(p) || ph == ROLLOUT_ROLLING_BACK)
		plan_condition(p, "Reconciling", "True", rollout_phase_name(ph), p->st->message);
	else if (!at_spec(p))
		plan_condition(p, "Reconciling", "True", "Scaling",
		               failure(p) ? failure(p)
		                          : "pods are on the way to what spec asks for");
	else
		plan_condition(p, "Reconciling", "False", "", "");
}

static void stalled_condition(struct planner *p)
{
	if (!p->deadline) {
		plan_condition(p, "Stalled", "False", "", "");
		return;
	}
	if (!mdep_condition_get(p->before, "Stalled"))
		plan_event(p, true, "ProgressDeadlineExceeded", p->st->message);
	plan_condition(p, "Stalled", "True", "ProgressDeadlineExceeded",
	               arena_printf(p->arena, "nothing has moved for %" PRId64 " s, trying on",
	                            p->m->progress_deadline_ms / 1000));
}

static void failed_condition(struct planner *p)
{
	enum rollout_phase ph = p->st->phase;
	const struct mdep_revision_status *r = mdep_revision_find(p->st, p->st->target);

	if (plan_returning(p))
		return; /* plan_slo() said why when it began */
	if (ph == ROLLOUT_ROLLED_BACK || ph == ROLLOUT_ABORTED ||
	    (ph == ROLLOUT_ROLLING_BACK && !(r && str_eq(r->result, "Superseded"))))
		plan_condition(p, "ReleaseFailed", "True", str_or(p->st->reason, "RolledBack"),
		               str_or(p->st->message, ""));
	else
		plan_condition(p, "ReleaseFailed", "False", "None", "");
}

static void honored_condition(struct planner *p)
{
	const struct mdep_finding *f = p->m->findings;

	if (!p->m->nfindings)
		plan_condition(p, "SpecHonored", "True", "AllFields",
		               "every field of spec is acted on");
	else
		plan_condition(p, "SpecHonored", "False",
		               f->fatal ? "InvalidSpec" : "UnsupportedField",
		               arena_printf(p->arena, "%s: %s", f->path, f->message));
}

/* Said from the first trouble on; without any the condition is not there. */
static void zones_condition(struct planner *p)
{
	const struct rollout_zones *z = &p->s->zones;

	if (z->known && !str_empty(z->text))
		plan_condition(p, "ZonesHealthy", "False",
		               plan_zone_out(p) ? "ZoneOut" : "ZoneInDoubt", z->text);
	else if (mdep_condition_get(p->st, "ZonesHealthy"))
		plan_condition(p, "ZonesHealthy", "True", "AllZones", "every zone answers");
}

/* As for zones: said from the first trouble on. */
static void names_condition(struct planner *p)
{
	const struct mdep_condition *c = mdep_condition_get(p->st, "NamesFree");
	const char *text;

	if (p->s->taken) {
		text = arena_printf(p->arena,
		                    "not made by Tidegate, and left alone: %s. Remove or rename "
		                    "it, or give the ModelDeployment another name",
		                    p->s->taken);
		if (!c || !str_eq(c->message, text))
			plan_event(p, true, "NameTaken", text);
		plan_condition(p, "NamesFree", "False", "NameTaken", text);
	} else if (c) {
		plan_condition(p, "NamesFree", "True", "AllOurs", "every name is Tidegate's");
	}
}

/* A revision that still has pods and whose pod template is not known any more: nobody can mend it.
 */
static const char *edited_revision(const struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (plan_template_edited(c) && c->count > 0 && !str_eq(c->revision, p->m->revision))
			return c->revision;
	}
	return NULL;
}

static void templates_condition(struct planner *p)
{
	const struct mdep_condition *c = mdep_condition_get(p->st, "TemplatesIntact");
	const char *revision = edited_revision(p);
	const char *text;

	if (revision) {
		text = arena_printf(p->arena,
		                    "somebody changed the pod template in a ReplicaSet of revision "
		                    "%s, which spec does not name: its new pods have what is "
		                    "there now. Undo the edit, or release a revision over it",
		                    revision);
		if (!c || !str_eq(c->message, text))
			plan_event(p, true, "ReplicaSetEdited", text);
		plan_condition(p, "TemplatesIntact", "False", "TemplateEdited", text);
	} else if (c) {
		plan_condition(p, "TemplatesIntact", "True", "AsWritten",
		               "pod templates are as Tidegate wrote them");
	}
}

void plan_conditions(struct planner *p)
{
	zones_condition(p);
	names_condition(p);
	templates_condition(p);
	plan_takeover(p);
	traffic_condition(p);
	ready_condition(p);
	reconciling_condition(p);
	stalled_condition(p);
	failed_condition(p);
	honored_condition(p);
	plan_judgement_conditions(p);
	plan_slo_condition(p);
	plan_wait_condition(p);
}

/* Hands off: what runs goes on running, and only this is said. */
void plan_conditions_frozen(struct planner *p, const struct mdep_finding *fatal)
{
	const struct mdep_condition *old = mdep_condition_get(p->before, "Stalled");
	const char *text;

	traffic_condition(p);
	ready_condition(p);
	failed_condition(p);
	honored_condition(p);
	if (!fatal) {
		plan_condition(p, "Stalled", "False", "", "");
		plan_condition(p, "Reconciling", "True", "Paused",
		               "spec.paused is set: nothing is changed until it is taken away");
		return;
	}
	text = arena_printf(p->arena, "%s: %s", fatal->path, fatal->message);
	if (!old || !str_eq(old->reason, "InvalidSpec") || !str_eq(old->message, text))
		plan_event(p, true, "SpecInvalid", text);
	plan_condition(p, "Reconciling", "False", "", "");
	plan_condition(p, "Stalled", "True", "InvalidSpec", text);
}
