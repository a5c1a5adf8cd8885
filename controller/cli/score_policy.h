/* What `tidegate score` takes from a ScorePolicy: the options of the judges of counts. */
#ifndef TIDEGATE_CLI_SCORE_POLICY_H
#define TIDEGATE_CLI_SCORE_POLICY_H

#include "tidegate/base/err.h"
#include "tidegate/judge/thresholds.h"

struct score_policy {
	struct sequential_options sequential;
	struct thresholds_rule thresholds;
};

/* Defaults, and over them what the file says; path NULL = defaults. */
int score_policy_load(struct score_policy *p, const char *path, struct err *err);

#endif
