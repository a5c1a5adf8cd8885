/*
 * libFuzzer target of the HTTP request parser:
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -D_GNU_SOURCE
 *   tests/fuzz/fuzz_http_request.c controller/net/server_parse.c controller/base/{str,alloc}.c
 * The first byte says how the input is cut into pieces; whole and in pieces must agree.
 */
#include <stdint.h>
#include <string.h>

#include "../../controller/net/server_parse.h"
#include "tidegate/base/alloc.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_head(const struct request_head *h, const char *text, int len)
{
	char value[64];

	require(h->path[0] == '/');
	require(h->content_length <= REQUEST_BODY_MAX);
	require(h->nheaders <= REQUEST_HEADERS_MAX);
	for (unsigned i = 0; i < h->nheaders; i++) {
		const char *end = h->headers[i].value + strlen(h->headers[i].value);

		require(h->headers[i].name >= text && end < text + len);
		require(!strpbrk(h->headers[i].value, "\r\n"));
	}
	require(!server_request_header_get(h, "Transfer-Encoding"));
	server_request_query_get(h->query, "a", value, sizeof(value));
	server_request_query_get(h->query, "", value, 1);
}

/* In memory of exactly the size that has come so far. */
static int parse_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
	struct request_head h;
	int rc = 0;

	server_request_reset(&h);
	for (size_t n = piece; !rc; n += piece) {
		size_t have = n < size ? n : size;
		char *text = xmalloc(have + 1);

		memcpy(text, data, have);
		rc = server_request_parse(&h, text, have);
		if (rc > 0)
			check_head(&h, text, rc);
		free(text);
		if (have == size)
			break;
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;
	int whole;

	if (!size)
		return 0;
	piece = data[0] ? data[0] : 1;
	data++;
	size--;
	whole = parse_in_pieces(data, size, size ? size : 1);
	require(whole <= (int)size);
	/* In pieces an error may be seen before another one further on, but never undone. */
	require((whole < 0) == (parse_in_pieces(data, size, piece) < 0));
	return 0;
}
