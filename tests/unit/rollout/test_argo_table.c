/*
 * The published replica tables of Argo Rollouts, every row, beside our answer. Where it differs on
 * purpose the row says why; docs/differences.md has the same in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/rollout/replicas.h"

#define WEIGHTS 12

static const int weights[WEIGHTS] = {1, 5, 10, 20, 25, 30, 50, 75, 80, 90, 95, 99};

struct pair {
	int new_pods, old_pods;
};

/* clang-format off */
static const struct {
	int replicas, surge;
	struct pair argo[WEIGHTS];
} basic[] = {
	{1, 0, {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}},
	{1, 1, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
	{2, 0, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 2}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},
	{2, 1, {{1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 1}, {2, 1}, {2, 1}, {2, 1}, {2, 1}, {2, 1}}},
	{3, 0, {{1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {2, 1}, {2, 1}, {2, 1}, {2, 1}, {2, 1}, {2, 1}}},
	{4, 1, {{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 3}, {1, 3}, {2, 2}, {3, 1}, {4, 1}, {4, 1}, {4, 1}, {4, 1}}},
	{5, 0, {{1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {2, 3}, {3, 2}, {4, 1}, {4, 1}, {0, 5}, {4, 1}, {4, 1}}},
	{8, 1, {{1, 8}, {1, 8}, {1, 8}, {2, 7}, {2, 6}, {3, 6}, {4, 4}, {6, 2}, {7, 2}, {8, 1}, {8, 1}, {8, 1}}},
	{10, 0, {{1, 9}, {1, 9}, {1, 9}, {2, 8}, {3, 7}, {3, 7}, {5, 5}, {8, 2}, {8, 2}, {9, 1}, {0, 10}, {9, 1}}},
	{10, 1, {{1, 10}, {1, 10}, {1, 9}, {2, 8}, {3, 8}, {3, 7}, {5, 5}, {8, 3}, {8, 2}, {9, 1}, {10, 1}, {10, 1}}},
};
/* clang-format on */

/* Why we differ. */
#define SWAP     "one pod on one card is swapped by the step of 100 % only"
#define MONOTONE "new pods never drop when weight rises; there they fall to 0"
#define ENOUGH   "weights are exact here, so a share gets the pods that carry it"

static const struct {
	int replicas, surge, weight;
	struct pair ours;
	const char *why;
} differs[] = {
	{1, 0, 50, {0, 1}, SWAP},     {1, 0, 75, {0, 1}, SWAP},     {1, 0, 80, {0, 1}, SWAP},
	{1, 0, 90, {0, 1}, SWAP},     {1, 0, 95, {0, 1}, SWAP},     {1, 0, 99, {0, 1}, SWAP},
	{2, 0, 75, {1, 1}, MONOTONE}, {5, 0, 90, {4, 1}, MONOTONE}, {10, 0, 95, {9, 1}, MONOTONE},
	{4, 1, 30, {2, 3}, ENOUGH},   {5, 0, 25, {2, 3}, ENOUGH},
};

static struct pair expected(int replicas, int surge, int weight, struct pair argo)
{
	for (size_t i = 0; i < ARRAY_SIZE(differs); i++)
		if (differs[i].replicas == replicas && differs[i].surge == surge &&
		    differs[i].weight == weight)
			return differs[i].ours;
	return argo;
}

static void test_every_row_of_the_basic_canary(void **state)
{
	unsigned same = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(basic); i++) {
		for (unsigned j = 0; j < WEIGHTS; j++) {
			struct replicas_input in = {.replicas = basic[i].replicas,
			                            .surge = basic[i].surge,
			                            .target_weight = weights[j]};
			struct pair argo = basic[i].argo[j];
			struct pair want = expected(in.replicas, in.surge, in.target_weight, argo);
			struct replicas_plan plan;

			replicas_plan(&in, &plan);
			if (plan.new_goal != want.new_pods || plan.old_goal != want.old_pods)
				fail_msg("R %d surge %d weight %d: %d/%d, want %d/%d", in.replicas,
				         in.surge, in.target_weight, plan.new_goal, plan.old_goal,
				         want.new_pods, want.old_pods);
			same += plan.new_goal == argo.new_pods && plan.old_goal == argo.old_pods;
		}
	}
	assert_int_equal(same, ARRAY_SIZE(basic) * WEIGHTS - ARRAY_SIZE(differs));
}

/* The whole family of the defect, not only the three of the table. */
static void test_where_argo_falls_to_0_we_do_not(void **state)
{
	static const struct {
		int replicas, weight;
	} rows[] = {{2, 75}, {5, 90}, {10, 95}, {25, 98}, {50, 99}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {.replicas = rows[i].replicas,
		                            .target_weight = rows[i].weight};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		assert_int_equal(plan.new_goal, rows[i].replicas - 1);
		assert_int_equal(plan.old_goal, 1);
	}
}

/* --- with a route ------------------------------------------------------------------------ */

static void test_a_routed_share_rounds_up(void **state)
{
	static const struct {
		int replicas, weight, argo;
	} rows[] = {{10, 25, 3}, {10, 33, 4}, {10, 99, 10}, {10, 1, 1}, {3, 50, 2}, {4, 75, 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(replicas_needed(rows[i].replicas, rows[i].weight), rows[i].argo);
}

/* Argo Rollouts keeps R stable pods beside R new ones; here the sum is R + surge at any weight. */
static void test_a_routed_release_does_not_double_the_cards(void **state)
{
	(void)state;
	for (int w = 0; w <= 100; w++) {
		struct replicas_input in = {.replicas = 10, .surge = 2, .target_weight = w};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		assert_true(plan.new_goal + plan.old_goal <= 12);
	}
}

struct step {
	int weight, surge, unavailable, held_new, held_old;
	struct replicas_track old_track, new_track;
	int want_old, want_new;
};

/* Rows of dynamicStableScale, which is how every release is here. */
static void test_stable_follows_its_traffic_and_abort_brings_it_back_first(void **state)
{
	static const struct step rows[] = {
		/* 10 % seen at the new side: stable shrinks to 9. */
		{10, 1, 0, 10, 90, {10, 10, 10, 0}, {1, 1, 1, 0}, 9, 1},
		/* Abort at 60/40 with 4 stable pods: all 6 new ones stay; there stable goes to 8 at
	         * once, here by surge, because cards are what there is too little of. */
		{0, 1, 0, 60, 100, {4, 4, 4, 0}, {6, 6, 6, 0}, 5, 6},
		{0, 4, 0, 60, 100, {4, 4, 4, 0}, {6, 6, 6, 0}, 8, 6},
		/* Nothing known of the stable side: it is made whole, nothing is taken. */
		{0, 10, 0, 60, 100, {0, 0, 0, 0}, {6, 6, 6, 0}, 10, 6},
		/* Traffic has left: the new side goes as stable comes. */
		{0, 1, 0, 0, 100, {5, 5, 5, 0}, {6, 6, 6, 0}, 5, 5},
		/* More ready pods than asked for must not widen the budget. */
		{100, 3, 0, 100, 100, {7, 8, 8, 0}, {6, 6, 3, 0}, 7, 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {.replicas = 10,
		                            .surge = rows[i].surge,
		                            .unavailable = rows[i].unavailable,
		                            .target_weight = rows[i].weight,
		                            .held_new = rows[i].held_new,
		                            .held_old = rows[i].held_old,
		                            .old_track = rows[i].old_track,
		                            .new_track = rows[i].new_track};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		if (plan.old_spec != rows[i].want_old || plan.new_spec != rows[i].want_new)
			fail_msg("row %zu: stable %d (want %d), new %d (want %d)", i, plan.old_spec,
			         rows[i].want_old, plan.new_spec, rows[i].want_new);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_of_the_basic_canary),
		cmocka_unit_test(test_where_argo_falls_to_0_we_do_not),
		cmocka_unit_test(test_a_routed_share_rounds_up),
		cmocka_unit_test(test_a_routed_release_does_not_double_the_cards),
		cmocka_unit_test(test_stable_follows_its_traffic_and_abort_brings_it_back_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
