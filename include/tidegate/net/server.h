/*
 * HTTP/1.1 server for metrics, health and the JSON API: small answers, few
 * clients, plain or TLS (OpenSSL), driven by the loop.
 *
 * Bounds (defaults; see struct server_options): request head 16 kB, body 1 MB, 64
 * connections, 10 s to send a request, 60 s idle. When all connections are taken, the one that
 * idles longest makes room; when none idles, the new one gets 503.
 * A request body needs Content-Length: Transfer-Encoding is answered 411, because no client of
 * ours uses it and two ways to frame a body are what request smuggling is made of.
 * HEAD reaches the handler as GET; the body is left out when the answer is sent.
 *
 * A handler answers at once or keeps the request and answers later, also after the peer has
 * gone or server_free() was called: the request stays valid until it is answered, so each must
 * be answered exactly once. A stream whose peer has gone tells so through on_close.
 * Ownership: strings in struct server_request live until the answer is sent.
 */
#ifndef TIDEGATE_NET_SERVER_H
#define TIDEGATE_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"

struct server;
struct server_conn;

struct server_request {
	struct server_conn *conn;
	const char *method;
	const char *path;  /* decoded, without query */
	const char *query; /* raw, "" when none */
	const char *body;
	size_t body_len;
};

/* Value of a request header (case-insensitive), NULL when absent. */
const char *server_header(const struct server_request *r, const char *name);
/* Copies the decoded value of a query parameter; false when absent or too long. */
bool server_query(const struct server_request *r, const char *name, char *out, size_t size);

typedef void (*server_handler)(void *arg, struct server_request *r);

struct server_options {
	const char *address; /* "127.0.0.1:0", ":8080", "[::]:8443"; port 0 = any free */
	int listen_fd;       /* >0: listening socket handed in (taken over), address is ignored */
	const char *tls_cert_file, *tls_key_file; /* both or none; re-read when changed */
	server_handler handler;
	void *arg;
	/* 0 = the default. */
	unsigned max_connections;
	int request_ms; /* from a request's first byte (or the accept) to its last */
	int idle_ms;    /* between requests, and without progress while sending */
};

struct server *server_new(struct loop *l, const struct server_options *o, struct err *err);
/* Stops listening, closes connections. */
void server_free(struct server *s);
/* "127.0.0.1:43211": what was really bound. */
const char *server_address(const struct server *s);

/*
 * Sends a whole answer; extra_headers is NULL or "Name: value\r\n" lines. "Connection: close"
 * among them closes the connection afterwards.
 */
void server_reply(struct server_request *r, int status, const char *content_type,
                  const char *extra_headers, const void *body, size_t len);
void server_reply_text(struct server_request *r, int status, const char *text);
/*
 * Is any answer not with the kernel yet? server_reply() sends in the loop's next round at the
 * earliest: who replies and frees the server in one round loses the answer.
 */
bool server_has_unsent(const struct server *s);

/*
 * Streaming (server-sent events): head now, then chunks; a slow client is dropped at 256 kB.
 * on_close is called once, from the loop, when the peer has gone or was dropped, or from inside
 * server_free(); never from inside another function here, and not after server_stream_end().
 * The stream is gone when it returns. server_stream_send() returns -1 once the client is being
 * dropped.
 */
struct server_stream;
struct server_stream *server_stream_begin(struct server_request *r, const char *content_type,
                                          void (*on_close)(void *arg), void *arg);
int server_stream_send(struct server_stream *s, const void *data, size_t len);
void server_stream_end(struct server_stream *s);

#endif
