#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "server_internal.h"
#include "tidegate/base/alloc.h"

#define READ_CHUNK     16384
#define DRAIN_MS       1000
#define DISCARD_ROUNDS 16

static void conn_free(struct server_conn *c)
{
	buf_release(&c->in);
	buf_release(&c->body);
	buf_release(&c->out);
	free(c);
}

void server_conn_forget(struct server_conn *c)
{
	c->state = CONN_REPLYING; /* no longer the handler's */
	if (!c->on_stack)
		conn_free(c);
}

static void tell_close(struct server_conn *c)
{
	void (*fn)(void *arg) = c->stream.on_close;

	c->stream.on_close = NULL;
	if (fn)
		fn(c->stream.arg);
}

static void end_orphan_stream(void *arg)
{
	tell_close(arg);
	conn_free(arg);
}

void server_conn_forget_stream(struct server_conn *c)
{
	c->orphan_stream = true;
	loop_defer(c->loop, end_orphan_stream, c);
}

void server_conn_close(struct server_conn *c)
{
	if (c->gone)
		return;
	c->gone = true;
	list_remove(&c->node);
	c->server->nconns--;
	c->server = NULL;
	io_release(&c->io);
	timer_release(&c->timer);
	c->transport.ops->release(&c->transport);
	if (c->state == CONN_STREAMING)
		tell_close(c);
	if (!c->on_stack && c->state != CONN_HANDLING)
		conn_free(c);
}

bool server_conn_is_idle(const struct server_conn *c)
{
	return c->state == CONN_HEAD && c->served && !c->in.len;
}

void server_conn_wake(struct server_conn *c)
{
	if (!c->on_stack)
		io_set(&c->io, c->transport.fd, LOOP_READ | LOOP_WRITE);
}

static void on_io(void *arg, int events)
{
	(void)events;
	server_conn_advance(arg);
}

static void on_timer(void *arg)
{
	struct server_conn *c = arg;
	bool begun = c->in.len || c->state == CONN_BODY;

	if ((c->state == CONN_HEAD || c->state == CONN_BODY) && begun) {
		server_refuse(c, 408);
		server_conn_advance(c);
		return;
	}
	/* Idle, a peer that does not read, a stream that is dropped, a peer that left the handler.
	 */
	server_conn_close(c);
}

struct server_conn *server_conn_new(struct server *s, const struct transport *t)
{
	struct server_conn *c = xcalloc(1, sizeof(*c));

	c->server = s;
	c->loop = s->loop;
	c->transport = *t;
	c->read_want = LOOP_READ;
	c->write_want = LOOP_WRITE;
	buf_init(&c->in, REQUEST_HEAD_MAX);
	buf_init(&c->body, REQUEST_BODY_MAX);
	buf_init(&c->out, SERVER_OUT_MAX);
	server_request_reset(&c->head);
	io_init(&c->io, s->loop, on_io, c);
	timer_init(&c->timer, s->loop, on_timer, c);
	timer_start(&c->timer, s->request_ms);
	io_set(&c->io, t->fd, LOOP_READ);
	list_push_back(&s->conns, &c->node);
	s->nconns++;
	return c;
}

void server_conn_refuse(struct server_conn *c)
{
	server_refuse(c, 503);
	server_conn_advance(c);
}

/* --- reading ------------------------------------------------------------------------------- */

/* Reads up to `room` bytes; false when there is nothing now, or never again (then closed). */
static bool fill(struct server_conn *c, struct buf *b, size_t room)
{
	char chunk[READ_CHUNK];
	bool first = c->state == CONN_HEAD && c->served && !c->in.len;
	long n = c->transport.ops->read(&c->transport, chunk,
	                                room < sizeof(chunk) ? room : sizeof(chunk));

	if (n > 0) {
		/* One limit for the whole request: a byte now and then does not extend it. */
		if (first)
			timer_start(&c->timer, c->server->request_ms);
		buf_add(b, chunk, (size_t)n);
		return true;
	}
	if (n == 0 || !c->transport.want)
		server_conn_close(c);
	else
		c->read_want = c->transport.want;
	return false;
}

/* Throws away what a peer sends that we do not listen to; notices that it leaves. */
static void discard(struct server_conn *c)
{
	char chunk[READ_CHUNK];

	for (int i = 0; i < DISCARD_ROUNDS; i++) {
		long n = c->transport.ops->read(&c->transport, chunk, sizeof(chunk));

		if (n > 0) {
			/* Where the next request would begin is not known any more. */
			c->close_after = true;
			continue;
		}
		if (n == 0 || !c->transport.want)
			server_conn_close(c);
		else
			c->read_want = c->transport.want;
		return;
	}
}

/*
 * While the handler has the request nothing is read, because its strings lie in the buffer. But a
 * peer that leaves must not hold one of the few connections for long.
 */
static void watch_peer(struct server_conn *c)
{
	char byte;
	ssize_t n = recv(c->transport.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0) {
		c->peer_busy = true;
	} else if (n == 0) {
		/* Perhaps it only closed its sending side and still waits for the answer. */
		c->eof = true;
		timer_start(&c->timer, c->server->idle_ms);
	} else if (errno != EAGAIN && errno != EINTR) {
		server_conn_close(c);
	}
}

static bool refuse(struct server_conn *c, int status)
{
	server_refuse(c, status);
	return true;
}

