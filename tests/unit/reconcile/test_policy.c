/* Status of ScorePolicies: what is said of one, when, and since when. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"

#define STATUS "/apis/serving.tidegate.io/v1alpha1/namespaces/shop/scorepolicies/p/status"

static const struct fake_reply ok = OK;

static void put(struct mdep_operator *op, int version, const char *spec, const char *status)
{
	cleanup_free char *text =
		xasprintf("{'metadata':{'name':'p','namespace':'shop','uid':'u1','generation':2,"
	                  "'resourceVersion':'%d'},'spec':{%s},'status':{'observedGeneration':1,"
	                  "'conditions':[%s]}}",
	                  version, spec, status);
	struct err err = ERR_INIT;
	struct object *o = decode_text(&scorepolicy_kind, text, &err);

	if (!o)
		fail_msg("%s", err.msg);
	store_put(&op->stores[CACHE_SCOREPOLICY], o);
}

static void wait_for(struct bed *b, unsigned n)
{
	for (int i = 0; i < 600 && fake_api_count(b->api, "PATCH", STATUS) < n; i++)
		fake_api_idle(b->loop, 5);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), n);
}

/* The only condition of the n-th status that was written. */
static const struct json *condition(struct bed *b, unsigned n, struct arena *a)
{
	const char *text = fake_api_nth(b->api, "PATCH", STATUS, n)->body;
	const struct json *body = json_parse(a, text, strlen(text), NULL);

	assert_int_equal(json_i64(json_get(body, "status"), "observedGeneration", 0), 2);
	return json_first(json_path(body, "status", "conditions", NULL));
}

static void test_time_is_that_of_the_status(void **state)
{
	static const struct operator_options o = {.identity = "test"};
	static const char old[] = "{'type':'Ready','status':'False','reason':'Invalid','message':"
				  "'old','lastTransitionTime':'2026-01-02T03:04:05Z'}";
	struct bed *b = *state;
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	const struct json *c;
	struct arena a;

	arena_init(&a, 0);
	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	put(op, 7, "'judge':'Best'", old);
	policy_tell_all(op);
	wait_for(b, 1);
	c = condition(b, 0, &a);
	assert_string_equal(json_str(c, "status"), "False");
	assert_non_null(strstr(json_str(c, "message"), "spec.judge"));
	assert_string_equal(json_str(c, "lastTransitionTime"), "2026-01-02T03:04:05Z");
	put(op, 8, "", old);
	policy_tell_all(op);
	wait_for(b, 2);
	c = condition(b, 1, &a);
	assert_string_equal(json_str(c, "status"), "True");
	assert_string_not_equal(json_str(c, "lastTransitionTime"), "2026-01-02T03:04:05Z");
	arena_release(&a);
	operator_free(op);
}

static void test_what_is_said_already_is_not_said_again(void **state)
{
	static const struct operator_options o = {.identity = "test"};
	struct bed *b = *state;
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	cleanup_free char *text =
		quoted("{'metadata':{'name':'p','namespace':'shop','uid':'u1','generation':2,"
	               "'resourceVersion':'7'},'spec':{},'status':{'observedGeneration':2,"
	               "'conditions':[{'type':'Ready','status':'True','message':'the policy can be "
	               "acted on'}]}}");
	struct err err = ERR_INIT;

	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	store_put(&op->stores[CACHE_SCOREPOLICY], decode_text(&scorepolicy_kind, text, &err));
	policy_tell_all(op);
	fake_api_idle(b->loop, 50);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 0);
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_time_is_that_of_the_status),
		T(test_what_is_said_already_is_not_said_again),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
