#include "evidence.h"

#include <math.h>
#include <string.h>

#include "outage.h"
#include "tidegate/base/alloc.h"

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

/* What the table says of each odds ratio, over what it says of the null's. */
static void add_conditional(struct evidence *e, const struct table2x2 *t,
                            const struct evidence_null *null)
{
	double psi[2 + EVIDENCE_GRID + EVIDENCE_PASS], chance[ARRAY_SIZE(psi)];
	const double *worse = chance + 2, *fine = worse + EVIDENCE_GRID;

	psi[0] = null->margin;
	psi[1] = null->harm;
	for (unsigned i = 0; i < EVIDENCE_GRID; i++)
		psi[2 + i] = worse_by[i] * null->margin;
	memcpy(psi + 2 + EVIDENCE_GRID, fine_psi, sizeof(fine_psi));
	if (!hypergeometric_log_chances(t, psi, ARRAY_SIZE(psi), chance))
		return;
	for (unsigned i = 0; i < EVIDENCE_GRID; i++)
		e->worse[i] += (worse[i] - chance[0]) / null->phi;
	for (unsigned i = 0; i < EVIDENCE_PASS && !null->worse_only; i++)
		e->fine[i] += (fine[i] - chance[1]) / null->phi;
}

static void add_outage(struct evidence *e, const struct table2x2 *t,
                       const struct evidence_null *null)
{
	e->outages = true;
	for (unsigned i = 0; i < EVIDENCE_OUTAGE; i++)
		e->outage[i] +=
			outage_log_ratio(t, null->margin, outage_share[i], null->stable_share) /
			null->phi;
}

void evidence_add(struct evidence *e, const struct table2x2 *t, const struct evidence_null *null)
{
	add_conditional(e, t, null);
	if (null->stable_share > 0)
		add_outage(e, t, null);
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
