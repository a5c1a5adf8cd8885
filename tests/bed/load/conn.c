#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"

static void end(struct conn *c, const struct err *err)
{
	c->busy = false;
	c->events->on_end(c->events->arg, c, err);
}

static void end_errno(struct conn *c, int errnum, const char *what)
{
	struct err err = ERR_INIT;

	err_set_errno(&err, ERR_TRANSPORT, errnum, "%s", what);
	end(c, &err);
}

static void write_some(struct conn *c)
{
	const struct buf *r = &c->target->request;

	while (c->sent < r->len) {
		ssize_t n = send(c->fd, r->data + c->sent, r->len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			io_set(&c->io, c->fd, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (n < 0) {
			end_errno(c, errno, "send");
			return;
		}
		c->sent += (size_t)n;
	}
	io_set(&c->io, c->fd, LOOP_READ);
}

static void read_some(struct conn *c)
{
	struct err err = ERR_INIT;
	char data[16384];
	ssize_t n = recv(c->fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!c->busy) { /* an idle connection has nothing to say but goodbye */
		c->events->on_idle_close(c->events->arg, c);
		return;
	}
	if (n < 0) {
		end_errno(c, errno, "receive");
		return;
	}
	if (n == 0) {
		c->response.keep_alive = false;
		end(c, response_end(&c->response, &err) ? &err : NULL);
		return;
	}
	if (response_feed(&c->response, data, (size_t)n, &err))
		end(c, &err);
	else if (c->response.done)
		end(c, NULL);
}

static void finish_connect(struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	c->connecting = false;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		end_errno(c, error, "connect");
	else
		write_some(c);
}

static void on_io(void *arg, int events)
{
	struct conn *c = arg;

	if (c->connecting) {
		finish_connect(c);
		return;
	}
	/* The answer first: a server may refuse a request before it has read all of it. */
	if (events & LOOP_READ)
		read_some(c);
	else if (events & LOOP_WRITE)
		write_some(c);
}

struct conn *conn_open(struct loop *l, const struct target *t, const struct conn_events *ev,
                       struct err *err)
{
	int one = 1;
	int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *c;

	if (fd < 0) {
		err_set_errno(err, ERR_IO, errno, "socket");
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&t->address, t->address_len) < 0 &&
	    errno != EINPROGRESS) {
		err_set_errno(err, ERR_TRANSPORT, errno, "connect");
		close(fd);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct conn){.loop = l, .target = t, .events = ev, .fd = fd, .connecting = true};
	response_init(&c->response);
	io_init(&c->io, l, on_io, c);
	io_set(&c->io, fd, LOOP_WRITE);
	return c;
}

void conn_send(struct conn *c)
{
	c->busy = true;
	c->reused = c->used;
	c->used = true;
	c->sent = 0;
	response_reset(&c->response, c->target->head_only);
	/* From the loop, so that on_end never comes from inside this call. */
	io_set(&c->io, c->fd, LOOP_WRITE);
}

bool conn_usable(const struct conn *c)
{
	return c->response.done && c->response.keep_alive;
}

static void free_conn(void *arg)
{
	struct conn *c = arg;

	io_release(&c->io);
	response_release(&c->response);
	free(c);
}

void conn_close(struct conn *c)
{
	list_remove(&c->link);
	io_set(&c->io, c->fd, 0);
	close(c->fd);
	c->fd = -1;
	loop_defer(c->loop, free_conn, c);
}
