/*
 * ZoneShifts: which of them want a ModelDeployment's zone out (the zones' machine does the rest),
 * and a status that counts how far each is. Counted again a moment after anything moved.
 */
#include "internal.h"

#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

#define COUNT_AFTER_MS 300

void shift_cache_start(struct mdep_operator *op)
{
	op->started[CACHE_ZONESHIFT] = true;
	reflector_start(op->reflectors[CACHE_ZONESHIFT]);
}

/* --- what they want ---------------------------------------------------------------------- */

bool shift_known(const struct mdep_operator *op)
{
	return op->stores[CACHE_ZONESHIFT].synced;
}

struct zone_shift shift_of_zone(const struct mdep_operator *op, const struct mdep *m,
                                const char *zone, int64_t now_ms)
{
	struct zone_shift best = {.name = NULL};
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_ZONESHIFT], &it))) {
		const struct zoneshift *z = zoneshift_from(o);

		if (zoneshift_holds(z, now_ms) && str_eq(z->zone, zone) &&
		    zoneshift_matches(z, m) && z->until_ms > best.until_ms)
			best = (struct zone_shift){.name = z->meta.name,
			                           .until_ms = z->until_ms,
			                           .since_ms = z->meta.created_ms};
	}
	return best;
}

/* --- how far they are -------------------------------------------------------------------- */

struct tally {
	int matched, evacuated, refused;
	const char *first; /* key of the first that refuses */
	const char *why;
};

/* What people are told of one. */
struct telling {
	const struct zoneshift *shift;
	struct tally tally;
	const char *phase, *reason, *message;
	bool status[ZONESHIFT_CONDITIONS];
};

static const char *refusal(const struct mdep *m, const char *zone)
{
	const struct traffic_driver *driver = traffic_driver_of(m);
	const struct mdep_zone_status *z = mdep_zone_find(&m->status, zone);

	if (m->nzones < 2 || !driver || driver->by_revision)
		return "NoWeightsByZone";
	return z && !str_empty(z->refused) ? z->refused : NULL;
}

static bool has_left(const struct mdep *m, const char *zone)
{
	const struct mdep_zone_status *z = mdep_zone_find(&m->status, zone);

	return z && z->state == ZONE_EVACUATED;
}

static void count(const struct mdep_operator *op, const struct zoneshift *z, struct tally *t)
{
	const struct object *o;
	size_t it = 0;

	*t = (struct tally){.matched = 0};
	while ((o = store_next(&op->stores[CACHE_MDEP], &it))) {
		const struct mdep *m = mdep_from(o);
		const char *why;

		if (!zoneshift_matches(z, m))
			continue;
		t->matched++;
		t->evacuated += has_left(m, z->zone);
		why = has_left(m, z->zone) ? NULL : refusal(m, z->zone);
		t->refused += why != NULL;
		if (why && (!t->first || str_cmp(o->key, t->first) < 0)) {
			t->first = o->key;
			t->why = why;
		}
	}
}

static void say(struct telling *t, const char *phase, bool ready, const char *reason,
                const char *message)
{
	t->phase = phase;
	t->reason = reason;
	t->message = message;
	t->status[ZONESHIFT_READY] = ready;
}

static void describe(const struct mdep_operator *op, struct arena *a, int64_t now_ms,
                     struct telling *t)
{
	const struct zoneshift *z = t->shift;
	struct tally *n = &t->tally;

	if (z->problem) {
		say(t, "Invalid", false, "Invalid",
		    arena_printf(a, "%s: %s", z->problem_path, z->problem));
		t->status[ZONESHIFT_STALLED] = true;
		return;
	}
	if (z->until_ms <= now_ms) {
		say(t, "Expired", true, "Expired", "its time is over; it has no effect any more");
		return;
	}
	count(op, z, n);
	if (n->evacuated == n->matched) {
		say(t, "Active", true, n->matched ? "Shifted" : "NothingMatched",
		    n->matched
		            ? arena_printf(a, "all %d send nobody to zone %s", n->matched, z->zone)
		            : "no ModelDeployment with this zone is selected");
	} else if (n->refused) {
		say(t, "Active", false, "Refused",
		    arena_printf(a, "%d of %d have left zone %s, %d cannot, the first is %s: %s",
		                 n->evacuated, n->matched, z->zone, n->refused, n->first, n->why));
		t->status[ZONESHIFT_STALLED] = n->evacuated + n->refused == n->matched;
	} else {
		say(t, "Active", false, "Shifting",
		    arena_printf(a, "%d of %d have left zone %s", n->evacuated, n->matched,
		                 z->zone));
	}
	t->status[ZONESHIFT_RECONCILING] = n->evacuated + n->refused < n->matched;
}

