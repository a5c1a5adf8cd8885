/* Framing: every stream is cut at every position, the frames must not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/kube/frame.h"

#define SMALL_MAX 4096

/* Frames as text, one a line: O, I or T, a space, the JSON. */
struct sink {
	struct buf out;
	int stop_after; /* refuse the n-th frame; 0 = none */
	int n;
};

static int collect(void *arg, enum frame_part part, const char *json, size_t len, struct err *err)
{
	struct sink *s = arg;

	assert_int_equal(strlen(json), len);
	if (++s->n == s->stop_after)
		return err_set(err, ERR_GONE, "enough");
	return buf_addf(&s->out, "%c %s\n", "OIT"[part], json);
}

/* Feeds pieces [0,a) [a,b) [b,len) from blocks of their own, so that ASan sees any overrun. */
static int run(struct sink *s, enum frame_mode mode, size_t max, const char *text, size_t a,
               size_t b, struct err *err)
{
	size_t cut[4] = {0, a, b, strlen(text)};
	struct frame f;
	int rc = 0;

	buf_init(&s->out, 1u << 20);
	s->n = 0;
	frame_init(&f, mode, max, collect, s);
	for (int i = 0; i < 3 && rc == 0; i++) {
		size_t n = cut[i + 1] - cut[i];
		char *piece = xmalloc(n + 1);

		memcpy(piece, text + cut[i], n);
		piece[n] = '!';
		rc = frame_feed(&f, piece, n, err);
		free(piece);
	}
	if (rc)
		assert_int_equal(frame_feed(&f, "{}", 2, NULL), -1);
	else
		rc = frame_finish(&f, err);
	frame_release(&f);
	return rc;
}

struct good {
	enum frame_mode mode;
	const char *in, *out;
};

static const struct good goods[] = {
	{FRAME_WATCH, "", ""},
	{FRAME_WATCH, " \r\n\t", ""},
	{FRAME_WATCH, "{}", "O {}\n"},
	{FRAME_WATCH, "{}{}\n\n {}", "O {}\nO {}\nO {}\n"},
	{FRAME_WATCH, "{\"a\":{\"b\":[1,{\"c\":[]}]}}\n{\"d\":null}\n",
         "O {\"a\":{\"b\":[1,{\"c\":[]}]}}\nO {\"d\":null}\n"},
	{FRAME_WATCH, "{\"a\":\"}{][\"}{\"b\":\"\\\"}\\\\\"}",
         "O {\"a\":\"}{][\"}\nO {\"b\":\"\\\"}\\\\\"}\n"},
	{FRAME_WATCH, "{\"\\\\\":\"\\\\\\\"{\"}", "O {\"\\\\\":\"\\\\\\\"{\"}\n"},
	{FRAME_WATCH, "{\"\xc3\xa9\":\"\xf0\x9f\x98\x80}\"}",
         "O {\"\xc3\xa9\":\"\xf0\x9f\x98\x80}\"}\n"},
	{FRAME_WATCH, "{ \"n\" : -1.5e+10 , \"t\":true,\"f\":false }",
         "O { \"n\" : -1.5e+10 , \"t\":true,\"f\":false }\n"},
	{FRAME_WATCH, "{\"items\":[{}]}", "O {\"items\":[{}]}\n"},

	{FRAME_LIST, "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}",
         "T {\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}\n"},
	{FRAME_LIST, "{\"items\":[{\"a\":1},{\"b\":[{}]}],\"metadata\":{\"continue\":\"x\"}}",
         "I {\"a\":1}\nI {\"b\":[{}]}\nT {\"items\":[],\"metadata\":{\"continue\":\"x\"}}\n"},
	{FRAME_LIST, " { \"items\" : [ {\"a\":1} ,\n{\"b\":2} ] , \"z\" : 1 }\n",
         "I {\"a\":1}\nI {\"b\":2}\nT { \"items\" : [] , \"z\" : 1 }\n"},
	{FRAME_LIST, "{\"items\": null,\"z\":{}}", "T {\"items\": null,\"z\":{}}\n"},
	{FRAME_LIST, "{\"metadata\":{\"items\":[{\"x\":1}]},\"items\":[{\"y\":2}]}",
         "I {\"y\":2}\nT {\"metadata\":{\"items\":[{\"x\":1}]},\"items\":[]}\n"},
	{FRAME_LIST, "{\"items\":[{\"items\":[{}],\"s\":\"items\"}]}",
         "I {\"items\":[{}],\"s\":\"items\"}\nT {\"items\":[]}\n"},
	{FRAME_LIST, "{\"k\":\"items\",\"a\":\"\\\"items\\\":[{}]\",\"items\":[{}]}",
         "I {}\nT {\"k\":\"items\",\"a\":\"\\\"items\\\":[{}]\",\"items\":[]}\n"},
	{FRAME_LIST, "{\"item\":[{}],\"itemss\":[{}],\"xitems\":[1],\"it\\u0065ms\":[{}]}",
         "T {\"item\":[{}],\"itemss\":[{}],\"xitems\":[1],\"it\\u0065ms\":[{}]}\n"},
	{FRAME_LIST, "{\"a\":[\"items\",{\"items\":1}],\"items\":[{\"q\":\"]}\"}]}",
         "I {\"q\":\"]}\"}\nT {\"a\":[\"items\",{\"items\":1}],\"items\":[]}\n"},
	{FRAME_LIST, "{\"items\\n\":[{}],\"\\nitems\":[{}],\"items\\u0000\":1}",
         "T {\"items\\n\":[{}],\"\\nitems\":[{}],\"items\\u0000\":1}\n"},
	{FRAME_LIST, "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}",
         "T {\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}\n"},
	{FRAME_LIST, "{}", "T {}\n"},
};

