/* ZoneShifts: which one counts for a zone, and what their status says of how far they are. */
#include "../kube/client_bed.c"

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"
#include "tidegate/base/clock.h"

#define PATHS  "/apis/serving.tidegate.io/v1alpha1/zoneshifts/"
#define STATUS PATHS "s/status"

static const struct fake_reply ok = OK;
static int version = 1;

static struct mdep_operator *leader(struct bed *b)
{
	static const struct operator_options o = {.identity = "test"};
	struct mdep_operator *op = operator_new(b->loop, bed_client(b, 0), &o, NULL);

	fake_api_script(b->api, "PATCH", STATUS, &ok, 1);
	op->working = true; /* elected, with caches that the test fills */
	return op;
}

static void put(struct mdep_operator *op, enum cache cache, const struct object_kind *kind,
                char *text)
{
	struct err err = ERR_INIT;
	struct object *o = decode_text(kind, text, &err);

	if (!o)
		fail_msg("%s in %s", err.msg, text);
	store_put(&op->stores[cache], o);
	free(text);
}

/* Made so many seconds ago. */
static void put_shift(struct mdep_operator *op, const char *name, int age_s, const char *spec,
                      const char *status)
{
	char stamp[CLOCK_RFC3339_MAX];

	put(op, CACHE_ZONESHIFT, &zoneshift_kind,
	    xasprintf("{'metadata':{'name':'%s','uid':'u-%s','generation':3,'resourceVersion':'%d',"
	              "'creationTimestamp':'%s'},'spec':{'zone':'hz-a',%s},'status':{%s}}",
	              name, name, version++, clock_format(clock_wall_ms() - age_s * 1000, stamp),
	              spec, status));
}

static void put_mdep(struct mdep_operator *op, const char *name, const char *traffic,
                     const char *zones)
{
	put(op, CACHE_MDEP, &mdep_kind,
	    xasprintf("{'metadata':{'name':'%s','namespace':'shop','uid':'u-%s','resourceVersion':"
	              "'%d'},'spec':{'zones':[{'name':'hz-a'},{'name':'hz-b'}],'traffic':{%s}},"
	              "'status':{'zones':[%s]}}",
	              name, name, version++, traffic, zones));
}

#define ROUTE   "'httpRoute':{'name':'r'}"
#define LEFT    "{'name':'hz-a','state':'Evacuated','percent':0}"
#define REFUSES "{'name':'hz-a','state':'Healthy','refused':'AnotherZoneIsOut'}"

/* The status that was written last. */
static const struct json *told(struct bed *b, struct mdep_operator *op, unsigned n, struct arena *a)
{
	const char *text;

	shift_count(op);
	for (int i = 0; i < 600 && fake_api_count(b->api, "PATCH", STATUS) < n; i++)
		fake_api_idle(b->loop, 5);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), n);
	text = fake_api_nth(b->api, "PATCH", STATUS, n - 1)->body;
	return json_get(json_parse(a, text, strlen(text), NULL), "status");
}

/* "Ready=True Reconciling=True ... reason" */
static const char *conditions(const struct json *status, struct arena *a)
{
	const struct json *c;
	const char *text = "", *reason = "";

	json_for_each (c, json_get(status, "conditions")) {
		text = arena_printf(a, "%s%s=%s ", text, json_str(c, "type"),
		                    json_str(c, "status"));
		reason = json_str(c, "reason");
	}
	return arena_printf(a, "%s%s", text, reason);
}

