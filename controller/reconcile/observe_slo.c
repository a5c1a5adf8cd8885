/*
 * Objectives of one ModelDeployment: every scrape of its pods is counted against them. Each
 * revision has burn windows of its own, so that a breach is always somebody's; the budget is the
 * service's and lives in status beyond restarts.
 */
#include <math.h>
#include <string.h>

#include "internal.h"
#include "observe.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/miss.h"
#include "tidegate/judge/burn.h"

/* Figures change with every scrape; status shows them this often, or when a breach begins or ends.
 */
#define FIGURES_EVERY_MS 60000
/* What a dark zone leaves behind (full queues, cold caches, retries) is its doing for so long. */
#define EXCUSE_MS 120000

struct side {
	char *revision;
	struct burn *burns[MDEP_OBJECTIVES_MAX];
};

struct slo_watch {
	unsigned n;
	struct mdep_objective objectives[MDEP_OBJECTIVES_MAX]; /* names are our own */
	struct burn *service[MDEP_OBJECTIVES_MAX];
	struct miss misses[MDEP_OBJECTIVES_MAX]; /* of the stable revision */
	struct side stable, target;
	int64_t excused_ms; /* last time that a zone was dark */
	char excuse[96];
	char *held_revision, held[192]; /* last breach that was not acted on; NULL = none */
	int64_t figures_ms;
	struct mdep_objective_status figures[MDEP_OBJECTIVES_MAX];
	char *counted_stable, *counted_target; /* the revisions they are of */
	bool breach;
};

static void side_release(struct side *s)
{
	for (unsigned i = 0; i < MDEP_OBJECTIVES_MAX; i++)
		burn_free(s->burns[i]);
	free(s->revision);
	*s = (struct side){NULL, {NULL}};
}

static void side_begin(const struct slo_watch *w, struct side *s, const char *revision)
{
	side_release(s);
	if (!revision)
		return;
	s->revision = xstrdup(revision);
	for (unsigned i = 0; i < w->n; i++)
		s->burns[i] = burn_new(w->objectives[i].target);
}

static const struct mdep_objective_status *recorded(const struct mdep_status *st, const char *name)
{
	for (unsigned i = 0; i < st->nobjectives; i++)
		if (str_eq(st->objectives[i].name, name))
			return &st->objectives[i];
	return NULL;
}

static void restore(struct slo_watch *w, unsigned i, const struct mdep_status *st, int64_t now_ms)
{
	const struct mdep_objective_status *r = recorded(st, w->objectives[i].name);

	if (r)
		burn_restore(w->service[i], (double)r->since_ms / 1000, (double)now_ms / 1000,
		             (double)r->requests, (double)r->bad);
}

static void resume(struct burn *b, const struct mdep_recent_counts *c, int64_t counted_ms)
{
	struct burn_recent r = {.since = (double)c->since_ms / 1000,
	                        .t = (double)counted_ms / 1000};

	_Static_assert(BURN_RECENT == MDEP_RECENT_MAX, "status keeps every stretch");
	for (unsigned k = 0; k < BURN_RECENT; k++) {
		r.requests[k] = c->requests[k];
		r.bad[k] = c->bad[k];
	}
	if (b)
		burn_resume(b, &r);
}

/*
 * Status is counted once a minute, and by then the revisions may be others: what stands there as
 * the target's is the stable one's after a promotion, and nobody's when another release began.
 */
static void resume_side(struct side *s, unsigned i, const struct mdep_objective_status *r,
                        int64_t counted_ms)
{
	if (!s->revision)
		return;
	if (str_eq(r->stable.revision, s->revision))
		resume(s->burns[i], &r->stable, counted_ms);
	else if (str_eq(r->target.revision, s->revision))
		resume(s->burns[i], &r->target, counted_ms);
}

/*
 * The windows go on where another leader's ended. Not when the spec is another one than it knew:
 * its counts may be those of another threshold.
 */
static void resume_windows(struct slo_watch *w, const struct mdep *m)
{
	const struct mdep_status *st = &m->status;

	if (st->observed_generation != m->meta.generation || !st->counted_ms)
		return;
	side_begin(w, &w->stable, st->stable);
	side_begin(w, &w->target, st->target);
	for (unsigned i = 0; i < w->n; i++) {
		const struct mdep_objective_status *r = recorded(st, w->objectives[i].name);

		if (!r)
			continue;
		resume(w->service[i], &r->all, st->counted_ms);
		resume_side(&w->stable, i, r, st->counted_ms);
		resume_side(&w->target, i, r, st->counted_ms);
	}
}

struct slo_watch *slo_watch_new(const struct mdep *m, int64_t now_ms)
{
	struct slo_watch *w = xcalloc(1, sizeof(*w));

