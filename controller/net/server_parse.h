/*
 * HTTP/1.1 request heads, strictly: what is not clearly right is refused, so that a proxy
 * before us and we can never see two different requests in the same bytes. Pure: no I/O, no
 * allocation. Source: RFC 9110, RFC 9112.
 */
#ifndef NET_SERVER_PARSE_H
#define NET_SERVER_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_HEAD_MAX    16384
#define REQUEST_BODY_MAX    (1024 * 1024)
#define REQUEST_HEADERS_MAX 100

struct request_header {
	const char *name, *value;
};

/* The strings lie in the buffer that was parsed. */
struct request_head {
	const char *method, *path, *query;
	struct request_header headers[REQUEST_HEADERS_MAX];
	unsigned nheaders;
	size_t content_length;
	bool http10;
	bool keep_alive;
	bool is_head;
	bool expect_continue;
	size_t scanned; /* bytes in which the end of the head is known not to be */
};

/* For the next request; must precede the first server_request_parse() of each. */
void server_request_reset(struct request_head *h);
/*
 * Looks at the first len bytes of a request, with the same bytes and more of them at each call.
 * Returns 0 while the head is incomplete, -STATUS when it must be refused with that status, and
 * the length of the head when it is there; only then is data changed (NULs, decoded path).
 */
int server_request_parse(struct request_head *h, char *data, size_t len);
/* NULL when absent. The first of several. */
const char *server_request_header_get(const struct request_head *h, const char *name);
/* As server_query(). */
bool server_request_query_get(const char *query, const char *name, char *out, size_t size);

#endif
