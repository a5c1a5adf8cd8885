#include "tidegate/failover/miss.h"

#include <math.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define FAST_BURN   14.4
#define LIMIT_LEAST 0.10
#define LIMIT_MOST  0.50
#define TIMES_WORSE 4
#define LOOKS       3

struct sum {
	double all, bad;
};

static double share(struct sum s)
{
	return s.all > 0 ? s.bad / s.all : 0;
}

static struct sum sum_of(const struct miss_zone *z)
{
	struct sum s = {0, 0};

	for (int i = 0; i < MISS_SLOTS; i++) {
		s.all += (double)z->all[i];
		s.bad += (double)z->bad[i];
	}
	return s;
}

static struct sum sum_of_others(const struct miss *m, const struct miss_zone *self)
{
	struct sum s = {0, 0};

	for (int i = 0; i < MDEP_ZONES_MAX; i++) {
		struct sum one = sum_of(&m->zones[i]);

		if (&m->zones[i] == self)
			continue;
		s.all += one.all;
		s.bad += one.bad;
	}
	return s;
}

static double limit_of(const struct miss *m)
{
	return fmin(LIMIT_MOST, fmax(LIMIT_LEAST, FAST_BURN * (1 - m->target)));
}

/* What this look says of a zone that is taken to miss the objective, or not to. */
static bool looks_bad(const struct miss *m, const struct miss_zone *z)
{
	double limit = limit_of(m) * (z->misses ? 0.5 : 1);
	struct sum own = sum_of(z), others = sum_of_others(m, z);
	struct sum last = {(double)z->all[m->slot % MISS_SLOTS],
	                   (double)z->bad[m->slot % MISS_SLOTS]};

	return own.all >= MISS_LEAST && others.all >= MISS_LEAST && share(own) >= limit &&
	       share(last) >= limit && share(others) < limit &&
	       share(others) * TIMES_WORSE <= share(own);
}

static bool look(struct miss *m)
{
	bool changed = false;

	for (int i = 0; i < MDEP_ZONES_MAX; i++) {
		struct miss_zone *z = &m->zones[i];

		if (!z->name)
			continue;
		z->looks = looks_bad(m, z) != z->misses ? z->looks + 1 : 0;
		if (z->looks < LOOKS)
			continue;
		z->misses = !z->misses;
		z->looks = 0;
		changed = true;
	}
	return changed;
}

/* Time without any reading is without looks: what is not seen is neither good nor bad. */
static bool turn_to(struct miss *m, int64_t slot)
{
	bool changed = false;

	if (slot <= m->slot)
		return false;
	if (m->slot)
		changed = look(m);
	for (int64_t s = m->slot + 1; s <= slot && s <= m->slot + MISS_SLOTS; s++)
		for (int i = 0; i < MDEP_ZONES_MAX; i++)
			m->zones[i].all[s % MISS_SLOTS] = m->zones[i].bad[s % MISS_SLOTS] = 0;
	m->slot = slot;
	return changed;
}

static uint64_t hash_of(const char *zone)
{
	uint64_t h = str_hash(STR_HASH_SEED, zone, strlen(zone));

	return h ? h : 1;
}

/* -1: nothing is known of it. */
static int find(const struct miss *m, uint64_t name)
{
	for (int i = 0; i < MDEP_ZONES_MAX; i++)
		if (m->zones[i].name == name)
			return i;
	return -1;
}

/* Zones come and go with spec: the room of one that tells nothing any more is taken. */
static struct miss_zone *zone_made(struct miss *m, uint64_t name)
{
	int at = find(m, name);
	struct miss_zone *z = at < 0 ? NULL : &m->zones[at];

	for (int i = 0; i < MDEP_ZONES_MAX && !z; i++)
		if (!m->zones[i].name || sum_of(&m->zones[i]).all <= 0) {
			z = &m->zones[i];
			*z = (struct miss_zone){.name = name};
		}
	return z;
}

void miss_init(struct miss *m, double target)
{
	*m = (struct miss){.target = target};
}

bool miss_add(struct miss *m, const char *zone, int64_t now_ms, double all, double bad)
{
	bool changed = turn_to(m, now_ms / MISS_SLOT_MS);
	struct miss_zone *z = zone_made(m, hash_of(zone));

	if (!z)
		return changed;
	z->all[m->slot % MISS_SLOTS] += (float)all;
	z->bad[m->slot % MISS_SLOTS] += (float)bad;
	return changed;
}

bool miss_is(const struct miss *m, const char *zone)
{
	int at = find(m, hash_of(zone));

	return at >= 0 && m->zones[at].misses;
}

void miss_forget(struct miss *m, const char *zone)
{
	int at = find(m, hash_of(zone));

	if (at >= 0)
		m->zones[at] = (struct miss_zone){.name = m->zones[at].name};
}
