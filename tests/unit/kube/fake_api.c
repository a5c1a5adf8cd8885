/* Scripted HTTP/1.1 server for tests, see fake_api.h. */
#include "fake_api.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/list.h"
#include "tidegate/base/str.h"

#define FAKE_INPUT_MAX  (4u << 20)
#define FAKE_OUTPUT_MAX (64u << 20)

struct fake_route {
	struct list link;
	char *method, *prefix;
	const struct fake_reply *replies;
	unsigned n, pos, used;
	void (*fn)(void *arg, const struct fake_request *q, struct fake_reply *out);
	void *arg;
};

enum fake_conn_state { FC_READING, FC_ANSWERING, FC_STALLED, FC_DEAD };

struct fake_conn {
	struct list link;
	struct fake_api *api;
	unsigned number;
	int fd;
	struct io io;
	struct timer timer;
	struct buf in, out;
	enum fake_conn_state state;
	char *path;
	struct fake_reply reply;
	unsigned chunk;
	bool head_sent, finished;
};

struct fake_api {
	struct loop *loop;
	int fd;
	struct io io;
	char url[64];
	struct list routes, conns, dead;
	struct fake_request **log;
	unsigned nlog, nconns;
	bool hang;
};

static void fake_conn_parse(struct fake_conn *c);

static void fake_conn_close(struct fake_conn *c, bool reset)
{
	struct linger hard = {1, 0};

	if (c->state == FC_DEAD)
		return;
	c->state = FC_DEAD;
	io_set(&c->io, c->fd, 0);
	timer_stop(&c->timer);
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c->fd);
	list_remove(&c->link);
	/* It may be on the stack of its own callback: freed with the server. */
	list_push_back(&c->api->dead, &c->link);
}

static void fake_conn_free(struct fake_conn *c)
{
	list_remove(&c->link);
	io_release(&c->io);
	timer_release(&c->timer);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c->path);
	free(c);
}

static void fake_conn_next(struct fake_conn *c)
{
	c->state = FC_READING;
	free(c->path);
	c->path = NULL;
	fake_conn_parse(c);
}

static void fake_conn_flush(struct fake_conn *c)
{
	while (c->state != FC_DEAD && c->out.len) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			fake_conn_close(c, false);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (c->state == FC_DEAD)
		return;
	io_set(&c->io, c->fd, LOOP_READ | (c->out.len ? LOOP_WRITE : 0));
	if (c->out.len || !c->finished || c->state != FC_ANSWERING)
		return;
	switch (c->reply.end) {
	case FAKE_KEEP:
		fake_conn_next(c);
		break;
	case FAKE_STALL:
		c->state = FC_STALLED;
		break;
	case FAKE_CLOSE:
	case FAKE_RESET:
		fake_conn_close(c, c->reply.end == FAKE_RESET);
		break;
	}
}

static void fake_conn_chunk(struct fake_conn *c, const char *text)
{
	buf_addf(&c->out, "%zx\r\n", strlen(text));
	buf_addstr(&c->out, text);
	buf_addstr(&c->out, "\r\n");
}

static void fake_conn_head(struct fake_conn *c)
{
	const struct fake_reply *r = &c->reply;
	const char *body = str_or(r->body, "");

	c->head_sent = true;
	if (r->raw) {
		buf_addstr(&c->out, r->raw);
		c->finished = true;
		return;
	}
	buf_addf(&c->out, "HTTP/1.1 %d Fake\r\nContent-Type: application/json\r\n%s",
	         r->status ? r->status : 200, str_or(r->headers, ""));
	if (r->chunks) {
		buf_addstr(&c->out, "Transfer-Encoding: chunked\r\n\r\n");
		return;
	}
	buf_addf(&c->out, "Content-Length: %zu\r\n\r\n", strlen(body));
	buf_addstr(&c->out, body);
	c->finished = true;
}

/* Sends the next part of the answer: head, then one chunk after the other. */
static void fake_conn_step(void *arg)
{
	struct fake_conn *c = arg;
	const struct fake_reply *r = &c->reply;

	if (!c->head_sent) {
		fake_conn_head(c);
	} else {
		fake_conn_chunk(c, r->chunks[c->chunk++]);
	}
	while (!c->finished && r->chunks[c->chunk] && r->chunk_delay_ms == 0)
		fake_conn_chunk(c, r->chunks[c->chunk++]);
	if (!c->finished && !r->chunks[c->chunk]) {
		if (r->end == FAKE_KEEP)
			buf_addstr(&c->out, "0\r\n\r\n");
		c->finished = true;
	}
	if (!c->finished)
		timer_start(&c->timer, r->chunk_delay_ms);
	fake_conn_flush(c);
}

