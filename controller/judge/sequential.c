#include "tidegate/judge/sequential.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evidence.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define STRATA_MAX  16
#define BOUNDS_USED 6
/* Stable requests that must have been seen before latency bounds are chosen from them. */
#define BOUNDS_AFTER 50
/* Error share that a canary without any error must be shown to stay below, for PASS. */
#define ERROR_BUDGET 0.01
#define BLOCK_S      60.0
#define BLOCKS_MAX   60
#define PHI_SAFETY   1.3

struct side {
	double requests, errors;
	double slower[BOUNDS_USED]; /* requests above each chosen bound */
};

struct stratum {
	char name[64];
	struct side canary, stable; /* of the tick being gathered */
};

/* Error counts of the stable side by minute: what the overdispersion is estimated from. */
struct blocks {
	double n[BLOCKS_MAX], bad[BLOCKS_MAX];
	unsigned len, next;
	double cur_n, cur_bad, cur_canary, start;
	double last_canary; /* canary requests of the last whole block */
	double rate;        /* pooled share of bad */
	double cv2;
};

struct metric_state {
	const char *name;
	enum judge_verdict verdict;
	double decided_at;
};

struct sequential {
	struct sequential_options o;
	struct stratum strata[STRATA_MAX];
	unsigned nstrata;
	bool started;
	double start, tick_end, last_canary_t;
	struct side canary, stable; /* totals */
	struct side tick_canary, tick_stable;
	struct evidence errors, slow[BOUNDS_USED];
	struct blocks blocks;
	/* Stable histogram until bounds are chosen. */
	double hist_bounds[JUDGE_BUCKETS_MAX], hist[JUDGE_BUCKETS_MAX];
	unsigned nhist;
	double bounds[BOUNDS_USED];
	unsigned nbounds;
	double log_budget; /* e-process against "error share >= ERROR_BUDGET" */
	struct metric_state error_state, latency_state;
};

const char *judge_verdict_name(enum judge_verdict v)
{
	static const char *const names[] = {"NONE", "PASS", "FAIL"};

	return names[v];
}

void sequential_options_default(struct sequential_options *o)
{
	*o = (struct sequential_options){.alpha = 0.01,
	                                 .margin = 1.25,
	                                 .tick_s = 5,
	                                 .pass_psi = 2,
	                                 .pass_evidence = 20,
	                                 .no_data_s = 30,
	                                 .judge_latency = true};
}

struct sequential *sequential_new(const struct sequential_options *o)
{
	struct sequential *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	s->error_state = (struct metric_state){"errors", JUDGE_NONE, NAN};
	s->latency_state = (struct metric_state){"latency", JUDGE_NONE, NAN};
	return s;
}

void sequential_free(struct sequential *s)
{
	free(s);
}

/* --- gathering --------------------------------------------------------------------------- */

/* What is beyond the last place shares it: strata are a refinement, not a condition. */
static struct stratum *stratum_get(struct sequential *s, const char *name)
{
	for (unsigned i = 0; i < s->nstrata; i++)
		if (str_eq(s->strata[i].name, name))
			return &s->strata[i];
	if (s->nstrata == STRATA_MAX)
		return &s->strata[STRATA_MAX - 1];
	str_copy(s->strata[s->nstrata].name, sizeof(s->strata[0].name), name);
	return &s->strata[s->nstrata++];
}

static void gather_histogram(struct sequential *s, const struct sequential_sample *x)
{
	if (x->canary || s->nbounds || !x->nbuckets)
		return;
	if (s->nhist != x->nbuckets ||
	    memcmp(s->hist_bounds, x->bounds, x->nbuckets * sizeof(double))) {
		memcpy(s->hist_bounds, x->bounds, x->nbuckets * sizeof(double));
		memset(s->hist, 0, sizeof(s->hist));
		s->nhist = x->nbuckets;
	}
	for (unsigned i = 0; i < x->nbuckets; i++)
		s->hist[i] += x->counts[i];
}

/* Requests above `bound`; NAN when the sample's buckets do not have that bound. */
static double slower_than(const struct sequential_sample *x, double bound)
{
	for (unsigned i = 0; i + 1 < x->nbuckets; i++)
		if (fabs(x->bounds[i] - bound) <= 1e-9 * bound)
			return x->counts[x->nbuckets - 1] - x->counts[i];
	return NAN;
}

