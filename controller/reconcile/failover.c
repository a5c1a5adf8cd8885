/*
 * What the probes of a ModelDeployment's pods say about its zones, and what follows from it. The
 * probes are those of the readiness gate (gate.c): the model's own answer, once a second. What
 * counts is what all replicas of the operator see (failover/tally.h).
 */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/tally.h"
#include "tidegate/failover/zone.h"
#include "tidegate/traffic/driver.h"

#define TEXT_MAX 512

static const struct {
	const char *reason, *note;
} notes[] = {
	{"ZoneImpaired",
         "its pods do not answer; it is not left, because spec.failover.mode is Manual"},
	{"ClientsServed",
         "its pods do not answer the operator, but they answer clients: it is not left"},
	{"ZoneEvacuating", "its pods do not answer, traffic leaves it"},
	{"ZoneEvacuated", "it gets no more traffic"},
	{"ModelBadInZone",
         "this model's pods do not answer, others' do: its traffic leaves the zone"},
	{"ZonesDisagree", "models want to leave different zones at once: weights stay as they are"},
	{"ZonesFrozen", "it does not answer, and no other is healthy: weights stay as they are"},
	{"AnotherZoneIsOut", "it does not answer, but another zone is out already"},
	{"CapacityShortfall",
         "it does not answer; the others cannot carry all of it yet, what they can was taken away"},
	{"ZoneRecovering", "it answers again"},
	{"ZoneRelapsed", "it fails again, traffic leaves it"},
	{"ZoneHealthy", "it has its whole part of the traffic again"},
	{"ZoneOrderedOut", "traffic leaves it, because people want it out"},
	{"ZoneOrderPartial",
         "people want it out, but the others cannot carry all of it yet: a part was taken away"},
	{"ZoneOrderRefused", "people want it out, but what is left could not carry its traffic"},
	{"ZoneOrderOver", "the time of the order to keep it out is over"},
};

void failover_probed(struct mdep_operator *op, const struct pod *p, unsigned failures)
{
	if (!failures || failures >= MODEL_PROBE_CONFIRM)
		operator_enqueue_pod(op, p);
}

/* Wall time of an instant of the monotonic clock, as far as it still matters. */
static int64_t to_wall(int64_t mono_ms, int64_t now_ms)
{
	return mono_ms ? now_ms - (clock_mono_ms() - mono_ms) : 0;
}

static bool in_service(const struct pod *p)
{
	return p->ready && !p->leaving_since_ms && pod_is_in_service(p);
}

/* Where nobody can ask for the model, a pod counts while its kubelet says that it is ready. */
static void add_unprobed(const struct pod *p, struct zone_facts *f)
{
	if (p->gate_model_ready_set || !in_service(p))
		return;
	f->pods++;
	f->ready++;
	if (f->pods == 1 || (f->good_since_ms && p->ready_since_ms > f->good_since_ms))
		f->good_since_ms = p->ready_since_ms;
}

/*
 * A pod that never answered is not an outage but a start; or, without a gate of ours, one that
 * cannot be asked at all.
 */
static void add_pod(struct mdep_operator *op, const struct pod *p, int64_t now_ms,
                    struct zone_facts *f)
{
	struct model_probe_state s;
	int64_t good;

	if (!gate_state(op->gate, p, &s) || !s.passed_once) {
		add_unprobed(p, f);
		return;
	}
	good = to_wall(s.good_since_ms, now_ms);
	f->pods++;
	f->shaky += s.failures > 0;
	f->failing += s.failures >= MODEL_PROBE_CONFIRM;
	f->served +=
		s.failures >= MODEL_PROBE_CONFIRM && s.silent && witness_serves(op->witness, p);
	f->ready += !s.failures && in_service(p);
	if (f->pods == 1 || !good || (f->good_since_ms && good > f->good_since_ms))
		f->good_since_ms = good;
}

static void add_pods(struct mdep_operator *op, const struct replicaset *rs, int64_t now_ms,
                     struct zone_facts *f, int *serving)
{
	const struct store *pods = &op->stores[CACHE_POD];
	const struct object *o;

