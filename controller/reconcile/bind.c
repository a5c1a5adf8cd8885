/*
 * Scheduler side: pods of schedulerName "tidegate" that have no node yet get one.
 *
 * Decisions are made by schedule/ against what the caches show plus what has been assumed; a
 * bind is POST pods/binding with the pod's uid. A pod that fits nowhere waits until
 * something frees capacity (a node or pod event), or a minute has passed; the highest
 * priority is looked at first. A bind whose answer is lost may have been done: its card stays
 * taken, and the same bind is asked for again, until the server answers or the pod is seen on its
 * node. Others may have to make way for it (preempt.c).
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/schedule/schedule.h"

#define WAKE_DELAY_MS  50
#define FLUSH_EVERY_MS 60000

struct binder {
	struct mdep_operator *op;
	struct schedule *schedule;
	struct queue *queue;
	struct preemptor *preemptor;
	struct map waiting; /* key of an unschedulable pod -> its last message */
	struct map doubted; /* key of a pod that may be bound -> the node */
	struct timer wake, flush;
	struct list binds;
};

struct bind {
	struct list link;
	struct binder *binder;
	struct kube_call *call;
	char *key, *node;
	struct event_ref about; /* strings owned below */
	char *namespace, *name, *uid;
};

static bool is_ours(const struct pod *p)
{
	return p && !p->node && !p->meta.deleted_ms && !p->gated &&
	       str_eq(p->scheduler, TG_SCHEDULER_NAME);
}

static void bind_free(struct bind *b)
{
	list_remove(&b->link);
	free(b->key);
	free(b->node);
	free(b->namespace);
	free(b->name);
	free(b->uid);
	free(b);
}

static void stop_waiting(struct binder *b, const char *key)
{
	free(map_del(&b->waiting, key));
}

/* --- no node fits ------------------------------------------------------------------------ */

/* Condition and event are written when the reason changes, not at every try. */
static void report_unschedulable(struct binder *b, const struct pod *p, const char *message)
{
	struct event_ref about = {"v1", "Pod", p->meta.namespace, p->meta.name, p->meta.uid};
	char *before = map_get(&b->waiting, p->meta.key);

	if (str_eq(before, message))
		return;
	free(before);
	map_set(&b->waiting, p->meta.key, xstrdup(message));
	event_emit(b->op->events, true, &about, "FailedScheduling", "Scheduling", message);
	log_info("pod cannot be placed", LS("namespace", p->meta.namespace),
	         LS("name", p->meta.name), LS("why", message));
	pod_condition_write(b->op, p, TG_FM_SCHED,
	                    &(struct pod_condition){.type = "PodScheduled",
	                                            .reason = "Unschedulable",
	                                            .message = message},
	                    NULL, NULL);
}

/* --- bind -------------------------------------------------------------------------------- */

/* Its nomination, if it has one, stands again. */
static void unassume(struct binder *b, const char *key)
{
	const struct object *p = store_get_key(&b->op->stores[CACHE_POD], key);

	schedule_forget(b->schedule, key);
	if (p)
		schedule_set_pod(b->schedule, (const struct pod *)p);
}

static void end_doubt(struct binder *b, const char *key)
{
	free(map_del(&b->doubted, key));
}

/* A conflict may be with the very bind that is in doubt. */
static bool may_be_bound(struct binder *b, const char *key, enum err_class class)
{
	return class == ERR_TIMEOUT || class == ERR_TRANSPORT || class == ERR_SERVER ||
	       (class == ERR_CONFLICT && map_get(&b->doubted, key));
}

static void doubt(struct binder *b, const struct bind *i)
{
	map_set(&b->doubted, i->key, xstrdup(i->node));
	queue_add_rate_limited(b->queue, i->key);
}

