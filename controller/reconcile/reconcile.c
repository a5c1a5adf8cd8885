/* One pass over one ModelDeployment: snapshot, plan, intents, execution. */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"

#define STALE_RETRY_MS  250
#define ROUTES_RETRY_MS 2000

static struct metric_family stale_skips = {
	.name = "tidegate_stale_skips_total",
	.help = "Passes put off because the cache had not caught up with our own writes",
	.type = METRIC_COUNTER,
};

struct key_state *operator_key(struct mdep_operator *op, const char *key)
{
	struct key_state *ks = map_get(&op->keys, key);

	if (!ks) {
		ks = xcalloc(1, sizeof(*ks));
		map_set(&op->keys, key, ks);
	}
	return ks;
}

void key_state_free(void *state)
{
	struct key_state *ks = state;

	if (!ks)
		return;
	taken_free(ks);
	made_forget(ks);
	room_forget(ks);
	stranded_forget(ks);
	own_writes_forget(ks);
	free(ks);
}

void operator_forget_key(struct mdep_operator *op, const char *key)
{
	observer_forget(op->observer, key);
	endpoints_forget(op->endpoints, key);
	turns_forget(op->turns, key);
	key_state_free(map_del(&op->keys, key));
}

void operator_enqueue(struct mdep_operator *op, const char *key)
{
	queue_add(op->queue, key, QUEUE_LIVE);
}

void operator_enqueue_pod(struct mdep_operator *op, const struct pod *p)
{
	cleanup_free char *key = p->mdep ? xasprintf("%s/%s", p->meta.namespace, p->mdep) : NULL;

	if (key)
		operator_enqueue(op, key);
}

static struct event_ref mdep_ref(const struct mdep *m)
{
	return (struct event_ref){.api_version = TG_API_VERSION,
	                          .kind = "ModelDeployment",
	                          .namespace = m->meta.namespace,
	                          .name = m->meta.name,
	                          .uid = m->meta.uid};
}

static void emit_events(struct mdep_operator *op, struct key_state *ks, const struct mdep *m,
                        const struct rollout_plan *plan)
{
	struct event_ref about = mdep_ref(m);
	uint64_t hash = STR_HASH_SEED;

	for (unsigned i = 0; i < plan->nevents; i++) {
		hash = str_hash(hash, plan->events[i].reason, strlen(plan->events[i].reason));
		hash = str_hash(hash, plan->events[i].note, strlen(plan->events[i].note));
	}
	if (!plan->nevents || hash == ks->event_hash)
		return;
	ks->event_hash = hash;
	for (unsigned i = 0; i < plan->nevents; i++) {
		const struct rollout_event *e = &plan->events[i];

		event_emit(op->events, e->warning, &about, e->reason, "Reconcile", e->note);
		log_info(e->note, LS("namespace", m->meta.namespace), LS("name", m->meta.name),
		         LS("reason", e->reason), LS("revision", plan->status.target));
	}
}

/* Whoever edited the route should hear why the edit did not last. */
static void tell_undone(struct mdep_operator *op, const struct mdep *m,
                        const struct intents *intents)
{
	struct event_ref about = mdep_ref(m);
	const char *note = intents->undone;

	if (!note)
		return;
	event_emit(op->events, true, &about, "RouteRestored", "Reconcile", note);
	log_warn(note, LS("namespace", m->meta.namespace), LS("name", m->meta.name));
}

/* Of a pass that is over; the key may have gone meanwhile. */
static void count_pass(struct mdep_operator *op, const char *key, enum pass_result r)
{
	const struct key_state *ks = map_get(&op->keys, key);

	if (ks && r == PASS_SUCCESS && ks->again)
		r = PASS_AGAIN;
	pass_metric_count(r, ks ? clock_mono_ms() - ks->pass_ms : 0);
}

static void leave(struct mdep_operator *op, const char *key)
{
	queue_done(op->queue, key);
	pass_metric_busy(queue_active(op->queue));
}

/* What repeating cannot mend belongs in front of the user, not only in the log. */
static void report_failure(struct mdep_operator *op, const char *key, const struct err *err)
{
	const struct mdep *m = mdep_from(store_get_key(&op->stores[CACHE_MDEP], key));
	struct event_ref about;

	if (!m || (err->class != ERR_EXISTS && err->class != ERR_REJECTED &&
	           err->class != ERR_FORBIDDEN && err->class != ERR_INVALID))
		return;
	about = mdep_ref(m);
	event_emit(op->events, true, &about, "WriteFailed", "Reconcile", err->msg);
}

