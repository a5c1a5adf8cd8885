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

/* Of the period, and less than it: whoever misses a round can be asked in the next one. */
#define TIMEOUT_PART 0.9
/* Of the slots, what targets may take that were silent the last time: a dark zone's pods hold each
 * for as long as the time-out. */
#define DOUBTFUL_PART 4
/* Of the period: a failure that took longer is silence. */
#define SILENT_PART 0.1
/* A round waits so long for those that were silent, once all others have answered. */
#define GRACE_MS 50

struct group {
	struct heap_node due; /* key: monotonic ms of the next round */
	struct heap_node end; /* key: when the round that is open is over at the latest */
	char *name;
	char *scores; /* NULL = no histogram is asked for */
	int64_t period_ms;
	uint64_t round;               /* number of the last one that began, from 1 */
	bool open;                    /* its end has not been told yet */
	unsigned awaited;             /* targets that it waits for, */
	unsigned doubted;             /* and for a moment only: they were silent the last time */
	struct map targets;           /* pod -> struct target */
	struct counts_reader *reader; /* of whom was read last: mostly all are alike */
};

struct target {
	struct list ready; /* in scraper.ready or .doubtful when asked for and waiting for a slot */
	struct scraper *scraper;
	struct group *group;
	char *pod, *uid, *model;
	struct http_url *url;
	const struct preset *preset;
	struct http_client *http;
	struct http_call *call;
	struct counts last;
	struct counts_histogram *scores; /* last; NULL = none */
	uint64_t asked;                  /* round that the call belongs to */
	uint64_t read;                   /* last round that it was read in, in time; 0 = none */
	bool awaited;                    /* by that round */
	bool silent;                     /* no answer the last time */
	bool doubtful;                   /* it was when it was asked */
	bool doubtful_slot;              /* that the call takes */
	bool marked;                     /* scraper_set's sweep */
};

struct scraper {
	struct loop *loop;
	struct http_pool *http;
	struct map groups;
	struct heap due, ends; /* groups */
	struct timer timer;
	struct list ready, doubtful; /* targets */
	unsigned running, running_doubtful, concurrency;
	void (*fn)(void *arg, const struct scrape_reading *r);
	void (*round_fn)(void *arg, const char *group); /* NULL = nobody listens */
	void *arg;
};

static void rearm(struct scraper *s);

/* Its slot is free again. */
static void call_end(struct target *t)
{
	t->call = NULL;
	t->scraper->running--;
	t->scraper->running_doubtful -= t->doubtful_slot;
}

static void target_free(struct target *t)
{
	if (t->call) {
		http_cancel(t->call);
		call_end(t);
	}
	http_pool_give(t->scraper->http, t->http);
	list_remove(&t->ready);
	free(t->pod);
	free(t->uid);
	free(t->model);
	http_url_free(t->url);
	free(t->scores);
	free(t);
}

static void group_free(struct scraper *s, struct group *g)
{
	const char *key;
	void *t;
	size_t it = 0;

	while (map_next(&g->targets, &it, &key, &t))
		target_free(t);
	map_release(&g->targets, NULL);
	heap_remove(&s->due, &g->due);
	heap_remove(&s->ends, &g->end);
	counts_reader_free(g->reader);
	free(g->name);
	free(g->scores);
	free(g);
}

/* --- rounds ------------------------------------------------------------------------------ */

/* The timer tells of the end: whoever hears of it may drop the group. */
static void set_end(struct scraper *s, struct group *g)
{
	int64_t now = loop_now(s->loop);

	if (!g->awaited && !g->doubted)
		heap_set(&s->ends, &g->end, now);
	else if (!g->awaited && !heap_node_in(&g->end))
		heap_set(&s->ends, &g->end, now + GRACE_MS);
}

/* Its answer, if it comes now, belongs to the round that is open. */
static bool is_in_round(const struct target *t)
{
	return t->group->open && t->asked == t->group->round;
}

