/* Tally: how often each of a few names was seen. Names are copied. */
#ifndef BED_LOAD_TALLY_H
#define BED_LOAD_TALLY_H

#include <stdint.h>

#include "tidegate/base/map.h"

struct tally_entry {
	const char *name; /* the map's */
	int64_t count;
};

struct tally {
	struct map by_name;
	int64_t total;
};

void tally_init(struct tally *t);
void tally_release(struct tally *t);
void tally_add(struct tally *t, const char *name, int64_t count);
/* Entries, the most frequent first, ties by name; malloc'ed, *n of them. */
struct tally_entry *tally_sorted(const struct tally *t, size_t *n);

#endif
