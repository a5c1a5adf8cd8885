/* Drivers of lists of rules: HTTPRoute, GRPCRoute, VirtualService. */
#include "fixture.h"

#define HTTP_OURS "'httpRoute':{'name':'r','parentRefs':[{'name':'bed'}],'hostnames':['a.b']}"
#define HTTP      "'httpRoute':{'name':'r'}"
#define GRPC      "'grpcRoute':{'name':'r'}"
#define ISTIO     "'istio':{'virtualService':'r'}"

#define REF(name, weight)                                                                          \
	"{'group':'','kind':'Service','name':'ranker-" name "','port':80,'weight':" weight "}"
#define SPLIT                                                                                      \
	"'backendRefs':[" REF(OLD "-a", "4750") "," REF(OLD "-b", "4750") "," REF(NEW "-a",        \
	                                                                          "500") "]"
#define BEFORE "'backendRefs':[" REF(OLD "-a", "10000") "," REF(NEW "-a", "0") "]"
#define GRAY   "'backendRefs':[" REF(NEW "-a", "1") "]"
#define ANY    "'matches':[{'path':{'type':'PathPrefix','value':'/'}}]"

#define DEST(name, weight)                                                                         \
	"{'destination':{'host':'ranker-" name                                                     \
	".shop.svc.cluster.local','port':{'number':80}},'weight':" weight "}"

#define HEADER "{'audience':{'headers':[{'name':'X-Gray','exact':'1'}]}}"

/* --- what is written --------------------------------------------------------------------- */

