/* Burn rates: when a missed objective is a breach, and when it is chance, a burst or the past. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/judge/burn.h"

#define START 1700000000.0

/* `rate` requests a second for `span` seconds, every n-th one bad (0: none). */
static double feed(struct burn *b, double t, double span, double rate, int every)
{
	double carry = 0;

	for (double end = t + span; t < end; t += 5) {
		double bad;

		carry += every ? rate * 5 / every + 1e-9 : 0;
		bad = floor(carry);
		carry -= bad;
		burn_add(b, t, rate * 5, bad);
	}
	return t;
}

static bool breaches(const struct burn *b, double t, struct burn_result *r)
{
	burn_result(b, "availability", t, r);
	return r->breach;
}

static void test_a_service_on_budget_never_breaches(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;
	double t = START;

	(void)state;
	for (int i = 0; i < 24 * 72; i++) {
		t = feed(b, t, 50, 20, 1000);
		assert_false(breaches(b, t, &r));
	}
	assert_true(fabs(r.rates[0].long_rate - 1) < 0.1);
	assert_true(fabs(r.rates[1].long_rate - 1) < 0.1);
	/* one day of thirty at the budgeted rate */
	assert_true(fabs(r.budget_left - 29.0 / 30) < 0.01);
	assert_string_equal(r.text, "");
	burn_free(b);
}

static void test_a_bad_version_is_seen_within_half_a_minute(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;
	double t = START;

	(void)state;
	while (t < START + 120 && !breaches(b, t, &r))
		t = feed(b, t, 5, 20, 20); /* 5 % errors */
	assert_true(t - START >= 20 && t - START <= 35);
	assert_int_equal(r.window, 0);
	assert_non_null(strstr(r.text, "availability 95 %"));
	assert_non_null(strstr(r.text, "objective 99.9 %"));
	assert_non_null(strstr(r.text, "times too fast (limit 14.4)"));
	burn_free(b);
}

static void test_old_good_times_delay_but_do_not_hide(void **state)
{
	struct burn *b = burn_new(0.99);
	struct burn_result r;
	double t = feed(b, START, 3600, 20, 0), begin = t;

	(void)state;
	while (t < begin + 3600 && !breaches(b, t, &r))
		t = feed(b, t, 5, 20, 2); /* half of all requests */
	/* (1 - 0.99) / 0.5 * 1 h * 14.4 = 17 min; the 6 h window, of which 1 h is seen, sooner */
	assert_true(t - begin > 120 && t - begin < 1200);
	burn_free(b);
}

static void test_a_breach_ends_after_its_cause(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;
	double t = feed(b, START, 120, 20, 10);

	(void)state;
	assert_true(breaches(b, t, &r));
	t = feed(b, t, 360, 20, 0);
	assert_false(breaches(b, t, &r));
	assert_true(r.rates[0].short_rate < 14.4 && r.rates[0].long_rate > 14.4);
	burn_free(b);
}

static void test_low_traffic_is_judged_by_counts(void **state)
{
	static const struct {
		double requests;
		int bad;
		bool breach;
	} rows[] = {
		{30, 1, false}, /* burns 33 times too fast, and means nothing */
		{30, 2, false}, {30, 4, true}, {300, 3, false}, {300, 9, true},
	};
	struct burn_result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct burn *b = burn_new(0.999);

		for (int k = 0; k < 10; k++)
			burn_add(b, START + k * 20, rows[i].requests / 10,
			         k < rows[i].bad ? (rows[i].bad + 9 - k) / 10 : 0);
		assert_int_equal(breaches(b, START + 200, &r), rows[i].breach);
		burn_free(b);
	}
}

static void test_one_burst_is_no_breach(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;
	double t = feed(b, START, 60, 20, 0);

	(void)state;
	burn_add(b, t, 100, 60); /* a pod dies with all it had in hand */
	for (int i = 0; i < 60; i++) {
		t = feed(b, t, 5, 20, 0);
		assert_false(breaches(b, t, &r));
		assert_true(i > 10 || r.rates[0].long_rate > 14.4);
	}
	burn_free(b);
}