static void test_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		size_t len = strlen(goods[i].in);

		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++) {
				struct err err = ERR_INIT;
				struct sink s = {0};
				int rc = run(&s, goods[i].mode, SMALL_MAX, goods[i].in, a, b, &err);

				if (rc || strcmp(s.out.data, goods[i].out) != 0)
					fail_msg("%s cut at %zu and %zu: %s%s", goods[i].in, a, b,
					         s.out.data, err.msg);
				buf_release(&s.out);
			}
		}
	}
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		struct sink s = {0};
		struct frame f;

		buf_init(&s.out, 1u << 20);
		frame_init(&f, goods[i].mode, SMALL_MAX, collect, &s);
		for (const char *p = goods[i].in; *p; p++)
			assert_int_equal(frame_feed(&f, p, 1, NULL), 0);
		assert_int_equal(frame_finish(&f, NULL), 0);
		assert_string_equal(s.out.data, goods[i].out);
		frame_release(&f);
		buf_release(&s.out);
	}
}

struct bad {
	enum frame_mode mode;
	const char *in;
	enum err_class class;
	const char *words;
};

static const struct bad bads[] = {
	{FRAME_WATCH, "x", ERR_PROTOCOL, "'x' where an object should start"},
	{FRAME_WATCH, "{}}", ERR_PROTOCOL, "'}' where an object should start"},
	{FRAME_WATCH, "[]", ERR_PROTOCOL, "'[' where an object should start"},
	{FRAME_WATCH, "{\"a\":[}]}", ERR_PROTOCOL, "closes another bracket"},
	{FRAME_WATCH, "{\"a\":{]}", ERR_PROTOCOL, "closes another bracket"},
	{FRAME_WATCH, "{\"a\":<html>}", ERR_PROTOCOL, "'<' inside an object"},
	{FRAME_WATCH, "{\"a\n\":1}", ERR_PROTOCOL, "byte 0x0a inside a string"},
	{FRAME_WATCH, "{\"a\":\"\x01\"}", ERR_PROTOCOL, "byte 0x01 inside a string"},
	{FRAME_WATCH, "{\x80}", ERR_PROTOCOL, "byte 0x80 inside an object"},
	{FRAME_WATCH, "{\"a\":1}{\"b\":", ERR_TRANSPORT, "ended inside an object"},
	{FRAME_WATCH, "{\"a", ERR_TRANSPORT, "ended inside an object"},
	{FRAME_LIST, "", ERR_TRANSPORT, "before it was complete"},
	{FRAME_LIST, "{\"items\":[{\"a\":1}", ERR_TRANSPORT, "before it was complete"},
	{FRAME_LIST, "{\"items\":[{\"a\":1}],", ERR_TRANSPORT, "before it was complete"},
	{FRAME_LIST, "{\"items\":[{},]}", ERR_PROTOCOL, "']' where a list item should start"},
	{FRAME_LIST, "{\"items\":[,{}]}", ERR_PROTOCOL, "',' where a list item should start"},
	{FRAME_LIST, "{\"items\":[null]}", ERR_PROTOCOL, "'n' where a list item should start"},
	{FRAME_LIST, "{\"items\":[1]}", ERR_PROTOCOL, "'1' where a list item should start"},
	{FRAME_LIST, "{\"items\":[{}{}]}", ERR_PROTOCOL, "'{' between two list items"},
	{FRAME_LIST, "{\"items\":{}}", ERR_PROTOCOL, "'{' where the list of items should start"},
	{FRAME_LIST, "{\"items\":\"x\"}", ERR_PROTOCOL, "where the list of items should start"},
	{FRAME_LIST, "{\"items\":[]}{}", ERR_PROTOCOL, "'{' after the end of the list"},
	{FRAME_LIST, "[{}]", ERR_PROTOCOL, "'[' where an object should start"},
	{FRAME_LIST, "<html>", ERR_PROTOCOL, "'<' where an object should start"},
};

