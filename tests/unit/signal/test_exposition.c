#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/exposition.h"

/* Writes what was read in one canonical form. */
static void show(void *arg, const struct exposition_sample *s)
{
	struct buf *b = arg;

	buf_addstr(b, s->name);
	for (unsigned i = 0; i < s->nlabels; i++)
		buf_addf(b, "[%s=%s]", s->labels[i].name, s->labels[i].value);
	buf_addf(b, " %g;", s->value);
}

static void test_samples(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{"\n\n", ""},
		{"# HELP a b\n# TYPE a counter\n", ""},
		{"a 1\n", "a 1;"},
		{"a 1", "a 1;"},
		{"a\t1 1700000000\n", "a 1;"},
		{"a{} 2\n", "a 2;"},
		{"a{x=\"y\"} 2\n", "a[x=y] 2;"},
		{"a {x=\"y\",} 2\n", "a[x=y] 2;"},
		{"a{ x = \"y\" , z=\"\" } 2.5e3\n", "a[x=y][z=] 2500;"},
		{"a{x=\"q\\\"b\\\\s\\nl\"} 1\n", "a[x=q\"b\\s\nl] 1;"},
		{"a{x=\"{,}\"} 1\n", "a[x={,}] 1;"},
		{":tensorflow:serving:request_count{status=\"OK\"} 7\n",
	         ":tensorflow:serving:request_count[status=OK] 7;"},
		{"a NaN\nb +Inf\nc -Inf\n", "a nan;b inf;c -inf;"},
		{"a_total 3 # {trace_id=\"x\"} 0.5\n# EOF\n", "a_total 3;"},
		{"a 1\r\n", NULL},
		{"a\n", NULL},
		{"{x=\"y\"} 1\n", NULL},
		{"a{x=y} 1\n", NULL},
		{"a{x=\"y\" 1\n", NULL},
		{"a{x=\"y} 1\n", NULL},
		{"a{x \"y\"} 1\n", NULL},
		{"a{x=\"y\"z=\"w\"} 1\n", NULL},
		{"a one\n", NULL},
		{"a 1x\n", NULL},
		{"9a 1\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf b;
		struct err err = ERR_INIT;
		int rc;

		buf_init(&b, 4096);
		rc = exposition_parse(rows[i].text, strlen(rows[i].text), show, &b, &err);
		if (rows[i].want) {
			assert_int_equal(rc, 0);
			assert_string_equal(b.data, rows[i].want);
		} else {
			assert_int_equal(rc, -1);
			assert_non_null(strstr(err.msg, "line 1"));
		}
	}
}

static void test_error_names_the_line(void **state)
{
	static const char text[] = "a 1\nb 2\nc{ 3\n";
	struct err err = ERR_INIT;
	cleanup_buf struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(exposition_parse(text, sizeof(text) - 1, show, &b, &err), -1);
	assert_non_null(strstr(err.msg, "line 3"));
	assert_string_equal(b.data, "a 1;b 2;");
}

static void test_bounds(void **state)
{
	cleanup_buf struct buf text, out;
	struct err err = ERR_INIT;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_addstr(&text, "a{");
	for (int i = 0; i < EXPOSITION_LABELS_MAX + 1; i++)
		buf_addf(&text, "l%d=\"v\",", i);
	buf_addstr(&text, "} 1\n");
	assert_int_equal(exposition_parse(text.data, text.len, show, &out, &err), -1);
	buf_reset(&text);
	for (int i = 0; i < 70000; i++)
		buf_addch(&text, 'a');
	buf_addstr(&text, " 1\n");
	assert_int_equal(exposition_parse(text.data, text.len, show, &out, &err), -1);
	assert_int_equal(exposition_parse("a\0b 1\n", 6, show, &out, &err), -1);
}

/* Every prefix of a good text is read or refused, never more. */
static void test_any_cut(void **state)
{
	static const char text[] =
		"# TYPE a histogram\na_bucket{le=\"0.5\",x=\"\\\"\"} 3 12\nb 1\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		cleanup_free char *cut = xstrndup(text, n);
		cleanup_buf struct buf b;

		buf_init(&b, 4096);
		exposition_parse(cut, n, show, &b, NULL);
	}
}

