#include "tidegate/api/scorepolicy.h"

#include <math.h>
#include <string.h>

#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

#define DAY_S 86400.0

/* Where a value is read from: `at` is the path of `o`, "" for the root. */
struct reader {
	struct scorepolicy *p;
	struct arena *a;
};

struct number {
	const char *key;
	double *out;
	double min, max;
	bool whole;
};

/* The first problem is told; the others show up when it is mended. */
static void problem(struct reader *r, const char *at, const char *key, const char *what)
{
	if (r->p->problem)
		return;
	r->p->problem_path = arena_printf(r->a, "%s%s%s", at, *at && *key ? "." : "", key);
	r->p->problem = what;
}

static void read_number(struct reader *r, const struct json *o, const char *at,
                        const struct number *n)
{
	const struct json *v = json_get(o, n->key);
	const char *text = json_value_str(v);
	double d = json_value_double(v, NAN);

	*n->out = NAN;
	if (!json_has(o, n->key))
		return;
	if (text && !str_to_double(text, &d))
		d = NAN;
	if (!(d >= n->min && d <= n->max) || (n->whole && d > floor(d)))
		problem(r, at, n->key,
		        arena_printf(r->a, "must be a %snumber from %g to %g",
		                     n->whole ? "whole " : "", n->min, n->max));
	else
		*n->out = d;
}

static void read_numbers(struct reader *r, const struct json *o, const char *at,
                         const struct number *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		read_number(r, o, at, &list[i]);
}

static void read_seconds(struct reader *r, const struct json *o, const char *at, const char *key,
                         double min, double *out)
{
	int64_t ms;

	*out = NAN;
	if (!json_has(o, key))
		return;
	if (!json_str(o, key) || duration_parse(json_str(o, key), &ms, NULL) ||
	    (double)ms < min * 1000 || (double)ms > DAY_S * 1000)
		problem(r, at, key,
		        arena_printf(r->a, "must be a duration from %gs to 24h, such as \"30s\"",
		                     min));
	else
		*out = (double)ms / 1000;
}

static bool read_bool(struct reader *r, const struct json *o, const char *at, const char *key,
                      bool fallback)
{
	if (json_has(o, key) && !json_is_bool(json_get(o, key)))
		problem(r, at, key, "must be true or false");
	return json_bool(o, key, fallback);
}

/* Index of the text in a list that ends with NULL; the first one is the default. */
static unsigned read_choice(struct reader *r, const struct json *o, const char *at, const char *key,
                            const char *const *names)
{
	const char *all = names[0];

	if (!json_has(o, key))
		return 0;
	for (unsigned i = 0; names[i]; i++)
		if (str_eq(json_str(o, key), names[i]))
			return i;
	for (unsigned i = 1; names[i]; i++)
		all = arena_printf(r->a, "%s%s%s", all, names[i + 1] ? ", " : " or ", names[i]);
	problem(r, at, key, arena_printf(r->a, "must be %s", all));
	return 0;
}

static const char *read_text(struct reader *r, const struct json *o, const char *at,
                             const char *key)
{
	if (!json_has(o, key))
		return NULL;
	if (str_empty(json_str(o, key)))
		problem(r, at, key, "must be a text that is not empty");
	return json_str(o, key);
}

static const struct json *read_object(struct reader *r, const struct json *o, const char *at,
                                      const char *key)
{
	const struct json *v = json_has(o, key) ? json_get(o, key) : NULL;

	if (v && !json_is_object(v)) {
		problem(r, at, key, "must be an object");
		return NULL;
	}
	return v;
}

/* --- sections ---------------------------------------------------------------------------- */