static void gather_side(const struct sequential *s, struct side *side,
                        const struct sequential_sample *x)
{
	double slower;

	side->requests += x->requests > x->errors ? x->requests : x->errors;
	side->errors += x->errors;
	for (unsigned i = 0; i < s->nbounds; i++) {
		slower = slower_than(x, s->bounds[i]);
		if (slower > 0)
			side->slower[i] += slower;
	}
}

void sequential_observe(struct sequential *s, const struct sequential_sample *x)
{
	struct stratum *st = stratum_get(s, str_or(x->stratum, ""));

	if (!(x->requests >= 0) || !(x->errors >= 0) || x->nbuckets > JUDGE_BUCKETS_MAX)
		return;
	if (!s->started) {
		s->started = true;
		s->start = s->last_canary_t = s->blocks.start = x->t;
		s->tick_end = x->t + s->o.tick_s;
	}
	sequential_advance(s, x->t);
	gather_histogram(s, x);
	gather_side(s, x->canary ? &st->canary : &st->stable, x);
	if (x->canary && x->requests > 0 && x->t > s->last_canary_t)
		s->last_canary_t = x->t;
}

/* --- overdispersion ---------------------------------------------------------------------- */

/*
 * Excess variance of the stable error counts over Poisson, relative to the mean squared:
 * cv^2 of the underlying rate from one minute to the next.
 */
static void blocks_estimate(struct blocks *b)
{
	double n = 0, bad = 0, excess = 0, squares = 0;

	for (unsigned i = 0; i < b->len; i++) {
		n += b->n[i];
		bad += b->bad[i];
	}
	b->rate = n > 0 ? bad / n : 0;
	for (unsigned i = 0; i < b->len; i++) {
		double mu = b->rate * b->n[i];

		excess += (b->bad[i] - mu) * (b->bad[i] - mu) - mu;
		squares += mu * mu;
	}
	b->cv2 = b->len >= 3 && squares > 0 && excess > 0 ? excess / squares : 0;
}

static void blocks_add(struct blocks *b, const struct side *canary, const struct side *stable,
                       double now)
{
	b->cur_n += stable->requests;
	b->cur_bad += stable->errors;
	b->cur_canary += canary->requests;
	if (now - b->start < BLOCK_S)
		return;
	b->n[b->next] = b->cur_n;
	b->bad[b->next] = b->cur_bad;
	b->next = (b->next + 1) % BLOCKS_MAX;
	b->len += b->len < BLOCKS_MAX;
	b->last_canary = b->cur_canary;
	b->cur_n = b->cur_bad = b->cur_canary = 0;
	b->start = now;
	blocks_estimate(b);
}

static double blocks_phi(const struct blocks *b)
{
	return 1 + 2 * PHI_SAFETY * b->cv2 * b->rate * b->last_canary;
}

/* --- latency bounds ---------------------------------------------------------------------- */

static bool has_bound(const struct sequential *s, double bound)
{
	for (unsigned i = 0; i < s->nbounds; i++)
		if (s->bounds[i] == bound)
			return true;
	return false;
}

/*
 * Bounds from body to tail of the stable distribution. Chosen once, from stable data only and
 * before the first table that uses them, so that the choice does not spend any of alpha.
 */
static void choose_bounds(struct sequential *s)
{
	static const double tails[BOUNDS_USED] = {0.5, 0.2, 0.05, 0.01, 0.002, 0};
	double total = s->nhist ? s->hist[s->nhist - 1] : 0;

	if (!s->o.judge_latency || s->nbounds || total < BOUNDS_AFTER)
		return;
	for (unsigned k = 0; k < BOUNDS_USED; k++)
		for (unsigned i = 0; i + 1 < s->nhist; i++) {
			if (1 - s->hist[i] / total > tails[k] + 1e-12)
				continue;
			if (!has_bound(s, s->hist_bounds[i]))
				s->bounds[s->nbounds++] = s->hist_bounds[i];
			break;
		}
}

/* --- ticks ------------------------------------------------------------------------------- */

