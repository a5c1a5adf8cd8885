/* Decoding from text in tests: ' stands for " so that objects read well in C. */
#ifndef TESTS_UNIT_API_FIXTURE_H
#define TESTS_UNIT_API_FIXTURE_H

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

static inline char *quoted(const char *text)
{
	char *s = xstrdup(text);

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static inline const struct json *parse(struct arena *a, const char *text)
{
	char *s = quoted(text);
	struct err err = ERR_INIT;
	const struct json *v = json_parse(a, s, strlen(s), &err);

	if (!v)
		fail_msg("%s in %s", err.msg, s);
	free(s);
	return v;
}

/* The caller frees. The tree is gone when this returns, as in the reflector. */
static inline void *decode_text(const struct object_kind *kind, const char *text, struct err *err)
{
	struct arena tree, scratch;
	struct object *o;

	arena_init(&tree, 0);
	arena_init(&scratch, 0);
	o = kind->decode(parse(&tree, text), &scratch, err);
	arena_release(&scratch);
	arena_release(&tree);
	return o;
}

/* An object with this name and the given members behind metadata. */
static inline void *decode_members(const struct object_kind *kind, const char *meta,
                                   const char *members)
{
	char *text = xasprintf("{'metadata':{'name':'n','namespace':'ns','uid':'u1',"
	                       "'resourceVersion':'7'%s%s}%s%s}",
	                       *meta ? "," : "", meta, *members ? "," : "", members);
	struct err err = ERR_INIT;
	void *o = decode_text(kind, text, &err);

	if (!o)
		fail_msg("%s: %s", err.msg, text);
	free(text);
	return o;
}

/* Whether two versions of an object are the same to handlers. */
static inline bool same_members(const struct object_kind *kind, const char *meta_a,
                                const char *members_a, const char *meta_b, const char *members_b)
{
	struct object *a = decode_members(kind, meta_a, members_a);
	struct object *b = decode_members(kind, meta_b, members_b);
	bool same = kind->same(a, b);

	assert_true(kind->same(a, a));
	assert_int_equal(kind->same(b, a), same);
	free(a);
	free(b);
	return same;
}

#endif
