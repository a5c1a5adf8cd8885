/*
 * Event loop: a thin layer over libev, so that no other header needs ev.h.
 *
 * One loop, one thread. Objects are destroyed from loop_defer() when they may be
 * on the stack of a callback. Every asynchronous operation has an owner, a
 * deadline and a cancel.
 * Ownership: handles are embedded in the owner's struct and must be stopped
 * before it goes away. Units: milliseconds, monotonic.
 */
#ifndef TIDEGATE_NET_LOOP_H
#define TIDEGATE_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/clock.h"

struct loop;

struct loop *loop_new(void);
/*
 * From now on, while events come one by one at more than 200 a second, they are gathered for 10 ms:
 * waking up for each costs more than most of them do. Not for who answers requests. A loop that was
 * idle hears of everything at once.
 */
void loop_pace(struct loop *l);
/*
 * A loop without descriptors and signals whose time is `v` (see clock_use()): when nothing is
 * deferred, v moves on to the next timer's instant and that timer fires; timers of one instant
 * fire in the order in which they were started. v must outlive the loop.
 */
struct loop *loop_new_virtual(struct clock_virtual *v);
/* Instant of the next timer of a virtual loop; INT64_MAX when none runs. */
int64_t loop_next_timer(const struct loop *l);
void loop_free(struct loop *l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
/* Runs one round, waiting for events when `wait` and nothing was deferred. For tests. */
void loop_run_once(struct loop *l, bool wait);
void loop_stop(struct loop *l);
/* Cached monotonic time of this round, on the scale of clock_mono_ms(). */
int64_t loop_now(const struct loop *l);

typedef void (*loop_fn)(void *arg);

struct timer {
	struct loop *loop;
	loop_fn fn;
	void *arg;
	void *ev; /* the loop's own record, made at first start, kept until timer_release() */
};
void timer_init(struct timer *t, struct loop *l, loop_fn fn, void *arg);
/* One shot, in `ms` from now; a running timer is moved. */
void timer_start(struct timer *t, int64_t ms);
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);
void timer_release(struct timer *t);

#define LOOP_READ  1
#define LOOP_WRITE 2
struct io {
	struct loop *loop;
	void (*fn)(void *arg, int events);
	void *arg;
	void *ev;
	int fd;
};
void io_init(struct io *io, struct loop *l, void (*fn)(void *arg, int events), void *arg);
/* Watches fd for `events`; 0 stops. Stop before closing the fd. */
void io_set(struct io *io, int fd, int events);
void io_release(struct io *io);

/* Calls fn(arg) after the callbacks of this round, in order; used for deferred frees. */
void loop_defer(struct loop *l, loop_fn fn, void *arg);

/* SIGINT, SIGTERM, SIGHUP, SIGCHLD as loop events; one handler a signal. */
void loop_on_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg);

#endif
