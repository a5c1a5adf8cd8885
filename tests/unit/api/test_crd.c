/*
 * The CRD against the code: whatever the schema admits changes what the controller knows or draws
 * a finding, and whatever the controller writes the schema knows. So no field is accepted and
 * silently ignored, and none is written and silently pruned.
 */
#include "fixture.h"

#include "tidegate/base/file.h"
#include "tidegate/base/yaml.h"

#define CRD "crds/serving.tidegate.io_modeldeployments.yaml"

/* A field of spec with a value that is not its default, inside an object that is else valid. */
static const struct {
	const char *path, *spec;
} fields[] = {
	{"replicas", "'replicas':3"},
	{"paused", "'paused':true"},
	{"revisionHistoryLimit", "'revisionHistoryLimit':2"},
	{"model.name", "'model':{'name':'z','version':'1'}"},
	{"model.version", "'model':{'name':'m','version':'2'}"},
	{"model.uri", "'model':{'name':'m','version':'1','uri':'s3://b/m'}"},
	{"model.digest", "'model':{'name':'m','version':'1','digest':'sha256:0'}"},
	{"model.verify.publicKey.secretRef.name",
         "'model':{'name':'m','version':'1','verify':{'publicKey':{'secretRef':{'name':'n'}}}}"},
	{"model.verify.publicKey.secretRef.key",
         "'model':{'name':'m','version':'1','verify':{'publicKey':{'secretRef':{'key':'k'}}}}"},
	{"runtime.preset", "'runtime':{'preset':'vllm'}"},
	{"runtime.image", "'runtime':{'preset':'triton','image':'i'}"},
	{"runtime.port", "'runtime':{'preset':'triton','port':9}"},
	{"runtime.metricsPath", "'runtime':{'preset':'triton','metricsPath':'/m'}"},
	{"runtime.args[]", "'runtime':{'preset':'triton','args':['a']}"},
	{"runtime.env[].name", "'runtime':{'preset':'triton','env':[{'name':'A'}]}"},
	{"runtime.env[].value", "'runtime':{'preset':'triton','env':[{'value':'A'}]}"},
	{"runtime.env[].valueFrom", "'runtime':{'preset':'triton','env':[{'valueFrom':{'a':1}}]}"},
	{"runtime.probes.startup", "'runtime':{'preset':'triton','probes':{'startup':{'a':1}}}"},
	{"runtime.probes.readiness",
         "'runtime':{'preset':'triton','probes':{'readiness':{'a':1}}}"},
	{"runtime.probes.liveness", "'runtime':{'preset':'triton','probes':{'liveness':{'a':1}}}"},
	{"runtime.golden", "'runtime':{'preset':'triton','golden':{'a':1}}"},
	{"runtime.goldenAnswer.expected",
         "'runtime':{'preset':'triton','golden':{'a':1},'goldenAnswer':{'expected':{'b':1}}}"},
	{"runtime.goldenAnswer.tolerance",
         "'runtime':{'preset':'triton','golden':{'a':1},'goldenAnswer':{'expected':{'b':1},"
         "'tolerance':'0.5'}}"},
	{"runtime.warmupRequests",
         "'runtime':{'preset':'triton','golden':{'a':1},'warmupRequests':3}"},
	{"template", "'template':{'a':1}"},
	{"gpu.count", "'gpu':{'count':2}"},
	{"gpu.resource", "'gpu':{'resource':'a.b/c'}"},
	{"gpu.products[]", "'gpu':{'products':['p']}"},
	{"gpu.minMemory", "'gpu':{'minMemory':'1Gi'}"},
	{"placement.policy", "'placement':{'policy':'Spread'}"},
	{"placement.scheduler", "'placement':{'scheduler':'s'}"},
	{"placement.maxPerNode", "'placement':{'maxPerNode':1}"},
	{"zones[].name", "'zones':[{'name':'z'}]"},
	{"zones[].weight", "'zones':[{'name':'z','weight':9}]"},
	{"zones[].role", "'zones':[{'name':'z','role':'Standby'}]"},
	{"strategy.maxSurge", "'strategy':{'maxSurge':'7%'}"},
	{"strategy.maxUnavailable", "'strategy':{'maxUnavailable':2}"},
	{"strategy.progressDeadline", "'strategy':{'progressDeadline':'1m'}"},
	{"strategy.drain", "'strategy':{'drain':'1m'}"},
	{"takeOver.deployment.name", "'takeOver':{'deployment':{'name':'d'}}"},
	{"disruptionBudget.mode", "'disruptionBudget':{'mode':'Disabled'}"},
	{"disruptionBudget.minAvailable", "'disruptionBudget':{'minAvailable':'50%'}"},
	{"disruptionBudget.maxUnavailable", "'disruptionBudget':{'maxUnavailable':2}"},
	{"strategy.steps[].weight", "'strategy':{'steps':[{'weight':7}]}"},
	{"strategy.steps[].hold", "'strategy':{'steps':[{'hold':'7s'}]}"},
	{"strategy.steps[].approval", "'strategy':{'steps':[{'approval':'Required'}]}"},
	{"strategy.steps[].audience.headers[].name",
         "'strategy':{'steps':[{'audience':{'headers':[{'name':'n','exact':'e'}]}}]}"},
	{"strategy.steps[].audience.headers[].exact",
         "'strategy':{'steps':[{'audience':{'headers':[{'name':'n','exact':'f'}]}}]}"},
	{"strategy.steps[].audience.headers[].regex",
         "'strategy':{'steps':[{'audience':{'headers':[{'name':'n','regex':'f'}]}}]}"},
	{"strategy.steps[].audience.cookie.name",
         "'strategy':{'steps':[{'audience':{'cookie':{'name':'n','value':'v'}}}]}"},
	{"strategy.steps[].audience.cookie.value",
         "'strategy':{'steps':[{'audience':{'cookie':{'name':'n','value':'w'}}}]}"},
	{"strategy.steps[].audience.bucket.header",
         "'strategy':{'steps':[{'audience':{'bucket':{'header':'n','percent':5}}}]}"},
	{"strategy.steps[].audience.bucket.cookie",
         "'strategy':{'steps':[{'audience':{'bucket':{'cookie':'n','percent':5}}}]}"},
	{"strategy.steps[].audience.bucket.percent",
         "'strategy':{'steps':[{'audience':{'bucket':{'cookie':'n','percent':6}}}]}"},
	{"strategy.steps[].audience.lane", "'strategy':{'steps':[{'audience':{'lane':'l'}}]}"},
	{"strategy.steps[].mirror.percent", "'strategy':{'steps':[{'mirror':{'percent':7}}]}"},
	{"canary.policyRef.name", "'canary':{'policyRef':{'name':'p'}}"},
	{"canary.minScore", "'canary':{'minScore':3}"},
	{"canary.onNoData", "'canary':{'onNoData':'Proceed'}"},
	{"strategy.warmup", "'strategy':{'warmup':'1m'}"},
	{"strategy.undoWindow", "'strategy':{'undoWindow':'1m'}"},
	{"strategy.steps[].capacity", "'strategy':{'steps':[{'capacity':7}]}"},
	{"strategy.steps[].analysis.duration",
         "'strategy':{'steps':[{'analysis':{'duration':'7s'}}]}"},
	{"strategy.steps[].analysis.requireVerdict",
         "'strategy':{'steps':[{'analysis':{'duration':'7s','requireVerdict':'Pass'}}]}"},
	{"canary.endHoldOnPass", "'canary':{'endHoldOnPass':true}"},
	{"canary.interval", "'canary':{'interval':'9s'}"},
	{"slo.objectives[].name", "'slo':{'objectives':[{'name':'latency'}]}"},
	{"slo.objectives[].target", "'slo':{'objectives':[{'target':'1'}]}"},
	{"slo.objectives[].thresholdMs", "'slo':{'objectives':[{'thresholdMs':1}]}"},
	{"slo.onBreach", "'slo':{'onBreach':'Pause'}"},
	{"slo.bake", "'slo':{'bake':'1m'}"},
	{"slo.coolDown", "'slo':{'coolDown':'1m'}"},
	{"failover.mode", "'failover':{'mode':'Manual'}"},
	{"failover.minCapacity", "'failover':{'minCapacity':'1%'}"},
	{"failover.failback", "'failover':{'failback':'Manual'}"},
	{"failover.recoverAfter", "'failover':{'recoverAfter':'5s'}"},
	{"failover.ramp", "'failover':{'ramp':'5s'}"},
	{"traffic.servicePort", "'traffic':{'servicePort':81}"},
	{"traffic.laneHeader",
         "'traffic':{'laneHeader':'h'},'strategy':{'steps':[{'audience':{'lane':'l'}}]}"},
	{"traffic.httpRoute.name", "'traffic':{'httpRoute':{'name':'r'}}"},
	{"traffic.httpRoute.parentRefs[].group",
         "'traffic':{'httpRoute':{'parentRefs':[{'group':'g'}]}}"},
	{"traffic.httpRoute.parentRefs[].kind",
         "'traffic':{'httpRoute':{'parentRefs':[{'kind':'g'}]}}"},
	{"traffic.httpRoute.parentRefs[].namespace",
         "'traffic':{'httpRoute':{'parentRefs':[{'namespace':'g'}]}}"},
	{"traffic.httpRoute.parentRefs[].name",
         "'traffic':{'httpRoute':{'parentRefs':[{'name':'g'}]}}"},
	{"traffic.httpRoute.parentRefs[].sectionName",
         "'traffic':{'httpRoute':{'parentRefs':[{'sectionName':'g'}]}}"},
	{"traffic.httpRoute.parentRefs[].port",
         "'traffic':{'httpRoute':{'parentRefs':[{'port':1}]}}"},
	{"traffic.httpRoute.hostnames[]", "'traffic':{'httpRoute':{'hostnames':['h']}}"},
	{"traffic.grpcRoute.name", "'traffic':{'grpcRoute':{'name':'r'}}"},
	{"traffic.grpcRoute.parentRefs[].group",
         "'traffic':{'grpcRoute':{'parentRefs':[{'group':'g'}]}}"},
	{"traffic.grpcRoute.parentRefs[].kind",
         "'traffic':{'grpcRoute':{'parentRefs':[{'kind':'g'}]}}"},
	{"traffic.grpcRoute.parentRefs[].namespace",
         "'traffic':{'grpcRoute':{'parentRefs':[{'namespace':'g'}]}}"},
	{"traffic.grpcRoute.parentRefs[].name",
         "'traffic':{'grpcRoute':{'parentRefs':[{'name':'g'}]}}"},
	{"traffic.grpcRoute.parentRefs[].sectionName",
         "'traffic':{'grpcRoute':{'parentRefs':[{'sectionName':'g'}]}}"},
	{"traffic.grpcRoute.parentRefs[].port",
         "'traffic':{'grpcRoute':{'parentRefs':[{'port':1}]}}"},
	{"traffic.grpcRoute.hostnames[]", "'traffic':{'grpcRoute':{'hostnames':['h']}}"},
	{"traffic.istio.virtualService", "'traffic':{'istio':{'virtualService':'v'}}"},
	{"traffic.slowStart", "'traffic':{'slowStart':'9s','istio':{'virtualService':'v'}}"},
	{"traffic.istio.httpRoute", "'traffic':{'istio':{'httpRoute':'v'}}"},
	{"traffic.istio.hosts[]", "'traffic':{'istio':{'hosts':['v']}}"},
	{"traffic.istio.gateways[]", "'traffic':{'istio':{'gateways':['v']}}"},
	{"traffic.traefik.name", "'traffic':{'traefik':{'name':'v'}}"},
	{"traffic.ingress.dialect", "'traffic':{'ingress':{'dialect':'mse'}}"},
	{"traffic.ingress.name", "'traffic':{'ingress':{'name':'v'}}"},
	{"traffic.ingress.annotationPrefix", "'traffic':{'ingress':{'annotationPrefix':'v'}}"},
};

