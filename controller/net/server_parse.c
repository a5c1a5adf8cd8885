#include "server_parse.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

void server_request_reset(struct request_head *h)
{
	h->nheaders = 0;
	h->scanned = 0;
}

static bool is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!is_token_char((unsigned char)*s))
			return false;
	return true;
}

/* Length of the head, 0 when its end is not there, -1 at a line that does not end in CR LF. */
static int find_end(struct request_head *h, const char *data, size_t len)
{
	for (size_t i = h->scanned; i < len; i++) {
		if (data[i] == '\0')
			return -1;
		if (data[i] != '\n')
			continue;
		if (i == 0 || data[i - 1] != '\r')
			return -1;
		if (i >= 3 && data[i - 2] == '\n')
			return (int)i + 1;
	}
	h->scanned = len;
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "%xy" at s means; -1 when it is malformed or a NUL, which no string can hold. */
static int percent_byte(const char *s, const char *end)
{
	int hi, lo;

	if (end - s < 3)
		return -1;
	hi = hex(s[1]);
	lo = hex(s[2]);
	return hi < 0 || lo < 0 || !(hi | lo) ? -1 : hi << 4 | lo;
}

/* In place: the decoded text is never longer. */
static int decode_path(char *s)
{
	const char *end = s + strlen(s);
	char *to = s;

	for (const char *p = s; p < end; p++) {
		int c = (unsigned char)*p;

		if (c == '%') {
			c = percent_byte(p, end);
			if (c < 0)
				return -400;
			p += 2;
		}
		*to++ = (char)c;
	}
	*to = '\0';
	return 0;
}

/* Origin form, or absolute form whose authority we do not look at (RFC 9112 3.2.2). */
static int parse_target(struct request_head *h, char *t)
{
	char *q;

	for (const char *p = t; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '#')
			return -400;
	if (!strncasecmp(t, "http://", 7) || !strncasecmp(t, "https://", 8)) {
		t = strchr(t, ':') + 3;
		t += strcspn(t, "/?");
	}
	q = strchr(t, '?');
	if (q)
		*q++ = '\0';
	h->query = q ? q : "";
	h->path = *t ? t : "/";
	if (h->path[0] != '/')
		return -400;
	return *t ? decode_path(t) : 0;
}

static int parse_method(struct request_head *h, const char *m)
{
	static const char *const known[] = {"GET",    "HEAD",  "POST",   "PUT",
	                                    "DELETE", "PATCH", "OPTIONS"};

	if (!is_token(m))
		return -400;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!str_eq(m, known[i]))
			continue;
		h->is_head = str_eq(m, "HEAD");
		h->method = h->is_head ? "GET" : known[i];
		return 0;
	}
	return -405;
}

static int parse_request_line(struct request_head *h, char *line)
{
	char *target = strchr(line, ' '), *version;
	int rc;

	if (!target)
		return -400;
	*target++ = '\0';
	version = strchr(target, ' ');
	if (!version)
		return -400;
	*version++ = '\0';
	if (!str_starts(version, "HTTP/") || strlen(version) != 8)
		return -400;
	if (!str_eq(version, "HTTP/1.1") && !str_eq(version, "HTTP/1.0"))
		return -505;
	h->http10 = version[7] == '0';
	h->keep_alive = !h->http10;
	rc = parse_method(h, line);
	return rc ? rc : parse_target(h, target);
}

/* Is `token` one of the comma-separated words of `list`? */
static bool list_has(const char *list, const char *token)
{
	size_t n = strlen(token);

	while (*list) {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, " \t,");
		if (len == n && !strncasecmp(list, token, n))
			return true;
		list += len;
	}
	return false;
}

static int parse_length(struct request_head *h, const char *v)
{
	uint64_t n;

	if (!*v || strspn(v, "0123456789") != strlen(v))
		return -400;
	if (!str_to_u64(v, &n) || n > REQUEST_BODY_MAX)
		return -413;
	h->content_length = (size_t)n;
	return 0;
}

