/*
 * What the scraper costs: pods that answer with the exposition of TensorFlow Serving are scraped
 * for some time.
 *
 *     build/bench/scrape [PODS [PERIOD_MS [SECONDS]]]     default: 1000 5000 30
 *
 * Prints the scraper's share of a core.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/scrape.h"

#include "pods.h"

#define BUCKETS  33
#define BODY_MAX 65536

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

static void set_targets(struct scraper *s, unsigned pods, int port, int64_t period_ms)
{
	struct scrape_target *t = xcalloc(pods, sizeof(*t));

	for (unsigned i = 0; i < pods; i++) {
		cleanup_free char *ip = pods_ip(i);
		char *name = xasprintf("shop/ranker-%u", i);

		t[i] = (struct scrape_target){
			.pod = name,
			.uid = name,
			.preset = preset_get(RUNTIME_TENSORFLOW_SERVING),
			.model = "ranker",
			.url = xasprintf("http://%s:%d/monitoring/prometheus/metrics", ip, port)};
	}
	scraper_set(s, "shop/ranker", period_ms, t, pods);
	for (unsigned i = 0; i < pods; i++) {
		free((char *)t[i].pod);
		free((char *)t[i].url);
	}
	free(t);
}

int main(int argc, char **argv)
{
	unsigned pods = pods_argument(argc, argv, 1, 1000),
		 period = pods_argument(argc, argv, 2, 5000);
	unsigned seconds = pods_argument(argc, argv, 3, 30);
	struct tally t = {.good = 0};
	struct err err = ERR_INIT;
	struct scraper *s;
	int port = 0, pid = pods_start(answer, &port);
	double before, used;

	if (pid < 0)
		return 1;
	t.loop = loop_new();
	s = scraper_new(t.loop, 64, on_reading, &t, &err);
	if (!s)
		return 1;
	set_targets(s, pods, port, period);
	/* Connections are made in the first period; they stay. */
	pods_run_for(t.loop, period + 1000);
	t.good = t.failed = 0;
	before = pods_cpu_s();
	pods_run_for(t.loop, (int64_t)seconds * 1000);
	used = pods_cpu_s() - before;
	printf("%u pods every %.1f s, %u s: %lu readings, %lu failed, %.2f %% of a core, %.0f us a "
	       "reading, %ld kB\n",
	       pods, period / 1000.0, seconds, t.good, t.failed, 100 * used / seconds,
	       t.good ? used * 1e6 / (double)t.good : 0.0, pods_memory_kb());
	scraper_free(s);
	loop_free(t.loop);
	pods_end(pid);
	return t.failed || !t.good;
}
