#include "score_policy.h"

#include <math.h>
#include <stdio.h>

#include "score.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

struct reader {
	const struct document *document;
	struct err *err;
};

struct number {
	const char *key;
	double *out;
	double min, max;
};

static int wrong(struct reader *r, const char *at, const char *key, const char *what)
{
	char field[128];

	err_set(r->err, ERR_INVALID, "%s", what);
	snprintf(field, sizeof(field), "%s%s%s", at, *at && *key ? "." : "", key);
	document_locate(r->document, field, r->err);
	return -1;
}

/* Numbers may be text, as Kubernetes objects write fractions. */
static double number_of(const struct cJSON *v)
{
	const char *s = json_value_str(v);
	double d = json_value_double(v, NAN);

	return s && !str_to_double(s, &d) ? NAN : d;
}

static int read_numbers(struct reader *r, const struct cJSON *o, const char *at,
                        const struct number *list, size_t n)
{
	char what[96];
	double v;

	for (size_t i = 0; i < n; i++) {
		if (!json_has(o, list[i].key))
			continue;
		v = number_of(json_get(o, list[i].key));
		if (!(v >= list[i].min && v <= list[i].max)) {
			snprintf(what, sizeof(what), "must be a number from %g to %g", list[i].min,
			         list[i].max);
			return wrong(r, at, list[i].key, what);
		}
		*list[i].out = v;
	}
	return 0;
}

static int read_bool(struct reader *r, const struct cJSON *o, const char *at, const char *key,
                     bool *out)
{
	if (json_has(o, key) && !json_is_bool(json_get(o, key)))
		return wrong(r, at, key, "must be true or false");
	*out = json_bool(o, key, *out);
	return 0;
}

static int read_seconds(struct reader *r, const struct cJSON *o, const char *at, const char *key,
                        double *out)
{
	int64_t ms;

	if (!json_has(o, key))
		return 0;
	if (!json_str(o, key) || duration_parse(json_str(o, key), &ms, NULL) || ms < 1)
		return wrong(r, at, key, "must be a duration such as \"30s\"");
	*out = (double)ms / 1000;
	return 0;
}

static int read_object(struct reader *r, const struct cJSON *o, const char *key,
                       const struct cJSON **out)
{
	*out = json_has(o, key) ? json_get(o, key) : NULL;
	if (*out && !json_is_object(*out))
		return wrong(r, "spec", key, "must be an object");
	return 0;
}

static int read_sequential(struct reader *r, const struct cJSON *o, struct sequential_options *s)
{
	static const char at[] = "spec.sequential";
	const struct number numbers[] = {
		{"alpha", &s->alpha, 1e-6, 0.2},
		{"margin", &s->margin, 1, 10},
		{"latencyMargin", &s->latency_margin, 1, 10},
		{"podSpread", &s->pod_spread, 0, 1},
		{"minDifference", &s->min_excess, 0, 1},
	};

	if (read_numbers(r, o, at, numbers, sizeof(numbers) / sizeof(numbers[0])) ||
	    read_bool(r, o, at, "latency", &s->judge_latency) ||
	    read_seconds(r, o, at, "noData", &s->no_data_s) ||
	    read_seconds(r, o, at, "noStable", &s->no_stable_s))
		return -1;
	return 0;
}

static int read_no_data(struct reader *r, const struct cJSON *o, bool *fails)
{
	const char *s = str_or(json_str(o, "noData"), "Ignore");

	*fails = str_eq(s, "Fail");
	if (!*fails && !str_eq(s, "Ignore"))
		return wrong(r, "spec.thresholds", "noData", "must be Ignore or Fail");
	return 0;
}

static int read_thresholds(struct reader *r, const struct cJSON *o, struct thresholds_rule *t)
{
	static const char at[] = "spec.thresholds";
	double failures = t->failures, looks = t->looks;
	const struct number numbers[] = {
		{"maxErrors", &t->max_error_share, 0, 1},
		{"quantile", &t->quantile, 0.01, 0.9999},
		{"failures", &failures, 1, 1000},
		{"looks", &looks, 1, 1e6},
	};

	if (read_numbers(r, o, at, numbers, sizeof(numbers) / sizeof(numbers[0])) ||
	    read_seconds(r, o, at, "interval", &t->interval_s) ||
	    read_seconds(r, o, at, "maxLatency", &t->max_latency_s) ||
	    read_bool(r, o, at, "consecutive", &t->consecutive) ||
	    read_no_data(r, o, &t->no_data_fails))
		return -1;
	t->failures = (unsigned)failures;
	t->looks = (unsigned)looks;
	return 0;
}

static int read_policy(struct reader *r, struct score_policy *p)
{
	const struct cJSON *root = r->document->json, *spec, *sequential, *thresholds;

	if (!json_is_object(root))
		return wrong(r, "", "", "a ScorePolicy is an object");
	if (json_has(root, "kind") && !str_eq(json_str(root, "kind"), "ScorePolicy"))
		return wrong(r, "", "kind", "must be ScorePolicy");
	spec = json_has(root, "spec") ? json_get(root, "spec") : NULL;
	if (spec && !json_is_object(spec))
		return wrong(r, "", "spec", "must be an object");
	if (read_object(r, spec, "sequential", &sequential) ||
	    read_object(r, spec, "thresholds", &thresholds) ||
	    read_sequential(r, sequential, &p->sequential) ||
	    read_thresholds(r, thresholds, &p->thresholds))
		return -1;
	return 0;
}

int score_policy_load(struct score_policy *p, const char *path, struct err *err)
{
	struct document d;
	struct reader r = {&d, err};
	int rc;

	sequential_options_default(&p->sequential);
	thresholds_rule_default(&p->thresholds);
	if (!path)
		return 0;
	document_init(&d, path);
	rc = document_load(&d, err) || read_policy(&r, p) ? -1 : 0;
	document_release(&d);
	return rc;
}
