/* Executing a pass against a scripted API server. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"

#define PODS     "/api/v1/namespaces/shop/pods"
#define SERVICES "/api/v1/namespaces/shop/services"
#define SETS     "/apis/apps/v1/namespaces/shop/replicasets"
#define MDEPS    "/apis/serving.tidegate.io/v1alpha1/namespaces/shop/modeldeployments"
#define KEY      "shop/ranker"

static struct {
	bool done;
	int count;
	struct err err;
} outcome;

static void on_done(struct mdep_operator *op, const char *key, const struct err *err)
{
	(void)op;
	assert_string_equal(key, KEY);
	outcome.done = true;
	outcome.count++;
	outcome.err = *err;
}

static struct mdep_operator *make_operator(struct bed *b)
{
	static const struct operator_options o = {.identity = "test"};
	struct err err = ERR_INIT;
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, &err);

	if (!op)
		fail_msg("%s", err.msg);
	memset(&outcome, 0, sizeof(outcome));
	return op;
}

/* Starts a pass of these intents. */
static void start(struct mdep_operator *op, const struct intent *list, unsigned n)
{
	struct arena a;
	struct intents intents = {.n = n, .cap = n};

	arena_init(&a, 0);
	intents.arena = &a;
	intents.v = arena_array(&a, n, sizeof(*list));
	for (unsigned i = 0; i < n; i++) {
		intents.v[i] = list[i];
		intents.v[i].body_len = list[i].body ? strlen(list[i].body) : 0;
	}
	execute(op, KEY, &a, &intents, on_done);
	assert_false(outcome.done); /* never from inside */
}

static void finish(struct bed *b)
{
	assert_true(fake_api_run(b->loop, &outcome.done, 5000));
	fake_api_idle(b->loop, 2);
	assert_int_equal(outcome.count, 1);
}

#define PATCH_OF(c, k, where)                                                                      \
	{                                                                                          \
		.class = (c), .cache = (k), .what = "change " where, .method = "PATCH",            \
		.path = where, .patch = KUBE_PATCH_MERGE, .body = "{}", .manager = "m"             \
	}

/* In the order in which nothing must be: cleanup first. */
static const struct intent mixed[] = {
	{.class = INTENT_CLEANUP,
         .cache = CACHE_REPLICASET,
         .what = "delete old",
         .method = "DELETE",
         .path = SETS "/old",
         .body = "{}",
         .missing_ok = true},
	PATCH_OF(INTENT_WORKLOAD, CACHE_POD, PODS "/p1"),
	PATCH_OF(INTENT_STATUS, CACHE_MDEP, MDEPS "/ranker/status"),
	PATCH_OF(INTENT_WORKLOAD, CACHE_REPLICASET, SETS "/new"),
	PATCH_OF(INTENT_SERVICE, CACHE_SERVICE, SERVICES "/ranker"),
};

static const char *first_path(struct bed *b, unsigned i)
{
	const struct fake_request *q = fake_api_nth(b->api, NULL, "", i);

	return q ? q->path : "";
}

/* --- classes ----------------------------------------------------------------------------- */

static void test_classes_in_order(void **state)
{
	static const struct fake_reply late[] = {{.body = "{}", .delay_ms = 20}};
	static const struct fake_reply ok = OK;
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	fake_api_script(b->api, "PATCH", MDEPS, late, 1);
	fake_api_script(b->api, "PATCH", SERVICES, late, 1);
	fake_api_script(b->api, "PATCH", PODS, late, 1);
	fake_api_script(b->api, "PATCH", SETS, &ok, 1);
	fake_api_script(b->api, "DELETE", SETS, &ok, 1);
	start(op, mixed, ARRAY_SIZE(mixed));
	finish(b);
	assert_int_equal(outcome.err.class, ERR_NONE);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 5);
	assert_true(str_starts(first_path(b, 0), MDEPS));
	assert_true(str_starts(first_path(b, 1), SERVICES));
	assert_true(str_starts(first_path(b, 4), SETS "/old"));
	/* the two of one class run at once, and the last waits for both */
	assert_true(fake_api_nth(b->api, NULL, "", 4)->at_ms -
	                    fake_api_nth(b->api, "PATCH", PODS, 0)->at_ms >=
	            15);
	assert_int_equal(op->passes.len, 0);
	operator_free(op);
}

