/*
 * The whole operator, several ModelDeployments and three zones, on the simulator's clock: for tests
 * that say what happens when. Include it after cmocka.
 */
#ifndef TESTS_UNIT_SIM_STAGE_H
#define TESTS_UNIT_SIM_STAGE_H

#include <stdio.h>
#include <string.h>

#include "../../../controller/sim/cluster.h"
#include "../../../controller/sim/world.h"
#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"

#define ZONES 3

static struct stage {
	struct cluster cluster;
	struct world world;
	unsigned models;
	const char *preset; /* NULL = triton */
	unsigned replicas;  /* of a model; 0 = 3 */
	const char *ramp;   /* of the way back; NULL = 8s */
	const char *steps;  /* before that to 100 %; NULL = 20 % for ten minutes */
	/* Whether a process gets an answer from a pod; NULL = as the world has it. */
	bool (*reaches)(const char *agent, const char *model, const char *zone, const char *url);
	bool (*connected)(void *arg, const char *agent);
	char holder[16];   /* agent that leads */
	const char *stray; /* kind that somebody else wrote; NULL = nobody did */
	unsigned route_writes;
	/* After every accepted write; NULL = nobody listens. */
	void (*wrote)(const struct sim_object *o);
} stage;

static inline struct sim_object *pod_at_url(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, ":/");

	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p)) {
		const char *ip = json_str(json_get(p->json, "status"), "podIP");

		if (ip && strlen(ip) == n && strncmp(ip, host, n) == 0)
			return p;
	}
	return NULL;
}

static inline enum sim_reach stage_pod_request(void *arg, const char *agent, const char *url,
                                               struct buf *out)
{
	struct sim_object *pod = stage.reaches ? pod_at_url(url) : NULL;

	(void)arg;
	if (pod && !stage.reaches(agent, world_label(pod, TG_LABEL_NAME),
	                          world_zone_of(&stage.world, pod), url))
		return SIM_SILENT;
	return world_answer(&stage.world, url, NULL, out);
}

static inline void stage_changed(void *arg, const struct sim_object *o)
{
	(void)arg;
	world_changed(&stage.world, o);
}

static inline void stage_written(void *arg, const char *agent, const struct sim_object *o)
{
	(void)arg;
	if (o->resource == SIM_LEASE && str_eq(o->name, CLUSTER_LEASE))
		str_copy(stage.holder, sizeof(stage.holder), agent);
	else if (o->resource != SIM_LEASE && o->resource != SIM_EVENT &&
	         !str_eq(agent, stage.holder))
		stage.stray = sim_kinds[o->resource].kind;
	stage.route_writes += o->resource == SIM_ROUTE;
	if (stage.wrote)
		stage.wrote(o);
}

static inline int64_t stage_lag(void *arg)
{
	(void)arg;
	return 10;
}

static inline void stage_crash(void *arg, const char *agent)
{
	(void)arg;
	cluster_kill(&stage.cluster, agent);
}

static inline bool stage_connected(void *arg, const char *agent)
{
	return !stage.connected || stage.connected(arg, agent);
}

static inline void stage_nodes(void)
{
	for (int i = 0; i < ZONES; i++) {
		cleanup_free char *text = xasprintf(
			"{\"metadata\":{\"name\":\"node-%d\",\"labels\":{\"" TG_ZONE_LABEL
			"\":\"z%d\",\"" TG_HOST_LABEL
			"\":\"node-%d\"}},\"status\":{\"allocatable\":"
			"{\"cpu\":\"6400\",\"memory\":\"25600Gi\",\"pods\":\"4000\",\"nvidia.com/"
			"gpu\":"
			"\"4000\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
			i, i, i);

		sim_put(stage.cluster.api, SIM_NODE, text, NULL);
	}
}

static inline void stage_model(const char *name, const char *version, const char *more)
{
	cleanup_free char *text = xasprintf(
		"{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"replicas\":%u,\"model\":{\"name\":"
		"\"ranker\",\"version\":\"%s\"},\"runtime\":{\"preset\":\"%s\"},\"gpu\":"
		"{\"count\":1},\"zones\":[{\"name\":\"z0\"},{\"name\":\"z1\"},{\"name\":\"z2\"}],"
		"\"strategy\":{\"maxSurge\":1,\"steps\":[%s,{\"weight\":100}]},\"failover\":{"
		"\"minCapacity\":\"60%%\",\"recoverAfter\":\"30s\","
		"\"ramp\":\"%s\"},\"traffic\":{\"httpRoute\":{\"name\":\"%s\",\"parentRefs\":"
		"[{\"name\":\"gw\"}]}}%s}}",
		name, stage.replicas ? stage.replicas : 3, version, str_or(stage.preset, "triton"),
		str_or(stage.steps, "{\"weight\":20,\"hold\":\"10m\"}"), str_or(stage.ramp, "8s"),
		name, more);

	assert_non_null(sim_put(stage.cluster.api, SIM_MDEP, text, NULL));
}