/* --- paths of the schema ----------------------------------------------------------------- */

struct paths {
	char *v[256];
	unsigned n;
};

static void paths_release(struct paths *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->v[i]);
	p->n = 0;
}

static bool paths_have(const struct paths *p, const char *path)
{
	for (unsigned i = 0; i < p->n; i++)
		if (str_eq(p->v[i], path))
			return true;
	return false;
}

static void paths_add(struct paths *p, const char *path)
{
	if (paths_have(p, path))
		return;
	assert_true(p->n < ARRAY_SIZE(p->v));
	p->v[p->n++] = xstrdup(path);
}

/* Leaves: scalars, and objects whose content is free. */
static void schema_paths(const struct json *schema, const char *path, struct paths *out)
{
	const struct json *properties = json_get(schema, "properties"), *it;
	const struct json *items = json_get(schema, "items");

	if (items) {
		char *sub = xasprintf("%s[]", path);

		schema_paths(items, sub, out);
		free(sub);
		return;
	}
	json_for_each (it, properties) {
		char *sub = xasprintf("%s%s%s", path, *path ? "." : "", json_key(it));

		schema_paths(it, sub, out);
		free(sub);
	}
	if (!properties)
		paths_add(out, path);
}

static void value_paths(const struct json *v, const char *path, struct paths *out)
{
	const struct json *it;

	json_for_each (it, v) {
		char *sub = json_is_array(v)
		                    ? xasprintf("%s[]", path)
		                    : xasprintf("%s%s%s", path, *path ? "." : "", json_key(it));

		if (json_is_object(it) || json_is_array(it))
			value_paths(it, sub, out);
		else
			paths_add(out, sub);
		free(sub);
	}
}

