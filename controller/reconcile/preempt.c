/*
 * Pods of lower priority make way for one that fits nowhere. Who they are is said by schedule/;
 * here it is done, one request after the other: all evictions are tried dry first, so that nothing
 * is begun, and nobody goes, in vain; then the pod's status gets the node for which it is
 * nominated, which keeps the room for it, whoever leads by then; then the traffic of a zone whose
 * last pod of a model goes is led away, for which that model's planner is told who has been called;
 * then the evictions. What a budget
 * refuses (429) is not asked again for a while, and the pod is looked at anew.
 *
 * Replicas that are missing preempt. What a release has on top of them (surge) does not: it can
 * wait, or swap in place. Nor does a pod in a zone that is not well, but for the one that must tell
 * whether it is well again.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/zone.h"
#include "tidegate/schedule/schedule.h"

/* Pods that go at once, and after that one in so long. */
#define BURST    20
#define EVERY_MS 100
/* A refused eviction is not asked for again before, unless the server says when. */
#define GUARD_MS 10000
/* A gateway has followed its route by then. */
#define CALL_MS  2000
#define BODY_MAX 8192
#define NOTE_MAX 900

enum act { ACT_REHEARSE, ACT_NOMINATE, ACT_CALL, ACT_EVICT, ACTS };

struct preemptor {
	struct mdep_operator *op;
	struct schedule *schedule;
	struct map guarded; /* key of a pod that may not go -> int64_t, monotonic end of that */
	int64_t due_ms;     /* monotonic, when the pods that went so far have been paid for */
	struct list running;
	void (*done)(void *arg, const char *key, int64_t again_ms);
	void *arg;
};

struct leaver {
	const char *key, *namespace, *name, *uid;
	bool gone; /* the API server has accepted it */
};

/* Everything it points at lives in its arena. */
struct preemption {
	struct list link;
	struct preemptor *owner;
	struct arena arena;
	struct kube_call *call;
	struct timer called;
	const char *key, *node;
	int priority;
	struct event_ref about;
	struct leaver *victims;
	unsigned nvictims, at;
	enum act act;
};

static const double victim_bounds[] = {1, 2, 4, 8, 16, 32, 64};

static struct metric_family attempts_family = {
	.name = "scheduler_preemption_attempts_total",
	.help = "Total preemption attempts in the cluster till now",
	.type = METRIC_COUNTER,
};
static struct metric_family victims_family = {
	.name = "scheduler_preemption_victims",
	.help = "Number of selected preemption victims",
	.type = METRIC_HISTOGRAM,
	.bounds = victim_bounds,
	.nbounds = ARRAY_SIZE(victim_bounds),
};

/* --- whether it may ------------------------------------------------------------------------ */

static const struct mdep *mdep_of(const struct mdep_operator *op, const struct pod *p)
{
	const struct object *o =
		p->mdep ? store_get(&op->stores[CACHE_MDEP], p->meta.namespace, p->mdep) : NULL;

	return o ? mdep_from(o) : NULL;
}

/* NULL: nothing is known against it. */
static const struct mdep_zone_status *zone_status(const struct mdep *m, const char *zone)
{
	return zone ? mdep_zone_find(&m->status, zone) : NULL;
}

static bool zone_counts(const struct mdep *m, const char *zone)
{
	const struct mdep_zone_status *z = zone_status(m, zone);

	return !z || !mdep_zone_is_out(z);
}

static bool zone_is_well(const struct mdep *m, const char *zone)
{
	const struct mdep_zone_status *z = zone_status(m, zone);

	return !z || z->state == ZONE_HEALTHY || z->state == ZONE_FAILBACK;
}

static bool has_room(const struct preemptor *x, const struct pod *p)
{
	return p->node || schedule_assumed(x->schedule, p->meta.key) ||
	       schedule_nominated(x->schedule, p->meta.key);
}

static int placed_pods(const struct preemptor *x, const struct replicaset *rs,
                       const struct pod *but)
{
	const struct store *pods = &x->op->stores[CACHE_POD];
	const struct object *o;
	int n = 0;

	for (o = store_next_owned(pods, rs->meta.uid, NULL); o;
	     o = store_next_owned(pods, rs->meta.uid, o)) {
		const struct pod *p = (const struct pod *)o;

		n += p != but && has_room(x, p) && !o->deleted_ms && !p->leaving_since_ms;
	}
	return n;
}

