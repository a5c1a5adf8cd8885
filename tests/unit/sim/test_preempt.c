/*
 * Pods of lower priority make way: the whole operator, a cluster without a spare card, a critical
 * model (m00) and one that can wait (m01).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

#define CLASS(name) ",\"template\":{\"spec\":{\"priorityClassName\":\"" name "\"}}"
#define CRITICAL    CLASS("live")
#define YIELDING    ",\"disruptionBudget\":{\"maxUnavailable\":\"100%\"}"
#define VICTIMS     "scheduler_preemption_victims_sum "

static int end(void **st)
{
	(void)st;
	assert_null(stage.stray);
	stage_end();
	return 0;
}

static void give_cards(unsigned zone, int cards)
{
	cleanup_free char *node = xasprintf("node-%u", zone);
	cleanup_free char *patch = xasprintf(
		"{\"status\":{\"allocatable\":{\"cpu\":\"640\",\"memory\":\"2560Gi\",\"pods\":"
		"\"1000\",\"nvidia.com/gpu\":\"%d\"}}}",
		cards);

	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_NODE, NULL, node), patch);
}

static void make_class(const char *name, int value, const char *policy)
{
	cleanup_free char *text =
		xasprintf("{\"metadata\":{\"name\":\"%s\"},\"value\":%d,\"preemptionPolicy\":"
	                  "\"%s\"}",
	                  name, value, policy);

	assert_non_null(sim_put(stage.cluster.api, SIM_PRIORITYCLASS, text, NULL));
}

/* Two cards a zone, and a pod of each model on them. */
static void begin(unsigned replicas, const char *critical, const char *other)
{
	stage_begin(2, replicas);
	for (unsigned z = 0; z < ZONES; z++)
		give_cards(z, 2);
	make_class("live", 1000, "PreemptLowerPriority");
	make_class("polite", 1000, "Never");
	stage_model("m00", "1", critical);
	stage_model("m01", "1", other);
	run_until_well();
}

static struct sim_object *next_pod(const char *model, struct sim_object *p)
{
	do
		p = sim_next(stage.cluster.api, SIM_POD, p);
	while (p && !str_eq(world_label(p, TG_LABEL_NAME), model));
	return p;
}

/* Pods that serve, those of a dark zone aside. */
static int serving(const char *model)
{
	int n = 0;

	for (struct sim_object *p = next_pod(model, NULL); p; p = next_pod(model, p))
		n += world_pod_ready(p) && !world_pod_is_dark(&stage.world, p);
	return n;
}

static bool is_deleted(const char *model)
{
	for (struct sim_object *p = next_pod(model, NULL); p; p = next_pod(model, p))
		if (world_pod_deleting(p))
			return true;
	return false;
}

/* Requests of the model that were sent where nothing was, zones in the dark aside. */
static double lost(const char *model)
{
	world_settle(&stage.world);
	return world_app(&stage.world, "default", model)->tally.lost_release;
}

static struct sim_object *nominated(const char *model)
{
	for (struct sim_object *p = next_pod(model, NULL); p; p = next_pod(model, p))
		if (json_str(json_get(p->json, "status"), "nominatedNodeName") &&
		    !json_str(json_get(p->json, "spec"), "nodeName"))
			return p;
	return NULL;
}

static bool m01_is_deleted(void)
{
	return is_deleted("m01");
}

static bool m00_is_nominated(void)
{
	return nominated("m00") != NULL;
}

static bool m00_is_whole(void)
{
	return serving("m00") == 3;
}

static bool both_are_whole(void)
{
	return serving("m00") == 3 && serving("m01") == 3;
}

static void run_until(bool (*holds)(void), int64_t limit_ms)
{
	int64_t until = stage.cluster.clock.mono_ms + limit_ms;

	while (!holds()) {
		if (stage.cluster.clock.mono_ms > until)
			fail_msg("m00: %d serve, m01: %d", serving("m00"), serving("m01"));
		run(1);
	}
}

/* An event of this reason about a pod of the model, with this word in its note. */
static unsigned events(const char *reason, const char *model, const char *word)
{
	unsigned n = 0;

	for (struct sim_object *e = sim_next(stage.cluster.api, SIM_EVENT, NULL); e;
	     e = sim_next(stage.cluster.api, SIM_EVENT, e))
		n += str_eq(json_str(e->json, "reason"), reason) &&
		     str_starts(str_or(json_str(json_get(e->json, "regarding"), "name"), ""),
		                model) &&
		     strstr(str_or(json_str(e->json, "note"), ""), word);
	return n;
}

