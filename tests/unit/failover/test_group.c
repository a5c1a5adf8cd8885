/* Many models and one zone: one decision, in order, at a rate; and when nobody leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/group.h"

#define MODELS 1000

static struct {
	struct group *g;
	int64_t now;
	unsigned decisions;
	struct {
		char name[32];
		int priority;
		int64_t gone_ms; /* when it was let go; 0 = not yet */
	} m[MODELS];
} w;

static int world(void **st)
{
	(void)st;
	memset(&w, 0, sizeof(w));
	w.g = group_new();
	w.now = 50000;
	for (int i = 0; i < MODELS; i++)
		snprintf(w.m[i].name, sizeof(w.m[i].name), "shop/m%03d", i);
	return 0;
}

static int end(void **st)
{
	(void)st;
	group_free(w.g);
	return 0;
}

static struct group_answer ask_of(unsigned i, const char *zone, unsigned models, unsigned bad,
                                  enum zone_lane lane)
{
	struct group_question q = {.model = w.m[i].name,
	                           .zone = zone,
	                           .lane = lane,
	                           .priority = w.m[i].priority,
	                           .now_ms = w.now,
	                           .models = models,
	                           .bad = bad};
	struct group_answer a;

	group_ask(w.g, &q, &a);
	w.decisions += a.decided;
	return a;
}

static enum zone_say ask(unsigned i, const char *zone, unsigned models, unsigned bad)
{
	return ask_of(i, zone, models, bad, ZONE_LANE_LEAVE).say;
}

/* It is out, as its status says then. */
static void go(unsigned i, const char *zone)
{
	w.m[i].gone_ms = w.now;
	group_rest(w.g, w.m[i].name);
	group_record(w.g, w.m[i].name, zone);
}

static unsigned index_of(const char *name)
{
	for (unsigned i = 0; i < MODELS; i++)
		if (str_eq(w.m[i].name, name))
			return i;
	fail_msg("unknown model %s", name);
	return 0;
}

/* Time goes on until nobody waits any more; whoever is named asks again and goes. */
static void let_go(const char *zone, enum zone_lane lane)
{
	const char *name;
	int64_t wait;

	while ((wait = group_wait_ms(w.g, w.now)) >= 0) {
		w.now += wait;
		name = group_next(w.g, w.now);
		assert_non_null(name);
		if (str_eq(name, "shop/x")) {
			group_rest(w.g, name);
			continue;
		}
		assert_int_equal(ask_of(index_of(name), zone, MODELS, MODELS, lane).say, ZONE_GO);
		go(index_of(name), lane == ZONE_LANE_LEAVE ? zone : NULL);
	}
}

static unsigned gone_within(int64_t from, int64_t ms)
{
	unsigned n = 0;

	for (int i = 0; i < MODELS; i++)
		n += w.m[i].gone_ms >= from && w.m[i].gone_ms < from + ms;
	return n;
}

static void all_ask(const char *zone)
{
	for (unsigned i = 0; i < MODELS; i++)
		if (ask(i, zone, MODELS, MODELS) == ZONE_GO)
			go(i, zone);
}

/* --- tests --------------------------------------------------------------------------------- */

static void test_a_thousand_models_are_one_decision(void **st)
{
	int64_t began = w.now;

	(void)st;
	all_ask("a");
	assert_int_equal(w.decisions, 1);
	assert_int_equal(gone_within(began, 1), 32);
	let_go("a", ZONE_LANE_LEAVE);
	for (int i = 0; i < MODELS; i++)
		assert_true(w.m[i].gone_ms > 0);
	assert_true(w.now - began <= 10000);
	for (int64_t t = began; t < w.now; t += 500)
		assert_true(gone_within(t, 1000) <= 100 + 32);
}

