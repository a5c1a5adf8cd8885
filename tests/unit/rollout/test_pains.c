/*
 * What users of other release controllers have reported, each named after the thread (argo-rollouts
 * unless it says kruise). The world checks at every instant that no share of the traffic goes where
 * no pod is in service, and that capacity stays within its bounds.
 */
#include "scene.h"

#define THIRD "cccccccccc"

static const struct mdep_step half[] = {{.weight = 50, .approval = true}, {.weight = 100}};

static void give(struct world *w, enum mdep_verb verb, const char *value)
{
	world_order(w, verb, value);
	world_settle(w);
}

/* A gateway that takes its time. */
static void slow_release(struct world *w, const struct mdep_step *steps, unsigned n)
{
	scene_stable(w);
	w->accept_ms = 1000;
	w->follow_ms = 1500;
	world_steps(w, steps, n);
	world_spec(w, NEW, "v2");
	world_settle(w);
}

/* --- requests lost at the turns ---------------------------------------------------------- */

static void test_2507_no_503_on_the_initial_deploy(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.accept_ms = 1000;
	w.follow_ms = 1500;
	world_settle(&w);
	assert_int_equal(w.plan.nweights, 0); /* no route before there is somebody to answer */
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_4195_no_503_at_the_end(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 60000);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_4195_no_503_on_abort(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_ABORT, "now");
	assert_int_equal(world_share(&w, NEW), 0);
	assert_true(world_ready(&w, NEW) > 0); /* traffic first, pods later */
	scene_until(&w, ROLLOUT_ABORTED);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_4775_no_503_when_a_third_version_supersedes(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_spec(&w, THIRD, "v3");
	world_settle(&w);
	assert_true(world_ready(&w, NEW) > 0);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "next");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, THIRD);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

static void test_3372_a_second_canary_does_not_meet_an_unscaled_stable(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_ready(&w, OLD), 2);
	w.load_ms = 20000;
	world_spec(&w, THIRD, "v3");
	for (int i = 0; i < 200; i++) {
		world_run(&w, 500);
		assert_true(world_ready(&w, NULL) >= 4);
		if (i > 100 && world_share(&w, OLD) == 10000)
			assert_int_equal(world_ready(&w, OLD), 4);
	}
	world_release(&w);
}

static void test_1966_capacity_does_not_dip_when_weight_rises(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 10}, {.weight = 50}, {.weight = 90}};
	struct world w;

	(void)state;
	slow_release(&w, steps, 3);
	scene_until(&w, ROLLOUT_IDLE);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

/* --- stuck ------------------------------------------------------------------------------- */

/* #1774 #995 #3110 #4839: stable is broken, and its repair is a release. */
static void test_1774_a_broken_stable_does_not_block_its_fix(void **state)
{
	struct world w;
	struct world_pod *p;

	(void)state;
	scene_stable(&w);
	w.chaos = true; /* they broke by themselves */
	w.broken = OLD;
	for (unsigned i = 0; (p = world_pod_of(&w, OLD, i)); i++) {
		p->pod.ready = false;
		p->pod.ready_since_ms = p->ready_ms = 0;
	}
	w.dirty = true;
	world_settle(&w);
	w.chaos = false;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_ready(&w, NEW), 4);
	world_release(&w);
}

static void test_2239_surge_0_never_runs_both(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.m.max_surge.value = 0;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_IDLE);
	assert_int_equal(w.max_pods, 4);
	world_release(&w);
}

static void test_1593_a_bad_canary_does_not_outlive_the_deadline(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.broken = NEW;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_int_equal(world_pods(&w, NEW), 0);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_kruise_257_a_rollback_is_heard_while_paused(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PAUSE, "now");
	give(&w, ORDER_ROLLBACK_TO, OLD);
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_ABORTED);
	world_release(&w);
}

/* --- orders and numbers ------------------------------------------------------------------ */

static void test_4461_abort_is_heard_after_promote_full(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	give(&w, ORDER_PROMOTE, "full");
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	give(&w, ORDER_ABORT, "now");
	assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
	scene_until(&w, ROLLOUT_ABORTED);
	world_release(&w);
}

