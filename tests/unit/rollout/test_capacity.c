/* Steps beyond weight and hold: capacity, analysis, a hold that PASS ends, warm-up, who watched. */
#include "scene.h"

/* --- capacity ---------------------------------------------------------------------------- */

static void test_capacity_step_brings_pods_without_traffic(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 0, .capacity = {3, false}, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.max_surge.value = 3;
	world_steps(&w, steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_ready(&w, NEW), 3);
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_int_equal(world_share(&w, NEW), 0);
	world_order(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_true(w.max_pods <= 7 && w.min_ready >= 4);
	world_release(&w);
}

static void test_capacity_in_percent_is_ready_before_its_weight_is_set(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 5, .capacity = {50, true}, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.max_surge.value = 2;
	w.load_jitter_ms = 20000;
	world_steps(&w, steps, 2);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	while (w.m.status.weight == 0) {
		assert_int_not_equal(w.m.status.phase, ROLLOUT_APPROVAL);
		world_run(&w, 500);
	}
	assert_int_equal(world_ready(&w, NEW), 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.weight, 5);
	world_release(&w);
}

static void test_capacity_beyond_surge_is_limited_and_says_so(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 0, .capacity = {3, false}, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 2);
	assert_non_null(strstr(w.m.status.message, "capacity 3 is more than maxSurge 1"));
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_ready(&w, NEW), 1);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_capacity_without_surge_swaps_what_may_be_missing(void **state)
{
	static const struct mdep_step steps[] = {
		{.weight = 0, .capacity = {100, true}, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.max_surge.value = 0;
	w.m.max_unavailable.value = 2;
	world_steps(&w, steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_ready(&w, NEW), 2);
	assert_int_equal(world_ready(&w, OLD), 2);
	assert_true(w.max_pods <= 4);
	world_order(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

/* --- analysis ---------------------------------------------------------------------------- */

static const struct mdep_step analysed[] = {
	{.weight = 25, .analysis_ms = 300000, .require_pass = true}, {.weight = 100}};

static void test_analysis_ends_with_pass(void **state)
{
	struct world w;
	int64_t reached;

	(void)state;
	scene_release(&w, analysed, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	reached = w.now;
	world_run(&w, 60000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.verdict = VERDICT_PASS;
	scene_until(&w, ROLLOUT_MOVING);
	assert_true(w.now < reached + 65000);
	world_release(&w);
}

static void test_analysis_without_pass_in_time_waits_for_a_person(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, analysed, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_run(&w, 3600000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	assert_int_equal(w.m.status.weight, 25);
	assert_non_null(strstr(w.m.status.message, "waiting for a PASS or for approval"));
	world_order(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_analysis_goes_on_when_pass_comes_late(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, analysed, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.verdict = VERDICT_PASS;
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_analysis_of_any_verdict_is_a_hold(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25, .analysis_ms = 60000},
	                                         {.weight = 100}};
	struct world w;
	int64_t reached;

	(void)state;
	scene_release(&w, steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	reached = w.now;
	scene_until(&w, ROLLOUT_MOVING);
	assert_in_range(w.now - reached, 59000, 63000);
	world_release(&w);
}

static void test_analysis_fail_rolls_back_at_once(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, analysed, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_FAIL;
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	world_release(&w);
}

/* --- a hold that PASS ends --------------------------------------------------------------- */

static void hold_of_ten_minutes(struct world *w, bool end_on_pass)
{
	static const struct mdep_step steps[] = {{.weight = 25, .hold_ms = 600000},
	                                         {.weight = 100}};

	scene_stable(w);
	w->m.canary.end_hold_on_pass = end_on_pass;
	world_steps(w, steps, 2);
	world_spec(w, NEW, "v2");
	scene_until(w, ROLLOUT_HOLDING);
	w->verdict = VERDICT_PASS;
}

static void test_pass_ends_a_hold_when_asked_30_s_after_arrival(void **state)
{
	struct world w;
	int64_t reached;

	(void)state;
	hold_of_ten_minutes(&w, true);
	reached = w.now;
	scene_until(&w, ROLLOUT_MOVING);
	assert_in_range(w.now - reached, 29000, 33000);
	world_release(&w);
}

static void test_pass_does_not_end_a_hold_unasked(void **state)
{
	struct world w;

	(void)state;
	hold_of_ten_minutes(&w, false);
	world_run(&w, 500000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	world_release(&w);
}

static void test_pass_without_data_of_this_step_ends_nothing(void **state)
{
	struct world w;

	(void)state;
	hold_of_ten_minutes(&w, true);
	for (int i = 0; i < 100; i++) {
		w.no_data_ms += 5000;
		world_run(&w, 5000);
		assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	}
	world_release(&w);
}

/* --- warm-up ----------------------------------------------------------------------------- */

static void test_the_first_weight_waits_for_warm_pods(void **state)
{
	struct world w;
	int64_t ready = 0;

	(void)state;
	scene_stable(&w);
	w.m.warmup_ms = 30000;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	while (w.m.status.weight == 0) {
		world_run(&w, 500);
		if (!ready && world_ready(&w, NEW)) {
			ready = w.now;
			assert_non_null(strstr(w.m.status.message, "1 warming up"));
		}
	}
	assert_in_range(w.now - ready, 29000, 31000);
	scene_until(&w, ROLLOUT_IDLE);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

static void test_each_zone_waits_for_its_own_warm_pod(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 50, .hold_ms = 10000}, {.weight = 100}};
	struct world w;

	(void)state;
	world_init(&w, 3);
	w.requests_per_s = 100;
	world_zones(&w, 2);
	world_first_release(&w);
	w.m.max_surge.value = 2;
	w.m.warmup_ms = 20000;
	w.load_jitter_ms = 30000;
	world_steps(&w, steps, 2);
	world_spec(&w, NEW, "v2");
	for (int i = 0; i < 400 && w.m.status.phase != ROLLOUT_IDLE; i++) {
		world_run(&w, 500);
		for (unsigned k = 0; k < w.plan.nweights; k++) {
			const struct mdep_weight *x = &w.plan.weights[k];
			bool warm = !x->weight || !str_eq(x->revision, NEW);

			for (unsigned j = 0; j < WORLD_PODS && !warm; j++) {
				const struct world_pod *p = &w.pods[j];

				warm = p->used && p->pod.ready &&
				       str_eq(w.cells[p->cell].revision, NEW) &&
				       str_eq(w.cells[p->cell].zone, x->zone) &&
				       w.now >= p->pod.ready_since_ms + 20000;
			}
			assert_true(warm || !str_eq(w.m.status.stable, OLD));
		}
	}
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_the_first_release_needs_no_warm_up(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.m.warmup_ms = 600000;
	world_settle(&w);
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_IDLE), 30000));
	world_release(&w);
}

static void test_abort_does_not_wait_for_warm_pods(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.warmup_ms = 600000;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_run(&w, 20000);
	assert_int_equal(world_ready(&w, NEW), 1);
	world_order(&w, ORDER_ABORT, "now");
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_ABORTED), 30000));
	world_release(&w);
}

/* --- who watched ------------------------------------------------------------------------- */

static void test_a_hold_is_longer_by_the_time_nobody_watched(void **state)
{
	struct world w;
	int64_t until;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 100000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	until = w.m.status.hold_until_ms;
	world_run(&w, 30000);
	/* The leader dies; another begins to judge forty seconds later, without evidence. */
	w.now += 40000;
	w.judge_began_ms = w.now;
	world_run(&w, 1000);
	assert_in_range(w.m.status.hold_until_ms, until + 40000, until + 52000);
	assert_int_equal(world_count(&w, "HoldExtended"), 1);
	until = w.m.status.hold_until_ms;
	world_run(&w, 20000);
	assert_int_equal(w.m.status.hold_until_ms, until);
	world_release(&w);
}

/* Silent for five minutes of its hold; by how much that became longer. */
static int64_t hold_with_a_silence(struct world *w, enum mdep_no_data policy)
{
	int64_t until;

	scene_release(w, (struct mdep_step[]){{.weight = 25, .hold_ms = 500000}}, 1);
	w->m.canary.on_no_data = policy;
	scene_until(w, ROLLOUT_HOLDING);
	until = w->m.status.hold_until_ms;
	world_run(w, 30000);
	w->no_data_ms = 31000;
	world_run(w, 300000);
	w->no_data_ms = 0;
	w->resumed_ms = w->now;
	world_run(w, 1000);
	assert_int_equal(w->m.status.phase, ROLLOUT_HOLDING);
	return w->m.status.hold_until_ms - until;
}

/* What was measured first after a long silence is no hold under a judge's eyes. */
static void test_a_hold_is_longer_by_the_time_without_data(void **state)
{
	struct world w;

	(void)state;
	assert_in_range(hold_with_a_silence(&w, NO_DATA_HOLD), 300000, 332000);
	assert_int_equal(world_count(&w, "HoldExtended"), 1);
	world_run(&w, 460000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 60000));
	world_release(&w);
}

static void test_a_hold_is_as_long_as_it_is_where_nobody_minds_silence(void **state)
{
	struct world w;

	(void)state;
	assert_int_equal(hold_with_a_silence(&w, NO_DATA_PROCEED), 0);
	assert_int_equal(world_count(&w, "HoldExtended"), 0);
	world_release(&w);
}

/* One request in so long. */
static void run_sparse(struct world *w, int64_t every_ms, int64_t ms)
{
	for (int64_t t = 0; t < ms && w->m.status.phase == ROLLOUT_HOLDING; t += 1000) {
		w->no_data_ms = t % every_ms;
		if (!w->no_data_ms && every_ms > ROLLOUT_NO_DATA_MS)
			w->resumed_ms = w->now;
		w->dirty = true;
		world_run(w, 1000);
	}
}

/* Each of them is watched for half a minute. */
static void test_a_model_with_few_requests_gets_on(void **state)
{
	static const struct {
		int64_t every_ms, hold_ms, most_ms;
	} rows[] = {{20000, 100000, 110000},
	            {45000, 100000, 220000},
	            {180000, 100000, 740000},
	            {31000, 5000, 60000},
	            {180000, 5000, 220000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = rows[i].hold_ms}},
		              1);
		w.m.canary.on_no_data = NO_DATA_HOLD;
		scene_until(&w, ROLLOUT_HOLDING);
		run_sparse(&w, rows[i].every_ms, rows[i].most_ms);
		assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
		world_release(&w);
	}
}

static void test_a_clock_that_was_set_back_makes_a_hold_longer_once(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 100000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	/* Another leader's judge began, then the clock was set back by two minutes. */
	w.judge_began_ms = w.now + 120000;
	world_run(&w, 60000);
	assert_int_equal(world_count(&w, "HoldExtended"), 1);
	world_release(&w);
}

static void test_a_hold_that_ended_while_nobody_watched_goes_on(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 100000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 50000);
	w.now += 200000;
	w.no_judge = true; /* the new leader's first plan: its judge begins after it */
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	w.no_judge = false;
	w.judge_began_ms = w.now;
	world_run(&w, 40000);
	assert_int_equal(w.m.status.phase, ROLLOUT_HOLDING);
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 30000));
	world_release(&w);
}