static const struct json *schema_of(struct arena *a, const char *section)
{
	struct buf text, json;
	struct err err = ERR_INIT;
	const struct json *crd, *version;

	buf_init(&text, 1 << 20);
	buf_init(&json, 4 << 20);
	if (file_read(CRD, &text, &err) || yaml_to_json(text.data, text.len, &json, &err))
		fail_msg("%s (tests run from the root of the checkout)", err.msg);
	crd = json_parse(a, json.data, json.len, &err);
	version = json_first(json_path(crd, "spec", "versions", NULL));
	buf_release(&text);
	buf_release(&json);
	return json_path(version, "schema", "openAPIV3Schema", "properties", section, NULL);
}

/* --- what the controller knows, as text -------------------------------------------------- */

static void describe_steps(const struct mdep *m, struct buf *b)
{
	for (unsigned i = 0; i < m->nsteps; i++) {
		buf_addf(b, "step %d %lld %d;", m->steps[i].weight, (long long)m->steps[i].hold_ms,
		         m->steps[i].approval);
		buf_addf(b, "capacity %d %d analysis %lld %d;", m->steps[i].capacity.value,
		         m->steps[i].capacity.percent, (long long)m->steps[i].analysis_ms,
		         m->steps[i].require_pass);
		for (unsigned h = 0; h < m->steps[i].nheaders; h++)
			buf_addf(b, "header %s=%s~%s %d;", m->steps[i].headers[h].name,
			         str_or(m->steps[i].headers[h].exact, "-"),
			         str_or(m->steps[i].headers[h].regex, "-"),
			         m->steps[i].headers[h].cookie);
		buf_addf(b, "mirror %d;", m->steps[i].mirror);
	}
}

