/* What a plan's wishes become, given what the caches hold. */
#include "intent_scene.h"

#define BUDGETS "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
#define SETS    "/apis/apps/v1/namespaces/shop/replicasets"
#define ROUTES  "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"

/* --- status and Services ----------------------------------------------------------------- */

static void test_fresh_object(void **state)
{
	struct scene s;
	const struct intent *status, *service;

	open_scene(*state, &s, SPEC);
	set_cell(&s, s.m->revision, 2, false);
	collect(&s);
	status = find(&s, "PATCH", TG_API_PATH "/namespaces/shop/modeldeployments/ranker/status");
	assert_non_null(status);
	assert_int_equal(status->class, INTENT_STATUS);
	assert_int_equal(status->patch, KUBE_PATCH_APPLY);
	assert_string_equal(status->manager, TG_FM_STATUS);
	assert_true(status->missing_ok);
	assert_string_equal(json_str(body_of(&s, status), "kind"), "ModelDeployment");
	/* created, never applied: what is not in our cache may be somebody else's */
	service = find(&s, "POST", SERVICES);
	assert_int_equal(service->class, INTENT_SERVICE);
	assert_int_equal(service->patch, KUBE_PATCH_NONE);
	assert_string_equal(json_str(json_get(body_of(&s, service), "metadata"), "name"), "ranker");
	assert_int_equal(
		json_i64(json_get(body_of(&s, find(&s, "POST", SETS)), "spec"), "replicas", -1), 2);
	assert_int_equal(s.got.n, 3);
	close_scene(&s);
}

static void test_disruption_budget(void **state)
{
	static const struct {
		int replicas, unavailable, want;
	} rows[] = {{6, 0, 5}, {6, 1, 5}, {6, 2, 4}, {1, 0, 0}, {0, 0, 0}, {2, 5, 0}};
	struct scene s;
	const struct intent *x;

	open_scene(*state, &s, SPEC);
	store_remove(&s.op->stores[CACHE_BUDGET], "shop/ranker", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		s.m->replicas = rows[i].replicas;
		s.m->max_unavailable.value = rows[i].unavailable;
		collect(&s);
		x = find(&s, "POST", BUDGETS);
		assert_non_null(x);
		assert_int_equal(x->class, INTENT_CLEANUP);
		assert_int_equal(json_i64(json_get(body_of(&s, x), "spec"), "minAvailable", -1),
		                 rows[i].want);
	}
	/* numbers of its own */
	s.m->replicas = 6;
	s.m->budget.has_max = true;
	s.m->budget.max_unavailable = (struct int_or_percent){40, true};
	collect(&s);
	assert_int_equal(json_i64(json_get(body_of(&s, find(&s, "POST", BUDGETS)), "spec"),
	                          "minAvailable", -1),
	                 4);
	s.m->budget.has_max = false;
	s.m->budget.has_min = true;
	s.m->budget.min_available = (struct int_or_percent){9, false};
	collect(&s);
	assert_int_equal(json_i64(json_get(body_of(&s, find(&s, "POST", BUDGETS)), "spec"),
	                          "minAvailable", -1),
	                 6);
	/* off: none is made, ours goes, somebody else's stays */
	s.m->budget.off = true;
	collect(&s);
	assert_null(find(&s, "POST", BUDGETS));
	put_budget(&s);
	collect(&s);
	assert_null(find(&s, "DELETE", BUDGETS "/ranker"));
	store_remove(&s.op->stores[CACHE_BUDGET], "shop/ranker", NULL);
	put(s.op, CACHE_BUDGET, &disruption_budget_kind,
	    "{'metadata':{'name':'ranker','namespace':'shop','uid':'b2','resourceVersion':'4',"
	    "'ownerReferences':[{'apiVersion':'a/v1','kind':'ModelDeployment','name':'ranker',"
	    "'uid':'u1','controller':true}]}}");
	collect(&s);
	assert_non_null(find(&s, "DELETE", BUDGETS "/ranker"));
	store_remove(&s.op->stores[CACHE_BUDGET], "shop/ranker", NULL);
	memset(&s.m->budget, 0, sizeof(s.m->budget));
	put_budget(&s);
	s.m->replicas = 9;
	collect(&s);
	x = find(&s, "PATCH", BUDGETS "/ranker");
	assert_int_equal(x->patch, KUBE_PATCH_APPLY);
	/* Pods of every revision, but none that is leaving. */
	assert_string_equal(
		json_str(json_path(body_of(&s, x), "spec", "selector", "matchLabels", NULL),
	                 TG_LABEL_IN_SERVICE),
		"true");
	assert_null(json_str(json_path(body_of(&s, x), "spec", "selector", "matchLabels", NULL),
	                     TG_LABEL_REVISION));
	close_scene(&s);
}

