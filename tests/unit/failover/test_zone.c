/*
 * The zones' state machine on a virtual clock: pods that are probed as signal/model_probe.h does,
 * zones that go dark, flap and come back. The names Axx are those of the acceptance catalogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "world.h"

/* --- catalogue --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void test_a1_black_holed_zone_is_left_in_time(void **st)
{
	int64_t took[60];

	(void)st;
	for (unsigned i = 0; i < 60; i++) {
		world(3, 4);
		w.seed = i;
		run(3000 + draw(1000));
		dark(0, true);
		took[i] = until_out(0, 10000);
	}
	qsort(took, 60, sizeof(took[0]), compare);
	assert_true(took[30] <= 4000);
	assert_true(took[59] <= 6000);
}

static void test_a2_refusing_zone_is_left_within_four_seconds(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	for (int i = 0; i < 4; i++)
		w.pods[1][i].refuses = true;
	assert_true(until_out(1, 4000) <= 4000);
}

static void test_a4_a5_only_most_of_the_pods_are_a_zone(void **st)
{
	static const struct {
		int failing;
		bool leaves;
	} rows[] = {{4, false}, {5, false}, {6, true}, {8, true}, {10, true}};

	(void)st;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		world(3, 10);
		run(3000);
		for (int i = 0; i < rows[r].failing; i++)
			w.pods[0][i].gone = true;
		run(20000);
		if ((percent(0) == 0) != rows[r].leaves)
			fail_msg("%d of 10 pods: %s", rows[r].failing, w.events);
	}
}

static void test_a6_flapping_is_damped(void **st)
{
	(void)st;
	world(3, 4);
	for (int i = 0; i < 120; i++) {
		dark(0, true);
		run(2000);
		dark(0, false);
		run(3000);
	}
	assert_true(w.evacuations <= 1);
}

static void test_a7_lost_probes_are_no_outage(void **st)
{
	(void)st;
	world(3, 4);
	w.loss = 10;
	run(24LL * 3600 * 1000);
	assert_int_equal(w.evacuations, 0);
}

static void test_a8_all_zones_dark_freezes(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	for (int z = 0; z < 3; z++)
		dark(z, true);
	run(60000);
	assert_int_equal(w.evacuations, 0);
	for (int z = 0; z < 3; z++)
		assert_int_equal(percent(z), 100);
	assert_int_equal(state(0), ZONE_FROZEN);
	for (int z = 0; z < 3; z++)
		dark(z, false);
	run(5000);
	for (int z = 0; z < 3; z++)
		assert_int_equal(state(z), ZONE_HEALTHY);
}

/* Everybody's probes vanish, clients are answered: not left, until they are not. */
static void test_a9_clients_who_are_answered_are_a_veto(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	for (int i = 0; i < 4; i++)
		w.pods[1][i].gone = w.pods[1][i].served = true;
	run(60000);
	assert_int_equal(state(1), ZONE_SUSPECT);
	assert_string_equal(mdep_zone_find(&w.m.status, "b")->reason, "ClientsServed");
	assert_string_equal(w.events, "b:ClientsServed ");
	/* Half of them is not most of the zone yet. */
	w.pods[1][0].served = w.pods[1][1].served = false;
	run(TICK_MS);
	assert_int_equal(state(1), ZONE_SUSPECT);
	w.pods[1][2].served = false;
	assert_true(until_out(1, 1000) <= 1000);
}

