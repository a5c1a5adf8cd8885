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
	         "canary errors %.1f %% vs %.1f %%, %ld of %ld requests%s", percent(c),
	         percent(&s->stable.cells[0]), lrint(c->bad), lrint(c->n), chance);
}

static void explain_latency(const struct sequential *s, struct sequential_metric *m)
{
	unsigned track = latency_loudest(s);
	char chance[32];

	if (!track || s->canary.cells[track].n <= 0) {
		snprintf(m->text, sizeof(m->text), "%s",
		         !s->canary_latency          ? "no latency of the canary"
		         : !s->stable_latency        ? "no latency of the stable version"
		         : !bounds_known(&s->bounds) ? "too few stable requests with a latency"
		         : !track                    ? "the versions have no bucket in common"
		                                     : "no latencies compared yet");
		return;
	}
	describe_chance(m->log_evidence, chance, sizeof(chance));
	snprintf(m->text, sizeof(m->text),
	         "canary slower than %.3g ms: %.1f %% vs %.1f %%, %ld requests%s",
	         1000 * bounds_at(&s->bounds, track - 1), percent(&s->canary.cells[track]),
	         percent(&s->stable.cells[track]), lrint(s->canary.cells[track].n), chance);
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

static bool has_latency(const struct sequential *s)
{
	return s->canary_latency || s->stable_latency;
}

static void fill_metrics(const struct sequential *s, struct sequential_result *r)
{
	const struct track *errors = &s->tracks[0];

	explain_errors(s, r,
	               add_metric(r, "errors", &s->errors, sequential_fail_at(s, SEQUENTIAL_ERRORS),
	                          errors->log_worse, evidence_effect(&errors->evidence)));
	if (has_latency(s))
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

/* One FAIL decides; PASS takes them all. */
static enum judge_verdict combined(const struct sequential *s)
{
	enum judge_verdict latency = has_latency(s) ? s->latency.verdict : JUDGE_PASS;

	if (s->errors.verdict == JUDGE_FAIL || latency == JUDGE_FAIL)
		return JUDGE_FAIL;
	return s->errors.verdict == JUDGE_PASS && latency == JUDGE_PASS ? JUDGE_PASS : JUDGE_NONE;
}

/* The first FAIL's time, or the last PASS's. */
static double combined_at(const struct sequential_result *r)
{
	double at = NAN;

	for (unsigned i = 0; i < r->nmetrics; i++) {
		const struct sequential_metric *m = &r->metrics[i];

		if (m->verdict == r->verdict)
			at = r->verdict == JUDGE_FAIL ? fmin(at, m->decided_at)
			                              : fmax(at, m->decided_at);
	}
	return r->verdict == JUDGE_NONE ? NAN : at;
}

static double since(const struct sequential *s, double now, double last)
{
	return s->started && now > last ? now - last : 0;
}

static bool canary_is_silent(const struct sequential *s, double now)
{
	return since(s, now, s->last_canary_t) >= s->o.no_data_s;
}

static bool stable_is_silent(const struct sequential *s, double now)
{
	return since(s, now, s->last_stable_t) >= s->o.no_stable_s;
}

/* Evidence of old days is no PASS of today. */
enum judge_verdict sequential_verdict(const struct sequential *s, double now)
{
	enum judge_verdict v = combined(s);

	if (v != JUDGE_FAIL && (canary_is_silent(s, now) || stable_is_silent(s, now)))
		return JUDGE_NONE;
	return v;
}

static void tell_silence(const struct sequential *s, double now, struct sequential_result *r)
{
	bool no_canary = canary_is_silent(s, now), no_stable = stable_is_silent(s, now);

	if (r->verdict == JUDGE_FAIL || (!no_canary && !no_stable))
		return;
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
	r->since_data_s = since(s, now, s->last_canary_t);
	r->since_stable_s = since(s, now, s->last_stable_t);
	r->verdict = sequential_verdict(s, now);
	r->decided_at = combined_at(r);
	choose_text(r);
	tell_silence(s, now, r);
}
