/*
 * The acceptance lists of Argo Rollouts' and Kruise's own end-to-end tests, as far as a canary of
 * pods is concerned: each test is named after theirs. What is not here is in docs/differences.md.
 * "n/m" is new pods / stable pods.
 */
#include "scene.h"

#define THIRD "cccccccccc"

static void give(struct world *w, enum mdep_verb verb, const char *value)
{
	world_order(w, verb, value);
	world_settle(w);
}

static void assert_pods(const struct world *w, int new_pods, int old_pods)
{
	assert_int_equal(world_ready(w, NEW), new_pods);
	assert_int_equal(world_ready(w, OLD), old_pods);
}

static void release(struct world *w, int replicas, int surge, const struct mdep_step *steps,
                    unsigned n)
{
	world_init(w, 5);
	w->m.replicas = replicas;
	w->m.max_surge.value = surge;
	w->requests_per_s = 100;
	world_first_release(w);
	world_steps(w, steps, n);
	world_spec(w, NEW, "v2");
	world_settle(w);
}

/* What was being released gives way first, as stable grows. */
static void release_over(struct world *w, const char *revision, const char *version)
{
	world_spec(w, revision, version);
	world_settle(w);
	for (int i = 0; i < 60 && !str_eq(w->m.status.target, revision); i++)
		world_run(w, 1000);
	assert_string_equal(w->m.status.target, revision);
}

/* --- Argo Rollouts, functional ----------------------------------------------------------- */

static const struct mdep_step approve_half[] = {{.weight = 50, .approval = true}, {.weight = 100}};

static void test_argo_RolloutAbortRetryPromote(void **state)
{
	struct world w;

	(void)state;
	release(&w, 2, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_pods(&w, 1, 1);
	give(&w, ORDER_ABORT, NEW);
	scene_until(&w, ROLLOUT_ABORTED);
	assert_pods(&w, 0, 2);
	give(&w, ORDER_RETRY, NEW);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_pods(&w, 1, 1);
	give(&w, ORDER_PROMOTE, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_pods(&w, 2, 0);
	assert_int_equal(world_count(&w, "AwaitingApproval"), 2);
	assert_int_equal(world_count(&w, "Promoted"), 2); /* the first release is one */
	world_release(&w);
}

static void test_argo_CanaryPromoteFull(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 10, .hold_ms = 86400000},
		{.weight = 50, .analysis_ms = 86400000, .require_pass = true},
		{.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 3);
	scene_until(&w, ROLLOUT_HOLDING);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.step, 1);
	give(&w, ORDER_PROMOTE, "full");
	give(&w, ORDER_ABORT, "now");
	scene_until(&w, ROLLOUT_ABORTED);
	/* There abort + full promote; here retry says which of the two holds. */
	give(&w, ORDER_PROMOTE, "full#2");
	assert_string_equal(scene_outcome(&w, ORDER_PROMOTE), "Ignored");
	give(&w, ORDER_RETRY, "now");
	give(&w, ORDER_PROMOTE, "full#3");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_argo_RolloutGoodToBadUpdate(void **state)
{
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.broken = THIRD;
	release_over(&w, THIRD, "v3");
	world_run(&w, 60000);
	assert_pods(&w, 0, 4);
	assert_int_equal(world_pods(&w, THIRD), 1);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_pods(&w, 0, 4);
	world_release(&w);
}

static void bad_then(struct world *w, bool good)
{
	scene_stable(w);
	w->broken = NEW;
	world_steps(w, two_steps, 2);
	world_spec(w, NEW, "v2");
	scene_until(w, ROLLOUT_ROLLED_BACK);
	w->broken = good ? NULL : THIRD;
	release_over(w, THIRD, "v3");
}

static void test_argo_BadToGoodUpdate(void **state)
{
	struct world w;

	(void)state;
	bad_then(&w, true);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	assert_int_equal(world_pods(&w, NULL), 4);
	world_release(&w);
}

static void test_argo_BadToBadUpdate(void **state)
{
	struct world w;

	(void)state;
	bad_then(&w, false);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	world_run(&w, 30000);
	assert_int_equal(world_pods(&w, THIRD), 1);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_argo_FixInvalidSpec(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.finding = (struct mdep_finding){"spec.model.version", "is required", true};
	w.m.findings = &w.finding;
	w.m.nfindings = 1;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_run(&w, 60000);
	assert_string_equal(scene_reason(&w, "Stalled"), "InvalidSpec");
	assert_int_equal(world_ready(&w, OLD), 4);
	w.m.nfindings = 0;
	world_touch(&w);
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_argo_SpecAndReplicaChangeSameTime(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	for (int i = 0; i < 2; i++) {
		w.m.replicas = i ? 4 : 3;
		world_spec(&w, i ? THIRD : NEW, i ? "v3" : "v2");
		scene_until(&w, ROLLOUT_MOVING);
		scene_until(&w, ROLLOUT_IDLE);
	}
	world_run(&w, 10000);
	assert_int_equal(world_ready(&w, THIRD), 4);
	assert_int_equal(w.m.status.replicas, 4);
	assert_int_equal(w.m.status.ready_replicas, 4);
	world_release(&w);
}

static void test_argo_PauseDurationGreaterThanProgressDeadline(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25, .hold_ms = 120000},
	                                         {.weight = 100}};
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.progress_deadline_ms = 30000;
	world_steps(&w, steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_false(world_saw(&w, "ProgressDeadlineExceeded"));
	world_release(&w);
}

/* --- Argo Rollouts, canary --------------------------------------------------------------- */

/*
 * 0/4, 1/4, 1/4, 3/4, then full. There a fixed scale may also shrink again in mid-release (3 to 2);
 * here pods asked for stay until the end. Surge is what lets both sides stand side by side.
 */
static void test_argo_SetCanaryScale(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 0, .approval = true},
		{.capacity = {25, true}, .weight = -1, .approval = true},
		{.weight = 5, .approval = true},
		{.capacity = {3, false}, .weight = -1, .approval = true},
		{.weight = 100}};
	static const int want[] = {0, 1, 1, 3};
	struct world w;

	(void)state;
	release(&w, 4, 3, steps, 5);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		scene_until(&w, ROLLOUT_APPROVAL);
		assert_int_equal(w.m.status.step, (int)i);
		assert_pods(&w, want[i], 4);
		give(&w, ORDER_PROMOTE, arena_printf(&w.arena, "next#%u", i));
	}
	scene_until(&w, ROLLOUT_IDLE);
	assert_pods(&w, 4, 0);
	world_release(&w);
}

