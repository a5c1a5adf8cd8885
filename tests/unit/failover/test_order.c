/* What people want of zones: orders and ZoneShifts, on the clock of world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

/* --- what people want --------------------------------------------------------------------- */

static void evacuate(const char *text)
{
	w.evacuate = text;
	look(false);
}

static const struct mdep_zone_status *record(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	assert_non_null(s);
	return s;
}

static void test_an_order_leaves_a_zone_in_every_mode(void **st)
{
	static const enum mdep_failover modes[] = {FAILOVER_AUTOMATIC, FAILOVER_MANUAL,
	                                           FAILOVER_DISABLED};

	(void)st;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		world(3, 4);
		w.m.failover.mode = modes[i];
		run(3000);
		evacuate("a,10m,rack 7, second row");
		assert_string_equal(w.answer.outcome, "Done");
		assert_int_equal(percent(0), 0);
		assert_string_equal(record(0)->ordered_reason, "rack 7, second row");
		assert_int_equal(record(0)->ordered_until_ms, w.now + 600000);
		assert_string_equal(record(0)->reason, "Ordered");
		run(1000);
		assert_int_equal(state(0), ZONE_EVACUATED);
		run(590000);
		assert_int_equal(state(0), ZONE_EVACUATED);
		run(20000);
		assert_int_equal(state(0), ZONE_FAILBACK);
		assert_non_null(strstr(w.events, "a:ZoneOrderOver"));
		run(60000);
		assert_int_equal(state(0), ZONE_HEALTHY);
		assert_int_equal(w.m.status.nzones, 0); /* what people wanted is no relapse */
	}
}

static void test_an_order_has_bounds(void **st)
{
	static const struct {
		const char *text, *says;
		int64_t ms;
	} rows[] = {
		{"a", NULL, 12 * 3600 * 1000LL},
		{"a, 2h, why", NULL, 2 * 3600 * 1000LL},
		{"a,power", NULL, 12 * 3600 * 1000LL},
		{"a,7d", NULL, 7 * 24 * 3600 * 1000LL},
		{"a,10s#2", NULL, 10000},
		{"a,8d", "from 10s to 7d", 0},
		{"a,1s", "from 10s to 7d", 0},
		{"a,5parsecs", "parsecs", 0},
		{"d,1h", "no zone \"d\"; there are: a, b, c", 0},
		{",1h", "no zone \"\"", 0},
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world(3, 4);
		run(3000);
		evacuate(rows[i].text);
		assert_string_equal(w.answer.outcome, rows[i].says ? "Ignored" : "Done");
		if (rows[i].says && !strstr(w.answer.message, rows[i].says))
			fail_msg("%s: %s", rows[i].text, w.answer.message);
		assert_int_equal(percent(0), rows[i].says ? 100 : 0);
		if (!rows[i].says)
			assert_int_equal(record(0)->ordered_until_ms, w.now + rows[i].ms);
	}
}

static void test_the_last_healthy_zone_stays(void **st)
{
	(void)st;
	world(2, 4);
	run(3000);
	w.m.failover.mode = FAILOVER_MANUAL;
	dark(1, true);
	run(10000);
	evacuate("a,1h");
	assert_string_equal(w.answer.outcome, "Ignored");
	assert_non_null(strstr(w.answer.message, "last one"));
	assert_int_equal(percent(0), 100);
	assert_int_equal(w.m.status.nzones, 1); /* nothing is remembered of it */
}

static void test_a_second_order_needs_capacity(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	evacuate("a,1h");
	run(2000);
	evacuate("b,1h"); /* 4 ready pods of 7 that 60 % of 12 are */
	assert_string_equal(w.answer.outcome, "Ignored");
	assert_non_null(strstr(w.answer.message, "another zone is out"));
	assert_int_equal(percent(1), 100);
	w.m.failover.min_capacity = 30;
	evacuate("b,1h");
	assert_string_equal(w.answer.outcome, "Done");
	run(2000);
	assert_int_equal(state(1), ZONE_EVACUATED);
	evacuate("c,1h"); /* never all of them */
	assert_string_equal(w.answer.outcome, "Ignored");
}

static void test_an_order_short_of_capacity_takes_a_part(void **st)
{
	(void)st;
	world(2, 5);
	w.m.failover.min_capacity = 80;
	run(3000);
	evacuate("a,1h");
	assert_string_equal(w.answer.outcome, "Done");
	assert_non_null(strstr(w.answer.message, "a part stays"));
	assert_int_equal(state(0), ZONE_DEGRADED);
	assert_int_equal(percent(0), 37);
	assert_non_null(strstr(w.events, "a:ZoneOrderPartial"));
	w.per_zone = 8; /* the others have grown */
	run(5000);
	assert_int_equal(state(0), ZONE_EVACUATED);
}

