/* spec of a ModelDeployment: every field, defaults, findings. */
#include "fixture.h"

#include "tidegate/base/alloc.h"

#define MODEL   "'model':{'name':'ranker','version':'3'}"
#define RUNTIME "'runtime':{'preset':'triton'}"

static struct mdep *with_meta(const char *meta, const char *spec)
{
	char *members = xasprintf("'spec':{%s}", spec);
	struct mdep *m = decode_members(&mdep_kind, meta, members);

	free(members);
	return m;
}

/* A spec around members, with model and runtime unless they are given. */
static struct mdep *spec(const char *members)
{
	char *text = xasprintf("%s%s%s%s%s", strstr(members, "'model':") ? "" : MODEL ",",
	                       strstr(members, "'runtime':") ? "" : RUNTIME,
	                       *members && !strstr(members, "'runtime':") ? "," : "", members, "");
	struct mdep *m = with_meta("", text);

	free(text);
	return m;
}

static const struct mdep_finding *finding(const struct mdep *m, const char *path)
{
	for (unsigned i = 0; i < m->nfindings; i++)
		if (str_eq(m->findings[i].path, path))
			return &m->findings[i];
	return NULL;
}

static void show(const struct mdep *m)
{
	for (unsigned i = 0; i < m->nfindings; i++)
		print_message("  %s%s: %s\n", m->findings[i].fatal ? "" : "(warning) ",
		              m->findings[i].path, m->findings[i].message);
}

static void test_design_example(void **state)
{
	struct mdep *m = with_meta(
		"'generation':4,'annotations':{'serving.tidegate.io/promote':'next'}",
		"'replicas':6,'paused':true,'revisionHistoryLimit':3,"
		"'model':{'name':'ranker','version':'20261111-1','uri':'file:///models/ranker'},"
		"'runtime':{'preset':'tensorflow-serving','image':'x:1','port':8502,'metricsPath':"
		"'/m','args':['--a'],'env':[{'name':'A','value':'b'}],'probes':{'startup':{}},"
		"'golden':{'instances':[1]}},'template':{'spec':{'hostNetwork':true}},"
		"'gpu':{'count':2,'products':['NVIDIA-A10','L4'],'minMemory':'20Gi'},"
		"'placement':{'policy':'Spread','scheduler':'default-scheduler','maxPerNode':2},"
		"'zones':[{'name':'hz-a','weight':3},{'name':'hz-b'}],"
		"'strategy':{'maxSurge':'25%','maxUnavailable':1,'progressDeadline':'1h','drain':'"
		"3s',"
		"'steps':[{'audience':{'headers':[{'name':'x-gray','exact':'1'}]}},"
		"{'weight':5,'hold':'10m'},{'weight':50,'approval':'Required'}]},"
		"'canary':{'minScore':90,'onNoData':'Rollback','interval':'2s'},"
		"'traffic':{'servicePort':8080,'httpRoute':{'name':'r','parentRefs':[{'name':'gw'}]"
		","
		"'hostnames':['a.b']}}");

	(void)state;
	show(m);
	assert_int_equal(m->nfindings, 0);
	assert_int_equal(m->meta.generation, 4);
	assert_int_equal(m->replicas, 6);
	assert_true(m->paused);
	assert_int_equal(m->revision_history_limit, 3);
	assert_string_equal(m->model.name, "ranker");
	assert_string_equal(m->model.version, "20261111-1");
	assert_string_equal(m->model.uri, "file:///models/ranker");
	assert_int_equal(m->runtime, RUNTIME_TENSORFLOW_SERVING);
	assert_string_equal(m->image, "x:1");
	assert_int_equal(m->port, 8502);
	assert_string_equal(m->metrics_path, "/m");
	assert_string_equal(m->args_json, "[\"--a\"]");
	assert_string_equal(m->env_json, "[{\"name\":\"A\",\"value\":\"b\"}]");
	assert_string_equal(m->probes_json, "{\"startup\":{}}");
	assert_string_equal(m->golden_json, "{\"instances\":[1]}");
	assert_string_equal(m->template_json, "{\"spec\":{\"hostNetwork\":true}}");
	assert_int_equal(m->gpu.count, 2);
	assert_string_equal(m->gpu.resource, "nvidia.com/gpu");
	assert_int_equal(m->gpu.nproducts, 2);
	assert_string_equal(m->gpu.products[1], "L4");
	assert_int_equal(m->gpu.min_memory, 20LL << 30);
	assert_int_equal(m->placement, PLACE_SPREAD);
	assert_string_equal(m->scheduler, "default-scheduler");
	assert_int_equal(m->max_per_node, 2);
	assert_int_equal(m->nzones, 2);
	assert_string_equal(m->zones[0].name, "hz-a");
	assert_int_equal(m->zones[0].weight, 3);
	assert_int_equal(m->zones[1].weight, 1);
	assert_true(m->max_surge.percent && m->max_surge.value == 25);
	assert_true(!m->max_unavailable.percent && m->max_unavailable.value == 1);
	assert_int_equal(m->progress_deadline_ms, 3600000);
	assert_int_equal(m->drain_ms, 3000);
	assert_int_equal(m->nsteps, 4); /* the last one is implied */
	assert_int_equal(m->steps[0].weight, -1);
	assert_int_equal(m->steps[0].nheaders, 1);
	assert_string_equal(m->steps[0].headers[0].name, "x-gray");
	assert_string_equal(m->steps[0].headers[0].exact, "1");
	assert_int_equal(m->steps[1].hold_ms, 600000);
	assert_true(m->steps[2].approval && !m->steps[1].approval);
	assert_int_equal(m->steps[3].weight, 100);
	assert_true(m->canary.enabled);
	assert_int_equal(m->canary.min_score, 90);
	assert_int_equal(m->canary.on_no_data, NO_DATA_ROLLBACK);
	assert_int_equal(m->canary.interval_ms, 2000);
	assert_int_equal(m->traffic, TRAFFIC_HTTPROUTE);
	assert_string_equal(m->route_name, "r");
	assert_string_equal(m->parent_refs_json, "[{\"name\":\"gw\"}]");
	assert_string_equal(m->hostnames_json, "[\"a.b\"]");
	assert_int_equal(m->service_port, 8080);
	assert_string_equal(mdep_order_value(m, ORDER_PROMOTE), "next");
	assert_null(mdep_order_value(m, ORDER_ABORT));
	assert_int_equal(strlen(m->revision), MDEP_REVISION_LEN);
	assert_false(m->has_status);
	free(m);
}

