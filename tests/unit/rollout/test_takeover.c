/* spec.takeOver: another's place is taken only when ours can carry what it carries. */
#include "scene.h"

#define ROUTE_MS 5000

static void scene_takeover(struct world *w)
{
	world_init(w, 1);
	w->requests_per_s = 100;
	w->m.take_over = "old";
	w->m.drain_ms = 10000;
	w->takeover = (struct rollout_takeover){
		.known = true, .exists = true, .replicas = 4, .pods = 4, .available = 4};
	world_spec(w, OLD, "v1");
}

static const char *told(const struct world *w)
{
	return scene_reason(w, "TakenOver");
}

/* The first pod alone must not get what four carry. */
static void test_the_route_waits_for_all_pods(void **state)
{
	struct world w;
	bool some = false;

	(void)state;
	scene_takeover(&w);
	w.load_jitter_ms = 20000;
	while (world_ready(&w, OLD) < 4) {
		assert_int_equal(w.route_writes, 0);
		some |= world_ready(&w, OLD) > 0;
		world_run(&w, 100);
		assert_true(w.now < w.start_ms + 600000);
	}
	assert_true(some);
	world_run(&w, ROUTE_MS - 1000); /* the gateway may lag behind the last one */
	assert_int_equal(w.route_writes, 0);
	world_run(&w, ROUTE_MS);
	assert_true(w.route_writes > 0);
	world_release(&w);
}

/* Scaled down not before the route has carried ours for the drain's time, and told when done. */
static void test_retired_after_the_drain(void **state)
{
	struct world w;
	int64_t moved;

	(void)state;
	scene_takeover(&w);
	while (!str_eq(told(&w), "Draining")) {
		assert_null(w.plan.retire);
		world_run(&w, 100);
		assert_true(w.now < w.start_ms + 600000);
	}
	moved = w.now;
	while (!w.plan.retire) {
		world_run(&w, 100);
		assert_true(w.now < moved + 60000);
	}
	assert_true(w.now - moved >= 9000);
	assert_string_equal(w.plan.retire, "old");
	assert_string_equal(told(&w), "ScalingDown");
	w.takeover.replicas = 0;
	world_touch(&w);
	world_settle(&w);
	assert_null(w.plan.retire);
	w.takeover.pods = w.takeover.available = 0;
	world_touch(&w);
	world_settle(&w);
	assert_string_equal(scene_state(&w, "TakenOver"), "True");
	assert_int_equal(world_count(&w, "TakenOver"), 1);
	assert_string_equal(scene_state(&w, "Ready"), "True");
	/* Somebody's later wish is told, not fought. */
	w.takeover.replicas = 2;
	world_touch(&w);
	world_run(&w, 60000);
	assert_null(w.plan.retire);
	assert_string_equal(told(&w), "DeploymentScaledUp");
	world_release(&w);
}

static void test_what_is_unsafe_is_refused(void **state)
{
	static const struct {
		struct rollout_takeover t;
		const char *reason;
	} rows[] = {
		{{.known = true, .exists = true, .replicas = 5, .pods = 5, .available = 5},
	         "TooFewPods"},
		{{.known = true,
	          .exists = true,
	          .replicas = 4,
	          .available = 4,
	          .controller = "Rollout old"},
	         "Controlled"},
		{{.known = false}, "CannotRead"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;

		scene_takeover(&w);
		w.takeover = rows[i].t;
		world_run(&w, 120000);
		assert_string_equal(told(&w), rows[i].reason);
		assert_string_equal(scene_state(&w, "TakenOver"), "False");
		assert_string_equal(scene_state(&w, "Ready"), "False");
		assert_int_equal(w.route_writes, 0);
		assert_null(w.plan.retire);
		/* mended, it goes on by itself */
		w.takeover = (struct rollout_takeover){
			.known = true, .exists = true, .replicas = 4, .pods = 4, .available = 4};
		world_touch(&w);
		world_run(&w, 60000);
		assert_true(w.route_writes > 0);
		assert_string_equal(w.plan.retire, "old");
		world_release(&w);
	}
}

/* No Deployment of that name: nothing to scale, but still no route to a single pod. */
static void test_without_a_deployment(void **state)
{
	struct world w;

	(void)state;
	scene_takeover(&w);
	w.takeover = (struct rollout_takeover){.known = true};
	world_run(&w, 60000);
	assert_string_equal(scene_state(&w, "TakenOver"), "True");
	assert_null(w.plan.retire);
	world_release(&w);
}

/* Another leader goes on where the first one was: the route is not let go of again. */
static void test_pods_that_are_lost_later(void **state)
{
	struct world w;

	(void)state;
	scene_takeover(&w);
	while (!str_eq(told(&w), "Draining"))
		world_run(&w, 100);
	world_pod_of(&w, OLD, 0)->ready_ms = 0;
	world_touch(&w);
	world_run(&w, 20000);
	assert_string_equal(w.plan.retire, "old");
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_route_waits_for_all_pods),
		cmocka_unit_test(test_retired_after_the_drain),
		cmocka_unit_test(test_what_is_unsafe_is_refused),
		cmocka_unit_test(test_without_a_deployment),
		cmocka_unit_test(test_pods_that_are_lost_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