/* Another pod of the zone has room there or is promised it. */
static bool zone_has_pods(const struct preemptor *x, const struct mdep *m, const char *zone,
                          const struct pod *but)
{
	const struct store *sets = &x->op->stores[CACHE_REPLICASET];
	const struct object *o;

	for (o = store_next_owned(sets, m->meta.uid, NULL); o;
	     o = store_next_owned(sets, m->meta.uid, o)) {
		const struct replicaset *rs = (const struct replicaset *)o;

		if (str_eq(rs->zone, zone) && placed_pods(x, rs, but))
			return true;
	}
	return false;
}

/*
 * A zone that was left comes back by what its pods answer. When those are gone and others have got
 * their cards, one gets a place: else nobody is ever asked again, and it stays out for good.
 */
static bool must_speak(const struct preemptor *x, const struct mdep *m, const char *zone,
                       const struct pod *p)
{
	const struct mdep_zone_status *z = zone_status(m, zone);

	return z && z->state == ZONE_EVACUATED && !failover_is_ordered(z) &&
	       !zone_has_pods(x, m, zone, p);
}

/* Fewer other pods than `replicas` have room or are promised it, zones aside that are out. */
static bool lacks_replicas(const struct preemptor *x, const struct mdep *m, const struct pod *p)
{
	const struct store *sets = &x->op->stores[CACHE_REPLICASET];
	const struct object *o;
	int n = 0;

	for (o = store_next_owned(sets, m->meta.uid, NULL); o;
	     o = store_next_owned(sets, m->meta.uid, o)) {
		const struct replicaset *rs = (const struct replicaset *)o;

		if (zone_counts(m, rs->zone))
			n += placed_pods(x, rs, p);
	}
	return n < m->replicas;
}

static bool may_preempt(const struct preemptor *x, const struct pod *p)
{
	const struct mdep *m = mdep_of(x->op, p);

	if (!m)
		return true;
	return (zone_is_well(m, p->zone) && lacks_replicas(x, m, p)) ||
	       must_speak(x, m, p->zone, p);
}

/* --- who may not go ------------------------------------------------------------------------ */

static bool is_guarded(void *arg, const char *key)
{
	struct preemptor *x = arg;
	int64_t *until_ms = map_get(&x->guarded, key);

	if (until_ms && clock_mono_ms() >= *until_ms) {
		free(map_del(&x->guarded, key));
		return false;
	}
	return until_ms != NULL;
}

static void guard(struct preemptor *x, const char *key, int64_t ms)
{
	int64_t *until_ms = xcalloc(1, sizeof(*until_ms));

	*until_ms = clock_mono_ms() + ms;
	free(map_set(&x->guarded, key, until_ms));
}

/* Until so many pods may go; 0 = now, and they are counted. */
static int64_t wait_for_turn(struct preemptor *x, unsigned victims)
{
	int64_t now_ms = clock_mono_ms(), due_ms = x->due_ms > now_ms ? x->due_ms : now_ms;

	if (due_ms - now_ms > (BURST - 1) * EVERY_MS)
		return due_ms - now_ms - (BURST - 1) * EVERY_MS;
	x->due_ms = due_ms + (int64_t)victims * EVERY_MS;
	return 0;
}

/* --- nominations --------------------------------------------------------------------------- */

static void nominate_body(struct buf *out, const char *uid, const char *node)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_str(&w, "uid", uid);
	jw_end_object(&w);
	jw_object(&w, "status");
	if (node)
		jw_str(&w, "nominatedNodeName", node);
	else
		jw_null(&w, "nominatedNodeName");
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end(&w);
}

/* The uid makes the write fail on a later pod of the same name. */
static struct kube_call *nominate(struct preemptor *x, const struct event_ref *pod,
                                  const char *node,
                                  void (*done)(void *arg, const struct kube_response *r), void *arg)
{
	cleanup_buf struct buf body;
	cleanup_free char *path =
		xasprintf("/api/v1/namespaces/%s/pods/%s/status", pod->namespace, pod->name);
	struct kube_request req = {.method = "PATCH",
	                           .path = path,
	                           .patch = KUBE_PATCH_MERGE,
	                           .field_manager = TG_FM_SCHED,
	                           .on_done = done,
	                           .arg = arg};

	buf_init(&body, BODY_MAX);
	nominate_body(&body, pod->uid, node);
	req.body = body.data;
	req.body_len = body.len;
	return kube_call(x->op->client, &req);
}