static void test_defaults(void **state)
{
	struct mdep *m = spec("");

	(void)state;
	show(m);
	assert_int_equal(m->nfindings, 0);
	assert_int_equal(m->replicas, 1);
	assert_false(m->paused || m->canary.enabled || m->model.verify);
	assert_int_equal(m->gpu.count, 0);
	assert_string_equal(m->scheduler, "tidegate");
	assert_int_equal(m->placement, PLACE_PACK);
	assert_int_equal(m->max_surge.value, 1);
	assert_int_equal(m->max_unavailable.value, 0);
	assert_int_equal(m->progress_deadline_ms, 1800000);
	assert_int_equal(m->drain_ms, 10000);
	assert_int_equal(m->revision_history_limit, 10);
	assert_int_equal(m->nsteps, 1);
	assert_int_equal(m->steps[0].weight, 100);
	assert_int_equal(m->canary.interval_ms, 5000);
	assert_int_equal(m->canary.min_score, 80);
	assert_int_equal(m->canary.on_no_data, NO_DATA_HOLD);
	assert_int_equal(m->traffic, TRAFFIC_NONE);
	assert_int_equal(m->service_port, 80);
	assert_null(m->args_json);
	free(m);
}

/* spec members -> the finding's path; NULL = none at all. */
static const struct {
	const char *members, *path;
	bool fatal;
} findings[] = {
	{"'gpu':{}", NULL, false},
	{"'model':{'name':'m'}", "spec.model.version", true},
	{"'model':{'version':'1'}", "spec.model.name", true},
	{"'model':{'name':'m','version':7}", "spec.model.version", true},
	{"'model':{'name':'m','version':'1','verify':{}}", "spec.model.verify", true},
	{"'model':{'name':'m','version':'1','digest':'sha256:0'}", "spec.model.digest", true},
	{"'model':{'name':'m','version':'1','uri':'s3://b/m'}", "spec.model.uri", false},
	{"'model':{'name':'m','version':'1','uri':'file:///m'}", NULL, false},
	{"'runtime':{'preset':'tfs'}", "spec.runtime.preset", true},
	{"'runtime':{'port':80}", "spec.runtime.image", true},
	{"'runtime':{'preset':'v2','image':'x'}", "spec.runtime.port", true},
	{"'runtime':{'preset':'custom','port':80},'template':{'spec':{}}", NULL, false},
	{"'runtime':{'preset':'triton','port':70000}", "spec.runtime.port", true},
	{"'runtime':{'preset':'triton','args':'--x'}", "spec.runtime.args", true},
	{"'runtime':{'preset':'triton','env':{}}", "spec.runtime.env", true},
	{"'replicas':-1", "spec.replicas", true},
	{"'replicas':1e300", "spec.replicas", true},
	{"'replicas':1.5", "spec.replicas", true},
	{"'replicas':'3'", "spec.replicas", true},
	{"'paused':'yes'", "spec.paused", true},
	{"'template':[]", "spec.template", true},
	{"'gpu':{'count':65}", "spec.gpu.count", true},
	{"'gpu':{'minMemory':'much'}", "spec.gpu.minMemory", true},
	{"'gpu':{'minMemory':-5}", "spec.gpu.minMemory", true},
	{"'gpu':{'products':[1]}", "spec.gpu.products", true},
	{"'gpu':7", "spec.gpu", true},
	{"'placement':{'policy':'Random'}", "spec.placement.policy", true},
	{"'placement':{'policy':'FGD'}", "spec.placement.policy", false},
	{"'zones':'a'", "spec.zones", true},
	{"'zones':[{'name':'a'},{'name':'a'}]", "spec.zones[1].name", true},
	{"'zones':[{'name':'A'}]", "spec.zones[0].name", true},
	{"'zones':[{'weight':1}]", "spec.zones[0].name", true},
	{"'zones':[{'name':'a','weight':0}]", "spec.zones[0].weight", true},
	{"'zones':[{'name':'a','role':'Spare'}]", "spec.zones[0].role", true},
	{"'zones':[{'name':'a','role':'Standby'}]", "spec.zones", true},
	{"'zones':[{'name':'a'},{'name':'b','role':'Standby'}]", "spec.zones[1].role", false},
	{"'zones':[{'name':'a'},{'name':'b','role':'Standby'}],'traffic':{'ingress':{'name':'i'}}",
         "spec.zones[1].role", false},
	{"'strategy':{'maxSurge':'x%'}", "spec.strategy.maxSurge", true},
	{"'strategy':{'maxSurge':'101%'}", "spec.strategy.maxSurge", true},
	{"'strategy':{'maxSurge':'0000000000000000000000001%'}", "spec.strategy.maxSurge", true},
	{"'strategy':{'maxUnavailable':true}", "spec.strategy.maxUnavailable", true},
	{"'strategy':{'progressDeadline':'soon'}", "spec.strategy.progressDeadline", true},
	{"'strategy':{'drain':10}", "spec.strategy.drain", true},
	{"'strategy':{'steps':[{'weight':50},{'weight':25}]}", "spec.strategy.steps[1]", true},
	{"'strategy':{'steps':[{'weight':50},{'hold':'1m'},{'weight':50}]}",
         "spec.strategy.steps[2]", true},
	{"'strategy':{'steps':[{'weight':0},{'weight':100}]}", NULL, false},
	{"'strategy':{'steps':[{'weight':100},{'hold':'1m'}]}", NULL, false},
	{"'strategy':{'steps':[{}]}", "spec.strategy.steps[0]", true},
	{"'strategy':{'steps':[{'weight':101}]}", "spec.strategy.steps[0].weight", true},
	{"'strategy':{'steps':[{'approval':'Maybe'}]}", "spec.strategy.steps[0].approval", true},
	{"'strategy':{'steps':[{'weight':1,'hold':'x'}]}", "spec.strategy.steps[0].hold", true},
	{"'strategy':{'steps':[{'audience':{'headers':[{'name':'a','exact':'1'}]}}]}",
         "spec.strategy.steps[0].audience", true},
	{"'strategy':{'steps':[{'audience':{'headers':[{'name':'a','exact':'1'}]}}]},"
         "'traffic':{'httpRoute':{'name':'r'}}",
         NULL, false},
	{"'strategy':{'steps':[{'audience':{'headers':[{'name':'a'}]}}]}",
         "spec.strategy.steps[0].audience", true},
	{"'strategy':{'steps':[{'audience':{}}]}", "spec.strategy.steps[0].audience", true},
#define STEP(audience, traffic)                                                                    \
	"'strategy':{'steps':[{'audience':{" audience "}}]},'traffic':{" traffic "}"
#define HEADER "'headers':[{'name':'a','exact':'1'}]"
#define REGEX  "'headers':[{'name':'a','regex':'1'}]"
#define TWO    "'headers':[{'name':'a','exact':'1'},{'name':'b','exact':'1'}]"
#define COOKIE "'cookie':{'name':'c','value':'x'}"
#define ALWAYS "'cookie':{'name':'c','value':'always'}"
#define BUCKET "'bucket':{'cookie':'c','percent':5}"
#define WHERE  "spec.strategy.steps[0].audience"
	/* what each driver can tell apart */
	{STEP(HEADER, "'grpcRoute':{'name':'r'}"), NULL, false},
	{STEP(COOKIE, "'httpRoute':{'name':'r'}"), NULL, false},
	{STEP(COOKIE, "'grpcRoute':{'name':'r'}"), WHERE, true},
	{STEP(BUCKET, "'istio':{'virtualService':'v'}"), NULL, false},
	{STEP(TWO, "'istio':{'virtualService':'v'}"), NULL, false},
	{STEP(REGEX, "'ingress':{'name':'i'}"), NULL, false},
	{STEP(TWO, "'ingress':{'name':'i'}"), WHERE, true},
	{STEP(ALWAYS, "'ingress':{'name':'i'}"), NULL, false},
	{STEP(COOKIE, "'ingress':{'name':'i'}"), WHERE, true},
	{STEP(BUCKET, "'ingress':{'name':'i'}"), WHERE, true},
	{STEP(HEADER, "'traefik':{'name':'t'}"), WHERE, true},
	{STEP("'lane':'blue'", "'traefik':{'name':'t'}"), WHERE, true},
	{"'strategy':{'steps':[{'mirror':{}}]},'traffic':{'httpRoute':{}}", NULL, false},
	{"'strategy':{'steps':[{'mirror':{}}]},'traffic':{'ingress':{}}",
         "spec.strategy.steps[0].mirror", true},
	{"'strategy':{'steps':[{'mirror':{}}]},'traffic':{'traefik':{'name':'t'}}", NULL, false},
	{"'strategy':{'steps':[{'mirror':{}}]}", "spec.strategy.steps[0].mirror", true},
	/* audiences that mean nothing */
	{STEP("'headers':[{'name':'a','exact':'1','regex':'1'}]", "'httpRoute':{}"), WHERE, true},
	{STEP("'headers':[{'name':'a','exact':'1'},{'name':'A','exact':'2'}]", "'httpRoute':{}"),
         WHERE, true},
	{STEP(COOKIE "," BUCKET, "'httpRoute':{}"), WHERE, true},
	{STEP("'bucket':{'header':'h','percent':100}", "'httpRoute':{}"), WHERE, true},
	{STEP("'bucket':{'percent':5}", "'httpRoute':{}"), WHERE, true},
	{STEP("'lane':''", "'httpRoute':{}"), WHERE ".lane", true},
	{"'strategy':{'steps':[{'mirror':{'percent':101}}]},'traffic':{'httpRoute':{}}",
         "spec.strategy.steps[0].mirror.percent", true},
	{"'canary':{'policyRef':{'name':'p'}}", NULL, false},
	{"'canary':{'minScore':101}", "spec.canary.minScore", true},
	{"'canary':{'onNoData':'Wait'}", "spec.canary.onNoData", true},
	{"'canary':{'interval':'10ms'}", "spec.canary.interval", true},
	{"'slo':{}", "spec.slo.objectives", false},
	{"'slo':{'objectives':[{'name':'availability','target':'99.9'}]}", NULL, false},
	{"'slo':{'objectives':[{'name':'availability','target':'100.1'}]}",
         "spec.slo.objectives[0].target", true},
	{"'slo':{'objectives':[{'name':'availability','target':99}]}",
         "spec.slo.objectives[0].target", true},
	{"'slo':{'objectives':[{'name':'latency','target':'99'}]}", "spec.slo.objectives[0]", true},
	{"'slo':{'objectives':[{'name':'A b','target':'99'}]}", "spec.slo.objectives[0].name",
         true},
	{"'slo':{'onBreach':'Hold'}", "spec.slo.onBreach", true},
	{"'slo':{'bake':'soon'}", "spec.slo.bake", true},
	{"'failover':{}", "spec.failover", false},
	{"'traffic':{'istio':{}}", NULL, false},
	{"'traffic':{'istio':{'gateways':['g']}}", "spec.traffic.istio.gateways", true},
	{"'traffic':{'slowStart':'30s','istio':{}}", NULL, false},
	{"'traffic':{'slowStart':'30s','httpRoute':{}}", "spec.traffic.slowStart", true},
	{"'traffic':{'slowStart':'30s'}", "spec.traffic.slowStart", true},
	{"'traffic':{'slowStart':'10ms','istio':{}}", "spec.traffic.slowStart", true},
	{"'traffic':{'slowStart':'2h','istio':{}}", "spec.traffic.slowStart", true},
	{"'traffic':{'ingress':{'name':'i'}}", NULL, false},
	{"'traffic':{'ingress':{'name':'i','dialect':'f5'}}", "spec.traffic.ingress.dialect", true},
	{"'traffic':{'ingress':{'name':'i'},'traefik':{'name':'t'}}", "spec.traffic", true},
	{"'traffic':{'grpcRoute':{'name':'r','hostnames':['a']}}",
         "spec.traffic.grpcRoute.hostnames", true},
	{"'failover':{'minCapacity':'much'}", "spec.failover.minCapacity", true},
	{"'failover':{'mode':'Never'}", "spec.failover.mode", true},
	{"'failover':{'ramp':'soon'}", "spec.failover.ramp", true},
	{"'failover':{},'zones':[{'name':'a'},{'name':'b'}],"
         "'traffic':{'httpRoute':{'name':'r'}}",
         NULL, false},
	{"'traffic':{'httpRoute':'r'}", "spec.traffic.httpRoute", true},
	{"'traffic':{'httpRoute':{'name':'A B'}}", "spec.traffic.httpRoute.name", true},
	{"'traffic':{'httpRoute':{'name':'r','hostnames':['a']}}",
         "spec.traffic.httpRoute.hostnames", true},
	{"'traffic':{'servicePort':0}", "spec.traffic.servicePort", true},
};

