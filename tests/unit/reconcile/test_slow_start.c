/* DestinationRules for spec.traffic.slowStart: when they are made, and when they go. */
#include "intent_scene.h"

#define RULES       "/apis/networking.istio.io/v1/namespaces/shop/destinationrules"
#define ISTIO(more) SPEC ",'traffic':{'istio':{'virtualService':'v'}" more "}"

/* As it was made, or with another text's hash. */
static void put_rule(struct scene *s, const char *name, uint64_t hash)
{
	put(s->op, CACHE_DESTINATIONRULE, &destinationrule_kind,
	    arena_printf(
		    &s->a,
		    "{'metadata':{'name':'%s','namespace':'shop','uid':'d-%s','ownerReferences':"
		    "[{'apiVersion':'%s','kind':'ModelDeployment','name':'ranker','uid':'%s',"
		    "'controller':true}],'annotations':{'" TG_ANN_APPLY_HASH "':'%016llx'}}}",
		    name, name, TG_API_VERSION, s->m->meta.uid, (unsigned long long)hash));
}

static uint64_t hash_of(struct scene *s, const char *revision)
{
	cleanup_buf struct buf body;
	uint64_t hash;

	buf_init(&body, CHILD_BODY_MAX);
	assert_int_equal(child_slow_start(s->m, revision, "", &body, &hash), 0);
	return hash;
}

static void test_made_beside_its_service(void **state)
{
	const struct json *spec;
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, ISTIO(",'slowStart':'1500ms'"));
	set_cell(&s, s.m->revision, 2, false);
	collect(&s);
	x = find(&s, "POST", RULES);
	spec = json_get(body_of(&s, x), "spec");
	/* before any weight */
	assert_int_equal(x->class, INTENT_SERVICE);
	assert_true(x->taken_ok);
	assert_string_equal(x->creates, arena_printf(&s.a, "ranker-%s", s.m->revision));
	assert_string_equal(json_str(spec, "host"),
	                    arena_printf(&s.a, "ranker-%s.shop.svc.cluster.local", s.m->revision));
	spec = json_path(spec, "trafficPolicy", "loadBalancer", NULL);
	assert_string_equal(json_str(spec, "simple"), "LEAST_REQUEST");
	assert_string_equal(json_str(json_get(spec, "warmup"), "duration"), "1.500s");
	close_scene(&s);
}

static void test_changed_only_when_it_differs(void **state)
{
	const struct intent *x;
	const char *name;
	struct scene s;

	open_scene(*state, &s, ISTIO(",'slowStart':'30s'"));
	set_cell(&s, s.m->revision, 2, false);
	name = arena_printf(&s.a, "ranker-%s", s.m->revision);
	put_rule(&s, name, hash_of(&s, s.m->revision));
	collect(&s);
	assert_null(find(&s, "POST", RULES));
	assert_null(find(&s, "PATCH", arena_printf(&s.a, RULES "/%s", name)));
	s.m->slow_start_ms = 60000;
	collect(&s);
	x = find(&s, "PATCH", arena_printf(&s.a, RULES "/%s", name));
	assert_non_null(strstr(body_of(&s, x) ? x->body : "", "\"duration\":\"60s\""));
	close_scene(&s);
}

static void test_goes_with_its_cell_and_with_the_field(void **state)
{
	const struct intent *x;
	struct scene s;

	open_scene(*state, &s, ISTIO(",'slowStart':'30s'"));
	put_rule(&s, "ranker-old", 1);
	set_cell(&s, s.m->revision, 2, false);
	collect(&s);
	x = find(&s, "DELETE", RULES "/ranker-old");
	assert_non_null(x);
	assert_int_equal(x->class, INTENT_CLEANUP);
	assert_non_null(strstr(x->body, "d-ranker-old"));
	s.m->slow_start_ms = 0;
	put_rule(&s, arena_printf(&s.a, "ranker-%s", s.m->revision), 1);
	collect(&s);
	assert_non_null(find(&s, "DELETE", arena_printf(&s.a, RULES "/ranker-%s", s.m->revision)));
	assert_null(find(&s, "POST", RULES));
	close_scene(&s);
}

/* Its rules are not asked for by those who want none. */
static void test_waits_for_the_rules_only_with_the_field(void **state)
{
	struct route_trouble trouble;
	struct scene s;

	open_scene(*state, &s, ISTIO(",'slowStart':'30s'"));
	s.op->stores[CACHE_VIRTUALSERVICE].synced = true;
	assert_false(route_cache_ready(s.op, s.m, &trouble));
	assert_string_equal(trouble.kind->kind, "DestinationRule");
	s.op->stores[CACHE_DESTINATIONRULE].synced = true;
	assert_true(route_cache_ready(s.op, s.m, &trouble));
	s.op->stores[CACHE_DESTINATIONRULE].synced = false;
	s.m->slow_start_ms = 0;
	assert_true(route_cache_ready(s.op, s.m, &trouble));
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_made_beside_its_service),
		T(test_changed_only_when_it_differs),
		T(test_goes_with_its_cell_and_with_the_field),
		T(test_waits_for_the_rules_only_with_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
