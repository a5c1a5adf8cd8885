/* Which of a pool's clients a host gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tidegate/net/http_pool.h"

#define HOSTS_OF_ONE 512

struct bed {
	struct loop *loop;
	struct http_pool *pool;
	struct http_client *taken[2 * HOSTS_OF_ONE];
};

static void bed_init(struct bed *b)
{
	struct err err = ERR_INIT;

	b->loop = loop_new();
	b->pool = http_pool_new(b->loop, "test", &err);
	assert_non_null(b->pool);
	for (unsigned i = 0; i < HOSTS_OF_ONE; i++)
		b->taken[i] = http_pool_take(b->pool);
}

static void bed_release(struct bed *b)
{
	http_pool_free(b->pool);
	loop_free(b->loop);
}

static void test_hosts_share_a_client_until_it_has_enough(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b);
	for (unsigned i = 1; i < HOSTS_OF_ONE; i++)
		assert_ptr_equal(b.taken[i], b.taken[0]);
	assert_int_equal(http_pool_size(b.pool), 1);
	assert_ptr_not_equal(http_pool_take(b.pool), b.taken[0]);
	assert_int_equal(http_pool_size(b.pool), 2);
	bed_release(&b);
}

static void test_a_place_that_was_given_back_is_taken_again(void **state)
{
	struct http_client *second;
	struct bed b;

	(void)state;
	bed_init(&b);
	second = http_pool_take(b.pool);
	http_pool_give(b.pool, b.taken[7]);
	http_pool_give(b.pool, NULL);
	assert_ptr_equal(http_pool_take(b.pool), b.taken[0]);
	assert_ptr_equal(http_pool_take(b.pool), second);
	assert_int_equal(http_pool_size(b.pool), 2);
	bed_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_share_a_client_until_it_has_enough),
		cmocka_unit_test(test_a_place_that_was_given_back_is_taken_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
