/* ModelDeployments from text, and looks into generated bodies. */
#ifndef TESTS_UNIT_RECONCILE_FIXTURE_H
#define TESTS_UNIT_RECONCILE_FIXTURE_H

#include "../api/fixture.h"
#include "tidegate/api/names.h"
#include "tidegate/reconcile/children.h"

#define META "'metadata':{'name':'ranker','namespace':'shop','uid':'u1'}"

/* spec: the members of .spec, ' for ". The ModelDeployment lives in `a`. */
static inline struct mdep *read_spec(struct arena *a, const char *spec)
{
	struct mdep *m = arena_alloc(a, sizeof(*m));
	struct err err = ERR_INIT;

	if (mdep_read(parse(a, arena_printf(a, "{" META ",'spec':{%s}}", spec)), m, a, &err))
		fail_msg("%s", err.msg);
	m->meta.uid = "u1";
	return m;
}

static inline const struct json *parse_body(struct arena *a, const struct buf *b)
{
	struct err err = ERR_INIT;
	const struct json *v = json_parse(a, b->data, b->len, &err);

	if (!v)
		fail_msg("%s in %s", err.msg, b->data);
	return v;
}

/* Compact text of a value; "-" when it is absent. */
static inline const char *text_of(struct arena *a, const struct json *v)
{
	cleanup_buf struct buf b;

	buf_init(&b, CHILD_BODY_MAX);
	if (!v)
		return "-";
	assert_int_equal(json_write_value(&b, v), 0);
	return arena_strdup(a, b.data);
}

/* The value is this text, ' for ". */
static inline void assert_json(struct arena *a, const struct json *v, const char *want)
{
	cleanup_free char *text = quoted(want);

	assert_string_equal(text_of(a, v), text);
}

static inline const struct json *named(const struct json *list, const char *name)
{
	const struct json *it;

	json_for_each (it, list)
		if (str_eq(json_str(it, "name"), name))
			return it;
	return NULL;
}

#endif
