/* status: there and back, bounds, what people see. */
#include "fixture.h"

#include "tidegate/base/clock.h"

#define T0 1795516337123 /* 2026-11-24T10:32:17.123Z */

static void fill(struct mdep_status *s)
{
	static const struct mdep_group_score groups[] = {{"business", 40, "ctr 0.03 vs 0.05"},
	                                                 {"gpu", -1, NULL}};
	static struct mdep_status_room lists;

	lists = (struct mdep_status_room){
		.weights = {{"aaaaaaaaaa", "hz-a", 7500}, {"bbbbbbbbbb", "", 2500}},
		.revisions = {{"bbbbbbbbbb", "v2", 2, T0 + 8, "", 0},
	                      {"aaaaaaaaaa", "v1", 1, T0 + 9, "Promoted", T0 + 10}},
		.orders = {{ORDER_PAUSE, "next", "bbbbbbbbbb", "Done", "paused", T0 + 10},
	                   {ORDER_ROLLBACK_TO, "", NULL, "Ignored", NULL, 0}},
		.conditions = {{"Ready", "True", "Serving", "12 pods", 1000, 7},
	                       {"Reconciling", "True", "Releasing", "", 2000, 6}},
	};
	*s = (struct mdep_status){
		.observed_generation = 7,
		.stable = "aaaaaaaaaa",
		.target = "bbbbbbbbbb",
		.replicas = 13,
		.ready_replicas = 12,
		.updated_replicas = 3,
		.stable_replicas = 10,
		.phase = ROLLOUT_PAUSED,
		.paused_from = ROLLOUT_HOLDING,
		.step = 2,
		.nsteps = 5,
		.step_started_ms = T0,
		.step_reached_ms = T0 + 1,
		.hold_until_ms = T0 + 2,
		.watched_ms = T0 + 1,
		.return_to = "aaaaaaaaaa",
		.return_from = "cccccccccc",
		.started_ms = T0 + 3,
		.finished_ms = T0 + 4,
		.progress_ms = T0 + 5,
		.steps_hash = "cccccccccc",
		.reason = "PausedByOrder",
		.message = "Paused by annotation",
		.weight = 25,
		.verified_weight = 5,
		.weight_set_ms = T0 + 6,
		.weight_verified_ms = T0 + 7,
		.observed_permille = 49,
		.weights = lists.weights,
		.nweights = 2,
		.verdict = "PASS",
		.score = 97,
		.score_message = "errors 3 of 1000 against 4 of 4000",
		.score_groups = groups,
		.nscore_groups = 2,
		.revisions = lists.revisions,
		.nrevisions = 2,
		.orders = lists.orders,
		.norders = 2,
		.conditions = lists.conditions,
		.nconditions = 2,
	};
}

static struct mdep *holder(void)
{
	return decode_members(&mdep_kind, "", "'spec':{}");
}

/* Through text and back; the caller releases all three. */
static const struct mdep_status *round_trip(const struct mdep *m, const struct mdep_status *s,
                                            struct buf *text, struct arena *a,
                                            struct mdep_status *back)
{
	struct err err = ERR_INIT;
	const struct json *json;

	buf_init(text, 1 << 20);
	arena_init(a, 0);
	assert_int_equal(mdep_status_encode(m, s, text), 0);
	json = json_parse(a, text->data, text->len, &err);
	if (!json)
		fail_msg("%s: %s", err.msg, text->data);
	mdep_status_decode(json_get(json, "status"), back, a);
	return back;
}

/* What was read is written as the text that it was read from, which is released. */
static void ends_as_it_began(const struct mdep *m, const struct mdep_status *back, struct buf *text)
{
	struct buf again;

	buf_init(&again, 1 << 20);
	assert_int_equal(mdep_status_encode(m, back, &again), 0);
	assert_string_equal(text->data, again.data);
	buf_release(&again);
	buf_release(text);
}

