/* The readiness gate: which pods are asked, and what is written of the answer. */
#include "../kube/client_bed.c"

#include "put.h"

#define STATUS "/api/v1/namespaces/shop/pods/p1/status"
#define MODEL  "/v2/models/rec/versions/7/ready"

static const struct fake_reply ok = OK;

static void put_mdep(struct bed *b, struct mdep_operator *op)
{
	const char *port = strrchr(fake_api_url(b->api), ':') + 1;
	cleanup_free char *text =
		xasprintf("{'metadata':{'name':'ranker','namespace':'shop','uid':'u1',"
	                  "'resourceVersion':'7'},'spec':{'model':{'name':'rec','version':'8'},"
	                  "'runtime':{'preset':'v2','image':'x','port':%s}}}",
	                  port);

	put(op, CACHE_MDEP, &mdep_kind, text);
}

/* A pod whose model server is the scripted server; `gates` and the state of its containers vary. */
static struct mdep_operator *make_world_of(struct bed *b, const char *gates,
                                           const char *containers_ready, bool late)
{
	static const struct operator_options o = {.identity = "test"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	cleanup_free char *pod = xasprintf(
		"{'metadata':{'name':'p1','namespace':'shop','uid':'u2','resourceVersion':'9',"
		"'labels':{'serving.tidegate.io/name':'ranker'},'ownerReferences':[{"
		"'kind':'ReplicaSet','name':'rs','uid':'u3','controller':true}]},"
		"'spec':{'containers':[],%s'nodeName':'n'},'status':{'phase':'Running',"
		"'podIP':'127.0.0.1','conditions':[{'type':'ContainersReady','status':'%s'}]}}",
		gates, containers_ready);

	assert_non_null(op);
	if (!late)
		put_mdep(b, op);
	put(op, CACHE_REPLICASET, &replicaset_kind,
	    "{'metadata':{'name':'rs','namespace':'shop','uid':'u3','resourceVersion':'8',"
	    "'ownerReferences':[{'kind':'ModelDeployment','name':'ranker','uid':'u1',"
	    "'controller':true}],"
	    "'annotations':{'serving.tidegate.io/model-version':'7'}},'spec':{'replicas':1}}");
	put(op, CACHE_POD, &pod_kind, pod);
	op->leading = op->working = true;
	gate_start(op->gate);
	return op;
}

static struct mdep_operator *make_world(struct bed *b, const char *gates,
                                        const char *containers_ready)
{
	return make_world_of(b, gates, containers_ready, false);
}

#define GATE "'readinessGates':[{'conditionType':'serving.tidegate.io/model-ready'}],"

static void wait_for(struct bed *b, const char *method, const char *path, unsigned n)
{
	for (int i = 0; i < 600 && fake_api_count(b->api, method, path) < n; i++)
		fake_api_idle(b->loop, 5);
	assert_int_equal(fake_api_count(b->api, method, path), n);
}

/* The version asked for is that of the pod's ReplicaSet, not of the newest spec. */
static void test_condition_is_written(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;
	struct arena a;
	const struct json *body, *c;
	const struct fake_request *q;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op = make_world(b, GATE, "True");
	wait_for(b, "PATCH", STATUS, 1);
	arena_init(&a, 0);
	q = fake_api_nth(b->api, "PATCH", STATUS, 0);
	body = json_parse(&a, q->body, strlen(q->body), NULL);
	assert_string_equal(json_str(json_get(body, "metadata"), "uid"), "u2");
	c = json_first(json_path(body, "status", "conditions", NULL));
	assert_string_equal(json_str(c, "type"), "serving.tidegate.io/model-ready");
	assert_string_equal(json_str(c, "status"), "True");
	assert_string_equal(json_str(c, "reason"), "ModelServed");
	arena_release(&a);
	operator_free(op);
}

/* A pod that waits says why: once, however often it is asked meanwhile. */
static void test_reason_before_the_first_ready(void **state)
{
	static const struct fake_reply replies[] = {{.status = 404, .times = 2}, OK};
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, replies, 2);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op = make_world(b, GATE, "True");
	wait_for(b, "GET", MODEL, 2);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 1);
	assert_non_null(strstr(fake_api_nth(b->api, "PATCH", STATUS, 0)->body, "ModelNotServed"));
	wait_for(b, "PATCH", STATUS, 2);
	assert_non_null(strstr(fake_api_nth(b->api, "PATCH", STATUS, 1)->body, "\"ModelServed"));
	operator_free(op);
}

/* A pod would never become ready if a write that failed were the last word. */
static void test_failed_write_is_repeated(void **state)
{
	static const struct fake_reply replies[] = {{.status = 500}, OK};
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, replies, 2);
	op = make_world(b, GATE, "True");
	wait_for(b, "PATCH", STATUS, 2);
	operator_free(op);
}

