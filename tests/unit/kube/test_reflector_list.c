/* Reflector: the first state, by WatchList or page by page. */
#include "reflector_rig.c"

/* --- WatchList ------------------------------------------------------------------------------- */

static void test_watch_list(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST,
	       STREAM(EVENT("ADDED", "b", "4", "x"), EVENT("ADDED", "a", "3", "x"), BOOKMARK("8"),
	              END("9")));
	start(g, (struct reflector_options){0});
	assert_non_null(strstr(reflector_trouble(g->r), "first list"));
	expect(g, "+b@4=x! +a@3=x! ");
	assert_string_equal(g->store.last_rv, "9");
	assert_true(g->store.synced);
	assert_null(reflector_trouble(g->r));
	assert_non_null(strstr(path(g, 0), "resourceVersionMatch=NotOlderThan&allowWatchBookmarks="
	                                   "true&timeoutSeconds="));
	assert_true(str_ends(path(g, 0), "&resourceVersion="));
	push(g, EVENT("MODIFIED", "a", "10", "y") EVENT("DELETED", "b", "11", "z"));
	push(g, EVENT("ADDED", "c", "12", "x"));
	expect(g, "~a@10=y -b@11=z +c@12=x ");
	assert_string_equal(g->store.last_rv, "12");
	assert_int_equal(asked(g, ""), 1);
}

static void test_watch_list_changes_while_coming_in(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST,
	       STREAM(EVENT("ADDED", "a", "3", "x"), EVENT("ADDED", "b", "4", "x"),
	              EVENT("ADDED", "a", "3", "x"), EVENT("MODIFIED", "b", "6", "y"),
	              EVENT("ADDED", "b", "4", "x"), EVENT("DELETED", "a", "7", "x"), END("9")));
	start(g, (struct reflector_options){0});
	expect(g, "+b@6=y! ");
}

/* The server never says that the list is complete: page by page instead, and for good. */
static void test_watch_list_without_end(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST, STREAM(EVENT("ADDED", "a", "3", "x")));
	SCRIPT(g, PAGED, {.body = LIST("9", TWO_ITEMS)});
	SCRIPT(g, WATCH, {.status = 410, .body = STATUS("410", "Expired")}, QUIET_STREAM);
	SCRIPT(g, UNPAGED, {.body = LIST("12", ITEM("a", "3", "x"))});
	start(g, (struct reflector_options){.watch_list_deadline_ms = 20});
	expect(g, "+a@3=x! +b@4=x! -b@4=x? ");
	assert_int_equal(asked(g, WATCH_LIST), 1);
	assert_int_equal(asked(g, PAGED "0"), 1);
	assert_int_equal(asked(g, UNPAGED "9"), 1);
}

/* Events go on, the end does not come: the total deadline counts. */
static void test_watch_list_drip(void **state)
{
	static const char *drip[101];
	static struct fake_reply reply = {.chunks = drip, .chunk_delay_ms = 2, .end = FAKE_STALL};
	struct rig *g = *state;

	for (int i = 0; i < 100; i++)
		drip[i] = BOOKMARK("8");
	script(g, WATCH_LIST, &reply, 1);
	SCRIPT(g, PAGED, {.body = LIST("9", ITEM("a", "3", "x"))});
	SCRIPT(g, WATCH, QUIET_STREAM);
	start(g, (struct reflector_options){.watch_list_deadline_ms = 8});
	expect(g, "+a@3=x! ");
	assert_int_equal(asked(g, WATCH_LIST), 1);
}

