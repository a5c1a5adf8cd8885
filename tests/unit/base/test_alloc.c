#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"

static void test_sizes_of_zero_are_allowed(void **state)
{
	void *p cleanup_free = xmalloc(0);
	void *q cleanup_free = xcalloc(0, 16);
	void *r cleanup_free = xrealloc(NULL, 0);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_non_null(r);
}

static void test_calloc_zeroes(void **state)
{
	char *p cleanup_free = xcalloc(3, 5);
	static const char zero[15];

	(void)state;
	assert_memory_equal(p, zero, sizeof(zero));
}

static void test_strings(void **state)
{
	char *a cleanup_free = xstrdup("abc");
	char *b cleanup_free = xstrndup("abcdef", 2);
	char *c cleanup_free = xstrndup("ab", 10);
	char *d cleanup_free = xasprintf("%s-%d", "x", 7);
	char *e cleanup_free = xstrdup_null("e");

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "ab");
	assert_string_equal(d, "x-7");
	assert_string_equal(e, "e");
	assert_null(xstrdup_null(NULL));
}

static void test_replace(void **state)
{
	char *s = NULL;

	(void)state;
	xstr_replace(&s, "one two");
	assert_string_equal(s, "one two");
	xstr_replace(&s, s + 4);
	assert_string_equal(s, "two");
	xstr_replace(&s, NULL);
	assert_null(s);
}

/* Runs fn in a child; returns the signal that ended it, 0 when none did. */
static int signal_of(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fclose(stderr);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void array_overflow(void)
{
	/* volatile: the compiler would refuse a constant that large. */
	volatile size_t half = SIZE_MAX / 2 + 1;

	free(xreallocarray(NULL, half, 2));
}

static void third_fails(void)
{
	alloc_set_fault(3, NULL);
	free(xmalloc(1));
	free(xstrdup("x"));
	free(xasprintf("%d", 1));
}

static void disarmed(void)
{
	alloc_set_fault(1, NULL);
	alloc_set_fault(0, NULL);
	free(xmalloc(1));
}

static void two_pass(void)
{
	alloc_set_fault(3, NULL);
	free(xmalloc(1));
	free(xcalloc(1, 1));
}

static void test_aborts(void **state)
{
	(void)state;
	assert_int_equal(signal_of(array_overflow), SIGABRT);
	assert_int_equal(signal_of(third_fails), SIGABRT);
	assert_int_equal(signal_of(disarmed), 0);
	assert_int_equal(signal_of(two_pass), 0);
}

static jmp_buf fault_jump;

static void jump_out(void)
{
	longjmp(fault_jump, 1);
}

static void test_fault_handler(void **state)
{
	(void)state;
	if (setjmp(fault_jump) == 0) {
		alloc_set_fault(1, jump_out);
		free(xmalloc(1));
		fail_msg("the allocation did not fail");
	}
	/* One fault only. */
	free(xmalloc(1));
}

static void test_cleanup_close(void **state)
{
	int copy;

	(void)state;
	{
		int fd cleanup_close = dup(0);
		int none cleanup_close = -1;

		assert_true(fd >= 0);
		assert_int_equal(none, -1);
		copy = fd;
	}
	assert_int_equal(close(copy), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_of_zero_are_allowed),
		cmocka_unit_test(test_calloc_zeroes),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_aborts),
		cmocka_unit_test(test_fault_handler),
		cmocka_unit_test(test_cleanup_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
