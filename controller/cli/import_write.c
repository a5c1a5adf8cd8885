#include <math.h>

#include "import.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

#define LABEL_MAX 63

static void write_duration(struct json_writer *w, const char *key, int64_t ms)
{
	char text[DURATION_MAX];

	if (ms > 0)
		jw_str(w, key, duration_format(ms, text));
}

/* What other tools keep about an object of theirs would be wrong about ours. */
static bool is_bookkeeping(const char *key)
{
	static const char *const prefixes[] = {"kubectl.kubernetes.io/",
	                                       "deployment.kubernetes.io/", "rollout.argoproj.io/",
	                                       "argo-rollouts.argoproj.io/", TG_GROUP "/"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(key, prefixes[i]))
			return true;
	return false;
}

static void write_map(struct json_writer *w, const char *key, const struct json *map)
{
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, map)
		n += !is_bookkeeping(json_key(it));
	if (!n)
		return;
	jw_object(w, key);
	json_for_each (it, map)
		if (!is_bookkeeping(json_key(it)))
			jw_value(w, json_key(it), it);
	jw_end_object(w);
}

void import_write_meta(struct json_writer *w, const char *name, const char *namespace,
                       const struct json *labels, const struct json *annotations)
{
	jw_object(w, "metadata");
	jw_str(w, "name", name);
	jw_str(w, "namespace", str_nonempty(namespace));
	write_map(w, "labels", labels);
	write_map(w, "annotations", annotations);
	jw_end_object(w);
}

/* --- ModelDeployment
 * ------------------------------------------------------------------------------- */

static void write_pattern(struct json_writer *w, const char *key, const char *name,
                          const struct import_audience *a)
{
	jw_object(w, key);
	jw_str(w, "name", name);
	jw_str(w, "exact", a->exact);
	jw_str(w, "regex", a->regex);
	jw_end_object(w);
}

static void write_audience(struct json_writer *w, const struct import_step *s)
{
	if (!s->naudience)
		return;
	jw_object(w, "audience");
	jw_array(w, "headers");
	for (unsigned i = 0; i < s->naudience; i++)
		write_pattern(w, NULL, s->audience[i].header, &s->audience[i]);
	jw_end_array(w);
	jw_end_object(w);
}

static void write_step(struct json_writer *w, const struct import_step *s)
{
	jw_object(w, NULL);
	if (s->weight >= 0)
		jw_i64(w, "weight", s->weight);
	write_audience(w, s);
	if (s->mirror) {
		jw_object(w, "mirror");
		jw_i64(w, "percent", s->mirror);
		jw_end_object(w);
	}
	if (s->capacity && s->capacity_percent)
		jw_strf(w, "capacity", "%d%%", s->capacity);
	else if (s->capacity)
		jw_i64(w, "capacity", s->capacity);
	write_duration(w, "hold", s->hold_ms);
	if (s->analysis_ms) {
		jw_object(w, "analysis");
		write_duration(w, "duration", s->analysis_ms);
		jw_str(w, "requireVerdict", "Pass");
		jw_end_object(w);
	}
	if (s->approval)
		jw_str(w, "approval", "Required");
	jw_end_object(w);
}

static void write_strategy(struct json_writer *w, const struct import_model *m)
{
	if (!m->max_surge && !m->max_unavailable && m->deadline_ms <= 0 && m->warmup_ms <= 0 &&
	    m->drain_ms <= 0 && !m->nsteps)
		return;
	jw_object(w, "strategy");
	if (m->max_surge)
		jw_value(w, "maxSurge", m->max_surge);
	if (m->max_unavailable)
		jw_value(w, "maxUnavailable", m->max_unavailable);
	write_duration(w, "progressDeadline", m->deadline_ms);
	write_duration(w, "warmup", m->warmup_ms);
	write_duration(w, "drain", m->drain_ms);
	if (m->nsteps) {
		jw_array(w, "steps");
		for (unsigned i = 0; i < m->nsteps; i++)
			write_step(w, &m->steps[i]);
		jw_end_array(w);
	}
	jw_end_object(w);
}

/* A value that is not there is not written. */
static void write_value(struct json_writer *w, const char *key, const struct json *v)
{
	if (json_size(v))
		jw_value(w, key, v);
}

static void write_driver(struct json_writer *w, const struct import_model *m)
{
	bool istio = m->traffic == TRAFFIC_ISTIO;

	if (m->traffic == TRAFFIC_NONE)
		return;
	jw_object(w, mdep_traffic_field(m->traffic));
	jw_str(w, istio ? "virtualService" : "name", m->route);
	jw_str(w, "httpRoute", m->http_route);
	jw_str(w, "annotationPrefix", m->annotation_prefix);
	write_value(w, istio ? "gateways" : "parentRefs", m->parent_refs);
	write_value(w, istio ? "hosts" : "hostnames", m->hosts);
	jw_end_object(w);
}

