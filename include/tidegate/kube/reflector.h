/*
 * Reflector: keeps a store equal to a resource of the API server, by WatchList
 * (KEP-3157) where the server can, else paged LIST and WATCH.
 *
 * The state machine and its constants are client-go's: page size 500, watch
 * timeout uniform in [5, 10) min, back-off 0.8 s doubling to 30 s with jitter,
 * reset after 2 min of peace. Our own additions: a deadline on
 * WatchList (some servers and proxies never send the end marker), a last-byte stall
 * timer on every watch, and first list with resourceVersion="" where stale reads would
 * be dangerous.
 * Error handling follows enum err_class; see reflector.c's table.
 *
 * Log lines: one when a resource becomes unavailable (with the reason and the way
 * out: missing CRD, RBAC, unreachable server), one when it is back; not one a try.
 * An object that cannot be decoded is skipped with a log line that names it; what the store
 * holds of it stays.
 * Metrics: tidegate_reflector_{lists_total,watches_total,relists_total{reason},
 * decode_errors_total,last_byte_age_seconds,resource_version,objects,trouble_seconds}, by resource
 * and namespace.
 */
#ifndef TIDEGATE_KUBE_REFLECTOR_H
#define TIDEGATE_KUBE_REFLECTOR_H

#include <stdbool.h>

#include "tidegate/kube/client.h"
#include "tidegate/kube/store.h"

struct reflector_options {
	const char *namespace;      /* NULL = all */
	const char *label_selector; /* NULL = none */
	const char *field_selector;
	bool quorum_first_list;     /* first list with resourceVersion="" */
	bool no_watch_list;         /* start with LIST; for tests and servers known to misbehave */
	int stall_ms;               /* 0 = 150 s (bookmarks come about once a minute) */
	int watch_list_deadline_ms; /* 0 = 30 s without an event, 5 min in all */
	int backoff_ms;             /* first back-off; 0 = 800; for tests */
	unsigned seed;              /* of the jitter; 0 = from the clock */
};

struct reflector;
/* Options are copied. The store must outlive the reflector and belongs to it alone. */
struct reflector *reflector_new(struct kube_client *c, struct store *s,
                                const struct reflector_options *o);
/*
 * The object of that name, which must live as long, is known but for its versions: what a watch
 * says of changes to it is not decoded and does not come into the store, fn is told the new
 * version. Before the start.
 */
void reflector_versions_only(struct reflector *r, const char *name,
                             void (*fn)(void *arg, const char *rv), void *arg);
void reflector_start(struct reflector *r);
/* Stops without delivering anything more. Not from inside a store handler. NULL is allowed. */
void reflector_free(struct reflector *r);

/*
 * A watch may hang and say nothing for stall_ms. For who knows that the store should have got
 * further: looks again from where the store is, by a short watch, which tells its place within
 * HURRY_WATCH_S; a wait between two tries ends. Not more often than every few seconds, and not from
 * inside a store handler.
 */
void reflector_hurry(struct reflector *r);
/* The same by the whole list, as the server has it now. */
void reflector_relist(struct reflector *r);

/*
 * The store as new as the server is now: the server is asked for its newest version, by a
 * consistent list of one object's metadata, and the reflector is hurried until it has come to it;
 * after a minute it lists. done is called once, from the loop; also when the server does not have
 * the resource or forbids it and the store has never had it either, because then there is nothing
 * to wait for. Free it before the reflector; NULL is allowed.
 */
struct reflector_newest;
struct reflector_newest *reflector_newest_new(struct reflector *r, void (*done)(void *arg),
                                              void *arg);
void reflector_newest_free(struct reflector_newest *n);

/* Wall text of what is wrong right now, NULL when the watch runs. For /readyz and the log. */
const char *reflector_trouble(const struct reflector *r);
/* For how long already; 0 when the watch runs. */
int64_t reflector_trouble_ms(const struct reflector *r);

#endif
