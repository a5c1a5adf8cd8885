/* Whole releases in worlds of their own: what the operator decides, and what that comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"
#include "tidegate/sim/script.h"

#define MINUTE 60000

struct outcome {
	struct arena arena;
	struct scenario scenario;
	struct buf told;
	struct script_summary sum;
};

static void on_wrong(void *arg, const char *path, const char *message)
{
	(void)arg;
	fail_msg("%s: %s", path, message);
}

static void on_tell(void *arg, const struct script_decision *d)
{
	struct outcome *o = arg;

	buf_addf(&o->told, "%.1f %s %s %s\n", (double)d->t_ms / 1000, d->object, d->decision,
	         d->reason);
}

static const char *json_of(struct arena *a, const char *yaml)
{
	cleanup_buf struct buf b;

	buf_init(&b, 65536);
	assert_int_equal(yaml_to_json(yaml, strlen(yaml), &b, NULL), 0);
	return arena_strdup(a, b.data);
}

#define ZONES "  zones: [{name: a}, {name: b}, {name: c}]\n"
#define STEPS "  strategy: {maxSurge: 1, steps: [{weight: 10, hold: 2m}, {weight: 50, hold: 1m}]}\n"

/* Six pods in three zones; `more` is put into spec, in place of what it has of its own. */
static const char *ranker(struct arena *a, const char *version, const char *more)
{
	return json_of(a, arena_printf(a,
	                               "apiVersion: serving.tidegate.io/v1alpha1\n"
	                               "kind: ModelDeployment\n"
	                               "metadata: {name: ranker, namespace: shop}\n"
	                               "spec:\n"
	                               "  replicas: 6\n"
	                               "  model: {name: ranker, version: \"%s\"}\n"
	                               "  gpu: {count: 1}\n"
	                               "%s%s%s%s",
	                               version,
	                               strstr(more, " runtime:")
	                                       ? ""
	                                       : "  runtime: {preset: tensorflow-serving}\n",
	                               strstr(more, " zones:") ? "" : ZONES,
	                               strstr(more, " strategy:") ? "" : STEPS, more));
}
#define BY_ROUTE "  traffic: {httpRoute: {name: ranker, parentRefs: [{name: gw}]}}\n"

static const char world_head[] =
	"zones: [{name: a, gpus: 4}, {name: b, gpus: 4}, {name: c, gpus: 4}]\n"
	"models:\n"
	"- requestsPerSecond: 200\n"
	"  load: {min: 10s, max: 30s}\n"
	"  versions:\n"
	"  - {version: bad, errors: 20%}\n"
	"  - {version: slow, latency: 90ms}\n"
	"  - {version: dud, loads: false}\n";

/* Events to apply something need their objects: here they stand in the world itself. */
static void fill_applied(struct scenario *s, struct arena *a)
{
	for (unsigned i = 0; i < s->nevents; i++) {
		struct scenario_event *e = &s->events[i];
		cleanup_buf struct buf b;

		if (e->what != SCENARIO_APPLY)
			continue;
		buf_init(&b, 65536);
		json_write_value(&b, e->value);
		e->objects = arena_array(a, 1, sizeof(*e->objects));
		e->objects[0] = arena_strdup(a, b.data);
		e->nobjects = 1;
	}
}

static void run_seed(struct outcome *o, uint64_t seed, const char *events, const char *const *yaml,
                     unsigned n)
{
	struct script_options so = {.seed = seed, .tell = on_tell, .arg = o};
	const char *json, *objects[4];
	struct err err = ERR_INIT;

	*o = (struct outcome){.sum = {.nmodels = 0}};
	arena_init(&o->arena, 65536);
	buf_init(&o->told, 1 << 20);
	json = json_of(&o->arena, arena_printf(&o->arena, "%s%s", world_head, events));
	assert_true(scenario_read(json_parse(&o->arena, json, strlen(json), NULL), &o->arena,
	                          &o->scenario, on_wrong, NULL));
	fill_applied(&o->scenario, &o->arena);
	for (unsigned i = 0; i < n; i++)
		objects[i] = arena_strdup(&o->arena, yaml[i]);
	so.scenario = &o->scenario;
	so.objects = objects;
	so.nobjects = n;
	if (script_run(&so, &o->sum, &err))
		fail_msg("%s", err.msg);
}