/* It has answered, failed or gone. */
static void await_no_more(struct target *t)
{
	if (!t->awaited || !is_in_round(t))
		return;
	t->awaited = false;
	t->group->awaited -= !t->doubtful;
	t->group->doubted -= t->doubtful;
	set_end(t->scraper, t->group);
}

/* All at once, but for those whose last answer is still under way. */
static void round_begin(struct scraper *s, struct group *g)
{
	const char *key;
	void *value;
	size_t it = 0;

	g->round++;
	g->open = true;
	g->awaited = g->doubted = 0;
	while (map_next(&g->targets, &it, &key, &value)) {
		struct target *t = value;

		if (t->call)
			continue;
		t->asked = g->round;
		t->awaited = true;
		t->doubtful = t->silent;
		g->awaited += !t->doubtful;
		g->doubted += t->doubtful;
		list_remove(&t->ready);
		list_push_back(t->doubtful ? &s->doubtful : &s->ready, &t->ready);
	}
	set_end(s, g);
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

/* True when what was counted since the last reading is just what this round is to tell. */
static bool take_round(struct target *t, const struct counts *now)
{
	uint64_t round = t->group->round;
	bool whole;

	if (!now || !is_in_round(t))
		return false;
	whole = t->read && t->read + 1 == round && !counts_restarted(&t->last, now);
	t->read = round;
	return whole;
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
	                           .whole = take_round(t, now),
	                           .err = err};

	await_no_more(t);
	if (now) {
		if (counts_increment(&t->last, now, &increment))
			r.increment = &increment;
		t->last = *now;
	}
	rearm(t->scraper);
	/* Last: the receiver may drop this very target. */
	t->scraper->fn(t->scraper->arg, &r);
}

static int read_counts(struct target *t, const struct http_result *res, struct counts *out,
                       struct err *err)
{
	struct group *g = t->group;

	if (!counts_reader_is_for(g->reader, t->preset, t->model)) {
		counts_reader_free(g->reader);
		g->reader = counts_reader_new(t->preset, t->model);
	}
	return counts_reader_read(g->reader, res->body, res->body_len, out, err);
}

static void on_done(void *arg, const struct http_result *res)
{
	struct target *t = arg;
	struct counts now;
	struct counts_histogram scores;
	bool has_scores = false;
	struct err err;

	err_copy(&err, &res->err);
	call_end(t);
	if (err.class == ERR_NONE && res->status != 200)
		err_set(&err, ERR_PROTOCOL, "%s answered %d", http_url_text(t->url), res->status);
	if (err.class == ERR_NONE)
		read_counts(t, res, &now, &err);
	if (err.class == ERR_NONE)
		has_scores = take_scores(t, res, &scores);
	t->silent = err.class != ERR_NONE &&
	            (double)res->elapsed_ms > SILENT_PART * (double)t->group->period_ms;
	report(t, err.class == ERR_NONE ? &now : NULL, has_scores ? &scores : NULL,
	       err.class == ERR_NONE ? NULL : &err);
}

static void scrape(struct target *t)
{
	double limit = TIMEOUT_PART * (double)t->group->period_ms;
	struct http_request req = {
		.known_url = t->url,
		.timeout_ms = (int)(limit < TIMEOUT_MAX_MS ? limit : TIMEOUT_MAX_MS),
		.max_body = BODY_MAX,
		.on_done = on_done,
		.arg = t,
	};

	t->scraper->running++;
	t->doubtful_slot = t->doubtful;
	t->scraper->running_doubtful += t->doubtful_slot;
	t->call = http_start(t->http, &req);
}

static void start_ready(struct scraper *s)
{
	unsigned doubtful = (s->concurrency + DOUBTFUL_PART - 1) / DOUBTFUL_PART;

	while (s->running < s->concurrency && !list_empty(&s->ready))
		scrape(list_entry(list_pop_front(&s->ready), struct target, ready));
	while (s->running < s->concurrency && s->running_doubtful < doubtful &&
	       !list_empty(&s->doubtful))
		scrape(list_entry(list_pop_front(&s->doubtful), struct target, ready));
}

