/*
 * Nodes that are lost while their zone is well: the whole operator, with the defaults of
 * Kubernetes (a node is given up after 50 s, its pods would be deleted 300 s later).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage.h"

/* 50 s and 30 s, and a model's load. */
#define REPLACED_MS 88000

static char first[64]; /* pod of the story's beginning */
static char home[64];  /* its node */

static int end(void **st)
{
	(void)st;
	assert_null(stage.stray);
	stage_end();
	return 0;
}

static struct sim_object *pod_in(const char *zone)
{
	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p))
		if (str_eq(world_zone_of(&stage.world, p), zone) && !world_pod_deleting(p))
			return p;
	return NULL;
}

static const char *node_of(const struct sim_object *pod)
{
	return json_str(json_get(pod->json, "spec"), "nodeName");
}

static void set_cards(const char *node, int cards)
{
	cleanup_free char *text = xasprintf("{\"status\":{\"allocatable\":{\"cpu\":\"64\","
	                                    "\"memory\":\"256Gi\",\"pods\":\"100\","
	                                    "\"nvidia.com/gpu\":\"%d\"}}}",
	                                    cards);

	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_NODE, NULL, node), text);
}

static void add_node(const char *name, const char *zone, int cards)
{
	cleanup_free char *text =
		xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{\"" TG_ZONE_LABEL
	                  "\":\"%s\",\"" TG_HOST_LABEL
	                  "\":\"%s\"}},\"status\":{\"conditions\":[{\"type\":\"Ready\","
	                  "\"status\":\"True\"}]}}",
	                  name, zone, name);

	assert_non_null(sim_put(stage.cluster.api, SIM_NODE, text, NULL));
	set_cards(name, cards);
}

/* Zone z0 has two nodes, with so many cards; one model. */
static void begin(unsigned replicas, int cards, int more_cards)
{
	stage_begin(0, 3);
	set_cards("node-0", cards);
	add_node("node-9", "z0", more_cards);
	stage.replicas = replicas;
	stage_model("m00", "1", "");
	stage.models = 1;
	run(30000);
	str_copy(first, sizeof(first), pod_in("z0")->name);
	str_copy(home, sizeof(home), node_of(pod_in("z0")));
}

static void assert_replaced(void)
{
	const struct sim_object *p = pod_in("z0");

	assert_non_null(p);
	assert_string_not_equal(p->name, first);
	assert_string_not_equal(node_of(p), home);
	assert_true(world_pod_ready(p));
}

static void test_the_only_replica_of_a_lost_node(void **st)
{
	(void)st;
	begin(1, 8, 8);
	assert_true(world_lose_node(&stage.world, home));
	run(REPLACED_MS);
	assert_replaced();
	run(5000);
	assert_int_equal(route_share(0, "z0"), 10000);
}

/* The model leaves the zone as long as its only pod there fails, and comes back. */
static void test_one_of_three_replicas(void **st)
{
	(void)st;
	begin(3, 8, 8);
	assert_true(world_lose_node(&stage.world, home));
	run(REPLACED_MS);
	assert_replaced();
	run(120000);
	assert_string_equal(zone_state(0, "z0"), "Healthy");
	assert_true(route_share(0, "z0") > 3000);
}

static double lost(void)
{
	world_settle(&stage.world);
	return stage.world.tally.lost_dark + stage.world.tally.lost_release;
}

/*
 * Its kubelet is gone, and the control plane has not given the node up: that the pod is not Ready
 * is told for it, and its Service does without it from then on. The zone stays.
 */
static void test_requests_are_lost_for_seconds_only(void **st)
{
	double before;

	(void)st;
	begin(6, 1, 1);
	before = lost();
	assert_true(world_lose_node(&stage.world, home));
	run(6000);
	assert_true(lost() > before);
	before = lost();
	run(34000);
	assert_true(lost() == before);
	assert_true(route_share(0, "z0") > 0);
}

/* There is nowhere to go: the pod waits for its node. */
static void test_no_room(void **st)
{
	(void)st;
	begin(1, 1, 0);
	assert_true(world_lose_node(&stage.world, home));
	run(REPLACED_MS + 20000);
	assert_string_equal(pod_in("z0")->name, first);
}

/* All of its nodes are given up: its pods stay where they are, and go on. */
static void test_a_dark_zone_keeps_its_pods(void **st)
{
	(void)st;
	begin(3, 8, 8);
	world_zone_set(&stage.world, "z0", true);
	run(120000);
	assert_string_equal(pod_in("z0")->name, first);
	world_zone_set(&stage.world, "z0", false);
	run(60000);
	assert_string_equal(pod_in("z0")->name, first);
	assert_true(world_pod_ready(pod_in("z0")));
}

static int pods_on(const char *node)
{
	int n = 0;

	for (struct sim_object *p = sim_next(stage.cluster.api, SIM_POD, NULL); p;
	     p = sim_next(stage.cluster.api, SIM_POD, p))
		n += str_eq(node_of(p), node) && !world_pod_deleting(p);
	return n;
}

/* Stable's and the new version's stood on one node: there is room for one of them only. */
static void test_revisions_share_a_zones_room(void **st)
{
	(void)st;
	begin(3, 8, 0);
	set_cards("node-2", 2);
	stage_model("m00", "2", "");
	run(60000);
	assert_int_equal(pods_on("node-2"), 2);
	add_node("node-8", "z2", 1);
	run(1000);
	assert_true(world_lose_node(&stage.world, "node-2"));
	run(REPLACED_MS + 20000);
	assert_int_equal(pods_on("node-8"), 1);
	assert_int_equal(pods_on("node-2"), 1);
}

static bool first_is_silent(const char *agent, const char *model, const char *zone, const char *url)
{
	const struct sim_object *p = pod_at_url(url);

	(void)agent;
	(void)model;
	(void)zone;
	return !p || !str_eq(p->name, first);
}

/* Only its model hangs: that is its kubelet's affair. */
static void test_a_pod_that_fails_on_a_good_node(void **st)
{
	(void)st;
	begin(1, 8, 8);
	stage.reaches = first_is_silent;
	run(REPLACED_MS + 20000);
	assert_string_equal(pod_in("z0")->name, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_the_only_replica_of_a_lost_node, end),
		cmocka_unit_test_teardown(test_one_of_three_replicas, end),
		cmocka_unit_test_teardown(test_requests_are_lost_for_seconds_only, end),
		cmocka_unit_test_teardown(test_no_room, end),
		cmocka_unit_test_teardown(test_a_dark_zone_keeps_its_pods, end),
		cmocka_unit_test_teardown(test_revisions_share_a_zones_room, end),
		cmocka_unit_test_teardown(test_a_pod_that_fails_on_a_good_node, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
