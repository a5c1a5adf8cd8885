/* Which zone misses an objective that the others keep, and which does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/failover/miss.h"

static struct {
	struct miss m;
	int64_t now;
	double rate[3]; /* requests a second */
	double bad[3];  /* share of them */
	double owed[3]; /* parts of a bad one */
	unsigned changes;
} w;

static const char *const names[] = {"a", "b", "c"};

static void world(double target)
{
	memset(&w, 0, sizeof(w));
	miss_init(&w.m, target);
	w.now = 1700000000000;
	for (int z = 0; z < 3; z++)
		w.rate[z] = 20;
}

static void run(int seconds)
{
	for (int i = 0; i < seconds; i++, w.now += 1000)
		for (int z = 0; z < 3; z++) {
			double bad;

			w.owed[z] += w.rate[z] * w.bad[z];
			bad = (double)(int)w.owed[z];
			w.owed[z] -= bad;
			if (w.rate[z] > 0)
				w.changes += miss_add(&w.m, names[z], w.now, w.rate[z], bad);
		}
}

static int seconds_until(int zone, bool misses)
{
	for (int s = 0; s < 120; s++) {
		if (miss_is(&w.m, names[zone]) == misses)
			return s;
		run(1);
	}
	return 120;
}

static void test_what_is_a_miss(void **st)
{
	static const struct {
		double target, a, b, c;
		bool misses; /* zone a */
	} rows[] = {
		{0.99, 0, 0, 0, false},         {0.99, 0.2, 0, 0, true},
		{0.99, 0.13, 0, 0, false},      /* below 14.4 times the budget */
		{0.9995, 0.09, 0, 0, false},    /* below 10 % */
		{0.9995, 0.11, 0, 0, true},     /* 10 % is far more than the budget */
		{0.9, 0.45, 0, 0, false},       /* a wide objective: half of them */
		{0.9, 0.55, 0, 0, true},        /* ... is a miss all the same */
		{0.99, 0.3, 0.3, 0.3, false},   /* all are bad: no zone's fault */
		{0.99, 0.3, 0.05, 0.05, true},  /* others are not quite well */
		{0.99, 0.3, 0.1, 0.1, false},   /* others are nearly as bad */
		{0.99, 0.9, 0.16, 0.16, false}, /* others miss it as well */
		{0.99, 1, 0, 0, true},
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world(rows[i].target);
		w.bad[0] = rows[i].a;
		w.bad[1] = rows[i].b;
		w.bad[2] = rows[i].c;
		run(120);
		if (miss_is(&w.m, "a") != rows[i].misses)
			fail_msg("row %zu", i);
		assert_false(miss_is(&w.m, "b"));
		assert_int_equal(w.changes, rows[i].misses);
	}
}

static void test_it_takes_three_looks_and_three_to_be_well(void **st)
{
	(void)st;
	world(0.99);
	run(60);
	w.bad[0] = 1;
	assert_in_range(seconds_until(0, true), 11, 25);
	/* Half of the limit is not well yet. */
	w.bad[0] = 0.1;
	run(120);
	assert_true(miss_is(&w.m, "a"));
	w.bad[0] = 0;
	assert_in_range(seconds_until(0, false), 11, 45);
	assert_int_equal(w.changes, 2);
}

/* A garbage collection, a cold cache, a burst: gone before three looks. */
static void test_five_bad_seconds_in_a_minute_are_none(void **st)
{
	(void)st;
	world(0.9995);
	for (int i = 0; i < 120; i++) {
		w.bad[0] = 0.3;
		run(5);
		w.bad[0] = 0;
		run(55);
	}
	assert_int_equal(w.changes, 0);
}

static void test_few_requests_are_no_data(void **st)
{
	(void)st;
	world(0.99);
	w.rate[0] = 3;
	w.bad[0] = 1;
	run(120);
	assert_false(miss_is(&w.m, "a"));
	/* Nor are few elsewhere anything to compare with. */
	world(0.99);
	w.rate[1] = w.rate[2] = 1;
	w.bad[0] = 1;
	run(120);
	assert_false(miss_is(&w.m, "a"));
}

static void test_a_zone_without_traffic_is_forgotten(void **st)
{
	(void)st;
	world(0.99);
	w.bad[0] = 1;
	run(60);
	assert_true(miss_is(&w.m, "a"));
	miss_forget(&w.m, "a");
	assert_false(miss_is(&w.m, "a"));
	/* It comes back well, and stays so; or it comes back as bad. */
	w.bad[0] = 0;
	run(60);
	assert_false(miss_is(&w.m, "a"));
	w.bad[0] = 1;
	assert_true(seconds_until(0, true) <= 25);
}

/* An hour without readings, and a clock that jumps back, are looks at nothing. */
static void test_gaps(void **st)
{
	(void)st;
	world(0.99);
	w.bad[0] = 1;
	run(8);
	w.now += 3600000;
	run(8);
	assert_false(miss_is(&w.m, "a"));
	w.now -= 7200000;
	run(8);
	assert_false(miss_is(&w.m, "a"));
}

/* More zones than there is room for, one after the other: those that are silent make room. */
static void test_zones_come_and_go(void **st)
{
	char name[] = "zone-a";

	(void)st;
	world(0.99);
	for (int i = 0; i < 26; i++, name[5]++) {
		for (int k = 0; k < 60; k++, w.now += 1000) {
			miss_add(&w.m, "others", w.now, 20, 0);
			miss_add(&w.m, name, w.now, 20, 20);
		}
		assert_true(miss_is(&w.m, name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_miss),
		cmocka_unit_test(test_it_takes_three_looks_and_three_to_be_well),
		cmocka_unit_test(test_five_bad_seconds_in_a_minute_are_none),
		cmocka_unit_test(test_few_requests_are_no_data),
		cmocka_unit_test(test_a_zone_without_traffic_is_forgotten),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_zones_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
