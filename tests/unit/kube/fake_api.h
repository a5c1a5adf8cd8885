/*
 * A scripted HTTP/1.1 server in the test's own loop, for the faults that a real
 * API server cannot be made to produce: late, cut, stalled and garbled answers.
 *
 *     struct fake_api *f = fake_api_new(loop);
 *     static const struct fake_reply pods[] = {
 *             {.status = 429, .headers = "Retry-After: 1\r\n"},
 *             {.body = "{\"kind\":\"PodList\",\"items\":[]}"},
 *     };
 *     fake_api_script(f, "GET", "/api/v1/pods", pods, 2);
 *
 * Each request takes the next reply of the newest script whose method and path
 * prefix (query included) match; the last reply repeats. Nothing matches: 404.
 * Replies and their strings are not copied. Requests are recorded.
 *
 * The build makes one program of each test_*.c, so a test that needs the server
 * includes fake_api.c.
 */
#ifndef TIDEGATE_TESTS_FAKE_API_H
#define TIDEGATE_TESTS_FAKE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/net/loop.h"

/* What follows the last byte of a reply. */
enum fake_end {
	FAKE_KEEP,  /* the answer is complete and the connection stays */
	FAKE_CLOSE, /* orderly close; a chunked body lacks its end then */
	FAKE_RESET, /* RST */
	FAKE_STALL, /* nothing, ever; fake_api_push() can still add chunks */
};

struct fake_reply {
	int status;                /* 0 = 200 */
	const char *headers;       /* "Name: value\r\n" lines, NULL = none */
	const char *body;          /* with Content-Length; NULL = empty */
	const char *const *chunks; /* given: a chunked body of these pieces, NULL-terminated */
	int chunk_delay_ms;        /* before each chunk */
	int delay_ms;              /* before the first byte */
	const char *raw;           /* given: these bytes and nothing else */
	enum fake_end end;
	unsigned times; /* requests that get it; 0 = 1 */
};

struct fake_request {
	char *method;
	char *path; /* as sent, with query */
	char *head; /* request line and headers */
	char *body;
	unsigned conn; /* 1-based number of the connection */
	int64_t at_ms; /* clock_mono_ms() of its arrival */
};

struct fake_api;
struct fake_api *fake_api_new(struct loop *l);
void fake_api_free(struct fake_api *f);
/* "http://127.0.0.1:PORT" */
const char *fake_api_url(const struct fake_api *f);

void fake_api_script(struct fake_api *f, const char *method, const char *prefix,
                     const struct fake_reply *replies, unsigned n);
/* fn fills *out (zeroed); strings in it must live until it is called again. */
void fake_api_handle(struct fake_api *f, const char *method, const char *prefix,
                     void (*fn)(void *arg, const struct fake_request *q, struct fake_reply *out),
                     void *arg);

/* Requests so far; method NULL = any, prefix "" = any. */
unsigned fake_api_count(const struct fake_api *f, const char *method, const char *prefix);
/* The i-th (0-based) of them, NULL when there are fewer. */
const struct fake_request *fake_api_nth(const struct fake_api *f, const char *method,
                                        const char *prefix, unsigned i);
/* Copies a request header's value; false when it is not there. */
bool fake_request_header(const struct fake_request *q, const char *name, char *out, size_t size);
/* Connections accepted so far, and those open now. */
unsigned fake_api_connections(const struct fake_api *f);
unsigned fake_api_open(const struct fake_api *f);

/* Stalled answers whose request path starts with prefix: how many, send one more chunk, end. */
unsigned fake_api_streams(const struct fake_api *f, const char *prefix);
void fake_api_push(struct fake_api *f, const char *prefix, const char *chunk);
void fake_api_end(struct fake_api *f, const char *prefix, enum fake_end end);
/* Accepted but never answered from now on, as a hung server does; false = back to normal. */
void fake_api_hang(struct fake_api *f, bool hang);

/* Runs the loop until *flag is set; false when that takes more than `ms`. */
bool fake_api_run(struct loop *l, const bool *flag, int ms);
/* Runs the loop for about `ms`. */
void fake_api_idle(struct loop *l, int ms);

#endif
