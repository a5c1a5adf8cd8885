#include "tidegate/sim/scenario.h"

#include <math.h>
#include <string.h>

#include "scenario_priv.h"
#include "tidegate/base/str.h"

#define NODES_OF_ZONE 2
#define GPUS_OF_NODE  8
#define MIB           (1 << 20)

static const struct scenario_node default_node = {.zone = "",
                                                  .gpus = GPUS_OF_NODE,
                                                  .pods = 110,
                                                  .resource = "nvidia.com/gpu",
                                                  .cpu = "64",
                                                  .memory = "256Gi"};

bool scenario_has_zone(const struct scenario *s, const char *name)
{
	for (unsigned i = 0; i < s->nzones; i++)
		if (str_eq(s->zones[i], name))
			return true;
	return !s->nzones;
}

/* --- zones and nodes ----------------------------------------------------------------------- */

static void read_machine(struct field_reader *r, const struct json *o, const char *path,
                         struct scenario_node *n)
{
	const char *memory;
	int64_t units;

	n->gpus = field_int(r, o, path, "gpus", 0, 64, n->gpus);
	n->pods = field_int(r, o, path, "pods", 1, 1000, n->pods);
	n->resource = field_text(r, o, path, "resource", n->resource);
	n->product = field_text(r, o, path, "product", n->product);
	field_quantity(r, o, path, "cpu", &n->cpu, &units);
	field_quantity(r, o, path, "memory", &n->memory, &units);
	if (field_quantity(r, o, path, "gpuMemory", &memory, &units))
		n->gpu_memory_mib = arena_printf(r->arena, "%lld", (long long)(units / MIB));
}

static void add_node(struct field_reader *r, struct scenario *s, const struct scenario_node *n,
                     const char *path)
{
	for (unsigned i = 0; i < s->nnodes; i++)
		if (str_eq(s->nodes[i].name, n->name))
			field_wrong(r, path, "there are two nodes %s", n->name);
	if (s->nnodes == SCENARIO_NODES_MAX)
		field_wrong(r, path, "more than %d nodes", SCENARIO_NODES_MAX);
	else
		s->nodes[s->nnodes++] = *n;
}

static void read_zone(struct field_reader *r, const struct json *o, const char *path,
                      struct scenario *s)
{
	static const char *const keys[] = {"name",     "nodes", "gpus",   "product", "gpuMemory",
	                                   "resource", "cpu",   "memory", "pods",    NULL};
	struct scenario_node n = default_node;
	int64_t count;

	if (json_value_str(o)) {
		n.zone = json_value_str(o);
	} else if (!field_mapping(r, o, path, keys)) {
		return;
	} else {
		n.zone = field_text(r, o, path, "name", NULL);
	}
	if (str_empty(n.zone)) {
		field_wrong(r, field_path(r, path, "name"), "is required");
		return;
	}
	read_machine(r, o, path, &n);
	count = field_int(r, o, path, "nodes", 0, SCENARIO_NODES_MAX, NODES_OF_ZONE);
	if (s->nzones && scenario_has_zone(s, n.zone)) {
		field_wrong(r, path, "there are two zones %s", n.zone);
		return;
	}
	s->zones[s->nzones++] = n.zone;
	for (int64_t i = 1; i <= count; i++) {
		n.name = arena_printf(r->arena, "%s-%lld", n.zone, (long long)i);
		add_node(r, s, &n, path);
	}
}

static void read_node(struct field_reader *r, const struct json *o, const char *path,
                      struct scenario *s)
{
	static const char *const keys[] = {"name",     "zone", "gpus",   "product", "gpuMemory",
	                                   "resource", "cpu",  "memory", "pods",    NULL};
	struct scenario_node n = default_node;

	if (!field_mapping(r, o, path, keys))
		return;
	n.name = field_text(r, o, path, "name", NULL);
	n.zone = field_text(r, o, path, "zone", "");
	read_machine(r, o, path, &n);
	if (!n.name) {
		field_wrong(r, field_path(r, path, "name"), "is required");
		return;
	}
	if (*n.zone && (!s->nzones || !scenario_has_zone(s, n.zone))) {
		if (s->nzones == SCENARIO_ZONES_MAX)
			field_wrong(r, path, "more than %d zones", SCENARIO_ZONES_MAX);
		else
			s->zones[s->nzones++] = n.zone;
	}
	add_node(r, s, &n, path);
}

