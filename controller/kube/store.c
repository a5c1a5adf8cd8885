#include "tidegate/kube/store.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

/* An item of a list that is not stored yet in this version; `before` is set by commit. */
struct staged {
	struct object *now; /* NULL: taken back */
	struct object *before;
};

struct store_replace {
	struct store *store;
	struct map index; /* key -> position in v, plus 1 */
	struct staged *v;
	size_t len, cap;
};

static void object_free(const struct store *s, struct object *o)
{
	if (!o)
		return;
	if (s->kind->free)
		s->kind->free(o);
	else
		free(o);
}

void store_init(struct store *s, const struct object_kind *kind)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	map_init_borrowing(&s->by_key);
	map_init_borrowing(&s->by_owner);
}

void store_release(struct store *s)
{
	const char *key;
	void *o;
	size_t it = 0;

	while (map_next(&s->by_key, &it, &key, &o))
		object_free(s, o);
	map_release(&s->by_key, NULL);
	map_release(&s->by_owner, NULL);
	free(s->last_rv);
	s->last_rv = NULL;
}

void store_add_handler(struct store *s, store_handler fn, void *arg)
{
	if (s->nhandlers == STORE_HANDLERS_MAX) {
		log_error("too many handlers of one store", LS("kind", s->kind->kind));
		abort();
	}
	s->handlers[s->nhandlers].fn = fn;
	s->handlers[s->nhandlers++].arg = arg;
}

static void deliver(struct store *s, const struct store_event *ev)
{
	for (unsigned i = 0; i < s->nhandlers; i++)
		s->handlers[i].fn(s->handlers[i].arg, ev);
}

/* --- reading ---------------------------------------------------------------------------- */

const struct object *store_get_key(const struct store *s, const char *key)
{
	return map_get(&s->by_key, key);
}

const struct object *store_get(const struct store *s, const char *ns, const char *name)
{
	size_t n = str_empty(ns) ? 0 : strlen(ns), m = strlen(name);
	char local[512], *key;
	cleanup_free char *heap = n + m + 2 > sizeof(local) ? xmalloc(n + m + 2) : NULL;

	if (!n)
		return store_get_key(s, name);
	key = heap ? heap : local;
	memcpy(key, ns, n);
	key[n] = '/';
	memcpy(key + n + 1, name, m + 1);
	return store_get_key(s, key);
}

size_t store_len(const struct store *s)
{
	return s->by_key.len;
}

const struct object *store_next(const struct store *s, size_t *it)
{
	const char *key;
	void *o;

	return map_next(&s->by_key, it, &key, &o) ? o : NULL;
}

const struct object *store_next_owned(const struct store *s, const char *owner_uid,
                                      const struct object *prev)
{
	const struct object *next;

	if (!prev)
		return owner_uid ? map_get(&s->by_owner, owner_uid) : NULL;
	next = list_entry(prev->owner_link.next, struct object, owner_link);
	return next->owner_first ? NULL : next;
}

/* --- the two indexes -------------------------------------------------------------------- */

/* The objects of an owner form a ring without a head of its own: the map knows the first one. */
static void owner_index_add(struct store *s, struct object *o)
{
	struct object *first;

	list_init(&o->owner_link);
	if (!o->owner_uid || !s->kind->by_owner)
		return;
	first = map_get(&s->by_owner, o->owner_uid);
	o->owner_first = !first;
	if (first)
		list_push_back(&first->owner_link, &o->owner_link);
	else
		map_set(&s->by_owner, o->owner_uid, o);
}

static void owner_index_remove(struct store *s, struct object *o)
{
	struct object *next;

	if (!o->owner_uid || !s->kind->by_owner)
		return;
	next = list_entry(o->owner_link.next, struct object, owner_link);
	if (next == o) {
		map_del(&s->by_owner, o->owner_uid);
	} else if (o->owner_first) {
		map_set(&s->by_owner, next->owner_uid, next); /* the key lives as long as next */
		next->owner_first = true;
	}
	list_remove(&o->owner_link);
}

/* Puts o under its key and returns what was there, now outside both indexes. */
static struct object *index_set(struct store *s, struct object *o)
{
	struct object *before = map_set(&s->by_key, o->key, o);

	if (before)
		owner_index_remove(s, before);
	owner_index_add(s, o);
	o->mark = s->mark;
	return before;
}

static struct object *index_del(struct store *s, const char *key)
{
	struct object *before = map_del(&s->by_key, key);

	if (before)
		owner_index_remove(s, before);
	return before;
}

/* --- deliveries ------------------------------------------------------------------------- */

static bool same_incarnation(const struct object *a, const struct object *b)
{
	return str_eq(a->uid, b->uid);
}

/* `after` is NULL unless another incarnation took the key already. */
static void deliver_delete(struct store *s, const struct object *gone, bool final_unknown)
{
	deliver(s, &(struct store_event){.change = STORE_DELETED,
	                                 .object = gone,
	                                 .initial = !s->synced,
	                                 .final_unknown = final_unknown});
}

/* An add, or an update when `before` is the same incarnation. */
static void deliver_put(struct store *s, const struct object *now, const struct object *before)
{
	struct store_event ev = {.change = STORE_ADDED, .object = now, .initial = !s->synced};

	if (before && same_incarnation(now, before)) {
		if (s->kind->same && s->kind->same(before, now))
			return;
		ev.change = STORE_UPDATED;
		ev.previous = before;
	}
	deliver(s, &ev);
}

