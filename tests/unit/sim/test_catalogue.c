/*
 * The acceptance catalogue's cases that need the whole operator. The others: A2, A4 to A8, A14 to
 * A16 and A22 in tests/unit/failover (the machine alone), A13 with a stopped process in
 * tests/e2e/leader.sh, A23 in tests/e2e/failover.sh, whose load keeps its connections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

static int end(void **st)
{
	(void)st;
	assert_null(stage.stray);
	stage_end();
	return 0;
}

static int64_t now(void)
{
	return stage.cluster.clock.mono_ms;
}

static double lost(void)
{
	world_settle(&stage.world);
	return stage.world.tally.lost_dark + stage.world.tally.lost_release;
}

/* Milliseconds until the route carries nothing for the zone. */
static int64_t until_left(const char *zone, int64_t limit_ms)
{
	int64_t from = now();

	while (route_share(0, zone)) {
		if (now() - from > limit_ms)
			fail_msg("%s still has traffic after %lld ms: %s %s", zone,
			         (long long)limit_ms, zone_state(0, zone), zone_reason(0, zone));
		run(100);
	}
	return now() - from;
}

static const char *leader_zone(void)
{
	for (unsigned i = 0; i < stage.cluster.nreplicas; i++)
		if (str_eq(stage.cluster.replica[i].agent, stage.holder))
			return stage.cluster.zones[i];
	fail_msg("nobody leads");
	return NULL;
}

static bool nothing_reaches(void *arg, const char *agent)
{
	(void)arg;
	(void)agent;
	return false;
}

static char cut_agent[16], dark_zone[8];

static bool all_but_cut_agent(void *arg, const char *agent)
{
	(void)arg;
	return !str_eq(agent, cut_agent);
}

/* --- outages ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void test_a1_a_dark_zone_is_left_in_time(void **st)
{
	enum { RUNS = 10 };
	int64_t took[RUNS];
	double before;

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	for (int i = 0; i < RUNS; i++) {
		run(137 * i);
		world_zone_set(&stage.world, "z1", true);
		took[i] = until_left("z1", 6000);
		run(2600); /* the gateway's own delay, and what was in flight */
		before = lost();
		run(5000);
		assert_true(lost() == before);
		world_zone_set(&stage.world, "z1", false);
		stage_end();
		stage_begin(1, 3);
		run_until_well();
	}
	qsort(took, RUNS, sizeof(took[0]), by_value);
	assert_true(took[RUNS / 2] <= 5000);
}

/* Kubernetes takes its nodes for Ready all the while. */
static void test_a3_ready_but_unreachable_is_seen(void **st)
{
	const struct sim_object *node;

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	until_left("z1", 5000);
	node = sim_get(stage.cluster.api, SIM_NODE, NULL, "node-1");
	assert_false(node->world.unready);
}

static bool leader_is_cut_off(const char *agent, const char *model, const char *zone,
                              const char *url)
{
	(void)model;
	(void)url;
	return !str_eq(agent, stage.holder) || !str_eq(zone, dark_zone);
}

static void test_a9_only_the_leader_is_cut_off(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	str_copy(dark_zone, sizeof(dark_zone), str_eq(leader_zone(), "z1") ? "z2" : "z1");
	stage.reaches = leader_is_cut_off;
	run(180000);
	assert_int_equal(times_left(0, dark_zone), 0);
	assert_true(route_share(0, dark_zone) > 3000);
	assert_true(lost() == 0);
}

/* Of all replicas: no probe comes back from the zone, whoever wants to know its counters gets them.
 */
static bool only_metrics_of_dark_zone(const char *agent, const char *model, const char *zone,
                                      const char *url)
{
	(void)agent;
	(void)model;
	return !str_eq(zone, dark_zone) || strstr(url, "/metrics");
}

static unsigned ready_pods(const char *zone)
{
	unsigned n = 0;

	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p))
		n += world_pod_ready(p) && str_eq(world_zone_of(&stage.world, p), zone);
	return n;
}

