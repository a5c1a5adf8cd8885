/* Trees that are made rather than parsed. */
#include "json_node.h"

static struct json *node(struct arena *a, enum json_type type)
{
	struct json *v = arena_alloc(a, sizeof(*v));

	v->type = type;
	return v;
}

struct json *json_new_object(struct arena *a)
{
	return node(a, JSON_OBJECT);
}

struct json *json_new_str(struct arena *a, const char *s)
{
	struct json *v = node(a, JSON_STRING);

	v->text = arena_strdup(a, s);
	return v;
}

struct json *json_new_i64(struct arena *a, int64_t n)
{
	struct json *v = node(a, JSON_NUMBER);

	v->number = (double)n;
	return v;
}

void json_add(struct arena *a, struct json *object, const char *key, struct json *v)
{
	v->key = arena_strdup(a, key);
	json_node_append(object, v);
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	struct json *copy = node(a, v->type), *member;
	const struct json *it;

	copy->number = v->number;
	copy->text = arena_strdup(a, v->text);
	copy->plain_text = v->plain_text;
	json_for_each (it, v) {
		member = json_copy(a, it);
		member->key = arena_strdup(a, it->key);
		member->plain_key = it->plain_key;
		json_node_append(copy, member);
	}
	return copy;
}
