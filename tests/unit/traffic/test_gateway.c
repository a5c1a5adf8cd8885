#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/traffic/gateway.h"

#define OLD "bcdfghjklm"
#define NEW "nxpqrstvwz"

static const char parents[] = "[{\"name\":\"bed\",\"namespace\":\"default\"}]";

static struct mdep make_mdep(const char *parent_refs)
{
	return (struct mdep){.meta = {.namespace = "shop", .name = "ranker", .uid = "u1"},
	                     .traffic = TRAFFIC_HTTPROUTE,
	                     .route_name = "ranker",
	                     .parent_refs_json = parent_refs,
	                     .service_port = 80};
}

static const struct mdep_weight split[] = {{OLD, "a", 4750}, {OLD, "b", 4750}, {NEW, "a", 500}};

/* --- names ------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const char longer[] = "a-model-with-a-name-of-the-greatest-length-allowed";
	struct mdep m = make_mdep(NULL);
	struct arena a;
	char *one, *two;

	(void)state;
	arena_init(&a, 0);
	assert_string_equal(gateway_service_name(&a, &m, OLD, ""), "ranker-" OLD);
	assert_string_equal(gateway_service_name(&a, &m, OLD, "hz-a"), "ranker-" OLD "-hz-a");
	m.meta.name = longer;
	one = gateway_service_name(&a, &m, OLD, "cn-hangzhou-a");
	two = gateway_service_name(&a, &m, OLD, "cn-hangzhou-b");
	assert_true(strlen(one) <= 63 && strlen(two) <= 63);
	assert_string_not_equal(one, two);
	arena_release(&a);
}

/* --- a route of ours --------------------------------------------------------------------- */

static const struct cJSON *apply(const struct gateway_wish *w, struct arena *a)
{
	cleanup_buf struct buf b;
	const struct cJSON *json;

	buf_init(&b, 1 << 20);
	assert_int_equal(gateway_apply_body(w, &b), 0);
	json = json_parse(a, b.data, b.len, NULL);
	assert_non_null(json);
	return json;
}

static const struct cJSON *at(const struct cJSON *list, unsigned n)
{
	const struct cJSON *it = json_first(list);

	while (it && n--)
		it = json_next(it);
	return it;
}

static void test_whole_route(void **state)
{
	struct mdep m = make_mdep(parents);
	struct gateway_wish w = {&m, split, 3, NULL, NEW};
	const struct cJSON *json, *rules, *refs;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	json = apply(&w, &a);
	assert_string_equal(json_str(json_get(json, "metadata"), "name"), "ranker");
	assert_string_equal(json_str(at(json_path(json, "spec", "parentRefs", NULL), 0), "name"),
	                    "bed");
	rules = json_path(json, "spec", "rules", NULL);
	assert_int_equal(json_size(rules), 1);
	refs = json_get(at(rules, 0), "backendRefs");
	assert_int_equal(json_size(refs), 3);
	assert_string_equal(json_str(at(refs, 2), "name"), "ranker-" NEW "-a");
	assert_int_equal(json_i64(at(refs, 2), "weight", -1), 500);
	assert_int_equal(json_i64(at(refs, 0), "port", -1), 80);
	arena_release(&a);
}

static const struct mdep_header headers[] = {{"x-gray", "1"}};
static const struct mdep_step audience = {.weight = -1, .headers = headers, .nheaders = 1};

static void test_audience_is_a_rule_of_its_own(void **state)
{
	static const struct mdep_weight before[] = {
		{OLD, "a", 10000}, {NEW, "a", 0}, {NEW, "b", 0}};
	struct mdep m = make_mdep(parents);
	struct gateway_wish w = {&m, before, 3, &audience, NEW};
	const struct cJSON *rules, *refs, *match;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	rules = json_path(apply(&w, &a), "spec", "rules", NULL);
	assert_int_equal(json_size(rules), 2);
	match = at(json_get(at(json_get(at(rules, 0), "matches"), 0), "headers"), 0);
	assert_string_equal(json_str(match, "name"), "x-gray");
	assert_string_equal(json_str(match, "value"), "1");
	refs = json_get(at(rules, 0), "backendRefs");
	assert_int_equal(json_size(refs), 2);
	assert_int_equal(json_i64(at(refs, 0), "weight", -1), 1);
	assert_string_equal(json_str(at(refs, 1), "name"), "ranker-" NEW "-b");
	w.target = "none"; /* no cell of the target yet: nobody may be sent there */
	rules = json_path(apply(&w, &a), "spec", "rules", NULL);
	assert_int_equal(json_size(rules), 1);
	arena_release(&a);
}

