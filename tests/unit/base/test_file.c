#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"

static char dir[64], start_dir[4096];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/tidegate-file-XXXXXX");
	return getcwd(start_dir, sizeof(start_dir)) && mkdtemp(dir) ? 0 : -1;
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[400];

	(void)state;
	if (chdir(start_dir) < 0)
		return -1;
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && unlink(path) < 0)
			rmdir(path);
	}
	closedir(d);
	return rmdir(dir);
}

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void test_round_trip(void **state)
{
	char *path cleanup_free = in_dir("f");
	struct buf out cleanup_buf;
	struct err err = ERR_INIT;
	char *data cleanup_free = xmalloc(100000);
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		data[i] = (char)(i * 31);
	buf_init(&out, 100000);
	assert_int_equal(file_write(path, data, 100000, 0640, &err), 0);
	assert_int_equal(file_read(path, &out, &err), 0);
	assert_int_equal(out.len, 100000);
	assert_memory_equal(out.data, data, 100000);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* Shorter content replaces all of it, and nothing is left beside it. */
	assert_int_equal(file_write(path, "x", 1, 0600, &err), 0);
	buf_reset(&out);
	assert_int_equal(file_read(path, &out, &err), 0);
	assert_string_equal(out.data, "x");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entries(), 1);
}

static void test_empty(void **state)
{
	char *path cleanup_free = in_dir("empty");
	struct buf out cleanup_buf;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
	assert_int_equal(file_read(path, &out, NULL), 0);
	assert_int_equal(out.len, 0);
}

static void test_read_fails(void **state)
{
	char *path cleanup_free = in_dir("missing");
	struct buf out cleanup_buf;
	struct err err = ERR_INIT;

	(void)state;
	buf_init(&out, 10);
	assert_int_equal(file_read(path, &out, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_non_null(strstr(err.msg, "missing: No such file"));
	assert_int_equal(file_read(dir, &out, &err), -1);
	assert_non_null(strstr(err.msg, "directory"));
}

static void test_read_is_bounded(void **state)
{
	char *path cleanup_free = in_dir("big");
	struct buf out cleanup_buf;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(file_write(path, "0123456789a", 11, 0600, NULL), 0);
	buf_init(&out, 10);
	assert_int_equal(file_read(path, &out, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	assert_non_null(strstr(err.msg, "larger than 10 bytes"));
	/* A file without an end. */
	assert_int_equal(file_read("/dev/zero", &out, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
	out.max = 11;
	buf_reset(&out);
	assert_int_equal(file_read(path, &out, &err), 0);
}

static void test_standard_input(void **state)
{
	struct buf out cleanup_buf;
	struct err err = ERR_INIT;
	int saved = dup(0), fds[2];

	(void)state;
	buf_init(&out, 10);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	close(fds[1]);
	dup2(fds[0], 0);
	close(fds[0]);
	assert_int_equal(file_read("-", &out, &err), 0);
	assert_string_equal(out.data, "hello");
	dup2(saved, 0);
	close(saved);
}

/* A write that fails leaves the old content and no other file. */
static void test_write_is_all_or_nothing(void **state)
{
	char *path cleanup_free = in_dir("target");
	char *below cleanup_free = in_dir("target/child");
	char *nowhere cleanup_free = in_dir("none/f");
	struct err err = ERR_INIT;

	(void)state;
	/* A folder stands in the way of the rename. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(below, "x", 1, 0600, NULL), 0);
	assert_int_equal(file_write(path, "new", 3, 0600, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(entries(), 1);
	assert_int_equal(access(below, F_OK), 0);
	unlink(below);
	assert_int_equal(file_write(nowhere, "x", 1, 0600, &err), -1);
	assert_non_null(strstr(err.msg, "No such file"));
}

static void test_reader_keeps_the_old_file(void **state)
{
	char *path cleanup_free = in_dir("f");
	char text[8] = "";
	FILE *f cleanup_file = NULL;

	(void)state;
	assert_int_equal(file_write(path, "old", 3, 0600, NULL), 0);
	f = fopen(path, "r");
	assert_int_equal(file_write(path, "new", 3, 0600, NULL), 0);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, f), 3);
	assert_string_equal(text, "old");
}

static void test_resolve(void **state)
{
	static const char *const absolute[][3] = {
		{"/a/b/config", "ca.crt", "/a/b/ca.crt"},
		{"/a/b/config", "/x/ca.crt", "/x/ca.crt"},
		{"/config", "ca.crt", "/ca.crt"},
		{"rel/config", "/x", "/x"},
	};
	static const char *const relative[][3] = {
		{"config", "ca.crt", "/ca.crt"},
		{"sub/config", "ca.crt", "/sub/ca.crt"},
		{"-", "ca.crt", "/ca.crt"},
	};
	char cwd[4096];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(absolute); i++) {
		char *got cleanup_free = file_resolve(absolute[i][0], absolute[i][1]);

		assert_string_equal(got, absolute[i][2]);
	}
	assert_int_equal(chdir(dir), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	for (i = 0; i < ARRAY_SIZE(relative); i++) {
		char *got cleanup_free = file_resolve(relative[i][0], relative[i][1]);

		assert_memory_equal(got, cwd, strlen(cwd));
		assert_string_equal(got + strlen(cwd), relative[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_standard_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_keeps_the_old_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
