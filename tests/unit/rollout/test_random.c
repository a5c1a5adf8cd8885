/*
 * Releases of random shape; the invariants are checked by the world at every step. TIDEGATE_SOAK=n
 * runs n times as many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../sanitizer.h"
#include "world.c"

#define HOUR_MS 3600000

/* The sanitizers are six times as slow, and watch memory: a fifth shows them every path. */
static uint64_t soak(uint64_t seeds)
{
	int64_t n;

	if (UNDER_SANITIZER)
		seeds /= 5;
	return seeds *
	       (str_to_i64(str_or(getenv("TIDEGATE_SOAK"), "1"), &n) && n > 0 ? (uint64_t)n : 1);
}

static const char *const revisions[] = {"bbbbbbbbbb", "cccccccccc", "dddddddddd", "eeeeeeeeee"};
static const char *const versions[] = {"v2", "v3", "v4", "v5"};

static void random_bounds(struct world *w)
{
	w->m.replicas = (int)world_random(w, 21);
	w->m.max_surge.percent = !world_random(w, 3);
	w->m.max_surge.value =
		(int)(w->m.max_surge.percent ? world_random(w, 5) * 20 : world_random(w, 4));
	w->m.max_unavailable.value = (int)world_random(w, 4);
}

static void random_steps(struct world *w)
{
	struct mdep_step steps[5] = {0};
	unsigned n = (unsigned)world_random(w, 5);
	int weight = 0;

	for (unsigned i = 0; i < n; i++) {
		weight += 1 + (int)world_random(w, 30);
		steps[i].weight = weight > 100 ? 100 : weight;
		steps[i].hold_ms = (int64_t)world_random(w, 3) * 1000;
		if (!world_random(w, 3))
			steps[i].capacity = (struct int_or_percent){1 + (int)world_random(w, 60),
			                                            world_random(w, 2)};
		if (i == 0 && !world_random(w, 3)) {
			w->header = (struct mdep_header){.name = "x-gray", .exact = "1"};
			steps[i].weight = -1;
			steps[i].headers = &w->header;
			steps[i].nheaders = 1;
			weight = 0;
		}
	}
	world_steps(w, steps, n);
}

static void random_world(struct world *w, uint64_t seed)
{
	world_init(w, seed);
	random_bounds(w);
	if (w->m.replicas == 0)
		w->m.replicas = 1;
	world_zones(w, (unsigned)world_random(w, 5));
	for (unsigned i = 0; i < w->m.nzones; i++)
		w->m.zones[i].weight = 1 + (int)world_random(w, 3);
	w->load_ms = 500 + (int64_t)world_random(w, 3000);
	w->load_jitter_ms = (int64_t)world_random(w, 4000);
	w->m.warmup_ms = world_random(w, 2) ? 0 : (int64_t)world_random(w, 10) * 1000;
	w->end_ms = 500 + (int64_t)world_random(w, 3000);
	w->accept_ms = (int64_t)world_random(w, 1500);
	w->follow_ms = w->accept_ms + (int64_t)world_random(w, 400);
	w->requests_per_s = world_random(w, 2) ? 0 : 20.0 * (double)(1 + world_random(w, 20));
	if (!world_random(w, 6))
		w->m.traffic = TRAFFIC_NONE;
	w->slices = w->m.traffic != TRAFFIC_NONE && world_random(w, 2);
	w->list_ms = (int64_t)world_random(w, 400);
	w->quiet_ms = (int64_t)world_random(w, 6000) - 1000;
	w->m.drain_ms = 3000 + (int64_t)world_random(w, 3) * 2000;
}

static void must_end(struct world *w, enum rollout_phase phase, const char *revision)
{
	CHECK(w, world_until(w, PHASE_BIT(phase), HOUR_MS), "does not reach %s",
	      rollout_phase_name(phase));
	/* What is still on the way, e.g. pods that end, is over soon after. */
	world_run(w, 60000);
	CHECK(w, w->m.status.phase == phase, "does not stay %s", rollout_phase_name(phase));
	CHECK(w, str_eq(w->m.status.stable, revision), "the wrong revision is stable");
	CHECK(w, world_ready(w, revision) == w->m.replicas && world_pods(w, NULL) == w->m.replicas,
	      "%d of %d pods in service, %d in all", world_ready(w, revision), w->m.replicas,
	      world_pods(w, NULL));
	CHECK(w, w->m.traffic == TRAFFIC_NONE || world_share(w, revision) == 10000,
	      "it has %d of 10000", world_share(w, revision));
	CHECK(w, str_eq(world_condition(w, "Ready")->status, "True"), "Ready is %s",
	      world_condition(w, "Ready")->reason);
	CHECK(w, !world_condition(w, "Reconciling"), "still reconciling: %s",
	      world_condition(w, "Reconciling")->message);
}

static void start(struct world *w, uint64_t seed)
{
	random_world(w, seed);
	world_first_release(w);
	random_steps(w);
	world_spec(w, revisions[0], versions[0]);
	world_settle(w);
}

/*
 * Not where pods die or releases overtake each other: a gateway that lags loses requests then. One
 * that says nothing has the two seconds that its weights get.
 */
static void gateway_lags(struct world *w)
{
	w->mute = world_random(w, 4) == 0;
	w->hear_ms = (int64_t)world_random(
		w, w->mute ? 2000 : (uint64_t)(w->accept_ms + w->follow_ms + 1));
}

