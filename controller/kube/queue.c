/*
 * Keys are handed out from a timer of the loop, a few a round, so that adding is
 * cheap and safe anywhere (also on libcurl's stack) and sockets are read in between.
 *
 * A key has one entry while anything is known about it:
 *
 *     READY   in one of the two ready lists
 *     ACTIVE  handed out; `dirty` when it was added again meanwhile
 *     IDLE    neither: waits for its delay, or only its failures are remembered
 *
 * A key that waits may be handed out early by a live change. That takes its delay along: whoever
 * handles a key looks at everything there is and says anew when it is to come again.
 */
#include "tidegate/kube/queue.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/heap.h"
#include "tidegate/base/list.h"
#include "tidegate/base/log.h"
#include "tidegate/base/map.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"

#define BASE_DELAY_MS     5
#define MAX_DELAY_MS      1000000
#define HANDOUT_PER_ROUND 16
/* Timers stand still while the machine is suspended, our clock does not: look now and then. */
#define HEARTBEAT_MS 10000
/* Of so many keys handed out in a row one is of low priority, if there is any. */
#define LOW_SHARE 8
#define NPRIO     (QUEUE_LOW + 1)

enum entry_state { ENTRY_IDLE, ENTRY_READY, ENTRY_ACTIVE };

struct entry {
	char *key;
	enum entry_state state;
	enum queue_priority prio;
	bool dirty;
	unsigned failures;
	int64_t since_ms;       /* READY: when added; ACTIVE: when handed out */
	struct list link;       /* READY: its ready list; ACTIVE: active */
	struct heap_node delay; /* key: when it becomes ready */
};

struct queue_metrics {
	struct metric_series *depth[NPRIO], *adds, *retries;
	struct metric_series *queue_seconds, *work_seconds, *unfinished, *longest;
};

struct queue {
	struct loop *loop;
	char *name;
	void (*fn)(void *arg, const char *key);
	void *arg;
	unsigned workers;
	int64_t base_delay_ms, max_delay_ms;
	bool running;
	struct map entries; /* key -> struct entry */
	struct list ready[NPRIO];
	unsigned nready[NPRIO];
	struct list active;
	unsigned nactive;
	unsigned live_row; /* live keys handed out since the last one of low priority */
	struct heap delays;
	struct entry *in_fn; /* must outlive fn even when fn is done with it */
	struct timer pump, wake;
	struct queue_metrics m;
	struct list link; /* in queues, for metrics computed on demand */
};

/* --- metrics ---------------------------------------------------------------------------- */

static struct list queues = LIST_INIT(queues);

static const double seconds_bounds[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                        1e-2, 1e-1, 1,    10,   100,  1000};

static void collect_active(struct metric_family *f);

static struct metric_family depth_family = {
	.name = "workqueue_depth",
	.help = "Keys that wait to be handled",
	.type = METRIC_GAUGE,
	.label_names = {"name", "controller", "priority"},
};
static struct metric_family adds_family = {
	.name = "workqueue_adds_total",
	.help = "Keys added, duplicates not counted",
	.type = METRIC_COUNTER,
	.label_names = {"name", "controller"},
};
static struct metric_family retries_family = {
	.name = "workqueue_retries_total",
	.help = "Keys added with a delay",
	.type = METRIC_COUNTER,
	.label_names = {"name", "controller"},
};
static struct metric_family queue_seconds_family = {
	.name = "workqueue_queue_duration_seconds",
	.help = "Time a key waited before it was handled",
	.type = METRIC_HISTOGRAM,
	.label_names = {"name", "controller"},
	.bounds = seconds_bounds,
	.nbounds = ARRAY_SIZE(seconds_bounds),
};
static struct metric_family work_seconds_family = {
	.name = "workqueue_work_duration_seconds",
	.help = "Time a key was being handled",
	.type = METRIC_HISTOGRAM,
	.label_names = {"name", "controller"},
	.bounds = seconds_bounds,
	.nbounds = ARRAY_SIZE(seconds_bounds),
};
static struct metric_family unfinished_family = {
	.name = "workqueue_unfinished_work_seconds",
	.help = "Time that the keys in work have taken so far, together",
	.type = METRIC_GAUGE,
	.label_names = {"name", "controller"},
	.collect = collect_active,
};
static struct metric_family longest_family = {
	.name = "workqueue_longest_running_processor_seconds",
	.help = "Time that the oldest key in work has taken so far",
	.type = METRIC_GAUGE,
	.label_names = {"name", "controller"},
};

static double seconds_since(const struct queue *q, int64_t ms)
{
	return (double)(loop_now(q->loop) - ms) / 1000.0;
}