static void test_critical_models_go_first(void **st)
{
	int64_t last_critical = 0, first_other = INT64_MAX;

	(void)st;
	for (unsigned i = 600; i < 700; i++)
		w.m[i].priority = 1000000;
	all_ask("a");
	let_go("a", ZONE_LANE_LEAVE);
	for (unsigned i = 100; i < MODELS; i++)
		if (w.m[i].priority && w.m[i].gone_ms > last_critical)
			last_critical = w.m[i].gone_ms;
		else if (!w.m[i].priority && w.m[i].gone_ms < first_other)
			first_other = w.m[i].gone_ms;
	assert_true(last_critical < first_other);
}

static void test_among_equals_who_asked_first_goes_first(void **st)
{
	(void)st;
	all_ask("a");
	let_go("a", ZONE_LANE_LEAVE);
	for (unsigned i = 1; i < MODELS; i++)
		assert_true(w.m[i].gone_ms >= w.m[i - 1].gone_ms);
}

static void test_asking_again_takes_no_second_turn(void **st)
{
	(void)st;
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(0, "a", MODELS, MODELS), ZONE_GO);
	for (unsigned i = 1; i < 32; i++)
		assert_int_equal(ask(i, "a", MODELS, MODELS), ZONE_GO);
	assert_int_equal(ask(32, "a", MODELS, MODELS), ZONE_WAIT);
	assert_int_equal(ask(32, "a", MODELS, MODELS), ZONE_WAIT);
	assert_string_equal(group_next(w.g, w.now + 10), w.m[32].name);
	assert_null(group_next(w.g, w.now + 1000));
}

static void test_who_recovers_leaves_the_queue(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 34; i++)
		ask(i, "a", MODELS, MODELS);
	group_rest(w.g, w.m[32].name);
	assert_string_equal(group_next(w.g, w.now + 10), w.m[33].name);
	assert_int_equal(group_wait_ms(w.g, w.now), -1);
}

static void test_a_second_zone_waits_for_the_first(void **st)
{
	(void)st;
	all_ask("a");
	let_go("a", ZONE_LANE_LEAVE);
	w.now += GROUP_STORM_MS;
	for (unsigned i = 0; i < MODELS; i++)
		assert_int_equal(ask(i, "b", MODELS, MODELS), ZONE_ANOTHER);
	assert_int_equal(w.decisions, 1);
	/* Nine of ten are back: what is left of the first does not hold up the second. */
	for (unsigned i = 0; i < 900; i++)
		group_record(w.g, w.m[i].name, NULL);
	assert_int_equal(ask(0, "b", MODELS, MODELS), ZONE_GO);
	assert_int_equal(w.decisions, 2);
}

/* With recoverAfter of seconds the first may be well again before a storm would be over. */
static void test_a_zone_that_all_are_back_in_holds_up_nobody(void **st)
{
	(void)st;
	assert_int_equal(ask(0, "a", 1, 1), ZONE_GO);
	go(0, "a");
	w.now += 10000;
	assert_int_equal(ask(1, "b", 1, 1), ZONE_ANOTHER);
	group_record(w.g, w.m[0].name, NULL);
	assert_int_equal(ask(1, "b", 1, 1), ZONE_GO);
	assert_int_equal(w.decisions, 2);
}

/* What a model does in a zone is no case of the zone's, though no other model is there to compare
 * with. */
static void test_an_own_affair_decides_nothing(void **st)
{
	struct group_question q = {.model = "shop/x",
	                           .zone = "a",
	                           .now_ms = w.now,
	                           .models = 1,
	                           .bad = 1,
	                           .own_affair = true};
	struct group_answer a;

	(void)st;
	group_ask(w.g, &q, &a);
	assert_int_equal(a.say, ZONE_WAIT);
	q.now_ms = w.now += GROUP_ALONE_MS;
	group_ask(w.g, &q, &a);
	assert_int_equal(a.say, ZONE_GO);
	assert_true(a.alone);
	assert_false(a.decided);
	assert_int_equal(ask(0, "b", MODELS, MODELS), ZONE_GO);
}

