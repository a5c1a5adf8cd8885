#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "../../../controller/rollout/replicas_internal.h"

/* --- needed ------------------------------------------------------------------------------ */

static void test_needed(void **state)
{
	static const struct {
		int replicas, weight, pods;
	} rows[] = {
		{0, 50, 0},  {10, 0, 0},  {10, 1, 1},  {10, 5, 1},   {10, 10, 1},   {10, 11, 1},
		{10, 12, 2}, {10, 25, 3}, {10, 33, 4}, {10, 99, 10}, {10, 100, 10}, {10, 101, 10},
		{3, 34, 1},  {3, 33, 1},  {3, 67, 2},  {3, 70, 2},   {3, 71, 3},    {1, 1, 1},
		{1, 100, 1}, {6, 5, 1},   {6, 50, 3},  {200, 1, 2},  {-3, 50, 0},   {10, -5, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(replicas_needed(rows[i].replicas, rows[i].weight), rows[i].pods);
}

/* capacity gives what surge and unavailable have room for, and takes nothing that a weight needs.
 */
static void test_capacity_apart_from_weight(void **state)
{
	static const struct {
		int replicas, surge, unavailable, weight, capacity, new_goal, old_goal;
	} rows[] = {
		{10, 3, 0, 0, 3, 3, 10},   {10, 1, 0, 0, 3, 1, 10}, {10, 1, 2, 0, 3, 3, 8},
		{10, 0, 2, 0, 3, 2, 8},    {10, 0, 0, 0, 3, 1, 9},  {10, 10, 0, 0, 99, 10, 10},
		{10, 1, 0, 50, 3, 5, 5},   {10, 1, 0, 25, 5, 3, 8}, {10, 5, 0, 25, 5, 5, 8},
		{10, 1, 0, 100, 3, 10, 0}, {1, 0, 1, 0, 1, 0, 1},   {1, 1, 0, 0, 1, 1, 1},
		{2, 0, 1, 0, 2, 1, 1},     {0, 2, 0, 0, 5, 0, 0},   {10, 3, 0, 0, 0, 0, 10},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {.replicas = rows[i].replicas,
		                            .surge = rows[i].surge,
		                            .unavailable = rows[i].unavailable,
		                            .target_weight = rows[i].weight,
		                            .capacity = rows[i].capacity};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		if (plan.new_goal != rows[i].new_goal || plan.old_goal != rows[i].old_goal)
			fail_msg("row %u: new %d old %d", i, plan.new_goal, plan.old_goal);
	}
}

static void test_new_pods_are_monotone_in_weight_with_any_capacity(void **state)
{
	(void)state;
	for (int r = 0; r <= 40; r++) {
		for (int c = 0; c <= r; c += 3) {
			int last = 0;

			for (int w = 0; w <= 100; w++) {
				struct replicas_input in = {.replicas = r,
				                            .surge = c % 3,
				                            .target_weight = w,
				                            .capacity = c};
				struct replicas_plan plan;

				replicas_plan(&in, &plan);
				assert_true(plan.new_goal >= last);
				assert_true(plan.new_goal + plan.old_goal <= r + c % 3);
				last = plan.new_goal;
			}
		}
	}
}

/* Argo Rollouts drops to 0 at (2,75), (5,90), (10,95), (25,98), (50,99) without surge. */
static void test_new_pods_are_monotone_in_weight(void **state)
{
	(void)state;
	for (int r = 0; r <= 200; r++) {
		for (int surge = 0; surge <= 3; surge++) {
			int last = 0;

			for (int w = 0; w <= 100; w++) {
				struct replicas_input in = {
					.replicas = r, .surge = surge, .target_weight = w};
				struct replicas_plan plan;

				replicas_plan(&in, &plan);
				assert_true(plan.new_goal >= last);
				assert_true(plan.new_goal + plan.old_goal <= r + surge);
				assert_true(replicas_needed(r, w) >= replicas_needed(r, w - 1));
				last = plan.new_goal;
			}
		}
	}
}

/* --- goals ------------------------------------------------------------------------------- */

/*
 * The canary/stable table of Argo Rollouts, with our answer where it differs: a share is never
 * carried by fewer pods than it needs for the sake of a nearer ratio (weights are exact here, not
 * made of pods), and one pod without surge is only ever swapped at 100 %.
 */
static void test_goals(void **state)
{
	static const struct {
		int replicas, surge, weight, new_goal, old_goal;
	} rows[] = {
		{1, 0, 1, 0, 1},   {1, 0, 50, 0, 1},  {1, 0, 99, 0, 1},   {1, 0, 100, 1, 0},
		{1, 1, 1, 1, 1},   {1, 1, 50, 1, 1},  {1, 1, 99, 1, 1},   {2, 0, 1, 1, 1},
		{2, 0, 75, 1, 1},  {2, 0, 99, 1, 1},  {2, 1, 1, 1, 2},    {2, 1, 50, 1, 1},
		{2, 1, 75, 2, 1},  {2, 1, 99, 2, 1},  {3, 0, 1, 1, 2},    {3, 0, 50, 2, 1},
		{3, 0, 99, 2, 1},  {4, 1, 1, 1, 4},   {4, 1, 20, 1, 4},   {4, 1, 25, 1, 3},
		{4, 1, 50, 2, 2},  {4, 1, 75, 3, 1},  {4, 1, 80, 4, 1},   {4, 1, 99, 4, 1},
		{5, 0, 10, 1, 4},  {5, 0, 50, 3, 2},  {5, 0, 75, 4, 1},   {5, 0, 90, 4, 1},
		{8, 1, 10, 1, 8},  {8, 1, 20, 2, 7},  {8, 1, 25, 2, 6},   {8, 1, 30, 3, 6},
		{8, 1, 50, 4, 4},  {8, 1, 75, 6, 2},  {8, 1, 80, 7, 2},   {8, 1, 90, 8, 1},
		{10, 0, 10, 1, 9}, {10, 0, 20, 2, 8}, {10, 0, 25, 3, 7},  {10, 0, 90, 9, 1},
		{10, 0, 95, 9, 1}, {10, 0, 99, 9, 1}, {10, 1, 5, 1, 10},  {10, 1, 10, 1, 9},
		{10, 1, 20, 2, 8}, {10, 1, 25, 3, 8}, {10, 1, 30, 3, 7},  {10, 1, 50, 5, 5},
		{10, 1, 75, 8, 3}, {10, 1, 90, 9, 1}, {10, 1, 95, 10, 1}, {10, 1, 100, 10, 0},
		{10, 1, 0, 0, 10}, {0, 1, 50, 0, 0},  {0, 0, 100, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {.replicas = rows[i].replicas,
		                            .surge = rows[i].surge,
		                            .target_weight = rows[i].weight};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		assert_int_equal(plan.new_goal, rows[i].new_goal);
		assert_int_equal(plan.old_goal, rows[i].old_goal);
	}
}

/* --- one step ---------------------------------------------------------------------------- */

struct row {
	int replicas, weight, surge, unavailable;
	int old_spec, old_ready, new_spec, new_ready, others;
	int held_new, held_old;
	int want_old, want_new;
};

static struct replicas_plan plan_of(const struct row *r)
{
	struct replicas_input in = {
		.replicas = r->replicas,
		.surge = r->surge,
		.unavailable = r->unavailable,
		.target_weight = r->weight,
		.held_new = r->held_new,
		.held_old = r->held_old,
		.new_track = {r->new_spec, r->new_spec, r->new_ready, r->others},
		.old_track = {r->old_spec, r->old_spec, r->old_ready, 0},
	};
	struct replicas_plan plan;

	replicas_plan(&in, &plan);
	return plan;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct replicas_plan plan = plan_of(&rows[i]);

		if (plan.old_spec != rows[i].want_old || plan.new_spec != rows[i].want_new)
			fail_msg("row %zu: stable %d (want %d), new %d (want %d)", i, plan.old_spec,
			         rows[i].want_old, plan.new_spec, rows[i].want_new);
	}
}

/* Shares follow the pods here (nothing is held): the rows of Argo Rollouts' basic canary. */
static void test_steps_by_replica_ratio(void **state)
{
	static const struct row rows[] = {
		{10, 20, 2, 0, 10, 10, 2, 2, 0, 0, 0, 8, 2},   /* then stable shrinks */
		{10, 30, 2, 0, 10, 10, 0, 0, 0, 0, 0, 10, 2},  /* surge caps */
		{10, 30, 0, 2, 10, 10, 0, 0, 0, 0, 0, 8, 0},   /* no surge: stable shrinks first */
		{10, 50, 2, 1, 10, 10, 0, 0, 0, 0, 0, 9, 2},   /* both together */
		{10, 0, 1, 1, 10, 10, 1, 1, 0, 0, 0, 10, 0},   /* back to 0 */
		{10, 100, 1, 1, 1, 1, 10, 10, 0, 0, 0, 0, 10}, /* finish */
		{10, 30, 1, 0, 1, 1, 0, 0, 3, 0, 0, 7, 1},     /* stable before new, others stay */
		{10, 30, 0, 3, 8, 5, 4, 4, 0, 0, 0, 7, 3},     /* both shrink */
		{10, 5, 0, 1, 10, 10, 0, 0, 0, 0, 0, 9, 0},    /* then ... */
		{10, 5, 0, 1, 9, 9, 0, 0, 0, 0, 0, 9, 1},      /* ... the new one gets the place */
		{10, 10, 0, 0, 10, 10, 0, 0, 0, 0, 0, 9, 0},   /* both 0: unavailable 1 */
		{4, 100, 1, 0, 4, 1, 1, 1, 0, 0, 0, 3, 1},     /* broken stable pods may go */
		{3, 99, 0, 2, 3, 3, 0, 0, 0, 0, 0, 1, 0},      /* */
		{4, 0, 1, 0, 0, 0, 4, 4, 0, 0, 0, 1, 4},       /* abort: stable grows by surge */
		{4, 0, 1, 0, 1, 0, 4, 4, 0, 0, 0, 1, 4},       /* not ready yet: hold */
		{4, 0, 1, 0, 1, 1, 4, 4, 0, 0, 0, 1, 3},       /* then the new one shrinks */
		/* Differs: one pod is swapped at 100 % only (Argo at 50 % and above). */
		{1, 51, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0},
		{1, 100, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0},
		{1, 100, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		/* Differs: what has come to be above the limit is not cut at the new side, which is
	         * on its way to where it shall be; Argo takes it from 10 to 9. */
		{10, 100, 1, 0, 10, 2, 10, 8, 0, 0, 0, 2, 10},
		/* Differs: unavailable 4 of 4 is no leave to have none; Argo has 0 of stable. */
		{4, 100, 4, 4, 4, 4, 0, 0, 0, 0, 0, 1, 4},
		{4, 100, 0, 4, 4, 4, 0, 0, 0, 0, 0, 1, 0},
		{4, 100, 0, 4, 1, 1, 3, 0, 0, 0, 0, 1, 3},
		{4, 100, 0, 4, 1, 1, 3, 1, 0, 0, 0, 0, 3},
		{0, 100, 1, 1, 4, 4, 0, 0, 0, 0, 0, 0, 0},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* With a route, capacity leaves only after its traffic has been seen to leave. */
static void test_steps_with_held_shares(void **state)
{
	static const struct row rows[] = {
		/* 25 % is asked for, 0 % seen: all 10 stable pods are still needed. */
		{10, 25, 1, 0, 10, 10, 1, 1, 0, 25, 100, 10, 1},
		/* 10 % seen: one may go. */
		{10, 25, 1, 0, 10, 10, 1, 1, 0, 10, 90, 9, 1},
		/* 100 % seen: all may go at once. */
		{10, 100, 1, 0, 1, 1, 10, 10, 0, 100, 0, 0, 10},
		{10, 100, 1, 0, 5, 5, 10, 10, 0, 100, 0, 0, 10},
		/* 100 % asked for, not seen. */
		{10, 100, 1, 0, 1, 1, 10, 10, 0, 100, 9, 1, 10},
		/* Rollback: 0 % asked for, 50 % may be in force. */
		{10, 0, 1, 0, 6, 6, 5, 5, 0, 50, 100, 6, 5},
		/* ... 0 % seen: the canary goes as stable comes. */
		{10, 0, 1, 0, 6, 6, 5, 5, 0, 0, 100, 6, 4},
		/* A canary that never got ready costs nothing to remove. */
		{10, 0, 1, 0, 9, 9, 2, 0, 0, 0, 100, 9, 0},
		/* maxUnavailable is what the share may lack. */
		{10, 30, 0, 3, 10, 10, 0, 0, 0, 0, 100, 7, 0},
		/* Never the last pod that may have traffic, unless there is one place only. */
		{2, 100, 0, 2, 2, 2, 0, 0, 0, 0, 100, 1, 0},
		{1, 100, 0, 1, 1, 1, 0, 0, 0, 0, 100, 0, 0},
		/* All is stable's, of which there are too few: it is made whole, then comes the
	           new. */
		{10, 50, 1, 0, 6, 6, 0, 0, 0, 0, 100, 10, 1},
		{10, 50, 0, 1, 6, 6, 0, 0, 0, 0, 100, 9, 1},
		/* Scaling while nothing is released. */
		{6, 0, 1, 0, 10, 10, 0, 0, 0, 0, 100, 6, 0},
		{10, 0, 0, 1, 6, 6, 0, 0, 0, 0, 100, 10, 0},
		{0, 0, 1, 0, 4, 4, 0, 0, 0, 0, 100, 0, 0},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* What new must keep on the way back. */
static void test_weight_back(void **state)
{
	static const struct {
		int replicas, surge, unavailable, new_ready, old_ready, weight, want;
	} rows[] = {
		{4, 1, 0, 2, 2, 50, 50}, /* a tenth of a pod is rounding */
		{4, 1, 0, 2, 3, 50, 23},
		{4, 1, 0, 2, 4, 50, 0},
		{10, 1, 0, 9, 1, 90, 90},
		{10, 1, 0, 9, 5, 90, 49},
		{4, 0, 0, 2, 2, 50, 23}, /* one may be missing */
		{4, 1, 1, 2, 3, 50, 0},
		{4, 1, 0, 0, 2, 50, 0},  /* nobody there to carry it */
		{4, 1, 0, 1, 2, 50, 33}, /* neither has enough: each pod as much as any other */
		{4, 1, 0, 3, 0, 50, 50},
		{1, 0, 0, 1, 0, 50, 0},
		{0, 1, 0, 2, 0, 50, 0},
		{4, 1, 0, 2, 2, 0, 0},
		/* All places are taken: one of new's pods must become free. */
		{3, 1, 0, 2, 2, 50, 30},
		{5, 1, 0, 3, 3, 50, 38},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {.replicas = rows[i].replicas,
		                            .surge = rows[i].surge,
		                            .unavailable = rows[i].unavailable,
		                            .new_track = {.ready = rows[i].new_ready},
		                            .old_track = {.ready = rows[i].old_ready}};
		int w = replicas_weight_back(&in, rows[i].weight);

		if (w != rows[i].want)
			fail_msg("row %zu: %d, not %d", i, w, rows[i].want);
	}
}

static void test_terminating_pods_hold_their_places(void **state)
{
	struct replicas_input in = {.replicas = 4,
	                            .surge = 1,
	                            .target_weight = 50,
	                            .held_old = 100,
	                            .old_track = {4, 4, 4, 1}};
	struct replicas_plan plan;

	(void)state;
	replicas_plan(&in, &plan);
	assert_int_equal(plan.new_spec, 0);
	assert_string_equal(plan.waiting_for, "a free place: pods are at replicas + maxSurge");
	in.old_track.terminating = 0;
	replicas_plan(&in, &plan);
	assert_int_equal(plan.new_spec, 1);
}

/* --- weight ------------------------------------------------------------------------------ */

static void test_weight_that_ready_pods_carry(void **state)
{
	static const struct {
		int replicas, surge, target, ready, weight;
	} rows[] = {
		{10, 1, 50, 0, 0},    {10, 1, 50, 1, 10}, {10, 1, 50, 4, 40},  {10, 1, 50, 5, 50},
		{10, 1, 50, 7, 50},   {10, 1, 5, 1, 5},   {3, 1, 100, 1, 33},  {3, 1, 100, 2, 66},
		{3, 1, 100, 3, 100},  {2, 0, 75, 1, 75},  {2, 0, 100, 1, 100}, {10, 0, 100, 8, 80},
		{10, 0, 100, 9, 100}, {1, 0, 50, 1, 0},   {1, 0, 100, 1, 100}, {0, 1, 50, 3, 0},
		{4, 1, 0, 4, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replicas_input in = {
			.replicas = rows[i].replicas,
			.surge = rows[i].surge,
			.unavailable = !rows[i].surge,
			.target_weight = rows[i].target,
			.new_track = {rows[i].ready, rows[i].ready, rows[i].ready, 0}};
		struct replicas_plan plan;

		replicas_plan(&in, &plan);
		assert_int_equal(plan.weight_now, rows[i].weight);
	}
}

/* --- the goal is always reached ---------------------------------------------------------- */

/* Pods become ready at once, traffic follows at once, pods end at once: how many rounds? */
static int rounds(int r, int surge, int unavailable, int target, int capacity)
{
	struct replicas_input in = {.replicas = r,
	                            .surge = surge,
	                            .unavailable = unavailable,
	                            .target_weight = target,
	                            .capacity = capacity,
	                            .held_old = 100,
	                            .old_track = {r, r, r, 0}};
	struct replicas_plan plan;
	int floor = r - (surge || unavailable ? unavailable : 1);

	for (int i = 0; i < 4 * r + 10; i++) {
		replicas_plan(&in, &plan);
		if (!plan.waiting_for)
			return i;
		in.old_track =
			(struct replicas_track){plan.old_spec, plan.old_spec, plan.old_spec, 0};
		in.new_track =
			(struct replicas_track){plan.new_spec, plan.new_spec, plan.new_spec, 0};
		assert_true(plan.old_spec + plan.new_spec <= r + surge);
		/* The new pods count here before they are ready, so only the floor is sharp. */
		assert_true(plan.old_spec + plan.new_spec >= floor);
		if (plan.weight_now > in.held_new) {
			in.held_new = plan.weight_now;
			in.held_old = 100 - plan.weight_now;
		}
	}
	fail_msg("R %d surge %d unavailable %d target %d: stuck at %d+%d, waiting for %s", r, surge,
	         unavailable, target, in.old_track.spec, in.new_track.spec, plan.waiting_for);
	return -1;
}

static void test_no_dead_lock(void **state)
{
	(void)state;
	for (int r = 0; r <= 240; r += r < 30 ? 1 : 7)
		for (int surge = 0; surge <= 3; surge++)
			for (int unavailable = 0; unavailable <= 3; unavailable++)
				for (int target = 0; target <= 100; target += 5)
					for (int c = 0; c <= r; c += 1 + r / 3)
						rounds(r, surge, unavailable, target, c);
}

/* --- split ------------------------------------------------------------------------------- */

static void test_split(void **state)
{
	static const struct {
		int n, weights[4];
		unsigned zones;
		int out[4];
	} rows[] = {
		{6, {1, 1, 1}, 3, {2, 2, 2}},
		{7, {1, 1, 1}, 3, {3, 2, 2}},
		{1, {1, 1, 1}, 3, {1, 0, 0}},
		{0, {1, 1}, 2, {0, 0}},
		{10, {3, 1}, 2, {8, 2}},
		{4, {0, 0, 0}, 3, {4, 0, 0}},
		{5, {1, 0, 1}, 3, {3, 0, 2}},
		{9, {100, 1}, 2, {9, 0}},
		{3, {1, 2, 3, 4}, 4, {0, 1, 1, 1}},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		int out[4] = {-1, -1, -1, -1};

		replicas_split(rows[i].n, rows[i].weights, rows[i].zones, out);
		assert_memory_equal(out, rows[i].out, rows[i].zones * sizeof(int));
	}
}

static void test_split_gives_one_more_to_exactly_one_zone(void **state)
{
	(void)state;
	for (int seed = 0; seed < 200; seed++) {
		int weights[5], last[5] = {0};

		for (int z = 0; z < 5; z++)
			weights[z] = seed * (z + 3) * 7 % 101;
		for (int n = 1; n < 60; n++) {
			int now[5], grown = 0;

			replicas_split(n, weights, 5, now);
			for (int z = 0; z < 5; z++) {
				assert_true(now[z] >= last[z]);
				grown += now[z] - last[z];
			}
			assert_int_equal(grown, 1);
			memcpy(last, now, sizeof(last));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_new_pods_are_monotone_in_weight),
		cmocka_unit_test(test_capacity_apart_from_weight),
		cmocka_unit_test(test_new_pods_are_monotone_in_weight_with_any_capacity),
		cmocka_unit_test(test_goals),
		cmocka_unit_test(test_steps_by_replica_ratio),
		cmocka_unit_test(test_steps_with_held_shares),
		cmocka_unit_test(test_weight_back),
		cmocka_unit_test(test_terminating_pods_hold_their_places),
		cmocka_unit_test(test_weight_that_ready_pods_carry),
		cmocka_unit_test(test_no_dead_lock),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_gives_one_more_to_exactly_one_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
