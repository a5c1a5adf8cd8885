/*
 * Signals of a ModelDeployment. During a release: scrapes the pods of both revisions, feeds the
 * judge, and counts which share of the requests the canary really got since the route was last
 * changed. With objectives also before and after it, as long as something is stable, and while a
 * zone is on its way back.
 */
#include <math.h>
#include <string.h>

#include "analysis.h"
#include "internal.h"
#include "observe.h"
#include "score_groups.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/scoreplan.h"
#include "tidegate/reconcile/children.h"
#include "tidegate/signal/scrape.h"

#define SCRAPES_AT_ONCE 64
/* A gateway takes a moment to act on a route; what was counted from before does not show it. */
#define ROUTE_SETTLE_MS 300
/* The score text changes with every scrape; status shows it this often, or when the verdict
 * changes. */
#define TEXT_EVERY_MS 5000
/* A judge, its scrapes and its queries begin one after the other: silence is the younger by that.
 */
#define BEGINNING_MS 1000
/*
 * A changed verdict wakes the planner at once. Beyond that it looks at what has no moment of its
 * own (is_settled) soon after a change of the route, and the less often the longer that was ago.
 */
#define WAKE_EVERY_MS     1000
#define WAKE_EVERY_MAX_MS 10000
#define WAKE_EVERY_PART   60

struct observation {
	char *stable, *target;
	bool judging;
	char *policy; /* "uid/generation" of the ScorePolicy that is judged by, "" = built-in */
	struct sequential *judge;  /* of counts: this, or */
	struct split_watch split;  /* of what it compares */
	struct thresholds *limits; /* this, or neither */
	struct analysis *analysis; /* metrics by query; NULL without */
	struct drift *drift;       /* of scores; NULL without */
	char *scores;              /* its histogram at the pods */
	bool heard;                /* the judge, of any request of the canary */
	bool silent;               /* it has heard nothing for too long, or nothing yet */
	bool resumed_first;        /* no silence has ended but that of its beginning */
	bool chosen;               /* the canary's requests are of an audience: no sample of all */
	bool settled;              /* see is_settled() */
	bool mixed;            /* the look under way has requests of before and after split_ms */
	int64_t heard_ms;      /* monotonic: last requests of the canary, or the beginning */
	struct slo_watch *slo; /* NULL without objectives */
	struct return_watch *back; /* NULL while no zone comes back */
	int64_t split_ms;          /* wall: last change of what versions and zones get */
	struct map pods;           /* "ns/name" -> struct watched */
	double canary_requests, total_requests;
	bool counted; /* a reading since the route changed */
	int64_t since_ms, began_ms;
	int64_t resumed_ms;    /* end of the last such silence; 0 = none */
	int64_t began_mono_ms; /* began_ms, monotonic */
	int64_t began_step_ms; /* start of the step that was under way then; 0 = none */
	enum judge_verdict verdict;
	int64_t woken_ms, text_ms, looked_ms;
	int score;
	char text[256];
	struct score_groups groups;
};

struct observer {
	struct mdep_operator *op;
	struct scraper *scraper;
	struct map observations; /* key -> struct observation */
};

static void observation_free(void *arg)
{
	struct observation *o = arg;

	if (!o)
		return;
	map_release(&o->pods, free);
	split_watch_release(&o->split);
	sequential_free(o->judge);
	free(o->limits);
	analysis_free(o->analysis);
	free(o->drift);
	free(o->scores);
	score_groups_clear(&o->groups);
	slo_watch_free(o->slo);
	return_watch_free(o->back);
	free(o->policy);
	free(o->stable);
	free(o->target);
	free(o);
}

static struct observation *observation_new(void)
{
	struct observation *o = xcalloc(1, sizeof(*o));

	o->score = -1;
	map_init(&o->pods);
	return o;
}

