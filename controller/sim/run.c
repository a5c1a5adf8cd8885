#include "tidegate/sim/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/kube/lease.h"
#include "tidegate/reconcile/operator.h"
#include "world.h"

#define START_WALL_MS   1800000000000LL
#define LIVENESS_MS     (6 * 3600000LL) /* from the last fault to the expected end */
#define FAULTS_UNTIL_MS (40 * 60000LL)
#define RESTART_MS      3000
#define HISTORY_MAX     5000
#define NODES           6
#define REQUESTS_MIN_S  20

/* One process of the operator. */
struct replica {
	char agent[16];
	struct kube_client *client;
	struct mdep_operator *op;
	struct lease *lease;
	bool dead; /* to be torn down outside of its callbacks */
};

struct run {
	struct sim_options o;
	struct sim_result *result;
	struct clock_virtual clock;
	struct loop *loop;
	struct kube_config config;
	struct sim_api *api;
	struct world world;
	struct random random;
	struct timer tick;
	struct replica replica[2];
	int64_t restart_ms[2];
	unsigned processes;
	char holder[16]; /* agent that renewed the lease last */
	int64_t replicas, surge, unavailable, zones, fault_permille;
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
	n = snprintf(r->result->violation, size, "at %" PRId64 " ms: ", r->clock.mono_ms);
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
		const struct sim_object *service = sim_get(r->api, SIM_SERVICE, NULL, b[i].service);

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

	for (struct sim_object *o = sim_next(r->api, SIM_REPLICASET, NULL); o;
	     o = sim_next(r->api, SIM_REPLICASET, o))
		wanted += json_i64(json_get(o->json, "spec"), "replicas", 0);
	for (struct sim_object *o = sim_next(r->api, SIM_POD, NULL); o;
	     o = sim_next(r->api, SIM_POD, o))
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
	    r->clock.mono_ms > FAULTS_UNTIL_MS)
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
		sim_compact(r->api);
	return true;
}

static int64_t lag(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->fault_permille) ? (int64_t)random_below(&r->random, 15000)
	                                     : 1 + (int64_t)random_below(&r->random, 20);
}

static struct replica *replica_of(struct run *r, const char *agent)
{
	for (int i = 0; i < 2; i++)
		if (str_eq(r->replica[i].agent, agent))
			return &r->replica[i];
	return NULL;
}

static void crash(void *arg, const char *agent)
{
	struct replica *p = replica_of(arg, agent);

	if (p)
		p->dead = true;
}

static bool pod_request(void *arg, const char *url, struct buf *out)
{
	struct run *r = arg;

	return world_answer(&r->world, url, out);
}

/* --- the operator's processes --------------------------------------------------------------- */

static void on_acquired(void *arg)
{
	struct replica *p = arg;

	operator_lead(p->op);
}

static void on_lost(void *arg)
{
	struct replica *p = arg;

	p->dead = true;
}

static bool may_write(void *arg)
{
	const struct replica *p = arg;

	return p->lease && !p->dead && lease_may_write(p->lease);
}

static void replica_stop(struct replica *p)
{
	lease_free(p->lease);
	operator_free(p->op);
	kube_client_free(p->client);
	*p = (struct replica){.dead = false};
}

static void replica_start(struct run *r, struct replica *p)
{
	struct kube_client_options ko = {.user_agent = p->agent};
	struct operator_options oo = {.identity = p->agent};
	struct lease_options lo = {.namespace = "tidegate-system",
	                           .name = "tidegate-controller",
	                           .identity = p->agent,
	                           .on_acquired = on_acquired,
	                           .on_lost = on_lost,
	                           .arg = p};

	*p = (struct replica){.dead = false};
	snprintf(p->agent, sizeof(p->agent), "sim-%u", ++r->processes);
	p->client = kube_client_new(r->loop, &r->config, &ko, NULL);
	kube_client_set_write_gate(p->client, may_write, p);
	p->op = operator_new(r->loop, p->client, &oo, NULL);
	p->lease = lease_new(p->client, &lo, NULL);
	operator_start(p->op);
	lease_start(p->lease);
}

static void bury_and_restart(struct run *r)
{
	for (int i = 0; i < 2; i++) {
		struct replica *p = &r->replica[i];

		if (p->client && p->dead) {
			replica_stop(p);
			r->result->crashes++;
			r->restart_ms[i] = r->clock.mono_ms + RESTART_MS;
		}
		if (!p->client && r->clock.mono_ms >= r->restart_ms[i])
			replica_start(r, p);
	}
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
	sim_put(r->api, SIM_MDEP, b.data, NULL);
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

		sim_put(r->api, SIM_NODE, text, NULL);
	}
}

static void on_tick(void *arg)
{
	struct run *r = arg;

	world_tick(&r->world);
	check_counts(r);
	if (r->api->nhistory > HISTORY_MAX)
		sim_compact(r->api);
	timer_start(&r->tick, WORLD_TICK_MS);
}

/* The release has come to its end: what the status says of it. */
static bool settled(struct run *r)
{
	const struct sim_object *o = sim_get(r->api, SIM_MDEP, NULL, "ranker");
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
	int64_t limit = r->clock.mono_ms + FAULTS_UNTIL_MS + LIVENESS_MS;

	while (!r->result->failed) {
		loop_run_once(r->loop, true);
		bury_and_restart(r);
		if (settled(r))
			return;
		if (r->clock.mono_ms > limit)
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
	r->world = (struct world){.random = {random_next(&r->random)},
	                          .load_ms = 4000 + (int64_t)random_below(&r->random, 60000),
	                          .rate = REQUESTS_MIN_S + (int64_t)random_below(&r->random, 200),
	                          .bad_share = r->canary_is_bad ? 0.4 : 0};
}

static void begin(struct run *r)
{
	struct sim_hooks hooks = {fate, cut, lag, on_written, crash, pod_request, r};

	r->clock = (struct clock_virtual){1000, START_WALL_MS};
	clock_use(&r->clock);
	random_use_seed(r->o.seed | 1ULL << 63);
	r->random.state = r->o.seed;
	draw_scene(r);
	r->loop = loop_new_virtual(&r->clock);
	r->api = r->world.api = sim_api_new(r->loop, &hooks);
	http_transport_use(sim_api_transport(r->api));
	r->config = (struct kube_config){.server = xstrdup(SIM_SERVER_URL),
	                                 .source = xstrdup("simulation"),
	                                 .namespace = xstrdup("default")};
	make_nodes(r);
	timer_init(&r->tick, r->loop, on_tick, r);
	timer_start(&r->tick, WORLD_TICK_MS);
	r->restart_ms[1] = 5000;
}

static void end(struct run *r)
{
	for (int i = 0; i < 2; i++)
		if (r->replica[i].client)
			replica_stop(&r->replica[i]);
	timer_release(&r->tick);
	loop_free(r->loop);
	sim_api_free(r->api);
	http_transport_use(NULL);
	clock_use(NULL);
	random_use_seed(0);
	free(r->config.server);
	free(r->config.source);
	free(r->config.namespace);
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
	result->requests = r.world.requests;
	result->lost = r.world.lost;
	result->virtual_ms = r.clock.mono_ms;
	judge_end(&r);
	end(&r);
}
