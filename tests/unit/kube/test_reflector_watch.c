/* Reflector: changes as they come, and what follows each end of a watch. */
#include "reflector_rig.c"

static void test_duplicates_and_overtaken(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH,
	       STREAM(EVENT("ADDED", "a", "3", "x"), EVENT("MODIFIED", "b", "12", "y"),
	              EVENT("ADDED", "b", "4", "x"), EVENT("MODIFIED", "b", "12", "y"),
	              EVENT("ADDED", "c", "13", "x") EVENT("ADDED", "b", "4", "x")));
	start_listed(g, (struct reflector_options){0});
	expect(g, "~b@12=y +c@13=x ");
	assert_string_equal(g->store.last_rv, "13");
}

static void test_bookmarks_move_the_place(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH, {.chunks = CHUNKS(BOOKMARK("50"), BOOKMARK("51"))},
	       STREAM(EVENT("ADDED", "c", "60", "x")));
	start_listed(g, (struct reflector_options){0});
	expect(g, "+c@60=x ");
	assert_true(str_ends(path(g, 1), "&resourceVersion=9"));
	assert_true(str_ends(path(g, 2), "&resourceVersion=51"));
	assert_int_equal(asked(g, PAGED), 1);
	assert_int_equal(told(g, "not available"), 0);
}

static void on_version(void *arg, const char *rv)
{
	struct rig *g = arg;

	buf_addf(&g->log, "%s ", rv);
}

/* Changes are told by their versions, the place moves on; what comes and goes is told as ever. */
static void test_versions_only(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH,
	       STREAM(EVENT("MODIFIED", "a", "10", "y"), EVENT("MODIFIED", "b", "11", "y"),
	              EVENT("MODIFIED", "a", "11", "z"), EVENT("MODIFIED", "a", "12", "z"),
	              EVENT("DELETED", "a", "13", "z"), EVENT("ADDED", "a", "14", "z")));
	start_listed(g, (struct reflector_options){0});
	reflector_versions_only(g->r, "a", on_version, g);
	expect(g, "10 ~b@11=y 12 -a@13=z +a@14=z ");
	assert_string_equal(g->store.last_rv, "14");
}

static void test_list_with_undecodable_object(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH, {.chunks = CHUNKS(ERROR_EVENT("410", "Expired"))}, QUIET_STREAM);
	SCRIPT(g, UNPAGED,
	       {.body = LIST("12", ITEM("a", "11", "poison") "," ITEM("d", "12", "x"))});
	start_listed(g, (struct reflector_options){0});
	expect(g, "-b@4=x? +d@12=x ");
	assert_non_null(store_get(&g->store, "s", "a"));
}

/* A watch that was refused and then is open is well, though it has nothing to say. */
static void test_quiet_watch(void **state)
{
	const struct fake_reply rows[] = {
		{.chunks = (const char *const[]){NULL}, .delay_ms = 5, .end = FAKE_STALL},
		{.raw = "", .end = FAKE_STALL}, /* hangs, without even a head */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_reply replies[2] = {{.status = 429}, rows[i]};
		void *state2;
		struct rig *g;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		script(g, WATCH, replies, 2);
		start_listed(g, (struct reflector_options){0});
		expect_asked(g, WATCH, 2);
		assert_non_null(reflector_trouble(g->r));
		fake_api_idle(g->bed->loop, 20);
		timer_start(&g->r->watchdog, 0); /* instead of waiting for a second */
		fake_api_idle(g->bed->loop, 5);
		assert_int_equal(reflector_trouble(g->r) == NULL, i == 0);
		rig_teardown(&state2);
	}
}

/* Ends of a watch after which its place is still good: no list. */
static void test_watch_again(void **state)
{
	const struct fake_reply rows[] = {
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x"), "{\"type\":\"ADD"),
	         .end = FAKE_CLOSE},
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x"), "{\"type\":\"ADD")},
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x")), .end = FAKE_RESET},
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x")), .end = FAKE_STALL},
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x"),
	                          ERROR_EVENT("429", "TooManyRequests"))},
		{.chunks = CHUNKS(EVENT("ADDED", "c", "10", "x"))},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_reply replies[2] = {rows[i], QUIET_STREAM};
		void *state2;
		struct rig *g;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		script(g, WATCH, replies, 2);
		start_listed(g, (struct reflector_options){.stall_ms = 40});
		expect(g, "+c@10=x ");
		expect_asked(g, WATCH, 2);
		assert_true(str_ends(path(g, 2), "&resourceVersion=10"));
		assert_int_equal(asked(g, PAGED) + asked(g, UNPAGED), 1);
		rig_teardown(&state2);
	}
}