/* The pod as the cache has it, after so many changes. */
static void put_gated(struct mdep_operator *op, const char *rv, const char *served)
{
	cleanup_free char *pod = xasprintf(
		"{'metadata':{'name':'p1','namespace':'shop','uid':'u2','resourceVersion':'%s',"
		"'labels':{'serving.tidegate.io/name':'ranker'},'ownerReferences':[{"
		"'kind':'ReplicaSet','name':'rs','uid':'u3','controller':true}]},"
		"'spec':{'containers':[]," GATE "'nodeName':'n'},'status':{'phase':'Running',"
		"'podIP':'127.0.0.1','conditions':[{'type':'ContainersReady','status':'True'},"
		"{'type':'serving.tidegate.io/model-ready','status':'%s'}]}}",
		rv, served);

	put(op, CACHE_POD, &pod_kind, pod);
}

#define WRITTEN(rv)                                                                                \
	{                                                                                          \
		.body = "{\"metadata\":{\"resourceVersion\":\"" rv "\"}}"                          \
	}

/* "False" was written, and the cache still has "True" when the model is served again. */
static void test_a_cache_that_lags_is_not_believed(void **state)
{
	static const struct fake_reply writes[] = {WRITTEN("11"), WRITTEN("12"), WRITTEN("14")};
	static const struct fake_reply replies[] = {
		{.body = "{}", .times = 1}, {.status = 404, .times = MODEL_PROBE_CONFIRM}, OK};
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, replies, 3);
	fake_api_script(b->api, "PATCH", STATUS, writes, 3);
	op = make_world(b, GATE, "False");
	put_gated(op, "10", "True");
	wait_for(b, "PATCH", STATUS, 1);
	assert_non_null(strstr(fake_api_nth(b->api, "PATCH", STATUS, 0)->body, "ModelNotServed"));
	wait_for(b, "PATCH", STATUS, 2);
	assert_non_null(strstr(fake_api_nth(b->api, "PATCH", STATUS, 1)->body, "\"ModelServed"));
	/* What the cache catches up with is our own: nothing is written again. */
	put_gated(op, "11", "False");
	put_gated(op, "12", "True");
	fake_api_idle(b->loop, 60);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 2);
	/* Another's is put right. */
	put_gated(op, "13", "False");
	wait_for(b, "PATCH", STATUS, 3);
	operator_free(op);
}

/* Told that it is served it may get requests at once: no plan by a cache from before that. */
static void test_plans_wait_for_what_serves(void **state)
{
	static const struct fake_reply writes[] = {WRITTEN("11"), WRITTEN("12")};
	static const struct fake_reply replies[] = {{.status = 404, .times = 2}, OK};
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, replies, 2);
	fake_api_script(b->api, "PATCH", STATUS, writes, 2);
	op = make_world(b, GATE, "True");
	wait_for(b, "GET", MODEL, 2);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 1);
	assert_null(operator_key(op, "shop/ranker")->floor);
	wait_for(b, "PATCH", STATUS, 2);
	for (int i = 0; i < 100 && !operator_key(op, "shop/ranker")->floor; i++)
		fake_api_idle(b->loop, 5);
	assert_string_equal(operator_key(op, "shop/ranker")->floor[CACHE_POD], "12");
	operator_free(op);
}

static void test_who_is_not_asked(void **state)
{
	static const struct {
		const char *gates, *containers_ready;
	} rows[] = {{"", "True"}, {GATE, "False"}};
	struct bed *b = *state;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mdep_operator *op = make_world(b, rows[i].gates, rows[i].containers_ready);

		fake_api_idle(b->loop, 90);
		assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
		operator_free(op);
		kube_client_free(b->client);
	}
	b->client = NULL;
}

/* Its ReplicaSet and it were seen first, and nothing of them changes any more. */
static void test_a_pod_that_is_seen_before_its_modeldeployment_is_asked(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op = make_world_of(b, GATE, "True", true);
	fake_api_idle(b->loop, 50);
	assert_int_equal(fake_api_count(b->api, "GET", MODEL), 0);
	put_mdep(b, op);
	wait_for(b, "PATCH", STATUS, 1);
	operator_free(op);
}

static void test_end_while_writing(void **state)
{
	static const struct fake_reply never = {.delay_ms = 60000};
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, &never, 1);
	op = make_world(b, GATE, "True");
	wait_for(b, "PATCH", STATUS, 1);
	operator_free(op);
	fake_api_idle(b->loop, 5);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_condition_is_written),
		T(test_reason_before_the_first_ready),
		T(test_failed_write_is_repeated),
		T(test_a_cache_that_lags_is_not_believed),
		T(test_plans_wait_for_what_serves),
		T(test_who_is_not_asked),
		T(test_a_pod_that_is_seen_before_its_modeldeployment_is_asked),
		T(test_end_while_writing),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
