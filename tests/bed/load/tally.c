#include "tally.h"

#include <stdlib.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

void tally_init(struct tally *t)
{
	*t = (struct tally){.total = 0};
	map_init(&t->by_name);
}

void tally_release(struct tally *t)
{
	map_release(&t->by_name, free);
}

void tally_add(struct tally *t, const char *name, int64_t count)
{
	int64_t *n = map_get(&t->by_name, name);

	if (!n) {
		n = xcalloc(1, sizeof(*n));
		map_set(&t->by_name, name, n);
	}
	*n += count;
	t->total += count;
}

static int by_count(const void *a, const void *b)
{
	const struct tally_entry *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return str_cmp(x->name, y->name);
}

struct tally_entry *tally_sorted(const struct tally *t, size_t *n)
{
	struct tally_entry *v = xcalloc(t->by_name.len + 1, sizeof(*v));
	const char *name;
	void *count;
	size_t it = 0;

	*n = 0;
	while (map_next(&t->by_name, &it, &name, &count))
		v[(*n)++] = (struct tally_entry){.name = name, .count = *(int64_t *)count};
	qsort(v, *n, sizeof(*v), by_count);
	return v;
}
