#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"

struct side {
	struct pipe *pipe;
	struct side *peer;
	struct io io;
	int fd;
	bool ended;    /* has read its end of file */
	bool shut;     /* was told that its peer has */
	size_t off, n; /* what it has read and its peer has not yet written: buf[off, off + n) */
	char buf[16384];
};

struct pipe {
	struct loop *loop;
	struct side side[2];
	bool closing;
	loop_fn done;
	void *arg;
};

static void pipe_free(void *arg)
{
	struct pipe *p = arg;

	for (int i = 0; i < 2; i++) {
		io_release(&p->side[i].io);
		close(p->side[i].fd);
	}
	p->done(p->arg);
	free(p);
}

static void pipe_close(struct pipe *p)
{
	if (p->closing)
		return;
	p->closing = true;
	for (int i = 0; i < 2; i++)
		io_set(&p->side[i].io, p->side[i].fd, 0);
	loop_defer(p->loop, pipe_free, p);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* false: the connection is broken. */
static bool side_read(struct side *s)
{
	ssize_t n = read(s->fd, s->buf, sizeof(s->buf));

	if (n < 0)
		return would_block();
	s->ended = n == 0;
	s->off = 0;
	s->n = n;
	return true;
}

static bool side_write(struct side *s)
{
	struct side *from = s->peer;
	ssize_t n = send(s->fd, from->buf + from->off, from->n, MSG_NOSIGNAL);

	if (n < 0)
		return would_block();
	from->off += n;
	from->n -= n;
	return true;
}

/* Hands the end of file on once everything before it is written. */
static void side_settle(struct side *s)
{
	if (s->peer->ended && !s->peer->n && !s->shut) {
		shutdown(s->fd, SHUT_WR);
		s->shut = true;
	}
}

static void side_watch(struct side *s)
{
	int events = 0;

	if (!s->ended && !s->n)
		events |= LOOP_READ;
	if (s->peer->n)
		events |= LOOP_WRITE;
	io_set(&s->io, s->fd, events);
}

static void on_event(void *arg, int events)
{
	struct side *s = arg;
	struct pipe *p = s->pipe;

	if (p->closing)
		return;
	if (((events & LOOP_WRITE) && s->peer->n && !side_write(s)) ||
	    ((events & LOOP_READ) && !s->ended && !s->n && !side_read(s))) {
		pipe_close(p);
		return;
	}
	for (int i = 0; i < 2; i++)
		side_settle(&p->side[i]);
	if (p->side[0].shut && p->side[1].shut) {
		pipe_close(p);
		return;
	}
	for (int i = 0; i < 2; i++)
		side_watch(&p->side[i]);
}

void pipe_start(struct loop *l, int from, int to, loop_fn done, void *arg)
{
	struct pipe *p = xcalloc(1, sizeof(*p));
	const int fd[2] = {from, to};

	p->loop = l;
	p->done = done;
	p->arg = arg;
	for (int i = 0; i < 2; i++) {
		p->side[i].pipe = p;
		p->side[i].peer = &p->side[1 - i];
		p->side[i].fd = fd[i];
		io_init(&p->side[i].io, l, on_event, &p->side[i]);
	}
	for (int i = 0; i < 2; i++)
		side_watch(&p->side[i]);
}
