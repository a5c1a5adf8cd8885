/*
 * Evidence about one kind of bad request: e-processes against "not worse than the margin" (for
 * FAIL) and against "much worse" (for PASS), fed with 2x2 tables.
 *
 * The margin and the tempering phi may change from table to table, as long as they come from what
 * was known before the table.
 */
#ifndef TIDEGATE_JUDGE_EVIDENCE_H
#define TIDEGATE_JUDGE_EVIDENCE_H

#include <stdbool.h>

#include "hypergeometric.h"

#define EVIDENCE_GRID   8
#define EVIDENCE_PASS   2
#define EVIDENCE_OUTAGE 2

struct evidence {
	bool outages;                   /* are looked for */
	double worse[EVIDENCE_GRID];    /* log likelihood ratios, one an effect size */
	double outage[EVIDENCE_OUTAGE]; /* the same against outright failure (outage.h) */
	double fine[EVIDENCE_PASS];
	/* Mantel-Haenszel sums of the odds ratio, for people. */
	double mh_over, mh_under;
};

struct evidence_null {
	double margin;       /* odds ratio that is tolerated */
	double harm;         /* odds ratio that PASS must exclude, > margin */
	double phi;          /* >= 1: overdispersion that tempers the likelihood */
	double stable_share; /* guess, for outages; 0 = they are not looked for */
	bool worse_only;     /* the table has been made harder to call worse: not for PASS */
};

void evidence_add(struct evidence *e, const struct table2x2 *t, const struct evidence_null *null);
double evidence_log_worse(const struct evidence *e);
double evidence_log_fine(const struct evidence *e);
/* Estimated odds ratio, 1 when nothing is known. */
double evidence_effect(const struct evidence *e);
/* log of the mean of exp(v[i]). */
double log_mean_exp(const double *v, unsigned n);

#endif
