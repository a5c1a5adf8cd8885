/* What a reader of status sees (kstatus), and hands off when the spec says so. */
#include "scene.h"

static void break_spec(struct world *w, bool fatal)
{
	w->finding = (struct mdep_finding){.path = "spec.strategy.steps[1].weight",
	                                   .message = "does not exceed the weight before",
	                                   .fatal = fatal};
	w->m.findings = &w->finding;
	w->m.nfindings = 1;
	world_touch(w);
	world_settle(w);
}

static void mend_spec(struct world *w)
{
	w->m.nfindings = 0;
	world_touch(w);
	world_settle(w);
}

static void test_when_all_is_well(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	assert_string_equal(scene_state(&w, "Ready"), "True");
	assert_string_equal(scene_state(&w, "Reconciling"), "absent");
	assert_string_equal(scene_state(&w, "Stalled"), "absent");
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	assert_string_equal(scene_state(&w, "SpecHonored"), "True");
	assert_string_equal(scene_state(&w, "TrafficInForce"), "True");
	for (unsigned i = 0; i < w.m.status.nconditions; i++)
		assert_int_equal(w.m.status.conditions[i].observed_generation, w.m.meta.generation);
	assert_int_equal(w.m.status.observed_generation, w.m.meta.generation);
	assert_int_equal(w.m.status.replicas, 4);
	assert_int_equal(w.m.status.ready_replicas, 4);
	assert_int_equal(w.m.status.stable_replicas, 4);
	assert_int_equal(w.m.status.updated_replicas, 4);
	world_release(&w);
}

static void test_counts_tell_the_two_revisions_apart(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 5000); /* the old pod that gave way has drained */
	assert_int_equal(w.m.status.updated_replicas, 1);
	assert_int_equal(w.m.status.stable_replicas, 3);
	world_release(&w);
}

static void test_ready_stays_true_through_a_release(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	while (w.m.status.phase != ROLLOUT_IDLE) {
		world_run(&w, 500);
		assert_string_equal(scene_state(&w, "Ready"), "True");
		assert_string_equal(scene_state(&w, "TrafficInForce"), "True");
	}
	world_release(&w);
}

static void test_ready_is_false_below_replicas_minus_unavailable(void **state)
{
	struct world w;
	const struct mdep_condition *c;

	(void)state;
	scene_stable(&w);
	w.chaos = true;
	world_pod_of(&w, OLD, 0)->pod.ready = false;
	w.dirty = true;
	world_settle(&w);
	c = world_condition(&w, "Ready");
	assert_string_equal(c->status, "False");
	assert_string_equal(c->reason, "PodsNotReady");
	assert_string_equal(c->message, "3 of 4 pods ready, at least 4 are needed");
	assert_string_equal(scene_reason(&w, "Reconciling"), "Scaling");
	world_release(&w);
}

static void test_messages_do_not_tick(void **state)
{
	struct world w;
	unsigned writes;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 600000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 20000);
	writes = w.status_writes;
	world_run(&w, 100000); /* counters move all the time */
	/* Only that the hold is watched, every twentieth of it. */
	assert_in_range(w.status_writes, writes + 3, writes + 4);
	world_release(&w);
}

