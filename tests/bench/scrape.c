/*
 * What the scraper costs: pods that answer with the exposition of TensorFlow Serving are scraped
 * for some time.
 *
 *     build/bench/scrape [PODS [PERIOD_MS [SECONDS [MODELS]]]]     default: 1000 5000 30 1
 *
 * Prints the scraper's share of a core, and how far apart the first and the last answer of one
 * model's round were at most.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/map.h"
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
	struct map begun;   /* model -> int64_t, the first answer of its round */
	int64_t longest_ms; /* round */
};

static int64_t *begun(struct tally *t, const char *model)
{
	int64_t *at = map_get(&t->begun, model);

	if (!at) {
		at = xcalloc(1, sizeof(*at));
		map_set(&t->begun, model, at);
	}
	return at;
}

static void on_round(void *arg, const char *model)
{
	struct tally *t = arg;
	int64_t *at = begun(t, model), took = clock_mono_ms() - *at;

	if (*at && took > t->longest_ms)
		t->longest_ms = took;
	*at = 0;
}

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct tally *t = arg;
	int64_t *at = begun(t, r->group);

	if (!*at)
		*at = clock_mono_ms();
	t->good += r->total != NULL;
	t->failed += r->total == NULL;
	if (r->increment)
		t->requests += r->increment->requests;
}

/* Pods `first` to first + pods - 1. */
static void set_targets(struct scraper *s, const char *model, unsigned first, unsigned pods,
                        int port, int64_t period_ms)
{
	struct scrape_target *t = xcalloc(pods, sizeof(*t));

	for (unsigned i = 0; i < pods; i++) {
		cleanup_free char *ip = pods_ip(first + i);
		char *name = xasprintf("shop/ranker-%u", first + i);

		t[i] = (struct scrape_target){
			.pod = name,
			.uid = name,
			.preset = preset_get(RUNTIME_TENSORFLOW_SERVING),
			.model = "ranker",
			.url = xasprintf("http://%s:%d/monitoring/prometheus/metrics", ip, port)};
	}
	scraper_set(s, model, period_ms, t, pods);
	for (unsigned i = 0; i < pods; i++) {
		free((char *)t[i].pod);
		free((char *)t[i].url);
	}
	free(t);
}

static void set_models(struct scraper *s, unsigned models, unsigned pods, int port,
                       int64_t period_ms)
{
	for (unsigned i = 0, first = 0; i < models; i++) {
		unsigned next = (unsigned)((uint64_t)pods * (i + 1) / models);
		cleanup_free char *name = xasprintf("shop/model-%u", i);

		set_targets(s, name, first, next - first, port, period_ms);
		first = next;
	}
}

int main(int argc, char **argv)
{
	unsigned pods = pods_argument(argc, argv, 1, 1000),
		 period = pods_argument(argc, argv, 2, 5000);
	unsigned seconds = pods_argument(argc, argv, 3, 30),
		 models = pods_argument(argc, argv, 4, 1);
	struct tally t = {.good = 0};
	struct err err = ERR_INIT;
	struct scraper *s;
	int port = 0, pid = pods_start(answer, &port);
	double before, used;

	if (pid < 0)
		return 1;
	map_init(&t.begun);
	t.loop = loop_new();
	s = scraper_new(t.loop, 64, on_reading, &t, &err);
	if (!s)
		return 1;
	scraper_on_round(s, on_round);
	set_models(s, models, pods, port, period);
	/* Connections are made in the first period; they stay. */
	pods_run_for(t.loop, period + 1000);
	t.good = t.failed = 0;
	t.longest_ms = 0;
	before = pods_cpu_s();
	pods_run_for(t.loop, (int64_t)seconds * 1000);
	used = pods_cpu_s() - before;
	printf("%u pods of %u models every %.1f s, %u s: %lu readings, %lu failed, %.2f %% of a "
	       "core, %.0f us a reading, %ld kB; a model's answers at most %" PRId64 " ms apart\n",
	       pods, models, period / 1000.0, seconds, t.good, t.failed, 100 * used / seconds,
	       t.good ? used * 1e6 / (double)t.good : 0.0, pods_memory_kb(), t.longest_ms);
	scraper_free(s);
	map_release(&t.begun, free);
	loop_free(t.loop);
	pods_end(pid);
	return t.failed || !t.good;
}
