#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "tidegate/base/err.h"

static void test_set(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	e.status = 500;
	e.retry_after_ms = 7;
	assert_int_equal(err_set(&e, ERR_NOT_FOUND, "no %s", "pod"), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "no pod");
	assert_int_equal(e.status, 0);
	assert_int_equal(e.retry_after_ms, 0);
}

static void test_null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
	assert_int_equal(err_set_errno(NULL, ERR_IO, ENOENT, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	err_clear(NULL);
}

static void test_errno(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set_errno(&e, ERR_IO, ENOENT, "cannot open %s", "f");
	assert_string_equal(e.msg, "cannot open f: No such file or directory");
}

static void test_wrap_keeps_class_and_status(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_CONFLICT, "inner");
	e.status = 409;
	e.retry_after_ms = 1000;
	assert_int_equal(err_wrap(&e, "outer %d", 1), -1);
	assert_string_equal(e.msg, "outer 1: inner");
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(e.status, 409);
	assert_int_equal(e.retry_after_ms, 1000);
}

static void test_own_message_as_argument(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_IO, "old");
	err_set(&e, ERR_TIMEOUT, "new, was %s", e.msg);
	assert_string_equal(e.msg, "new, was old");
	err_wrap(&e, "%s", e.msg);
	assert_string_equal(e.msg, "new, was old: new, was old");
}

static void test_long_texts_are_cut(void **state)
{
	struct err e = ERR_INIT;
	char big[2 * ERR_MSG_MAX];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", big);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	err_set_errno(&e, ERR_IO, ENOENT, "%s", big);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	err_wrap(&e, "%s", big);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	err_set(&e, ERR_IO, "short");
	err_wrap(&e, "context");
	assert_string_equal(e.msg, "context: short");
}

static void test_clear(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_IO, "x");
	err_clear(&e);
	assert_int_equal(e.class, ERR_NONE);
	assert_string_equal(e.msg, "");
}

static void test_copy(void **state)
{
	struct err e = ERR_INIT, copy;

	(void)state;
	err_set(&e, ERR_GONE, "%0600d", 0);
	e.status = 410;
	err_copy(&copy, &e);
	assert_memory_equal(&copy, &e, sizeof(e));
	err_clear(&e);
	err_copy(&copy, &e);
	assert_int_equal(copy.class, ERR_NONE);
	assert_int_equal(copy.status, 0);
	assert_string_equal(copy.msg, "");
}

static void test_class_names(void **state)
{
	int c, d;

	(void)state;
	for (c = ERR_NONE; c <= ERR_INTERNAL; c++) {
		const char *name = err_class_name((enum err_class)c);

		assert_non_null(name);
		assert_string_not_equal(name, "Unknown");
		for (d = ERR_NONE; d < c; d++)
			assert_string_not_equal(name, err_class_name((enum err_class)d));
	}
	assert_string_equal(err_class_name((enum err_class)(ERR_INTERNAL + 1)), "Unknown");
	assert_string_equal(err_class_name(ERR_EXISTS), "AlreadyExists");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_null_is_allowed),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_wrap_keeps_class_and_status),
		cmocka_unit_test(test_own_message_as_argument),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_class_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