static void test_a_zone_that_misses_an_objective_is_left(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	w.misses[1] = "latency";
	assert_true(until_out(1, 2000) <= 1000);
	run(2000);
	assert_string_equal(mdep_zone_find(&w.m.status, "b")->reason, "MissesObjective");
	assert_string_equal(mdep_zone_find(&w.m.status, "b")->objective, "latency");
	assert_null(failover_zone_out(w.m.status.zones, w.m.status.nzones));
	/* Without traffic nothing is counted; on its way back it is judged anew. */
	w.misses[1] = NULL;
	while (state(1) != ZONE_FAILBACK)
		run(TICK_MS);
	run(15000);
	assert_int_equal(percent(1), 25);
	w.misses[1] = "latency";
	run(TICK_MS);
	assert_int_equal(percent(1), 0);
	assert_string_equal(mdep_zone_find(&w.m.status, "b")->reason, "MissesObjective");
	w.misses[1] = NULL;
	/* Twice as long before it is tried again, then it is well. */
	run(115000);
	assert_int_equal(percent(1), 0);
	run(60000);
	assert_int_equal(state(1), ZONE_HEALTHY);
	assert_int_equal(w.evacuations, 2);
}

static void test_a_zone_that_answers_worse_on_its_way_back_relapses(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(1, true);
	run(8000);
	dark(1, false);
	while (percent(1) != 25)
		run(TICK_MS);
	w.worse[1] = "errors 31.0 % vs 0.0 %";
	run(TICK_MS);
	assert_int_equal(percent(1), 0);
	assert_string_equal(mdep_zone_find(&w.m.status, "b")->reason, "WorseThanOthers");
	assert_null(failover_zone_out(w.m.status.zones, w.m.status.nzones));
	assert_non_null(strstr(w.events, "errors 31.0 % vs 0.0 %"));
	w.worse[1] = NULL;
	run(115000);
	assert_int_equal(percent(1), 0);
	run(75000);
	assert_int_equal(state(1), ZONE_HEALTHY);
	assert_int_equal(w.evacuations, 2);
	/* Nothing is held against a zone that is simply Healthy. */
	w.worse[1] = "errors 31.0 % vs 0.0 %";
	run(3000);
	assert_int_equal(state(1), ZONE_HEALTHY);
}

/* It answers: where something speaks against leaving it, it is only said. */
static void test_a_zone_that_misses_an_objective_waits(void **st)
{
	enum { MANUAL, DISABLED, SHORT, ANOTHER, ROWS };

	(void)st;
	for (int row = 0; row < ROWS; row++) {
		world(3, 4);
		run(3000);
		if (row == MANUAL)
			w.m.failover.mode = FAILOVER_MANUAL;
		if (row == DISABLED)
			w.m.failover.mode = FAILOVER_DISABLED;
		if (row == SHORT)
			w.m.failover.min_capacity = 90;
		if (row == ANOTHER) {
			dark(0, true);
			run(8000);
		}
		w.misses[1] = "latency";
		run(20000);
		assert_int_equal(percent(1), 100);
		assert_int_equal(state(1), row == DISABLED ? ZONE_HEALTHY : ZONE_IMPAIRED);
		w.misses[1] = NULL;
		run(1000);
		assert_int_equal(state(1), ZONE_HEALTHY);
	}
}

/* What serves clients without answering us is no place to send others to. */
static void test_a_zone_that_only_clients_see_is_no_capacity(void **st)
{
	(void)st;
	world(2, 4);
	run(3000);
	for (int i = 0; i < 4; i++)
		w.pods[1][i].gone = w.pods[1][i].served = true;
	run(5000);
	dark(0, true);
	run(10000);
	assert_int_equal(percent(0), 100);
	assert_int_equal(state(0), ZONE_FROZEN);
	assert_int_equal(percent(1), 100);
}

static void test_a14_a15_a_second_zone_waits(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	dark(1, true);
	run(10000);
	assert_int_equal(percent(1), 100);
	assert_int_equal(state(1), ZONE_DEGRADED);
	dark(1, false);
	run(5000);
	assert_int_equal(state(1), ZONE_HEALTHY);
}

static void test_a16_without_capacity_only_a_part_is_shifted(void **st)
{
	(void)st;
	world(2, 5);
	w.m.failover.min_capacity = 80;
	run(3000);
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_DEGRADED);
	/* 5 ready of 8 needed: three eighths stay */
	assert_int_equal(percent(0), 37);
	assert_non_null(strstr(w.events, "a:CapacityShortfall"));
}

