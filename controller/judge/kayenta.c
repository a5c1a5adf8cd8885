/* One metric: cleaning, statistics, classification. */
#include "tidegate/judge/kayenta.h"

#include <math.h>
#include <string.h>

#include "mann_whitney.h"
#include "series.h"
#include "tidegate/base/str.h"

/* Standard deviation of the noise on constant series, relative to their value. */
#define NOISE        1e-5
#define GOLDEN_RATIO 0.61803398874989485

const char *kayenta_class_name(enum kayenta_class c)
{
	static const char *const names[] = {"Pass", "High", "Low", "Nodata", "NodataFailMetric",
	                                    "Error"};

	return names[c];
}

/* --- cleaning ---------------------------------------------------------------------------- */

struct series {
	double *v;
	size_t n;
	bool constant; /* when sorted and not empty */
};

static struct series handle_nan(const double *v, size_t n, bool replace, struct arena *a)
{
	struct series s = {.v = arena_array(a, n, sizeof(*v))};

	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			s.v[s.n++] = v[i];
		else if (replace)
			s.v[s.n++] = 0;
	return s;
}

static void remove_outliers(struct series *s, double factor, struct arena *a)
{
	double *sorted, low, high, fence_low, fence_high, reach;
	size_t kept = 0;

	if (!s->n)
		return;
	sorted = arena_array(a, s->n, sizeof(*sorted));
	memcpy(sorted, s->v, s->n * sizeof(*sorted));
	series_sort(sorted, s->n);
	low = series_percentile(sorted, s->n, 0.25);
	high = series_percentile(sorted, s->n, 0.75);
	reach = factor * (high - low);
	fence_low = low - reach;
	fence_high = high + reach;
	low = series_percentile(sorted, s->n, 0.01);
	high = series_percentile(sorted, s->n, 0.99);
	/* Beyond both; a fence that infinite values made NaN drops nothing. */
	for (size_t i = 0; i < s->n; i++)
		if (!(s->v[i] > high && s->v[i] > fence_high) &&
		    !(s->v[i] < low && s->v[i] < fence_low))
			s->v[kept++] = s->v[i];
	s->n = kept;
}

static struct series clean(const double *v, size_t n, const struct kayenta_metric *m,
                           struct arena *a)
{
	struct series s = handle_nan(v, n, m->replace_nan, a);

	if (m->remove_outliers)
		remove_outliers(&s, m->outlier_factor, a);
	return s;
}

static struct kayenta_stats stats_of(const struct series *s)
{
	return (struct kayenta_stats){.min = series_min(s->v, s->n),
	                              .max = series_max(s->v, s->n),
	                              .mean = series_mean(s->v, s->n),
	                              .std = sqrt(series_variance(s->v, s->n)),
	                              .count = s->n};
}

static void sort(struct series *s)
{
	series_sort(s->v, s->n);
	s->constant = s->n && s->v[0] == s->v[s->n - 1];
}

static bool is_same(const struct series *a, const struct series *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i] != b->v[i])
			return false;
	return true;
}

/* --- comparison -------------------------------------------------------------------------- */

/*
 * Two constants have no spread to test against: normal noise is added. Kayenta draws it anew in
 * every run; here it is a fixed sequence (golden ratio, evenly spread), so that the same input
 * gives the same answer. `from` tells the sequences of the two sides apart.
 */
static void add_noise(struct series *s, size_t from)
{
	double scale = s->v[0] * NOISE, whole;

	for (size_t i = 0; i < s->n; i++)
		s->v[i] += scale *
		           normal_quantile(modf((double)(from + i + 1) * GOLDEN_RATIO, &whole));
	series_sort(s->v, s->n);
}

static double mean_ratio(const struct series *experiment, const struct series *control)
{
	double e = series_mean(experiment->v, experiment->n);
	double c = series_mean(control->v, control->n);

	return e == 0 || c == 0 ? NAN : e / c;
}

/* An effect that cannot be computed does not excuse. */
static bool at_least(double effect, double threshold)
{
	return isnan(effect) || effect >= threshold;
}

static bool at_most(double effect, double threshold)
{
	return isnan(effect) || effect <= threshold;
}

static void set_class(struct kayenta_metric_result *r, enum kayenta_class c, struct arena *a)
{
	const struct kayenta_metric *m = r->metric;
	bool critical =
		m->critical && (c == KAYENTA_HIGH ? at_least(r->effect, m->critical_increase)
	                                          : at_most(r->effect, m->critical_decrease));

	r->class = c;
	r->critical = critical;
	r->reason = critical ? arena_printf(a, "The metric %s was classified as %s (Critical)",
	                                    m->name, kayenta_class_name(c))
	                     : arena_printf(a, "%s was classified as %s", m->name,
	                                    kayenta_class_name(c));
}