static void collect_active(struct metric_family *f)
{
	struct list *it, *e;

	(void)f;
	list_for_each (it, &queues) {
		struct queue *q = list_entry(it, struct queue, link);
		double sum = 0, longest = 0;

		list_for_each (e, &q->active) {
			double s = seconds_since(q, list_entry(e, struct entry, link)->since_ms);

			sum += s;
			longest = s > longest ? s : longest;
		}
		metric_set(q->m.unfinished, sum);
		metric_set(q->m.longest, longest);
	}
}

static void metrics_init(struct queue *q)
{
	struct queue_metrics *m = &q->m;
	const char *n = q->name;

	/* controller-runtime's numbers for these two priorities */
	m->depth[QUEUE_LIVE] = metric_series(&depth_family, n, n, "0");
	m->depth[QUEUE_LOW] = metric_series(&depth_family, n, n, "-100");
	m->adds = metric_series(&adds_family, n, n);
	m->retries = metric_series(&retries_family, n, n);
	m->queue_seconds = metric_series(&queue_seconds_family, n, n);
	m->work_seconds = metric_series(&work_seconds_family, n, n);
	m->unfinished = metric_series(&unfinished_family, n, n);
	m->longest = metric_series(&longest_family, n, n);
}

/* --- entries ---------------------------------------------------------------------------- */

static struct entry *entry_get(struct queue *q, const char *key)
{
	struct entry *e = map_get(&q->entries, key);

	if (e)
		return e;
	e = xcalloc(1, sizeof(*e));
	e->key = xstrdup(key);
	map_set(&q->entries, e->key, e);
	return e;
}

static void entry_free(void *arg)
{
	struct entry *e = arg;

	free(e->key);
	free(e);
}

/* Forgets an entry about which nothing is left to know. */
static void entry_drop_if_idle(struct queue *q, struct entry *e)
{
	if (e->state != ENTRY_IDLE || e->failures || heap_node_in(&e->delay) || e == q->in_fn)
		return;
	map_del(&q->entries, e->key);
	entry_free(e);
}

static void set_depth(struct queue *q, enum queue_priority prio, int change)
{
	q->nready[prio] += (unsigned)change;
	metric_set(q->m.depth[prio], q->nready[prio]);
}

static void pump_soon(struct queue *q)
{
	if (q->running && q->nready[QUEUE_LIVE] + q->nready[QUEUE_LOW] && q->nactive < q->workers &&
	    !timer_active(&q->pump))
		timer_start(&q->pump, 0);
}

static void make_ready(struct queue *q, struct entry *e)
{
	e->state = ENTRY_READY;
	e->since_ms = loop_now(q->loop);
	list_push_back(&q->ready[e->prio], &e->link);
	set_depth(q, e->prio, 1);
	pump_soon(q);
}

/* A ready key only ever moves up: what is live for one reason is live. */
static void promote(struct queue *q, struct entry *e)
{
	list_remove(&e->link);
	set_depth(q, QUEUE_LOW, -1);
	e->prio = QUEUE_LIVE;
	list_push_back(&q->ready[QUEUE_LIVE], &e->link);
	set_depth(q, QUEUE_LIVE, 1);
}

static void entry_add(struct queue *q, struct entry *e, enum queue_priority prio)
{
	switch (e->state) {
	case ENTRY_READY:
		if (prio == QUEUE_LIVE && e->prio == QUEUE_LOW)
			promote(q, e);
		return;
	case ENTRY_ACTIVE:
		if (!e->dirty)
			metric_add(q->m.adds, 1);
		if (!e->dirty || prio == QUEUE_LIVE)
			e->prio = prio;
		e->dirty = true;
		return;
	case ENTRY_IDLE:
		metric_add(q->m.adds, 1);
		e->prio = prio;
		make_ready(q, e);
		return;
	}
}

/* --- delays ----------------------------------------------------------------------------- */

static void wake_arm(struct queue *q)
{
	const struct heap_node *n = heap_min(&q->delays);
	int64_t ms = n ? n->key - loop_now(q->loop) : 0;

	if (n)
		timer_start(&q->wake, ms < HEARTBEAT_MS ? ms : HEARTBEAT_MS);
	else
		timer_stop(&q->wake);
}

static void on_wake(void *arg)
{
	struct queue *q = arg;
	struct heap_node *n;

	while ((n = heap_min(&q->delays)) && n->key <= loop_now(q->loop)) {
		struct entry *e = container_of(n, struct entry, delay);

		heap_remove(&q->delays, n);
		entry_add(q, e, e->prio);
	}
	wake_arm(q);
}

static void entry_delay(struct queue *q, struct entry *e, int64_t ms)
{
	int64_t at = loop_now(q->loop) + ms;

	metric_add(q->m.retries, 1);
	if (heap_node_in(&e->delay) && e->delay.key <= at)
		return;
	heap_set(&q->delays, &e->delay, at);
	if (heap_min(&q->delays) == &e->delay)
		wake_arm(q);
}

/* --- handing out ------------------------------------------------------------------------ */