static void test_round_trip(void **state)
{
	struct mdep *m = holder();
	struct mdep_status s, back;
	struct buf text;
	struct arena a;

	(void)state;
	fill(&s);
	round_trip(m, &s, &text, &a, &back);
	assert_int_equal(back.observed_generation, 7);
	assert_string_equal(back.stable, s.stable);
	assert_string_equal(back.target, s.target);
	assert_int_equal(back.replicas, 13);
	assert_int_equal(back.ready_replicas, 12);
	assert_int_equal(back.updated_replicas, 3);
	assert_int_equal(back.stable_replicas, 10);
	assert_int_equal(back.phase, ROLLOUT_PAUSED);
	assert_int_equal(back.paused_from, ROLLOUT_HOLDING);
	assert_int_equal(back.step, 2);
	assert_int_equal(back.nsteps, 5);
	assert_int_equal(back.step_started_ms, T0);
	assert_int_equal(back.step_reached_ms, T0 + 1);
	assert_int_equal(back.hold_until_ms, T0 + 2);
	assert_int_equal(back.watched_ms, T0 + 1);
	assert_string_equal(back.return_to, s.return_to);
	assert_string_equal(back.return_from, s.return_from);
	assert_int_equal(back.revisions[0].retired_ms, 0);
	assert_int_equal(back.revisions[1].retired_ms, T0 + 10);
	assert_int_equal(back.started_ms, T0 + 3);
	assert_int_equal(back.finished_ms, T0 + 4);
	assert_int_equal(back.progress_ms, T0 + 5);
	assert_string_equal(back.steps_hash, s.steps_hash);
	assert_string_equal(back.reason, s.reason);
	assert_string_equal(back.message, s.message);
	assert_int_equal(back.weight, 25);
	assert_int_equal(back.verified_weight, 5);
	assert_int_equal(back.weight_set_ms, T0 + 6);
	assert_int_equal(back.weight_verified_ms, T0 + 7);
	assert_int_equal(back.observed_permille, 49);
	assert_int_equal(back.nweights, 2);
	assert_string_equal(back.weights[0].zone, "hz-a");
	assert_string_equal(back.weights[1].zone, "");
	assert_int_equal(back.weights[1].weight, 2500);
	assert_string_equal(back.verdict, "PASS");
	assert_int_equal(back.score, 97);
	assert_string_equal(back.score_message, s.score_message);
	assert_int_equal(back.nscore_groups, 2);
	assert_string_equal(back.score_groups[0].name, "business");
	assert_int_equal(back.score_groups[0].score, 40);
	assert_int_equal(back.score_groups[1].score, -1);
	assert_string_equal(back.score_groups[0].text, "ctr 0.03 vs 0.05");
	assert_null(back.score_groups[1].text);
	assert_int_equal(back.nrevisions, 2);
	assert_string_equal(back.revisions[1].name, "aaaaaaaaaa");
	assert_string_equal(back.revisions[1].model_version, "v1");
	assert_int_equal(back.revisions[1].number, 1);
	assert_int_equal(back.revisions[1].created_ms, T0 + 9);
	assert_string_equal(back.revisions[1].result, "Promoted");
	assert_string_equal(back.revisions[0].result, "");
	assert_int_equal(back.norders, 2);
	assert_int_equal(back.orders[0].verb, ORDER_PAUSE);
	assert_string_equal(back.orders[0].value, "next");
	assert_string_equal(back.orders[0].revision, "bbbbbbbbbb");
	assert_string_equal(back.orders[0].outcome, "Done");
	assert_string_equal(back.orders[0].message, "paused");
	assert_int_equal(back.orders[0].time_ms, T0 + 10);
	assert_int_equal(back.orders[1].verb, ORDER_ROLLBACK_TO);
	assert_string_equal(back.orders[1].value, "");
	assert_int_equal(back.nconditions, 2);
	assert_string_equal(back.conditions[0].message, "12 pods");
	assert_int_equal(back.conditions[0].transition_ms, 1000);
	assert_int_equal(back.conditions[1].observed_generation, 6);

	ends_as_it_began(m, &back, &text);
	arena_release(&a);
	free(m);
}

