/* Semantic readiness: what an answer means, and the prober against a server in the same loop. */
#include "site.h"
#include "tidegate/signal/model_probe.h"

#define VERSIONS(list) "{\"model_version_status\":[" list "]}"
#define VERSION(v, state, code)                                                                    \
	"{\"version\":\"" v "\",\"state\":\"" state "\",\"status\":{\"error_code\":\"" code        \
	"\",\"error_message\":\"boom\"}}"

/* --- what an answer says ----------------------------------------------------------------- */

static void test_answers(void **state)
{
	static const struct {
		enum mdep_runtime runtime;
		int status;
		const char *body, *why; /* why NULL = ready */
	} rows[] = {
		{RUNTIME_TRITON, 200, "", NULL},
		{RUNTIME_V2, 200, "anything", NULL},
		{RUNTIME_TRITON, 400, "", "HTTP 400"},
		{RUNTIME_V2, 503, "", "HTTP 503"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("4", "AVAILABLE", "OK")), NULL},
		{RUNTIME_TENSORFLOW_SERVING, 200,
	         VERSIONS(VERSION("3", "AVAILABLE", "OK") "," VERSION("4", "AVAILABLE", "OK")),
	         NULL},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("4", "LOADING", "OK")),
	         "LOADING"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("4", "END", "NOT_FOUND")),
	         "END"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("4", "AVAILABLE", "UNKNOWN")),
	         "boom"},
		{RUNTIME_TENSORFLOW_SERVING, 200,
	         VERSIONS(VERSION("3", "AVAILABLE", "OK") "," VERSION("4", "LOADING", "OK")),
	         "LOADING"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("3", "AVAILABLE", "OK")),
	         "another version is served: 3"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(VERSION("40", "LOADING", "OK")),
	         "not known"},
		{RUNTIME_TENSORFLOW_SERVING, 200, VERSIONS(""), "not known"},
		{RUNTIME_TENSORFLOW_SERVING, 200, "{}", "not known"},
		{RUNTIME_TENSORFLOW_SERVING, 200, "[]", "not known"},
		{RUNTIME_TENSORFLOW_SERVING, 200, "<html>", "not JSON"},
		{RUNTIME_TENSORFLOW_SERVING, 200, "", "not JSON"},
		{RUNTIME_TENSORFLOW_SERVING, 404, "{\"error\":\"no\"}", "HTTP 404"},
		{RUNTIME_TENSORFLOW_SERVING, 200,
	         "{\"model_version_status\":[{\"version\":4,\"state\":\"AVAILABLE\"}]}",
	         "not known"},
		{RUNTIME_TENSORFLOW_SERVING, 200,
	         "{\"model_version_status\":[{\"version\":\"4\",\"state\":\"AVAILABLE\"}]}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char why[160] = "";
		bool ready =
			model_probe_answer(preset_get(rows[i].runtime), "4", rows[i].status,
		                           rows[i].body, strlen(rows[i].body), why, sizeof(why));

		assert_int_equal(ready, rows[i].why == NULL);
		if (rows[i].why && !strstr(why, rows[i].why))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, why, rows[i].why);
	}
}

static void test_a_reason_is_cut_to_its_room(void **state)
{
	char why[8];

	(void)state;
	assert_false(model_probe_answer(preset_get(RUNTIME_V2), "4", 500, "", 0, why, sizeof(why)));
	assert_string_equal(why, "the mod");
}

/* --- prober ------------------------------------------------------------------------------ */

static struct world {
	struct site site;
	struct model_prober *prober;
	unsigned reports, failures;
	bool got, ready;
	bool remove_in_callback;
	char pod[32], uid[32], why[160];
} w;

static void on_report(void *arg, const char *pod, const char *uid, bool ready, unsigned failures,
                      const char *why)
{
	(void)arg;
	w.failures = failures;
	w.reports++;
	w.got = true;
	w.ready = ready;
	str_copy(w.pod, sizeof(w.pod), pod);
	str_copy(w.uid, sizeof(w.uid), uid);
	str_copy(w.why, sizeof(w.why), why);
	if (w.remove_in_callback)
		model_prober_remove(w.prober, pod);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	site_open(&w.site);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_prober_free(w.prober);
	site_close(&w.site);
	return 0;
}