static void put_service(struct scene *s, const char *hash)
{
	put(s->op, CACHE_SERVICE, &service_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'ranker','namespace':'shop','uid':'s1',"
	                 "'resourceVersion':'3','annotations':{'" TG_ANN_APPLY_HASH "':'%s'}},"
	                 "'spec':{'ports':[{'name':'http','port':80}]}}",
	                 hash));
}

/* As the spec and the plan want it. */
static void put_all(struct scene *s)
{
	struct buf body;
	uint64_t hash;

	s->m->has_status = true;
	buf_init(&body, CHILD_BODY_MAX);
	mdep_status_encode(s->m, &s->m->status, &body);
	s->m->status_hash = str_hash_fast(body.data, body.len);
	buf_reset(&body);
	child_front_service(s->m, NULL, child_port(s->m), NULL, &body, &hash);
	buf_release(&body);
	put_service(s, arena_printf(&s->a, "%016llx", (unsigned long long)hash));
}

/* What was compared once is known by what it was made of; another spec is another text. */
static void test_texts_are_remembered(void **state)
{
	struct scene s;

	open_scene(*state, &s, SPEC);
	s.m->meta.generation = 1;
	put_all(&s);
	for (int i = 0; i < 3; i++) {
		collect(&s);
		assert_int_equal(s.got.n, 0);
	}
	s.m->replicas += 3;
	s.m->meta.generation = 2;
	collect(&s);
	assert_int_equal(s.got.n, 1);
	assert_string_equal(s.got.v[0].path, BUDGETS "/ranker");
	/* and somebody else's text is not ours */
	s.m->replicas -= 3;
	s.m->meta.generation = 1;
	collect(&s);
	assert_int_equal(s.got.n, 0);
	store_remove(&s.op->stores[CACHE_SERVICE], "shop/ranker", NULL);
	put_service(&s, "00000000000000ab");
	collect(&s);
	assert_int_equal(s.got.n, 1);
	close_scene(&s);
}

static void test_equal_wishes_cost_nothing(void **state)
{
	struct scene s;

	open_scene(*state, &s, SPEC);
	put_all(&s);
	collect(&s);
	assert_int_equal(s.got.n, 0);
	s.plan.status.replicas = 1;
	collect(&s);
	assert_int_equal(s.got.n, 1);
	assert_int_equal(s.got.v[0].class, INTENT_STATUS);
	/* a count waits for company a while after the last write; the machine's state does not */
	s.ks.status_ms = clock_mono_ms();
	collect(&s);
	assert_int_equal(s.got.n, 0);
	assert_true(s.got.later_ms > 0 && s.got.later_ms <= 3000);
	s.plan.status.phase = ROLLOUT_MOVING;
	collect(&s);
	assert_int_equal(s.got.n, 1);
	close_scene(&s);
}

/*
 * What every scrape moves is written the less often the longer nothing else has moved, and counts
 * the less often the more models wait.
 */
static void test_figures_wait_longer_than_counts(void **state)
{
	static const struct {
		int64_t still_ms;
		bool pods, reason;
		unsigned crowd;
		int64_t min, max;
	} rows[] = {
		{10000, false, false, 0, 2500, 3000},      {200000, false, false, 0, 10000, 10527},
		{86400000, false, false, 0, 29500, 30000}, {86400000, true, false, 0, 2500, 3000},
		{86400000, false, true, 0, 2500, 3000},    {10000, true, false, 200, 6500, 7000},
		{10000, true, false, 5000, 29500, 30000},  {10000, false, false, 200, 6500, 7000},
	};

	struct mdep_condition has = {.type = "Ready", .status = "True", .reason = "AllReady"};
	struct mdep_condition wants = has;
	struct scene s;

	open_scene(*state, &s, SPEC);
	s.m->has_status = true;
	s.m->status_hash = 1;
	s.m->status.conditions = &has;
	s.plan.status.conditions = &wants;
	s.m->status.nconditions = s.plan.status.nconditions = 1;
	s.plan.status.score_message = "other figures";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		wants.reason = rows[i].reason ? "Other" : has.reason;
		s.plan.status.progress_ms = clock_wall_ms() - rows[i].still_ms;
		s.plan.status.replicas = rows[i].pods;
		s.crowd = rows[i].crowd;
		s.ks.status_ms = clock_mono_ms();
		collect(&s);
		assert_null(find(&s, "PATCH",
		                 TG_API_PATH "/namespaces/shop/modeldeployments/ranker/status"));
		assert_in_range(s.got.later_ms, rows[i].min, rows[i].max);
	}
	close_scene(&s);
}

