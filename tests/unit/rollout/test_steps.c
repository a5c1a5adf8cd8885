/* The step machine: when a step is reached, held, approved; what weights do on the way. */
#include "scene.h"

static void test_a_step_is_reached_when_its_weight_is_seen_at_the_pods(void **state)
{
	struct world w;
	int64_t asked;

	(void)state;
	scene_release(&w, two_steps, 2);
	while (w.m.status.weight != 25)
		world_run(&w, 500);
	asked = w.now;
	assert_int_equal(w.m.status.verified_weight, 0);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.verified_weight, 25);
	assert_true(w.now > asked && w.total >= 50);
	assert_in_range(w.m.status.observed_permille, 200, 300);
	assert_true(w.m.status.step_reached_ms > 0);
	world_release(&w);
}

static void test_a_hold_lasts_its_time_and_ends_at_an_absolute_instant(void **state)
{
	struct world w;
	int64_t reached, until;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	reached = w.now;
	until = w.m.status.hold_until_ms;
	assert_in_range(until, reached + 10000, reached + 11000);
	assert_non_null(strstr(w.m.status.message, "step 1 of 2: 25 %, holding until 2023-"));
	assert_in_range(w.plan.requeue_ms, 1, until - reached);
	scene_until(&w, ROLLOUT_MOVING);
	assert_true(w.now >= until && w.now < until + 1000);
	world_release(&w);
}

static void test_approval_waits_for_an_order_for_ever(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 50, .approval = true}, {.weight = 100}};
	struct world w;
	int64_t progress;

	(void)state;
	scene_release(&w, steps, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	progress = w.m.status.progress_ms;
	assert_int_equal(w.m.status.weight, 50);
	assert_string_equal(scene_reason(&w, "Reconciling"), "AwaitingApproval");
	assert_int_equal(world_count(&w, "AwaitingApproval"), 1);
	world_run(&w, 3600000);
	assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
	assert_int_equal(world_count(&w, "AwaitingApproval"), 1);
	/* old pods have left since, which nobody waits for */
	assert_int_equal(w.m.status.progress_ms, progress);
	world_order(&w, ORDER_PROMOTE, NEW);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_without_a_last_step_of_100_one_is_added(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 1);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_share(&w, NEW), 10000);
	world_release(&w);
}

static void test_without_steps_weight_still_moves_with_capacity(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, NULL, 0);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_true(world_count(&w, "WeightChanged") >= 4); /* 25, 50, 75, 100 with surge 1 */
	assert_true(w.min_ready >= 4);
	assert_int_equal(w.max_pods, 5);
	world_release(&w);
}

static void test_an_audience_gets_a_pod_and_nobody_else_does(void **state)
{
	static const struct mdep_header gray = {.name = "x-gray", .exact = "1"};
	const struct mdep_step steps[] = {
		{.weight = -1, .headers = &gray, .nheaders = 1, .hold_ms = 5000},
		{.weight = 25, .hold_ms = 5000},
		{.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 3);
	assert_null(w.plan.audience); /* no pod yet that could answer */
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.step, 0);
	assert_int_equal(w.m.status.weight, 0);
	assert_int_equal(world_share(&w, OLD), 10000);
	assert_int_equal(world_ready(&w, NEW), 1);
	assert_ptr_equal(w.plan.audience, &w.steps[0]);
	assert_true(w.plan.judge);
	/* The target's cell stands in the route, or the rule would have no backend. */
	assert_int_equal(w.nroute, 2);
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.weight, 25);
	assert_null(w.plan.audience);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void fails_at_its_first_step(const struct mdep_step *steps, unsigned n)
{
	struct world w;

	scene_release(&w, steps, n);
	w.follow_ms = 800;
	scene_until(&w, ROLLOUT_HOLDING);
	w.verdict = VERDICT_FAIL;
	world_touch(&w);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_run(&w, 60000);
	assert_int_equal(world_pods(&w, NEW), 0);
	world_release(&w);
}

/* The world would tell of a request of the audience's to a cell without a pod. */
static void test_an_audience_leaves_before_its_pod_does(void **state)
{
	static const struct mdep_header gray = {.name = "x-gray", .exact = "1"};
	const struct mdep_step steps[] = {
		{.weight = -1, .headers = &gray, .nheaders = 1, .hold_ms = 60000}, {.weight = 100}};

	(void)state;
	fails_at_its_first_step(steps, 2);
}

