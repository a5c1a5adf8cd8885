/*
 * Three replicas of the operator in three zones, on a virtual clock: who reaches whom is scripted,
 * and what becomes of the zones is looked at. Axx are the cases of the acceptance catalogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/sim/cluster.h"
#include "../../../controller/sim/world.h"
#include "tidegate/api/names.h"
#include "tidegate/base/log.h"

#define ZONES 3
#define NODES 6

static const char *const names[ZONES] = {"a", "b", "c"};

/* Replica i stands in zone i. */
static struct scene {
	struct cluster cluster;
	struct world world;
	bool no_pods[ZONES][ZONES]; /* replica i does not reach the pods of zone j */
	bool no_api[ZONES];
	bool loud; /* records of zones are watched: */
	unsigned evacuations;
	int most_unready; /* pods in service that were not Ready */
	char holder[16];
} s;

static int index_of(const char *agent)
{
	const struct cluster_replica *p = cluster_replica_of(&s.cluster, agent);

	return p ? (int)(p - s.cluster.replica) : 0;
}

static int64_t lag(void *arg)
{
	(void)arg;
	return 5;
}

static void crash(void *arg, const char *agent)
{
	(void)arg;
	(void)agent;
}

static bool connected(void *arg, const char *agent)
{
	int i = index_of(agent);

	(void)arg;
	return !s.no_api[i] && !world_zone_is_dark(&s.world, names[i]);
}

static struct sim_object *mdep(void)
{
	return sim_get(s.cluster.api, SIM_MDEP, NULL, "ranker");
}

static const char *zone_state(int z)
{
	const struct json *it;

	json_for_each (it, json_path(mdep()->json, "status", "zones", NULL))
		if (str_eq(json_str(it, "name"), names[z]))
			return str_or(json_str(it, "state"), "");
	return "Healthy";
}

static void written(void *arg, const char *agent, const struct sim_object *o)
{
	const char *holder;

	(void)arg;
	if (o->resource == SIM_LEASE && str_eq(o->name, CLUSTER_LEASE)) {
		holder = json_str(json_get(o->json, "spec"), "holderIdentity");
		str_copy(s.holder, sizeof(s.holder), str_empty(holder) ? "" : agent);
	}
	for (int z = 0; z < ZONES && o->resource == SIM_MDEP && s.loud; z++)
		s.evacuations +=
			!str_eq(zone_state(z), "Healthy") && !str_eq(zone_state(z), "Suspect");
}

