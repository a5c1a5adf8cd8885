/* World files: what they may say, and how what is wrong is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"
#include "tidegate/sim/scenario.h"

struct read {
	struct arena arena;
	struct scenario s;
	char told[4096];
};

static void on_wrong(void *arg, const char *path, const char *message)
{
	struct read *r = arg;
	size_t n = strlen(r->told);

	snprintf(r->told + n, sizeof(r->told) - n, "%s: %s\n", path, message);
}

static bool read_world(struct read *r, const char *yaml)
{
	cleanup_buf struct buf json;
	const struct json *tree;

	*r = (struct read){.told = ""};
	arena_init(&r->arena, 16384);
	buf_init(&json, 65536);
	assert_int_equal(yaml_to_json(yaml, strlen(yaml), &json, NULL), 0);
	tree = json_parse(&r->arena, arena_strndup(&r->arena, json.data, json.len), json.len, NULL);
	return scenario_read(tree, &r->arena, &r->s, on_wrong, r);
}

static void test_zones_and_nodes(void **state)
{
	struct read r;

	(void)state;
	assert_true(read_world(
		&r, "zones: [{name: a, nodes: 3, gpus: 4, gpuMemory: 24Gi, product: T4}, b]\n"
		    "nodes: [{name: big, zone: c, gpus: 16, memory: 1Ti}]\n"));
	assert_int_equal(r.s.nzones, 3);
	assert_string_equal(r.s.zones[2], "c");
	assert_int_equal(r.s.nnodes, 3 + 2 + 1);
	assert_string_equal(r.s.nodes[2].name, "a-3");
	assert_int_equal(r.s.nodes[2].gpus, 4);
	assert_string_equal(r.s.nodes[2].gpu_memory_mib, "24576");
	assert_int_equal(r.s.nodes[3].gpus, 8);
	assert_null(r.s.nodes[3].product);
	assert_string_equal(r.s.nodes[5].memory, "1Ti");
	arena_release(&r.arena);
}

static void test_defaults(void **state)
{
	struct read r;

	(void)state;
	assert_true(read_world(&r, "{}"));
	assert_int_equal(r.s.operators, 1);
	assert_int_equal(r.s.nzones, 0);
	assert_int_equal(r.s.nevents, 0);
	assert_true(scenario_add_zone(&r.s, &r.arena, "z"));
	assert_true(scenario_add_zone(&r.s, &r.arena, "z"));
	assert_int_equal(r.s.nnodes, 2);
	assert_string_equal(r.s.nodes[1].name, "z-2");
	arena_release(&r.arena);
}

static void test_models(void **state)
{
	const struct scenario_model *m;
	struct read r;

	(void)state;
	assert_true(read_world(
		&r, "models:\n"
		    "- requestsPerSecond: 50\n"
		    "- name: shop/ranker\n"
		    "  audience: 1%\n"
		    "  latency: {p50: 10ms, p99: 40ms}\n"
		    "  load: 20s\n"
		    "  versions:\n"
		    "  - {version: 2, errors: 5%, latency: 30ms}\n"
		    "  - {version: \"3\", errors: 0.5, load: {min: 1, max: 1m}, loads: false}\n"));
	assert_int_equal(r.s.nmodels, 2);
	assert_null(r.s.models[0].name);
	m = &r.s.models[1];
	assert_string_equal(m->ns, "shop");
	assert_string_equal(m->name, "ranker");
	assert_true(fabs(m->audience - 0.01) < 1e-12 && isnan(m->rate));
	assert_int_equal(m->nversions, 3);
	assert_true(m->versions[0].p99_s == 0.04 && isnan(m->versions[0].errors));
	assert_string_equal(m->versions[1].version, "2");
	assert_true(m->versions[1].p50_s == 0.03 && isnan(m->versions[1].p99_s));
	assert_int_equal(m->versions[2].load_min_ms, 1000);
	assert_int_equal(m->versions[2].load_max_ms, 60000);
	assert_int_equal(m->versions[2].loads, 0);
	assert_int_equal(m->versions[1].loads, -1);
	arena_release(&r.arena);
}

static void test_events_are_sorted(void **state)
{
	struct read r;

	(void)state;
	assert_true(read_world(
		&r, "zones: [a]\n"
		    "events:\n"
		    "- {at: 20m, zoneLight: a}\n"
		    "- {at: 1m, apply: v2.yaml}\n"
		    "- {at: 1m, annotate: {model: shop/x, set: {promote: next, a/b: null}}}\n"
		    "- {at: 90, nodeLost: a-2}\n"
		    "- {at: 10m, operatorKilled: all}\n"
		    "- {at: 10m, requests: {model: x, perSecond: 5}}\n"
		    "- {at: 10m, version: {version: 1, errors: 1%}}\n"));
	assert_int_equal(r.s.nevents, 7);
	assert_int_equal(r.s.events[0].what, SCENARIO_APPLY);
	assert_string_equal(r.s.events[0].target, "v2.yaml");
	assert_int_equal(r.s.events[1].what, SCENARIO_ANNOTATE);
	assert_string_equal(r.s.events[1].ns, "shop");
	assert_string_equal(json_str(r.s.events[1].value, "serving.tidegate.io/promote"), "next");
	assert_non_null(json_get(r.s.events[1].value, "a/b"));
	assert_int_equal(r.s.events[2].at_ms, 90000);
	assert_int_equal(r.s.events[3].what, SCENARIO_OPERATOR_KILLED);
	assert_true(r.s.events[4].rate == 5);
	assert_string_equal(r.s.events[5].path, "events[6].version");
	assert_int_equal(r.s.events[6].what, SCENARIO_ZONE_LIGHT);
	arena_release(&r.arena);
}

static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *yaml, *told;
	} cases[] = {
		{"[]", ": must be a mapping with some of: duration, operators, zones, nodes, "
	               "models, events\n"},
		{"zone: []", "zone: no such field; known here: duration, operators, zones, nodes, "
	                     "models, events\n"},
		{"zones: a", "zones: must be a list\n"},
		{"zones: [{nodes: 2}]", "zones[0].name: is required\n"},
		{"zones: [a, a]", "zones[1]: there are two zones a\n"},
		{"zones: [{name: a, gpus: -1}]",
	         "zones[0].gpus: must be a whole number from 0 to 64\n"},
		{"zones: [{name: a, cpu: many}]",
	         "zones[0].cpu: must be a quantity such as 64 or 24Gi\n"},
		{"zones: [a]\nnodes: [{name: a-1}]", "nodes[0]: there are two nodes a-1\n"},
		{"duration: long", "duration: must be a duration such as 30s, 10m or 1h30m, or a "
	                           "number of seconds\n"},
		{"operators: 0", "operators: must be a whole number from 1 to 8\n"},
		{"zones: [a]\noperators: {zones: [b]}",
	         "operators.zones[0]: there is no zone b; name one below zones\n"},
		{"models: [{errors: 120%}]",
	         "models[0].errors: must be a share such as 5%, or a number from 0 to 1\n"},
		{"models: [{latency: {p50: 50ms, p99: 20ms}}]",
	         "models[0].latency: p50 must be above 0, and p99 not below it\n"},
		{"models: [{versions: [{errors: 1%}]}]",
	         "models[0].versions[0].version: is required\n"},
		{"models: [{load: {min: 2m, max: 1m}}]",
	         "models[0].load: max must not be below min\n"},
		{"events: [{zoneDark: a}]",
	         "events[0].at: is required: when it happens, such as 10m\n"},
		{"events: [{at: 1m}]", "events[0]: must have one of zoneDark, zoneLight, nodeLost, "
	                               "operatorKilled, annotate, apply, requests, version\n"},
		{"zones: [a]\nevents: [{at: 1m, zoneDark: b}]",
	         "events[0].zoneDark: there is no zone b; name one below zones\n"},
		{"events: [{at: 1m, operatorKilled: 2}]",
	         "events[0].operatorKilled: must be leader, all, or a number from 1 to 1 "
	         "(operators)\n"},
		{"events: [{at: 1m, annotate: {set: {promote: 1}}}]",
	         "events[0].annotate.set.promote: must be a text (in quotes, if it looks like a "
	         "number or a truth value), or null to remove it\n"},
		{"events: [{at: 1m, requests: {}}]", "events[0].requests.perSecond: is required\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct read r;

		assert_false(read_world(&r, cases[i].yaml));
		assert_string_equal(r.told, cases[i].told);
		arena_release(&r.arena);
	}
}

/* Each fault is told, not only the first. */
static void test_all_faults_are_told(void **state)
{
	struct read r;

	(void)state;
	assert_false(read_world(&r, "zones: [{name: a, gpus: 99}]\nmodels: [{load: soon}]\n"));
	assert_non_null(strstr(r.told, "zones[0].gpus"));
	assert_non_null(strstr(r.told, "models[0].load"));
	arena_release(&r.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones_and_nodes), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_models),          cmocka_unit_test(test_events_are_sorted),
		cmocka_unit_test(test_what_is_wrong),   cmocka_unit_test(test_all_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
