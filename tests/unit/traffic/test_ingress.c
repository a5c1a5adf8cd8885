/* Canary annotations: dialects, order of front and canary, observation. */
#include "fixture.h"
#include "tidegate/traffic/gateway.h"

#define NOW 1700000000000

#define WEB                                                                                        \
	"{'ingressClassName':'nginx','rules':[{'host':'a.b','http':{'paths':[{'path':'/',"         \
	"'pathType':'Prefix','backend':{'service':{'name':'ranker','port':{'number':80}}}},"       \
	"{'path':'/s','pathType':'Prefix','backend':{'service':{'name':'files','port':"            \
	"{'number':80}}}}]}},{'host':'c.d','http':{'paths':[{'path':'/','backend':{'service':"     \
	"{'name':'files','port':{'number':80}}}}]}}]}"
#define CANARY_SPEC                                                                                \
	"{'ingressClassName':'nginx','rules':[{'host':'a.b','http':{'paths':[{'path':'/',"         \
	"'pathType':'Prefix','backend':{'service':{'name':'ranker-" NEW                            \
	"','port':{'number':80}}}}]}}]}"

static const struct mdep_weight none[] = {{OLD, "", 10000}};
static const struct mdep_weight fifth[] = {{OLD, "", 8000}, {NEW, "", 2000}};
static const struct mdep_weight zero[] = {{OLD, "", 10000}, {NEW, "", 0}};
static const struct mdep_weight all[] = {{NEW, "", 10000}};

struct scene {
	struct arena a;
	struct traffic_view v;
	struct traffic_wish w;
};

static void open_scene(struct scene *s, const char *traffic, const char *step,
                       const struct mdep_weight *weights, unsigned n)
{
	arena_init(&s->a, 0);
	s->w = wish_of(mdep_with(&s->a, traffic, step), weights, n);
	s->v = (struct traffic_view){.route = route_with(&s->a, "web", WEB),
	                             .front = OLD,
	                             .front_ms = NOW - 60000,
	                             .written_ms = NOW - 60000,
	                             .now_ms = NOW};
}

static void set_canary(struct scene *s, const char *annotations)
{
	struct route *r = route_with(&s->a, "web-canary", CANARY_SPEC);

	r->ours = true;
	r->annotations_json = unquote(&s->a, annotations);
	s->v.beside[0] = r;
}

static const char *front_of(const struct scene *s)
{
	return traffic_driver_of(s->w.mdep)->front(&s->w, &s->v);
}

/* --- annotations ------------------------------------------------------------------------- */

#define N "nginx.ingress.kubernetes.io/canary"
#define A "alb.ingress.kubernetes.io/canary"
#define X "x.example/canary"

static const struct {
	const char *traffic, *step, *annotations;
} dialects[] = {
	{"'ingress':{'name':'web'}", "", "{'" N "':'true','" N "-weight':'20'}"},
	{"'ingress':{'name':'web','dialect':'higress'}", "",
         "{'" N "':'true','" N "-weight':'20'}"},
	{"'ingress':{'name':'web','dialect':'mse'}", "", "{'" N "':'true','" N "-weight':'20'}"},
	{"'ingress':{'name':'web','dialect':'alb'}", "", "{'" A "':'true','" A "-weight':'20'}"},
	{"'ingress':{'name':'web','annotationPrefix':'x.example'}", "",
         "{'" X "':'true','" X "-weight':'20'}"},
	{"'ingress':{'name':'web'}", "{'audience':{'headers':[{'name':'h','exact':'v'}]}}",
         "{'" N "':'true','" N "-weight':'20','" N "-by-header':'h','" N "-by-header-value':'v'}"},
	{"'ingress':{'name':'web'}", "{'audience':{'bucket':{'header':'h','percent':5}}}",
         "{'" N "':'true','" N "-weight':'20','" N "-by-header':'h','" N
         "-by-header-pattern':'^([0-4])$'}"},
	{"'ingress':{'name':'web','dialect':'alb'}",
         "{'audience':{'cookie':{'name':'c','value':'always'}}}",
         "{'" A "':'true','" A "-weight':'20','" A "-by-cookie':'c'}"},
};

static void test_dialects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++) {
		struct scene s;
		struct traffic_edit e;
		const struct json *json;

		open_scene(&s, dialects[i].traffic, dialects[i].step, fifth, 2);
		e = edit_of(&s.w, &s.v, &s.a);
		json = applied(&s.a, &e);
		assert_string_equal(e.name, "web-canary");
		assert_value(&s.a, json_path(json, "metadata", "annotations", NULL),
		             dialects[i].annotations);
		/* only the paths to us, with the class and hosts of the user's */
		assert_value(&s.a, json_get(json, "spec"), CANARY_SPEC);
		set_canary(&s, dialects[i].annotations);
		assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_KEEP);
		arena_release(&s.a);
	}
}