static void compare(struct kayenta_metric_result *r, struct series *experiment,
                    struct series *control, const struct kayenta_config *c, struct arena *a)
{
	const struct kayenta_metric *m = r->metric;
	struct mann_whitney mw;
	double band;

	/* The ratio is that of the values themselves, not of the noise. */
	r->ratio = mean_ratio(experiment, control);
	if (experiment->constant && control->constant) {
		add_noise(experiment, 0);
		add_noise(control, experiment->n);
	}
	if (mann_whitney_test(experiment->v, experiment->n, control->v, control->n, c->confidence,
	                      &mw)) {
		r->class = KAYENTA_ERROR;
		r->reason = "Metric Classification Failed";
		return;
	}
	r->compared = true;
	r->lower = mw.lower;
	r->upper = mw.upper;
	r->estimate = mw.estimate;
	r->effect =
		m->cles ? mann_whitney_cles(experiment->v, experiment->n, control->v, control->n)
			: r->ratio;
	band = c->tolerance * fabs(mw.estimate);
	if (m->direction != KAYENTA_DECREASE && mw.lower > band &&
	    at_least(r->effect, m->allowed_increase))
		set_class(r, KAYENTA_HIGH, a);
	else if (m->direction != KAYENTA_INCREASE && mw.upper < -band &&
	         at_most(r->effect, m->allowed_decrease))
		set_class(r, KAYENTA_LOW, a);
}

static void set_missing(struct kayenta_metric_result *r, struct arena *a)
{
	const struct kayenta_metric *m = r->metric;

	if (m->replace_nan)
		return;
	r->class = m->must_have_data && !m->critical ? KAYENTA_NODATA_FAIL : KAYENTA_NODATA;
	r->critical = m->critical;
	r->reason = arena_printf(a, "Missing data for %s", m->name);
}

/* Kayenta's classifier for benchmarks: the greater mean fails, whatever the spread. */
static void compare_means(struct kayenta_metric_result *r)
{
	const struct kayenta_metric *m = r->metric;
	double e = r->experiment.mean, c = r->control.mean;

	if (m->direction != KAYENTA_DECREASE && e > c) {
		r->class = KAYENTA_HIGH;
		r->reason = "The Canary mean was greater than the Baseline mean";
	} else if (m->direction != KAYENTA_INCREASE && e < c) {
		r->class = KAYENTA_LOW;
		r->reason = "The Canary mean was less than the Baseline mean";
	} else {
		return;
	}
	r->critical = m->critical;
	r->ratio = e / c;
}

static void classify(struct kayenta_metric_result *r, const struct kayenta_config *c,
                     struct arena *a)
{
	const struct kayenta_pair *p = r->pair;
	struct series experiment = clean(p->experiment, p->nexperiment, r->metric, a);
	struct series control = clean(p->control, p->ncontrol, r->metric, a);

	r->experiment = stats_of(&experiment);
	r->control = stats_of(&control);
	r->class = KAYENTA_PASS;
	r->ratio = 1;
	sort(&experiment);
	sort(&control);
	if (!experiment.n || !control.n)
		set_missing(r, a);
	else if (c->mean_inequality)
		compare_means(r);
	else if (is_same(&experiment, &control))
		r->reason = "The Canary and Baseline data are identical";
	else if (!experiment.constant || !control.constant || experiment.v[0] != control.v[0])
		compare(r, &experiment, &control, c, a);
}

/* --- all --------------------------------------------------------------------------------- */

static const struct kayenta_metric *find_metric(const struct kayenta_config *c, const char *name)
{
	for (size_t i = 0; i < c->nmetrics; i++)
		if (str_eq(c->metrics[i].name, name))
			return &c->metrics[i];
	return NULL;
}

int kayenta_judge(const struct kayenta_config *c, const struct kayenta_pair *pairs, size_t n,
                  struct arena *a, struct kayenta_result *out, struct err *err)
{
	struct arena scratch;

	*out = (struct kayenta_result){.metrics = arena_array(a, n, sizeof(*out->metrics))};
	for (size_t i = 0; i < n; i++) {
		struct kayenta_metric_result *r = &out->metrics[out->nmetrics++];

		r->pair = &pairs[i];
		r->metric = find_metric(c, pairs[i].name);
		if (!r->metric)
			return err_set(err, ERR_INVALID, "no metric of the config is named \"%s\"",
			               pairs[i].name);
		arena_init(&scratch, 0);
		classify(r, c, &scratch);
		/* The reason outlives the series. */
		r->reason = arena_strdup(a, r->reason);
		arena_release(&scratch);
	}
	kayenta_score(c, a, out);
	return 0;
}