static void test_3686_replicas_0_in_mid_release_divides_by_nothing(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.m.replicas = 0;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(world_pods(&w, NULL), 0);
	w.m.replicas = 4;
	world_touch(&w);
	world_run(&w, 60000);
	give(&w, ORDER_PROMOTE, "full");
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_4424_a_weight_never_exceeds_100(void **state)
{
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	w.m.replicas = 2; /* more new pods than replicas for a moment */
	world_touch(&w);
	give(&w, ORDER_PROMOTE, "full");
	for (int i = 0; i < 200; i++) {
		world_run(&w, 500);
		assert_in_range(w.m.status.weight, 0, 100);
	}
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

/* --- autoscalers ------------------------------------------------------------------------- */

/* What `scale` tells an autoscaler, as the API server would read it. */
static const struct json *scale_of(const struct world *w, struct arena *a)
{
	struct err err = ERR_INIT;
	const struct json *json = json_parse(a, w->stored, strlen(w->stored), &err);

	return json_get(json, "status");
}

/* #2857 #3849: a canary that burns CPU drives the autoscaler, and with it stable, to the maximum.
 */
static void test_2857_hpa_measures_stable_pods_only(void **state)
{
	const struct json *status;
	struct world w;
	struct arena a;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	arena_init(&a, 0);
	status = scale_of(&w, &a);
	assert_non_null(strstr(json_str(status, "selector"), "revision=" OLD));
	assert_null(strstr(json_str(status, "selector"), NEW));
	arena_release(&a);
	world_release(&w);
}

/* #4847: pods of both sides counted, so that the autoscaler's next wish grows by itself. */
static void test_4847_hpa_counts_stable_pods_only(void **state)
{
	struct world w;
	struct arena a;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	world_run(&w, 20000);
	arena_init(&a, 0);
	assert_int_equal(json_i64(scale_of(&w, &a), "stableReplicas", -1), world_pods(&w, OLD));
	arena_release(&a);
	world_release(&w);
}

static void test_an_hpa_that_scales_in_mid_release_is_followed_without_loss(void **state)
{
	static const int wishes[] = {8, 3, 12, 4};
	struct world w;

	(void)state;
	slow_release(&w, half, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	for (unsigned i = 0; i < ARRAY_SIZE(wishes); i++) {
		w.m.replicas = wishes[i];
		world_touch(&w);
		world_run(&w, 60000);
		assert_int_equal(w.m.status.phase, ROLLOUT_APPROVAL);
		assert_int_equal(w.m.status.weight, 50);
		assert_true(world_ready(&w, NULL) >= wishes[i]);
		assert_int_equal(world_ready(&w, NEW), (wishes[i] + 1) / 2);
	}
	world_release(&w);
}

/* --- loops ------------------------------------------------------------------------------- */

/* #4971 #1822: thousands of passes a second; replicas that flap. */
static void test_4971_a_release_is_planned_a_bounded_number_of_times(void **state)
{
	struct world w;
	unsigned before;

	(void)state;
	scene_stable(&w);
	w.requests_per_s = 0; /* counters cause passes of their own */
	before = w.plans;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_MOVING);
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 60000);
	assert_true(w.plans - before < 200);
	world_release(&w);
}

static void test_1822_replicas_do_not_flap(void **state)
{
	int last_new = 0, last_old = 4;
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	for (int i = 0; i < 400 && w.m.status.phase != ROLLOUT_IDLE; i++) {
		world_run(&w, 500);
		assert_true(world_pods(&w, NEW) >= last_new);
		assert_true(world_pods(&w, OLD) <= last_old);
		last_new = world_pods(&w, NEW);
		last_old = world_pods(&w, OLD);
	}
	assert_int_equal(w.m.status.phase, ROLLOUT_IDLE);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_2507_no_503_on_the_initial_deploy),
		cmocka_unit_test(test_4195_no_503_at_the_end),
		cmocka_unit_test(test_4195_no_503_on_abort),
		cmocka_unit_test(test_4775_no_503_when_a_third_version_supersedes),
		cmocka_unit_test(test_3372_a_second_canary_does_not_meet_an_unscaled_stable),
		cmocka_unit_test(test_1966_capacity_does_not_dip_when_weight_rises),
		cmocka_unit_test(test_1774_a_broken_stable_does_not_block_its_fix),
		cmocka_unit_test(test_2239_surge_0_never_runs_both),
		cmocka_unit_test(test_1593_a_bad_canary_does_not_outlive_the_deadline),
		cmocka_unit_test(test_kruise_257_a_rollback_is_heard_while_paused),
		cmocka_unit_test(test_4461_abort_is_heard_after_promote_full),
		cmocka_unit_test(test_3686_replicas_0_in_mid_release_divides_by_nothing),
		cmocka_unit_test(test_4424_a_weight_never_exceeds_100),
		cmocka_unit_test(test_2857_hpa_measures_stable_pods_only),
		cmocka_unit_test(test_4847_hpa_counts_stable_pods_only),
		cmocka_unit_test(test_an_hpa_that_scales_in_mid_release_is_followed_without_loss),
		cmocka_unit_test(test_4971_a_release_is_planned_a_bounded_number_of_times),
		cmocka_unit_test(test_1822_replicas_do_not_flap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
