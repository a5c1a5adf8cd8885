/*
 * Human orders: annotations copied into status once, with their outcome. An order is bound to the
 * revision that is being released when it is first seen; repeating a manifest repeats nothing.
 */
#include <string.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

struct order {
	struct mdep_order_status *record;
	char word[128]; /* the value without "#anything" */
};

static struct mdep_order_status *new_record(struct planner *p, enum mdep_verb verb)
{
	struct mdep_order_status *r = mdep_order_find(p->st, verb);

	_Static_assert(ORDER_VERBS <= MDEP_ORDERS_MAX, "one record a verb");
	if (!r && p->st->norders == MDEP_ORDERS_MAX)
		r = &p->st->orders[MDEP_ORDERS_MAX - 1];
	if (!r)
		r = &p->st->orders[p->st->norders++];
	*r = (struct mdep_order_status){.verb = verb,
	                                .value = mdep_order_value(p->m, verb),
	                                .revision = str_or(p->st->target, ""),
	                                .time_ms = p->now};
	return r;
}

/* Events are told when something about the order has changed, not on every pass. */
static void settle(struct planner *p, struct order *o, const char *outcome, const char *message)
{
	struct mdep_order_status *r = o->record;
	bool changed = !str_eq(r->outcome, outcome) || !str_eq(r->message, message);
	bool ignored = str_eq(outcome, "Ignored");

	r->outcome = outcome;
	r->message = message;
	if (changed)
		plan_event(p, ignored, ignored ? "OrderIgnored" : "OrderAccepted",
		           arena_printf(p->arena, "%s %s: %s", mdep_verb_name(r->verb), r->value,
		                        message));
}

static void done(struct planner *p, struct order *o, const char *message)
{
	settle(p, o, "Done", message);
}

static void ignored(struct planner *p, struct order *o, const char *message)
{
	settle(p, o, "Ignored", message);
}

static bool names(const struct planner *p, const struct order *o, const char *revision)
{
	if (str_empty(revision))
		return false;
	return str_eq(o->word, revision) || str_eq(o->word, plan_model_version(p, revision));
}

static bool names_target(const struct planner *p, const struct order *o)
{
	return names(p, o, p->st->target) || str_eq(o->word, "true") || str_eq(o->word, "now");
}

static const char *not_this(struct planner *p, const struct order *o)
{
	return arena_printf(p->arena, "names \"%s\", but revision %s (model version %s) is current",
	                    o->word, p->st->target, plan_model_version(p, p->st->target));
}

/* Whoever says "now" means it, however few pods stable has. */
static void return_to_stable(struct planner *p, const struct order *o, const char *reason)
{
	bool now = str_eq(o->word, "now");
	const char *text = arena_printf(p->arena, "by order %s: traffic returns to revision %s%s",
	                                mdep_verb_name(o->record->verb), p->st->stable,
	                                now ? "" : " as its pods can carry it");

	if (now)
		plan_rollback(p, "Aborted", reason, text);
	else
		plan_give_back(p, "Aborted", reason, text);
}

/* What stands in the way of going back, NULL when nothing does. */
static const char *cannot_return(const struct planner *p)
{
	if (p->st->phase == ROLLOUT_COMPLETING)
		return "the release is complete but for the old pods: release the old model "
		       "version instead";
	if (!plan_releasing(p))
		return "nothing is being released";
	if (plan_returning(p) && !str_eq(p->st->stable, p->m->revision))
		return "a return to a kept revision is under way, and neither spec's revision nor "
		       "the stable one is what it is about: change spec";
	return plan_first(p) ? "this is the first release, there is nothing to return to" : NULL;
}

static void order_abort(struct planner *p, struct order *o)
{
	const char *why = cannot_return(p);

	if (why)
		ignored(p, o, why);
	else if (!names_target(p, o))
		ignored(p, o, not_this(p, o));
	else {
		return_to_stable(p, o, "Aborted");
		done(p, o, "traffic returns to the stable revision");
	}
}

static bool can_pause(const struct planner *p)
{
	return p->st->phase == ROLLOUT_MOVING || p->st->phase == ROLLOUT_HOLDING ||
	       p->st->phase == ROLLOUT_APPROVAL;
}

static void order_pause(struct planner *p, struct order *o)
{
	if (p->st->phase == ROLLOUT_PAUSED)
		ignored(p, o, "it is paused already");
	else if (!can_pause(p) || plan_first(p))
		ignored(p, o, "nothing is being released step by step");
	else if (!names_target(p, o))
		ignored(p, o, not_this(p, o));
	else {
		p->st->paused_from = p->st->phase;
		p->st->phase = ROLLOUT_PAUSED;
		done(p, o, "steps and weights stand still until resume");
	}
}

static void order_resume(struct planner *p, struct order *o)
{
	if (p->st->phase != ROLLOUT_PAUSED)
		ignored(p, o, "it is not paused");
	else if (!names_target(p, o))
		ignored(p, o, not_this(p, o));
	else {
		p->st->phase =
			p->st->paused_from == ROLLOUT_IDLE ? ROLLOUT_MOVING : p->st->paused_from;
		p->st->paused_from = ROLLOUT_IDLE;
		p->st->progress_ms = p->now;
		done(p, o, "goes on where it was paused");
	}
}

static void rollback_to_stable(struct planner *p, struct order *o)
{
	const char *why = cannot_return(p);

	if (why && !plan_releasing(p))
		why = "it is the stable revision, and nothing is being released";
	if (why)
		ignored(p, o, why);
	else {
		return_to_stable(p, o, "RollbackOrdered");
		done(p, o, "traffic returns to the stable revision");
	}
}

