#include "target.h"

#include <netdb.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

#define BODY_MAX    (1u << 20)
#define REQUEST_MAX (BODY_MAX + (64u << 10))

/* Fits the model server's generated model: eight features. */
static const char predict_body[] = "{\"instances\":[[0.12,0.5,-0.3,1,0.25,0.75,-1.5,0.01]]}";
static const char infer_body[] = "{\"inputs\":[{\"name\":\"features\",\"shape\":[1,8],"
				 "\"datatype\":\"FP64\",\"data\":[0.12,0.5,-0.3,1,0.25,0.75,"
				 "-1.5,0.01]}]}";

struct url {
	char *authority; /* host:port as written */
	char *host;
	const char *port;
	const char *path;
};

static void url_release(struct url *u)
{
	free(u->authority);
	free(u->host);
}

static int url_parse(struct url *u, const char *text, struct err *err)
{
	static const char scheme[] = "http://";
	size_t n;
	char *colon, *bracket;

	if (!str_starts(text, scheme))
		return err_set(err, ERR_INVALID, "--url: must start with http://");
	text += strlen(scheme);
	n = strcspn(text, "/?");
	u->authority = xstrndup(text, n);
	u->path = text[n] == '/' ? text + n : "/";
	u->host = xstrdup(u->authority);
	bracket = strrchr(u->host, ']');
	colon = strrchr(bracket ? bracket : u->host, ':');
	u->port = "80";
	if (colon) {
		*colon = '\0';
		u->port = colon + 1;
	}
	if (u->host[0] == '[' && bracket) {
		*bracket = '\0';
		memmove(u->host, u->host + 1, strlen(u->host));
	}
	return u->host[0] ? 0 : err_set(err, ERR_INVALID, "--url: no host");
}

static int resolve(struct target *t, const struct url *u, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(u->host, u->port, &hints, &found);

	if (rc)
		return err_set(err, ERR_IO, "--url: %s:%s: %s", u->host, u->port, gai_strerror(rc));
	memcpy(&t->address, found->ai_addr, found->ai_addrlen);
	t->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int load_body(struct buf *body, const struct options *o, const struct url *u,
                     struct err *err)
{
	if (o->body_file)
		return file_read(o->body_file, body, err);
	if (str_ends(u->path, ":predict"))
		return buf_addstr(body, predict_body);
	if (str_ends(u->path, "/infer"))
		return buf_addstr(body, infer_body);
	return 0;
}

static int build_request(struct target *t, const struct options *o, const struct url *u,
                         struct err *err)
{
	cleanup_buf struct buf body;
	struct buf *r = &t->request;
	const char *method;

	buf_init(&body, BODY_MAX);
	if (load_body(&body, o, u, err))
		return -1;
	method = str_or(o->method, body.len ? "POST" : "GET");
	t->head_only = str_eq(method, "HEAD");
	buf_addf(r, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load/%s\r\n", method, u->path,
	         str_or(o->host, u->authority), TIDEGATE_VERSION);
	for (unsigned i = 0; i < o->nheaders; i++)
		buf_addf(r, "%s\r\n", o->headers[i]);
	if (body.len)
		buf_addf(r, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	buf_addstr(r, "\r\n");
	if (buf_add(r, body.data, body.len))
		return err_set(err, ERR_TOO_BIG, "the request is longer than %u bytes",
		               REQUEST_MAX);
	return 0;
}

int target_init(struct target *t, const struct options *o, struct err *err)
{
	struct url u = {0};
	int rc;

	*t = (struct target){0};
	buf_init(&t->request, REQUEST_MAX);
	rc = url_parse(&u, o->url, err) || resolve(t, &u, err) || build_request(t, o, &u, err);
	url_release(&u);
	return rc ? -1 : 0;
}

void target_release(struct target *t)
{
	buf_release(&t->request);
}
