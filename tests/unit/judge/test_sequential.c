/*
 * The judge on simulated streams with fixed seeds: declared error rates are kept, faults are
 * found in time, and nothing is said where nothing is known.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "tidegate/base/alloc.h"
#include "tidegate/judge/sequential.h"

#define SCRAPE_S 2.0

struct stream {
	double seconds;
	double canary_rps, stable_rps;
	double canary_errors, stable_errors; /* shares */
	double canary_ms, stable_ms;         /* median latency; 0 = no histogram */
	double rate_cv;                      /* of the request rate, per scrape */
	double pod_spread;                   /* of each pod's error share */
	unsigned stable_pods;
	bool zones; /* pods are spread over three strata */
};

static const double bounds[] = {0.001,  0.0018, 0.0032, 0.0058, 0.0105, 0.0189, 0.034,
                                0.0612, 0.11,   0.198,  0.357,  0.643,  1.157,  INFINITY};

static void fill_latency(struct rng *r, double median_ms, struct sequential_sample *x)
{
	double t;

	x->nbuckets = ARRAY_SIZE(bounds);
	for (unsigned i = 0; i < x->nbuckets; i++) {
		x->bounds[i] = bounds[i];
		x->counts[i] = 0;
	}
	for (long k = 0; k < (long)x->requests; k++) {
		t = median_ms / 1000 * exp(0.5 * rng_normal(r));
		for (unsigned i = 0; i < x->nbuckets; i++)
			x->counts[i] += t <= bounds[i];
	}
}

static void observe_pod(struct sequential *s, struct rng *r, const struct stream *p, double t,
                        unsigned pod, bool canary, double load, double share)
{
	static const char *const zones[] = {"a", "b", "c"};
	char name[16] = {(char)('A' + pod % 26), canary ? 'c' : 's', '\0'};
	struct sequential_sample x = {
		.t = t, .stratum = p->zones ? zones[pod % 3] : "", .pod = name, .canary = canary};

	x.requests = (double)rng_poisson(r, load * SCRAPE_S);
	x.errors = (double)rng_binomial(r, (long)x.requests, share);
	if (p->stable_ms > 0)
		fill_latency(r, canary ? p->canary_ms : p->stable_ms, &x);
	sequential_observe(s, &x);
}

/* Time of FAIL or PASS as asked, or -1. */
static double run(const struct stream *p, uint64_t seed, enum judge_verdict wanted)
{
	struct sequential_options o;
	struct sequential_result res;
	struct sequential *s;
	struct rng r = {seed * 7919 + 13};
	unsigned pods = p->stable_pods ? p->stable_pods : 5;
	double spread[32], found = -1, load;

	sequential_options_default(&o);
	o.tick_s = SCRAPE_S;
	s = sequential_new(&o);
	for (unsigned i = 0; i < 32; i++)
		spread[i] = fmax(0.1, 1 + p->pod_spread * rng_normal(&r));
	for (double t = 0; t <= p->seconds && found < 0; t += SCRAPE_S) {
		load = p->rate_cv > 0 ? fmax(0, 1 + p->rate_cv * rng_normal(&r)) : 1;
		for (unsigned i = 0; i < pods; i++)
			observe_pod(s, &r, p, t, i, false, load * p->stable_rps / pods,
			            p->stable_errors * spread[i]);
		observe_pod(s, &r, p, t, 1, true, load * p->canary_rps,
		            fmin(1, p->canary_errors * spread[31]));
		sequential_advance(s, t);
		sequential_result(s, t, &res);
		assert_int_equal(sequential_verdict(s, t), res.verdict);
		if (res.verdict == wanted)
			found = t;
	}
	sequential_free(s);
	return found;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Share of streams that reach the verdict; *median and *p99 of the times of those. */
static double share(const struct stream *p, unsigned n, enum judge_verdict v, double *median,
                    double *p99)
{
	double *t = xcalloc(n, sizeof(*t));
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		double x = run(p, i + 1, v);

		if (x >= 0)
			t[found++] = x;
	}
	qsort(t, found, sizeof(*t), by_value);
	*median = found ? t[found / 2] : NAN;
	*p99 = found ? t[(unsigned)(0.99 * (found - 1))] : NAN;
	free(t);
	return (double)found / n;
}