static void judge_start(struct observer *ob, struct observation *o, const struct mdep *m,
                        const struct scorepolicy *policy, int64_t weight_set_ms)
{
	static const struct scorepolicy builtin = {
		.judge = SCOREPOLICY_SEQUENTIAL,
		.sequential = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, true},
		.thresholds = {NAN, NAN, NAN, NAN, NAN, NAN, false, false}};
	const struct scorepolicy *p = policy ? policy : &builtin;
	struct scoreplan plan;

	scoreplan_counts(p, &plan);
	plan.sequential.looks = true;
	if (p->judge == SCOREPOLICY_SEQUENTIAL)
		o->judge = sequential_new(&plan.sequential);
	if (p->judge == SCOREPOLICY_THRESHOLDS) {
		o->limits = xcalloc(1, sizeof(*o->limits));
		thresholds_init(o->limits, &plan.thresholds);
	}
	if (p->drift.metric) {
		o->drift = xcalloc(1, sizeof(*o->drift));
		drift_init(o->drift, &plan.drift);
		o->scores = xstrdup(p->drift.metric);
	}
	if (policy && policy->prometheus.url)
		o->analysis = analysis_new(ob->op, m, policy, o->stable, o->target);
	o->judging = true;
	o->since_ms = weight_set_ms;
	o->heard_ms = clock_mono_ms(); /* one that is never heard of is silent since now */
}

static void judge_end(struct observation *o)
{
	split_watch_release(&o->split);
	sequential_free(o->judge);
	free(o->limits);
	analysis_free(o->analysis);
	free(o->drift);
	free(o->scores);
	o->judge = NULL;
	o->drift = NULL;
	o->scores = NULL;
	o->limits = NULL;
	o->analysis = NULL;
	o->judging = false;
	o->canary_requests = o->total_requests = 0;
	o->counted = false;
	o->since_ms = o->woken_ms = o->text_ms = 0;
	o->verdict = JUDGE_NONE;
	o->score = -1;
	o->text[0] = '\0';
	score_groups_clear(&o->groups);
}

/* --- readings ---------------------------------------------------------------------------- */

static struct sequential_sample sample_of(const struct watched *w, const struct scrape_reading *r)
{
	struct sequential_sample x = {.t = (double)r->wall_ms / 1000.0,
	                              .stratum = w->zone,
	                              .pod = r->pod,
	                              .canary = w->canary,
	                              .requests = r->increment->requests,
	                              .errors = r->increment->errors,
	                              .nbuckets = r->increment->nbuckets};

	_Static_assert(COUNTS_BUCKETS_MAX <= JUDGE_BUCKETS_MAX, "buckets fit");
	memcpy(x.bounds, r->increment->bounds, sizeof(double) * x.nbuckets);
	memcpy(x.counts, r->increment->buckets, sizeof(double) * x.nbuckets);
	return x;
}

static void feed_judge(struct observation *o, const struct watched *w,
                       const struct scrape_reading *r, const struct sequential_sample *x)
{
	if (o->judge && r->whole)
		sequential_observe(o->judge, x);
	if (o->limits)
		thresholds_observe(o->limits, x);
	if (o->analysis)
		analysis_count(o->analysis, w->canary, x->requests);
	if (o->drift && r->scores && !o->chosen)
		drift_observe(o->drift, w->canary, r->scores->n, r->scores->bounds,
		              r->scores->counts);
	if (w->canary && x->requests > 0)
		o->heard_ms = clock_mono_ms();
}

static void count_share(struct observation *o, const struct watched *w,
                        const struct scrape_reading *r)
{
	if (!o->since_ms || w->last_ms < o->since_ms + ROUTE_SETTLE_MS)
		return;
	o->counted = true;
	o->total_requests += r->increment->requests;
	if (w->canary)
		o->canary_requests += r->increment->requests;
}

/* --- dark zones -------------------------------------------------------------------------- */