	for (o = store_next_owned(pods, rs->meta.uid, NULL); o;
	     o = store_next_owned(pods, rs->meta.uid, o)) {
		const struct pod *p = (const struct pod *)o;

		/* One that leaves may have gone already, as far as a late watch can tell. */
		if (p->meta.deleted_ms || p->leaving_since_ms)
			continue;
		*serving += in_service(p);
		add_pod(op, p, now_ms, f);
	}
}

void failover_look(struct mdep_operator *op, const struct mdep *m, int64_t now_ms,
                   struct zone_facts *facts, int *serving)
{
	const struct store *sets = &op->stores[CACHE_REPLICASET];
	const struct object *o;

	for (unsigned i = 0; i < m->nzones; i++) {
		facts[i] = (struct zone_facts){.name = m->zones[i].name};
		serving[i] = 0;
	}
	for (o = store_next_owned(sets, m->meta.uid, NULL); o;
	     o = store_next_owned(sets, m->meta.uid, o)) {
		const struct replicaset *rs = (const struct replicaset *)o;

		/* None is wanted: those that are still seen may have gone, as far as a late watch
		 * can tell. */
		for (unsigned i = 0; i < m->nzones && rs->revision && rs->replicas; i++)
			if (str_eq(rs->zone, facts[i].name))
				add_pods(op, rs, now_ms, &facts[i], &serving[i]);
	}
}

/* What all observers make of m's zones; facts stays as our own probes have it. */
static void count_votes(struct mdep_operator *op, struct arena *a, const struct mdep *m,
                        int64_t now_ms, const struct zone_facts *facts, const int *serving,
                        struct tally_input *in, struct tally *out)
{
	*in = (struct tally_input){.mono_ms = clock_mono_ms(),
	                           .now_ms = now_ms,
	                           .model = m->meta.key,
	                           .nzones = m->nzones,
	                           .own = facts,
	                           .serving = serving,
	                           .own_blind = gate_blind(op->gate)};
	voter_read(op->voter, a, in);
	tally_count(in, out);
}

static const char *zone_of_pod(const struct pod *p)
{
	return str_or(p->zone, "");
}

/* Others see the zone better, or somebody sees all that fail there answer clients. */
static bool is_better(const struct zone_facts *all, const struct zone_facts *own)
{
	return all->failing < own->failing || (all->failing && all->served >= all->failing);
}

bool failover_doubts(struct mdep_operator *op, const struct mdep *m, const struct pod *p)
{
	struct zone_facts facts[MDEP_ZONES_MAX];
	int serving[MDEP_ZONES_MAX];
	cleanup_arena struct arena a;
	struct tally_input in;
	struct tally t;

	arena_init(&a, 0); /* released on every way out */
	if (!failover_watches(m))
		return false;
	failover_look(op, m, clock_wall_ms(), facts, serving);
	count_votes(op, &a, m, clock_wall_ms(), facts, serving, &in, &t);
	if (t.blind || gate_blind(op->gate) || witness_serves(op->witness, p))
		return true;
	for (unsigned i = 0; i < m->nzones; i++)
		if (str_eq(facts[i].name, zone_of_pod(p)))
			return is_better(&t.zones[i], &facts[i]);
	return false;
}

bool failover_fails_alone(struct mdep_operator *op, const struct mdep *m, const struct pod *p)
{
	struct zone_facts facts[MDEP_ZONES_MAX];
	int serving[MDEP_ZONES_MAX];

	if (!failover_watches(m))
		return true;
	failover_look(op, m, clock_wall_ms(), facts, serving);
	for (unsigned i = 0; i < m->nzones; i++)
		if (str_eq(facts[i].name, zone_of_pod(p)))
			return facts[i].shaky * 2 <= facts[i].pods;
	return true;
}

static bool in_route(const struct rollout_snapshot *s, const char *zone)
{
	const struct rollout_traffic *t = &s->traffic;

	for (unsigned i = 0; i < t->nweights; i++)
		if (str_eq(t->zones[i], zone) && t->weights[i] > 0)
			return true;
	return !t->in_force;
}

typedef bool set_test(const struct mdep_operator *op, const struct replicaset *rs);

