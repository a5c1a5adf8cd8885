#include "tidegate/failover/group.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/heap.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"

#define WHOLE_PERCENT 60
#define STORM_MODELS  3
#define STORM_PART    5 /* one in five */
#define STANDS_PART   10

/* Spacing and how many may go before it is kept. */
static const struct {
	int64_t every_ms, burst;
} rates[ZONE_LANES] = {[ZONE_LANE_LEAVE] = {10, 32}, [ZONE_LANE_RETURN] = {50, 8}};

struct zone {
	struct zone *next;
	char *name;
	unsigned out, peak; /* models that are out of it; the most since it was last 0 */
	unsigned demands;   /* models that wanted to leave it lately */
	unsigned waiting;
	int64_t decided_ms;
};

struct model {
	char *name;
	struct heap_node turn; /* in the queue of `lane` while it waits */
	struct list demand;    /* in group.demands */
	enum zone_lane lane;   /* of what it waits for, or was granted */
	struct zone *zone;     /* as lane; NULL = it asks for nothing */
	bool granted;          /* its turn has come */
	struct zone *wanted;   /* that it wanted to leave lately */
	int64_t asked_ms;      /* first, of the present wish */
	int64_t demanded_ms;   /* last */
	struct zone *out;
};

struct lane {
	struct heap queue;
	int64_t due_ms; /* when the next one would go if every_ms were kept */
};

struct group {
	struct map models; /* name -> struct model */
	struct zone *zones;
	struct zone *decided;
	struct list demands; /* oldest first */
	struct lane lanes[ZONE_LANES];
	char *named; /* by group_next() */
};

struct group *group_new(void)
{
	struct group *g = xcalloc(1, sizeof(*g));

	map_init(&g->models);
	list_init(&g->demands);
	for (int i = 0; i < ZONE_LANES; i++)
		heap_init(&g->lanes[i].queue);
	return g;
}

static void model_free(void *arg)
{
	struct model *m = arg;

	free(m->name);
	free(m);
}

void group_free(struct group *g)
{
	if (!g)
		return;
	for (int i = 0; i < ZONE_LANES; i++)
		heap_release(&g->lanes[i].queue);
	map_release(&g->models, model_free);
	for (struct zone *z = g->zones, *next; z; z = next) {
		next = z->next;
		free(z->name);
		free(z);
	}
	free(g->named);
	free(g);
}

static struct zone *zone_named(struct group *g, const char *name)
{
	struct zone *z;

	for (z = g->zones; z; z = z->next)
		if (str_eq(z->name, name))
			return z;
	z = xcalloc(1, sizeof(*z));
	z->name = xstrdup(name);
	z->next = g->zones;
	g->zones = z;
	return z;
}

static struct model *model_named(struct group *g, const char *name)
{
	struct model *m = map_get(&g->models, name);

	if (m)
		return m;
	m = xcalloc(1, sizeof(*m));
	m->name = xstrdup(name);
	list_init(&m->demand);
	map_set(&g->models, name, m);
	return m;
}

static void drop_if_idle(struct group *g, struct model *m)
{
	if (m->zone || m->wanted || m->out)
		return;
	map_del(&g->models, m->name);
	model_free(m);
}

/* --- wishes -------------------------------------------------------------------------------- */

static void end_wish(struct group *g, struct model *m)
{
	if (heap_node_in(&m->turn)) {
		heap_remove(&g->lanes[m->lane].queue, &m->turn);
		m->zone->waiting--;
	}
	m->zone = NULL;
	m->granted = false;
}

static void forget_demand(struct model *m)
{
	if (!m->wanted)
		return;
	m->wanted->demands--;
	m->wanted = NULL;
	list_remove(&m->demand);
	list_init(&m->demand);
}

static void note_demand(struct group *g, struct model *m, struct zone *z, int64_t now_ms)
{
	forget_demand(m);
	m->wanted = z;
	m->demanded_ms = now_ms;
	z->demands++;
	list_push_back(&g->demands, &m->demand);
}

static void expire_demands(struct group *g, int64_t now_ms)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &g->demands) {
		struct model *m = list_entry(it, struct model, demand);

		if (now_ms - m->demanded_ms < GROUP_STORM_MS)
			return;
		forget_demand(m);
		drop_if_idle(g, m);
	}
}

/* --- what holds for all ---------------------------------------------------------------------- */

/* A zone that was decided on proves nothing about the others. */
static bool is_storm(const struct group *g, const struct group_question *q, unsigned elsewhere)
{
	unsigned all = 0, most = q->bad, rest;

	for (const struct zone *z = g->zones; z; z = z->next) {
		if (z == g->decided)
			continue;
		all += z->demands;
		if (z->demands > most)
			most = z->demands;
	}
	rest = all > most ? all - most : 0;
	if (elsewhere > rest)
		rest = elsewhere;
	return rest >= STORM_MODELS && rest * STORM_PART >= rest + most;
}

static bool stands(const struct zone *z, int64_t now_ms)
{
	return z->waiting || z->out * STANDS_PART > z->peak ||
	       (z->decided_ms && now_ms - z->decided_ms < GROUP_STORM_MS);
}

/* The zone that the cluster is leaving or has left; NULL = none. */
static struct zone *zone_out(struct group *g, int64_t now_ms)
{
	if (g->decided && stands(g->decided, now_ms))
		return g->decided;
	g->decided = NULL;
	for (struct zone *z = g->zones; z; z = z->next)
		if (z->out && stands(z, now_ms) && (!g->decided || z->out > g->decided->out))
			g->decided = z;
	return g->decided;
}

