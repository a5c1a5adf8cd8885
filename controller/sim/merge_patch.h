/* RFC 7386. */
#ifndef SIM_MERGE_PATCH_H
#define SIM_MERGE_PATCH_H

#include "tidegate/base/json.h"

void merge_patch(struct json_writer *w, const char *key, const struct cJSON *base,
                 const struct cJSON *patch);

#endif