/* The zone has nodes and none of them is Ready. */
static bool nodes_are_gone(const struct mdep_operator *op, const char *zone)
{
	const struct object *o;
	bool any = false;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_NODE], &it))) {
		const struct node *n = (const struct node *)o;

		if (!str_eq(n->zone, zone))
			continue;
		if (n->ready)
			return false;
		any = true;
	}
	return any;
}

static const char *dark_zone(const struct mdep_operator *op, const struct observation *o,
                             const struct mdep *m)
{
	for (unsigned i = 0; i < m->nzones; i++)
		if (watched_silent(&o->pods, m->zones[i].name) ||
		    nodes_are_gone(op, m->zones[i].name))
			return m->zones[i].name;
	return NULL;
}

/* --- waking ------------------------------------------------------------------------------ */

static int64_t wake_every_ms(const struct observation *o, int64_t now_ms)
{
	int64_t since = o->since_ms > o->began_ms ? o->since_ms : o->began_ms;

	return easing_ms(now_ms - since, WAKE_EVERY_PART, WAKE_EVERY_MS, WAKE_EVERY_MAX_MS);
}

static bool verdict_changed(const struct observation *o, int64_t now_ms)
{
	return o->judging && observe_verdict(o->judge, o->limits, now_ms) != o->verdict;
}

static void take_figures(struct observation *o, int64_t now_ms, const struct sequential_result *res,
                         const struct drift_result *d, const struct analysis_view *v)
{
	if (res->verdict == o->verdict && now_ms - o->text_ms < TEXT_EVERY_MS)
		return;
	o->verdict = res->verdict;
	o->text_ms = now_ms;
	o->score = res->score;
	str_copy(o->text, sizeof(o->text), res->text);
	score_groups_take(&o->groups, res, d, v);
}

/* More than words has changed, or may while the canary is not heard. */
static bool matters(struct observation *o, int64_t now_ms)
{
	int64_t silent_ms = clock_mono_ms() - o->heard_ms;
	struct analysis_view none = {.score = -1};
	struct sequential_result res;
	int score = o->score;

	if (!o->settled || silent_ms >= WAKE_EVERY_MAX_MS)
		return true;
	observe_counts(o->judge, o->limits, silent_ms, now_ms, &res);
	take_figures(o, now_ms, &res, NULL, &none);
	return o->score != score;
}

static bool slo_news(struct observation *o, int64_t now_ms)
{
	if (!o->slo || now_ms - o->looked_ms < WAKE_EVERY_MS)
		return false;
	o->looked_ms = now_ms;
	return slo_watch_news(o->slo, now_ms);
}

static void wake(struct observer *ob, const char *key, struct observation *o, int64_t now_ms)
{
	bool due = o->judging && now_ms - o->woken_ms >= wake_every_ms(o, now_ms);
	bool slo = slo_news(o, now_ms), news = slo || verdict_changed(o, now_ms);

	if (!due && !news)
		return;
	o->woken_ms = now_ms;
	if (news || matters(o, now_ms))
		operator_enqueue(ob->op, key);
	else
		status_look(ob->op, key);
}

static void feed_judges(struct observation *o, const struct watched *w,
                        const struct scrape_reading *r)
{
	struct sequential_sample x = sample_of(w, r);

	if (o->judging)
		feed_judge(o, w, r, &x);
	if (o->back && r->whole && !w->canary)
		return_watch_feed(o->back, &x);
}

static void on_increment(struct observer *ob, struct observation *o, const struct watched *w,
                         const struct scrape_reading *r)
{
	o->mixed |= r->whole && w->last_ms < o->split_ms + ROUTE_SETTLE_MS;
	if (o->judging || o->back)
		feed_judges(o, w, r);
	if (o->judging)
		count_share(o, w, r);
	if (o->slo && slo_watch_feed(o->slo, w->canary, w->zone, r->wall_ms, r->increment))
		operator_enqueue(ob->op, r->group);
}

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct observer *ob = arg;
	struct observation *o = map_get(&ob->observations, r->group);
	struct watched *w = o ? map_get(&o->pods, r->pod) : NULL;

	if (!w)
		return;
	if (!r->total) {
		w->failing = w->last_ms != 0;
		return;
	}
	w->failing = false;
	if (r->increment && r->increment->known)
		on_increment(ob, o, w, r);
	w->last_ms = r->wall_ms;
}

