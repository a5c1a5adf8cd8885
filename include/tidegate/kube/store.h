/*
 * Store: the cache of one resource, keyed by "namespace/name", with an index by
 * controller-owner UID. Filled by a reflector only; everyone else reads.
 *
 * Ownership: objects belong to the store and are valid until it changes: do not
 * keep a pointer across a return to the loop.
 * Deliveries: one function for adds, updates and deletes. On a relist deletions come first, and
 * the store already shows the new state when a handler runs. A missed delete is
 * delivered with the last known object and final_unknown set. Same key with another
 * UID is a delete followed by an add. A handler only reads the store, and does not free it.
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
	bool initial;                  /* part of the first list: low priority */
	bool final_unknown;            /* the delete was missed, only its absence is known */
};
typedef void (*store_handler)(void *arg, const struct store_event *ev);

#define STORE_HANDLERS_MAX 8

struct store {
	const struct object_kind *kind;
	struct map by_key;   /* key -> struct object */
	struct map by_owner; /* owner uid -> the first struct object that it has */
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
/* Takes the object over. A version that is not newer than the stored one is dropped silently. */
void store_put(struct store *s, struct object *o);
/*
 * Takes last_known over: the object as the DELETED event told it, NULL when only its absence is
 * known (final_unknown). The delete of an older incarnation is dropped silently.
 */
void store_remove(struct store *s, const char *key, struct object *last_known);
/*
 * Replace the content by a list that comes in pieces, without a second copy of the world: an
 * item that is stored already in this version is only marked, all others wait aside. Until
 * commit readers see the old content, so an abort costs nothing. Commit brings the whole
 * store to the new state, then delivers deletions, then adds and updates in the order of the
 * list, then frees what is gone. Of an item that comes twice the newer version counts.
 */
struct store_replace;
struct store_replace *store_replace_begin(struct store *s);
void store_replace_put(struct store_replace *r, struct object *o);
/* The item exists but could not be decoded: what is stored under its key stays. */
void store_replace_keep(struct store_replace *r, const char *key);
/* The item went away while the list was still coming in (WatchList). Takes last_known over. */
void store_replace_remove(struct store_replace *r, const char *key, struct object *last_known);
/* Ends r. synced becomes true when everything has been delivered. */
void store_replace_commit(struct store_replace *r, const char *rv);
void store_replace_abort(struct store_replace *r);
void store_set_rv(struct store *s, const char *rv);

#endif
