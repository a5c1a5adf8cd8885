#include "fixture.h"

static void set(struct mdep_status *s, const char *type, const char *status, int64_t now)
{
	mdep_condition_set(s, type, status, "Reason", "message", now / 10, now);
}

static void test_transition_only_when_status_changes(void **state)
{
	struct mdep_status s = {.nconditions = 0};
	struct mdep_status_room lists;
	const struct mdep_condition *c;

	(void)state;
	mdep_status_widen(&s, &lists);
	set(&s, "Ready", "Unknown", 100);
	c = mdep_condition_get(&s, "Ready");
	assert_int_equal(c->transition_ms, 100);
	mdep_condition_set(&s, "Ready", "Unknown", "Other", "words", 20, 200);
	assert_int_equal(c->transition_ms, 100);
	assert_string_equal(c->reason, "Other");
	assert_string_equal(c->message, "words");
	assert_int_equal(c->observed_generation, 20);
	set(&s, "Ready", "True", 300);
	assert_int_equal(c->transition_ms, 300);
	set(&s, "Ready", "False", 400);
	assert_int_equal(c->transition_ms, 400);
	assert_int_equal(s.nconditions, 1);
}

static void test_abnormal_true_ones_vanish(void **state)
{
	static const char *const types[] = {"Reconciling", "Stalled"};
	struct mdep_status s = {.nconditions = 0};
	struct mdep_status_room lists;

	(void)state;
	mdep_status_widen(&s, &lists);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		set(&s, types[i], "False", 1);
		assert_int_equal(s.nconditions, 0);
		set(&s, "Before", "True", 1);
		set(&s, types[i], "True", 1);
		set(&s, "After", "False", 1);
		assert_non_null(mdep_condition_get(&s, types[i]));
		set(&s, types[i], "Unknown", 2);
		assert_null(mdep_condition_get(&s, types[i]));
		assert_non_null(mdep_condition_get(&s, "Before"));
		assert_string_equal(mdep_condition_get(&s, "After")->status, "False");
		assert_int_equal(s.nconditions, 2);
		s.nconditions = 0;
	}
}

static void test_get_of_none(void **state)
{
	struct mdep_status s = {.nconditions = 0};

	(void)state;
	assert_null(mdep_condition_get(&s, "Ready"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transition_only_when_status_changes),
		cmocka_unit_test(test_abnormal_true_ones_vanish),
		cmocka_unit_test(test_get_of_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