static void tell_end(struct scraper *s, struct group *g)
{
	heap_remove(&s->ends, &g->end);
	g->open = false;
	if (s->round_fn)
		s->round_fn(s->arg, g->name);
}

static bool is_due(const struct scraper *s, const struct heap_node *n)
{
	return n && n->key <= loop_now(s->loop);
}

/* A missed turn is not made up for: the next one is on the same raster. */
static void take_turn(struct scraper *s, struct group *g)
{
	while (g->due.key <= loop_now(s->loop))
		heap_set(&s->due, &g->due, g->due.key + g->period_ms);
	round_begin(s, g);
}

/* A round that still waits ends with the beginning of the next one, and is told of before that. */
static void on_timer(void *arg)
{
	struct scraper *s = arg;
	struct heap_node *n;

	for (;;) {
		struct group *g;

		if (is_due(s, n = heap_min(&s->ends))) {
			tell_end(s, container_of(n, struct group, end));
			continue;
		}
		if (!is_due(s, n = heap_min(&s->due)))
			break;
		g = container_of(n, struct group, due);
		if (g->open)
			tell_end(s, g);
		else
			take_turn(s, g);
	}
	rearm(s);
}

static void rearm(struct scraper *s)
{
	struct heap_node *due = heap_min(&s->due), *end = heap_min(&s->ends);
	struct heap_node *n = end && end->key < due->key ? end : due;
	int64_t wait = n ? n->key - loop_now(s->loop) : 0;

	start_ready(s);
	if (n)
		timer_start(&s->timer, wait > 0 ? wait : 0);
	else
		timer_stop(&s->timer);
}

/* --- targets ----------------------------------------------------------------------------- */

/* Groups are spread over the period, each at the same place in every one. */
static void set_turn(struct scraper *s, struct group *g)
{
	uint64_t spread = str_hash(STR_HASH_SEED, g->name, strlen(g->name));

	heap_set(&s->due, &g->due, loop_now(s->loop) + (int64_t)(spread % (uint64_t)g->period_ms));
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
	t->url = http_url_new(want->url);
	t->model = xstrdup_null(want->model);
	t->preset = want->preset;
	list_init(&t->ready);
	map_set(&g->targets, t->pod, t);
	return t;
}

static void target_drop(struct target *t)
{
	await_no_more(t);
	target_free(t);
}

/* Counters of another server or model are no base for this one's. */
static bool same_target(const struct target *t, const struct scrape_target *want)
{
	return str_eq(t->uid, want->uid) && str_eq(http_url_text(t->url), want->url) &&
	       str_eq(t->model, want->model) && t->preset == want->preset;
}

static void group_target(struct scraper *s, struct group *g, const struct scrape_target *want)
{
	struct target *t = map_get(&g->targets, want->pod);

	if (t && !same_target(t, want)) {
		map_del(&g->targets, want->pod);
		target_drop(t);
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
		target_drop(t);
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
		set_turn(s, g);
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
			group_free(s, g);
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
	heap_init(&s->ends);
	list_init(&s->ready);
	list_init(&s->doubtful);
	timer_init(&s->timer, l, on_timer, s);
	s->http = http_pool_new(l, "tidegate-scraper", err);
	if (!s->http) {
		scraper_free(s);
		return NULL;
	}
	return s;
}

void scraper_on_round(struct scraper *s, void (*fn)(void *arg, const char *group))
{
	s->round_fn = fn;
}

void scraper_free(struct scraper *s)
{
	const char *key;
	void *g;
	size_t it = 0;

	if (!s)
		return;
	while (map_next(&s->groups, &it, &key, &g))
		group_free(s, g);
	map_release(&s->groups, NULL);
	http_pool_free(s->http);
	timer_release(&s->timer);
	heap_release(&s->due);
	heap_release(&s->ends);
	free(s);
}