/* No replica is answered, clients are: their success is a veto, for as long as it lasts. */
static void test_a9_clients_are_answered_where_no_probe_is(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	str_copy(dark_zone, sizeof(dark_zone), "z1");
	stage.reaches = only_metrics_of_dark_zone;
	run(180000);
	assert_int_equal(times_left(0, "z1"), 0);
	assert_string_equal(zone_state(0, "z1"), "Suspect");
	assert_string_equal(zone_reason(0, "z1"), "ClientsServed");
	assert_true(route_share(0, "z1") > 3000);
	assert_int_equal(ready_pods("z1"), 1);
	assert_true(lost() == 0);
	/* Dark for everybody: what was seen until then delays it by two seconds. */
	world_zone_set(&stage.world, "z1", true);
	assert_true(until_left("z1", 6000) <= 3500);
}

/* Nothing is read from a zone that is dark: it is left as soon as without any witness. */
static void test_a9_a_dark_zone_has_no_witness(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	assert_true(until_left("z1", 6000) <= 4000);
	assert_string_equal(zone_reason(0, "z1"), "ProbesFail");
}

static bool pods_outside_dark_zone(const char *agent, const char *model, const char *zone,
                                   const char *url)
{
	(void)model;
	(void)url;
	return !str_eq(agent, cut_agent) || str_eq(zone, dark_zone);
}

/* Its zone goes dark with its processes: another one leads, and knows already. */
static void test_a10_the_leader_is_in_the_dark_zone(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	str_copy(cut_agent, sizeof(cut_agent), stage.holder);
	str_copy(dark_zone, sizeof(dark_zone), leader_zone());
	stage.connected = all_but_cut_agent;
	stage.reaches = pods_outside_dark_zone;
	world_zone_set(&stage.world, dark_zone, true);
	/* The default lease of 15 s and a retry; then at once. */
	until_left(dark_zone, 15000 + 2000 + 3000);
	assert_string_not_equal(stage.holder, cut_agent);
}

static void test_a11_no_operator_while_it_happens(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	for (unsigned i = 0; i < 3; i++) {
		cluster_kill(&stage.cluster, stage.cluster.replica[i].agent);
		stage.cluster.replica[i].start_ms = now() + 60000;
	}
	stage.connected = nothing_reaches;
	world_zone_set(&stage.world, "z1", true);
	run(60000);
	/* Weights stay; the node controller takes the pods out of service. */
	stage.connected = NULL;
	run(60000);
	assert_int_equal(route_share(0, "z1"), 0);
	assert_true(times_left(0, "z1") <= 1);
	assert_true(route_share(0, "z0") + route_share(0, "z2") == 10000);
}

static void test_a12_no_api_server_during_the_outage(void **st)
{
	unsigned before;

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	run(1000);
	stage.connected = nothing_reaches;
	before = stage.route_writes;
	run(60000);
	assert_int_equal(stage.route_writes, before);
	stage.connected = NULL;
	run(40000);
	assert_int_equal(route_share(0, "z1"), 0);
	assert_true(times_left(0, "z1") <= 1);
}

/* It comes back after another one was elected: whatever it still wants to write is refused. */
static void test_a13_a_leader_that_was_cut_off_writes_no_more(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	str_copy(cut_agent, sizeof(cut_agent), stage.holder);
	stage.connected = all_but_cut_agent;
	world_zone_set(&stage.world, "z1", true);
	run(30000);
	stage.connected = NULL;
	run(20000);
	assert_string_not_equal(stage.holder, cut_agent);
	assert_null(stage.stray);
	assert_int_equal(times_left(0, "z1"), 1);
}

static void test_a15_one_zone_after_the_other(void **st)
{
	static const char *const zones[] = {"z0", "z1", "z2"};

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	for (int z = 0; z < ZONES; z++) {
		world_zone_set(&stage.world, zones[z], true);
		for (int i = 0; i < 120; i++) {
			int out = 0;

			run(1000);
			for (int k = 0; k < ZONES; k++)
				out += route_share(0, zones[k]) == 0;
			assert_true(out < ZONES);
		}
		assert_int_equal(route_share(0, zones[z]), 0);
		world_zone_set(&stage.world, zones[z], false);
	}
	run(240000);
	for (int z = 0; z < ZONES; z++)
		assert_string_equal(zone_state(0, zones[z]), "Healthy");
}