static bool wants_pods(const struct mdep_operator *op, const struct replicaset *rs)
{
	(void)op;
	return rs->replicas > 0;
}

static bool has_pods(const struct mdep_operator *op, const struct replicaset *rs)
{
	const struct store *pods = &op->stores[CACHE_POD];
	const struct object *o;

	for (o = store_next_owned(pods, rs->meta.uid, NULL); o;
	     o = store_next_owned(pods, rs->meta.uid, o))
		if (((const struct pod *)o)->node)
			return true;
	return false;
}

static bool any_set(const struct mdep_operator *op, const struct mdep *m, const char *zone,
                    set_test *test)
{
	const struct store *sets = &op->stores[CACHE_REPLICASET];
	const struct object *o;

	for (o = store_next_owned(sets, m->meta.uid, NULL); o;
	     o = store_next_owned(sets, m->meta.uid, o)) {
		const struct replicaset *rs = (const struct replicaset *)o;

		if (str_eq(rs->zone, zone) && test(op, rs))
			return true;
	}
	return false;
}

bool failover_has_node(const struct mdep_operator *op, const char *zone)
{
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_NODE], &it))) {
		const struct node *n = (const struct node *)o;

		if (n->ready && str_eq(n->zone, zone))
			return true;
	}
	return false;
}

/* Its nodes are asked, when no pod is there to speak for it. */
static bool needs_nodes(const struct mdep *m, const char *zone)
{
	const struct mdep_zone_status *z = mdep_zone_find(&m->status, zone);

	return z && mdep_zone_is_troubled(z);
}

/* It was not left, so its pods are wanted there. */
static bool keeps_traffic(const struct mdep_zone_status *z)
{
	return z->state == ZONE_FROZEN || z->state == ZONE_DEGRADED;
}

/*
 * Asked only of zones that are out or Frozen: all nodes are looked at. Where pods are wanted and
 * none is left, because they wait for cards that others have got, none is to blame.
 */
static bool is_vacant(const struct mdep_operator *op, const struct mdep *m, const char *zone)
{
	const struct mdep_zone_status *z = mdep_zone_find(&m->status, zone);

	if (!needs_nodes(m, zone))
		return false;
	if (any_set(op, m, zone, keeps_traffic(z) ? has_pods : wants_pods))
		return false;
	return failover_has_node(op, zone);
}

void failover_node(struct mdep_operator *op, const struct store_event *ev)
{
	const struct node *was = (const struct node *)ev->previous;
	const struct node *n = (const struct node *)ev->object;
	const struct object *o;
	size_t it = 0;

	if (ev->change == STORE_DELETED || ev->initial || !n->ready || (was && was->ready))
		return;
	while ((o = store_next(&op->stores[CACHE_MDEP], &it)))
		if (needs_nodes(mdep_from(o), n->zone))
			operator_enqueue(op, o->key);
}

static const char *objective_note(struct arena *a, const struct failover_plan *plan,
                                  const struct failover_event *e)
{
	const struct mdep_zone_status *z = failover_plan_zone(plan, e->zone);

	return arena_printf(a, "zone %s: it misses objective %s, which the other zones keep%s%s",
	                    e->zone, z ? str_or(z->objective, "") : "",
	                    e->hindrance ? "; it is not left, because "
	                                 : ": this model's traffic leaves it",
	                    str_or(e->hindrance, ""));
}

static const char *note_of(struct arena *a, const struct failover_plan *plan,
                           const struct failover_event *e)
{
	if (e->hindrance || str_eq(e->reason, "MissesObjective"))
		return objective_note(a, plan, e);
	if (e->worse)
		return arena_printf(a, "zone %s: %s, beside the other zones: traffic leaves it",
		                    e->zone, e->worse);
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (str_eq(e->reason, notes[i].reason))
			return arena_printf(a, "zone %s: %s", e->zone, notes[i].note);
	return e->reason;
}

static void tell(struct arena *a, const struct failover_plan *plan, struct rollout_zones *out)
{
	struct rollout_event *events = arena_array(a, plan->nevents, sizeof(*events));

	for (unsigned i = 0; i < plan->nevents; i++)
		events[i] = (struct rollout_event){.warning = plan->events[i].warning,
		                                   .reason = plan->events[i].reason,
		                                   .note = note_of(a, plan, &plan->events[i])};
	out->events = events;
	out->nevents = plan->nevents;
}

