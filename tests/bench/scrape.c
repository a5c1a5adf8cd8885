/*
 * What the scraper costs: pods of addresses of their own, all answered by one server in another
 * process with the exposition of TensorFlow Serving, are scraped for some time.
 *
 *     build/bench/scrape [PODS [PERIOD_MS [SECONDS]]]     default: 1000 5000 30
 *
 * Prints the scraper's share of a core; the server's is not in it. Both run on one machine, so the
 * kernel's part of the sockets is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/net/loop.h"
#include "tidegate/net/server.h"
#include "tidegate/signal/scrape.h"

#define BUCKETS   33
#define BODY_MAX  65536
#define CONNS_MAX 8192

/* --- the pods ---------------------------------------------------------------------------- */

static void write_histogram(struct buf *b, const char *name, double n)
{
	double bound = 10;

	for (int i = 0; i < BUCKETS; i++, bound *= 1.8)
		buf_addf(b,
		         "%s_bucket{model_name=\"ranker\",API=\"predict\",entrypoint=\"REST\",le="
		         "\"%g\"} %.0f\n",
		         name, bound, n * i / BUCKETS);
	buf_addf(b,
	         "%s_bucket{model_name=\"ranker\",API=\"predict\",entrypoint=\"REST\",le=\"+Inf\"} "
	         "%.0f\n"
	         "%s_sum{model_name=\"ranker\",API=\"predict\",entrypoint=\"REST\"} %.0f\n"
	         "%s_count{model_name=\"ranker\",API=\"predict\",entrypoint=\"REST\"} %.0f\n",
	         name, n, name, n * 900, name, n);
}

static void answer(void *arg, struct server_request *r)
{
	static double n;
	struct buf b;

	(void)arg;
	n += 10;
	buf_init(&b, BODY_MAX);
	buf_addf(&b,
	         "# TYPE :tensorflow:serving:request_count counter\n"
	         ":tensorflow:serving:request_count{model_name=\"ranker\",status=\"OK\"} %.0f\n"
	         "# TYPE :tensorflow:serving:request_latency histogram\n",
	         n);
	write_histogram(&b, ":tensorflow:serving:request_latency", n);
	write_histogram(&b, ":tensorflow:serving:runtime_latency", n);
	write_histogram(&b, ":tensorflow:serving:batching_session:queuing_latency", n);
	server_reply(r, 200, "text/plain", NULL, b.data, b.len);
	buf_release(&b);
}

/* Never returns; its port is written to the pipe first. */
static void serve(int out)
{
	struct server_options o = {.address = "0.0.0.0:0",
	                           .handler = answer,
	                           .max_connections = CONNS_MAX,
	                           .idle_ms = 3600000};
	struct loop *l;
	struct server *s;
	struct err err = ERR_INIT;
	char port[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	l = loop_new();
	s = server_new(l, &o, &err);
	if (!s) {
		fprintf(stderr, "scrape: %s\n", err.msg);
		_exit(1);
	}
	snprintf(port, sizeof(port), "%s\n", strrchr(server_address(s), ':') + 1);
	if (write(out, port, strlen(port)) < 0)
		_exit(1);
	loop_run(l);
	_exit(0);
}

static int start_pods(int *port)
{
	char text[16] = "";
	int fds[2], pid;
	int64_t v = 0;

	if (pipe(fds) || (pid = fork()) < 0)
		return -1;
	if (!pid)
		serve(fds[1]);
	close(fds[1]);
	if (read(fds[0], text, sizeof(text) - 1) > 0)
		text[strcspn(text, "\n")] = '\0';
	close(fds[0]);
	if (!str_to_i64(text, &v))
		return -1;
	*port = (int)v;
	return pid;
}

/* --- the scraper ------------------------------------------------------------------------- */

struct tally {
	struct loop *loop;
	unsigned long good, failed;
	double requests;
};

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct tally *t = arg;

	t->good += r->total != NULL;
	t->failed += r->total == NULL;
	if (r->increment)
		t->requests += r->increment->requests;
}

static void on_end(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct loop *l, int64_t ms)
{
	struct timer end;

	timer_init(&end, l, on_end, l);
	timer_start(&end, ms);
	loop_run(l);
	timer_release(&end);
}

static void set_targets(struct scraper *s, unsigned pods, int port, int64_t period_ms)
{
	struct scrape_target *t = xcalloc(pods, sizeof(*t));

	for (unsigned i = 0; i < pods; i++) {
		char *name = xasprintf("shop/ranker-%u", i);

		t[i] = (struct scrape_target){
			.pod = name,
			.uid = name,
			.preset = preset_get(RUNTIME_TENSORFLOW_SERVING),
			.model = "ranker",
			.url = xasprintf("http://127.%u.%u.%u:%d/monitoring/prometheus/metrics",
		                         1 + i / 62500, i / 250 % 250, 1 + i % 250, port)};
	}
	scraper_set(s, "shop/ranker", period_ms, t, pods);
	for (unsigned i = 0; i < pods; i++) {
		free((char *)t[i].pod);
		free((char *)t[i].url);
	}
	free(t);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long memory_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static unsigned argument(int argc, char **argv, int i, unsigned fallback)
{
	int64_t v;

	return argc > i && str_to_i64(argv[i], &v) && v > 0 && v <= 100000000 ? (unsigned)v
	                                                                      : fallback;
}

int main(int argc, char **argv)
{
	unsigned pods = argument(argc, argv, 1, 1000), period = argument(argc, argv, 2, 5000);
	unsigned seconds = argument(argc, argv, 3, 30);
	struct tally t = {.good = 0};
	struct err err = ERR_INIT;
	struct scraper *s;
	int port = 0, pid = start_pods(&port);
	double before, used;

	if (pid < 0)
		return 1;
	t.loop = loop_new();
	s = scraper_new(t.loop, 64, on_reading, &t, &err);
	if (!s)
		return 1;
	set_targets(s, pods, port, period);
	/* Connections are made in the first period; they stay. */
	run_for(t.loop, period + 1000);
	t.good = t.failed = 0;
	before = cpu_s();
	run_for(t.loop, (int64_t)seconds * 1000);
	used = cpu_s() - before;
	printf("%u pods every %.1f s, %u s: %lu readings, %lu failed, %.2f %% of a core, %.0f us a "
	       "reading, %ld kB\n",
	       pods, period / 1000.0, seconds, t.good, t.failed, 100 * used / seconds,
	       t.good ? used * 1e6 / (double)t.good : 0.0, memory_kb());
	scraper_free(s);
	loop_free(t.loop);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return t.failed || !t.good;
}
