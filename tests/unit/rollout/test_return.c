/* Back to a kept revision: by order while spec names another, and within the undo window. */
#include "scene.h"

#define THIRD "cccccccccc"

static void give(struct world *w, enum mdep_verb verb, const char *value)
{
	world_order(w, verb, value);
	world_settle(w);
}

/* OLD, NEW and THIRD were promoted one after the other; THIRD is stable and in spec. */
static void three_promoted(struct world *w)
{
	scene_stable(w);
	world_steps(w, two_steps, 2);
	world_spec(w, NEW, "v2");
	scene_until(w, ROLLOUT_MOVING);
	scene_until(w, ROLLOUT_IDLE);
	world_spec(w, THIRD, "v3");
	scene_until(w, ROLLOUT_MOVING);
	scene_until(w, ROLLOUT_IDLE);
	world_run(w, 10000);
	assert_string_equal(w->m.status.stable, THIRD);
	w->min_ready = 1 << 30;
	w->max_pods = 0;
}

static void assert_returned(struct world *w, const char *revision)
{
	scene_until(w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w->m.status.stable, revision);
	assert_string_equal(w->m.status.target, w->m.revision);
	world_run(w, 60000);
	assert_int_equal(w->m.status.phase, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_ready(w, revision), 4);
	assert_int_equal(world_pods(w, NULL), 4);
	assert_int_equal(world_share(w, revision), 10000);
	assert_string_equal(scene_reason(w, "ReleaseFailed"), "RollbackOrdered");
	assert_string_equal(scene_state(w, "Ready"), "True");
	assert_true(w->min_ready >= 4 && w->max_pods <= 5);
}

/* One pod in one of three zones, which have cards for it only together. */
static void test_rollback_to_a_revision_that_had_one_pod_spreads_it(void **state)
{
	static const struct mdep_step tenth[] = {{.weight = 10, .hold_ms = 60000}, {.weight = 100}};
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.m.replicas = 6;
	w.cards = 9;
	w.requests_per_s = 100;
	world_zones(&w, 3);
	w.cards_tied = true;
	world_first_release(&w);
	world_steps(&w, tenth, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(world_pods(&w, NEW), 1);
	world_spec(&w, THIRD, "v3");
	world_settle(&w);
	scene_until(&w, ROLLOUT_HOLDING);
	world_order(&w, ORDER_ROLLBACK_TO, NEW);
	world_settle(&w);
	assert_null(strstr(scene_order(&w, ORDER_ROLLBACK_TO)->message, "no ReplicaSet"));
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.stable, NEW);
	for (int i = 0; i < WORLD_CELLS; i++)
		if (w.cells[i].used && str_eq(w.cells[i].revision, NEW))
			assert_int_equal(w.cells[i].spec, 2);
	assert_true(w.min_ready >= 6 && w.max_pods <= 7);
	world_release(&w);
}

static void test_rollback_to_any_kept_revision_needs_no_steps(void **state)
{
	struct world w;
	int64_t given;

	(void)state;
	three_promoted(&w);
	w.m.max_surge.value = 4;
	given = w.now;
	give(&w, ORDER_ROLLBACK_TO, OLD);
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Done");
	assert_non_null(strstr(scene_order(&w, ORDER_ROLLBACK_TO)->message, "model version v1"));
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_non_null(strstr(w.m.status.message, "returning to revision " OLD));
	while (world_share(&w, OLD) < 10000)
		world_run(&w, 500);
	/* Pods start in 2.5 s here; the rest is the endpoint's and the route's. */
	assert_true(w.now - given < 10000);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_int_equal(w.m.status.nrevisions, 3); /* nothing new was made */
	assert_string_equal(scene_result(&w, THIRD), "RolledBack");
	world_release(&w);
}

/* Nobody judges a return, so none of its steps waits for a judge. */
static void test_more_steps_in_the_midst_of_a_return_do_not_stop_it(void **state)
{
	static const struct mdep_step more[] = {
		{.weight = 20}, {.weight = 40}, {.weight = 60}, {.weight = 100}};
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.canary.on_no_data = NO_DATA_HOLD;
	give(&w, ORDER_ROLLBACK_TO, OLD);
	world_steps(&w, more, 4);
	world_touch(&w);
	assert_returned(&w, OLD);
	world_release(&w);
}

static void test_rollback_to_keeps_to_surge_and_loses_no_pod(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, "v2");
	assert_returned(&w, NEW);
	world_release(&w);
}