static inline void stage_begin(unsigned models, unsigned replicas)
{
	struct sim_hooks hooks = {.lag = stage_lag,
	                          .crash = stage_crash,
	                          .changed = stage_changed,
	                          .written = stage_written,
	                          .connected = stage_connected,
	                          .pod_request = stage_pod_request};
	char name[16];

	log_set_level(LOG_ERROR);
	stage = (struct stage){.models = models};
	cluster_begin(&stage.cluster, 7, &hooks);
	world_init(&stage.world, stage.cluster.api, 11);
	stage.world.defaults.rate = 30;
	stage.world.defaults.versions[0].load_min_ms = 500;
	stage.world.defaults.versions[0].load_max_ms = 1500;
	stage.world.defaults.nversions = 1;
	stage_nodes();
	for (unsigned i = 0; i < replicas; i++) {
		stage.cluster.zones[i] = (const char *[]){"z0", "z1", "z2"}[i % ZONES];
		cluster_add_replica(&stage.cluster, 2000LL * i);
	}
	for (unsigned i = 0; i < models; i++) {
		snprintf(name, sizeof(name), "m%02u", i);
		stage_model(name, "1", "");
	}
}

static inline void stage_end(void)
{
	world_release(&stage.world);
	cluster_end(&stage.cluster);
}

static inline void run(int64_t ms)
{
	int64_t until = stage.cluster.clock.mono_ms + ms;

	while (stage.cluster.clock.mono_ms < until) {
		cluster_run_once(&stage.cluster);
		if (stage.cluster.api->nhistory > 5000)
			sim_compact(stage.cluster.api);
	}
}

static inline const struct json *status_of(unsigned model)
{
	char name[16];
	const struct sim_object *o;

	snprintf(name, sizeof(name), "m%02u", model);
	o = sim_get(stage.cluster.api, SIM_MDEP, NULL, name);
	return json_get(o->json, "status");
}

static inline const struct json *zone_record(unsigned model, const char *zone)
{
	const struct json *it;

	json_for_each (it, json_get(status_of(model), "zones"))
		if (str_eq(json_str(it, "name"), zone))
			return it;
	return NULL;
}

static inline const char *zone_state(unsigned model, const char *zone)
{
	return str_or(json_str(zone_record(model, zone), "state"), "Healthy");
}

static inline const char *zone_reason(unsigned model, const char *zone)
{
	return str_or(json_str(zone_record(model, zone), "reason"), "");
}

static inline unsigned models_in_state(const char *zone, const char *state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < stage.models; i++)
		n += str_eq(zone_state(i, zone), state);
	return n;
}

/* Times that the model left the zone within the hour. */
static inline int64_t times_left(unsigned model, const char *zone)
{
	return json_i64(zone_record(model, zone), "evacuations", 0);
}

static inline const char *phase_of(unsigned model)
{
	return str_or(json_str(json_get(status_of(model), "rollout"), "phase"), "");
}

/* Share of a zone in the route, in 1/10000. */
static inline int64_t route_share(unsigned model, const char *zone)
{
	struct world_backend b[WORLD_BACKENDS_MAX];
	const struct sim_object *service;
	int64_t sum = 0;
	char name[16];
	unsigned n;

	snprintf(name, sizeof(name), "m%02u", model);
	n = world_backends(&stage.world, world_app(&stage.world, "default", name),
	                   sim_get(stage.cluster.api, SIM_ROUTE, NULL, name), b);
	for (unsigned i = 0; i < n; i++) {
		service = sim_get(stage.cluster.api, SIM_SERVICE, NULL, b[i].service);
		if (service && str_eq(world_label(service, TG_LABEL_ZONE), zone))
			sum += b[i].weight;
	}
	return sum;
}

/* Value of a series as /metrics shows it; 0 = not there. */
static inline double metric_value(const char *series)
{
	cleanup_buf struct buf b;
	const char *at;

	buf_init(&b, (size_t)4 << 20);
	metric_render(&b, 0);
	at = strstr(b.data, series);
	return at ? strtod(at + strlen(series), NULL) : 0;
}

static inline void run_until_all(const char *zone, const char *state, int64_t limit_ms)
{
	int64_t until = stage.cluster.clock.mono_ms + limit_ms;

	while (models_in_state(zone, state) < stage.models) {
		if (stage.cluster.clock.mono_ms > until)
			fail_msg("%u of %u models have %s %s", models_in_state(zone, state),
			         stage.models, zone, state);
		run(100);
	}
}

/* All pods serve and every zone has its part. */
static inline void run_until_well(void)
{
	run(20000);
	for (unsigned i = 0; i < stage.models; i++) {
		assert_int_equal(json_i64(status_of(i), "readyReplicas", 0), 3);
		assert_in_range(route_share(i, "z0"), 3000, 3700);
	}
}

#endif