static void test_a_new_leader_knows_what_is_out(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 500; i++)
		group_record(w.g, w.m[i].name, "a");
	assert_int_equal(ask(0, "b", MODELS, MODELS), ZONE_ANOTHER);
	assert_int_equal(ask(600, "a", MODELS, MODELS), ZONE_GO);
	assert_int_equal(w.decisions, 0);
}

static void test_one_bad_model_leaves_alone(void **st)
{
	struct group_answer a;

	(void)st;
	group_record(w.g, w.m[9].name, "b"); /* whatever other zones do */
	a = ask_of(0, "a", 10, 1, ZONE_LANE_LEAVE);
	assert_int_equal(a.say, ZONE_WAIT);
	assert_int_equal(a.wake_ms, GROUP_ALONE_MS);
	w.now += GROUP_ALONE_MS;
	a = ask_of(0, "a", 10, 1, ZONE_LANE_LEAVE);
	assert_int_equal(a.say, ZONE_GO);
	assert_true(a.alone);
	assert_int_equal(w.decisions, 0);
}

/* Refused connections are seen at different times: who comes first is not alone for long. */
static void test_who_comes_first_waits_for_the_others(void **st)
{
	(void)st;
	assert_int_equal(ask(0, "a", 10, 1), ZONE_WAIT);
	w.now += 500;
	assert_int_equal(ask(1, "a", 10, 6), ZONE_GO);
	assert_int_equal(ask(0, "a", 10, 6), ZONE_GO);
	assert_int_equal(w.decisions, 1);
}

static void test_different_zones_at_once_are_a_storm(void **st)
{
	static const char *const zones[] = {"a", "b", "c"};

	(void)st;
	for (unsigned i = 0; i < 9; i++)
		ask(i, zones[i % 3], 20, 3);
	w.now += GROUP_ALONE_MS;
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(ask(i, zones[i % 3], 20, 3), ZONE_STORM);
	/* It is over half a minute after the zones agree. */
	for (unsigned i = 0; i < 9; i++)
		if (i % 3)
			group_rest(w.g, w.m[i].name);
	w.now += GROUP_STORM_MS;
	assert_int_equal(ask(0, "a", 20, 3), ZONE_GO);
}

static void test_all_zones_bad_at_once_are_a_storm(void **st)
{
	struct group_question q = {.model = "shop/x",
	                           .zone = "a",
	                           .now_ms = w.now,
	                           .models = 10,
	                           .bad = 10,
	                           .bad_elsewhere = 8};
	struct group_answer a;

	(void)st;
	group_ask(w.g, &q, &a);
	assert_int_equal(a.say, ZONE_STORM);
	q.bad_elsewhere = 2; /* these two have troubles of their own */
	group_ask(w.g, &q, &a);
	assert_int_equal(a.say, ZONE_GO);
}

/* While all leave one zone, a model that is bad alone in another is still that. */
static void test_a_decided_zone_makes_no_storm(void **st)
{
	struct group_question q = {.model = "shop/x",
	                           .zone = "b",
	                           .now_ms = w.now,
	                           .models = MODELS,
	                           .bad = 1,
	                           .bad_elsewhere = MODELS};
	struct group_answer a;

	(void)st;
	all_ask("a");
	group_ask(w.g, &q, &a);
	q.now_ms += GROUP_ALONE_MS;
	group_ask(w.g, &q, &a);
	assert_int_equal(a.say, ZONE_WAIT); /* behind those of a, no storm */
	let_go("a", ZONE_LANE_LEAVE);
}

/* Two models with troubles of their own in two zones are not yet a storm. */
static void test_two_models_of_their_own_are_none(void **st)
{
	(void)st;
	ask(0, "a", 10, 1);
	ask(1, "b", 10, 1);
	w.now += GROUP_ALONE_MS;
	assert_int_equal(ask(0, "a", 10, 1), ZONE_GO);
	assert_int_equal(ask(1, "b", 10, 1), ZONE_GO);
}

