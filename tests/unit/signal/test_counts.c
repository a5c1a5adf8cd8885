#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/signal/counts.h"

static const char *const ok_values[] = {"OK", NULL};
static const struct preset tf = {
	.requests_metric = ":tensorflow:serving:request_count",
	.error_label = "status",
	.ok_values = ok_values,
	.latency_metric = ":tensorflow:serving:request_latency",
	.latency_unit = 1e-6,
};
static const struct preset apart = {
	.requests_metric = "nv_inference_request_success",
	.errors_metric = "nv_inference_request_failure",
	.errors_apart = true,
};

static struct counts read_text(const struct preset *p, const char *text)
{
	struct counts c;
	struct err err = ERR_INIT;

	assert_int_equal(counts_read(p, "ranker", text, strlen(text), &c, &err), 0);
	return c;
}

#define COUNT(status, n)                                                                           \
	":tensorflow:serving:request_count{model_name=\"ranker\",status=\"" status "\"} " #n "\n"
#define BUCKET(le, n)                                                                              \
	":tensorflow:serving:request_latency_bucket{model_name=\"ranker\",API=\"predict\",le="     \
	"\"" le "\"} " #n "\n"

static void test_reading(void **state)
{
	struct counts c =
		read_text(&tf, COUNT("OK", 90) COUNT("INTERNAL", 7) COUNT("UNAVAILABLE", 3)
	                               BUCKET("+Inf", 100) BUCKET("1000", 40) BUCKET("18", 5));

	(void)state;
	assert_true(c.known);
	assert_true(c.requests == 100 && c.errors == 10);
	assert_int_equal(c.nbuckets, 3);
	assert_true(fabs(c.bounds[0] - 18e-6) < 1e-12 && c.buckets[0] == 5);
	assert_true(fabs(c.bounds[1] - 1e-3) < 1e-12 && c.buckets[1] == 40);
	assert_true(isinf(c.bounds[2]) && c.buckets[2] == 100);
}

/* A reader says of each text what is read without one, whatever it saw before. */
static void test_reader(void **state)
{
	static const char *const texts[] = {
		COUNT("OK", 90) COUNT("INTERNAL", 7) BUCKET("18", 5) BUCKET("+Inf", 97),
		COUNT("OK", 95) COUNT("INTERNAL", 8) BUCKET("18", 6) BUCKET("+Inf", 103),
		COUNT("INTERNAL", 8) COUNT("OK", 95) BUCKET("18", 6) BUCKET("36", 7)
			BUCKET("+Inf", 103),
		":tensorflow:serving:request_count{model_name=\"other\",status=\"OK\"} 9\n" COUNT(
			"OK", 96),
		":tensorflow:serving:request_count{model_name=\"other\",status=\"OK\"} 12\n" COUNT(
			"OK", -1),
		":tensorflow:serving:request_count{model_name=\"other\",status=\"OK\"} 13\n" COUNT(
			"OK", 97),
		"",
	};
	struct counts_reader *r = counts_reader_new(&tf, "ranker");
	struct counts c, want;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		want = read_text(&tf, texts[i]);
		assert_int_equal(counts_reader_read(r, texts[i], strlen(texts[i]), &c, NULL), 0);
		assert_memory_equal(&c, &want, sizeof(c));
	}
	assert_true(counts_reader_is_for(r, &tf, "ranker"));
	assert_false(counts_reader_is_for(r, &tf, "other"));
	assert_false(counts_reader_is_for(r, &apart, "ranker"));
	assert_false(counts_reader_is_for(NULL, &tf, "ranker"));
	counts_reader_free(r);
}

static void test_other_models_do_not_count(void **state)
{
	struct counts c = read_text(
		&tf, COUNT("OK", 5) ":tensorflow:serving:request_count{model_name=\"other\",status="
				    "\"OK\"} 1000\n");

	(void)state;
	assert_true(c.requests == 5);
}

static void test_absent_counter_is_unknown_not_zero(void **state)
{
	struct counts c = read_text(&tf, "up 1\n");

	(void)state;
	assert_false(c.known);
}

static void test_errors_counted_apart(void **state)
{
	struct counts c = read_text(&apart, "nv_inference_request_success{model=\"ranker\"} 4\n"
	                                    "nv_inference_request_failure{model=\"ranker\"} 9\n");

	(void)state;
	assert_true(c.errors == 9 && c.requests == 13);
}

static void test_nonsense_values_are_left_out(void **state)
{
	struct counts c = read_text(&tf, COUNT("OK", NaN) COUNT("OK", -4) COUNT("OK", +Inf)
	                                         COUNT("OK", 1e300) COUNT("OK", 2));

	(void)state;
	assert_true(c.requests == 2);
}

static void test_increments(void **state)
{
	struct counts a = read_text(&tf, COUNT("OK", 90) BUCKET("18", 5) BUCKET("+Inf", 90));
	struct counts b = read_text(&tf, COUNT("OK", 100) COUNT("INTERNAL", 4) BUCKET("18", 6)
	                                         BUCKET("+Inf", 104));
	struct counts d;

	(void)state;
	assert_true(counts_increment(&a, &b, &d));
	assert_true(d.requests == 14 && d.errors == 4);
	assert_true(d.buckets[0] == 1 && d.buckets[1] == 14);
}

