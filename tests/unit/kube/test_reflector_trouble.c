/*
 * Reflector: trouble and recovery, and what is told of it. A program of its own, because a log site
 * is limited to 10 lines in 10 s.
 */
#include "reflector_rig.c"

static void test_refused_then_up(void **state)
{
	struct rig *g = *state;
	char *url = g->bed->cfg.server;

	g->bed->cfg.server = S("http://127.0.0.1:1");
	start(g, (struct reflector_options){0});
	while (!told(g, "not available"))
		fake_api_idle(g->bed->loop, 2);
	fake_api_idle(g->bed->loop, 30);
	assert_true(g->r->failures > 2);
	assert_int_equal(told(g, "not available"), 1);
	assert_int_equal(told(g, "127.0.0.1:1"), 1); /* names the server */
	assert_non_null(strstr(reflector_trouble(g->r), "test.tidegate.io/v1/things: "));

	SCRIPT(g, WATCH_LIST, STREAM(EVENT("ADDED", "a", "3", "x"), END("9")));
	g->bed->cfg.server = url;
	expect(g, "+a@3=x! ");
	assert_null(reflector_trouble(g->r));
	assert_int_equal(told(g, "not available"), 1);
	assert_int_equal(told(g, "available again"), 1);
}

/* The second outage soon after the first one: whoever gets an answer ends the waiting. */
static void test_reached_by_another_call(void **state)
{
	static const struct fake_reply ok = OK;
	struct rig *g = *state;
	char *url = g->bed->cfg.server;
	struct answer a;

	g->bed->cfg.server = S("http://127.0.0.1:1");
	start(g, (struct reflector_options){.backoff_ms = 60000, .seed = 1});
	while (!g->r->trouble)
		fake_api_idle(g->bed->loop, 2);
	SCRIPT(g, WATCH_LIST, STREAM(EVENT("ADDED", "a", "3", "x"), END("9")));
	fake_api_script(g->bed->api, "GET", "/x", &ok, 1);
	g->bed->cfg.server = url;
	bed_run(g->bed, &a, GET);
	expect(g, "+a@3=x! ");
	assert_null(reflector_trouble(g->r));
	assert_int_equal(reflector_trouble_ms(g->r), 0);
}

static void test_crd_appears(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST, {.status = 404, .body = "404 page not found\n", .times = 4},
	       STREAM(EVENT("ADDED", "a", "3", "x"), END("9")));
	start(g, (struct reflector_options){0});
	expect_asked(g, WATCH_LIST, 3);
	assert_non_null(strstr(reflector_trouble(g->r), "kubectl apply -f crds/"));
	assert_int_equal(asked(g, PAGED), 0); /* a list would not find it either */
	expect(g, "+a@3=x! ");
	assert_null(reflector_trouble(g->r));
	assert_int_equal(told(g, "not available"), 1);
	assert_int_equal(told(g, "kubectl apply -f crds/"), 1);
	assert_int_equal(told(g, "available again"), 1);
}

static void test_no_rights(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, THINGS, {.status = 403, .body = STATUS("403", "Forbidden"), .times = 2},
	       {.status = 401, .body = STATUS("401", "Unauthorized"), .times = 2},
	       {.status = 403, .body = STATUS("403", "Forbidden"), .times = 2},
	       STREAM(EVENT("ADDED", "a", "3", "x"), END("9")));
	start(g, (struct reflector_options){0});
	expect_asked(g, THINGS, 1);
	fake_api_idle(g->bed->loop, 2);
	assert_non_null(strstr(reflector_trouble(g->r),
	                       "no, because; grant list and watch on things.test.tidegate.io"));
	expect(g, "+a@3=x! ");
	/* One line a reason, also when reasons alternate. */
	assert_int_equal(told(g, "not available"), 2);
	assert_int_equal(told(g, "grant list and watch on things.test.tidegate.io"), 1);
	assert_int_equal(told(g, "renew the token"), 1);
	assert_int_equal(told(g, "available again"), 1);
}

/* A watch that breaks and is back at the next try is not worth a line. */
static void test_hiccup_is_silent(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST, STREAM(EVENT("ADDED", "a", "3", "x"), END("9")));
	SCRIPT(g, WATCH, STREAM(EVENT("MODIFIED", "a", "10", "y")), RESET,
	       STREAM(EVENT("MODIFIED", "a", "11", "z")));
	start(g, (struct reflector_options){0});
	expect(g, "+a@3=x! ");
	fake_api_end(g->bed->api, WATCH_LIST, FAKE_RESET);
	expect(g, "~a@10=y ");
	assert_int_equal(told(g, "available"), 0);
	assert_null(reflector_trouble(g->r));
	fake_api_end(g->bed->api, WATCH, FAKE_RESET);
	expect(g, "~a@11=z ");
	assert_int_equal(told(g, "not available"), 1);
	assert_int_equal(told(g, "available again"), 1);
	assert_null(reflector_trouble(g->r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_refused_then_up), R(test_reached_by_another_call), R(test_crd_appears),
		R(test_no_rights),       R(test_hiccup_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