/* What a POST has made an apply could not take away again: ports and selectors are merged. */
static void test_changed_service_is_patched(void **state)
{
	const struct json *spec;
	const struct intent *i;
	struct scene s;

	open_scene(*state, &s, SPEC);
	put_service(&s, "0000000000000001");
	collect(&s);
	i = find(&s, "PATCH", SERVICES "/ranker");
	assert_int_equal(i->patch, KUBE_PATCH_STRATEGIC);
	assert_string_equal(i->manager, TG_FM_WORKLOAD);
	assert_null(find(&s, "POST", SERVICES));
	spec = json_get(body_of(&s, i), "spec");
	assert_json(&s.a, json_path(spec, "selector", TG_LABEL_REVISION, NULL), "null");
	assert_int_equal(json_size(json_get(spec, "ports")), 1);
	close_scene(&s);
}

/* --- ReplicaSets ------------------------------------------------------------------------- */

static void put_set(struct scene *s, const char *revision, int replicas)
{
	put(s->op, CACHE_REPLICASET, &replicaset_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'ranker-%s','namespace':'shop','uid':'r1',"
	                 "'resourceVersion':'3'},'spec':{'replicas':%d}}",
	                 revision, replicas));
}

static void test_cells(void **state)
{
	static const struct {
		int have, want; /* have -1 = no ReplicaSet */
		bool own, remove;
		const char *method; /* NULL = nothing is done */
	} rows[] = {
		{-1, 2, true, false, "POST"},  {-1, 0, true, false, "POST"},
		{-1, 2, false, false, NULL}, /* the template of another revision is not known */
		{-1, 0, false, true, NULL},    {2, 2, true, false, NULL},
		{2, 3, true, false, "PATCH"},  {2, 0, false, false, "PATCH"},
		{0, 0, false, true, "DELETE"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bed *b = *state;
		struct scene s;
		const char *revision, *path;
		const struct intent *x;

		open_scene(b, &s, SPEC);
		revision = rows[i].own ? s.m->revision : "bcdfghjklm";
		path = arena_printf(&s.a, SETS "/ranker-%s", revision);
		set_cell(&s, revision, rows[i].want, rows[i].remove);
		if (rows[i].have >= 0)
			put_set(&s, revision, rows[i].have);
		collect(&s);
		assert_int_equal(s.got.n, rows[i].method ? 3 : 2);
		if (rows[i].method) {
			x = find(&s, rows[i].method, rows[i].have < 0 ? SETS : path);
			assert_non_null(x);
			assert_int_equal(x->class,
			                 rows[i].remove ? INTENT_CLEANUP : INTENT_WORKLOAD);
			if (str_eq(x->method, "PATCH"))
				assert_int_equal(
					json_i64(json_get(body_of(&s, x), "spec"), "replicas", -1),
					rows[i].want);
		}
		close_scene(&s);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

static void put_counted_set(struct scene *s, int generation, int writes, int asked, int replicas)
{
	put(s->op, CACHE_REPLICASET, &replicaset_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'ranker-%s','namespace':'shop','uid':'r1',"
	                 "'resourceVersion':'3','generation':%d,'annotations':{'" TG_ANN_SPEC_WRITES
	                 "':'%d','" TG_ANN_ASKED "':'%d'}},'spec':{'replicas':%d}}",
	                 s->m->revision, generation, writes, asked, replicas));
}

/* The generation counts everybody's writes of the spec, the annotation ours. */
static void test_writes_of_a_spec_are_counted(void **state)
{
	static const struct {
		int generation, writes, asked, have, want;
		bool restore;
		const char *method;
		const char *after;
	} rows[] = {
		{1, 1, 2, 2, 2, false, NULL, NULL},   {1, 1, 2, 2, 3, false, "PATCH", "2"},
		{5, 0, 2, 2, 3, false, "PATCH", "6"}, /* not counted until now */
		{2, 1, 2, 4, 2, false, "PATCH", "3"}, /* somebody scaled it: undone */
		{2, 1, 2, 4, 4, false, "PATCH", "2"}, /* ... or what he wants is wanted now */
		{2, 1, 2, 2, 3, false, "PATCH", "2"}, /* an edit that is not undone stays on record
	                                               */
		{2, 1, 2, 2, 2, true, "PUT", "3"},    {2, 1, 2, 4, 2, true, "PUT", "3"},
		{2, 3, 2, 2, 2, false, "PATCH", "2"}, /* a write of ours changed nothing */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bed *b = *state;
		struct scene s;
		const struct intent *x;
		const struct json *body;

		open_scene(b, &s, SPEC);
		set_cell(&s, s.m->revision, rows[i].want, false);
		s.plan.cells[0].restore = rows[i].restore;
		put_counted_set(&s, rows[i].generation, rows[i].writes, rows[i].asked,
		                rows[i].have);
		collect(&s);
		x = rows[i].method ? find(&s, rows[i].method,
		                          arena_printf(&s.a, SETS "/ranker-%s", s.m->revision))
		                   : NULL;
		assert_int_equal(s.got.n, rows[i].method ? 3 : 2);
		body = x ? body_of(&s, x) : NULL;
		if (rows[i].method &&
		    !str_eq(json_str(json_path(body, "metadata", "annotations", NULL),
		                     TG_ANN_SPEC_WRITES),
		            rows[i].after))
			fail_msg("row %zu: %s", i, x ? x->body : "nothing is written");
		if (rows[i].restore)
			assert_non_null(json_path(body, "spec", "template", NULL));
		close_scene(&s);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

/* Another object of the same name must not be deleted in its place. */
static void test_delete_is_guarded(void **state)
{
	struct scene s;
	const struct intent *i;

	open_scene(*state, &s, SPEC);
	put_set(&s, "bcdfghjklm", 0);
	set_cell(&s, "bcdfghjklm", 0, true);
	collect(&s);
	i = find(&s, "DELETE", SETS "/ranker-bcdfghjklm");
	assert_json(&s.a, json_get(body_of(&s, i), "preconditions"), "{'uid':'r1'}");
	assert_string_equal(json_str(body_of(&s, i), "propagationPolicy"), "Background");
	assert_true(i->missing_ok);
	close_scene(&s);
}

/* --- pods -------------------------------------------------------------------------------- */

static void test_pods(void **state)
{
	static const struct {
		bool leave;
		const char *in_service, *leaving_since, *cost;
	} rows[] = {
		{true, "'false'", "'2023-11-14T22:13:20Z'", "'-1000'"},
		{false, "'true'", "null", "null"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const struct pod pod = {
			.meta = {.namespace = "shop", .name = "p1", .uid = "u9"}};
		struct rollout_pod_wish wish = {.pod = &pod, .leave = rows[i].leave};
		struct bed *b = *state;
		const struct json *meta, *notes;
		struct scene s;

		open_scene(b, &s, SPEC);
		s.plan.pods = &wish;
		s.plan.npods = 1;
		collect(&s);
		meta = json_get(body_of(&s, find(&s, "PATCH", "/api/v1/namespaces/shop/pods/p1")),
		                "metadata");
		notes = json_get(meta, "annotations");
		assert_string_equal(json_str(meta, "uid"), "u9");
		assert_json(&s.a, json_path(meta, "labels", TG_LABEL_IN_SERVICE, NULL),
		            rows[i].in_service);
		assert_json(&s.a, json_get(notes, TG_ANN_LEAVING_SINCE), rows[i].leaving_since);
		assert_json(&s.a, json_get(notes, TG_ANN_DELETION_COST), rows[i].cost);
		close_scene(&s);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

/* Of a later pod with the same name nothing is known. */
static void test_eviction(void **state)
{
	static const struct pod pod = {.meta = {.namespace = "shop", .name = "p1", .uid = "u9"}};
	struct rollout_pod_wish wish = {.pod = &pod, .evict = true};
	const struct intent *i;
	struct scene s;

	open_scene(*state, &s, SPEC);
	s.plan.pods = &wish;
	s.plan.npods = 1;
	collect(&s);
	i = find(&s, "POST", "/api/v1/namespaces/shop/pods/p1/eviction");
	assert_string_equal(json_str(body_of(&s, i), "kind"), "Eviction");
	assert_json(&s.a, json_get(body_of(&s, i), "metadata"), "{'name':'p1','namespace':'shop'}");
	assert_json(&s.a, json_get(body_of(&s, i), "deleteOptions"),
	            "{'preconditions':{'uid':'u9'}}");
	assert_true(i->missing_ok);
	close_scene(&s);
}

/* --- traffic ----------------------------------------------------------------------------- */

#define THEIRS SPEC ",'traffic':{'httpRoute':{'name':'route'}}"

static void test_routes(void **state)
{
	static const struct {
		const char *spec;
		bool weights, written;
	} rows[] = {
		{SPEC, true, false},
		{OURS, true, true},
		{OURS, false, false},  /* nobody is ready: what stands there stays */
		{THEIRS, true, false}, /* the user's route is not there yet */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bed *b = *state;
		const struct intent *x;
		struct scene s;

		open_scene(b, &s, rows[i].spec);
		set_cell(&s, s.m->revision, 0, false);
		s.plan.weights[0] = (struct mdep_weight){s.m->revision, "", 10000};
		s.plan.nweights = rows[i].weights;
		collect(&s);
		x = find(&s, "PATCH", ROUTES "/route");
		assert_int_equal(x != NULL, rows[i].written);
		if (x) {
			assert_int_equal(x->class, INTENT_TRAFFIC);
			assert_int_equal(x->patch, KUBE_PATCH_APPLY);
			assert_string_equal(json_str(body_of(&s, x), "kind"), "HTTPRoute");
			/* the Service that it names is there before it is named */
			assert_int_equal(s.got.v[1].class, INTENT_SERVICE);
			assert_int_equal(s.got.v[2].class, INTENT_SERVICE);
		}
		close_scene(&s);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

#define USERS                                                                                      \
	"{'metadata':{'name':'route','namespace':'shop','uid':'h1','resourceVersion':'9'},"        \
	"'spec':{'rules':[{'backendRefs':[{'name':'ranker','port':80}]}]}}"

/* The user's route is patched where it stands; what was wanted already and is undone is told. */
static void test_a_users_route_is_put_back(void **state)
{
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, THEIRS);
	set_cell(&s, s.m->revision, 0, false);
	s.plan.weights[0] = (struct mdep_weight){s.m->revision, "", 10000};
	s.plan.nweights = 1;
	put(s.op, CACHE_ROUTE, &httproute_kind, USERS);
	collect(&s);
	x = find(&s, "PATCH", ROUTES "/route");
	assert_non_null(x);
	assert_int_equal(x->patch, KUBE_PATCH_MERGE);
	assert_string_equal(x->manager, TG_FM_TRAFFIC);
	assert_string_equal(json_str(json_get(body_of(&s, x), "metadata"), "resourceVersion"), "9");
	assert_null(s.got.undone);
	s.ks.route_want = x->want;
	collect(&s);
	assert_string_equal(s.got.undone, "HTTPRoute route was changed by somebody else: put back");
	close_scene(&s);
}

/* The Service that the route names stays the Deployment's; that is only scaled, by its scale. */
static void test_take_over(void **state)
{
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, THEIRS ",'takeOver':{'deployment':{'name':'old'}}");
	set_cell(&s, s.m->revision, 2, false);
	collect(&s);
	x = find(&s, "POST", SERVICES);
	assert_non_null(x); /* the cell's */
	assert_string_not_equal(json_str(json_get(body_of(&s, x), "metadata"), "name"), "ranker");
	assert_null(find(&s, "PATCH", "/apis/apps/v1/namespaces/shop/deployments/old/scale"));
	s.plan.retire = s.m->take_over;
	collect(&s);
	x = find(&s, "PATCH", "/apis/apps/v1/namespaces/shop/deployments/old/scale");
	assert_non_null(x);
	assert_int_equal(x->class, INTENT_CLEANUP);
	assert_int_equal(x->patch, KUBE_PATCH_MERGE);
	assert_json(&s.a, body_of(&s, x), "{'spec':{'replicas':0}}");
	close_scene(&s);
}

#define INGRESS   SPEC ",'traffic':{'ingress':{'name':'web'}}"
#define INGRESSES "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"

/* One Service a revision, the front for one of them, and a canary Ingress that goes when done. */
/* The spec's port is the newest revision's; an older one's Service goes on leading to its own. */
static void test_ports_of_two_revisions(void **state)
{
	const char *old = "bcdfghjklm";
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, OURS);
	s.plan.cells = arena_array(&s.a, 2, sizeof(*s.plan.cells));
	s.plan.cells[0] = (struct rollout_cell_wish){old, "", 2, false, false};
	s.plan.cells[1] = (struct rollout_cell_wish){s.m->revision, "", 1, false, false};
	s.plan.ncells = 2;
	put(s.op, CACHE_REPLICASET, &replicaset_kind,
	    arena_printf(&s.a,
	                 "{'metadata':{'name':'ranker-%s','namespace':'shop','uid':'r1',"
	                 "'labels':{'" TG_LABEL_REVISION "':'%s'},'annotations':{'" TG_ANN_RUNTIME
	                 "':'triton','" TG_ANN_PORT
	                 "':'9000'},'ownerReferences':[{'apiVersion':'" TG_API_VERSION
	                 "','kind':'ModelDeployment','name':'ranker','uid':'%s',"
	                 "'controller':true}]},'spec':{'replicas':2}}",
	                 old, old, s.m->meta.uid));
	collect(&s);
	for (unsigned i = 0, n = 0; i < s.got.n; i++) {
		x = &s.got.v[i];
		if (x->class != INTENT_SERVICE)
			continue;
		n++;
		assert_non_null(strstr(x->body, n == 1   ? "\"targetPort\":\"http\""
		                                : n == 2 ? "\"targetPort\":9000"
		                                         : "\"targetPort\":8000"));
		assert_true(n <= 3);
	}
	close_scene(&s);
}

static void test_ingress(void **state)
{
	const struct intent *x;
	struct scene s;
	const char *revision;

	open_scene(*state, &s, INGRESS);
	revision = s.m->revision;
	s.plan.cells = arena_array(&s.a, 2, sizeof(*s.plan.cells));
	s.plan.cells[0] = (struct rollout_cell_wish){revision, "a", 0, false, false};
	s.plan.cells[1] = (struct rollout_cell_wish){revision, "b", 0, false, false};
	s.plan.ncells = 2;
	s.plan.weights[0] = (struct mdep_weight){revision, "a", 10000};
	s.plan.nweights = 1;
	s.plan.status.target = s.plan.status.stable = revision;
	put(s.op, CACHE_SERVICE, &service_kind,
	    arena_printf(&s.a,
	                 "{'metadata':{'name':'ranker','namespace':'shop','uid':'s1'},'spec':"
	                 "{'selector':{'serving.tidegate.io/revision':'%s'}}}",
	                 revision));
	put(s.op, CACHE_INGRESS, &ingress_kind,
	    "{'metadata':{'name':'web','namespace':'shop','uid':'i1'},'spec':{'rules':[{'http':"
	    "{'paths':[{'path':'/','backend':{'service':{'name':'ranker'}}}]}}]}}");
	put(s.op, CACHE_INGRESS, &ingress_kind,
	    "{'metadata':{'name':'web-canary','namespace':'shop','uid':'i2','labels':"
	    "{'app.kubernetes.io/managed-by':'tidegate'}},'spec':{}}");
	collect(&s);
	x = find(&s, "PATCH", SERVICES "/ranker");
	assert_true(x && x->front);
	assert_string_equal(
		json_str(json_path(body_of(&s, x), "spec", "selector", NULL), TG_LABEL_REVISION),
		revision);
	x = find(&s, "POST", SERVICES);
	assert_non_null(x);
	assert_null(json_str(json_path(body_of(&s, x), "spec", "selector", NULL), TG_LABEL_ZONE));
	x = find(&s, "DELETE", INGRESSES "/web-canary");
	assert_non_null(x);
	assert_int_equal(x->class, INTENT_TRAFFIC);
	assert_non_null(strstr(x->body, "i2"));
	/* status, two Services, two empty ReplicaSets, the canary Ingress */
	assert_int_equal(s.got.n, 6);
	/* Just switched: the controllers get a moment, and the pass comes back. */
	s.ks.front_written_ms = clock_mono_ms() - 100;
	collect(&s);
	assert_null(find(&s, "DELETE", INGRESSES "/web-canary"));
	assert_true(s.got.later_ms > 0);
	close_scene(&s);
}

#define TRAEFIK_SERVICES "/apis/traefik.io/v1alpha1/namespaces/shop/traefikservices"
#define OURS_OF_TRAEFIK(name, uid)                                                                 \
	"{'metadata':{'name':'" name "','namespace':'shop','uid':'" uid                            \
	"','labels':{'app.kubernetes.io/managed-by':'tidegate'}},"

/* What a mirror needed goes one by one, after the object that referred to it was written. */
static void test_traefik(void **state)
{
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, SPEC ",'traffic':{'traefik':{'name':'ranker'}}");
	s.plan.weights[0] = (struct mdep_weight){s.m->revision, "a", 10000};
	s.plan.nweights = 1;
	s.plan.status.target = s.plan.status.stable = s.m->revision;
	put(s.op, CACHE_TRAEFIKSERVICE, &traefikservice_kind,
	    OURS_OF_TRAEFIK("ranker-answers", "t0") "'spec':{}}");
	put(s.op, CACHE_TRAEFIKSERVICE, &traefikservice_kind,
	    OURS_OF_TRAEFIK("ranker-copies", "t1") "'spec':{}}");
	collect(&s);
	x = find(&s, "PATCH", TRAEFIK_SERVICES "/ranker");
	assert_non_null(x);
	assert_null(find(&s, "DELETE", TRAEFIK_SERVICES "/ranker-answers"));
	put(s.op, CACHE_TRAEFIKSERVICE, &traefikservice_kind,
	    arena_printf(
		    &s.a,
		    OURS_OF_TRAEFIK(
			    "ranker",
			    "t9") "'spec':{'weighted':{'services':[{'kind':"
				  "'Service','name':'ranker-%s-a','port':80,'weight':10000}]}}}",
		    s.m->revision));
	collect(&s);
	assert_null(find(&s, "PATCH", TRAEFIK_SERVICES "/ranker"));
	x = find(&s, "DELETE", TRAEFIK_SERVICES "/ranker-answers");
	assert_non_null(x);
	assert_non_null(strstr(x->body, "t0"));
	assert_null(find(&s, "DELETE", TRAEFIK_SERVICES "/ranker-copies"));
	close_scene(&s);
}

/* Whoever asks for a driver that cannot be read is told; nothing of the status gets lost. */
static void test_driver_unavailable(void **state)
{
	struct scene s;
	struct mdep_status status;
	const struct mdep_condition *c;
	struct route_trouble trouble = {NULL, "x"};

	open_scene(*state, &s, SPEC ",'traffic':{'istio':{'virtualService':'v'}}");
	assert_false(route_cache_ready(s.op, s.m, &trouble));
	assert_null(trouble.why); /* nobody has tried yet */
	s.m->status.step = 3;
	trouble.why = "the server has no such resource";
	route_trouble_status(s.m, &trouble, &s.a, s.snap.now_ms, &status);
	assert_int_equal(status.step, 3);
	c = mdep_condition_get(&status, "TrafficInForce");
	assert_string_equal(c->status, "False");
	assert_string_equal(c->reason, "DriverUnavailable");
	assert_non_null(strstr(c->message, "VirtualServices cannot be read"));
	assert_string_equal(mdep_condition_get(&status, "Ready")->reason, "TrafficNotInForce");
	s.m->status.stable = "bcdfghjklm"; /* what serves goes on serving */
	route_trouble_status(s.m, &trouble, &s.a, s.snap.now_ms, &status);
	assert_null(mdep_condition_get(&status, "Ready"));
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_fresh_object),
		T(test_disruption_budget),
		T(test_ports_of_two_revisions),
		T(test_texts_are_remembered),
		T(test_equal_wishes_cost_nothing),
		T(test_figures_wait_longer_than_counts),
		T(test_changed_service_is_patched),
		T(test_cells),
		T(test_writes_of_a_spec_are_counted),
		T(test_delete_is_guarded),
		T(test_pods),
		T(test_eviction),
		T(test_routes),
		T(test_a_users_route_is_put_back),
		T(test_take_over),
		T(test_ingress),
		T(test_traefik),
		T(test_driver_unavailable),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
