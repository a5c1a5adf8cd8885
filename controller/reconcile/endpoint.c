/*
 * What is seen of pods from outside: since when an EndpointSlice names one, and whether one that
 * leaves still answers requests.
 *
 * A pod that leaves is idle when it is in no slice any more and then two scrapes in a row show
 * it quiet. A scrape that fails, or a runtime without metrics, proves nothing:
 * spec.strategy.drain is then the wait.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/scrape.h"

#define SCRAPES_AT_ONCE 16
#define SCRAPE_EVERY_MS 1000
#define QUIET_SCRAPES   2

struct leaving {
	int64_t since_ms; /* as the pod says: one that came back and leaves again starts anew */
	int quiet;        /* scrapes in a row */
};

/*
 * The controller moves endpoints between the slices of a Service as they fill up, and a pod may be
 * named by those of two Services, the front's and its revision's.
 */
struct listing {
	int64_t since_ms; /* wall, when a slice first showed it */
	unsigned slices;  /* that name it */
};

struct endpoints {
	struct mdep_operator *op;
	struct scraper *scraper;
	struct map listed; /* "ns/pod" -> struct listing */
	struct map groups; /* key -> struct map of "ns/pod" -> struct leaving */
};

static void group_free(void *arg)
{
	if (!arg)
		return;
	map_release(arg, free);
	free(arg);
}

/* --- slices ------------------------------------------------------------------------------ */

static char *pod_key(const struct endpointslice *s, unsigned i)
{
	return xasprintf("%s/%s", s->meta.namespace, s->pods[i]);
}

static bool slice_names(const struct endpointslice *s, const char *pod)
{
	for (unsigned i = 0; i < s->npods; i++)
		if (str_eq(s->pods[i], pod))
			return true;
	return false;
}

static void unlist(struct endpoints *e, const char *key)
{
	struct listing *l = map_get(&e->listed, key);

	if (l && !--l->slices)
		free(map_del(&e->listed, key));
}

static void list(struct endpoints *e, const char *key)
{
	struct listing *l = map_get(&e->listed, key);

	if (!l) {
		l = xcalloc(1, sizeof(*l));
		l->since_ms = clock_wall_ms();
		map_set(&e->listed, key, l);
	}
	l->slices++;
}

/* What is named by the one and not by the other, which may be NULL. */
static void for_difference(struct endpoints *e, const struct endpointslice *one,
                           const struct endpointslice *other,
                           void (*act)(struct endpoints *e, const char *key))
{
	for (unsigned i = 0; one && i < one->npods; i++) {
		cleanup_free char *key = NULL;

		if (other && slice_names(other, one->pods[i]))
			continue;
		key = pod_key(one, i);
		act(e, key);
	}
}

void endpoints_slice(struct endpoints *e, const struct store_event *ev)
{
	const struct endpointslice *now = (const struct endpointslice *)ev->object;
	const struct endpointslice *was = (const struct endpointslice *)ev->previous;

	if (ev->change == STORE_DELETED) {
		for_difference(e, now, NULL, unlist);
		return;
	}
	for_difference(e, now, was, list);
	for_difference(e, was, now, unlist);
}

/* --- the last requests of pods that leave ------------------------------------------------- */

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct endpoints *e = arg;
	struct map *pods = map_get(&e->groups, r->group);
	struct leaving *l = pods ? map_get(pods, r->pod) : NULL;

	if (!l)
		return;
	if (map_get(&e->listed, r->pod) || !counts_quiet(r->total, r->increment)) {
		l->quiet = 0;
		return;
	}
	if (l->quiet < QUIET_SCRAPES && ++l->quiet == QUIET_SCRAPES)
		operator_enqueue(e->op, r->group);
}

static bool is_leaving(const struct pod *p)
{
	return p->leaving_since_ms && !p->meta.deleted_ms && p->ip && p->phase == POD_RUNNING;
}

