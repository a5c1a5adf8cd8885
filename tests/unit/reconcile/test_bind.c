/* Pods of ours get nodes: binds, refusals, retries, and who makes way. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"

#define PODS       "/api/v1/namespaces/shop/pods"
#define BINDING(p) PODS "/" p "/binding"
#define EVENTS     "/apis/events.k8s.io/v1/namespaces/shop/events"

static const struct fake_reply ok = OK;

static void put(struct mdep_operator *op, enum cache cache, const struct object_kind *kind,
                char *text)
{
	struct err err = ERR_INIT;
	struct object *o = decode_text(kind, text, &err);

	if (!o)
		fail_msg("%s", err.msg);
	free(text);
	store_put(&op->stores[cache], o);
}

static void put_node(struct mdep_operator *op, const char *name, int gpus)
{
	put(op, CACHE_NODE, &node_kind,
	    xasprintf("{'metadata':{'name':'%s','uid':'%s','resourceVersion':'5'},'spec':{},"
	              "'status':{'allocatable':{'cpu':'8','memory':'64Gi','pods':'110',"
	              "'nvidia.com/gpu':'%d'},"
	              "'conditions':[{'type':'Ready','status':'True'}]}}",
	              name, name, gpus));
}

static void put_asking(struct mdep_operator *op, const char *name, const char *rv, const char *spec,
                       int gpus)
{
	put(op, CACHE_POD, &pod_kind,
	    xasprintf("{'metadata':{'name':'%s','namespace':'shop','uid':'uid-%s',"
	              "'resourceVersion':'%s'},'spec':{%s,'containers':[{'name':'model',"
	              "'resources':{'limits':{'nvidia.com/gpu':'%d'},"
	              "'requests':{'nvidia.com/gpu':'%d'}}}]},'status':{'phase':'Pending'}}",
	              name, name, rv, spec, gpus, gpus));
}

static void put_pod(struct mdep_operator *op, const char *name, const char *rv, const char *spec)
{
	put_asking(op, name, rv, spec, 1);
}

#define OURS "'schedulerName':'tidegate'"

static struct mdep_operator *make_world(struct bed *b)
{
	static const struct operator_options o = {.identity = "test"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);

	assert_non_null(op);
	op->leading = op->working = true;
	fake_api_script(b->api, "POST", EVENTS, &ok, 1);
	binder_start(op->binder);
	return op;
}

static void wait_for(struct bed *b, const char *method, const char *path, unsigned n)
{
	for (int i = 0; i < 600 && fake_api_count(b->api, method, path) < n; i++)
		fake_api_idle(b->loop, 5);
	assert_int_equal(fake_api_count(b->api, method, path), n);
}

static void test_bind(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);
	const struct fake_request *q;
	const struct json *body;
	struct arena a;

	fake_api_script(b->api, "POST", PODS, &ok, 1);
	put_node(op, "n1", 1);
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "POST", BINDING("p1"), 1);
	q = fake_api_nth(b->api, "POST", PODS, 0);
	arena_init(&a, 0);
	body = json_parse(&a, q->body, strlen(q->body), NULL);
	assert_string_equal(json_str(body, "kind"), "Binding");
	assert_string_equal(json_str(json_get(body, "metadata"), "uid"), "uid-p1");
	assert_string_equal(json_str(json_get(body, "target"), "name"), "n1");
	arena_release(&a);
	wait_for(b, "POST", EVENTS, 1);
	assert_non_null(strstr(fake_api_nth(b->api, "POST", EVENTS, 0)->body, "Scheduled"));
	operator_free(op);
}

/* The one card is promised before the API server has answered for it. */
static void test_a_card_is_given_once(void **state)
{
	static const struct fake_reply late = {.body = "{}", .delay_ms = 50};
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", PODS, &late, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	put_node(op, "n1", 1);
	put_pod(op, "p1", "7", OURS);
	put_pod(op, "p2", "8", OURS);
	wait_for(b, "PATCH", PODS "/p2/status", 1);
	fake_api_idle(b->loop, 80);
	assert_int_equal(fake_api_count(b->api, "POST", PODS), 1);
	operator_free(op);
}