static const struct {
	const char *what, *traffic, *step;
	bool first;       /* weights: 100 to 0; else 95 to 5 over two zones */
	const char *spec; /* of the user's route; NULL = ours */
	const char *list; /* wanted rules; NULL = nothing is written */
} rows[] = {
	{"a route of ours", HTTP_OURS, "", false, NULL, "[{" ANY "," SPLIT "}]"},
	{"an audience stands before everybody", HTTP_OURS, HEADER, true, NULL,
         "[{'name':'tidegate-audience','matches':[{'path':{'type':'PathPrefix','value':'/'},"
         "'headers':[{'type':'Exact','name':'X-Gray','value':'1'}]}]," GRAY "},{" ANY "," BEFORE
         "}]"},
	{"a pattern means the whole value", HTTP_OURS,
         "{'audience':{'headers':[{'name':'u','regex':'7|8'}]}}", true, NULL,
         "[{'name':'tidegate-audience','matches':[{'path':{'type':'PathPrefix','value':'/'},"
         "'headers':[{'type':'RegularExpression','name':'u','value':'^(7|8)$'}]}]," GRAY "},{" ANY
         "," BEFORE "}]"},
	{"a mirror", HTTP_OURS, "{'mirror':{'percent':20}}", true, NULL,
         "[{" ANY ",'filters':[{'type':'RequestMirror','requestMirror':{'backendRef':"
         "{'group':'','kind':'Service','name':'ranker-" NEW "-a','port':80},'percent':20}}]," BEFORE
         "}]"},
	{"only rules that point at us", HTTP, "", false,
         "{'rules':[{'backendRefs':[{'name':'web','port':1}],'timeouts':{'request':'3s'}},"
         "{'name':'x','matches':[{'method':'GET'}],'backendRefs':[{'name':'ranker'}]},"
         "{'backendRefs':[{'name':'ranker-v2'}]},"
         "{'backendRefs':[{'name':'ranker','namespace':'other'}]}]}",
         "[{'backendRefs':[{'name':'web','port':1}],'timeouts':{'request':'3s'}},"
         "{'name':'x','matches':[{'method':'GET'}]," SPLIT "},"
         "{'backendRefs':[{'name':'ranker-v2'}]},"
         "{'backendRefs':[{'name':'ranker','namespace':'other'}]}]"},
	{"what stands there already costs nothing", HTTP, "", false,
         "{'rules':[{'backendRefs':[{'name':'web'}]},{" ANY "," SPLIT "}]}", NULL},
	{"their rule's copy keeps its filters", HTTP, HEADER, true,
         "{'rules':[{'name':'x','matches':[{'path':{'type':'Exact','value':'/p'}},{'method':"
         "'PUT'}],'filters':[{'type':'URLRewrite'}],'backendRefs':[{'name':'ranker'}]}]}",
         "[{'name':'tidegate-audience','matches':[{'path':{'type':'Exact','value':'/p'},"
         "'headers':[{'type':'Exact','name':'X-Gray','value':'1'}]},{'method':'PUT','headers':"
         "[{'type':'Exact','name':'X-Gray','value':'1'}]}],'filters':[{'type':'URLRewrite'}]," GRAY
         "},{'name':'x','matches':[{'path':{'type':'Exact','value':'/p'}},{'method':"
         "'PUT'}],'filters':[{'type':'URLRewrite'}]," BEFORE "}]"},
	{"an audience that is over leaves nothing", HTTP, "", false,
         "{'rules':[{'name':'tidegate-audience','matches':[{'headers':[{'name':'X-Gray',"
         "'value':'1'}]}]," GRAY "},{" ANY "," BEFORE "}]}",
         "[{" ANY "," SPLIT "}]"},
	{"a mirror that is over leaves theirs", HTTP, "", false,
         "{'rules':[{" ANY ",'filters':[{'type':'RequestMirror','requestMirror':{'backendRef':"
         "{'name':'ranker-" NEW "-a'}}},{'type':'RequestMirror','requestMirror':{'backendRef':"
         "{'name':'shadow'}}}]," SPLIT "}]}",
         "[{" ANY ",'filters':[{'type':'RequestMirror','requestMirror':{'backendRef':"
         "{'name':'shadow'}}}]," SPLIT "}]"},
	{"a match that asks for another value gets no audience", HTTP, HEADER, true,
         "{'rules':[{'matches':[{'headers':[{'name':'x-gray','value':'2'}]}],'backendRefs':"
         "[{'name':'ranker'}]}]}",
         "[{'matches':[{'headers':[{'name':'x-gray','value':'2'}]}]," BEFORE "}]"},
	{"a match that asks for it already", HTTP, HEADER, true,
         "{'rules':[{'matches':[{'headers':[{'name':'x-gray','value':'1'}]}],'backendRefs':"
         "[{'name':'ranker'}]}]}",
         "[{'name':'tidegate-audience','matches':[{'headers':[{'name':'x-gray','value':'1'}]}]"
         "," GRAY "},{'matches':[{'headers':[{'name':'x-gray','value':'1'}]}]," BEFORE "}]"},
	{"a rule for each of theirs", HTTP, HEADER, true,
         "{'rules':[{'backendRefs':[{'name':'ranker'}]},{'name':'y','backendRefs':"
         "[{'name':'ranker'}]}]}",
         "[{'name':'tidegate-audience','matches':[{'headers':[{'type':'Exact','name':'X-Gray',"
         "'value':'1'}]}]," GRAY "},{" BEFORE "},{'name':'tidegate-audience-2','matches':"
         "[{'headers':[{'type':'Exact','name':'X-Gray','value':'1'}]}]," GRAY
         "},{'name':'y'," BEFORE "}]"},
	{"no rule for us: nothing", HTTP, "", false, "{'rules':[{'backendRefs':[{'name':'web'}]}]}",
         NULL},
	{"calls", GRPC, HEADER, true,
         "{'rules':[{'matches':[{'method':{'service':'s'}}],'backendRefs':[{'name':'ranker'}]}]}",
         "[{'name':'tidegate-audience','matches':[{'method':{'service':'s'},'headers':"
         "[{'type':'Exact','name':'X-Gray','value':'1'}]}]," GRAY "},{'matches':[{'method':"
         "{'service':'s'}}]," BEFORE "}]"},
	{"Istio: of ours", "'istio':{'virtualService':'r','hosts':['a.b'],'gateways':['g']}", "",
         false, NULL,
         "[{'name':'tidegate','route':[" DEST(OLD "-a", "4750") "," DEST(OLD "-b", "4750") "," DEST(
		 NEW "-a", "500") "]}]"},
	{"Istio: theirs by any form of the host", ISTIO, "", true,
         "{'http':[{'name':'w','retries':{'attempts':3},'route':[{'destination':{'host':"
         "'ranker'}}]},{'route':[{'destination':{'host':'ranker.shop.svc.cluster.local'}}]},"
         "{'route':[{'destination':{'host':'ranker.shop2.svc'}}]},{'route':[{'destination':"
         "{'host':'ranker.shop.com'}}]}]}",
         "[{'name':'w','retries':{'attempts':3},'route':[" DEST(OLD "-a", "10000") "," DEST(
		 NEW "-a",
		 "0") "]},{'route':[" DEST(OLD "-a",
                                           "10000") "," DEST(NEW "-a",
                                                             "0") "]},{'route':[{'destination':{'"
                                                                  "host':'ranker.shop2.svc'}}]},{'"
                                                                  "route':[{'destination':"
                                                                  "{'host':'ranker.shop.com'}}]}]"},
	{"Istio: only the http route that is named",
         "'istio':{'virtualService':'r','httpRoute':'mine'}", "", true,
         "{'http':[{'name':'w','route':[{'destination':{'host':'ranker'}}]},{'name':'mine',"
         "'route':[{'destination':{'host':'ranker'}}]}]}",
         "[{'name':'w','route':[{'destination':{'host':'ranker'}}]},{'name':'mine','route':[" DEST(
		 OLD "-a", "10000") "," DEST(NEW "-a", "0") "]}]"},
	{"Istio: audience and mirror", ISTIO,
         "{'audience':{'headers':[{'name':'X-Gray','exact':'1'}]},'mirror':{'percent':5}}", true,
         "{'http':[{'match':[{'uri':{'prefix':'/p'}}],'route':[{'destination':{'host':"
         "'ranker'}}]}]}",
         "[{'name':'tidegate-audience','match':[{'uri':{'prefix':'/p'},'headers':{'x-gray':"
         "{'exact':'1'}}}],'route':[" DEST(
		 NEW "-a", "1") "]},{'match':[{'uri':{'prefix':"
                                "'/p'}}],'mirrors':[{'destination':{'host':'ranker-" NEW
                                "-a.shop.svc.cluster.local',"
                                "'port':{'number':80}},'percentage':{'value':5}}],'route':[" DEST(
					OLD "-a", "10000") "," DEST(NEW "-a", "0") "]}]"},
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena a;
		struct mdep *m;
		struct traffic_wish w;
		struct traffic_view v = {NULL};
		struct traffic_edit e;
		const char *list;

		print_message("%s\n", rows[i].what);
		arena_init(&a, 0);
		m = mdep_with(&a, rows[i].traffic, rows[i].step);
		list = m->traffic == TRAFFIC_ISTIO ? "http" : "rules";
		w = wish_of(m, rows[i].first ? before : split, rows[i].first ? 2 : 3);
		if (rows[i].spec)
			v.route = route_with(&a, "r", rows[i].spec);
		e = edit_of(&w, &v, &a);
		if (!rows[i].list) {
			assert_int_equal(e.how, TRAFFIC_KEEP);
		} else {
			const struct json *spec =
				rows[i].spec ? patched(&a, &e) : json_get(applied(&a, &e), "spec");
			const struct json *got = json_get(spec, list);
			struct route *now = route_with(&a, "r", "{}");

			assert_value(&a, got, rows[i].list);
			/* Once it stands there, nothing is left to do. */
			now->spec_json = arena_printf(&a, "{\"%s\":%s}", list, text_of(&a, got));
			now->ours = !rows[i].spec;
			v.route = now;
			assert_int_equal(edit_of(&w, &v, &a).how, TRAFFIC_KEEP);
		}
		arena_release(&a);
	}
}

