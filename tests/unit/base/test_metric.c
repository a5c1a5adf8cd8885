#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "tidegate/base/metric.h"

static const double bounds[] = {0.1, 1, 2.5};

static struct metric_family requests = {
	.name = "t_requests_total",
	.help = "Requests; a \\ and \"quotes\"\nand a line.",
	.type = METRIC_COUNTER,
	.label_names = {"code", "path"},
};
static struct metric_family depth = {.name = "t_depth", .help = "Depth.", .type = METRIC_GAUGE};
static struct metric_family seconds = {
	.name = "t_seconds",
	.help = "Time.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"verb"},
	.bounds = bounds,
	.nbounds = 3,
};
static struct metric_family quiet = {.name = "t_quiet", .help = "No series.", .type = METRIC_GAUGE};

static struct buf out;

static const char *render(int openmetrics)
{
	buf_reset(&out);
	assert_int_equal(metric_render(&out, openmetrics), 0);
	return out.data;
}

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 22);
	metric_register(&requests);
	metric_register(&depth);
	metric_register(&seconds);
	metric_register(&quiet);
	metric_register(&depth);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	metric_clear(&requests);
	metric_clear(&depth);
	metric_clear(&seconds);
	buf_release(&out);
	return 0;
}

static void test_nothing_yet(void **state)
{
	(void)state;
	assert_string_equal(render(0), "");
	assert_string_equal(render(1), "# EOF\n");
}

static void test_series_are_found_again(void **state)
{
	struct metric_series *a = metric_series(&requests, "200", "/"), *b;

	(void)state;
	b = metric_series(&requests, "200", "/x");
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(metric_series(&requests, "200", "/"), a);
	assert_ptr_equal(metric_series(&requests, "200", "/x"), b);
	assert_ptr_equal(metric_series(&depth), metric_series(&depth));
	assert_ptr_equal(metric_series(&requests, NULL, "x"), metric_series(&requests, "", "x"));
	assert_int_equal(requests.nseries, 3);
}

static void test_text_format(void **state)
{
	(void)state;
	metric_add(metric_series(&requests, "200", "/"), 2);
	metric_add(metric_series(&requests, "200", "/"), 1);
	metric_add(metric_series(&requests, "500", "a\"b\\c\nd\xff"), 1);
	metric_set(metric_series(&depth), -1.5);
	assert_string_equal(
		render(0), "# HELP t_requests_total Requests; a \\\\ and \"quotes\"\\nand a line.\n"
			   "# TYPE t_requests_total counter\n"
			   "t_requests_total{code=\"200\",path=\"/\"} 3\n"
			   "t_requests_total{code=\"500\",path=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"
			   "# HELP t_depth Depth.\n"
			   "# TYPE t_depth gauge\n"
			   "t_depth -1.5\n");
}

static void test_openmetrics(void **state)
{
	(void)state;
	metric_add(metric_series(&requests, "200", "/"), 3);
	metric_set(metric_series(&depth), NAN);
	assert_string_equal(render(1),
	                    "# HELP t_requests Requests; a \\\\ and \\\"quotes\\\"\\nand a line.\n"
	                    "# TYPE t_requests counter\n"
	                    "t_requests_total{code=\"200\",path=\"/\"} 3\n"
	                    "# HELP t_depth Depth.\n"
	                    "# TYPE t_depth gauge\n"
	                    "t_depth NaN\n"
	                    "# EOF\n");
}

static void test_counter_without_suffix(void **state)
{
	static struct metric_family f = {.name = "t_odd", .help = "Odd.", .type = METRIC_COUNTER};

	(void)state;
	metric_add(metric_series(&f), 1);
	assert_non_null(strstr(render(0), "\nt_odd 1\n"));
	assert_non_null(strstr(render(1), "# TYPE t_odd counter\nt_odd_total 1\n"));
	metric_clear(&f);
}

static void test_histogram_is_cumulative(void **state)
{
	struct metric_series *s = metric_series(&seconds, "GET");

	(void)state;
	metric_observe(&seconds, s, 0.1); /* a bound belongs to its bucket */
	metric_observe(&seconds, s, 0.05);
	metric_observe(&seconds, s, 1.5);
	metric_observe(&seconds, s, 100);
	metric_observe(&seconds, s, NAN); /* ignored */
	assert_string_equal(render(0), "# HELP t_seconds Time.\n"
	                               "# TYPE t_seconds histogram\n"
	                               "t_seconds_bucket{verb=\"GET\",le=\"0.1\"} 2\n"
	                               "t_seconds_bucket{verb=\"GET\",le=\"1\"} 2\n"
	                               "t_seconds_bucket{verb=\"GET\",le=\"2.5\"} 3\n"
	                               "t_seconds_bucket{verb=\"GET\",le=\"+Inf\"} 4\n"
	                               "t_seconds_sum{verb=\"GET\"} 101.65\n"
	                               "t_seconds_count{verb=\"GET\"} 4\n");
	assert_non_null(strstr(render(1), "le=\"1.0\"} 2\n"));
	assert_non_null(strstr(render(1), "le=\"2.5\"} 3\n"));
}

static void test_series_are_bounded(void **state)
{
	struct metric_series *other, *first;
	char label[16];
	unsigned i;

	(void)state;
	first = metric_series(&requests, "0", "/");
	for (i = 1; i < METRIC_SERIES_MAX; i++) {
		snprintf(label, sizeof(label), "%u", i);
		metric_series(&requests, label, "/");
	}
	assert_int_equal(requests.nseries, METRIC_SERIES_MAX);
	other = metric_series(&requests, "new", "/");
	assert_string_equal(other->labels[0], "other");
	assert_string_equal(other->labels[1], "other");
	assert_ptr_equal(metric_series(&requests, "newer", "/x"), other);
	assert_ptr_equal(metric_series(&requests, "0", "/"), first);
	assert_int_equal(requests.nseries, METRIC_SERIES_MAX + 1);
}

static unsigned collected;

static void refill(struct metric_family *f)
{
	char label[16];

	snprintf(label, sizeof(label), "%u", ++collected);
	metric_clear(f);
	metric_set(metric_series(f, label), 1);
}

static void test_collect(void **state)
{
	static struct metric_family f = {.name = "t_now",
	                                 .help = "Now.",
	                                 .type = METRIC_GAUGE,
	                                 .label_names = {"n"},
	                                 .collect = refill};

	(void)state;
	metric_register(&f);
	assert_non_null(strstr(render(0), "t_now{n=\"1\"} 1\n"));
	assert_null(strstr(render(0), "n=\"1\""));
	assert_int_equal(collected, 2);
	f.collect = NULL;
	metric_clear(&f);
}

static void test_full_buffer(void **state)
{
	struct buf small cleanup_buf;

	(void)state;
	metric_set(metric_series(&depth), 1);
	buf_init(&small, 20);
	buf_addstr(&small, "keep");
	assert_int_equal(metric_render(&small, 0), -1);
	assert_string_equal(small.data, "keep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_yet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series_are_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_format, setup, teardown),
		cmocka_unit_test_setup_teardown(test_openmetrics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counter_without_suffix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_is_cumulative, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_buffer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
