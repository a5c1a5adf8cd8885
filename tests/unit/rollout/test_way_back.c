/*
 * How fast traffic goes back. From a version that nobody finds fault with as fast as stable gets
 * the pods for it; from one that fails at once; from a stable version that fails as fast as the one
 * before it gets ready. The world checks that capacity and shares stay within their bounds.
 */
#include "scene.h"

#define THIRD "cccccccccc"

static const struct mdep_step half[] = {{.weight = 50, .approval = true}, {.weight = 100}};

/* NEW has 50 % of the traffic with two pods of four, and OLD the rest with the other two. */
static void scene_half(struct world *w)
{
	scene_release(w, half, 2);
	scene_until(w, ROLLOUT_APPROVAL);
	world_run(w, 30000); /* who leaves has left */
	assert_int_equal(world_share(w, NEW), 5000);
	assert_int_equal(world_pods(w, OLD), 2);
}

/* Until NEW has no share any more, or ms have passed: OLD never gets more than its pods carry. */
static void watch_until_gone(struct world *w, int64_t ms)
{
	int last = world_share(w, NEW);

	for (; ms > 0 && world_share(w, NEW) > 0; ms -= 100) {
		world_run(w, 100);
		assert_true(world_share(w, NEW) <= last);
		last = world_share(w, NEW);
		/* a tenth of a pod counts as rounding */
		if (world_share(w, OLD) > 2500 * world_ready(w, OLD) + 250)
			fail_msg("%d %% on %d pods", world_share(w, OLD) / 100,
			         world_ready(w, OLD));
	}
}

static void test_an_aborted_version_carries_its_share_until_stable_has_grown(void **state)
{
	static const char *const orders[] = {"true", NEW, "v2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct world w;

		scene_half(&w);
		world_order(&w, ORDER_ABORT, orders[i]);
		world_settle(&w);
		assert_int_equal(w.m.status.phase, ROLLOUT_ROLLING_BACK);
		assert_int_equal(world_plan_share(&w, NEW), 5000);
		watch_until_gone(&w, 120000);
		assert_int_equal(world_share(&w, OLD), 10000);
		scene_until(&w, ROLLOUT_ABORTED);
		assert_true(w.min_ready >= 4 && w.max_pods <= 5);
		assert_true(world_count(&w, "WeightChanged") >= 3); /* 50, 25, 0 */
		world_release(&w);
	}
}

static void test_abort_now_means_now(void **state)
{
	struct world w;

	(void)state;
	scene_half(&w);
	world_order(&w, ORDER_ABORT, "now");
	world_settle(&w);
	assert_int_equal(world_share(&w, NEW), 0);
	world_release(&w);
}

