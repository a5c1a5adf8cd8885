/*
 * spec.takeOver: a Deployment serves, and its place is taken without a request lost. Its route is
 * not touched until all pods of the ModelDeployment are in service, because a first release would
 * move everything to the first of them. Once the gateway accepts the route with our Services,
 * requests under way are given the drain's time, and then the Deployment is scaled to 0; it is
 * never deleted, so that the way back is one `kubectl scale` and one edit of the route.
 *
 * Condition TakenOver is the memory: False while nothing was moved, Unknown from the moment on at
 * which the route carried us, True when the Deployment has no pods. Nothing is done twice: scaled
 * up by somebody afterwards it is only told of.
 */
#include "plan_internal.h"
#include "tidegate/base/str.h"

#define TAKEN_OVER "TakenOver"
#define SETTLE_MS  5000

static const struct mdep_condition *memory(const struct planner *p)
{
	return mdep_condition_get(p->before, TAKEN_OVER);
}

static bool has_moved(const struct planner *p)
{
	const struct mdep_condition *c = memory(p);

	return c && !str_eq(c->status, "False");
}

/* What makes it unsafe to begin; NULL: nothing. *reason is the condition's. */
static const char *obstacle(struct planner *p, const char **reason)
{
	const struct rollout_takeover *t = &p->s->takeover;

	if (!t->known) {
		*reason = "CannotRead";
		return str_or(t->trouble, "Deployments are not read yet");
	}
	if (t->exists && t->controller) {
		*reason = "Controlled";
		return arena_printf(p->arena,
		                    "Deployment %s belongs to %s, which would scale it up again: "
		                    "remove that first",
		                    p->m->take_over, t->controller);
	}
	if (t->exists && t->available > p->m->replicas) {
		*reason = "TooFewPods";
		return arena_printf(p->arena,
		                    "%d pods of Deployment %s carry the requests, spec.replicas is "
		                    "%d: raise it, or scale the Deployment down first",
		                    t->available, p->m->take_over, p->m->replicas);
	}
	return NULL;
}

static int in_service(const struct planner *p)
{
	return p->tracks[TRACK_STABLE].in_service + p->tracks[TRACK_TARGET].in_service;
}

/*
 * When the youngest pod has served for a while. The route names all cells in one write, and a
 * gateway that lags behind in one of them would answer 503 for it; here nobody is in a hurry.
 */
static int64_t settled_ms(const struct planner *p)
{
	int64_t last = 0;

	for (unsigned i = 0; i < p->ncells; i++)
		for (unsigned j = 0; j < p->cells[i].npods; j++) {
			int64_t since = p->cells[i].pods[j].pod->ready_since_ms;

			/* A time that lies ahead is another clock's and says nothing. */
			if (since > last && since <= p->now)
				last = since;
		}
	return last + SETTLE_MS;
}

/* What is waited for before the route moves; NULL: nothing. */
static const char *waiting(struct planner *p)
{
	if (in_service(p) < p->m->replicas)
		return arena_printf(p->arena,
		                    "the route stays as it is until all %d pods are in service",
		                    p->m->replicas);
	if (p->now >= settled_ms(p))
		return NULL;
	plan_wake(p, settled_ms(p));
	return "all pods are in service, the gateway gets a moment to hear of the last one";
}

bool plan_takeover_holds(struct planner *p)
{
	const char *reason;

	if (!p->m->take_over || has_moved(p))
		return false;
	return obstacle(p, &reason) || waiting(p);
}

/* The route is accepted, and it names our Services. */
static bool route_is_ours(const struct planner *p)
{
	return p->s->traffic.in_force && p->s->traffic.nweights > 0;
}

static void before_moving(struct planner *p)
{
	const char *reason = "PodsNotReady";
	const char *text = obstacle(p, &reason);
	const struct mdep_condition *c = memory(p);

	if (!text)
		text = waiting(p);
	if (!text && route_is_ours(p)) {
		plan_condition(
			p, TAKEN_OVER, "Unknown", "Draining",
			"the route carries Tidegate's pods; requests under way are waited for");
		plan_wake(p, p->now + p->m->drain_ms);
		return;
	}
	if (!text) {
		reason = "MovingTraffic";
		text = "waiting for the gateway to accept the route";
	}
	if (str_eq(reason, "Controlled") || str_eq(reason, "TooFewPods"))
		if (!c || !str_eq(c->message, text))
			plan_event(p, true, "TakeOverRefused", text);
	plan_condition(p, TAKEN_OVER, "False", reason, text);
}

static void after_moving(struct planner *p, const struct mdep_condition *c)
{
	const struct rollout_takeover *t = &p->s->takeover;
	int64_t due = c->transition_ms + p->m->drain_ms;

	if (!t->known)
		return;
	if (t->exists && p->now < due) {
		plan_wake(p, due);
	} else if (t->exists && t->replicas > 0) {
		p->out->retire = p->m->take_over;
		plan_condition(p, TAKEN_OVER, "Unknown", "ScalingDown",
		               arena_printf(p->arena, "Deployment %s goes from %d pods to 0",
		                            p->m->take_over, t->replicas));
		plan_event(
			p, false, "DeploymentScaledDown",
			arena_printf(p->arena,
		                     "the route carries Tidegate's pods: Deployment %s goes from "
		                     "%d pods to 0",
		                     p->m->take_over, t->replicas));
	} else if (!t->exists || !t->pods) {
		plan_condition(p, TAKEN_OVER, "True", "Done",
		               arena_printf(p->arena, "Deployment %s has no pods any more",
		                            p->m->take_over));
		plan_event(p, false, "TakenOver",
		           arena_printf(p->arena, "Deployment %s was taken over", p->m->take_over));
	}
}

void plan_takeover(struct planner *p)
{
	const struct mdep_condition *c = memory(p);
	const struct rollout_takeover *t = &p->s->takeover;

	if (!p->m->take_over)
		return;
	if (!has_moved(p))
		before_moving(p);
	else if (!str_eq(c->status, "True"))
		after_moving(p, c);
	else if (t->known && t->exists && t->replicas > 0)
		plan_condition(
			p, TAKEN_OVER, "True", "DeploymentScaledUp",
			arena_printf(p->arena,
		                     "Deployment %s shall have %d pods again, which the route "
		                     "does not name: scale it to 0 or delete it",
		                     p->m->take_over, t->replicas));
	else
		plan_condition(p, TAKEN_OVER, "True", "Done",
		               arena_printf(p->arena, "Deployment %s has no pods any more",
		                            p->m->take_over));
}
