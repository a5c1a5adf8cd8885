#include "tidegate/sim/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "cluster.h"
#include "world.h"

#define LIVENESS_MS     (6 * 3600000LL) /* from the last fault to the expected end */
#define FAULTS_UNTIL_MS (40 * 60000LL)
#define HISTORY_MAX     5000
#define CHECK_MS        500
#define NODES           6
#define REQUESTS_MIN_S  20

struct run {
	struct sim_options o;
	struct sim_result *result;
	struct cluster cluster;
	struct world world;
	struct random random;
	struct timer tick;
	char holder[16]; /* agent that renewed the lease last */
	int64_t replicas, surge, unavailable, zones, fault_permille, load_ms, rate;
	bool canary_is_bad, second_applied, was_full;
};

static void violate(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void violate(struct run *r, const char *fmt, ...)
{
	size_t size = sizeof(r->result->violation);
	va_list ap;
	int n;

	if (r->result->failed)
		return;
	r->result->failed = true;
	n = snprintf(r->result->violation, size, "at %" PRId64 " ms: ", r->cluster.clock.mono_ms);
	va_start(ap, fmt);
	vsnprintf(r->result->violation + n, size - (size_t)n, fmt, ap);
	va_end(ap);
}

/* --- invariants ---------------------------------------------------------------------------- */

static void check_route(struct run *r, const struct sim_object *route)
{
	struct world_backend b[WORLD_BACKENDS_MAX];
	unsigned n = world_backends(route, b);
	int64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct sim_object *service =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, b[i].service);

		sum += b[i].weight;
		if (b[i].weight && (!service || !world_endpoints(&r->world, service)))
			violate(r, "weight %" PRId64 " on %s, which has no ready pod in service",
			        b[i].weight, b[i].service);
	}
	if (sum != 10000)
		violate(r, "weights sum to %" PRId64, sum);
}

static void check_counts(struct run *r)
{
	int64_t wanted = 0, serving = 0;

	for (struct sim_object *o = sim_next(r->cluster.api, SIM_REPLICASET, NULL); o;
	     o = sim_next(r->cluster.api, SIM_REPLICASET, o))
		wanted += json_i64(json_get(o->json, "spec"), "replicas", 0);
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		serving += world_pod_ready(o) && world_pod_in_service(o);
	if (wanted > r->replicas + r->surge)
		violate(r, "%" PRId64 " pods wanted, %" PRId64 " + %" PRId64 " allowed", wanted,
		        r->replicas, r->surge);
	r->was_full |= serving >= r->replicas;
	if (r->was_full && serving < r->replicas - r->unavailable)
		violate(r, "%" PRId64 " pods serve, %" PRId64 " - %" PRId64 " must", serving,
		        r->replicas, r->unavailable);
}

static void on_written(void *arg, const char *agent, const struct sim_object *o)
{
	struct run *r = arg;
	const char *holder;

	r->result->writes++;
	if (o->resource == SIM_LEASE && !str_eq(o->name, CLUSTER_LEASE))
		return;
	if (o->resource == SIM_LEASE) {
		holder = json_str(json_get(o->json, "spec"), "holderIdentity");
		str_copy(r->holder, sizeof(r->holder), str_empty(holder) ? "" : agent);
		return;
	}
	if (o->resource == SIM_EVENT)
		return;
	if (!str_eq(agent, r->holder))
		violate(r, "%s wrote %s %s while %s leads", agent, sim_kinds[o->resource].kind,
		        o->name, r->holder);
	if (o->resource == SIM_ROUTE)
		check_route(r, o);
	check_counts(r);
}

/* --- faults -------------------------------------------------------------------------------- */

static bool strikes(struct run *r, int64_t permille)
{
	if ((int64_t)random_below(&r->random, 1000) >= permille ||
	    r->cluster.clock.mono_ms > FAULTS_UNTIL_MS)
		return false;
	if (r->o.max_faults >= 0 && (int64_t)r->result->faults >= r->o.max_faults)
		return false;
	r->result->faults++;
	return true;
}

static enum sim_fault fate(void *arg, const char *agent)
{
	struct run *r = arg;