static bool says_condition(const struct zoneshift *z, int c, bool holds)
{
	const char *told = z->said.status[c];

	if (c != ZONESHIFT_READY && !holds)
		return !told;
	return str_eq(told, holds ? "True" : "False");
}

static bool is_said(const struct telling *t)
{
	const struct zoneshift *z = t->shift;

	for (int i = 0; i < ZONESHIFT_CONDITIONS; i++)
		if (!says_condition(z, i, t->status[i]))
			return false;
	return z->said.generation == z->meta.generation && z->said.until_ms == z->until_ms &&
	       z->said.matched == t->tally.matched && z->said.evacuated == t->tally.evacuated &&
	       z->said.refused == t->tally.refused && str_eq(z->said.phase, t->phase) &&
	       str_eq(z->said.reason, t->reason) && str_eq(z->said.message, t->message);
}

static void fill(struct json_writer *w, const void *ctx)
{
	const struct telling *t = ctx;
	const struct zoneshift *z = t->shift;
	char stamp[CLOCK_RFC3339_MAX];

	jw_str(w, "phase", t->phase);
	if (z->until_ms)
		jw_str(w, "expiresAt", clock_format(z->until_ms, stamp));
	jw_i64(w, "matched", t->tally.matched);
	jw_i64(w, "evacuated", t->tally.evacuated);
	jw_i64(w, "refused", t->tally.refused);
	jw_array(w, "conditions");
	for (int i = 0; i < ZONESHIFT_CONDITIONS; i++)
		if (i == ZONESHIFT_READY || t->status[i])
			condition_write(w, zoneshift_condition_name((enum zoneshift_condition)i),
			                t->status[i], t->reason, t->message, z->meta.generation,
			                says_condition(z, i, t->status[i]) ? z->said.since_ms[i]
			                                                   : 0);
	jw_end_array(w);
}

/* --- when -------------------------------------------------------------------------------- */

void shift_count_soon(struct mdep_operator *op)
{
	if (op->shift_counts || !op->working || !store_len(&op->stores[CACHE_ZONESHIFT]))
		return;
	op->shift_counts = true;
	timer_start(&op->shift_count, COUNT_AFTER_MS);
}

void shift_count(void *arg)
{
	struct mdep_operator *op = arg;
	int64_t now_ms = clock_wall_ms(), next_ms = 0;
	const struct object *o;
	struct arena a;
	size_t it = 0;

	op->shift_counts = false;
	if (!op->working)
		return;
	arena_init(&a, 1024);
	while ((o = store_next(&op->stores[CACHE_ZONESHIFT], &it))) {
		struct telling t = {.shift = zoneshift_from(o)};

		describe(op, &a, now_ms, &t);
		if (!is_said(&t))
			kind_status_write(op, &zoneshift_kind, o, fill, &t);
		if (t.shift->until_ms > now_ms && (!next_ms || t.shift->until_ms < next_ms))
			next_ms = t.shift->until_ms;
	}
	arena_release(&a);
	if (next_ms)
		timer_start(&op->shift_count, next_ms - now_ms + 1);
}

/* Whoever it is about, or was, is looked at. */
void shift_event(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct zoneshift *z = zoneshift_from(ev->object);
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_MDEP], &it))) {
		const struct mdep_zone_status *s = mdep_zone_find(&mdep_from(o)->status, z->zone);

		if (zoneshift_matches(z, mdep_from(o)) || (s && str_eq(s->shift, z->meta.name)))
			queue_add(op->queue, o->key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
	}
	shift_count_soon(op);
}