/* Of the failing class all are tried; nothing that stands behind it. */
static void test_failure_stops_later_classes(void **state)
{
	static const struct fake_reply no[] = {
		{.status = 422,
	         .body = "{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"no\"}"}};
	static const struct fake_reply ok = OK;
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	fake_api_script(b->api, "PATCH", "/", &ok, 1);
	fake_api_script(b->api, "PATCH", PODS, no, 1);
	fake_api_script(b->api, "DELETE", SETS, &ok, 1);
	start(op, mixed, ARRAY_SIZE(mixed));
	finish(b);
	assert_int_equal(outcome.err.class, ERR_REJECTED);
	assert_non_null(strstr(outcome.err.msg, "change " PODS "/p1"));
	assert_non_null(strstr(outcome.err.msg, "no"));
	assert_int_equal(fake_api_count(b->api, "PATCH", SETS), 1);
	assert_int_equal(fake_api_count(b->api, "DELETE", ""), 0);
	operator_free(op);
}

static void test_missing(void **state)
{
	static const struct intent gone = {.class = INTENT_CLEANUP,
	                                   .cache = CACHE_REPLICASET,
	                                   .what = "delete old",
	                                   .method = "DELETE",
	                                   .path = SETS "/old"};
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct intent i = gone;

	start(op, &i, 1);
	finish(b);
	assert_int_equal(outcome.err.class, ERR_NOT_FOUND);
	memset(&outcome, 0, sizeof(outcome));
	i.missing_ok = true;
	start(op, &i, 1);
	finish(b);
	assert_int_equal(outcome.err.class, ERR_NONE);
	operator_free(op);
}

static void test_nothing_to_do(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	start(op, NULL, 0);
	finish(b);
	assert_int_equal(outcome.err.class, ERR_NONE);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	operator_free(op);
}

static void test_what_is_sent(void **state)
{
	static const struct fake_reply ok = OK;
	static const struct intent i = {.class = INTENT_SERVICE,
	                                .cache = CACHE_SERVICE,
	                                .what = "apply Service",
	                                .method = "PATCH",
	                                .path = SERVICES "/ranker",
	                                .patch = KUBE_PATCH_APPLY,
	                                .body = "{\"a\":1}",
	                                .manager = "tidegate-workload"};
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	const struct fake_request *q;
	char type[64];

	fake_api_script(b->api, "PATCH", SERVICES, &ok, 1);
	start(op, &i, 1);
	finish(b);
	q = fake_api_nth(b->api, "PATCH", SERVICES, 0);
	assert_non_null(strstr(q->path, "fieldManager=tidegate-workload"));
	assert_string_equal(q->body, "{\"a\":1}");
	assert_true(fake_request_header(q, "Content-Type", type, sizeof(type)));
	assert_string_equal(type, "application/apply-patch+yaml");
	operator_free(op);
}

/* --- read your writes -------------------------------------------------------------------- */

