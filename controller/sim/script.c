#include "script_priv.h"

#include <math.h>
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

#define LOOK_MS            10000 /* how often it is asked whether anything is still to come */
#define QUIET_MS           (15 * 60000LL) /* without news until nothing more is expected */
#define LONGEST_MS         (7 * 86400000LL)
#define OPERATORS_APART_MS 1000
#define HISTORY_TRIM       256
#define HISTORY_MAX        20000
#define TEXT_MAX           1024

/* --- telling ------------------------------------------------------------------------------- */

static void tell(struct script *s, const char *object, const char *decision, const char *reason)
{
	struct script_decision d = {script_now(s), object, decision, reason};

	s->news_ms = d.t_ms;
	s->o->tell(s->o->arg, &d);
}

static void on_told(void *arg, bool warning, const struct event_ref *about, const char *reason,
                    const char *note)
{
	struct script *s = arg;
	cleanup_free char *object =
		xasprintf("%s %s%s%s", about->kind, str_or(about->namespace, ""),
	                  str_empty(about->namespace) ? "" : "/", about->name);

	(void)warning;
	tell(s, object, reason, note);
	if (str_eq(about->kind, "ModelDeployment"))
		script_note(s, about->namespace, about->name, reason);
	s->dirty = true;
}

/* --- hooks --------------------------------------------------------------------------------- */

static int64_t lag(void *arg)
{
	struct script *s = arg;

	return 1 + (int64_t)random_below(&s->random, 20);
}

static void written(void *arg, const char *agent, const struct sim_object *o)
{
	(void)arg;
	(void)agent;
	(void)o;
}

static void crash(void *arg, const char *agent)
{
	struct script *s = arg;

	cluster_kill(&s->cluster, agent);
}

static void changed(void *arg, const struct sim_object *o)
{
	struct script *s = arg;

	world_changed(&s->world, o);
	s->dirty |= o->resource != SIM_LEASE && o->resource != SIM_EVENT;
}

static bool connected(void *arg, const char *agent)
{
	struct script *s = arg;

	return !world_zone_is_dark(&s->world, cluster_zone_of(&s->cluster, agent));
}

static enum sim_reach pod_request(void *arg, const char *agent, const char *url, struct buf *out)
{
	struct script *s = arg;

	return world_answer(&s->world, url, cluster_zone_of(&s->cluster, agent), out);
}

/* --- objects ------------------------------------------------------------------------------- */

bool script_takes(const char *api_version, const char *kind)
{
	enum sim_resource r;

	return sim_find_kind(str_or(api_version, ""), str_or(kind, ""), &r);
}

static void fail(struct script *s, const char *what, const char *why)
{
	if (!s->failed)
		err_set(s->err, ERR_INVALID, "%s: %s", what, why);
	s->failed = s->done = true;
}

/* What is in force of the scenario for an app that the manifests name. */
static void apply(struct script *s, const char *text)
{
	cleanup_arena struct arena a;
	const struct json *json;
	struct err err = ERR_INIT;
	enum sim_resource r;
	struct sim_object *o;

	arena_init(&a, 16384);
	json = json_parse(&a, text, strlen(text), &err);
	if (!json || !sim_find_kind(str_or(json_str(json, "apiVersion"), ""),
	                            str_or(json_str(json, "kind"), ""), &r)) {
		fail(s, "a manifest", json ? "of a kind that is not simulated" : err.msg);
		return;
	}
	o = sim_put(s->cluster.api, r, text, &err);
	if (!o)
		fail(s, "a manifest", err.msg);
	else if (r == SIM_MDEP)
		script_track(s, o->ns, o->name);
}

static void object_name(struct arena *a, const char *text, const char **kind, const char **ns,
                        const char **name)
{
	const struct json *json = json_parse(a, text, strlen(text), NULL);
	const struct json *meta = json_get(json, "metadata");

	*kind = str_or(json_str(json, "kind"), "");
	*ns = str_or(json_str(meta, "namespace"), "default");
	*name = str_or(json_str(meta, "name"), "");
}

static bool is_repeated(struct script *s, const char *text)
{
	cleanup_arena struct arena a;
	const char *kind, *ns, *name;

	arena_init(&a, 16384);
	object_name(&a, text, &kind, &ns, &name);
	return str_eq(kind, "ModelDeployment") && sim_get(s->cluster.api, SIM_MDEP, ns, name);
}

static void apply_first(struct script *s)
{
	s->later = xcalloc(s->o->nobjects + 1, sizeof(*s->later));
	for (unsigned i = 0; i < s->o->nobjects && !s->failed; i++) {
		if (is_repeated(s, s->o->objects[i]))
			s->later[s->nlater++] = i;
		else
			apply(s, s->o->objects[i]);
	}
}