static void write_traffic(struct json_writer *w, const struct import_model *m)
{
	if (m->traffic == TRAFFIC_NONE && !m->service_port)
		return;
	jw_object(w, "traffic");
	if (m->service_port)
		jw_i64(w, "servicePort", m->service_port);
	write_driver(w, m);
	jw_end_object(w);
}

static void write_take_over(struct json_writer *w, const struct import_model *m)
{
	if (!m->take_over)
		return;
	jw_object(w, "takeOver");
	jw_object(w, "deployment");
	jw_str(w, "name", m->take_over);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_canary(struct json_writer *w, const struct import_model *m)
{
	if (!m->policy.name)
		return;
	jw_object(w, "canary");
	jw_object(w, "policyRef");
	jw_str(w, "name", m->policy.name);
	jw_end_object(w);
	jw_end_object(w);
}

int import_write_model(const struct import_model *m, struct buf *json)
{
	struct json_writer w;

	jw_init(&w, json);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", "ModelDeployment");
	import_write_meta(&w, m->name, m->namespace, m->labels, m->annotations);
	jw_object(&w, "spec");
	if (m->replicas >= 0)
		jw_i64(&w, "replicas", m->replicas);
	if (m->paused)
		jw_bool(&w, "paused", true);
	if (m->history >= 0)
		jw_i64(&w, "revisionHistoryLimit", m->history);
	import_pods_write(m, &w);
	write_strategy(&w, m);
	write_canary(&w, m);
	write_traffic(&w, m);
	write_take_over(&w, m);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

/* --- ScorePolicy
 * ------------------------------------------------------------------------------------ */

static void write_number(struct json_writer *w, const char *key, double v)
{
	char text[STR_DOUBLE_MAX];

	jw_str(w, key, str_from_double(v, text));
}

static void write_thresholds(struct json_writer *w, const struct import_policy *p)
{
	jw_str(w, "judge", "Thresholds");
	jw_object(w, "thresholds");
	write_duration(w, "interval", p->interval_ms);
	/* Errors are always looked at: all of them are allowed where only latency was. */
	write_number(w, "maxErrors", isnan(p->max_errors) ? 1 : p->max_errors);
	write_duration(w, "maxLatency", p->max_latency_ms);
	if (p->failures)
		jw_i64(w, "failures", p->failures);
	jw_end_object(w);
}

static void write_metric(struct json_writer *w, const struct scorepolicy_metric *metric)
{
	static const char *const directions[] = {"Either", "Increase", "Decrease"};
	cleanup_free char *name = xstrndup(metric->name, LABEL_MAX);

	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_str(w, "query", metric->query);
	jw_str(w, "direction", directions[metric->direction]);
	jw_end_object(w);
}

static void write_series(struct json_writer *w, const struct import_policy *p)
{
	if (!p->failures && !p->interval_ms)
		return;
	jw_object(w, "series");
	write_duration(w, "interval", p->interval_ms);
	if (p->failures)
		jw_i64(w, "failures", p->failures);
	jw_end_object(w);
}

int import_write_policy(const struct import_model *m, struct buf *json)
{
	const struct import_policy *p = &m->policy;
	struct json_writer w;

	jw_init(&w, json);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", "ScorePolicy");
	import_write_meta(&w, p->name, m->namespace, NULL, NULL);
	jw_object(&w, "spec");
	if (!isnan(p->max_errors) || p->max_latency_ms)
		write_thresholds(&w, p);
	if (p->nmetrics) {
		jw_object(&w, "prometheus");
		jw_str(&w, "url", str_or(p->url, "http://prometheus:9090"));
		jw_end_object(&w);
		write_series(&w, p);
		jw_array(&w, "metrics");
		for (unsigned i = 0; i < p->nmetrics; i++)
			write_metric(&w, &p->metrics[i]);
		jw_end_array(&w);
	}
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

/* --- HorizontalPodAutoscaler
 * ------------------------------------------------------------------------- */

static void write_scaler_spec(struct json_writer *w, const struct json *spec,
                              const struct import_model *m)
{
	const struct json *it;

	jw_object(w, "spec");
	jw_object(w, "scaleTargetRef");
	jw_str(w, "apiVersion", TG_API_VERSION);
	jw_str(w, "kind", "ModelDeployment");
	jw_str(w, "name", m->name);
	jw_end_object(w);
	json_for_each (it, spec)
		if (!str_eq(json_key(it), "scaleTargetRef"))
			jw_value(w, json_key(it), it);
	jw_end_object(w);
}

int import_write_scaler(const struct import_object *hpa, const struct import_model *m,
                        struct buf *json)
{
	const struct json *meta = json_get(hpa->json, "metadata");
	struct json_writer w;

	jw_init(&w, json);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", hpa->api_version);
	jw_str(&w, "kind", hpa->kind);
	import_write_meta(&w, hpa->name, hpa->namespace, json_get(meta, "labels"),
	                  json_get(meta, "annotations"));
	write_scaler_spec(&w, json_get(hpa->json, "spec"), m);
	jw_end_object(&w);
	return jw_end(&w);
}
