/*
 * Fisher's noncentral hypergeometric distribution: of M bad requests among n_c canary and
 * n_b stable ones, how many are the canary's, when the odds ratio is psi. Pure.
 */
#ifndef TIDEGATE_JUDGE_HYPERGEOMETRIC_H
#define TIDEGATE_JUDGE_HYPERGEOMETRIC_H

struct table2x2 {
	long canary, canary_bad;
	long stable, stable_bad;
};

/*
 * out[i] = log of P(canary_bad | psi[i]) / P(canary_bad | null_psi). 0 for a table whose margins
 * leave no freedom (nothing bad, everything bad, one side empty).
 */
void hypergeometric_log_ratios(const struct table2x2 *t, const double *psi, unsigned n,
                               double null_psi, double *out);

#endif