static void test_rollback_to_without_a_spare_card(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.max_surge.value = 0;
	give(&w, ORDER_ROLLBACK_TO, NEW);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.stable, NEW);
	assert_true(w.max_pods <= 4 && w.min_ready >= 3);
	world_release(&w);
}

static void test_rollback_to_stays_until_retry(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_returned(&w, NEW);
	world_touch(&w); /* the same manifest once more */
	world_run(&w, 3600000);
	assert_string_equal(w.m.status.stable, NEW);
	give(&w, ORDER_RETRY, "now");
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 0); /* over the steps, as any release */
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	world_release(&w);
}

/* What became of the revision in its own release is past: it serves, and spec names it. */
static void test_spec_that_names_it_in_mid_retry_ends_the_retry(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_FAIL;
	w.dirty = true;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_spec(&w, OLD, "v1");
	world_settle(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.stable, NEW);
	assert_string_equal(scene_result(&w, NEW), "Promoted");
	w.verdict = VERDICT_NONE;
	give(&w, ORDER_RETRY, "now");
	scene_until(&w, ROLLOUT_HOLDING);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_share(&w, NEW), 10000);
	world_release(&w);
}

static void test_rollback_to_stays_until_spec_names_another(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_returned(&w, NEW);
	world_spec(&w, NEW, "v2"); /* Git has caught up */
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	world_spec(&w, "dddddddddd", "v4");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, "dddddddddd");
	world_release(&w);
}

static void test_spec_that_names_the_revision_on_the_way_goes_on(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	world_run(&w, 5000);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_null(w.m.status.return_to);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_another_spec_on_the_way_supersedes_it(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	world_run(&w, 5000);
	world_spec(&w, "dddddddddd", "v4");
	world_settle(&w);
	assert_string_equal(w.m.status.target, "dddddddddd");
	assert_int_equal(w.m.status.step, 0);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, "dddddddddd");
	world_release(&w);
}

static void test_rollback_to_a_third_revision_in_mid_release(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 50, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	three_promoted(&w);
	world_steps(&w, steps, 2);
	world_spec(&w, "dddddddddd", "v4");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ROLLBACK_TO, "v1");
	assert_int_equal(world_plan_share(&w, "dddddddddd"), 0);
	give(&w, ORDER_ABORT, "now"); /* which of the two should it mean? */
	assert_string_equal(scene_outcome(&w, ORDER_ABORT), "Ignored");
	assert_returned(&w, OLD);
	assert_string_equal(scene_result(&w, "dddddddddd"), "RolledBack");
	world_release(&w);
}

static void test_rollback_to_while_completing_promotes_first(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	world_spec(&w, "dddddddddd", "v4");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_COMPLETING);
	give(&w, ORDER_ROLLBACK_TO, THIRD);
	/* THIRD is stable still: that is the ordinary way back, which completing refuses. */
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Ignored");
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Done");
	assert_returned(&w, NEW);
	world_release(&w);
}

static void test_rollback_to_can_be_aborted(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	world_run(&w, 5000);
	give(&w, ORDER_ABORT, "now");
	assert_string_equal(scene_outcome(&w, ORDER_ABORT), "Done");
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 60000);
	assert_string_equal(w.m.status.stable, THIRD);
	assert_int_equal(world_ready(&w, THIRD), 4);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	world_release(&w);
}

static void test_rollback_to_twice_goes_to_the_last_named(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	world_run(&w, 5000);
	give(&w, ORDER_ROLLBACK_TO, OLD);
	assert_returned(&w, OLD);
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Done");
	assert_returned(&w, NEW);
	world_release(&w);
}

