/*
 * Goals: how many pods each revision shall have, and how many of them in each zone. Surge is used
 * as far as the zones have room for it: a pod that no node has a place for would hold up a release
 * that could go on card by card.
 */
#include "plan_internal.h"
#include "tidegate/base/str.h"

/* --- how many ---------------------------------------------------------------------------- */

static struct replicas_track track_input(const struct track_view *t)
{
	return (struct replicas_track){.spec = t->count,
	                               .pods = t->live,
	                               .ready = t->ready,
	                               .terminating = t->terminating};
}

static void widen_by_route(const struct planner *p, int *low, int *high)
{
	const struct rollout_traffic *t = &p->s->traffic;
	int64_t sum = 0, own = 0;

	for (unsigned i = 0; i < t->nweights; i++) {
		sum += t->weights[i];
		if (str_eq(t->revisions[i], p->st->target))
			own += t->weights[i];
	}
	if (!sum)
		return;
	if ((int)(own * 100 / sum) < *low)
		*low = (int)(own * 100 / sum);
	if ((int)((own * 100 + sum - 1) / sum) > *high)
		*high = (int)((own * 100 + sum - 1) / sum);
}

/* The greatest share that either side may still get: asked for, seen, or standing in the route. */
static void held_shares(struct planner *p)
{
	int low = p->st->weight, high = p->st->weight;

	p->in.held_new = p->in.held_old = 0;
	if (!p->s->traffic.managed || plan_first(p))
		return; /* a pod that leaves takes its share along */
	if (p->st->verified_weight < low)
		low = p->st->verified_weight;
	if (p->st->verified_weight > high)
		high = p->st->verified_weight;
	if (p->tracks[TRACK_TARGET].revision)
		widen_by_route(p, &low, &high);
	p->in.held_new = high;
	p->in.held_old = 100 - low;
}

/* Until the end a foothold of stable stays where surge has room for it: the way back. */
static int foothold(const struct planner *p)
{
	int n = p->surge < p->m->replicas ? p->surge : p->m->replicas;

	if (!p->s->traffic.managed || p->in.target_weight < 100 || plan_first(p) ||
	    p->st->phase == ROLLOUT_COMPLETING)
		return 0;
	return n < p->tracks[TRACK_STABLE].count ? n : p->tracks[TRACK_STABLE].count;
}

static void set_goals(struct planner *p)
{
	p->in.surge = p->surge;
	replicas_plan(&p->in, &p->goals);
	p->goal[TRACK_TARGET] = p->goals.new_goal;
	p->goal[TRACK_STABLE] = p->goals.old_goal;
	p->goal[TRACK_STRAY] = 0;
	if (p->goal[TRACK_STABLE] < foothold(p))
		p->goal[TRACK_STABLE] = foothold(p);
}

/* --- where ------------------------------------------------------------------------------- */

/*
 * Pods that take the cards of others go where those leave: all replicas are spread, and the target
 * gets what the rest of them would leave. As a split only grows with its number, nothing of it is
 * negative. What stable has at the moment does not count: pods would follow it back and forth.
 */
static void split_goal(struct planner *p, enum track_id track, const int *weights, unsigned n,
                       int *share)
{
	int *taken = arena_array(p->arena, n, sizeof(int));
	int rest = p->m->replicas - p->goal[track];
	int others = track == TRACK_TARGET && rest > 0 ? rest : 0;

	replicas_split(others + p->goal[track], weights, n, share);
	replicas_split(others, weights, n, taken);
	for (unsigned i = 0; i < n; i++)
		share[i] -= taken[i];
}

void plan_spread(struct planner *p, enum track_id track)
{
	int *weights = arena_array(p->arena, p->ncells, sizeof(int));
	int *share = arena_array(p->arena, p->ncells, sizeof(int));
	struct cell_view **cells = arena_array(p->arena, p->ncells, sizeof(void *));
	unsigned n = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (c->track != track)
			continue;
		c->goal = c->out && p->m->replicas > 0 ? c->count : 0;
		if (c->zone_weight > 0) {
			weights[n] = c->zone_weight;
			cells[n++] = c;
		}
	}
	split_goal(p, track, weights, n, share);
	for (unsigned i = 0; i < n; i++)
		cells[i]->goal = share[i];
	replicas_split(p->m->replicas, weights, n, share);
	for (unsigned i = 0; i < n; i++)
		cells[i]->places = share[i];
}

/* --- surge, as far as there is room ------------------------------------------------------- */

