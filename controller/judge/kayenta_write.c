/* The result as JSON, field by field as Kayenta names them. */
#include <math.h>

#include "tidegate/base/str.h"
#include "tidegate/judge/kayenta.h"

/* A number that JSON does not know is text, as Kayenta writes it. */
static void write_number(struct json_writer *w, const char *key, double v)
{
	if (isfinite(v))
		jw_double(w, key, v);
	else
		jw_str(w, key, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
}

static void write_stats(struct json_writer *w, const char *key, const struct kayenta_stats *s)
{
	jw_object(w, key);
	jw_object(w, "stats");
	write_number(w, "min", s->min);
	write_number(w, "max", s->max);
	write_number(w, "mean", s->mean);
	write_number(w, "std", s->std);
	jw_i64(w, "count", (int64_t)s->count);
	jw_end_object(w);
	jw_end_object(w);
}

/* Beyond `ratio`, what the verdict was made from. */
static void write_comparison(struct json_writer *w, const struct kayenta_metric_result *r)
{
	if (r->class == KAYENTA_ERROR)
		return;
	jw_object(w, "resultMetadata");
	write_number(w, "ratio", r->ratio);
	if (r->compared) {
		write_number(w, "effectSize", r->effect);
		write_number(w, "estimate", r->estimate);
		jw_array(w, "confidenceInterval");
		write_number(w, NULL, r->lower);
		write_number(w, NULL, r->upper);
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void write_metric(struct json_writer *w, const struct kayenta_metric_result *r)
{
	jw_object(w, NULL);
	jw_str(w, "name", r->pair->name);
	if (r->pair->tags) {
		jw_value(w, "tags", r->pair->tags);
	} else {
		jw_object(w, "tags");
		jw_end_object(w);
	}
	jw_str(w, "id", r->pair->id);
	jw_str(w, "classification", kayenta_class_name(r->class));
	jw_str(w, "classificationReason", r->reason);
	jw_array(w, "groups");
	for (unsigned i = 0; i < r->metric->ngroups; i++)
		jw_str(w, NULL, r->metric->groups[i]);
	jw_end_array(w);
	write_stats(w, "experimentMetadata", &r->experiment);
	write_stats(w, "controlMetadata", &r->control);
	write_comparison(w, r);
	jw_bool(w, "critical", r->critical);
	jw_bool(w, "muted", r->metric->muted);
	jw_end_object(w);
}

static void write_groups(struct json_writer *w, const struct kayenta_result *r)
{
	jw_array(w, "groupScores");
	for (unsigned i = 0; i < r->ngroups; i++) {
		jw_object(w, NULL);
		jw_str(w, "name", r->groups[i].name);
		write_number(w, "score", r->groups[i].score);
		jw_str(w, "classification", "");
		jw_str(w, "classificationReason", "");
		jw_end_object(w);
	}
	jw_end_array(w);
}

const char *kayenta_verdict_name(enum kayenta_verdict v)
{
	static const char *const names[] = {"Pass", "Marginal", "Fail"};

	return names[v];
}

void kayenta_result_write(const struct kayenta_result *r, struct json_writer *w)
{
	jw_object(w, NULL);
	jw_str(w, "judgeName", "NetflixACAJudge-v1.0");
	jw_array(w, "results");
	for (size_t i = 0; i < r->nmetrics; i++)
		write_metric(w, &r->metrics[i]);
	jw_end_array(w);
	write_groups(w, r);
	jw_object(w, "score");
	write_number(w, "score", r->score);
	jw_str(w, "classification", kayenta_verdict_name(r->verdict));
	jw_str(w, "classificationReason", r->reason);
	jw_end_object(w);
	jw_end_object(w);
}