/* Copies need a pod that gets them, and the judge looks at them; nobody is sent there. */
static void test_a_mirror_gets_a_pod(void **state)
{
	const struct mdep_step steps[] = {{.weight = -1, .mirror = 20, .hold_ms = 5000},
	                                  {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(world_share(&w, OLD), 10000);
	assert_int_equal(world_ready(&w, NEW), 1);
	assert_ptr_equal(w.plan.audience, &w.steps[0]);
	assert_true(w.plan.judge);
	assert_int_equal(w.nroute, 2);
	scene_until(&w, ROLLOUT_MOVING);
	assert_null(w.plan.audience);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

/* The same of copies, for which a gateway may take a Service without endpoints amiss. */
static void test_a_mirror_leaves_before_its_pod_does(void **state)
{
	const struct mdep_step steps[] = {{.weight = -1, .mirror = 20, .hold_ms = 60000},
	                                  {.weight = 100}};

	(void)state;
	fails_at_its_first_step(steps, 2);
}

static void test_one_replica_without_surge_is_swapped_at_100_only(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.m.replicas = 1;
	w.m.max_surge.value = 0;
	world_first_release(&w);
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(w.m.status.weight, 0);
	assert_int_equal(world_pods(&w, NEW), 0);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(w.max_pods, 1);
	world_release(&w);
}

static void test_swap_on_the_same_cards_with_surge_0(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.m.max_surge.value = 0;
	w.m.max_unavailable.value = 1;
	world_first_release(&w);
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(w.max_pods, 4);
	assert_true(w.min_ready >= 3);
	world_release(&w);
}

static void test_old_pods_leave_by_label_then_drain_then_go(void **state)
{
	struct world w;
	struct world_pod *leaving = NULL;
	int64_t since;

	(void)state;
	scene_release(&w, NULL, 0);
	w.m.drain_ms = 20000;
	while (!leaving) {
		world_run(&w, 500);
		for (unsigned i = 0; i < 5 && !leaving; i++) {
			struct world_pod *p = world_pod_of(&w, OLD, i);

			leaving = p && p->pod.leaving_since_ms ? p : NULL;
		}
	}
	since = leaving->pod.leaving_since_ms;
	assert_string_equal(leaving->pod.in_service, "false");
	while (!leaving->pod.meta.deleted_ms)
		world_run(&w, 500);
	assert_in_range(w.now - since, 20000, 22000);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_a_drain_is_3_s_at_least(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, NULL, 0);
	w.m.drain_ms = 0;
	scene_until(&w, ROLLOUT_COMPLETING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_true(w.m.status.finished_ms - w.m.status.step_reached_ms >= 3000);
	world_release(&w);
}

static void test_pods_that_leave_come_back_before_new_ones_are_made(void **state)
{
	struct world w;
	unsigned made;

	(void)state;
	scene_stable(&w);
	w.m.drain_ms = 30000;
	w.m.replicas = 2;
	world_touch(&w);
	world_run(&w, 5000);
	assert_int_equal(world_ready(&w, OLD), 2);
	assert_int_equal(world_pods(&w, OLD), 4);
	made = w.serial;
	w.m.replicas = 4;
	world_touch(&w);
	world_run(&w, 5000);
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_int_equal(w.serial, made);
	world_release(&w);
}

static void test_pods_that_are_not_ready_go_first(void **state)
{
	struct world w;
	struct world_pod *sick;

	(void)state;
	scene_stable(&w);
	sick = world_pod_of(&w, OLD, 2);
	sick->pod.ready = false;
	sick->ready_ms = 0;
	w.m.drain_ms = 60000; /* which a pod that answers nothing need not wait for */
	w.m.replicas = 3;
	world_touch(&w);
	world_run(&w, 1000);
	assert_true(sick->pod.meta.deleted_ms || !sick->used);
	assert_int_equal(world_ready(&w, OLD), 3);
	world_release(&w);
}

static void test_without_a_driver_weight_is_the_ratio_of_pods(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.m.traffic = TRAFFIC_NONE;
	world_first_release(&w);
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(world_ready(&w, NEW), 1);
	assert_int_equal(world_ready(&w, OLD), 3);
	assert_int_equal(w.m.status.verified_weight, 25);
	/* On record when it is there, not when it is wished: one status less to write. */
	assert_int_equal(w.m.status.weight_set_ms, w.m.status.weight_verified_ms);
	assert_int_equal(w.m.status.weight_set_ms, w.m.status.step_reached_ms);
	assert_int_equal(w.plan.nweights, 0);
	assert_string_equal(scene_reason(&w, "TrafficInForce"), "ReplicaRatio");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

static void test_status_is_quiet_while_nothing_happens(void **state)
{
	struct world w;
	unsigned writes, plans;

	(void)state;
	scene_stable(&w);
	w.requests_per_s = 0;
	writes = w.status_writes;
	plans = w.plans;
	world_run(&w, 3600000);
	assert_int_equal(w.status_writes, writes);
	assert_true(w.plans <= plans + 1);
	assert_int_equal(w.plan.requeue_ms, 0);
	world_release(&w);
}

static void test_a_long_hold_costs_no_plans(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 25, .hold_ms = 3600000}};
	struct world w;
	unsigned writes, plans;

	(void)state;
	scene_release(&w, steps, 1);
	w.requests_per_s = 0;
	scene_until(&w, ROLLOUT_HOLDING);
	world_run(&w, 30000);
	writes = w.status_writes;
	plans = w.plans;
	world_run(&w, 3000000);
	assert_int_equal(w.status_writes, writes);
	assert_int_equal(w.plans, plans);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_is_reached_when_its_weight_is_seen_at_the_pods),
		cmocka_unit_test(test_a_hold_lasts_its_time_and_ends_at_an_absolute_instant),
		cmocka_unit_test(test_approval_waits_for_an_order_for_ever),
		cmocka_unit_test(test_without_a_last_step_of_100_one_is_added),
		cmocka_unit_test(test_without_steps_weight_still_moves_with_capacity),
		cmocka_unit_test(test_an_audience_gets_a_pod_and_nobody_else_does),
		cmocka_unit_test(test_an_audience_leaves_before_its_pod_does),
		cmocka_unit_test(test_a_mirror_gets_a_pod),
		cmocka_unit_test(test_a_mirror_leaves_before_its_pod_does),
		cmocka_unit_test(test_one_replica_without_surge_is_swapped_at_100_only),
		cmocka_unit_test(test_swap_on_the_same_cards_with_surge_0),
		cmocka_unit_test(test_old_pods_leave_by_label_then_drain_then_go),
		cmocka_unit_test(test_a_drain_is_3_s_at_least),
		cmocka_unit_test(test_pods_that_leave_come_back_before_new_ones_are_made),
		cmocka_unit_test(test_pods_that_are_not_ready_go_first),
		cmocka_unit_test(test_without_a_driver_weight_is_the_ratio_of_pods),
		cmocka_unit_test(test_status_is_quiet_while_nothing_happens),
		cmocka_unit_test(test_a_long_hold_costs_no_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