/* One header line, NUL-terminated, without its CR LF. */
static int parse_header(struct request_head *h, char *line)
{
	char *colon = strchr(line, ':'), *v, *end;

	if (!colon)
		return -400;
	*colon = '\0';
	/* Also refuses a folded line and a blank before the colon: both are smuggling tools. */
	if (!is_token(line))
		return -400;
	v = colon + 1 + strspn(colon + 1, " \t");
	end = v + strlen(v);
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	for (const char *p = v; p < end; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return -400;
	if (h->nheaders == REQUEST_HEADERS_MAX)
		return -431;
	h->headers[h->nheaders++] = (struct request_header){line, v};
	return 0;
}

/* What the headers mean for us. */
static int apply_headers(struct request_head *h)
{
	unsigned hosts = 0, lengths = 0;
	int rc;

	h->content_length = 0;
	h->expect_continue = false;
	for (unsigned i = 0; i < h->nheaders; i++) {
		const char *name = h->headers[i].name, *v = h->headers[i].value;

		if (!strcasecmp(name, "Transfer-Encoding"))
			return -411;
		if (!strcasecmp(name, "Host") && hosts++)
			return -400;
		if (!strcasecmp(name, "Content-Length")) {
			if (lengths++)
				return -400;
			rc = parse_length(h, v);
			if (rc)
				return rc;
		} else if (!strcasecmp(name, "Connection")) {
			if (list_has(v, "close"))
				h->keep_alive = false;
			else if (h->http10 && list_has(v, "keep-alive"))
				h->keep_alive = true;
		} else if (!strcasecmp(name, "Expect")) {
			if (strcasecmp(v, "100-continue"))
				return -417;
			h->expect_continue = !h->http10;
		}
	}
	return hosts || h->http10 ? 0 : -400;
}

int server_request_parse(struct request_head *h, char *data, size_t len)
{
	char *line = data, *end;
	int rc, head;

	/* A TLS hello on the plain port must not have to wait for the time limit. */
	if (len && !is_token_char((unsigned char)data[0]))
		return -400;
	head = find_end(h, data, len < REQUEST_HEAD_MAX ? len : REQUEST_HEAD_MAX);
	if (head < 0)
		return -400;
	if (!head)
		return len >= REQUEST_HEAD_MAX ? -431 : 0;
	h->nheaders = 0;
	for (end = data + head - 2; line < end;) {
		char *cr = memchr(line, '\r', (size_t)(data + head - line));

		if (cr[1] != '\n')
			return -400;
		*cr = '\0';
		rc = line == data ? parse_request_line(h, line) : parse_header(h, line);
		if (rc)
			return rc;
		line = cr + 2;
	}
	rc = apply_headers(h);
	return rc ? rc : head;
}

const char *server_request_header_get(const struct request_head *h, const char *name)
{
	for (unsigned i = 0; i < h->nheaders; i++)
		if (!strcasecmp(h->headers[i].name, name))
			return h->headers[i].value;
	return NULL;
}

/* Decodes one form-encoded word that ends at `end`; false when malformed or too long. */
static bool decode_word(const char *p, const char *end, char *out, size_t size)
{
	size_t n = 0;

	for (; p < end; p++) {
		int c = *p == '+' ? ' ' : (unsigned char)*p;

		if (c == '%') {
			c = percent_byte(p, end);
			if (c < 0)
				return false;
			p += 2;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	if (!size)
		return false;
	out[n] = '\0';
	return true;
}

bool server_request_query_get(const char *query, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	while (*query) {
		const char *end = query + strcspn(query, "&");
		const char *eq = memchr(query, '=', (size_t)(end - query));
		const char *name_end = eq ? eq : end;

		if ((size_t)(name_end - query) == n && !memcmp(query, name, n))
			return decode_word(eq ? eq + 1 : end, end, out, size);
		query = *end ? end + 1 : end;
	}
	return false;
}