/*
 * One replica: nobody elsewhere could answer. It is left when the zone itself is dark and another
 * could take it, but only once a pod there answers; a pod that fails alone stays where it is.
 */
static void test_a_single_replica_is_replaced_before_its_zone_is_left(void **st)
{
	static const struct {
		bool dark, room;
		enum zone_state then;
	} rows[] = {{false, false, ZONE_FROZEN},
	            {false, true, ZONE_FROZEN},
	            {true, false, ZONE_FROZEN},
	            {true, true, ZONE_DEGRADED}};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world(3, 1);
		w.m.replicas = 1;
		w.pods_of[1] = w.pods_of[2] = 0;
		run(3000);
		dark(0, true);
		run(6000);
		assert_int_equal(state(0), ZONE_FROZEN);
		w.zone_dark[0] = rows[i].dark;
		w.room[1] = rows[i].room;
		run(2000);
		assert_int_equal(state(0), rows[i].then);
		assert_int_equal(percent(0), 100);
	}
	/* Decided is decided, though nobody says so any more. */
	w.zone_dark[0] = false;
	run(20000);
	assert_int_equal(state(0), ZONE_DEGRADED);
	w.pods_of[1] = 1;
	assert_true(until_out(0, 3000) <= 2000);
	dark(0, false);
	run(120000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

/* With the only other one that had room dark as well there is nowhere to go. */
static void test_a_single_replica_stays_when_all_is_dark(void **st)
{
	(void)st;
	world(3, 1);
	w.m.replicas = 1;
	w.pods_of[1] = w.pods_of[2] = 0;
	w.zone_dark[0] = w.room[1] = true;
	run(3000);
	dark(0, true);
	run(8000);
	assert_int_equal(state(0), ZONE_DEGRADED);
	w.room[1] = false;
	run(2000);
	assert_int_equal(state(0), ZONE_FROZEN);
	assert_int_equal(percent(0), 100);
}

static void test_a22_a_relapse_waits_longer(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	dark(0, false);
	run(75000);
	assert_int_equal(state(0), ZONE_FAILBACK);
	dark(0, true);
	assert_true(until_out(0, 6000) <= 5000);
	dark(0, false);
	run(100000); /* 60 s would have been enough for the first time */
	assert_int_equal(percent(0), 0);
	run(80000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_failback_goes_in_steps(void **st)
{
	int seen[5] = {0}, last = 0, n = 0;

	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	dark(0, false);
	for (int i = 0; i < 1300 && n < 4; i++) {
		run(TICK_MS);
		if (percent(0) != last)
			seen[n++] = last = percent(0);
	}
	assert_int_equal(seen[0], 5);
	assert_int_equal(seen[1], 25);
	assert_int_equal(seen[2], 50);
	assert_int_equal(seen[3], 100);
	run(20000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_manual_modes_wait(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.mode = FAILOVER_MANUAL;
	dark(0, true);
	run(20000);
	assert_int_equal(percent(0), 100);
	assert_int_equal(state(0), ZONE_IMPAIRED);
	world(3, 4);
	w.m.failover.failback = FAILBACK_MANUAL;
	dark(0, true);
	run(10000);
	dark(0, false);
	run(600000);
	assert_int_equal(state(0), ZONE_RECOVERING);
	assert_int_equal(percent(0), 0);
}

static void test_whoever_sees_nothing_decides_nothing(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	for (int i = 0; i < 100; i++) {
		for (int z = 0; z < 3; z++)
			for (int p = 0; p < 4; p++)
				probe_pod(&w.pods[z][p]);
		w.now += TICK_MS;
		look(true);
	}
	assert_string_equal(w.events, "");
}

static void test_a_zone_without_pods_proves_nothing(void **st)
{
	struct zone_facts facts[] = {{.name = "a"}, {.name = "b", .pods = 3, .ready = 3}};
	struct mdep m = {.replicas = 3, .failover = {.min_capacity = 70}};
	struct failover_input in = {.now_ms = START_MS, .mdep = &m, .zones = facts, .nzones = 2};
	struct failover_plan plan;

	(void)st;
	failover_step(&in, &plan);
	assert_int_equal(plan.nzones, 0);
	assert_int_equal(plan.nevents, 0);
}

static void comes_back_by_its_nodes(enum zone_state state)
{
	struct mdep_zone_status record = {.name = "a",
	                                  .state = state,
	                                  .percent = 100,
	                                  .reason = "ProbesFail",
	                                  .since_ms = START_MS,
	                                  .relapses = 1,
	                                  .relapse_ms = START_MS};
	struct zone_facts facts[] = {{.name = "a"}, {.name = "b", .pods = 3, .ready = 3}};
	struct mdep m = {.replicas = 3,
	                 .failover = {.min_capacity = 70, .recover_after_ms = 60000},
	                 .status = {.zones = &record, .nzones = 1}};
	struct failover_input in = {
		.now_ms = START_MS + 600000, .mdep = &m, .zones = facts, .nzones = 2};
	struct failover_plan plan;

	failover_step(&in, &plan);
	assert_int_equal(plan.zones[0].state, state);
	facts[0].vacant = true;
	in.now_ms = START_MS + 59999;
	failover_step(&in, &plan);
	assert_int_equal(plan.zones[0].state, state);
	assert_int_equal(plan.wake_ms, START_MS + 60000);
	in.now_ms++;
	failover_step(&in, &plan);
	assert_int_equal(plan.zones[0].state, ZONE_HEALTHY);
	assert_string_equal(plan.events[0].reason, "ZoneHealthy");
}

/* Left because its probes failed; then its pods went, and none is wanted there any more. */
static void test_a_zone_that_nobody_is_left_in_comes_back_by_its_nodes(void **st)
{
	(void)st;
	comes_back_by_its_nodes(ZONE_EVACUATED);
}

/* Its pods went while all was dark, and what is wanted there waits for cards that others have got.
 */
static void test_a_frozen_zone_without_pods_does_not_hold_up_the_release(void **st)
{
	(void)st;
	comes_back_by_its_nodes(ZONE_FROZEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a1_black_holed_zone_is_left_in_time),
		cmocka_unit_test(test_a2_refusing_zone_is_left_within_four_seconds),
		cmocka_unit_test(test_a4_a5_only_most_of_the_pods_are_a_zone),
		cmocka_unit_test(test_a6_flapping_is_damped),
		cmocka_unit_test(test_a7_lost_probes_are_no_outage),
		cmocka_unit_test(test_a8_all_zones_dark_freezes),
		cmocka_unit_test(test_a9_clients_who_are_answered_are_a_veto),
		cmocka_unit_test(test_a_zone_that_only_clients_see_is_no_capacity),
		cmocka_unit_test(test_a_zone_that_misses_an_objective_is_left),
		cmocka_unit_test(test_a_zone_that_answers_worse_on_its_way_back_relapses),
		cmocka_unit_test(test_a_zone_that_misses_an_objective_waits),
		cmocka_unit_test(test_a14_a15_a_second_zone_waits),
		cmocka_unit_test(test_a16_without_capacity_only_a_part_is_shifted),
		cmocka_unit_test(test_a_single_replica_is_replaced_before_its_zone_is_left),
		cmocka_unit_test(test_a_single_replica_stays_when_all_is_dark),
		cmocka_unit_test(test_a22_a_relapse_waits_longer),
		cmocka_unit_test(test_failback_goes_in_steps),
		cmocka_unit_test(test_manual_modes_wait),
		cmocka_unit_test(test_whoever_sees_nothing_decides_nothing),
		cmocka_unit_test(test_a_zone_without_pods_proves_nothing),
		cmocka_unit_test(test_a_zone_that_nobody_is_left_in_comes_back_by_its_nodes),
		cmocka_unit_test(test_a_frozen_zone_without_pods_does_not_hold_up_the_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