static void test_watch_list_fallbacks(void **state)
{
	const struct {
		struct fake_reply reply;
		bool once; /* only for this list */
	} rows[] = {
		{{.status = 422, .body = STATUS("422", "Invalid")}, false},
		{{.status = 400, .body = STATUS("400", "BadRequest")}, false},
		{{.status = 500, .body = STATUS("500", "InternalError")}, true},
		{{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x"))}, false}, /* ended early */
		{{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x")), .end = FAKE_CLOSE}, true},
		{{.chunks = CHUNKS("<html>")}, true},
		{{.body = LIST("9", "")}, true}, /* a list where a stream should be */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *state2;
		struct rig *g;

		(void)state;
		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		script(g, WATCH_LIST, &rows[i].reply, 1);
		SCRIPT(g, PAGED, {.body = LIST("9", TWO_ITEMS)});
		SCRIPT(g, WATCH, QUIET_STREAM);
		start(g, (struct reflector_options){0});
		expect(g, "+a@3=x! +b@4=x! ");
		assert_int_equal(asked(g, WATCH_LIST), 1);
		assert_int_equal(g->r->watch_list_off_until_ms == 0, rows[i].once);
		rig_teardown(&state2);
	}
}

/* --- LIST ------------------------------------------------------------------------------------ */

static void test_paging(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, PAGED, {.body = PAGE("9", "t/1=", ITEM("a", "3", "x"))});
	SCRIPT(g, NEXT_PAGE, {.body = PAGE("9", "t2", ITEM("b", "4", "x"))},
	       {.body = PAGE("9", "", ITEM("c", "5", "x"))});
	SCRIPT(g, WATCH, QUIET_STREAM);
	start(g, (struct reflector_options){.no_watch_list = true});
	expect(g, "+a@3=x! +b@4=x! +c@5=x! ");
	expect_asked(g, WATCH, 1);
	assert_string_equal(path(g, 0), PAGED "0");
	assert_string_equal(path(g, 1), NEXT_PAGE "t%2F1%3D");
	assert_string_equal(path(g, 2), NEXT_PAGE "t2");
	assert_true(str_ends(path(g, 3), "&resourceVersion=9"));
}

static void test_continue_token_expires(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, PAGED, {.body = PAGE("9", "t1", ITEM("gone", "3", "x"))});
	SCRIPT(g, NEXT_PAGE, {.status = 410, .body = STATUS("410", "Expired")});
	SCRIPT(g, UNPAGED, {.body = LIST("11", TWO_ITEMS)});
	SCRIPT(g, WATCH, QUIET_STREAM);
	start(g, (struct reflector_options){.no_watch_list = true, .quorum_first_list = true});
	expect(g, "+a@3=x! +b@4=x! ");
	assert_string_equal(path(g, 0), PAGED);
	assert_string_equal(path(g, 1), NEXT_PAGE "t1");
	assert_string_equal(path(g, 2), UNPAGED);
	assert_int_equal(g->r->failures, 0); /* happened at once */
}

static void test_bad_lists(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, PAGED, {.body = "{\"kind\":\"Table\",\"rows\":[],\"items\":[]}"},
	       {.body = STATUS("500", "InternalError")}, {.body = "{}"}, {.body = "<html></html>"},
	       {.body = "{\"kind\":\"ThingList\",\"metadata\":{},\"items\":[]}"},
	       {.body = "{\"kind\":\"ThingList\",\"metadata\":{\"resourceVersion\":\"3\"}}"},
	       {.body = "{\"kind\":\"ThingList\",\"items\":[{\"metadata"}, {.body = ""},
	       {.status = 503, .body = "away"}, {.chunks = CHUNKS("{"), .end = FAKE_RESET},
	       {.body = LIST("9", TWO_ITEMS)});
	SCRIPT(g, WATCH, QUIET_STREAM);
	start(g, (struct reflector_options){.no_watch_list = true, .backoff_ms = 1});
	/* The eleventh answer is the first good one; nothing of the others was delivered. */
	g->r->backoff_step = 0;
	for (unsigned n = 1; n <= 10; n++) {
		expect_asked(g, PAGED, n);
		g->r->backoff_step = 0;
	}
	expect(g, "+a@3=x! +b@4=x! ");
	assert_int_equal(g->r->failures, 10);
}

static void test_undecodable_objects(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH_LIST,
	       STREAM(EVENT("ADDED", "a", "3", "x"), EVENT("ADDED", "b", "4", "poison"),
	              EVENT("ADDED", "c", "5", "x"), END("9"),
	              "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Table\",\"rows\":[]}}",
	              "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":"
	              "\"p\",\"uid\":\"u\"}}}",
	              "{\"type\":\"ADDED\",\"object\":null}",
	              EVENT("MODIFIED", "a", "10", "poison"), EVENT("MODIFIED", "c", "11", "y")),
	       STREAM(EVENT("ADDED", "a", "10", "poison"), EVENT("ADDED", "d", "12", "x"),
	              END("13"), EVENT("DELETED", "a", "14", "poison")));
	start(g, (struct reflector_options){0});
	expect(g, "+a@3=x! +c@5=x! ~c@11=y ");
	assert_string_equal(g->store.last_rv, "11");
	assert_true(told(g, "object skipped") >= 5);
	assert_true(
		told(g, "\"namespace\":\"s\",\"name\":\"b\",\"error\":\"spec.value is poison\"") ==
		1);
	/* What cannot be read any more is not gone, until it is said to be. */
	push(g, ERROR_EVENT("410", "Expired"));
	expect(g, "-c@11=y? +d@12=x -a@3=x? ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_watch_list),
		R(test_watch_list_changes_while_coming_in),
		R(test_watch_list_without_end),
		R(test_watch_list_drip),
		cmocka_unit_test(test_watch_list_fallbacks),
		R(test_paging),
		R(test_continue_token_expires),
		R(test_bad_lists),
		R(test_undecodable_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
