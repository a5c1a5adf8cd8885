#include "tidegate/base/map.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define MAP_MIN_CAP 8

/* Marks a slot whose entry was removed: a probe goes on behind it. */
static char tomb[1];
#define MAP_TOMB tomb

static bool slot_live(const struct map_slot *s)
{
	return s->key && s->key != MAP_TOMB;
}

static uint32_t hash_key(const char *key)
{
	uint64_t h = str_hash(STR_HASH_SEED, key, strlen(key));

	/* FNV's high bits are the good ones; the slot index takes the low ones. */
	return (uint32_t)(h ^ h >> 32);
}

void map_init(struct map *m)
{
	memset(m, 0, sizeof(*m));
}

void map_init_borrowing(struct map *m)
{
	map_init(m);
	m->borrows = true;
}

static char *key_take(const struct map *m, const char *key)
{
	return m->borrows ? (char *)key : xstrdup(key);
}

static void key_drop(const struct map *m, char *key)
{
	if (!m->borrows)
		free(key);
}

void map_release(struct map *m, void (*free_value)(void *))
{
	size_t i;

	for (i = 0; i < m->cap; i++) {
		if (!slot_live(&m->slots[i]))
			continue;
		key_drop(m, m->slots[i].key);
		if (free_value)
			free_value(m->slots[i].value);
	}
	free(m->slots);
	*m = (struct map){.borrows = m->borrows};
}

static struct map_slot *find(const struct map *m, const char *key, uint32_t hash)
{
	size_t i;

	if (!m->cap)
		return NULL;
	/* Ends: at least a quarter of the slots is free. */
	for (i = hash & (m->cap - 1); m->slots[i].key; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (s->hash == hash && slot_live(s) && !strcmp(s->key, key))
			return s;
	}
	return NULL;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_slot *s = find(m, key, hash_key(key));

	return s ? s->value : NULL;
}

static struct map_slot *first_free(struct map_slot *slots, size_t cap, uint32_t hash)
{
	size_t i = hash & (cap - 1);

	while (slots[i].key)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

/* Makes room for one more entry, and drops the tombs on the way. */
static void grow(struct map *m)
{
	size_t i, cap = MAP_MIN_CAP;
	struct map_slot *slots;

	if (m->cap && m->used + 1 <= m->cap / 4 * 3)
		return;
	while (m->len + 1 > cap / 2)
		cap *= 2;
	slots = xcalloc(cap, sizeof(*slots));
	for (i = 0; i < m->cap; i++)
		if (slot_live(&m->slots[i]))
			*first_free(slots, cap, m->slots[i].hash) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
	m->used = m->len;
}

void *map_set(struct map *m, const char *key, void *value)
{
	uint32_t hash = hash_key(key);
	struct map_slot *s = find(m, key, hash);

	if (s) {
		void *old = s->value;

		if (m->borrows)
			s->key = key_take(m, key);
		s->value = value;
		return old;
	}
	grow(m);
	s = first_free(m->slots, m->cap, hash);
	s->key = key_take(m, key);
	s->value = value;
	s->hash = hash;
	m->len++;
	m->used++;
	return NULL;
}

void *map_del(struct map *m, const char *key)
{
	struct map_slot *s = find(m, key, hash_key(key));
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	key_drop(m, s->key);
	s->key = MAP_TOMB;
	s->value = NULL;
	m->len--;
	return value;
}

bool map_next(const struct map *m, size_t *it, const char **key, void **value)
{
	for (; *it < m->cap; ++*it) {
		const struct map_slot *s = &m->slots[*it];

		if (!slot_live(s))
			continue;
		if (key)
			*key = s->key;
		if (value)
			*value = s->value;
		++*it;
		return true;
	}
	return false;
}