static void test_how_far_it_is(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = leader(b);
	const struct json *s;
	struct arena a;

	arena_init(&a, 0);
	put_shift(op, "s", 5, "'duration':'1h'", "");
	s = told(b, op, 1, &a);
	assert_string_equal(json_str(s, "phase"), "Active");
	assert_int_equal(json_i64(s, "observedGeneration", 0), 3);
	assert_string_equal(conditions(s, &a), "Ready=True NothingMatched");
	put_mdep(op, "one", ROUTE, "");
	put_mdep(op, "two", ROUTE, LEFT);
	s = told(b, op, 2, &a);
	assert_int_equal(json_i64(s, "matched", 0), 2);
	assert_int_equal(json_i64(s, "evacuated", 0), 1);
	assert_string_equal(conditions(s, &a), "Ready=False Reconciling=True Shifting");
	put_mdep(op, "one", ROUTE, REFUSES);
	s = told(b, op, 3, &a);
	assert_int_equal(json_i64(s, "refused", 0), 1);
	assert_string_equal(conditions(s, &a), "Ready=False Stalled=True Refused");
	assert_non_null(strstr(json_str(json_first(json_get(s, "conditions")), "message"),
	                       "shop/one: AnotherZoneIsOut"));
	put_mdep(op, "one", "", LEFT); /* it has no driver any more, but it has left */
	s = told(b, op, 4, &a);
	assert_string_equal(conditions(s, &a), "Ready=True Shifted");
	put_mdep(op, "one", "", "");
	s = told(b, op, 5, &a);
	assert_non_null(strstr(json_str(json_first(json_get(s, "conditions")), "message"),
	                       "NoWeightsByZone"));
	arena_release(&a);
	operator_free(op);
}

static void test_an_end_and_a_mistake_are_told(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = leader(b);
	const struct json *s;
	struct arena a;

	arena_init(&a, 0);
	put_mdep(op, "one", ROUTE, "");
	put_shift(op, "s", 3601, "'duration':'1h'", "");
	s = told(b, op, 1, &a);
	assert_string_equal(json_str(s, "phase"), "Expired");
	assert_string_equal(conditions(s, &a), "Ready=True Expired");
	put_shift(op, "s", 3601, "'duration':'1s'", "");
	s = told(b, op, 2, &a);
	assert_string_equal(json_str(s, "phase"), "Invalid");
	assert_string_equal(conditions(s, &a), "Ready=False Stalled=True Invalid");
	assert_null(shift_of_zone(op, mdep_from(store_get(&op->stores[CACHE_MDEP], "shop", "one")),
	                          "hz-a", clock_wall_ms())
	                    .name);
	arena_release(&a);
	operator_free(op);
}

static void test_what_is_said_already_is_not_said_again(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = leader(b);
	const struct zoneshift *z;
	char until[CLOCK_RFC3339_MAX];
	struct arena a;

	arena_init(&a, 0);
	put_shift(op, "s", 5, "'duration':'1h'", "");
	z = zoneshift_from(store_get_key(&op->stores[CACHE_ZONESHIFT], "s"));
	clock_format(z->until_ms, until);
	put_shift(
		op, "s", 5, "'duration':'1h'",
		arena_printf(&a,
	                     "'observedGeneration':3,'phase':'Active','expiresAt':'%s','matched':0,"
	                     "'evacuated':0,'refused':0,'conditions':[{'type':'Ready','status':"
	                     "'True','reason':'NothingMatched','message':'no ModelDeployment with "
	                     "this zone is selected'}]",
	                     until));
	shift_count(op);
	fake_api_idle(b->loop, 50);
	assert_int_equal(fake_api_count(b->api, "PATCH", STATUS), 0);
	arena_release(&a);
	operator_free(op);
}

static void test_the_longest_counts(void **state)
{
	struct bed *b = *state;
	struct mdep_operator *op = leader(b);
	const struct mdep *m;
	struct zone_shift s;

	put_mdep(op, "one", ROUTE, "");
	m = mdep_from(store_get(&op->stores[CACHE_MDEP], "shop", "one"));
	put_shift(op, "short", 5, "'duration':'1h'", "");
	put_shift(op, "long", 5, "'duration':'2h'", "");
	put_shift(op, "other", 5, "'duration':'9h','selector':{'namespaces':['other']}", "");
	s = shift_of_zone(op, m, "hz-a", clock_wall_ms());
	assert_string_equal(s.name, "long");
	assert_null(shift_of_zone(op, m, "hz-b", clock_wall_ms()).name);
	s = shift_of_zone(op, m, "hz-a", clock_wall_ms() + 3 * 3600 * 1000);
	assert_null(s.name);
	operator_free(op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_how_far_it_is),
		T(test_an_end_and_a_mistake_are_told),
		T(test_what_is_said_already_is_not_said_again),
		T(test_the_longest_counts),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