static void test_false_alarms_are_bounded(void **state)
{
	static const struct {
		struct stream s;
		double most;
	} rows[] = {
		{{.seconds = 600,
	          .canary_rps = 1,
	          .stable_rps = 19,
	          .canary_errors = 0.002,
	          .stable_errors = 0.002},
	         0.01},
		{{.seconds = 600,
	          .canary_rps = 10,
	          .stable_rps = 30,
	          .canary_errors = 0.02,
	          .stable_errors = 0.02},
	         0.01},
		{{.seconds = 600,
	          .canary_rps = 10,
	          .stable_rps = 30,
	          .canary_errors = 0.02,
	          .stable_errors = 0.02,
	          .rate_cv = 0.5,
	          .pod_spread = 0.1},
	         0.02},
		{{.seconds = 120,
	          .canary_rps = 10,
	          .stable_rps = 30,
	          .canary_ms = 20,
	          .stable_ms = 20,
	          .zones = true},
	         0.01},
	};
	double median, p99;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_true(share(&rows[i].s, 500, JUDGE_FAIL, &median, &p99) <= rows[i].most);
}

static void test_half_of_requests_failing_is_found_in_seconds(void **state)
{
	const struct stream s = {.seconds = 120,
	                         .canary_rps = 1,
	                         .stable_rps = 19,
	                         .canary_errors = 0.5,
	                         .stable_errors = 0.002};
	double median, p99;

	(void)state;
	assert_true(share(&s, 500, JUDGE_FAIL, &median, &p99) == 1);
	assert_true(median <= 20);
	assert_true(p99 <= 40);
}

static void test_five_times_the_errors_are_found(void **state)
{
	const struct stream s = {.seconds = 1800,
	                         .canary_rps = 10,
	                         .stable_rps = 90,
	                         .canary_errors = 0.025,
	                         .stable_errors = 0.005};
	double median, p99;

	(void)state;
	assert_true(share(&s, 100, JUDGE_FAIL, &median, &p99) >= 0.99);
	assert_true(median <= 240);
}

static void test_doubled_latency_is_found(void **state)
{
	const struct stream s = {.seconds = 600,
	                         .canary_rps = 10,
	                         .stable_rps = 40,
	                         .canary_ms = 40,
	                         .stable_ms = 20,
	                         .zones = true};
	double median, p99;

	(void)state;
	assert_true(share(&s, 50, JUDGE_FAIL, &median, &p99) == 1);
	assert_true(p99 <= 120);
}

static void test_silence_is_not_a_verdict(void **state)
{
	const struct stream no_canary = {.seconds = 600, .stable_rps = 50, .stable_errors = 0.1};
	const struct stream no_stable = {.seconds = 600, .canary_rps = 10, .canary_errors = 0.5};
	const struct stream nothing = {.seconds = 600};
	double median, p99;

	(void)state;
	assert_true(share(&no_canary, 20, JUDGE_FAIL, &median, &p99) == 0);
	assert_true(share(&no_canary, 20, JUDGE_PASS, &median, &p99) == 0);
	assert_true(share(&no_stable, 20, JUDGE_FAIL, &median, &p99) == 0);
	assert_true(share(&nothing, 5, JUDGE_FAIL, &median, &p99) == 0);
	assert_true(share(&nothing, 5, JUDGE_PASS, &median, &p99) == 0);
}

static void test_healthy_canary_passes_on_evidence(void **state)
{
	const struct stream s = {.seconds = 900,
	                         .canary_rps = 20,
	                         .stable_rps = 60,
	                         .canary_errors = 0.001,
	                         .stable_errors = 0.001,
	                         .canary_ms = 20,
	                         .stable_ms = 20};
	double median, p99;

	(void)state;
	assert_true(share(&s, 20, JUDGE_PASS, &median, &p99) == 1);
	assert_true(median <= 240);
}

static void test_load_shift_between_zones_is_no_error(void **state)
{
	struct sequential_options o;
	struct sequential_result res;
	struct sequential *s;
	struct rng r = {99};

	(void)state;
	sequential_options_default(&o);
	s = sequential_new(&o);
	/* Zone b is bad for both versions; the canary happens to live there. */
	for (double t = 0; t < 600; t += 5) {
		const struct {
			const char *zone;
			bool canary;
			double n, share;
		} pods[] = {{"a", false, 200, 0.001}, {"b", false, 20, 0.2}, {"b", true, 20, 0.2}};

		for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
			struct sequential_sample x = {.t = t,
			                              .stratum = pods[i].zone,
			                              .pod = "p",
			                              .canary = pods[i].canary};

			x.requests = pods[i].n;
			x.errors = (double)rng_binomial(&r, (long)pods[i].n, pods[i].share);
			sequential_observe(s, &x);
		}
	}
	sequential_advance(s, 700);
	sequential_result(s, 600, &res);
	assert_int_equal(sequential_verdict(s, 600), res.verdict);
	assert_int_not_equal(res.verdict, JUDGE_FAIL);
	sequential_free(s);
}