/* Resource versions of one resource only grow: what is not newer was overtaken. */
static bool is_news(const struct object *o, const struct object *known)
{
	return !known || str_empty(o->resource_version) ||
	       rv_cmp(o->resource_version, known->resource_version) > 0;
}

static bool is_older(const struct object *o, const struct object *known)
{
	return !str_empty(o->resource_version) &&
	       rv_cmp(o->resource_version, known->resource_version) < 0;
}

void store_put(struct store *s, struct object *o)
{
	struct object *before = map_get(&s->by_key, o->key);

	if (!is_news(o, before)) {
		object_free(s, o);
		return;
	}
	index_set(s, o);
	if (before && !same_incarnation(o, before))
		deliver_delete(s, before, true);
	deliver_put(s, o, before);
	object_free(s, before);
}

void store_remove(struct store *s, const char *key, struct object *last_known)
{
	struct object *gone = map_get(&s->by_key, key);
	bool matches = gone && last_known && same_incarnation(gone, last_known);

	if (gone && !(last_known && is_older(last_known, gone))) {
		index_del(s, key);
		deliver_delete(s, matches ? last_known : gone, !matches);
		object_free(s, gone);
	}
	object_free(s, last_known);
}

void store_set_rv(struct store *s, const char *rv)
{
	if (!str_eq(s->last_rv, rv))
		xstr_replace(&s->last_rv, rv);
}

/* --- replace ---------------------------------------------------------------------------- */

struct store_replace *store_replace_begin(struct store *s)
{
	struct store_replace *r = xcalloc(1, sizeof(*r));

	r->store = s;
	map_init(&r->index);
	s->mark++;
	return r;
}

static struct staged *staged_get(struct store_replace *r, const char *key)
{
	uintptr_t at = (uintptr_t)map_get(&r->index, key);

	return at ? &r->v[at - 1] : NULL;
}

static void stage(struct store_replace *r, struct object *o)
{
	struct staged *e = staged_get(r, o->key);

	if (e) {
		object_free(r->store, e->now);
		e->now = o;
		return;
	}
	if (r->len == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->len++] = (struct staged){.now = o};
	map_set(&r->index, o->key, (void *)(uintptr_t)r->len);
}

static bool same_version(const struct object *a, const struct object *b)
{
	return same_incarnation(a, b) && !str_empty(a->resource_version) &&
	       str_eq(a->resource_version, b->resource_version);
}

void store_replace_put(struct store_replace *r, struct object *o)
{
	struct staged *e = staged_get(r, o->key);
	struct object *stored = map_get(&r->store->by_key, o->key);

	if (e && e->now && !is_news(o, e->now)) {
		object_free(r->store, o);
	} else if (stored && same_version(o, stored) && !(e && e->now)) {
		stored->mark = r->store->mark;
		object_free(r->store, o);
	} else {
		stage(r, o);
	}
}

void store_replace_keep(struct store_replace *r, const char *key)
{
	struct object *stored = map_get(&r->store->by_key, key);

	if (stored)
		stored->mark = r->store->mark;
}

void store_replace_remove(struct store_replace *r, const char *key, struct object *last_known)
{
	struct staged *e = staged_get(r, key);
	struct object *stored = map_get(&r->store->by_key, key);

	if (e) {
		object_free(r->store, e->now);
		e->now = NULL;
	}
	if (stored)
		stored->mark = r->store->mark - 1;
	object_free(r->store, last_known);
}

/*
 * Takes out of the indexes what the list did not name, and brings the staged items in. What
 * was replaced by another incarnation is gone as well. Returns the gone ones, NULL-terminated.
 */
static struct object **swap_in(struct store_replace *r)
{
	struct store *s = r->store;
	struct object **gone = xreallocarray(NULL, s->by_key.len + 1, sizeof(*gone));
	size_t ngone = 0, it = 0;
	const char *key;
	void *o;

	for (size_t i = 0; i < r->len; i++) {
		struct staged *e = &r->v[i];

		if (!e->now)
			continue;
		e->before = index_set(s, e->now);
		if (e->before && !same_incarnation(e->now, e->before)) {
			gone[ngone++] = e->before;
			e->before = NULL;
		}
	}
	while (map_next(&s->by_key, &it, &key, &o))
		if (((struct object *)o)->mark != s->mark)
			gone[ngone++] = index_del(s, key);
	gone[ngone] = NULL;
	return gone;
}

static void replace_free(struct store_replace *r)
{
	map_release(&r->index, NULL);
	free(r->v);
	free(r);
}

void store_replace_commit(struct store_replace *r, const char *rv)
{
	struct store *s = r->store;
	cleanup_free struct object **gone = swap_in(r);

	store_set_rv(s, rv);
	for (struct object **o = gone; *o; o++) {
		deliver_delete(s, *o, true);
		object_free(s, *o);
	}
	for (size_t i = 0; i < r->len; i++) {
		if (!r->v[i].now)
			continue;
		deliver_put(s, r->v[i].now, r->v[i].before);
		object_free(s, r->v[i].before);
	}
	s->synced = true;
	replace_free(r);
}

void store_replace_abort(struct store_replace *r)
{
	for (size_t i = 0; i < r->len; i++)
		object_free(r->store, r->v[i].now);
	replace_free(r);
}
