#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tidegate/base/list.h"

struct item {
	int n;
	struct list link;
};

static void expect(struct list *l, const char *want)
{
	char got[16];
	struct list *pos, *tmp;
	size_t n = 0;

	list_for_each_safe (pos, tmp, l)
		got[n++] = (char)('0' + list_entry(pos, struct item, link)->n);
	got[n] = '\0';
	assert_string_equal(got, want);
	/* And backwards. */
	for (pos = l->prev; pos != l; pos = pos->prev)
		assert_int_equal(got[--n], '0' + list_entry(pos, struct item, link)->n);
	assert_int_equal(n, 0);
}

static void test_list(void **state)
{
	struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3};
	struct list l = LIST_INIT(l), *pos, *tmp;

	(void)state;
	assert_true(list_empty(&l));
	assert_null(list_pop_front(&l));
	expect(&l, "");
	list_push_back(&l, &b.link);
	list_push_back(&l, &c.link);
	list_push_front(&l, &a.link);
	assert_false(list_empty(&l));
	expect(&l, "123");
	list_remove(&b.link);
	assert_true(list_empty(&b.link));
	list_remove(&b.link);
	expect(&l, "13");
	list_insert_before(&c.link, &b.link);
	expect(&l, "123");
	list_for_each_safe (pos, tmp, &l)
		if (list_entry(pos, struct item, link)->n == 2)
			list_remove(pos);
	expect(&l, "13");
	assert_ptr_equal(list_pop_front(&l), &a.link);
	assert_ptr_equal(list_pop_front(&l), &c.link);
	assert_null(list_pop_front(&l));
	assert_true(list_empty(&l));
}

static void test_zeroed_node(void **state)
{
	struct list l = {0};

	(void)state;
	assert_true(list_empty(&l));
	list_remove(&l);
	list_init(&l);
	assert_true(list_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_zeroed_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
