#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/buf.h"

static void test_empty(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_add(&b, "x", 0), 0);
	buf_consume(&b, 0);
	buf_truncate(&b, 0);
	buf_reset(&b);
	s = buf_detach(&b);
	assert_string_equal(s, "");
	free(s);
	buf_release(&b);
	buf_release(&b);
}

static void test_adders(void **state)
{
	struct buf b cleanup_buf;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_addstr(&b, "ab"), 0);
	assert_int_equal(buf_addch(&b, 'c'), 0);
	assert_int_equal(buf_addf(&b, "%d%s", 12, "de"), 0);
	assert_int_equal(buf_add(&b, "\0z", 2), 0);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abc12de\0z", 10);
}

static void test_maximum(void **state)
{
	struct buf b cleanup_buf;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_addstr(&b, "abcdef"), -1);
	assert_int_equal(b.len, 0);
	/* Nothing was allocated for what was refused. */
	assert_int_equal(b.cap, 0);
	assert_int_equal(buf_addstr(&b, "abcde"), 0);
	assert_true(b.cap <= 6);
	assert_int_equal(buf_addch(&b, 'f'), -1);
	assert_int_equal(buf_addf(&b, "%s", "f"), -1);
	assert_string_equal(b.data, "abcde");
	assert_int_equal(buf_addf(&b, "%s", ""), 0);
	buf_consume(&b, 2);
	assert_int_equal(buf_addf(&b, "%d", 42), 0);
	assert_string_equal(b.data, "cde42");
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_string_equal(b.data, "cde42");
}

static void test_maximum_of_zero(void **state)
{
	struct buf b cleanup_buf;

	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_addch(&b, 'a'), -1);
	assert_int_equal(buf_addstr(&b, ""), 0);
	assert_string_equal(b.data, "");
}

static void test_no_maximum(void **state)
{
	struct buf b cleanup_buf;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_addstr(&b, "abc"), 0);
	assert_string_equal(b.data, "abc");
}

static void test_growth_keeps_content(void **state)
{
	struct buf b cleanup_buf;
	size_t i;

	(void)state;
	buf_init(&b, 100000);
	for (i = 0; i < 100000; i++)
		assert_int_equal(buf_addch(&b, (char)('a' + i % 26)), 0);
	assert_int_equal(buf_addch(&b, 'x'), -1);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.data[b.len], 0);
}

static void test_reset_gives_big_memory_back(void **state)
{
	struct buf b cleanup_buf;
	size_t i;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_addstr(&b, "small");
	buf_reset(&b);
	assert_true(b.cap > 0);
	assert_string_equal(b.data, "");
	for (i = 0; i < 70000; i++)
		buf_addch(&b, 'x');
	buf_reset(&b);
	assert_int_equal(b.cap, 0);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_addstr(&b, "again"), 0);
}

static void test_consume_and_truncate(void **state)
{
	struct buf b cleanup_buf;

	(void)state;
	buf_init(&b, 10);
	buf_addstr(&b, "0123456789");
	buf_consume(&b, 4);
	assert_string_equal(b.data, "456789");
	buf_truncate(&b, 2);
	assert_string_equal(b.data, "45");
	buf_consume(&b, 2);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
}

static void test_detach(void **state)
{
	struct buf b cleanup_buf;
	char *s;

	(void)state;
	buf_init(&b, 10);
	buf_addstr(&b, "abc");
	s = buf_detach(&b);
	assert_string_equal(s, "abc");
	assert_string_equal(b.data, "");
	assert_int_equal(b.max, 10);
	buf_addstr(&b, "def");
	assert_string_equal(s, "abc");
	assert_string_equal(b.data, "def");
	free(s);
}

static void url_escapes_all_but_the_unreserved(void **state)
{
	cleanup_buf struct buf b;

	(void)state;
	buf_init(&b, 40);
	assert_int_equal(buf_add_url(&b, "aZ09-_.~ /=,%\xc3\xa4"), 0);
	assert_string_equal(b.data, "aZ09-_.~%20%2F%3D%2C%25%C3%A4");
	assert_int_equal(buf_add_url(&b, "more than there is room for"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url_escapes_all_but_the_unreserved),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_adders),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_maximum_of_zero),
		cmocka_unit_test(test_no_maximum),
		cmocka_unit_test(test_growth_keeps_content),
		cmocka_unit_test(test_reset_gives_big_memory_back),
		cmocka_unit_test(test_consume_and_truncate),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
