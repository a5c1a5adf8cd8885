/* Groups of metrics with their figures: what is silent, names that clash, too many. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/reconcile/score_groups.h"

static struct sequential_result counts(double requests)
{
	return (struct sequential_result){
		.canary_requests = requests,
		.nmetrics = 2,
		.metrics = {{.name = "errors", .score = 12, .effect = 3, .text = "6.1 % vs 0.4 %"},
	                    {.name = "latency", .score = 98, .effect = 1}}};
}

static void test_counts_come_first_then_the_series(void **state)
{
	struct sequential_result c = counts(41);
	struct analysis_view v = {
		.groups = {{"business", 40, "ctr 0.03 vs 0.05"}, {"gpu", -1, NULL}}, .ngroups = 2};
	const struct mdep_group_score *out;
	struct score_groups g = {.n = 0};
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	score_groups_take(&g, &c, NULL, &v);
	out = score_groups_copy(&g, &a);
	assert_int_equal(g.n, 4);
	assert_string_equal(out[0].name, "errors");
	assert_int_equal(out[0].score, 12);
	assert_string_equal(out[0].text, "6.1 % vs 0.4 %");
	assert_null(out[1].text);
	assert_string_equal(out[2].text, "ctr 0.03 vs 0.05");
	assert_int_equal(out[3].score, -1);
	score_groups_clear(&g);
	assert_null(score_groups_copy(&g, &a));
	/* A copy outlives what it was made from. */
	assert_string_equal(out[2].name, "business");
	arena_release(&a);
}

static void test_silence_is_no_score(void **state)
{
	struct sequential_result c = counts(0);
	struct analysis_view v = {.ngroups = 0};
	struct score_groups g = {.n = 0};

	(void)state;
	score_groups_take(&g, &c, NULL, &v);
	assert_int_equal(g.v[0].score, -1);
	c = counts(41);
	c.metrics[1].effect = NAN;
	score_groups_take(&g, &c, NULL, &v);
	assert_int_equal(g.v[0].score, 12);
	assert_int_equal(g.v[1].score, -1);
	score_groups_clear(&g);
}

static void test_names_are_keys(void **state)
{
	struct sequential_result c = counts(41);
	struct analysis_view v = {.groups = {{"errors", 40, NULL}}, .ngroups = 1};
	struct score_groups g = {.n = 0};

	(void)state;
	score_groups_take(&g, &c, NULL, &v);
	assert_string_equal(g.v[2].name, "errors by query");
	score_groups_take(&g, &c, &(struct drift_result){JUDGE_FAIL, 0, "has moved"}, &v);
	assert_string_equal(g.v[2].name, "scores");
	assert_string_equal(g.v[2].text, "has moved");
	assert_int_equal(g.v[2].score, 0);
	score_groups_clear(&g);
}

static void test_what_is_too_much_is_left_out(void **state)
{
	struct sequential_result c = counts(41);
	struct analysis_view v = {.ngroups = MDEP_GROUPS_MAX};
	struct score_groups g = {.n = 0};
	char names[MDEP_GROUPS_MAX][3];

	(void)state;
	for (unsigned i = 0; i < MDEP_GROUPS_MAX; i++) {
		names[i][0] = 'g';
		names[i][1] = (char)('0' + i);
		names[i][2] = '\0';
		v.groups[i].name = names[i];
	}
	score_groups_take(&g, &c, NULL, &v);
	assert_int_equal(g.n, MDEP_GROUPS_MAX);
	assert_string_equal(g.v[2].name, "g0");
	score_groups_clear(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_come_first_then_the_series),
		cmocka_unit_test(test_silence_is_no_score),
		cmocka_unit_test(test_names_are_keys),
		cmocka_unit_test(test_what_is_too_much_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