/* The class may be an annotation, too; an annotation of the dialect that is too much is removed. */
static void test_class_and_leftovers(void **state)
{
	struct scene s;
	struct traffic_edit e;
	struct route *web;

	(void)state;
	open_scene(&s, "'ingress':{'name':'web'}", "", fifth, 2);
	web = route_with(&s.a, "web", WEB);
	web->annotations_json =
		unquote(&s.a, "{'kubernetes.io/ingress.class':'k','" N "-weight':'1','o':'p'}");
	s.v.route = web;
	e = edit_of(&s.w, &s.v, &s.a);
	assert_value(&s.a, json_path(applied(&s.a, &e), "metadata", "annotations", NULL),
	             "{'kubernetes.io/ingress.class':'k','" N "':'true','" N "-weight':'20'}");
	s.v.route = route_with(&s.a, "web", WEB);
	set_canary(&s, "{'" N "':'true','" N "-weight':'20','" N "-by-cookie':'c'}");
	assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_APPLY);
	arena_release(&s.a);
}

/* --- order ------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	const struct mdep_weight *weights;
	unsigned n;
	const char *stable, *target;
	const char *front;  /* as it is */
	const char *canary; /* its percent; NULL = no canary Ingress */
	int64_t front_ago, written_ago;
	const char *want_front;
	enum traffic_how how;
	bool later;
} orders[] = {
	{"first release: any pod, then the revision", all, 1, NULL, NEW, NULL, NULL, 0, 0, NEW,
         TRAFFIC_KEEP, true},
	{"nothing is released", none, 1, OLD, OLD, OLD, NULL, 9000, 9000, OLD, TRAFFIC_KEEP, false},
	{"begun at 0: no canary Ingress yet", zero, 2, OLD, NEW, OLD, NULL, 9000, 9000, OLD,
         TRAFFIC_KEEP, false},
	{"20 %", fifth, 2, OLD, NEW, OLD, NULL, 9000, 9000, OLD, TRAFFIC_APPLY, false},
	{"the front first, when it takes all pods", fifth, 2, OLD, NEW, NULL, NULL, 9000, 9000, OLD,
         TRAFFIC_KEEP, true},
	{"100 %: the front waits for the canary Ingress", all, 1, OLD, NEW, OLD, "50", 9000, 9000,
         OLD, TRAFFIC_APPLY, false},
	{"100 % written a moment ago", all, 1, OLD, NEW, OLD, "100", 9000, 1000, OLD, TRAFFIC_KEEP,
         false},
	{"100 % for a while: the front follows", all, 1, OLD, NEW, OLD, "100", 9000, 3000, NEW,
         TRAFFIC_KEEP, true},
	{"the front stands: both lead to the new", all, 1, OLD, NEW, NEW, "100", 9000, 9000, NEW,
         TRAFFIC_KEEP, false},
	{"promoted while the front is on its way", all, 1, NEW, NEW, OLD, "100", 9000, 9000, NEW,
         TRAFFIC_KEEP, true},
	{"promoted, front switched a moment ago", all, 1, NEW, NEW, NEW, "100", 1000, 9000, NEW,
         TRAFFIC_KEEP, true},
	{"promoted: the canary Ingress goes", all, 1, NEW, NEW, NEW, "100", 9000, 9000, NEW,
         TRAFFIC_DELETE, false},
	{"taken back: 0 first", none, 1, OLD, NEW, OLD, "20", 9000, 9000, OLD, TRAFFIC_APPLY,
         false},
	{"taken back: then it goes", none, 1, OLD, NEW, OLD, "0", 9000, 9000, OLD, TRAFFIC_DELETE,
         false},
	{"back from 100 %: the front returns first", none, 1, OLD, NEW, NEW, "100", 9000, 9000, OLD,
         TRAFFIC_KEEP, true},
};

static void test_orders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct scene s;
		struct traffic_edit e;

		print_message("%s\n", orders[i].what);
		open_scene(&s, "'ingress':{'name':'web'}", "", orders[i].weights, orders[i].n);
		s.w.stable = orders[i].stable;
		s.w.target = orders[i].target;
		s.v.front = orders[i].front;
		s.v.front_ms = NOW - orders[i].front_ago;
		s.v.written_ms = NOW - orders[i].written_ago;
		if (orders[i].canary)
			set_canary(&s, arena_printf(&s.a, "{'" N "':'true','" N "-weight':'%s'}",
			                            orders[i].canary));
		assert_string_equal(front_of(&s), orders[i].want_front);
		e = edit_of(&s.w, &s.v, &s.a);
		assert_int_equal(e.how, orders[i].how);
		assert_int_equal(e.later, orders[i].later);
		arena_release(&s.a);
	}
}

