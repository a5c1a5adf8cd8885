/*
 * A stand-in for the network under the HTTP client: every request of a client that was made while
 * a transport is set goes to a function of this process, which answers it whenever it likes, in
 * pieces, late, or never. For simulation: who uses net/http.h does not notice.
 *
 * Ownership: a call is the client's, and may not have been handed to who started it yet when
 * `start` is told of it. The transport may answer it until `gone` was called for it or one of the
 * functions below has ended it; `start` and `gone` must not answer at once (answer from a timer).
 * Time limits and stalls of the request are kept here, in virtual time.
 */
#ifndef TIDEGATE_NET_HTTP_VIRTUAL_H
#define TIDEGATE_NET_HTTP_VIRTUAL_H

#include "tidegate/net/http.h"

/* A request as it was sent; its strings live as long as the call. */
struct http_sent {
	const char *method, *url, *user_agent;
	const char *content_type; /* NULL when it has none */
	const char *body;         /* "" when it has none */
	size_t body_len;
};

struct http_transport {
	/* What it returns is how `gone` names the call. */
	void *(*start)(void *arg, struct http_call *call, const struct http_sent *sent);
	/* The call has ended or was given up: it must not be answered (again). */
	void (*gone)(void *arg, void *started);
	void *arg;
};

/* For clients made from now on; must outlive them. NULL = the real network. */
void http_transport_use(const struct http_transport *t);

void http_answer_head(struct http_call *call, int status, int retry_after_ms);
/* "Name: value", of the head or of the trailers. */
void http_answer_header(struct http_call *call, const char *line);
/* Body bytes. False when that ended the call: it is gone. */
bool http_answer_data(struct http_call *call, const char *data, size_t len);
/* The end: of a whole answer (NULL), or of the connection (`err` says how). The call is gone. */
void http_answer_end(struct http_call *call, const struct err *err);
/* All of that at once. The body is NUL-terminated, and not copied: it must outlive on_done. */
void http_answer_whole(struct http_call *call, int status, int retry_after_ms, const char *body,
                       size_t len);

#endif
