/* Metrics under the names, labels and results that controller-runtime and client-go use. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "tidegate/base/metric.h"
#include "tidegate/kube/lease.h"

static struct buf text;

/* The line that begins with this series stands in the registry with this value. */
static void expect(const char *series, const char *value)
{
	cleanup_free char *line = xasprintf("\n%s %s\n", series, value);

	if (!strstr(text.data, line))
		fail_msg("no line %s", line);
}

static void render(void)
{
	buf_reset(&text);
	assert_int_equal(metric_render(&text, 0), 0);
}

static struct mdep_operator *make_operator(struct bed *b)
{
	static const struct operator_options o = {.identity = "test", .workers = 7};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);

	assert_non_null(op);
	return op;
}

#define C "controller=\"modeldeployment\""

static void test_passes(void **state)
{
	struct mdep_operator *op = make_operator(*state);

	render();
	expect("controller_runtime_reconcile_total{" C ",result=\"error\"}", "0");
	expect("controller_runtime_reconcile_errors_total{" C "}", "0");
	expect("controller_runtime_max_concurrent_reconciles{" C "}", "7");
	expect("controller_runtime_active_workers{" C "}", "0");
	pass_metric_count(PASS_SUCCESS, 4);
	pass_metric_count(PASS_AGAIN, 30);
	pass_metric_count(PASS_ERROR, 61000);
	pass_metric_busy(3);
	render();
	expect("controller_runtime_reconcile_total{" C ",result=\"success\"}", "1");
	expect("controller_runtime_reconcile_total{" C ",result=\"requeue_after\"}", "1");
	expect("controller_runtime_reconcile_total{" C ",result=\"error\"}", "1");
	expect("controller_runtime_reconcile_errors_total{" C "}", "1");
	expect("controller_runtime_active_workers{" C "}", "3");
	expect("controller_runtime_reconcile_time_seconds_bucket{" C ",le=\"0.005\"}", "1");
	expect("controller_runtime_reconcile_time_seconds_bucket{" C ",le=\"60\"}", "2");
	expect("controller_runtime_reconcile_time_seconds_count{" C "}", "3");
	operator_free(op);
}

/* A key without an object is a pass as well: success, as there. */
static void test_a_pass_is_counted(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	cleanup_free char *before = NULL;

	render();
	before = xstrdup(strstr(text.data, "controller_runtime_reconcile_time_seconds_count"));
	before[strcspn(before, "\n")] = '\0';
	queue_start(op->queue);
	operator_enqueue(op, "shop/gone");
	fake_api_idle(b->loop, 20);
	render();
	assert_null(strstr(text.data, before));
	expect("controller_runtime_active_workers{" C "}", "0");
	expect("workqueue_depth{name=\"modeldeployment\"," C ",priority=\"0\"}", "0");
	expect("workqueue_depth{name=\"modeldeployment\"," C ",priority=\"-100\"}", "0");
	expect("workqueue_adds_total{name=\"modeldeployment\"," C "}", "1");
	expect("workqueue_retries_total{name=\"modeldeployment\"," C "}", "0");
	expect("workqueue_unfinished_work_seconds{name=\"modeldeployment\"," C "}", "0");
	expect("workqueue_longest_running_processor_seconds{name=\"modeldeployment\"," C "}", "0");
	expect("workqueue_queue_duration_seconds_count{name=\"modeldeployment\"," C "}", "1");
	expect("workqueue_work_duration_seconds_bucket{name=\"modeldeployment\"," C ",le=\"1000\"}",
	       "1");
	operator_free(op);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Once, of the one call to this server. */
static void expect_client(const struct bed *b, const char *name, const char *labels)
{
	cleanup_free char *series = xasprintf("rest_client_%s{%s,host=\"%s\"}", name, labels,
	                                      strstr(b->cfg.server, "//") + 2);

	expect(series, "1");
}

static void test_client_and_lease(void **state)
{
	static const struct fake_reply ok = OK;
	struct lease_options o = {
		.namespace = "ns", .name = "l", .on_acquired = nothing, .on_lost = nothing};
	struct bed *b = *state;
	struct answer a;
	struct lease *l;

	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	bed_run(b, &a, GET);
	l = lease_new(b->client, &o, NULL);
	assert_non_null(l);
	render();
	expect_client(b, "requests_total", "code=\"200\",method=\"GET\"");
	expect_client(b, "request_duration_seconds_count", "verb=\"GET\"");
	expect_client(b, "request_size_bytes_count", "verb=\"GET\"");
	expect_client(b, "response_size_bytes_count", "verb=\"GET\"");
	expect("leader_election_master_status{name=\"l\"}", "0");
	expect("leader_election_slowpath_total{name=\"l\"}", "0");
	lease_free(l);
}

static int setup(void **state)
{
	buf_init(&text, 1u << 22);
	return bed_setup(state);
}

static int teardown(void **state)
{
	buf_release(&text);
	return bed_teardown(state);
}

int main(void)
{
#define M(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		M(test_passes),
		M(test_a_pass_is_counted),
		M(test_client_and_lease),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
