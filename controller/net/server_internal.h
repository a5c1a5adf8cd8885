/*
 * What the files of the HTTP server share.
 *
 * server.c       the listener: address, accept, limits
 * server_conn.c  one connection: reading requests, its timers, its end
 * server_reply.c answers and streams
 * server_parse.c request heads (pure)
 * server_transport.c  bytes over a socket
 * server_tls.c   bytes over TLS, certificates re-read when their files change
 */
#ifndef NET_SERVER_INTERNAL_H
#define NET_SERVER_INTERNAL_H

#include <stdint.h>

#include "server_parse.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/list.h"
#include "tidegate/net/server.h"

/* --- transport ---------------------------------------------------------------------------- */

struct transport;
struct transport_ops {
	/*
	 * Bytes moved, 0 when the peer has closed (read only), or -1: try again when the socket
	 * allows t->want (LOOP_READ or LOOP_WRITE), broken when t->want is 0.
	 */
	long (*read)(struct transport *t, void *buf, size_t n);
	long (*write)(struct transport *t, const void *buf, size_t n);
	/* Nothing more will be written. */
	void (*shutdown)(struct transport *t);
	void (*release)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
	int fd;
	void *tls;
	int want;
};

void server_transport_plain(struct transport *t, int fd);

/* --- TLS ------------------------------------------------------------------------------------ */

struct server_tls;
struct server_tls *server_tls_new(const char *cert_file, const char *key_file, struct err *err);
void server_tls_free(struct server_tls *t);
/* Reads the files again when they changed; looks at most once a second. */
void server_tls_refresh(struct server_tls *t, int64_t now_ms);
/* Takes over fd; -1 when out of resources, fd is then still the caller's. */
int server_tls_wrap(struct server_tls *tls, int fd, struct transport *t);

/* --- connections ---------------------------------------------------------------------------- */

#define SERVER_OUT_MAX    (64UL * 1024 * 1024)
#define SERVER_STREAM_MAX (256UL * 1024)

enum conn_state {
	CONN_HEAD,      /* waiting for, or in, a request's head */
	CONN_BODY,      /* in a request's body */
	CONN_HANDLING,  /* the handler has the request */
	CONN_REPLYING,  /* sending the answer */
	CONN_STREAMING, /* between server_stream_begin() and its end */
	CONN_DRAINING,  /* answer sent, our side closed; the peer's rest is thrown away */
};

struct server_stream {
	struct server_conn *conn;
	void (*on_close)(void *arg); /* NULL when it was told or is not wanted any more */
	void *arg;
	bool chunked;
};

struct server_conn {
	struct list node;
	struct server *server; /* NULL when gone */
	struct loop *loop;
	struct transport transport;
	struct io io;
	struct timer timer; /* one, its meaning follows from the state */
	enum conn_state state;
	int read_want, write_want; /* what the socket must allow for the next read, write */
	bool gone;          /* socket closed; only the handler's request keeps it in memory */
	bool on_stack;      /* server_conn_advance() is running: do not free, do not recurse */
	bool eof;           /* the peer will send nothing more */
	bool served;        /* had a request before: waiting for the next is idling */
	bool close_after;   /* after this answer */
	bool dropping;      /* a stream that ends at the next chance */
	bool peer_busy;     /* sent more while its request is handled: read when its turn comes */
	bool orphan_stream; /* begun after the peer had gone: a deferred call ends it */
	struct buf in, body, out;
	size_t out_sent; /* bytes at the start of `out` that are sent already */
	size_t head_len;
	size_t body_in; /* bytes of the body that came with the head and still lie in `in` */
	struct request_head head;
	struct server_request req;
	struct server_stream stream;
	int64_t idle_since_ms;
};

/* Takes over the transport. */
struct server_conn *server_conn_new(struct server *s, const struct transport *t);
/* Answers 503 without having read anything. */
void server_conn_refuse(struct server_conn *c);
/* Closes the socket; frees it unless a handler still has the request. Calls on_close. */
void server_conn_close(struct server_conn *c);
bool server_conn_is_idle(const struct server_conn *c);
/* Wakes it up in the next round; for what is called from user code. */
void server_conn_wake(struct server_conn *c);
/* Reads, handles and writes as far as the socket allows; may free it. */
void server_conn_advance(struct server_conn *c);
/* After an answer to a connection that has gone: frees it. */
void server_conn_forget(struct server_conn *c);
/* Calls on_close if that is due, in the next round, and frees it. */
void server_conn_forget_stream(struct server_conn *c);
static inline size_t server_conn_unsent(const struct server_conn *c)
{
	return c->out.len - c->out_sent;
}

/* server_reply.c: an answer of the server itself, after which it closes. */
void server_refuse(struct server_conn *c, int status);

/* --- listener --------------------------------------------------------------------------------- */

struct server {
	struct loop *loop;
	int fd;
	struct io io;
	struct timer pause; /* no descriptors left: accept again when it fires */
	struct list conns;
	unsigned nconns;
	struct server_tls *tls;
	server_handler handler;
	void *arg;
	unsigned max_connections;
	int request_ms, idle_ms;
	char address[80];
};

#endif
