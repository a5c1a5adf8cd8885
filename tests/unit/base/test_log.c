#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"

static int pipe_fds[2];
static char text[200000];

static int setup(void **state)
{
	(void)state;
	if (pipe2(pipe_fds, O_NONBLOCK) < 0)
		return -1;
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
	log_set_fd(pipe_fds[1]);
	log_set_level(LOG_DEBUG);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_fd(2);
	log_set_level(LOG_INFO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static unsigned count_lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* Parses the one line that was logged. */
static const struct json *logged_line(struct arena *a)
{
	const char *line = logged();
	const struct json *v;

	assert_int_equal(count_lines(line), 1);
	v = json_parse(a, line, strlen(line), NULL);
	assert_non_null(v);
	return v;
}

static void test_line(void **state)
{
	struct arena a cleanup_arena;
	struct err e = ERR_INIT;
	const struct json *v;
	int64_t ts;

	(void)state;
	arena_init(&a, 0);
	err_set(&e, ERR_IO, "it \"broke\"\n");
	log_warn("something", LS("namespace", "shop"), LI("n", INT64_C(-5)), LD("d", 0.5),
	         LB("b", true), LE(&e), LS("none", NULL), LD("nan", NAN));
	v = logged_line(&a);
	assert_int_equal(clock_parse(json_str(v, "ts"), &ts), 0);
	assert_true(llabs(ts - clock_wall_ms()) < 60000);
	assert_string_equal(json_str(v, "level"), "warn");
	assert_string_equal(json_str(v, "msg"), "something");
	assert_string_equal(json_str(v, "namespace"), "shop");
	assert_int_equal(json_i64(v, "n", 0), -5);
	assert_true(json_double(v, "d", 0) == 0.5);
	assert_true(json_bool(v, "b", false));
	assert_string_equal(json_str(v, "error"), "it \"broke\"\n");
	assert_null(json_get(v, "none"));
	assert_false(json_has(v, "nan"));
	assert_null(json_get(v, "suppressed"));
}

static void test_without_fields(void **state)
{
	struct arena a cleanup_arena;

	(void)state;
	arena_init(&a, 0);
	log_info("plain");
	assert_string_equal(json_str(logged_line(&a), "msg"), "plain");
}

static void test_levels(void **state)
{
	enum log_level level;

	(void)state;
	log_set_level(LOG_WARN);
	log_debug("d");
	log_info("i");
	assert_string_equal(logged(), "");
	log_warn("w");
	log_error("e");
	assert_int_equal(count_lines(logged()), 2);
	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_parse_level("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_parse_level("Error", &level), -1);
	assert_int_equal(log_parse_level("", &level), -1);
	assert_int_equal(log_parse_level(NULL, &level), -1);
}

static void test_redaction(void **state)
{
	static const struct {
		const char *value;
		int redacted;
	} rows[] = {
		{"Authorization: Bearer abcdefghijklmnop", 1},
		{"authorization: bearer 0123456789abcdef.gh", 1},
		{"got Bearer x then Bearer sha256~abcdefghijklmnopqrst", 1},
		{"-----BEGIN PRIVATE KEY-----\nMIIE", 1},
		{"x -----BEGIN CERTIFICATE-----", 1},
		{"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl", 1},
		{"token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.", 1},
		{"Bearer token is missing", 0},
		{"Bearer ", 0},
		{"eyJ", 0},
		{"eyJhbGciOiJSUzI1NiJ9", 0},
		{"eyJhbGciOiJSUzI1NiJ9.short.x", 0},
		{"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0},
		{"ranker-7f9d8b6c5d", 0},
		{"", 0},
	};
	struct log_site site = {0};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena a cleanup_arena;
		const struct json *v;

		arena_init(&a, 0);
		site.count = 0;
		log_emit(&site, LOG_INFO, "m", &LS("v", rows[i].value), 1);
		v = logged_line(&a);
		assert_string_equal(json_str(v, "v"),
		                    rows[i].redacted ? "[redacted]" : rows[i].value);
		site.count = 0;
		log_emit(&site, LOG_INFO, rows[i].value, NULL, 0);
		v = logged_line(&a);
		assert_string_equal(json_str(v, "msg"),
		                    rows[i].redacted ? "[redacted]" : rows[i].value);
	}
}

static void test_repeats_are_held_back(void **state)
{
	struct arena a cleanup_arena;
	struct log_site site = {0}, other = {0};
	unsigned i;

	(void)state;
	arena_init(&a, 0);
	for (i = 0; i < 25; i++)
		log_emit(&site, LOG_INFO, "again", NULL, 0);
	assert_int_equal(count_lines(logged()), 10);
	/* Another place is not concerned. */
	log_emit(&other, LOG_INFO, "other", NULL, 0);
	assert_int_equal(count_lines(logged()), 1);
	/* As if 10 s had passed. */
	site.window_start_ms -= 10000;
	log_emit(&site, LOG_INFO, "again", NULL, 0);
	assert_int_equal(json_i64(logged_line(&a), "suppressed", 0), 15);
	log_emit(&site, LOG_INFO, "again", NULL, 0);
	assert_null(json_get(logged_line(&a), "suppressed"));
}

static void test_suppressed_below_level_does_not_count(void **state)
{
	struct log_site site = {0};
	unsigned i;

	(void)state;
	log_set_level(LOG_ERROR);
	for (i = 0; i < 20; i++)
		log_emit(&site, LOG_INFO, "quiet", NULL, 0);
	assert_int_equal(site.count, 0);
	assert_int_equal(site.suppressed, 0);
}

static void test_long_and_broken_values(void **state)
{
	struct arena a cleanup_arena;
	struct log_field fields[40];
	char *big = memset(malloc(20000), 'x', 20000);
	const struct json *v;
	size_t i;

	(void)state;
	arena_init(&a, 0);
	big[19999] = '\0';
	log_info("long", LS("v", big));
	v = logged_line(&a);
	assert_int_equal(strlen(json_str(v, "v")), 4096);
	/* Too much in sum: the message stays. */
	for (i = 0; i < 40; i++)
		fields[i] = LS("v", big);
	log_emit(&(struct log_site){0}, LOG_INFO, "sum", fields, 40);
	v = logged_line(&a);
	assert_string_equal(json_str(v, "msg"), "sum");
	assert_null(json_get(v, "v"));
	log_info("bytes", LS("v", "a\xff\x01"
	                          "b"));
	assert_string_equal(json_str(logged_line(&a), "v"), "a\xef\xbf\xbd\x01"
	                                                    "b");
	free(big);
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	log_set_fd(-1);
	errno = ENOENT;
	log_info("into nothing");
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repeats_are_held_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suppressed_below_level_does_not_count, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(test_long_and_broken_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno_is_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
