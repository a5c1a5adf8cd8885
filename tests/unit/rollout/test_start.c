/* Which revision is released, and what becomes of the one before. */
#include "scene.h"

static void test_first_release_skips_steps_and_waits_for_all_pods(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.load_jitter_ms = 8000;
	world_steps(&w, two_steps, 2);
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_null(w.m.status.stable);
	assert_string_equal(scene_reason(&w, "Ready"), "FirstRelease");
	while (world_ready(&w, OLD) == 0)
		world_run(&w, 500);
	assert_true(world_ready(&w, OLD) < 4);
	assert_int_equal(world_share(&w, OLD), 10000); /* from the first ready pod on */
	assert_null(w.m.status.stable);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, OLD);
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_string_equal(scene_result(&w, OLD), "Promoted");
	assert_false(world_saw(&w, "StepReached"));
	world_release(&w);
}

static void test_first_release_may_be_changed_before_it_is_stable(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.broken = OLD;
	world_run(&w, 20000);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 10000);
	assert_string_equal(w.m.status.stable, NEW);
	assert_string_equal(scene_result(&w, OLD), "Superseded");
	assert_int_equal(world_pods(&w, OLD), 0);
	assert_int_equal(world_ready(&w, NEW), 4);
	world_release(&w);
}

static void test_revisions_are_numbered_by_first_appearance_newest_first(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	assert_int_equal(w.m.status.nrevisions, 2);
	assert_string_equal(w.m.status.revisions[0].name, NEW);
	assert_int_equal(w.m.status.revisions[0].number, 2);
	assert_string_equal(w.m.status.revisions[0].model_version, "v2");
	assert_int_equal(w.m.status.revisions[1].number, 1);
	assert_int_equal(world_count(&w, "ReleaseStarted"), 2);
	world_release(&w);
}

static void test_history_in_status_is_bounded_and_keeps_what_serves(void **state)
{
	struct world w;
	char name[24];

	(void)state;
	scene_stable(&w);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "r%09d", i);
		world_spec(&w, name, name);
		world_settle(&w);
	}
	assert_int_equal(w.m.status.nrevisions, MDEP_REVISIONS_MAX);
	assert_string_equal(w.m.status.revisions[0].name, name);
	assert_int_equal(w.m.status.revisions[0].number, 31);
	assert_non_null(mdep_revision_find(&w.m.status, OLD));
	for (unsigned i = 1; i < w.m.status.nrevisions; i++)
		assert_true(w.m.status.revisions[i].number < w.m.status.revisions[i - 1].number);
	world_release(&w);
}

static void test_a_newer_revision_supersedes_and_stable_stays(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(world_share(&w, NEW), 2500);
	world_spec(&w, "cccccccccc", "v3");
	world_settle(&w);
	assert_string_equal(w.m.status.stable, OLD);
	assert_string_equal(w.m.status.target, "cccccccccc");
	assert_int_equal(w.m.status.step, 0);
	assert_int_equal(world_plan_share(&w, OLD), 10000);
	assert_string_equal(scene_result(&w, NEW), "Superseded");
	assert_true(world_pods(&w, NEW) > 0); /* until the route has let go of it */
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 10000);
	assert_string_equal(w.m.status.stable, "cccccccccc");
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

static void test_back_to_stable_in_mid_release_is_immediate(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	world_spec(&w, OLD, "v1");
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_int_equal(world_plan_share(&w, NEW), 0);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.target, OLD);
	assert_string_equal(scene_result(&w, NEW), "Superseded");
	assert_false(world_saw(&w, "RollbackStarted"));
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	/* And the same revision may be wished for again. */
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.revisions[0].number, 2);
	world_release(&w);
}

static void test_a_complete_release_is_promoted_when_the_next_one_comes(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_COMPLETING);
	world_spec(&w, "cccccccccc", "v3");
	world_settle(&w);
	assert_string_equal(w.m.status.stable, NEW);
	assert_string_equal(w.m.status.target, "cccccccccc");
	assert_int_equal(world_plan_share(&w, NEW), 10000);
	world_release(&w);
}