static void read_sequential(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.sequential";
	const struct json *o = read_object(r, spec, "spec", "sequential");
	struct scorepolicy *p = r->p;
	const struct number numbers[] = {
		{"alpha", &p->sequential.alpha, 1e-6, 0.2, false},
		{"margin", &p->sequential.margin, 1, 10, false},
		{"latencyMargin", &p->sequential.latency_margin, 1, 10, false},
		{"podSpread", &p->sequential.pod_spread, 0, 1, false},
		{"minDifference", &p->sequential.min_difference, 0, 1, false},
	};

	read_numbers(r, o, at, numbers, ARRAY_SIZE(numbers));
	read_seconds(r, o, at, "noData", 0.001, &p->sequential.no_data_s);
	read_seconds(r, o, at, "noStable", 0.001, &p->sequential.no_stable_s);
	p->sequential.latency = read_bool(r, o, at, "latency", true);
}

static void read_thresholds(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.thresholds";
	static const char *const no_data[] = {"Ignore", "Fail", NULL};
	const struct json *o = read_object(r, spec, "spec", "thresholds");
	struct scorepolicy *p = r->p;
	const struct number numbers[] = {
		{"maxErrors", &p->thresholds.max_errors, 0, 1, false},
		{"quantile", &p->thresholds.quantile, 0.01, 0.9999, false},
		{"failures", &p->thresholds.failures, 1, 1000, true},
		{"looks", &p->thresholds.looks, 1, 1e6, true},
	};

	read_numbers(r, o, at, numbers, ARRAY_SIZE(numbers));
	read_seconds(r, o, at, "interval", 0.001, &p->thresholds.interval_s);
	read_seconds(r, o, at, "maxLatency", 0.001, &p->thresholds.max_latency_s);
	p->thresholds.consecutive = read_bool(r, o, at, "consecutive", false);
	p->thresholds.no_data_fails = read_choice(r, o, at, "noData", no_data) == 1;
}

static void read_prometheus(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.prometheus";
	const struct json *o = read_object(r, spec, "spec", "prometheus");
	struct scorepolicy *p = r->p;
	const char *url = read_text(r, o, at, "url");

	p->prometheus.url = url;
	p->prometheus.secret = read_text(r, read_object(r, o, at, "secretRef"),
	                                 "spec.prometheus.secretRef", "name");
	read_seconds(r, o, at, "timeout", 1, &p->prometheus.timeout_s);
	p->prometheus.requests = read_text(r, o, at, "requestsQuery");
	if (url && !str_starts(url, "http://") && !str_starts(url, "https://"))
		problem(r, at, "url", "must begin with http:// or https://");
	/* Credentials in an address end up in logs and in status. */
	if (url && strchr(url, '@'))
		problem(r, at, "url", "must not contain credentials: give secretRef");
}

static void read_series(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.series";
	const struct json *o = read_object(r, spec, "spec", "series");
	struct scorepolicy *p = r->p;
	const struct number numbers[] = {
		{"minPoints", &p->series.min_points, 5, 1000, true},
		{"failures", &p->series.failures, 1, 100, true},
		{"pass", &p->series.pass, 0, 100, false},
		{"marginal", &p->series.marginal, 0, 100, false},
		{"tolerance", &p->series.tolerance, 0, 10, false},
		{"confidence", &p->series.confidence, 0.5, 0.9999, false},
	};

	read_numbers(r, o, at, numbers, ARRAY_SIZE(numbers));
	read_seconds(r, o, at, "interval", 1, &p->series.interval_s);
	read_seconds(r, o, at, "step", 1, &p->series.step_s);
	read_seconds(r, o, at, "window", 10, &p->series.window_s);
}

static void read_kayenta(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.kayenta";
	const struct json *o = read_object(r, spec, "spec", "kayenta");
	const struct json *ref = read_object(r, o, at, "configMapRef");
	struct scorepolicy *p = r->p;

	p->kayenta.config = read_text(r, o, at, "config");
	p->kayenta.configmap = read_text(r, ref, "spec.kayenta.configMapRef", "name");
	p->kayenta.configmap_key =
		str_or(read_text(r, ref, "spec.kayenta.configMapRef", "key"), "config.json");
	if (o && !p->kayenta.config == !p->kayenta.configmap)
		problem(r, "spec", "kayenta", "needs one of config and configMapRef.name");
}