/* --- observation ------------------------------------------------------------------------- */

static const struct rollout_cell cells[] = {{.revision = OLD, .zone = "a"},
                                            {.revision = NEW, .zone = "a"},
                                            {.revision = OLD, .zone = "b"}};

static int seen(const struct rollout_traffic *t, const char *revision, const char *zone)
{
	for (unsigned i = 0; i < t->nweights; i++)
		if (str_eq(t->revisions[i], revision) && str_eq(t->zones[i], zone))
			return t->weights[i];
	return -1;
}

static void test_observation(void **state)
{
	struct mdep_weight last[] = {{OLD, "a", 5000}, {OLD, "b", 3000}};
	struct scene s;
	struct rollout_traffic t;
	struct mdep *m;

	(void)state;
	open_scene(&s, "'ingress':{'name':'web'}", "", fifth, 2);
	m = mdep_with(&s.a, "'ingress':{'name':'web'}", "");
	set_canary(&s, "{'" N "':'true','" N "-weight':'20'}");
	/* As the last matrix has it, where the sums agree. */
	m->status.weights = last;
	m->status.nweights = 2;
	traffic_driver_of(m)->observe(m, &s.v, cells, 3, &s.a, &t);
	assert_true(t.exists && t.in_force && !t.problem);
	assert_int_equal(seen(&t, OLD, "a"), 5000);
	assert_int_equal(seen(&t, OLD, "b"), 3000);
	assert_int_equal(seen(&t, NEW, "a"), 2000);
	assert_int_equal(t.nweights, 3);
	assert_false(t.chosen[0] || t.chosen[1] || t.chosen[2]);
	/* An audience's cell is seen with a weight of 0, also when the matrix has dropped it. */
	set_canary(&s, "{'" N "':'true','" N "-weight':'0','" N "-by-header':'x-gray'}");
	traffic_driver_of(m)->observe(m, &s.v, cells, 3, &s.a, &t);
	assert_int_equal(seen(&t, NEW, "a"), 0);
	for (unsigned i = 0; i < t.nweights; i++)
		assert_int_equal(t.chosen[i], str_eq(t.revisions[i], NEW));
	/* No canary Ingress: the front has everything, in each zone that it may reach. */
	s.v.beside[0] = NULL;
	traffic_driver_of(m)->observe(m, &s.v, cells, 3, &s.a, &t);
	assert_int_equal(seen(&t, OLD, "a"), 5000);
	assert_int_equal(seen(&t, OLD, "b"), 5000);
	assert_int_equal(seen(&t, NEW, "a"), -1);
	/* A front for any pod says nothing about revisions. */
	s.v.front = NULL;
	traffic_driver_of(m)->observe(m, &s.v, cells, 3, &s.a, &t);
	assert_int_equal(t.nweights, 0);
	arena_release(&s.a);
}

static void test_problems(void **state)
{
	struct scene s;
	struct rollout_traffic t;
	const struct traffic_driver *d;

	(void)state;
	open_scene(&s, "'ingress':{'name':'web'}", "", fifth, 2);
	d = traffic_driver_of(s.w.mdep);
	s.v.beside[0] = route_with(&s.a, "web-canary", CANARY_SPEC); /* somebody else's */
	d->observe(s.w.mdep, &s.v, cells, 3, &s.a, &t);
	assert_non_null(strstr(t.problem, "web-canary is not made by Tidegate"));
	assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_KEEP);
	s.v.beside[0] = NULL;
	s.v.route = route_with(&s.a, "web", "{'rules':[]}");
	d->observe(s.w.mdep, &s.v, cells, 3, &s.a, &t);
	assert_non_null(strstr(t.problem, "has no path to Service ranker"));
	assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_KEEP);
	s.v.route = NULL;
	d->observe(s.w.mdep, &s.v, cells, 3, &s.a, &t);
	assert_non_null(strstr(t.problem, "does not exist"));
	assert_false(t.exists || t.in_force);
	assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_KEEP);
	arena_release(&s.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects), cmocka_unit_test(test_class_and_leftovers),
		cmocka_unit_test(test_orders),   cmocka_unit_test(test_observation),
		cmocka_unit_test(test_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