static void test_argo_RolloutScalingWhenPaused(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PAUSE, "now");
	w.m.replicas = 8;
	world_touch(&w);
	world_run(&w, 60000);
	assert_pods(&w, 2, 6);
	w.m.replicas = 4;
	world_touch(&w);
	world_run(&w, 60000);
	assert_pods(&w, 1, 3);
	assert_int_equal(w.m.status.phase, ROLLOUT_PAUSED);
	world_release(&w);
}

static void test_argo_ScalingDuringUpdate_of_a_bad_image(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.broken = NEW;
	world_steps(&w, approve_half, 2);
	world_spec(&w, NEW, "v2");
	world_run(&w, 20000);
	assert_int_equal(world_ready(&w, OLD), 4);
	w.m.replicas = 6;
	world_touch(&w);
	world_run(&w, 60000);
	/* Stable serves all of it, so stable is scaled; there the broken canary is. */
	assert_int_equal(world_ready(&w, OLD), 6);
	assert_int_equal(world_pods(&w, NEW), 1);
	w.m.replicas = 4;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_argo_CanaryProgressDeadlineExceededWithPause(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.progress_deadline_ms = 30000;
	w.load_ms = 20000;
	world_steps(&w, approve_half, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_APPROVAL);
	world_run(&w, 600000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_argo_ScaleDownDelayWithProgressDeadline(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.progress_deadline_ms = 30000;
	w.m.drain_ms = 120000; /* what a delay before scaling down is there */
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_COMPLETING);
	for (int i = 0; i < 2000 && w.m.status.phase == ROLLOUT_COMPLETING; i++) {
		world_run(&w, 500);
		assert_null(world_condition(&w, "Stalled"));
	}
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_argo_CanaryWithPausedRollout(void **state)
{
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PAUSE, "now");
	release_over(&w, THIRD, "v3");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_int_equal(world_ready(&w, THIRD), 2);
	assert_int_equal(world_ready(&w, OLD), 2);
	world_release(&w);
}

static void test_argo_CanaryWithSpecPause(void **state)
{
	struct world w;
	unsigned writes;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	world_run(&w, 1000);
	w.m.paused = true;
	world_touch(&w);
	world_run(&w, 10000);
	writes = w.status_writes;
	world_run(&w, 600000);
	assert_int_equal(w.status_writes, writes); /* nothing flaps */
	assert_int_equal(w.m.status.weight, 0);
	w.m.paused = false;
	world_touch(&w);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_release(&w);
}

/* Traffic goes back before pods do, and stable is whole before the last of them leaves. */
static void test_argo_DynamicStableScale_abort(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 75, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_pods(&w, 3, 1);
	give(&w, ORDER_ABORT, "now");
	while (w.m.status.phase == ROLLOUT_ROLLING_BACK) {
		world_run(&w, 500);
		assert_true(world_ready(&w, NULL) >= 4);
		assert_true(world_ready(&w, NEW) == 0 || world_pods(&w, NULL) <= 5);
	}
	assert_pods(&w, 0, 4);
	world_release(&w);
}

static void test_argo_DynamicStableScaleRollbackToStable(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 75, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_spec(&w, OLD, "v1"); /* undo in spec: at once, no steps */
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_IDLE);
	assert_pods(&w, 0, 4);
	assert_true(w.min_ready >= 4);
	assert_string_equal(scene_state(&w, "ReleaseFailed"), "False");
	world_release(&w);
}

/* --- Argo Rollouts, analysis ------------------------------------------------------------- */

static void test_argo_InconclusiveAnalysis_waits_for_a_person(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 25, .analysis_ms = 60000, .require_pass = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_count(&w, "AwaitingApproval"), 1);
	world_release(&w);
}