const struct rollout_room *plan_room(const struct planner *p, const char *zone)
{
	for (unsigned i = 0; i < p->s->nrooms; i++)
		if (str_eq(p->s->rooms[i].zone, zone))
			return &p->s->rooms[i];
	return NULL;
}

/* Places of the zone for pods of ours, taken ones too; -1 = not known. */
int plan_zone_room(const struct planner *p, const char *zone)
{
	const struct rollout_room *room = plan_room(p, zone);
	int n;

	if (!room)
		return -1;
	n = room->free;
	for (unsigned i = 0; i < p->ncells; i++)
		if (str_eq(p->cells[i].zone, zone))
			n += p->cells[i].placed;
	return n;
}

/* Beyond those: places that others make way from. */
int plan_zone_win(const struct planner *p, const char *zone)
{
	const struct rollout_room *room = plan_room(p, zone);

	return room ? room->win : 0;
}

struct zone_need {
	int goal, places; /* pods of stable and target; the zone's part of replicas */
};

static struct zone_need zone_need(const struct planner *p, const char *zone)
{
	struct zone_need need = {0, 0};

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (c->out || c->track == TRACK_STRAY || !str_eq(c->zone, zone))
			continue;
		need.goal += c->goal;
		need.places = c->places > need.places ? c->places : need.places;
	}
	return need;
}

/*
 * A zone that has not even its part of replicas is short of places whatever surge is; but pods of
 * that part may stand where another zone has a place to spare, and surge cannot have it too.
 */
static bool goals_fit(struct planner *p)
{
	bool all_known = p->s->nrooms == mdep_zone_count(p->m);
	int spare = 0;

	set_goals(p);
	plan_spread(p, TRACK_STABLE);
	plan_spread(p, TRACK_TARGET);
	for (unsigned i = 0; i < p->s->nrooms; i++) {
		const char *zone = p->s->rooms[i].zone;
		struct zone_need need = zone_need(p, zone);
		int room = plan_zone_room(p, zone);

		if (need.goal > need.places && need.goal > room)
			return false;
		if (need.places > 0)
			spare += room - need.places;
	}
	return !all_known || p->surge <= spare;
}

/*
 * A place is held or free, so what we bind and give up ourselves changes nothing of the result, and
 * no goal goes back and forth. What stays of surge in any case is waited for.
 */
static void fit_surge(struct planner *p)
{
	int fits = replicas_surge_least(p->m->replicas, p->unavailable), tried = p->max_surge;

	if (fits > tried)
		fits = tried;
	/* Goals only grow with surge: what does not fit, fits with none above it. */
	for (int over = p->max_surge + 1; fits < over - 1; tried = (fits + over) / 2) {
		p->surge = tried;
		if (goals_fit(p))
			fits = tried;
		else
			over = tried;
	}
	p->surge = fits;
	set_goals(p);
}

/* A step holds the versions against each other for as long as people find right. */
static bool has_split(const struct mdep *m)
{
	for (unsigned i = 0; i < m->nsteps; i++)
		if (m->steps[i].weight > 0 && m->steps[i].weight < 100)
			return true;
	return false;
}

/*
 * A version that nobody held against the one before yet: the last stable pod stays, with its share,
 * until the new ones' has been looked at for as long as any other. Not on a way back.
 */
static bool must_compare(struct planner *p)
{
	const struct mdep_status *st = p->st;
	int64_t enough_ms = st->weight_verified_ms + PLAN_PASS_MS;

	if (plan_first(p) || plan_returning(p) || !plan_releasing(p) || st->weight >= 100 ||
	    has_split(p->m))
		return false;
	if (st->verified_weight <= 0)
		return true;
	/* The clock was set back. */
	if (p->now >= enough_ms || st->weight_verified_ms > p->now)
		return false;
	plan_wake(p, enough_ms);
	return true;
}

void plan_arithmetic(struct planner *p)
{
	struct track_view *stray = &p->tracks[TRACK_STRAY];

	p->in.replicas = p->m->replicas;
	p->in.unavailable = p->unavailable;
	p->in.target_weight = plan_target_weight(p);
	p->in.capacity = plan_capacity(p);
	p->in.compare = must_compare(p);
	p->in.new_track = track_input(&p->tracks[TRACK_TARGET]);
	p->in.old_track = track_input(&p->tracks[TRACK_STABLE]);
	/* Strays hold cards until they are gone, and count for nothing else. */
	p->in.new_track.terminating += stray->count + stray->terminating;
	held_shares(p);
	if (p->s->nrooms)
		fit_surge(p);
	else
		set_goals(p);
}
