#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define SYNC_POLL_MS 20
/* Passes wait for the API client, which has 16 calls under way: more passes only hold memory. */
#define DEFAULT_WORKERS 24

static const struct {
	const struct object_kind *kind;
	const char *label_selector, *field_selector;
	bool optional; /* started for who asks for it, and its absence holds up only them */
} caches[CACHES] = {
	[CACHE_MDEP] = {&mdep_kind, NULL, NULL, false},
	[CACHE_POD] = {&pod_kind, NULL, "status.phase!=Succeeded,status.phase!=Failed", false},
	[CACHE_NODE] = {&node_kind, NULL, NULL, false},
	[CACHE_REPLICASET] = {&replicaset_kind, TG_LABEL_MANAGED_BY "=" TG_MANAGED_BY, NULL, false},
	[CACHE_SERVICE] = {&service_kind, TG_LABEL_MANAGED_BY "=" TG_MANAGED_BY, NULL, false},
	[CACHE_BUDGET] = {&disruption_budget_kind, TG_LABEL_MANAGED_BY "=" TG_MANAGED_BY, NULL,
                          false},
	[CACHE_ROUTE] = {&httproute_kind, NULL, NULL, true},
	[CACHE_GRPCROUTE] = {&grpcroute_kind, NULL, NULL, true},
	[CACHE_VIRTUALSERVICE] = {&virtualservice_kind, NULL, NULL, true},
	[CACHE_DESTINATIONRULE] = {&destinationrule_kind, TG_LABEL_MANAGED_BY "=" TG_MANAGED_BY,
                                   NULL, true},
	[CACHE_INGRESS] = {&ingress_kind, NULL, NULL, true},
	[CACHE_TRAEFIKSERVICE] = {&traefikservice_kind, NULL, NULL, true},
	/* The slices of the cells' Services, whose labels they repeat. */
	[CACHE_ENDPOINT] = {&endpointslice_kind,
                            TG_LABEL_MANAGED_BY "=" TG_MANAGED_BY "," TG_LABEL_REVISION, NULL,
                            true},
	[CACHE_SCOREPOLICY] = {&scorepolicy_kind, NULL, NULL, true},
	[CACHE_DEPLOYMENT] = {&deployment_kind, NULL, NULL, true},
	[CACHE_VOTE] = {&vote_lease_kind, NULL, NULL, true},
	[CACHE_ZONESHIFT] = {&zoneshift_kind, NULL, NULL, true},
};

/* --- events of the caches to keys -------------------------------------------------------- */

static void enqueue_named(struct mdep_operator *op, const char *ns, const char *name, bool initial)
{
	cleanup_free char *key = NULL;

	if (!name)
		return;
	key = xasprintf("%s/%s", ns, name);
	if (store_get_key(&op->stores[CACHE_MDEP], key))
		queue_add(op->queue, key, initial ? QUEUE_LOW : QUEUE_LIVE);
}

static bool is_echo(const struct mdep_operator *op, const struct store_event *ev)
{
	const struct key_state *ks = map_get(&op->keys, ev->object->key);

	return op->working && ks && ev->previous &&
	       status_is_echo(ks, mdep_from(ev->previous), mdep_from(ev->object));
}

static void on_mdep(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;

	if (ev->change != STORE_DELETED) {
		route_cache_start(op, mdep_from(ev->object));
		policy_cache_start(op, mdep_from(ev->object));
		takeover_cache_start(op, mdep_from(ev->object));
	}
	gate_mdep(op->gate, ev);
	if (ev->change == STORE_ADDED)
		parting_forget(op, ev->object->key);
	/* In the foreground its children go before it does. */
	if (ev->change == STORE_DELETED ||
	    (ev->previous && ev->object->deleted_ms && !ev->previous->deleted_ms))
		parting_begin(op, mdep_from(ev->object));
	shift_count_soon(op);
	if (!is_echo(op, ev))
		queue_add(op->queue, ev->object->key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
}

static void on_pod(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct pod *p = (const struct pod *)ev->object;

	binder_pod(op->binder, ev);
	gate_pod(op->gate, ev);
	enqueue_named(op, p->meta.namespace, p->mdep, ev->initial);
}

static void on_node(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;

	binder_node(op->binder, ev);
	stranded_node(op, ev);
	failover_node(op, ev);
}

static void on_replicaset(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct replicaset *rs = (const struct replicaset *)ev->object;

	gate_replicaset(op->gate, ev);
	enqueue_named(op, rs->meta.namespace, rs->name, ev->initial);
}

static void on_owned(void *arg, const struct store_event *ev)
{
	if (str_eq(ev->object->owner_kind, "ModelDeployment"))
		enqueue_named(arg, ev->object->namespace, ev->object->owner_name, ev->initial);
}

/* A route may be the user's own: whoever names it wants to know. Of Ingresses also our second. */
static void on_route(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_MDEP], &it))) {
		const struct mdep *m = mdep_from(o);

		if (m->traffic != TRAFFIC_NONE &&
		    str_eq(m->meta.namespace, ev->object->namespace) &&
		    (str_eq(m->route_name, ev->object->name) ||
		     str_eq(m->meta.uid, ev->object->owner_uid)))
			queue_add(op->queue, o->key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
	}
}

