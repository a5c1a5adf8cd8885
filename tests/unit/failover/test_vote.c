/* The text of a vote: what goes out comes back, what is too much or wrong does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/vote.h"

static const struct vote_sum sums[] = {{"a", 200, 180, 3}, {"b", 200, 0, 0}};
static const struct vote_entry entries[] = {
	{"shop/ranker", "a", 2, 2, 1, 0, -1, 0},
	{"shop/ranker", "b", 3, 0, 0, 3, 61500, 0},
	{"shop/search", "a", 0, 0, 0, 0, -1, 0},
};
static const struct vote full = {
	.zone = "b", .sums = sums, .nsums = 2, .entries = entries, .nentries = 3};

static void read_back(struct arena *a, const char *text, struct vote *v)
{
	struct err err = ERR_INIT;

	if (vote_decode(text, strlen(text), a, v, &err))
		fail_msg("%s in %s", err.msg, text);
}

static void round_trip(struct arena *a, const struct vote *v, struct vote *out)
{
	cleanup_buf struct buf b;

	buf_init(&b, VOTE_MAX);
	vote_encode(v, &b);
	read_back(a, b.data, out);
}

static void test_text(void **state)
{
	cleanup_buf struct buf b;

	(void)state;
	buf_init(&b, VOTE_MAX);
	vote_encode(&full, &b);
	assert_string_equal(b.data, "{\"zone\":\"b\",\"sees\":{\"a\":[200,180,3],\"b\":[200,0,0]},"
	                            "\"models\":{\"shop/ranker\":{\"a\":[2,2,1,0,-1],"
	                            "\"b\":[3,0,0,3,61]},\"shop/search\":{\"a\":[0,0,0,0,-1]}}}");
	vote_encode(&(struct vote){.blind = true, .zone = NULL}, &b);
	assert_string_equal(b.data, "{\"zone\":\"\",\"blind\":true,\"sees\":{},\"models\":{}}");
}

static void test_comes_back(void **state)
{
	cleanup_arena struct arena a;
	const struct vote_entry *e;
	struct vote v;

	(void)state;
	arena_init(&a, 0);
	round_trip(&a, &full, &v);
	assert_string_equal(v.zone, "b");
	assert_false(v.blind);
	assert_false(v.more);
	assert_int_equal(v.nsums, 2);
	assert_string_equal(v.sums[0].zone, "a");
	assert_int_equal(v.sums[0].shaky, 180);
	assert_int_equal(v.nentries, 3);
	e = vote_find(&v, "shop/ranker", "b");
	assert_non_null(e);
	assert_int_equal(e->ready, 3);
	assert_int_equal(e->good_ms, 61000);
	assert_int_equal(vote_find(&v, "shop/ranker", "a")->good_ms, -1);
	assert_null(vote_find(&v, "shop/ranker", "c"));
	assert_null(vote_find(&v, "shop/other", "a"));
	round_trip(&a, &(struct vote){.zone = "", .blind = true}, &v);
	assert_true(v.blind);
	assert_int_equal(v.nentries, 0);
	assert_null(vote_find(&v, "shop/ranker", "a"));
}

/* Who does not know of those that serve clients reads the first five numbers. */
static void test_served_stands_last_and_may_be_missing(void **state)
{
	cleanup_arena struct arena a;
	struct vote_entry e = {"shop/ranker", "a", 4, 4, 4, 0, -1, 3};
	struct vote v = {.zone = "b", .sums = sums, .nsums = 2, .entries = &e, .nentries = 1};
	cleanup_buf struct buf text;

	(void)state;
	arena_init(&a, 0);
	buf_init(&text, VOTE_MAX);
	vote_encode(&v, &text);
	assert_non_null(strstr(text.data, "[4,4,4,0,-1,3]"));
	round_trip(&a, &v, &v);
	assert_int_equal(v.entries[0].served, 3);
	read_back(&a, "{\"sees\":{},\"models\":{\"z/z\":{\"b\":[1,1,1,0,-1]}}}", &v);
	assert_int_equal(v.entries[0].served, 0);
}

