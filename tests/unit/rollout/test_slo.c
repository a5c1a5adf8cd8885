/* Objectives: what a breach leads to during a release, after it, and when it leads nowhere. */
#include "scene.h"

static void watch(struct world *w, enum mdep_breach on_breach)
{
	w->m.slo.n = 1;
	w->m.slo.objectives[0] = (struct mdep_objective){.name = "availability", .target = 0.999};
	w->m.slo.on_breach = on_breach;
	w->m.slo.bake_ms = 600000;
	w->m.slo.cool_down_ms = 300000;
	w->objectives[0] = (struct mdep_objective_status){.name = "availability",
	                                                  .requests = 1000,
	                                                  .bad = 50,
	                                                  .since_ms = 1,
	                                                  .budget_left = 90};
	w->dirty = true;
}

static void breach_by(struct world *w, const char *revision)
{
	w->breach = revision;
	w->dirty = true;
	world_settle(w);
}

static void in_release(struct world *w, enum mdep_breach on_breach)
{
	scene_release(w, two_steps, 2);
	watch(w, on_breach);
	scene_until(w, ROLLOUT_HOLDING);
}

/* NEW was promoted over OLD half a minute ago. */
static void promoted(struct world *w, enum mdep_breach on_breach)
{
	scene_release(w, two_steps, 2);
	watch(w, on_breach);
	scene_until(w, ROLLOUT_IDLE);
	world_run(w, 30000);
	assert_string_equal(w->m.status.stable, NEW);
	assert_string_equal(w->m.status.previous, OLD);
}

static void assert_nothing_is_done(struct world *w)
{
	world_run(w, 60000);
	assert_string_equal(w->m.status.stable, NEW);
	assert_int_equal(w->m.status.phase, ROLLOUT_IDLE);
	assert_int_equal(world_share(w, NEW), 10000);
}

static void test_a_release_that_misses_an_objective_is_taken_back(void **state)
{
	struct world w;

	(void)state;
	in_release(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_int_equal(w.m.status.weight, 0);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(scene_reason(&w, "ReleaseFailed"), "SLOBreached");
	assert_string_equal(scene_state(&w, "SLOMet"), "False");
	assert_string_equal(scene_result(&w, NEW), "RolledBack");
	assert_string_equal(w.m.status.stable, OLD);
	assert_int_equal(w.m.status.objectives[0].bad, 50);
	world_release(&w);
}

static void test_a_breach_by_stable_is_not_held_against_the_release(void **state)
{
	struct world w;

	(void)state;
	in_release(&w, BREACH_ROLLBACK);
	breach_by(&w, OLD);
	world_run(&w, 5000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_int_equal(world_count(&w, "SLOBreached"), 1);
	world_release(&w);
}

static void test_pause_stands_still_until_somebody_resumes(void **state)
{
	struct world w;

	(void)state;
	in_release(&w, BREACH_PAUSE);
	breach_by(&w, NEW);
	assert_int_equal(w.m.status.phase, ROLLOUT_PAUSED);
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_PAUSED);
	assert_int_equal(world_count(&w, "SLOBreached"), 1);
	world_order(&w, ORDER_RESUME, "now");
	world_settle(&w);
	assert_int_not_equal(w.m.status.phase, ROLLOUT_PAUSED); /* in spite of the breach */
	world_release(&w);
}

static void test_notify_only_tells(void **state)
{
	struct world w;

	(void)state;
	in_release(&w, BREACH_NOTIFY);
	breach_by(&w, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_count(&w, "SLOBreached"), 1);
	world_release(&w);
}

static void test_within_the_bake_time_a_breach_leads_back(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	assert_string_equal(w.m.status.target, OLD);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "True");
	assert_false(w.plan.judge); /* the failed one is no measure for its predecessor */
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_run(&w, 20000);
	assert_string_equal(w.m.status.stable, OLD);
	assert_string_equal(w.m.status.target, NEW);
	assert_string_equal(scene_result(&w, NEW), "RolledBack");
	assert_string_equal(scene_result(&w, OLD), "Promoted");
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_int_equal(world_share(&w, OLD), 10000);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	assert_string_equal(scene_reason(&w, "ReleaseFailed"), "SLOBreached");
	assert_non_null(strstr(w.m.status.message, "availability 95 %"));
	assert_int_equal(world_count(&w, "RollbackStarted"), 1);
	assert_string_equal(scene_state(&w, "Ready"), "True");
	world_release(&w);
}

static void test_the_way_back_survives_crashes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;

		promoted(&w, BREACH_ROLLBACK);
		w.rng = w.seed = seed;
		w.crash_percent = 60;
		breach_by(&w, NEW);
		for (int i = 0; i < 100 && !str_eq(w.m.status.target, OLD); i++)
			world_run(&w, 1000);
		breach_by(&w, NULL);
		scene_until(&w, ROLLOUT_ROLLED_BACK);
		assert_string_equal(w.m.status.stable, OLD);
		assert_true(w.min_ready >= 4 && w.max_pods <= 5);
		world_release(&w);
	}
}

