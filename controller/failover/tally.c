#include "tidegate/failover/tally.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* Whatever a vote does not name has been well for so long, at least. */
#define LONG_MS       3600000
#define LOOK_AGAIN_MS 500
#define BAD_PERCENT   60

/* One observer's say on one zone. */
struct say {
	const char *zone; /* the observer's own */
	struct zone_facts facts;
};

bool tally_is_fresh(const struct tally_other *o, int64_t mono_ms)
{
	return o->heard_ms && mono_ms - o->heard_ms < TALLY_FRESH_MS;
}

static int permille(int n, int of)
{
	return of > 0 ? (int)((int64_t)n * 1000 / of) : 0;
}

/* The worse first. Of two that are well the one that has been so for less time is worse. */
static int by_badness(const void *x, const void *y)
{
	const struct zone_facts *a = &((const struct say *)x)->facts;
	const struct zone_facts *b = &((const struct say *)y)->facts;
	int c = permille(b->failing, b->pods) - permille(a->failing, a->pods);

	if (!c)
		c = permille(b->shaky, b->pods) - permille(a->shaky, a->pods);
	if (c || a->good_since_ms == b->good_since_ms)
		return c;
	if (!a->good_since_ms || !b->good_since_ms)
		return a->good_since_ms ? 1 : -1;
	return a->good_since_ms > b->good_since_ms ? -1 : 1;
}

static bool elsewhere(const struct say *a, const struct say *b)
{
	return str_empty(a->zone) || str_empty(b->zone) || !str_eq(a->zone, b->zone);
}

/* Those of one zone count as one observer, and then the best of them is believed. */
static const struct say *second_worst(struct say *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_badness);
	for (unsigned i = 1; i < n; i++)
		if (elsewhere(&v[0], &v[i]))
			return &v[i];
	return &v[n - 1];
}

static const struct vote_sum *sum_of(const struct vote *v, const char *zone)
{
	for (unsigned i = 0; i < v->nsums; i++)
		if (str_eq(v->sums[i].zone, zone))
			return &v->sums[i];
	return NULL;
}

/* What a vote says of a model that it does not name. */
static void unnamed(const struct tally_input *in, unsigned z, const struct vote *v,
                    struct zone_facts *f)
{
	const struct vote_sum *sum = sum_of(v, f->name);

	if (!sum || !sum->pods)
		return;
	if (v->more && sum->shaky) {
		f->pods = sum->pods;
		f->shaky = sum->shaky;
		f->failing = sum->failing;
		f->ready =
			permille(sum->failing, sum->pods) < BAD_PERCENT * 10 ? in->serving[z] : 0;
		return;
	}
	f->pods = in->own[z].pods > in->serving[z] ? in->own[z].pods : in->serving[z];
	f->ready = in->serving[z];
	f->good_since_ms = in->now_ms - LONG_MS;
}

static void named(const struct tally_input *in, const struct tally_other *o,
                  const struct vote_entry *e, struct zone_facts *f)
{
	f->pods = e->pods;
	f->shaky = e->shaky;
	f->failing = e->failing;
	f->ready = e->ready;
	if (e->good_ms >= 0)
		f->good_since_ms = in->now_ms - (in->mono_ms - o->heard_ms) - e->good_ms;
}

static struct zone_facts facts_of(const struct tally_input *in, unsigned z,
                                  const struct tally_other *o)
{
	struct zone_facts f = {.name = in->own[z].name, .in_route = in->own[z].in_route};
	const struct vote_entry *e = vote_find(o->vote, in->model, f.name);

	if (e)
		named(in, o, e, &f);
	else
		unnamed(in, z, o->vote, &f);
	return f;
}

static bool has_say(const struct tally_input *in, const struct tally_other *o)
{
	return tally_is_fresh(o, in->mono_ms) && !o->vote->blind;
}

/*
 * That clients are answered is seen or not; who sees it need not see anything else, and is not
 * outvoted.
 */
static int most_served(const struct tally_input *in, unsigned z)
{
	int most = in->own[z].served;

	for (unsigned i = 0; i < in->nothers; i++) {
		const struct tally_other *o = &in->others[i];
		const struct vote_entry *e = vote_find(o->vote, in->model, in->own[z].name);

		if (e && tally_is_fresh(o, in->mono_ms) && e->served > most)
			most = e->served;
	}
	return most;
}

static void count_zone(const struct tally_input *in, unsigned z, bool own_counts, struct tally *out)
{
	struct say v[TALLY_OTHERS_MAX + 1];
	const struct say *chosen;
	unsigned n = 0;

	if (own_counts && in->own[z].pods)
		v[n++] = (struct say){in->own_zone, in->own[z]};
	for (unsigned i = 0; i < in->nothers; i++) {
		if (!has_say(in, &in->others[i]))
			continue;
		v[n] = (struct say){in->others[i].vote->zone, facts_of(in, z, &in->others[i])};
		n += v[n].facts.pods > 0;
	}
	if (!n) {
		out->zones[z] = in->own[z];
		return;
	}
	chosen = second_worst(v, n);
	out->zones[z] = chosen->facts;
	out->zones[z].served = most_served(in, z);
	out->disputed |= permille(v[0].facts.failing, v[0].facts.pods) >
	                 permille(chosen->facts.failing, chosen->facts.pods);
}

/* Some observer that is known is silent, and it may be we who do not hear. */
static bool unsure(const struct tally_input *in)
{
	bool in_touch = in->contact_ms && in->mono_ms - in->contact_ms >= TALLY_FRESH_MS;

	for (unsigned i = 0; i < in->nothers && !in_touch; i++)
		if (!tally_is_fresh(&in->others[i], in->mono_ms))
			return true;
	return false;
}

enum tally_presence tally_presence(const struct tally_input *in, const char *zone)
{
	bool silent = false, blind = false;

	if (str_eq(in->own_zone, zone))
		return in->own_blind ? TALLY_NOBODY : TALLY_HEARD;
	for (unsigned i = 0; i < in->nothers; i++) {
		const struct tally_other *o = &in->others[i];

		if (!str_eq(o->vote->zone, zone))
			continue;
		if (has_say(in, o))
			return TALLY_HEARD;
		blind |= tally_is_fresh(o, in->mono_ms);
		silent = true;
	}
	return silent && !blind ? TALLY_SILENT : TALLY_NOBODY;
}

/* When the next of those who hold up a decision falls silent. */
static int64_t next_expiry(const struct tally_input *in)
{
	int64_t next = TALLY_FRESH_MS;

	for (unsigned i = 0; i < in->nothers; i++) {
		int64_t left = in->others[i].heard_ms + TALLY_FRESH_MS - in->mono_ms;

		if (tally_is_fresh(&in->others[i], in->mono_ms) && left < next)
			next = left;
	}
	return next;
}

void tally_count(const struct tally_input *in, struct tally *out)
{
	bool own_counts = true;

	*out = (struct tally){.blind = unsure(in)};
	for (unsigned i = 0; i < in->nothers; i++)
		out->voters += has_say(in, &in->others[i]);
	own_counts = !in->own_blind || !out->voters;
	out->voters += own_counts;
	for (unsigned z = 0; z < in->nzones; z++)
		count_zone(in, z, own_counts, out);
	if (out->blind)
		out->wake_ms = in->now_ms + LOOK_AGAIN_MS;
	else if (out->disputed)
		out->wake_ms = in->now_ms + next_expiry(in);
}
