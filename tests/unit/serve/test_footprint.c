/* Memory that is not used any more goes back, after work only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../sanitizer.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/file.h"
#include "tidegate/serve/footprint.h"

#define BLOCKS 20000
#define SIZE   1000

static struct clock_virtual now = {.wall_ms = 1000000};
static struct loop *loop;
static struct footprint footprint;
static char *blocks[BLOCKS];

static int setup(void **state)
{
	(void)state;
	clock_use(&now);
	loop = loop_new_virtual(&now);
	footprint_init(&footprint, loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	footprint_release(&footprint);
	loop_free(loop);
	clock_use(NULL);
	return 0;
}

static void pass_seconds(int s)
{
	int64_t until = now.mono_ms + s * 1000;

	while (loop_next_timer(loop) <= until)
		loop_run_once(loop, true);
	now.mono_ms = until;
}

static void work_ms(int64_t ms)
{
	int64_t until = clock_cpu_ms() + ms;

	while (clock_cpu_ms() < until)
		;
}

/* A line of /proc/self/status: VmRSS is all, RssFile what is mapped of files. */
static int64_t resident_kb(const char *field)
{
	struct buf cleanup_buf b;
	const char *line;

	buf_init(&b, 65536);
	assert_int_equal(file_read("/proc/self/status", &b, NULL), 0);
	line = strstr(b.data, field);
	assert_non_null(line);
	return strtol(line + strlen(field) + 1, NULL, 10);
}

/* Holes of many pages, kept from the heap's end by blocks that are in use. */
static void leave_holes(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = xmalloc(SIZE);
		memset(blocks[i], i, SIZE);
	}
	for (int i = 0; i < BLOCKS; i++)
		if (i % 1000) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
}

static void holes_are_given_back_after_work(void **state)
{
	int64_t before;

	(void)state;
	leave_holes();
	before = resident_kb("VmRSS");
	work_ms(25);
	pass_seconds(11);
	assert_int_equal(footprint.trims, 1);
	/* The sanitizer's allocator keeps what it has. */
	if (!UNDER_SANITIZER)
		assert_true(before - resident_kb("VmRSS") > BLOCKS * SIZE / 1024 / 2);
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

/* In a segment of the program that nobody writes to. */
static const char read_only[1 << 20] = {1, 2, 3};

static int64_t sum_read_only(void)
{
	const volatile char *p = read_only;
	int64_t sum = 0;

	for (size_t i = 0; i < sizeof(read_only); i++)
		sum += p[i];
	return sum;
}

static void pages_of_the_program_are_given_back_and_come_again(void **state)
{
	int64_t before;

	(void)state;
	assert_int_equal(sum_read_only(), 6);
	before = resident_kb("RssFile");
	work_ms(25);
	pass_seconds(11);
	assert_true(before - resident_kb("RssFile") >= (int64_t)sizeof(read_only) / 1024);
	assert_int_equal(sum_read_only(), 6);
}

static void without_work_nothing_is_done(void **state)
{
	(void)state;
	work_ms(25);
	pass_seconds(11);
	assert_int_equal(footprint.trims, 1);
	pass_seconds(60);
	assert_int_equal(footprint.trims, 1);
	work_ms(25);
	pass_seconds(11);
	assert_int_equal(footprint.trims, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(holes_are_given_back_after_work, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_the_program_are_given_back_and_come_again,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(without_work_nothing_is_done, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
