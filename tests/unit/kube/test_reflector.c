/* Reflector against a scripted server: what it asks, what it delivers, what it tells. */
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "client_bed.c"

#include "../../../controller/kube/reflector_priv.h"
#include "thing.h"

#define THINGS     "/apis/test.tidegate.io/v1/things?"
#define WATCH_LIST THINGS "watch=1&sendInitialEvents"
#define WATCH      THINGS "watch=1&allow"
#define PAGED      THINGS "limit=500&resourceVersion="
#define NEXT_PAGE  THINGS "limit=500&continue="
#define UNPAGED    THINGS "resourceVersion="

#define HEAD "\"kind\":\"Thing\",\"apiVersion\":\"test.tidegate.io/v1\","
#define ITEM(name, rv, value)                                                                      \
	"{\"metadata\":{\"namespace\":\"s\",\"name\":\"" name "\",\"uid\":\"u" name                \
	"\",\"resourceVersion\":\"" rv "\"},\"spec\":{\"value\":\"" value "\"}}"
#define EVENT(type, name, rv, value)                                                               \
	"{\"type\":\"" type "\",\"object\":{" HEAD                                                 \
	"\"metadata\":{\"namespace\":\"s\",\"name\":\"" name "\",\"uid\":\"u" name                 \
	"\",\"resourceVersion\":\"" rv "\"},\"spec\":{\"value\":\"" value "\"}}}\n"
#define BOOKMARK(rv)                                                                               \
	"{\"type\":\"BOOKMARK\",\"object\":{" HEAD "\"metadata\":{\"resourceVersion\":\"" rv       \
	"\"}}}\n"
#define END(rv)                                                                                    \
	"{\"type\":\"BOOKMARK\",\"object\":{" HEAD "\"metadata\":{\"resourceVersion\":\"" rv       \
	"\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define STATUS(code, reason)                                                                       \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"no, "     \
	"because\",\"reason\":\"" reason "\",\"code\":" code "}"