static void on_cleared(void *arg, const struct kube_response *r)
{
	(void)arg;
	if (r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND &&
	    r->err.class != ERR_CANCELED)
		log_info("nomination was not taken back", LE(&r->err));
}

/* Whoever nominates a pod for a node that is yet to come knows more than we do. */
static void end_nomination(struct preemptor *x, const struct pod *p)
{
	struct event_ref about = {"v1", "Pod", p->meta.namespace, p->meta.name, p->meta.uid};

	if (!p->nominated_node || !store_get_key(&x->op->stores[CACHE_NODE], p->nominated_node))
		return;
	schedule_unnominate(x->schedule, p->meta.key);
	nominate(x, &about, NULL, on_cleared, NULL);
}

/* --- traffic of the victims ---------------------------------------------------------------- */

static bool serves(const struct preemptor *x, const struct pod *p)
{
	return p->ready && pod_is_in_service(p) && !schedule_leaves(x->schedule, p->meta.key);
}

/* Of its ReplicaSet no other pod takes requests, so the route has to let go of it first. */
static bool is_last(const struct preemptor *x, const struct pod *victim)
{
	const struct store *pods = &x->op->stores[CACHE_POD];
	const struct object *o;

	if (!pod_is_in_service(victim))
		return false;
	for (o = store_next_owned(pods, victim->meta.owner_uid, NULL); o;
	     o = store_next_owned(pods, victim->meta.owner_uid, o))
		if (serves(x, (const struct pod *)o))
			return false;
	return true;
}

/* Their models look at themselves anew. True: a route has to move before they go. */
static bool call(struct preemption *p)
{
	struct mdep_operator *op = p->owner->op;
	bool wait = false;

	for (unsigned i = 0; i < p->nvictims; i++) {
		const struct pod *pod = (const struct pod *)store_get_key(&op->stores[CACHE_POD],
		                                                          p->victims[i].key);
		const struct mdep *m = pod ? mdep_of(op, pod) : NULL;

		if (!m)
			continue;
		operator_enqueue(op, m->meta.key);
		wait |= m->traffic != TRAFFIC_NONE && pod->meta.owner_uid && is_last(p->owner, pod);
	}
	return wait;
}

/* --- one preemption ------------------------------------------------------------------------ */

static void preemption_free(struct preemption *p)
{
	struct arena arena = p->arena;

	list_remove(&p->link);
	timer_release(&p->called);
	arena_release(&arena);
}

/* What was only promised is void; what the pod's status says stands. */
static void take_back(struct preemption *p)
{
	struct schedule *s = p->owner->schedule;
	const struct object *pod = store_get_key(&p->owner->op->stores[CACHE_POD], p->key);

	for (unsigned i = 0; i < p->nvictims; i++)
		if (!p->victims[i].gone)
			schedule_set_gone(s, p->victims[i].key, 0);
	if (p->act > ACT_CALL)
		call(p);
	schedule_unnominate(s, p->key);
	if (pod)
		schedule_set_pod(s, (const struct pod *)pod);
}

static void tell_preemptor(const struct preemption *p)
{
	cleanup_buf struct buf note;
	unsigned n = 0;

	buf_init(&note, NOTE_MAX);
	buf_addf(&note, "Pods of lower priority make way on node %s:", p->node);
	for (unsigned i = 0; i < p->nvictims; i++)
		if (p->victims[i].gone)
			buf_addf(&note, "%s %s", n++ ? "," : "", p->victims[i].key);
	if (!n)
		return;
	log_info("pods make way", LS("for", p->key), LI("priority", p->priority),
	         LS("node", p->node), LI("victims", n));
	event_emit_once(p->owner->op->events, &p->about, "Preempting", "Preempting", note.data);
}

static void end(struct preemption *p, int64_t again_ms)
{
	struct preemptor *x = p->owner;

	tell_preemptor(p);
	x->done(x->arg, p->key, again_ms);
	preemption_free(p);
}

