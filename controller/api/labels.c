#include "tidegate/api/core.h"

#include <stddef.h>

#include "tidegate/base/str.h"

const char *label_get(const struct label *l, unsigned n, const char *key)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq(l[i].key, key))
			return l[i].value;
	return NULL;
}