#define ERROR_EVENT(code, reason) "{\"type\":\"ERROR\",\"object\":" STATUS(code, reason) "}\n"
#define LIST(rv, items)                                                                            \
	"{\"kind\":\"ThingList\",\"apiVersion\":\"test.tidegate.io/v1\",\"metadata\":"             \
	"{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define PAGE(rv, token, items)                                                                     \
	"{\"kind\":\"ThingList\",\"items\":[" items "],\"metadata\":{\"resourceVersion\":\"" rv    \
	"\",\"continue\":\"" token "\"}}"

#define CHUNKS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define STREAM(...)                                                                                \
	{                                                                                          \
		.chunks = CHUNKS(__VA_ARGS__), .end = FAKE_STALL                                   \
	}
#define QUIET_STREAM                                                                               \
	{                                                                                          \
		.chunks = (const char *const[]){NULL}, .end = FAKE_STALL                           \
	}
#define TWO_ITEMS ITEM("a", "3", "x") "," ITEM("b", "4", "x")

struct rig {
	struct bed *bed;
	struct store store;
	struct reflector *r;
	struct buf log; /* one line a delivery */
	int lines;      /* memfd with the program's log */
};

static void on_change(void *arg, const struct store_event *ev)
{
	struct rig *g = arg;
	const struct thing *t = (const struct thing *)ev->object;

	buf_addf(&g->log, "%c%s@%s=%s", "+~-"[ev->change], t -> meta.name, t->meta.resource_version,
	         t->value);
	buf_addf(&g->log, "%s%s ", ev->initial ? "!" : "", ev->final_unknown ? "?" : "");
}

static int rig_setup(void **state)
{
	struct rig *g = xcalloc(1, sizeof(*g));
	void *bed;

	if (bed_setup(&bed))
		return -1;
	g->bed = bed;
	bed_client(g->bed, 0);
	store_init(&g->store, &thing_kind);
	store_add_handler(&g->store, on_change, g);
	buf_init(&g->log, 1u << 20);
	g->lines = memfd_create("log", MFD_CLOEXEC);
	log_set_fd(g->lines);
	*state = g;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *g = *state;
	void *bed = g->bed;

	reflector_free(g->r);
	store_release(&g->store);
	buf_release(&g->log);
	log_set_fd(2);
	close(g->lines);
	free(g);
	return bed_teardown(&bed);
}

static void start(struct rig *g, struct reflector_options o)
{
	o.seed = 1;
	if (!o.backoff_ms)
		o.backoff_ms = 2;
	g->r = reflector_new(g->bed->client, &g->store, &o);
	assert_string_equal(reflector_trouble(g->r), "not started");
	reflector_start(g->r);
}

static void script(struct rig *g, const char *prefix, const struct fake_reply *replies, unsigned n)
{
	fake_api_script(g->bed->api, "GET", prefix, replies, n);
}
/* The replies live as long as the block they stand in. */
#define SCRIPT(g, prefix, ...)                                                                     \
	const struct fake_reply UNIQUE(__LINE__)[] = {__VA_ARGS__};                                \
	script(g, prefix, UNIQUE(__LINE__), ARRAY_SIZE(UNIQUE(__LINE__)))
#define UNIQUE(line)  UNIQUE2(line)
#define UNIQUE2(line) replies_##line

static unsigned asked(const struct rig *g, const char *prefix)
{
	return fake_api_count(g->bed->api, "GET", prefix);
}

static const char *path(const struct rig *g, unsigned i)
{
	const struct fake_request *q = fake_api_nth(g->bed->api, "GET", "", i);

	return q ? q->path : "(no such request)";
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* Runs the loop until the deliveries are `want`. */
static void expect(struct rig *g, const char *want)
{
	bool late = false;
	struct timer t;

	timer_init(&t, g->bed->loop, set_flag, &late);
	timer_start(&t, 5000);
	while (!late && strcmp(g->log.data, want) != 0)
		loop_run_once(g->bed->loop, true);
	timer_release(&t);
	assert_string_equal(g->log.data, want);
	buf_reset(&g->log);
}

/* Runs the loop until n requests with this prefix have come. */
static void expect_asked(struct rig *g, const char *prefix, unsigned n)
{
	bool late = false;
	struct timer t;

	timer_init(&t, g->bed->loop, set_flag, &late);
	timer_start(&t, 5000);
	while (!late && asked(g, prefix) < n)
		loop_run_once(g->bed->loop, true);
	timer_release(&t);
	if (asked(g, prefix) < n)
		fail_msg("%s asked %u times, not %u", prefix, asked(g, prefix), n);
}

static void push(struct rig *g, const char *chunk)
{
	fake_api_push(g->bed->api, THINGS, chunk);
}

/* How many lines of the program's log hold the text. */
static unsigned told(const struct rig *g, const char *text)
{
	static char all[65536];
	ssize_t n = pread(g->lines, all, sizeof(all) - 1, 0);
	unsigned count = 0;

	all[n > 0 ? n : 0] = '\0';
	for (char *p = all; (p = strstr(p, text)); p++)
		count++;
	return count;
}

static double relists(const char *reason)
{
	cleanup_free char *line = xasprintf(
		"tidegate_reflector_relists_total{resource=\"test.tidegate.io/v1/things\","
		"namespace=\"\",reason=\"%s\"}",
		reason);
	struct buf cleanup_buf out;
	const char *at;

	buf_init(&out, 4u << 20);
	metric_render(&out, 0);
	at = strstr(out.data, line);
	return at ? strtod(at + strlen(line), NULL) : 0;
}

/* --- trouble and recovery: first, because a log site is limited to 10 lines in 10 s ---------- */

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

/* --- WATCH ----------------------------------------------------------------------------------- */

/* Starts with a and b at version 9 from a list. */
static void start_listed(struct rig *g, struct reflector_options o)
{
	static const struct fake_reply list = {.body = LIST("9", TWO_ITEMS)};

	script(g, PAGED, &list, 1);
	o.no_watch_list = true;
	start(g, o);
	expect(g, "+a@3=x! +b@4=x! ");
}

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

/* --- the rest -------------------------------------------------------------------------------- */

static void test_every_class_has_its_way(void **state)
{
	(void)state;
	for (int c = ERR_INVALID; c <= ERR_INTERNAL; c++) {
		enum reflector_next list = reflector_rule(RP_LIST, (enum err_class)c);
		enum reflector_next watch = reflector_rule(RP_WATCH, (enum err_class)c);

		/* A list has no other to fall back to; a watch never goes on at once. */
		assert_true(list == RN_SYNC || list == RN_FRESH);
		assert_true(watch == RN_SYNC || watch == RN_WATCH);
	}
	assert_int_equal(reflector_rule(RP_WATCH, ERR_THROTTLED), RN_WATCH);
	assert_int_equal(reflector_rule(RP_WATCH, ERR_GONE), RN_SYNC);
	assert_int_equal(reflector_rule(RP_LIST, ERR_GONE), RN_FRESH);
	assert_int_equal(reflector_rule(RP_WATCH_LIST, ERR_FORBIDDEN), RN_SYNC);
}

static void test_back_off(void **state)
{
	static const int64_t want[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct rig *g = *state;
	bool spread = false;
	int64_t ms;

	g->r = reflector_new(g->bed->client, &g->store, &(struct reflector_options){.seed = 7});
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		ms = reflector_backoff(g->r, 0);
		assert_true(ms >= want[i] && ms < 2 * want[i]);
		spread = spread || ms > want[i] * 3 / 2;
	}
	assert_true(spread);
	assert_int_equal(reflector_backoff(g->r, 90000), 90000);       /* the server's wish */
	assert_int_equal(reflector_backoff(g->r, 1000000000), 300000); /* within reason */
	g->r->backoff_last_ms -= 120001;
	ms = reflector_backoff(g->r, 0);
	assert_true(ms < 1600);
	/* short trouble, short memory */
	g->r->backoff_last_ms -= 9000;
	ms = reflector_backoff(g->r, 0);
	assert_true(ms >= 1600);
	g->r->backoff_last_ms -= 10001;
	assert_true(reflector_backoff(g->r, 0) < 1600);
}

static void test_paths(void **state)
{
	struct rig *g = *state;
	static const struct object_kind cluster = {
		.kind = "Node", .api = "/api/v1", .resource = "nodes", .cluster_scoped = true};
	char *p;

	g->r = reflector_new(g->bed->client, &g->store,
	                     &(struct reflector_options){.namespace = "shop",
	                                                 .label_selector = "app in (a, b),c=d",
	                                                 .field_selector = "spec.x!=1&2"});
	p = reflector_list_path(g->r, "0");
	assert_string_equal(p, "/apis/test.tidegate.io/v1/namespaces/shop/things?limit=500&"
	                       "resourceVersion=0&labelSelector=app%20in%20%28a%2C%20b%29%2Cc%3Dd&"
	                       "fieldSelector=spec.x%21%3D1%262");
	free(p);
	p = reflector_watch_path(g->r, "7", false, 301);
	assert_string_equal(p, "/apis/test.tidegate.io/v1/namespaces/shop/things?watch=1&"
	                       "allowWatchBookmarks=true&timeoutSeconds=301&resourceVersion=7&"
	                       "labelSelector=app%20in%20%28a%2C%20b%29%2Cc%3Dd&"
	                       "fieldSelector=spec.x%21%3D1%262");
	free(p);
	p = reflector_base_path(&cluster, "shop");
	assert_string_equal(p, "/api/v1/nodes");
	free(p);
}

static void test_watch_timeout_is_spread(void **state)
{
	struct rig *g = *state;
	int low = 600, high = 0;

	SCRIPT(g, WATCH, {.status = 429});
	start_listed(g, (struct reflector_options){.backoff_ms = 1});
	for (unsigned n = 1; n <= 12; n++) {
		const struct fake_request *q;
		int s;

		expect_asked(g, WATCH, n);
		g->r->backoff_step = 0;
		q = fake_api_nth(g->bed->api, "GET", WATCH, n - 1);
		s = (int)strtol(strstr(q->path, "timeoutSeconds=") + 15, NULL, 10);
		assert_true(s >= 300 && s < 600);
		low = s < low ? s : low;
		high = s > high ? s : high;
	}
	assert_true(high - low > 60);
}

/* Freed in each of its states; the sanitizer build sees what is left behind. */
static void test_free_anywhere(void **state)
{
	const struct fake_reply rows[] = {
		{.raw = "", .end = FAKE_STALL},
		{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x"), "{\"type"), .end = FAKE_STALL},
		{.status = 500},
		{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x"), END("9")), .end = FAKE_STALL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int ms = 0; ms < 10; ms += 3) {
			void *state2;
			struct rig *g;

			assert_int_equal(rig_setup(&state2), 0);
			g = state2;
			script(g, THINGS, &rows[i], 1);
			start(g, (struct reflector_options){.no_watch_list = ms == 3});
			fake_api_idle(g->bed->loop, ms);
			rig_teardown(&state2);
		}
	}
	reflector_free(NULL);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* The sanitizer's allocator keeps no such books; the list itself is then still a test. */
#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_COUNTED 0
#endif
#endif
#ifndef HEAP_IS_COUNTED
#define HEAP_IS_COUNTED 1
#endif

#define MANY      10000
#define PAD_WIDTH 3000

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			_exit(1);
		p += sent;
		n -= (size_t)sent;
	}
}

/* A server of its own process, so that its memory is not counted: one list, then silence. */
static void serve_many(int listener)
{
	static char pad[PAD_WIDTH + 1], item[PAD_WIDTH + 512], block[4096];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test must not leave it behind */
	fd = accept(listener, NULL, NULL);
	memset(pad, 'p', PAD_WIDTH);
	if (fd < 0 || recv(fd, block, sizeof(block), 0) <= 0)
		_exit(1);
	send_all(fd,
	         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"kind\":\"ThingList\",\"items\":[",
	         strlen("HTTP/1.1 200 OK\r\nConnection: "
	                "close\r\n\r\n{\"kind\":\"ThingList\",\"items\":["));
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(
			item, sizeof(item),
			"%s{\"metadata\":{\"namespace\":\"shop\",\"name\":\"thing-%05d\","
			"\"uid\":\"uid-%05d\",\"resourceVersion\":\"%d\",\"managedFields\":"
			"[{\"x\":\"%s\"}]},\"spec\":{\"value\":\"v\"}}",
			i ? "," : "", i, i, i + 1, pad);

		send_all(fd, item, (size_t)n);
	}
	send_all(fd, "],\"metadata\":{\"resourceVersion\":\"99999\"}}", 41);
	close(fd);
	pause();
	_exit(0);
}

