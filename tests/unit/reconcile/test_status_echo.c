/* Which events of our own status writes are news. */
#include "intent_scene.h"

#define STATUS_PATH TG_API_PATH "/namespaces/shop/modeldeployments/ranker/status"

/* The object as it is after the write of its status. */
static const struct mdep *written(struct scene *s, const char *metadata)
{
	const struct json *body = body_of(s, find(s, "PATCH", STATUS_PATH));
	struct mdep *m = arena_alloc(&s->a, sizeof(*m));
	struct err err = ERR_INIT;

	if (mdep_read(parse(&s->a,
	                    arena_printf(&s->a,
	                                 "{'metadata':{'name':'ranker','namespace':'shop',"
	                                 "'uid':'u1'%s},'spec':{%s},'status':%s}",
	                                 metadata, SPEC, text_of(&s->a, json_get(body, "status")))),
	              m, &s->a, &err))
		fail_msg("%s", err.msg);
	m->meta.uid = "u1";
	return m;
}

static void open_written(void **state, struct scene *s)
{
	open_scene(*state, s, SPEC);
	s->m->has_status = true;
	s->plan.status.score_message = "other figures";
	s->plan.status.progress_ms = clock_wall_ms();
}

static void test_figures_are_no_news(void **state)
{
	struct scene s;

	open_written(state, &s);
	collect(&s);
	s.ks.told_hash = s.got.told;
	assert_true(status_is_echo(&s.ks, s.m, written(&s, "")));
	close_scene(&s);
}

static void test_what_comes_along_is_news(void **state)
{
	static const char *const metadata[] = {
		",'generation':2", ",'labels':{'a':'b'}",
		",'annotations':{'serving.tidegate.io/promote':'next'}"};
	struct scene s;

	open_written(state, &s);
	collect(&s);
	s.ks.told_hash = s.got.told;
	for (size_t i = 0; i < ARRAY_SIZE(metadata); i++)
		assert_false(status_is_echo(&s.ks, s.m, written(&s, metadata[i])));
	close_scene(&s);
}

static void test_anothers_status_is_news(void **state)
{
	struct scene s;

	open_written(state, &s);
	collect(&s);
	s.ks.told_hash = s.got.told + 1;
	assert_false(status_is_echo(&s.ks, s.m, written(&s, "")));
	s.ks.told_hash = 0;
	assert_false(status_is_echo(&s.ks, s.m, written(&s, "")));
	close_scene(&s);
}

static void test_a_step_is_news(void **state)
{
	struct scene s;

	open_written(state, &s);
	s.plan.status.step++;
	collect(&s);
	assert_non_null(find(&s, "PATCH", STATUS_PATH));
	assert_true(s.got.told == 0);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_figures_are_no_news),
		T(test_what_comes_along_is_news),
		T(test_anothers_status_is_news),
		T(test_a_step_is_news),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
