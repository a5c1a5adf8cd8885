#include "tidegate/judge/sequential.h"

#include <math.h>
#include <string.h>

#include "sequential_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* Share of bad requests that a canary without any must be shown to stay below, for PASS. */
#define BUDGET 0.01
/* Ticks at the beginning: a tenth of the time that has passed, so that an outage is seen at once.
 */
#define TICK_MIN_S  1.0
#define TICK_GROWTH 0.1
/* So long a stratum waits for its other side. */
#define PARTNER_S 30.0
/* So many requests of one look may be compared with those of later ones: too few to prove anything
 * when something came over both versions in between. */
#define FEW 10
/* Where the split changed: one chance in 40 that fewer came than are counted. */
#define SPLIT_SIGMAS 2
/* The margin does not grow beyond, whatever pods differ by. */
#define ERROR_MARGIN_MAX   4.0
#define LATENCY_MARGIN_MAX 8.0
/* Of alpha: errors are worse than slowness. */
#define ERRORS_PART 0.7
/* PASS must exclude clearly more than what is tolerated. */
#define HARM_OVER_MARGIN 1.5

void sequential_options_default(struct sequential_options *o)
{
	*o = (struct sequential_options){.alpha = 0.01,
	                                 .margin = 1.25,
	                                 .latency_margin = 1.15,
	                                 .pod_spread = 0.1,
	                                 .min_excess = 0.001,
	                                 .tick_s = 5,
	                                 .pass_psi = 2,
	                                 .pass_evidence = 20,
	                                 .no_data_s = 30,
	                                 .no_stable_s = 30,
	                                 .judge_latency = true};
}

static void set_null(struct sequential *s, unsigned track, double log_floor, double log_spread,
                     double max)
{
	struct evidence_null *null = &s->tracks[track].null;

	null->margin = fmin(exp(fmax(log_floor, log_spread)), fmax(max, exp(log_floor)));
	null->harm = fmax(s->o.pass_psi, HARM_OVER_MARGIN * null->margin);
}

struct sequential *sequential_new(const struct sequential_options *o)
{
	struct sequential *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	s->errors.decided_at = s->latency.decided_at = s->rest.since = NAN;
	for (unsigned i = 0; i < TRACKS; i++)
		s->tracks[i].null.phi = 1;
	set_null(s, 0, log(o->margin), spread_log_margin(NULL, 0, o->pod_spread), ERROR_MARGIN_MAX);
	return s;
}

void sequential_free(struct sequential *s)
{
	if (!s)
		return;
	free(s->strata);
	free(s);
}

static unsigned count_tracks(const struct sequential *s)
{
	return 1 + s->bounds.nused;
}

/* --- gathering --------------------------------------------------------------------------- */

/* What is beyond the last place shares it: strata are a refinement, not a condition. */
static unsigned stratum_index(struct sequential *s, const char *name)
{
	uint64_t key = str_hash_fast(name, strlen(name));

	for (unsigned i = 0; i < s->nstrata; i++)
		if (s->strata[i].key == key)
			return i;
	if (s->nstrata == STRATA_MAX)
		return STRATA_MAX - 1;
	s->strata = xreallocarray(s->strata, s->nstrata + 1, sizeof(*s->strata));
	s->strata[s->nstrata] = (struct stratum){.key = key, .since = NAN};
	return s->nstrata++;
}

/* NULL when there are too many: they count, but tell nothing of how pods differ. */
static struct pod_counts *pod_get(struct sequential *s, const struct sequential_sample *x,
                                  unsigned stratum)
{
	const char *name = str_or(x->pod, "");
	uint64_t key = str_hash_fast(name, strlen(name)) ^ x->canary;

	for (unsigned i = 0; i < s->npods; i++)
		if (s->pods[i].key == key)
			return &s->pods[i];
	if (s->npods == SPREAD_PODS)
		return NULL;
	s->pods[s->npods] = (struct pod_counts){
		.key = key, .canary = x->canary, .stratum = (unsigned char)stratum};
	return &s->pods[s->npods++];
}

static void gather_cell(struct side *side, struct pod_counts *pod, unsigned track, double n,
                        double bad)
{
	side->cells[track].n += n;
	side->cells[track].bad += bad;
	if (pod) {
		pod->n[track] += (float)n;
		pod->bad[track] += (float)bad;
	}
}