	w->n = m->slo.n;
	for (unsigned i = 0; i < w->n; i++) {
		w->objectives[i] = m->slo.objectives[i];
		w->objectives[i].name = xstrdup(m->slo.objectives[i].name);
		w->service[i] = burn_new(w->objectives[i].target);
		miss_init(&w->misses[i], w->objectives[i].target);
		restore(w, i, &m->status, now_ms);
	}
	resume_windows(w, m);
	return w;
}

void slo_watch_free(struct slo_watch *w)
{
	if (!w)
		return;
	side_release(&w->stable);
	side_release(&w->target);
	free(w->held_revision);
	free(w->counted_stable);
	free(w->counted_target);
	for (unsigned i = 0; i < w->n; i++) {
		burn_free(w->service[i]);
		free((char *)w->objectives[i].name);
	}
	free(w);
}

bool slo_watch_fits(const struct slo_watch *w, const struct mdep *m)
{
	if (w->n != m->slo.n)
		return false;
	for (unsigned i = 0; i < w->n; i++) {
		const struct mdep_objective *a = &w->objectives[i], *b = &m->slo.objectives[i];

		if (!str_eq(a->name, b->name) || a->threshold_ms != b->threshold_ms ||
		    fabs(a->target - b->target) > 1e-9)
			return false;
	}
	return true;
}

/* A promoted revision takes what is known of it along. */
void slo_watch_revisions(struct slo_watch *w, const char *stable, const char *target)
{
	struct side old;

	if (str_eq(stable, target))
		target = NULL;
	if (!str_eq(w->stable.revision, stable)) {
		old = w->stable;
		if (str_eq(w->target.revision, stable)) {
			w->stable = w->target;
			w->target = (struct side){NULL, {NULL}};
		} else {
			w->stable = (struct side){NULL, {NULL}};
			side_begin(w, &w->stable, stable);
		}
		side_release(&old);
	}
	if (!str_eq(w->target.revision, target))
		side_begin(w, &w->target, target);
}

/* --- counting ---------------------------------------------------------------------------- */

/*
 * Answers slower than the threshold. A threshold inside a bucket counts as that bucket's end: what
 * cannot be told apart is not held against anybody.
 */
static bool slower_than(const struct counts *c, double threshold_s, double *all, double *slow)
{
	if (!c->nbuckets)
		return false;
	*all = c->buckets[c->nbuckets - 1];
	for (unsigned i = 0; i < c->nbuckets; i++)
		if (c->bounds[i] >= threshold_s * (1 - 1e-9)) {
			*slow = *all - c->buckets[i];
			return true;
		}
	return false;
}

static bool measure(const struct mdep_objective *o, const struct counts *c, double *all,
                    double *bad)
{
	if (o->threshold_ms)
		return slower_than(c, o->threshold_ms / 1000.0, all, bad);
	*all = c->requests;
	*bad = c->errors;
	return c->known;
}

bool slo_watch_feed(struct slo_watch *w, bool target, const char *zone, int64_t wall_ms,
                    const struct counts *c)
{
	const struct side *s = target ? &w->target : &w->stable;
	double t = (double)wall_ms / 1000, all, bad;
	bool changed = false;

	for (unsigned i = 0; i < w->n; i++) {
		if (!measure(&w->objectives[i], c, &all, &bad))
			continue;
		burn_add(w->service[i], t, all, bad);
		if (s->burns[i])
			burn_add(s->burns[i], t, all, bad);
		/* A version that is bad where it is tried is no fault of the zone. */
		if (!target)
			changed |= miss_add(&w->misses[i], zone, wall_ms, all, bad);
	}
	return changed;
}

const char *slo_watch_zone_misses(const struct slo_watch *w, const char *zone)
{
	for (unsigned i = 0; i < w->n; i++)
		if (miss_is(&w->misses[i], zone))
			return w->objectives[i].name;
	return NULL;
}

void slo_watch_zone_forget(struct slo_watch *w, const char *zone)
{
	for (unsigned i = 0; i < w->n; i++)
		miss_forget(&w->misses[i], zone);
}

void slo_watch_excuse(struct slo_watch *w, int64_t now_ms, const char *zone)
{
	w->excused_ms = now_ms;
	snprintf(w->excuse, sizeof(w->excuse), "zone %.63s is or was just dark", zone);
}

/* --- what the planner gets --------------------------------------------------------------- */

static bool side_breaches(const struct slo_watch *w, const struct side *s, double t,
                          struct burn_result *out)
{
	for (unsigned i = 0; s->revision && i < w->n; i++) {
		burn_result(s->burns[i], w->objectives[i].name, t, out);
		if (out->breach)
			return true;
	}
	return false;
}