static void test_spec_back_at_stable_goes_back_the_same_way(void **state)
{
	struct world w;

	(void)state;
	scene_half(&w);
	world_spec(&w, OLD, "v1");
	world_settle(&w);
	assert_int_equal(world_share(&w, NEW), 5000);
	watch_until_gone(&w, 120000);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(scene_result(&w, NEW), "Superseded");
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_a_superseded_version_carries_its_share_until_stable_has_grown(void **state)
{
	struct world w;

	(void)state;
	scene_half(&w);
	world_spec(&w, THIRD, "v3");
	world_settle(&w);
	assert_string_equal(w.m.status.target, NEW);
	assert_int_equal(world_share(&w, NEW), 5000);
	watch_until_gone(&w, 120000);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_string_equal(w.m.status.target, THIRD);
	assert_int_equal(world_share(&w, THIRD), 5000);
	assert_string_equal(scene_result(&w, NEW), "Superseded");
	assert_int_equal(world_count(&w, "ReleaseSuperseded"), 1);
	assert_true(w.min_ready >= 4);
	world_release(&w);
}

/* Small shares leave stable with pods enough: nothing is waited for. */
static void test_what_stable_can_carry_goes_at_once(void **state)
{
	static const struct mdep_step small[] = {{.weight = 1, .approval = true}, {.weight = 100}};
	struct world w;

	(void)state;
	scene_release(&w, small, 2);
	scene_until(&w, ROLLOUT_APPROVAL);
	assert_int_equal(world_ready(&w, OLD), 4);
	world_spec(&w, THIRD, "v3");
	world_settle(&w);
	assert_string_equal(w.m.status.target, THIRD);
	assert_int_equal(world_share(&w, NEW), 0);
	world_release(&w);
}

static void test_doubt_on_the_way_ends_the_patience(void **state)
{
	for (int doubt = 0; doubt < 3; doubt++) {
		struct world w;

		(void)state;
		scene_half(&w);
		w.m.canary.enabled = true;
		w.m.canary.min_score = 80;
		w.m.slo.n = 1;
		w.load_ms = 60000;
		world_order(&w, ORDER_ABORT, NEW);
		world_run(&w, 3000);
		assert_int_equal(world_share(&w, NEW), 5000);
		w.verdict = doubt == 0 ? VERDICT_FAIL : VERDICT_NONE;
		w.doubt = doubt == 1 ? 50 : 0;
		w.breach = doubt == 2 ? NEW : NULL;
		w.dirty = true;
		world_settle(&w);
		assert_int_equal(world_share(&w, NEW), 0);
		scene_until(&w, ROLLOUT_ABORTED);
		assert_true(w.min_ready >= 4);
		world_release(&w);
	}
}

/* Stable does not come up: after progressDeadline the order counts for more than the load. */
static void test_a_stable_that_does_not_grow_is_not_waited_for_for_ever(void **state)
{
	struct world w;

	(void)state;
	scene_half(&w);
	w.m.progress_deadline_ms = 120000;
	w.cards = 4;
	w.broken = OLD;
	world_order(&w, ORDER_ABORT, NEW);
	world_run(&w, 100000);
	assert_true(world_share(&w, NEW) > 0);
	world_run(&w, 60000);
	assert_int_equal(world_share(&w, NEW), 0);
	world_release(&w);
}

static void test_the_slow_way_survives_crashes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;

		scene_half(&w);
		w.rng = w.seed = seed;
		w.crash_percent = 60;
		world_spec(&w, seed % 2 ? THIRD : OLD, "v3");
		watch_until_gone(&w, 300000);
		assert_int_equal(world_share(&w, NEW), 0);
		assert_true(w.min_ready >= 4 && w.max_pods <= 5);
		world_release(&w);
	}
}

/* With too few requests to count, each part would be waited for 10 s. */
static void test_from_a_stable_version_that_fails_nobody_counts_first(void **state)
{
	struct world w;
	int64_t began;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.m.slo.n = 1;
	w.m.slo.on_breach = BREACH_ROLLBACK;
	w.m.slo.bake_ms = 600000;
	w.m.drain_ms = 3000;
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 10000);
	w.requests_per_s = 0.1;
	w.breach = NEW;
	w.dirty = true;
	began = w.now;
	while (world_share(&w, OLD) < 10000) {
		world_run(&w, 100);
		assert_true(world_share(&w, OLD) >= 2500 * (world_ready(&w, OLD) - 1));
		assert_true(w.now - began < 120000);
	}
	/* four turns of: a pod starts, the route moves, a pod drains and ends */
	assert_true(w.now - began <= 4 * (w.load_ms + w.load_jitter_ms + w.end_ms + 10000));
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_aborted_version_carries_its_share_until_stable_has_grown),
		cmocka_unit_test(test_abort_now_means_now),
		cmocka_unit_test(test_spec_back_at_stable_goes_back_the_same_way),
		cmocka_unit_test(
			test_a_superseded_version_carries_its_share_until_stable_has_grown),
		cmocka_unit_test(test_what_stable_can_carry_goes_at_once),
		cmocka_unit_test(test_doubt_on_the_way_ends_the_patience),
		cmocka_unit_test(test_a_stable_that_does_not_grow_is_not_waited_for_for_ever),
		cmocka_unit_test(test_the_slow_way_survives_crashes),
		cmocka_unit_test(test_from_a_stable_version_that_fails_nobody_counts_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
