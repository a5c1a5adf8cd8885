/* What EndpointSlices and a leaving pod's own metrics prove. */
#include "scene.h"

static struct world_pod *until_one_leaves(struct world *w)
{
	for (int ticks = 0; ticks < 1200; ticks++) {
		for (unsigned i = 0; i < WORLD_PODS; i++)
			if (w->pods[i].used && w->pods[i].pod.leaving_since_ms)
				return &w->pods[i];
		world_run(w, 100);
	}
	fail_msg("no pod leaves");
	return NULL;
}

static int64_t leaves_after(struct world *w)
{
	struct world_pod *p = until_one_leaves(w);
	int64_t since = p->pod.leaving_since_ms;

	while (!p->pod.meta.deleted_ms)
		world_run(w, 100);
	return w->now - since;
}

static void sliced(struct world *w, int64_t list_ms, int64_t quiet_ms)
{
	scene_stable(w);
	w->slices = true;
	w->list_ms = list_ms;
	w->quiet_ms = quiet_ms;
	world_run(w, 10000);
	world_steps(w, two_steps, 2);
	world_spec(w, NEW, "v2");
}

static void test_a_cell_gets_weight_once_a_slice_names_its_pod(void **state)
{
	struct world w;
	int64_t ready;

	(void)state;
	sliced(&w, 6000, -1);
	while (world_ready(&w, NEW) == 0)
		world_run(&w, 100);
	ready = w.now;
	while (world_share(&w, NEW) == 0)
		world_run(&w, 100);
	assert_in_range(w.now - ready, 6000, 7000);
	world_release(&w);
}

/* Endpoints that come late, or a watch of them that does: the step waits with its weight. */
static void test_no_step_is_reached_before_a_slice_names_its_pod(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 20000, -1);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_int_equal(world_share(&w, NEW), 2500);
	world_release(&w);
}

/*
 * A gateway that stood still goes on with what it finds, and that may be the route before the
 * endpoint: no share for a cell before a route that names it was read.
 */
static void test_a_gateway_that_lags_is_not_sent_to_an_endpoint_it_does_not_have(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 200, -1);
	w.accept_ms = 2000;
	w.follow_ms = 1000;
	w.hear_ms = 2900;
	scene_until(&w, ROLLOUT_IDLE);
	assert_int_equal(world_share(&w, NEW), 10000);
	world_release(&w);
}

/* The same from one that cannot say what it has read: two seconds are all that can be given. */
static void test_a_gateway_that_says_nothing_gets_two_seconds_for_an_endpoint(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 200, -1);
	w.mute = true;
	w.hear_ms = 1900;
	scene_until(&w, ROLLOUT_IDLE);
	assert_int_equal(world_share(&w, NEW), 10000);
	world_release(&w);
}

/* One that never answers is not waited for for ever: what it does with the weight is seen then. */
static void test_a_cell_gets_weight_though_the_gateway_says_nothing(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 200, -1);
	w.accept_ms = 3600000;
	while (world_ready(&w, NEW) == 0)
		world_run(&w, 100);
	world_run(&w, 9000);
	assert_int_equal(world_share(&w, NEW), 0);
	world_run(&w, 3000);
	assert_int_equal(world_share(&w, NEW), 2500);
	world_release(&w);
}

static void test_an_idle_pod_leaves_before_its_drain_is_over(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 200, 2000);
	w.m.drain_ms = 60000;
	assert_in_range(leaves_after(&w), 3000, 6000);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static void test_a_busy_pod_has_the_whole_drain(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 200, -1);
	w.m.drain_ms = 20000;
	assert_in_range(leaves_after(&w), 20000, 22000);
	world_release(&w);
}

static void test_a_pod_does_not_leave_while_a_slice_names_it(void **state)
{
	struct world w;

	(void)state;
	sliced(&w, 15000, -1);
	w.m.drain_ms = 3000;
	assert_in_range(leaves_after(&w), 15000, 17000);
	world_release(&w);
}

/* A first release of 2 minutes, all of it without a route: nothing is wrong with that. */
static void test_a_route_that_nobody_can_want_yet_is_pending(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.load_ms = 120000;
	w.accept_ms = 5000;
	world_settle(&w);
	while (world_ready(&w, OLD) == 0) {
		world_run(&w, 1000);
		assert_string_equal(scene_state(&w, "TrafficInForce"), "Unknown");
	}
	while (!str_eq(scene_state(&w, "TrafficInForce"), "True")) {
		world_run(&w, 100);
		assert_string_not_equal(scene_state(&w, "TrafficInForce"), "False");
	}
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cell_gets_weight_once_a_slice_names_its_pod),
		cmocka_unit_test(test_no_step_is_reached_before_a_slice_names_its_pod),
		cmocka_unit_test(
			test_a_gateway_that_lags_is_not_sent_to_an_endpoint_it_does_not_have),
		cmocka_unit_test(test_a_gateway_that_says_nothing_gets_two_seconds_for_an_endpoint),
		cmocka_unit_test(test_a_cell_gets_weight_though_the_gateway_says_nothing),
		cmocka_unit_test(test_an_idle_pod_leaves_before_its_drain_is_over),
		cmocka_unit_test(test_a_busy_pod_has_the_whole_drain),
		cmocka_unit_test(test_a_pod_does_not_leave_while_a_slice_names_it),
		cmocka_unit_test(test_a_route_that_nobody_can_want_yet_is_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