/* A budget's refusal, an error: another node may do, or this one later. */
static void fail(struct preemption *p, const struct err *err)
{
	int64_t ms = err->retry_after_ms > 0 ? err->retry_after_ms : GUARD_MS;

	log_info("pods do not make way", LS("for", p->key), LS("node", p->node), LE(err));
	take_back(p);
	if (p->act != ACT_NOMINATE) {
		guard(p->owner, p->victims[p->at].key, ms);
		ms = 1;
	}
	end(p, ms);
}

static void tell_victim(const struct preemption *p, const struct leaver *v)
{
	struct event_ref about = {"v1", "Pod", v->namespace, v->name, v->uid};
	cleanup_free char *note =
		xasprintf("Preempted by %s (priority %d) on node %s", p->key, p->priority, p->node);

	event_emit_once(p->owner->op->events, &about, "Preempted", "Preempting", note);
}

static void go_on(struct preemption *p);

/* Meanwhile the pod may have gone, or room may have been freed by others. */
static bool is_needed(const struct preemption *p)
{
	const struct object *o = store_get_key(&p->owner->op->stores[CACHE_POD], p->key);
	const struct pod *pod = (const struct pod *)o;
	struct schedule_decision d;

	if (!o || !str_eq(o->uid, p->about.uid) || o->deleted_ms || pod->node)
		return false;
	schedule_place(p->owner->schedule, pod, &d);
	return !d.node;
}

static unsigned requests(const struct preemption *p)
{
	return p->act == ACT_NOMINATE || p->act == ACT_CALL ? 1 : p->nvictims;
}

static void on_answer(void *arg, const struct kube_response *r)
{
	struct preemption *p = arg;
	enum err_class c = r->err.class;
	/*
	 * A conflict says less: another pod by that name, or this one was written meanwhile and
	 * stays. Whoever is taken to go, and stays, would keep its place and be counted by nobody.
	 */
	bool gone = p->act != ACT_NOMINATE && c == ERR_NOT_FOUND;

	p->call = NULL;
	if (c != ERR_NONE && !gone) {
		fail(p, &r->err);
		return;
	}
	if (p->act == ACT_EVICT) {
		p->victims[p->at].gone = true;
		if (c == ERR_NONE)
			tell_victim(p, &p->victims[p->at]);
	}
	p->at++;
	go_on(p);
}

char *eviction_body(const char *namespace, const char *name, const char *uid, bool dry)
{
	return xasprintf(
		"{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"%s\"},\"deleteOptions\":{\"preconditions\":{\"uid\":\"%s\"}%s}}",
		name, namespace, uid, dry ? ",\"dryRun\":[\"All\"]" : "");
}

static void evict(struct preemption *p, const struct leaver *v, bool dry)
{
	cleanup_free char *path =
		xasprintf("/api/v1/namespaces/%s/pods/%s/eviction", v->namespace, v->name);
	cleanup_free char *body = eviction_body(v->namespace, v->name, v->uid, dry);
	struct kube_request req = {.method = "POST",
	                           .path = path,
	                           .field_manager = TG_FM_SCHED,
	                           .body = body,
	                           .body_len = strlen(body),
	                           .on_done = on_answer,
	                           .arg = p};

	p->call = kube_call(p->owner->op->client, &req);
}

static void on_called(void *arg)
{
	struct preemption *p = arg;

	p->at++;
	go_on(p);
}

bool preempt_calls(const struct preemptor *x, const char *pod)
{
	struct list *it;

	if (!schedule_leaves(x->schedule, pod))
		return false;
	list_for_each (it, &x->running) {
		const struct preemption *p = list_entry(it, struct preemption, link);

		for (unsigned i = 0; p->act < ACT_CALL && i < p->nvictims; i++)
			if (str_eq(p->victims[i].key, pod))
				return false;
	}
	return true;
}

/* --- act by act ---------------------------------------------------------------------------- */

static void next_act(struct preemption *p)
{
	p->act++;
	p->at = 0;
}

