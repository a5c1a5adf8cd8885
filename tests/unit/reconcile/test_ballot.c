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
	unsigned *told = arg;

	(void)model;
	*told += 1;
}

static unsigned told;

static void put(struct ballots *b, const char *uid, int64_t now_ms)
{
	struct vote_lease l = {.meta = {.name = "votes-a", .uid = (char *)uid},
	                       .votes = "{\"zone\":\"z0\"}"};

	ballots_put(b, &l, false, now_ms, on_model, &told);
}

static void say(struct ballots *b, const char *votes, int64_t now_ms)
{
	struct vote_lease l = {.meta = {.name = "votes-a", .uid = (char *)"u1"}, .votes = votes};

	told = 0;
	ballots_put(b, &l, false, now_ms, on_model, &told);
}

#define SEES "{\"zone\":\"z0\",\"sees\":{\"z1\":[3,0,0]},"
#define ONE  SEES "\"models\":{\"shop/a\":{\"z1\":[3,1,0,3,-1]}}}"
#define NONE SEES "\"models\":{}}"

/* What is said again is a sign of life and nothing else; and what was said still counts. */
static void test_a_vote_that_is_repeated_is_no_news(void **state)
{
	struct tally_other others[TALLY_OTHERS_MAX];
	struct ballots b;

	(void)state;
	ballots_init(&b);
	say(&b, ONE, 1000);
	assert_int_equal(told, 1);
	say(&b, ONE, 3000);
	assert_int_equal(told, 0);
	assert_int_equal(ballots_list(&b, 3000, others), 1);
	assert_int_equal(others[0].heard_ms, 3000);
	assert_int_equal(others[0].vote->nentries, 1);
	say(&b, NONE, 5000);
	assert_int_equal(told, 1);
	say(&b, ONE, 7000);
	assert_int_equal(told, 1);
	ballots_release(&b);
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
		cmocka_unit_test(test_a_vote_that_is_repeated_is_no_news),
		cmocka_unit_test(test_a_silent_one_is_named_once_in_its_age),
		cmocka_unit_test(test_what_came_in_its_place_has_its_own_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
