/*
 * What the files of the HTTP client share.
 *
 * http.c      the client: multi handle, sockets and timer on the loop, end of transfers
 * http_call.c one transfer: options in, bytes and result out
 * http_url.c  URLs taken apart
 * http_tls.c  credentials: checked once, put on each transfer
 * http_virtual.c the other end of a transfer when a transport stands in for the network
 * http_error.c libcurl's codes as error classes and texts that tell what to do
 *
 * Re-entrancy: libcurl must not be called from inside its own callbacks, and user code runs
 * there (on_data). So while `in_curl` is set, starting and cancelling only mark;
 * http_client_enter() and http_client_leave() bracket every way in, and the last leave frees what
 * was marked.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/list.h"
#include "tidegate/net/http.h"
#include "tidegate/net/http_virtual.h"

#define HTTP_POOL_MAX 8

struct http_credentials {
	char *ca_pem, *cert_pem, *key_pem, *server_name;
	bool insecure, ca_only;
};

struct http_client {
	struct loop *loop;
	CURLM *multi; /* NULL: a virtual transport carries the calls */
	const struct http_transport *transport;
	struct timer curl_timer; /* libcurl's one timeout */
	struct timer kick;       /* something is in `waiting` or `dead` */
	struct list waiting;     /* calls not yet handed to libcurl */
	struct list running;     /* calls inside libcurl */
	struct list dead;        /* cancelled from inside a callback of libcurl */
	unsigned ncalls;         /* waiting and running */
	unsigned busy;           /* ways in that have not been left */
	unsigned in_curl;
	bool retired, free_wanted;

	struct http_credentials tls;
	char *proxy_url, *user_agent;
	bool proxy_from_env, many_hosts;
	CURL *pool[HTTP_POOL_MAX]; /* finished easy handles, reset */
	unsigned npool;
};

/* Largest head of an answer, all of its lines together. */
#define HTTP_HEAD_MAX   (256 * 1024)
#define HTTP_METHOD_MAX 15

#define HTTP_TARGET_MAX 128

/* Thousands of these are kept. */
struct http_url {
	char *text;
	char *target; /* "host:port", "" unless it is plain */
	bool plain;   /* libcurl would find nothing wrong with it */
	bool tls;
};

struct http_call {
	struct list node;
	struct http_client *client;
	CURL *easy;   /* NULL while waiting */
	bool virtual; /* inside the virtual transport */
	bool cancelled;
	bool finishing; /* on_done is being called */
	bool too_big, refused;
	bool tls_refused;

	/* the request, copied */
	char method[HTTP_METHOD_MAX + 1];
	const char *url;
	struct http_url own_url; /* unless the request's was known */
	char own_target[HTTP_TARGET_MAX];
	struct curl_slist *headers, *connect_to;
	char *body;
	size_t body_len;
	int timeout_ms, connect_timeout_ms, stall_ms;
	bool accept_gzip, short_answer, fresh_connection, connect_only, http2;
	const char *keep_header;
	unsigned sent; /* how often libcurl began to send a write */
	int (*on_data)(void *arg, int status, const char *data, size_t len);
	void (*on_done)(void *arg, const struct http_result *r);
	void *arg;

	/* the answer */
	struct buf answer;
	const char *whole; /* a transport's answer, not copied; NULL = it is in `answer` */
	size_t whole_len;
	size_t head_bytes;
	char *warning, *content_type, *kept_header;
	int retry_after_ms;

	/* of a virtual call; libcurl keeps the others' */
	void *started; /* how its transport names it */
	struct timer limit;
	int status;

	struct timer stall; /* re-armed when it fires, not at each byte */
	int64_t start_ms, last_byte_ms;
	struct err *early;  /* why it cannot be started at all; NULL: it can */
	const char *target; /* "host:port", for texts */
	char curl_text[CURL_ERROR_SIZE];
};

/* http.c */
void http_client_enter(struct http_client *c);
void http_client_leave(struct http_client *c);
CURL *http_client_take_easy(struct http_client *c);
void http_client_give_easy(struct http_client *c, CURL *easy);
void http_client_kick(struct http_client *c);

/* http_url.c */
/* Its target is put where the caller says. */
void http_url_init(struct http_url *u, const char *text, char target[HTTP_TARGET_MAX]);

/* http_call.c */
/* A line of the answer's head or trailers, not its status line. */
void http_call_take_header(struct http_call *call, const char *line, size_t n);
/* Hands a waiting call to libcurl, or ends it when that is impossible. */
void http_call_launch(struct http_call *call);
/* Takes the call out of libcurl, tells on_done and frees it. */
void http_call_finish(struct http_call *call, const struct err *err);
/* Takes it out of libcurl and frees it, silently. Not from inside a callback of libcurl. */
void http_call_drop(struct http_call *call);

/* http_virtual.c */
/* What a client made now uses; NULL = libcurl. */
const struct http_transport *http_virtual_transport(void);
void http_virtual_launch(struct http_call *call);
/* Tells the transport that nobody listens any more. */
void http_virtual_unlink(struct http_call *call);

/* http_tls.c */
int http_tls_check(const struct http_tls *t, struct err *err);
void http_tls_copy(struct http_credentials *to, const struct http_client_options *o);
void http_tls_release(struct http_credentials *t);
void http_tls_apply(const struct http_credentials *t, CURL *easy);

/* http_error.c */
void http_error_fill(struct http_call *call, CURLcode code, struct err *err);

#endif
