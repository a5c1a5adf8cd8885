/* Safety: verdicts, missing data, deadlines, and how a rollback runs. */
#include "scene.h"

static void fail_once(struct world *w)
{
	w->verdict = VERDICT_FAIL;
	w->dirty = true;
	world_settle(w);
	w->verdict = VERDICT_NONE;
}

static void test_fail_takes_all_weight_back_in_the_very_same_plan(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_FAIL;
	world_plan(&w);
	assert_int_equal(w.plan.status.phase, ROLLOUT_ROLLING_BACK);
	assert_int_equal(w.plan.status.weight, 0);
	assert_int_equal(world_plan_share(&w, OLD), 10000);
	assert_string_equal(w.plan.status.reason, "JudgeFailed");
	assert_non_null(strstr(w.plan.status.message, "canary errors 9 % vs 1 %"));
	for (unsigned i = 0; i < w.plan.npods; i++) /* a stable pod that was leaving comes back */
		assert_false(w.plan.pods[i].leave); /* the others stay until traffic has left */
	assert_true(w.plan.judge);                  /* its counters tell when that is */
	world_release(&w);
}

static void test_rollback_ends_with_all_stable_pods_and_none_of_the_canary(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	fail_once(&w);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_run(&w, 10000);
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	assert_string_equal(scene_result(&w, NEW), "RolledBack");
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "True");
	assert_string_equal(scene_reason(&w, "ReleaseFailed"), "JudgeFailed");
	assert_string_equal(scene_state(&w, "Ready"), "True");
	assert_string_equal(scene_state(&w, "Reconciling"), "absent");
	assert_int_equal(world_count(&w, "RollbackStarted"), 1);
	assert_int_equal(world_count(&w, "RolledBack"), 1);
	assert_false(w.plan.judge);
	world_release(&w);
}

static void test_fail_counts_while_moving_paused_and_awaiting_approval(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25, .approval = true}, {.weight = 100}};
	static const enum rollout_phase phases[] = {ROLLOUT_MOVING, ROLLOUT_PAUSED,
	                                            ROLLOUT_APPROVAL};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(phases); i++) {
		struct world w;

		scene_release(&w, steps, 2);
		scene_until(&w, ROLLOUT_APPROVAL);
		if (phases[i] == ROLLOUT_PAUSED)
			world_order(&w, ORDER_PAUSE, "now");
		if (phases[i] == ROLLOUT_MOVING)
			world_order(&w, ORDER_PROMOTE, "next");
		scene_until(&w, phases[i]);
		fail_once(&w);
		assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
		world_release(&w);
	}
}

static void test_at_100_a_foothold_of_stable_is_the_way_back(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 100, .hold_ms = 60000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 30000);
	assert_int_equal(world_share(&w, NEW), 10000);
	assert_int_equal(world_ready(&w, OLD), 1); /* what surge has room for */
	fail_once(&w);
	assert_int_equal(world_plan_share(&w, OLD), 10000);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_run(&w, 10000);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_fail_without_any_exposure_changes_nothing(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	fail_once(&w); /* no pod of it is ready, nobody was sent there */
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	world_release(&w);
}

static void test_fail_about_a_superseded_revision_is_not_held_against_the_next(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	world_spec(&w, "cccccccccc", "v3");
	w.verdict = VERDICT_FAIL;
	w.dirty = false;
	world_plan(&w);
	assert_int_equal(w.plan.status.phase, ROLLOUT_MOVING);
	assert_string_equal(w.plan.status.target, "cccccccccc");
	world_release(&w);
}

static void test_the_first_release_is_never_rolled_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.requests_per_s = 100;
	w.load_jitter_ms = 5000;
	w.verdict = VERDICT_FAIL;
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, OLD);
	world_release(&w);
}

static void test_a_rollback_survives_a_restart_and_keeps_its_result(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.crash_percent = 60;
	world_order(&w, ORDER_ABORT, "now");
	scene_until(&w, ROLLOUT_ABORTED);
	assert_string_equal(scene_result(&w, NEW), "Aborted");
	assert_int_equal(w.done_orders[ORDER_ABORT], 1);
	world_release(&w);
}

