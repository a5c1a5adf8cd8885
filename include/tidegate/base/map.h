/*
 * Hash map from string to pointer, open addressing, insertion order not kept. Some 40 bytes an
 * entry; memory is given back when most entries have gone.
 *
 * Ownership: keys are copied; values belong to the caller. A borrowing map does not copy keys:
 * each must live as long as its entry, and a new value under an old key brings its own along.
 * Iteration tolerates removal of the current entry; after that of another one some may be seen
 * again.
 */
#ifndef TIDEGATE_BASE_MAP_H
#define TIDEGATE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry;
struct map_slot;

struct map {
	struct map_entry *entries;
	struct map_slot *slots;
	size_t len, room; /* of entries */
	size_t cap;       /* of slots, 0 or a power of two */
	bool borrows;
};

void map_init(struct map *m);
void map_init_borrowing(struct map *m);
/* free_value may be NULL. */
void map_release(struct map *m, void (*free_value)(void *));
void *map_get(const struct map *m, const char *key);
/* Returns the value that was there before, or NULL. value must not be NULL. */
void *map_set(struct map *m, const char *key, void *value);
/* Returns the removed value, or NULL. */
void *map_del(struct map *m, const char *key);

/* Iteration: size_t it = 0; while (map_next(m, &it, &key, &value)) ... */
bool map_next(const struct map *m, size_t *it, const char **key, void **value);

#endif