static struct table2x2 make_table(double canary, double canary_bad, double stable,
                                  double stable_bad)
{
	struct table2x2 t = {lround(canary), lround(canary_bad), lround(stable),
	                     lround(stable_bad)};

	if (t.canary_bad > t.canary)
		t.canary_bad = t.canary;
	if (t.stable_bad > t.stable)
		t.stable_bad = t.stable;
	return t;
}

static void add_total(struct side *to, const struct side *from)
{
	to->requests += from->requests;
	to->errors += from->errors;
	for (unsigned i = 0; i < BOUNDS_USED; i++)
		to->slower[i] += from->slower[i];
}

/* Against "at least ERROR_BUDGET of the canary's requests fail", for a tenth of it. */
static void add_budget(struct sequential *s, const struct side *c)
{
	double p1 = ERROR_BUDGET / 10;

	s->log_budget += c->errors * log(p1 / ERROR_BUDGET) +
	                 (c->requests - c->errors) * log((1 - p1) / (1 - ERROR_BUDGET));
}

static void close_stratum(struct sequential *s, struct stratum *st, double phi)
{
	struct side *c = &st->canary, *b = &st->stable;
	struct table2x2 t = make_table(c->requests, c->errors, b->requests, b->errors);

	evidence_add(&s->errors, &t, s->o.margin, s->o.pass_psi, phi);
	for (unsigned i = 0; i < s->nbounds; i++) {
		t = make_table(c->requests, c->slower[i], b->requests, b->slower[i]);
		evidence_add(&s->slow[i], &t, s->o.margin, s->o.pass_psi, 1);
	}
	add_budget(s, c);
	add_total(&s->canary, c);
	add_total(&s->stable, b);
	add_total(&s->tick_canary, c);
	add_total(&s->tick_stable, b);
	memset(c, 0, sizeof(*c));
	memset(b, 0, sizeof(*b));
}

static double log_latency(const struct sequential *s, double (*of)(const struct evidence *))
{
	double v[BOUNDS_USED];

	if (!s->nbounds)
		return 0;
	for (unsigned i = 0; i < s->nbounds; i++)
		v[i] = of(&s->slow[i]);
	return log_mean_exp(v, s->nbounds);
}

/* Log evidence at which one of the metrics fails: alpha shared among them. */
static double fail_at(const struct sequential *s)
{
	return log((s->o.judge_latency ? 2 : 1) / s->o.alpha);
}

static void decide(struct metric_state *m, bool fail, bool pass, double t)
{
	if (m->verdict == JUDGE_FAIL)
		return;
	if (fail || (pass && m->verdict != JUDGE_PASS)) {
		m->verdict = fail ? JUDGE_FAIL : JUDGE_PASS;
		m->decided_at = t;
	} else if (!pass) {
		m->verdict = JUDGE_NONE;
		m->decided_at = NAN;
	}
}

static void decide_all(struct sequential *s, double t)
{
	double pass_at = log(s->o.pass_evidence);

	decide(&s->error_state, evidence_log_worse(&s->errors) >= fail_at(s),
	       evidence_log_fine(&s->errors) >= pass_at || s->log_budget >= pass_at, t);
	if (s->o.judge_latency)
		decide(&s->latency_state, log_latency(s, evidence_log_worse) >= fail_at(s),
		       log_latency(s, evidence_log_fine) >= pass_at, t);
}

static void close_tick(struct sequential *s)
{
	double phi = blocks_phi(&s->blocks);

	memset(&s->tick_canary, 0, sizeof(s->tick_canary));
	memset(&s->tick_stable, 0, sizeof(s->tick_stable));
	for (unsigned i = 0; i < s->nstrata; i++)
		close_stratum(s, &s->strata[i], phi);
	blocks_add(&s->blocks, &s->tick_canary, &s->tick_stable, s->tick_end);
	decide_all(s, s->tick_end);
	choose_bounds(s);
}

void sequential_advance(struct sequential *s, double now)
{
	if (!s->started || now < s->tick_end)
		return;
	close_tick(s);
	/* Ticks without a sample add nothing: go to the one that `now` is in. */
	s->tick_end += s->o.tick_s * (floor((now - s->tick_end) / s->o.tick_s) + 1);
}

/* --- result ------------------------------------------------------------------------------ */

static double percent(double part, double of)
{
	return of > 0 ? 100 * part / of : 0;
}