static void test_empty(void **state)
{
	struct mdep *m = holder();
	struct mdep_status s = {.observed_permille = -1, .score = -1}, back;
	struct buf text;
	struct arena a;

	(void)state;
	round_trip(m, &s, &text, &a, &back);
	assert_null(back.stable);
	assert_null(back.target);
	assert_int_equal(back.phase, ROLLOUT_IDLE);
	assert_int_equal(back.observed_permille, -1);
	assert_int_equal(back.score, -1);
	assert_string_equal(back.verdict, "");
	assert_null(strstr(text.data, "1970"));
	mdep_status_decode(NULL, &back, &a);
	assert_int_equal(back.score, -1);
	buf_release(&text);
	arena_release(&a);
	free(m);
}

/* A conditions's instant of 0 is written: the field is required. */
static void test_condition_instants(void **state)
{
	struct mdep *m = holder();
	struct mdep_condition c = {.type = "Ready", .transition_ms = 0};
	struct mdep_status s = {.conditions = &c, .nconditions = 1}, back;
	struct buf text;
	struct arena a;

	(void)state;
	round_trip(m, &s, &text, &a, &back);
	assert_non_null(strstr(text.data, "\"lastTransitionTime\":\"1970-01-01T00:00:00Z\""));
	assert_string_equal(back.conditions[0].status, "Unknown");
	assert_string_equal(back.conditions[0].reason, "Unknown");
	assert_string_equal(back.conditions[0].message, "");
	buf_release(&text);
	arena_release(&a);
	free(m);
}

/* Texts are cut to the schema's bounds, at a character: the API server must never refuse. */
static void test_long_texts(void **state)
{
	struct mdep *m = holder();
	struct mdep_status s, back;
	char *longest = xmalloc(3 * 700 + 2);
	struct buf text;
	struct arena a;

	(void)state;
	fill(&s);
	longest[0] = 'x';
	for (int i = 0; i < 700; i++)
		memcpy(longest + 1 + 3 * i, "\xe2\x82\xac", 3);
	longest[3 * 700 + 1] = '\0';
	s.message = s.score_message = longest;
	s.conditions[0].message = longest;
	s.orders[0].value = longest;
	s.weights[0].zone = longest;
	round_trip(m, &s, &text, &a, &back);
	assert_int_equal(strlen(back.message), 1 + 3 * 341);
	assert_int_equal(strlen(back.score_message), 1 + 3 * 341);
	assert_int_equal(strlen(back.conditions[0].message), 1 + 3 * 341);
	assert_int_equal(strlen(back.orders[0].value), 1 + 3 * 85);
	assert_int_equal(strlen(back.weights[0].zone), 1 + 3 * 20);
	assert_null(strstr(text.data, "\xef\xbf\xbd"));
	buf_release(&text);
	arena_release(&a);
	free(longest);
	free(m);
}

static void test_names(void **state)
{
	(void)state;
	for (int p = ROLLOUT_IDLE + 1; p < ROLLOUT_PHASES; p++) {
		struct mdep *m = holder();
		struct mdep_status s = {.phase = (enum rollout_phase)p}, back;
		struct buf text;
		struct arena a;

		assert_true(strlen(rollout_phase_name((enum rollout_phase)p)) > 3);
		round_trip(m, &s, &text, &a, &back);
		assert_int_equal(back.phase, p);
		buf_release(&text);
		arena_release(&a);
		free(m);
	}
	assert_string_equal(rollout_phase_name(ROLLOUT_IDLE), "");
	for (int v = 0; v < ORDER_VERBS; v++)
		assert_true(strlen(mdep_verb_name((enum mdep_verb)v)) > 3);
	assert_string_equal(mdep_verb_name(ORDER_ROLLBACK_TO), "rollback-to");
}