static void describe_texts(const struct mdep *m, struct buf *b)
{
	const char *const texts[] = {m->model.name,
	                             m->model.version,
	                             m->model.uri,
	                             m->model.digest,
	                             m->image,
	                             m->args_json,
	                             m->env_json,
	                             m->probes_json,
	                             m->template_json,
	                             m->golden_json,
	                             m->golden_answer_json,
	                             m->metrics_path,
	                             m->gpu.resource,
	                             m->scheduler,
	                             m->canary.policy,
	                             m->route_name,
	                             m->parent_refs_json,
	                             m->hostnames_json,
	                             m->http_route,
	                             m->annotation_prefix};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		buf_addf(b, "%s;", str_or(texts[i], "-"));
}

static void describe(const struct mdep *m, struct buf *b)
{
	buf_init(b, 1 << 20);
	describe_texts(m, b);
	describe_steps(m, b);
	buf_addf(b, "%d %d %d %d %d;", m->replicas, m->paused, m->model.verify, m->runtime,
	         m->port);
	buf_addf(b, "%d %lld %d %d;", m->gpu.count, (long long)m->gpu.min_memory, m->placement,
	         m->max_per_node);
	for (unsigned i = 0; i < m->gpu.nproducts; i++)
		buf_addf(b, "%s;", m->gpu.products[i]);
	for (unsigned i = 0; i < m->nzones; i++)
		buf_addf(b, "zone %s %d %d;", m->zones[i].name, m->zones[i].weight,
		         m->zones[i].role);
	buf_addf(b, "%d %d %d %d;", m->max_surge.value, m->max_surge.percent,
	         m->max_unavailable.value, m->max_unavailable.percent);
	buf_addf(b, "%lld %lld %d;", (long long)m->progress_deadline_ms, (long long)m->drain_ms,
	         m->revision_history_limit);
	buf_addf(b, "%lld;", (long long)m->slow_start_ms);
	buf_addf(b, "%lld %lld %d %d;", (long long)m->warmup_ms, (long long)m->undo_window_ms,
	         m->canary.end_hold_on_pass, m->warmup_requests);
	buf_addf(b, "%d %d %d %lld %d %d;", m->canary.enabled, m->canary.min_score,
	         m->canary.on_no_data, (long long)m->canary.interval_ms, m->traffic,
	         m->service_port);
	buf_addf(b, "%d %lld %lld;", m->slo.on_breach, (long long)m->slo.bake_ms,
	         (long long)m->slo.cool_down_ms);
	for (unsigned i = 0; i < m->slo.n; i++)
		buf_addf(b, "objective %s %g %d;", m->slo.objectives[i].name,
		         m->slo.objectives[i].target, m->slo.objectives[i].threshold_ms);
	buf_addf(b, "%s;", m->take_over);
	buf_addf(b, "%d %d %d %d %d %d;", m->budget.off, m->budget.min_available.value,
	         m->budget.has_min, m->budget.max_unavailable.value, m->budget.has_max,
	         m->budget.min_available.percent);
	buf_addf(b, "%d %d %d %lld %lld;", m->failover.mode, m->failover.failback,
	         m->failover.min_capacity, (long long)m->failover.recover_after_ms,
	         (long long)m->failover.ramp_ms);
	for (unsigned i = 0; i < m->nfindings; i++)
		buf_addf(b, "finding %s;", m->findings[i].path);
}

