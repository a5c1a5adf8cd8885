#include "tidegate/signal/scrape.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/heap.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"
#include "tidegate/net/http_pool.h"

#define BODY_MAX       (4u << 20)
#define TIMEOUT_MAX_MS 5000

struct group {
	char *name;
	char *scores; /* NULL = no histogram is asked for */
	int64_t period_ms;
	struct map targets; /* pod -> struct target */
};

struct target {
	struct heap_node due; /* key: monotonic ms of the next scrape */
	struct list ready;    /* in scraper.ready when due and waiting for a slot */
	struct scraper *scraper;
	struct group *group;
	char *pod, *uid, *url, *model;
	const struct preset *preset;
	struct http_client *http;
	struct http_call *call;
	struct counts last;
	struct counts_histogram *scores; /* last; NULL = none */
	bool marked;                     /* scraper_set's sweep */
};

struct scraper {
	struct loop *loop;
	struct http_pool *http;
	struct map groups;
	struct heap due;
	struct timer timer;
	struct list ready;
	unsigned running, concurrency;
	void (*fn)(void *arg, const struct scrape_reading *r);
	void *arg;
};

static void rearm(struct scraper *s);

static void target_free(struct target *t)
{
	if (t->call) {
		http_cancel(t->call);
		t->scraper->running--;
	}
	http_pool_give(t->scraper->http, t->http);
	list_remove(&t->ready);
	heap_remove(&t->scraper->due, &t->due);
	free(t->pod);
	free(t->uid);
	free(t->model);
	free(t->url);
	free(t->scores);
	free(t);
}

static void group_free(void *arg)
{
	struct group *g = arg;
	const char *key;
	void *t;
	size_t it = 0;

	while (map_next(&g->targets, &it, &key, &t))
		target_free(t);
	map_release(&g->targets, NULL);
	free(g->name);
	free(g->scores);
	free(g);
}

/* --- scraping ---------------------------------------------------------------------------- */

/* False: nothing can be said of the scores since the last reading. */
static bool take_scores(struct target *t, const struct http_result *res,
                        struct counts_histogram *increment)
{
	struct counts_histogram now;
	bool known = false;

	if (!t->group->scores ||
	    counts_histogram_read(t->group->scores, t->model, res->body, res->body_len, &now, NULL))
		return false;
	if (t->scores)
		known = counts_histogram_increment(t->scores, &now, increment);
	else
		t->scores = xcalloc(1, sizeof(*t->scores));
	*t->scores = now;
	return known;
}

static void report(struct target *t, const struct counts *now,
                   const struct counts_histogram *scores, const struct err *err)
{
	struct counts increment;
	struct scrape_reading r = {.group = t->group->name,
	                           .pod = t->pod,
	                           .wall_ms = clock_wall_ms(),
	                           .total = now,
	                           .scores = scores,
	                           .err = err};

	if (now) {
		if (counts_increment(&t->last, now, &increment))
			r.increment = &increment;
		t->last = *now;
	}
	t->scraper->fn(t->scraper->arg, &r);
}

static void on_done(void *arg, const struct http_result *res)
{
	struct target *t = arg;
	struct scraper *s = t->scraper;
	struct counts now;
	struct counts_histogram scores;
	bool has_scores = false;
	struct err err = res->err;

	t->call = NULL;
	s->running--;
	if (err.class == ERR_NONE && res->status != 200)
		err_set(&err, ERR_PROTOCOL, "%s answered %d", t->url, res->status);
	if (err.class == ERR_NONE)
		counts_read(t->preset, t->model, res->body, res->body_len, &now, &err);
	if (err.class == ERR_NONE)
		has_scores = take_scores(t, res, &scores);
	rearm(s);
	/* Last: the receiver may drop this very target. */
	report(t, err.class == ERR_NONE ? &now : NULL, has_scores ? &scores : NULL,
	       err.class == ERR_NONE ? NULL : &err);
}

static void scrape(struct target *t)
{
	int64_t period = t->group->period_ms;
	struct http_request req = {
		.url = t->url,
		.timeout_ms = (int)(period < TIMEOUT_MAX_MS ? period : TIMEOUT_MAX_MS),
		.max_body = BODY_MAX,
		.on_done = on_done,
		.arg = t,
	};

	t->scraper->running++;
	t->call = http_start(t->http, &req);
}

static void start_ready(struct scraper *s)
{
	while (s->running < s->concurrency && !list_empty(&s->ready))
		scrape(list_entry(list_pop_front(&s->ready), struct target, ready));
}

static void on_timer(void *arg)
{
	struct scraper *s = arg;
	int64_t now = loop_now(s->loop);
	struct heap_node *n;

	while ((n = heap_min(&s->due)) && n->key <= now) {
		struct target *t = container_of(n, struct target, due);

		/* A missed turn is not made up for: the next one is on the same raster. */
		while (n->key <= now)
			heap_set(&s->due, n, n->key + t->group->period_ms);
		if (!t->call && list_empty(&t->ready))
			list_push_back(&s->ready, &t->ready);
	}
	rearm(s);
}

