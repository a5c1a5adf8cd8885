#include "world.h"

#include <math.h>
#include <string.h>

#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/signal/grpc_health.h"

/* --- metrics ------------------------------------------------------------------------------- */

/* What a scrape tells, in this order; one bucket after the other. */
enum { SAMPLE_OK, SAMPLE_FAILED, SAMPLE_BUSY, SAMPLE_BUCKET };
_Static_assert(SAMPLE_BUCKET + SIM_BUCKETS + 1 == WORLD_SAMPLES, "a line for each");

static char *bucket_start(const struct preset *p, int i)
{
	char bound[STR_DOUBLE_MAX] = "+Inf";

	if (i < SIM_BUCKETS)
		str_from_double(round(users_bounds[i] / p->latency_unit * 1e6) / 1e6, bound);
	return xasprintf("%s_bucket{le=\"%s\"} ", p->latency_metric, bound);
}

static char *labelled_start(const struct preset *p, bool failed)
{
	const char *ok = p->ok_values[0], *bad = str_eq(ok, "2xx") ? "5xx" : "INTERNAL";

	return xasprintf("%s{%s=\"%s\"} ", p->requests_metric, p->error_label, failed ? bad : ok);
}

static char *sample_start(const struct preset *p, int sample)
{
	switch (sample) {
	case SAMPLE_OK:
	case SAMPLE_FAILED:
		if (p->error_label)
			return labelled_start(p, sample == SAMPLE_FAILED);
		return xasprintf("%s ",
		                 sample == SAMPLE_OK ? p->requests_metric : p->errors_metric);
	case SAMPLE_BUSY:
		return xasprintf("%s ", p->busy_metric);
	default:
		return bucket_start(p, sample - SAMPLE_BUCKET);
	}
}

/* Many scrapes, the same lines but for their counts. */
static void add_sample(struct buf *out, struct world *w, const struct preset *p, int sample,
                       double value)
{
	struct world_line *l = &w->lines[p->runtime][sample];
	char *to;

	if (!l->start) {
		l->start = sample_start(p, sample);
		l->len = strlen(l->start);
	}
	to = buf_extend(out, l->len + STR_I64_MAX);
	if (!to)
		return;
	memcpy(to, l->start, l->len);
	to += l->len;
	to += str_put_i64(to, (int64_t)value);
	*to++ = '\n';
	buf_truncate(out, (size_t)(to - out->data));
}

static void add_latency(struct buf *out, struct world *w, const struct preset *p,
                        const struct sim_counts *c)
{
	double sum = 0;

	for (int i = 0; i <= SIM_BUCKETS; i++) {
		sum += c->buckets[i];
		add_sample(out, w, p, SAMPLE_BUCKET + i, sum);
	}
}

static void add_metrics(struct buf *out, struct world *w, const struct sim_object *pod)
{
	const struct preset *p = pod->world.preset;
	const struct sim_counts *c = &pod->world.counts;

	if (!p->requests_metric)
		return;
	add_sample(out, w, p, SAMPLE_OK,
	           p->error_label || p->errors_apart ? c->requests - c->drawn.errors : c->requests);
	if (p->error_label || p->errors_metric)
		add_sample(out, w, p, SAMPLE_FAILED, c->drawn.errors);
	if (p->busy_metric)
		add_sample(out, w, p, SAMPLE_BUSY, ceil(c->rate * pod->world.behaviour->p50_s));
	if (p->latency_metric)
		add_latency(out, w, p, c);
}

/* --- requests ------------------------------------------------------------------------------ */

/* "http://10.A.B.C:PORT/PATH" */
static struct sim_object *pod_at(const struct world *w, const char *url, const char **path)
{
	static const char start[] = "http://10.";
	const char *p;
	unsigned n = 0;

	if (!str_starts(url, start))
		return NULL;
	for (p = url + strlen(start); (*p >= '0' && *p <= '9') || *p == '.'; p++) {
		if (*p == '.')
			n <<= 8;
		else
			n = (n & ~255U) | ((n & 255) * 10 + (unsigned)(*p - '0'));
	}
	*path = strchr(p, '/');
	return *path && n < w->nnumbers ? w->by_number[n] : NULL;
}

/* A dark node's pods live on; who is in the same dark zone does not notice. */
static bool is_reached(struct world *w, const struct sim_object *pod, const char *from_zone)
{
	if (world_zone_is_dark(w, from_zone))
		return str_eq(world_zone_of(w, pod), from_zone);
	return !pod->world.dark;
}

static void add_state(struct buf *out, const char *version)
{
	static const char
		start[] = "{\"model_version_status\":[{\"version\":\"",
		end[] = "\",\"state\":\"AVAILABLE\",\"status\":{\"error_code\":\"OK\"}}]}";

	buf_add(out, start, strlen(start));
	buf_addstr(out, version);
	buf_add(out, end, strlen(end));
}

/* Another server's question is not understood; its counters would have other names. */
static bool speaks(const struct preset *p, const char *path)
{
	return !p->model_path || !strncmp(path, p->model_path, strcspn(p->model_path, "$"));
}

enum sim_reach world_answer(struct world *w, const char *url, const char *from_zone,
                            struct buf *out)
{
	const char *path, *last;
	struct sim_object *pod = pod_at(w, url, &path);

	if (!pod || !is_reached(w, pod, from_zone))
		return SIM_SILENT;
	if (pod->world.behaviour->never_loads)
		return SIM_REFUSES;
	last = strrchr(path, '/');
	if (str_eq(last, "/metrics")) {
		users_count_pod(w, pod);
		add_metrics(out, w, pod);
		return SIM_ANSWERS;
	}
	if (!speaks(pod->world.preset, path))
		return SIM_REFUSES;
	if (pod->world.preset->runtime != RUNTIME_TENSORFLOW_SERVING)
		return str_eq(path, GRPC_HEALTH_PATH) ? SIM_IS_SERVING : SIM_ANSWERS;
	if (!str_ends(last, ":predict"))
		add_state(out, last + 1);
	return SIM_ANSWERS;
}