static void test_findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(findings); i++) {
		struct mdep *m = spec(findings[i].members);
		const struct mdep_finding *f = finding(m, findings[i].path);

		print_message("%s\n", findings[i].members);
		show(m);
		if (!findings[i].path) {
			assert_int_equal(m->nfindings, 0);
		} else {
			assert_non_null(f);
			assert_int_equal(f->fatal, findings[i].fatal);
			assert_true(strlen(f->message) > 5);
		}
		free(m);
	}
}

static void test_too_many_steps(void **state)
{
	char *list = xstrdup(""), *members;
	struct mdep *m;

	(void)state;
	for (int i = 0; i < MDEP_STEPS_MAX; i++) {
		char *more = xasprintf("%s%s{'weight':%d}", list, i ? "," : "", i);

		free(list);
		list = more;
	}
	members = xasprintf("'strategy':{'steps':[%s]}", list);
	m = spec(members);
	assert_non_null(finding(m, "spec.strategy.steps"));
	assert_int_equal(m->nsteps, MDEP_STEPS_MAX);
	free(m);
	free(members);
	members = xasprintf("'strategy':{'steps':[%s,{'weight':100}]}", list);
	m = spec(members);
	assert_true(finding(m, "spec.strategy.steps")->fatal);
	free(m);
	free(members);
	free(list);
}