static void describe_spec(const char *spec, struct buf *b)
{
	char *members =
		xasprintf("'spec':{%s%s%s%s}", spec,
	                  strstr(spec, "'model':") ? "" : ",'model':{'name':'m','version':'1'}",
	                  strstr(spec, "'runtime':") ? "" : ",'runtime':{'preset':'triton'}", "");
	struct mdep *m = decode_members(&mdep_kind, "", members);

	describe(m, b);
	free(m);
	free(members);
}

/* --- tests ------------------------------------------------------------------------------- */

/* Some sections say something by being there: what is compared with has them, empty. */
static void baseline(const char *path, struct buf *b)
{
	if (str_starts(path, "failover."))
		describe_spec("'failover':{}", b);
	else if (str_starts(path, "canary."))
		describe_spec("'canary':{}", b);
	else if (str_starts(path, "gpu."))
		describe_spec("'gpu':{}", b);
	else
		describe_spec("'replicas':1", b);
}

static void test_every_field_of_spec_has_an_effect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct buf with, without;

		baseline(fields[i].path, &without);
		describe_spec(fields[i].spec, &with);
		if (str_eq(with.data, without.data))
			fail_msg("spec.%s changes nothing", fields[i].path);
		buf_release(&with);
		buf_release(&without);
	}
}