static void test_without_traffic_there_is_no_breach(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;

	(void)state;
	assert_false(breaches(b, START, &r));
	assert_true(r.budget_left == 1 && r.since == 0);
	feed(b, START, 120, 20, 2);
	assert_false(breaches(b, START + 4000, &r)); /* the past is past */
	burn_free(b);
}

static void test_the_budget_survives_a_restart(void **state)
{
	struct burn *b = burn_new(0.999);
	struct burn_result r;
	double t = START + 864000;

	(void)state;
	burn_restore(b, START, t, 1000000, 1500);
	assert_false(breaches(b, t, &r));
	assert_true(fabs(r.budget_left - 0.5) < 0.01); /* 1.5 times the rate for a third of it */
	assert_true(r.since == START && r.requests == 1000000 && r.bad == 1500);
	assert_true(r.rates[0].long_rate == 0);
	burn_restore(b, START, START - 1, 5, 5); /* from the future: not taken */
	burn_restore(b, START, t, NAN, 5);
	burn_result(b, "availability", t, &r);
	assert_true(r.requests == 1000000);
	burn_free(b);
}

/* Another one that goes on from what this one counted. */
static struct burn *resumed(const struct burn *b, double t)
{
	struct burn *next = burn_new(0.999);
	struct burn_recent r;

	burn_recent(b, t, &r);
	burn_resume(next, &r);
	return next;
}

static void test_windows_go_on_after_a_restart(void **state)
{
	struct burn *b = burn_new(0.999), *next;
	struct burn_result before, after;
	double t = feed(b, START, 4000, 20, 500);

	(void)state;
	t = feed(b, t, 200, 20, 100);
	next = resumed(b, t);
	assert_false(breaches(b, t, &before));
	assert_false(breaches(next, t, &after));
	for (int i = 0; i < BURN_WINDOWS; i++) {
		assert_true(before.rates[i].long_rate > 1);
		assert_true(fabs(after.rates[i].long_rate - before.rates[i].long_rate) < 0.02);
		assert_true(fabs(after.rates[i].short_rate - before.rates[i].short_rate) < 0.02);
	}
	/* The old counts leave the windows in time. */
	t = feed(next, t, 6 * 3600, 20, 0);
	assert_false(breaches(next, t, &after));
	assert_true(after.rates[0].long_rate == 0 && after.rates[1].long_rate < 0.01);
	burn_free(next);
	burn_free(b);
}

/* A bad day is seen for three, whoever leads. */
static void test_three_days_go_on_after_a_restart(void **state)
{
	struct burn *b = burn_new(0.999), *next;
	struct burn_result before, after;
	double t = feed(b, START, 86400, 20, 100);

	(void)state;
	t = feed(b, t, 86400, 20, 0);
	next = resumed(b, t);
	breaches(b, t, &before);
	breaches(next, t, &after);
	assert_true(before.rates[2].long_rate > 2 && before.rates[2].short_rate == 0);
	assert_true(fabs(after.rates[2].long_rate - before.rates[2].long_rate) < 0.05);
	assert_true(after.rates[2].short_rate == 0);
	t = feed(next, t, 3 * 86400, 20, 0);
	breaches(next, t, &after);
	assert_true(after.rates[2].long_rate == 0);
	burn_free(next);
	burn_free(b);
}

/* Too slow for the first window, and the second one asks for half an hour. */
static void test_a_slow_breach_is_seen_though_the_leader_changes(void **state)
{
	struct burn *b = burn_new(0.999), *fresh = burn_new(0.999), *next;
	struct burn_result r;
	double t = feed(b, START, 1500, 20, 125), end;

	(void)state;
	assert_false(breaches(b, t, &r));
	next = resumed(b, t);
	end = feed(next, t, 400, 20, 125);
	feed(fresh, t, 400, 20, 125);
	assert_true(breaches(next, end, &r));
	assert_int_equal(r.window, 1);
	assert_false(breaches(fresh, end, &r));
	burn_free(fresh);
	burn_free(next);
	burn_free(b);
}

