/*
 * One relayed connection: bytes go both ways until both sides have said their end.
 *
 * Ownership: a pipe owns both sockets and itself; it ends by calling done(arg) from a deferred
 * call of the loop and is gone afterwards.
 */
#ifndef TIDEGATE_BED_RELAY_PIPE_H
#define TIDEGATE_BED_RELAY_PIPE_H

#include "tidegate/net/loop.h"

/* Takes both sockets, which must be non-blocking; `to` may still be connecting. */
void pipe_start(struct loop *l, int from, int to, loop_fn done, void *arg);

#endif