#define Z "{'name':'z'},"

/* Fatal ones come first, and there is an end to them. */
static void test_order_and_number_of_findings(void **state)
{
	struct mdep *m =
		with_meta("'annotations':{'serving.tidegate.io/abrot':'x'}",
	                  "'slo':{},'failover':{},'canary':{'policyRef':{'name':'x'}},"
	                  "'model':{'verify':{},'digest':'x','uri':'s3://x'},'replicas':-1,"
	                  "'runtime':{},'placement':{'policy':'FGD'},'zones':[" Z Z Z Z Z Z Z
	                  "{'name':'z'}]");

	(void)state;
	show(m);
	assert_int_equal(m->nfindings, MDEP_FINDINGS_MAX);
	for (unsigned i = 1; i < m->nfindings; i++)
		assert_true(m->findings[i - 1].fatal || !m->findings[i].fatal);
	free(m);
}

static void test_orders(void **state)
{
	struct mdep *m = with_meta(
		"'annotations':{'serving.tidegate.io/abort':'r1','serving.tidegate.io/rollback-to':"
		"'r0','serving.tidegate.io/promot':'next','serving.tidegate.io/evacuate':'hz-a',"
		"'other.io/x':'y','serving.tidegate.io/pause':''}",
		MODEL "," RUNTIME);

	(void)state;
	assert_string_equal(mdep_order_value(m, ORDER_ABORT), "r1");
	assert_string_equal(mdep_order_value(m, ORDER_ROLLBACK_TO), "r0");
	assert_string_equal(mdep_order_value(m, ORDER_PAUSE), "");
	assert_null(mdep_order_value(m, ORDER_PROMOTE));
	assert_string_equal(mdep_order_value(m, ORDER_EVACUATE), "hz-a");
	assert_null(mdep_order_value(m, ORDER_RETURN));
	assert_int_equal(m->nfindings, 1);
	assert_false(finding(m, "metadata.annotations[serving.tidegate.io/promot]")->fatal);
	free(m);
}

