#include "tidegate/judge/thresholds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/str.h"

void thresholds_rule_default(struct thresholds_rule *r)
{
	*r = (struct thresholds_rule){.interval_s = 60,
	                              .max_error_share = 0.01,
	                              .max_latency_s = NAN,
	                              .quantile = 0.99,
	                              .failures = 3,
	                              .looks = 10};
}

void thresholds_init(struct thresholds *t, const struct thresholds_rule *rule)
{
	*t = (struct thresholds){.rule = *rule};
	t->errors_limit.decided_at = t->errors_limit.last = NAN;
	t->latency_limit.decided_at = t->latency_limit.last = NAN;
}

double histogram_quantile(double q, const double *bounds, const double *counts, unsigned n)
{
	double total = n ? counts[n - 1] : 0, rank = q * total, below, under;
	unsigned i = 0;

	if (total <= 0)
		return NAN;
	while (i + 1 < n && counts[i] < rank)
		i++;
	if (i + 1 == n)
		return n > 1 ? bounds[n - 2] : NAN;
	below = i ? counts[i - 1] : 0;
	under = i ? bounds[i - 1] : fmin(0, bounds[0]);
	if (counts[i] <= below)
		return bounds[i];
	return under + (bounds[i] - under) * (rank - below) / (counts[i] - below);
}

/* --- looks ------------------------------------------------------------------------------- */

static void look(struct thresholds *t, struct thresholds_limit *l, double value, double limit,
                 double at)
{
	bool failed = isnan(value) ? t->rule.no_data_fails : value > limit;

	if (isnan(limit) || l->verdict == JUDGE_FAIL)
		return;
	if (!isnan(value))
		l->last = value;
	else if (!t->rule.no_data_fails)
		return;
	l->looks++;
	l->failed = failed ? l->failed + 1 : t->rule.consecutive ? 0 : l->failed;
	if (l->failed >= t->rule.failures)
		l->verdict = JUDGE_FAIL;
	else if (l->looks >= t->rule.looks && l->verdict == JUDGE_NONE)
		l->verdict = JUDGE_PASS;
	else
		return;
	l->decided_at = at;
}

static void clear(struct thresholds *t)
{
	t->requests = t->errors = 0;
	memset(t->counts, 0, sizeof(t->counts));
}

static void look_at_all(struct thresholds *t)
{
	double share = t->requests > 0 ? t->errors / t->requests : NAN;

	look(t, &t->errors_limit, share, t->rule.max_error_share, t->look_at);
	look(t, &t->latency_limit,
	     histogram_quantile(t->rule.quantile, t->bounds, t->counts, t->nbuckets),
	     t->rule.max_latency_s, t->look_at);
	clear(t);
}

void thresholds_advance(struct thresholds *t, double now)
{
	double skipped;

	if (!t->started || now < t->look_at)
		return;
	look_at_all(t);
	t->look_at += t->rule.interval_s;
	/* Looks at nothing: only a rule that counts them needs them one by one. */
	skipped = floor((now - t->look_at) / t->rule.interval_s) + 1;
	for (; skipped > 0 && t->rule.no_data_fails && skipped < 1e6; skipped--) {
		look_at_all(t);
		t->look_at += t->rule.interval_s;
	}
	if (skipped > 0)
		t->look_at += skipped * t->rule.interval_s;
}

void thresholds_observe(struct thresholds *t, const struct sequential_sample *x)
{
	if (!(x->requests >= 0) || !(x->errors >= 0) || x->nbuckets > JUDGE_BUCKETS_MAX)
		return;
	if (!t->started) {
		t->started = true;
		t->look_at = x->t + t->rule.interval_s;
	}
	thresholds_advance(t, x->t);
	if (!x->canary)
		return;
	t->requests += fmax(x->requests, x->errors);
	t->errors += x->errors;
	t->all_requests += fmax(x->requests, x->errors);
	t->all_errors += x->errors;
	if (t->nbuckets != x->nbuckets ||
	    memcmp(t->bounds, x->bounds, x->nbuckets * sizeof(double)) != 0) {
		/* Another layout: what was counted in the old one cannot be added to. */
		memcpy(t->bounds, x->bounds, x->nbuckets * sizeof(double));
		memset(t->counts, 0, sizeof(t->counts));
		t->nbuckets = x->nbuckets;
	}
	for (unsigned i = 0; i < x->nbuckets; i++)
		t->counts[i] += x->counts[i];
}

/* --- result ------------------------------------------------------------------------------ */

static void add_metric(const struct thresholds *t, struct sequential_result *r, const char *name,
                       const struct thresholds_limit *l, double limit)
{
	struct sequential_metric *m;

	if (isnan(limit))
		return;
	m = &r->metrics[r->nmetrics++];
	m->name = name;
	m->verdict = l->verdict;
	m->decided_at = l->decided_at;
	m->effect = l->last / limit;
	m->score = l->verdict == JUDGE_FAIL
	                   ? 0
	                   : (int)lround(100 * (1 - fmin(1, (double)l->failed / t->rule.failures)));
}

static void explain(const struct thresholds *t, struct sequential_result *r)
{
	const struct thresholds_limit *e = &t->errors_limit, *l = &t->latency_limit;

	for (unsigned i = 0; i < r->nmetrics; i++) {
		struct sequential_metric *m = &r->metrics[i];
		bool errors = str_eq(m->name, "errors");
		const struct thresholds_limit *of = errors ? e : l;

		if (isnan(of->last))
			snprintf(m->text, sizeof(m->text), "no canary requests");
		else if (errors)
			snprintf(m->text, sizeof(m->text),
			         "canary errors %.1f %%, allowed %.4g %%, beyond it in %u of %u "
			         "looks",
			         100 * of->last, 100 * t->rule.max_error_share, of->failed,
			         of->looks);
		else
			snprintf(m->text, sizeof(m->text),
			         "canary p%.4g %.3g ms, allowed %.4g ms, beyond it in %u of %u "
			         "looks",
			         100 * t->rule.quantile, 1000 * of->last,
			         1000 * t->rule.max_latency_s, of->failed, of->looks);
	}
}

static void combine(struct sequential_result *r)
{
	unsigned passed = 0;
	const struct sequential_metric *worst = NULL;

	r->decided_at = NAN;
	r->score = r->nmetrics ? 100 : 0;
	for (unsigned i = 0; i < r->nmetrics; i++) {
		const struct sequential_metric *m = &r->metrics[i];

		if (!worst || m->score < worst->score)
			worst = m;
		passed += m->verdict == JUDGE_PASS;
		if (m->verdict == JUDGE_FAIL)
			r->verdict = JUDGE_FAIL;
	}
	if (passed && passed == r->nmetrics)
		r->verdict = JUDGE_PASS;
	for (unsigned i = 0; i < r->nmetrics; i++)
		if (r->verdict != JUDGE_NONE && r->metrics[i].verdict == r->verdict)
			r->decided_at = r->verdict == JUDGE_FAIL
			                        ? fmin(r->decided_at, r->metrics[i].decided_at)
			                        : fmax(r->decided_at, r->metrics[i].decided_at);
	if (worst) {
		r->score = worst->score;
		str_copy(r->text, sizeof(r->text), worst->text);
	}
}

void thresholds_result(const struct thresholds *t, struct sequential_result *r)
{
	memset(r, 0, sizeof(*r));
	r->canary_requests = t->all_requests;
	r->canary_errors = t->all_errors;
	add_metric(t, r, "errors", &t->errors_limit, t->rule.max_error_share);
	add_metric(t, r, "latency", &t->latency_limit, t->rule.max_latency_s);
	explain(t, r);
	combine(r);
}
