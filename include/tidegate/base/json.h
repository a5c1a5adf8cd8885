/*
 * JSON in and out.
 *
 * Reading: json_parse() builds a tree inside an arena that lives as long as the
 * arena; project it into a struct and drop it, never keep it. Look-ups are case-sensitive. Numbers:
 * a 64-bit integer beyond 2^53 is refused by json_i64() rather than rounded.
 *
 * Writing: struct json_writer streams into a struct buf and escapes only what
 * JSON requires and what the API server's YAML parser, which reads apply patches,
 * would refuse or fold as raw text. Invalid UTF-8 becomes U+FFFD.
 * It never writes an integer through a double; json_write_value() writes numbers
 * that a double cannot hold with the digits they were read with.
 */
#ifndef TIDEGATE_BASE_JSON_H
#define TIDEGATE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

struct json;

/*
 * Whole input must be one JSON value. Depth is limited to 100, a number to 60 characters.
 * A \u0000 in a string becomes U+FFFD. NULL and *err on failure.
 */
const struct json *json_parse(struct arena *a, const char *text, size_t len, struct err *err);

/*
 * The same for an object of the API server, or a watch event around one: metadata.managedFields is
 * an empty list in the tree. It is up to half of what is sent, and caches have no use for it.
 */
const struct json *json_parse_object(struct arena *a, const char *text, size_t len,
                                     struct err *err);

/* The same check without a tree. */
int json_check(const char *text, size_t len, struct err *err);

/* All getters accept NULL for the object and answer as if the key were missing. */
const struct json *json_member(const struct json *o, const char *key, size_t n);
/* json_path(o, "status", "conditions", NULL) */
const struct json *json_path(const struct json *o, ...) __attribute__((sentinel));

bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
bool json_is_string(const struct json *v);
bool json_is_number(const struct json *v);
bool json_is_bool(const struct json *v);
bool json_value_there(const struct json *v);      /* neither NULL nor null */
const char *json_value_str(const struct json *v); /* NULL when not a string */
int64_t json_value_i64(const struct json *v, int64_t fallback);
double json_value_double(const struct json *v, double fallback);
bool json_value_bool(const struct json *v, bool fallback);

/* Here, so that the length of a key that stands in the source is known. */
static inline const struct json *json_get(const struct json *o, const char *key)
{
	return key ? json_member(o, key, strlen(key)) : NULL;
}
/* NULL when missing or of another type. The text lives in the arena. */
static inline const char *json_str(const struct json *o, const char *key)
{
	return json_value_str(json_get(o, key));
}
static inline bool json_bool(const struct json *o, const char *key, bool fallback)
{
	return json_value_bool(json_get(o, key), fallback);
}
/* fallback when missing, of another type, not whole, or beyond +-(2^53 - 1). */
static inline int64_t json_i64(const struct json *o, const char *key, int64_t fallback)
{
	return json_value_i64(json_get(o, key), fallback);
}
static inline double json_double(const struct json *o, const char *key, double fallback)
{
	return json_value_double(json_get(o, key), fallback);
}
/* Present and not null. */
static inline bool json_has(const struct json *o, const char *key)
{
	return json_value_there(json_get(o, key));
}

const char *json_key(const struct json *v); /* name of a member, NULL for an array element */
size_t json_size(const struct json *v);     /* members or elements, 0 for others */
/* The first element whose member `key` is the number v; NULL: none is. */
const struct json *json_find_i64(const struct json *array, const char *key, int64_t v);

const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
#define json_for_each(it, parent) for ((it) = json_first(parent); (it); (it) = json_next(it))

/* Same meaning; `loose`: have may have members that want does not name. */
bool json_same(const struct json *want, const struct json *have, bool loose);

/*
 * Trees that are made, and changed, in an arena. A member is the object's from then on, and of no
 * other; what it takes the place of stays in the arena unused.
 */
struct json *json_new_object(struct arena *a);
struct json *json_new_str(struct arena *a, const char *s);
struct json *json_new_i64(struct arena *a, int64_t n);
/* Without its key. */
struct json *json_copy(struct arena *a, const struct json *v);
/* The member of this name, to be changed itself. */
struct json *json_edit(struct json *object, const char *key);
/* In place of the member of this name; behind the others when there is none. */
void json_set(struct arena *a, struct json *object, const char *key, struct json *v);
/* False: there is none of this name. */
bool json_remove(struct json *object, const char *key);
/* Sets a copy of `member`, which is another object's. False: it said the same already. */
bool json_put(struct arena *a, struct json *object, const struct json *member);
/* Merges it, as a merge patch is (RFC 7396). False: that changed nothing. */
bool json_patch(struct arena *a, struct json *object, const struct json *member);

/* Compact text of a value, e.g. to keep a user's pod template as it was written. */
int json_write_value(struct buf *out, const struct json *v);
/* A quoted and escaped string. On -1 the buffer is as it was, as with json_write_value(). */
int json_write_string(struct buf *out, const char *s, size_t n);

struct json_writer {
	struct buf *out;
	bool failed;       /* the buffer's maximum was passed; checked once, by jw_end() */
	uint64_t has_item; /* one bit a level: a comma is due */
	unsigned depth;
};

/* key is NULL inside an array and at the top. */
void jw_init(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w, const char *key);
void jw_end_object(struct json_writer *w);
void jw_array(struct json_writer *w, const char *key);
void jw_end_array(struct json_writer *w);
void jw_str(struct json_writer *w, const char *key, const char *v); /* NULL v: nothing written */
void jw_strn(struct json_writer *w, const char *key, const char *v, size_t n);
void jw_i64(struct json_writer *w, const char *key, int64_t v);
void jw_bool(struct json_writer *w, const char *key, bool v);
void jw_null(struct json_writer *w, const char *key);
/* Shortest text that reads back the same; NaN and infinities become null. For reports only. */
void jw_double(struct json_writer *w, const char *key, double v);
void jw_strf(struct json_writer *w, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Ready JSON text, trusted to be valid. */
void jw_raw(struct json_writer *w, const char *key, const char *json);
/* A parsed value copied as it is. */
void jw_value(struct json_writer *w, const char *key, const struct json *v);
/* 0, or -1 when the buffer's maximum was passed or a level was left open. */
int jw_end(struct json_writer *w);

#endif
