#include "world.h"

#include <math.h>
#include <string.h>

#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"

/* --- metrics ------------------------------------------------------------------------------- */

static void add_sample(struct buf *out, const char *name, const char *rest, double value)
{
	char count[STR_I64_MAX];
	size_t nname = strlen(name), nrest = strlen(rest);
	size_t ncount = strlen(str_from_i64((int64_t)value, count));
	char *to = buf_extend(out, nname + nrest + ncount + 1);

	if (!to)
		return;
	memcpy(to, name, nname);
	memcpy(to + nname, rest, nrest);
	memcpy(to + nname + nrest, count, ncount);
	to[nname + nrest + ncount] = '\n';
}

static void add_label(struct buf *out, const struct preset *p, const char *value, double count)
{
	buf_addstr(out, p->requests_metric);
	buf_addch(out, '{');
	buf_addstr(out, p->error_label);
	buf_addstr(out, "=\"");
	buf_addstr(out, value);
	add_sample(out, "", "\"} ", count);
}

static void add_requests(struct buf *out, const struct preset *p, const struct sim_counts *c)
{
	if (p->error_label) {
		bool class = str_eq(p->ok_values[0], "2xx");

		add_label(out, p, p->ok_values[0], c->requests - c->errors);
		add_label(out, p, class ? "5xx" : "INTERNAL", c->errors);
		return;
	}
	add_sample(out, p->requests_metric, " ",
	           p->errors_apart ? c->requests - c->errors : c->requests);
	if (p->errors_metric)
		add_sample(out, p->errors_metric, " ", c->errors);
}

/* Many scrapes, the same lines but for their counts. */
static const char *bound_line(struct world *w, const struct preset *p, int i)
{
	char **line = &w->bounds[p->runtime][i];
	char bound[STR_DOUBLE_MAX] = "+Inf";

	if (*line)
		return *line;
	if (i < SIM_BUCKETS)
		str_from_double(round(users_bounds[i] / p->latency_unit * 1e6) / 1e6, bound);
	return *line = xasprintf("%s_bucket{le=\"%s\"} ", p->latency_metric, bound);
}

static void add_latency(struct buf *out, struct world *w, const struct preset *p,
                        const struct sim_counts *c)
{
	double sum = 0;

	for (int i = 0; i <= SIM_BUCKETS; i++) {
		sum += c->buckets[i];
		add_sample(out, bound_line(w, p, i), "", sum);
	}
}

static void add_metrics(struct buf *out, struct world *w, const struct sim_object *pod)
{
	const struct preset *p = pod->world.preset;
	const struct sim_counts *c = &pod->world.counts;

	if (!p->requests_metric)
		return;
	add_requests(out, p, c);
	if (p->busy_metric)
		add_sample(out, p->busy_metric, " ", ceil(c->rate * pod->world.behaviour->p50_s));
	if (p->latency_metric)
		add_latency(out, w, p, c);
}

/* --- requests ------------------------------------------------------------------------------ */

static struct sim_object *pod_at(const struct world *w, const char *url)
{
	const char *p = strstr(url, "://10.");
	unsigned n = 0;

	if (!p)
		return NULL;
	for (p += 6; (*p >= '0' && *p <= '9') || *p == '.'; p++) {
		if (*p == '.')
			n <<= 8;
		else
			n = (n & ~255U) | ((n & 255) * 10 + (unsigned)(*p - '0'));
	}
	return n < w->nnumbers ? w->by_number[n] : NULL;
}

/* A dark node's pods live on; who is in the same dark zone does not notice. */
static bool is_reached(struct world *w, const struct sim_object *pod, const char *from_zone)
{
	if (world_zone_is_dark(w, from_zone))
		return str_eq(world_zone_of(w, pod), from_zone);
	return !pod->world.dark;
}

static void add_state(struct buf *out, const char *url)
{
	const char *version = strrchr(url, '/');

	buf_addstr(out, "{\"model_version_status\":[{\"version\":\"");
	buf_addstr(out, version + 1);
	buf_addstr(out, "\",\"state\":\"AVAILABLE\",\"status\":{\"error_code\":\"OK\"}}]}");
}

/* Another server's question is not understood; its counters would have other names. */
static bool speaks(const struct preset *p, const char *url)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');

	return !path || !p->model_path || str_ends(url, "/metrics") ||
	       !strncmp(path, p->model_path, strcspn(p->model_path, "$"));
}

enum sim_reach world_answer(struct world *w, const char *url, const char *from_zone,
                            struct buf *out)
{
	struct sim_object *pod = pod_at(w, url);
	const struct preset *preset;

	if (!pod)
		return SIM_SILENT;
	if (!is_reached(w, pod, from_zone))
		return SIM_SILENT;
	if (pod->world.behaviour->never_loads)
		return SIM_REFUSES;
	preset = pod->world.preset;
	if (!speaks(preset, url))
		return SIM_REFUSES;
	if (str_ends(url, "/metrics")) {
		users_count_pod(w, pod);
		add_metrics(out, w, pod);
	} else if (preset->runtime == RUNTIME_TENSORFLOW_SERVING && !str_ends(url, ":predict")) {
		add_state(out, url);
	}
	return SIM_ANSWERS;
}
