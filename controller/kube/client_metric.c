/* Metrics of API calls, under client-go's names. */
#include "client_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"

static const double duration_bounds[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
static const double size_bounds[] = {64,    256,    512,     1024,    4096,    16384,
                                     65536, 262144, 1048576, 4194304, 16777216};

static struct metric_family requests = {
	.name = "rest_client_requests_total",
	.help = "API requests by status code, method and host.",
	.type = METRIC_COUNTER,
	.label_names = {"code", "method", "host"},
};
static struct metric_family retries = {
	.name = "rest_client_request_retries_total",
	.help = "API requests sent again, by status code, verb and host.",
	.type = METRIC_COUNTER,
	.label_names = {"code", "verb", "host"},
};
static struct metric_family durations = {
	.name = "rest_client_request_duration_seconds",
	.help = "Seconds from sending an API request to the end of its answer, watches excluded.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"verb", "host"},
	.bounds = duration_bounds,
	.nbounds = ARRAY_SIZE(duration_bounds),
};
static struct metric_family request_sizes = {
	.name = "rest_client_request_size_bytes",
	.help = "Size of API request bodies.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"verb", "host"},
	.bounds = size_bounds,
	.nbounds = ARRAY_SIZE(size_bounds),
};
static struct metric_family response_sizes = {
	.name = "rest_client_response_size_bytes",
	.help = "Size of collected API response bodies; streamed ones are not counted.",
	.type = METRIC_HISTOGRAM,
	.label_names = {"verb", "host"},
	.bounds = size_bounds,
	.nbounds = ARRAY_SIZE(size_bounds),
};

static const char *code_text(int status, char *buf)
{
	return status ? str_from_i64(status, buf) : "<error>";
}

/* Where the attempts of one method with one outcome are counted, found once. */
struct client_counts {
	struct client_counts *next;
	char *method;
	int status;
	struct metric_series *requests;
	struct metric_series *durations, *sent, *received; /* NULL: none was timed yet */
};

static struct client_counts *counts_get(struct kube_client *c, const char *method, int status)
{
	struct client_counts *k = c->counts;
	char code[STR_I64_MAX];

	while (k && (k->status != status || !str_eq(k->method, method)))
		k = k->next;
	if (k)
		return k;
	k = xcalloc(1, sizeof(*k));
	k->method = xstrdup(method);
	k->status = status;
	k->requests = metric_series(&requests, code_text(status, code), method, c->host);
	k->next = c->counts;
	return c->counts = k;
}

static void find_timed(const struct kube_client *c, struct client_counts *k)
{
	k->durations = metric_series(&durations, k->method, c->host);
	k->sent = metric_series(&request_sizes, k->method, c->host);
	k->received = metric_series(&response_sizes, k->method, c->host);
}

void client_count(struct kube_client *c, const char *method, bool timed,
                  const struct http_result *r, size_t sent)
{
	struct client_counts *k = counts_get(c, method, r->status);

	metric_add(k->requests, 1);
	if (!timed)
		return;
	if (!k->durations)
		find_timed(c, k);
	metric_observe(&durations, k->durations, (double)r->elapsed_ms / 1000.0);
	metric_observe(&request_sizes, k->sent, (double)sent);
	metric_observe(&response_sizes, k->received, (double)r->body_len);
}

void client_counts_free(struct kube_client *c)
{
	struct client_counts *k;

	while ((k = c->counts)) {
		c->counts = k->next;
		free(k->method);
		free(k);
	}
}

void client_count_retry(const struct kube_client *c, const char *method, int status)
{
	char code[STR_I64_MAX];

	metric_add(metric_series(&retries, code_text(status, code), method, c->host), 1);
}