static void test_bounds(void **state)
{
	static const struct {
		const char *strategy;
		int replicas, surge, unavailable;
	} rows[] = {
		{"", 6, 1, 0},
		{"'maxSurge':0", 6, 0, 1},
		{"'maxSurge':'0%','maxUnavailable':'0%'", 6, 0, 1},
		{"'maxSurge':'25%','maxUnavailable':'25%'", 6, 2, 1},
		{"'maxSurge':'1%','maxUnavailable':'1%'", 6, 1, 0},
		{"'maxSurge':0,'maxUnavailable':'10%'", 5, 0, 1},
		{"'maxSurge':'100%','maxUnavailable':'100%'", 10000, 10000, 10000},
		{"'maxSurge':10000,'maxUnavailable':3", 0, 10000, 3},
	};
	int surge, unavailable;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *members = xasprintf("'replicas':%d,'strategy':{%s}", rows[i].replicas,
		                          rows[i].strategy);
		struct mdep *m = spec(members);

		mdep_resolve_bounds(m, &surge, &unavailable);
		assert_int_equal(surge, rows[i].surge);
		assert_int_equal(unavailable, rows[i].unavailable);
		free(m);
		free(members);
	}
}

#define GEN                "'generation':1"
#define SAME(am, a, bm, b) assert_true(same_members(&mdep_kind, am, a, bm, b))
#define DIFF(am, a, bm, b) assert_false(same_members(&mdep_kind, am, a, bm, b))