/* --- nodes and apps ------------------------------------------------------------------------ */

static void make_node(struct script *s, const struct scenario_node *n)
{
	cleanup_buf struct buf b;
	struct json_writer w;

	buf_init(&b, 16384);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_str(&w, "name", n->name);
	jw_object(&w, "labels");
	jw_str(&w, TG_HOST_LABEL, n->name);
	jw_str(&w, TG_ZONE_LABEL, *n->zone ? n->zone : NULL);
	jw_str(&w, TG_GPU_PRODUCT, n->product);
	jw_str(&w, TG_GPU_MEMORY, n->gpu_memory_mib);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_object(&w, "status");
	jw_object(&w, "allocatable");
	jw_str(&w, "cpu", n->cpu);
	jw_str(&w, "memory", n->memory);
	jw_strf(&w, "pods", "%lld", (long long)n->pods);
	if (n->gpus)
		jw_strf(&w, n->resource, "%lld", (long long)n->gpus);
	jw_end_object(&w);
	jw_raw(&w, "conditions", "[{\"type\":\"Ready\",\"status\":\"True\"}]");
	jw_end_object(&w);
	jw_end_object(&w);
	if (jw_end(&w) == 0)
		sim_put(s->cluster.api, SIM_NODE, b.data, NULL);
}

static void behave(struct world_behaviour *b, const struct scenario_version *v)
{
	if (v->version)
		str_copy(b->version, sizeof(b->version), v->version);
	if (!isnan(v->errors))
		b->errors = v->errors;
	if (!isnan(v->p50_s)) {
		b->p99_s = isnan(v->p99_s) ? b->p99_s / b->p50_s * v->p50_s : b->p99_s;
		b->p50_s = v->p50_s;
	}
	if (!isnan(v->p99_s))
		b->p99_s = v->p99_s;
	if (b->p99_s < b->p50_s)
		b->p99_s = b->p50_s;
	if (v->load_min_ms >= 0) {
		b->load_min_ms = v->load_min_ms;
		b->load_max_ms = v->load_max_ms;
	}
	if (v->loads >= 0)
		b->never_loads = !v->loads;
}

static void describe(struct world_app *a, const struct scenario_model *m)
{
	if (!isnan(m->rate))
		a->rate = m->rate;
	if (!isnan(m->audience))
		a->audience = m->audience;
	behave(&a->versions[0], &m->versions[0]);
	a->nversions = 1;
	for (unsigned i = 1; i < m->nversions; i++) {
		a->versions[i] = a->versions[0];
		behave(&a->versions[a->nversions++], &m->versions[i]);
	}
}

static void make_world(struct script *s)
{
	const struct scenario *c = s->o->scenario;

	world_init(&s->world, s->cluster.api, random_next(&s->random));
	for (unsigned i = 0; i < c->nmodels; i++)
		if (!c->models[i].name)
			describe(&s->world.defaults, &c->models[i]);
	for (unsigned i = 0; i < c->nmodels; i++)
		if (c->models[i].name)
			describe(world_app(&s->world, str_or(c->models[i].ns, "default"),
			                   c->models[i].name),
			         &c->models[i]);
	for (unsigned i = 0; i < c->nzones; i++)
		world_zone(&s->world, c->zones[i]);
	for (unsigned i = 0; i < c->nnodes; i++)
		make_node(s, &c->nodes[i]);
}

/* --- events -------------------------------------------------------------------------------- */

static const char *leader(struct script *s)
{
	const struct sim_object *o =
		sim_get(s->cluster.api, SIM_LEASE, CLUSTER_NAMESPACE, CLUSTER_LEASE);

	return o ? json_str(json_get(o->json, "spec"), "holderIdentity") : NULL;
}

static void kill_operator(struct script *s, const char *which)
{
	int64_t n = 0;

	if (str_eq(which, "leader")) {
		cluster_kill(&s->cluster, str_or(leader(s), ""));
		return;
	}
	str_to_i64(which, &n);
	for (unsigned i = 0; i < s->cluster.nreplicas; i++)
		if (str_eq(which, "all") || (int64_t)i + 1 == n)
			cluster_kill(&s->cluster, s->cluster.replica[i].agent);
}

static bool is_meant(const struct scenario_event *e, const struct world_app *a)
{
	return !e->name || (str_eq(e->name, a->name) && (!e->ns || str_eq(e->ns, a->ns)));
}

static void annotate(struct script *s, const struct scenario_event *e, const struct tracked *t)
{
	struct sim_object *o = sim_get(s->cluster.api, SIM_MDEP, t->app->ns, t->app->name);
	cleanup_buf struct buf b;
	struct json_writer w;

	buf_init(&b, (size_t)1 << 20);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_value(&w, "annotations", e->value);
	jw_end_object(&w);
	jw_end_object(&w);
	if (o && jw_end(&w) == 0)
		sim_patch(s->cluster.api, o, b.data);
}

