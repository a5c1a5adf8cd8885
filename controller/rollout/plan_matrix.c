/*
 * The matrix revision x zone. A cell gets its part of its revision's share by the pods that stay in
 * service there; a cell without any gets none, and neither does one whose last pod is about to
 * leave: that is how it is emptied before it goes.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

/*
 * Pods that stay and carry; falls back to those still in service when all are leaving. A stray
 * carries only what it has already, and only while there is nobody else.
 */
static int standing(const struct cell_view *c, bool keep)
{
	if (c->track == TRACK_STRAY && c->route_weight == 0)
		return 0;
	return keep ? c->keep : c->in_service;
}

/* A cell whose zone may have nothing takes no traffic in the meantime. */
static bool others_known(const struct planner *p, bool keep)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].known && p->cells[i].percent && p->cells[i].track != TRACK_STRAY &&
		    standing(&p->cells[i], keep))
			return true;
	return false;
}

/* In hundredths of a pod. Weight for a Service whose first endpoint the gateway has not heard of is
 * lost requests. */
static int carriers(const struct planner *p, const struct cell_view *c, bool keep)
{
	return (c->known || !others_known(p, keep) ? standing(c, keep) : 0) * c->percent;
}

static int track_carriers(const struct planner *p, enum track_id track, bool keep)
{
	int n = 0;

	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].track == track)
			n += carriers(p, &p->cells[i], keep);
	return n;
}

static int share_of_target(const struct planner *p, bool keep)
{
	int stable = track_carriers(p, TRACK_STABLE, keep);
	int target = track_carriers(p, TRACK_TARGET, keep);

	if (!stable && !target)
		return -1;
	if (!target)
		return 0;
	if (!stable)
		return SHARE_WHOLE;
	return p->st->weight * (SHARE_WHOLE / 100);
}

int plan_matrix_share(const struct planner *p)
{
	return share_of_target(p, false);
}

static struct mdep_weight *add_weight(struct planner *p, const struct cell_view *c, int weight)
{
	struct mdep_weight *w;

	if (p->out->nweights == MDEP_WEIGHTS_MAX)
		return NULL;
	w = &p->out->weights[p->out->nweights++];
	*w = (struct mdep_weight){.revision = c->revision, .zone = c->zone, .weight = weight};
	return w;
}

/* Largest remainder; ties go to the earlier zone. */
static void divide(struct planner *p, enum track_id track, int share, bool keep)
{
	struct mdep_weight *w[MDEP_ZONES_MAX];
	int rest[MDEP_ZONES_MAX];
	int total = track_carriers(p, track, keep), given = 0;
	unsigned n = 0;

	if (total <= 0)
		return;
	for (unsigned i = 0; i < p->ncells && n < MDEP_ZONES_MAX; i++) {
		const struct cell_view *c = &p->cells[i];
		int64_t part = (int64_t)share * carriers(p, c, keep);

		if (c->track != track || !carriers(p, c, keep))
			continue;
		w[n] = add_weight(p, c, (int)(part / total));
		if (!w[n])
			break;
		rest[n] = (int)(part % total);
		given += w[n++]->weight;
	}
	for (; n && given < share; given++) {
		unsigned best = 0;

		for (unsigned i = 1; i < n; i++)
			if (rest[i] > rest[best])
				best = i;
		w[best]->weight++;
		rest[best] -= total;
	}
}

/* Left out while its side has no share, it would count as unheard of, and be named once more. */
static bool stays_named(const struct cell_view *c, int target_share)
{
	int share = c->track == TRACK_TARGET ? target_share : SHARE_WHOLE - target_share;

	return share == 0 && c->named && c->route_weight == 0;
}

/*
 * Cells that will get a weight as soon as the gateway has heard of them: it is asked by naming
 * them. Not beside an audience that has the target's only share: it would be sent there.
 */
static void announce(struct planner *p, int share, bool keep)
{
	bool audience = share == 0 && plan_audience(p);

	for (unsigned i = 0; p->s->traffic.answers && i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (c->track == TRACK_STRAY || !c->listed || !c->percent || !standing(c, keep) ||
		    (carriers(p, c, keep) && !stays_named(c, share)) ||
		    (audience && c->track == TRACK_TARGET))
			continue;
		add_weight(p, c, 0);
	}
}

static int sum_of(const struct mdep_weight *w, unsigned n, const char *revision)
{
	int sum = 0;

	for (unsigned i = 0; i < n; i++)
		if (str_eq(w[i].revision, revision))
			sum += w[i].weight;
	return sum;
}

static const struct mdep_weight *find_weight(const struct mdep_weight *w, unsigned n,
                                             const struct mdep_weight *like)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq(w[i].revision, like->revision) &&
		    str_eq(str_or(w[i].zone, ""), like->zone))
			return &w[i];
	return NULL;
}

/*
 * A route is not rewritten for every pod that comes or flaps: the last matrix stays when it names
 * the same cells, gives each revision the same share, and is nowhere off by more than a fifth.
 */
static bool still_good(const struct planner *p)
{
	const struct rollout_plan *o = p->out;
	const struct mdep_status *b = p->before;

	if (b->nweights != o->nweights)
		return false;
	for (unsigned i = 0; i < o->nweights; i++) {
		const struct mdep_weight *want = &o->weights[i];
		const struct mdep_weight *have = find_weight(b->weights, b->nweights, want);

		if (!have || (have->weight == 0) != (want->weight == 0) ||
		    5 * abs(have->weight - want->weight) > want->weight)
			return false;
		if (sum_of(b->weights, b->nweights, want->revision) !=
		    sum_of(o->weights, o->nweights, want->revision))
			return false;
	}
	return true;
}

static void keep_last(struct planner *p)
{
	for (unsigned i = 0; i < p->out->nweights; i++) {
		struct mdep_weight *w = &p->out->weights[i];

		w->weight = find_weight(p->before->weights, p->before->nweights, w)->weight;
	}
}

void plan_matrix(struct planner *p)
{
	bool keep = track_carriers(p, TRACK_STABLE, true) || track_carriers(p, TRACK_TARGET, true);
	int share = share_of_target(p, keep);

	if (!p->s->traffic.managed || plan_takeover_holds(p)) {
		p->st->nweights = 0;
		return;
	}
	if (share < 0) {
		share = 0;
		divide(p, TRACK_STRAY, SHARE_WHOLE, track_carriers(p, TRACK_STRAY, true) > 0);
	} else if (share < SHARE_WHOLE)
		divide(p, TRACK_STABLE, SHARE_WHOLE - share, keep);
	/* An audience needs the target's cells in the route even when they weigh nothing. */
	if (share > 0 || plan_audience(p))
		divide(p, TRACK_TARGET, share, keep);
	if (!p->out->nweights)
		return;
	announce(p, share, keep);
	if (still_good(p))
		keep_last(p);
	p->st->nweights = p->out->nweights;
	memcpy(p->st->weights, p->out->weights, p->st->nweights * sizeof(*p->st->weights));
}