static void go_on(struct preemption *p)
{
	while (p->act != ACTS && p->at >= requests(p))
		next_act(p);
	if (p->act == ACT_EVICT && !is_needed(p)) {
		take_back(p);
		end(p, 1);
		return;
	}
	switch (p->act) {
	case ACT_REHEARSE:
		evict(p, &p->victims[p->at], true);
		break;
	case ACT_NOMINATE:
		p->call = nominate(p->owner, &p->about, p->node, on_answer, p);
		break;
	case ACT_CALL:
		timer_start(&p->called, call(p) ? CALL_MS : 0);
		break;
	case ACT_EVICT:
		evict(p, &p->victims[p->at], false);
		break;
	case ACTS:
		end(p, 0);
		break;
	}
}

static void add_victim(struct preemption *p, const char *key)
{
	const struct object *o = store_get_key(&p->owner->op->stores[CACHE_POD], key);

	if (!o)
		return;
	p->victims[p->nvictims++] =
		(struct leaver){.key = arena_strdup(&p->arena, key),
	                        .namespace = arena_strdup(&p->arena, o->namespace),
	                        .name = arena_strdup(&p->arena, o->name),
	                        .uid = arena_strdup(&p->arena, o->uid)};
	schedule_set_gone(p->owner->schedule, key, clock_wall_ms());
}

static void begin(struct preemptor *x, const struct pod *pod,
                  const struct schedule_preemption *plan)
{
	struct arena a;
	struct preemption *p;

	arena_init(&a, 0);
	p = arena_alloc(&a, sizeof(*p));
	p->owner = x;
	p->key = arena_strdup(&a, pod->meta.key);
	p->node = arena_strdup(&a, plan->node);
	p->priority = pod->priority;
	p->about = (struct event_ref){"v1", "Pod", arena_strdup(&a, pod->meta.namespace),
	                              arena_strdup(&a, pod->meta.name),
	                              arena_strdup(&a, pod->meta.uid)};
	p->victims = arena_array(&a, plan->nvictims, sizeof(*p->victims));
	p->arena = a;
	list_push_back(&x->running, &p->link);
	timer_init(&p->called, x->op->loop, on_called, p);
	for (unsigned i = 0; i < plan->nvictims; i++)
		add_victim(p, plan->victims[i]);
	schedule_nominate(x->schedule, pod, p->node);
	metric_add(metric_series(&attempts_family), 1);
	metric_observe(&victims_family, metric_series(&victims_family), p->nvictims);
	go_on(p);
}

int64_t preempt(struct preemptor *x, const struct pod *p, char *note, size_t size)
{
	cleanup_arena struct arena a;
	struct schedule_preemption plan = {.node = NULL};
	int64_t wait_ms;

	*note = '\0';
	arena_init(&a, 0);
	if (may_preempt(x, p))
		schedule_preempt(x->schedule, p, clock_wall_ms(), is_guarded, x, &a, &plan);
	if (!plan.node)
		end_nomination(x, p);
	if (!plan.node || !plan.nvictims)
		return 0;
	if (plan.violations) {
		snprintf(note, size,
		         " preemption: on %s a PodDisruptionBudget guards %u of %u pods of lower "
		         "priority.",
		         plan.node, plan.violations, plan.nvictims);
		return GUARD_MS;
	}
	wait_ms = wait_for_turn(x, plan.nvictims);
	if (wait_ms)
		return wait_ms;
	begin(x, p, &plan);
	return PREEMPT_UNDER_WAY;
}

bool preempt_could(const struct preemptor *x, const struct pod *p)
{
	cleanup_arena struct arena a;
	struct schedule_preemption plan = {.node = NULL};

	arena_init(&a, 0);
	if (may_preempt(x, p))
		schedule_preempt(x->schedule, p, clock_wall_ms(), NULL, NULL, &a, &plan);
	return plan.node != NULL;
}

struct preemptor *preemptor_new(struct mdep_operator *op, struct schedule *s,
                                void (*done)(void *arg, const char *key, int64_t again_ms),
                                void *arg)
{
	struct preemptor *x = xcalloc(1, sizeof(*x));

	x->op = op;
	x->schedule = s;
	x->done = done;
	x->arg = arg;
	map_init(&x->guarded);
	list_init(&x->running);
	metric_series(&attempts_family);
	metric_series(&victims_family);
	return x;
}

void preemptor_free(struct preemptor *x)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &x->running) {
		struct preemption *p = list_entry(it, struct preemption, link);

		kube_cancel(p->call);
		preemption_free(p);
	}
	map_release(&x->guarded, free);
	free(x);
}
