#include "merge_patch.h"

void merge_patch(struct json_writer *w, const char *key, const struct cJSON *base,
                 const struct cJSON *patch)
{
	const struct cJSON *it, *over;

	if (!json_is_object(patch)) {
		jw_value(w, key, patch);
		return;
	}
	jw_object(w, key);
	json_for_each (it, json_is_object(base) ? base : NULL) {
		over = json_get(patch, json_key(it));
		if (!over)
			jw_value(w, json_key(it), it);
		else if (json_has(patch, json_key(it)))
			merge_patch(w, json_key(it), it, over);
	}
	json_for_each (it, patch)
		if (json_has(patch, json_key(it)) &&
		    !(json_is_object(base) && json_get(base, json_key(it))))
			merge_patch(w, json_key(it), NULL, it);
	jw_end_object(w);
}