/* Version 1, then `version` at minute 5. */
static void run_release(struct outcome *o, uint64_t seed, const char *version, const char *more,
                        const char *events)
{
	cleanup_arena struct arena a;
	const char *yaml[2], *head;

	arena_init(&a, 16384);
	yaml[0] = ranker(&a, "1", more);
	head = arena_printf(&a, "events:\n- {at: 5m, apply: %s}\n%s", ranker(&a, version, more),
	                    events);
	run_seed(o, seed, head, yaml, 1);
}

static void release(struct outcome *o)
{
	buf_release(&o->told);
	arena_release(&o->arena);
}

static void tells(const struct outcome *o, const char *text)
{
	if (!strstr(o->told.data, text))
		fail_msg("\"%s\" was not told:\n%s", text, o->told.data);
}

static void never_tells(const struct outcome *o, const char *text)
{
	if (strstr(o->told.data, text))
		fail_msg("\"%s\" was told:\n%s", text, o->told.data);
}

static void test_good_version_is_promoted(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "2", BY_ROUTE, "");
	tells(&o, "World ManifestApplied");
	tells(&o, "ModelDeployment shop/ranker StepReached step 1 of 3: 10 %");
	tells(&o, "model version 2, is stable");
	assert_true(o.sum.all.promoted_ms > 8 * MINUTE);
	assert_int_equal(o.sum.all.rolled_back_ms, -1);
	assert_true(o.sum.all.requests > 100000);
	assert_true(o.sum.all.release == 0 && o.sum.all.dark == 0 && o.sum.all.errors == 0);
	assert_int_equal(o.sum.all.min_ready, 6);
	assert_int_equal(o.sum.all.max_pods, 7);
	assert_int_equal(o.sum.nmodels, 1);
	assert_string_equal(o.sum.models[0].name, "shop/ranker");
	assert_int_equal(o.sum.traffic_rto_ms, -1);
	release(&o);
}

/* Six pods on six cards, which maxSurge has no room for: they are swapped, and none is asked for in
 * vain. */
static void test_surge_without_a_spare_card_is_not_waited_for(void **state)
{
	static const char *const rows[][2] = {
		{"  zones: [{name: d}]\n", "nodes: [{name: d1, zone: d, gpus: 6}]\n"},
		{"  zones: [{name: d}, {name: e}]\n",
	         "nodes: [{name: d1, zone: d, gpus: 3}, {name: e1, zone: e, gpus: 3}]\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		struct outcome o;

		arena_init(&a, 4096);
		run_release(&o, 1, "2",
		            arena_printf(&a,
		                         "%s  strategy: {maxSurge: 2, maxUnavailable: 1, steps: "
		                         "[{weight: 10, hold: 2m}, {weight: 50}]}\n" BY_ROUTE,
		                         rows[i][0]),
		            rows[i][1]);
		tells(&o, "model version 2, is stable");
		never_tells(&o, "FailedScheduling");
		assert_int_equal(o.sum.all.release, 0);
		assert_int_equal(o.sum.all.min_ready, 5);
		assert_int_equal(o.sum.all.max_pods, 6);
		release(&o);
	}
}

/* Hours without news are no reason to end: the step says how long they last. */
static void test_long_hold_is_waited_for(void **state)
{
	cleanup_arena struct arena a;
	const char *yaml[2];
	struct outcome o;

	(void)state;
	arena_init(&a, 16384);
	for (unsigned i = 0; i < 2; i++) {
		char *json = arena_strdup(&a, ranker(&a, i ? "2" : "1", BY_ROUTE));

		memcpy(strstr(json, "\"2m\""), "\"3h\"", 4);
		yaml[i] = json;
	}
	run_seed(&o, 1, "", yaml, 2);
	tells(&o, "model version 2, is stable");
	assert_true(o.sum.all.promoted_ms > 180 * MINUTE);
	release(&o);
}

static void test_bad_version_is_rolled_back(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "bad", BY_ROUTE, "");
	tells(&o, "RollbackStarted judged worse than");
	tells(&o, "RolledBack");
	assert_true(o.sum.all.rollback_ms > 5 * MINUTE && o.sum.all.rollback_ms < 8 * MINUTE);
	assert_true(o.sum.all.rolled_back_ms > o.sum.all.rollback_ms);
	assert_int_equal(o.sum.all.promoted_ms, -1);
	assert_true(o.sum.all.errors > 0);
	assert_true(o.sum.all.release == 0);
	release(&o);
}

