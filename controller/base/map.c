/*
 * Two arrays: entries stand one behind the other, and an index of hashes says where. An entry costs
 * 16 bytes and its share of the index, not of a table that is half empty.
 */
#include "tidegate/base/map.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define MAP_MIN_CAP 8

struct map_entry {
	char *key;
	void *value;
};

/* A place of the index. */
struct map_slot {
	uint32_t hash;
	uint32_t at; /* position of the entry, counted from 1; 0 = free */
};

static uint32_t hash_key(const char *key)
{
	return (uint32_t)str_hash_fast(key, strlen(key));
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
	for (size_t i = 0; i < m->len; i++) {
		key_drop(m, m->entries[i].key);
		if (free_value)
			free_value(m->entries[i].value);
	}
	free(m->entries);
	free(m->slots);
	*m = (struct map){.borrows = m->borrows};
}

/* --- the index --------------------------------------------------------------------------- */

static size_t next_slot(const struct map *m, size_t i)
{
	return (i + 1) & (m->cap - 1);
}

/* The slot of the key, or the free one where it belongs. Ends: a quarter of the slots is free. */
static struct map_slot *find(const struct map *m, const char *key, uint32_t hash)
{
	size_t i = hash & (m->cap - 1);

	for (; m->slots[i].at; i = next_slot(m, i))
		if (m->slots[i].hash == hash && !strcmp(m->entries[m->slots[i].at - 1].key, key))
			break;
	return &m->slots[i];
}

/* The slot of the entry at this position, counted from 1; 0: the free one where it belongs. */
static struct map_slot *find_at(const struct map *m, uint32_t hash, size_t at)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].at != at)
		i = next_slot(m, i);
	return &m->slots[i];
}

static void index_resize(struct map *m, size_t cap)
{
	struct map_slot *old = m->slots;
	size_t n = m->cap;

	m->slots = xcalloc(cap, sizeof(*m->slots));
	m->cap = cap;
	for (size_t i = 0; i < n; i++)
		if (old[i].at)
			*find_at(m, old[i].hash, 0) = old[i];
	free(old);
}

/* Frees the slot; those behind it that are not where they belong move up, so that no gap parts
 * them from there. */
static void index_del(struct map *m, size_t gap)
{
	size_t mask = m->cap - 1;

	for (size_t i = next_slot(m, gap); m->slots[i].at; i = next_slot(m, i)) {
		if (((i - m->slots[i].hash) & mask) < ((i - gap) & mask))
			continue;
		m->slots[gap] = m->slots[i];
		gap = i;
	}
	m->slots[gap].at = 0;
}

/* --- the entries ------------------------------------------------------------------------- */

static void entries_resize(struct map *m, size_t room)
{
	m->entries = xreallocarray(m->entries, room, sizeof(*m->entries));
	m->room = room;
}

static void grow(struct map *m)
{
	if (m->len + 1 > m->cap / 4 * 3)
		index_resize(m, m->cap ? 2 * m->cap : MAP_MIN_CAP);
	if (m->len == m->room)
		entries_resize(m, m->room + (m->room < MAP_MIN_CAP ? 4 : m->room / 2));
}

/* What was a crowd is not held for ever. */
static void shrink(struct map *m)
{
	if (m->cap > MAP_MIN_CAP && m->len < m->cap / 8)
		index_resize(m, m->cap / 2);
	if (m->room > MAP_MIN_CAP && m->len < m->room / 4)
		entries_resize(m, m->room / 2);
}

/* --- interface --------------------------------------------------------------------------- */

void *map_get(const struct map *m, const char *key)
{
	const struct map_slot *s;

	if (!m->len)
		return NULL;
	s = find(m, key, hash_key(key));
	return s->at ? m->entries[s->at - 1].value : NULL;
}

void *map_set(struct map *m, const char *key, void *value)
{
	uint32_t hash = hash_key(key);
	struct map_slot *s = m->cap ? find(m, key, hash) : NULL;

	if (s && s->at) {
		struct map_entry *e = &m->entries[s->at - 1];
		void *old = e->value;

		if (m->borrows)
			e->key = key_take(m, key);
		e->value = value;
		return old;
	}
	grow(m);
	m->entries[m->len++] = (struct map_entry){key_take(m, key), value};
	*find_at(m, hash, 0) = (struct map_slot){hash, (uint32_t)m->len};
	return NULL;
}

void *map_del(struct map *m, const char *key)
{
	struct map_slot *s = m->len ? find(m, key, hash_key(key)) : NULL;
	struct map_entry *e, *last;
	void *value;

	if (!s || !s->at)
		return NULL;
	e = &m->entries[s->at - 1];
	last = &m->entries[m->len - 1];
	value = e->value;
	if (last != e)
		find_at(m, hash_key(last->key), m->len)->at = s->at;
	index_del(m, (size_t)(s - m->slots));
	key_drop(m, e->key);
	*e = *last;
	m->len--;
	shrink(m);
	return value;
}

/* From the last one to the first: the one that takes a removed one's place has been seen. */
bool map_next(const struct map *m, size_t *it, const char **key, void **value)
{
	size_t left = *it ? *it - 1 : m->len;

	if (left > m->len)
		left = m->len;
	if (!left)
		return false;
	if (key)
		*key = m->entries[left - 1].key;
	if (value)
		*value = m->entries[left - 1].value;
	*it = left;
	return true;
}