static void on_slice(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct object *service = NULL;

	endpoints_slice(op->endpoints, ev);
	if (ev->object->owner_name)
		service = store_get(&op->stores[CACHE_SERVICE], ev->object->namespace,
		                    ev->object->owner_name);
	if (service)
		enqueue_named(op, service->namespace, service->owner_name, ev->initial);
}

static const store_handler handlers[CACHES] = {
	[CACHE_MDEP] = on_mdep,
	[CACHE_POD] = on_pod,
	[CACHE_NODE] = on_node,
	[CACHE_REPLICASET] = on_replicaset,
	[CACHE_SERVICE] = on_owned,
	[CACHE_ROUTE] = on_route,
	[CACHE_GRPCROUTE] = on_route,
	[CACHE_VIRTUALSERVICE] = on_route,
	[CACHE_DESTINATIONRULE] = on_owned,
	[CACHE_INGRESS] = on_route,
	[CACHE_TRAEFIKSERVICE] = on_route,
	[CACHE_ENDPOINT] = on_slice,
	[CACHE_BUDGET] = on_owned,
	[CACHE_SCOREPOLICY] = policy_event,
	[CACHE_DEPLOYMENT] = takeover_event,
	[CACHE_VOTE] = voter_event,
	[CACHE_ZONESHIFT] = shift_event,
};

/* --- lifecycle --------------------------------------------------------------------------- */

static void work(void *arg, const char *key)
{
	reconcile_key(arg, key);
}

/* Votes are those of this installation's replicas, wherever the models are. */
static void narrow_votes(const struct mdep_operator *op, struct reflector_options *o,
                         char *selector, size_t size)
{
	snprintf(selector, size, TG_LABEL_REPLICA_OF "=%s", str_or(op->options.votes_group, ""));
	o->namespace = op->options.votes_namespace;
	o->label_selector = selector;
}

static void caches_new(struct mdep_operator *op)
{
	char selector[256];

	for (int i = 0; i < CACHES; i++) {
		struct reflector_options o = {
			.namespace = caches[i].kind->cluster_scoped ? NULL : op->options.namespace,
			.label_selector = caches[i].label_selector,
			.field_selector = caches[i].field_selector,
			.quorum_first_list = true,
		};

		if (i == CACHE_VOTE)
			narrow_votes(op, &o, selector, sizeof(selector));
		store_init(&op->stores[i], caches[i].kind);
		store_add_handler(&op->stores[i], handlers[i], op);
		op->reflectors[i] = reflector_new(op->client, &op->stores[i], &o);
	}
}

static void begin_work(struct mdep_operator *op)
{
	op->working = true;
	log_info("leading", LI("modeldeployments", store_len(&op->stores[CACHE_MDEP])),
	         LI("pods", store_len(&op->stores[CACHE_POD])),
	         LI("nodes", store_len(&op->stores[CACHE_NODE])));
	gate_lead(op->gate);
	policy_tell_all(op);
	turns_begin(op->turns);
	shift_count_soon(op);
	queue_start(op->queue);
	binder_start(op->binder);
}

/*
 * Nothing is decided on half a picture: a pod not seen yet would be placed over. A standby probes
 * as the leader does, so that it knows the zones when it takes over.
 */
