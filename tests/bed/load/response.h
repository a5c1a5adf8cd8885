/*
 * One HTTP/1.1 response, read as its bytes come. The body is counted, not kept; of the headers
 * only those stay that say who answered.
 */
#ifndef BED_LOAD_RESPONSE_H
#define BED_LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

#define RESPONSE_WHO_MAX 128

enum response_body {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNK_SIZE, /* a line with the size of the next chunk */
	BODY_CHUNK,
	BODY_CHUNK_END, /* the line end behind a chunk */
	BODY_TRAILER,
	BODY_UNTIL_CLOSE,
};

struct response {
	int status;   /* 0 until the head is complete */
	bool started; /* a byte has come */
	bool done;
	bool keep_alive;
	bool head_only;
	char version[RESPONSE_WHO_MAX], pod[RESPONSE_WHO_MAX], zone[RESPONSE_WHO_MAX];
	/* parser */
	struct buf line;
	enum response_body body;
	uint64_t left;
	bool in_head;
};

void response_init(struct response *r);
void response_release(struct response *r);
/* Ready for the next answer on the same connection. head_only: it answers a HEAD. */
void response_reset(struct response *r, bool head_only);
/* Bytes behind the end of the response are an error: nothing was asked yet. */
int response_feed(struct response *r, const char *data, size_t len, struct err *err);
/* End of stream; an error unless the response is complete with it. */
int response_end(struct response *r, struct err *err);

#endif