/* The dark zone's cards are lost: the critical model gets three of the four that are left. */
static void test_a_card_is_taken_in_a_zone_that_is_left(void **st)
{
	double before;

	(void)st;
	begin(3, CRITICAL, "");
	before = metric_value(VICTIMS);
	world_zone_set(&stage.world, "z1", true);
	run_until(m00_is_whole, 40000);
	assert_int_equal(serving("m01"), 1);
	assert_true(metric_value(VICTIMS) == before + 1);
	run(60000);
	assert_int_equal(serving("m00"), 3);
	assert_int_equal(serving("m01"), 1);
	assert_true(metric_value(VICTIMS) == before + 1);
	assert_int_equal(events("Preempting", "m00", "default/m01"), 1);
	assert_int_equal(events("Preempted", "m01", "default/m00"), 1);
	world_zone_set(&stage.world, "z1", false);
	run_until(both_are_whole, 180000);
	assert_true(metric_value(VICTIMS) == before + 1);
	assert_null(nominated("m00"));
}

static struct sim_object *in_z1(const char *model)
{
	for (struct sim_object *p = next_pod(model, NULL); p; p = next_pod(model, p))
		if (str_eq(world_zone_of(&stage.world, p), "z1"))
			return p;
	return NULL;
}

static bool m00_is_back_in_z1(void)
{
	return str_eq(zone_state(0, "z1"), "Healthy") && world_pod_ready(in_z1("m00"));
}

/*
 * While its zone was out the critical model's pod went and its card with it, and all replicas have
 * found room elsewhere: one pod takes a card all the same, for without it nobody would ever be
 * asked whether the zone is well again.
 */
static void test_a_zone_that_is_left_gets_a_pod_that_can_be_asked(void **st)
{
	(void)st;
	begin(3, CRITICAL, YIELDING);
	world_zone_set(&stage.world, "z1", true);
	run_until(m00_is_whole, 40000);
	give_cards(1, 1);
	sim_delete(stage.cluster.api, in_z1("m00"));
	world_zone_set(&stage.world, "z1", false);
	run_until(m00_is_back_in_z1, 180000);
	run(60000);
	assert_int_equal(serving("m00"), 3);
	assert_true(m00_is_back_in_z1());
}

/* Nobody makes way for an equal, nor for one that must not take anything. */
static void test_nothing_is_taken_from_equals(void **st)
{
	static const char *const specs[] = {"", CLASS("polite")};
	double before;

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		begin(1, specs[i], "");
		before = metric_value(VICTIMS);
		world_zone_set(&stage.world, "z1", true);
		run(60000);
		assert_int_equal(serving("m00"), 2);
		assert_int_equal(serving("m01"), 2);
		assert_true(metric_value(VICTIMS) == before);
		if (i + 1 < ARRAY_SIZE(specs))
			stage_end();
	}
}

static bool m00_moves(void)
{
	return str_eq(phase_of(0), "Progressing");
}

/* What a release has on top of the replicas waits for a card that is free. */
static void test_surge_takes_nothing(void **st)
{
	double before;

	(void)st;
	begin(1, CRITICAL, "");
	before = metric_value(VICTIMS);
	stage_model("m00", "2", CRITICAL);
	run_until(m00_moves, 10000);
	run(60000);
	assert_int_equal(serving("m00"), 3);
	assert_int_equal(serving("m01"), 3);
	assert_true(metric_value(VICTIMS) == before);
	give_cards(0, 3);
	give_cards(1, 3);
	give_cards(2, 3);
	run(30000);
	assert_true(json_i64(status_of(0), "updatedReplicas", 0) > 0);
}

static void lose_pods(const char *model, const char *zone)
{
	struct sim_object *p, *after;

	for (p = next_pod(model, NULL); p; p = after) {
		after = next_pod(model, p);
		if (str_eq(world_zone_of(&stage.world, p), zone))
			sim_remove(stage.cluster.api, p);
	}
}

static bool m00_holds(void)
{
	return str_eq(phase_of(0), "Holding");
}

