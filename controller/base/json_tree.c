/* Trees that are made rather than parsed. */
#include <string.h>

#include <cjson/cJSON.h>

#include "tidegate/base/json.h"

static struct cJSON *node(struct arena *a, int type)
{
	struct cJSON *v = arena_alloc(a, sizeof(*v));

	v->type = type;
	return v;
}

struct cJSON *json_new_object(struct arena *a)
{
	return node(a, cJSON_Object);
}

struct cJSON *json_new_str(struct arena *a, const char *s)
{
	struct cJSON *v = node(a, cJSON_String);

	v->valuestring = arena_strdup(a, s);
	return v;
}

struct cJSON *json_new_i64(struct arena *a, int64_t n)
{
	struct cJSON *v = node(a, cJSON_Number);

	v->valuedouble = (double)n;
	return v;
}

/* As in cJSON's own trees the first one's `prev` is the last one. */
static void append(struct cJSON *parent, struct cJSON *v)
{
	struct cJSON *first = parent->child;

	v->next = NULL;
	if (!first) {
		parent->child = v->prev = v;
		return;
	}
	v->prev = first->prev;
	first->prev->next = v;
	first->prev = v;
}

void json_add(struct arena *a, struct cJSON *object, const char *key, struct cJSON *v)
{
	v->string = arena_strdup(a, key);
	append(object, v);
}

struct cJSON *json_copy(struct arena *a, const struct cJSON *v)
{
	struct cJSON *copy = node(a, v->type & 0xff), *member;
	const struct cJSON *it;

	copy->valuedouble = v->valuedouble;
	copy->valuestring = arena_strdup(a, v->valuestring);
	json_for_each (it, v) {
		member = json_copy(a, it);
		member->string = arena_strdup(a, it->string);
		append(copy, member);
	}
	return copy;
}