static void gather(struct sequential *s, const struct sequential_sample *x)
{
	unsigned index = stratum_index(s, str_or(x->stratum, ""));
	struct stratum *st = &s->strata[index];
	struct side *side = x->canary ? &st->canary : &st->stable;
	struct pod_counts *pod = pod_get(s, x, index);
	double seen, slower;

	/* Who has no requests waits for no partner. */
	if (isnan(st->since) && (x->requests > 0 || x->errors > 0))
		st->since = x->t;
	gather_cell(side, pod, 0, fmax(x->requests, x->errors), x->errors);
	for (unsigned i = 0; i < s->bounds.nused; i++)
		if (bounds_slower(&s->bounds, i, x, &seen, &slower))
			gather_cell(side, pod, 1 + i, seen, slower);
}

static double tick_after(const struct sequential *s, double t)
{
	double length = fmin(s->o.tick_s, fmax(TICK_MIN_S, TICK_GROWTH * (t - s->start)));

	return t + length;
}

static void start(struct sequential *s, double t)
{
	s->started = true;
	s->start = s->last_canary_t = s->last_stable_t = s->block_start = t;
	s->tick_end = tick_after(s, t);
}

static bool is_over(const struct sequential *s)
{
	return s->errors.verdict == JUDGE_FAIL || s->latency.verdict == JUDGE_FAIL;
}

void sequential_observe(struct sequential *s, const struct sequential_sample *x)
{
	double *last = x->canary ? &s->last_canary_t : &s->last_stable_t;

	if (!(x->requests >= 0) || !(x->errors >= 0) || x->nbuckets > JUDGE_BUCKETS_MAX)
		return;
	if (!s->started)
		start(s, x->t);
	sequential_advance(s, x->t);
	if (x->requests > 0)
		*last = fmax(*last, x->t);
	if (is_over(s))
		return;
	if (s->o.judge_latency) {
		*(x->canary ? &s->canary_latency : &s->stable_latency) |= x->nbuckets > 0;
		bounds_add(&s->bounds, x);
	}
	gather(s, x);
}

/* --- blocks: what the stable side shows of its own spread ------------------------------------ */

static double margin_of_pods(const struct sequential *s, unsigned track, double prior)
{
	struct spread_pod pods[SPREAD_PODS];

	for (unsigned i = 0; i < s->npods; i++)
		pods[i] = (struct spread_pod){.canary = s->pods[i].canary,
		                              .stratum = s->pods[i].stratum,
		                              .n = (double)s->pods[i].n[track],
		                              .bad = (double)s->pods[i].bad[track]};
	return spread_log_margin(pods, s->npods, prior);
}

/* The further out, the steeper: a tail that nothing was seen of yet is as steep as the one before.
 */
static void update_margins(struct sequential *s)
{
	double slope = 0, spread = log1p(s->o.pod_spread);

	set_null(s, 0, log(s->o.margin), margin_of_pods(s, 0, s->o.pod_spread), ERROR_MARGIN_MAX);
	for (unsigned i = 0; i < s->bounds.nused; i++) {
		slope = fmax(slope, bounds_slope(&s->bounds, i));
		set_null(s, 1 + i, fmax(log(s->o.margin), slope * log(s->o.latency_margin)),
		         margin_of_pods(s, 1 + i, slope * spread), LATENCY_MARGIN_MAX);
	}
}

static void close_block(struct sequential *s, double now)
{
	double length = now - s->block_start;
	double per_minute = s->block_canary * 60 / length;

	if (length < SPREAD_BLOCK_S)
		return;
	for (unsigned i = 0; i < count_tracks(s); i++) {
		struct track *t = &s->tracks[i];

		drift_add(&t->drift, t->block.n, t->block.bad);
		t->null.phi = drift_phi(&t->drift, per_minute);
		t->block = (struct cell){0, 0};
	}
	update_margins(s);
	s->block_start = now;
	s->block_canary = 0;
}

/* --- tables ------------------------------------------------------------------------------ */

static struct table2x2 make_table(const struct cell *canary, const struct cell *stable)
{
	struct table2x2 t = {lround(canary->n), lround(canary->bad), lround(stable->n),
	                     lround(stable->bad)};