/* Judges decide on complete looks only: what they were fed in mid-round is of no use yet. */
static void on_round(void *arg, const char *group)
{
	struct observer *ob = arg;
	struct observation *o = map_get(&ob->observations, group);
	int64_t now = clock_wall_ms();
	double t = (double)now / 1000;

	if (!o)
		return;
	if (o->judge) {
		split_watch_look_end(&o->split, o->mixed, o->judge);
		sequential_look_end(o->judge, t);
	}
	if (o->back && return_watch_look_end(o->back, t, o->mixed))
		operator_enqueue(ob->op, group);
	o->mixed = false;
	wake(ob, group, o, now);
}

/* --- targets ----------------------------------------------------------------------------- */

static void watch_pods(struct observer *ob, const char *key, struct observation *o,
                       const struct rollout_snapshot *s, struct arena *a)
{
	const struct mdep *m = s->mdep;
	struct scrape_target *targets;
	unsigned n = 0, max = 0;

	for (unsigned i = 0; i < s->ncells; i++)
		max += s->cells[i].npods;
	targets = arena_array(a, max, sizeof(*targets));
	for (unsigned i = 0; i < s->ncells; i++) {
		const struct rollout_cell *c = &s->cells[i];
		/* After a promotion both names are the stable one's. */
		bool stable = str_eq(c->revision, o->stable);
		bool canary = !stable && str_eq(c->revision, o->target);

		if (!canary && !stable)
			continue;
		for (unsigned j = 0; j < c->npods; j++) {
			const struct pod *p = c->pods[j];
			struct watched *w = map_get(&o->pods, p->meta.key);

			if (p->phase != POD_RUNNING || p->meta.deleted_ms ||
			    !serving_target(ob->op, a, m, p, &targets[n]))
				continue;
			n++;
			if (!w) {
				w = xcalloc(1, sizeof(*w));
				map_set(&o->pods, p->meta.key, w);
			}
			w->canary = canary;
			w->marked = true;
			str_copy(w->zone, sizeof(w->zone), c->zone);
		}
	}
	watched_sweep(&o->pods);
	scraper_set(ob->scraper, key, m->canary.interval_ms, targets, n);
}

bool observer_can_scrape(const struct mdep *m)
{
	const struct preset *p = preset_get(m->runtime);

	return p->requests_metric && (m->metrics_path || p->metrics_path);
}

/* By counts that the pods tell, or by what Prometheus is asked. */
static bool can_judge(const struct mdep *m, const struct policy_view *v)
{
	return observer_can_scrape(m) || (v->policy && scorepolicy_has_series(v->policy));
}

/* The target has, or is about to get, requests that it answers for. */
static bool releasing(const struct mdep_status *st)
{
	if (st->phase == ROLLOUT_ROLLING_BACK)
		return st->weight > 0;
	return st->phase != ROLLOUT_IDLE && st->phase != ROLLOUT_ROLLED_BACK &&
	       st->phase != ROLLOUT_ABORTED;
}

