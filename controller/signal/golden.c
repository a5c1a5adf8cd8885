/* Is this the answer that was expected? */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/model_probe.h"

#define VALUE_MAX 40
#define TEXT_MAX  (256u << 10)

struct comparison {
	struct arena *a;
	double tolerance;
	char *why;
	size_t size;
};

/* Compact, and cut: for a message. */
static const char *text_of(struct comparison *c, const struct json *v)
{
	cleanup_buf struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!v)
		return "nothing";
	return json_write_value(&b, v) ? "something long" : arena_strndup(c->a, b.data, VALUE_MAX);
}

static bool differs(struct comparison *c, const char *path, const struct json *want,
                    const struct json *got)
{
	snprintf(c->why, c->size, "%.60s is %s, expected %s", *path ? path : "the answer",
	         text_of(c, got), text_of(c, want));
	return false;
}

static bool same(struct comparison *c, const char *path, const struct json *want,
                 const struct json *got);

static bool same_members(struct comparison *c, const char *path, const struct json *want,
                         const struct json *got)
{
	const struct json *it;

	json_for_each (it, want) {
		const char *sub =
			arena_printf(c->a, "%s%s%s", path, *path ? "." : "", json_key(it));

		if (!same(c, sub, it, json_get(got, json_key(it))))
			return false;
	}
	return true;
}

static bool same_elements(struct comparison *c, const char *path, const struct json *want,
                          const struct json *got)
{
	const struct json *other = json_first(got), *it;
	unsigned i = 0;

	if (json_size(want) != json_size(got))
		return differs(c, path, want, got);
	json_for_each (it, want) {
		if (!same(c, arena_printf(c->a, "%s[%u]", path, i++), it, other))
			return false;
		other = json_next(other);
	}
	return true;
}

static bool same_number(const struct comparison *c, double want, double got)
{
	return fabs(want - got) <= c->tolerance * fmax(1, fabs(want));
}

/* Texts, truth values, null: their text is their value, the whole of it. */
static bool same_text(const struct json *want, const struct json *got)
{
	cleanup_buf struct buf a, b;

	buf_init(&a, TEXT_MAX);
	buf_init(&b, TEXT_MAX);
	return !json_write_value(&a, want) && !json_write_value(&b, got) && str_eq(a.data, b.data);
}

static bool same(struct comparison *c, const char *path, const struct json *want,
                 const struct json *got)
{
	if (json_is_object(want) && json_is_object(got))
		return same_members(c, path, want, got);
	if (json_is_array(want) && json_is_array(got))
		return same_elements(c, path, want, got);
	if (json_is_number(want) && json_is_number(got))
		return same_number(c, json_value_double(want, 0), json_value_double(got, NAN)) ||
		       differs(c, path, want, got);
	return (got && same_text(want, got)) || differs(c, path, want, got);
}

bool model_probe_golden(const char *expected, double tolerance, const char *body, size_t len,
                        char *why, size_t why_size)
{
	cleanup_arena struct arena a;
	struct comparison c = {&a, tolerance, why, why_size};
	const struct json *want, *got;

	arena_init(&a, 0);
	want = json_parse(&a, expected, strlen(expected), NULL);
	got = json_parse(&a, body, len, NULL);
	if (got && want)
		return same(&c, "", want, got);
	snprintf(why, why_size, "the answer is not JSON");
	return false;
}