/* --- comparison -------------------------------------------------------------------------- */

static const struct route_backend as_split[] = {{"ranker-" OLD "-a", 4750, 80},
                                                {"ranker-" OLD "-b", 4750, 80},
                                                {"ranker-" NEW "-a", 500, 80}};

static void test_match(void **state)
{
	struct mdep m = make_mdep(parents);
	struct gateway_wish w = {&m, split, 3, NULL, NEW};
	struct route_backend changed[3];
	struct route_rule rules[] = {{as_split, 3, 0}, {as_split, 3, 0}};
	struct httproute r = {.rules = rules, .nrules = 1};

	(void)state;
	assert_true(gateway_matches(&w, &r));
	r.nrules = 2; /* a rule that is not ours in a route that is */
	assert_false(gateway_matches(&w, &r));
	r.nrules = 1;
	rules[0].nbackends = 2;
	assert_false(gateway_matches(&w, &r));
	rules[0].nbackends = 3;
	for (int field = 0; field < 3; field++) {
		memcpy(changed, as_split, sizeof(changed));
		if (field == 0)
			changed[1].weight++;
		else if (field == 1)
			changed[1].port++;
		else
			changed[1].name = "ranker";
		rules[0].backends = changed;
		assert_false(gateway_matches(&w, &r));
	}
}

static void test_audience_match(void **state)
{
	static const struct mdep_weight weights[] = {{OLD, "a", 10000}, {NEW, "a", 0}};
	static const struct route_backend to_new[] = {{"ranker-" NEW "-a", 1, 80}};
	static const struct route_backend all[] = {{"ranker-" OLD "-a", 10000, 80},
	                                           {"ranker-" NEW "-a", 0, 80}};
	static const struct route_rule rules[] = {{to_new, 1, 1}, {all, 2, 0}};
	struct mdep m = make_mdep(parents);
	struct gateway_wish w = {&m, weights, 2, &audience, NEW};
	struct httproute r = {.rules = rules, .nrules = 2};

	(void)state;
	assert_true(gateway_matches(&w, &r));
	w.audience = NULL;
	assert_false(gateway_matches(&w, &r));
	r.rules = rules + 1;
	r.nrules = 1;
	assert_true(gateway_matches(&w, &r));
	w.audience = &audience;
	assert_false(gateway_matches(&w, &r));
}

/* --- a user's route ---------------------------------------------------------------------- */

static void test_only_our_rules_of_a_users_route_are_patched(void **state)
{
	static const struct route_backend theirs[] = {{"frontend", 1, 80}};
	static const struct route_backend similar[] = {{"ranker-v2", 1, 80}};
	static const struct route_backend ours[] = {{"ranker", 1, 80}};
	static const struct route_rule rules[] = {{theirs, 1, 0}, {ours, 1, 0}, {similar, 1, 0}};
	struct httproute r = {
		.meta = {.name = "ranker", .resource_version = "77"}, .rules = rules, .nrules = 3};
	struct mdep m = make_mdep(NULL);
	struct gateway_wish w = {&m, split, 3, NULL, NEW};
	const struct cJSON *json;
	struct arena a;
	struct buf b;

	(void)state;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	assert_false(gateway_matches(&w, &r));
	assert_int_equal(gateway_patch_body(&w, &r, &b, NULL), 0);
	json = json_parse(&a, b.data, b.len, NULL);
	assert_int_equal(json_size(json), 2);
	assert_string_equal(json_str(at(json, 0), "op"), "test");
	assert_string_equal(json_str(at(json, 0), "value"), "77");
	assert_string_equal(json_str(at(json, 1), "path"), "/spec/rules/1/backendRefs");
	assert_int_equal(json_size(json_get(at(json, 1), "value")), 3);
	buf_release(&b);
	arena_release(&a);
}