static void test_slow_version_is_rolled_back(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "slow", BY_ROUTE, "");
	tells(&o, "RolledBack");
	assert_true(o.sum.all.errors == 0 && o.sum.all.release == 0);
	release(&o);
}

/* Nothing ever goes to it; the progress deadline ends its release. */
static void test_version_that_does_not_load(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "dud", BY_ROUTE, "");
	tells(&o, "RolledBack");
	never_tells(&o, "0 % -> 10 %");
	assert_true(o.sum.all.errors == 0 && o.sum.all.release == 0);
	assert_true(o.sum.all.min_ready >= 6);
	release(&o);
}

static void test_zone_goes_dark(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 3, "2", BY_ROUTE, "- {at: 30m, zoneDark: a}\n- {at: 50m, zoneLight: a}\n");
	tells(&o, "ZoneEvacuated zone a");
	tells(&o, "ZoneHealthy zone a");
	assert_int_equal(o.sum.noutages, 1);
	assert_string_equal(o.sum.outages[0].zone, "a");
	assert_int_equal(o.sum.outages[0].at_ms, 30 * MINUTE);
	assert_true(o.sum.traffic_rto_ms > 1000 && o.sum.traffic_rto_ms < 15000);
	assert_true(o.sum.capacity_rto_ms > o.sum.traffic_rto_ms);
	assert_true(o.sum.capacity_rto_ms < 2 * MINUTE);
	assert_true(o.sum.all.dark > 0);
	assert_true(o.sum.all.release == 0);
	release(&o);
}

/* Servers that cannot be asked for a version are asked whether they are well, or there at all. */
static void test_zone_of_any_runtime_goes_dark(void **state)
{
	static const char *const runtimes[] = {"torchserve", "vllm", "sglang, image: x",
	                                       "custom, image: x, port: 9000",
	                                       "custom, image: x, port: 9000, probes: "
	                                       "{readiness: {grpc: {port: 9001}}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		cleanup_arena struct arena a;
		struct outcome o;

		arena_init(&a, 16384);
		run_release(&o, 1, "1",
		            arena_printf(&a, BY_ROUTE "  runtime: {preset: %s}\n", runtimes[i]),
		            "- {at: 10m, zoneDark: a}\n");
		tells(&o, "ZoneEvacuated");
		assert_in_range(o.sum.traffic_rto_ms, 1, 6000);
		release(&o);
	}
}

/* The spec names the version that was taken back, and nobody knows the stable one's template. */
static void test_standby_takes_over_after_a_rollback(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "bad",
	            BY_ROUTE "  zones: [{name: a}, {name: b}, {name: c, role: Standby}]\n",
	            "- {at: 20m, zoneDark: a}\n");
	tells(&o, "RolledBack");
	tells(&o, "ZoneEvacuated");
	assert_in_range(o.sum.capacity_rto_ms, 1, 60000);
	assert_int_equal(o.sum.all.release, 0);
	release(&o);
}

/*
 * Another model server, on another port: the old one's pods are asked as they always were, also by
 * a leader that has never seen them with their own spec.
 */
