/* From classified metrics to group scores, the weighted sum and the verdict. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/str.h"
#include "tidegate/judge/kayenta.h"

/* Share of metrics without data, percent, from which nothing is said about the rest. */
#define NODATA_PERCENT   50
#define PASS_DEFAULT     95
#define MARGINAL_DEFAULT 75

struct tally {
	double passed, counted; /* weights */
};

static unsigned group_index(struct kayenta_result *r, const char *name)
{
	unsigned i = 0;

	while (i < r->ngroups && !str_eq(r->groups[i].name, name))
		i++;
	if (i == r->ngroups)
		r->groups[r->ngroups++].name = name;
	return i;
}

/* Metrics without data, and those that failed to be judged, are in no denominator. */
static void tally_metric(struct tally *t, enum kayenta_class c, double weight)
{
	t->passed += c == KAYENTA_PASS ? weight : 0;
	t->counted += c != KAYENTA_NODATA && c != KAYENTA_ERROR ? weight : 0;
}

static size_t groups_bound(const struct kayenta_result *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nmetrics; i++)
		n += r->metrics[i].metric->ngroups;
	return n;
}

static void score_groups(struct kayenta_result *r, struct arena *a)
{
	size_t bound = groups_bound(r);
	struct tally *tallies = arena_array(a, bound, sizeof(*tallies));

	r->groups = arena_array(a, bound, sizeof(*r->groups));
	r->ngroups = 0;
	for (size_t i = 0; i < r->nmetrics; i++) {
		const struct kayenta_metric *m = r->metrics[i].metric;

		for (unsigned k = 0; k < m->ngroups && !m->muted; k++)
			tally_metric(&tallies[group_index(r, m->groups[k])], r->metrics[i].class,
			             m->weight);
	}
	for (unsigned i = 0; i < r->ngroups; i++) {
		const struct tally *t = &tallies[i];

		r->groups[i].no_data = !(t->counted > 0);
		r->groups[i].score = t->counted > 0 ? t->passed / t->counted * 100 : 0;
	}
}

static const struct kayenta_weight *find_weight(const struct kayenta_config *c, const char *group)
{
	for (unsigned i = 0; i < c->nweights; i++)
		if (str_eq(c->weights[i].group, group))
			return &c->weights[i];
	return NULL;
}

/* Groups without a weight share what is left of 100 evenly. */
static double rest_weight(const struct kayenta_config *c, const struct kayenta_result *r)
{
	double sum = 0;
	unsigned without = 0;

	for (unsigned i = 0; i < c->nweights; i++)
		sum += c->weights[i].weight;
	for (unsigned i = 0; i < r->ngroups; i++)
		without += !find_weight(c, r->groups[i].name);
	return without ? (100 - sum) / without : 0;
}

/*
 * To two places, halves away from zero, as the shortest decimal text of v reads: 0.125 and 33.335
 * go up although the binary value of the latter is lower.
 */
static double round_half_up(double v)
{
	char text[64], shortest[STR_DOUBLE_MAX];
	char *point;
	double rounded;

	if (!isfinite(v) || fabs(v) >= 1e15)
		return v;
	/* The shortest digits, in plain notation: what they do not reach is zeros. */
	str_from_double(fabs(v), shortest);
	snprintf(text, sizeof(text), "%.20f", fabs(v));
	if (!strpbrk(shortest, "eE"))
		snprintf(text, sizeof(text), "%s%s", shortest, strchr(shortest, '.') ? "" : ".");
	point = strchr(text, '.');
	rounded = floor(fabs(v)) * 100;
	if (strlen(point) > 1)
		rounded += (point[1] - '0') * 10;
	if (strlen(point) > 2)
		rounded += point[2] - '0';
	if (strlen(point) > 3)
		rounded += point[3] >= '5';
	return copysign(rounded / 100, v);
}

static double weighted_sum(const struct kayenta_config *c, const struct kayenta_result *r)
{
	double rest = rest_weight(c, r), sum = 0;

	for (unsigned i = 0; i < r->ngroups; i++) {
		const struct kayenta_weight *w = find_weight(c, r->groups[i].name);
		double score = r->groups[i].no_data ? 100 : r->groups[i].score;

		sum += score * ((w ? w->weight : rest) / 100);
	}
	return round_half_up(sum);
}

static const struct kayenta_metric_result *critical_failure(const struct kayenta_result *r)
{
	for (size_t i = 0; i < r->nmetrics; i++)
		if (!r->metrics[i].metric->muted && r->metrics[i].critical &&
		    r->metrics[i].class != KAYENTA_PASS)
			return &r->metrics[i];
	return NULL;
}

static bool has_too_little_data(const struct kayenta_result *r)
{
	double scored = 0, missing = 0;

	for (size_t i = 0; i < r->nmetrics; i++) {
		scored += !r->metrics[i].metric->muted;
		missing += !r->metrics[i].metric->muted && r->metrics[i].class == KAYENTA_NODATA;
	}
	return scored > 0 && missing / scored * 100 >= NODATA_PERCENT;
}

static enum kayenta_verdict verdict_of(const struct kayenta_config *c, double score)
{
	double pass = isnan(c->pass) ? PASS_DEFAULT : c->pass;
	double marginal = isnan(c->marginal) ? fmin(MARGINAL_DEFAULT, pass) : c->marginal;

	return score >= pass       ? KAYENTA_SCORE_PASS
	       : score >= marginal ? KAYENTA_SCORE_MARGINAL
	                           : KAYENTA_SCORE_FAIL;
}

void kayenta_score(const struct kayenta_config *c, struct arena *a, struct kayenta_result *r)
{
	const struct kayenta_metric_result *critical = critical_failure(r);

	score_groups(r, a);
	r->reason = "";
	r->score = 0;
	if (critical)
		r->reason = arena_printf(a, "Canary Failed: %s", str_or(critical->reason, "null"));
	else if (has_too_little_data(r))
		r->reason = arena_printf(a, "Canary Failed: %d%% or more metrics returned NODATA",
		                         NODATA_PERCENT);
	else
		r->score = weighted_sum(c, r);
	r->verdict = verdict_of(c, r->score);
}