/* Ends of a watch after which the list must be read again, at the last version seen. */
static void test_list_again(void **state)
{
	const struct {
		struct fake_reply reply;
		const char *reason;
	} rows[] = {
		{{.status = 410, .body = STATUS("410", "Expired")}, "Gone"},
		{{.chunks = CHUNKS(ERROR_EVENT("410", "Expired"))}, "Gone"},
		{{.chunks = CHUNKS(ERROR_EVENT("410", "Gone"))}, "Gone"},
		{{.chunks = CHUNKS(ERROR_EVENT("500", "InternalError"))}, "ServerError"},
		{{.status = 500, .body = STATUS("500", "InternalError")}, "ServerError"},
		{{.chunks = CHUNKS("{\"type\":\"ADDED\",}")}, "ProtocolError"},
		{{.chunks = CHUNKS("garbage")}, "ProtocolError"},
		{{.chunks = CHUNKS("{\"type\":\"NEWS\",\"object\":{}}")}, "ProtocolError"},
		{{.chunks = CHUNKS("{\"type\":\"ERROR\"}")}, "ProtocolError"},
		{{.chunks = (const char *const[]){NULL}}, "ProtocolError"}, /* very short */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double before = relists(rows[i].reason);
		struct fake_reply replies[2] = {rows[i].reply, QUIET_STREAM};
		void *state2;
		struct rig *g;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		script(g, WATCH, replies, 2);
		SCRIPT(g, UNPAGED,
		       {.body = LIST("12", ITEM("a", "11", "y") "," ITEM("c", "12", "x"))});
		start_listed(g, (struct reflector_options){0});
		expect(g, "-b@4=x? ~a@11=y +c@12=x "); /* b's end fell into the gap */
		expect_asked(g, WATCH, 2);
		assert_string_equal(path(g, 2), UNPAGED "9");
		assert_true(str_ends(path(g, 3), "&resourceVersion=12"));
		if (relists(rows[i].reason) != before + 1)
			fail_msg("row %zu: no relist counted for %s", i, rows[i].reason);
		rig_teardown(&state2);
	}
}

/* An old place that is lost is no trouble: listed again at once. */
static void test_place_is_too_old(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH, STREAM(BOOKMARK("10")), QUIET_STREAM);
	SCRIPT(g, UNPAGED, {.body = LIST("12", ITEM("a", "3", "x"))});
	start_listed(g, (struct reflector_options){.backoff_ms = 30000});
	while (!str_eq(g->store.last_rv, "10"))
		fake_api_idle(g->bed->loop, 1);
	g->r->listed_ms -= 60000;
	push(g, ERROR_EVENT("410", "Expired"));
	expect(g, "-b@4=x? ");
	assert_int_equal(g->r->failures, 0);
	assert_null(reflector_trouble(g->r));
	assert_string_equal(path(g, 2), UNPAGED "10");
}

/* The list at the last version is refused as well: once at once from the newest state. */
static void test_place_is_lost(void **state)
{
	const struct fake_reply rows[] = {
		{.status = 410, .body = STATUS("410", "Expired")},
		{.status = 504,
	         .body = "{\"kind\":\"Status\",\"message\":\"Too large resource version: 9, "
	                 "current: "
	                 "3\",\"code\":504,\"reason\":\"Timeout\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *state2;
		struct rig *g;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		SCRIPT(g, WATCH, {.chunks = CHUNKS(ERROR_EVENT("410", "Expired"))}, QUIET_STREAM);
		start_listed(g, (struct reflector_options){0});
		script(g, UNPAGED "9", &rows[i], 1);
		/* Refused even so: after a wait, and the answer then is from a restored backup. */
		SCRIPT(g, PAGED, {.status = 410, .body = STATUS("410", "Expired")},
		       {.body = LIST("7", ITEM("a", "2", "z"))});
		expect(g, "-b@4=x? ~a@2=z ");
		assert_string_equal(path(g, 2), UNPAGED "9");
		assert_string_equal(path(g, 3), PAGED);
		assert_string_equal(path(g, 4), PAGED);
		expect_asked(g, WATCH, 2);
		assert_true(str_ends(path(g, 5), "&resourceVersion=7"));
		assert_false(g->r->fresh);
		assert_int_equal(g->r->backoff_step, 2); /* the event, the second refusal */
		rig_teardown(&state2);
	}
}

/* Whatever a server does all the time, we do not spin. */
static void test_no_busy_loop(void **state)
{
	const struct fake_reply rows[] = {
		{.chunks = CHUNKS("garbage")},
		{.chunks = (const char *const[]){NULL}},
		{.chunks = CHUNKS(ERROR_EVENT("410", "Expired"))},
		{.status = 410, .body = STATUS("410", "Expired")},
		{.status = 429},
		{.status = 500},
		RESET,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *state2;
		struct rig *g;
		int64_t took;
		unsigned n;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		SCRIPT(g, UNPAGED, {.body = LIST("9", TWO_ITEMS)});
		script(g, WATCH, &rows[i], 1);
		start_listed(g, (struct reflector_options){.backoff_ms = 10});
		expect_asked(g, WATCH, 2);
		fake_api_idle(g->bed->loop, 60);
		n = asked(g, WATCH);
		took = clock_mono_ms() - fake_api_nth(g->bed->api, "GET", WATCH, 0)->at_ms;
		/* At least 10, 20, 40 ... ms between them. */
		if (10 * ((1LL << (n - 1)) - 1) > took + 10)
			fail_msg("row %zu: %u watches in %lld ms", i, n, (long long)took);
		rig_teardown(&state2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_duplicates_and_overtaken),
		R(test_bookmarks_move_the_place),
		R(test_versions_only),
		R(test_list_with_undecodable_object),
		cmocka_unit_test(test_quiet_watch),
		cmocka_unit_test(test_watch_again),
		cmocka_unit_test(test_list_again),
		R(test_place_is_too_old),
		cmocka_unit_test(test_place_is_lost),
		cmocka_unit_test(test_no_busy_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
