/*
 * Zones on their way back, by the judge: what a zone's pods answer is held against what the pods
 * of the other zones, of the same revision, answer at the same time. The returning zone is the
 * canary, the others are the stable side.
 *
 * In the first step of the ramp caches fill and models warm up: errors alone count there. What
 * follows is judged anew, latency included, up to the end; both share one chance of a false alarm.
 * Zones differ by their cards and their distance, so more is tolerated than between two versions.
 */
#include <math.h>
#include <string.h>

#include "observe.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/zone.h"

#define RETURN_ALPHA          0.01 /* of a whole way back */
#define RETURN_JUDGES         2
#define RETURN_MARGIN         2.0  /* odds ratio of errors that is tolerated */
#define RETURN_LATENCY_MARGIN 2.0  /* times as slow that is */
#define RETURN_MIN_EXCESS     0.01 /* of all requests there */

struct returning {
	char zone[64];
	bool warm;   /* beyond the first step of the ramp */
	bool marked; /* return_watch_set's sweep */
	bool worse;
	struct sequential *judge;
	struct split share; /* of what it and the zones that it is held against get */
	char text[160];
};

struct return_watch {
	struct returning zones[MDEP_ZONES_MAX];
	unsigned n;
};

static bool is_returning(const struct mdep_zone_status *z)
{
	return z->state == ZONE_FAILBACK;
}

bool return_watch_wanted(const struct mdep_status *st)
{
	for (unsigned i = 0; i < st->nzones; i++)
		if (is_returning(&st->zones[i]))
			return true;
	return false;
}

static struct returning *find(struct return_watch *w, const char *zone)
{
	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(w->zones[i].zone, zone))
			return &w->zones[i];
	return NULL;
}

static void begin(struct returning *r, bool warm)
{
	struct sequential_options o;

	sequential_options_default(&o);
	o.alpha = RETURN_ALPHA / RETURN_JUDGES;
	o.margin = RETURN_MARGIN;
	o.latency_margin = RETURN_LATENCY_MARGIN;
	o.min_excess = RETURN_MIN_EXCESS;
	o.judge_latency = warm;
	o.looks = true;
	sequential_free(r->judge);
	r->judge = sequential_new(&o);
	r->warm = warm;
	r->worse = false;
	r->text[0] = '\0';
}

static void watch_zone(struct return_watch *w, const struct mdep_zone_status *z)
{
	struct returning *r = find(w, z->name);
	bool warm = z->percent > FAILOVER_RAMP_FIRST;

	if (!r) {
		if (w->n == MDEP_ZONES_MAX)
			return;
		r = &w->zones[w->n++];
		memset(r, 0, sizeof(*r));
		str_copy(r->zone, sizeof(r->zone), z->name);
	}
	r->marked = true;
	if (!r->judge || r->warm != warm)
		begin(r, warm);
}

static void sweep(struct return_watch *w)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < w->n; i++) {
		struct returning *r = &w->zones[i];

		if (!r->marked) {
			sequential_free(r->judge);
			continue;
		}
		r->marked = false;
		w->zones[kept++] = *r;
	}
	w->n = kept;
}

struct return_watch *return_watch_set(struct return_watch *w, const struct mdep_status *st)
{
	if (!return_watch_wanted(st)) {
		return_watch_free(w);
		return NULL;
	}
	if (!w)
		w = xcalloc(1, sizeof(*w));
	for (unsigned i = 0; i < st->nzones; i++)
		if (is_returning(&st->zones[i]))
			watch_zone(w, &st->zones[i]);
	sweep(w);
	return w;
}

void return_watch_free(struct return_watch *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->n; i++)
		sequential_free(w->zones[i].judge);
	free(w);
}

/* "errors 31.0 % vs 0.2 %, ...": the judge speaks of a canary. */
static void take_text(struct returning *r, double now)
{
	static const char canary[] = "canary ";
	struct sequential_result res;
	const char *text = res.text;

	sequential_result(r->judge, now, &res);
	if (str_starts(text, canary))
		text += sizeof(canary) - 1;
	str_copy(r->text, sizeof(r->text), text);
}

/* Two zones on their way back are no measure for each other. */
static void feed_zone(struct return_watch *w, struct returning *r,
                      const struct sequential_sample *x)
{
	struct sequential_sample own = *x;

	own.canary = str_eq(r->zone, x->stratum);
	own.stratum = "";
	if (!r->worse && (own.canary || !find(w, x->stratum)))
		sequential_observe(r->judge, &own);
}

void return_watch_feed(struct return_watch *w, const struct sequential_sample *x)
{
	for (unsigned i = 0; i < w->n; i++)
		feed_zone(w, &w->zones[i], x);
}

/* --- looks in which the ramp went on --------------------------------------------------------- */

struct parts {
	double own, others;
};

static void add_part(struct return_watch *w, const struct returning *r, const char *zone,
                     double part, struct parts *p)
{
	if (str_eq(zone, r->zone))
		p->own += part;
	else if (!find(w, zone))
		p->others += part;
}

static double share_of(const struct parts *p)
{
	return p->own > 0 ? p->own / (p->own + p->others) : 0;
}

static bool note_share(struct return_watch *w, struct returning *r,
                       const struct rollout_traffic *route, const struct rollout_plan *plan)
{
	struct parts planned = {0, 0}, routed = {0, 0};
	const char *stable = plan->status.stable;

	for (unsigned i = 0; i < plan->nweights; i++)
		if (str_eq(plan->weights[i].revision, stable))
			add_part(w, r, plan->weights[i].zone, plan->weights[i].weight, &planned);
	for (unsigned i = 0; i < route->nweights; i++)
		if (str_eq(route->revisions[i], stable))
			add_part(w, r, route->zones[i], route->weights[i], &routed);
	return split_note(&r->share, fmax(share_of(&planned), share_of(&routed)));
}

bool return_watch_split(struct return_watch *w, const struct rollout_snapshot *s,
                        const struct rollout_plan *plan)
{
	bool changed = false;

	for (unsigned i = 0; i < w->n; i++)
		changed |= note_share(w, &w->zones[i], &s->traffic, plan);
	return changed;
}

static bool look_end(struct returning *r, double t, bool mixed)
{
	if (r->worse)
		return false;
	split_look_end(&r->share, mixed, r->judge, "");
	sequential_look_end(r->judge, t);
	r->worse = sequential_verdict(r->judge, t) == JUDGE_FAIL;
	if (r->worse)
		take_text(r, t);
	return r->worse;
}

bool return_watch_look_end(struct return_watch *w, double t, bool mixed)
{
	bool news = false;

	for (unsigned i = 0; i < w->n; i++)
		news |= look_end(&w->zones[i], t, mixed);
	return news;
}

const char *return_watch_worse(struct return_watch *w, const char *zone)
{
	const struct returning *r = find(w, zone);

	return r && r->worse ? r->text : NULL;
}
