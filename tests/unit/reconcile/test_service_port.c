/* A changed spec.traffic.servicePort: which Service answers by which port, and what the route
 * names. */
#include "intent_scene.h"

/* A Service as a body asks for it. */
static void obey_service(struct scene *s, const struct json *body)
{
	const char *name = json_str(json_get(body, "metadata"), "name");
	const char *hash =
		json_str(json_path(body, "metadata", "annotations", NULL), TG_ANN_APPLY_HASH);
	const struct json *it;
	char *ports = arena_strdup(&s->a, "");

	json_for_each (it, json_path(body, "spec", "ports", NULL))
		if (!json_has(it, "$patch"))
			ports = arena_printf(&s->a, "%s%s{'name':'%s','port':%d}", ports,
			                     *ports ? "," : "", json_str(it, "name"),
			                     (int)json_i64(it, "port", 0));
	put(s->op, CACHE_SERVICE, &service_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'%s','namespace':'shop','uid':'of-%s',"
	                 "'annotations':{'" TG_ANN_APPLY_HASH "':'%s'}},'spec':{'ports':[%s]}}",
	                 name, name, hash, ports));
}

/* The cluster does what was asked for; returns by which port the route names Services. */
static int obey(struct scene *s)
{
	const struct route *r;
	const struct json *rule;

	for (unsigned i = 0; i < s->got.n; i++) {
		const struct intent *x = &s->got.v[i];

		if (x->class == INTENT_SERVICE)
			obey_service(s, body_of(s, x));
		else if (x->class == INTENT_TRAFFIC)
			put(s->op, CACHE_ROUTE, &httproute_kind,
			    arena_printf(&s->a,
			                 "{'metadata':{'name':'route','namespace':'shop','uid':"
			                 "'h1','labels':{'app.kubernetes.io/managed-by':"
			                 "'tidegate'}},'spec':%s}",
			                 text_of(&s->a, json_get(body_of(s, x), "spec"))));
	}
	r = (const struct route *)store_get(&s->op->stores[CACHE_ROUTE], "shop", "route");
	rule = json_first(
		json_get(json_parse(&s->a, r->spec_json, strlen(r->spec_json), NULL), "rules"));
	return (int)json_i64(json_first(json_get(rule, "backendRefs")), "port", 0);
}

/* By the name of the Service; those that are not called TG_PORT_NAME with a sign. */
static const char *ports_of(struct scene *s, const char *name)
{
	const struct service *x =
		(const struct service *)store_get(&s->op->stores[CACHE_SERVICE], "shop", name);
	const char *text = "";

	for (unsigned i = 0; x && i < x->nports; i++)
		text = arena_printf(&s->a, "%s%s%s%d", text, i ? " " : "",
		                    x->ports[i].plain ? "" : "-", x->ports[i].port);
	return text;
}

static void put_slice(struct scene *s, const char *service, const char *ports)
{
	put(s->op, CACHE_ENDPOINT, &endpointslice_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'x','namespace':'shop','uid':'e1','ownerReferences':"
	                 "[{'apiVersion':'v1','kind':'Service','name':'%s','uid':'of-%s',"
	                 "'controller':true}]},'ports':[%s],'endpoints':[{'targetRef':{'kind':"
	                 "'Pod','name':'p'}}]}",
	                 service, service, ports));
}

static int pass(struct scene *s)
{
	collect(s);
	return obey(s);
}

static void open_ported(struct bed *b, struct scene *s, const char **cell)
{
	open_scene(b, s, OURS);
	set_cell(s, s->m->revision, 0, false);
	s->plan.weights[0] = (struct mdep_weight){s->m->revision, "", 10000};
	s->plan.nweights = 1;
	s->op->stores[CACHE_ENDPOINT].synced = true;
	*cell = arena_printf(&s->a, "ranker-%s", s->m->revision);
	assert_int_equal(pass(s), 80);
	put_slice(s, *cell, "{'name':'http'}");
}

/*
 * Both ports in every Service, then the slices, then the route, then the gateway, and only then the
 * old one goes; whoever begins anew in between goes on with what it finds.
 */