static void test_who_is_left_alone(void **state)
{
	static const char *const specs[] = {
		"'schedulerName':'default-scheduler'",
		OURS ",'nodeName':'n1'",
		OURS ",'schedulingGates':[{'name':'x'}]",
	};
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	put_node(op, "n1", 8);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%zu", i);
		put_pod(op, name, "7", specs[i]);
	}
	fake_api_idle(b->loop, 60);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	operator_free(op);
}

/* Said once and not at every look; a node that comes ends the wait. */
static void test_waits_for_a_node(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);
	const struct fake_request *q;

	fake_api_script(b->api, "POST", PODS, &ok, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	put_node(op, "n0", 0);
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "PATCH", PODS "/p1/status", 1);
	q = fake_api_nth(b->api, "PATCH", PODS, 0);
	assert_non_null(strstr(q->body, "\"Unschedulable\""));
	assert_non_null(strstr(q->body, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu"));
	put_pod(op, "p1", "8", OURS); /* seen again, nothing new */
	fake_api_idle(b->loop, 60);
	assert_int_equal(fake_api_count(b->api, "PATCH", PODS), 1);
	assert_int_equal(fake_api_count(b->api, "POST", BINDING("p1")), 0);
	put_node(op, "n1", 1);
	wait_for(b, "POST", BINDING("p1"), 1);
	operator_free(op);
}

static void test_a_pod_that_goes_frees_its_card(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", PODS, &ok, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	put_node(op, "n1", 1);
	put_pod(op, "old", "6", OURS ",'nodeName':'n1'");
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "PATCH", PODS "/p1/status", 1);
	assert_int_equal(fake_api_count(b->api, "POST", PODS), 0);
	store_remove(&op->stores[CACHE_POD], "shop/old", NULL);
	wait_for(b, "POST", BINDING("p1"), 1);
	operator_free(op);
}

/* A bind that fails is tried again. */
static void test_failed_bind_is_repeated(void **state)
{
	static const struct fake_reply replies[] = {{.status = 500}, OK};
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", BINDING("p1"), replies, 2);
	put_node(op, "n1", 1);
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "POST", BINDING("p1"), 2);
	assert_true(fake_api_nth(b->api, "POST", BINDING("p1"), 1)->at_ms -
	                    fake_api_nth(b->api, "POST", BINDING("p1"), 0)->at_ms >=
	            500);
	operator_free(op);
}

/* It may have been done: the card is nobody else's, and the same bind is asked for again. */
static void test_a_bind_without_an_answer_keeps_its_card(void **state)
{
	static const struct fake_reply replies[] = {
		{.status = 500}, {.status = 409, .body = "{\"reason\":\"Conflict\"}"}, OK};
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	fake_api_script(b->api, "POST", BINDING("p1"), replies, 3);
	put_node(op, "n1", 1);
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "POST", BINDING("p1"), 1);
	put_pod(op, "p2", "8", OURS);
	wait_for(b, "POST", BINDING("p1"), 3);
	assert_int_equal(fake_api_count(b->api, "POST", BINDING("p2")), 0);
	put_pod(op, "p1", "9", OURS ",'nodeName':'n1'");
	fake_api_idle(b->loop, 60);
	assert_int_equal(fake_api_count(b->api, "POST", PODS), 3);
	operator_free(op);
}

static void test_end_while_binding(void **state)
{
	static const struct fake_reply never = {.delay_ms = 60000};
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", PODS, &never, 1);
	put_node(op, "n1", 1);
	put_pod(op, "p1", "7", OURS);
	wait_for(b, "POST", BINDING("p1"), 1);
	operator_free(op);
	fake_api_idle(b->loop, 5);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

/* --- preemption ---------------------------------------------------------------------------- */

#define EVICTION(p) PODS "/" p "/eviction"
#define ON(node)    "'nodeName':'" node "'"
#define URGENT      OURS ",'priority':10"

static const struct fake_reply created = {.status = 201, .body = "{}"};
static const struct fake_reply budget = {.status = 429, .body = "{}"};

/* Two full nodes; on n1 is who would go first. */
static struct mdep_operator *make_full(struct bed *b)
{
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", PODS, &created, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	put_node(op, "n1", 2);
	put_node(op, "n2", 2);
	put_pod(op, "a", "7", ON("n1"));
	put_pod(op, "b", "7", ON("n1"));
	put_pod(op, "c", "7", ON("n2") ",'priority':1");
	put_pod(op, "d", "7", ON("n2") ",'priority':1");
	return op;
}

static bool is_dry(const struct fake_request *q)
{
	return strstr(q->body, "\"dryRun\":[\"All\"]") != NULL;
}

/* A write to p's status says so. */
static bool is_written(const struct bed *b, const char *text)
{
	for (unsigned i = 0; i < fake_api_count(b->api, "PATCH", PODS "/p/status"); i++)
		if (strstr(fake_api_nth(b->api, "PATCH", PODS "/p/status", i)->body, text))
			return true;
	return false;
}

static unsigned evictions(const struct bed *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake_api_count(b->api, "POST", PODS); i++)
		n += strstr(fake_api_nth(b->api, "POST", PODS, i)->path, "/eviction") &&
		     !is_dry(fake_api_nth(b->api, "POST", PODS, i));
	return n;
}