static void test_argo_BackgroundAnalysis_fails_in_a_pause(void **state)
{
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PAUSE, "now");
	w.verdict = VERDICT_FAIL;
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	assert_int_equal(world_plan_share(&w, NEW), 0);
	world_release(&w);
}

static void test_argo_AnalysisAbortAndUpdate(void **state)
{
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.verdict = VERDICT_FAIL;
	w.dirty = true;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	w.verdict = VERDICT_NONE;
	release_over(&w, THIRD, "v3");
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	world_release(&w);
}

/* --- Argo Rollouts, how a release ended -------------------------------------------------- */

static void test_argo_Duration_result_and_times_of_each_end(void **state)
{
	static const struct {
		enum mdep_verb verb;
		const char *value, *spec, *result;
		enum rollout_phase end;
	} rows[] = {
		{ORDER_PROMOTE, "next", NULL, "Promoted", ROLLOUT_IDLE},
		{ORDER_PROMOTE, "full", NULL, "Promoted", ROLLOUT_IDLE},
		{ORDER_ABORT, "now", NULL, "Aborted", ROLLOUT_ABORTED},
		{ORDER_ROLLBACK_TO, OLD, NULL, "Aborted", ROLLOUT_ABORTED},
		{ORDER_VERBS, NULL, OLD, "Superseded", ROLLOUT_IDLE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		release(&w, 4, 1, approve_half, 2);
		scene_until(&w, ROLLOUT_APPROVAL);
		if (rows[i].spec)
			world_spec(&w, rows[i].spec, "v1");
		else
			world_order(&w, rows[i].verb, rows[i].value);
		world_settle(&w);
		scene_until(&w, rows[i].end);
		assert_string_equal(scene_result(&w, NEW), rows[i].result);
		assert_true(w.m.status.started_ms > 0);
		assert_true(w.m.status.finished_ms >= w.m.status.started_ms);
		world_release(&w);
	}
}

static void test_argo_Duration_scaling_only_is_no_release(void **state)
{
	struct world w;
	int64_t started;

	(void)state;
	scene_stable(&w);
	started = w.m.status.started_ms;
	w.m.replicas = 7;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(world_ready(&w, OLD), 7);
	assert_int_equal(w.m.status.started_ms, started);
	assert_int_equal(w.m.status.nrevisions, 1);
	world_release(&w);
}

static void test_argo_istio_AbortUpdate_when_healthy_stays_healthy(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	give(&w, ORDER_ABORT, "now");
	world_run(&w, 10000);
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	assert_string_equal(scene_state(&w, "Ready"), "True");
	world_release(&w);
}

static void test_argo_istio_UpdateInMiddleZeroCanaryReplicas(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 0, .approval = true}, {.weight = 50, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, steps, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_pods(&w, 0, 4);
	release_over(&w, THIRD, "v3");
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "full");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	world_release(&w);
}