static void explain_errors(const struct sequential *s, double log_e, char *out, size_t size)
{
	int zeros = log_e > 0 ? (int)(log_e / log(10)) : 0;
	char p[32] = "";

	if (zeros > 0)
		snprintf(p, sizeof(p), ", p<1e-%d", zeros > 300 ? 300 : zeros);
	snprintf(out, size, "canary errors %.1f %% vs %.1f %%, %.0f of %.0f requests%s",
	         percent(s->canary.errors, s->canary.requests),
	         percent(s->stable.errors, s->stable.requests), s->canary.errors,
	         s->canary.requests, p);
}

/* Names the bound at which the difference speaks loudest. */
static void explain_latency(const struct sequential *s, double log_e, char *out, size_t size)
{
	int zeros = log_e > 0 ? (int)(log_e / log(10)) : 0;
	unsigned best = 0;

	for (unsigned i = 1; i < s->nbounds; i++)
		if (evidence_log_worse(&s->slow[i]) > evidence_log_worse(&s->slow[best]))
			best = i;
	snprintf(out, size,
	         "canary slower than %.3g ms: %.1f %% vs %.1f %%, %.0f requests, p<1e-%d",
	         1000 * s->bounds[best], percent(s->canary.slower[best], s->canary.requests),
	         percent(s->stable.slower[best], s->stable.requests), s->canary.requests,
	         zeros > 300 ? 300 : zeros);
}

static struct sequential_metric metric_of(const struct metric_state *m, double log_e, double effect)
{
	return (struct sequential_metric){m->name, m->verdict, log_e, effect, m->decided_at};
}

static double latency_effect(const struct sequential *s)
{
	double max = 0;

	for (unsigned i = 0; i < s->nbounds; i++)
		max = fmax(max, evidence_effect(&s->slow[i]));
	return s->nbounds ? max : 1;
}

static int score_of(const struct sequential *s, double log_errors, double log_slow)
{
	double worst = fmax(log_errors, log_slow) / fail_at(s);

	return (int)lround(100 * (1 - fmin(1, fmax(0, worst))));
}

static void combine(const struct sequential *s, struct sequential_result *r)
{
	bool pass = true;

	r->verdict = JUDGE_NONE;
	r->decided_at = NAN;
	for (unsigned i = 0; i < r->nmetrics; i++) {
		const struct sequential_metric *m = &r->metrics[i];

		if (m->verdict == JUDGE_FAIL &&
		    (r->verdict != JUDGE_FAIL || m->decided_at < r->decided_at)) {
			r->verdict = JUDGE_FAIL;
			r->decided_at = m->decided_at;
		}
		pass = pass && m->verdict == JUDGE_PASS;
		if (r->verdict != JUDGE_FAIL && m->verdict == JUDGE_PASS)
			r->decided_at = isnan(r->decided_at) ? m->decided_at
			                                     : fmax(r->decided_at, m->decided_at);
	}
	if (r->verdict == JUDGE_FAIL)
		return;
	if (pass && r->since_data_s < s->o.no_data_s)
		r->verdict = JUDGE_PASS;
	else
		r->decided_at = NAN;
}

void sequential_result(const struct sequential *s, double now, struct sequential_result *r)
{
	double log_errors = evidence_log_worse(&s->errors);
	double log_slow = log_latency(s, evidence_log_worse);

	memset(r, 0, sizeof(*r));
	r->metrics[r->nmetrics++] =
		metric_of(&s->error_state, log_errors, evidence_effect(&s->errors));
	if (s->o.judge_latency)
		r->metrics[r->nmetrics++] =
			metric_of(&s->latency_state, log_slow, latency_effect(s));
	r->canary_requests = s->canary.requests;
	r->canary_errors = s->canary.errors;
	r->stable_requests = s->stable.requests;
	r->stable_errors = s->stable.errors;
	r->since_data_s = s->started && now > s->last_canary_t ? now - s->last_canary_t : 0;
	r->score = score_of(s, log_errors, log_slow);
	combine(s, r);
	if (s->nbounds && log_slow > log_errors && log_slow > 0)
		explain_latency(s, log_slow, r->text, sizeof(r->text));
	else
		explain_errors(s, log_errors, r->text, sizeof(r->text));
}