static void rearm(struct scraper *s)
{
	struct heap_node *n = heap_min(&s->due);
	int64_t wait = n ? n->key - loop_now(s->loop) : 0;

	start_ready(s);
	if (n)
		timer_start(&s->timer, wait > 0 ? wait : 0);
	else
		timer_stop(&s->timer);
}

/* --- targets ----------------------------------------------------------------------------- */

/* A group's targets are spread over its period, each at the same place in every period. */
static int64_t first_turn(const struct scraper *s, const struct group *g, const char *pod)
{
	uint64_t spread = str_hash(STR_HASH_SEED, pod, strlen(pod));

	return loop_now(s->loop) + (int64_t)(spread % (uint64_t)g->period_ms);
}

static struct target *target_new(struct scraper *s, struct group *g,
                                 const struct scrape_target *want)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->scraper = s;
	t->group = g;
	t->http = http_pool_take(s->http);
	t->pod = xstrdup(want->pod);
	t->uid = xstrdup(want->uid);
	t->url = xstrdup(want->url);
	t->model = xstrdup_null(want->model);
	t->preset = want->preset;
	list_init(&t->ready);
	heap_set(&s->due, &t->due, first_turn(s, g, t->pod));
	map_set(&g->targets, t->pod, t);
	return t;
}

/* Counters of another server or model are no base for this one's. */
static bool same_target(const struct target *t, const struct scrape_target *want)
{
	return str_eq(t->uid, want->uid) && str_eq(t->url, want->url) &&
	       str_eq(t->model, want->model) && t->preset == want->preset;
}

static void group_target(struct scraper *s, struct group *g, const struct scrape_target *want)
{
	struct target *t = map_get(&g->targets, want->pod);

	if (t && !same_target(t, want)) {
		map_del(&g->targets, want->pod);
		target_free(t);
		t = NULL;
	}
	if (!t)
		t = target_new(s, g, want);
	t->marked = true;
}

static void group_sweep(struct group *g)
{
	const char *key;
	void *value;
	size_t it = 0;

	while (map_next(&g->targets, &it, &key, &value)) {
		struct target *t = value;

		if (t->marked) {
			t->marked = false;
			continue;
		}
		map_del(&g->targets, key);
		target_free(t);
	}
}

static void group_reschedule(struct scraper *s, struct group *g)
{
	const char *key;
	void *value;
	size_t it = 0;

	while (map_next(&g->targets, &it, &key, &value)) {
		struct target *t = value;

		heap_set(&s->due, &t->due, first_turn(s, g, t->pod));
	}
}

static struct group *group_get(struct scraper *s, const char *name, int64_t period_ms)
{
	struct group *g = map_get(&s->groups, name);

	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->name = xstrdup(name);
		map_init(&g->targets);
		map_set(&s->groups, name, g);
	}
	period_ms = period_ms > 0 ? period_ms : 1000;
	if (g->period_ms != period_ms) {
		g->period_ms = period_ms;
		group_reschedule(s, g);
	}
	return g;
}

void scraper_set(struct scraper *s, const char *group, int64_t period_ms,
                 const struct scrape_target *targets, unsigned n)
{
	struct group *g;

	if (!n) {
		g = map_del(&s->groups, group);
		if (g)
			group_free(g);
		rearm(s);
		return;
	}
	g = group_get(s, group, period_ms);
	for (unsigned i = 0; i < n; i++)
		group_target(s, g, &targets[i]);
	group_sweep(g);
	rearm(s);
}

void scraper_scores(struct scraper *s, const char *group, const char *metric)
{
	struct group *g = map_get(&s->groups, group);
	const char *key;
	void *value;
	size_t it = 0;

	if (!g || str_eq(g->scores, metric))
		return;
	xstr_replace(&g->scores, metric);
	while (map_next(&g->targets, &it, &key, &value)) {
		struct target *t = value;

		free(t->scores);
		t->scores = NULL;
	}
}

struct scraper *scraper_new(struct loop *l, unsigned concurrency,
                            void (*fn)(void *arg, const struct scrape_reading *r), void *arg,
                            struct err *err)
{
	struct scraper *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->concurrency = concurrency;
	s->fn = fn;
	s->arg = arg;
	map_init(&s->groups);
	heap_init(&s->due);
	list_init(&s->ready);
	timer_init(&s->timer, l, on_timer, s);
	s->http = http_pool_new(l, "tidegate-scraper", err);
	if (!s->http) {
		scraper_free(s);
		return NULL;
	}
	return s;
}

void scraper_free(struct scraper *s)
{
	if (!s)
		return;
	map_release(&s->groups, group_free);
	http_pool_free(s->http);
	timer_release(&s->timer);
	heap_release(&s->due);
	free(s);
}
