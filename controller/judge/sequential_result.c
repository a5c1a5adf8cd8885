/* What the sequential judge says, in numbers and in plain words. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sequential_internal.h"
#include "tidegate/base/str.h"

const char *judge_verdict_name(enum judge_verdict v)
{
	static const char *const names[] = {"NONE", "PASS", "FAIL"};

	return names[v];
}

static double percent(const struct cell *c)
{
	return c->n > 0 ? 100 * c->bad / c->n : 0;
}

/* ", p<1e-5": an e-value of E bounds the chance by 1/E, at whatever time it is read. */
static void describe_chance(double log_e, char *out, size_t size)
{
	int zeros = log_e > 0 ? (int)(log_e / log(10)) : 0;

	out[0] = '\0';
	if (zeros > 0)
		snprintf(out, size, ", p<1e-%d", zeros > 300 ? 300 : zeros);
}

static void explain_errors(const struct sequential *s, const struct sequential_result *r,
                           struct sequential_metric *m)
{
	const struct cell *c = &s->canary.cells[0];
	char chance[32];

	if (c->n <= 0) {
		snprintf(m->text, sizeof(m->text),
		         "nothing to compare yet: %.0f canary and %.0f stable requests",
		         r->canary_requests, r->stable_requests);
		return;
	}
	describe_chance(m->log_evidence, chance, sizeof(chance));
	snprintf(m->text, sizeof(m->text),
	         "canary errors %.1f %% vs %.1f %%, %.0f of %.0f requests%s", percent(c),
	         percent(&s->stable.cells[0]), c->bad, c->n, chance);
}

static void explain_latency(const struct sequential *s, struct sequential_metric *m)
{
	unsigned track = latency_loudest(s);
	char chance[32];

	if (!track || s->canary.cells[track].n <= 0) {
		snprintf(m->text, sizeof(m->text), "%s",
		         !s->canary_latency   ? "no latency of the canary"
		         : !s->stable_latency ? "no latency of the stable version"
		         : !track             ? "too few stable requests with a latency"
		                              : "the versions have no bucket in common");
		return;
	}
	describe_chance(m->log_evidence, chance, sizeof(chance));
	snprintf(m->text, sizeof(m->text),
	         "canary slower than %.3g ms: %.1f %% vs %.1f %%, %.0f requests%s",
	         1000 * bounds_at(&s->bounds, track - 1), percent(&s->canary.cells[track]),
	         percent(&s->stable.cells[track]), s->canary.cells[track].n, chance);
}

static int score_of(double log_evidence, double fail_at)
{
	return (int)lround(100 * (1 - fmin(1, fmax(0, log_evidence / fail_at))));
}

static struct sequential_metric *add_metric(struct sequential_result *r, const char *name,
                                            const struct metric_state *state, double fail_at,
                                            double log_evidence, double effect)
{
	struct sequential_metric *m = &r->metrics[r->nmetrics++];

	m->name = name;
	m->verdict = state->verdict;
	m->decided_at = state->decided_at;
	m->log_evidence = log_evidence;
	m->effect = effect;
	m->score = state->verdict == JUDGE_FAIL ? 0 : score_of(log_evidence, fail_at);
	return m;
}

static double latency_effect(const struct sequential *s)
{
	unsigned track = latency_loudest(s);

	return track ? evidence_effect(&s->tracks[track].evidence) : 1;
}

static void fill_metrics(const struct sequential *s, struct sequential_result *r)
{
	const struct evidence *errors = &s->tracks[0].evidence;

	explain_errors(s, r,
	               add_metric(r, "errors", &s->errors, sequential_fail_at(s, SEQUENTIAL_ERRORS),
	                          evidence_log_worse(errors), evidence_effect(errors)));
	if (s->canary_latency || s->stable_latency)
		explain_latency(s, add_metric(r, "latency", &s->latency,
		                              sequential_fail_at(s, SEQUENTIAL_LATENCY),
		                              latency_log_worse(s), latency_effect(s)));
}

/* Totals hold what was compared; what still waits counts too. */
static void fill_counts(const struct sequential *s, struct sequential_result *r)
{
	struct cell canary = s->canary.cells[0], stable = s->stable.cells[0];

	for (unsigned i = 0; i <= s->nstrata; i++) {
		const struct stratum *st = i < s->nstrata ? &s->strata[i] : &s->rest;

		canary.n += st->canary.cells[0].n;
		canary.bad += st->canary.cells[0].bad;
		stable.n += st->stable.cells[0].n;
		stable.bad += st->stable.cells[0].bad;
	}
	r->canary_requests = canary.n;
	r->canary_errors = canary.bad;
	r->stable_requests = stable.n;
	r->stable_errors = stable.bad;
}

/* The first FAIL decides; PASS is the last one to come. */
static void combine(struct sequential_result *r)
{
	unsigned passed = 0;
	double last = NAN;

	r->verdict = JUDGE_NONE;
	r->decided_at = NAN;
	for (unsigned i = 0; i < r->nmetrics; i++) {
		const struct sequential_metric *m = &r->metrics[i];

		passed += m->verdict == JUDGE_PASS;
		last = fmax(last, m->decided_at);
		if (m->verdict != JUDGE_FAIL)
			continue;
		r->verdict = JUDGE_FAIL;
		r->decided_at = fmin(r->decided_at, m->decided_at);
	}
	if (r->verdict == JUDGE_FAIL || passed < r->nmetrics)
		return;
	r->verdict = JUDGE_PASS;
	r->decided_at = last;
}

/* Evidence of old days is no PASS of today. */
static void require_data(const struct sequential *s, struct sequential_result *r)
{
	bool no_canary = r->since_data_s >= s->o.no_data_s;
	bool no_stable = r->since_stable_s >= s->o.no_stable_s;

	if (r->verdict == JUDGE_FAIL || (!no_canary && !no_stable))
		return;
	r->verdict = JUDGE_NONE;
	r->decided_at = NAN;
	snprintf(r->text, sizeof(r->text), "no %s requests for %.0f s",
	         no_canary && no_stable ? "canary or stable"
	         : no_canary            ? "canary"
	                                : "stable",
	         no_canary ? r->since_data_s : r->since_stable_s);
}

static void choose_text(struct sequential_result *r)
{
	const struct sequential_metric *loudest = &r->metrics[0];

	r->score = 100;
	for (unsigned i = 0; i < r->nmetrics; i++) {
		const struct sequential_metric *m = &r->metrics[i];

		if (m->score < r->score)
			r->score = m->score;
		if (m->log_evidence > loudest->log_evidence && m->log_evidence > 0)
			loudest = m;
	}
	str_copy(r->text, sizeof(r->text), loudest->text);
}

void sequential_result(const struct sequential *s, double now, struct sequential_result *r)
{
	memset(r, 0, sizeof(*r));
	fill_counts(s, r);
	fill_metrics(s, r);
	r->since_data_s = s->started && now > s->last_canary_t ? now - s->last_canary_t : 0;
	r->since_stable_s = s->started && now > s->last_stable_t ? now - s->last_stable_t : 0;
	combine(r);
	choose_text(r);
	require_data(s, r);
}