static void test_another_runtime_is_released(void **state)
{
	cleanup_arena struct arena a;
	const char *yaml[2], *events;
	struct outcome o;

	(void)state;
	arena_init(&a, 16384);
	yaml[0] = ranker(&a, "1", BY_ROUTE);
	yaml[1] = ranker(&a, "2",
	                 BY_ROUTE "  runtime: {preset: triton, port: 9000, image: tritonserver}\n");
	events = arena_printf(
		&a, "events:\n- {at: 5m, apply: %s}\n- {at: 7m, operatorKilled: leader}\n",
		yaml[1]);
	run_seed(&o, 1, events, yaml, 1);
	tells(&o, "model version 2, is stable");
	assert_true(o.sum.all.release == 0 && o.sum.all.dark == 0 && o.sum.all.errors == 0);
	assert_int_equal(o.sum.all.min_ready, 6);
	release(&o);
}

/* A release to an audience only, judged bad: its pod stays until nobody is sent there any more. */
static void test_an_audience_is_taken_back_without_loss(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "bad",
	            BY_ROUTE "  strategy: {steps: [{audience: {headers: [{name: x-gray, exact: "
	                     "\"1\"}]}, hold: 10m}, {weight: 100}]}\n",
	            "");
	tells(&o, "RolledBack");
	assert_true(o.sum.all.errors > 0);
	assert_int_equal(o.sum.all.release, 0);
	release(&o);
}

static void test_node_is_lost(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "2", BY_ROUTE, "- {at: 30m, nodeLost: b-1}\n");
	tells(&o, "World NodeLost b-1");
	assert_true(o.sum.all.dark > 0);
	assert_true(o.sum.all.release == 0);
	assert_true(o.sum.models[0].min_ready < 6);
	release(&o);
}

/* All pods are on it: nobody answers until their successors do, however long ago they were given
 * up. */
static void test_loss_by_a_lost_node_is_no_fault_of_the_release(void **state)
{
	cleanup_arena struct arena a;
	const char *yaml[1];
	struct outcome o;
	char *json;

	(void)state;
	arena_init(&a, 16384);
	json = arena_strdup(&a, ranker(&a, "1", BY_ROUTE "  zones: [{name: b}]\n"));
	memcpy(strstr(json, "\"replicas\":6"), "\"replicas\":2", 12);
	yaml[0] = json;
	run_seed(&o, 1, "events:\n- {at: 10m, nodeLost: b-1}\n", yaml, 1);
	assert_true(o.sum.all.dark > 10000);
	assert_true(o.sum.all.release == 0);
	assert_int_equal(o.sum.all.min_ready, 0);
	release(&o);
}

static void test_killed_operator_does_no_harm(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "2", BY_ROUTE,
	            "- {at: 5m20s, operatorKilled: leader}\n- {at: 6m, operatorKilled: all}\n"
	            "- {at: 9m, operatorKilled: 1}\noperators: 2\n");
	assert_true(o.sum.all.promoted_ms > 8 * MINUTE);
	assert_true(o.sum.all.release == 0);
	assert_int_equal(o.sum.all.min_ready, 6);
	release(&o);
}

static void test_approval_by_annotation(void **state)
{
	struct outcome o;
	cleanup_arena struct arena a;
	const char *yaml[2];

	(void)state;
	arena_init(&a, 16384);
	yaml[0] = ranker(&a, "1", BY_ROUTE);
	yaml[1] = json_of(&a, "apiVersion: serving.tidegate.io/v1alpha1\nkind: ModelDeployment\n"
	                      "metadata: {name: ranker, namespace: shop}\n"
	                      "spec: {replicas: 6, model: {name: ranker, version: \"2\"}, "
	                      "runtime: {preset: tensorflow-serving}, gpu: {count: 1}, "
	                      "zones: [{name: a}, {name: b}, {name: c}], "
	                      "strategy: {steps: [{weight: 20, approval: Required}]}, "
	                      "traffic: {httpRoute: {name: ranker, parentRefs: [{name: gw}]}}}");
	run_seed(&o, 1, "events:\n- {at: 30m, annotate: {model: ranker, set: {promote: next}}}\n",
	         yaml, 2);
	tells(&o, "AwaitingApproval");
	tells(&o, "OrderAccepted promote next");
	assert_true(o.sum.all.promoted_ms > 30 * MINUTE);
	release(&o);
}