/* Another text of the policy is another judge: evidence for one is none for the other. */
static void set_judge(struct observer *ob, struct observation *o, const struct rollout_snapshot *s,
                      const struct rollout_plan *plan, const struct scorepolicy *policy,
                      bool other_pair)
{
	cleanup_free char *tag =
		policy ? xasprintf("%s/%lld", policy->meta.uid, (long long)policy->meta.generation)
		       : xstrdup("");

	if (o->judging && (!plan->judge || other_pair || !str_eq(o->policy, tag)))
		judge_end(o);
	if (!plan->judge || o->judging)
		return;
	xstr_replace(&o->policy, tag);
	o->began_ms = s->now_ms;
	o->began_step_ms = str_eq(s->mdep->status.target, plan->status.target)
	                           ? s->mdep->status.step_started_ms
	                           : 0;
	o->began_mono_ms = clock_mono_ms();
	o->heard = false;
	o->silent = true;
	o->resumed_ms = 0;
	judge_start(ob, o, s->mdep, policy, plan->status.weight_set_ms);
}

static void set_slo(struct observation *o, const struct mdep *m, const struct mdep_status *st,
                    int64_t now_ms)
{
	if (o->slo && !slo_watch_fits(o->slo, m)) {
		slo_watch_free(o->slo);
		o->slo = NULL;
	}
	if (!m->slo.n)
		return;
	if (!o->slo)
		o->slo = slo_watch_new(m, now_ms);
	slo_watch_revisions(o->slo, st->stable, releasing(st) ? st->target : NULL);
}

/*
 * The weight has been seen and the step has been heard of: what is left are verdict and score, and
 * times that the plan names. Other sources than the judge of counts have more to tell.
 */
static bool is_settled(const struct observation *o, const struct rollout_snapshot *s,
                       const struct mdep_status *st)
{
	const struct rollout_judgement *j = &s->judgement;
	bool waits = st->phase == ROLLOUT_HOLDING || st->phase == ROLLOUT_APPROVAL ||
	             st->phase == ROLLOUT_PAUSED;

	return waits && o->judge && !o->analysis && !o->drift && j->judging &&
	       st->weight == st->verified_weight &&
	       s->now_ms - j->since_data_ms > st->step_reached_ms;
}

/* A new split may be in force as soon as it is planned: its write may be answered late. */
static void set_split(struct observation *o, const struct rollout_snapshot *s,
                      const struct rollout_plan *plan)
{
	bool changed = o->judge && split_watch_set(&o->split, s, plan);

	changed |= o->back && return_watch_split(o->back, s, plan);
	if (changed)
		o->split_ms = s->now_ms;
}

static bool is_chosen(const struct mdep *m, const struct mdep_status *st)
{
	return st->step >= 0 && st->step < (int)m->nsteps && m->steps[st->step].nheaders > 0;
}

void observer_set(struct observer *ob, const char *key, const struct rollout_snapshot *s,
                  const struct rollout_plan *plan, const struct policy_view *policy)
{
	struct observation *o = map_get(&ob->observations, key);
	const struct mdep_status *st = &plan->status;
	cleanup_arena struct arena a;
	bool other_pair;

	arena_init(&a, 8192);
	if (!st->stable || !st->target || !can_judge(s->mdep, policy) ||
	    (!plan->judge && !s->mdep->slo.n && !return_watch_wanted(st))) {
		observer_forget(ob, key);
		return;
	}
	if (!o) {
		o = observation_new();
		map_set(&ob->observations, key, o);
	}
	other_pair = !str_eq(o->stable, st->stable) || !str_eq(o->target, st->target);
	xstr_replace(&o->stable, st->stable);
	xstr_replace(&o->target, st->target);
	set_judge(ob, o, s, plan, policy->policy, other_pair);
	set_slo(o, s->mdep, st, s->now_ms);
	o->back = return_watch_set(o->back, st);
	set_split(o, s, plan);
	o->chosen = is_chosen(s->mdep, st);
	o->settled = is_settled(o, s, st);
	if (observer_can_scrape(s->mdep)) {
		watch_pods(ob, key, o, s, &a);
		scraper_scores(ob->scraper, key, o->scores);
	}
}

void observer_forget(struct observer *ob, const char *key)
{
	if (!map_get(&ob->observations, key))
		return;
	scraper_set(ob->scraper, key, 0, NULL, 0);
	observation_free(map_del(&ob->observations, key));
}