static void test_argo_istio_SubsetSplitInStableDownscaleAfterCanaryAbort(void **state)
{
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ABORT, "now");
	w.m.replicas = 1;
	world_touch(&w);
	scene_until(&w, ROLLOUT_ABORTED);
	world_run(&w, 30000);
	assert_pods(&w, 0, 1);
	assert_int_equal(world_share(&w, OLD), 10000);
	world_release(&w);
}

/* --- Kruise ------------------------------------------------------------------------------ */

static void test_kruise_five_steps_20_40_60_80_90(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 20, .approval = true}, {.weight = 40, .approval = true},
		{.weight = 60, .approval = true}, {.weight = 80, .approval = true},
		{.weight = 90, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 5, 1, steps, 6);
	for (int i = 0; i < 5; i++) {
		scene_until(&w, ROLLOUT_APPROVAL);
		assert_int_equal(w.m.status.step, i);
		assert_int_equal(world_share(&w, NEW), steps[i].weight * 100);
		assert_true(world_ready(&w, NEW) * 100 >= 5 * steps[i].weight - 50);
		give(&w, ORDER_PROMOTE, arena_printf(&w.arena, "next#%d", i));
	}
	scene_until(&w, ROLLOUT_IDLE);
	assert_pods(&w, 5, 0);
	world_release(&w);
}

static void test_kruise_continuous_release_v3_at_40_percent(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 40, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 5, 1, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	release_over(&w, THIRD, "v3");
	assert_int_equal(w.m.status.step, 0);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_share(&w, THIRD), 4000);
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_string_equal(scene_result(&w, NEW), "Superseded");
	world_release(&w);
}

static const struct mdep_step twenty_sixty[] = {
	{.weight = 20, .approval = true}, {.weight = 60, .approval = true}, {.weight = 100}};

static void test_kruise_rollback_at_20_percent(void **state)
{
	struct world w;

	(void)state;
	release(&w, 5, 1, twenty_sixty, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_pods(&w, 1, 4);
	world_spec(&w, OLD, "v1");
	scene_until(&w, ROLLOUT_IDLE);
	assert_pods(&w, 0, 5);
	assert_int_equal(world_share(&w, OLD), 10000);
	assert_true(w.min_ready >= 5 && w.max_pods <= 6);
	world_release(&w);
}

static void test_kruise_pause_and_resume_between_20_and_60_percent(void **state)
{
	struct world w;

	(void)state;
	release(&w, 5, 1, twenty_sixty, 3);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	give(&w, ORDER_PAUSE, "now");
	world_run(&w, 120000);
	assert_int_equal(world_share(&w, NEW), 2000);
	give(&w, ORDER_RESUME, "now");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_share(&w, NEW), 6000);
	assert_pods(&w, 3, 2);
	world_release(&w);
}

