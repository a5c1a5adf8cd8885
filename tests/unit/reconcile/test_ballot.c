/* Leases of replicas that are gone: whose turn it is to be removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/reconcile/ballot.h"

#define AGE_MS 60000

static void on_model(void *arg, const char *model)
{
	(void)arg;
	(void)model;
}

static void put(struct ballots *b, const char *uid, int64_t now_ms)
{
	struct vote_lease l = {.meta = {.name = "votes-a", .uid = (char *)uid},
	                       .votes = "{\"zone\":\"z0\"}"};

	ballots_put(b, &l, false, now_ms, on_model, NULL);
}

static void test_a_silent_one_is_named_once_in_its_age(void **state)
{
	struct ballots b;
	const char *uid;

	(void)state;
	ballots_init(&b);
	put(&b, "u1", 1000);
	assert_null(ballots_take_stale(&b, 1000 + AGE_MS - 1, AGE_MS, &uid));
	assert_string_equal(ballots_take_stale(&b, 1000 + AGE_MS, AGE_MS, &uid), "votes-a");
	assert_null(ballots_take_stale(&b, 3000 + AGE_MS, AGE_MS, &uid));
	assert_non_null(ballots_take_stale(&b, 1000 + 2 * AGE_MS, AGE_MS, &uid));
	ballots_release(&b);
}

/* A removal by the uid of what was there before would be refused for good. */
static void test_what_came_in_its_place_has_its_own_uid(void **state)
{
	struct ballots b;
	const char *uid;

	(void)state;
	ballots_init(&b);
	put(&b, "u1", 1000);
	put(&b, "u2", 2000);
	assert_non_null(ballots_take_stale(&b, 2000 + AGE_MS, AGE_MS, &uid));
	assert_string_equal(uid, "u2");
	ballots_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_silent_one_is_named_once_in_its_age),
		cmocka_unit_test(test_what_came_in_its_place_has_its_own_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
