/* Trees that are made rather than parsed. */
#include <string.h>

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

	v->text_len = (unsigned)strlen(s);
	v->text = arena_memdup(a, s, v->text_len);
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
	v->key_len = (unsigned)strlen(key);
	v->key = arena_memdup(a, key, v->key_len);
	json_node_append(object, v);
}

/* A node of the same meaning, without members. */
static struct json *copy_node(struct arena *a, const struct json *v)
{
	struct json *copy = arena_take(a, sizeof(*copy));

	*copy = *v;
	copy->next = copy->first = copy->last = NULL;
	if (v->text)
		copy->text = v->type == JSON_STRING ? arena_memdup(a, v->text, v->text_len)
		                                    : arena_strdup(a, v->text);
	return copy;
}

static void copy_members(struct arena *a, struct json *to, const struct json *from)
{
	const struct json *it;
	struct json *member;

	json_for_each (it, from) {
		member = copy_node(a, it);
		if (it->key)
			member->key = arena_memdup(a, it->key, it->key_len);
		json_node_append(to, member);
		copy_members(a, member, it);
	}
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	struct json *copy = copy_node(a, v);

	copy->key = NULL;
	copy_members(a, copy, v);
	return copy;
}