void observer_route_changed(struct observer *ob, const char *key, int64_t wall_ms)
{
	struct observation *o = map_get(&ob->observations, key);

	if (!o)
		return;
	o->split_ms = wall_ms;
	if (!o->judging)
		return;
	o->since_ms = wall_ms;
	o->canary_requests = o->total_requests = 0;
	o->counted = false;
}

/* --- zones ------------------------------------------------------------------------------- */

const char *observer_zone_misses(const struct observer *ob, const char *key, const char *zone)
{
	const struct observation *o = map_get(&ob->observations, key);

	return o && o->slo ? slo_watch_zone_misses(o->slo, zone) : NULL;
}

const char *observer_zone_worse(const struct observer *ob, const char *key, const char *zone)
{
	const struct observation *o = map_get(&ob->observations, key);

	return o && o->back ? return_watch_worse(o->back, zone) : NULL;
}

void observer_zone_forget(struct observer *ob, const char *key, const char *zone)
{
	struct observation *o = map_get(&ob->observations, key);

	if (o && o->slo)
		slo_watch_zone_forget(o->slo, zone);
}

/* --- what the planner gets --------------------------------------------------------------- */

static enum rollout_verdict to_rollout(enum judge_verdict v)
{
	switch (v) {
	case JUDGE_FAIL:
		return VERDICT_FAIL;
	case JUDGE_PASS:
		return VERDICT_PASS;
	case JUDGE_NONE:
		break;
	}
	return VERDICT_NONE;
}

/* Both in one: the worse verdict, the lower score, and words of who speaks loudest. */
static void combine(const struct observation *o, struct sequential_result *res,
                    const struct analysis_view *v)
{
	bool counts = o->judge || o->limits;
	char text[sizeof(res->text)];

	str_copy(text, sizeof(text), res->text);
	if (v->verdict == JUDGE_FAIL && res->verdict != JUDGE_FAIL)
		snprintf(res->text, sizeof(res->text), "%s", v->text);
	else if (res->verdict != JUDGE_FAIL && *v->text)
		snprintf(res->text, sizeof(res->text), "%.150s%s%.100s", text, *text ? "; " : "",
		         v->text);
	if (v->verdict == JUDGE_FAIL || res->verdict == JUDGE_FAIL)
		res->verdict = JUDGE_FAIL;
	else if (v->verdict == JUDGE_NONE || (counts && res->verdict == JUDGE_NONE))
		res->verdict = JUDGE_NONE;
	else
		res->verdict = JUDGE_PASS;
	if (v->score >= 0 && (res->score < 0 || v->score < res->score))
		res->score = v->score;
	res->since_data_s = fmax(res->since_data_s, (double)v->since_data_ms / 1000.0);
}

/* Scores that have moved are a failure; before they were compared there is no PASS. */
static void combine_drift(struct sequential_result *res, const struct drift_result *d)
{
	if (d->verdict == JUDGE_FAIL && res->verdict != JUDGE_FAIL)
		str_copy(res->text, sizeof(res->text), d->text);
	if (d->verdict == JUDGE_FAIL)
		res->verdict = JUDGE_FAIL;
	else if (d->verdict == JUDGE_NONE && res->verdict == JUDGE_PASS)
		res->verdict = JUDGE_NONE;
	if (d->score >= 0 && (res->score < 0 || d->score < res->score))
		res->score = d->score;
}

static void judge_all(struct observation *o, int64_t now_ms, struct sequential_result *res,
                      struct drift_result *d, struct analysis_view *v)
{
	*v = (struct analysis_view){.score = -1};
	observe_counts(o->judge, o->limits, clock_mono_ms() - o->heard_ms, now_ms, res);
	if (o->analysis)
		analysis_read(o->analysis, now_ms, v);
	if (o->analysis && analysis_has_series(o->analysis))
		combine(o, res, v);
	if (!o->drift)
		return;
	drift_result(o->drift, o->scores, d);
	combine_drift(res, d);
}

