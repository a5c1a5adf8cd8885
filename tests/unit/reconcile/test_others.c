/* Living with what others made: names that are taken, and routes that are given back. */
#include "../kube/client_bed.c"

#include "fixture.h"
#include "put.h"

#define KEY      "shop/ranker"
#define SERVICES "/api/v1/namespaces/shop/services"
#define SETS     "/apis/apps/v1/namespaces/shop/replicasets"
#define ROUTES   "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"
#define CELL     "ranker-bcdfghjklm"

static const struct fake_reply exists = {
	.status = 409,
	.body = "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"is there\"}"};

static struct {
	bool done;
	struct err err;
} outcome;

static void on_done(struct mdep_operator *op, const char *key, const struct err *err)
{
	(void)op;
	(void)key;
	outcome.done = true;
	outcome.err = *err;
}

static struct mdep_operator *make_operator(struct bed *b)
{
	static const struct operator_options o = {.identity = "test"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);

	assert_non_null(op);
	return op;
}

/* One POST that is answered by 409. */
static enum err_class make(struct bed *b, struct mdep_operator *op, enum cache cache,
                           const char *path, const char *name, bool taken_ok)
{
	struct intents intents = {.n = 1, .cap = 1};
	struct arena a;

	fake_api_script(b->api, "POST", path, &exists, 1);
	arena_init(&a, 0);
	intents.v = arena_array(&a, 1, sizeof(*intents.v));
	intents.v[0] = (struct intent){.class = INTENT_SERVICE,
	                               .cache = cache,
	                               .what = "create it",
	                               .method = "POST",
	                               .path = path,
	                               .body = "{}",
	                               .body_len = 2,
	                               .creates = name,
	                               .taken_ok = taken_ok};
	memset(&outcome, 0, sizeof(outcome));
	execute(op, KEY, &a, &intents, on_done);
	assert_true(fake_api_run(b->loop, &outcome.done, 5000));
	fake_api_idle(b->loop, 2);
	return outcome.err.class;
}

/* Once may be our own that the cache does not show yet; twice is somebody else's. */
static void test_taken_names_are_told(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	cleanup_arena struct arena a;
	struct key_state *ks;
	const struct mdep *m;

	arena_init(&a, 0);
	m = read_spec(&a, "'model':{'name':'m','version':'1'},'runtime':{'preset':'vllm'}");
	assert_int_equal(make(b, op, CACHE_SERVICE, SERVICES, "ranker", true), ERR_NONE);
	ks = operator_key(op, KEY);
	assert_null(taken_text(op, m, ks, &a));
	assert_int_equal(queue_depth(op->queue), 1); /* looked at again, or it is never told */
	assert_in_range(taken_wait_ms(ks, CACHE_SERVICE, "ranker"), 1, 2000);
	assert_int_equal(taken_wait_ms(ks, CACHE_BUDGET, "ranker"), 0);
	assert_int_equal(make(b, op, CACHE_SERVICE, SERVICES, "ranker", true), ERR_NONE);
	assert_string_equal(taken_text(op, m, ks, &a), "Service ranker");
	assert_in_range(taken_wait_ms(ks, CACHE_SERVICE, "ranker"), 2001, 30000);
	/* what cannot be done without is tried on, and told, too */
	assert_int_equal(make(b, op, CACHE_REPLICASET, SETS, CELL, false), ERR_EXISTS);
	assert_int_equal(make(b, op, CACHE_REPLICASET, SETS, CELL, false), ERR_EXISTS);
	assert_string_equal(taken_text(op, m, ks, &a), "Service ranker, ReplicaSet " CELL);
	/* it was ours after all */
	put(op, CACHE_REPLICASET, &replicaset_kind,
	    "{'metadata':{'name':'" CELL "','namespace':'shop','uid':'x','resourceVersion':'2'}}");
	assert_string_equal(taken_text(op, m, ks, &a), "Service ranker");
	taken_forget(ks, CACHE_SERVICE, "ranker");
	assert_null(taken_text(op, m, ks, &a));
	operator_free(op);
}

/* --- deletion ---------------------------------------------------------------------------- */

#define MDEP(rv, more)                                                                             \
	"{'metadata':{'name':'ranker','namespace':'shop','uid':'u1','resourceVersion':'" rv        \
	"'" more "},'spec':{'model':{'name':'m','version':'1'},'runtime':{'preset':'vllm'},"       \
	"'traffic':{'httpRoute':{'name':'web'}}}}"
#define ROUTE(refs)                                                                                \
	"{'metadata':{'name':'web','namespace':'shop','uid':'r1','resourceVersion':'9'},"          \
	"'spec':{'rules':[{'backendRefs':[" refs "]}]}}"
#define CELLS "{'name':'" CELL "','port':80}"
#define FRONT "{'group':'','kind':'Service','name':'ranker','port':80,'weight':1}"

static const struct fake_reply fine = {.body = "{\"metadata\":{\"resourceVersion\":\"10\"}}"};
static const struct fake_reply conflict = {
	.status = 409,
	.body = "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"changed\"}"};

