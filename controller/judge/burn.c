#include "tidegate/judge/burn.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"

#define RINGS (BURN_WINDOWS + 1)
/* The first window counts from so much on; the others from their short stretch on. */
#define SPAN_MIN_S 20.0
#define SLOTS_MIN  3
/* Chance at most, at each look, that a service exactly on budget is called a breach. */
#define ALPHA 1e-4
/* A target of 100 % would burn infinitely fast with its first error. */
#define BUDGET_MIN 1e-6

const struct burn_window burn_windows[BURN_WINDOWS] = {
	{3600, 300, 14.4, true},
	{6 * 3600, 1800, 6, true},
	{3 * 86400, 6 * 3600, 1, false},
};

/* Slots of the windows' rings, and last of the period's. */
static const struct {
	double slot_s;
	int n;
} shape[RINGS] = {{10, 360}, {180, 120}, {1800, 144}, {21600, 120}};

struct slot {
	float requests, bad; /* whole numbers: exact up to 2^24 a slot, close enough beyond */
};

struct ring {
	struct slot *slots;
	int64_t newest; /* number of the newest slot; those behind it are in slots[number % n] */
};

struct burn {
	double budget; /* share that may be bad */
	double target;
	double first, since; /* first request seen here, and of the period */
	struct ring rings[RINGS];
};

struct burn *burn_new(double target)
{
	struct burn *b = xcalloc(1, sizeof(*b));

	b->target = target;
	b->budget = 1 - target > BUDGET_MIN ? 1 - target : BUDGET_MIN;
	for (int i = 0; i < RINGS; i++)
		b->rings[i].slots = xcalloc((size_t)shape[i].n, sizeof(struct slot));
	return b;
}

void burn_free(struct burn *b)
{
	if (!b)
		return;
	for (int i = 0; i < RINGS; i++)
		free(b->rings[i].slots);
	free(b);
}

static int64_t slot_number(int ring, double t)
{
	return (int64_t)floor(t / shape[ring].slot_s);
}

static void ring_advance(struct ring *r, int n, int64_t to)
{
	int64_t from = r->newest + 1;

	if (to <= r->newest)
		return;
	if (from < to - n + 1)
		from = to - n + 1;
	for (int64_t i = from; i <= to; i++)
		r->slots[i % n] = (struct slot){0, 0};
	r->newest = to;
}

static void ring_add(struct burn *b, int ring, double t, double requests, double bad)
{
	struct ring *r = &b->rings[ring];
	int n = shape[ring].n;
	int64_t at = slot_number(ring, t);

	ring_advance(r, n, at);
	if (at <= r->newest - n)
		return;
	r->slots[at % n].requests += (float)requests;
	r->slots[at % n].bad += (float)bad;
}

static bool is_count(double v)
{
	return v >= 0 && v <= 1e15;
}

void burn_add(struct burn *b, double t, double requests, double bad)
{
	if (!is_count(requests) || !is_count(bad) || requests <= 0 || !(t > 0 && t < 1e12))
		return;
	if (bad > requests)
		bad = requests;
	if (b->first <= 0)
		b->first = t;
	if (b->since <= 0)
		b->since = t;
	for (int i = 0; i < RINGS; i++)
		ring_add(b, i, t, requests, bad);
}

void burn_restore(struct burn *b, double since, double t, double requests, double bad)
{
	if (!is_count(requests) || !is_count(bad) || requests <= 0 || since <= 0 || since > t ||
	    since < t - BURN_PERIOD_S)
		return;
	b->since = since;
	ring_add(b, RINGS - 1, t, requests, bad < requests ? bad : requests);
}

/* --- sums -------------------------------------------------------------------------------- */

struct sum {
	double requests, bad;
	int bad_slots;
};

/* The slots that end within the last `span` seconds, the running one included. */
static struct sum ring_sum(const struct burn *b, int ring, double t, double span)
{
	const struct ring *r = &b->rings[ring];
	int n = shape[ring].n;
	int64_t last = slot_number(ring, t), first = last - (int64_t)(span / shape[ring].slot_s);
	struct sum s = {0, 0, 0};

	if (last > r->newest)
		last = r->newest;
	if (first < r->newest - n)
		first = r->newest - n;
	for (int64_t i = first + 1 > 0 ? first + 1 : 0; i <= last; i++) {
		const struct slot *x = &r->slots[i % n];

		s.requests += (double)x->requests;
		s.bad += (double)x->bad;
		s.bad_slots += x->bad > 0;
	}
	return s;
}

/* --- beyond restarts --------------------------------------------------------------------- */

const double burn_recent_s[BURN_RECENT] = {300, 1800, 3600, 6 * 3600, 3 * 86400};

/* Of each stretch a window that has it as its long or short one, and of each window its two. */
static const int ring_of[BURN_RECENT] = {0, 1, 0, 1, 2};
static const int short_of[BURN_WINDOWS] = {0, 1, 3}, long_of[BURN_WINDOWS] = {2, 3, 4};

