#include "canonical.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/str.h"

#define SCALAR_MAX ((size_t)16 << 20)

static int by_key(const void *a, const void *b)
{
	return strcmp(json_key(*(const struct json *const *)a),
	              json_key(*(const struct json *const *)b));
}

static bool skipped(const char *key, const char *const *skip)
{
	for (; skip && *skip; skip++)
		if (str_eq(key, *skip))
			return true;
	return false;
}

static uint64_t hash_object(uint64_t h, const struct json *v, const char *const *skip,
                            struct arena *a)
{
	const struct json **members = arena_array(a, json_size(v), sizeof(*members)), *it;
	size_t n = 0;

	json_for_each (it, v)
		if (json_has(v, json_key(it)) && !skipped(json_key(it), skip))
			members[n++] = it;
	qsort(members, n, sizeof(*members), by_key);
	h = str_hash(h, "{", 1);
	for (size_t i = 0; i < n; i++) {
		h = str_hash(h, json_key(members[i]), strlen(json_key(members[i])) + 1);
		h = canonical_hash(h, members[i], NULL, a);
	}
	return str_hash(h, "}", 1);
}

static uint64_t hash_array(uint64_t h, const struct json *v, struct arena *a)
{
	const struct json *it;

	h = str_hash(h, "[", 1);
	json_for_each (it, v)
		h = canonical_hash(h, it, NULL, a);
	return str_hash(h, "]", 1);
}

static uint64_t hash_scalar(uint64_t h, const struct json *v)
{
	cleanup_buf struct buf text;

	buf_init(&text, SCALAR_MAX);
	json_write_value(&text, v);
	return str_hash(h, text.data, text.len + 1);
}

uint64_t canonical_hash(uint64_t seed, const struct json *v, const char *const *skip,
                        struct arena *a)
{
	if (json_is_object(v))
		return hash_object(seed, v, skip, a);
	if (json_is_array(v))
		return hash_array(seed, v, a);
	return v ? hash_scalar(seed, v) : str_hash(seed, "", 1);
}