static void test_service_port_changes(void **state)
{
	const char *cell;
	struct scene s;

	open_ported(*state, &s, &cell);
	s.m->service_port = 8080;
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, cell), "-8080 80");
	assert_string_equal(ports_of(&s, "ranker"), "-8080 80");
	assert_int_equal(pass(&s), 80); /* no slice lists it yet */
	assert_null(find(&s, "PATCH", SERVICES "/ranker"));
	put_slice(&s, cell, "{'name':'http'},{'name':'http-8080'}");
	assert_int_equal(pass(&s), 80); /* the gateway gets a moment */
	assert_in_range(s.got.later_ms, 1, 2000);
	memset(&s.ks, 0, sizeof(s.ks)); /* a new leader waits anew */
	assert_int_equal(pass(&s), 80);
	s.ks.port_stage_ms -= 2000;
	assert_int_equal(pass(&s), 8080);
	assert_int_equal(pass(&s), 8080); /* the gateway has not read it */
	assert_string_equal(ports_of(&s, cell), "-8080 80");
	s.snap.traffic.in_force = true;
	assert_int_equal(pass(&s), 8080);
	assert_true(s.got.later_ms > 0);
	assert_string_equal(ports_of(&s, cell), "-8080 80");
	s.ks.port_stage_ms -= 10000;
	collect(&s);
	assert_json(&s.a,
	            json_first(json_path(body_of(&s, find(&s, "PATCH", SERVICES "/ranker")), "spec",
	                                 "ports", NULL)),
	            "{'$patch':'delete','port':80}");
	assert_int_equal(obey(&s), 8080);
	assert_string_equal(ports_of(&s, cell), "-8080");
	assert_string_equal(ports_of(&s, "ranker"), "-8080");
	collect(&s);
	assert_null(find(&s, "PATCH", SERVICES "/ranker"));
	/* and back: the name is free again */
	s.m->service_port = 80;
	assert_int_equal(pass(&s), 8080);
	assert_string_equal(ports_of(&s, cell), "80 -8080");
	close_scene(&s);
}

/* Another wish in between, a Service that is made then, and a port that somebody took away. */
static void test_service_port_changes_again(void **state)
{
	const char *cell;
	struct scene s;

	open_ported(*state, &s, &cell);
	s.m->service_port = 8080;
	pass(&s);
	s.m->service_port = 9090;
	s.plan.cells = arena_array(&s.a, 2, sizeof(*s.plan.cells));
	s.plan.cells[0] = (struct rollout_cell_wish){s.m->revision, "", 2, false, false};
	s.plan.cells[1] = (struct rollout_cell_wish){"bcdfghjklm", "", 1, false, false};
	s.plan.ncells = 2;
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, cell), "-9090 -8080 80");
	assert_string_equal(ports_of(&s, "ranker-bcdfghjklm"), "9090 -8080 -80");
	/* taken back: the route never left it */
	s.m->service_port = 80;
	s.snap.traffic.in_force = true;
	pass(&s);
	s.ks.port_stage_ms -= 10000;
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, cell), "80");
	assert_string_equal(ports_of(&s, "ranker-bcdfghjklm"), "-80");
	put(s.op, CACHE_SERVICE, &service_kind,
	    arena_printf(&s.a,
	                 "{'metadata':{'name':'%s','namespace':'shop','uid':'of-%s'},'spec':"
	                 "{'ports':[{'name':'mine','port':1}]}}",
	                 cell, cell));
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, cell), "80");
	close_scene(&s);
}

/*
 * The route is written anew, and leads to the Service "ranker" alone, which had the new port before
 * its leader ended: the cells' get it now.
 */
static void test_people_name_the_new_port_first(void **state)
{
	const char *cell;
	struct scene s;

	open_ported(*state, &s, &cell);
	s.m->service_port = 8080;
	put(s.op, CACHE_ROUTE, &httproute_kind,
	    "{'metadata':{'name':'route','namespace':'shop','uid':'h1','labels':"
	    "{'app.kubernetes.io/managed-by':'tidegate'}},'spec':{'rules':[{'backendRefs':"
	    "[{'name':'ranker','port':8080}]}]}}");
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, cell), "-8080 80");
	assert_int_equal(pass(&s), 80); /* the slices do not tell of it yet */
	put_slice(&s, cell, "{'name':'http'},{'name':'http-8080'}");
	pass(&s);
	s.ks.port_stage_ms -= 2000;
	assert_int_equal(pass(&s), 8080);
	close_scene(&s);
}

/* Nothing is wished of a zone that was left, but the route will name its Services again. */
static void test_a_left_zones_service_does_not_fall_behind(void **state)
{
	struct mdep_zone_status out = {.name = "z", .state = ZONE_EVACUATED, .reason = ""};
	struct rollout_cell left = {.zone = "z", .exists = true};
	const char *cell, *behind;
	struct scene s;

	open_ported(*state, &s, &cell);
	behind = arena_printf(&s.a, "%s-z", cell);
	left.revision = s.plan.status.stable = s.m->revision;
	s.snap.cells = &left;
	s.snap.ncells = 1;
	s.plan.status.zones = &out;
	s.plan.status.nzones = 1;
	pass(&s);
	assert_string_equal(ports_of(&s, behind), "80");
	s.m->service_port = 8080;
	assert_int_equal(pass(&s), 80);
	assert_string_equal(ports_of(&s, behind), "-8080 80");
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_service_port_changes),
		T(test_service_port_changes_again),
		T(test_people_name_the_new_port_first),
		T(test_a_left_zones_service_does_not_fall_behind),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