/* First it is tried, then on record for whom the room is, then one pod is asked to go, by its uid.
 */
static void test_one_makes_way(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_full(b);
	const struct fake_request *q;

	put_pod(op, "p", "8", URGENT);
	wait_for(b, "POST", EVICTION("b"), 2);
	assert_true(is_dry(fake_api_nth(b->api, "POST", EVICTION("b"), 0)));
	q = fake_api_nth(b->api, "POST", EVICTION("b"), 1);
	assert_false(is_dry(q));
	assert_non_null(strstr(q->body, "\"uid\":\"uid-b\""));
	assert_int_equal(fake_api_count(b->api, "PATCH", PODS "/p/status"), 2);
	assert_true(is_written(b, "{\"metadata\":{\"uid\":\"uid-p\"},\"status\":{"
	                          "\"nominatedNodeName\":\"n1\"}}"));
	put_pod(op, "lower", "9", OURS ",'priority':9");
	wait_for(b, "POST", EVICTION("a"), 2);
	store_remove(&op->stores[CACHE_POD], "shop/b", NULL);
	wait_for(b, "POST", BINDING("p"), 1);
	assert_int_equal(fake_api_count(b->api, "POST", BINDING("lower")), 0);
	assert_int_equal(fake_api_count(b->api, "POST", EVICTION("")), 0);
	operator_free(op);
}

/* Both have to go and one may not: the other does not go in vain, the next node is tried. */
static void test_none_goes_in_vain(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_full(b);

	fake_api_script(b->api, "POST", EVICTION("b"), &budget, 1);
	put_asking(op, "p", "8", URGENT, 2);
	wait_for(b, "POST", EVICTION("d"), 2);
	for (unsigned i = 0; i < fake_api_count(b->api, "POST", EVICTION("a")); i++)
		assert_true(is_dry(fake_api_nth(b->api, "POST", EVICTION("a"), i)));
	assert_int_equal(fake_api_count(b->api, "POST", EVICTION("b")), 1);
	assert_false(is_dry(fake_api_nth(b->api, "POST", EVICTION("c"), 1)));
	fake_api_idle(b->loop, 60);
	assert_true(is_written(b, "n2"));
	assert_int_equal(fake_api_count(b->api, "PATCH", PODS "/p/status"), 2);
	operator_free(op);
}

/* Nobody may go: they are not asked again and again, and nothing is kept for anybody. */
static void test_budgets_hold(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_full(b);

	fake_api_script(b->api, "POST", PODS, &budget, 1);
	put_asking(op, "p", "8", URGENT, 2);
	fake_api_idle(b->loop, 150);
	/* Why it waits, and then also that those who could make way are guarded. */
	assert_int_equal(fake_api_count(b->api, "PATCH", PODS "/p/status"), 2);
	assert_true(is_written(b, "a PodDisruptionBudget guards 1 of 2 pods of lower priority"));
	assert_in_range(fake_api_count(b->api, "POST", PODS), 2, 4);
	for (unsigned i = 0; i < fake_api_count(b->api, "POST", PODS); i++)
		assert_true(is_dry(fake_api_nth(b->api, "POST", PODS, i)));
	operator_free(op);
}

