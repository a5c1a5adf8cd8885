/*
 * Judge of time series that decides as Kayenta's NetflixACAJudge-v1.0 does, digit by digit, so
 * that a team's existing canary config keeps its meaning: two-sided Mann-Whitney interval of the
 * shift between experiment and control, share of passing metrics a group, weighted sum 0 to 100.
 * Behaviour as of spinnaker/kayenta a69573be, written anew; docs/judge.md tells what follows from
 * it and where it differs (noise for constant series is not random here).
 *
 * Ownership: a config and a result live in the arena that was given; strings of a pair are the
 * caller's. Pure.
 */
#ifndef TIDEGATE_JUDGE_KAYENTA_H
#define TIDEGATE_JUDGE_KAYENTA_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

#define KAYENTA_METRICS_MAX 10000
#define KAYENTA_GROUPS_MAX  1000
#define KAYENTA_VALUES_MAX  1000000

enum kayenta_direction { KAYENTA_EITHER, KAYENTA_INCREASE, KAYENTA_DECREASE };

struct kayenta_metric {
	const char *name;
	const char **groups;
	unsigned ngroups;
	enum kayenta_direction direction;
	bool replace_nan;     /* by 0; else removed */
	bool remove_outliers; /* outside of the wider of IQR fences and 1st to 99th percentile */
	double outlier_factor;
	bool critical, must_have_data, muted;
	bool cles;     /* effect size by pairs won; else by ratio of means */
	double weight; /* in its groups; 1 in a canary config */
	double allowed_increase, allowed_decrease, critical_increase, critical_decrease;
};

struct kayenta_weight {
	const char *group;
	double weight;
};

struct kayenta_config {
	struct kayenta_metric *metrics;
	size_t nmetrics;
	struct kayenta_weight *weights;
	unsigned nweights;
	double tolerance, confidence; /* 0.25, 0.98 */
	bool mean_inequality;  /* MeanInequalityClassifier instead of MannWhitneyClassifier */
	double pass, marginal; /* classifier.scoreThresholds; NaN = not said: 95 and 75 */
};

struct kayenta_pair {
	const char *name, *id;   /* id may be NULL */
	const struct json *tags; /* object or NULL */
	const double *control, *experiment;
	size_t ncontrol, nexperiment;
};

enum kayenta_class {
	KAYENTA_PASS,
	KAYENTA_HIGH,
	KAYENTA_LOW,
	KAYENTA_NODATA,
	KAYENTA_NODATA_FAIL, /* NodataFailMetric */
	KAYENTA_ERROR,
};
const char *kayenta_class_name(enum kayenta_class c);

struct kayenta_stats {
	double min, max, mean, std;
	size_t count;
};

struct kayenta_metric_result {
	const struct kayenta_pair *pair;
	const struct kayenta_metric *metric;
	struct kayenta_stats control, experiment; /* after cleaning */
	enum kayenta_class class;
	const char *reason; /* NULL = none */
	bool critical;      /* fails the whole canary */
	double ratio;       /* of means, NaN when one is 0; 1 when nothing was compared */
	bool compared;      /* by Mann-Whitney; the rest is set then only */
	double lower, upper, estimate, effect;
};

struct kayenta_group_score {
	const char *name;
	double score;
	bool no_data;
};

enum kayenta_verdict { KAYENTA_SCORE_PASS, KAYENTA_SCORE_MARGINAL, KAYENTA_SCORE_FAIL };
const char *kayenta_verdict_name(enum kayenta_verdict v); /* "Pass", "Marginal", "Fail" */

struct kayenta_result {
	struct kayenta_metric_result *metrics; /* one a pair, in its order */
	size_t nmetrics;
	struct kayenta_group_score *groups; /* in order of first appearance */
	unsigned ngroups;
	double score;
	enum kayenta_verdict verdict;
	const char *reason; /* "" = none */
};

/* Where in a document something is wrong: "metrics[2].groups". */
#define KAYENTA_PATH_MAX 192

/* -1: *err says what is wrong and `path` (KAYENTA_PATH_MAX) where. */
int kayenta_config_read(const struct json *json, struct arena *a, struct kayenta_config *out,
                        char *path, struct err *err);
/* A list of {"name","id","tags","values":{"control":[],"experiment":[]}}. */
int kayenta_pairs_read(const struct json *json, struct arena *a, struct kayenta_pair **out,
                       size_t *n, char *path, struct err *err);

/* -1 when a pair has no metric in the config. */
int kayenta_judge(const struct kayenta_config *c, const struct kayenta_pair *pairs, size_t n,
                  struct arena *a, struct kayenta_result *out, struct err *err);
/* The score alone, from out->metrics: for metrics that were classified elsewhere. */
void kayenta_score(const struct kayenta_config *c, struct arena *a, struct kayenta_result *out);

/* Kayenta's CanaryJudgeResult as JSON. */
void kayenta_result_write(const struct kayenta_result *r, struct json_writer *w);

#endif
