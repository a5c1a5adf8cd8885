/*
 * json_parse() on any bytes, and what it gives written and read again: the second text must be the
 * same as the first. json_check() must agree with json_parse().
 */
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void walk(const struct json *v)
{
	const struct json *it;

	json_for_each (it, v) {
		const char *key = json_key(it);

		if (key && json_get(v, key) == NULL)
			abort();
		json_value_i64(it, 0);
		json_value_double(it, 0);
		walk(it);
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct buf first cleanup_buf, second cleanup_buf;
	struct arena arena cleanup_arena;
	struct err err = ERR_INIT;
	const struct json *v;

	buf_init(&first, 16 * size + 64);
	buf_init(&second, 16 * size + 64);
	arena_init(&arena, 0);
	v = json_parse(&arena, (const char *)data, size, &err);
	if ((json_check((const char *)data, size, NULL) == 0) != (v != NULL))
		abort();
	if (!v) {
		if (err.class != ERR_INVALID)
			abort();
		return 0;
	}
	walk(v);
	if (json_write_value(&first, v) < 0)
		abort();
	v = json_parse(&arena, first.data, first.len, &err);
	if (!v || json_write_value(&second, v) < 0 || strcmp(first.data, second.data) != 0)
		abort();
	return 0;
}
