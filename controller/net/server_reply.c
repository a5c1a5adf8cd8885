#include <string.h>
#include <strings.h>

#include "server_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "Unknown";
}

/* Value of a header among "Name: value\r\n" lines, up to its CR; NULL when absent. */
static const char *line_value(const char *lines, const char *name)
{
	size_t n = strlen(name);

	while (lines && *lines) {
		if (!strncasecmp(lines, name, n) && lines[n] == ':')
			return lines + n + 1 + strspn(lines + n + 1, " ");
		lines = strchr(lines, '\n');
		if (lines)
			lines++;
	}
	return NULL;
}

/* Everything before the header that frames the body. */
static void add_head(struct server_conn *c, int status, const char *content_type, const char *extra)
{
	const char *connection = line_value(extra, "Connection");

	if (!c->head.keep_alive || (connection && !strncasecmp(connection, "close", 5)))
		c->close_after = true;
	buf_addf(&c->out, "HTTP/1.1 %d %s\r\n", status, status_text(status));
	if (!str_empty(content_type))
		buf_addf(&c->out, "Content-Type: %s\r\n", content_type);
	if (!connection && c->close_after)
		buf_addstr(&c->out, "Connection: close\r\n");
	else if (!connection && c->head.http10)
		buf_addstr(&c->out, "Connection: keep-alive\r\n");
	buf_addstr(&c->out, str_or(extra, ""));
}

void server_reply(struct server_request *r, int status, const char *content_type,
                  const char *extra_headers, const void *body, size_t len)
{
	struct server_conn *c = r->conn;
	size_t start;

	if (c->gone) {
		server_conn_forget(c);
		return;
	}
	if (c->state != CONN_HANDLING)
		return;
	start = c->out.len;
	add_head(c, status, content_type, extra_headers);
	if (status != 204 && status != 304)
		buf_addf(&c->out, "Content-Length: %zu\r\n", len);
	buf_addstr(&c->out, "\r\n");
	if (!c->head.is_head && status != 204 && status != 304 && buf_add(&c->out, body, len) < 0) {
		buf_truncate(&c->out, start);
		server_refuse(c, 500);
		server_conn_wake(c);
		return;
	}
	c->state = CONN_REPLYING;
	timer_start(&c->timer, c->server->idle_ms);
	server_conn_wake(c);
}

void server_reply_text(struct server_request *r, int status, const char *text)
{
	server_reply(r, status, "text/plain; charset=utf-8", NULL, text, strlen(text));
}

void server_refuse(struct server_conn *c, int status)
{
	const char *text = status_text(status);

	c->close_after = true;
	buf_addf(&c->out, "HTTP/1.1 %d %s\r\n", status, text);
	if (status == 405)
		buf_addstr(&c->out, "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n");
	if (status == 503)
		buf_addstr(&c->out, "Retry-After: 1\r\n");
	buf_addf(&c->out,
	         "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
	         "Content-Length: %zu\r\n\r\n%s\n",
	         strlen(text) + 1, text);
	c->state = CONN_REPLYING;
	timer_start(&c->timer, c->server->idle_ms);
}

const char *server_header(const struct server_request *r, const char *name)
{
	return server_request_header_get(&r->conn->head, name);
}

bool server_query(const struct server_request *r, const char *name, char *out, size_t size)
{
	return server_request_query_get(r->query, name, out, size);
}

/* --- streams ------------------------------------------------------------------------------- */

struct server_stream *server_stream_begin(struct server_request *r, const char *content_type,
                                          void (*on_close)(void *arg), void *arg)
{
	struct server_conn *c = r->conn;
	struct server_stream *s = &c->stream;

	*s = (struct server_stream){c, on_close, arg, !c->head.http10};
	c->state = CONN_STREAMING;
	if (c->gone) {
		server_conn_forget_stream(c);
		return s;
	}
	/* HTTP/1.0 knows no chunks: there the end of the connection is the end of the body. */
	if (!s->chunked)
		c->close_after = true;
	add_head(c, 200, content_type, "Cache-Control: no-store\r\n");
	buf_addstr(&c->out, s->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
	timer_start(&c->timer, c->server->idle_ms);
	server_conn_wake(c);
	return s;
}

/* on_close must not be called from inside this: the timer does it in the next round. */
static int drop(struct server_conn *c)
{
	c->dropping = true;
	timer_start(&c->timer, 0);
	return -1;
}

int server_stream_send(struct server_stream *s, const void *data, size_t len)
{
	struct server_conn *c = s->conn;

	if (c->gone || c->dropping)
		return -1;
	if (!len || c->head.is_head)
		return 0;
	if (server_conn_unsent(c) + len > SERVER_STREAM_MAX)
		return drop(c);
	if (!server_conn_unsent(c))
		timer_start(&c->timer, c->server->idle_ms);
	if (s->chunked)
		buf_addf(&c->out, "%zx\r\n", len);
	buf_add(&c->out, data, len);
	if (s->chunked)
		buf_addstr(&c->out, "\r\n");
	server_conn_wake(c);
	return 0;
}

void server_stream_end(struct server_stream *s)
{
	struct server_conn *c = s->conn;

	s->on_close = NULL;
	if (c->gone || c->dropping)
		return;
	if (s->chunked && !c->head.is_head)
		buf_addstr(&c->out, "0\r\n\r\n");
	c->state = CONN_REPLYING;
	timer_start(&c->timer, c->server->idle_ms);
	server_conn_wake(c);
}
