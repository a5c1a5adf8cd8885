/* Scores of the groups of metrics, with words that outlive a pass: status shows them for seconds.
 */
#ifndef TIDEGATE_RECONCILE_SCORE_GROUPS_H
#define TIDEGATE_RECONCILE_SCORE_GROUPS_H

#include "analysis.h"
#include "tidegate/judge/drift.h"

struct score_groups {
	struct {
		char *name, *text; /* text may be NULL */
		int score;
	} v[MDEP_GROUPS_MAX];
	unsigned n;
};
/*
 * What the pods' counts say, their scores (NULL = not compared), then the metrics by query;
 * `counts` without metrics is nothing.
 */
void score_groups_take(struct score_groups *g, const struct sequential_result *counts,
                       const struct drift_result *scores, const struct analysis_view *series);
void score_groups_clear(struct score_groups *g);
/* Copies into `a`; NULL when there are none. */
const struct mdep_group_score *score_groups_copy(const struct score_groups *g, struct arena *a);

#endif