bool scenario_add_zone(struct scenario *s, struct arena *a, const char *name)
{
	struct scenario_node n = default_node;

	for (unsigned i = 0; i < s->nzones; i++)
		if (str_eq(s->zones[i], name))
			return true;
	if (s->nzones == SCENARIO_ZONES_MAX || s->nnodes + NODES_OF_ZONE > SCENARIO_NODES_MAX)
		return false;
	n.zone = s->zones[s->nzones++] = arena_strdup(a, name);
	for (int i = 1; i <= NODES_OF_ZONE; i++) {
		n.name = arena_printf(a, "%s-%d", name, i);
		s->nodes[s->nnodes++] = n;
	}
	return true;
}

/* --- models -------------------------------------------------------------------------------- */

void scenario_read_target(struct field_reader *r, const struct json *o, const char *path,
                          const char **ns, const char **name)
{
	const char *model = field_text(r, o, path, "model", NULL), *slash;

	*ns = field_text(r, o, path, "namespace", NULL);
	slash = model ? strchr(model, '/') : NULL;
	*name = slash ? slash + 1 : model;
	if (slash)
		*ns = arena_strndup(r->arena, model, (size_t)(slash - model));
}

static void read_latency(struct field_reader *r, const struct json *o, const char *path,
                         struct scenario_version *v)
{
	static const char *const keys[] = {"p50", "p99", NULL};
	const struct json *latency = json_get(o, "latency");
	const char *at = field_path(r, path, "latency");
	int64_t p50, p99;

	if (json_is_string(latency) || json_is_number(latency)) {
		p50 = field_duration(r, o, path, "latency", -1);
		v->p50_s = p50 >= 0 ? (double)p50 / 1000 : NAN;
		return;
	}
	if (!latency || !field_mapping(r, latency, at, keys))
		return;
	p50 = field_duration(r, latency, at, "p50", -1);
	p99 = field_duration(r, latency, at, "p99", -1);
	if (p50 == 0 || p99 == 0 || (p50 > 0 && p99 > 0 && p99 < p50))
		field_wrong(r, at, "p50 must be above 0, and p99 not below it");
	v->p50_s = p50 > 0 ? (double)p50 / 1000 : NAN;
	v->p99_s = p99 > 0 ? (double)p99 / 1000 : NAN;
}

static void read_load(struct field_reader *r, const struct json *o, const char *path,
                      struct scenario_version *v)
{
	static const char *const keys[] = {"min", "max", NULL};
	const struct json *load = json_get(o, "load");
	const char *at = field_path(r, path, "load");

	v->load_min_ms = v->load_max_ms = -1;
	if (json_is_object(load) && field_mapping(r, load, at, keys)) {
		v->load_min_ms = field_duration(r, load, at, "min", 0);
		v->load_max_ms = field_duration(r, load, at, "max", v->load_min_ms);
		if (v->load_max_ms < v->load_min_ms)
			field_wrong(r, at, "max must not be below min");
	} else if (load) {
		v->load_min_ms = v->load_max_ms = field_duration(r, o, path, "load", -1);
	}
}

void scenario_read_version(struct field_reader *r, const struct json *o, const char *path,
                           struct scenario_version *out)
{
	const struct json *loads = json_get(o, "loads");

	*out = (struct scenario_version){.p50_s = NAN, .p99_s = NAN, .loads = -1};
	out->version = field_text(r, o, path, "version", NULL);
	out->errors = field_share(r, o, path, "errors", NAN);
	read_latency(r, o, path, out);
	read_load(r, o, path, out);
	if (loads && !json_is_bool(loads))
		field_wrong(r, field_path(r, path, "loads"), "must be true or false");
	else if (loads)
		out->loads = json_value_bool(loads, true);
}

static void read_versions(struct field_reader *r, const struct json *list, const char *path,
                          struct scenario_model *m)
{
	static const char *const keys[] = {"version", "errors", "latency", "load", "loads", NULL};
	unsigned n = field_list(r, list, path, SCENARIO_VERSIONS_MAX), i = 0;
	const struct json *it;

	json_for_each (it, n ? list : NULL) {
		const char *at = arena_printf(r->arena, "%s[%u]", path, i);

		if (i++ == n)
			break;
		if (!field_mapping(r, it, at, keys))
			continue;
		scenario_read_version(r, it, at, &m->versions[m->nversions]);
		if (!m->versions[m->nversions++].version)
			field_wrong(r, field_path(r, at, "version"), "is required");
	}
}