/* Of a ModelDeployment that is deleted: everything of ours goes, everything else stays. */
static void test_parting(void **state)
{
	static const struct {
		const char *traffic, *spec, *list;
	} gone[] = {
		{HTTP,
	         "{'rules':[{'name':'tidegate-audience'," GRAY "},{'name':'x'," ANY
	         ",'filters':[{'type':'RequestMirror','requestMirror':{'backendRef':{'name':"
	         "'ranker-" NEW "-a'}}},{'type':'URLRewrite'}]," SPLIT
	         "},{'backendRefs':[{'name':'web','port':1}]}]}",
	         "[{'name':'x'," ANY
	         ",'filters':[{'type':'URLRewrite'}],'backendRefs':[{'group':'',"
	         "'kind':'Service','name':'ranker','port':80,'weight':1}]},"
	         "{'backendRefs':[{'name':'web','port':1}]}]"},
		{ISTIO,
	         "{'http':[{'route':[" DEST(OLD "-a", "4000") "," DEST(NEW "-a", "6000") "]}]}",
	         "[{'route':[{'destination':{'host':'ranker.shop.svc.cluster.local','port':"
	         "{'number':80}},'weight':1}]}]"},
		{HTTP,
	         "{'rules':[{'backendRefs':[{'group':'','kind':'Service','name':'ranker','port':80,"
	         "'weight':1}]}]}",
	         NULL},
		{HTTP_OURS, "{'rules':[{" SPLIT "}]}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		cleanup_arena struct arena a;
		struct traffic_wish w = {.port = 80, .parting = true};
		struct traffic_view v = {.route = NULL};
		struct traffic_edit e;

		arena_init(&a, 0);
		w.mdep = mdep_with(&a, gone[i].traffic, "");
		v.route = route_with(&a, "r", gone[i].spec);
		e = edit_of(&w, &v, &a);
		if (!gone[i].list) {
			assert_int_equal(e.how, TRAFFIC_KEEP);
			continue;
		}
		assert_value(&a, json_first(patched(&a, &e)), gone[i].list);
	}
}

static void test_head_of_ours(void **state)
{
	struct arena a;
	struct traffic_view v = {NULL};
	struct traffic_wish w;
	struct traffic_edit e;
	const struct json *json;

	(void)state;
	arena_init(&a, 0);
	w = wish_of(mdep_with(&a, HTTP_OURS, ""), split, 3);
	e = edit_of(&w, &v, &a);
	json = applied(&a, &e);
	assert_string_equal(e.name, "r");
	assert_string_equal(json_str(json, "apiVersion"), "gateway.networking.k8s.io/v1");
	assert_string_equal(json_str(json, "kind"), "HTTPRoute");
	assert_value(&a, json_path(json, "metadata", "labels", NULL),
	             "{'app.kubernetes.io/managed-by':'tidegate','serving.tidegate.io/name':"
	             "'ranker'}");
	assert_int_equal(json_size(json_path(json, "metadata", "ownerReferences", NULL)), 1);
	assert_value(&a, json_path(json, "spec", "parentRefs", NULL), "[{'name':'bed'}]");
	assert_value(&a, json_path(json, "spec", "hostnames", NULL), "['a.b']");
	arena_release(&a);
}

/* --- audiences --------------------------------------------------------------------------- */

/* Every way to name an audience, as HTTPRoute has it. */
static const struct {
	const char *audience, *headers;
} audiences[] = {
	{"'headers':[{'name':'a','exact':'1'},{'name':'b','exact':'2'}]",
         "[{'type':'Exact','name':'a','value':'1'},{'type':'Exact','name':'b','value':'2'}]"},
	{"'cookie':{'name':'u.id','value':'x+y'}",
         "[{'type':'RegularExpression','name':'Cookie','value':"
         "'^(.*; *)?u\\\\.id=(x\\\\+y)(;.*)?$'}]"},
	{"'bucket':{'header':'x-b','percent':1}",
         "[{'type':'RegularExpression','name':'x-b','value':'^(0)$'}]"},
	{"'bucket':{'header':'x-b','percent':7}",
         "[{'type':'RegularExpression','name':'x-b','value':'^([0-6])$'}]"},
	{"'bucket':{'header':'x-b','percent':10}",
         "[{'type':'RegularExpression','name':'x-b','value':'^([0-9])$'}]"},
	{"'bucket':{'header':'x-b','percent':15}",
         "[{'type':'RegularExpression','name':'x-b','value':'^([0-9]|1[0-4])$'}]"},
	{"'bucket':{'header':'x-b','percent':30}",
         "[{'type':'RegularExpression','name':'x-b','value':'^([0-9]|[1-2][0-9])$'}]"},
	{"'bucket':{'cookie':'b','percent':99}",
         "[{'type':'RegularExpression','name':'Cookie','value':"
         "'^(.*; *)?b=([0-9]|[1-8][0-9]|9[0-8])(;.*)?$'}]"},
	{"'lane':'blue'", "[{'type':'Exact','name':'x-lane','value':'blue'}]"},
};

static void test_audiences(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(audiences); i++) {
		struct arena a;
		struct traffic_view v = {NULL};
		struct traffic_wish w;
		struct traffic_edit e;
		const struct json *rule;

		arena_init(&a, 0);
		w = wish_of(mdep_with(&a, HTTP_OURS,
		                      arena_printf(&a, "{'audience':{%s}}", audiences[i].audience)),
		            before, 2);
		assert_non_null(w.step);
		e = edit_of(&w, &v, &a);
		rule = json_first(json_path(applied(&a, &e), "spec", "rules", NULL));
		assert_value(&a, json_get(json_first(json_get(rule, "matches")), "headers"),
		             audiences[i].headers);
		w.target = "none"; /* no cell of the target yet: nobody may be sent there */
		e = edit_of(&w, &v, &a);
		assert_int_equal(json_size(json_path(applied(&a, &e), "spec", "rules", NULL)), 1);
		arena_release(&a);
	}
}