/* --- releases -------------------------------------------------------------------------------- */

static void release_to_first_step(double errors)
{
	struct world_app *app = world_app(&stage.world, "default", "m00");

	app->versions[1] = app->versions[0];
	str_copy(app->versions[1].version, sizeof(app->versions[1].version), "2");
	app->versions[1].errors = errors;
	app->nversions = 2;
	stage_model("m00", "2", "");
	for (int i = 0; i < 120 && !str_eq(phase_of(0), "Holding"); i++)
		run(1000);
}

static void test_a17_an_outage_at_a_step_holds_it(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	release_to_first_step(0);
	assert_string_equal(phase_of(0), "Holding");
	world_zone_set(&stage.world, "z1", true);
	run(700000); /* the hold is ten minutes */
	assert_int_equal(route_share(0, "z1"), 0);
	assert_string_equal(phase_of(0), "Holding");
	world_zone_set(&stage.world, "z1", false);
	run(1200000);
	assert_string_equal(phase_of(0), "");
	assert_string_equal(json_str(status_of(0), "stableRevision"),
	                    json_str(status_of(0), "targetRevision"));
}

static const char *zone_of_canary(void)
{
	const char *target = json_str(status_of(0), "targetRevision");

	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p))
		if (str_eq(world_label(p, TG_LABEL_REVISION), target))
			return world_zone_of(&stage.world, p);
	fail_msg("no canary pod");
	return NULL;
}

static void test_a18_the_only_canary_is_in_the_dark(void **st)
{
	char zone[16];

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	release_to_first_step(0);
	str_copy(zone, sizeof(zone), zone_of_canary());
	world_zone_set(&stage.world, zone, true);
	run(10000);
	assert_int_equal(route_share(0, zone), 0);
	assert_string_not_equal(phase_of(0), "RolledBack");
	world_zone_set(&stage.world, zone, false);
	run(2400000);
	assert_string_equal(phase_of(0), "");
	assert_string_equal(json_str(status_of(0), "stableRevision"),
	                    json_str(status_of(0), "targetRevision"));
}

static bool not_the_blip(const char *agent, const char *model, const char *zone, const char *url)
{
	(void)agent;
	(void)model;
	(void)url;
	return !str_eq(zone, "z1");
}

static void test_a19_a_bad_canary_beside_a_blip_is_rolled_back(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	release_to_first_step(0.5);
	stage.reaches = not_the_blip;
	run(1500);
	stage.reaches = NULL;
	run(120000);
	assert_string_equal(phase_of(0), "RolledBack");
	assert_int_equal(times_left(0, "z1"), 0);
}

static void test_a20_stable_is_unhealthy_in_a_zone_while_promoting(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	release_to_first_step(0);
	for (int i = 0; i < 1200 && !str_eq(phase_of(0), "Completing"); i++)
		run(1000);
	assert_string_equal(phase_of(0), "Completing");
	world_zone_set(&stage.world, "z1", true);
	run(120000);
	world_zone_set(&stage.world, "z1", false);
	run(600000);
	assert_string_equal(phase_of(0), "");
	assert_string_equal(json_str(status_of(0), "stableRevision"),
	                    json_str(status_of(0), "targetRevision"));
}

/* --- the way back, capacity --------------------------------------------------------------------
 */

/* It is there again, but does not serve what is asked for (signal/model_probe.h). */
static void test_a21_another_version_gets_no_traffic(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	until_left("z1", 6000);
	stage.reaches = not_the_blip;
	world_zone_set(&stage.world, "z1", false);
	for (int i = 0; i < 180; i++) {
		run(1000);
		assert_int_equal(route_share(0, "z1"), 0);
	}
	stage.reaches = NULL;
	run(120000);
	assert_string_equal(zone_state(0, "z1"), "Healthy");
}

