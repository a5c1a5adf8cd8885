/* Canary config and pairs of series from JSON. */
#include <math.h>
#include <stdio.h>

#include "tidegate/base/str.h"
#include "tidegate/judge/kayenta.h"

#define TOLERANCE  0.25
#define CONFIDENCE 0.98

struct reader {
	struct arena *a;
	char *path; /* of the value that is wrong */
	struct err *err;
};

__attribute__((format(printf, 3, 4))) static int wrong(struct reader *r, const char *what,
                                                       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->path, KAYENTA_PATH_MAX, fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_INVALID, "%s", what);
}

/* --- values: missing and null keep what is there -------------------------------------------- */

static int read_number(struct reader *r, const struct json *o, const char *key, const char *at,
                       double *out)
{
	const struct json *v = json_get(o, key);

	if (!json_has(o, key))
		return 0;
	if (!json_is_number(v) || !isfinite(json_value_double(v, NAN)))
		return wrong(r, "must be a number", "%s.%s", at, key);
	*out = json_value_double(v, NAN);
	return 0;
}

static int read_bool(struct reader *r, const struct json *o, const char *key, const char *at,
                     bool *out)
{
	const struct json *v = json_get(o, key);

	if (!json_has(o, key))
		return 0;
	if (!json_is_bool(v))
		return wrong(r, "must be true or false", "%s.%s", at, key);
	*out = json_value_bool(v, false);
	return 0;
}

/* *out stays NULL when there is none. */
static int read_object(struct reader *r, const struct json *o, const char *key, const char *at,
                       const struct json **out)
{
	*out = NULL;
	if (!json_has(o, key))
		return 0;
	if (!json_is_object(json_get(o, key)))
		return wrong(r, "must be an object", "%s%s%s", at, *at ? "." : "", key);
	*out = json_get(o, key);
	return 0;
}

/* --- config ------------------------------------------------------------------------------ */

static int read_groups(struct reader *r, const struct json *o, const char *at,
                       struct kayenta_metric *m)
{
	const struct json *list = json_get(o, "groups"), *it;

	if (!json_has(o, "groups"))
		return 0;
	if (!json_is_array(list) || json_size(list) > KAYENTA_GROUPS_MAX)
		return wrong(r, "must be a list of at most 1000 names", "%s.groups", at);
	m->groups = arena_array(r->a, json_size(list), sizeof(*m->groups));
	json_for_each (it, list) {
		if (!json_is_string(it))
			return wrong(r, "must be a text", "%s.groups[%u]", at, m->ngroups);
		m->groups[m->ngroups++] = json_value_str(it);
	}
	return 0;
}

static int read_effect(struct reader *r, const struct json *canary, const char *at,
                       struct kayenta_metric *m)
{
	const char *effect_at = arena_printf(r->a, "%s.effectSize", at);
	const struct json *o;

	if (read_object(r, canary, "effectSize", at, &o))
		return -1;
	m->cles = str_eq(json_str(o, "measure"), "cles");
	m->allowed_increase = m->allowed_decrease = m->critical_increase = m->critical_decrease =
		m->cles ? 0.5 : 1;
	if (read_number(r, o, "allowedIncrease", effect_at, &m->allowed_increase) ||
	    read_number(r, o, "allowedDecrease", effect_at, &m->allowed_decrease) ||
	    read_number(r, o, "criticalIncrease", effect_at, &m->critical_increase) ||
	    read_number(r, o, "criticalDecrease", effect_at, &m->critical_decrease))
		return -1;
	return 0;
}

static int read_outliers(struct reader *r, const struct json *canary, const char *at,
                         struct kayenta_metric *m)
{
	const char *outliers_at = arena_printf(r->a, "%s.outliers", at);
	const struct json *o;

	m->outlier_factor = 3;
	if (read_object(r, canary, "outliers", at, &o) ||
	    read_number(r, o, "outlierFactor", outliers_at, &m->outlier_factor))
		return -1;
	m->remove_outliers = str_eq(json_str(o, "strategy"), "remove");
	if (m->remove_outliers && !(m->outlier_factor > 0))
		return wrong(r, "must be greater than 0", "%s.outlierFactor", outliers_at);
	return 0;
}