/* --- what does not go -------------------------------------------------------------------- */

static void refuse(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                   const char *words)
{
	struct traffic_edit e;
	struct err err = ERR_INIT;

	assert_int_equal(traffic_driver_of(w->mdep)->edit(w, v, a, &e, &err), -1);
	if (!strstr(err.msg, words))
		fail_msg("%s does not say %s", err.msg, words);
}

static void test_no_room(void **state)
{
	struct arena a;
	struct buf b;
	struct traffic_view v = {NULL};
	struct traffic_wish w;

	(void)state;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 9; i++)
		buf_addf(&b, "%s{'backendRefs':[{'name':'ranker'}]}", i ? "," : "");
	w = wish_of(mdep_with(&a, HTTP, HEADER), before, 2);
	v.route = route_with(&a, "r", arena_printf(&a, "{'rules':[%s]}", b.data));
	refuse(&w, &v, &a, "16 are allowed, 18 are needed");
	buf_release(&b);
	arena_release(&a);
}

/* Without names an inserted rule could not be told from the user's, and would come again. */
static void test_server_that_drops_names(void **state)
{
	struct arena a;
	struct traffic_view v = {NULL};
	struct traffic_wish w;

	(void)state;
	arena_init(&a, 0);
	w = wish_of(mdep_with(&a, HTTP, HEADER), before, 2);
	v.route = route_with(&a, "r",
	                     "{'rules':[{'matches':[{'headers':[{'type':'Exact','name':'X-Gray',"
	                     "'value':'1'}]}]," GRAY "},{" BEFORE "}]}");
	refuse(&w, &v, &a, "Gateway API 1.4");
	arena_release(&a);
}