static bool fake_route_matches(const struct fake_route *r, const struct fake_request *q)
{
	return str_eq(r->method, q->method) && str_starts(q->path, r->prefix);
}

static void fake_api_choose(struct fake_api *f, const struct fake_request *q,
                            struct fake_reply *out)
{
	struct list *it;

	list_for_each (it, &f->routes) {
		struct fake_route *r = list_entry(it, struct fake_route, link);

		if (!fake_route_matches(r, q))
			continue;
		if (r->fn) {
			r->fn(r->arg, q, out);
			return;
		}
		*out = r->replies[r->pos];
		if (++r->used >= (out->times ? out->times : 1) && r->pos + 1 < r->n) {
			r->pos++;
			r->used = 0;
		}
		return;
	}
	out->status = 404;
	out->body = "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no such route\","
		    "\"reason\":\"NotFound\",\"code\":404}";
}

static void fake_conn_request(struct fake_conn *c, size_t head_len, size_t body_len)
{
	struct fake_api *f = c->api;
	struct fake_request *q = xcalloc(1, sizeof(*q));
	const char *line = c->in.data;
	size_t method = strcspn(line, " ");
	size_t path = strcspn(line + method + 1, " ");

	q->method = xstrndup(line, method);
	q->path = xstrndup(line + method + 1, path);
	q->head = xstrndup(line, head_len);
	q->body = xstrndup(line + head_len, body_len);
	q->conn = c->number;
	q->at_ms = clock_mono_ms();
	f->log = xreallocarray(f->log, f->nlog + 1, sizeof(*f->log));
	f->log[f->nlog++] = q;
	buf_consume(&c->in, head_len + body_len);

	c->state = FC_ANSWERING;
	c->path = xstrdup(q->path);
	c->chunk = 0;
	c->head_sent = c->finished = false;
	memset(&c->reply, 0, sizeof(c->reply));
	if (f->hang) {
		c->reply.raw = "";
		c->reply.end = FAKE_STALL;
	} else {
		fake_api_choose(f, q, &c->reply);
	}
	if (c->reply.delay_ms)
		timer_start(&c->timer, c->reply.delay_ms);
	else
		fake_conn_step(c);
}

static void fake_conn_parse(struct fake_conn *c)
{
	struct fake_request head = {0};
	const char *end = strstr(c->in.data, "\r\n\r\n");
	char value[32];
	int64_t body_len = 0;
	size_t head_len;

	if (!end)
		return;
	head_len = (size_t)(end - c->in.data) + 4;
	head.head = c->in.data;
	if (fake_request_header(&head, "Content-Length", value, sizeof(value)))
		str_to_i64(value, &body_len);
	if (c->in.len - head_len < (size_t)body_len)
		return;
	fake_conn_request(c, head_len, (size_t)body_len);
}

static void fake_conn_event(void *arg, int events)
{
	struct fake_conn *c = arg;
	char block[16384];
	ssize_t n;

	if (events & LOOP_WRITE)
		fake_conn_flush(c);
	if (c->state == FC_DEAD || !(events & LOOP_READ))
		return;
	n = recv(c->fd, block, sizeof(block), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || buf_add(&c->in, block, (size_t)n) < 0) {
		fake_conn_close(c, false);
		return;
	}
	if (c->state == FC_READING)
		fake_conn_parse(c);
}

static void fake_api_accept(void *arg, int events)
{
	struct fake_api *f = arg;
	int fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct fake_conn *c;

	(void)events;
	if (fd < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	c->api = f;
	c->fd = fd;
	c->number = ++f->nconns;
	buf_init(&c->in, FAKE_INPUT_MAX);
	buf_init(&c->out, FAKE_OUTPUT_MAX);
	timer_init(&c->timer, f->loop, fake_conn_step, c);
	io_init(&c->io, f->loop, fake_conn_event, c);
	list_push_back(&f->conns, &c->link);
	io_set(&c->io, fd, LOOP_READ);
}

struct fake_api *fake_api_new(struct loop *l)
{
	struct fake_api *f = xcalloc(1, sizeof(*f));
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);

	f->loop = l;
	list_init(&f->routes);
	list_init(&f->conns);
	list_init(&f->dead);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0 || bind(f->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(f->fd, 128) < 0 || getsockname(f->fd, (struct sockaddr *)&sa, &len) < 0)
		abort();
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", ntohs(sa.sin_port));
	io_init(&f->io, l, fake_api_accept, f);
	io_set(&f->io, f->fd, LOOP_READ);
	return f;
}

static void fake_request_free(struct fake_request *q)
{
	free(q->method);
	free(q->path);
	free(q->head);
	free(q->body);
	free(q);
}

