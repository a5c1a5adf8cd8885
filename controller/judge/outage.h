/*
 * Evidence that also listens to good requests. The conditional test (hypergeometric.h) learns from
 * each bad request on which side it was, at most log 2 when both sides are as busy; a canary that
 * fails outright can be told sooner by what the stable side answers well meanwhile.
 *
 * An e-variable for one table against "odds ratio <= margin, at whatever stable share": likelihood
 * of a guess (canary share, stable share) over that of the guess's nearest point in the null
 * (reverse information projection; Turner, Ly & Grunwald arXiv 2106.02693, extended to a margin:
 * along the border of the null its expectation is the product of a log-concave and a linear term
 * with its stationary point at 1, so it is at most 1 everywhere). The guess comes from the past;
 * a bad guess costs time, never validity. Pure.
 */
#ifndef TIDEGATE_JUDGE_OUTAGE_H
#define TIDEGATE_JUDGE_OUTAGE_H

#include "hypergeometric.h"

/* Shares between 0 and 1, exclusive. 0 when the guess itself lies within the margin. */
double outage_log_ratio(const struct table2x2 *t, double margin, double canary_share,
                        double stable_share);

#endif
