/* What our probes see goes into a Lease of our own; what others see keeps us from rash acts. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"
#include "tidegate/failover/tally.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/ops/leases"
#define OURS   LEASES "/tg-votes-"
#define STATUS "/api/v1/namespaces/shop/pods/p1/status"
#define MODEL  "/v2/models/rec/versions/7/ready"
#define STRANGER                                                                                   \
	"{'metadata':{'name':'tg-votes-stranger','namespace':'ops','uid':'u9',"                    \
	"'resourceVersion':'%d','annotations':{'serving.tidegate.io/votes':"                       \
	"'{\\'zone\\':\\'b\\',\\'sees\\':{\\'a\\':[1,%d,%d]},\\'models\\':{%s}}'}}}"

static const struct fake_reply ok = OK;
static const struct fake_reply gone[] = {OK, {.status = 500}};

static void put(struct mdep_operator *op, enum cache cache, const struct object_kind *kind,
                const char *text)
{
	struct err err = ERR_INIT;
	struct object *o = decode_text(kind, text, &err);

	if (!o)
		fail_msg("%s in %s", err.msg, text);
	store_put(&op->stores[cache], o);
}

/* One pod in service in zone a, whose model server is the scripted one; we stand in zone c. */
static struct mdep_operator *make_world(struct bed *b)
{
	static const struct operator_options o = {.identity = "test",
	                                          .replica = "us",
	                                          .votes_namespace = "ops",
	                                          .votes_group = "tg",
	                                          .node = "n"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	const char *port = strrchr(fake_api_url(b->api), ':') + 1;
	cleanup_free char *mdep = xasprintf(
		"{'metadata':{'name':'ranker','namespace':'shop','uid':'u1','resourceVersion':'7'},"
		"'spec':{'model':{'name':'rec','version':'7'},'zones':[{'name':'a'},{'name':'b'}],"
		"'runtime':{'preset':'v2','image':'x','port':%s},'traffic':{'httpRoute':{'name':"
		"'ranker','parentRefs':[{'name':'gw'}]}}}}",
		port);

	assert_non_null(op);
	put(op, CACHE_MDEP, &mdep_kind, mdep);
	put(op, CACHE_NODE, &node_kind,
	    "{'metadata':{'name':'n','uid':'u5','resourceVersion':'5','labels':{"
	    "'topology.kubernetes.io/zone':'c'}}}");
	put(op, CACHE_REPLICASET, &replicaset_kind,
	    "{'metadata':{'name':'rs','namespace':'shop','uid':'u3','resourceVersion':'8',"
	    "'labels':{'serving.tidegate.io/zone':'a','serving.tidegate.io/revision':'r'},"
	    "'ownerReferences':[{'kind':'ModelDeployment','name':'ranker','uid':'u1',"
	    "'controller':true}],"
	    "'annotations':{'serving.tidegate.io/model-version':'7'}},'spec':{'replicas':1}}");
	put(op, CACHE_POD, &pod_kind,
	    "{'metadata':{'name':'p1','namespace':'shop','uid':'u2','resourceVersion':'9',"
	    "'labels':{'serving.tidegate.io/name':'ranker','serving.tidegate.io/zone':'a',"
	    "'serving.tidegate.io/in-service':'true'},'ownerReferences':[{'kind':'ReplicaSet',"
	    "'name':'rs','uid':'u3','controller':true}]},'spec':{'containers':[],"
	    "'readinessGates':[{'conditionType':'serving.tidegate.io/"
	    "model-ready'}],'nodeName':'n'},"
	    "'status':{'phase':'Running','podIP':'127.0.0.1','conditions':[{'type':"
	    "'ContainersReady','status':'True'},{'type':'Ready','status':'True'},{'type':"
	    "'serving.tidegate.io/model-ready','status':'True'}]}}");
	op->leading = op->working = true;
	gate_start(op->gate);
	voter_start(op->voter);
	op->stores[CACHE_VOTE].synced = true; /* what comes from now on are changes */
	return op;
}

static void stranger(struct mdep_operator *op, int version, int failing, const char *models)
{
	cleanup_free char *text = xasprintf(STRANGER, version, failing, failing, models);

	put(op, CACHE_VOTE, &vote_lease_kind, text);
}

#define WELL      ""
#define FAILS_TOO "\\'shop/ranker\\':{\\'a\\':[1,1,1,0,-1]}"

static void wait_for(struct bed *b, const char *method, const char *path, unsigned n)
{
	for (int i = 0; i < 800 && fake_api_count(b->api, method, path) < n; i++)
		fake_api_idle(b->loop, 5);
	assert_true(fake_api_count(b->api, method, path) >= n);
}

/* The vote in the i-th renewal of our Lease. */
static void sent_vote(struct bed *b, unsigned i, struct arena *a, struct vote *v)
{
	const struct fake_request *q = fake_api_nth(b->api, "PATCH", OURS, i);
	const struct json *body = json_parse(a, q->body, strlen(q->body), NULL);
	const struct json *meta = json_get(body, "metadata");
	const char *text = json_str(json_get(meta, "annotations"), "serving.tidegate.io/votes");

	assert_string_equal(json_str(body, "kind"), "Lease");
	assert_string_equal(json_str(json_get(meta, "labels"), "serving.tidegate.io/replica-of"),
	                    "tg");
	assert_string_equal(json_str(json_get(body, "spec"), "holderIdentity"), "us");
	assert_non_null(text);
	assert_int_equal(vote_decode(text, strlen(text), a, v, NULL), 0);
}

static unsigned last_vote(struct bed *b)
{
	return fake_api_count(b->api, "PATCH", OURS) - 1;
}

/* A pod that nobody has asked yet is named; once it answers there is nothing to be said. */
static void test_what_is_told(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;
	cleanup_arena struct arena a;
	const struct vote_entry *e;
	struct vote v;

	fake_api_script(b->api, "GET", MODEL, gone, 2);
	fake_api_script(b->api, "PATCH", OURS, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op = make_world(b);
	arena_init(&a, 0);
	wait_for(b, "PATCH", STATUS, 1);
	wait_for(b, "PATCH", OURS, last_vote(b) + 2);
	sent_vote(b, 0, &a, &v);
	assert_string_equal(v.zone, "c");
	assert_int_equal(v.sums[0].pods, v.nentries ? 0 : 1);
	sent_vote(b, last_vote(b), &a, &v);
	e = vote_find(&v, "shop/ranker", "a");
	assert_non_null(e);
	assert_int_equal(e->pods, 1);
	assert_true(e->failing == 1);
	assert_int_equal(e->ready, 0);
	assert_int_equal(e->good_ms, -1);
	assert_string_equal(v.sums[0].zone, "a");
	assert_int_equal(v.sums[0].shaky, 1);
	assert_false(v.blind);
	operator_free(op);
}

/* A9: we do not reach the pod, another replica does: it stays in service until that one agrees. */
static void test_others_see_it(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;

	fake_api_script(b->api, "GET", MODEL, gone, 2);
	fake_api_script(b->api, "PATCH", OURS, &ok, 1);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op = make_world(b);
	for (int i = 0; i < 8; i++) {
		stranger(op, 10 + i, 0, WELL);
		fake_api_idle(b->loop, 500);
	}
	assert_true(fake_api_count(b->api, "GET", MODEL) > 4);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 0);
	stranger(op, 20, 1, FAILS_TOO);
	wait_for(b, "PATCH", STATUS, 1);
	assert_non_null(strstr(fake_api_nth(b->api, "PATCH", STATUS, 0)->body, "ModelNotServed"));
	operator_free(op);
}

static void read_input(struct mdep_operator *op, struct arena *a, struct tally_input *in)
{
	*in = (struct tally_input){.mono_ms = clock_mono_ms()};
	voter_read(op->voter, a, in);
}

/* Our own Lease in the watch proves that we are in touch; those of others are votes. */
static void test_what_is_heard(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;
	cleanup_arena struct arena a;
	const struct fake_request *q;
	char name[64];
	cleanup_free char *own = NULL;
	struct tally_input in;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", OURS, &ok, 1);
	op = make_world(b);
	arena_init(&a, 0);
	wait_for(b, "PATCH", OURS, 1);
	fake_api_idle(b->loop, 50);
	read_input(op, &a, &in);
	assert_string_equal(in.own_zone, "c");
	assert_int_equal(in.nothers, 0);
	assert_int_equal(in.contact_ms, 0);
	q = fake_api_nth(b->api, "PATCH", OURS, 0);
	str_copy(name, sizeof(name), q->path + strlen(LEASES "/"));
	name[strcspn(name, "?")] = '\0';
	own = xasprintf("{'metadata':{'name':'%s','namespace':'ops','uid':'u8',"
	                "'resourceVersion':'30'}}",
	                name);
	put(op, CACHE_VOTE, &vote_lease_kind, own);
	stranger(op, 31, 0, WELL);
	read_input(op, &a, &in);
	assert_true(in.contact_ms > 0);
	assert_int_equal(in.nothers, 1);
	assert_true(tally_is_fresh(&in.others[0], in.mono_ms));
	assert_string_equal(in.others[0].vote->zone, "b");
	store_remove(&op->stores[CACHE_VOTE], "ops/tg-votes-stranger", NULL);
	read_input(op, &a, &in);
	assert_int_equal(in.nothers, 0);
	operator_free(op);
}

/* A vote that nobody can read has no say, and its replica is alive all the same. */
static void test_spoiled_vote(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;
	cleanup_arena struct arena a;
	struct tally_input in;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", OURS, &ok, 1);
	op = make_world(b);
	arena_init(&a, 0);
	put(op, CACHE_VOTE, &vote_lease_kind,
	    "{'metadata':{'name':'x','namespace':'ops','uid':'u9','resourceVersion':'4',"
	    "'annotations':{'serving.tidegate.io/votes':'{'}}}");
	fake_api_idle(b->loop, 50);
	read_input(op, &a, &in);
	assert_int_equal(in.nothers, 1);
	assert_true(in.others[0].vote->blind);
	operator_free(op);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void test_end_takes_it_away(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op;
	bool ended = false;

	fake_api_script(b->api, "GET", MODEL, &ok, 1);
	fake_api_script(b->api, "PATCH", OURS, &ok, 1);
	fake_api_script(b->api, "DELETE", OURS, &ok, 1);
	op = make_world(b);
	wait_for(b, "PATCH", OURS, 1);
	operator_stop(op);
	operator_flush(op, set_flag, &ended);
	assert_false(ended);
	assert_true(fake_api_run(b->loop, &ended, 2000));
	assert_int_equal(fake_api_count(b->api, "DELETE", OURS), 1);
	fake_api_idle(b->loop, 1300);
	assert_int_equal(fake_api_count(b->api, "DELETE", OURS), 1);
	operator_free(op);
}

/* A single replica without election has nobody to tell. */
static void test_alone(void **state)
{
	static const struct operator_options o = {.identity = "test"};
	struct bed *b = *state;
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	cleanup_arena struct arena a;
	struct tally_input in;
	bool ended = false;

	arena_init(&a, 0);
	voter_start(op->voter);
	fake_api_idle(b->loop, 100);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	read_input(op, &a, &in);
	assert_int_equal(in.nothers, 0);
	operator_flush(op, set_flag, &ended);
	assert_true(fake_api_run(b->loop, &ended, 1000));
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_told), T(test_others_see_it),     T(test_what_is_heard),
		T(test_spoiled_vote), T(test_end_takes_it_away), T(test_alone),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
