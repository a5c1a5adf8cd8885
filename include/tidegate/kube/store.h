/*
 * Store: the cache of one resource, keyed by "namespace/name", with an index by
 * controller-owner UID. Filled by a reflector only; everyone else reads.
 *
 * Ownership: objects belong to the store and are valid until it changes: do not
 * keep a pointer across a return to the loop.
 * Deliveries: one function for adds, updates and deletes. On a relist deletions come first, and
 * the store already shows the new state when a handler runs. A missed delete is
 * delivered with the last known object and final_unknown set. Same key with another
 * UID is a delete followed by an add.
 */
#ifndef TIDEGATE_KUBE_STORE_H
#define TIDEGATE_KUBE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/base/map.h"
#include "tidegate/kube/object.h"

enum store_change { STORE_ADDED, STORE_UPDATED, STORE_DELETED };

struct store_event {
	enum store_change change;
	const struct object *object;   /* new state; last known state for a delete */
	const struct object *previous; /* updates only, else NULL */
	bool initial;       /* part of the first list: low priority */
	bool final_unknown; /* the delete was missed, only its absence is known */
};
typedef void (*store_handler)(void *arg, const struct store_event *ev);

#define STORE_HANDLERS_MAX 8

struct store {
	const struct object_kind *kind;
	struct map by_key;   /* key -> struct object */
	struct map by_owner; /* owner uid -> struct store_owner */
	char *last_rv;       /* newest resourceVersion seen, bookmarks included */
	bool synced;         /* the initial list has been delivered */
	uint32_t mark;
	struct {
		store_handler fn;
		void *arg;
	} handlers[STORE_HANDLERS_MAX];
	unsigned nhandlers;
};

void store_init(struct store *s, const struct object_kind *kind);
void store_release(struct store *s);
void store_add_handler(struct store *s, store_handler fn, void *arg);

const struct object *store_get(const struct store *s, const char *ns, const char *name);
const struct object *store_get_key(const struct store *s, const char *key);
size_t store_len(const struct store *s);
/* Iteration over all objects, no order. size_t it = 0; while ((o = store_next(s, &it))) ... */
const struct object *store_next(const struct store *s, size_t *it);
/* Iteration over the objects of one controller owner: pass NULL first. */
const struct object *store_next_owned(const struct store *s, const char *owner_uid,
                                      const struct object *prev);

/* --- for the reflector ------------------------------------------------------------------ */
/* Takes the object over. An unchanged resourceVersion is dropped silently. */
void store_put(struct store *s, struct object *o);
void store_remove(struct store *s, const char *key, struct object *last_known);
/* Replace in two steps without a second copy of the world: begin, put each item with
 * store_replace_put(), then commit delivers deletions first, then adds and updates. */
struct store_replace;
struct store_replace *store_replace_begin(struct store *s);
void store_replace_put(struct store_replace *r, struct object *o);
void store_replace_commit(struct store_replace *r, const char *rv);
void store_replace_abort(struct store_replace *r);
void store_set_rv(struct store *s, const char *rv);

#endif