static void test_a_route_that_is_not_ours_is_not_taken_over(void **state)
{
	static const struct rollout_cell cells[] = {{.revision = OLD, .zone = "a"}};
	struct arena a;
	struct traffic_view v = {NULL};
	struct traffic_wish w;
	struct rollout_traffic t;

	(void)state;
	arena_init(&a, 0);
	w = wish_of(mdep_with(&a, HTTP_OURS, ""), split, 3);
	v.route = route_with(&a, "r", "{'rules':[{" ANY "," BEFORE "}]}");
	assert_int_equal(edit_of(&w, &v, &a).how, TRAFFIC_KEEP);
	traffic_driver_of(w.mdep)->observe(w.mdep, &v, cells, 1, &a, &t);
	assert_non_null(strstr(t.problem, "not made by Tidegate"));
	arena_release(&a);
}

/* What somebody adds to a rule of ours by hand is a difference, wherever it stands. */
static void test_edits_by_hand_are_seen(void **state)
{
	static const char *const edits[] = {
		"{'rules':[{" ANY "," SPLIT "},{" ANY "," SPLIT "}]}",
		"{'rules':[{" ANY ",'timeouts':{'request':'1s'}," SPLIT "}]}",
		"{'rules':[{'matches':[{'method':'GET','path':{'type':'PathPrefix','value':'/"
		"'}}]," SPLIT "}]}",
		"{'rules':[{" ANY "," BEFORE "}]}",
		"{'rules':[]}",
		"{}",
	};
	struct arena a;
	struct traffic_view v = {NULL};
	struct traffic_wish w;
	struct traffic_edit first, e;
	struct route *r;

	(void)state;
	arena_init(&a, 0);
	w = wish_of(mdep_with(&a, HTTP_OURS, ""), split, 3);
	first = edit_of(&w, &v, &a);
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		r = route_with(&a, "r", edits[i]);
		r->ours = true;
		v.route = r;
		e = edit_of(&w, &v, &a);
		assert_int_equal(e.how, TRAFFIC_APPLY);
		/* the same is wanted as before: somebody undid it */
		assert_true(e.want == first.want);
	}
	/* What the server fills into a backend is none. */
	r = route_with(&a, "r",
	               "{'rules':[{" ANY ",'backendRefs':[{'group':'','kind':'Service','name':"
	               "'ranker-" OLD "-a','port':80,'weight':10000,'new':'default'}]}]}");
	r->ours = true;
	v.route = r;
	w.weights = before;
	w.nweights = 1;
	assert_int_equal(edit_of(&w, &v, &a).how, TRAFFIC_KEEP);
	arena_release(&a);
}