static void releases_into_another_zone(int surge)
{
	cleanup_free char *spec = xasprintf("{\"spec\":{\"model\":{\"version\":\"2\"},\"strategy\":"
	                                    "{\"maxUnavailable\":1,\"maxSurge\":%d}}}",
	                                    surge);
	double before;

	begin(1, CRITICAL, YIELDING);
	before = metric_value(VICTIMS);
	give_cards(2, 0);
	lose_pods("m00", "z2");
	lose_pods("m01", "z2");
	run(10000);
	assert_int_equal(serving("m00"), 2);
	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_MDEP, NULL, "m00"), spec);
	run_until(m00_holds, 60000);
	assert_int_equal(serving("m00"), 3);
	run(60000);
	assert_int_equal(serving("m00"), 3);
	assert_true(metric_value(VICTIMS) == before + 1);
}

/* The new version's zone has no cards any more; in others a replica gets one that m01 gives up. */
static void test_a_release_takes_a_card_in_another_zone(void **st)
{
	(void)st;
	releases_into_another_zone(1);
}

static void test_a_swap_takes_a_card_in_another_zone(void **st)
{
	(void)st;
	releases_into_another_zone(0);
}

/* The budget of m01 lets none go: the critical model waits, and gets the card when it is let. */
static void test_a_budget_is_kept(void **st)
{
	static const char none[] = ",\"disruptionBudget\":{\"minAvailable\":3}";
	double before;

	(void)st;
	begin(1, CRITICAL, none);
	before = metric_value(VICTIMS);
	world_zone_set(&stage.world, "z1", true);
	run(20000);
	assert_false(is_deleted("m01"));
	assert_int_equal(serving("m00"), 2);
	assert_int_equal(events("Preempted", "m01", ""), 0);
	/* They were asked, and not all the time. */
	assert_in_range((int)(metric_value(VICTIMS) - before), 1, 4);
	stage_model("m01", "1", ",\"disruptionBudget\":{\"mode\":\"Disabled\"}");
	run_until(m00_is_whole, 40000);
}

/* m01's only pods of a zone make way, with a driver and traffic: the route lets go of them first.
 */
static void test_traffic_goes_first(void **st)
{
	double before;

	(void)st;
	begin(1, CRITICAL, YIELDING);
	world_app(&stage.world, "default", "m01")->rate = 20000;
	before = metric_value(VICTIMS);
	sim_patch(stage.cluster.api, sim_get(stage.cluster.api, SIM_MDEP, NULL, "m00"),
	          "{\"spec\":{\"replicas\":5}}");
	run(60000);
	assert_int_equal(serving("m00"), 5);
	assert_int_equal(serving("m01"), 1);
	assert_true(metric_value(VICTIMS) == before + 2);
	assert_true(lost("m01") < 0.001);
	assert_true(lost("m00") < 0.001);
}

static void die_when(bool (*holds)(void))
{
	double before;

	begin(2, CRITICAL, "");
	stage_model("a00", "1", ""); /* has waited for longer than anybody */
	run(10000);
	before = metric_value(VICTIMS);
	world_zone_set(&stage.world, "z1", true);
	run_until(holds, 20000);
	cluster_kill(&stage.cluster, stage.holder);
	run_until(m00_is_whole, 90000);
	run(30000);
	assert_int_equal(serving("m01"), 1);
	assert_int_equal(events("Scheduled", "a00", ""), 0);
	assert_in_range((int)(metric_value(VICTIMS) - before), 1, 2);
	assert_true(events("Preempting", "m00", "") <= 2);
}

/* Whoever leads next finds the nomination, and nobody else has got the room meanwhile. */
static void test_a_leader_dies_after_the_eviction(void **st)
{
	(void)st;
	die_when(m01_is_deleted);
}

static void test_a_leader_dies_before_the_eviction(void **st)
{
	(void)st;
	die_when(m00_is_nominated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_card_is_taken_in_a_zone_that_is_left, end),
		cmocka_unit_test_teardown(test_a_zone_that_is_left_gets_a_pod_that_can_be_asked,
	                                  end),
		cmocka_unit_test_teardown(test_nothing_is_taken_from_equals, end),
		cmocka_unit_test_teardown(test_surge_takes_nothing, end),
		cmocka_unit_test_teardown(test_a_release_takes_a_card_in_another_zone, end),
		cmocka_unit_test_teardown(test_a_swap_takes_a_card_in_another_zone, end),
		cmocka_unit_test_teardown(test_a_budget_is_kept, end),
		cmocka_unit_test_teardown(test_traffic_goes_first, end),
		cmocka_unit_test_teardown(test_a_leader_dies_after_the_eviction, end),
		cmocka_unit_test_teardown(test_a_leader_dies_before_the_eviction, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