static void test_a_fatal_finding_stalls_and_leaves_everything_as_it_is(void **state)
{
	struct world w;
	const struct mdep_condition *c;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	break_spec(&w, true);
	c = world_condition(&w, "Stalled");
	assert_string_equal(c->reason, "InvalidSpec");
	assert_string_equal(c->message, "spec.strategy.steps[1].weight: does not exceed the weight "
	                                "before");
	assert_string_equal(scene_state(&w, "Reconciling"), "absent");
	world_spec(&w, "cccccccccc", "v3");
	world_order(&w, ORDER_PROMOTE, "full");
	world_run(&w, 1200000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_string_equal(w.m.status.target, NEW);
	assert_int_equal(world_share(&w, NEW), 2500);
	assert_int_equal(w.plan.ncells + w.plan.npods + w.plan.nweights, 0);
	assert_int_equal(world_count(&w, "SpecInvalid"), 1);
	mend_spec(&w);
	assert_string_equal(w.m.status.target, "cccccccccc");
	assert_string_equal(scene_state(&w, "Stalled"), "absent");
	world_release(&w);
}

static void test_a_finding_that_is_not_fatal_is_only_told(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	break_spec(&w, false);
	assert_string_equal(scene_state(&w, "SpecHonored"), "False");
	assert_string_equal(scene_reason(&w, "SpecHonored"), "UnsupportedField");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_spec_paused_changes_nothing_and_its_time_does_not_count(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.m.paused = true;
	world_touch(&w);
	world_run(&w, 1200000);
	assert_string_equal(scene_reason(&w, "Reconciling"), "Paused");
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.weight, 0);
	assert_int_equal(w.plan.ncells + w.plan.npods + w.plan.nweights, 0);
	w.m.paused = false;
	world_touch(&w);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_false(world_saw(&w, "ProgressDeadlineExceeded"));
	world_release(&w);
}

static void test_a_frozen_release_goes_on_being_judged(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.m.paused = true;
	world_touch(&w);
	world_settle(&w);
	assert_true(w.plan.judge); /* or its evidence would be lost */
	w.verdict = VERDICT_FAIL;
	world_run(&w, 10000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.m.paused = false;
	world_touch(&w);
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	world_release(&w);
}

static void test_verdict_and_score_are_recorded(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_PASS;
	w.dirty = true;
	world_settle(&w);
	assert_string_equal(w.m.status.verdict, "PASS");
	assert_int_equal(w.m.status.score, 100);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.verdict, "");
	world_release(&w);
}

/* Figures of each group: in status while it is judged, and in the event that says how it ended. */
static void test_scores_of_groups_are_recorded_and_told(void **state)
{
	static const struct mdep_group_score groups[] = {{"errors", 12, "canary errors 9 % vs 1 %"},
	                                                 {"business", -1, NULL}};
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.groups = groups;
	w.ngroups = 2;
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.nscore_groups, 2);
	assert_string_equal(w.m.status.score_groups[0].text, "canary errors 9 % vs 1 %");
	w.verdict = VERDICT_FAIL;
	world_plan(&w);
	assert_non_null(strstr(w.plan.status.message, "canary errors 9 % vs 1 %; score 10: errors "
	                                              "12, business without data"));
	w.verdict = VERDICT_PASS;
	scene_until(&w, ROLLOUT_IDLE);
	assert_non_null(strstr(w.last_note, "is stable; score 100: errors 12"));
	assert_int_equal(w.m.status.nscore_groups, 0);
	assert_string_equal(w.m.status.verdict, "");
	world_release(&w);
}

static void test_events_of_a_release_in_their_order(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.story[0] = '\0';
	world_steps(&w, (struct mdep_step[]){{.weight = 25, .approval = true}}, 1);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_APPROVAL);
	world_order(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.story, "ReleaseStarted WeightChanged "
	                             "AwaitingApproval OrderAccepted WeightChanged WeightChanged "
	                             "WeightChanged Promoted ");
	world_release(&w);
}

/* Told while it lasts, once as an event, and never of those who never had the trouble. */
static void test_names_that_others_hold(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	assert_string_equal(scene_state(&w, "NamesFree"), "absent");
	w.taken = "Service ranker";
	world_touch(&w);
	world_run(&w, 60000);
	assert_string_equal(scene_state(&w, "NamesFree"), "False");
	assert_string_equal(scene_reason(&w, "NamesFree"), "NameTaken");
	assert_int_equal(world_count(&w, "NameTaken"), 1);
	w.taken = NULL;
	world_touch(&w);
	world_run(&w, 5000);
	assert_string_equal(scene_state(&w, "NamesFree"), "True");
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_all_is_well),
		cmocka_unit_test(test_counts_tell_the_two_revisions_apart),
		cmocka_unit_test(test_ready_stays_true_through_a_release),
		cmocka_unit_test(test_ready_is_false_below_replicas_minus_unavailable),
		cmocka_unit_test(test_messages_do_not_tick),
		cmocka_unit_test(test_a_fatal_finding_stalls_and_leaves_everything_as_it_is),
		cmocka_unit_test(test_a_finding_that_is_not_fatal_is_only_told),
		cmocka_unit_test(test_spec_paused_changes_nothing_and_its_time_does_not_count),
		cmocka_unit_test(test_a_frozen_release_goes_on_being_judged),
		cmocka_unit_test(test_verdict_and_score_are_recorded),
		cmocka_unit_test(test_scores_of_groups_are_recorded_and_told),
		cmocka_unit_test(test_events_of_a_release_in_their_order),
		cmocka_unit_test(test_names_that_others_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
