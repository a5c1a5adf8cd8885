/* RFC 7386. */
#ifndef SIM_MERGE_PATCH_H
#define SIM_MERGE_PATCH_H

#include "tidegate/base/json.h"

/* What base (NULL: nothing) is after the patch, in the arena. */
struct json *merge_patch(struct arena *a, const struct json *base, const struct json *patch);

#endif