/* The second one is judged by itself; the first never gets its turn. */
static void test_manifest_applied_in_mid_release(void **state)
{
	struct outcome o;
	cleanup_arena struct arena a;

	(void)state;
	arena_init(&a, 16384);
	run_release(&o, 1, "2", BY_ROUTE,
	            arena_printf(&a, "- {at: 6m30s, apply: %s}\n", ranker(&a, "3", BY_ROUTE)));
	tells(&o, "ReleaseSuperseded");
	tells(&o, "model version 3, is stable");
	never_tells(&o, "model version 2, is stable");
	assert_true(o.sum.all.release == 0);
	release(&o);
}

static void test_version_that_turns_bad_after_promotion(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "2",
	            BY_ROUTE
	            "  slo: {objectives: [{name: availability, target: \"99.9\"}], bake: 1h}\n",
	            "- {at: 20m, version: {model: ranker, version: 2, errors: 30%}}\n");
	assert_true(o.sum.all.promoted_ms > 0 && o.sum.all.promoted_ms < 20 * MINUTE);
	assert_true(o.sum.all.rollback_ms > 20 * MINUTE && o.sum.all.rollback_ms < 25 * MINUTE);
	release(&o);
}

/* Without a route users go by the Service. */
static void test_replica_ratio(void **state)
{
	struct outcome o;

	(void)state;
	run_release(&o, 1, "2", "", "");
	assert_true(o.sum.all.promoted_ms > 0);
	assert_true(o.sum.all.requests > 100000 && o.sum.all.release == 0);
	release(&o);
}

static void test_other_gateways(void **state)
{
	static const char *const drivers[] = {
		"  traffic: {grpcRoute: {name: ranker, parentRefs: [{name: gw}]}}\n",
		"  traffic: {istio: {virtualService: ranker, hosts: [ranker.example]}}\n",
		"  traffic: {traefik: {name: ranker}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		struct outcome o;

		run_release(&o, 1, "2", drivers[i], "");
		if (o.sum.all.promoted_ms < 0 || o.sum.all.release > 0 || o.sum.all.requests < 1e5)
			fail_msg("%s promoted %lld, lost %.0f of %.0f\n%s", drivers[i],
			         (long long)o.sum.all.promoted_ms, o.sum.all.release,
			         o.sum.all.requests, o.told.data);
		release(&o);
	}
}

/* Copies tell that a version is bad; nobody got an answer of it, and nobody lost one. */
static void test_mirrors(void **state)
{
	static const char *const drivers[] = {
		BY_ROUTE,
		"  traffic: {istio: {virtualService: ranker, hosts: [ranker.example]}}\n",
		"  traffic: {traefik: {name: ranker}}\n",
	};
	static const char steps[] =
		"  strategy: {maxSurge: 1, steps: [{mirror: {percent: 50}, hold: 5m}, {weight: 50, "
		"hold: 1m}]}\n";

	struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		struct outcome good, bad, dark;
		const char *more = arena_printf(&a, "%s%s", drivers[i], steps);

		run_release(&good, 1, "2", more, "");
		if (good.sum.all.promoted_ms < 0 || good.sum.all.release > 0)
			fail_msg("%s lost %.0f\n%s", drivers[i], good.sum.all.release,
			         good.told.data);
		run_release(&bad, 1, "bad", more, "");
		if (bad.sum.all.rollback_ms < 0 || bad.sum.all.release > 0 ||
		    bad.sum.all.errors > 0)
			fail_msg("%s lost %.0f, errors %.0f\n%s", drivers[i], bad.sum.all.release,
			         bad.sum.all.errors, bad.told.data);
		tells(&bad, "judged worse");
		/* A zone goes in mid-mirror, with cells that answer and cells that get copies. */
		run_release(&dark, 1, "2", more, "- {at: 7m, zoneDark: b}\n");
		if (dark.sum.all.release > 0)
			fail_msg("%s lost %.0f\n%s", drivers[i], dark.sum.all.release,
			         dark.told.data);
		tells(&dark, "Evacuated");
		release(&good);
		release(&bad);
		release(&dark);
	}
	arena_release(&a);
}