static void pass_done(struct mdep_operator *op, const char *key, const struct err *err)
{
	if (err->class == ERR_NONE) {
		queue_forget(op->queue, key);
		count_pass(op, key, PASS_SUCCESS);
	} else if (err->class == ERR_CANCELED || err->class == ERR_NS_TERMINATING) {
		queue_forget(op->queue, key);
	} else {
		log_warn("write failed, trying again", LS("key", key), LE(err));
		report_failure(op, key, err);
		queue_add_rate_limited(op->queue, key);
		count_pass(op, key, PASS_ERROR);
	}
	leave(op, key);
}

static void plan_and_execute(struct mdep_operator *op, const char *key, const struct mdep *m,
                             struct key_state *ks)
{
	struct arena arena;
	struct rollout_snapshot snap;
	struct rollout_plan *plan;
	struct policy_view policy;
	struct intents intents = {.arena = NULL};
	struct err err = ERR_INIT;

	arena_init(&arena, 4096);
	policy_view(op, m, &arena, &policy);
	snapshot_build(op, m, ks, &policy, &arena, clock_wall_ms(), &snap);
	plan = arena_alloc(&arena, sizeof(*plan));
	rollout_plan(&snap, &arena, plan);
	observer_set(op->observer, key, &snap, plan, &policy);
	endpoints_watch(op->endpoints, key, &snap);
	intents.arena = &arena;
	intents.crowd = queue_depth(op->queue);
	if (intents_collect(op, &snap, plan, ks, &intents, &err)) {
		arena_release(&arena);
		pass_done(op, key, &err);
		return;
	}
	ks->told_hash = intents.n == 1 ? intents.told : 0;
	emit_events(op, ks, m, plan);
	tell_undone(op, m, &intents);
	ks->again = plan->requeue_ms > 0 || intents.later_ms > 0;
	if (plan->requeue_ms > 0)
		queue_add_after(op->queue, key, plan->requeue_ms);
	if (intents.later_ms > 0)
		queue_add_after(op->queue, key, intents.later_ms);
	execute(op, key, &arena, &intents, pass_done);
}

static void put_off(struct mdep_operator *op, const char *key, int64_t ms)
{
	queue_add_after(op->queue, key, ms);
	count_pass(op, key, PASS_AGAIN);
	leave(op, key);
}

/*
 * Without the routes nobody knows who gets which requests: nothing is planned, but whoever asked
 * for the driver is told why.
 */
static void wait_for_routes(struct mdep_operator *op, const char *key, const struct mdep *m,
                            struct key_state *ks, const struct route_trouble *trouble)
{
	struct arena arena;
	struct intents intents = {.arena = &arena};
	struct mdep_status *status;
	struct err err = ERR_INIT;

	if (!trouble->why) {
		put_off(op, key, STALE_RETRY_MS);
		return;
	}
	arena_init(&arena, 4096);
	ks->again = true;
	status = arena_alloc(&arena, sizeof(*status));
	route_trouble_status(m, trouble, &arena, clock_wall_ms(), status);
	queue_add_after(op->queue, key, ROUTES_RETRY_MS);
	if (intents_collect_status(m, status, ks, &intents, &err)) {
		arena_release(&arena);
		pass_done(op, key, &err);
		return;
	}
	execute(op, key, &arena, &intents, pass_done);
}

void reconcile_key(struct mdep_operator *op, const char *key)
{
	const struct mdep *m = mdep_from(store_get_key(&op->stores[CACHE_MDEP], key));
	struct key_state *ks;
	struct route_trouble trouble;

	pass_metric_busy(queue_active(op->queue));
	if (!m || m->meta.deleted_ms) {
		operator_forget_key(op, key);
		queue_forget(op->queue, key);
		count_pass(op, key, PASS_SUCCESS);
		leave(op, key);
		return;
	}
	ks = operator_key(op, key);
	ks->pass_ms = clock_mono_ms();
	ks->again = false;
	ks->told_hash = 0;
	if (own_writes_unseen(op, ks)) {
		metric_add(metric_series(&stale_skips), 1);
		put_off(op, key, STALE_RETRY_MS);
		return;
	}
	if (!route_cache_ready(op, m, &trouble)) {
		wait_for_routes(op, key, m, ks, &trouble);
		return;
	}
	plan_and_execute(op, key, m, ks);
}
