/*
 * The canary's share of each zone's requests, and the looks in which it changed: what comes over
 * both versions then hits the one harder whose share has just grown, and the other one has good
 * requests of before besides (sequential_look_split()).
 *
 * A new share may be in force as soon as the route was planned, written without an answer, or
 * accepted, and is for certain when the pods have been seen to get it.
 */
#include <math.h>
#include <string.h>

#include "observe.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* What the two versions get. */
struct tally {
	const char *stable, *canary, *zone; /* zone NULL: in all of them */
	double stable_part, canary_part;
};

static void tally_add(struct tally *t, const char *revision, const char *zone, double part)
{
	if (t->zone && !str_eq(t->zone, zone))
		return;
	if (str_eq(revision, t->canary))
		t->canary_part += part;
	else if (str_eq(revision, t->stable))
		t->stable_part += part;
}

/* 0 when neither gets anything, and the next one is to begin with nothing. */
static double tally_take(struct tally *t)
{
	double sum = t->stable_part + t->canary_part;
	double share = sum > 0 ? t->canary_part / sum : 0;

	t->stable_part = t->canary_part = 0;
	return share;
}

static double share_planned(struct tally *t, const struct rollout_plan *plan)
{
	for (unsigned i = 0; i < plan->nweights; i++)
		tally_add(t, plan->weights[i].revision, plan->weights[i].zone,
		          plan->weights[i].weight);
	return tally_take(t);
}

static double share_routed(struct tally *t, const struct rollout_traffic *r)
{
	for (unsigned i = 0; i < r->nweights; i++)
		tally_add(t, r->revisions[i], r->zones[i], r->weights[i]);
	return tally_take(t);
}

static double share_of_pods(struct tally *t, const struct rollout_snapshot *s)
{
	for (unsigned i = 0; i < s->ncells; i++)
		for (unsigned j = 0; j < s->cells[i].npods; j++) {
			const struct pod *p = s->cells[i].pods[j];

			tally_add(t, s->cells[i].revision, s->cells[i].zone,
			          p->ready && pod_is_in_service(p));
		}
	return tally_take(t);
}

/* How many requests an audience is, or a mirror copies, nobody knows. */
static bool beside_weights(const struct rollout_snapshot *s, const struct rollout_plan *plan)
{
	bool beside = plan->audience != NULL;

	for (unsigned i = 0; i < s->traffic.nweights; i++)
		beside |= s->traffic.chosen[i] || s->traffic.copied[i];
	return beside;
}

static double share_of(struct tally *t, const struct rollout_snapshot *s,
                       const struct rollout_plan *plan)
{
	if (beside_weights(s, plan))
		return 1;
	if (!s->traffic.managed)
		return share_of_pods(t, s);
	return fmax(share_planned(t, plan), share_routed(t, &s->traffic));
}

static struct zone_split *split_get(struct split_watch *w, const char *zone)
{
	struct zone_split *z;

	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(w->zones[i].zone, zone))
			return &w->zones[i];
	w->zones = xreallocarray(w->zones, w->n + 1, sizeof(*w->zones));
	z = &w->zones[w->n++];
	memset(z, 0, sizeof(*z));
	str_copy(z->zone, sizeof(z->zone), zone);
	return z;
}

bool split_note(struct split *x, double share)
{
	bool changed = x->now != share;

	x->now = share;
	x->most = fmax(x->most, share);
	return changed;
}

/* What has a share of nothing and requests all the same has an unknown share. */
void split_look_end(struct split *x, bool mixed, struct sequential *judge, const char *stratum)
{
	if (mixed)
		sequential_look_split(judge, stratum, x->most > 0 ? x->most : 1);
	else
		x->most = x->now;
}

bool split_watch_set(struct split_watch *w, const struct rollout_snapshot *s,
                     const struct rollout_plan *plan)
{
	const struct mdep_status *st = &plan->status;
	struct tally t = {.stable = st->stable, .canary = st->target};
	bool changed = split_note(&w->all, share_of(&t, s, plan));

	for (unsigned i = 0; i < s->ncells; i++) {
		t.zone = s->cells[i].zone;
		changed |= split_note(&split_get(w, t.zone)->share, share_of(&t, s, plan));
	}
	w->unseen = st->weight != st->verified_weight;
	return changed;
}

void split_watch_look_end(struct split_watch *w, bool mixed, struct sequential *judge)
{
	split_look_end(&w->all, mixed || w->unseen, judge, NULL);
	for (unsigned i = 0; i < w->n; i++)
		split_look_end(&w->zones[i].share, mixed || w->unseen, judge, w->zones[i].zone);
}

void split_watch_release(struct split_watch *w)
{
	free(w->zones);
	memset(w, 0, sizeof(*w));
}