/* --- no data ----------------------------------------------------------------------------- */

static void no_data_scene(struct world *w, enum mdep_no_data policy)
{
	scene_release(w, two_steps, 2);
	w->m.canary.on_no_data = policy;
	scene_until(w, ROLLOUT_HOLDING);
	w->no_data_ms = 40000;
	world_run(w, 60000);
}

static void test_no_data_holds_the_step_by_default(void **state)
{
	struct world w;

	(void)state;
	no_data_scene(&w, NO_DATA_HOLD);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_non_null(strstr(w.m.status.message, "no data"));
	w.no_data_ms = 0;
	scene_until(&w, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 1);
	world_release(&w);
}

/* Whenever it comes; and the wait for it is not written at each look. */
static void test_data_that_comes_after_the_hold_is_judged_first(void **state)
{
	(void)state;
	for (int s = 0; s < 40; s++) {
		struct world w;
		unsigned writes;

		no_data_scene(&w, NO_DATA_HOLD);
		writes = w.status_writes;
		world_run(&w, 60000 + 1000 * s);
		assert_in_range(w.status_writes - writes, 0, 2 + (60 + s) / 7);
		w.no_data_ms = 0;
		w.resumed_ms = w.now;
		world_run(&w, 19000);
		assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
		assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 40000));
		world_release(&w);
	}
}

static void test_no_data_holds_the_step_though_another_leaders_judge_is_young(void **state)
{
	struct world w;

	(void)state;
	no_data_scene(&w, NO_DATA_HOLD);
	w.judge_began_ms = w.now;
	w.no_data_ms = 0;
	w.dirty = true;
	world_settle(&w);
	w.now += 20000;
	w.no_data_ms = 20000;
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.no_data_ms = 0;
	scene_until(&w, ROLLOUT_MOVING);
	world_release(&w);
}

/* It begins to judge after the weight was set and before the step is reached. */
static void test_no_data_holds_a_step_that_a_new_leader_reaches(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25}, {.weight = 50}, {.weight = 75}}, 3);
	w.m.canary.on_no_data = NO_DATA_HOLD;
	while (w.m.status.weight < 75)
		world_run(&w, 500);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	w.now += 200;
	w.judge_began_ms = w.now;
	w.no_data_ms = 20000;
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 10000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.no_data_ms = 0;
	w.resumed_ms = w.now;
	w.resumed_first = true;
	world_run(&w, 19000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void short_hold_scene(struct world *w)
{
	scene_release(w, (struct mdep_step[]){{.weight = 25, .hold_ms = 5000}, {.weight = 50}}, 2);
	w->m.canary.on_no_data = NO_DATA_HOLD;
	scene_until(w, ROLLOUT_HOLDING);
}

/* Its clock is behind that of the leader before: the step begins when it has begun to judge. */
static void test_no_data_holds_a_step_that_began_in_the_future(void **state)
{
	struct world w;

	(void)state;
	short_hold_scene(&w);
	w.m.status.step_started_ms = w.now + 10000;
	w.judge_step_ms = w.m.status.step_started_ms;
	w.judge_began_ms = w.now;
	w.no_data_ms = 20000;
	world_run(&w, 15000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.step, 0);
	world_release(&w);
}

/* The first requests of a release say nothing of a silence: its steps are no longer for them. */
static void test_the_first_requests_of_a_release_hold_no_step(void **state)
{
	struct world w;

	(void)state;
	short_hold_scene(&w);
	w.resumed_ms = w.now;
	w.resumed_first = true;
	w.dirty = true;
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 8000));
	world_release(&w);
}

/* Its judge began before there was anything to hear, and then heard nothing of the step either. */
static void test_the_first_requests_after_a_silence_are_judged(void **state)
{
	struct world w;

	(void)state;
	short_hold_scene(&w);
	w.no_data_ms = 31000;
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.no_data_ms = 0;
	w.resumed_ms = w.now;
	w.resumed_first = true;
	w.dirty = true;
	assert_false(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 19000));
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 60000));
	world_release(&w);
}

