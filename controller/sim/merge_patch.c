#include "merge_patch.h"

struct json *merge_patch(struct arena *a, const struct json *base, const struct json *patch)
{
	const struct json *it, *over;
	struct json *out;

	if (!json_is_object(patch))
		return json_copy(a, patch);
	base = json_is_object(base) ? base : NULL;
	out = json_new_object(a);
	json_for_each (it, base) {
		over = json_get(patch, json_key(it));
		if (!over)
			json_add(a, out, json_key(it), json_copy(a, it));
		else if (json_has(patch, json_key(it)))
			json_add(a, out, json_key(it), merge_patch(a, it, over));
	}
	json_for_each (it, patch)
		if (json_has(patch, json_key(it)) && !json_get(base, json_key(it)))
			json_add(a, out, json_key(it), merge_patch(a, NULL, it));
	return out;
}