/* Whoever wrote it may have had another order. */
static void test_is_sorted(void **state)
{
	cleanup_arena struct arena a;
	struct vote v;

	(void)state;
	arena_init(&a, 0);
	read_back(&a,
	          "{\"sees\":{},\"models\":{\"z/z\":{\"b\":[1,0,0,1,5],\"a\":[1,1,1,0,-1]},"
	          "\"a/a\":{\"c\":[4,0,0,4,9]}}}",
	          &v);
	assert_string_equal(v.entries[0].model, "a/a");
	assert_int_equal(vote_find(&v, "z/z", "a")->failing, 1);
	assert_int_equal(vote_find(&v, "a/a", "c")->pods, 4);
}

/* 5,000 models in a dark zone: what finds no room is left out, and that is said. */
static void test_bounds(void **state)
{
	enum { MODELS = 5000 };
	static struct vote_entry many[MODELS];
	static char names[MODELS][64];
	cleanup_arena struct arena a;
	struct vote v = {
		.zone = "b", .sums = sums, .nsums = 2, .entries = many, .nentries = MODELS};
	struct vote out;

	(void)state;
	for (int i = 0; i < MODELS; i++) {
		snprintf(names[i], sizeof(names[i]), "shop/ranker-number-%05d", i);
		many[i] = (struct vote_entry){names[i], "a", 2, 2, 2, 0, -1, 0};
	}
	arena_init(&a, 0);
	round_trip(&a, &v, &out);
	assert_true(out.more);
	assert_true(out.nentries > 1500);
	assert_true(out.nentries < MODELS);
	assert_int_equal(out.sums[0].failing, 3);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "JSON"},
		{"[]", "object"},
		{"{\"models\":{}}", "sees"},
		{"{\"sees\":{\"a\":[1,2]}}", "sees.a"},
		{"{\"sees\":{\"a\":[1,2,-3]}}", "sees.a"},
		{"{\"sees\":{\"a\":3}}", "sees.a"},
		{"{\"sees\":{},\"models\":{\"m\":{\"a\":[1,0,0,1]}}}", "models.m.a"},
		{"{\"sees\":{},\"models\":{\"m\":{\"a\":[1,0,0,\"1\",5]}}}", "models.m.a"},
		{"{\"sees\":{},\"models\":{\"m\":{\"a\":[99999999,0,0,1,5]}}}", "models.m.a"},
		{"{\"sees\":{},\"models\":{\"m\":{\"a\":[1,0,0,1,-7]}}}", "models.m.a"},
		{"{\"sees\":{},\"models\":{\"m\":{\"a\":[1,0,0,1,-1,-1]}}}", "models.m.a"},
	};
	cleanup_free char *big = xmalloc(VOTE_MAX + 2);
	cleanup_arena struct arena a;
	struct err err = ERR_INIT;
	struct vote v;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		err_clear(&err);
		assert_int_equal(vote_decode(rows[i].text, strlen(rows[i].text), &a, &v, &err), -1);
		if (!strstr(err.msg, rows[i].why))
			fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].text, err.msg, rows[i].why);
	}
	memset(big, ' ', VOTE_MAX + 1);
	big[VOTE_MAX + 1] = '\0';
	err_clear(&err);
	assert_int_equal(vote_decode(big, VOTE_MAX + 1, &a, &v, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
}

static void note(void *arg, const char *model)
{
	buf_addf(arg, "%s ", model);
}

static void test_compare(void **state)
{
	static const struct vote_entry later[] =
		{
			{"shop/ranker", "a", 2, 2, 1, 0, -1, 0},
			{"shop/ranker", "b", 3, 0, 0, 3, 99000, 0},
			{"shop/search", "a", 2, 2, 0, 0, -1, 0},
		},
				       fewer[] = {
					       {"shop/ranker", "a", 2, 2, 2, 0, -1, 0},
				       };
	struct vote a = full, b = full, none = {.zone = ""};
	cleanup_buf struct buf text;

	(void)state;
	buf_init(&text, 256);
	b.entries = later;
	vote_compare(&a, &b, note, &text);
	assert_string_equal(text.data, "shop/search ");
	b.entries = fewer;
	b.nentries = 1;
	buf_reset(&text);
	vote_compare(&a, &b, note, &text);
	assert_string_equal(text.data, "shop/ranker shop/search ");
	buf_reset(&text);
	vote_compare(&none, &a, note, &text);
	assert_string_equal(text.data, "shop/ranker shop/search ");
	buf_reset(&text);
	vote_compare(&a, &a, note, &text);
	assert_string_equal(text.data, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_served_stands_last_and_may_be_missing),
		cmocka_unit_test(test_is_sorted),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