static void begin_when_synced(void *arg)
{
	struct mdep_operator *op = arg;

	if (!operator_synced(op)) {
		timer_start(&op->begin, SYNC_POLL_MS);
		return;
	}
	gate_start(op->gate);
	voter_start(op->voter);
	if (!op->leading || op->working)
		return;
	if (barrier_passed(op->barrier))
		begin_work(op);
	else
		timer_start(&op->begin, SYNC_POLL_MS);
}

struct mdep_operator *operator_new(struct loop *l, struct kube_client *c,
                                   const struct operator_options *o, struct err *err)
{
	struct mdep_operator *op = xcalloc(1, sizeof(*op));
	struct queue_options q = {.name = "modeldeployment",
	                          .workers = o->workers ? o->workers : DEFAULT_WORKERS};

	op->loop = l;
	op->client = c;
	op->options = *o;
	list_init(&op->partings);
	map_init(&op->keys);
	map_init(&op->passes);
	timer_init(&op->begin, l, begin_when_synced, op);
	timer_init(&op->shift_count, l, shift_count, op);
	caches_new(op);
	op->queue = queue_new(l, &q, work, op);
	pass_metric_init(q.workers);
	op->events = event_recorder_new(c, TG_GROUP "/controller", o->identity);
	event_listen(op->events, o->told, o->told_arg);
	op->binder = binder_new(op);
	op->voter = voter_new(op);
	op->turns = turns_new(op);
	op->gate = gate_new(op, err);
	op->witness = op->gate ? witness_new(op, err) : NULL;
	op->observer = op->witness ? observer_new(op, err) : NULL;
	op->endpoints = op->observer ? endpoints_new(op, err) : NULL;
	if (!op->endpoints) {
		operator_free(op);
		return NULL;
	}
	return op;
}

void operator_start(struct mdep_operator *op)
{
	for (int i = 0; i < CACHES; i++) {
		if (caches[i].optional)
			continue;
		op->started[i] = true;
		reflector_start(op->reflectors[i]);
	}
	shift_cache_start(op);
	begin_when_synced(op);
}

void operator_lead(struct mdep_operator *op)
{
	op->leading = true;
	if (!op->barrier)
		op->barrier = barrier_new(op);
	begin_when_synced(op);
}

void operator_stop(struct mdep_operator *op)
{
	op->leading = op->working = false;
	barrier_free(op->barrier);
	op->barrier = NULL;
	timer_stop(&op->begin);
	timer_stop(&op->shift_count);
	op->shift_counts = false;
	queue_stop(op->queue);
	binder_stop(op->binder);
}

static void on_flushed(void *arg)
{
	struct mdep_operator *op = arg;

	voter_end(op->voter, op->flushed, op->flushed_arg);
}

void operator_flush(struct mdep_operator *op, void (*done)(void *arg), void *arg)
{
	op->flushed = done;
	op->flushed_arg = arg;
	event_flush(op->events, on_flushed, op);
}

bool operator_synced(const struct mdep_operator *op)
{
	for (int i = 0; i < CACHES; i++)
		if (!op->stores[i].synced && !caches[i].optional)
			return false;
	return true;
}

const char *operator_trouble(const struct mdep_operator *op, int64_t grace_ms)
{
	const char *trouble;

	for (int i = 0; i < CACHES; i++) {
		trouble = caches[i].optional ? NULL : reflector_trouble(op->reflectors[i]);
		if (trouble &&
		    (!op->stores[i].synced || reflector_trouble_ms(op->reflectors[i]) > grace_ms))
			return trouble;
	}
	return NULL;
}

void operator_free(struct mdep_operator *op)
{
	if (!op)
		return;
	timer_release(&op->begin);
	barrier_free(op->barrier);
	timer_release(&op->shift_count);
	for (int i = 0; i < CACHES; i++)
		reflector_free(op->reflectors[i]);
	execute_cancel_all(op);
	parting_forget(op, NULL);
	map_release(&op->passes, NULL);
	endpoints_free(op->endpoints);
	observer_free(op->observer);
	witness_free(op->witness);
	gate_free(op->gate);
	voter_free(op->voter);
	turns_free(op->turns);
	binder_free(op->binder);
	event_recorder_free(op->events);
	queue_free(op->queue);
	map_release(&op->keys, key_state_free);
	for (int i = 0; i < CACHES; i++)
		store_release(&op->stores[i]);
	free(op);
}