static void test_floor(void **state)
{
	static const struct fake_reply pod = {
		.body = "{\"metadata\":{\"resourceVersion\":\"90\"}}"};
	static const struct fake_reply set[] = {
		{.body = "{\"metadata\":{\"resourceVersion\":\"101\"}}"},
		{.body = "{\"metadata\":{\"resourceVersion\":\"99\"}}"}};
	static const struct intent list[] = {
		PATCH_OF(INTENT_WORKLOAD, CACHE_REPLICASET, SETS "/a"),
		PATCH_OF(INTENT_WORKLOAD, CACHE_REPLICASET, SETS "/b"),
		PATCH_OF(INTENT_WORKLOAD, CACHE_POD, PODS "/p"),
		/* the answer to a delete is the object that was, or a Status */
		{.class = INTENT_CLEANUP,
	         .cache = CACHE_SERVICE,
	         .what = "delete",
	         .method = "DELETE",
	         .path = SERVICES "/x",
	         .deletes = "shop/x",
	         .uid = "u9"},
	};
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct key_state *ks;

	fake_api_script(b->api, "PATCH", SETS, set, 2);
	fake_api_script(b->api, "PATCH", PODS, &pod, 1);
	fake_api_script(b->api, "DELETE", SERVICES, set, 1);
	start(op, list, ARRAY_SIZE(list));
	finish(b);
	ks = operator_key(op, KEY);
	assert_string_equal(ks->floor[CACHE_REPLICASET], "101");
	assert_string_equal(ks->floor[CACHE_POD], "90");
	assert_string_equal(ks->floor[CACHE_SERVICE], "");
	assert_true(ks->written_ms > 0);
	operator_free(op);
}

/* Puts the ModelDeployment into the cache and lets the queue work. */
static void lead(struct mdep_operator *op)
{
	struct err err = ERR_INIT;
	struct object *o = decode_text(&mdep_kind,
	                               "{'metadata':{'name':'ranker','namespace':'shop','uid':'u1',"
	                               "'resourceVersion':'7','generation':1},'spec':{'replicas':1,"
	                               "'model':{'name':'rec','version':'7'},"
	                               "'runtime':{'preset':'vllm'}}}",
	                               &err);

	assert_non_null(o);
	store_put(&op->stores[CACHE_MDEP], o);
	op->leading = op->working = true;
	queue_start(op->queue);
}

/* No plan is made of a cache that does not show our own last write yet. */
static void test_stale_cache_waits(void **state)
{
	static const struct fake_reply ok = OK;
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct key_state *ks = operator_key(op, KEY);

	fake_api_script(b->api, "PATCH", "/", &ok, 1);
	own_writes_note(ks, CACHE_REPLICASET, "100");
	store_set_rv(&op->stores[CACHE_REPLICASET], "99");
	lead(op);
	fake_api_idle(b->loop, 50);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	assert_string_equal(ks->floor[CACHE_REPLICASET], "100");
	store_set_rv(&op->stores[CACHE_REPLICASET], "100");
	for (int i = 0; i < 100 && !fake_api_count(b->api, "PATCH", MDEPS); i++)
		fake_api_idle(b->loop, 20);
	assert_true(fake_api_count(b->api, "PATCH", MDEPS) >= 1);
	assert_true(!ks->floor || !*ks->floor[CACHE_REPLICASET]);
	operator_free(op);
}

/* An event that never comes does not hold the key for ever. */
static void test_old_floor_is_dropped(void **state)
{
	static const struct fake_reply ok = OK;
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct key_state *ks = operator_key(op, KEY);

	fake_api_script(b->api, "PATCH", "/", &ok, 1);
	own_writes_note(ks, CACHE_REPLICASET, "100");
	ks->written_ms = clock_mono_ms() - 181000;
	lead(op);
	for (int i = 0; i < 100 && !fake_api_count(b->api, "PATCH", MDEPS); i++)
		fake_api_idle(b->loop, 5);
	assert_true(fake_api_count(b->api, "PATCH", MDEPS) >= 1);
	operator_free(op);
}

static void show_service(struct mdep_operator *op, int rv, const char *uid, const char *more)
{
	cleanup_free char *text = xasprintf("{'metadata':{'name':'x','namespace':'shop','uid':'%s',"
	                                    "'resourceVersion':'%d'%s},'spec':{}}",
	                                    uid, rv, more);
	struct err err = ERR_INIT;
	struct object *o = decode_text(&service_kind, text, &err);

	assert_non_null(o);
	store_put(&op->stores[CACHE_SERVICE], o);
}