/* Pods point at behaviours, which therefore stay where they are. */
static void change_version(struct world *w, struct world_app *a, const struct scenario_version *v)
{
	for (unsigned i = 1; i < a->nversions; i++)
		if (str_eq(a->versions[i].version, v->version)) {
			behave(&a->versions[i], v);
			return;
		}
	if (a->nversions == WORLD_VERSIONS_MAX)
		return;
	a->versions[a->nversions] = a->versions[0];
	behave(&a->versions[a->nversions++], v);
	pods_learn(w, a);
}

static void change_models(struct script *s, const struct scenario_event *e)
{
	bool any = false;

	users_count(&s->world);
	for (unsigned i = 0; i < s->ntracked; i++) {
		struct tracked *t = &s->tracked[i];

		if (!is_meant(e, t->app))
			continue;
		any = true;
		if (e->what == SCENARIO_ANNOTATE)
			annotate(s, e, t);
		else if (e->what == SCENARIO_REQUESTS)
			t->app->rate = e->rate;
		else
			change_version(&s->world, t->app, &e->version);
	}
	world_settle(&s->world);
	if (!any)
		fail(s, e->path, "no such ModelDeployment has been applied by then");
}

static const char *value_text(struct arena *a, const struct json *v)
{
	cleanup_buf struct buf b;

	buf_init(&b, TEXT_MAX);
	return v && !json_write_value(&b, v) ? arena_strdup(a, b.data) : "";
}

static void happen(struct script *s, const struct scenario_event *e)
{
	cleanup_arena struct arena a;

	arena_init(&a, 4096);
	switch (e->what) {
	case SCENARIO_ZONE_DARK:
		tell(s, "World", "ZoneDark", e->target);
		script_zone_dark(s, e->target);
		world_zone_set(&s->world, e->target, true);
		break;
	case SCENARIO_ZONE_LIGHT:
		tell(s, "World", "ZoneLight", e->target);
		world_zone_set(&s->world, e->target, false);
		break;
	case SCENARIO_NODE_LOST:
		tell(s, "World", "NodeLost", e->target);
		if (!world_lose_node(&s->world, e->target))
			fail(s, e->path, "there is no such node");
		break;
	case SCENARIO_OPERATOR_KILLED:
		tell(s, "World", "OperatorKilled", e->target);
		kill_operator(s, e->target);
		break;
	case SCENARIO_APPLY:
		tell(s, "World", "ManifestApplied", str_or(e->target, "as written in the world"));
		for (unsigned i = 0; i < e->nobjects; i++)
			apply(s, e->objects[i]);
		break;
	case SCENARIO_ANNOTATE:
		tell(s, "World", "AnnotationSet", value_text(&a, e->value));
		change_models(s, e);
		break;
	case SCENARIO_REQUESTS:
		tell(s, "World", "RequestsChanged", arena_printf(&a, "%g per second", e->rate));
		change_models(s, e);
		break;
	case SCENARIO_VERSION:
		tell(s, "World", "VersionChanged", e->version.version);
		change_models(s, e);
		break;
	}
	s->dirty = true;
}

static void on_event(void *arg)
{
	struct script *s = arg;
	const struct scenario *c = s->o->scenario;

	while (s->event < c->nevents && c->events[s->event].at_ms <= script_now(s) && !s->failed)
		happen(s, &c->events[s->event++]);
	if (s->event < c->nevents)
		timer_start(&s->next, c->events[s->event].at_ms - script_now(s));
}

/* --- the end ------------------------------------------------------------------------------- */

static const struct json *status_of(struct script *s, const struct tracked *t, int64_t *generation)
{
	const struct sim_object *o = sim_get(s->cluster.api, SIM_MDEP, t->app->ns, t->app->name);

	*generation = o ? o->generation : 0;
	return o ? json_get(o->json, "status") : NULL;
}

/* Nothing is under way that does not wait for somebody. */
static bool is_at_rest(struct script *s, const struct tracked *t, bool whole)
{
	static const char *const waits[] = {"RolledBack", "Aborted", "AwaitingApproval", "Paused"};
	int64_t generation;
	const struct json *status = status_of(s, t, &generation);
	const char *phase = str_or(json_str(json_get(status, "rollout"), "phase"), "");

	if (!status || json_i64(status, "observedGeneration", 0) < generation)
		return false;
	if (!*phase)
		return json_has(status, "stableRevision") && t->serving >= t->wanted;
	for (size_t i = 0; !whole && i < ARRAY_SIZE(waits); i++)
		if (str_eq(phase, waits[i]))
			return true;
	return false;
}