static void test_release_completes(void **state)
{
	(void)state;
	for (uint64_t seed = 1, end = seed + soak(400); seed < end; seed++) {
		struct world w;

		start(&w, seed);
		gateway_lags(&w);
		must_end(&w, ROLLOUT_IDLE, revisions[0]);
		assert_int_equal(world_count(&w, "Promoted"), 2);
		world_release(&w);
	}
}

static void test_release_completes_though_writes_get_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1000001, end = seed + soak(150); seed < end; seed++) {
		struct world w;

		random_world(&w, seed);
		gateway_lags(&w);
		w.crash_percent = 50;
		world_first_release(&w);
		random_steps(&w);
		world_spec(&w, revisions[0], versions[0]);
		world_settle(&w);
		must_end(&w, ROLLOUT_IDLE, revisions[0]);
		world_release(&w);
	}
}

static bool at_stake(const struct world *w)
{
	return w->m.status.weight > 0 || w->m.status.verified_weight > 0 || w->plan.audience;
}

static bool judged(const struct world *w)
{
	enum rollout_phase p = w->m.status.phase;

	return w->plan.judge && w->requests_per_s > 0 && p != ROLLOUT_ROLLING_BACK;
}

static void fail_now(struct world *w)
{
	w->verdict = VERDICT_FAIL;
	w->dirty = false;
	world_plan(w);
	CHECK(w, w->plan.status.phase == ROLLOUT_ROLLING_BACK, "FAIL has no effect");
	CHECK(w, w->plan.status.weight == 0, "weight is %d after FAIL", w->plan.status.weight);
	CHECK(w,
	      w->m.traffic == TRAFFIC_NONE || !world_ready(w, w->m.status.stable) ||
	              world_plan_share(w, revisions[0]) == 0,
	      "the route still has it");
	w->dirty = true;
	world_settle(w);
	w->verdict = VERDICT_NONE;
}

static void test_fail_returns_traffic_in_that_very_plan(void **state)
{
	const uint64_t seeds = soak(300);
	uint64_t rolled_back = 0;

	(void)state;
	for (uint64_t seed = 2000001, end = seed + seeds; seed < end; seed++) {
		struct world w;

		start(&w, seed);
		gateway_lags(&w);
		w.requests_per_s = 100;
		world_run(&w, 1000 + (int64_t)world_random(&w, 60) * 500);
		if (at_stake(&w) && judged(&w)) {
			fail_now(&w);
			must_end(&w, ROLLOUT_ROLLED_BACK, "aaaaaaaaaa");
			rolled_back++;
		}
		world_release(&w);
	}
	assert_true(rolled_back > seeds / 3);
}

static void random_order(struct world *w)
{
	static const char *const values[] = {"true", "now",    "next",   "full", "bbbbbbbbbb",
	                                     "v3",   "next#1", "next#2", "wrong"};
	enum mdep_verb verb = (enum mdep_verb)world_random(w, ORDER_VERBS);

	world_order(w, verb, world_random(w, 4) ? values[world_random(w, 9)] : NULL);
}

static void random_change(struct world *w)
{
	unsigned r;

	switch (world_random(w, 7)) {
	case 0:
		r = (unsigned)world_random(w, 5);
		world_spec(w, r == 4 ? "aaaaaaaaaa" : revisions[r], r == 4 ? "v1" : versions[r]);
		break;
	case 1:
		random_bounds(w);
		world_touch(w);
		break;
	case 2:
		world_zones(w, (unsigned)world_random(w, 5));
		break;
	case 3:
		random_steps(w);
		break;
	case 4:
		w->verdict = VERDICT_FAIL;
		w->dirty = true;
		world_settle(w);
		w->verdict = VERDICT_NONE;
		break;
	default:
		random_order(w);
	}
}

static void calm_down(struct world *w)
{
	w->chaos = false;
	w->crash_percent = 0;
	for (int v = 0; v < ORDER_VERBS; v++)
		world_order(w, (enum mdep_verb)v, NULL);
	if (w->m.replicas == 0)
		w->m.replicas = 3;
	world_spec(w, "zzzzzzzzzz", "v9");
	world_run(w, 60000);
}

/* Whatever happened before, a last new revision is released, and everything is in order then. */
static void tumult(uint64_t from, uint64_t n, bool chaos, int crash_percent)
{
	for (uint64_t seed = from, end = from + soak(n); seed < end; seed++) {
		struct world w;

		start(&w, seed);
		w.chaos = chaos;
		w.crash_percent = crash_percent;
		for (int i = 0; i < 25; i++) {
			world_run(&w, (int64_t)world_random(&w, 20) * 500);
			random_change(&w);
			world_settle(&w);
		}
		calm_down(&w);
		if (w.m.status.phase == ROLLOUT_PAUSED)
			world_order(&w, ORDER_RESUME, "now");
		must_end(&w, ROLLOUT_IDLE, "zzzzzzzzzz");
		world_release(&w);
	}
}

static void test_changes_and_orders_at_random(void **state)
{
	(void)state;
	tumult(3000001, 120, false, 0);
}

static void test_changes_orders_and_lost_writes(void **state)
{
	(void)state;
	tumult(4000001, 80, false, 40);
}

static void test_changes_orders_lost_writes_and_dying_pods(void **state)
{
	(void)state;
	tumult(5000001, 120, true, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release_completes),
		cmocka_unit_test(test_release_completes_though_writes_get_lost),
		cmocka_unit_test(test_fail_returns_traffic_in_that_very_plan),
		cmocka_unit_test(test_changes_and_orders_at_random),
		cmocka_unit_test(test_changes_orders_and_lost_writes),
		cmocka_unit_test(test_changes_orders_lost_writes_and_dying_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
