/*
 * Evidence of one metric: e-processes against "not worse than the margin" (for FAIL) and
 * against "much worse" (for PASS), fed with 2x2 tables.
 */
#ifndef TIDEGATE_JUDGE_EVIDENCE_H
#define TIDEGATE_JUDGE_EVIDENCE_H

#include "hypergeometric.h"

#define EVIDENCE_GRID 8
#define EVIDENCE_PASS 2

struct evidence {
	double worse[EVIDENCE_GRID]; /* log likelihood ratios, one an effect size */
	double fine[EVIDENCE_PASS];
	/* Mantel-Haenszel sums of the odds ratio, for people. */
	double mh_over, mh_under;
};

/* phi >= 1 tempers: known before the table was seen, so the process stays valid. */
void evidence_add(struct evidence *e, const struct table2x2 *t, double margin, double pass_psi,
                  double phi);
double evidence_log_worse(const struct evidence *e);
double evidence_log_fine(const struct evidence *e);
/* Estimated odds ratio, 1 when nothing is known. */
double evidence_effect(const struct evidence *e);
/* log of the mean of exp(v[i]). */
double log_mean_exp(const double *v, unsigned n);

#endif