/* Others are passed over unread, whatever stands in them; what is no sample at all is not. */
static void test_some_names(void **state)
{
	static const char *const names[] = {"a", "b_total", NULL};
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"a 1\nab 2\nb_total{x=\"y\"} 3\nb 4\n", "a 1;b_total[x=y] 3;"},
		{"c{broken\na 1", "a 1;"},
		{" a 1\n\n# HELP a\na{", NULL},
		{"a", NULL},
		{"<html>", NULL},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		cleanup_buf struct buf b;
		const struct exposition_reader r = {.names = names, .fn = show, .arg = &b};
		int rc;

		buf_init(&b, 4096);
		rc = exposition_read(&r, rows[i].text, strlen(rows[i].text), &err);
		assert_int_equal(rc, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(str_or(b.data, ""), rows[i].want);
	}
}

static void show_known(void *arg, unsigned place, double value)
{
	buf_addf(arg, "#%u %g;", place, value);
}

/* Each text after those before it: what begins as it did is told by its place. */
static void test_layout(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"# x\na{le=\"1\"} 1\na{le=\"2\"}  2\nb 3", "a[le=1] 1;a[le=2] 2;b 3;"},
		{"# x\na{le=\"1\"} 7\na{le=\"2\"}  8.5\nb 1e3", "#0 7;#1 8.5;#2 1000;"},
		{"a{le=\"1\"} 1\nb 3\n", "#0 1;b 3;"},
		{"a{le=\"1\"} 1\nb 3\nb 4", "#0 1;#1 3;#2 4;"},
		{"a{le=\"1\"} 1 1700000000\nb +Inf\n", "a[le=1] 1;b inf;"},
		{"a{le=\"1\"} 5\nb 6\n", "#0 5;#1 6;"},
		{"a{le=\"1\"} 5x\n", NULL},
		{"a{le=\"1\"} \n", NULL},
		{"a{le=\"1\"} 1\nb 3", "#0 1;#1 3;"},
		{"a{le=\"1\"} 123456789012345678\nb 30", "#0 1.23457e+17;#1 30;"},
	};
	struct exposition_layout layout = {NULL, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf b;
		const struct exposition_reader r = {
			.fn = show, .again = show_known, .layout = &layout, .arg = &b};
		int rc;

		buf_init(&b, 4096);
		rc = exposition_read(&r, rows[i].text, strlen(rows[i].text), NULL);
		assert_int_equal(rc, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(str_or(b.data, ""), rows[i].want);
	}
	exposition_layout_release(&layout);
}

/* What is kept of a hostile text is bounded; what is not kept is read all the same. */
static void test_layout_is_bounded(void **state)
{
	struct exposition_layout layout = {NULL, 0};
	cleanup_buf struct buf text, out;
	const struct exposition_reader r = {
		.fn = show, .again = show_known, .layout = &layout, .arg = &out};

	(void)state;
	buf_init(&text, 1 << 20);
	buf_addf(&text, "a{x=\"%0600d\"} 1\n", 0);
	for (unsigned i = 1; i < 2 * EXPOSITION_PLACES_MAX; i++)
		buf_addstr(&text, "b 1\n");
	for (unsigned n = 0; n < 2; n++) {
		buf_init(&out, 1 << 20);
		assert_int_equal(exposition_read(&r, text.data, text.len, NULL), 0);
		assert_int_equal(layout.n, EXPOSITION_PLACES_MAX);
		assert_null(layout.lines[0].start);
		assert_non_null(strstr(out.data, "00] 1;"));
		assert_true(str_ends(out.data, "b 1;"));
		assert_int_equal(strstr(out.data, "#1 1;") != NULL, n);
		buf_release(&out);
	}
	exposition_layout_release(&layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_error_names_the_line),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_some_names),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_layout_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