static void order_rollback_to(struct planner *p, struct order *o)
{
	const char *to =
		names(p, o, p->st->stable) ? p->st->stable : plan_kept_revision(p, o->word);
	const char *why = to ? plan_cannot_return_to(p, to) : NULL;

	if (!to)
		ignored(p, o,
		        arena_printf(p->arena, "no ReplicaSet of \"%s\" is kept; there are: %s",
		                     o->word, plan_kept_text(p)));
	else if (str_eq(to, p->st->stable))
		rollback_to_stable(p, o);
	else if (why)
		ignored(p, o, why);
	else if (p->st->phase == ROLLOUT_ROLLING_BACK)
		settle(p, o, "Pending", "takes effect when the rollback has finished");
	else
		done(p, o, plan_return_ordered(p, to));
}

static void order_retry(struct planner *p, struct order *o)
{
	enum rollout_phase ph = p->st->phase;

	if (ph != ROLLOUT_ROLLED_BACK && ph != ROLLOUT_ABORTED && ph != ROLLOUT_ROLLING_BACK)
		ignored(p, o, "no release has failed");
	else if (!names_target(p, o) || !str_eq(p->st->target, p->m->revision))
		ignored(p, o, not_this(p, o));
	else if (ph == ROLLOUT_ROLLING_BACK)
		settle(p, o, "Pending", "takes effect when the rollback has finished");
	else {
		plan_restart(p);
		done(p, o, "the release starts again at its first step");
	}
}

static void promote_full(struct planner *p, struct order *o)
{
	if (p->st->step < (int)p->m->nsteps)
		plan_step_enter(p, (int)p->m->nsteps);
	done(p, o, "all remaining steps are skipped");
}

static void promote_next(struct planner *p, struct order *o)
{
	if (p->st->phase == ROLLOUT_MOVING) {
		settle(p, o, "Pending", "takes effect on arriving at the current step");
		return;
	}
	plan_step_enter(p, p->st->step + 1);
	done(p, o, "the step is complete");
}

static void order_promote(struct planner *p, struct order *o)
{
	bool full = str_eq(o->word, "full");
	bool bound = str_eq(o->record->revision, str_or(p->st->target, ""));

	if (!plan_releasing(p) || p->st->phase == ROLLOUT_COMPLETING || plan_first(p))
		ignored(p, o, "no step is waiting: nothing is being released step by step");
	else if (!bound || (!full && !str_eq(o->word, "next") && !names(p, o, p->st->target)))
		ignored(p, o, not_this(p, o));
	else if (p->st->phase == ROLLOUT_PAUSED)
		settle(p, o, "Pending", "paused: takes effect after resume");
	else if (full)
		promote_full(p, o);
	else
		promote_next(p, o);
}

/* What becomes of them is decided with the zones (failover/zone.h), before this plan. */
static void order_zone(struct planner *p, struct order *o)
{
	const struct rollout_answer *a =
		o->record->verb == ORDER_EVACUATE ? &p->s->zones.evacuate : &p->s->zones.give_back;

	if (a->outcome)
		settle(p, o, a->outcome, a->message);
	else
		ignored(p, o,
		        "zones are left by weights: give spec.traffic a driver that knows zones "
		        "and spec.zones two zones or more");
}

static void (*const carry_out[ORDER_VERBS])(struct planner *, struct order *) = {
	[ORDER_ABORT] = order_abort,   [ORDER_PAUSE] = order_pause,
	[ORDER_RESUME] = order_resume, [ORDER_ROLLBACK_TO] = order_rollback_to,
	[ORDER_RETRY] = order_retry,   [ORDER_PROMOTE] = order_promote,
	[ORDER_RETURN] = order_zone,   [ORDER_EVACUATE] = order_zone,
};

static void order_prepare(struct order *o, struct mdep_order_status *record)
{
	o->record = record;
	mdep_order_word(record->value, o->word, sizeof(o->word));
}

/* The annotation is gone: the same value counts as a new order when it comes back. */
static void withdraw(struct planner *p, struct mdep_order_status *r)
{
	if (str_eq(r->outcome, "Pending")) {
		r->outcome = "Ignored";
		r->message = "withdrawn before it took effect";
		plan_event(p, true, "OrderIgnored",
		           arena_printf(p->arena, "%s %s: withdrawn before it took effect",
		                        mdep_verb_name(r->verb), r->value));
	}
	r->value = "";
}

void plan_orders(struct planner *p)
{
	for (int v = 0; v < ORDER_VERBS; v++) {
		const char *value = mdep_order_value(p->m, v);
		struct mdep_order_status *r = mdep_order_find(p->st, (enum mdep_verb)v);
		struct order o;

		if (str_empty(value)) {
			if (r && !str_empty(r->value))
				withdraw(p, r);
			continue;
		}
		if (!mdep_order_is_due(p->m, p->st, (enum mdep_verb)v))
			continue;
		if (!r || !str_eq(r->value, value))
			r = new_record(p, (enum mdep_verb)v);
		order_prepare(&o, r);
		carry_out[v](p, &o);
	}
}

bool plan_order_arrived(struct planner *p)
{
	struct mdep_order_status *r = mdep_order_find(p->st, ORDER_PROMOTE);
	struct order o;

	if (!r || !str_eq(r->outcome, "Pending") || !str_eq(r->revision, p->st->target))
		return false;
	order_prepare(&o, r);
	done(p, &o, "the step is complete");
	return true;
}
