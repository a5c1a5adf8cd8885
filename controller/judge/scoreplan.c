#include "tidegate/judge/scoreplan.h"

#include <math.h>
#include <string.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define STEP_S     15
#define WINDOW_S   1800
#define MIN_POINTS 10
#define FAILURES   2
#define TOLERANCE  0.25
#define CONFIDENCE 0.98
#define QUERY_MAX  4096

static void take(double *out, double v)
{
	if (!isnan(v))
		*out = v;
}

static double or_default(double v, double fallback)
{
	return isnan(v) ? fallback : v;
}

void scoreplan_counts(const struct scorepolicy *p, struct scoreplan *out)
{
	struct sequential_options *s = &out->sequential;
	struct thresholds_rule *t = &out->thresholds;

	out->judge = p->judge;
	sequential_options_default(s);
	take(&s->alpha, p->sequential.alpha);
	take(&s->margin, p->sequential.margin);
	take(&s->latency_margin, p->sequential.latency_margin);
	take(&s->pod_spread, p->sequential.pod_spread);
	take(&s->min_excess, p->sequential.min_difference);
	take(&s->no_data_s, p->sequential.no_data_s);
	take(&s->no_stable_s, p->sequential.no_stable_s);
	s->judge_latency = p->sequential.latency;
	drift_options_default(&out->drift);
	take(&out->drift.alpha, p->drift.alpha);
	take(&out->drift.max_psi, p->drift.max_psi);
	take(&out->drift.min_samples, p->drift.min_samples);
	thresholds_rule_default(t);
	take(&t->interval_s, p->thresholds.interval_s);
	take(&t->max_error_share, p->thresholds.max_errors);
	take(&t->max_latency_s, p->thresholds.max_latency_s);
	take(&t->quantile, p->thresholds.quantile);
	t->failures = (unsigned)or_default(p->thresholds.failures, t->failures);
	t->looks = (unsigned)or_default(p->thresholds.looks, t->looks);
	t->consecutive = p->thresholds.consecutive;
	t->no_data_fails = p->thresholds.no_data_fails;
}

/* --- spec.metrics ------------------------------------------------------------------------ */

static void metric_of(const struct scorepolicy_metric *m, struct arena *a,
                      struct kayenta_metric *out)
{
	static const enum kayenta_direction directions[] = {
		[SCOREPOLICY_EITHER] = KAYENTA_EITHER,
		[SCOREPOLICY_INCREASE] = KAYENTA_INCREASE,
		[SCOREPOLICY_DECREASE] = KAYENTA_DECREASE,
	};
	double change = or_default(m->max_change, 0);

	out->name = arena_strdup(a, m->name);
	out->groups = arena_array(a, 1, sizeof(*out->groups));
	out->groups[out->ngroups++] = arena_strdup(a, m->group);
	out->direction = directions[m->direction];
	out->replace_nan = m->replace_nan;
	out->outlier_factor = 3;
	out->critical = m->critical;
	out->must_have_data = m->must_have_data;
	out->weight = m->weight;
	out->allowed_increase = out->critical_increase = 1 + change;
	out->allowed_decrease = out->critical_decrease = 1 - change;
}

/* A group weighs what its metrics do, in percent of all. */
static void weigh_groups(const struct scorepolicy *p, struct arena *a, struct kayenta_config *c)
{
	double all = 0;

	for (unsigned i = 0; i < p->nmetrics; i++)
		all += p->metrics[i].weight;
	c->weights = arena_array(a, p->nmetrics, sizeof(*c->weights));
	for (unsigned i = 0; i < p->nmetrics; i++) {
		const char *group = c->metrics[i].groups[0];
		unsigned k = 0;

		while (k < c->nweights && !str_eq(c->weights[k].group, group))
			k++;
		if (k == c->nweights)
			c->weights[c->nweights++] = (struct kayenta_weight){group, 0};
		c->weights[k].weight += p->metrics[i].weight * 100.0 / all;
	}
}

static void take_metrics(const struct scorepolicy *p, struct arena *a, struct scoreplan *out)
{
	struct kayenta_config *c = &out->series;

	c->metrics = arena_array(a, p->nmetrics, sizeof(*c->metrics));
	out->queries = arena_array(a, p->nmetrics, sizeof(*out->queries));
	for (unsigned i = 0; i < p->nmetrics; i++) {
		metric_of(&p->metrics[i], a, &c->metrics[i]);
		out->queries[i] = arena_strdup(a, p->metrics[i].query);
	}
	c->nmetrics = p->nmetrics;
	weigh_groups(p, a, c);
}

/* --- canary config ----------------------------------------------------------------------- */

static int refused(struct err *err, size_t i, const char *what)
{
	return err_set(err, ERR_INVALID, "canary config: metrics[%zu].query: %s", i, what);
}