static struct entry *take(struct queue *q)
{
	bool low = q->nready[QUEUE_LOW] && (!q->nready[QUEUE_LIVE] || q->live_row >= LOW_SHARE - 1);
	struct list *n = list_pop_front(&q->ready[low ? QUEUE_LOW : QUEUE_LIVE]);

	if (!n)
		return NULL;
	set_depth(q, low ? QUEUE_LOW : QUEUE_LIVE, -1);
	q->live_row = low ? 0 : q->live_row + 1;
	return list_entry(n, struct entry, link);
}

static void hand_out(struct queue *q, struct entry *e)
{
	metric_observe(&queue_seconds_family, q->m.queue_seconds, seconds_since(q, e->since_ms));
	heap_remove(&q->delays, &e->delay);
	e->state = ENTRY_ACTIVE;
	e->dirty = false;
	e->since_ms = loop_now(q->loop);
	list_push_back(&q->active, &e->link);
	q->nactive++;
	q->in_fn = e;
	q->fn(q->arg, e->key);
	q->in_fn = NULL;
	entry_drop_if_idle(q, e);
}

static void on_pump(void *arg)
{
	struct queue *q = arg;
	struct entry *e;

	for (int i = 0; i < HANDOUT_PER_ROUND && q->running && q->nactive < q->workers; i++) {
		e = take(q);
		if (!e)
			return;
		hand_out(q, e);
	}
	pump_soon(q);
}

/* --- interface -------------------------------------------------------------------------- */

struct queue *queue_new(struct loop *l, const struct queue_options *o,
                        void (*fn)(void *arg, const char *key), void *arg)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->loop = l;
	q->name = xstrdup(str_or(o->name, "default"));
	q->fn = fn;
	q->arg = arg;
	q->workers = o->workers ? o->workers : 1;
	q->base_delay_ms = o->base_delay_ms > 0 ? o->base_delay_ms : BASE_DELAY_MS;
	q->max_delay_ms = o->max_delay_ms > 0 ? o->max_delay_ms : MAX_DELAY_MS;
	map_init_borrowing(&q->entries);
	heap_init(&q->delays);
	list_init(&q->active);
	for (int i = 0; i < NPRIO; i++)
		list_init(&q->ready[i]);
	timer_init(&q->pump, l, on_pump, q);
	timer_init(&q->wake, l, on_wake, q);
	metrics_init(q);
	list_push_back(&queues, &q->link);
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	timer_release(&q->pump);
	timer_release(&q->wake);
	list_remove(&q->link);
	for (int i = 0; i < NPRIO; i++)
		metric_set(q->m.depth[i], 0);
	metric_set(q->m.unfinished, 0);
	metric_set(q->m.longest, 0);
	heap_release(&q->delays);
	map_release(&q->entries, entry_free);
	free(q->name);
	free(q);
}

void queue_start(struct queue *q)
{
	q->running = true;
	pump_soon(q);
}

void queue_stop(struct queue *q)
{
	q->running = false;
	timer_stop(&q->pump);
}

void queue_add(struct queue *q, const char *key, enum queue_priority prio)
{
	entry_add(q, entry_get(q, key), prio);
}

void queue_add_after(struct queue *q, const char *key, int64_t ms)
{
	struct entry *e = entry_get(q, key);

	if (ms <= 0)
		entry_add(q, e, e->prio);
	else
		entry_delay(q, e, ms);
}

void queue_add_rate_limited(struct queue *q, const char *key)
{
	struct entry *e = entry_get(q, key);
	unsigned shift = e->failures < 31 ? e->failures : 31;
	int64_t ms = q->base_delay_ms << shift;

	e->failures++;
	entry_delay(q, e, ms < q->max_delay_ms ? ms : q->max_delay_ms);
}

void queue_forget(struct queue *q, const char *key)
{
	struct entry *e = map_get(&q->entries, key);

	if (!e)
		return;
	e->failures = 0;
	entry_drop_if_idle(q, e);
}

void queue_done(struct queue *q, const char *key)
{
	struct entry *e = map_get(&q->entries, key);

	if (!e || e->state != ENTRY_ACTIVE) {
		log_error("a key was reported done that is not in work", LS("queue", q->name),
		          LS("key", key));
		return;
	}
	metric_observe(&work_seconds_family, q->m.work_seconds, seconds_since(q, e->since_ms));
	list_remove(&e->link);
	q->nactive--;
	e->state = ENTRY_IDLE;
	if (e->dirty) {
		e->dirty = false;
		make_ready(q, e);
	} else {
		entry_drop_if_idle(q, e);
	}
	pump_soon(q);
}

unsigned queue_depth(const struct queue *q)
{
	return q->nready[QUEUE_LIVE] + q->nready[QUEUE_LOW];
}

unsigned queue_active(const struct queue *q)
{
	return q->nactive;
}