/* A version with other histogram bounds is judged at those that both have. */
static void test_versions_with_different_buckets(void **state)
{
	static const double every[] = {0.01, 0.02, 0.04, 0.08, INFINITY};
	static const struct {
		double canary[5]; /* bounds */
		double slower;    /* factor in time */
		enum judge_verdict verdict;
		const char *text;
	} rows[] = {
		{{0.015, 0.02, 0.03, 0.08, INFINITY}, 1, JUDGE_PASS, "canary slower than 80 ms"},
		{{0.015, 0.02, 0.03, 0.08, INFINITY}, 2, JUDGE_FAIL, "canary slower than"},
		{{0.015, 0.025, 0.03, 0.07, INFINITY}, 2, JUDGE_NONE, "no bucket in common"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sequential_options o;
		struct sequential_result res;
		struct sequential *s;

		sequential_options_default(&o);
		s = sequential_new(&o);
		for (double t = 0; t < 300; t += 5)
			for (int canary = 0; canary < 2; canary++) {
				struct sequential_sample x = {
					.t = t, .stratum = "", .pod = "p", .canary = canary};

				/* Evenly spread over 0 to 50 ms. */
				x.requests = 100;
				x.nbuckets = ARRAY_SIZE(every);
				for (unsigned k = 0; k < x.nbuckets; k++) {
					x.bounds[k] = canary ? rows[i].canary[k] : every[k];
					x.counts[k] =
						fmin(100, floor(2000 * x.bounds[k] /
					                        (canary ? rows[i].slower : 1)));
				}
				sequential_observe(s, &x);
			}
		sequential_advance(s, 310);
		sequential_result(s, 300, &res);
		assert_string_equal(res.metrics[1].name, "latency");
		assert_int_equal(res.metrics[1].verdict, rows[i].verdict);
		assert_non_null(strstr(res.metrics[1].text, rows[i].text));
		sequential_free(s);
	}
}

/*
 * A failure that comes over both versions: 5 % of 300 requests a look are bad from then on, of
 * 1,200 of the stable version, too.
 */
static void feed_side(struct sequential *s, double t, bool canary, bool failing)
{
	struct sequential_sample x = {.t = t,
	                              .stratum = "z",
	                              .pod = canary ? "c" : "s",
	                              .canary = canary,
	                              .requests = canary ? 300 : 1200};

	x.errors = failing ? x.requests * 0.05 : 0;
	sequential_observe(s, &x);
}

/* It begins between 100 and 101 s; the stable pod is read every 5 s, the canary a second later. */
static enum judge_verdict after_a_failure_of_both(bool looks)
{
	struct sequential_options o;
	enum judge_verdict v;
	struct sequential *s;

	sequential_options_default(&o);
	o.looks = looks;
	s = sequential_new(&o);
	for (double t = 0; t < 300; t += 5) {
		feed_side(s, t, false, t > 100);
		if (!looks)
			feed_side(s, t + 1, true, t >= 100);
		/* A reading that is late is none of this look, and no beginning of the next. */
		else if (t < 100 || t > 105)
			feed_side(s, t, true, t > 100);
		if (looks)
			sequential_look_end(s, t);
	}
	sequential_advance(s, 400);
	v = sequential_verdict(s, 300);
	sequential_free(s);
	return v;
}

/* Without looks nothing tells that one side was read before it came, and the other after. */
static void test_a_failure_of_both_is_nobodys(void **state)
{
	(void)state;
	assert_int_equal(after_a_failure_of_both(false), JUDGE_FAIL);
	assert_int_not_equal(after_a_failure_of_both(true), JUDGE_FAIL);
}

/* A look that holds one version only says nothing, and nothing of it is held against the next. */
static void test_looks_are_not_mixed(void **state)
{
	struct sequential_options o;
	struct sequential_result res;
	struct sequential *s;

	(void)state;
	sequential_options_default(&o);
	o.looks = true;
	s = sequential_new(&o);
	for (double t = 0; t < 25; t += 5) {
		feed_side(s, t, true, true);
		sequential_look_end(s, t);
		feed_side(s, t + 2, false, false);
		sequential_look_end(s, t + 2);
	}
	sequential_result(s, 25, &res);
	assert_int_equal(res.verdict, JUDGE_NONE);
	assert_true(res.metrics[0].log_evidence <= 0);
	assert_true(res.canary_requests == 1500 && res.stable_requests == 6000);
	/* Of one time they are compared at once, before the next sample. */
	for (int i = 0; i < 3; i++) {
		feed_side(s, 30 + i, true, true);
		feed_side(s, 30 + i, false, false);
		sequential_look_end(s, 30 + i);
	}
	assert_int_equal(sequential_verdict(s, 32), JUDGE_FAIL);
	sequential_free(s);
}

/* A request now and then: hardly a look has some of both versions. */
static void test_looks_with_little_traffic(void **state)
{
	struct sequential_options o;
	struct sequential *s;
	bool canary = true;
	double t;

	(void)state;
	sequential_options_default(&o);
	o.looks = true;
	s = sequential_new(&o);
	for (t = 0; t < 100 && sequential_verdict(s, t) != JUDGE_FAIL; t++, canary = !canary) {
		struct sequential_sample x = {
			.t = t, .pod = "p", .canary = canary, .requests = 1, .errors = canary};

		sequential_observe(s, &x);
		sequential_look_end(s, t);
	}
	assert_true(t < 60);
	sequential_free(s);
}

/* Versions in different zones are compared over these, but not before they may yet meet. */
static void test_looks_of_lonely_zones(void **state)
{
	struct sequential_options o;
	struct sequential *s;
	double t;

	(void)state;
	sequential_options_default(&o);
	o.looks = true;
	s = sequential_new(&o);
	for (t = 0; t < 100 && sequential_verdict(s, t) != JUDGE_FAIL; t += 5)
		for (int canary = 0; canary < 2; canary++) {
			struct sequential_sample x = {.t = t,
			                              .stratum = canary ? "a" : "b",
			                              .pod = "p",
			                              .canary = canary,
			                              .requests = 300,
			                              .errors = canary ? 60 : 0};

			sequential_observe(s, &x);
			if (canary)
				sequential_look_end(s, t);
		}
	assert_true(t >= 30 && t <= 45);
	sequential_free(s);
}

/* Pods of both without a request for a while are no partners that were waited for. */
static void test_a_zone_is_lonely_from_its_first_request_on(void **state)
{
	struct sequential_options o;
	struct sequential *s;

	(void)state;
	sequential_options_default(&o);
	o.looks = true;
	s = sequential_new(&o);
	for (int t = 0; t < 60; t += 5) {
		for (int i = 0; i < 3; i++) {
			bool canary = i == 2;
			double n = i == 1 || (canary && t < 50) ? 0 : 300;
			struct sequential_sample x = {.t = t,
			                              .stratum = i ? "a" : "b",
			                              .pod = "p",
			                              .canary = canary,
			                              .requests = n,
			                              .errors = canary ? n / 5 : 0};

			sequential_observe(s, &x);
		}
		sequential_look_end(s, t);
		assert_int_not_equal(sequential_verdict(s, t), JUDGE_FAIL);
	}
	sequential_free(s);
}

static void test_text_shows_the_counts(void **state)
{
	struct sequential_options o;
	struct sequential_result res;
	struct sequential *s;

	(void)state;
	sequential_options_default(&o);
	s = sequential_new(&o);
	for (double t = 0; t < 60; t += 5)
		for (int canary = 0; canary < 2; canary++) {
			struct sequential_sample x = {.t = t,
			                              .stratum = "",
			                              .pod = "p",
			                              .canary = canary,
			                              .requests = 50,
			                              .errors = canary ? 10 : 0};

			sequential_observe(s, &x);
		}
	sequential_advance(s, 70);
	sequential_result(s, 60, &res);
	assert_int_equal(sequential_verdict(s, 60), res.verdict);
	assert_int_equal(res.verdict, JUDGE_FAIL);
	assert_int_equal(res.score, 0);
	assert_non_null(strstr(res.text, "canary errors 20.0 % vs 0.0 %"));
	assert_true(res.decided_at > 0 && res.decided_at <= 20);
	sequential_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_false_alarms_are_bounded),
		cmocka_unit_test(test_half_of_requests_failing_is_found_in_seconds),
		cmocka_unit_test(test_five_times_the_errors_are_found),
		cmocka_unit_test(test_doubled_latency_is_found),
		cmocka_unit_test(test_silence_is_not_a_verdict),
		cmocka_unit_test(test_healthy_canary_passes_on_evidence),
		cmocka_unit_test(test_load_shift_between_zones_is_no_error),
		cmocka_unit_test(test_versions_with_different_buckets),
		cmocka_unit_test(test_a_failure_of_both_is_nobodys),
		cmocka_unit_test(test_looks_are_not_mixed),
		cmocka_unit_test(test_looks_with_little_traffic),
		cmocka_unit_test(test_looks_of_lonely_zones),
		cmocka_unit_test(test_a_zone_is_lonely_from_its_first_request_on),
		cmocka_unit_test(test_text_shows_the_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