static void test_going_back_from_a_complete_release_waits_for_capacity_not_for_steps(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_COMPLETING);
	world_spec(&w, OLD, "v1");
	world_settle(&w);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 2);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, OLD);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_changed_steps_go_on_where_weight_is_not_taken_back(void **state)
{
	static const struct mdep_step other[] = {
		{.weight = 10}, {.weight = 20}, {.weight = 30, .hold_ms = 5000}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	world_steps(&w, other, 4);
	world_settle(&w);
	assert_int_equal(w.m.status.step, 2);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_true(w.m.status.weight >= 25);
	assert_int_equal(world_count(&w, "ReleaseStarted"), 2);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.weight, 30);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_a_rolled_back_revision_is_not_started_again_by_itself(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_FAIL;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	w.verdict = VERDICT_NONE;
	world_touch(&w); /* the same manifest is applied again */
	world_run(&w, 600000);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_pods(&w, NEW), 0);
	/* Another revision in between, and it counts as a new wish. */
	world_spec(&w, OLD, "v1");
	world_run(&w, 5000);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	world_release(&w);
}

static bool has_cell_of(const struct world *w, const char *revision)
{
	return find_cell(w, revision, "") >= 0;
}

static void test_history_beyond_the_limit_is_deleted(void **state)
{
	static const char *const names[] = {"bbbbbbbbbb", "cccccccccc", "dddddddddd", "eeeeeeeeee"};
	struct world w;

	(void)state;
	scene_stable(&w);
	for (unsigned i = 0; i < 4; i++) {
		world_spec(&w, names[i], names[i]);
		world_settle(&w);
		scene_until(&w, ROLLOUT_IDLE);
		world_run(&w, 10000);
	}
	assert_false(has_cell_of(&w, OLD)); /* limit 2: c and d are kept behind e */
	assert_false(has_cell_of(&w, "bbbbbbbbbb"));
	assert_true(has_cell_of(&w, "cccccccccc"));
	assert_true(has_cell_of(&w, "dddddddddd"));
	world_release(&w);
}

static void test_nothing_is_planned_for_what_is_being_deleted(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.m.meta.deleted_ms = w.now;
	world_plan(&w);
	assert_int_equal(w.plan.ncells + w.plan.npods + w.plan.nweights + w.plan.nevents, 0);
	assert_int_equal(w.plan.status.phase, ROLLOUT_HOLDING);
	assert_int_equal(w.plan.requeue_ms, 0);
	world_release(&w);
}

static void test_scaling_restarts_nothing(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.m.replicas = 8;
	world_touch(&w);
	world_run(&w, 4000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.step, 0);
	assert_int_equal(w.m.status.weight, 25);
	assert_int_equal(world_ready(&w, OLD) + world_ready(&w, NEW), 8);
	scene_until(&w, ROLLOUT_IDLE);
	w.m.replicas = 3;
	world_touch(&w);
	world_run(&w, 20000);
	assert_int_equal(world_pods(&w, NULL), 3);
	assert_false(world_saw(&w, "RollbackStarted"));
	world_release(&w);
}

static void test_zero_replicas_leave_the_route_alone_and_stop_the_release(void **state)
{
	struct world w;
	unsigned writes;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	writes = w.route_writes;
	w.m.replicas = 0;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(world_pods(&w, NULL), 0);
	assert_int_equal(w.route_writes, writes);
	assert_string_equal(scene_reason(&w, "Ready"), "ScaledToZero");
	world_run(&w, 3600000);
	assert_false(world_saw(&w, "ProgressDeadlineExceeded"));
	assert_string_equal(w.m.status.stable, OLD);
	w.m.replicas = 4;
	world_touch(&w);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_release_skips_steps_and_waits_for_all_pods),
		cmocka_unit_test(test_first_release_may_be_changed_before_it_is_stable),
		cmocka_unit_test(test_revisions_are_numbered_by_first_appearance_newest_first),
		cmocka_unit_test(test_history_in_status_is_bounded_and_keeps_what_serves),
		cmocka_unit_test(test_a_newer_revision_supersedes_and_stable_stays),
		cmocka_unit_test(test_back_to_stable_in_mid_release_is_immediate),
		cmocka_unit_test(test_a_complete_release_is_promoted_when_the_next_one_comes),
		cmocka_unit_test(
			test_going_back_from_a_complete_release_waits_for_capacity_not_for_steps),
		cmocka_unit_test(test_changed_steps_go_on_where_weight_is_not_taken_back),
		cmocka_unit_test(test_a_rolled_back_revision_is_not_started_again_by_itself),
		cmocka_unit_test(test_history_beyond_the_limit_is_deleted),
		cmocka_unit_test(test_nothing_is_planned_for_what_is_being_deleted),
		cmocka_unit_test(test_scaling_restarts_nothing),
		cmocka_unit_test(test_zero_replicas_leave_the_route_alone_and_stop_the_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