/* What the columns show. */
static void test_summary(void **state)
{
	static const struct {
		struct mdep_status s;
		const char *want;
	} rows[] = {
		{{.phase = ROLLOUT_IDLE, .replicas = 1},
	         "\"summary\":{\"phase\":\"Pending\",\"pods\":\"0/1\"}"},
		{{.phase = ROLLOUT_IDLE,
	          .stable = "a",
	          .replicas = 6,
	          .ready_replicas = 6,
	          .nsteps = 5,
	          .weight = 100},
	         "\"summary\":{\"phase\":\"Stable\",\"pods\":\"6/6\"}"},
		{{.phase = ROLLOUT_HOLDING,
	          .step = 2,
	          .nsteps = 5,
	          .weight = 25,
	          .verified_weight = 25},
	         "\"summary\":{\"phase\":\"Holding\",\"step\":\"3/"
	         "5\",\"weight\":\"25%\",\"pods\":\"0/0\"}"},
		{{.phase = ROLLOUT_MOVING,
	          .step = 1,
	          .nsteps = 5,
	          .weight = 25,
	          .verified_weight = 5},
	         "\"summary\":{\"phase\":\"Progressing\",\"step\":\"2/"
	         "5\",\"weight\":\"5%->25%\",\"pods\":\"0/0\"}"},
		{{.phase = ROLLOUT_COMPLETING,
	          .step = 5,
	          .nsteps = 5,
	          .weight = 100,
	          .verified_weight = 100},
	         "\"summary\":{\"phase\":\"Completing\",\"step\":\"5/"
	         "5\",\"weight\":\"100%\",\"pods\":\"0/0\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mdep *m = holder();
		struct buf text;

		buf_init(&text, 1 << 20);
		assert_int_equal(mdep_status_encode(m, &rows[i].s, &text), 0);
		if (!strstr(text.data, rows[i].want))
			fail_msg("wanted %s in %s", rows[i].want, text.data);
		buf_release(&text);
		free(m);
	}
}

static void test_selector_is_of_stable_pods(void **state)
{
	struct mdep *m = holder();
	struct mdep_status s;
	struct buf text;

	(void)state;
	fill(&s);
	buf_init(&text, 1 << 20);
	mdep_status_encode(m, &s, &text);
	assert_non_null(strstr(text.data, "\"selector\":\"serving.tidegate.io/name=n,"
	                                  "serving.tidegate.io/revision=aaaaaaaaaa\""));
	buf_reset(&text);
	s.stable = NULL;
	mdep_status_encode(m, &s, &text);
	assert_non_null(strstr(text.data, "revision=bbbbbbbbbb\""));
	buf_release(&text);
	free(m);
}

static void test_objectives_round_trip(void **state)
{
	struct mdep_objective_status objectives[2] = {
		{.name = "availability",
	         .requests = 7000000000,
	         .bad = 5,
	         .since_ms = T0,
	         .budget_left = -3,
	         .burn_centi = {123, 5, 100},
	         .all = {NULL, T0, {7, 8, 9, 10, 11}, {1, 2, 3, 4, 5}},
	         .stable = {"old", T0 + 1, {1, 2, 3, 4}, {0, 1, 2, 3}},
	         .target = {"new", T0 + 2, {5, 6, 7, UINT32_MAX}, {5, 5, 5, 6}}},
		{.name = "latency", .requests = 1, .since_ms = T0},
	};
	struct mdep_status s = {.objectives = objectives, .nobjectives = 2, .counted_ms = T0 + 3};
	struct mdep *m = holder();
	struct mdep_status back;
	struct buf text;
	struct arena a;

	(void)state;
	round_trip(m, &s, &text, &a, &back);
	assert_int_equal(back.counted_ms, T0 + 3);
	assert_int_equal(back.objectives[0].all.requests[4], 11);
	assert_int_equal(back.objectives[0].all.bad[4], 5);
	assert_null(back.objectives[0].all.revision);
	assert_string_equal(back.objectives[0].stable.revision, "old");
	assert_string_equal(back.objectives[0].target.revision, "new");
	assert_int_equal(back.objectives[0].stable.since_ms, T0 + 1);
	assert_int_equal(back.objectives[0].stable.bad[3], 3);
	assert_int_equal(back.objectives[0].target.requests[3], UINT32_MAX);
	assert_int_equal(back.objectives[1].stable.since_ms, 0);
	ends_as_it_began(m, &back, &text);
	arena_release(&a);
	free(m);
}

/* The whole way: applied, stored, watched, decoded, packed. */
static void test_through_the_cache(void **state)
{
	struct mdep *m = holder(), *back;
	struct mdep_status s;
	struct buf text, again;
	struct arena a;
	struct err err = ERR_INIT;
	char *object;

	(void)state;
	fill(&s);
	buf_init(&text, 1 << 20);
	buf_init(&again, 1 << 20);
	arena_init(&a, 0);
	mdep_status_encode(m, &s, &text);
	object = xasprintf("{\"metadata\":{\"name\":\"n\",\"namespace\":\"ns\",\"uid\":\"u\"},%s",
	                   strstr(text.data, "\"status\":"));
	back = decode_text(&mdep_kind, object, &err);
	assert_true(back->has_status);
	assert_int_equal(back->status_hash, str_hash_fast(text.data, text.len));
	mdep_status_encode(back, &back->status, &again);
	assert_string_equal(text.data, again.data);
	print_message("a ModelDeployment in the midst of a release is %zu bytes\n",
	              malloc_usable_size(back));
	assert_true(malloc_usable_size(back) <= 2560);
	free(back);
	free(object);
	buf_release(&text);
	buf_release(&again);
	arena_release(&a);
	free(m);
}

static void test_schema_default_is_no_status_of_ours(void **state)
{
	struct mdep *m = decode_members(
		&mdep_kind, "",
		"'status':{'conditions':[{'type':'Ready','status':'Unknown','reason':'Pending',"
		"'message':'Waiting for "
		"controller','lastTransitionTime':'1970-01-01T00:00:00Z'}]}");

	(void)state;
	assert_false(m->has_status);
	assert_int_equal(m->status.nconditions, 1);
	free(m);
}

static void test_revision_find(void **state)
{
	struct mdep_status s;

	(void)state;
	fill(&s);
	assert_int_equal(mdep_revision_find(&s, "aaaaaaaaaa")->number, 1);
	assert_null(mdep_revision_find(&s, "zzzzzzzzzz"));
	assert_null(mdep_revision_find(&s, NULL));
}

/* More than there is room for, and wrong types everywhere. */
static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"7",
		"[]",
		"'x'",
		"{'rollout':[],'traffic':7,'score':'x','revisions':{},'orders':5}",
		"{'conditions':[1,{},{'type':5},{'type':'R','status':1,'lastTransitionTime':7}]}",
		"{'rollout':{'phase':'Flying','step':1e99,'steps':'x','startedTime':'yesterday'}}",
		"{'replicas':99999999999,'observedGeneration':1e300}",
		"{'orders':[{'order':'destroy'},{'order':7},{}],'revisions':[[],null,{}]}"};
	struct arena a;
	struct mdep_status s;
	char *many, *list = xstrdup("");

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		mdep_status_decode(parse(&a, texts[i]), &s, &a);
		assert_int_equal(s.norders, 0);
		assert_int_equal(s.replicas, 0);
		assert_int_equal(s.phase, ROLLOUT_IDLE);
	}
	for (int i = 0; i < 40; i++) {
		char *more = xasprintf("%s%s{'name':'r','type':'t%d','order':'abort'}", list,
		                       i ? "," : "", i);

		free(list);
		list = more;
	}
	many = xasprintf("{'revisions':[%s],'conditions':[%s],'orders':[%s],'traffic':{'weights':"
	                 "[%s]}}",
	                 list, list, list, list);
	mdep_status_decode(parse(&a, many), &s, &a);
	assert_int_equal(s.nrevisions, MDEP_REVISIONS_MAX);
	assert_int_equal(s.nconditions, MDEP_CONDITIONS_MAX);
	assert_int_equal(s.norders, MDEP_ORDERS_MAX);
	assert_int_equal(s.nweights, MDEP_WEIGHTS_MAX);
	free(many);
	free(list);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_condition_instants),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_selector_is_of_stable_pods),
		cmocka_unit_test(test_through_the_cache),
		cmocka_unit_test(test_objectives_round_trip),
		cmocka_unit_test(test_schema_default_is_no_status_of_ours),
		cmocka_unit_test(test_revision_find),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