	(void)agent;
	if (!strikes(r, r->fault_permille))
		return SIM_OK;
	return (enum sim_fault)(SIM_CONFLICT +
	                        (int)random_below(&r->random, SIM_CRASH_AFTER - SIM_CONFLICT + 1));
}

static bool cut(void *arg)
{
	struct run *r = arg;

	if (!strikes(r, r->fault_permille / 4))
		return false;
	if (random_below(&r->random, 2))
		sim_compact(r->cluster.api);
	return true;
}

static int64_t lag(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->fault_permille) ? (int64_t)random_below(&r->random, 15000)
	                                     : 1 + (int64_t)random_below(&r->random, 20);
}

static int64_t hang(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->fault_permille / 16) ? 5000 + (int64_t)random_below(&r->random, 200000)
	                                          : 0;
}

static void crash(void *arg, const char *agent)
{
	struct run *r = arg;

	cluster_kill(&r->cluster, agent);
}

static void changed(void *arg, const struct sim_object *o)
{
	struct run *r = arg;

	world_changed(&r->world, o);
}

static enum sim_reach pod_request(void *arg, const char *agent, const char *url, struct buf *out)
{
	struct run *r = arg;

	(void)agent;
	return world_answer(&r->world, url, NULL, out);
}

/* --- script -------------------------------------------------------------------------------- */

static void apply_manifest(struct run *r, const char *version)
{
	cleanup_buf struct buf b;

	buf_init(&b, 16384);
	buf_addf(&b,
	         "{\"metadata\":{\"name\":\"ranker\",\"namespace\":\"default\"},\"spec\":{"
	         "\"replicas\":%" PRId64 ",\"model\":{\"name\":\"ranker\",\"version\":\"%s\"},"
	         "\"runtime\":{\"preset\":\"triton\"},\"gpu\":{\"count\":1},",
	         r->replicas, version);
	for (int64_t i = 0; i < r->zones; i++)
		buf_addf(&b, "%s{\"name\":\"z%" PRId64 "\"}%s", i ? "," : "\"zones\":[", i,
		         i + 1 == r->zones ? "]," : "");
	buf_addf(&b,
	         "\"strategy\":{\"maxSurge\":%" PRId64 ",\"maxUnavailable\":%" PRId64
	         ",\"progressDeadline\":\"4h\",\"steps\":[{\"weight\":10,\"hold\":\"2m\"},"
	         "{\"weight\":50,\"hold\":\"1m\"}]},\"canary\":{\"interval\":\"5s\"},"
	         "\"traffic\":{\"httpRoute\":{\"name\":\"ranker\",\"parentRefs\":[{\"name\":"
	         "\"gw\"}]}}}}",
	         r->surge, r->unavailable);
	sim_put(r->cluster.api, SIM_MDEP, b.data, NULL);
}

static void make_nodes(struct run *r)
{
	for (int i = 0; i < NODES; i++) {
		cleanup_free char *text = xasprintf(
			"{\"metadata\":{\"name\":\"node-%d\",\"labels\":{\"" TG_ZONE_LABEL
			"\":\"z%" PRId64 "\",\"" TG_HOST_LABEL "\":\"node-%d\"}},\"status\":{"
			"\"allocatable\":{\"cpu\":\"64\",\"memory\":\"256Gi\",\"pods\":\"110\","
			"\"nvidia.com/gpu\":\"8\"},\"conditions\":[{\"type\":\"Ready\",\"status\":"
			"\"True\"}]}}",
			i, r->zones ? i % r->zones : 0, i);

		sim_put(r->cluster.api, SIM_NODE, text, NULL);
	}
}

static void on_tick(void *arg)
{
	struct run *r = arg;

	check_counts(r);
	if (r->cluster.api->nhistory > HISTORY_MAX)
		sim_compact(r->cluster.api);
	timer_start(&r->tick, CHECK_MS);
}