/* What it kept it keeps, when the order ends before all of it was taken. */
static void test_a_part_comes_back_without_a_dip(void **st)
{
	(void)st;
	world(2, 5);
	w.m.failover.min_capacity = 80;
	run(3000);
	evacuate("a,1h");
	run(5000);
	w.give_back = "a";
	look(false);
	assert_string_equal(w.answer.outcome, "Done");
	assert_int_equal(state(0), ZONE_FAILBACK);
	assert_int_equal(percent(0), 37);
	run(10500);
	assert_int_equal(percent(0), 50);
	run(30000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_return_ends_an_order(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.failback = FAILBACK_MANUAL; /* which is about zones that failed */
	run(3000);
	evacuate("a,1h");
	run(5000);
	w.give_back = "b";
	look(false);
	assert_string_equal(w.answer.outcome, "Ignored");
	w.give_back = "a";
	look(false);
	assert_string_equal(w.answer.outcome, "Done");
	assert_int_equal(percent(0), 5);
	w.give_back = "a#2";
	look(false);
	assert_string_equal(w.answer.outcome, "Ignored");
	run(60000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_failback_manual_waits_for_return(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.failback = FAILBACK_MANUAL;
	run(3000);
	dark(0, true);
	run(10000);
	w.give_back = "a";
	look(false);
	assert_string_equal(w.answer.outcome, "Pending");
	run(100000);
	assert_int_equal(percent(0), 0);
	dark(0, false);
	run(50000);
	assert_int_equal(percent(0), 0); /* 60 s of answers first */
	run(30000);
	assert_string_equal(w.answer.outcome, "Done");
	run(60000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

/* An order does not hide that the zone fails: when it ends, the probes decide. */
static void test_a_zone_that_fails_meanwhile_stays_out(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.failback = FAILBACK_MANUAL;
	run(3000);
	evacuate("a,30s");
	run(5000);
	dark(0, true);
	run(60000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	assert_string_equal(record(0)->reason, "ProbesFail");
	dark(0, false);
	run(100000);
	assert_int_equal(state(0), ZONE_RECOVERING);
}

static void test_an_outage_beside_an_order(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.min_capacity = 30;
	run(3000);
	evacuate("a,1h");
	run(3000);
	dark(1, true);
	assert_true(until_out(1, 6000) <= 6000);
	dark(2, true); /* the last one stays, whatever it does */
	run(10000);
	assert_int_equal(state(2), ZONE_FROZEN);
	assert_int_equal(percent(2), 100);
}

static void test_an_order_about_a_zone_that_is_out_keeps_it_out(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	evacuate("a,10m");
	assert_string_equal(w.answer.outcome, "Done");
	dark(0, false);
	run(300000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	run(400000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_a_zone_without_pods_is_only_marked(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	evacuate("a,30s");
	run(2000);
	w.per_zone = 0;
	run(60000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

/* --- ZoneShifts --------------------------------------------------------------------------- */

static void shift(int z, const char *name, int64_t since_ms, int64_t for_ms)
{
	w.shifts[z] =
		(struct zone_shift){.name = name, .since_ms = since_ms, .until_ms = w.now + for_ms};
}

static void test_a_shift_holds_as_long_as_it_stands(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	shift(0, "s", 1, 3600000);
	run(2000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	assert_string_equal(record(0)->shift, "s");
	w.give_back = "a";
	look(false);
	assert_string_equal(w.answer.outcome, "Ignored");
	assert_non_null(strstr(w.answer.message, "ZoneShift s"));
	run(60000);
	w.shifts[0].name = NULL;
	run(500);
	assert_int_equal(state(0), ZONE_FAILBACK);
	run(60000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

/* A leader that cannot read them keeps to what is on record, until its time. */
static void test_shifts_that_cannot_be_read_hold(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	shift(0, "s", 1, 60000);
	run(2000);
	w.shifts_unread = true;
	w.shifts[0].name = NULL;
	run(50000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	run(10000);
	assert_int_equal(state(0), ZONE_FAILBACK);
}

static void test_the_later_end_counts(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	evacuate("a,60s");
	shift(0, "s", 1, 120000);
	run(100000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	assert_int_equal(record(0)->ordered_until_ms, 0);
	w.shifts[0].name = NULL;
	run(500);
	assert_int_equal(state(0), ZONE_FAILBACK);
	run(60000);
	shift(0, "s", 1, 10000);
	evacuate("a,60s");
	run(30000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	run(40000);
	assert_int_equal(state(0), ZONE_FAILBACK);
}

static void test_the_older_shift_comes_first(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	shift(0, "younger", 2000, 3600000);
	shift(1, "older", 1000, 3600000);
	run(2000);
	assert_int_equal(state(1), ZONE_EVACUATED);
	assert_int_equal(percent(0), 100);
	assert_string_equal(record(0)->refused, "AnotherZoneIsOut");
	assert_non_null(strstr(w.events, "a:ZoneOrderRefused"));
	w.shifts[1].name = NULL; /* and then it is the other's turn */
	run(120000);
	assert_int_equal(state(1), ZONE_HEALTHY);
	assert_int_equal(state(0), ZONE_EVACUATED);
	assert_null(record(0)->refused);
}

static void test_what_people_want_is_told(void **st)
{
	struct failover_plan plan = {.nzones = 0};
	char text[256], small[40];

	(void)st;
	world(3, 4);
	run(3000);
	shift(0, "maintenance", 1, 3600000);
	run(2000);
	memcpy(plan.zones, w.records, sizeof(plan.zones));
	plan.nzones = w.m.status.nzones;
	failover_describe(&plan, text, sizeof(text));
	assert_non_null(strstr(text, "a is Evacuated (Ordered) until 2023-11-14T23:"));
	assert_non_null(strstr(text, "by ZoneShift maintenance"));
	failover_describe(&plan, small, sizeof(small));
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

/* --- zones that stand by ------------------------------------------------------------------- */

/* a is Active, b stands by with so many pods. */
static void standby(int pods_b)
{
	static struct mdep_zone zones[] = {{.name = "a", .weight = 1},
	                                   {.name = "b", .weight = 1, .role = ZONE_STANDBY}};

	world(2, 4);
	w.m.nzones = 2;
	w.m.zones = zones;
	w.m.replicas = 4;
	w.pods_of[1] = pods_b;
	run(3000);
}

static void test_the_only_active_zone_waits_for_the_standby(void **st)
{
	static const bool by_order[] = {false, true};

	(void)st;
	for (size_t i = 0; i < 2; i++) {
		standby(0);
		assert_int_equal(w.m.status.nzones, 0);
		if (by_order[i])
			evacuate("a,1h");
		else
			dark(0, true);
		run(10000);
		assert_int_equal(state(0), ZONE_DEGRADED); /* its part is made in b */
		assert_int_equal(percent(0), 100);
		w.pods_of[1] = 1;
		run(1000);
		assert_int_equal(percent(0), 50); /* one of the two that 60 % of 4 are */
		w.pods_of[1] = 4;
		run(2000);
		assert_int_equal(state(0), ZONE_EVACUATED);
	}
}

static void test_a_standby_is_not_waited_for_by_hand(void **st)
{
	(void)st;
	standby(0);
	w.m.failover.mode = FAILOVER_MANUAL;
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_FROZEN);
	assert_int_equal(percent(0), 100);
}

/* A zone without pods that people keep out is not brought in. */
static void test_a_standby_can_be_kept_out(void **st)
{
	(void)st;
	standby(0);
	evacuate("b,30s");
	assert_string_equal(w.answer.outcome, "Done");
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_FROZEN);
	run(30000);
	assert_int_equal(state(1), ZONE_HEALTHY);
	assert_int_equal(state(0), ZONE_DEGRADED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_order_leaves_a_zone_in_every_mode),
		cmocka_unit_test(test_an_order_has_bounds),
		cmocka_unit_test(test_the_last_healthy_zone_stays),
		cmocka_unit_test(test_a_second_order_needs_capacity),
		cmocka_unit_test(test_an_order_short_of_capacity_takes_a_part),
		cmocka_unit_test(test_a_part_comes_back_without_a_dip),
		cmocka_unit_test(test_return_ends_an_order),
		cmocka_unit_test(test_failback_manual_waits_for_return),
		cmocka_unit_test(test_a_zone_that_fails_meanwhile_stays_out),
		cmocka_unit_test(test_an_outage_beside_an_order),
		cmocka_unit_test(test_an_order_about_a_zone_that_is_out_keeps_it_out),
		cmocka_unit_test(test_a_zone_without_pods_is_only_marked),
		cmocka_unit_test(test_a_shift_holds_as_long_as_it_stands),
		cmocka_unit_test(test_shifts_that_cannot_be_read_hold),
		cmocka_unit_test(test_the_later_end_counts),
		cmocka_unit_test(test_the_older_shift_comes_first),
		cmocka_unit_test(test_what_people_want_is_told),
		cmocka_unit_test(test_the_only_active_zone_waits_for_the_standby),
		cmocka_unit_test(test_a_standby_is_not_waited_for_by_hand),
		cmocka_unit_test(test_a_standby_can_be_kept_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
