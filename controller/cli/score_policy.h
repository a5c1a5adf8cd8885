/* What `tidegate score` takes from a ScorePolicy: the options of the judges of counts. */
#ifndef TIDEGATE_CLI_SCORE_POLICY_H
#define TIDEGATE_CLI_SCORE_POLICY_H

#include "tidegate/base/err.h"
#include "tidegate/judge/scoreplan.h"

/* Defaults, and over them what the file says; path NULL = defaults. */
int score_policy_load(struct scoreplan *plan, const char *path, struct err *err);

#endif