static void bind_done(void *arg, const struct kube_response *r)
{
	struct bind *i = arg;
	struct binder *b = i->binder;
	cleanup_free char *note = NULL;
	bool doubtful = may_be_bound(b, i->key, r->err.class);

	if (r->err.class != ERR_NONE)
		log_info("bind failed", LS("key", i->key), LS("node", i->node), LE(&r->err));
	end_doubt(b, i->key);
	if (doubtful) {
		doubt(b, i);
	} else if (r->err.class == ERR_NONE) {
		note = xasprintf("Successfully assigned %s to %s", i->key, i->node);
		event_emit_once(b->op->events, &i->about, "Scheduled", "Binding", note);
		queue_forget(b->queue, i->key);
	} else {
		unassume(b, i->key);
		if (r->err.class != ERR_NOT_FOUND && r->err.class != ERR_CANCELED)
			queue_add_rate_limited(b->queue, i->key);
	}
	queue_done(b->queue, i->key);
	bind_free(i);
}

static void bind_start(struct binder *b, const struct pod *p, const char *node)
{
	struct bind *i = xcalloc(1, sizeof(*i));
	cleanup_free char *path =
		xasprintf("/api/v1/namespaces/%s/pods/%s/binding", p->meta.namespace, p->meta.name);
	cleanup_free char *body = xasprintf(
		"{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"%s\",\"uid\":\"%s\"},\"target\":{\"apiVersion\":\"v1\",\"kind\":"
		"\"Node\",\"name\":\"%s\"}}",
		p->meta.name, p->meta.namespace, p->meta.uid, node);
	struct kube_request req = {.method = "POST",
	                           .path = path,
	                           .field_manager = TG_FM_SCHED,
	                           .body = body,
	                           .body_len = strlen(body),
	                           .on_done = bind_done,
	                           .arg = i};

	i->binder = b;
	i->key = xstrdup(p->meta.key);
	i->node = xstrdup(node);
	i->namespace = xstrdup(p->meta.namespace);
	i->name = xstrdup(p->meta.name);
	i->uid = xstrdup(p->meta.uid);
	i->about = (struct event_ref){"v1", "Pod", i->namespace, i->name, i->uid};
	list_push_back(&b->binds, &i->link);
	i->call = kube_call(b->op->client, &req);
}

/* again_ms: not later than that; 0 = when something is freed. */
static void wait_for_room(void *arg, const char *key, int64_t again_ms)
{
	struct binder *b = arg;

	if (again_ms)
		queue_add_after(b->queue, key, again_ms);
	queue_done(b->queue, key);
}

static void place_pod(void *arg, const char *key)
{
	struct binder *b = arg;
	const struct pod *p = (const struct pod *)store_get_key(&b->op->stores[CACHE_POD], key);
	struct schedule_decision d;
	cleanup_free char *message = NULL;
	char note[160];
	int64_t again_ms;

	if (is_ours(p) && map_get(&b->doubted, key)) {
		bind_start(b, p, map_get(&b->doubted, key));
		return;
	}
	if (!is_ours(p) || schedule_assumed(b->schedule, key)) {
		queue_forget(b->queue, key);
		queue_done(b->queue, key);
		return;
	}
	schedule_place(b->schedule, p, &d);
	if (!d.node) {
		again_ms = preempt(b->preemptor, p, note, sizeof(note));
		message = xasprintf("%s%s", d.message, note);
		report_unschedulable(b, p, message);
		if (again_ms != PREEMPT_UNDER_WAY)
			wait_for_room(b, key, again_ms);
		return;
	}
	stop_waiting(b, key);
	schedule_assume(b->schedule, p, d.node);
	bind_start(b, p, d.node);
}

/* --- what changes wake waiting pods ------------------------------------------------------ */

static int by_priority(const void *a, const void *b)
{
	const struct pod *x = *(const struct pod *const *)a, *y = *(const struct pod *const *)b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->meta.created_ms != y->meta.created_ms)
		return x->meta.created_ms < y->meta.created_ms ? -1 : 1;
	return strcmp(x->meta.key, y->meta.key);
}

static void wake_all(void *arg)
{
	struct binder *b = arg;
	const struct pod **pods = xcalloc(b->waiting.len + 1, sizeof(*pods));
	const char *key;
	void *message;
	size_t it = 0, n = 0;

	while (map_next(&b->waiting, &it, &key, &message)) {
		pods[n] = (const struct pod *)store_get_key(&b->op->stores[CACHE_POD], key);
		n += pods[n] != NULL;
	}
	qsort(pods, n, sizeof(*pods), by_priority);
	for (size_t i = 0; i < n; i++)
		queue_add(b->queue, pods[i]->meta.key, QUEUE_LIVE);
	free(pods);
}

