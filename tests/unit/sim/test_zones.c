/* The zones of many models, with the whole operator. */
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
	stage_end();
	return 0;
}

static void test_a_dark_zone_is_left_by_all_after_one_decision(void **st)
{
	double before;

	(void)st;
	stage_begin(34, 2);
	run_until_well();
	before = metric_value("tidegate_zone_decisions_total{zone=\"z1\"} ");
	world_zone_set(&stage.world, "z1", true);
	run_until_all("z1", "Evacuated", 6000);
	assert_true(metric_value("tidegate_zone_decisions_total{zone=\"z1\"} ") == before + 1);
	for (unsigned i = 0; i < stage.models; i++) {
		assert_int_equal(route_share(i, "z1"), 0);
		assert_string_equal(zone_reason(i, "z1"), "ProbesFail");
	}
	world_zone_set(&stage.world, "z1", false);
	run_until_all("z1", "Healthy", 90000);
}

static bool all_but_one(const char *agent, const char *model, const char *zone, const char *url)
{
	(void)agent;
	(void)url;
	return !str_eq(model, "m03") || !str_eq(zone, "z1");
}

static void test_one_bad_model_leaves_alone(void **st)
{
	(void)st;
	stage_begin(5, 1);
	run_until_well();
	stage.reaches = all_but_one;
	run(8000);
	assert_string_equal(zone_state(3, "z1"), "Evacuated");
	assert_string_equal(zone_reason(3, "z1"), "ModelBadInZone");
	assert_int_equal(models_in_state("z1", "Healthy"), 4);
}

static const char *const zones[] = {"z0", "z1", "z2"};

/* Each model is cut off from a zone of its own: that is no zone's outage. */
static bool scattered(const char *agent, const char *model, const char *zone, const char *url)
{
	(void)agent;
	(void)url;
	return !str_eq(zone, zones[(model[2] - '0') % ZONES]);
}

static void test_different_zones_at_once_freeze(void **st)
{
	unsigned frozen = 0, out = 0;

	(void)st;
	stage_begin(9, 1);
	run_until_well();
	stage.reaches = scattered;
	run(10000);
	for (int z = 0; z < ZONES; z++) {
		out += models_in_state(zones[z], "Evacuated");
		frozen += models_in_state(zones[z], "Frozen");
	}
	assert_true(out <= 2);
	assert_true(frozen >= 7);
	stage.reaches = NULL;
	run_until_all("z0", "Healthy", 90000);
}

/* A new leader neither decides again nor brings anything back too soon. */
static void test_a_new_leader_goes_on(void **st)
{
	(void)st;
	stage_begin(34, 2);
	run_until_well();
	world_zone_set(&stage.world, "z2", true);
	run(4000);
	cluster_kill(&stage.cluster, "sim-1");
	run_until_all("z2", "Evacuated", 40000);
	run(10000);
	assert_int_equal(models_in_state("z2", "Evacuated"), 34);
	assert_int_equal(models_in_state("z0", "Healthy"), 34);
}

static void want(int replicas)
{
	cleanup_free char *text = xasprintf("{\"spec\":{\"replicas\":%d}}", replicas);

	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_MDEP, NULL, "m00"), text);
	run(60000);
}

static void remove_pods(const char *zone)
{
	struct sim_object *p, *after;

	for (p = sim_next(stage.cluster.api, SIM_POD, NULL); p; p = after) {
		after = sim_next(stage.cluster.api, SIM_POD, p);
		if (str_eq(world_zone_of(&stage.world, p), zone))
			sim_remove(stage.cluster.api, p);
	}
}

/* In the dark no pods were wanted for a while, and people took away those that were left. */
static void test_a_zone_without_pods_comes_back_with_its_nodes(void **st)
{
	(void)st;
	stage_begin(1, 2);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	run_until_all("z1", "Evacuated", 6000);
	run(60000);
	want(0);
	remove_pods("z1");
	want(3);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	world_zone_set(&stage.world, "z1", false);
	run_until_all("z1", "Healthy", 90000);
	run_until_well();
}

static void cordon(const char *zone, bool on)
{
	cleanup_free char *text =
		xasprintf("{\"spec\":{\"unschedulable\":%s}}", on ? "true" : "null");
	struct sim_object *n;

	for (n = sim_next(stage.cluster.api, SIM_NODE, NULL); n;
	     n = sim_next(stage.cluster.api, SIM_NODE, n))
		if (str_eq(world_label(n, "topology.kubernetes.io/zone"), zone))
			sim_patch(stage.cluster.api, n, text);
}

/*
 * It could not be left, as another one was out already, and when it has its light again its pods
 * are gone and find no card there: without a pod nothing would ever say that it is well.
 */
static void test_a_zone_that_could_not_be_left_and_lost_its_pods(void **st)
{
	(void)st;
	stage_begin(1, 1);
	run_until_well();
	world_zone_set(&stage.world, "z1", true);
	run_until_all("z1", "Evacuated", 6000);
	world_zone_set(&stage.world, "z2", true);
	run_until_all("z2", "Degraded", 6000);
	assert_string_equal(zone_reason(0, "z2"), "AnotherZoneIsOut");
	cordon("z2", true);
	remove_pods("z2");
	world_zone_set(&stage.world, "z1", false);
	world_zone_set(&stage.world, "z2", false);
	run_until_all("z2", "Healthy", 90000);
	run_until_all("z1", "Healthy", 90000);
	cordon("z2", false);
	run_until_well();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_dark_zone_is_left_by_all_after_one_decision, end),
		cmocka_unit_test_teardown(test_one_bad_model_leaves_alone, end),
		cmocka_unit_test_teardown(test_different_zones_at_once_freeze, end),
		cmocka_unit_test_teardown(test_a_new_leader_goes_on, end),
		cmocka_unit_test_teardown(test_a_zone_without_pods_comes_back_with_its_nodes, end),
		cmocka_unit_test_teardown(test_a_zone_that_could_not_be_left_and_lost_its_pods,
	                                  end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