static void test_nothing_to_patch(void **state)
{
	static const struct route_rule rules[] = {{as_split, 3, 0}};
	struct httproute r = {
		.meta = {.name = "ranker", .resource_version = "77"}, .rules = rules, .nrules = 1};
	struct mdep m = make_mdep(NULL);
	struct gateway_wish w = {&m, split, 3, NULL, NEW};
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_true(gateway_matches(&w, &r));
	assert_int_equal(gateway_patch_body(&w, &r, &b, NULL), 0);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void test_users_route_without_our_service(void **state)
{
	static const struct route_backend theirs[] = {{"frontend", 1, 80}};
	static const struct route_rule rules[] = {{theirs, 1, 0}};
	struct httproute r = {.meta = {.name = "ranker"}, .rules = rules, .nrules = 1};
	struct mdep m = make_mdep(NULL);
	struct gateway_wish w = {&m, split, 3, NULL, NEW};
	struct err err = ERR_INIT;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(gateway_patch_body(&w, &r, &b, &err), -1);
	assert_non_null(strstr(err.msg, "backendRef to Service ranker"));
	w.audience = &audience;
	assert_int_equal(gateway_patch_body(&w, &r, &b, &err), -1);
	assert_non_null(strstr(err.msg, "parentRefs"));
	buf_release(&b);
}

/* Whatever the name's length: what we write is known as ours again, and maps back to its cell. */
static void test_our_names_are_known_again(void **state)
{
	static const char *const zones[] = {"", "a", "cn-hangzhou-a"};

	(void)state;
	for (size_t n = 1; n <= 63; n++) {
		for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
			struct rollout_cell cell = {.revision = OLD, .zone = zones[z]};
			struct mdep m = make_mdep(NULL);
			struct rollout_traffic t;
			struct route_backend backend = {NULL, 10000, 80};
			struct route_rule rule = {&backend, 1, 0};
			struct httproute r = {.meta = {.name = "r"}, .rules = &rule, .nrules = 1};
			char name[64] = "";
			struct arena a;

			arena_init(&a, 0);
			memset(name, 'm', n);
			m.meta.name = name;
			backend.name = gateway_service_name(&a, &m, OLD, zones[z]);
			assert_true(strlen(backend.name) <= 63);
			gateway_observe(&m, &r, &cell, 1, &a, &t);
			if (t.nweights != 1 || t.problem)
				fail_msg("%s of %s is not known", backend.name, name);
			/* another one's is not */
			name[0] = 'x';
			gateway_observe(&m, &r, &cell, 1, &a, &t);
			assert_int_equal(t.nweights, 0);
			assert_non_null(t.problem);
			arena_release(&a);
		}
	}
}

/* --- observation ------------------------------------------------------------------------- */

static void test_observation(void **state)
{
	static const struct rollout_cell cells[] = {{.revision = OLD, .zone = "a"},
	                                            {.revision = OLD, .zone = "b"},
	                                            {.revision = NEW, .zone = "a"}};
	static const struct route_rule rules[] = {{as_split, 3, 1}, {as_split, 3, 0}};
	struct httproute r = {
		.meta = {.name = "ranker"}, .rules = rules, .nrules = 2, .nparents = 1};
	struct mdep m = make_mdep(parents);
	struct rollout_traffic t;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	gateway_observe(&m, &r, cells, 3, &a, &t);
	assert_true(t.managed && t.exists && !t.in_force);
	assert_int_equal(t.nweights, 3);
	assert_string_equal(t.revisions[2], NEW);
	assert_string_equal(t.zones[1], "b");
	assert_int_equal(t.weights[0], 4750);
	r.nanswered = 1;
	gateway_observe(&m, &r, cells, 3, &a, &t);
	assert_true(t.in_force);
	r.problem = "Accepted is False: NoMatchingParent";
	gateway_observe(&m, &r, cells, 3, &a, &t);
	assert_false(t.in_force);
	assert_string_equal(t.problem, r.problem);
	gateway_observe(&m, NULL, cells, 3, &a, &t);
	assert_false(t.exists || t.in_force);
	assert_null(t.problem); /* ours: it will be made */
	m.parent_refs_json = NULL;
	gateway_observe(&m, NULL, cells, 3, &a, &t);
	assert_non_null(strstr(t.problem, "does not exist"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_whole_route),
		cmocka_unit_test(test_audience_is_a_rule_of_its_own),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_audience_match),
		cmocka_unit_test(test_only_our_rules_of_a_users_route_are_patched),
		cmocka_unit_test(test_nothing_to_patch),
		cmocka_unit_test(test_users_route_without_our_service),
		cmocka_unit_test(test_our_names_are_known_again),
		cmocka_unit_test(test_observation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