static void test_a_route_is_given_back(void **state)
{
	static const struct {
		const char *route;
		bool working, foreground;
		unsigned patches;
	} rows[] = {
		{ROUTE(CELLS), true, false, 1},
		{ROUTE(CELLS), true, true, 1},
		{ROUTE(CELLS), false, false, 0}, /* another replica leads */
		{ROUTE(FRONT), true, false, 0},  /* it names nothing of ours */
		{ROUTE("{'name':'web'}"), true, false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bed *b = *state;
		struct mdep_operator *op = make_operator(b);
		const struct fake_request *q;
		unsigned before = fake_api_count(b->api, "PATCH", ROUTES);

		fake_api_script(b->api, "PATCH", ROUTES, &fine, 1);
		op->started[CACHE_ROUTE] = op->started[CACHE_ENDPOINT] = true;
		op->working = rows[i].working;
		put(op, CACHE_MDEP, &mdep_kind, MDEP("5", ""));
		put(op, CACHE_ROUTE, &httproute_kind, rows[i].route);
		if (rows[i].foreground)
			put(op, CACHE_MDEP, &mdep_kind,
			    MDEP("6", ",'deletionTimestamp':'2026-01-01T00:00:00Z'"));
		else
			store_remove(&op->stores[CACHE_MDEP], KEY, NULL);
		fake_api_idle(b->loop, 50);
		if (fake_api_count(b->api, "PATCH", ROUTES) - before != rows[i].patches)
			fail_msg("row %zu", i);
		q = rows[i].patches ? fake_api_nth(b->api, "PATCH", ROUTES "/web", before) : NULL;
		if (q) {
			assert_non_null(strstr(q->body, "\"resourceVersion\":\"9\""));
			assert_non_null(strstr(q->body, "\"name\":\"ranker\""));
			assert_null(strstr(q->body, CELL));
		}
		operator_free(op);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

/* Tried again after a conflict, but not for one who has come back meanwhile. */
static void test_a_conflict_is_tried_again(void **state)
{
	const struct fake_reply replies[] = {conflict, fine};
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);

	fake_api_script(b->api, "PATCH", ROUTES, replies, 2);
	op->started[CACHE_ROUTE] = op->started[CACHE_ENDPOINT] = true;
	op->working = true;
	put(op, CACHE_MDEP, &mdep_kind, MDEP("5", ""));
	put(op, CACHE_ROUTE, &httproute_kind, ROUTE(CELLS));
	store_remove(&op->stores[CACHE_MDEP], KEY, NULL);
	fake_api_idle(b->loop, 2300);
	assert_int_equal(fake_api_count(b->api, "PATCH", ROUTES), 2);
	assert_true(list_empty(&op->partings));

	fake_api_script(b->api, "PATCH", ROUTES, &conflict, 1);
	put(op, CACHE_MDEP, &mdep_kind, MDEP("15", ""));
	store_remove(&op->stores[CACHE_MDEP], KEY, NULL);
	fake_api_idle(b->loop, 50);
	assert_false(list_empty(&op->partings));
	put(op, CACHE_MDEP, &mdep_kind, MDEP("25", ""));
	assert_true(list_empty(&op->partings));
	operator_free(op);
}

/* --- take-over --------------------------------------------------------------------------- */

#define TAKER(rv)                                                                                  \
	"{'metadata':{'name':'ranker','namespace':'shop','uid':'u1','resourceVersion':'" rv "'},"  \
	"'spec':{'model':{'name':'m','version':'1'},'runtime':{'preset':'vllm'},"                  \
	"'traffic':{'httpRoute':{'name':'web'}},'takeOver':{'deployment':{'name':'old'}}}}"
#define DEPLOYMENT(more)                                                                           \
	"{'metadata':{'name':'old','namespace':'shop','uid':'d1','resourceVersion':'4'" more       \
	"},'spec':{'replicas':3},'status':{'replicas':3,'availableReplicas':2}}"

static void test_what_is_read_of_a_deployment(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_operator(b);
	struct rollout_takeover t = {.known = false};
	cleanup_arena struct arena a;
	const struct mdep *m;

	arena_init(&a, 0);
	op->started[CACHE_ROUTE] = op->started[CACHE_ENDPOINT] = op->started[CACHE_DEPLOYMENT] =
		true;
	put(op, CACHE_MDEP, &mdep_kind, TAKER("5"));
	m = mdep_from(store_get_key(&op->stores[CACHE_MDEP], KEY));
	assert_int_equal(m->nfindings, 0);
	takeover_read(op, m, &a, &t);
	assert_false(t.known || t.exists);
	op->stores[CACHE_DEPLOYMENT].synced = true;
	put(op, CACHE_DEPLOYMENT, &deployment_kind, DEPLOYMENT(""));
	takeover_read(op, m, &a, &t);
	assert_true(t.known && t.exists);
	assert_int_equal(t.replicas, 3);
	assert_int_equal(t.pods, 3);
	assert_int_equal(t.available, 2);
	assert_null(t.controller);
	store_remove(&op->stores[CACHE_DEPLOYMENT], "shop/old", NULL);
	put(op, CACHE_DEPLOYMENT, &deployment_kind,
	    DEPLOYMENT(",'ownerReferences':[{'apiVersion':'a/v1','kind':'Rollout','name':'r','uid':"
	               "'x','controller':true}]"));
	takeover_read(op, m, &a, &t);
	assert_string_equal(t.controller, "Rollout r");
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_taken_names_are_told),
		T(test_a_route_is_given_back),
		T(test_a_conflict_is_tried_again),
		T(test_what_is_read_of_a_deployment),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
