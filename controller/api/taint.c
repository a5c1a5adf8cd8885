#include "taint.h"

#include <stddef.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static const char *const effects[] = {
	[TAINT_NO_SCHEDULE] = "NoSchedule",
	[TAINT_PREFER_NO_SCHEDULE] = "PreferNoSchedule",
	[TAINT_NO_EXECUTE] = "NoExecute",
};

bool taint_effect_parse(const char *s, enum taint_effect *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(effects); i++) {
		if (str_eq(s, effects[i])) {
			*out = (enum taint_effect)i;
			return true;
		}
	}
	return false;
}