static bool begin_body(struct server_conn *c)
{
	size_t have = c->in.len - c->head_len;

	c->body_in = have < c->head.content_length ? have : c->head.content_length;
	buf_add(&c->body, c->in.data + c->head_len, c->body_in);
	c->state = CONN_BODY;
	if (c->head.expect_continue && c->body_in < c->head.content_length)
		buf_addstr(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return true;
}

static bool step_head(struct server_conn *c)
{
	int n;

	/* Some clients end a body with an empty line too much (RFC 9112 2.2). */
	while (c->in.len >= 2 && !c->head.scanned && !memcmp(c->in.data, "\r\n", 2))
		buf_consume(&c->in, 2);
	if (c->in.len > 1 || (c->in.len && c->in.data[0] != '\r')) {
		n = server_request_parse(&c->head, c->in.data, c->in.len);
		if (n < 0)
			return refuse(c, -n);
		if (n > 0) {
			c->head_len = (size_t)n;
			return begin_body(c);
		}
	}
	return fill(c, &c->in, REQUEST_HEAD_MAX - c->in.len);
}

static bool dispatch(struct server_conn *c)
{
	struct server *s = c->server;

	timer_stop(&c->timer);
	c->state = CONN_HANDLING;
	c->peer_busy = c->in.len > c->head_len + c->body_in;
	c->req = (struct server_request){
		.conn = c,
		.method = c->head.method,
		.path = c->head.path,
		.query = c->head.query,
		.body = c->body.data,
		.body_len = c->body.len,
	};
	s->handler(s->arg, &c->req);
	return c->state != CONN_HANDLING;
}

static bool step_body(struct server_conn *c)
{
	if (c->body.len == c->head.content_length)
		return dispatch(c);
	return fill(c, &c->body, c->head.content_length - c->body.len);
}

/* --- writing ------------------------------------------------------------------------------- */

/* Sends what is buffered; false when the socket takes no more, or broke (then closed). */
static bool flush(struct server_conn *c)
{
	while (server_conn_unsent(c)) {
		long n = c->transport.ops->write(&c->transport, c->out.data + c->out_sent,
		                                 server_conn_unsent(c));

		if (n < 0) {
			if (c->transport.want)
				c->write_want = c->transport.want;
			else
				server_conn_close(c);
			return false;
		}
		c->out_sent += (size_t)n;
		if (c->state == CONN_REPLYING || (c->state == CONN_STREAMING && !c->dropping))
			timer_start(&c->timer, c->server->idle_ms);
		/* Only when most of it is sent, so that the moves cost no more than the bytes. */
		if (c->out_sent > c->out.len / 2) {
			buf_consume(&c->out, c->out_sent);
			c->out_sent = 0;
		}
	}
	buf_reset(&c->out);
	c->out_sent = 0;
	if (c->state == CONN_STREAMING && !c->dropping)
		timer_stop(&c->timer);
	return true;
}

/*
 * The peer may still be sending. To close now would make the kernel answer that with a reset,
 * which can reach the peer before it has read our answer.
 */
static bool begin_drain(struct server_conn *c)
{
	if (c->eof) {
		server_conn_close(c);
		return false;
	}
	c->transport.ops->shutdown(&c->transport);
	c->state = CONN_DRAINING;
	timer_start(&c->timer, DRAIN_MS);
	return true;
}

static bool next_request(struct server_conn *c)
{
	if (c->close_after)
		return begin_drain(c);
	buf_consume(&c->in, c->head_len + c->body_in);
	buf_reset(&c->body);
	server_request_reset(&c->head);
	c->state = CONN_HEAD;
	c->served = true;
	c->idle_since_ms = loop_now(c->loop);
	timer_start(&c->timer, c->in.len ? c->server->request_ms : c->server->idle_ms);
	return true;
}

/* --- the state machine --------------------------------------------------------------------- */

static bool step_stream(struct server_conn *c)
{
	/* A stream without a body (HEAD) is over when its head is sent. */
	if (c->head.is_head && !server_conn_unsent(c)) {
		server_conn_close(c);
		return false;
	}
	discard(c);
	return false;
}

/* One step; false when nothing more can be done until the socket says so. */
static bool step(struct server_conn *c)
{
	if (server_conn_unsent(c) && !flush(c)) {
		if (!c->gone && c->state == CONN_STREAMING)
			discard(c);
		return false;
	}
	switch (c->state) {
	case CONN_HEAD:
		return step_head(c);
	case CONN_BODY:
		return step_body(c);
	case CONN_HANDLING:
		if (!c->eof && !c->peer_busy)
			watch_peer(c);
		return false;
	case CONN_REPLYING:
		return next_request(c);
	case CONN_STREAMING:
		return step_stream(c);
	case CONN_DRAINING:
		discard(c);
		return false;
	}
	return false;
}

/* What to wait for. Reading is not waited for while output is stuck, as it would not be done. */
static void update_io(struct server_conn *c)
{
	int events = server_conn_unsent(c) ? c->write_want : 0;

	if (c->state == CONN_HANDLING)
		events |= c->eof || c->peer_busy ? 0 : LOOP_READ;
	else if (!events || c->state == CONN_STREAMING)
		events |= c->read_want;
	io_set(&c->io, c->transport.fd, events);
}

void server_conn_advance(struct server_conn *c)
{
	if (c->on_stack || c->gone)
		return;
	c->on_stack = true;
	while (!c->gone && step(c))
		;
	c->on_stack = false;
	if (!c->gone)
		update_io(c);
	else if (c->state != CONN_HANDLING && !c->orphan_stream)
		conn_free(c);
}