/* --- turns --------------------------------------------------------------------------------- */

static bool take_turn(struct lane *l, enum zone_lane which, int64_t now_ms)
{
	if (l->due_ms - now_ms > rates[which].every_ms * (rates[which].burst - 1))
		return false;
	l->due_ms = (l->due_ms > now_ms ? l->due_ms : now_ms) + rates[which].every_ms;
	return true;
}

static enum zone_say queue_up(struct group *g, struct model *m, const struct group_question *q)
{
	struct lane *l = &g->lanes[q->lane];

	if (m->granted)
		return ZONE_GO;
	if (heap_node_in(&m->turn))
		return ZONE_WAIT;
	if (!heap_min(&l->queue) && take_turn(l, q->lane, q->now_ms)) {
		m->granted = true;
		return ZONE_GO;
	}
	heap_set(&l->queue, &m->turn, -(int64_t)q->priority);
	m->zone->waiting++;
	return ZONE_WAIT;
}

const char *group_next(struct group *g, int64_t now_ms)
{
	for (int i = 0; i < ZONE_LANES; i++) {
		struct lane *l = &g->lanes[i];
		struct heap_node *first = heap_min(&l->queue);
		struct model *m;

		if (!first || !take_turn(l, (enum zone_lane)i, now_ms))
			continue;
		m = list_entry(first, struct model, turn);
		heap_remove(&l->queue, first);
		m->zone->waiting--;
		m->granted = true;
		xstr_replace(&g->named, m->name);
		return g->named;
	}
	return NULL;
}

int64_t group_wait_ms(const struct group *g, int64_t now_ms)
{
	int64_t wait_ms = -1;

	for (int i = 0; i < ZONE_LANES; i++) {
		const struct lane *l = &g->lanes[i];
		int64_t at_ms = l->due_ms - rates[i].every_ms * (rates[i].burst - 1) - now_ms;

		if (!heap_min(&l->queue))
			continue;
		if (at_ms < 0)
			at_ms = 0;
		if (wait_ms < 0 || at_ms < wait_ms)
			wait_ms = at_ms;
	}
	return wait_ms;
}

/* --- questions ------------------------------------------------------------------------------- */

static void ask_alone(struct group *g, struct model *m, const struct group_question *q,
                      struct group_answer *out)
{
	int64_t left_ms = m->asked_ms + GROUP_ALONE_MS - q->now_ms;

	if (is_storm(g, q, 0)) {
		out->say = ZONE_STORM;
	} else if (left_ms > 0 && !m->granted) {
		out->say = ZONE_WAIT;
		out->wake_ms = left_ms;
	} else {
		out->say = queue_up(g, m, q);
		out->alone = out->say == ZONE_GO;
	}
}

bool group_most_fail(unsigned models, unsigned bad)
{
	return models > 1 && bad * 100 >= WHOLE_PERCENT * models;
}

static bool is_whole_zone(const struct group_question *q)
{
	return q->models < 2 || group_most_fail(q->models, q->bad);
}

static void ask_to_leave(struct group *g, struct model *m, const struct group_question *q,
                         struct group_answer *out)
{
	struct zone *decided = zone_out(g, q->now_ms);

	if (decided == m->zone) {
		out->say = queue_up(g, m, q);
	} else if (q->own_affair || !is_whole_zone(q)) {
		ask_alone(g, m, q, out);
	} else if (decided) {
		out->say = ZONE_ANOTHER;
	} else if (is_storm(g, q, q->bad_elsewhere)) {
		out->say = ZONE_STORM;
	} else {
		g->decided = m->zone;
		m->zone->decided_ms = q->now_ms;
		out->decided = true;
		out->say = queue_up(g, m, q);
	}
}

void group_ask(struct group *g, const struct group_question *q, struct group_answer *out)
{
	struct zone *z = zone_named(g, q->zone);
	struct model *m = model_named(g, q->model);

	*out = (struct group_answer){.say = ZONE_GO};
	if (m->zone != z || m->lane != q->lane) {
		end_wish(g, m);
		m->zone = z;
		m->lane = q->lane;
		m->asked_ms = q->now_ms;
	}
	if (q->lane == ZONE_LANE_RETURN) {
		out->say = queue_up(g, m, q);
		return;
	}
	note_demand(g, m, z, q->now_ms);
	expire_demands(g, q->now_ms);
	ask_to_leave(g, m, q, out);
}

void group_rest(struct group *g, const char *model)
{
	struct model *m = map_get(&g->models, model);

	if (!m)
		return;
	end_wish(g, m);
	drop_if_idle(g, m);
}

static void set_out(struct model *m, struct zone *z)
{
	if (m->out == z)
		return;
	/* All are back: what was decided is over, however short a time it took. */
	if (m->out && --m->out->out == 0)
		m->out->peak = m->out->decided_ms = 0;
	m->out = z;
	if (z && ++z->out > z->peak)
		z->peak = z->out;
}

void group_record(struct group *g, const char *model, const char *zone)
{
	struct model *m = map_get(&g->models, model);

	if (!m && !zone)
		return;
	m = model_named(g, model);
	set_out(m, zone ? zone_named(g, zone) : NULL);
	drop_if_idle(g, m);
}

void group_forget(struct group *g, const char *model)
{
	struct model *m = map_get(&g->models, model);

	if (!m)
		return;
	end_wish(g, m);
	forget_demand(m);
	set_out(m, NULL);
	drop_if_idle(g, m);
}
