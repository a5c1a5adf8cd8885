#include "field.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

#define MESSAGE_MAX 400

void field_wrong(struct field_reader *r, const char *path, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->failed = true;
	r->fn(r->arg, path, arena_strdup(r->arena, text));
}

char *field_path(struct field_reader *r, const char *path, const char *key)
{
	return arena_printf(r->arena, "%s%s%s", path, *path ? "." : "", key);
}

static bool is_known(const char *key, const char *const *keys)
{
	for (; *keys; keys++)
		if (str_eq(*keys, key))
			return true;
	return false;
}

static const char *enumerate(struct field_reader *r, const char *const *keys)
{
	char *text = arena_strdup(r->arena, *keys);

	while (*++keys)
		text = arena_printf(r->arena, "%s, %s", text, *keys);
	return text;
}

bool field_mapping(struct field_reader *r, const struct json *v, const char *path,
                   const char *const *keys)
{
	const struct json *it;

	if (!json_is_object(v)) {
		field_wrong(r, path, "must be a mapping with some of: %s", enumerate(r, keys));
		return false;
	}
	json_for_each (it, v)
		if (!is_known(json_key(it), keys))
			field_wrong(r, field_path(r, path, json_key(it)),
			            "no such field; known here: %s", enumerate(r, keys));
	return true;
}

unsigned field_list(struct field_reader *r, const struct json *v, const char *path, unsigned max)
{
	size_t n = json_size(v);

	if (!v)
		return 0;
	if (!json_is_array(v)) {
		field_wrong(r, path, "must be a list");
		return 0;
	}
	if (n > max)
		field_wrong(r, path, "has %zu elements; at most %u are possible", n, max);
	return (unsigned)(n > max ? max : n);
}

static const struct json *present(const struct json *o, const char *key)
{
	return json_has(o, key) ? json_get(o, key) : NULL;
}

const char *field_text(struct field_reader *r, const struct json *o, const char *path,
                       const char *key, const char *fallback)
{
	const struct json *v = present(o, key);
	const char *text = json_value_str(v);

	if (!v)
		return fallback;
	if (text && *text)
		return text;
	if (json_is_number(v)) {
		cleanup_buf struct buf b;

		buf_init(&b, MESSAGE_MAX);
		json_write_value(&b, v);
		return arena_strdup(r->arena, b.data);
	}
	field_wrong(r, field_path(r, path, key), "must be a text that is not empty");
	return fallback;
}

int64_t field_int(struct field_reader *r, const struct json *o, const char *path, const char *key,
                  int64_t min, int64_t max, int64_t fallback)
{
	const struct json *v = present(o, key);
	int64_t n = json_value_i64(v, min - 1);

	if (!v)
		return fallback;
	if (n >= min && n <= max)
		return n;
	field_wrong(r, field_path(r, path, key), "must be a whole number from %lld to %lld",
	            (long long)min, (long long)max);
	return fallback;
}

int64_t field_duration(struct field_reader *r, const struct json *o, const char *path,
                       const char *key, int64_t fallback)
{
	const struct json *v = present(o, key);
	double s = json_value_double(v, -1);
	int64_t ms;

	if (!v)
		return fallback;
	if (json_is_number(v) && s >= 0 && s < 1e9)
		return (int64_t)(s * 1000 + 0.5);
	if (json_value_str(v) && !duration_parse(json_value_str(v), &ms, NULL))
		return ms;
	field_wrong(r, field_path(r, path, key),
	            "must be a duration such as 30s, 10m or 1h30m, or a number of seconds");
	return fallback;
}

double field_number(struct field_reader *r, const struct json *o, const char *path, const char *key,
                    double max, double fallback)
{
	const struct json *v = present(o, key);
	double n = json_value_double(v, -1);

	if (!v)
		return fallback;
	if (json_is_number(v) && n >= 0 && n <= max)
		return n;
	field_wrong(r, field_path(r, path, key), "must be a number from 0 to %.0f", max);
	return fallback;
}

double field_share(struct field_reader *r, const struct json *o, const char *path, const char *key,
                   double fallback)
{
	const struct json *v = present(o, key);
	const char *text = json_value_str(v);
	double share = json_value_double(v, -1);

	if (!v)
		return fallback;
	if (text && str_ends(text, "%")) {
		cleanup_free char *number = xstrndup(text, strlen(text) - 1);

		if (str_to_double(number, &share))
			share /= 100;
	}
	if (share >= 0 && share <= 1)
		return share;
	field_wrong(r, field_path(r, path, key),
	            "must be a share such as 5%%, or a number from 0 to 1");
	return fallback;
}

bool field_quantity(struct field_reader *r, const struct json *o, const char *path, const char *key,
                    const char **text, int64_t *units)
{
	const char *given = field_text(r, o, path, key, NULL);

	if (!given)
		return false;
	if (!quantity_parse(given, units, NULL) && *units >= 0) {
		*text = given;
		return true;
	}
	field_wrong(r, field_path(r, path, key), "must be a quantity such as 64 or 24Gi");
	return false;
}