/* Letters, digits, _ and colons: what a line of metrics can begin with. */
static bool is_metric_name(const char *s)
{
	return s && *s && !(*s >= '0' && *s <= '9') &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")] ==
	               '\0';
}

static void read_drift(struct reader *r, const struct json *spec)
{
	static const char at[] = "spec.drift";
	const struct json *o = read_object(r, spec, "spec", "drift");
	struct scorepolicy *p = r->p;
	const struct number numbers[] = {
		{"alpha", &p->drift.alpha, 1e-6, 0.2, false},
		{"maxPSI", &p->drift.max_psi, 0.01, 10, false},
		{"minSamples", &p->drift.min_samples, 100, 1e6, true},
	};

	read_numbers(r, o, at, numbers, ARRAY_SIZE(numbers));
	p->drift.metric = read_text(r, o, at, "metric");
	if (o && (!is_metric_name(p->drift.metric) || strlen(p->drift.metric) > 128))
		problem(r, at, "metric", "must be the name of a histogram, without _bucket");
}

/* "5%" is 0.05. */
static double read_percent(struct reader *r, const struct json *o, const char *at, const char *key)
{
	const char *s = json_str(o, key);
	char digits[24];
	double v = NAN;

	if (!json_has(o, key))
		return NAN;
	if (s && str_ends(s, "%") && str_copy(digits, sizeof(digits), s)) {
		digits[strlen(digits) - 1] = '\0';
		if (str_to_double(digits, &v) && v >= 0 && v <= 10000)
			return v / 100;
	}
	problem(r, at, key, "must be a percentage such as \"5%\"");
	return NAN;
}

static bool is_known(const struct scorepolicy *p, const char *name)
{
	for (unsigned i = 0; i < p->nmetrics; i++)
		if (str_eq(p->metrics[i].name, name))
			return true;
	return false;
}

static void read_metric(struct reader *r, const struct json *o, unsigned i)
{
	static const char *const directions[] = {"Either", "Increase", "Decrease", NULL};
	static const char *const nan[] = {"Remove", "Replace", NULL};
	const char *at = arena_printf(r->a, "spec.metrics[%u]", i);
	double weight;
	const struct number number = {"weight", &weight, 1, 100, true};
	struct scorepolicy_metric m = {
		.name = read_text(r, o, at, "name"),
		.group = str_or(read_text(r, o, at, "group"), "metrics"),
		.query = read_text(r, o, at, "query"),
		.direction =
			(enum scorepolicy_direction)read_choice(r, o, at, "direction", directions),
		.max_change = read_percent(r, o, at, "maxChange"),
		.critical = read_bool(r, o, at, "critical", false),
		.replace_nan = read_choice(r, o, at, "nanStrategy", nan) == 1,
		.must_have_data = read_bool(r, o, at, "mustHaveData", false),
	};

	read_number(r, o, at, &number);
	m.weight = isnan(weight) ? 1 : (int)weight;
	if (!m.name || is_known(r->p, m.name))
		problem(r, at, "name", "is missing, or taken by a metric before");
	if (!m.query)
		problem(r, at, "query", "is missing");
	r->p->metrics[r->p->nmetrics++] = m;
}

static void read_metrics(struct reader *r, const struct json *spec)
{
	const struct json *list = json_get(spec, "metrics"), *it;

	if (!json_has(spec, "metrics"))
		return;
	if (!json_is_array(list) || json_size(list) > SCOREPOLICY_METRICS_MAX) {
		problem(r, "spec", "metrics", "must be a list of at most 16 metrics");
		return;
	}
	json_for_each (it, list)
		read_metric(r, it, r->p->nmetrics);
}

static void check_sources(struct reader *r)
{
	struct scorepolicy *p = r->p;
	bool kayenta = p->kayenta.config || p->kayenta.configmap;

	if (p->nmetrics && kayenta)
		problem(r, "spec", "kayenta", "has the metrics already: leave out spec.metrics");
	if ((scorepolicy_has_series(p) || p->prometheus.requests) && !p->prometheus.url)
		problem(r, "spec.prometheus", "url", "is needed: metrics are asked for there");
	if (p->judge == SCOREPOLICY_KAYENTA && !scorepolicy_has_series(p))
		problem(r, "spec", "judge", "Kayenta needs spec.metrics or spec.kayenta");
}