static void make_prober(unsigned concurrency, int64_t period_ms)
{
	struct err err = ERR_INIT;

	w.prober = model_prober_new(w.site.loop, concurrency, period_ms, on_report, NULL, &err);
	if (!w.prober)
		fail_msg("%s", err.msg);
}

/* The site itself, as pod shop/p. */
static struct model_probe_target target(enum mdep_runtime runtime)
{
	return (struct model_probe_target){.pod = "shop/p",
	                                   .uid = "u",
	                                   .ip = "127.0.0.1",
	                                   .port = port_of(server_address(w.site.server)),
	                                   .preset = preset_get(runtime),
	                                   .model = "rec",
	                                   .version = "4"};
}

static void probe(enum mdep_runtime runtime, const char *pod, const char *uid, const char *golden)
{
	struct model_probe_target t = target(runtime);

	t.pod = pod;
	t.uid = uid;
	t.golden_json = golden;
	model_prober_set(w.prober, &t);
}

static void next_report(void)
{
	w.got = false;
	assert_true(run_until(w.site.loop, &w.got, 5000));
}

static void test_reports_changes_only(void **state)
{
	(void)state;
	make_prober(4, 10);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	next_report();
	assert_true(w.ready);
	assert_string_equal(w.pod, "shop/p");
	assert_string_equal(w.uid, "u");
	assert_string_equal(w.site.last_path, "/v2/models/rec/versions/4/ready");
	for (int i = 0; i < 200 && w.site.requests < 4; i++)
		run_for(w.site.loop, 5);
	assert_true(w.site.requests >= 4);
	assert_int_equal(w.reports, 1);
	w.site.status = 503;
	next_report();
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "503"));
	assert_int_equal(w.reports, 2);
}

/* Not ready is looked at again after a second, whatever the period is. */
static void test_becomes_ready(void **state)
{
	int64_t begin;

	(void)state;
	w.site.status = 404;
	make_prober(4, 600000);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	next_report();
	assert_false(w.ready);
	begin = clock_mono_ms();
	w.site.status = 200;
	next_report();
	assert_true(w.ready);
	assert_true(clock_mono_ms() - begin >= 900);
	assert_int_equal(w.site.requests, 2);
}

/* Without a path for it the question is whether the port takes connections: nothing is sent. */
static void test_a_server_of_unknown_kind_is_connected_to(void **state)
{
	(void)state;
	make_prober(4, 10);
	probe(RUNTIME_CUSTOM, "shop/p", "u", NULL);
	next_report();
	assert_true(w.ready);
	run_for(w.site.loop, 60);
	assert_int_equal(w.site.requests, 0);
	server_free(w.site.server);
	w.site.server = NULL;
	next_report();
	assert_false(w.ready);
}

static void test_health_is_asked_where_no_version_can_be(void **state)
{
	(void)state;
	make_prober(4, 10);
	probe(RUNTIME_VLLM, "shop/p", "u", NULL);
	next_report();
	assert_true(w.ready);
	assert_string_equal(w.site.last_path, "/health");
	w.site.status = 503;
	next_report();
	assert_false(w.ready);
}

static void test_the_same_target_goes_on(void **state)
{
	(void)state;
	make_prober(4, 600000);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	next_report();
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	run_for(w.site.loop, 80);
	assert_int_equal(w.site.requests, 1);
	assert_int_equal(w.reports, 1);
	probe(RUNTIME_TRITON, "shop/p", "u2", NULL);
	next_report();
	assert_int_equal(w.reports, 2);
	assert_string_equal(w.uid, "u2");
}

static void test_golden_request(void **state)
{
	(void)state;
	w.site.body = VERSIONS(VERSION("4", "AVAILABLE", "OK"));
	make_prober(4, 600000);
	probe(RUNTIME_TENSORFLOW_SERVING, "shop/p", "u", "{\"instances\":[1]}");
	next_report();
	assert_true(w.ready);
	assert_int_equal(w.site.requests, 2);
	assert_string_equal(w.site.last_method, "POST");
	assert_string_equal(w.site.last_path, "/v1/models/rec/versions/4:predict");
	assert_string_equal(w.site.last_body, "{\"instances\":[1]}");
	assert_non_null(strstr(w.why, "golden"));
}

