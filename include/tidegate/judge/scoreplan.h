/*
 * What a ScorePolicy means to the judges: their options, and the series to ask for.
 *
 * Series come from spec.metrics or from a canary config as Kayenta stores it, whose queries are
 * taken as its Prometheus service builds them: customInlineTemplate ("PromQL:" before it is
 * dropped), else avg() over metricName with labelBindings and the custom filter. $scope and
 * $location there are the revision and the namespace. Pure; strings are copied into the arena.
 */
#ifndef TIDEGATE_JUDGE_SCOREPLAN_H
#define TIDEGATE_JUDGE_SCOREPLAN_H

#include "tidegate/api/scorepolicy.h"
#include "tidegate/judge/drift.h"
#include "tidegate/judge/kayenta.h"
#include "tidegate/judge/thresholds.h"

#define SCOREPLAN_SERIES_MAX 64

struct scoreplan {
	enum scorepolicy_judge judge;
	struct sequential_options sequential;
	struct thresholds_rule thresholds;
	struct drift_options drift;
	struct kayenta_config series; /* nmetrics 0 = none */
	const char **queries;         /* one a metric */
	double interval_s, step_s, window_s;
	unsigned min_points, failures;
};

/* The judges of counts alone. */
void scoreplan_counts(const struct scorepolicy *p, struct scoreplan *out);
/* config: what the ConfigMap holds, NULL without one. -1: the policy cannot be acted on whole. */
int scoreplan_build(const struct scorepolicy *p, const char *config, struct arena *a,
                    struct scoreplan *out, struct err *err);

#endif
