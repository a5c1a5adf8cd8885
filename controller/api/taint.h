/* Taint effects, shared by nodes and pods' tolerations. */
#ifndef TIDEGATE_API_TAINT_H
#define TIDEGATE_API_TAINT_H

#include <stdbool.h>

#include "tidegate/api/core.h"

/* False when s is NULL or no effect that is known. */
bool taint_effect_parse(const char *s, enum taint_effect *out);

#endif
