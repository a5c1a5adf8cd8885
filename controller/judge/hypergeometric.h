/*
 * Fisher's noncentral hypergeometric distribution: of M bad requests among n_c canary and
 * n_b stable ones, how many are the canary's, when the odds ratio is psi. Pure.
 */
#ifndef TIDEGATE_JUDGE_HYPERGEOMETRIC_H
#define TIDEGATE_JUDGE_HYPERGEOMETRIC_H

#include <stdbool.h>

struct table2x2 {
	long canary, canary_bad;
	long stable, stable_bad;
};

/*
 * out[i] = log of P(canary_bad | psi[i]). False, and nothing is told, when the margins leave no
 * freedom (nothing bad, everything bad, one side empty): then it is 1 whatever psi is.
 */
bool hypergeometric_log_chances(const struct table2x2 *t, const double *psi, unsigned n,
                                double *out);

#endif