static void test_bad_input(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		for (size_t a = 0; a <= strlen(bads[i].in); a++) {
			struct err err = ERR_INIT;
			struct sink s = {0};

			assert_int_equal(run(&s, bads[i].mode, SMALL_MAX, bads[i].in, a, a, &err),
			                 -1);
			if (err.class != bads[i].class || !strstr(err.msg, bads[i].words))
				fail_msg("%s cut at %zu: %s", bads[i].in, a, err.msg);
			buf_release(&s.out);
		}
	}
}

static void test_bounds(void **state)
{
	static const struct {
		enum frame_mode mode;
		const char *in;
		size_t fits; /* smallest max_frame that is enough */
	} rows[] = {
		{FRAME_WATCH, "{\"a\":\"0123456789\"}{\"b\":1}", 18},
		{FRAME_LIST, "{\"items\":[{\"a\":\"0123456789\"},{}]}", 18},
		{FRAME_LIST, "{\"items\":[{}],\"m\":\"0123456789\"}", 29},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t max = rows[i].fits - 1; max <= rows[i].fits; max++) {
			struct err err = ERR_INIT;
			struct sink s = {0};
			int rc = run(&s, rows[i].mode, max, rows[i].in, 4, 9, &err);

			assert_int_equal(rc, max < rows[i].fits ? -1 : 0);
			assert_int_equal(err.class, rc ? ERR_TOO_BIG : ERR_NONE);
			buf_release(&s.out);
		}
	}
}

/* White space is allowed, but not instead of objects for ever. */
static void test_white_space_is_bounded(void **state)
{
	static char blank[FRAME_MAX_BLANK];
	struct frame f;
	struct sink s = {0};
	struct err err = ERR_INIT;

	(void)state;
	memset(blank, ' ', sizeof(blank));
	buf_init(&s.out, 64);
	frame_init(&f, FRAME_WATCH, 0, collect, &s);
	assert_int_equal(frame_feed(&f, blank, sizeof(blank), &err), 0);
	assert_int_equal(frame_feed(&f, "{}", 2, &err), 0);
	assert_int_equal(frame_feed(&f, blank, sizeof(blank), &err), 0);
	assert_int_equal(frame_feed(&f, "\n", 1, &err), -1);
	assert_int_equal(err.class, ERR_PROTOCOL);
	frame_release(&f);
	buf_release(&s.out);
}

static void test_depth(void **state)
{
	char text[2 * FRAME_MAX_DEPTH * 5 + 1];

	(void)state;
	for (int depth = FRAME_MAX_DEPTH - 1; depth <= FRAME_MAX_DEPTH; depth++) {
		struct err err = ERR_INIT;
		struct sink s = {0};
		size_t n = 0;
		int rc;

		for (int i = 0; i < depth - 1; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"a\":");
		n += (size_t)snprintf(text + n, sizeof(text) - n, "{");
		for (int i = 0; i < depth; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "}");
		rc = run(&s, FRAME_WATCH, SMALL_MAX, text, n / 3, n / 2, &err);
		assert_int_equal(rc, depth < FRAME_MAX_DEPTH ? 0 : -1);
		assert_int_equal(s.n, depth < FRAME_MAX_DEPTH ? 1 : 0);
		buf_release(&s.out);
	}
}

static void test_refusal_stops(void **state)
{
	struct sink s = {.stop_after = 2};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run(&s, FRAME_WATCH, 0, "{\"a\":1}{\"b\":2}{\"c\":3}", 3, 3, &err), -1);
	assert_int_equal(err.class, ERR_GONE);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.out.data, "O {\"a\":1}\n");
	buf_release(&s.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_split),   cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_bad_input),     cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_depth),         cmocka_unit_test(test_white_space_is_bounded),
		cmocka_unit_test(test_refusal_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