/* The text of a filter that several metrics share. */
static const char *filter_of(const struct json *config, const struct json *query)
{
	const char *name = json_str(query, "customFilterTemplate");

	if (name)
		return json_str(json_get(config, "templates"), name);
	return json_str(query, "customFilter");
}

/* name{a="b",filter}, averaged, as Kayenta's Prometheus service asks. */
static const char *built_query(const struct json *config, const struct json *query, struct arena *a)
{
	const char *filter = filter_of(config, query);
	cleanup_buf struct buf b;
	const struct json *it;
	const char *between = "";

	buf_init(&b, QUERY_MAX);
	buf_addf(&b, "avg(%s{", json_str(query, "metricName"));
	json_for_each (it, json_get(query, "labelBindings")) {
		buf_addf(&b, "%s%s", between, str_or(json_value_str(it), ""));
		between = ",";
	}
	if (!str_empty(filter))
		buf_addf(&b, "%s%s", between, filter);
	/* A failed addition leaves the text short; the bracket is then what is missing. */
	if (buf_addstr(&b, "})"))
		return NULL;
	return arena_strdup(a, b.data);
}

static int query_of(const struct json *config, const struct json *metric, size_t i, struct arena *a,
                    const char **out, struct err *err)
{
	static const char literal[] = "PromQL:";
	const struct json *query = json_get(metric, "query");
	const char *inline_text = json_str(query, "customInlineTemplate");
	const char *type = json_str(query, "type");

	if (type && !str_eq(type, "prometheus"))
		return refused(err, i, "type must be prometheus");
	if (!str_empty(inline_text)) {
		if (str_starts(inline_text, literal))
			inline_text += strlen(literal);
		*out = arena_strdup(a, inline_text);
	} else if (!str_empty(json_str(query, "metricName"))) {
		*out = built_query(config, query, a);
	} else {
		return refused(err, i, "needs customInlineTemplate or metricName");
	}
	return *out && strlen(*out) < QUERY_MAX ? 0 : refused(err, i, "is longer than 4096 bytes");
}

static int take_config(const char *text, struct arena *a, struct scoreplan *out, struct err *err)
{
	char path[KAYENTA_PATH_MAX];
	const struct json *json = json_parse(a, text, strlen(text), err), *it;
	size_t i = 0;

	if (!json)
		return err_wrap(err, "canary config");
	if (kayenta_config_read(json, a, &out->series, path, err))
		return err_wrap(err, "canary config: %s", path);
	if (!out->series.nmetrics || out->series.nmetrics > SCOREPLAN_SERIES_MAX)
		return err_set(err, ERR_INVALID, "canary config: needs 1 to %d metrics",
		               SCOREPLAN_SERIES_MAX);
	out->queries = arena_array(a, out->series.nmetrics, sizeof(*out->queries));
	json_for_each (it, json_get(json, "metrics")) {
		if (query_of(json, it, i, a, &out->queries[i], err))
			return -1;
		i++;
	}
	return 0;
}

/* --- all --------------------------------------------------------------------------------- */

static void take_series(const struct scorepolicy *p, struct scoreplan *out)
{
	out->step_s = or_default(p->series.step_s, STEP_S);
	out->interval_s = or_default(p->series.interval_s, out->step_s);
	out->window_s = or_default(p->series.window_s, WINDOW_S);
	out->min_points = (unsigned)or_default(p->series.min_points, MIN_POINTS);
	out->failures = (unsigned)or_default(p->series.failures, FAILURES);
	take(&out->series.pass, p->series.pass);
	take(&out->series.marginal, p->series.marginal);
	take(&out->series.tolerance, p->series.tolerance);
	take(&out->series.confidence, p->series.confidence);
}

int scoreplan_build(const struct scorepolicy *p, const char *config, struct arena *a,
                    struct scoreplan *out, struct err *err)
{
	*out = (struct scoreplan){.series = {.pass = NAN,
	                                     .marginal = NAN,
	                                     .tolerance = TOLERANCE,
	                                     .confidence = CONFIDENCE}};
	if (p->problem)
		return err_set(err, ERR_INVALID, "%s: %s", p->problem_path, p->problem);
	scoreplan_counts(p, out);
	if (p->nmetrics)
		take_metrics(p, a, out);
	else if (config || p->kayenta.config)
		if (take_config(config ? config : p->kayenta.config, a, out, err))
			return -1;
	take_series(p, out);
	if (out->series.nmetrics && out->window_s < out->step_s * out->min_points)
		return err_set(err, ERR_INVALID,
		               "spec.series.window: %g s hold fewer than %u points of %g s",
		               out->window_s, out->min_points, out->step_s);
	if (out->window_s / out->step_s > 5000)
		return err_set(err, ERR_INVALID,
		               "spec.series.step: more than 5000 points in a window");
	return 0;
}