static void test_table_is_the_schema(void **state)
{
	struct paths schema = {.n = 0};
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	schema_paths(schema_of(&a, "spec"), "", &schema);
	assert_true(schema.n > 50);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!paths_have(&schema, fields[i].path))
			fail_msg("spec.%s is not in the schema", fields[i].path);
	for (unsigned i = 0; i < schema.n; i++) {
		bool known = false;

		for (size_t k = 0; k < ARRAY_SIZE(fields); k++)
			known |= str_eq(schema.v[i], fields[k].path);
		if (!known)
			fail_msg("spec.%s of the schema is not in this table", schema.v[i]);
	}
	paths_release(&schema);
	arena_release(&a);
}

/* Every member that encoding can write. */
static void full_status(struct mdep_status *s)
{
	static const struct mdep_group_score groups[] = {{"g", 1, "m"}};
	static struct mdep_status_room lists;

	lists = (struct mdep_status_room){
		.weights = {{"a", "z", 1}},
		.objectives = {{"availability",
	                        9,
	                        1,
	                        1,
	                        50,
	                        {1, 2, 3},
	                        {.since_ms = 1},
	                        {.revision = "a", .since_ms = 1},
	                        {.revision = "b", .since_ms = 1}}},
		.revisions = {{"a", "v", 1, 1, "Promoted", 1}},
		.orders = {{ORDER_ABORT, "v", "r", "Done", "m", 1}},
		.zones = {{"z", ZONE_EVACUATED, "r", "o", 5, 1, 1, 1, 1, "w", "s", 1, "x"}},
		.conditions = {{"Ready", "True", "R", "m", 1, 1}}};
	*s = (struct mdep_status){.observed_generation = 1,
	                          .stable = "a",
	                          .target = "b",
	                          .phase = ROLLOUT_PAUSED,
	                          .paused_from = ROLLOUT_HOLDING,
	                          .nsteps = 1,
	                          .step_started_ms = 1,
	                          .step_reached_ms = 1,
	                          .hold_until_ms = 1,
	                          .watched_ms = 1,
	                          .return_to = "a",
	                          .return_from = "b",
	                          .started_ms = 1,
	                          .finished_ms = 1,
	                          .progress_ms = 1,
	                          .steps_hash = "h",
	                          .reason = "r",
	                          .message = "m",
	                          .weight_set_ms = 1,
	                          .weight_verified_ms = 1,
	                          .weights = lists.weights,
	                          .nweights = 1,
	                          .verdict = "PASS",
	                          .score_message = "m",
	                          .score_groups = groups,
	                          .nscore_groups = 1,
	                          .previous = "p",
	                          .promoted_ms = 1,
	                          .returned_ms = 1,
	                          .counted_ms = 1,
	                          .objectives = lists.objectives,
	                          .nobjectives = 1,
	                          .revisions = lists.revisions,
	                          .nrevisions = 1,
	                          .orders = lists.orders,
	                          .norders = 1,
	                          .zones = lists.zones,
	                          .nzones = 1,
	                          .conditions = lists.conditions,
	                          .nconditions = 1};
}

static void test_status_is_the_schema(void **state)
{
	struct paths schema = {.n = 0}, written = {.n = 0};
	struct mdep *m = decode_members(&mdep_kind, "", "'spec':{}");
	struct mdep_status s;
	struct err err = ERR_INIT;
	struct buf text;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	buf_init(&text, 1 << 20);
	full_status(&s);
	assert_int_equal(mdep_status_encode(m, &s, &text), 0);
	value_paths(json_get(json_parse(&a, text.data, text.len, &err), "status"), "", &written);
	schema_paths(schema_of(&a, "status"), "", &schema);
	assert_true(schema.n > 40);
	for (unsigned i = 0; i < written.n; i++)
		if (!paths_have(&schema, written.v[i]))
			fail_msg("status.%s is written, the schema prunes it", written.v[i]);
	for (unsigned i = 0; i < schema.n; i++)
		if (!paths_have(&written, schema.v[i]))
			fail_msg("status.%s of the schema is never written", schema.v[i]);
	paths_release(&schema);
	paths_release(&written);
	buf_release(&text);
	arena_release(&a);
	free(m);
}

