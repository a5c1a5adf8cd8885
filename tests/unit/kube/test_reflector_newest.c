/* Waiting until a store is as new as the server. */
#include "reflector_rig.c"

#define ASK THINGS "limit=1"

struct wait {
	struct rig *rig;
	struct reflector_newest *newest;
	bool done;
	unsigned times;
};

static void on_reached(void *arg)
{
	struct wait *w = arg;

	w->done = true;
	w->times++;
	reflector_newest_free(w->newest);
	w->newest = NULL;
}

static void begin_wait(struct wait *w, struct rig *g)
{
	*w = (struct wait){.rig = g};
	w->newest = reflector_newest_new(g->r, on_reached, w);
}

static void expect_reached(struct wait *w)
{
	assert_true(fake_api_run(w->rig->bed->loop, &w->done, 5000));
	fake_api_idle(w->rig->bed->loop, 30);
	assert_int_equal(w->times, 1);
}

static void test_asked_how(void **state)
{
	struct rig *g = *state;
	const struct fake_request *q;
	struct wait w;
	char accept[160];

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.body = LIST("9", "")});
	start_listed(g, (struct reflector_options){.label_selector = "a=b"});
	begin_wait(&w, g);
	expect_reached(&w);
	q = fake_api_nth(g->bed->api, "GET", ASK, 0);
	assert_string_equal(q->path, ASK "&labelSelector=a%3Db");
	assert_true(fake_request_header(q, "Accept", accept, sizeof(accept)));
	assert_non_null(strstr(accept, "as=PartialObjectMetadataList"));
	assert_int_equal(asked(g, WATCH), 1); /* nothing to hurry */
}

/* The watch is open and says nothing: another one, which tells its place soon, takes over. */
static void test_hanging_watch_is_given_up(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM, STREAM(EVENT("ADDED", "c", "11", "x"), BOOKMARK("20")));
	SCRIPT(g, ASK, {.body = LIST("20", "")});
	start_listed(g, (struct reflector_options){0});
	begin_wait(&w, g);
	expect_reached(&w);
	expect(g, "+c@11=x ");
	assert_int_equal(asked(g, WATCH), 2);
	assert_non_null(strstr(path(g, 3), "timeoutSeconds=3&resourceVersion=9"));
	assert_int_equal(asked(g, PAGED), 1);
}

static void test_not_before_it_is_there(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.body = LIST("20", "")});
	start_listed(g, (struct reflector_options){0});
	begin_wait(&w, g);
	expect_asked(g, WATCH, 2);
	push(g, BOOKMARK("19"));
	fake_api_idle(g->bed->loop, 60);
	assert_false(w.done);
	push(g, BOOKMARK("20"));
	expect_reached(&w);
}

static void test_asked_again(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.status = 500}, {.body = "{\"items\":[]}"}, {.body = LIST("9", "")});
	start_listed(g, (struct reflector_options){0});
	begin_wait(&w, g);
	expect_reached(&w);
	assert_int_equal(asked(g, ASK), 3);
}

/* A resource that the server does not have, or does not show, is waited for by nobody. */
static void test_nothing_there(void **state)
{
	static const int statuses[] = {404, 403};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct fake_reply no = {.status = statuses[i]};
		struct wait w;
		void *state2;
		struct rig *g;

		assert_int_equal(rig_setup(&state2), 0);
		g = state2;
		script(g, THINGS, &no, 1);
		start(g, (struct reflector_options){.no_watch_list = true});
		begin_wait(&w, g);
		expect_reached(&w);
		rig_teardown(&state2);
	}
}

/* What has been there is: a refusal says nothing of how new it is. */
static void test_refused_though_synced(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.status = 403}, {.body = LIST("9", "")});
	start_listed(g, (struct reflector_options){0});
	begin_wait(&w, g);
	expect_reached(&w);
	assert_int_equal(asked(g, ASK), 2);
}

static void test_list_not_in_yet(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.body = LIST("9", "")});
	SCRIPT(g, PAGED, {.body = LIST("9", TWO_ITEMS), .delay_ms = 80});
	start(g, (struct reflector_options){.no_watch_list = true});
	begin_wait(&w, g);
	fake_api_idle(g->bed->loop, 40);
	assert_false(w.done);
	expect_reached(&w);
	assert_int_equal(asked(g, PAGED), 1); /* a list that is coming in is left alone */
}

/* A wait between two tries ends. */
static void test_hurry_ends_the_wait(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH, {.status = 429}, QUIET_STREAM);
	start_listed(g, (struct reflector_options){.backoff_ms = 20000});
	expect_asked(g, WATCH, 1);
	fake_api_idle(g->bed->loop, 20);
	assert_int_equal(asked(g, WATCH), 1);
	reflector_hurry(g->r);
	expect_asked(g, WATCH, 2);
}

static void test_relist(void **state)
{
	struct rig *g = *state;

	SCRIPT(g, WATCH, QUIET_STREAM);
	start_listed(g, (struct reflector_options){0});
	expect_asked(g, WATCH, 1);
	SCRIPT(g, PAGED, {.body = LIST("30", ITEM("a", "11", "y"))});
	reflector_relist(g->r);
	expect(g, "-b@4=x? ~a@11=y ");
	assert_true(str_ends(path(g, 2), "resourceVersion="));
}

/* Every watch is silent: in the end a list tells. */
static void test_silence_is_ended_by_a_list(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM, QUIET_STREAM, QUIET_STREAM, QUIET_STREAM);
	SCRIPT(g, ASK, {.body = LIST("20", "")});
	start_listed(g, (struct reflector_options){0});
	SCRIPT(g, PAGED, {.body = LIST("20", TWO_ITEMS)});
	begin_wait(&w, g);
	assert_true(fake_api_run(g->bed->loop, &w.done, 10000));
	assert_int_equal(asked(g, PAGED), 2);
}

static void test_free_while_waiting(void **state)
{
	struct rig *g = *state;
	struct wait w;

	SCRIPT(g, WATCH, QUIET_STREAM);
	SCRIPT(g, ASK, {.body = LIST("20", "")});
	start_listed(g, (struct reflector_options){0});
	begin_wait(&w, g);
	reflector_newest_free(w.newest); /* asking */
	begin_wait(&w, g);
	expect_asked(g, WATCH, 2); /* waiting */
	reflector_newest_free(w.newest);
	fake_api_idle(g->bed->loop, 30);
	assert_int_equal(w.times, 0);
	reflector_newest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_asked_how),
		R(test_hanging_watch_is_given_up),
		R(test_not_before_it_is_there),
		R(test_asked_again),
		cmocka_unit_test(test_nothing_there),
		R(test_refused_though_synced),
		R(test_list_not_in_yet),
		R(test_hurry_ends_the_wait),
		R(test_relist),
		R(test_silence_is_ended_by_a_list),
		R(test_free_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