static void flush_all(void *arg)
{
	struct binder *b = arg;

	wake_all(b);
	timer_start(&b->flush, FLUSH_EVERY_MS);
}

static void capacity_freed(struct binder *b)
{
	if (b->waiting.len && !timer_active(&b->wake))
		timer_start(&b->wake, WAKE_DELAY_MS);
}

/* The room that was kept for it on a node is not needed there any more. */
static bool frees_nomination(const struct store_event *ev)
{
	const struct pod *p = (const struct pod *)ev->object;
	const struct pod *before = (const struct pod *)ev->previous;

	return before && !before->node && before->nominated_node &&
	       !str_eq(before->nominated_node, p->node ? p->node : p->nominated_node);
}

void binder_pod(struct binder *b, const struct store_event *ev)
{
	const struct pod *p = (const struct pod *)ev->object;

	if (ev->change == STORE_DELETED) {
		schedule_remove_pod(b->schedule, p->meta.key);
		end_doubt(b, p->meta.key);
		stop_waiting(b, p->meta.key);
		capacity_freed(b);
		return;
	}
	schedule_set_pod(b->schedule, p);
	if (frees_nomination(ev))
		capacity_freed(b);
	if (is_ours(p)) {
		queue_add(b->queue, p->meta.key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
	} else {
		end_doubt(b, p->meta.key);
		stop_waiting(b, p->meta.key);
	}
}

void binder_node(struct binder *b, const struct store_event *ev)
{
	const struct node *n = (const struct node *)ev->object;

	if (ev->change == STORE_DELETED)
		schedule_remove_node(b->schedule, n->meta.name);
	else
		schedule_set_node(b->schedule, n);
	capacity_freed(b);
}

int binder_room(struct binder *b, const struct pod *p, int most)
{
	return schedule_room(b->schedule, p, most);
}

bool binder_has_assumed(const struct binder *b, const char *key)
{
	return schedule_assumed(b->schedule, key);
}

bool binder_has_nominated(const struct binder *b, const char *key)
{
	return schedule_nominated(b->schedule, key) != NULL;
}

bool binder_could_preempt(struct binder *b, const struct pod *p)
{
	return preempt_could(b->preemptor, p);
}

bool binder_calls(const struct binder *b, const char *pod)
{
	return preempt_calls(b->preemptor, pod);
}

struct binder *binder_new(struct mdep_operator *op)
{
	struct binder *b = xcalloc(1, sizeof(*b));
	struct queue_options o = {
		.name = "scheduler", .workers = 64, .base_delay_ms = 1000, .max_delay_ms = 10000};

	b->op = op;
	b->schedule = schedule_new();
	b->preemptor = preemptor_new(op, b->schedule, wait_for_room, b);
	map_init(&b->waiting);
	map_init(&b->doubted);
	list_init(&b->binds);
	b->queue = queue_new(op->loop, &o, place_pod, b);
	timer_init(&b->wake, op->loop, wake_all, b);
	timer_init(&b->flush, op->loop, flush_all, b);
	return b;
}

void binder_start(struct binder *b)
{
	queue_start(b->queue);
	timer_start(&b->flush, FLUSH_EVERY_MS);
}

void binder_stop(struct binder *b)
{
	queue_stop(b->queue);
	timer_stop(&b->flush);
	timer_stop(&b->wake);
}

void binder_free(struct binder *b)
{
	struct list *it, *tmp;

	if (!b)
		return;
	list_for_each_safe (it, tmp, &b->binds) {
		struct bind *i = list_entry(it, struct bind, link);

		kube_cancel(i->call);
		bind_free(i);
	}
	preemptor_free(b->preemptor);
	timer_release(&b->wake);
	timer_release(&b->flush);
	queue_free(b->queue);
	schedule_free(b->schedule);
	map_release(&b->waiting, free);
	map_release(&b->doubted, free);
	free(b);
}