static void test_same(void **state)
{
	(void)state;
	SAME(GEN, "", GEN ",'managedFields':[{}]", "");
	DIFF(GEN, "", GEN ",'labels':{'a':'b'}", ""); /* a ZoneShift may ask for it */
	DIFF(GEN, "", "'generation':2", "");
	DIFF(GEN, "", GEN ",'annotations':{'serving.tidegate.io/abort':'x'}", "");
	DIFF(GEN, "", GEN ",'annotations':{'serving.tidegate.io/typo':'x'}", "");
	DIFF(GEN, "", GEN ",'deletionTimestamp':'2026-11-24T10:00:02Z'", "");
	DIFF(GEN, "", GEN, "'status':{'observedGeneration':1}");
	DIFF(GEN, "'status':{'observedGeneration':1,'rollout':{'step':1}}", GEN,
	     "'status':{'observedGeneration':1,'rollout':{'step':2}}");
	SAME(GEN, "'status':{'observedGeneration':1,'rollout':{'step':1}}", GEN,
	     "'status':{'rollout':{'step':1},'observedGeneration':1,'unknown':5}");
}

/* For files: no uid, no cluster. */
static void test_read_without_cluster(void **state)
{
	struct arena a;
	struct mdep m;
	struct err err = ERR_INIT;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(
		mdep_read(parse(&a, "{'metadata':{'name':'x'},'spec':{" MODEL "," RUNTIME "}}"), &m,
	                  &a, &err),
		0);
	assert_string_equal(m.meta.name, "x");
	assert_int_equal(m.nfindings, 0);
	assert_int_equal(mdep_read(parse(&a, "{'metadata':{}}"), &m, &a, &err), -1);
	assert_string_equal(err.msg, "metadata.name is missing");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_design_example),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_too_many_steps),
		cmocka_unit_test(test_order_and_number_of_findings),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_read_without_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