static size_t heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void test_ten_thousand_objects(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rig *g = *state;
	size_t before, kept, peak = 0, body = (size_t)MANY * (PAD_WIDTH + 100);
	int64_t started, cpu;
	char url[64];
	pid_t pid;

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_many(listener);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(sa.sin_port));
	g->bed->cfg.server = url;
	g->store.nhandlers = 0; /* the log of deliveries would count as well */

	before = heap_in_use();
	started = clock_mono_ms();
	cpu = clock_cpu_ms();
	start(g, (struct reflector_options){.no_watch_list = true});
	while (!g->store.synced && clock_mono_ms() - started < 20000) {
		size_t now;

		loop_run_once(g->bed->loop, true);
		now = heap_in_use();
		peak = now > peak ? now : peak;
	}
	kept = heap_in_use() - before;
	print_message("body %zu kB, peak %zu kB, kept %zu kB, %lld ms CPU\n", body / 1024,
	              (peak - before) / 1024, kept / 1024, (long long)(clock_cpu_ms() - cpu));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	assert_int_equal(store_len(&g->store), MANY);
	if (HEAP_IS_COUNTED) {
		assert_true(kept > 1000000);
		assert_true(peak - before < kept + (1u << 20));
	}
}

#define R(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_refused_then_up),
		R(test_reached_by_another_call),
		R(test_crd_appears),
		R(test_no_rights),
		R(test_hiccup_is_silent),
		R(test_watch_list),
		R(test_watch_list_changes_while_coming_in),
		R(test_watch_list_without_end),
		R(test_watch_list_drip),
		cmocka_unit_test(test_watch_list_fallbacks),
		R(test_paging),
		R(test_continue_token_expires),
		R(test_bad_lists),
		R(test_undecodable_objects),
		R(test_duplicates_and_overtaken),
		R(test_bookmarks_move_the_place),
		R(test_list_with_undecodable_object),
		cmocka_unit_test(test_quiet_watch),
		cmocka_unit_test(test_watch_again),
		cmocka_unit_test(test_list_again),
		R(test_place_is_too_old),
		cmocka_unit_test(test_place_is_lost),
		cmocka_unit_test(test_no_busy_loop),
		cmocka_unit_test(test_every_class_has_its_way),
		R(test_back_off),
		R(test_paths),
		R(test_watch_timeout_is_spread),
		cmocka_unit_test(test_free_anywhere),
		R(test_ten_thousand_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
