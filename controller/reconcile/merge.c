#include "merge.h"

#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

/* Lists whose elements are identified by "name", as the API server's own merge keys have it. */
static bool merges_by_name(const char *key)
{
	static const char *const lists[] = {"containers", "initContainers", "volumes",
	                                    "env",        "volumeMounts",   "ports"};

	for (size_t i = 0; key && i < ARRAY_SIZE(lists); i++)
		if (str_eq(key, lists[i]))
			return true;
	return false;
}

static const struct json *find_named(const struct json *list, const char *name)
{
	const struct json *it;

	json_for_each (it, list)
		if (name && str_eq(json_str(it, "name"), name))
			return it;
	return NULL;
}

static bool is_ours(const char *key)
{
	return key && str_starts(key, TG_GROUP "/");
}

/* Where keys of ours stand: null or another type over it would take them away. */
static bool holds_ours(const char *key)
{
	return str_eq(key, "metadata") || str_eq(key, "labels") || str_eq(key, "annotations");
}

static void merge_value(struct json_writer *w, const char *key, const struct json *base,
                        const struct json *over);

static void merge_list(struct json_writer *w, const char *key, const struct json *base,
                       const struct json *over)
{
	const struct json *it;

	jw_array(w, key);
	json_for_each (it, base)
		merge_value(w, NULL, it, find_named(over, json_str(it, "name")));
	json_for_each (it, over)
		if (!find_named(base, json_str(it, "name")))
			jw_value(w, NULL, it);
	jw_end_array(w);
}

static void merge_object(struct json_writer *w, const char *key, const struct json *base,
                         const struct json *over)
{
	const struct json *it;

	jw_object(w, key);
	json_for_each (it, base)
		merge_value(w, json_key(it), it, json_get(over, json_key(it)));
	json_for_each (it, over)
		if (!json_get(base, json_key(it)) && !is_ours(json_key(it)))
			jw_value(w, json_key(it), it);
	jw_end_object(w);
}

static void merge_value(struct json_writer *w, const char *key, const struct json *base,
                        const struct json *over)
{
	if (!over || is_ours(key))
		jw_value(w, key, base);
	else if (json_is_object(base) && json_is_object(over))
		merge_object(w, key, base, over);
	else if (json_is_object(base) && holds_ours(key))
		jw_value(w, key, base);
	else if (json_is_array(base) && json_is_array(over) && merges_by_name(key))
		merge_list(w, key, base, over);
	else
		jw_value(w, key, over);
}

int json_merge(const struct json *base, const struct json *over, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	merge_value(&w, NULL, base, over);
	return jw_end(&w);
}
