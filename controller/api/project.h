/*
 * What the decoders of controller/api share: reading bounded values out of JSON into an arena, and
 * deep-copying such drafts into the one block of a cached object.
 *
 * Every kind is decoded the same way: a draft whose strings and arrays live in the scratch arena,
 * then object_pack() with a fill function that copies the draft. A fill function runs twice
 * (kube/object.h), so it only copies and decides nothing.
 */
#ifndef TIDEGATE_API_PROJECT_H
#define TIDEGATE_API_PROJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/kube/object.h"

/* --- reading ----------------------------------------------------------------------------- */
/* A whole number within int, else fallback. */
int json_int(const struct json *o, const char *key, int fallback);
/* RFC 3339; 0 when missing or unreadable. */
int64_t json_time(const struct json *o, const char *key);
const char *json_annotation(const struct json *object, const char *key);
const char *json_label(const struct json *object, const char *key);
/* Our apply-hash annotation, 16 hex digits; 0 when absent or something else. */
uint64_t json_apply_hash(const struct json *object);
/* Resource quantity, as text or number; negative and unreadable ones count 0. */
int64_t json_quantity(const struct json *v);
int64_t json_quantity_milli(const struct json *v);
/* s cut to at most max bytes, never inside a character. */
const char *text_cut(struct arena *a, const char *s, size_t max);
/* All members of a string map, or those whose key starts with prefix (NULL = all). */
const struct label *labels_decode(struct arena *a, const struct json *map, const char *prefix,
                                  unsigned *n);

/* --- packing ----------------------------------------------------------------------------- */
/* As pack_str(), but texts that nearly every object repeats are shared constants. */
const char *pack_name(struct packer *p, const char *s);
const struct extended *pack_extended(struct packer *p, const struct extended *e, unsigned n);

/* --- comparing --------------------------------------------------------------------------- */
bool labels_same(const struct label *a, unsigned na, const struct label *b, unsigned nb);
bool extended_same(const struct extended *a, unsigned na, const struct extended *b, unsigned nb);
/* The common part that handlers look at: incarnation, owner, deletion. */
bool meta_same(const struct object *a, const struct object *b);

#endif