static void test_a_judge_that_never_comes_back_is_not_awaited_for_ever(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 25, .hold_ms = 100000}}, 1);
	scene_until(&w, ROLLOUT_HOLDING);
	w.no_judge = w.judge_gone = true;
	assert_true(world_until(&w, PHASE_BIT(ROLLOUT_MOVING), 200000));
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity_step_brings_pods_without_traffic),
		cmocka_unit_test(test_capacity_in_percent_is_ready_before_its_weight_is_set),
		cmocka_unit_test(test_capacity_beyond_surge_is_limited_and_says_so),
		cmocka_unit_test(test_capacity_without_surge_swaps_what_may_be_missing),
		cmocka_unit_test(test_analysis_ends_with_pass),
		cmocka_unit_test(test_analysis_without_pass_in_time_waits_for_a_person),
		cmocka_unit_test(test_analysis_goes_on_when_pass_comes_late),
		cmocka_unit_test(test_analysis_of_any_verdict_is_a_hold),
		cmocka_unit_test(test_analysis_fail_rolls_back_at_once),
		cmocka_unit_test(test_pass_ends_a_hold_when_asked_30_s_after_arrival),
		cmocka_unit_test(test_pass_does_not_end_a_hold_unasked),
		cmocka_unit_test(test_pass_without_data_of_this_step_ends_nothing),
		cmocka_unit_test(test_the_first_weight_waits_for_warm_pods),
		cmocka_unit_test(test_each_zone_waits_for_its_own_warm_pod),
		cmocka_unit_test(test_the_first_release_needs_no_warm_up),
		cmocka_unit_test(test_abort_does_not_wait_for_warm_pods),
		cmocka_unit_test(test_a_hold_is_longer_by_the_time_nobody_watched),
		cmocka_unit_test(test_a_hold_is_longer_by_the_time_without_data),
		cmocka_unit_test(test_a_hold_is_as_long_as_it_is_where_nobody_minds_silence),
		cmocka_unit_test(test_a_model_with_few_requests_gets_on),
		cmocka_unit_test(test_a_clock_that_was_set_back_makes_a_hold_longer_once),
		cmocka_unit_test(test_a_hold_that_ended_while_nobody_watched_goes_on),
		cmocka_unit_test(test_a_judge_that_never_comes_back_is_not_awaited_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