static void watch_pod(struct map *pods, const struct pod *p)
{
	struct leaving *l = map_get(pods, p->meta.key);

	if (!l) {
		l = xcalloc(1, sizeof(*l));
		map_set(pods, p->meta.key, l);
	}
	if (l->since_ms != p->leaving_since_ms)
		*l = (struct leaving){.since_ms = p->leaving_since_ms};
}

static unsigned count_leaving(const struct rollout_snapshot *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->ncells; i++)
		for (unsigned j = 0; j < s->cells[i].npods; j++)
			n += is_leaving(s->cells[i].pods[j]);
	return n;
}

static struct map *group_of(struct endpoints *e, const char *key)
{
	struct map *pods = map_get(&e->groups, key);

	if (!pods) {
		pods = xcalloc(1, sizeof(*pods));
		map_init(pods);
		map_set(&e->groups, key, pods);
	}
	return pods;
}

static unsigned leaving_targets(struct endpoints *e, const char *key,
                                const struct rollout_snapshot *s, struct arena *a,
                                struct scrape_target *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->ncells; i++)
		for (unsigned j = 0; j < s->cells[i].npods; j++) {
			const struct pod *p = s->cells[i].pods[j];

			if (!is_leaving(p) || !serving_target(e->op, a, s->mdep, p, &out[n]))
				continue;
			watch_pod(group_of(e, key), p);
			n++;
		}
	return n;
}

void endpoints_watch(struct endpoints *e, const char *key, const struct rollout_snapshot *s)
{
	cleanup_arena struct arena a;
	struct scrape_target *targets;
	unsigned n = s->traffic.managed ? count_leaving(s) : 0;

	arena_init(&a, 4096);
	if (n) {
		targets = arena_array(&a, n, sizeof(*targets));
		n = leaving_targets(e, key, s, &a, targets);
	}
	if (n)
		scraper_set(e->scraper, key, SCRAPE_EVERY_MS, targets, n);
	else
		endpoints_forget(e, key);
}

void endpoints_forget(struct endpoints *e, const char *key)
{
	if (!map_get(&e->groups, key))
		return;
	scraper_set(e->scraper, key, 0, NULL, 0);
	group_free(map_del(&e->groups, key));
}

/* --- what the planner gets --------------------------------------------------------------- */

static bool is_idle(const struct endpoints *e, const char *name, const struct pod *p)
{
	cleanup_free char *key = xasprintf("%s/%s", p->meta.namespace, name);
	const struct map *pods = map_get(&e->groups, key);
	const struct leaving *l = pods ? map_get(pods, p->meta.key) : NULL;

	return l && l->since_ms == p->leaving_since_ms && l->quiet >= QUIET_SCRAPES;
}

void endpoints_read(struct endpoints *e, struct arena *a, struct rollout_cell *cell)
{
	struct rollout_pod_fact *facts;

	if (!e->op->stores[CACHE_ENDPOINT].synced)
		return;
	facts = arena_array(a, cell->npods, sizeof(*facts));
	for (unsigned i = 0; i < cell->npods; i++) {
		const struct pod *p = cell->pods[i];
		const struct listing *l = map_get(&e->listed, p->meta.key);

		facts[i].listed_ms = l ? l->since_ms : 0;
		facts[i].idle = !l && p->leaving_since_ms && p->mdep && is_idle(e, p->mdep, p);
	}
	cell->facts = facts;
}

struct endpoints *endpoints_new(struct mdep_operator *op, struct err *err)
{
	struct endpoints *e = xcalloc(1, sizeof(*e));

	e->op = op;
	map_init(&e->listed);
	map_init(&e->groups);
	e->scraper = scraper_new(op->loop, SCRAPES_AT_ONCE, on_reading, e, err);
	if (!e->scraper) {
		endpoints_free(e);
		return NULL;
	}
	return e;
}

void endpoints_free(struct endpoints *e)
{
	if (!e)
		return;
	scraper_free(e->scraper);
	map_release(&e->groups, group_free);
	map_release(&e->listed, free);
	free(e);
}
