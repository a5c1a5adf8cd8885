/* A watched resource of all namespaces, ready to use once watch_init() returns. */
#ifndef BED_SCALE_WATCH_H
#define BED_SCALE_WATCH_H

#include "tidegate/kube/reflector.h"
#include "tidegate/kube/store.h"

#include "session.h"

struct watch {
	struct session *session;
	struct store store;
	struct reflector *reflector;
	struct timer poll;
};

/* Returns when the first list has been delivered. Release it also after a failure. */
int watch_init(struct watch *w, struct session *s, const struct object_kind *kind, store_handler fn,
               void *arg, struct err *err);
void watch_release(struct watch *w);
/* ": " and what is wrong with the watch, "" when nothing is. text needs WATCH_TROUBLE_MAX bytes. */
#define WATCH_TROUBLE_MAX 128
const char *watch_trouble(const struct watch *w, char *text);

#endif
