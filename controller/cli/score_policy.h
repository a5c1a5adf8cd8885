/* What `tidegate score` takes from a ScorePolicy: the options of the judges of counts. */
#ifndef TIDEGATE_CLI_SCORE_POLICY_H
#define TIDEGATE_CLI_SCORE_POLICY_H

#include "tidegate/base/err.h"
#include "tidegate/judge/scoreplan.h"

/*
 * Defaults, and over them what the file says; path NULL = defaults. decides: the policy's own judge
 * is the one to be used, so it must be one of counts.
 */
int score_policy_load(struct scoreplan *plan, const char *path, bool decides, struct err *err);

#endif
