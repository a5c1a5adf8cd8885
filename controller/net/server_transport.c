#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_internal.h"

static long finish(struct transport *t, ssize_t n, int want)
{
	if (n >= 0)
		return n;
	t->want = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? want : 0;
	return -1;
}

static long plain_read(struct transport *t, void *buf, size_t n)
{
	return finish(t, recv(t->fd, buf, n, 0), LOOP_READ);
}

static long plain_write(struct transport *t, const void *buf, size_t n)
{
	return finish(t, send(t->fd, buf, n, MSG_NOSIGNAL), LOOP_WRITE);
}

static void plain_shutdown(struct transport *t)
{
	shutdown(t->fd, SHUT_WR);
}

static void plain_release(struct transport *t)
{
	close(t->fd);
}

static const struct transport_ops plain_ops = {plain_read, plain_write, plain_shutdown,
                                               plain_release};

void server_transport_plain(struct transport *t, int fd)
{
	*t = (struct transport){.ops = &plain_ops, .fd = fd};
}
