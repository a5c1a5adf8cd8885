/* Look-ups in a parsed tree. */
#include "tidegate/base/json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "json_node.h"
#include "tidegate/base/str.h"

/* Beyond it a double may stand for more than one integer. */
#define SAFE_INTEGER_MAX 9007199254740991.0

const struct json *json_member(const struct json *o, const char *key, size_t n)
{
	const struct json *it;

	if (!json_node_is(o, JSON_OBJECT))
		return NULL;
	for (it = o->first; it; it = it->next)
		if (it->key.len == n && *it->key.s == *key && !memcmp(it->key.s, key, n))
			return it;
	return NULL;
}

const struct json *json_path(const struct json *o, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, o);
	while (o && (key = va_arg(ap, const char *)))
		o = json_get(o, key);
	va_end(ap);
	return o;
}

bool json_is_object(const struct json *v)
{
	return json_node_is(v, JSON_OBJECT);
}

bool json_is_array(const struct json *v)
{
	return json_node_is(v, JSON_ARRAY);
}

bool json_is_string(const struct json *v)
{
	return json_node_is(v, JSON_STRING);
}

bool json_is_number(const struct json *v)
{
	return json_node_is(v, JSON_NUMBER);
}

bool json_is_bool(const struct json *v)
{
	return json_node_is(v, JSON_TRUE) || json_node_is(v, JSON_FALSE);
}

bool json_value_there(const struct json *v)
{
	return v && !json_node_is(v, JSON_NULL);
}

const char *json_value_str(const struct json *v)
{
	return json_node_is(v, JSON_STRING) ? v->text.s : NULL;
}

int64_t json_value_i64(const struct json *v, int64_t fallback)
{
	if (!json_node_is(v, JSON_NUMBER) || fabs(v->number) > SAFE_INTEGER_MAX ||
	    v->number != trunc(v->number))
		return fallback;
	return (int64_t)v->number;
}

double json_value_double(const struct json *v, double fallback)
{
	return json_node_is(v, JSON_NUMBER) && isfinite(v->number) ? v->number : fallback;
}

bool json_value_bool(const struct json *v, bool fallback)
{
	return json_is_bool(v) ? json_node_is(v, JSON_TRUE) : fallback;
}

const char *json_key(const struct json *v)
{
	return v ? v->key.s : NULL;
}

size_t json_size(const struct json *v)
{
	const struct json *it;
	size_t n = 0;

	json_for_each (it, v)
		n++;
	return n;
}

const struct json *json_find_i64(const struct json *array, const char *key, int64_t v)
{
	const struct json *it;

	json_for_each (it, array)
		if (json_has(it, key) && json_i64(it, key, 0) == v)
			return it;
	return NULL;
}

const struct json *json_first(const struct json *v)
{
	return v ? v->first : NULL;
}

const struct json *json_next(const struct json *v)
{
	return v->next;
}

/* --- comparing --------------------------------------------------------------------------- */

static bool same_array(const struct json *want, const struct json *have, bool loose)
{
	const struct json *x = json_first(want), *y = json_first(have);

	for (; x && y; x = json_next(x), y = json_next(y))
		if (!json_same(x, y, loose))
			return false;
	return !x && !y;
}

static bool same_object(const struct json *want, const struct json *have, bool loose)
{
	const struct json *it;

	json_for_each (it, want)
		if (!json_same(it, json_member(have, it->key.s, it->key.len), loose))
			return false;
	return loose || json_size(want) == json_size(have);
}

bool json_same(const struct json *want, const struct json *have, bool loose)
{
	if (!have)
		return false;
	if (json_is_object(want))
		return json_is_object(have) && same_object(want, have, loose);
	if (json_is_array(want))
		return json_is_array(have) && same_array(want, have, loose);
	if (json_is_string(want))
		return json_is_string(have) && want->text.len == have->text.len &&
		       !memcmp(want->text.s, have->text.s, want->text.len);
	if (json_is_number(want))
		return json_is_number(have) &&
		       json_value_double(want, 0) == json_value_double(have, 0);
	if (json_is_bool(want))
		return json_is_bool(have) &&
		       json_value_bool(want, false) == json_value_bool(have, false);
	return !json_is_object(have) && !json_is_array(have) && !json_is_string(have) &&
	       !json_is_number(have) && !json_is_bool(have);
}