static void note_silence(struct observation *o, int64_t now_ms, struct rollout_judgement *j)
{
	int64_t age_ms = clock_mono_ms() - o->began_mono_ms;
	bool heard = o->heard || j->since_data_ms + BEGINNING_MS < age_ms;
	bool silent = !heard || j->since_data_ms > ROLLOUT_NO_DATA_MS;

	if (o->silent && !silent) {
		o->resumed_first = !o->heard;
		o->resumed_ms = now_ms;
	}
	o->silent = silent;
	j->heard = o->heard = heard;
	j->resumed_ms = o->resumed_ms;
	j->resumed_first = o->resumed_first;
}

static void read_judge(struct observation *o, struct arena *a, struct rollout_snapshot *s)
{
	struct rollout_judgement *j = &s->judgement;
	struct sequential_result res;
	struct drift_result d;
	struct analysis_view v;

	judge_all(o, s->now_ms, &res, &d, &v);
	take_figures(o, s->now_ms, &res, o->drift ? &d : NULL, &v);
	j->can_judge = j->judging = true;
	j->verdict = to_rollout(res.verdict);
	j->score = o->score;
	j->text = arena_strdup(a, o->text);
	j->since_data_ms = llround(res.since_data_s * 1000.0);
	j->began_ms = o->began_ms;
	j->began_step_ms = o->began_step_ms;
	note_silence(o, s->now_ms, j);
	j->compared = v.compares;
	j->disagree = arena_strdup(a, v.disagree);
	if (!j->held)
		j->held = arena_strdup(a, v.held);
	/* What was asked for cannot be looked at: no step ends, unless nobody minds. */
	if (!j->held && s->mdep->canary.on_no_data != NO_DATA_PROCEED)
		j->held = arena_strdup(a, v.failing);
	j->groups = score_groups_copy(&o->groups, a);
	j->ngroups = o->groups.n;
	if (o->counted) {
		s->traffic.canary_requests = llround(o->canary_requests);
		s->traffic.total_requests = llround(o->total_requests);
	}
}

/* Asked only when it matters: a breach while a zone is dark is nobody's but the zone's. */
static void read_slo(struct observer *ob, struct observation *o, struct arena *a,
                     struct rollout_snapshot *s)
{
	const char *zone;

	slo_watch_read(o->slo, s->now_ms, a, &s->slo);
	if (!s->slo.breach)
		return;
	zone = dark_zone(ob->op, o, s->mdep);
	if (zone)
		slo_watch_excuse(o->slo, s->now_ms, zone);
	slo_watch_read(o->slo, s->now_ms, a, &s->slo);
	if (s->slo.held)
		slo_watch_forget(o->slo);
}

void observer_read(struct observer *ob, const char *key, struct arena *a,
                   const struct policy_view *policy, struct rollout_snapshot *s)
{
	struct observation *o = map_get(&ob->observations, key);

	s->judgement.held = policy->held;
	s->judgement.can_judge = can_judge(s->mdep, policy);
	if (!o)
		return;
	if (o->judging)
		read_judge(o, a, s);
	if (o->slo)
		read_slo(ob, o, a, s);
}

struct observer *observer_new(struct mdep_operator *op, struct err *err)
{
	struct observer *ob = xcalloc(1, sizeof(*ob));

	ob->op = op;
	map_init(&ob->observations);
	ob->scraper = scraper_new(op->loop, SCRAPES_AT_ONCE, on_reading, ob, err);
	if (!ob->scraper) {
		free(ob);
		return NULL;
	}
	scraper_on_round(ob->scraper, on_round);
	return ob;
}

void observer_free(struct observer *ob)
{
	if (!ob)
		return;
	scraper_free(ob->scraper);
	map_release(&ob->observations, observation_free);
	free(ob);
}