bool scorepolicy_has_series(const struct scorepolicy *p)
{
	return p->nmetrics || p->kayenta.config || p->kayenta.configmap;
}

void scorepolicy_read(const struct json *json, struct arena *a, struct scorepolicy *p)
{
	static const char *const judges[] = {"Sequential", "Thresholds", "Kayenta", NULL};
	struct reader r = {p, a};
	const struct json *spec = read_object(&r, json, "", "spec");

	if (!json_is_object(json))
		problem(&r, "", "", "a ScorePolicy is an object");
	if (json_has(json, "kind") && !str_eq(json_str(json, "kind"), "ScorePolicy"))
		problem(&r, "", "kind", "must be ScorePolicy");
	p->judge = (enum scorepolicy_judge)read_choice(&r, spec, "spec", "judge", judges);
	read_sequential(&r, spec);
	read_thresholds(&r, spec);
	read_prometheus(&r, spec);
	read_series(&r, spec);
	read_kayenta(&r, spec);
	read_drift(&r, spec);
	read_metrics(&r, spec);
	check_sources(&r);
}

/* --- kind -------------------------------------------------------------------------------- */

struct draft {
	const struct json *json;
	struct scorepolicy p;
};

static void scorepolicy_fill(void *obj, struct packer *k, const void *ctx)
{
	const struct draft *d = ctx;
	struct scorepolicy *p = obj;

	*p = d->p;
	object_meta_fill(&p->meta, k, d->json);
	p->prometheus.url = pack_str(k, d->p.prometheus.url);
	p->prometheus.secret = pack_str(k, d->p.prometheus.secret);
	p->prometheus.requests = pack_str(k, d->p.prometheus.requests);
	p->kayenta.config = pack_str(k, d->p.kayenta.config);
	p->kayenta.configmap = pack_str(k, d->p.kayenta.configmap);
	p->kayenta.configmap_key = pack_str(k, d->p.kayenta.configmap_key);
	p->drift.metric = pack_str(k, d->p.drift.metric);
	p->problem_path = pack_str(k, d->p.problem_path);
	p->problem = pack_str(k, d->p.problem);
	p->said_status = pack_str(k, d->p.said_status);
	p->said_message = pack_str(k, d->p.said_message);
	for (unsigned i = 0; i < d->p.nmetrics; i++) {
		p->metrics[i].name = pack_str(k, d->p.metrics[i].name);
		p->metrics[i].group = pack_str(k, d->p.metrics[i].group);
		p->metrics[i].query = pack_str(k, d->p.metrics[i].query);
	}
}

static void read_status(const struct json *status, struct scorepolicy *p)
{
	const struct json *ready = json_condition(json_get(status, "conditions"), "Ready");

	p->said_generation = json_i64(status, "observedGeneration", 0);
	p->said_status = json_str(ready, "status");
	p->said_message = json_str(ready, "message");
	p->said_since_ms = json_time(ready, "lastTransitionTime");
}

static struct object *scorepolicy_decode(const struct json *json, struct arena *scratch,
                                         struct err *err)
{
	struct draft *d = arena_alloc(scratch, sizeof(*d));

	if (object_meta_check(json, err))
		return NULL;
	d->json = json;
	scorepolicy_read(json, scratch, &d->p);
	read_status(json_get(json, "status"), &d->p);
	return object_pack(sizeof(d->p), scorepolicy_fill, d);
}

static bool scorepolicy_same(const struct object *a, const struct object *b)
{
	return meta_same(a, b) && a->generation == b->generation;
}

const struct object_kind scorepolicy_kind = {
	.kind = "ScorePolicy",
	.api = TG_API_PATH,
	.resource = "scorepolicies",
	.decode = scorepolicy_decode,
	.same = scorepolicy_same,
};