static bool unseen(struct mdep_operator *op)
{
	return own_writes_unseen(op, operator_key(op, KEY));
}

/* Whether it was there or had gone already: to a plan that wants it back it would seem to be there.
 */
static void test_what_was_deleted_and_is_still_shown(void **state)
{
	static const struct fake_reply replies[] = {
		OK,
		{.status = 404, .body = "{\"kind\":\"Status\",\"reason\":\"NotFound\"}"},
		OK,
		{.status = 409, .body = "{\"kind\":\"Status\",\"reason\":\"Conflict\"}"}};
	static const struct intent delete = {.class = INTENT_CLEANUP,
	                                     .cache = CACHE_SERVICE,
	                                     .what = "delete x",
	                                     .method = "DELETE",
	                                     .path = SERVICES "/x",
	                                     .missing_ok = true,
	                                     .deletes = "shop/x",
	                                     .uid = "u9"};
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	fake_api_script(b->api, "DELETE", SERVICES, replies, ARRAY_SIZE(replies));
	for (unsigned i = 0; i < ARRAY_SIZE(replies); i++) {
		memset(&outcome, 0, sizeof(outcome));
		show_service(op, 10 + 2 * (int)i, "u9", "");
		start(op, &delete, 1);
		finish(b);
		assert_true(unseen(op) == (i < 3));
		if (i == 0)
			store_remove(&op->stores[CACHE_SERVICE], "shop/x", NULL);
		else if (i == 1) /* somebody else's, of the same name */
			show_service(op, 13, "u10", "");
		else if (i == 2) /* held by a finalizer */
			show_service(op, 15, "u9", ",'deletionTimestamp':'2026-11-24T00:00:00Z'");
		assert_false(unseen(op));
	}
	operator_free(op);
}

/* --- when a route may have changed ------------------------------------------------------- */

/* What waits until gateways have heard of it is not to begin before it may have been done. */
static void test_a_route_may_have_changed_though_nothing_was_answered(void **state)
{
	static const struct fake_reply broken = {.status = 500, .body = "{\"kind\":\"Status\"}"};
	static const struct fake_reply refused = {
		.status = 409, .body = "{\"kind\":\"Status\",\"reason\":\"Conflict\"}"};
	static const struct intent i = PATCH_OF(INTENT_TRAFFIC, CACHE_ROUTE, SERVICES "/route");
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct key_state *ks = operator_key(op, KEY);

	fake_api_script(b->api, "PATCH", SERVICES, &refused, 1);
	start(op, &i, 1);
	finish(b);
	assert_int_equal(ks->route_written_ms, 0);
	memset(&outcome, 0, sizeof(outcome));
	fake_api_script(b->api, "PATCH", SERVICES, &broken, 1);
	start(op, &i, 1);
	finish(b);
	assert_int_equal(outcome.err.class, ERR_SERVER);
	assert_true(ks->route_written_ms > 0);
	operator_free(op);
}

/* --- end --------------------------------------------------------------------------------- */

static void test_end_while_running(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	fake_api_hang(b->api, true);
	start(op, mixed, ARRAY_SIZE(mixed));
	fake_api_idle(b->loop, 5);
	operator_free(op);
	fake_api_idle(b->loop, 5);
	assert_false(outcome.done);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

/* The pass has ended and its end is still to be told. */
static void test_end_while_ending(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	start(op, NULL, 0);
	operator_free(op);
	fake_api_idle(b->loop, 5);
	assert_false(outcome.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_classes_in_order),
		T(test_failure_stops_later_classes),
		T(test_missing),
		T(test_nothing_to_do),
		T(test_what_is_sent),
		T(test_floor),
		T(test_stale_cache_waits),
		T(test_old_floor_is_dropped),
		T(test_what_was_deleted_and_is_still_shown),
		T(test_a_route_may_have_changed_though_nothing_was_answered),
		T(test_end_while_running),
		T(test_end_while_ending),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
