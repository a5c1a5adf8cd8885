#include "tidegate/judge/drift.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/str.h"

#define GROWTH     1.5   /* from look to look */
#define Z99        2.326 /* standard normal, one side, 99 % */
#define TERMS_MAX  100
#define TERM_SMALL 1e-300

void drift_options_default(struct drift_options *o)
{
	*o = (struct drift_options){.alpha = 0.01, .max_psi = 0.2, .min_samples = 500};
}

void drift_init(struct drift *x, const struct drift_options *o)
{
	*x = (struct drift){.options = *o, .next_n = o->min_samples, .p = 1};
}

/* --- parts ------------------------------------------------------------------------------- */

static double sum(const double *v, unsigned n)
{
	double all = 0;

	for (unsigned i = 0; i < n; i++)
		all += v[i];
	return all;
}

double drift_psi(const double *a, const double *b, unsigned n)
{
	double all_a = sum(a, n), all_b = sum(b, n), psi = 0;

	if (all_a <= 0 || all_b <= 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		double p = (a[i] > 0 ? a[i] : 0.5) / all_a, q = (b[i] > 0 ? b[i] : 0.5) / all_b;

		if (a[i] > 0 || b[i] > 0)
			psi += (p - q) * log(p / q);
	}
	return psi;
}

double drift_ks(const double *a, const double *b, unsigned n)
{
	double all_a = sum(a, n), all_b = sum(b, n), f = 0, g = 0, d = 0;

	if (all_a <= 0 || all_b <= 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		f += a[i] / all_a;
		g += b[i] / all_b;
		d = fmax(d, fabs(f - g));
	}
	return d;
}

/* Q(l) = 2 sum (-1)^(k-1) exp(-2 k^2 l^2); below 0.3 it is 1 to ten digits, and slow to add up. */
double drift_ks_chance(double d, double n, double m)
{
	double l2 = d * d * n * m / (n + m), q = 0;

	if (!(l2 > 0.09))
		return 1;
	for (int k = 1; k <= TERMS_MAX; k++) {
		double term = exp(-2.0 * k * k * l2);

		q += k % 2 ? term : -term;
		if (term < TERM_SMALL)
			break;
	}
	return fmin(1, fmax(0, 2 * q));
}

/* --- observing --------------------------------------------------------------------------- */

static unsigned used_buckets(const struct drift *x)
{
	unsigned used = 0;

	for (unsigned i = 0; i < x->nbuckets; i++)
		used += x->stable[i] > 0 || x->canary[i] > 0;
	return used;
}

/* What the index scatters by, were it max_psi: a noncentral chi-square of this scale. */
static double scatter(const struct drift *x, unsigned used, double scale)
{
	double k = used > 1 ? used - 1 : 1;

	return scale * sqrt(2 * (k + 2 * x->options.max_psi / scale));
}

static void look(struct drift *x)
{
	unsigned used = used_buckets(x);
	double scale = 1 / x->stable_n + 1 / x->canary_n;
	double raw = drift_psi(x->stable, x->canary, x->nbuckets);

	x->looks++;
	while (x->next_n <= fmin(x->stable_n, x->canary_n))
		x->next_n *= GROWTH;
	x->d = drift_ks(x->stable, x->canary, x->nbuckets);
	x->p = drift_ks_chance(x->d, x->stable_n, x->canary_n);
	x->psi = fmax(0, raw - (used > 1 ? used - 1 : 0) * scale);
	if (x->verdict == JUDGE_FAIL)
		return;
	if (x->p < x->options.alpha / ((double)x->looks * (x->looks + 1)) &&
	    x->psi >= x->options.max_psi)
		x->verdict = JUDGE_FAIL;
	else if (used > 1 && raw < x->options.max_psi - Z99 * scatter(x, used, scale))
		x->verdict = JUDGE_PASS;
	else
		x->verdict = JUDGE_NONE;
}

static bool same_layout(const struct drift *x, unsigned n, const double *bounds)
{
	for (unsigned i = 0; i < n; i++)
		if (i >= x->nbuckets || bounds[i] < x->bounds[i] || bounds[i] > x->bounds[i])
			return false;
	return n == x->nbuckets;
}

static void begin_anew(struct drift *x, unsigned n, const double *bounds)
{
	memset(x->stable, 0, sizeof(x->stable));
	memset(x->canary, 0, sizeof(x->canary));
	x->stable_n = x->canary_n = 0;
	x->next_n = x->options.min_samples;
	x->nbuckets = n;
	memcpy(x->bounds, bounds, n * sizeof(*bounds));
}

void drift_observe(struct drift *x, bool canary, unsigned nbuckets, const double *bounds,
                   const double *counts)
{
	double *into = canary ? x->canary : x->stable, below = 0;

	if (!nbuckets || nbuckets > JUDGE_BUCKETS_MAX || x->verdict == JUDGE_FAIL)
		return;
	if (!same_layout(x, nbuckets, bounds))
		begin_anew(x, nbuckets, bounds);
	for (unsigned i = 0; i < nbuckets; i++) {
		double more = fmax(0, counts[i] - below);

		into[i] += more;
		*(canary ? &x->canary_n : &x->stable_n) += more;
		below = fmax(below, counts[i]);
	}
	if (fmin(x->stable_n, x->canary_n) >= x->next_n)
		look(x);
}

/* --- result ------------------------------------------------------------------------------ */

static void describe(const struct drift *x, const char *name, struct drift_result *out)
{
	char chance[32] = "";
	int zeros = x->p < 0.1 ? (int)-log10(fmax(x->p, TERM_SMALL)) : 0;

	if (zeros > 0)
		snprintf(chance, sizeof(chance), ", p<1e-%d", zeros);
	if (!x->looks)
		snprintf(out->text, sizeof(out->text),
		         "%.63s: %.6g canary and %.6g stable scores, %.6g of each are awaited",
		         name, x->canary_n, x->stable_n, x->next_n);
	else
		snprintf(out->text, sizeof(out->text),
		         "%.63s %s: PSI %.3g (limit %.3g), KS %.3g%s, %.6g vs %.6g scores", name,
		         x->verdict == JUDGE_FAIL ? "has moved" : "compared", x->psi,
		         x->options.max_psi, x->d, chance, x->canary_n, x->stable_n);
}

void drift_result(const struct drift *x, const char *name, struct drift_result *out)
{
	*out = (struct drift_result){.verdict = x->verdict, .score = -1};
	if (x->verdict == JUDGE_FAIL)
		out->score = 0;
	else if (x->looks)
		out->score = (int)lround(100 * (1 - fmin(1, x->psi / (2 * x->options.max_psi))));
	describe(x, name, out);
}