/* So many, and one that counts; never again, nor for a pod that is set anew as one that serves. */
static void test_warmup_requests(void **state)
{
	struct model_probe_target t = target(RUNTIME_V2);

	(void)state;
	t.golden_json = "{}";
	t.warmup = 5;
	make_prober(4, 20);
	model_prober_set(w.prober, &t);
	next_report();
	assert_true(w.ready);
	assert_int_equal(w.site.requests, 1 + 5 + 1);
	t.warmup = 0;
	model_prober_set(w.prober, &t);
	run_for(w.site.loop, 100);
	assert_int_equal(w.reports, 1);
	assert_true(w.site.requests > 7);
	assert_string_equal(w.site.last_method, "GET");
}

/* Taken out of the spec while one is under way: there is nothing more to send. */
static void test_a_golden_request_that_is_taken_away_ends_the_warmup(void **state)
{
	struct model_probe_target t = target(RUNTIME_V2);

	(void)state;
	t.golden_json = "{}";
	t.warmup = 5;
	w.site.hold = "/v2/models/rec/infer";
	make_prober(4, 600000);
	model_prober_set(w.prober, &t);
	for (int i = 0; i < 200 && !w.site.nheld; i++)
		run_for(w.site.loop, 5);
	assert_int_equal(w.site.nheld, 1);
	t.golden_json = NULL;
	model_prober_set(w.prober, &t);
	site_release(&w.site);
	next_report();
	assert_true(w.ready);
}

static const char *fail_post(struct site *s, const struct server_request *r)
{
	s->status = str_eq(r->method, "POST") ? 500 : 200;
	return "";
}

static void test_golden_request_fails(void **state)
{
	(void)state;
	w.site.answer = fail_post;
	make_prober(4, 600000);
	probe(RUNTIME_V2, "shop/p", "u", "{}");
	next_report();
	assert_false(w.ready);
	assert_string_equal(w.site.last_path, "/v2/models/rec/infer");
	assert_non_null(strstr(w.why, "golden request failed"));
}

/* Longer than what a message shows of a value. */
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static void test_golden_answers(void **state)
{
	static const struct {
		const char *expected, *body, *why; /* why NULL: it passes */
		double tolerance;
	} rows[] = {
		{"{}", "{\"predictions\":[0.5]}", NULL, 0},
		{"{\"p\":[0.5,2]}", "{\"p\":[0.5,2],\"more\":1}", NULL, 0},
		{"{\"p\":[0.5]}", "{\"p\":[0.509]}", NULL, 0.01},
		{"{\"p\":[0.5]}", "{\"p\":[0.511]}", "p[0] is 0.511, expected 0.5", 0.01},
		{"{\"p\":[200]}", "{\"p\":[201.9]}", NULL, 0.01},
		{"{\"p\":[200]}", "{\"p\":[202.1]}", "p[0] is 202.1, expected 200", 0.01},
		{"{\"p\":[1]}", "{\"p\":[1,1]}", "p is [1,1], expected [1]", 1},
		{"{\"p\":[1]}", "{\"q\":[1]}", "p is nothing, expected [1]", 1},
		{"{\"p\":[1]}", "{\"p\":[null]}", "p[0] is null, expected 1", 1},
		{"{\"a\":{\"b\":\"x\",\"c\":true}}", "{\"a\":{\"c\":true,\"b\":\"x\"}}", NULL, 0},
		{"{\"a\":{\"b\":\"x\"}}", "{\"a\":{\"b\":\"y\"}}", "a.b is \"y\", expected \"x\"",
	         1},
		{"{\"a\":\"" LONG "x\"}", "{\"a\":\"" LONG "x\"}", NULL, 0},
		{"{\"a\":\"" LONG "x\"}", "{\"a\":\"" LONG "y\"}", "a is ", 0},
		{"{\"a\":1}", "nonsense", "not JSON", 0},
		{"{\"a\":1}", "[]", "the answer is [], expected {\"a\":1}", 0},
	};
	char why[192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool ok = model_probe_golden(rows[i].expected, rows[i].tolerance, rows[i].body,
		                             strlen(rows[i].body), why, sizeof(why));

		if (ok != !rows[i].why || (rows[i].why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: %d %s", i, ok, ok ? "" : why);
	}
}

/* HTTP 200 is not enough where an answer is expected. */
static void test_golden_request_with_another_answer(void **state)
{
	struct model_probe_target t = target(RUNTIME_V2);

	(void)state;
	t.golden_json = "{}";
	t.golden_answer_json = "{\"score\":0.5}";
	t.golden_tolerance = 0.1;
	w.site.body = "{\"score\":0.7}";
	make_prober(4, 600000);
	model_prober_set(w.prober, &t);
	next_report();
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "golden request failed: score is 0.7, expected 0.5"));
	t.golden_answer_json = "{\"score\":0.65}";
	model_prober_set(w.prober, &t);
	next_report();
	assert_true(w.ready);
}