/* A CRD without a schema lets anything through: an error at worst, never a crash. */
static void test_nonsense(void **state)
{
	static const char *const specs[] = {
		"{}",
		"{'rules':'x','http':'x'}",
		"{'rules':{'a':1},'http':{'a':1}}",
		"{'rules':[1,'a',null,[],[{}]],'http':[1,'a',null,[],[{}]]}",
		"{'rules':[{'backendRefs':'x'},{'backendRefs':[1,null,'ranker',[]]}],"
		"'http':[{'route':'x'},{'route':[1,null,{'destination':1},{'destination':{}}]}]}",
		"{'rules':[{'name':7,'matches':[[1],'x'],'filters':'y','backendRefs':"
		"[{'name':'ranker','weight':'many'}]}],'http':[{'name':7,'match':[[1],'x'],"
		"'mirrors':{'a':[]},'route':[{'destination':{'host':'ranker'}}]}]}",
		"{'rules':[{'matches':[{'headers':'x'},{'headers':[1,{}]}],'filters':[1,{"
		"'requestMirror':7}],'backendRefs':[{'name':'ranker'}]}],'http':[{'match':[{"
		"'headers':[1,2]},{'headers':'x'}],'mirrors':[7,{'destination':[]}],'route':[{"
		"'destination':{'host':'ranker'}}]}]}",
		"{'http':[{'route':[{'destination':{'host':'.'}},{'destination':{'host':"
		"'ranker.sh'}},{'destination':{'host':'ranker.shop.'}}]}]}",
	};
	static const char *const drivers[] = {HTTP, GRPC, ISTIO};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs) * ARRAY_SIZE(drivers); i++) {
		struct arena a;
		struct traffic_view v = {NULL};
		struct traffic_wish w;
		struct traffic_edit e;
		struct rollout_traffic t;
		struct err err = ERR_INIT;

		arena_init(&a, 0);
		w = wish_of(mdep_with(&a, drivers[i % ARRAY_SIZE(drivers)],
		                      "{'mirror':{},'audience':{'lane':'l'}}"),
		            before, 2);
		v.route = route_with(&a, "r", specs[i / ARRAY_SIZE(drivers)]);
		if (traffic_driver_of(w.mdep)->edit(&w, &v, &a, &e, &err))
			assert_true(err.msg[0] != '\0');
		traffic_driver_of(w.mdep)->observe(w.mdep, &v, NULL, 0, &a, &t);
		assert_true(t.exists);
		arena_release(&a);
	}
}

/* --- observation ------------------------------------------------------------------------- */

static const struct rollout_cell cells3[] = {{.revision = OLD, .zone = "a"},
                                             {.revision = OLD, .zone = "b"},
                                             {.revision = NEW, .zone = "a"}};