void burn_recent(const struct burn *b, double t, struct burn_recent *out)
{
	*out = (struct burn_recent){.since = b->first, .t = t};
	for (int i = 0; i < BURN_RECENT; i++) {
		struct sum s = ring_sum(b, ring_of[i], t, burn_recent_s[i]);

		out->requests[i] = s.requests;
		out->bad[i] = s.bad;
	}
}

/* Slots of a ring that end between `from` and `to` seconds before t. */
static void spread(struct burn *b, int ring, double t, double from, double to, double requests,
                   double bad)
{
	double slot_s = shape[ring].slot_s;
	int n = (int)((to - from) / slot_s);

	/* Oldest first: a ring knows no way back. */
	for (int i = n; i-- > 0;)
		ring_add(b, ring, t - from - i * slot_s, requests / n, bad / n);
}

static double more(double whole, double part)
{
	return whole > part ? whole - part : 0;
}

void burn_resume(struct burn *b, const struct burn_recent *r)
{
	if (r->since <= 0 || r->since > r->t)
		return;
	for (int i = 0; i < BURN_RECENT; i++)
		if (!is_count(r->requests[i]) || !is_count(r->bad[i]) || r->bad[i] > r->requests[i])
			return;
	b->first = r->since;
	for (int ring = 0; ring < BURN_WINDOWS; ring++) {
		int s = short_of[ring], l = long_of[ring];

		spread(b, ring, r->t, burn_recent_s[s], burn_recent_s[l],
		       more(r->requests[l], r->requests[s]), more(r->bad[l], r->bad[s]));
		spread(b, ring, r->t, 0, burn_recent_s[s], r->requests[s], 0);
		ring_add(b, ring, r->t - burn_recent_s[s] / 2, 0, r->bad[s]);
	}
}

/* --- rates ------------------------------------------------------------------------------- */

static double burn_rate(const struct burn *b, const struct sum *s)
{
	return s->requests > 0 ? s->bad / s->requests / b->budget : 0;
}

/* log P(X >= bad) <= bad - mu - bad log(bad / mu) for X Poisson with mean mu < bad. */
static bool beyond_chance(const struct burn *b, const struct sum *s)
{
	double mu = s->requests * b->budget;

	return s->bad > mu && s->bad - mu - s->bad * log(s->bad / mu) < log(ALPHA);
}

static bool window_rate(const struct burn *b, unsigned i, double t, struct burn_rate *out)
{
	const struct burn_window *w = &burn_windows[i];
	struct sum l = ring_sum(b, (int)i, t, w->long_s), s = ring_sum(b, (int)i, t, w->short_s);
	double seen = b->first > 0 ? t - b->first : 0;

	*out = (struct burn_rate){burn_rate(b, &l), burn_rate(b, &s), false};
	out->exceeded = seen >= (i ? w->short_s : SPAN_MIN_S) && out->long_rate >= w->factor &&
	                out->short_rate >= w->factor && s.bad_slots >= SLOTS_MIN &&
	                beyond_chance(b, &l);
	return out->exceeded && w->acts;
}

static void describe(const struct burn *b, const char *name, double t, struct burn_result *out)
{
	const struct burn_window *w = &burn_windows[out->window];
	struct sum l = ring_sum(b, (int)out->window, t, w->long_s);
	double seen = t - b->first < w->long_s ? t - b->first : w->long_s;

	snprintf(
		out->text, sizeof(out->text),
		"%.32s %.6g %% over the last %.0f s, objective %.6g %%: %.0f of %.0f requests bad, "
		"the error budget burns %.3g times too fast (limit %.3g)",
		name, 100 * (1 - l.bad / l.requests), seen, 100 * b->target, l.bad, l.requests,
		out->rates[out->window].long_rate, w->factor);
}

void burn_result(const struct burn *b, const char *name, double t, struct burn_result *out)
{
	struct sum period = ring_sum(b, RINGS - 1, t, BURN_PERIOD_S);
	double elapsed = b->since > 0 && t > b->since ? t - b->since : 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = BURN_WINDOWS; i-- > 0;) {
		if (!window_rate(b, i, t, &out->rates[i]))
			continue;
		out->breach = true;
		out->window = i;
	}
	out->requests = period.requests;
	out->bad = period.bad;
	out->since = b->since > t - BURN_PERIOD_S ? b->since : t - BURN_PERIOD_S;
	if (b->since <= 0)
		out->since = 0;
	if (elapsed > BURN_PERIOD_S)
		elapsed = BURN_PERIOD_S;
	/* So much of the period has gone by, at this rate. */
	out->budget_left = 1 - burn_rate(b, &period) * elapsed / BURN_PERIOD_S;
	if (out->breach)
		describe(b, name, t, out);
}