/* A step without a hold ends on arrival, but not before the new leader's judge has begun. */
static void test_no_data_holds_a_step_without_hold_though_no_judge_is_there_yet(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25}, {.weight = 50}}, 2);
	w.m.canary.on_no_data = NO_DATA_HOLD;
	w.no_data_ms = 40000;
	scene_until(&w, ROLLOUT_HOLDING);
	w.no_judge = true;
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.no_judge = false;
	w.no_data_ms = 0;
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

/* Neither the end of the hold nor a PASS; a FAIL of the built-in judge still counts. */
static void test_without_its_policy_no_step_ends(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.m.canary.policy = "strict";
	w.m.canary.end_hold_on_pass = true;
	w.policy_held = "there is no ScorePolicy strict in namespace shop";
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_PASS;
	world_run(&w, 120000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.step, 0);
	assert_non_null(strstr(w.m.status.message, "no ScorePolicy strict"));
	assert_string_equal(scene_state(&w, "ScorePolicyInForce"), "False");
	assert_int_equal(world_count(&w, "ScorePolicyNotInForce"), 1);
	w.policy_held = NULL;
	scene_until(&w, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 1);
	assert_string_equal(scene_state(&w, "ScorePolicyInForce"), "True");
	w.policy_held = "gone again";
	w.verdict = VERDICT_FAIL;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_release(&w);
}

static void test_signals_that_disagree_are_told_once(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	assert_string_equal(scene_state(&w, "SignalsAgree"), "absent");
	w.disagree = "Prometheus counts 900 requests, the pods 3";
	scene_until(&w, ROLLOUT_HOLDING);
	assert_string_equal(scene_state(&w, "SignalsAgree"), "False");
	assert_int_equal(world_count(&w, "SignalsDisagree"), 1);
	w.disagree = "";
	scene_until(&w, ROLLOUT_MOVING);
	assert_string_equal(scene_state(&w, "SignalsAgree"), "True");
	world_release(&w);
}

static void test_a_low_score_holds_the_step(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.m.canary.min_score = 80;
	scene_until(&w, ROLLOUT_HOLDING);
	w.doubt = 30;
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_non_null(strstr(w.m.status.message, "minScore 80"));
	w.doubt = 20;
	scene_until(&w, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.step, 1);
	world_release(&w);
}

/* No request goes to stable any more that could end the doubt. */
static void test_a_low_score_does_not_hold_the_last_step_for_ever(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 50}, {.weight = 100, .hold_ms = 60000}},
	              2);
	w.m.canary.min_score = 80;
	w.doubt = 20;
	for (int i = 0; i < 120 && !(w.m.status.step == 1 && w.m.status.phase == ROLLOUT_HOLDING);
	     i++)
		world_run(&w, 1000);
	assert_int_equal(w.m.status.weight, 100);
	w.doubt = 30;
	world_run(&w, 120000);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_no_data_proceeds_when_asked_to(void **state)
{
	struct world w;

	(void)state;
	no_data_scene(&w, NO_DATA_PROCEED);
	assert_true(w.m.status.step >= 1);
	world_release(&w);
}

static void test_no_data_rolls_back_when_asked_to(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 100000}}, 1);
	w.m.canary.on_no_data = NO_DATA_ROLLBACK;
	scene_until(&w, ROLLOUT_HOLDING);
	w.no_data_ms = 40000;
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING); /* the step has not had 30 s yet */
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.reason, "NoData");
	world_release(&w);
}

static void test_no_data_is_no_matter_without_a_canary_section(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.m.canary.enabled = false;
	w.no_data_ms = 40000;
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

/* --- progress deadline ------------------------------------------------------------------- */

static void test_pods_that_never_get_ready_roll_the_release_back(void **state)
{
	struct world w;
	int64_t start;

	(void)state;
	scene_stable(&w);
	w.broken = NEW;
	start = w.now;
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_MOVING);
	world_until(&w, PHASE_BIT(ROLLOUT_ROLLED_BACK), 700000);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLED_BACK);
	assert_in_range(w.now - start, 600000, 610000);
	assert_string_equal(w.m.status.reason, "ProgressDeadlineExceeded");
	assert_int_equal(world_count(&w, "ProgressDeadlineExceeded"), 1);
	assert_int_equal(world_share(&w, OLD), 10000);
	assert_int_equal(w.min_ready, 4);
	world_release(&w);
}