static void test_a_new_leader_makes_no_breach_of_a_moment(void **state)
{
	struct burn *b = burn_new(0.999), *fresh = burn_new(0.999), *next;
	struct burn_result r;
	double t = feed(b, START, 3600, 20, 0);

	(void)state;
	/* Half a minute of errors in an hour; and a burst just before the change. */
	next = resumed(b, t);
	feed(fresh, t, 35, 20, 20);
	assert_true(breaches(fresh, t + 35, &r));
	assert_false(breaches(next, feed(next, t, 35, 20, 20), &r));
	burn_free(next);
	burn_free(b);
	b = burn_new(0.999);
	t = feed(b, START, 60, 20, 0);
	burn_add(b, t, 100, 60);
	next = resumed(b, t + 1);
	for (int i = 0; i < 60; i++)
		assert_false(breaches(next, t = feed(next, t + 1, 5, 20, 0), &r));
	burn_free(fresh);
	burn_free(next);
	burn_free(b);
}

static void test_nonsense_is_not_resumed(void **state)
{
	static const struct burn_recent rows[] = {
		{0, START, {1, 1, 1, 1}, {1, 1, 1, 1}},
		{START + 1, START, {1, 1, 1, 1}, {0, 0, 0, 0}},
		{START, START + 1, {1, 1, 1, 1}, {0, 0, 0, 2}},
		{START, START + 1, {NAN, 1, 1, 1}, {0, 0, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct burn *b = burn_new(0.999);
		struct burn_recent r;

		burn_resume(b, &rows[i]);
		burn_recent(b, START + 2, &r);
		assert_true(r.since == 0 && r.requests[3] == 0 && r.bad[3] == 0);
		burn_free(b);
	}
}

static void test_nonsense_is_not_counted(void **state)
{
	static const double nonsense[][3] = {{START, NAN, 0}, {START, -1, 0},   {START, 1, -1},
	                                     {NAN, 1, 1},     {-5, 1, 1},       {INFINITY, 1, 1},
	                                     {START, 0, 0},   {START, 1e300, 1}};
	struct burn *b = burn_new(1);
	struct burn_result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
		burn_add(b, nonsense[i][0], nonsense[i][1], nonsense[i][2]);
	burn_result(b, "availability", START, &r);
	assert_true(r.requests == 0 && r.since == 0);
	burn_add(b, START, 10, 20);
	burn_result(b, "availability", START, &r);
	assert_true(r.bad == 10 && isfinite(r.rates[0].long_rate) && isfinite(r.budget_left));
	burn_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_service_on_budget_never_breaches),
		cmocka_unit_test(test_a_bad_version_is_seen_within_half_a_minute),
		cmocka_unit_test(test_old_good_times_delay_but_do_not_hide),
		cmocka_unit_test(test_a_breach_ends_after_its_cause),
		cmocka_unit_test(test_low_traffic_is_judged_by_counts),
		cmocka_unit_test(test_one_burst_is_no_breach),
		cmocka_unit_test(test_without_traffic_there_is_no_breach),
		cmocka_unit_test(test_the_budget_survives_a_restart),
		cmocka_unit_test(test_windows_go_on_after_a_restart),
		cmocka_unit_test(test_three_days_go_on_after_a_restart),
		cmocka_unit_test(test_a_slow_breach_is_seen_though_the_leader_changes),
		cmocka_unit_test(test_a_new_leader_makes_no_breach_of_a_moment),
		cmocka_unit_test(test_nonsense_is_not_resumed),
		cmocka_unit_test(test_nonsense_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
