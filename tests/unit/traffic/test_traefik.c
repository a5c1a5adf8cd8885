/* TraefikServices: weights, and three of them for a mirror, in an order that no request is lost by.
 */
#include "fixture.h"

#define ANSWERS 0
#define COPIES  1
#define TRAEFIK "'traefik':{'name':'t'}"
#define SERVICE(cell, weight)                                                                      \
	"{'kind':'Service','name':'ranker-" cell "','port':80,'weight':" weight "}"
#define WEIGHTED(list) "{'weighted':{'services':[" list "]}}"
#define MIRRORING(percent)                                                                         \
	"{'mirroring':{'kind':'TraefikService','name':'t-answers','mirrors':[{'kind':"             \
	"'TraefikService','name':'t-copies','percent':" percent "}]}}"

static const struct rollout_cell cells3[] = {{.revision = OLD, .zone = "a"},
                                             {.revision = OLD, .zone = "b"},
                                             {.revision = NEW, .zone = "a"}};
static const struct mdep_weight moved[] = {{OLD, "a", 6000}, {OLD, "b", 4000}, {NEW, "a", 0}};
static const struct mdep_weight half[] = {{OLD, "a", 5000}, {NEW, "a", 3000}, {NEW, "b", 2000}};

/* The API server's objects, as the operator's cache and Traefik's show them. */
struct scene {
	struct arena a;
	struct traffic_wish w;
	struct traffic_view v;
	unsigned writes;
};

static void open_scene(struct scene *s, const char *step, const struct mdep_weight *weights,
                       unsigned n)
{
	*s = (struct scene){.writes = 0};
	arena_init(&s->a, 0);
	s->w = wish_of(mdep_with(&s->a, TRAEFIK, step), weights, n);
}

static const struct json *spec_of(struct scene *s, const struct route *r)
{
	return json_parse(&s->a, r->spec_json, strlen(r->spec_json), NULL);
}

/* Traefik drops all requests to an object that refers to one that is not there. */
static void check_references(struct scene *s)
{
	const struct json *mirroring =
		s->v.route ? json_get(spec_of(s, s->v.route), "mirroring") : NULL;
	const struct json *mirror = json_first(json_get(mirroring, "mirrors"));

	if (!mirroring)
		return;
	assert_string_equal(json_str(mirroring, "name"), "t-answers");
	assert_string_equal(json_str(mirror, "name"), "t-copies");
	for (unsigned i = 0; i < 2; i++)
		assert_true(s->v.beside[i] &&
		            json_size(json_path(spec_of(s, s->v.beside[i]), "weighted", "services",
		                                NULL)) > 0);
}

static const struct route **slot_of(struct scene *s, const char *name)
{
	if (str_eq(name, "t"))
		return &s->v.route;
	assert_true(str_eq(name, "t-answers") || str_eq(name, "t-copies"));
	return &s->v.beside[str_eq(name, "t-answers") ? ANSWERS : COPIES];
}

/* One pass; false when there is nothing to do. */
static bool pass(struct scene *s)
{
	struct traffic_edit e = edit_of(&s->w, &s->v, &s->a);
	const struct route **slot = slot_of(s, e.name);
	struct route *r;

	if (e.how == TRAFFIC_KEEP)
		return false;
	s->writes++;
	if (e.how == TRAFFIC_DELETE) {
		assert_ptr_equal(e.gone, *slot);
		*slot = NULL;
	} else {
		const struct json *body = applied(&s->a, &e);

		assert_string_equal(json_str(json_get(body, "metadata"), "name"), e.name);
		assert_int_equal(json_size(json_path(body, "metadata", "ownerReferences", NULL)),
		                 1);
		r = route_with(&s->a, e.name, text_of(&s->a, json_get(body, "spec")));
		r->ours = true;
		*slot = r;
	}
	check_references(s);
	return true;
}

static void settle(struct scene *s)
{
	for (unsigned i = 0; pass(s); i++)
		assert_true(i < 8);
}

static void assert_spec(struct scene *s, const struct route *r, const char *want)
{
	assert_non_null(r);
	assert_value(&s->a, spec_of(s, r), want);
}

static void test_weights(void **state)
{
	struct scene s;
	struct rollout_traffic t;
	struct route foreign;

	(void)state;
	open_scene(&s, "", before, 2);
	settle(&s);
	/* A cell that weighs nothing may have no endpoints, and would take the others down. */
	assert_spec(&s, s.v.route, WEIGHTED(SERVICE(OLD "-a", "10000")));
	assert_int_equal(s.writes, 1);
	s.w.weights = split;
	s.w.nweights = 3;
	settle(&s);
	assert_spec(&s, s.v.route,
	            WEIGHTED(SERVICE(OLD "-a", "4750") "," SERVICE(OLD "-b", "4750") "," SERVICE(
			    NEW "-a", "500")));
	assert_int_equal(s.writes, 2);
	traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
	assert_true(t.in_force && !t.problem);
	assert_int_equal(t.nweights, 3);
	assert_int_equal(t.weights[0], 4750);
	assert_false(t.copied[0] || t.copied[1] || t.copied[2]);
	foreign = *s.v.route;
	foreign.ours = false;
	s.v.route = &foreign;
	s.w.nweights = 2;
	assert_int_equal(edit_of(&s.w, &s.v, &s.a).how, TRAFFIC_KEEP);
	traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
	assert_non_null(strstr(t.problem, "TraefikService t is not made by Tidegate"));
	assert_false(t.in_force);
	arena_release(&s.a);
}

