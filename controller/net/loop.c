#include "tidegate/net/loop.h"

#include <signal.h>
#include <string.h>

/* libev 4.33 in C mode casts between watcher types and has unused inline functions. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wcast-qual"
#define EV_MULTIPLICITY 1
#include <ev.h>
#pragma GCC diagnostic pop

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/heap.h"
#include "tidegate/base/list.h"

#define FREE_ROUNDS 1000

/* See loop_pace(). Fewer rounds than PACE_UNTIL end it: with PACE_GATHER_S there are 10 at most. */
#define PACE_MS       100
#define PACE_FROM     20
#define PACE_UNTIL    5
#define PACE_GATHER_S 0.01

struct deferred {
	loop_fn fn;
	void *arg;
};

struct deferred_queue {
	struct deferred *v;
	size_t len, cap;
};

struct signal_watch {
	struct signal_watch *next;
	ev_signal ev;
	void (*fn)(void *arg, int signo);
	void *arg;
};

struct loop {
	struct ev_loop *ev;
	ev_check check;
	int64_t now;
	bool stop;
	bool paces, gathers; /* asked to; does now */
	unsigned rounds;     /* since counted_ms */
	int64_t counted_ms;
	struct deferred_queue queue; /* filled by loop_defer() */
	struct deferred_queue batch; /* being run */
	struct signal_watch *signals;
	struct clock_virtual *virtual; /* NULL: real time, by libev */
	struct heap timers;            /* of a virtual loop, by instant */
	struct virtual_timer *spare;   /* released ones */
};

/* A timer of a virtual loop. */
struct virtual_timer {
	struct heap_node node;
	struct timer *t;
	struct virtual_timer *next; /* among the spare ones */
};

static void pace(struct loop *l)
{
	l->rounds++;
	if (l->now - l->counted_ms < PACE_MS)
		return;
	l->gathers = l->now - l->counted_ms < 2 * PACE_MS &&
	             l->rounds >= (l->gathers ? PACE_UNTIL : PACE_FROM);
	ev_set_io_collect_interval(l->ev, l->gathers ? PACE_GATHER_S : 0);
	l->rounds = 0;
	l->counted_ms = l->now;
}

/* Runs before every other callback of a round (highest priority). */
static void on_round(struct ev_loop *ev, ev_check *w, int events)
{
	struct loop *l = w->data;

	(void)ev;
	(void)events;
	l->now = clock_mono_ms();
	if (l->paces)
		pace(l);
}

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!l->ev) {
		free(l);
		return NULL;
	}
	l->now = clock_mono_ms();
	/*
	 * A peer that goes away while OpenSSL writes must not end the process: neither curl (with
	 * NOSIGNAL) nor OpenSSL's socket BIO can ask for MSG_NOSIGNAL.
	 */
	signal(SIGPIPE, SIG_IGN);
	/*
	 * Counts as an active watcher on purpose: a loop that waits for nothing but a signal or
	 * loop_stop() must block, and libev does not block without an active watcher.
	 */
	ev_check_init(&l->check, on_round);
	ev_set_priority(&l->check, EV_MAXPRI);
	l->check.data = l;
	ev_check_start(l->ev, &l->check);
	return l;
}

void loop_pace(struct loop *l)
{
	l->paces = true;
}

struct loop *loop_new_virtual(struct clock_virtual *v)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->virtual = v;
	l->now = v->mono_ms;
	heap_init(&l->timers);
	return l;
}

/*
 * Runs what was queued before the call; what these functions defer in turn waits for the next
 * call, so that one that defers itself cannot starve the sockets.
 */
static void run_queue(struct loop *l)
{
	struct deferred_queue todo = l->queue;

	l->queue = l->batch;
	memset(&l->batch, 0, sizeof(l->batch));
	for (size_t i = 0; i < todo.len; i++)
		todo.v[i].fn(todo.v[i].arg);
	todo.len = 0;
	l->batch = todo;
}

static void run_deferred(struct loop *l)
{
	if (l->queue.len)
		run_queue(l);
}

void loop_defer(struct loop *l, loop_fn fn, void *arg)
{
	struct deferred_queue *q = &l->queue;

	if (q->len == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 16;
		q->v = xreallocarray(q->v, q->cap, sizeof(*q->v));
	}
	q->v[q->len++] = (struct deferred){fn, arg};
}

/* Simulations start and release several timers for each request. */
static struct virtual_timer *virtual_take(struct loop *l)
{
	struct virtual_timer *vt = l->spare;

	if (!vt)
		return xcalloc(1, sizeof(*vt));
	l->spare = vt->next;
	return vt;
}

static void virtual_give(struct loop *l, struct virtual_timer *vt)
{
	vt->next = l->spare;
	l->spare = vt;
}

void loop_free(struct loop *l)
{
	struct signal_watch *s;

	if (!l)
		return;
	/* Deferred functions free objects, which may defer more of the kind, but not for ever. */
	for (int i = 0; l->queue.len && i < FREE_ROUNDS; i++)
		run_deferred(l);
	while ((s = l->signals)) {
		l->signals = s->next;
		ev_signal_stop(l->ev, &s->ev);
		free(s);
	}
	if (l->ev) {
		ev_check_stop(l->ev, &l->check);
		ev_loop_destroy(l->ev);
	}
	while (l->spare)
		free(virtual_take(l));
	heap_release(&l->timers);
	free(l->queue.v);
	free(l->batch.v);
	free(l);
}

int64_t loop_next_timer(const struct loop *l)
{
	const struct heap_node *n = heap_min(&l->timers);

	return n ? n->key : INT64_MAX;
}

