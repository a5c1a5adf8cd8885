/*
 * ScorePolicy: what canaries are judged by, kept apart so that many ModelDeployments of a namespace
 * share it (spec.canary.policyRef) and `tidegate score` reads the very same file.
 *
 * Numbers may be texts ("0.01"), as Kubernetes objects write fractions. Bounds are the CRD's. A
 * policy of which anything cannot be acted on has a `problem`, and whoever refers to it holds its
 * release: a part of a policy is not that policy.
 * Units: seconds. Ownership: one allocation (kube/object.h), strings inside it.
 */
#ifndef TIDEGATE_API_SCOREPOLICY_H
#define TIDEGATE_API_SCOREPOLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/kube/object.h"

#define SCOREPOLICY_METRICS_MAX 16

/* Of request counts; series are always judged by Kayenta's rule, which for KAYENTA is all. */
enum scorepolicy_judge { SCOREPOLICY_SEQUENTIAL, SCOREPOLICY_THRESHOLDS, SCOREPOLICY_KAYENTA };
enum scorepolicy_direction { SCOREPOLICY_EITHER, SCOREPOLICY_INCREASE, SCOREPOLICY_DECREASE };

/* A figure by PromQL (signal/promql.h), asked for both revisions. */
struct scorepolicy_metric {
	const char *name, *group, *query;
	enum scorepolicy_direction direction; /* which change is harm */
	double max_change;                    /* share that is tolerated; NaN = not said */
	int weight;                           /* in its group, and its group's in the score */
	bool critical;                        /* its failure is the canary's */
	bool replace_nan;                     /* by 0; else removed */
	bool must_have_data;
};

/* NaN and 0: not said, the judge's default. */
struct scorepolicy {
	struct object meta;
	enum scorepolicy_judge judge;
	struct {
		double alpha, margin, latency_margin, pod_spread, min_difference;
		double no_data_s, no_stable_s;
		bool latency;
	} sequential;
	struct {
		double interval_s, max_errors, max_latency_s, quantile, failures, looks;
		bool consecutive, no_data_fails;
	} thresholds;
	struct {
		const char *url;    /* NULL = none */
		const char *secret; /* with token, or username and password; ca.crt; NULL */
		double timeout_s;
		const char *requests; /* query for a cross-check; NULL */
	} prometheus;
	struct {
		double interval_s, step_s, window_s; /* between looks; between points; looked at */
		double min_points, failures;         /* points of a series; looks in a row */
		double pass, marginal, tolerance, confidence;
	} series;
	struct {
		const char *config;                    /* canary config as text; NULL */
		const char *configmap, *configmap_key; /* or where it is; NULL */
	} kayenta;
	struct {
		const char *metric; /* histogram of the model's scores at the pods; NULL = none */
		double alpha, max_psi, min_samples;
	} drift;
	struct scorepolicy_metric metrics[SCOREPOLICY_METRICS_MAX];
	unsigned nmetrics;
	const char *problem_path, *problem; /* first thing that is wrong; NULL */
	int64_t said_generation;            /* status.observedGeneration, and what Ready said */
	const char *said_status, *said_message;
	int64_t said_since_ms; /* its lastTransitionTime */
};

extern const struct object_kind scorepolicy_kind;

static inline const struct scorepolicy *scorepolicy_from(const struct object *o)
{
	return (const struct scorepolicy *)o;
}

/* Fills *p (but for meta) from JSON; strings live in `a` and in the tree. */
void scorepolicy_read(const struct json *json, struct arena *a, struct scorepolicy *p);
/* Time series are asked for. */
bool scorepolicy_has_series(const struct scorepolicy *p);

#endif
