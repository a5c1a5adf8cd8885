/*
 * One keep-alive connection to the target, carrying one request at a time.
 *
 * Ownership: the pool's; conn_close() frees it after the callbacks of this round. on_end is
 * called once for each conn_send(), with err NULL when the answer is complete; the connection is
 * then idle, or useless when the answer said so (conn_usable()).
 */
#ifndef BED_LOAD_CONN_H
#define BED_LOAD_CONN_H

#include <stdbool.h>

#include "tidegate/base/err.h"
#include "tidegate/base/list.h"
#include "tidegate/net/loop.h"

#include "response.h"
#include "target.h"

struct conn;

struct conn_events {
	void (*on_end)(void *arg, struct conn *c, const struct err *err);
	/* An idle connection was closed by the peer. */
	void (*on_idle_close)(void *arg, struct conn *c);
	void *arg;
};

struct conn {
	struct list link; /* the pool's idle list */
	struct loop *loop;
	const struct target *target;
	const struct conn_events *events;
	struct io io;
	int fd;
	bool connecting, busy;
	bool used;   /* has carried a request */
	bool reused; /* had carried one before the present one */
	size_t sent;
	struct response response;
	void *owner; /* request that is under way */
};

/* Starts connecting; the first conn_send() may follow at once. NULL: no socket to be had. */
struct conn *conn_open(struct loop *l, const struct target *t, const struct conn_events *ev,
                       struct err *err);
void conn_send(struct conn *c);
bool conn_usable(const struct conn *c);
void conn_close(struct conn *c);

#endif