/* The victim was written at the same moment and stays: its room is not waited for, another goes. */
static void test_a_conflict_frees_nothing(void **state)
{
	static const struct fake_reply answers[] = {{.status = 201, .body = "{}"},
	                                            {.status = 409, .body = "{}"}};
	struct bed *b = *state;
	struct mdep_operator *op = make_full(b);

	fake_api_script(b->api, "POST", EVICTION("b"), answers, 2);
	put_pod(op, "p", "8", URGENT);
	wait_for(b, "POST", EVICTION("a"), 2);
	assert_false(is_dry(fake_api_nth(b->api, "POST", EVICTION("a"), 1)));
	assert_int_equal(fake_api_count(b->api, "POST", EVICTION("b")), 2);
	operator_free(op);
}

/* The node has been filled by others since, and nobody there may be taken away. */
static void test_a_stale_nomination_is_taken_back(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);

	fake_api_script(b->api, "POST", PODS, &created, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	put_node(op, "n1", 1);
	put_pod(op, "other", "7", ON("n1") ",'priority':20");
	put(op, CACHE_POD, &pod_kind,
	    xstrdup("{'metadata':{'name':'p','namespace':'shop','uid':'uid-p','resourceVersion':"
	            "'8'},'spec':{" URGENT ",'containers':[{'name':'model','resources':{'limits':{"
	            "'nvidia.com/gpu':'1'},'requests':{'nvidia.com/gpu':'1'}}}]},'status':"
	            "{'phase':'Pending','nominatedNodeName':'n1'}}"));
	wait_for(b, "PATCH", PODS "/p/status", 2);
	assert_true(is_written(b, "\"nominatedNodeName\":null"));
	operator_free(op);
}

/* Nobody goes for a pod that has gone, or that found room, while it was nominated. */
static void test_who_is_not_needed_stays(void **state)
{
	static const struct fake_reply late = {.body = "{}", .delay_ms = 60};
	static const char *const freed[] = {"shop/p", "shop/a"};
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(freed); i++) {
		struct mdep_operator *op = make_full(b);
		unsigned before = evictions(b);

		fake_api_script(b->api, "PATCH", PODS, &late, 1);
		put_pod(op, "p", "8", URGENT);
		wait_for(b, "PATCH", PODS "/p/status", 2 * (unsigned)(i + 1));
		store_remove(&op->stores[CACHE_POD], freed[i], NULL);
		fake_api_idle(b->loop, 150);
		assert_int_equal(evictions(b), before);
		assert_int_equal(fake_api_count(b->api, "POST", BINDING("p")), i);
		operator_free(op);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

static void test_end_while_preempting(void **state)
{
	static const struct fake_reply never = {.delay_ms = 60000};
	struct bed *b = *state;
	struct mdep_operator *op = make_full(b);

	fake_api_script(b->api, "POST", PODS, &never, 1);
	put_pod(op, "p", "8", URGENT);
	wait_for(b, "POST", EVICTION("b"), 1);
	operator_free(op);
	fake_api_idle(b->loop, 5);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

/* A burst, and then no faster than the rate. */
static void test_rate(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = make_world(b);
	char name[16], on[32];

	fake_api_script(b->api, "POST", PODS, &created, 1);
	fake_api_script(b->api, "PATCH", PODS, &ok, 1);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put_node(op, name, 1);
		snprintf(on, sizeof(on), "'nodeName':'%s'", name);
		snprintf(name, sizeof(name), "v%d", i);
		put_pod(op, name, "7", on);
	}
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		put_pod(op, name, "8", URGENT);
	}
	for (int i = 0; i < 600 && evictions(b) < 20; i++)
		fake_api_idle(b->loop, 5);
	fake_api_idle(b->loop, 500);
	assert_in_range(evictions(b), 21, 39);
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bind),
		T(test_a_card_is_given_once),
		T(test_who_is_left_alone),
		T(test_waits_for_a_node),
		T(test_a_pod_that_goes_frees_its_card),
		T(test_failed_bind_is_repeated),
		T(test_a_bind_without_an_answer_keeps_its_card),
		T(test_end_while_binding),
		T(test_one_makes_way),
		T(test_none_goes_in_vain),
		T(test_budgets_hold),
		T(test_a_conflict_frees_nothing),
		T(test_a_stale_nomination_is_taken_back),
		T(test_who_is_not_needed_stays),
		T(test_end_while_preempting),
		T(test_rate),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