static void read_model(struct field_reader *r, const struct json *o, const char *path,
                       struct scenario_model *m)
{
	static const char *const keys[] = {
		"name", "namespace", "requestsPerSecond", "audience", "errors", "latency",
		"load", "loads",     "versions",          NULL};
	const char *slash;

	*m = (struct scenario_model){.rate = NAN, .audience = NAN, .nversions = 1};
	if (!field_mapping(r, o, path, keys))
		return;
	m->ns = field_text(r, o, path, "namespace", NULL);
	m->name = field_text(r, o, path, "name", NULL);
	slash = m->name ? strchr(m->name, '/') : NULL;
	if (slash) {
		m->ns = arena_strndup(r->arena, m->name, (size_t)(slash - m->name));
		m->name = slash + 1;
	}
	m->rate = field_number(r, o, path, "requestsPerSecond", SCENARIO_RATE_MAX, NAN);
	m->audience = field_share(r, o, path, "audience", NAN);
	scenario_read_version(r, o, path, &m->versions[0]);
	m->versions[0].version = NULL;
	read_versions(r, json_get(o, "versions"), field_path(r, path, "versions"), m);
}

static void read_models(struct field_reader *r, const struct json *list, struct scenario *out)
{
	unsigned n = field_list(r, list, "models", SCENARIO_MODELS_MAX);
	const struct json *it;

	out->models = arena_array(r->arena, n, sizeof(*out->models));
	json_for_each (it, n ? list : NULL) {
		if (out->nmodels == n)
			break;
		read_model(r, it, arena_printf(r->arena, "models[%u]", out->nmodels),
		           &out->models[out->nmodels]);
		out->nmodels++;
	}
}

/* --- operators ----------------------------------------------------------------------------- */

static void read_operators(struct field_reader *r, const struct json *o, struct scenario *out)
{
	static const char *const keys[] = {"replicas", "zones", NULL};
	const struct json *v = json_get(o, "operators"), *it;
	unsigned n, i = 0;

	out->operators = 1;
	if (!json_is_object(v)) {
		out->operators =
			(unsigned)field_int(r, o, "", "operators", 1, SCENARIO_OPERATORS_MAX, 1);
		return;
	}
	field_mapping(r, v, "operators", keys);
	n = field_list(r, json_get(v, "zones"), "operators.zones", SCENARIO_OPERATORS_MAX);
	out->operators = (unsigned)field_int(r, v, "operators", "replicas", 1,
	                                     SCENARIO_OPERATORS_MAX, n ? n : 1);
	json_for_each (it, n ? json_get(v, "zones") : NULL) {
		if (i == n)
			break;
		out->operator_zones[i] = json_value_str(it);
		if (!scenario_has_zone(out, str_or(out->operator_zones[i], "")))
			field_wrong(r, arena_printf(r->arena, "operators.zones[%u]", i),
			            "there is no zone %s; name one below zones",
			            str_or(out->operator_zones[i], ""));
		i++;
	}
	for (; n && i < out->operators; i++)
		out->operator_zones[i] = out->operator_zones[i % n];
}

bool scenario_read(const struct json *json, struct arena *a, struct scenario *out, scenario_fn fn,
                   void *arg)
{
	static const char *const keys[] = {"duration", "operators", "zones", "nodes",
	                                   "models",   "events",    NULL};
	struct field_reader r = {a, fn, arg, false};
	const struct json *it;
	unsigned n, i = 0;

	*out = (struct scenario){.operators = 1};
	out->nodes = arena_array(a, SCENARIO_NODES_MAX, sizeof(*out->nodes));
	if (!field_mapping(&r, json, "", keys))
		return false;
	out->duration_ms = field_duration(&r, json, "", "duration", 0);
	n = field_list(&r, json_get(json, "zones"), "zones", SCENARIO_ZONES_MAX);
	json_for_each (it, n ? json_get(json, "zones") : NULL)
		if (i < n)
			read_zone(&r, it, arena_printf(a, "zones[%u]", i++), out);
	n = field_list(&r, json_get(json, "nodes"), "nodes", SCENARIO_NODES_MAX);
	i = 0;
	json_for_each (it, n ? json_get(json, "nodes") : NULL)
		if (i < n)
			read_node(&r, it, arena_printf(a, "nodes[%u]", i++), out);
	read_operators(&r, json, out);
	read_models(&r, json_get(json, "models"), out);
	scenario_read_events(&r, json_get(json, "events"), out);
	return !r.failed;
}