/* The error counter is read a moment after the request counter. */
static void test_no_more_errors_than_requests(void **state)
{
	static const struct preset p = {.requests_metric = "r", .errors_metric = "e"};
	struct counts a = read_text(&p, "r 100\ne 0\n"), b = read_text(&p, "r 102\ne 3\n"), d;

	(void)state;
	assert_true(counts_increment(&a, &b, &d));
	assert_true(d.requests == 2 && d.errors == 2);
}

static void test_restart_counts_from_zero(void **state)
{
	struct counts a = read_text(&tf, COUNT("OK", 90));
	struct counts b = read_text(&tf, COUNT("OK", 3));
	struct counts d;

	(void)state;
	assert_true(counts_increment(&a, &b, &d));
	assert_true(d.requests == 3);
}

static void test_other_buckets_give_no_latency(void **state)
{
	struct counts a = read_text(&tf, COUNT("OK", 1) BUCKET("18", 1) BUCKET("+Inf", 1));
	struct counts b = read_text(&tf, COUNT("OK", 5) BUCKET("20", 1) BUCKET("+Inf", 5));
	struct counts d;

	(void)state;
	assert_true(counts_increment(&a, &b, &d));
	assert_true(d.requests == 4);
	assert_int_equal(d.nbuckets, 0);
}

static void test_unknown_gives_no_increment(void **state)
{
	struct counts a = read_text(&tf, "up 1\n");
	struct counts b = read_text(&tf, COUNT("OK", 5));
	struct counts d;

	(void)state;
	assert_false(counts_increment(&a, &b, &d));
	assert_false(counts_increment(&b, &a, &d));
}

static const struct counts_histogram *histogram(struct counts_histogram *h, const char *text)
{
	assert_int_equal(counts_histogram_read("s", "m", text, strlen(text), h, NULL), 0);
	return h;
}

/* Bounds may be negative; series are added up, other models' and other metrics' left out. */
static void test_quiet(void **state)
{
	struct counts told = {.known = true, .in_flight = 0};
	struct counts busy = {.known = true, .in_flight = 1};
	struct counts no_gauge = {.known = true, .in_flight = -1};
	struct counts unknown = {.in_flight = 0};
	struct counts none = {.known = true}, one = {.known = true, .requests = 1};

	(void)state;
	assert_true(counts_quiet(&told, &none));
	assert_true(counts_quiet(&no_gauge, &none));
	assert_false(counts_quiet(&busy, &none));
	/* Short requests between two readings, none under way at either. */
	assert_false(counts_quiet(&told, &one));
	assert_false(counts_quiet(&no_gauge, &one));
	assert_false(counts_quiet(&told, NULL));
	assert_false(counts_quiet(&unknown, &none));
	assert_false(counts_quiet(&told, &unknown));
	assert_false(counts_quiet(NULL, NULL));
}

static void test_histogram(void **state)
{
	static const char before[] = "s_bucket{le=\"-1\"} 1\ns_bucket{le=\"+Inf\"} 3\n";
	static const char after[] = "s_bucket{le=\"+Inf\",model_name=\"m\"} 5\n"
				    "s_bucket{le=\"-1\"} 2\ns_bucket{le=\"+Inf\",a=\"b\"} 2\n"
				    "s_bucket{le=\"-1\",model=\"x\"} 9\nt_bucket{le=\"0\"} 9\n"
				    "s_bucket{le=\"NaN\"} 9\ns_bucket{le=\"7\"} NaN\ns_sum 4\n";
	struct counts_histogram a, b, grown;

	(void)state;
	histogram(&a, before);
	histogram(&b, after);
	assert_int_equal(b.n, 2);
	assert_true(b.bounds[0] == -1 && isinf(b.bounds[1]));
	assert_true(b.counts[0] == 2 && b.counts[1] == 7);
	assert_true(counts_histogram_increment(&a, &b, &grown));
	assert_true(grown.counts[0] == 1 && grown.counts[1] == 4);
	/* restarted: all of it is new */
	assert_true(counts_histogram_increment(&b, &a, &grown));
	assert_true(grown.counts[0] == 1 && grown.counts[1] == 3);
	histogram(&b, "s_bucket{le=\"2\"} 2\ns_bucket{le=\"+Inf\"} 7\n");
	assert_false(counts_histogram_increment(&a, &b, &grown));
	histogram(&b, "t 1\n");
	assert_int_equal(b.n, 0);
	assert_false(counts_histogram_increment(&a, &b, &grown));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_other_models_do_not_count),
		cmocka_unit_test(test_absent_counter_is_unknown_not_zero),
		cmocka_unit_test(test_errors_counted_apart),
		cmocka_unit_test(test_nonsense_values_are_left_out),
		cmocka_unit_test(test_increments),
		cmocka_unit_test(test_no_more_errors_than_requests),
		cmocka_unit_test(test_restart_counts_from_zero),
		cmocka_unit_test(test_other_buckets_give_no_latency),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_unknown_gives_no_increment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
