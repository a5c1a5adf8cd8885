/* Human orders: bound to a revision, carried out once, answered always. */
#include "scene.h"

static const struct mdep_step approved[] = {
	{.weight = 25, .approval = true}, {.weight = 50, .approval = true}, {.weight = 100}};

static void give(struct world *w, enum mdep_verb verb, const char *value)
{
	world_order(w, verb, value);
	world_settle(w);
}

static void test_an_order_is_carried_out_once_however_often_it_is_applied(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, NEW);
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Done");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.step, 1);
	world_touch(&w); /* the same manifest, with the same annotation */
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	assert_int_equal(world_count(&w, "OrderAccepted"), 1);
	world_release(&w);
}

static void test_a_suffix_or_taking_it_away_makes_it_a_new_order(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next#2");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);

	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, NULL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_an_order_for_another_revision_is_ignored_and_says_so(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "cccccccccc");
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Ignored");
	assert_non_null(strstr(scene_order(&w, ORDER_PROMOTE)->message, NEW));
	assert_true(world_saw(&w, "OrderIgnored"));
	/* It stays ignored when that revision comes: it was about another moment. */
	world_spec(&w, "cccccccccc", "v3");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_run(&w, 20000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	world_release(&w);
}

static void test_the_model_version_names_a_revision_too(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "v2");
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Done");
	world_release(&w);
}

static void test_promote_ends_a_hold_and_gives_approval_at_once(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 25, .hold_ms = 3600000, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	give(&w, ORDER_PROMOTE, "next");
	assert_int_equal(w.m.status.step, 1);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	world_release(&w);
}

static void test_promote_while_moving_takes_effect_on_arriving(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	give(&w, ORDER_PROMOTE, "next");
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Pending");
	assert_int_equal(w.m.status.step, 0);
	scene_until(&w, ROLLOUT_APPROVAL); /* of the second step: the first needed none */
	assert_int_equal(w.m.status.step, 1);
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Done");
	world_run(&w, 30000);
	assert_int_equal(w.m.status.step, 1);
	world_release(&w);
}

static void test_promote_full_skips_steps_but_not_verification(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "full");
	assert_int_equal(w.m.status.step, 3);
	assert_true(w.m.status.weight < 100);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_pending_promote_dies_with_its_release(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	give(&w, ORDER_PROMOTE, "next");
	give(&w, ORDER_ABORT, "now");
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Ignored");
	scene_until(&w, ROLLOUT_ABORTED);
	give(&w, ORDER_RETRY, "now");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.step, 0);
	world_release(&w);
}

static void test_a_pending_order_may_be_withdrawn(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	give(&w, ORDER_PROMOTE, "next");
	give(&w, ORDER_PROMOTE, NULL);
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Ignored");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.step, 0);
	world_release(&w);
}

static void test_abort_returns_traffic_and_waits_for_retry(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ABORT, NEW);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_int_equal(world_plan_share(&w, NEW), 0);
	scene_until(&w, ROLLOUT_ABORTED);
	assert_string_equal(scene_reason(&w, "ReleaseFailed"), "Aborted");
	assert_string_equal(scene_result(&w, NEW), "Aborted");
	world_run(&w, 600000);
	assert_int_equal(w.m.status.phase, ROLLOUT_ABORTED);
	give(&w, ORDER_RETRY, NEW);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 0);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_release(&w);
}

static void abort_at(int weight, int replicas, int surge, int unavailable)
{
	struct mdep_step step = {.weight = weight, .approval = true};
	struct world w;

	world_init(&w, 1);
	w.requests_per_s = 100;
	w.m.replicas = replicas;
	w.m.max_surge.value = surge;
	w.m.max_unavailable.value = unavailable;
	w.m.progress_deadline_ms = 0;
	world_first_release(&w);
	scene_begin(&w, &step, 1);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ABORT, NEW);
	scene_until(&w, ROLLOUT_ABORTED);
	world_release(&w);
}

/* No deadline comes to its help: by the pods alone, however they round. */
static void test_abort_ends_with_any_number_of_replicas(void **state)
{
	static const int weights[] = {1, 10, 20, 25, 33, 34, 40, 50, 60, 67, 75, 90, 99};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
		for (int replicas = 1; replicas <= 13; replicas++)
			for (int bounds = 0; bounds < 4; bounds++)
				abort_at(weights[i], replicas, bounds & 1, bounds >> 1);
}

static void test_retry_during_the_rollback_waits_for_its_end(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ABORT, "now");
	give(&w, ORDER_RETRY, "now");
	assert_string_equal(scene_outcome(&w, ORDER_RETRY), "Pending");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_string_equal(scene_outcome(&w, ORDER_RETRY), "Done");
	assert_string_equal(scene_result(&w, NEW), "");
	world_release(&w);
}

static void test_pause_freezes_steps_and_weights_but_keeps_pods(void **state)
{
	struct world w;
	unsigned writes;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	give(&w, ORDER_PAUSE, "now");
	assert_int_equal(w.m.status.phase, ROLLOUT_PAUSED);
	world_run(&w, 2000);
	writes = w.route_writes;
	world_kill(&w, world_pod_of(&w, NEW, 0));
	w.chaos = true; /* a pod died: not our doing */
	world_run(&w, 20000);
	w.chaos = false;
	assert_int_equal(world_ready(&w, NEW), 1);
	assert_int_equal(w.m.status.phase, ROLLOUT_PAUSED);
	assert_int_equal(w.m.status.weight, 25);
	assert_int_equal(world_share(&w, NEW), 2500);
	assert_true(w.route_writes >= writes);
	/* The hold ran on meanwhile: ten seconds of holding are ten seconds. */
	give(&w, ORDER_RESUME, "now");
	assert_int_equal(w.m.status.step, 1);
	world_release(&w);
}

