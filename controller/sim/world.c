#include "world.h"

#include "tidegate/base/clock.h"

/* How long a controller takes to act on what it saw. */
#define REACTION_MS 100

int64_t world_draw(struct world *w, int64_t lo, int64_t hi)
{
	return hi <= lo ? lo : lo + (int64_t)random_below(&w->random, (uint64_t)(hi - lo + 1));
}

/* --- apps ---------------------------------------------------------------------------------- */

struct world_app *world_app(struct world *w, const char *ns, const char *name)
{
	struct world_app *a;

	buf_truncate(&w->key, 0);
	buf_addstr(&w->key, ns);
	buf_addch(&w->key, '/');
	buf_addstr(&w->key, name);
	a = map_get(&w->apps_by_key, w->key.data);
	if (a)
		return a;
	a = xmalloc(sizeof(*a));
	*a = w->defaults;
	a->ns = xstrdup(ns);
	a->name = xstrdup(name);
	a->since_ms = clock_mono_ms();
	a->preset = preset_get(RUNTIME_CUSTOM);
	list_init(&a->pods);
	list_push_back(&w->apps, &a->link);
	map_set(&w->apps_by_key, w->key.data, a);
	return a;
}

const struct world_behaviour *world_behaviour(const struct world_app *a, const char *version)
{
	for (unsigned i = 1; i < a->nversions; i++)
		if (str_eq(a->versions[i].version, version))
			return &a->versions[i];
	return &a->versions[0];
}

void world_spoil(struct world *w, const char *name, double errors)
{
	struct world_app *a = world_app(w, "default", name);

	users_count(w);
	for (unsigned i = 0; i < a->nversions; i++)
		a->versions[i].errors += errors;
}

/* --- rounds -------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void world_wake(struct world *w, int64_t at_ms)
{
	int64_t now = clock_mono_ms();

	if (at_ms >= w->wake_ms)
		return;
	w->wake_ms = at_ms;
	timer_start(&w->timer, at_ms > now ? at_ms - now : 0);
}

/* What matters of a ModelDeployment here, whether its spec is right or not. */
static void read_mdep(struct world *w, const struct sim_object *o)
{
	const struct json *spec = json_get(o->json, "spec");
	const char *preset = json_str(json_get(spec, "runtime"), "preset");
	struct world_app *a = world_app(w, o->ns, o->name);

	a->preset = preset_find(str_or(preset, ""));
	if (!a->preset)
		a->preset = preset_get(RUNTIME_CUSTOM);
	a->driven = false;
	for (int t = TRAFFIC_NONE + 1; t <= TRAFFIC_TRAEFIK; t++)
		a->driven |= json_has(json_get(spec, "traffic"),
		                      mdep_traffic_field((enum mdep_traffic)t));
}

void world_changed(struct world *w, const struct sim_object *o)
{
	switch (o->resource) {
	case SIM_LEASE:
	case SIM_EVENT:
	case SIM_SLICE:
	case SIM_BUDGET:
	case SIM_SCOREPOLICY:
	case SIM_DEPLOYMENT:
	case SIM_PRIORITYCLASS:
		return;
	case SIM_MDEP:
		read_mdep(w, o);
		return;
	default:
		world_wake(w, clock_mono_ms() + REACTION_MS);
	}
}

void world_settle(struct world *w)
{
	users_count(w);
	users_share(w);
}

static void on_timer(void *arg)
{
	struct world *w = arg;
	int64_t next;

	w->wake_ms = INT64_MAX;
	users_count(w);
	next = earlier(nodes_round(w), pods_round(w));
	next = earlier(next, gateway_round(w));
	users_share(w);
	if (next != INT64_MAX)
		world_wake(w, next);
}

void world_init(struct world *w, struct sim_api *api, uint64_t seed)
{
	*w = (struct world){.api = api, .random = {seed}, .wake_ms = INT64_MAX};
	list_init(&w->apps);
	map_init(&w->apps_by_key);
	buf_init(&w->key, SIM_TEXT_MAX);
	w->defaults = (struct world_app){.rate = 100,
	                                 .versions = {{.p50_s = 0.02,
	                                               .p99_s = 0.08,
	                                               .load_min_ms = 30000,
	                                               .load_max_ms = 30000}},
	                                 .nversions = 1};
	timer_init(&w->timer, api->loop, on_timer, w);
}

void world_release(struct world *w)
{
	while (!list_empty(&w->apps)) {
		struct world_app *a = list_entry(list_pop_front(&w->apps), struct world_app, link);

		/* The API server, and its pods with it, goes later. */
		while (!list_empty(&a->pods))
			list_init(list_pop_front(&a->pods));
		free(a->ns);
		free(a->name);
		free(a);
	}
	map_release(&w->apps_by_key, NULL);
	buf_release(&w->key);
	for (size_t r = 0; r < ARRAY_SIZE(w->lines); r++)
		for (size_t i = 0; i < ARRAY_SIZE(w->lines[r]); i++)
			free(w->lines[r][i].start);
	timer_release(&w->timer);
	free(w->by_number);
}