	if (t.canary_bad > t.canary)
		t.canary_bad = t.canary;
	if (t.stable_bad > t.stable)
		t.stable_bad = t.stable;
	return t;
}

static void add_side(struct side *to, const struct side *from)
{
	for (unsigned i = 0; i < TRACKS; i++) {
		to->cells[i].n += from->cells[i].n;
		to->cells[i].bad += from->cells[i].bad;
	}
}

/* Against "at least BUDGET of the canary's requests are bad", for a tenth of it. */
static void add_budget(struct track *t, const struct cell *c)
{
	double p1 = BUDGET / 10;

	t->log_budget += c->bad * log(p1 / BUDGET) + (c->n - c->bad) * log((1 - p1) / (1 - BUDGET));
}

/* What the stable version's share will be, from what it was; 1 % before anything was seen. */
static double guess_share(const struct cell *past)
{
	return (past->bad + 0.2) / (past->n + 20);
}

/*
 * So many of the stable version's requests came while the canary's did, at least, as its share was
 * `split` at most. What is known is the canary's number only, so less two standard deviations.
 */
static double partners(double canary, double split)
{
	return (canary * (1 - split) - SPLIT_SIGMAS * sqrt(canary * (1 - split))) / split;
}

/*
 * An outage after the canary's share rose leaves the stable version the good requests that it had
 * before, and the canary none. These do not count; all bad ones do. False: nothing is left to
 * compare with.
 */
static bool leave_earlier_out(struct table2x2 *t, double split)
{
	long most = lround(partners((double)t->canary, split));

	if (most <= 0)
		return false;
	if (t->stable > most)
		t->stable = most > t->stable_bad ? most : t->stable_bad;
	return true;
}

static void add_table(struct sequential *s, unsigned track, const struct stratum *st)
{
	struct table2x2 table = make_table(&st->canary.cells[track], &st->stable.cells[track]);
	struct track *t = &s->tracks[track];

	if (!track)
		t->null.stable_share = guess_share(&s->stable.cells[0]);
	t->null.worse_only = st->split > 0;
	if (st->split <= 0 || leave_earlier_out(&table, st->split))
		evidence_add(&t->evidence, &table, &t->null);
	add_budget(t, &st->canary.cells[track]);
	t->block.n += st->stable.cells[track].n;
	t->block.bad += st->stable.cells[track].bad;
}

/* The table of one stratum, and room for the next one. */
static void compare(struct sequential *s, struct stratum *st)
{
	for (unsigned i = 0; i < count_tracks(s); i++)
		add_table(s, i, st);
	s->block_canary += st->canary.cells[0].n;
	add_side(&s->canary, &st->canary);
	add_side(&s->stable, &st->stable);
	*st = (struct stratum){.key = st->key, .since = NAN};
}

static bool has_both(const struct stratum *st)
{
	return st->canary.cells[0].n > 0 && st->stable.cells[0].n > 0;
}

/* A version that runs in other zones than its partner is compared with what is left elsewhere. */
static void give_up_partner(struct sequential *s, struct stratum *st)
{
	add_side(&s->rest.canary, &st->canary);
	add_side(&s->rest.stable, &st->stable);
	if (isnan(s->rest.since))
		s->rest.since = st->since;
	*st = (struct stratum){.key = st->key, .since = NAN};
}

/* A side that is alone is counted, for people, and forgotten. */
static void drop(struct sequential *s, struct stratum *st)
{
	add_side(&s->canary, &st->canary);
	add_side(&s->stable, &st->stable);
	*st = (struct stratum){.key = st->key, .since = NAN};
}

/* Where there is little traffic most looks have requests of one side only. */
static bool is_little(const struct stratum *st)
{
	return st->canary.cells[0].n + st->stable.cells[0].n <= FEW;
}

/* What is left of this look tells nothing of the next one; for how long it has been so stays. */
static void close_lonely_look(struct sequential *s, struct stratum *st, double now)
{
	double since = st->since;

	if (now - since >= PARTNER_S)
		give_up_partner(s, st);
	else if (!is_little(st))
		drop(s, st);
	st->since = since;
}

