#include "stats.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"

#define LATENCY_BUCKETS 33

static double bounds[LATENCY_BUCKETS]; /* 10 us * 1.8^n */
static double start_seconds;
static const char *served; /* name of the model */
static struct metric_series *ok_count, *ok_latency;

static struct metric_family requests = {
	.name = ":tensorflow:serving:request_count",
	.help = "The total number of requests.",
	.type = METRIC_COUNTER,
	.label_names = {"model_name", "status"},
};

static struct metric_family latency = {
	.name = ":tensorflow:serving:request_latency",
	.help = "Distribution of wall time (in microseconds) for requests.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"model_name", "API", "entrypoint"},
	.bounds = bounds,
	.nbounds = LATENCY_BUCKETS,
};

static const double score_bounds[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};
static struct metric_series *shown, *clicked_count, *shown_score;

static struct metric_family impressions = {
	.name = "ranker_impressions_total",
	.help = "Scores that were shown.",
	.type = METRIC_COUNTER,
	.label_names = {"model_name"},
};

static struct metric_family clicks = {
	.name = "ranker_clicks_total",
	.help = "Scores that were shown and clicked.",
	.type = METRIC_COUNTER,
	.label_names = {"model_name"},
};

static struct metric_family scores = {
	.name = "ranker_score",
	.help = "Distribution of the scores.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"model_name"},
	.bounds = score_bounds,
	.nbounds = ARRAY_SIZE(score_bounds),
};

static void collect_cpu(struct metric_family *f)
{
	metric_set(metric_series(f), (double)clock_cpu_ms() / 1000.0);
}

static void collect_memory(struct metric_family *f)
{
	cleanup_file FILE *statm = fopen("/proc/self/statm", "re");
	char line[128];
	char *save = NULL;
	uint64_t pages;

	if (!statm || !fgets(line, sizeof(line), statm))
		return;
	strtok_r(line, " ", &save); /* total size */
	if (str_to_u64(strtok_r(NULL, " ", &save), &pages))
		metric_set(metric_series(f), (double)pages * (double)sysconf(_SC_PAGESIZE));
}

static void collect_start(struct metric_family *f)
{
	metric_set(metric_series(f), start_seconds);
}

static struct metric_family process[] = {
	{.name = "process_cpu_seconds_total",
         .help = "CPU time of the process.",
         .type = METRIC_COUNTER,
         .collect = collect_cpu},
	{.name = "process_resident_memory_bytes",
         .help = "Resident memory of the process.",
         .type = METRIC_GAUGE,
         .collect = collect_memory},
	{.name = "process_start_time_seconds",
         .help = "Start of the process, seconds since 1970.",
         .type = METRIC_GAUGE,
         .collect = collect_start},
};

void stats_init(const char *model_name)
{
	double bound = 10;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++, bound *= 1.8)
		bounds[i] = bound;
	start_seconds = (double)clock_wall_ms() / 1000.0;
	served = model_name;
	ok_count = metric_series(&requests, model_name, "OK");
	ok_latency = metric_series(&latency, model_name, "predict", "REST");
	shown = metric_series(&impressions, model_name);
	clicked_count = metric_series(&clicks, model_name);
	shown_score = metric_series(&scores, model_name);
	for (unsigned i = 0; i < ARRAY_SIZE(process); i++)
		metric_register(&process[i]);
}

void stats_ok(int64_t us)
{
	metric_add(ok_count, 1);
	metric_observe(&latency, ok_latency, (double)us);
}

void stats_failed(const char *grpc_code)
{
	metric_add(metric_series(&requests, served, grpc_code), 1);
}

void stats_shown(double score, bool clicked)
{
	metric_add(shown, 1);
	metric_add(clicked_count, clicked ? 1 : 0);
	metric_observe(&scores, shown_score, score);
}

int stats_render(struct buf *out)
{
	return metric_render(out, 0);
}
