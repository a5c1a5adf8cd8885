#include "response.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tidegate/base/str.h"

#define LINE_MAX_BYTES 16384

void response_init(struct response *r)
{
	*r = (struct response){0};
	buf_init(&r->line, LINE_MAX_BYTES);
}

void response_release(struct response *r)
{
	buf_release(&r->line);
}

void response_reset(struct response *r, bool head_only)
{
	struct buf line = r->line;

	buf_reset(&line);
	*r = (struct response){.line = line, .head_only = head_only, .in_head = true};
}

static int parse_status_line(struct response *r, const char *line, struct err *err)
{
	int64_t status;
	char digits[4];

	if (!str_starts(line, "HTTP/1.") || strlen(line) < 12 || line[8] != ' ')
		return err_set(err, ERR_PROTOCOL, "not an HTTP/1.x answer");
	memcpy(digits, line + 9, 3);
	digits[3] = '\0';
	if (!str_to_i64(digits, &status) || status < 100)
		return err_set(err, ERR_PROTOCOL, "bad status line");
	r->status = (int)status;
	r->keep_alive = line[7] == '1';
	r->body = BODY_UNTIL_CLOSE;
	return 0;
}

/* Value of the header when the line is that header, else NULL. */
static const char *value_of(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " \t");
}

static int parse_header(struct response *r, const char *line, struct err *err)
{
	const char *v;

	if ((v = value_of(line, "content-length"))) {
		if (!str_to_u64(v, &r->left))
			return err_set(err, ERR_PROTOCOL, "bad Content-Length");
		if (r->body != BODY_CHUNK_SIZE)
			r->body = BODY_LENGTH;
	} else if ((v = value_of(line, "transfer-encoding"))) {
		if (strcasecmp(v, "chunked") != 0)
			return err_set(err, ERR_PROTOCOL, "unknown Transfer-Encoding");
		r->body = BODY_CHUNK_SIZE;
	} else if ((v = value_of(line, "connection"))) {
		if (strcasecmp(v, "close") == 0)
			r->keep_alive = false;
	} else if ((v = value_of(line, "x-model-version"))) {
		str_copy(r->version, sizeof(r->version), v);
	} else if ((v = value_of(line, "x-pod-name"))) {
		str_copy(r->pod, sizeof(r->pod), v);
	} else if ((v = value_of(line, "x-zone"))) {
		str_copy(r->zone, sizeof(r->zone), v);
	}
	return 0;
}

static void end_head(struct response *r)
{
	if (r->status < 200) { /* 100 Continue and the like: the real answer follows */
		r->status = 0;
		return;
	}
	r->in_head = false;
	if (r->head_only || r->status == 204 || r->status == 304)
		r->body = BODY_NONE;
	if (r->body == BODY_NONE || (r->body == BODY_LENGTH && r->left == 0))
		r->done = true;
	if (r->body == BODY_UNTIL_CLOSE)
		r->keep_alive = false;
}

static int parse_chunk_size(struct response *r, const char *line, struct err *err)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t size = 0;
	unsigned digits = 0;

	for (const char *p = line; *p && *p != ';' && *p != ' '; p++, digits++) {
		if (!isxdigit((unsigned char)*p) || digits >= 15)
			return err_set(err, ERR_PROTOCOL, "bad chunk size");
		size = size * 16 + (uint64_t)(strchr(hex, tolower(*p)) - hex);
	}
	if (digits == 0)
		return err_set(err, ERR_PROTOCOL, "bad chunk size");
	r->left = size;
	r->body = size ? BODY_CHUNK : BODY_TRAILER;
	return 0;
}

static int take_line(struct response *r, const char *line, struct err *err)
{
	if (r->in_head && r->status == 0)
		return parse_status_line(r, line, err);
	if (r->in_head) {
		if (line[0])
			return parse_header(r, line, err);
		end_head(r);
		return 0;
	}
	if (r->body == BODY_CHUNK_SIZE)
		return parse_chunk_size(r, line, err);
	if (r->body == BODY_CHUNK_END) {
		r->body = BODY_CHUNK_SIZE;
		return line[0] ? err_set(err, ERR_PROTOCOL, "chunk without an end") : 0;
	}
	r->done = line[0] == '\0'; /* trailers are skipped */
	return 0;
}

/* Collects bytes up to a line end; returns how many were used, -1 on error. */
static long feed_line(struct response *r, const char *data, size_t len, struct err *err)
{
	const char *end = memchr(data, '\n', len);
	size_t used = end ? (size_t)(end - data) + 1 : len;

	if (buf_add(&r->line, data, used))
		return err_set(err, ERR_TOO_BIG, "header line longer than %d bytes",
		               LINE_MAX_BYTES);
	if (!end)
		return (long)used;
	while (r->line.len && strchr("\r\n", r->line.data[r->line.len - 1]))
		buf_truncate(&r->line, r->line.len - 1);
	if (take_line(r, r->line.data, err))
		return -1;
	buf_reset(&r->line);
	return (long)used;
}

static size_t feed_body(struct response *r, size_t len)
{
	size_t used = len < r->left ? len : (size_t)r->left;

	r->left -= used;
	if (r->left == 0 && r->body == BODY_LENGTH)
		r->done = true;
	else if (r->left == 0)
		r->body = BODY_CHUNK_END;
	return used;
}

int response_feed(struct response *r, const char *data, size_t len, struct err *err)
{
	r->started = r->started || len > 0;
	while (len > 0) {
		long used;

		if (r->done)
			return err_set(err, ERR_PROTOCOL, "bytes behind the end of the answer");
		if (!r->in_head && r->body == BODY_UNTIL_CLOSE)
			return 0;
		if (!r->in_head && (r->body == BODY_LENGTH || r->body == BODY_CHUNK))
			used = (long)feed_body(r, len);
		else
			used = feed_line(r, data, len, err);
		if (used < 0)
			return -1;
		data += used;
		len -= (size_t)used;
	}
	return 0;
}

int response_end(struct response *r, struct err *err)
{
	if (!r->in_head && r->body == BODY_UNTIL_CLOSE)
		r->done = true;
	if (r->done)
		return 0;
	return err_set(err, ERR_TRANSPORT,
	               r->started ? "connection closed within the answer"
	                          : "connection closed before the answer");
}