/* A newer version's spec tells no answer for this one: that must not hide that it is failing. */
static void test_a_failing_server_stays_so_whatever_answer_is_expected(void **state)
{
	struct model_probe_target t = target(RUNTIME_V2);
	struct model_probe_state before, after;

	(void)state;
	t.golden_tolerance = 0.1;
	make_prober(4, 10);
	model_prober_set(w.prober, &t);
	next_report();
	assert_true(w.ready);
	w.site.status = 503;
	next_report();
	assert_true(model_prober_state(w.prober, "shop/p", &before));
	t.golden_tolerance = 0;
	model_prober_set(w.prober, &t);
	assert_true(model_prober_state(w.prober, "shop/p", &after));
	assert_true(before.passed_once && after.passed_once);
	assert_true(after.failures >= before.failures && after.failures > 0);
}

static void test_nobody_answers(void **state)
{
	struct model_probe_target t = target(RUNTIME_V2);

	(void)state;
	t.port = 1;
	make_prober(4, 600000);
	model_prober_set(w.prober, &t);
	next_report();
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "does not answer"));
}

static void test_concurrency(void **state)
{
	char pod[32];

	(void)state;
	w.site.hold = "/";
	make_prober(2, 600000);
	for (int i = 0; i < 8; i++) {
		snprintf(pod, sizeof(pod), "shop/p%d", i);
		probe(RUNTIME_TRITON, pod, pod, NULL);
	}
	for (int i = 0; i < 400 && w.reports < 8; i++) {
		run_for(w.site.loop, 5);
		assert_true(w.site.nheld <= 2);
		if (w.site.nheld == 2)
			site_release(&w.site);
	}
	assert_int_equal(w.reports, 8);
	assert_int_equal(w.site.most_held, 2);
}

static void test_removed_while_running(void **state)
{
	(void)state;
	w.site.hold = "/";
	make_prober(1, 600000);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	for (int i = 0; i < 200 && !w.site.nheld; i++)
		run_for(w.site.loop, 5);
	assert_int_equal(w.site.nheld, 1);
	model_prober_remove(w.prober, "shop/p");
	model_prober_remove(w.prober, "shop/other"); /* harmless */
	site_release(&w.site);
	run_for(w.site.loop, 20);
	assert_int_equal(w.reports, 0);
	/* and its slot is free again */
	w.site.hold = NULL;
	probe(RUNTIME_TRITON, "shop/q", "v", NULL);
	next_report();
	assert_string_equal(w.pod, "shop/q");
}

static void test_removed_by_the_receiver(void **state)
{
	(void)state;
	w.remove_in_callback = true;
	make_prober(1, 5);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	next_report();
	run_for(w.site.loop, 40);
	assert_int_equal(w.reports, 1);
	assert_int_equal(w.site.requests, 1);
}

/* A lost report is made again, though nothing has changed. */
static void test_repeat(void **state)
{
	(void)state;
	make_prober(1, 600000);
	probe(RUNTIME_TRITON, "shop/p", "u", NULL);
	next_report();
	model_prober_repeat(w.prober, "shop/p");
	model_prober_repeat(w.prober, "shop/other");
	next_report();
	assert_true(w.ready);
	assert_int_equal(w.reports, 2);
	assert_int_equal(w.site.requests, 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_a_reason_is_cut_to_its_room),
		T(test_reports_changes_only),
		T(test_becomes_ready),
		T(test_a_server_of_unknown_kind_is_connected_to),
		T(test_health_is_asked_where_no_version_can_be),
		T(test_the_same_target_goes_on),
		T(test_golden_request),
		T(test_warmup_requests),
		T(test_a_golden_request_that_is_taken_away_ends_the_warmup),
		T(test_golden_request_fails),
		T(test_golden_answers),
		T(test_golden_request_with_another_answer),
		T(test_a_failing_server_stays_so_whatever_answer_is_expected),
		T(test_nobody_answers),
		T(test_concurrency),
		T(test_removed_while_running),
		T(test_removed_by_the_receiver),
		T(test_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
