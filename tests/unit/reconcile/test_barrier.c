/* A new leader decides nothing before its caches are as new as the server. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"

#define REQUIRED 7 /* caches that every operator has, ZoneShifts among them */
#define BOOKMARK "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"20\"}}}\n"

static const char *const quiet[] = {NULL};

/* Lists are at version 9, the server is at 20, and watches say nothing. */
static void serve(void *arg, const struct fake_request *q, struct fake_reply *out)
{
	(void)arg;
	if (strstr(q->path, "sendInitialEvents"))
		out->status = 400;
	else if (strstr(q->path, "watch=1"))
		*out = (struct fake_reply){.chunks = quiet, .end = FAKE_STALL};
	else if (strstr(q->path, "limit=1&") || str_ends(q->path, "limit=1"))
		out->body = "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"20\"},"
			    "\"items\":[]}";
	else
		out->body =
			"{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[]}";
}

static struct mdep_operator *standby(struct bed *b)
{
	static const struct operator_options o = {.identity = "test"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);

	assert_non_null(op);
	fake_api_handle(b->api, "GET", "/", serve, NULL);
	operator_start(op);
	for (int i = 0; i < 600 && !operator_synced(op); i++)
		fake_api_idle(b->loop, 5);
	assert_true(operator_synced(op));
	return op;
}

/* Requests for the newest version of a resource. */
static unsigned questions(struct bed *b)
{
	const struct fake_request *q;
	unsigned n = 0;

	for (unsigned i = 0; (q = fake_api_nth(b->api, "GET", "", i)); i++)
		n += strstr(q->path, "?limit=1&") || str_ends(q->path, "?limit=1");
	return n;
}

static void tell_place(struct bed *b)
{
	for (int i = 0; i < 600 && fake_api_streams(b->api, "/") < REQUIRED; i++)
		fake_api_idle(b->loop, 5);
	fake_api_push(b->api, "/", BOOKMARK);
}

static void test_waits_for_every_cache(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = standby(b);

	assert_int_equal(questions(b), 0); /* a standby costs the server nothing */
	operator_lead(op);
	fake_api_idle(b->loop, 400);
	assert_int_equal(questions(b), REQUIRED); /* of those that are in use */
	assert_false(op->working);
	fake_api_push(b->api, "/api/v1/pods", BOOKMARK);
	fake_api_idle(b->loop, 60);
	assert_false(op->working);
	tell_place(b);
	for (int i = 0; i < 600 && !op->working; i++)
		fake_api_idle(b->loop, 5);
	assert_true(op->working);
	operator_free(op);
}

static void test_stop_and_lead_again(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = standby(b);

	operator_lead(op);
	fake_api_idle(b->loop, 100);
	operator_stop(op);
	operator_lead(op);
	fake_api_idle(b->loop, 100);
	assert_int_equal(questions(b), 2 * REQUIRED); /* a new term asks anew */
	assert_false(op->working);
	operator_free(op);
}

/* The leader's own write does not come back: the watch that should bring it is replaced. */
static void test_late_write_hurries_its_cache(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = standby(b);
	struct key_state *ks = operator_key(op, "shop/ranker");
	const char *short_watch = "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=3&";
	struct err err = ERR_INIT;

	own_writes_note(ks, CACHE_POD, "15");
	ks->written_ms = clock_mono_ms() - 6000;
	store_put(&op->stores[CACHE_MDEP],
	          decode_text(&mdep_kind,
	                      "{'metadata':{'name':'ranker','namespace':'shop','uid':'u1',"
	                      "'resourceVersion':'7'},'spec':{'replicas':1,'model':{'name':'rec',"
	                      "'version':'7'},'runtime':{'preset':'vllm'}}}",
	                      &err));
	op->leading = op->working = true;
	queue_start(op->queue);
	fake_api_idle(b->loop, 800); /* three passes look at it */
	assert_int_equal(fake_api_count(b->api, "GET", short_watch), 1);
	assert_int_equal(fake_api_count(b->api, "PATCH", ""), 0);
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_waits_for_every_cache),
		T(test_stop_and_lead_again),
		T(test_late_write_hurries_its_cache),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