static void test_observation(void **state)
{
	struct arena a;
	struct mdep *m;
	struct route *r;
	struct traffic_view v = {NULL};
	struct rollout_traffic t;

	(void)state;
	arena_init(&a, 0);
	m = mdep_with(&a, HTTP, "");
	r = route_with(&a, "r",
	               "{'rules':[{'name':'tidegate-audience'," GRAY "},{'matches':[{'headers':"
	               "[{'name':'h','value':'1'}]}],'backendRefs':[{'name':'ranker'}]},{" ANY
	               "," SPLIT "}]}");
	r->nparents = 1;
	v.route = r;
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	/* The inserted rule sends the audience to the new one's cell in zone a. */
	for (unsigned i = 0; i < t.nweights; i++)
		assert_int_equal(t.chosen[i], str_eq(t.revisions[i], NEW));
	assert_true(t.managed && t.exists && !t.in_force && !t.problem);
	assert_int_equal(t.nweights, 3);
	assert_string_equal(t.revisions[2], NEW);
	assert_string_equal(t.zones[1], "b");
	assert_int_equal(t.weights[0], 4750);
	r->nanswered = 1;
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_true(t.in_force);
	r->problem = "NoMatchingParent: no";
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_false(t.in_force);
	assert_string_equal(t.problem, r->problem);
	v.route = NULL;
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_false(t.exists || t.in_force);
	assert_non_null(strstr(t.problem, "spec.traffic.httpRoute.parentRefs"));
	m = mdep_with(&a, HTTP_OURS, "");
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_null(t.problem); /* ours: it will be made */
	arena_release(&a);
}

/* A cell that gets copies is in use although it weighs nothing. */
static void test_observation_of_a_mirror(void **state)
{
	static const char *const drivers[] = {
		HTTP_OURS, "'grpcRoute':{'name':'r','parentRefs':[{'name':'bed'}]}",
		"'istio':{'virtualService':'r','hosts':['a.b']}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		struct arena a;
		struct traffic_view v = {NULL};
		struct traffic_wish w;
		struct traffic_edit e;
		struct rollout_traffic t;
		struct route *r;

		arena_init(&a, 0);
		w = wish_of(mdep_with(&a, drivers[i], "{'mirror':{}}"), before, 2);
		e = edit_of(&w, &v, &a);
		r = route_with(&a, "r", text_of(&a, json_get(applied(&a, &e), "spec")));
		r->ours = true;
		v.route = r;
		traffic_driver_of(w.mdep)->observe(w.mdep, &v, cells3, 3, &a, &t);
		assert_int_equal(t.nweights, 2);
		assert_string_equal(t.revisions[1], NEW);
		assert_int_equal(t.weights[1], 0);
		assert_true(!t.copied[0] && t.copied[1]);
		assert_false(t.chosen[1]);
		arena_release(&a);
	}
}

/* Istio tells nothing back: what stands in the object counts. */
static void test_observation_without_status(void **state)
{
	struct arena a;
	struct mdep *m;
	struct traffic_view v = {NULL};
	struct rollout_traffic t;

	(void)state;
	arena_init(&a, 0);
	m = mdep_with(&a, ISTIO, "");
	v.route = route_with(
		&a, "r",
		"{'http':[{'route':[" DEST(OLD "-a", "9000") "," DEST(NEW "-a", "1000") "]}]}");
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_true(t.exists && t.in_force && !t.problem);
	assert_int_equal(t.nweights, 2);
	assert_int_equal(t.weights[1], 1000);
	v.route = route_with(&a, "r", "{'http':[{'route':[{'destination':{'host':'web'}}]}]}");
	traffic_driver_of(m)->observe(m, &v, cells3, 3, &a, &t);
	assert_false(t.in_force);
	assert_non_null(strstr(t.problem, "no rule that sends requests to Service ranker"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_parting),
		cmocka_unit_test(test_head_of_ours),
		cmocka_unit_test(test_audiences),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_server_that_drops_names),
		cmocka_unit_test(test_a_route_that_is_not_ours_is_not_taken_over),
		cmocka_unit_test(test_edits_by_hand_are_seen),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_observation),
		cmocka_unit_test(test_observation_without_status),
		cmocka_unit_test(test_observation_of_a_mirror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