static void test_holds_approvals_and_pauses_do_not_count_as_no_progress(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 25, .hold_ms = 2000000, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 2100000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	world_run(&w, 1000000);
	world_order(&w, ORDER_PAUSE, "now");
	world_run(&w, 1000000);
	world_order(&w, ORDER_RESUME, "now");
	world_order(&w, ORDER_PROMOTE, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_a_drain_longer_than_the_deadline_is_no_lack_of_progress(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.progress_deadline_ms = 20000;
	w.m.drain_ms = 60000;
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_the_first_release_stalls_and_tries_on(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.broken = OLD;
	world_run(&w, 700000);
	assert_string_equal(scene_reason(&w, "Stalled"), "ProgressDeadlineExceeded");
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(world_count(&w, "ProgressDeadlineExceeded"), 1);
	w.broken = NULL;
	world_kill(&w, world_pod_of(&w, OLD, 0));
	world_kill(&w, world_pod_of(&w, OLD, 0));
	world_kill(&w, world_pod_of(&w, OLD, 0));
	world_kill(&w, world_pod_of(&w, OLD, 0));
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(scene_state(&w, "Stalled"), "absent");
	world_release(&w);
}

static void test_a_route_that_nobody_accepts_rolls_back(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.route_dead = true;
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_ROLLING_BACK), 700000));
	assert_string_equal(w.m.status.reason, "ProgressDeadlineExceeded");
	world_run(&w, 60000);
	/* The way back is not in force either, so nothing is taken away from either side. */
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_true(world_pods(&w, NEW) > 0);
	w.route_dead = false;
	w.dirty = true;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_takes_all_weight_back_in_the_very_same_plan),
		cmocka_unit_test(test_rollback_ends_with_all_stable_pods_and_none_of_the_canary),
		cmocka_unit_test(test_fail_counts_while_moving_paused_and_awaiting_approval),
		cmocka_unit_test(test_at_100_a_foothold_of_stable_is_the_way_back),
		cmocka_unit_test(test_fail_without_any_exposure_changes_nothing),
		cmocka_unit_test(
			test_fail_about_a_superseded_revision_is_not_held_against_the_next),
		cmocka_unit_test(test_the_first_release_is_never_rolled_back),
		cmocka_unit_test(test_a_rollback_survives_a_restart_and_keeps_its_result),
		cmocka_unit_test(test_no_data_holds_the_step_by_default),
		cmocka_unit_test(test_data_that_comes_after_the_hold_is_judged_first),
		cmocka_unit_test(test_no_data_holds_a_step_that_a_new_leader_reaches),
		cmocka_unit_test(test_no_data_holds_a_step_that_began_in_the_future),
		cmocka_unit_test(test_the_first_requests_of_a_release_hold_no_step),
		cmocka_unit_test(test_the_first_requests_after_a_silence_are_judged),
		cmocka_unit_test(
			test_no_data_holds_a_step_without_hold_though_no_judge_is_there_yet),
		cmocka_unit_test(test_no_data_holds_the_step_though_another_leaders_judge_is_young),
		cmocka_unit_test(test_a_low_score_holds_the_step),
		cmocka_unit_test(test_a_low_score_does_not_hold_the_last_step_for_ever),
		cmocka_unit_test(test_without_its_policy_no_step_ends),
		cmocka_unit_test(test_signals_that_disagree_are_told_once),
		cmocka_unit_test(test_no_data_proceeds_when_asked_to),
		cmocka_unit_test(test_no_data_rolls_back_when_asked_to),
		cmocka_unit_test(test_no_data_is_no_matter_without_a_canary_section),
		cmocka_unit_test(test_pods_that_never_get_ready_roll_the_release_back),
		cmocka_unit_test(test_holds_approvals_and_pauses_do_not_count_as_no_progress),
		cmocka_unit_test(test_a_drain_longer_than_the_deadline_is_no_lack_of_progress),
		cmocka_unit_test(test_the_first_release_stalls_and_tries_on),
		cmocka_unit_test(test_a_route_that_nobody_accepts_rolls_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
