#include "evidence.h"

#include <math.h>

static const double worse_psi[EVIDENCE_GRID] = {1.5, 2, 3, 5, 10, 30, 100, 400};
static const double fine_psi[EVIDENCE_PASS] = {1, 0.7};

double log_mean_exp(const double *v, unsigned n)
{
	double max = v[0], sum = 0;

	for (unsigned i = 1; i < n; i++)
		max = v[i] > max ? v[i] : max;
	for (unsigned i = 0; i < n; i++)
		sum += exp(v[i] - max);
	return max + log(sum / n);
}

static void add_effect(struct evidence *e, const struct table2x2 *t)
{
	double total = (double)(t->canary + t->stable);

	if (total <= 0)
		return;
	e->mh_over += (double)t->canary_bad * (double)(t->stable - t->stable_bad) / total;
	e->mh_under += (double)t->stable_bad * (double)(t->canary - t->canary_bad) / total;
}

void evidence_add(struct evidence *e, const struct table2x2 *t, double margin, double pass_psi,
                  double phi)
{
	double lr[EVIDENCE_GRID];

	hypergeometric_log_ratios(t, worse_psi, EVIDENCE_GRID, margin, lr);
	for (unsigned i = 0; i < EVIDENCE_GRID; i++)
		e->worse[i] += lr[i] / phi;
	hypergeometric_log_ratios(t, fine_psi, EVIDENCE_PASS, pass_psi, lr);
	for (unsigned i = 0; i < EVIDENCE_PASS; i++)
		e->fine[i] += lr[i] / phi;
	add_effect(e, t);
}

double evidence_log_worse(const struct evidence *e)
{
	return log_mean_exp(e->worse, EVIDENCE_GRID);
}

double evidence_log_fine(const struct evidence *e)
{
	return log_mean_exp(e->fine, EVIDENCE_PASS);
}

/* Half a count on each side keeps a zero from making the ratio infinite. */
double evidence_effect(const struct evidence *e)
{
	if (e->mh_over + e->mh_under <= 0)
		return 1;
	return (e->mh_over + 0.5) / (e->mh_under + 0.5);
}
