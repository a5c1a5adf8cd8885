/*
 * Read your writes: no plan is made of caches that do not show yet what was written for the key.
 * An answer tells the version that the cache has to reach. The answer to a delete tells none; there
 * the object itself has to go, or to be another one of that name.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

/* A write whose event never comes holds a key no longer. */
#define WRITES_MAX_MS 180000
/* Later than events are on a bad day: a watch that hangs is given up. */
#define WRITES_LATE_MS 5000

struct deleted {
	struct deleted *next;
	enum cache cache;
	char *key, *uid; /* of one piece with this */
};

void own_writes_note(struct key_state *ks, enum cache cache, const char *rv)
{
	if (!ks->floor)
		ks->floor = xcalloc(CACHES, sizeof(*ks->floor));
	if (rv_cmp(rv, ks->floor[cache]) <= 0)
		return;
	str_copy(ks->floor[cache], RV_MAX, rv);
	ks->written_ms = clock_mono_ms();
}

void own_writes_note_deleted(struct key_state *ks, enum cache cache, const char *key,
                             const char *uid)
{
	size_t key_size = strlen(key) + 1, uid_size = strlen(uid) + 1;
	struct deleted *d = xmalloc(sizeof(*d) + key_size + uid_size);

	*d = (struct deleted){.next = ks->deleted, .cache = cache, .key = (char *)(d + 1)};
	d->uid = d->key + key_size;
	memcpy(d->key, key, key_size);
	memcpy(d->uid, uid, uid_size);
	ks->deleted = d;
	ks->written_ms = clock_mono_ms();
}

static void drop(struct deleted **p)
{
	struct deleted *d = *p;

	*p = d->next;
	free(d);
}

void own_writes_forget(struct key_state *ks)
{
	free(ks->floor);
	ks->floor = NULL;
	while (ks->deleted)
		drop(&ks->deleted);
}

static void hurry(struct mdep_operator *op, enum cache cache, const struct key_state *ks)
{
	int64_t now = clock_mono_ms();

	if (now - ks->written_ms < WRITES_LATE_MS || now - op->hurried_ms[cache] < WRITES_LATE_MS)
		return;
	op->hurried_ms[cache] = now;
	reflector_hurry(op->reflectors[cache]);
}

static bool below_floor(struct mdep_operator *op, struct key_state *ks)
{
	bool below = false;

	for (int i = 0; ks->floor && i < CACHES; i++) {
		if (!ks->floor[i][0])
			continue;
		if (rv_cmp(op->stores[i].last_rv, ks->floor[i]) >= 0) {
			ks->floor[i][0] = '\0';
			continue;
		}
		below = true;
		hurry(op, (enum cache)i, ks);
	}
	return below;
}

/* One that others' finalizers hold is seen to be on its way. */
static bool is_shown(const struct mdep_operator *op, const struct deleted *d)
{
	const struct object *o = store_get_key(&op->stores[d->cache], d->key);

	return o && str_eq(o->uid, d->uid) && !o->deleted_ms;
}

static bool shows_deleted(struct mdep_operator *op, struct key_state *ks)
{
	for (struct deleted **p = &ks->deleted; *p;) {
		if (!is_shown(op, *p)) {
			drop(p);
			continue;
		}
		hurry(op, (*p)->cache, ks);
		p = &(*p)->next;
	}
	return ks->deleted != NULL;
}

bool own_writes_unseen(struct mdep_operator *op, struct key_state *ks)
{
	bool below = below_floor(op, ks), shows = shows_deleted(op, ks);
	bool unseen = (below || shows) && clock_mono_ms() - ks->written_ms <= WRITES_MAX_MS;

	if (!unseen)
		own_writes_forget(ks);
	return unseen;
}