static void test_pause_while_moving_resumes_moving(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	give(&w, ORDER_PAUSE, NEW);
	world_run(&w, 30000);
	assert_int_equal(w.m.status.weight, 0);
	assert_int_equal(world_ready(&w, NEW), 1);
	give(&w, ORDER_PROMOTE, "next");
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Pending");
	give(&w, ORDER_RESUME, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_rollback_to_stable_in_mid_release(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ROLLBACK_TO, "cccccccccc");
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Ignored");
	assert_non_null(strstr(scene_order(&w, ORDER_ROLLBACK_TO)->message,
	                       "there are: " OLD " (model version v1), " NEW));
	give(&w, ORDER_ROLLBACK_TO, "v1");
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_ABORTED);
	assert_string_equal(w.m.status.reason, "RollbackOrdered");
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_ABORTED);
	world_release(&w);
}

static void test_orders_out_of_season_are_ignored(void **state)
{
	static const enum mdep_verb verbs[] = {ORDER_ABORT, ORDER_PAUSE,       ORDER_RESUME,
	                                       ORDER_RETRY, ORDER_ROLLBACK_TO, ORDER_PROMOTE};
	struct world w;

	(void)state;
	scene_stable(&w);
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++) {
		give(&w, verbs[i], verbs[i] == ORDER_PROMOTE ? "next" : OLD);
		assert_string_equal(scene_outcome(&w, verbs[i]), "Ignored");
	}
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	assert_int_equal(world_count(&w, "OrderIgnored"), ARRAY_SIZE(verbs));
	world_run(&w, 10000);
	assert_int_equal(world_count(&w, "OrderIgnored"), ARRAY_SIZE(verbs));
	world_release(&w);
}

static void test_the_first_release_cannot_be_aborted(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	world_settle(&w);
	give(&w, ORDER_ABORT, "now");
	assert_string_equal(scene_outcome(&w, ORDER_ABORT), "Ignored");
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_abort_comes_before_promote(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_order(&w, ORDER_PROMOTE, "full");
	give(&w, ORDER_ABORT, "now");
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Ignored");
	world_release(&w);
}

static void test_abort_of_a_complete_release_is_refused_with_the_way_out(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_COMPLETING);
	give(&w, ORDER_ABORT, "now");
	assert_string_equal(scene_outcome(&w, ORDER_ABORT), "Ignored");
	assert_non_null(strstr(scene_order(&w, ORDER_ABORT)->message, "old model version"));
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

/* What becomes of them was decided with the zones; here it is put on record, once. */
static void test_orders_about_zones_are_recorded_as_they_were_answered(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, approved, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.zones.evacuate = (struct rollout_answer){"Done", "zone z0 is kept out"};
	give(&w, ORDER_EVACUATE, "z0,1h");
	assert_string_equal(scene_outcome(&w, ORDER_EVACUATE), "Done");
	assert_int_equal(world_count(&w, "OrderAccepted"), 1);
	w.zones.evacuate = (struct rollout_answer){NULL, NULL};
	world_touch(&w);
	world_run(&w, 10000);
	assert_string_equal(scene_outcome(&w, ORDER_EVACUATE), "Done");
	assert_int_equal(world_count(&w, "OrderAccepted"), 1);
	give(&w, ORDER_RETURN, "z0"); /* nobody watches zones here */
	assert_string_equal(scene_outcome(&w, ORDER_RETURN), "Ignored");
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_order_is_carried_out_once_however_often_it_is_applied),
		cmocka_unit_test(test_a_suffix_or_taking_it_away_makes_it_a_new_order),
		cmocka_unit_test(test_an_order_for_another_revision_is_ignored_and_says_so),
		cmocka_unit_test(test_the_model_version_names_a_revision_too),
		cmocka_unit_test(test_promote_ends_a_hold_and_gives_approval_at_once),
		cmocka_unit_test(test_promote_while_moving_takes_effect_on_arriving),
		cmocka_unit_test(test_promote_full_skips_steps_but_not_verification),
		cmocka_unit_test(test_pending_promote_dies_with_its_release),
		cmocka_unit_test(test_a_pending_order_may_be_withdrawn),
		cmocka_unit_test(test_abort_returns_traffic_and_waits_for_retry),
		cmocka_unit_test(test_abort_ends_with_any_number_of_replicas),
		cmocka_unit_test(test_retry_during_the_rollback_waits_for_its_end),
		cmocka_unit_test(test_pause_freezes_steps_and_weights_but_keeps_pods),
		cmocka_unit_test(test_pause_while_moving_resumes_moving),
		cmocka_unit_test(test_rollback_to_stable_in_mid_release),
		cmocka_unit_test(test_orders_out_of_season_are_ignored),
		cmocka_unit_test(test_the_first_release_cannot_be_aborted),
		cmocka_unit_test(test_abort_comes_before_promote),
		cmocka_unit_test(test_abort_of_a_complete_release_is_refused_with_the_way_out),
		cmocka_unit_test(test_orders_about_zones_are_recorded_as_they_were_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