void fake_api_free(struct fake_api *f)
{
	struct list *n;

	if (!f)
		return;
	while (!list_empty(&f->conns))
		fake_conn_close(list_entry(f->conns.next, struct fake_conn, link), false);
	while (!list_empty(&f->dead))
		fake_conn_free(list_entry(f->dead.next, struct fake_conn, link));
	while ((n = list_pop_front(&f->routes))) {
		struct fake_route *r = list_entry(n, struct fake_route, link);

		free(r->method);
		free(r->prefix);
		free(r);
	}
	for (unsigned i = 0; i < f->nlog; i++)
		fake_request_free(f->log[i]);
	free(f->log);
	io_release(&f->io);
	close(f->fd);
	free(f);
}

const char *fake_api_url(const struct fake_api *f)
{
	return f->url;
}

static struct fake_route *fake_route_add(struct fake_api *f, const char *method, const char *prefix)
{
	struct fake_route *r = xcalloc(1, sizeof(*r));

	r->method = xstrdup(method);
	r->prefix = xstrdup(prefix);
	list_push_front(&f->routes, &r->link);
	return r;
}

void fake_api_script(struct fake_api *f, const char *method, const char *prefix,
                     const struct fake_reply *replies, unsigned n)
{
	struct fake_route *r = fake_route_add(f, method, prefix);

	assert(n > 0);
	r->replies = replies;
	r->n = n;
}

void fake_api_handle(struct fake_api *f, const char *method, const char *prefix,
                     void (*fn)(void *arg, const struct fake_request *q, struct fake_reply *out),
                     void *arg)
{
	struct fake_route *r = fake_route_add(f, method, prefix);

	r->fn = fn;
	r->arg = arg;
}

const struct fake_request *fake_api_nth(const struct fake_api *f, const char *method,
                                        const char *prefix, unsigned i)
{
	for (unsigned j = 0; j < f->nlog; j++) {
		if ((method && !str_eq(f->log[j]->method, method)) ||
		    !str_starts(f->log[j]->path, prefix))
			continue;
		if (i-- == 0)
			return f->log[j];
	}
	return NULL;
}

unsigned fake_api_count(const struct fake_api *f, const char *method, const char *prefix)
{
	unsigned n = 0;

	while (fake_api_nth(f, method, prefix, n))
		n++;
	return n;
}

bool fake_request_header(const struct fake_request *q, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	const char *line = strstr(q->head, "\r\n");

	while (line && strncmp(line, "\r\n\r\n", 4) != 0) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			const char *v = line + len + 1;

			v += strspn(v, " ");
			snprintf(out, size, "%.*s", (int)strcspn(v, "\r"), v);
			return true;
		}
		line = strstr(line, "\r\n");
	}
	return false;
}

unsigned fake_api_connections(const struct fake_api *f)
{
	return f->nconns;
}

unsigned fake_api_open(const struct fake_api *f)
{
	unsigned n = 0;
	struct list *it;

	list_for_each (it, &f->conns)
		n++;
	return n;
}

static bool fake_conn_streams(const struct fake_conn *c, const char *prefix)
{
	return c->state == FC_STALLED && str_starts(c->path, prefix);
}

unsigned fake_api_streams(const struct fake_api *f, const char *prefix)
{
	unsigned n = 0;
	struct list *it;

	list_for_each (it, &f->conns)
		n += fake_conn_streams(list_entry(it, struct fake_conn, link), prefix);
	return n;
}

void fake_api_push(struct fake_api *f, const char *prefix, const char *chunk)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &f->conns) {
		struct fake_conn *c = list_entry(it, struct fake_conn, link);

		if (!fake_conn_streams(c, prefix))
			continue;
		fake_conn_chunk(c, chunk);
		fake_conn_flush(c);
	}
}

void fake_api_end(struct fake_api *f, const char *prefix, enum fake_end end)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &f->conns) {
		struct fake_conn *c = list_entry(it, struct fake_conn, link);

		if (!fake_conn_streams(c, prefix))
			continue;
		if (end == FAKE_KEEP && c->reply.chunks)
			buf_addstr(&c->out, "0\r\n\r\n");
		c->reply.end = end;
		c->state = FC_ANSWERING;
		fake_conn_flush(c);
	}
}

void fake_api_hang(struct fake_api *f, bool hang)
{
	f->hang = hang;
}

static void fake_api_wake(void *arg)
{
	*(bool *)arg = true;
}

bool fake_api_run(struct loop *l, const bool *flag, int ms)
{
	bool late = false;
	struct timer t;

	timer_init(&t, l, fake_api_wake, &late);
	timer_start(&t, ms);
	while (!*flag && !late)
		loop_run_once(l, true);
	timer_release(&t);
	return *flag;
}

void fake_api_idle(struct loop *l, int ms)
{
	bool never = false;

	fake_api_run(l, &never, ms);
}