/* The release has come to its end: what the status says of it. */
static bool settled(struct run *r)
{
	const struct sim_object *o = sim_get(r->cluster.api, SIM_MDEP, NULL, "ranker");
	const struct cJSON *status = json_get(o->json, "status");
	const char *phase = str_or(json_str(json_get(status, "rollout"), "phase"), "");
	const char *stable = json_str(status, "stableRevision");
	const char *target = json_str(status, "targetRevision");

	if (!stable || json_i64(status, "observedGeneration", 0) < o->generation)
		return false;
	if (!r->second_applied)
		return !*phase;
	r->result->promoted = !*phase && str_eq(stable, target);
	r->result->rolled_back = str_eq(phase, "RolledBack");
	return r->result->promoted || r->result->rolled_back;
}

static void run_until_settled(struct run *r)
{
	int64_t limit = r->cluster.clock.mono_ms + FAULTS_UNTIL_MS + LIVENESS_MS;

	while (!r->result->failed) {
		cluster_run_once(&r->cluster);
		if (settled(r))
			return;
		if (r->cluster.clock.mono_ms > limit)
			violate(r, "the release has not come to an end");
	}
}

static void judge_end(struct run *r)
{
	if (r->result->failed)
		return;
	if (r->canary_is_bad != r->result->rolled_back)
		violate(r, "a %s version was %s", r->canary_is_bad ? "bad" : "good",
		        r->result->rolled_back ? "rolled back" : "promoted");
	if (r->result->lost > 0)
		violate(r, "%.0f requests lost", r->result->lost);
}

static void draw_scene(struct run *r)
{
	r->replicas = 2 + (int64_t)random_below(&r->random, 4);
	r->zones = (int64_t)random_below(&r->random, 4);
	r->surge = 1 + (int64_t)random_below(&r->random, 2);
	r->unavailable = (int64_t)random_below(&r->random, 2);
	r->fault_permille = (int64_t)random_below(&r->random, 80);
	r->canary_is_bad = random_below(&r->random, 3) == 0;
	r->load_ms = 4000 + (int64_t)random_below(&r->random, 60000);
	r->rate = REQUESTS_MIN_S + (int64_t)random_below(&r->random, 200);
}

/* Version "2" may be a bad one. */
static void make_world(struct run *r)
{
	struct world_app *a = &r->world.defaults;

	world_init(&r->world, r->cluster.api, random_next(&r->random));
	a->rate = (double)r->rate;
	a->versions[0].load_min_ms = r->load_ms / 2;
	a->versions[0].load_max_ms = r->load_ms;
	a->versions[1] = a->versions[0];
	str_copy(a->versions[1].version, sizeof(a->versions[1].version), "2");
	a->versions[1].errors = r->canary_is_bad ? 0.4 : 0;
	a->nversions = 2;
}

static void begin(struct run *r)
{
	struct sim_hooks hooks = {.fate = fate,
	                          .cut = cut,
	                          .lag = lag,
	                          .hang = hang,
	                          .changed = changed,
	                          .written = on_written,
	                          .crash = crash,
	                          .pod_request = pod_request,
	                          .arg = r};

	r->random.state = r->o.seed;
	draw_scene(r);
	cluster_begin(&r->cluster, r->o.seed, &hooks);
	make_world(r);
	make_nodes(r);
	timer_init(&r->tick, r->cluster.loop, on_tick, r);
	timer_start(&r->tick, CHECK_MS);
	cluster_add_replica(&r->cluster, 0);
	cluster_add_replica(&r->cluster, 4000);
}

static void end(struct run *r)
{
	world_release(&r->world);
	timer_release(&r->tick);
	r->result->crashes = r->cluster.deaths;
	cluster_end(&r->cluster);
}

void sim_run(const struct sim_options *o, struct sim_result *result)
{
	struct run r = {.o = *o, .result = result};

	*result = (struct sim_result){.failed = false};
	begin(&r);
	apply_manifest(&r, "1");
	run_until_settled(&r);
	if (!result->failed) {
		r.second_applied = true;
		apply_manifest(&r, "2");
		run_until_settled(&r);
	}
	world_settle(&r.world);
	result->requests = r.world.tally.requests;
	result->lost = r.world.tally.lost_release;
	result->virtual_ms = r.cluster.clock.mono_ms;
	judge_end(&r);
	end(&r);
}