static void changed(void *arg, const struct sim_object *o)
{
	int unready = 0;

	(void)arg;
	world_changed(&s.world, o);
	if (o->resource != SIM_POD || !s.loud)
		return;
	for (struct sim_object *p = sim_next(s.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(s.cluster.api, SIM_POD, p))
		unready += world_pod_in_service(p) && !world_pod_ready(p);
	s.most_unready = unready > s.most_unready ? unready : s.most_unready;
}

static int zone_of_url(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, ":/");

	for (struct sim_object *p = sim_next(s.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(s.cluster.api, SIM_POD, p)) {
		const char *ip = json_str(json_get(p->json, "status"), "podIP");

		for (int z = 0; ip && strlen(ip) == n && !strncmp(ip, host, n) && z < ZONES; z++)
			if (str_eq(world_zone_of(&s.world, p), names[z]))
				return z;
	}
	return -1;
}

static enum sim_reach pod_request(void *arg, const char *agent, const char *url, struct buf *out)
{
	int i = index_of(agent), z = zone_of_url(url);

	(void)arg;
	if (z >= 0 && s.no_pods[i][z])
		return SIM_SILENT;
	return world_answer(&s.world, url, names[i], out);
}

static void run_ms(int64_t ms)
{
	int64_t end = s.cluster.clock.mono_ms + ms;

	while (s.cluster.clock.mono_ms < end) {
		cluster_run_once(&s.cluster);
		if (s.cluster.api->nhistory > 5000)
			sim_compact(s.cluster.api);
	}
}

/* Runs until the zone is in that state; how long it took. */
static int64_t until(int z, const char *state, int64_t limit_ms)
{
	int64_t began = s.cluster.clock.mono_ms;

	while (!str_eq(zone_state(z), state)) {
		if (s.cluster.clock.mono_ms - began > limit_ms)
			fail_msg("zone %s is %s, not %s, after %lld ms", names[z], zone_state(z),
			         state, (long long)limit_ms);
		cluster_run_once(&s.cluster);
	}
	return s.cluster.clock.mono_ms - began;
}

static int leader(void)
{
	return index_of(s.holder);
}

static void make_nodes(void)
{
	for (int i = 0; i < NODES; i++) {
		cleanup_free char *text = xasprintf(
			"{\"metadata\":{\"name\":\"node-%d\",\"labels\":{\"" TG_ZONE_LABEL
			"\":\"%s\",\"" TG_HOST_LABEL
			"\":\"node-%d\"}},\"status\":{\"allocatable\":{"
			"\"cpu\":\"64\",\"memory\":\"256Gi\",\"pods\":\"110\",\"nvidia.com/gpu\":"
			"\"8\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
			i, names[i % ZONES], i);

		sim_put(s.cluster.api, SIM_NODE, text, NULL);
	}
}

static void make_model(void)
{
	sim_put(s.cluster.api, SIM_MDEP,
	        "{\"metadata\":{\"name\":\"ranker\",\"namespace\":\"default\"},\"spec\":{"
	        "\"replicas\":6,\"model\":{\"name\":\"ranker\",\"version\":\"1\"},"
	        "\"runtime\":{\"preset\":\"triton\"},\"gpu\":{\"count\":1},\"zones\":["
	        "{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}],\"failover\":{"
	        "\"minCapacity\":\"60%\",\"recoverAfter\":\"10s\",\"ramp\":\"8s\"},"
	        "\"strategy\":{\"maxSurge\":3},\"traffic\":{\"httpRoute\":{\"name\":\"ranker\","
	        "\"parentRefs\":[{\"name\":\"gw\"}]}}}}",
	        NULL);
}

static int setup(void **state)
{
	struct sim_hooks hooks = {.lag = lag,
	                          .changed = changed,
	                          .written = written,
	                          .crash = crash,
	                          .connected = connected,
	                          .pod_request = pod_request};

	(void)state;
	memset(&s, 0, sizeof(s));
	log_set_level(LOG_ERROR);
	cluster_begin(&s.cluster, 11, &hooks);
	world_init(&s.world, s.cluster.api, 12);
	for (int z = 0; z < ZONES; z++)
		world_zone(&s.world, names[z]);
	s.world.defaults.rate = 100;
	s.world.defaults.versions[0].load_min_ms = s.world.defaults.versions[0].load_max_ms = 3000;
	s.world.defaults.nversions = 1;
	make_nodes();
	make_model();
	for (int i = 0; i < ZONES; i++)
		cluster_add_replica(&s.cluster, i * 1000);
	run_ms(120000);
	s.loud = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	s.loud = false;
	world_release(&s.world);
	cluster_end(&s.cluster);
	return 0;
}

static void assert_untouched(void)
{
	assert_int_equal(s.evacuations, 0);
	assert_int_equal(s.most_unready, 0);
	for (int z = 0; z < ZONES; z++)
		assert_string_equal(zone_state(z), "Healthy");
}

static void test_A1_dark_zone(void **state)
{
	int dark = (leader() + 1) % ZONES;
	int64_t took;

	(void)state;
	world_zone_set(&s.world, names[dark], true);
	took = until(dark, "Evacuating", 6000);
	assert_true(took >= 2000);
	assert_true(took <= 4000);
	until(dark, "Evacuated", 3000);
	run_ms(30000);
	world_zone_set(&s.world, names[dark], false);
	until(dark, "Healthy", 60000);
}

static void test_A9_leader_cut_from_one_zone(void **state)
{
	int far = (leader() + 1) % ZONES;

	(void)state;
	s.no_pods[leader()][far] = true;
	run_ms(600000);
	assert_untouched();
	/* The quorum is not deaf: another one says so too. */
	s.no_pods[(leader() + 2) % ZONES][far] = true;
	until(far, "Evacuated", 8000);
}

/* The other way round: a standby that alone does not reach a zone convinces nobody. */
static void test_A9_standby_cut_from_one_zone(void **state)
{
	(void)state;
	s.no_pods[(leader() + 1) % ZONES][leader()] = true;
	run_ms(600000);
	assert_untouched();
}

/* The next leader has heard all votes already: it decides as soon as it leads. */
static void test_A10_zone_of_the_leader(void **state)
{
	int dark = leader();
	int64_t took;

	(void)state;
	world_zone_set(&s.world, names[dark], true);
	while (leader() == dark || !s.holder[0])
		run_ms(100);
	took = until(dark, "Evacuating", 5000);
	assert_true(took <= 1500);
}

/* Everything out of reach of the leader, its probes only: it is the leader that is ill. */
static void test_leader_without_network(void **state)
{
	(void)state;
	for (int z = 0; z < ZONES; z++)
		s.no_pods[leader()][z] = true;
	run_ms(600000);
	assert_untouched();
}

/* A8: nobody sees anything any more. */
static void test_A8_all_blind(void **state)
{
	(void)state;
	for (int i = 0; i < ZONES; i++)
		for (int z = 0; z < ZONES; z++)
			s.no_pods[i][z] = true;
	for (int z = 0; z < ZONES; z++)
		until(z, "Frozen", 10000);
	run_ms(300000);
	assert_int_equal(s.most_unready, 0);
	for (int z = 0; z < ZONES; z++)
		assert_string_equal(zone_state(z), "Frozen");
	memset(s.no_pods, 0, sizeof(s.no_pods));
	for (int z = 0; z < ZONES; z++)
		until(z, "Healthy", 60000);
}

/* A12: nobody reaches the API server, and the first to come back does not reach a zone's pods. */
static void test_A12_after_an_outage_of_the_api_server(void **state)
{
	(void)state;
	for (int i = 0; i < ZONES; i++) {
		s.no_api[i] = true;
		s.no_pods[i][(i + 1) % ZONES] = true; /* each another one */
	}
	run_ms(300000);
	memset(s.no_api, 0, sizeof(s.no_api));
	run_ms(300000);
	assert_untouched();
}

/* A network that loses one replica's packets to one zone for half a minute, again and again. */
static void test_flaky_replica(void **state)
{
	(void)state;
	for (int i = 0; i < 120; i++) {
		s.no_pods[i % ZONES][(i / ZONES) % ZONES] = i & 1;
		run_ms(30000);
		memset(s.no_pods, 0, sizeof(s.no_pods));
	}
	assert_untouched();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_A1_dark_zone),
		T(test_A9_leader_cut_from_one_zone),
		T(test_A9_standby_cut_from_one_zone),
		T(test_A10_zone_of_the_leader),
		T(test_leader_without_network),
		T(test_A8_all_blind),
		T(test_A12_after_an_outage_of_the_api_server),
		T(test_flaky_replica),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