static enum kayenta_direction direction_of(const struct json *canary)
{
	const char *s = json_str(canary, "direction");

	return str_eq(s, "increase")   ? KAYENTA_INCREASE
	       : str_eq(s, "decrease") ? KAYENTA_DECREASE
	                               : KAYENTA_EITHER;
}

static int read_metric(struct reader *r, const struct json *o, size_t i, struct kayenta_metric *m)
{
	const char *at = arena_printf(r->a, "metrics[%zu]", i);
	const char *in = arena_printf(r->a, "%s.analysisConfigurations", at);
	const struct json *analysis, *canary;

	m->name = json_str(o, "name");
	if (str_empty(m->name))
		return wrong(r, "needs a name", "%s", at);
	if (read_groups(r, o, at, m) ||
	    read_object(r, o, "analysisConfigurations", at, &analysis) ||
	    read_object(r, analysis, "canary", in, &canary))
		return -1;
	in = arena_printf(r->a, "%s.canary", in);
	m->weight = 1;
	m->direction = direction_of(canary);
	m->replace_nan = str_eq(json_str(canary, "nanStrategy"), "replace");
	if (read_bool(r, canary, "critical", in, &m->critical) ||
	    read_bool(r, canary, "mustHaveData", in, &m->must_have_data) ||
	    read_bool(r, canary, "muted", in, &m->muted))
		return -1;
	return read_effect(r, canary, in, m) || read_outliers(r, canary, in, m) ? -1 : 0;
}

static int read_metrics(struct reader *r, const struct json *json, struct kayenta_config *c)
{
	const struct json *list = json_get(json, "metrics"), *it;

	if (!json_is_array(list) || json_size(list) > KAYENTA_METRICS_MAX)
		return wrong(r, "must be a list of at most 10000 metrics", "metrics");
	c->metrics = arena_array(r->a, json_size(list), sizeof(*c->metrics));
	json_for_each (it, list) {
		if (read_metric(r, it, c->nmetrics, &c->metrics[c->nmetrics]))
			return -1;
		c->nmetrics++;
	}
	return 0;
}

static int read_weights(struct reader *r, const struct json *classifier, struct kayenta_config *c)
{
	const struct json *weights, *it;

	if (read_object(r, classifier, "groupWeights", "classifier", &weights))
		return -1;
	if (json_size(weights) > KAYENTA_GROUPS_MAX)
		return wrong(r, "has more than 1000 groups", "classifier.groupWeights");
	c->weights = arena_array(r->a, json_size(weights), sizeof(*c->weights));
	json_for_each (it, weights) {
		if (!json_is_number(it))
			return wrong(r, "must be a number", "classifier.groupWeights.%s",
			             json_key(it));
		c->weights[c->nweights++] =
			(struct kayenta_weight){json_key(it), json_value_double(it, 0)};
	}
	return 0;
}

static int read_judge(struct reader *r, const struct json *json, struct kayenta_config *c)
{
	const char *at = "judge.judgeConfigurations";
	const struct json *judge, *o;

	c->tolerance = TOLERANCE;
	c->confidence = CONFIDENCE;
	if (read_object(r, json, "judge", "", &judge) ||
	    read_object(r, judge, "judgeConfigurations", "judge", &o) ||
	    read_number(r, o, "tolerance", at, &c->tolerance) ||
	    read_number(r, o, "confidence", at, &c->confidence))
		return -1;
	c->mean_inequality = str_eq(json_str(o, "classifier"), "MeanInequalityClassifier");
	if (json_has(o, "classifier") && !c->mean_inequality &&
	    !str_eq(json_str(o, "classifier"), "MannWhitneyClassifier"))
		return wrong(r, "must be MannWhitneyClassifier or MeanInequalityClassifier",
		             "%s.classifier", at);
	if (!(c->tolerance >= 0))
		return wrong(r, "must not be negative", "%s.tolerance", at);
	if (!(c->confidence > 0 && c->confidence < 1))
		return wrong(r, "must lie between 0 and 1", "%s.confidence", at);
	return 0;
}

