#include "generator.h"

#include <errno.h>
#include <math.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/list.h"

#include "conn.h"

struct request {
	struct list link;    /* generator's under_way, in the order of their deadlines */
	struct list waiting; /* for a connection */
	int64_t seq;
	int64_t scheduled_us;
	struct conn *conn;
	bool retried;
};

struct generator {
	struct loop *loop;
	const struct options *options;
	const struct target *target;
	struct generator_events events;
	struct conn_events conn_events;
	struct io schedule_io;
	int timer_fd;
	struct timer timeout;
	struct list under_way, waiting;
	struct list idle; /* connections, the warmest first */
	unsigned connections;
	int64_t start_us, start_wall_ms;
	int64_t next_seq;
	int64_t count; /* requests in all; INT64_MAX: until stopped */
	bool stopped;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void start_request(struct generator *g, struct request *r);

static void arm_timeout(struct generator *g)
{
	const struct request *first;
	int64_t ms;

	if (list_empty(&g->under_way)) {
		timer_stop(&g->timeout);
		return;
	}
	first = list_entry(g->under_way.next, struct request, link);
	ms = (first->scheduled_us - now_us()) / 1000 + g->options->timeout_ms + 1;
	timer_start(&g->timeout, ms > 0 ? ms : 0);
}

static void finished(void *arg)
{
	struct generator *g = arg;

	g->events.on_finished(g->events.arg);
}

/* The one place where a request ends. resp and error: one of them. */
static void end_request(struct generator *g, struct request *r, const struct response *resp,
                        const char *error)
{
	struct record record = {
		.seq = r->seq,
		.t = g->start_wall_ms + (r->scheduled_us - g->start_us) / 1000,
		.latency_us = now_us() - r->scheduled_us,
		.status = error ? 0 : resp->status,
		.version = error ? NULL : resp->version,
		.pod = error ? NULL : resp->pod,
		.zone = error ? NULL : resp->zone,
		.error = error,
		.retried = r->retried,
	};

	g->events.on_record(g->events.arg, &record);
	list_remove(&r->link);
	list_remove(&r->waiting);
	free(r);
	if (g->stopped && list_empty(&g->under_way))
		loop_defer(g->loop, finished, g);
}

static void drop_conn(struct generator *g, struct conn *c)
{
	conn_close(c);
	g->connections--;
}

static void send_on(struct request *r, struct conn *c)
{
	r->conn = c;
	c->owner = r;
	conn_send(c);
}

static void send_on_new(struct generator *g, struct request *r)
{
	struct err err = ERR_INIT;
	struct conn *c = conn_open(g->loop, g->target, &g->conn_events, &err);

	if (!c) {
		end_request(g, r, NULL, err.msg);
		return;
	}
	g->connections++;
	send_on(r, c);
}

static void start_request(struct generator *g, struct request *r)
{
	struct list *idle = list_pop_front(&g->idle);

	if (idle)
		send_on(r, list_entry(idle, struct conn, link));
	else if (g->connections < g->options->max_connections)
		send_on_new(g, r);
	else
		list_push_back(&g->waiting, &r->waiting);
}

static void start_waiting(struct generator *g)
{
	while (!list_empty(&g->waiting) &&
	       (!list_empty(&g->idle) || g->connections < g->options->max_connections))
		start_request(g, list_entry(list_pop_front(&g->waiting), struct request, waiting));
}

/* The peer may close an idle connection just when we use it again. Nothing was lost then, and a
 * client sends once more; a failure on a fresh connection counts. */
static bool may_retry(const struct request *r, const struct conn *c)
{
	return c->reused && !c->response.started && !r->retried;
}

static void on_conn_end(void *arg, struct conn *c, const struct err *err)
{
	struct generator *g = arg;
	struct request *r = c->owner;

	c->owner = NULL;
	r->conn = NULL;
	if (!err) {
		end_request(g, r, &c->response, NULL);
	} else if (may_retry(r, c)) {
		r->retried = true;
		send_on_new(g, r);
	} else {
		end_request(g, r, NULL, err->msg);
	}
	if (!err && conn_usable(c))
		list_push_front(&g->idle, &c->link);
	else
		drop_conn(g, c);
	start_waiting(g);
}

static void on_idle_close(void *arg, struct conn *c)
{
	drop_conn(arg, c);
}

static void end_early(struct generator *g, struct request *r, const char *why)
{
	if (r->conn)
		drop_conn(g, r->conn);
	end_request(g, r, NULL, why);
}

static void on_timeout(void *arg)
{
	struct generator *g = arg;
	int64_t before = now_us() - g->options->timeout_ms * 1000;

	while (!list_empty(&g->under_way)) {
		struct request *r = list_entry(g->under_way.next, struct request, link);

		if (r->scheduled_us > before)
			break;
		end_early(g, r, r->conn ? "timeout" : "timeout: no free connection");
	}
	start_waiting(g);
	arm_timeout(g);
}

/* A number in [0, 1) that depends on seed and request only. */
static double jitter_of(const struct generator *g, int64_t seq)
{
	uint64_t z = (uint64_t)g->options->seed + (uint64_t)seq * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return (double)(z >> 11) / (double)(1ULL << 53);
}

static int64_t scheduled_us(const struct generator *g, int64_t seq)
{
	double at = (double)seq + g->options->jitter * jitter_of(g, seq);

	return g->start_us + llround(at * 1e6 / g->options->rate);
}

static void arm_schedule(struct generator *g)
{
	int64_t at = scheduled_us(g, g->next_seq);
	struct itimerspec when = {
		.it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};

	timerfd_settime(g->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void send_next(struct generator *g)
{
	struct request *r = xcalloc(1, sizeof(*r));
	bool first = list_empty(&g->under_way);

	r->scheduled_us = scheduled_us(g, g->next_seq);
	r->seq = ++g->next_seq;
	list_push_back(&g->under_way, &r->link);
	start_request(g, r);
	if (first)
		arm_timeout(g);
}

static void on_schedule(void *arg, int events)
{
	struct generator *g = arg;
	uint64_t ticks;

	(void)events;
	if (read(g->timer_fd, &ticks, sizeof(ticks)) < 0)
		return;
	while (!g->stopped && scheduled_us(g, g->next_seq) <= now_us()) {
		send_next(g);
		if (g->next_seq >= g->count)
			generator_stop(g);
	}
	if (!g->stopped)
		arm_schedule(g);
}

struct generator *generator_new(struct loop *l, const struct options *o, const struct target *t,
                                const struct generator_events *ev, struct err *err)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct generator *g;

	if (fd < 0) {
		err_set_errno(err, ERR_IO, errno, "timerfd");
		return NULL;
	}
	g = xcalloc(1, sizeof(*g));
	*g = (struct generator){
		.loop = l, .options = o, .target = t, .events = *ev, .timer_fd = fd};
	g->conn_events = (struct conn_events){on_conn_end, on_idle_close, g};
	list_init(&g->under_way);
	list_init(&g->waiting);
	list_init(&g->idle);
	timer_init(&g->timeout, l, on_timeout, g);
	g->count = INT64_MAX;
	if (o->duration_ms)
		g->count = llround((double)o->duration_ms / 1000.0 * o->rate);
	g->start_us = now_us();
	g->start_wall_ms = clock_wall_ms();
	io_init(&g->schedule_io, l, on_schedule, g);
	io_set(&g->schedule_io, fd, LOOP_READ);
	arm_schedule(g);
	return g;
}

void generator_stop(struct generator *g)
{
	if (g->stopped)
		return;
	g->stopped = true;
	io_set(&g->schedule_io, g->timer_fd, 0);
	if (list_empty(&g->under_way))
		loop_defer(g->loop, finished, g);
}

void generator_cancel(struct generator *g)
{
	generator_stop(g);
	while (!list_empty(&g->under_way))
		end_early(g, list_entry(g->under_way.next, struct request, link), "canceled");
}

void generator_free(struct generator *g)
{
	while (!list_empty(&g->idle))
		conn_close(list_entry(g->idle.next, struct conn, link));
	io_release(&g->schedule_io);
	close(g->timer_fd);
	timer_release(&g->timeout);
	free(g);
}
