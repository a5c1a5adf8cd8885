/* /metrics, /healthz and /readyz over real connections. */
#include "../net/fixture.h"
#include "tidegate/base/str.h"
#include "tidegate/net/http.h"
#include "tidegate/serve/http.h"

static struct world {
	struct loop *loop;
	struct serve *serve;
	struct http_client *client;
	const char *missing; /* what /readyz finds */
	bool done;
	int status;
	char type[128];
	struct buf body;
} w;

static const char *not_ready(void *arg)
{
	assert_ptr_equal(arg, &w);
	return w.missing;
}

static int setup(void **state)
{
	struct http_client_options o = {.user_agent = "test"};

	(void)state;
	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	w.client = http_client_new(w.loop, &o, NULL);
	buf_init(&w.body, 1 << 20);
	return w.client ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	http_client_free(w.client);
	serve_free(w.serve);
	loop_free(w.loop);
	buf_release(&w.body);
	return 0;
}

static void serve_at(const char *metrics, const char *health)
{
	struct serve_options o = {.metrics_address = metrics,
	                          .health_address = health,
	                          .not_ready = not_ready,
	                          .arg = &w};
	struct err err = ERR_INIT;

	w.serve = serve_new(w.loop, &o, &err);
	if (!w.serve)
		fail_msg("%s", err.msg);
}

static void on_done(void *arg, const struct http_result *r)
{
	(void)arg;
	w.done = true;
	w.status = r->status;
	str_copy(w.type, sizeof(w.type), str_or(r->content_type, ""));
	buf_reset(&w.body);
	buf_add(&w.body, r->body, r->body_len);
}

static int get(const char *address, const char *path, const char *accept)
{
	cleanup_free char *url = xasprintf("http://%s%s", address, path);
	const char *headers[] = {accept, NULL};
	struct http_request r = {
		.url = url, .headers = headers, .timeout_ms = 5000, .on_done = on_done};

	w.done = false;
	http_start(w.client, &r);
	assert_true(run_until(w.loop, &w.done, 6000));
	return w.status;
}

static void test_metrics(void **state)
{
	static const struct {
		const char *accept, *type;
		bool openmetrics;
	} rows[] = {
		{NULL, "text/plain; version=0.0.4; charset=utf-8", false},
		{"Accept: text/plain", "text/plain; version=0.0.4; charset=utf-8", false},
		{"Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
	         "application/openmetrics-text; version=1.0.0; charset=utf-8", true},
	};

	(void)state;
	serve_at("127.0.0.1:0", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(get(serve_metrics_address(w.serve), "/metrics", rows[i].accept),
		                 200);
		assert_string_equal(w.type, rows[i].type);
		assert_int_equal(str_ends(w.body.data, "# EOF\n"), rows[i].openmetrics);
		assert_non_null(strstr(w.body.data, "# HELP process_resident_memory_bytes "));
	}
}

/* Value of a series without labels, -1 when it is not there. */
static double value_of(const char *name)
{
	cleanup_free char *start = xasprintf("\n%s ", name);
	const char *at = strstr(w.body.data, start);
	cleanup_free char *text = NULL;
	double v = -1;

	if (!at)
		return -1;
	at += strlen(start);
	text = xstrndup(at, strcspn(at, "\n"));
	assert_true(str_to_double(text, &v));
	return v;
}

static void test_process_metrics(void **state)
{
	double fds;
	int extra;

	(void)state;
	serve_at("127.0.0.1:0", NULL);
	get(serve_metrics_address(w.serve), "/metrics", NULL);
	assert_true(value_of("process_resident_memory_bytes") > 1e6);
	assert_true(value_of("process_virtual_memory_bytes") >
	            value_of("process_resident_memory_bytes"));
	assert_non_null(strstr(w.body.data, "\nprocess_virtual_memory_max_bytes "));
	assert_true(value_of("process_cpu_seconds_total") >= 0);
	assert_true(value_of("process_max_fds") > 3);
	assert_true(value_of("process_start_time_seconds") > 1.6e9);
	fds = value_of("process_open_fds");
	assert_true(fds >= 3);
	extra = dup(0);
	get(serve_metrics_address(w.serve), "/metrics", NULL);
	assert_true(value_of("process_open_fds") == fds + 1);
	close(extra);
}

static void test_health(void **state)
{
	const char *at;

	(void)state;
	serve_at(NULL, "127.0.0.1:0");
	at = serve_health_address(w.serve);
	w.missing = "pods: forbidden";
	assert_int_equal(get(at, "/readyz", NULL), 503);
	assert_string_equal(w.body.data, "pods: forbidden");
	/* life does not depend on the API server */
	assert_int_equal(get(at, "/healthz", NULL), 200);
	assert_int_equal(get(at, "/livez", NULL), 200);
	w.missing = NULL;
	assert_int_equal(get(at, "/readyz", NULL), 200);
	assert_string_equal(w.body.data, "ok");
}

/* Each address serves its own paths only. */
static void test_other_paths(void **state)
{
	(void)state;
	serve_at("127.0.0.1:0", "127.0.0.1:0");
	assert_string_not_equal(serve_metrics_address(w.serve), serve_health_address(w.serve));
	assert_int_equal(get(serve_metrics_address(w.serve), "/", NULL), 404);
	assert_non_null(strstr(w.body.data, "/metrics"));
	assert_int_equal(get(serve_metrics_address(w.serve), "/healthz", NULL), 404);
	assert_int_equal(get(serve_health_address(w.serve), "/metrics", NULL), 404);
	assert_int_equal(get(serve_health_address(w.serve), "/readyz/x", NULL), 404);
}

static void test_not_served(void **state)
{
	(void)state;
	serve_at("", NULL);
	assert_string_equal(serve_metrics_address(w.serve), "");
	assert_string_equal(serve_health_address(w.serve), "");
}

/* Which of the two addresses is taken stands in the error. */
static void test_address_in_use(void **state)
{
	struct serve_options o = {.metrics_address = "127.0.0.1:0"};
	struct err err = ERR_INIT;

	(void)state;
	serve_at("127.0.0.1:0", NULL);
	o.health_address = serve_metrics_address(w.serve);
	assert_null(serve_new(w.loop, &o, &err));
	assert_true(str_starts(err.msg, "health address 127.0.0.1:"));
	assert_int_equal(err.class, ERR_IO);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_metrics),     T(test_process_metrics), T(test_health),
		T(test_other_paths), T(test_not_served),      T(test_address_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
