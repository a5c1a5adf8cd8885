/* The client against a server in the same loop. */
#include "site.h"
#include "tidegate/signal/prometheus.h"

#define ONE "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"7\"]}}"

static struct world {
	struct site site;
	struct prometheus *p;
	unsigned done;
	bool got, free_in_callback;
	enum err_class class;
	double value;
	char authorization[128];
} w;

static void on_done(void *arg, const struct promql_reply *r, const struct err *err)
{
	(void)arg;
	assert_true((r == NULL) == (err != NULL));
	w.class = err ? err->class : ERR_NONE;
	w.value = r ? r->series[0].values[0] : -1;
	w.done++;
	w.got = true;
	if (w.free_in_callback) {
		prometheus_free(w.p);
		w.p = NULL;
	}
}

static const char *seen(struct site *s, const struct server_request *r)
{
	(void)s;
	str_copy(w.authorization, sizeof(w.authorization),
	         str_or(server_header(r, "Authorization"), ""));
	return ONE;
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	site_open(&w.site);
	w.site.body = ONE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	prometheus_free(w.p);
	site_close(&w.site);
	return 0;
}

static void client(struct prometheus_options o)
{
	char url[64];
	struct err err = ERR_INIT;

	snprintf(url, sizeof(url), "http://%s/prom/", server_address(w.site.server));
	o.url = url;
	w.p = prometheus_new(w.site.loop, &o, &err);
	if (!w.p)
		fail_msg("%s", err.msg);
}

static void ask(double step)
{
	struct prometheus_query q = {.promql = "sum(a{b=\"c&d\"})",
	                             .start = 100,
	                             .end = 200.5,
	                             .step = step,
	                             .on_done = on_done};

	prometheus_query(w.p, &q);
}

static void wait_answer(void)
{
	w.got = false;
	assert_true(run_until(w.site.loop, &w.got, 10000));
}

static void test_queries_are_posted(void **state)
{
	(void)state;
	client((struct prometheus_options){.timeout_ms = 5000});
	ask(0);
	wait_answer();
	assert_true(w.value == 7);
	assert_string_equal(w.site.last_method, "POST");
	assert_string_equal(w.site.last_path, "/prom/api/v1/query");
	assert_non_null(
		strstr(w.site.last_body, "query=sum%28a%7Bb%3D%22c%26d%22%7D%29&time=200.5"));
	assert_non_null(strstr(w.site.last_body, "&timeout=5000ms"));
	ask(15);
	wait_answer();
	assert_string_equal(w.site.last_path, "/prom/api/v1/query_range");
	assert_non_null(strstr(w.site.last_body, "start=100.000&end=200.500&step=15.000"));
}

static void test_credentials(void **state)
{
	(void)state;
	w.site.answer = seen;
	client((struct prometheus_options){.token = "secret"});
	ask(0);
	wait_answer();
	assert_string_equal(w.authorization, "Bearer secret");
	prometheus_free(w.p);
	client((struct prometheus_options){.username = "u", .password = "p"});
	ask(0);
	wait_answer();
	assert_string_equal(w.authorization, "Basic dTpw");
	prometheus_free(w.p);
	client((struct prometheus_options){.timeout_ms = 0});
	ask(0);
	wait_answer();
	assert_string_equal(w.authorization, "");
}

static void test_bad_options(void **state)
{
	static const struct prometheus_options bad[] = {
		{.url = NULL},
		{.url = "ftp://x"},
		{.url = "http://x", .token = "a\r\nHost: b"},
		{.url = "http://x", .username = "a", .password = "\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;

		assert_null(prometheus_new(w.site.loop, &bad[i], &err));
		assert_int_equal(err.class, ERR_INVALID);
		assert_null(strstr(err.msg, "Host: b"));
	}
}

static void test_few_at_once_and_all_answered(void **state)
{
	(void)state;
	client((struct prometheus_options){.concurrency = 2});
	w.site.hold = "/prom";
	for (int i = 0; i < 6; i++)
		ask(0);
	for (int i = 0; i < 200 && w.done < 6; i++) {
		run_for(w.site.loop, 10);
		assert_true(w.site.nheld <= 2);
		site_release(&w.site);
	}
	assert_int_equal(w.done, 6);
	assert_int_equal(w.site.most_held, 2);
}

static void test_a_time_out_and_a_dead_server(void **state)
{
	(void)state;
	client((struct prometheus_options){.timeout_ms = 50});
	w.site.hold = "/prom";
	ask(0);
	wait_answer();
	assert_int_equal(w.class, ERR_TIMEOUT);
	w.site.hold = NULL;
	site_release(&w.site);
	server_free(w.site.server);
	w.site.server = NULL;
	ask(0);
	wait_answer();
	assert_int_equal(w.class, ERR_TRANSPORT);
}

static void test_cancel_and_free(void **state)
{
	(void)state;
	client((struct prometheus_options){.concurrency = 1});
	w.site.hold = "/prom";
	ask(0);
	ask(0);
	run_for(w.site.loop, 50);
	prometheus_cancel_all(w.p);
	w.site.hold = NULL;
	site_release(&w.site);
	run_for(w.site.loop, 50);
	assert_int_equal(w.done, 0);
	w.free_in_callback = true;
	ask(0);
	ask(0);
	wait_answer();
	assert_int_equal(w.done, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_queries_are_posted),
		T(test_credentials),
		T(test_bad_options),
		T(test_few_at_once_and_all_answered),
		T(test_a_time_out_and_a_dead_server),
		T(test_cancel_and_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
