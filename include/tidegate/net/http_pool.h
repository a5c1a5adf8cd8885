/*
 * Clients for many hosts named by address that are asked again and again, each over a connection
 * that is kept. What a request costs libcurl grows with the connections of its handle: with 5,000
 * on one it took 330 us, with 512 it takes 40. So the hosts are spread over as many handles as it
 * takes.
 *
 * Whoever asks a host takes a client for it once, and gives it back when the host is asked no more.
 * All kept connections of a pool together are a quarter of the file descriptors that the process
 * may have; hosts beyond that are connected to anew each time. Ownership: the clients are the
 * pool's.
 */
#ifndef TIDEGATE_NET_HTTP_POOL_H
#define TIDEGATE_NET_HTTP_POOL_H

#include "tidegate/net/http.h"

struct http_pool;
/* Fails as http_client_new() does. */
struct http_pool *http_pool_new(struct loop *l, const char *user_agent, struct err *err);
/* Cancels everything that runs, without on_done. */
void http_pool_free(struct http_pool *p);

struct http_client *http_pool_take(struct http_pool *p);
/* NULL is nobody's. */
void http_pool_give(struct http_pool *p, struct http_client *c);
/* Handles that are in use, for tests. */
unsigned http_pool_size(const struct http_pool *p);

#endif