/* Time stands still as long as something is deferred. */
static void run_virtual(struct loop *l, bool wait)
{
	struct heap_node *n = l->queue.len ? NULL : heap_min(&l->timers);
	struct virtual_timer *vt;

	if (!n || (!wait && n->key > l->virtual->mono_ms))
		return;
	if (n->key > l->virtual->mono_ms) {
		l->virtual->wall_ms += n->key - l->virtual->mono_ms;
		l->virtual->mono_ms = n->key;
	}
	l->now = l->virtual->mono_ms;
	heap_remove(&l->timers, n);
	vt = container_of(n, struct virtual_timer, node);
	vt->t->fn(vt->t->arg);
}

static void run_round(struct loop *l, bool wait)
{
	run_deferred(l);
	if (l->virtual) {
		run_virtual(l, wait && !l->stop);
		run_deferred(l);
		return;
	}
	ev_run(l->ev, wait && !l->queue.len && !l->stop ? EVRUN_ONCE : EVRUN_NOWAIT);
	run_deferred(l);
}

void loop_run_once(struct loop *l, bool wait)
{
	/* What is deferred may be what the caller waits for. */
	run_round(l, wait && (l->virtual || !l->queue.len));
}

void loop_run(struct loop *l)
{
	while (!l->stop)
		run_round(l, true);
	l->stop = false;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	if (l->ev)
		ev_break(l->ev, EVBREAK_ONE);
}

int64_t loop_now(const struct loop *l)
{
	return l->now;
}

/* --- timers ---------------------------------------------------------------------------- */

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	struct timer *t = w->data;

	(void)ev;
	(void)events;
	t->fn(t->arg);
}

void timer_init(struct timer *t, struct loop *l, loop_fn fn, void *arg)
{
	*t = (struct timer){.loop = l, .fn = fn, .arg = arg};
}

static void start_virtual(struct timer *t, int64_t ms)
{
	struct virtual_timer *vt = t->ev;

	if (!vt) {
		vt = t->ev = virtual_take(t->loop);
		vt->t = t;
	}
	heap_set_last(&t->loop->timers, &vt->node, t->loop->virtual->mono_ms + (ms > 0 ? ms : 0));
}

void timer_start(struct timer *t, int64_t ms)
{
	ev_timer *w = t->ev;

	if (t->loop->virtual) {
		start_virtual(t, ms);
		return;
	}
	if (!w) {
		w = t->ev = xcalloc(1, sizeof(*w));
		ev_timer_init(w, on_timer, 0., 0.);
		w->data = t;
	}
	ev_timer_stop(t->loop->ev, w);
	/* libev counts from the start of the round; a long callback would shorten the wait. */
	ev_now_update(t->loop->ev);
	ev_timer_set(w, ms > 0 ? (double)ms / 1000.0 : 0., 0.);
	ev_timer_start(t->loop->ev, w);
}

void timer_stop(struct timer *t)
{
	if (!t->ev)
		return;
	if (t->loop->virtual)
		heap_remove(&t->loop->timers, &((struct virtual_timer *)t->ev)->node);
	else
		ev_timer_stop(t->loop->ev, (ev_timer *)t->ev);
}

bool timer_active(const struct timer *t)
{
	if (!t->ev)
		return false;
	if (t->loop->virtual)
		return heap_node_in(&((struct virtual_timer *)t->ev)->node);
	return ev_is_active((ev_timer *)t->ev);
}

void timer_release(struct timer *t)
{
	timer_stop(t);
	if (t->ev && t->loop->virtual)
		virtual_give(t->loop, t->ev);
	else
		free(t->ev);
	t->ev = NULL;
}

/* --- file descriptors -------------------------------------------------------------------- */

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
	struct io *io = w->data;
	int what = (events & EV_READ ? LOOP_READ : 0) | (events & EV_WRITE ? LOOP_WRITE : 0);

	(void)ev;
	/* EV_ERROR: the descriptor is bad; told as readable, so that the owner's read finds out. */
	io->fn(io->arg, what ? what : LOOP_READ);
}

void io_init(struct io *io, struct loop *l, void (*fn)(void *arg, int events), void *arg)
{
	*io = (struct io){.loop = l, .fn = fn, .arg = arg, .fd = -1};
}

void io_set(struct io *io, int fd, int events)
{
	ev_io *w = io->ev;
	int want = (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);

	if (!w) {
		if (!want)
			return;
		w = io->ev = xcalloc(1, sizeof(*w));
		ev_init(w, on_io);
		w->data = io;
	} else if (ev_is_active(w) && want && w->fd == fd &&
	           (w->events & (EV_READ | EV_WRITE)) == want) {
		return;
	}
	ev_io_stop(io->loop->ev, w);
	io->fd = fd;
	if (!want)
		return;
	ev_io_set(w, fd, want);
	ev_io_start(io->loop->ev, w);
}

void io_release(struct io *io)
{
	if (!io->ev)
		return;
	ev_io_stop(io->loop->ev, (ev_io *)io->ev);
	free(io->ev);
	io->ev = NULL;
	io->fd = -1;
}

/* --- signals ----------------------------------------------------------------------------- */

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	struct signal_watch *s = w->data;

	(void)ev;
	(void)events;
	s->fn(s->arg, w->signum);
}

void loop_on_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg)
{
	struct signal_watch *s;

	for (s = l->signals; s && s->ev.signum != signo; s = s->next)
		;
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		ev_signal_init(&s->ev, on_signal, signo);
		s->ev.data = s;
		s->next = l->signals;
		l->signals = s;
		ev_signal_start(l->ev, &s->ev);
	}
	s->fn = fn;
	s->arg = arg;
}