static void test_it_leads_back_once(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	breach_by(&w, OLD); /* now the old one misses them too: nothing to go to */
	world_run(&w, 60000);
	assert_string_equal(w.m.status.stable, OLD);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_count(&w, "RollbackStarted"), 1);
	world_release(&w);
}

/* An incident, say. The way back is not taken back, and the condition says so. */
static void test_a_breach_on_the_way_back_is_held(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	assert_string_equal(w.m.status.target, OLD);
	breach_by(&w, OLD);
	world_run(&w, 1000);
	assert_string_equal(scene_state(&w, "SLOMet"), "False");
	assert_string_equal(scene_reason(&w, "SLOMet"), "BreachHeld");
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.stable, OLD);
	world_release(&w);
}

static void test_no_way_back(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK); /* bake time over */
	w.m.slo.bake_ms = 1000;
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	assert_non_null(strstr(w.story, "SLOBreached"));
	world_release(&w);

	promoted(&w, BREACH_ROLLBACK); /* cool-down */
	w.m.status.returned_ms = w.now - 1000;
	w.stored = "";
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	world_release(&w);

	promoted(&w, BREACH_ROLLBACK); /* the one before failed itself */
	mdep_revision_find(&w.m.status, OLD)->result = "RolledBack";
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	world_release(&w);

	promoted(&w, BREACH_PAUSE);
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	world_release(&w);
}

static void test_a_dark_zone_excuses(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	w.held = "zone hz-a is dark";
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	assert_string_equal(scene_reason(&w, "SLOMet"), "BreachHeld");
	w.held = NULL;
	w.dirty = true;
	world_settle(&w);
	assert_string_equal(w.m.status.target, OLD); /* and still bad without that excuse */
	world_release(&w);
}

static void test_after_it_the_spec_waits_for_a_retry_or_another_version(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	breach_by(&w, NULL);
	world_touch(&w); /* the same manifest again */
	world_run(&w, 30000);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLED_BACK);
	world_order(&w, ORDER_RETRY, "now");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_string_equal(w.m.status.target, NEW);
	assert_int_equal(w.m.status.step, 0);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_string_equal(scene_result(&w, NEW), "Promoted");
	world_release(&w);
}

static void test_another_version_overtakes_the_way_back(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	world_spec(&w, "cccccccccc", "v3");
	breach_by(&w, NULL);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, "cccccccccc");
	world_release(&w);

	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	world_spec(&w, OLD, "v1"); /* the user goes back too */
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, OLD);
	world_release(&w);
}

static void test_a_way_back_that_does_not_come_up_is_given_up(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	w.m.progress_deadline_ms = 30000;
	w.broken = OLD;
	breach_by(&w, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_string_equal(scene_result(&w, NEW), "Promoted");
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE); /* and not tried again */
	assert_int_equal(world_ready(&w, NEW), 4);
	world_release(&w);
}

/* A third revision is no way back to OLD, though NEW is marked as one that is to be left. */
static void test_spec_that_names_stable_again_ends_a_release_begun_on_the_way_back(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	breach_by(&w, NEW);
	assert_string_equal(w.m.status.target, OLD);
	world_spec(&w, "cccccccccc", "v3");
	scene_until(&w, ROLLOUT_HOLDING);
	w.breach = NULL;
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_without_objectives_nothing_is_said(void **state)
{
	struct world w;

	(void)state;
	promoted(&w, BREACH_ROLLBACK);
	w.m.slo.n = 0;
	breach_by(&w, NEW);
	assert_nothing_is_done(&w);
	assert_string_equal(scene_reason(&w, "SLOMet"), "NoObjectives");
	assert_int_equal(w.m.status.nobjectives, 0);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_release_that_misses_an_objective_is_taken_back),
		cmocka_unit_test(test_a_breach_by_stable_is_not_held_against_the_release),
		cmocka_unit_test(test_pause_stands_still_until_somebody_resumes),
		cmocka_unit_test(test_notify_only_tells),
		cmocka_unit_test(test_within_the_bake_time_a_breach_leads_back),
		cmocka_unit_test(test_the_way_back_survives_crashes),
		cmocka_unit_test(test_it_leads_back_once),
		cmocka_unit_test(test_a_breach_on_the_way_back_is_held),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_a_dark_zone_excuses),
		cmocka_unit_test(test_after_it_the_spec_waits_for_a_retry_or_another_version),
		cmocka_unit_test(test_another_version_overtakes_the_way_back),
		cmocka_unit_test(test_a_way_back_that_does_not_come_up_is_given_up),
		cmocka_unit_test(
			test_spec_that_names_stable_again_ends_a_release_begun_on_the_way_back),
		cmocka_unit_test(test_without_objectives_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