static void test_two_models(void **state)
{
	struct outcome o;
	cleanup_arena struct arena a;
	const char *yaml[2];

	(void)state;
	arena_init(&a, 16384);
	yaml[0] = ranker(&a, "1", BY_ROUTE);
	yaml[1] = json_of(&a, "apiVersion: serving.tidegate.io/v1alpha1\nkind: ModelDeployment\n"
	                      "metadata: {name: recall}\n"
	                      "spec: {replicas: 2, model: {name: recall, version: \"7\"}, "
	                      "runtime: {preset: triton}}");
	run_seed(&o, 1, "duration: 10m\n", yaml, 2);
	assert_int_equal(o.sum.nmodels, 2);
	assert_string_equal(o.sum.models[1].name, "default/recall");
	assert_int_equal(o.sum.models[1].min_ready, 2);
	assert_int_equal(o.sum.all.max_pods, 8);
	assert_int_equal(o.sum.simulated_ms, 10 * MINUTE);
	tells(&o, "ModelDeployment default/recall Promoted");
	release(&o);
}

static void test_same_seed_same_run(void **state)
{
	struct outcome x, y, z;

	(void)state;
	run_release(&x, 7, "bad", BY_ROUTE, "- {at: 30m, zoneDark: b}\n");
	run_release(&y, 7, "bad", BY_ROUTE, "- {at: 30m, zoneDark: b}\n");
	run_release(&z, 8, "bad", BY_ROUTE, "- {at: 30m, zoneDark: b}\n");
	assert_string_equal(x.told.data, y.told.data);
	assert_true(x.sum.all.requests == y.sum.all.requests);
	assert_true(x.sum.all.errors == y.sum.all.errors);
	assert_string_not_equal(x.told.data, z.told.data);
	release(&x);
	release(&y);
	release(&z);
}

static void test_event_for_a_model_that_is_not_there(void **state)
{
	struct outcome o = {.sum = {.nmodels = 0}};
	struct script_options so = {.seed = 1, .tell = on_tell, .arg = &o, .scenario = &o.scenario};
	struct scenario_event e = {
		.what = SCENARIO_REQUESTS, .path = "events[0].requests", .name = "nobody"};
	struct err err = ERR_INIT;

	(void)state;
	buf_init(&o.told, 1 << 20);
	o.scenario = (struct scenario){.operators = 1, .events = &e, .nevents = 1};
	assert_int_equal(script_run(&so, &o.sum, &err), -1);
	assert_string_equal(err.msg, "events[0].requests: no such ModelDeployment has been "
	                             "applied by then");
	buf_release(&o.told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_version_is_promoted),
		cmocka_unit_test(test_surge_without_a_spare_card_is_not_waited_for),
		cmocka_unit_test(test_long_hold_is_waited_for),
		cmocka_unit_test(test_bad_version_is_rolled_back),
		cmocka_unit_test(test_slow_version_is_rolled_back),
		cmocka_unit_test(test_version_that_does_not_load),
		cmocka_unit_test(test_zone_goes_dark),
		cmocka_unit_test(test_zone_of_any_runtime_goes_dark),
		cmocka_unit_test(test_standby_takes_over_after_a_rollback),
		cmocka_unit_test(test_an_audience_is_taken_back_without_loss),
		cmocka_unit_test(test_another_runtime_is_released),
		cmocka_unit_test(test_node_is_lost),
		cmocka_unit_test(test_loss_by_a_lost_node_is_no_fault_of_the_release),
		cmocka_unit_test(test_killed_operator_does_no_harm),
		cmocka_unit_test(test_approval_by_annotation),
		cmocka_unit_test(test_manifest_applied_in_mid_release),
		cmocka_unit_test(test_version_that_turns_bad_after_promotion),
		cmocka_unit_test(test_replica_ratio),
		cmocka_unit_test(test_other_gateways),
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_two_models),
		cmocka_unit_test(test_same_seed_same_run),
		cmocka_unit_test(test_event_for_a_model_that_is_not_there),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