static void test_the_way_back_is_spread(void **st)
{
	int64_t began = w.now;

	(void)st;
	for (unsigned i = 0; i < MODELS; i++) {
		group_record(w.g, w.m[i].name, "a");
		if (ask_of(i, "a", MODELS, 0, ZONE_LANE_RETURN).say == ZONE_GO)
			go(i, NULL);
	}
	let_go("a", ZONE_LANE_RETURN);
	assert_in_range(w.now - began, 40000, 60000);
	for (int64_t t = began; t < w.now; t += 500)
		assert_true(gone_within(t, 1000) <= 20 + 8);
}

static void test_a_deleted_model_is_forgotten(void **st)
{
	(void)st;
	group_record(w.g, w.m[0].name, "a");
	for (unsigned i = 1; i < 40; i++)
		ask(i, "a", 40, 40);
	for (unsigned i = 0; i < 40; i++)
		group_forget(w.g, w.m[i].name);
	assert_int_equal(group_wait_ms(w.g, w.now), -1);
	w.now += GROUP_STORM_MS;
	assert_int_equal(ask(0, "b", 40, 40), ZONE_GO);
}

/* A question is no dearer among ten times as many models. */
static void test_cost_of_a_question(void **st)
{
	enum { MANY = 20000 };
	int64_t began = clock_cpu_ms(), took;
	char name[32];

	(void)st;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			struct group_question q = {.model = name,
			                           .zone = "a",
			                           .priority = i % 7,
			                           .now_ms = w.now + round * 1000,
			                           .models = MANY,
			                           .bad = MANY};
			struct group_answer a;

			snprintf(name, sizeof(name), "shop/n%d", i);
			group_ask(w.g, &q, &a);
			assert_true(a.say == ZONE_GO || a.say == ZONE_WAIT);
		}
	}
	took = clock_cpu_ms() - began;
	/* 60,000 questions: some 30 ms, with sanitizers ten times that; squared it would be
	 * minutes. */
	assert_true(took < 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_thousand_models_are_one_decision, world,
	                                        end),
		cmocka_unit_test_setup_teardown(test_critical_models_go_first, world, end),
		cmocka_unit_test_setup_teardown(test_among_equals_who_asked_first_goes_first, world,
	                                        end),
		cmocka_unit_test_setup_teardown(test_asking_again_takes_no_second_turn, world, end),
		cmocka_unit_test_setup_teardown(test_who_recovers_leaves_the_queue, world, end),
		cmocka_unit_test_setup_teardown(test_a_second_zone_waits_for_the_first, world, end),
		cmocka_unit_test_setup_teardown(test_a_zone_that_all_are_back_in_holds_up_nobody,
	                                        world, end),
		cmocka_unit_test_setup_teardown(test_an_own_affair_decides_nothing, world, end),
		cmocka_unit_test_setup_teardown(test_a_new_leader_knows_what_is_out, world, end),
		cmocka_unit_test_setup_teardown(test_one_bad_model_leaves_alone, world, end),
		cmocka_unit_test_setup_teardown(test_who_comes_first_waits_for_the_others, world,
	                                        end),
		cmocka_unit_test_setup_teardown(test_different_zones_at_once_are_a_storm, world,
	                                        end),
		cmocka_unit_test_setup_teardown(test_all_zones_bad_at_once_are_a_storm, world, end),
		cmocka_unit_test_setup_teardown(test_a_decided_zone_makes_no_storm, world, end),
		cmocka_unit_test_setup_teardown(test_two_models_of_their_own_are_none, world, end),
		cmocka_unit_test_setup_teardown(test_the_way_back_is_spread, world, end),
		cmocka_unit_test_setup_teardown(test_a_deleted_model_is_forgotten, world, end),
		cmocka_unit_test_setup_teardown(test_cost_of_a_question, world, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