static const struct json *property(const struct json *schema, const char *name)
{
	return json_path(schema, "properties", name, NULL);
}

/* The fixed maxima of struct mdep are the schema's. */
static void test_bounds_agree(void **state)
{
	const struct json *spec, *status, *steps;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	spec = schema_of(&a, "spec");
	status = schema_of(&a, "status");
	steps = property(property(spec, "strategy"), "steps");
	assert_int_equal(json_i64(property(spec, "zones"), "maxItems", 0), MDEP_ZONES_MAX);
	assert_int_equal(json_i64(steps, "maxItems", 0), MDEP_STEPS_MAX);
	assert_int_equal(
		json_i64(property(property(json_get(steps, "items"), "audience"), "headers"),
	                 "maxItems", 0),
		MDEP_HEADERS_MAX);
	assert_int_equal(json_i64(property(property(spec, "gpu"), "products"), "maxItems", 0),
	                 MDEP_PRODUCTS_MAX);
	assert_int_equal(json_i64(property(property(spec, "slo"), "objectives"), "maxItems", 0),
	                 MDEP_OBJECTIVES_MAX);
	assert_int_equal(json_i64(property(status, "revisions"), "maxItems", 0),
	                 MDEP_REVISIONS_MAX);
	assert_int_equal(json_i64(property(status, "orders"), "maxItems", 0), MDEP_ORDERS_MAX);
	assert_true(json_i64(property(status, "conditions"), "maxItems", 0) >= MDEP_CONDITIONS_MAX);
	assert_int_equal(json_i64(property(property(status, "traffic"), "weights"), "maxItems", 0),
	                 MDEP_WEIGHTS_MAX);
	arena_release(&a);
}

/* What the API server fills in is what the decoder assumes of a file. */
static void add_defaults(struct json_writer *w, const char *key, const struct json *schema)
{
	const struct json *properties = json_get(schema, "properties"), *it;

	if (!properties) {
		if (json_has(schema, "default"))
			jw_value(w, key, json_get(schema, "default"));
		return;
	}
	if (key && !json_has(schema, "default"))
		return;
	jw_object(w, key);
	json_for_each (it, properties)
		add_defaults(w, json_key(it), it);
	jw_end_object(w);
}

static void test_defaults_agree(void **state)
{
	struct buf defaults, with, without;
	struct json_writer w;
	struct arena a;
	char *members;

	(void)state;
	arena_init(&a, 0);
	buf_init(&defaults, 1 << 20);
	jw_init(&w, &defaults);
	add_defaults(&w, NULL, schema_of(&a, "spec"));
	assert_int_equal(jw_end(&w), 0);
	assert_non_null(strstr(defaults.data, "\"progressDeadline\":\"30m\""));
	/* The content of the object without its braces. */
	members = xstrndup(defaults.data + 1, defaults.len - 2);
	describe_spec(members, &with);
	describe_spec("'replicas':1", &without);
	assert_string_equal(with.data, without.data);
	free(members);
	buf_release(&with);
	buf_release(&without);
	describe_spec("'canary':{'minScore':80,'onNoData':'Hold','interval':'5s'},'gpu':{'count':1,"
	              "'resource':'nvidia.com/gpu'}",
	              &with);
	describe_spec("'canary':{},'gpu':{}", &without);
	assert_string_equal(with.data, without.data);
	buf_release(&with);
	buf_release(&without);
	buf_release(&defaults);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_of_spec_has_an_effect),
		cmocka_unit_test(test_table_is_the_schema),
		cmocka_unit_test(test_status_is_the_schema),
		cmocka_unit_test(test_bounds_agree),
		cmocka_unit_test(test_defaults_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