int kayenta_config_read(const struct json *json, struct arena *a, struct kayenta_config *out,
                        char *path, struct err *err)
{
	struct reader r = {a, path, err};
	const struct json *classifier, *thresholds;

	*out = (struct kayenta_config){.pass = NAN, .marginal = NAN};
	path[0] = '\0';
	if (!json_is_object(json))
		return wrong(&r, "a canary config is an object", "%s", "");
	if (read_judge(&r, json, out) || read_object(&r, json, "classifier", "", &classifier) ||
	    read_object(&r, classifier, "scoreThresholds", "classifier", &thresholds) ||
	    read_number(&r, thresholds, "pass", "classifier.scoreThresholds", &out->pass) ||
	    read_number(&r, thresholds, "marginal", "classifier.scoreThresholds", &out->marginal))
		return -1;
	return read_weights(&r, classifier, out) || read_metrics(&r, json, out) ? -1 : 0;
}

/* --- pairs ------------------------------------------------------------------------------- */

/* null is what some exporters write for a missing point. */
static int read_value(const struct json *v, double *out)
{
	const char *s = json_value_str(v);

	*out = NAN;
	if (json_is_number(v))
		*out = json_value_double(v, NAN);
	else if (json_is_string(v) && str_eq(s, "Infinity"))
		*out = INFINITY;
	else if (json_is_string(v) && str_eq(s, "-Infinity"))
		*out = -INFINITY;
	else if (json_is_string(v))
		return str_to_double(s, out) ? 0 : -1;
	else if (json_is_bool(v) || json_is_object(v) || json_is_array(v))
		return -1;
	return 0;
}

static int read_series(struct reader *r, const struct json *values, size_t i, const char *key,
                       const double **out, size_t *n)
{
	const struct json *list = json_get(values, key), *it;
	double *v;

	*n = 0;
	if (!json_is_array(list) || json_size(list) > KAYENTA_VALUES_MAX)
		return wrong(r, "must be a list of at most 1000000 numbers", "[%zu].values.%s", i,
		             key);
	v = arena_array(r->a, json_size(list), sizeof(*v));
	json_for_each (it, list) {
		if (read_value(it, &v[*n]))
			return wrong(r, "must be a number or \"NaN\"", "[%zu].values.%s[%zu]", i,
			             key, *n);
		++*n;
	}
	*out = v;
	return 0;
}

static int read_pair(struct reader *r, const struct json *o, size_t i, struct kayenta_pair *p)
{
	const char *at = arena_printf(r->a, "[%zu]", i);
	const struct json *values;

	p->name = json_str(o, "name");
	p->id = json_str(o, "id");
	if (str_empty(p->name))
		return wrong(r, "needs a name", "%s", at);
	if (read_object(r, o, "tags", at, &p->tags) || read_object(r, o, "values", at, &values))
		return -1;
	if (!values)
		return wrong(r, "needs values with control and experiment", "%s", at);
	return read_series(r, values, i, "control", &p->control, &p->ncontrol) ||
	                       read_series(r, values, i, "experiment", &p->experiment,
	                                   &p->nexperiment)
	               ? -1
	               : 0;
}

int kayenta_pairs_read(const struct json *json, struct arena *a, struct kayenta_pair **out,
                       size_t *n, char *path, struct err *err)
{
	struct reader r = {a, path, err};
	const struct json *it;

	*n = 0;
	path[0] = '\0';
	if (!json_is_array(json) || json_size(json) > KAYENTA_METRICS_MAX)
		return wrong(&r, "must be a list of at most 10000 pairs of series", "%s", "");
	*out = arena_array(a, json_size(json), sizeof(**out));
	json_for_each (it, json) {
		if (read_pair(&r, it, *n, &(*out)[*n]))
			return -1;
		++*n;
	}
	return 0;
}
