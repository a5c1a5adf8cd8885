/*
 * HTTP client: libcurl's multi interface driven by the loop (socket action).
 *
 * A client is one multi handle with one set of credentials for TLS. libcurl
 * before 8.14 ignores key and certificate blobs when it matches a connection, so
 * a change of credentials means a new client: http_client_retire() lets running
 * transfers end and then frees it.
 * HTTP/1.1 unless a request says otherwise: libcurl never verifies HTTP/2 PING acks, and a dead
 * HTTP/2 connection takes every watch with it.
 *
 * Ownership: http_start() copies the request's strings and body, but for a known URL, which must
 * stay until on_done or http_cancel(). The call object belongs to the client and is gone after
 * on_done returns. Exactly one on_done per call, never from inside http_start(); after
 * http_cancel() none.
 */
#ifndef TIDEGATE_NET_HTTP_H
#define TIDEGATE_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"

/* PEM texts, NULL when not used. Copied. */
struct http_tls {
	const char *ca_pem;
	const char *cert_pem;
	const char *key_pem;
	const char *server_name; /* name to verify instead of the URL's host */
	bool insecure;           /* do not verify the peer */
};

struct http_client_options {
	struct http_tls tls;
	const char *proxy_url; /* NULL: none, unless the next says otherwise */
	bool proxy_from_env;   /* without proxy_url: HTTPS_PROXY and NO_PROXY, as libcurl reads them
	                        */
	const char *user_agent;
	int max_host_connections; /* 0 = no limit */
	/*
	 * So many hosts named by address are asked again and again (net/http_pool.h), and a
	 * connection is kept to each of them; 0 = names, and 64 connections in all.
	 */
	unsigned hosts_kept;
	bool verify_with_ca_only; /* trust ca_pem and not the system's store; true for API servers
	                           */
};

struct http_client;
struct http_client *http_client_new(struct loop *l, const struct http_client_options *o,
                                    struct err *err);
/* Cancels everything that runs, without on_done. */
void http_client_free(struct http_client *c);
/* Frees the client when its last transfer has ended; new calls are refused. */
void http_client_retire(struct http_client *c);
unsigned http_client_running(const struct http_client *c);

struct http_result {
	struct err err;     /* class ERR_NONE when a whole response came, whatever its status */
	int status;         /* 0 when no response came */
	int retry_after_ms; /* from Retry-After, 0 when absent */
	const char *body;   /* collected body, NUL-terminated; "" when on_data was given */
	size_t body_len;
	const char *warning; /* last Warning header's text, NULL when none */
	const char *content_type;
	const char *kept_header; /* value of the request's keep_header, NULL when absent */
	bool tls_refused;        /* one side did not accept the other's certificate */
	int64_t elapsed_ms;
};

/* A URL that is asked for again and again, taken apart once. */
struct http_url;
struct http_url *http_url_new(const char *text);
void http_url_free(struct http_url *u);
const char *http_url_text(const struct http_url *u);

struct http_request {
	const char *method; /* NULL = GET */
	const char *url;
	const struct http_url *known_url; /* instead of url */
	const char *const *headers;       /* "Name: value", NULL-terminated; NULL = none */
	const void *body;
	size_t body_len;
	int timeout_ms;         /* whole transfer; 0 = none (a watch) */
	int connect_timeout_ms; /* 0 = 3000 */
	int stall_ms;           /* no byte for so long ends it with ERR_TIMEOUT; 0 = off */
	size_t max_body;        /* collected body; 0 = 1 MiB; passing it ends with ERR_TOO_BIG */
	bool accept_gzip;
	bool short_answer; /* thousands of these run at once, each with a receive buffer of 2 kB */
	bool fresh_connection;
	bool connect_only; /* done, with status 0, once the connection stands: nothing is sent */
	/*
	 * HTTP/2 from the first byte, without TLS (prior knowledge), on a connection of its own:
	 * after a time-out libcurl ends the stream only, and would use the dead connection again.
	 */
	bool http2;
	const char *keep_header; /* name of one more header or trailer to hand on; a literal */

	/* Given: body bytes go here as they come (status already known), nothing is collected.
	 * Returning -1 ends the transfer with ERR_PROTOCOL. */
	int (*on_data)(void *arg, int status, const char *data, size_t len);
	void (*on_done)(void *arg, const struct http_result *r);
	void *arg;
};

struct http_call;
struct http_call *http_start(struct http_client *c, const struct http_request *r);
void http_cancel(struct http_call *call);
/* Monotonic ms of the last byte received (start of the call before the first). */
int64_t http_last_byte_ms(const struct http_call *call);

#endif