static void test_kruise_scale_up_and_down_in_the_middle(void **state)
{
	struct world w;

	(void)state;
	release(&w, 5, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.m.replicas = 10;
	world_touch(&w);
	world_run(&w, 90000);
	assert_pods(&w, 5, 5);
	w.m.replicas = 5;
	world_touch(&w);
	world_run(&w, 90000);
	assert_pods(&w, 3, 3);
	assert_int_equal(w.m.status.weight, 50);
	world_release(&w);
}

static void test_kruise_failed_image_v2_then_good_v3(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.broken = NEW;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_run(&w, 20000); /* not even waited for */
	release_over(&w, THIRD, "v3");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

/* The plan is changed, and goes on from where the release is, not from its beginning. */
static void test_kruise_steps_changed_in_mid_release(void **state)
{
	static const struct mdep_step more[] = {{.weight = 10},
	                                        {.weight = 30, .approval = true},
	                                        {.weight = 60, .approval = true},
	                                        {.weight = 100}};
	struct world w;

	(void)state;
	release(&w, 4, 1, approve_half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_steps(&w, more, 4);
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.step, 2);
	assert_int_equal(w.m.status.weight, 60);
	world_release(&w);
}

static void test_kruise_surge_0_unavailable_1_and_the_reverse(void **state)
{
	static const int bounds[][2] = {{1, 0}, {0, 1}, {2, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		struct world w;

		scene_stable(&w);
		w.m.max_surge.value = bounds[i][0];
		w.m.max_unavailable.value = bounds[i][1];
		world_steps(&w, two_steps, 2);
		world_spec(&w, NEW, "v2");
		scene_until(&w, ROLLOUT_IDLE);
		assert_true(w.max_pods <= 4 + bounds[i][0]);
		assert_true(w.min_ready >= 4 - bounds[i][1]);
		world_release(&w);
	}
}

static void test_kruise_unhealthy_old_pods_go_first(void **state)
{
	struct world_pod *sick;
	struct world w;
	char name[64];

	(void)state;
	scene_stable(&w);
	w.chaos = true; /* one is sick by itself */
	sick = world_pod_of(&w, OLD, 0);
	sick->pod.ready = false;
	sick->pod.ready_since_ms = sick->ready_ms = 0;
	str_copy(name, sizeof(name), sick->name);
	world_steps(&w, (struct mdep_step[]){{.weight = 25, .approval = true}}, 1);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_APPROVAL);
	for (unsigned i = 0; world_pod_of(&w, OLD, i); i++)
		assert_string_not_equal(world_pod_of(&w, OLD, i)->name, name);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_argo_RolloutAbortRetryPromote),
		cmocka_unit_test(test_argo_CanaryPromoteFull),
		cmocka_unit_test(test_argo_RolloutGoodToBadUpdate),
		cmocka_unit_test(test_argo_BadToGoodUpdate),
		cmocka_unit_test(test_argo_BadToBadUpdate),
		cmocka_unit_test(test_argo_FixInvalidSpec),
		cmocka_unit_test(test_argo_SpecAndReplicaChangeSameTime),
		cmocka_unit_test(test_argo_PauseDurationGreaterThanProgressDeadline),
		cmocka_unit_test(test_argo_SetCanaryScale),
		cmocka_unit_test(test_argo_RolloutScalingWhenPaused),
		cmocka_unit_test(test_argo_ScalingDuringUpdate_of_a_bad_image),
		cmocka_unit_test(test_argo_CanaryProgressDeadlineExceededWithPause),
		cmocka_unit_test(test_argo_ScaleDownDelayWithProgressDeadline),
		cmocka_unit_test(test_argo_CanaryWithPausedRollout),
		cmocka_unit_test(test_argo_CanaryWithSpecPause),
		cmocka_unit_test(test_argo_DynamicStableScale_abort),
		cmocka_unit_test(test_argo_DynamicStableScaleRollbackToStable),
		cmocka_unit_test(test_argo_InconclusiveAnalysis_waits_for_a_person),
		cmocka_unit_test(test_argo_BackgroundAnalysis_fails_in_a_pause),
		cmocka_unit_test(test_argo_AnalysisAbortAndUpdate),
		cmocka_unit_test(test_argo_Duration_result_and_times_of_each_end),
		cmocka_unit_test(test_argo_Duration_scaling_only_is_no_release),
		cmocka_unit_test(test_argo_istio_AbortUpdate_when_healthy_stays_healthy),
		cmocka_unit_test(test_argo_istio_UpdateInMiddleZeroCanaryReplicas),
		cmocka_unit_test(test_argo_istio_SubsetSplitInStableDownscaleAfterCanaryAbort),
		cmocka_unit_test(test_kruise_five_steps_20_40_60_80_90),
		cmocka_unit_test(test_kruise_continuous_release_v3_at_40_percent),
		cmocka_unit_test(test_kruise_rollback_at_20_percent),
		cmocka_unit_test(test_kruise_pause_and_resume_between_20_and_60_percent),
		cmocka_unit_test(test_kruise_scale_up_and_down_in_the_middle),
		cmocka_unit_test(test_kruise_failed_image_v2_then_good_v3),
		cmocka_unit_test(test_kruise_steps_changed_in_mid_release),
		cmocka_unit_test(test_kruise_surge_0_unavailable_1_and_the_reverse),
		cmocka_unit_test(test_kruise_unhealthy_old_pods_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
