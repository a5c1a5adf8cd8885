/* Trees that are made rather than parsed, and changed. */
#include <string.h>

#include "json_node.h"
#include "tidegate/base/str.h"

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
	v->plain_text = str_plain_run(s, v->text_len) == v->text_len;
	return v;
}

struct json *json_new_i64(struct arena *a, int64_t n)
{
	struct json *v = node(a, JSON_NUMBER);

	v->number = (double)n;
	return v;
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

/* --- changing ---------------------------------------------------------------------------- */

/* The member of this name; *before: the one in front of it. */
static struct json *find(struct json *object, const char *key, size_t n, struct json **before)
{
	struct json *it = object->first;

	*before = NULL;
	while (it && (it->key_len != n || memcmp(it->key, key, n) != 0)) {
		*before = it;
		it = it->next;
	}
	return it;
}

struct json *json_edit(struct json *object, const char *key)
{
	struct json *before;

	return find(object, key, strlen(key), &before);
}

/* `next`: what follows behind it. */
static void link_behind(struct json *object, struct json *before, struct json *next)
{
	if (before)
		before->next = next;
	else
		object->first = next;
}

static void set(struct arena *a, struct json *object, const char *key, size_t n, struct json *v)
{
	struct json *before, *old = find(object, key, n, &before);

	v->key = old ? old->key : arena_memdup(a, key, n);
	v->key_len = (unsigned)n;
	v->plain_key = old ? old->plain_key : str_plain_run(key, n) == n;
	v->next = old ? old->next : NULL;
	link_behind(object, before, v);
	if (!v->next)
		object->last = v;
}

void json_set(struct arena *a, struct json *object, const char *key, struct json *v)
{
	set(a, object, key, strlen(key), v);
}

static bool take_out(struct json *object, const char *key, size_t n)
{
	struct json *before, *old = find(object, key, n, &before);

	if (!old)
		return false;
	link_behind(object, before, old->next);
	if (object->last == old)
		object->last = before;
	return true;
}

bool json_remove(struct json *object, const char *key)
{
	return take_out(object, key, strlen(key));
}

bool json_put(struct arena *a, struct json *object, const struct json *member)
{
	const struct json *have = json_member(object, member->key, member->key_len);

	if (json_same(member, have, false))
		return false;
	set(a, object, member->key, member->key_len, json_copy(a, member));
	return true;
}

static bool merge_members(struct arena *a, struct json *object, const struct json *patch)
{
	const struct json *it;
	bool changed = false;

	json_for_each (it, patch)
		changed |= json_patch(a, object, it);
	return changed;
}

bool json_patch(struct arena *a, struct json *object, const struct json *member)
{
	struct json *before, *have = find(object, member->key, member->key_len, &before);

	if (json_node_is(member, JSON_NULL))
		return take_out(object, member->key, member->key_len);
	if (!json_node_is(member, JSON_OBJECT))
		return json_put(a, object, member);
	if (json_node_is(have, JSON_OBJECT))
		return merge_members(a, have, member);
	have = json_new_object(a);
	merge_members(a, have, member);
	set(a, object, member->key, member->key_len, have);
	return true;
}
