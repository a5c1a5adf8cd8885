#include "evidence.h"

#include <math.h>

#include "outage.h"

/* Effect sizes beyond the margin, and beside no effect at all. */
static const double worse_by[EVIDENCE_GRID] = {1.2, 1.6, 2.4, 4, 8, 25, 80, 300};
static const double outage_share[EVIDENCE_OUTAGE] = {0.2, 0.6};
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

void evidence_add(struct evidence *e, const struct table2x2 *t, const struct evidence_null *null)
{
	double psi[EVIDENCE_GRID], lr[EVIDENCE_GRID];

	for (unsigned i = 0; i < EVIDENCE_GRID; i++)
		psi[i] = worse_by[i] * null->margin;
	hypergeometric_log_ratios(t, psi, EVIDENCE_GRID, null->margin, lr);
	for (unsigned i = 0; i < EVIDENCE_GRID; i++)
		e->worse[i] += lr[i] / null->phi;
	for (unsigned i = 0; i < EVIDENCE_OUTAGE && null->stable_share > 0; i++)
		e->outage[i] +=
			outage_log_ratio(t, null->margin, outage_share[i], null->stable_share) /
			null->phi;
	e->outages |= null->stable_share > 0;
	hypergeometric_log_ratios(t, fine_psi, EVIDENCE_PASS, null->harm, lr);
	for (unsigned i = 0; i < EVIDENCE_PASS; i++)
		e->fine[i] += lr[i] / null->phi;
	add_effect(e, t);
}

/* Half of the stake each. */
double evidence_log_worse(const struct evidence *e)
{
	double v[2] = {log_mean_exp(e->worse, EVIDENCE_GRID), 0};

	if (!e->outages)
		return v[0];
	v[1] = log_mean_exp(e->outage, EVIDENCE_OUTAGE);
	return log_mean_exp(v, 2);
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