static const struct side *breaching_side(const struct slo_watch *w, int64_t now_ms,
                                         struct burn_result *out)
{
	double t = (double)now_ms / 1000;

	if (side_breaches(w, &w->target, t, out))
		return &w->target;
	return side_breaches(w, &w->stable, t, out) ? &w->stable : NULL;
}

static bool is_excused(const struct slo_watch *w, int64_t now_ms)
{
	return w->excused_ms && now_ms < w->excused_ms + EXCUSE_MS;
}

/* The evidence of a breach that was held is gone, its words stay for as long as the excuse holds.
 */
static bool is_held(const struct slo_watch *w, int64_t now_ms)
{
	return is_excused(w, now_ms) && w->held_revision &&
	       (str_eq(w->held_revision, w->stable.revision) ||
	        str_eq(w->held_revision, w->target.revision));
}

bool slo_watch_news(struct slo_watch *w, int64_t now_ms)
{
	struct burn_result r;

	return (breaching_side(w, now_ms, &r) != NULL) != w->breach ||
	       now_ms - w->figures_ms >= FIGURES_EVERY_MS;
}

static int bounded(double v, int low, int high)
{
	return v < low ? low : v > high ? high : (int)lround(v);
}

static struct mdep_recent_counts recent_of(const struct burn *b, const char *revision,
                                           int64_t now_ms)
{
	struct mdep_recent_counts c = {.revision = revision};
	struct burn_recent r;

	if (!b)
		return c;
	burn_recent(b, (double)now_ms / 1000, &r);
	c.since_ms = llround(r.since * 1000);
	for (unsigned i = 0; i < BURN_RECENT; i++) {
		/* Of more than status has room for, the share that is bad counts. */
		double part = r.requests[i] > UINT32_MAX ? UINT32_MAX / r.requests[i] : 1;

		c.requests[i] = (uint32_t)llround(r.requests[i] * part);
		c.bad[i] = (uint32_t)llround(r.bad[i] * part);
	}
	return c;
}

static void take_figures(struct slo_watch *w, int64_t now_ms)
{
	struct burn_result r;

	_Static_assert(BURN_WINDOWS == MDEP_BURNS_MAX, "status shows every window");
	w->figures_ms = now_ms;
	xstr_replace(&w->counted_stable, w->stable.revision);
	xstr_replace(&w->counted_target, w->target.revision);
	for (unsigned i = 0; i < w->n; i++) {
		struct mdep_objective_status *f = &w->figures[i];

		burn_result(w->service[i], w->objectives[i].name, (double)now_ms / 1000, &r);
		f->name = w->objectives[i].name;
		f->requests = llround(r.requests);
		f->bad = llround(r.bad);
		f->since_ms = llround(r.since * 1000);
		f->budget_left = bounded(r.budget_left * 100, -9999, 100);
		for (unsigned k = 0; k < BURN_WINDOWS; k++)
			f->burn_centi[k] = bounded(r.rates[k].long_rate * 100, 0, 100000000);
		f->all = recent_of(w->service[i], NULL, now_ms);
		f->stable = recent_of(w->stable.burns[i], w->counted_stable, now_ms);
		f->target = recent_of(w->target.burns[i], w->counted_target, now_ms);
	}
}

void slo_watch_read(struct slo_watch *w, int64_t now_ms, struct arena *a, struct rollout_slo *out)
{
	struct burn_result r;
	const struct side *s = breaching_side(w, now_ms, &r);

	if ((s != NULL) != w->breach || !w->figures_ms ||
	    now_ms - w->figures_ms >= FIGURES_EVERY_MS)
		take_figures(w, now_ms);
	w->breach = s != NULL;
	out->known = true;
	out->objectives = w->figures;
	out->nobjectives = w->n;
	out->counted_ms = w->figures_ms;
	if (!s && is_held(w, now_ms)) {
		out->breach = true;
		out->revision = arena_strdup(a, w->held_revision);
		out->text = arena_strdup(a, w->held);
		out->held = arena_strdup(a, w->excuse);
	}
	if (!s)
		return;
	out->breach = true;
	out->revision = arena_strdup(a, s->revision);
	out->text = arena_strdup(a, r.text);
	if (is_excused(w, now_ms)) {
		out->held = arena_strdup(a, w->excuse);
		xstr_replace(&w->held_revision, s->revision);
		str_copy(w->held, sizeof(w->held), r.text);
	}
}

/* What was counted while an excuse held says nothing about the revisions. */
void slo_watch_forget(struct slo_watch *w)
{
	char *stable = w->stable.revision ? xstrdup(w->stable.revision) : NULL;
	char *target = w->target.revision ? xstrdup(w->target.revision) : NULL;

	side_begin(w, &w->stable, stable);
	side_begin(w, &w->target, target);
	free(stable);
	free(target);
}
