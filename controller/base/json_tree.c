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

static struct json_text new_text(struct arena *a, const char *s, size_t n)
{
	return (struct json_text){
		.s = arena_memdup(a, s, n), .len = (unsigned)n, .plain = str_plain_run(s, n) == n};
}

struct json *json_new_str(struct arena *a, const char *s)
{
	struct json *v = node(a, JSON_STRING);

	v->text = new_text(a, s, strlen(s));
	return v;
}

struct json *json_new_i64(struct arena *a, int64_t n)
{
	struct json *v = node(a, JSON_NUMBER);

	v->number = (double)n;
	return v;
}

static void copy_text(struct arena *a, struct json_text *t)
{
	if (t->s)
		t->s = arena_memdup(a, t->s, t->len);
}

static struct json *copy_member(struct arena *a, const struct json *v)
{
	struct json *copy = arena_take(a, sizeof(*copy)), **link = &copy->first;
	const struct json *it;

	*copy = *v;
	copy_text(a, &copy->key);
	copy_text(a, &copy->text);
	for (it = v->first; it; it = it->next) {
		*link = copy_member(a, it);
		link = &(*link)->next;
	}
	copy->next = NULL;
	return copy;
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	struct json *copy = copy_member(a, v);

	copy->key = (struct json_text){.s = NULL};
	return copy;
}

/* --- changing ---------------------------------------------------------------------------- */

/* What points at the member of this name, or behind the last one. */
static struct json **find(struct json *object, const char *key, size_t n)
{
	struct json **link = &object->first;

	while (*link && ((*link)->key.len != n || memcmp((*link)->key.s, key, n) != 0))
		link = &(*link)->next;
	return link;
}

struct json *json_edit(struct json *object, const char *key)
{
	return *find(object, key, strlen(key));
}

static void set(struct arena *a, struct json *object, const char *key, size_t n, struct json *v)
{
	struct json **link = find(object, key, n), *old = *link;

	v->key = old ? old->key : new_text(a, key, n);
	v->next = old ? old->next : NULL;
	*link = v;
}

void json_set(struct arena *a, struct json *object, const char *key, struct json *v)
{
	set(a, object, key, strlen(key), v);
}

static bool take_out(struct json *object, const char *key, size_t n)
{
	struct json **link = find(object, key, n);

	if (!*link)
		return false;
	*link = (*link)->next;
	return true;
}

bool json_remove(struct json *object, const char *key)
{
	return take_out(object, key, strlen(key));
}

bool json_put(struct arena *a, struct json *object, const struct json *member)
{
	const struct json_text *key = &member->key;

	if (json_same(member, json_member(object, key->s, key->len), false))
		return false;
	set(a, object, key->s, key->len, json_copy(a, member));
	return true;
}

static bool patch_members(struct arena *a, struct json *object, const struct json *patch)
{
	const struct json *it;
	bool changed = false;

	json_for_each (it, patch)
		changed |= json_patch(a, object, it);
	return changed;
}

bool json_patch(struct arena *a, struct json *object, const struct json *member)
{
	const struct json_text *key = &member->key;
	struct json *have;

	if (json_node_is(member, JSON_NULL))
		return take_out(object, key->s, key->len);
	if (!json_node_is(member, JSON_OBJECT))
		return json_put(a, object, member);
	have = *find(object, key->s, key->len);
	if (json_node_is(have, JSON_OBJECT))
		return patch_members(a, have, member);
	have = json_new_object(a);
	patch_members(a, have, member);
	set(a, object, key->s, key->len, have);
	return true;
}
