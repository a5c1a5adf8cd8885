#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/arena.h"

static void test_zeroed_aligned_apart(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 100000, 3};
	struct arena a cleanup_arena;
	unsigned char *p[sizeof(sizes) / sizeof(sizes[0])];
	size_t i, j, round;

	(void)state;
	arena_init(&a, 0);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			p[i] = arena_alloc(&a, sizes[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			for (j = 0; j < sizes[i]; j++)
				assert_int_equal(p[i][j], 0);
			memset(p[i], (int)i + 1, sizes[i]);
		}
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			for (j = 0; j < sizes[i]; j++)
				assert_int_equal(p[i][j], i + 1);
		/* The next round gets the dirty block again, and must not see it. */
		arena_reset(&a);
	}
}

static void test_nothing_before_use(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_null(a.head);
	arena_reset(&a);
	arena_release(&a);
	assert_null(a.head);
}

static void test_reset_keeps_one_block(void **state)
{
	struct arena a cleanup_arena;
	unsigned i;

	(void)state;
	arena_init(&a, 256);
	arena_alloc(&a, 10000);
	for (i = 0; i < 100; i++)
		arena_alloc(&a, 64);
	assert_true(a.used >= 10000 + 6400);
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(a.head);
	arena_release(&a);
	/* Usable after a release. */
	assert_non_null(arena_alloc(&a, 1));
}

static void test_big_block_does_not_waste_the_small_one(void **state)
{
	struct arena a cleanup_arena;
	struct arena_block *head;

	(void)state;
	arena_init(&a, 1024);
	arena_alloc(&a, 16);
	head = a.head;
	arena_alloc(&a, 5000);
	arena_alloc(&a, 16);
	assert_ptr_equal(a.head, head);
}

static void test_strings(void **state)
{
	struct arena a cleanup_arena;

	(void)state;
	arena_init(&a, 32);
	assert_null(arena_strdup(&a, NULL));
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(&a, "ab", 9), "ab");
	assert_string_equal(arena_printf(&a, "%s/%05d", "a-longer-text-than-a-block", 42),
	                    "a-longer-text-than-a-block/00042");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	assert_string_equal(arena_printf(&a, "%d", 7), "7"); /* fits into the block */
	assert_string_equal(arena_concat(&a, "a", "", "-bc", NULL), "a-bc");
	assert_string_equal(arena_concat(&a, "", NULL), "");
}

static void test_array(void **state)
{
	struct arena a cleanup_arena;
	int64_t *v;

	(void)state;
	arena_init(&a, 0);
	v = arena_array(&a, 1000, sizeof(*v));
	v[0] = 1;
	v[999] = 2;
	assert_int_equal(v[500], 0);
	assert_non_null(arena_array(&a, 0, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_aligned_apart),
		cmocka_unit_test(test_nothing_before_use),
		cmocka_unit_test(test_reset_keeps_one_block),
		cmocka_unit_test(test_big_block_does_not_waste_the_small_one),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
