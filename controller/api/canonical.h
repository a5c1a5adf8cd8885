/* A hash of a JSON value's meaning: the order of keys and members that are null do not matter. */
#ifndef TIDEGATE_API_CANONICAL_H
#define TIDEGATE_API_CANONICAL_H

#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

/* skip: names of members of v itself that do not count, NULL-terminated; NULL = all count. */
uint64_t canonical_hash(uint64_t seed, const struct json *v, const char *const *skip,
                        struct arena *a);

#endif