static bool bakes(struct script *s)
{
	for (unsigned i = 0; i < s->ntracked; i++)
		if (s->tracked[i].bake_until_ms > script_now(s))
			return true;
	return false;
}

static void apply_later(struct script *s)
{
	cleanup_arena struct arena a;
	const char *kind, *ns, *name, *text;
	const struct tracked *t;

	arena_init(&a, 16384);
	if (!s->nlater)
		return;
	text = s->o->objects[s->later[0]];
	object_name(&a, text, &kind, &ns, &name);
	t = script_track(s, ns, name);
	if (!t || !is_at_rest(s, t, true))
		return;
	memmove(s->later, s->later + 1, --s->nlater * sizeof(*s->later));
	tell(s, "World", "ManifestApplied", "the next version, for the one before is whole");
	apply(s, text);
}

/* A step is held until then, by itself; 0 when none is. */
static int64_t held_until(struct script *s, const struct tracked *t)
{
	int64_t generation, wall_ms;
	const struct json *rollout = json_get(status_of(s, t, &generation), "rollout");
	const char *text = json_str(rollout, "holdUntilTime");

	if (!text || clock_parse(text, &wall_ms))
		return 0;
	return wall_ms - CLUSTER_START_WALL_MS;
}

/* Something is under way, but has been stuck for too long to be waited for. */
static bool is_stuck(struct script *s, const struct tracked *t)
{
	int64_t held = held_until(s, t);

	return script_now(s) - (held > s->news_ms ? held : s->news_ms) >= 4 * QUIET_MS;
}

static void on_look(void *arg)
{
	struct script *s = arg;
	int64_t now = script_now(s);
	bool quiet =
		s->event == s->o->scenario->nevents && !bakes(s) && now - s->news_ms >= QUIET_MS;

	timer_start(&s->look, s->end_ms - now < LOOK_MS ? s->end_ms - now : LOOK_MS);
	s->done |= now >= s->end_ms;
	if (s->end_ms != LONGEST_MS || !quiet)
		return;
	for (unsigned i = 0; i < s->ntracked; i++)
		quiet &= is_at_rest(s, &s->tracked[i], false) || is_stuck(s, &s->tracked[i]);
	s->done |= quiet;
}

static void trim(struct sim_api *api)
{
	if (api->nhistory > HISTORY_MAX)
		sim_compact(api);
	else if (api->nhistory > HISTORY_TRIM)
		sim_trim(api);
}

/* --- run ----------------------------------------------------------------------------------- */

/* One stands apart; several are spread over the zones, unless it is said where they are. */
static void add_operators(struct script *s)
{
	const struct scenario *c = s->o->scenario;

	for (unsigned i = 0; i < c->operators; i++) {
		cluster_add_replica(&s->cluster, (int64_t)i * OPERATORS_APART_MS);
		s->cluster.zones[i] = c->operator_zones[i] || c->operators == 1 || !c->nzones
		                              ? c->operator_zones[i]
		                              : c->zones[i % c->nzones];
	}
}

static void begin(struct script *s)
{
	const struct scenario *c = s->o->scenario;
	struct sim_hooks hooks = {.lag = lag,
	                          .changed = changed,
	                          .written = written,
	                          .crash = crash,
	                          .connected = connected,
	                          .pod_request = pod_request,
	                          .arg = s};

	s->random.state = s->o->seed;
	cluster_begin(&s->cluster, s->o->seed, &hooks);
	s->cluster.told = on_told;
	s->cluster.told_arg = s;
	s->end_ms = s->o->until_ms ? s->o->until_ms : c->duration_ms ? c->duration_ms : LONGEST_MS;
	timer_init(&s->next, s->cluster.loop, on_event, s);
	timer_init(&s->look, s->cluster.loop, on_look, s);
	make_world(s);
	apply_first(s);
	add_operators(s);
	timer_start(&s->next, 0);
	timer_start(&s->look, 0);
}

static void end(struct script *s)
{
	world_release(&s->world);
	timer_release(&s->next);
	timer_release(&s->look);
	cluster_end(&s->cluster);
	free(s->later);
}

int script_run(const struct script_options *o, struct script_summary *out, struct err *err)
{
	struct script s = {.o = o, .out = out, .err = err};

	*out = (struct script_summary){.traffic_rto_ms = -1, .capacity_rto_ms = -1};
	out->all = (struct script_model){
		.promoted_ms = -1, .rollback_ms = -1, .rolled_back_ms = -1, .min_ready = -1};
	begin(&s);
	while (!s.done) {
		cluster_run_once(&s.cluster);
		if (!s.dirty)
			continue;
		s.dirty = false;
		script_count(&s);
		apply_later(&s);
		trim(s.cluster.api);
	}
	script_sum(&s);
	end(&s);
	return s.failed ? -1 : 0;
}
