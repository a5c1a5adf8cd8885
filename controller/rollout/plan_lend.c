/*
 * A pod of the target whose zone has no place for it is made in a zone that has one. Zones get
 * their parts by weight, so with a spare card in another zone alone a release that may lack no pod
 * would wait for ever. The part itself stays as it is: when a pod of stable has made way at home,
 * a pod is made there, and the one abroad goes. On a way back the same holds for pods of stable:
 * what the target still carries keeps its cards until they are ready. On the way there what is left
 * of stable is where its pods are, not where one more waits. A place that others make way
 * from counts, too: only a pod that waits in that very zone gets it.
 */
#include "plan_internal.h"
#include "tidegate/base/str.h"

static int placed(const struct cell_view *c)
{
	return max_int(0, c->placed - c->terminating);
}

/* Places of the zone that pods of other revisions neither hold nor wait for, nor pods that end. */
static int own_places(const struct planner *p, const struct cell_view *c)
{
	int n = plan_zone_room(p, c->zone) + plan_zone_win(p, c->zone) - c->terminating;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *x = &p->cells[i];

		if (x != c && str_eq(x->zone, c->zone))
			n -= x->count + x->terminating;
	}
	return n;
}

/* A pod that was made there a moment ago and waits for its node has the place it was made for. */
static int spare(const struct planner *p, const struct cell_view *c)
{
	return own_places(p, c) - max_int(placed(c), c->goal);
}

/* Pods that have no place in the zone and will find none as things are. */
static int homeless(const struct planner *p, const struct cell_view *c)
{
	return min_int(c->goal - own_places(p, c), c->goal - placed(c));
}

static bool takes_part(const struct cell_view *c, enum track_id track)
{
	return c->track == track && c->zone_weight > 0;
}

/* One that has a pod abroad already; with `loading`, one that is not ready yet. */
static struct cell_view *host_of(struct planner *p, enum track_id track, bool loading)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (takes_part(c, track) && placed(c) > c->goal &&
		    (!loading || c->count > c->ready))
			return c;
	}
	return NULL;
}

static struct cell_view *roomiest(struct planner *p, enum track_id track)
{
	struct cell_view *best = NULL;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (takes_part(c, track) && spare(p, c) > (best ? spare(p, best) : 0))
			best = c;
	}
	return best;
}

static void move_one(struct cell_view *from, struct cell_view *to)
{
	from->goal--;
	to->goal++;
}

/*
 * Loads are long: a pod that is at it stays, though a place got free at home meanwhile. New ones
 * are made abroad only with `anew`.
 */
static void lend_from(struct planner *p, struct cell_view *home, bool anew)
{
	struct cell_view *host;

	while (home->goal > placed(home) && (host = host_of(p, home->track, true)))
		move_one(home, host);
	while (homeless(p, home) > 0 && ((host = host_of(p, home->track, false)) ||
	                                 (anew && (host = roomiest(p, home->track)))))
		move_one(home, host);
}

static void lend(struct planner *p, enum track_id track, bool anew)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (takes_part(&p->cells[i], track))
			lend_from(p, &p->cells[i], anew);
}

/* Places that are left when each pod has one; negative: so many pods have none. */
static int vacant(const struct planner *p, const struct cell_view *c)
{
	return own_places(p, c) - c->count;
}

/* Pods that are still to be made and would have a place at once. */
static int could_be_made(const struct planner *p, enum track_id track)
{
	int n = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (takes_part(c, track) && vacant(p, c) > 0 && c->goal > c->count)
			n += min_int(vacant(p, c), c->goal - c->count);
	}
	return n;
}

/*
 * A pod that waits for a place takes up what may be asked for at a time. Where its zone has none,
 * and another that is still to be filled has, it goes, and one is asked for there first.
 */
static void take_turns(struct planner *p, enum track_id track)
{
	int n = could_be_made(p, track);

	for (unsigned i = 0; i < p->ncells && n > 0; i++) {
		struct cell_view *c = &p->cells[i];
		int waiting = min_int(c->count - placed(c), -vacant(p, c));

		if (!takes_part(c, track) || waiting <= 0)
			continue;
		c->turns = min_int(waiting, n);
		c->goal = min_int(c->goal, c->count - c->turns);
		n -= c->turns;
	}
}

/* While a zone is out its pods' places are not what they seem. */
static bool is_settled(const struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].out)
			return false;
	return p->s->nrooms == mdep_zone_count(p->m);
}

void plan_lend(struct planner *p)
{
	if (!is_settled(p))
		return;
	/* Between releases room is known only as long as a pod waits: one would come and go. */
	if (p->st->phase != ROLLOUT_IDLE)
		lend(p, TRACK_STABLE, p->st->phase == ROLLOUT_ROLLING_BACK);
	take_turns(p, TRACK_STABLE);
	lend(p, TRACK_TARGET, true);
	take_turns(p, TRACK_TARGET);
}