/*
 * Without weights by zone there is nothing that could leave a zone before its pods' readiness does.
 */
bool failover_watches(const struct mdep *m)
{
	const struct traffic_driver *driver = traffic_driver_of(m);

	return m->nzones > 1 && driver && !driver->by_revision;
}

/* With spec.paused, or a spec that cannot be acted on, orders wait. */
static const char *due(const struct mdep *m, enum mdep_verb v)
{
	bool frozen = m->paused || (m->nfindings && m->findings[0].fatal);

	return !frozen && mdep_order_is_due(m, &m->status, v) ? mdep_order_value(m, v) : NULL;
}

/* With failover switched off only what people want is worth telling. */
static bool says_something(const struct rollout_snapshot *s, const struct failover_plan *plan)
{
	return s->mdep->failover.mode != FAILOVER_DISABLED || plan->nzones ||
	       s->mdep->status.nzones;
}

static struct rollout_answer answer_of(const struct failover_answer *a)
{
	return (struct rollout_answer){.outcome = a->outcome, .message = a->message};
}

/* Whichever comes first; 0 = never. */
static int64_t earlier(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Without traffic nothing is counted that could speak for a zone, or against it when it is back. */
static void forget_left(struct mdep_operator *op, const char *key, const struct failover_plan *plan)
{
	for (unsigned i = 0; i < plan->nzones; i++)
		if (plan->zones[i].state == ZONE_EVACUATED ||
		    plan->zones[i].state == ZONE_RECOVERING)
			observer_zone_forget(op->observer, key, plan->zones[i].name);
}

void failover_read(struct mdep_operator *op, struct arena *a, struct rollout_snapshot *s)
{
	struct zone_facts facts[MDEP_ZONES_MAX];
	int serving[MDEP_ZONES_MAX];
	struct tally_input votes;
	struct tally t;
	struct failover_input in = {.now_ms = s->now_ms,
	                            .mdep = s->mdep,
	                            .zones = t.zones,
	                            .nzones = s->mdep->nzones,
	                            .shifts_known = shift_known(op),
	                            .evacuate = due(s->mdep, ORDER_EVACUATE),
	                            .give_back = due(s->mdep, ORDER_RETURN)};
	struct failover_plan *plan;
	char *text;

	if (!failover_watches(s->mdep))
		return;
	plan = arena_alloc(a, sizeof(*plan));
	text = arena_alloc(a, TEXT_MAX);
	failover_look(op, s->mdep, s->now_ms, facts, serving);
	for (unsigned i = 0; i < in.nzones; i++)
		facts[i].in_route = in_route(s, facts[i].name);
	count_votes(op, a, s->mdep, s->now_ms, facts, serving, &votes, &t);
	elsewhere_read(op, s->mdep, &votes, t.zones);
	for (unsigned i = 0; i < in.nzones; i++) {
		t.zones[i].shift = shift_of_zone(op, s->mdep, facts[i].name, s->now_ms);
		t.zones[i].vacant = is_vacant(op, s->mdep, facts[i].name);
		t.zones[i].misses =
			observer_zone_misses(op->observer, s->mdep->meta.key, facts[i].name);
		t.zones[i].worse =
			observer_zone_worse(op->observer, s->mdep->meta.key, facts[i].name);
	}
	in.blind = t.blind;
	turns_plan(op->turns, s, &in, t.zones, plan);
	forget_left(op, s->mdep->meta.key, plan);
	failover_describe(plan, text, TEXT_MAX);
	s->zones = (struct rollout_zones){.known = says_something(s, plan),
	                                  .evacuate = answer_of(&plan->evacuate),
	                                  .give_back = answer_of(&plan->give_back),
	                                  .v = plan->zones,
	                                  .n = plan->nzones,
	                                  .text = text,
	                                  .wake_ms = earlier(plan->wake_ms, t.wake_ms)};
	tell(a, plan, &s->zones);
}