static void close_strata(struct sequential *s, double now)
{
	for (unsigned i = 0; i < s->nstrata; i++) {
		struct stratum *st = &s->strata[i];

		if (has_both(st))
			compare(s, st);
		else if (s->o.looks)
			close_lonely_look(s, st, now);
		else if (now - st->since >= PARTNER_S)
			give_up_partner(s, st);
	}
	if (has_both(&s->rest))
		compare(s, &s->rest);
	else if (s->o.looks ? !is_little(&s->rest) : now - s->rest.since >= 2 * PARTNER_S)
		drop(s, &s->rest);
}

/* --- decisions --------------------------------------------------------------------------- */

double sequential_fail_at(const struct sequential *s, enum sequential_which which)
{
	double part = which == SEQUENTIAL_ERRORS ? ERRORS_PART : 1 - ERRORS_PART;

	return -log(s->o.alpha * (s->o.judge_latency ? part : 1));
}

double latency_log_worse(const struct sequential *s)
{
	double v[BOUNDS_USED];

	if (!s->bounds.nused)
		return 0;
	for (unsigned i = 0; i < s->bounds.nused; i++)
		v[i] = s->tracks[1 + i].log_worse;
	return log_mean_exp(v, s->bounds.nused);
}

unsigned latency_loudest(const struct sequential *s)
{
	unsigned best = 0;

	for (unsigned i = 1; i <= s->bounds.nused; i++)
		if (!best || s->tracks[i].log_worse > s->tracks[best].log_worse)
			best = i;
	return best;
}

static double share(const struct cell *c)
{
	return c->n > 0 ? c->bad / c->n : 0;
}

/* A difference of a request in ten thousand is no reason to go back, however certain. */
static bool matters(const struct sequential *s, unsigned track)
{
	return share(&s->canary.cells[track]) - share(&s->stable.cells[track]) >= s->o.min_excess;
}

static bool is_fine(const struct sequential *s, unsigned track)
{
	const struct track *t = &s->tracks[track];
	double at = log(s->o.pass_evidence);

	return evidence_log_fine(&t->evidence) >= at || t->log_budget >= at;
}

static bool is_latency_fine(const struct sequential *s)
{
	for (unsigned i = 0; i < s->bounds.nused; i++)
		if (!is_fine(s, 1 + i))
			return false;
	return s->bounds.nused > 0;
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
	for (unsigned i = 0; i < count_tracks(s); i++)
		s->tracks[i].log_worse = evidence_log_worse(&s->tracks[i].evidence);
	decide(&s->errors,
	       s->tracks[0].log_worse >= sequential_fail_at(s, SEQUENTIAL_ERRORS) && matters(s, 0),
	       is_fine(s, 0), t);
	if (s->bounds.nused)
		decide(&s->latency,
		       latency_log_worse(s) >= sequential_fail_at(s, SEQUENTIAL_LATENCY) &&
		               matters(s, latency_loudest(s)),
		       is_latency_fine(s), t);
}

static void choose_bounds(struct sequential *s)
{
	if (!s->o.judge_latency || s->bounds.nused)
		return;
	bounds_choose(&s->bounds);
	if (s->bounds.nused)
		update_margins(s);
}

static void close_table(struct sequential *s, double t)
{
	if (is_over(s))
		return;
	close_strata(s, t);
	close_block(s, t);
	decide_all(s, t);
	choose_bounds(s);
}

void sequential_look_split(struct sequential *s, const char *stratum, double share)
{
	unsigned i = stratum ? stratum_index(s, stratum) : 0;
	struct stratum *st = stratum ? &s->strata[i] : &s->rest;

	st->split = fmax(st->split, share);
}

static void forget_splits(struct sequential *s)
{
	for (unsigned i = 0; i < s->nstrata; i++)
		s->strata[i].split = 0;
	s->rest.split = 0;
}

void sequential_look_end(struct sequential *s, double t)
{
	if (s->started)
		close_table(s, t);
	forget_splits(s);
}

void sequential_advance(struct sequential *s, double now)
{
	double end = s->tick_end;

	if (!s->started || s->o.looks || now < end)
		return;
	close_table(s, end);
	/* Ticks without a sample add nothing: go to the one that `now` is in. */
	s->tick_end = tick_after(s, end);
	if (s->tick_end <= now)
		s->tick_end = tick_after(s, now);
}