static unsigned pods_elsewhere(const char *zone, bool ready)
{
	unsigned n = 0;

	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p)) {
		const char *in = world_zone_of(&stage.world, p);

		n += *in && !str_eq(in, zone) && (!ready || world_pod_ready(p));
	}
	return n;
}

static void test_a24_cold_capacity_is_bound_at_once(void **st)
{
	struct world_app *app;

	(void)st;
	stage_begin(1, 3);
	run_until_well();
	app = world_app(&stage.world, "default", "m00");
	app->versions[0].load_min_ms = app->versions[0].load_max_ms = 30000;
	world_zone_set(&stage.world, "z1", true);
	until_left("z1", 6000);
	run(2000);
	assert_int_equal(pods_elsewhere("z1", false), 3);
	assert_int_equal(pods_elsewhere("z1", true), 2);
	run(32000);
	assert_int_equal(pods_elsewhere("z1", true), 3);
}

/* Kubernetes itself would evict after five minutes, and in a partial outage never. */
static void test_a25_capacity_is_replaced_without_evictions(void **st)
{
	(void)st;
	stage_begin(1, 3);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	run(15000);
	assert_int_equal(pods_elsewhere("z1", true), 3);
}

static void order(const char *verb, const char *value)
{
	cleanup_free char *text = xasprintf(
		"{\"metadata\":{\"annotations\":{\"" TG_GROUP "/%s\":\"%s\"}}}", verb, value);

	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_MDEP, NULL, "m00"), text);
}

static void test_a26_a_hundred_writes_lose_nothing(void **st)
{
	unsigned before;
	char value[32];

	(void)st;
	stage_begin(1, 1);
	run_until_well();
	before = stage.route_writes;
	for (int i = 0; stage.route_writes < before + 100; i++) {
		assert_true(i < 60);
		snprintf(value, sizeof(value), "z%d,1h#%d", i % ZONES, i);
		order("evacuate", value);
		run(10000);
		snprintf(value, sizeof(value), "z%d#%d", i % ZONES, i);
		order("return", value);
		run(20000);
	}
	assert_true(lost() == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a1_a_dark_zone_is_left_in_time, end),
		cmocka_unit_test_teardown(test_a3_ready_but_unreachable_is_seen, end),
		cmocka_unit_test_teardown(test_a9_only_the_leader_is_cut_off, end),
		cmocka_unit_test_teardown(test_a9_clients_are_answered_where_no_probe_is, end),
		cmocka_unit_test_teardown(test_a9_a_dark_zone_has_no_witness, end),
		cmocka_unit_test_teardown(test_a10_the_leader_is_in_the_dark_zone, end),
		cmocka_unit_test_teardown(test_a11_no_operator_while_it_happens, end),
		cmocka_unit_test_teardown(test_a12_no_api_server_during_the_outage, end),
		cmocka_unit_test_teardown(test_a13_a_leader_that_was_cut_off_writes_no_more, end),
		cmocka_unit_test_teardown(test_a15_one_zone_after_the_other, end),
		cmocka_unit_test_teardown(test_a17_an_outage_at_a_step_holds_it, end),
		cmocka_unit_test_teardown(test_a18_the_only_canary_is_in_the_dark, end),
		cmocka_unit_test_teardown(test_a19_a_bad_canary_beside_a_blip_is_rolled_back, end),
		cmocka_unit_test_teardown(test_a20_stable_is_unhealthy_in_a_zone_while_promoting,
	                                  end),
		cmocka_unit_test_teardown(test_a21_another_version_gets_no_traffic, end),
		cmocka_unit_test_teardown(test_a24_cold_capacity_is_bound_at_once, end),
		cmocka_unit_test_teardown(test_a25_capacity_is_replaced_without_evictions, end),
		cmocka_unit_test_teardown(test_a26_a_hundred_writes_lose_nothing, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
