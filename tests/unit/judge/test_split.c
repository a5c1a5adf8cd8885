/*
 * Looks in which the split between the versions changed: what then comes over both is nobody's, a
 * bad version is found all the same, and a good one is not called good for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"
#include "tidegate/base/alloc.h"
#include "tidegate/judge/sequential.h"

#define LOOK_S  5.0
#define STREAMS 2000

/* One time in which nothing changes. */
struct phase {
	double seconds, split; /* canary's share */
	double canary_bad, stable_bad;
};

struct story {
	double rate; /* requests a second */
	double before, after;
	double outage; /* bad requests of both from some moment of the look in which it changes on
	                */
	double canary_bad;
};

static struct sequential *judge_new(void)
{
	struct sequential_options o;

	sequential_options_default(&o);
	o.looks = true;
	return sequential_new(&o);
}

static void count(struct rng *r, const struct phase *p, double rate, struct sequential_sample *x)
{
	double share = x->canary ? p->split : 1 - p->split;
	long n = rng_poisson(r, rate * share * p->seconds);

	x->requests += (double)n;
	x->errors += (double)rng_binomial(r, n, x->canary ? p->canary_bad : p->stable_bad);
}

static void look(struct sequential *s, struct rng *r, double t, double rate,
                 const struct phase *phases, unsigned n)
{
	for (int canary = 0; canary < 2; canary++) {
		struct sequential_sample x = {
			.t = t, .stratum = "z", .pod = canary ? "c" : "s", .canary = canary};

		for (unsigned i = 0; i < n; i++)
			count(r, &phases[i], rate, &x);
		sequential_observe(s, &x);
	}
}

/* Two looks before, the one with the change, one after it. True: FAIL. */
static bool run(const struct story *y, uint64_t seed, bool told)
{
	struct sequential *s = judge_new();
	struct rng r = {seed * 7919 + 13};
	double change = LOOK_S * rng_uniform(&r);
	double down = change + (LOOK_S - change) * rng_uniform(&r);
	struct phase p[] = {
		{LOOK_S, y->before, y->canary_bad, 0},
		{change, y->before, y->canary_bad, 0},
		{down - change, y->after, y->canary_bad, 0},
		{LOOK_S - down, y->after, y->canary_bad + y->outage, y->outage},
		{LOOK_S, y->after, y->canary_bad + y->outage, y->outage},
	};
	bool failed;

	for (int i = 0; i < 2; i++, sequential_look_end(s, 5 * i))
		look(s, &r, 5 * i, y->rate, &p[0], 1);
	look(s, &r, 10, y->rate, &p[1], 3);
	if (told)
		sequential_look_split(s, "z", y->after);
	sequential_look_end(s, 10);
	look(s, &r, 15, y->rate, &p[4], 1);
	sequential_look_end(s, 15);
	failed = sequential_verdict(s, 15) == JUDGE_FAIL;
	sequential_free(s);
	return failed;
}

static double share_failed(const struct story *y, bool told)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STREAMS; i++)
		n += run(y, i + 1, told);
	return (double)n / STREAMS;
}

/* Of the first two a judge who is not told takes hardly any for bad: too few requests. */
static void test_an_outage_after_the_change_is_nobodys(void **state)
{
	static const struct story stories[] = {
		{20, 0, 0.1, 0.5, 0},  {20, 0.1, 0.5, 0.5, 0}, {200, 0, 0.5, 1, 0},
		{200, 0.2, 0.5, 1, 0}, {500, 0, 0.1, 0.3, 0},  {500, 0.1, 0.9, 0.5, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(stories); i++) {
		assert_true(share_failed(&stories[i], true) <= 0.001);
		if (i >= 2)
			assert_true(share_failed(&stories[i], false) >= 0.1);
	}
}

static void test_a_bad_version_is_found_all_the_same(void **state)
{
	static const struct story stories[] = {
		{20, 0, 0.1, 0, 0.5},
		{100, 0, 0.1, 0, 0.5},
		{100, 0, 0.05, 0, 1},
		{500, 0, 0.1, 0, 0.1},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(stories); i++)
		assert_true(share_failed(&stories[i], true) >= (i ? 0.999 : 0.9));
}

static void observe(struct sequential *s, double t, const char *zone, bool canary, double requests,
                    double errors)
{
	struct sequential_sample x = {.t = t,
	                              .stratum = zone,
	                              .pod = canary ? "c" : "s",
	                              .canary = canary,
	                              .requests = requests,
	                              .errors = errors};

	sequential_observe(s, &x);
}

static double log_evidence(const struct sequential *s, double t)
{
	struct sequential_result res;

	sequential_result(s, t, &res);
	return res.metrics[0].log_evidence;
}

/* An outage before the change hits the stable version alone: no praise of the canary. */
static void test_nothing_of_it_counts_for_pass(void **state)
{
	(void)state;
	for (int told = 0; told < 2; told++) {
		struct sequential *s = judge_new();

		for (int t = 0; t < 20; t += 5) {
			observe(s, t, "z", false, 5000, 1000);
			observe(s, t, "z", true, 200, 2);
			if (told)
				sequential_look_split(s, "z", 0.1);
			sequential_look_end(s, t);
		}
		assert_int_equal(sequential_verdict(s, 20), told ? JUDGE_NONE : JUDGE_PASS);
		sequential_free(s);
	}
}

/* A share that nobody knows, or too few requests to go by it: the look is no evidence. */
static void test_what_has_no_measure_says_nothing(void **state)
{
	static const double shares[] = {1, 0.5};
	static const double requests[] = {1000, 2};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shares); i++) {
		struct sequential *s = judge_new();

		observe(s, 5, "z", false, 1000, 0);
		observe(s, 5, "z", true, requests[i], requests[i]);
		sequential_look_split(s, "z", shares[i]);
		sequential_look_end(s, 5);
		assert_true(log_evidence(s, 5) == 0);
		/* Of that look only. */
		observe(s, 10, "z", false, 1000, 0);
		observe(s, 10, "z", true, requests[i], requests[i]);
		sequential_look_end(s, 10);
		assert_true(log_evidence(s, 10) > 5);
		sequential_free(s);
	}
}

/* Versions in different zones are compared over all of these, by the share of all. */
static void test_lonely_zones_go_by_the_share_of_all(void **state)
{
	(void)state;
	for (int told = 0; told < 2; told++) {
		struct sequential *s = judge_new();

		for (int t = 0; t <= 30; t += 5) {
			observe(s, t, "b", false, 1000, 0);
			observe(s, t, "a", true, 100, 100);
			if (told)
				sequential_look_split(s, NULL, 1);
			sequential_look_end(s, t);
		}
		assert_true(told ? log_evidence(s, 30) == 0 : log_evidence(s, 30) > 5);
		sequential_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_outage_after_the_change_is_nobodys),
		cmocka_unit_test(test_a_bad_version_is_found_all_the_same),
		cmocka_unit_test(test_nothing_of_it_counts_for_pass),
		cmocka_unit_test(test_what_has_no_measure_says_nothing),
		cmocka_unit_test(test_lonely_zones_go_by_the_share_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