static void test_rollback_to_what_is_not_kept_names_what_is(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	give(&w, ORDER_ROLLBACK_TO, "v9");
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Ignored");
	assert_non_null(strstr(scene_order(&w, ORDER_ROLLBACK_TO)->message, OLD));
	give(&w, ORDER_ROLLBACK_TO, "v3");
	assert_string_equal(scene_outcome(&w, ORDER_ROLLBACK_TO), "Ignored");
	world_run(&w, 10000);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_rollback_to_tells_zones_without_a_replicaset(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 7);
	w.requests_per_s = 100;
	world_zones(&w, 2);
	world_first_release(&w);
	world_zones(&w, 3); /* z2 came after OLD ... */
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	for (int i = 0; i < WORLD_CELLS; i++) /* ... and somebody deleted another */
		if (w.cells[i].used && !strcmp(w.cells[i].revision, OLD) &&
		    strcmp(w.cells[i].zone, "z0"))
			w.cells[i].used = false;
	give(&w, ORDER_ROLLBACK_TO, OLD);
	assert_non_null(strstr(scene_order(&w, ORDER_ROLLBACK_TO)->message,
	                       "no ReplicaSet in zone z1, z2"));
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_rollback_to_is_not_judged_and_never_given_up(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.progress_deadline_ms = 30000;
	w.verdict = VERDICT_FAIL;
	w.broken = NEW;
	give(&w, ORDER_ROLLBACK_TO, NEW);
	world_run(&w, 120000);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_string_equal(scene_reason(&w, "Stalled"), "ProgressDeadlineExceeded");
	assert_int_equal(world_share(&w, THIRD), 10000);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

/* --- undo window ------------------------------------------------------------------------- */

static void test_back_within_the_undo_window_needs_no_steps(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.undo_window_ms = 3600000;
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	assert_int_equal(w.m.status.step, 2);
	assert_non_null(strstr(w.last_note, "undoWindow"));
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_count(&w, "StepReached"), 4); /* of the two releases before */
	world_release(&w);
}

static void test_back_outside_the_undo_window_takes_the_steps(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.undo_window_ms = 3600000;
	world_run(&w, 3700000);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	assert_int_equal(w.m.status.step, 0);
	world_release(&w);
}

static void test_what_failed_has_no_undo_window(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.undo_window_ms = 3600000;
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_returned(&w, NEW);
	world_spec(&w, "dddddddddd", "v4");
	scene_until(&w, ROLLOUT_MOVING);
	world_spec(&w, THIRD, "v3");
	world_settle(&w);
	assert_int_equal(w.m.status.step, 0);
	world_release(&w);
}

static void test_undo_is_judged_like_any_release(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	w.m.undo_window_ms = 3600000;
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	while (w.m.status.weight == 0)
		world_run(&w, 500);
	w.verdict = VERDICT_FAIL;
	w.dirty = true;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.stable, THIRD);
	world_release(&w);
}

/* --- history ----------------------------------------------------------------------------- */

static void test_history_keeps_as_many_as_asked_and_never_what_serves(void **state)
{
	struct world w;

	(void)state;
	three_promoted(&w);
	assert_true(world_cell_exists(&w, OLD));
	w.m.revision_history_limit = 1;
	world_touch(&w);
	world_run(&w, 5000);
	assert_false(world_cell_exists(&w, OLD));
	assert_true(world_cell_exists(&w, NEW));
	give(&w, ORDER_ROLLBACK_TO, NEW);
	assert_returned(&w, NEW);
	w.m.revision_history_limit = 0;
	world_touch(&w);
	world_run(&w, 5000);
	assert_true(world_cell_exists(&w, NEW));
	assert_true(world_cell_exists(&w, THIRD)); /* in spec: `retry` wants it */
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rollback_to_a_revision_that_had_one_pod_spreads_it),
		cmocka_unit_test(test_rollback_to_any_kept_revision_needs_no_steps),
		cmocka_unit_test(test_more_steps_in_the_midst_of_a_return_do_not_stop_it),
		cmocka_unit_test(test_rollback_to_keeps_to_surge_and_loses_no_pod),
		cmocka_unit_test(test_rollback_to_without_a_spare_card),
		cmocka_unit_test(test_rollback_to_stays_until_retry),
		cmocka_unit_test(test_spec_that_names_it_in_mid_retry_ends_the_retry),
		cmocka_unit_test(test_rollback_to_stays_until_spec_names_another),
		cmocka_unit_test(test_spec_that_names_the_revision_on_the_way_goes_on),
		cmocka_unit_test(test_another_spec_on_the_way_supersedes_it),
		cmocka_unit_test(test_rollback_to_a_third_revision_in_mid_release),
		cmocka_unit_test(test_rollback_to_while_completing_promotes_first),
		cmocka_unit_test(test_rollback_to_can_be_aborted),
		cmocka_unit_test(test_rollback_to_twice_goes_to_the_last_named),
		cmocka_unit_test(test_rollback_to_what_is_not_kept_names_what_is),
		cmocka_unit_test(test_rollback_to_tells_zones_without_a_replicaset),
		cmocka_unit_test(test_rollback_to_is_not_judged_and_never_given_up),
		cmocka_unit_test(test_back_within_the_undo_window_needs_no_steps),
		cmocka_unit_test(test_back_outside_the_undo_window_takes_the_steps),
		cmocka_unit_test(test_what_failed_has_no_undo_window),
		cmocka_unit_test(test_undo_is_judged_like_any_release),
		cmocka_unit_test(test_history_keeps_as_many_as_asked_and_never_what_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