static void test_mirror(void **state)
{
	struct scene s;
	struct rollout_traffic t;

	(void)state;
	open_scene(&s, "{'mirror':{'percent':30}}", moved, 3);
	settle(&s);
	assert_int_equal(s.writes, 3);
	assert_spec(&s, s.v.route, MIRRORING("30"));
	assert_spec(&s, s.v.beside[ANSWERS],
	            WEIGHTED(SERVICE(OLD "-a", "6000") "," SERVICE(OLD "-b", "4000")));
	assert_spec(&s, s.v.beside[COPIES], WEIGHTED(SERVICE(NEW "-a", "1")));
	traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
	assert_true(t.in_force);
	assert_int_equal(t.nweights, 3);
	assert_int_equal(t.weights[0], 6000);
	assert_string_equal(t.revisions[2], NEW);
	assert_int_equal(t.weights[2], 0);
	assert_true(!t.copied[0] && !t.copied[1] && t.copied[2]);
	/* With a share of its own the copies are spread as that is. */
	s.w.weights = half;
	settle(&s);
	assert_spec(&s, s.v.beside[COPIES],
	            WEIGHTED(SERVICE(NEW "-a", "3000") "," SERVICE(NEW "-b", "2000")));
	traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
	assert_int_equal(t.weights[1], 3000);
	assert_true(t.copied[1]);
	assert_int_equal(s.writes, 5);
	arena_release(&s.a);
}

/* Wherever a pass ends, and whoever goes on, the next wish is reached without a gap. */
static void test_begin_and_end(void **state)
{
	const struct mdep_step *mirror;

	(void)state;
	for (unsigned cut = 0; cut <= 3; cut++)
		for (unsigned back = 0; back <= 3; back++) {
			struct scene s;

			open_scene(&s, "{'mirror':{}}", moved, 3);
			mirror = s.w.step;
			s.w.step = NULL;
			settle(&s);
			s.w.step = mirror;
			for (unsigned i = 0; i < cut; i++)
				assert_true(pass(&s));
			assert_int_equal(json_has(spec_of(&s, s.v.route), "mirroring"), cut == 3);
			s.w.step = NULL;
			s.w.weights = half;
			for (unsigned i = 0; i < back; i++)
				pass(&s);
			s.w.step = mirror;
			settle(&s);
			assert_spec(&s, s.v.route, MIRRORING("100"));
			assert_spec(&s, s.v.beside[ANSWERS],
			            WEIGHTED(SERVICE(OLD "-a", "5000") "," SERVICE(
					    NEW "-a", "3000") "," SERVICE(NEW "-b", "2000")));
			s.w.step = NULL;
			settle(&s);
			assert_null(s.v.beside[ANSWERS]);
			assert_null(s.v.beside[COPIES]);
			assert_true(json_has(spec_of(&s, s.v.route), "weighted"));
			arena_release(&s.a);
		}
}

/* What somebody took away is put back, and nothing counts as in force until then. */
static void test_deleted_by_hand(void **state)
{
	struct rollout_traffic t;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct scene s;

		open_scene(&s, "{'mirror':{}}", before, 2);
		settle(&s);
		s.v.beside[i] = NULL;
		traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
		assert_true(t.exists && !t.in_force);
		settle(&s);
		assert_int_equal(s.writes, 4);
		arena_release(&s.a);
	}
}

/* An object that both splits and copies would split only. */
static void test_both_at_once(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, "{'mirror':{}}", before, 2);
	settle(&s);
	s.v.route = NULL;
	s.writes = 0;
	assert_true(pass(&s));
	((struct route *)s.v.route)->spec_json = unquote(
		&s.a, "{'weighted':{'services':[]},'mirroring':{'kind':'TraefikService','name':"
		      "'t-answers','mirrors':[{'kind':'TraefikService','name':'t-copies',"
		      "'percent':100}]}}");
	settle(&s);
	assert_int_equal(s.writes, 2);
	assert_spec(&s, s.v.route, MIRRORING("100"));
	arena_release(&s.a);
}

static void test_name_that_is_taken(void **state)
{
	struct scene s;
	struct rollout_traffic t;
	struct route *theirs;

	(void)state;
	open_scene(&s, "{'mirror':{}}", moved, 3);
	theirs = route_with(&s.a, "t-copies", WEIGHTED(""));
	s.v.beside[COPIES] = theirs;
	settle(&s);
	/* Requests go on as the weights say; the mirror waits. */
	assert_spec(&s, s.v.route,
	            WEIGHTED(SERVICE(OLD "-a", "6000") "," SERVICE(OLD "-b", "4000")));
	assert_ptr_equal(s.v.beside[COPIES], theirs);
	traffic_driver_of(s.w.mdep)->observe(s.w.mdep, &s.v, cells3, 3, &s.a, &t);
	assert_false(t.in_force);
	assert_non_null(strstr(t.problem, "t-copies is not made by Tidegate"));
	/* Who does not mirror does not need it. */
	traffic_driver_of(s.w.mdep)->observe(mdep_with(&s.a, TRAEFIK, "{'weight':5}"), &s.v, cells3,
	                                     3, &s.a, &t);
	assert_null(t.problem);
	arena_release(&s.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights),       cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_begin_and_end), cmocka_unit_test(test_deleted_by_hand),
		cmocka_unit_test(test_both_at_once),  cmocka_unit_test(test_name_that_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
