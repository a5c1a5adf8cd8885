/*
 * Pods: where new ones are made, and which ones leave. A pod leaves in three acts: its label
 * takes it out of the endpoints, it drains, and only then its ReplicaSet is made smaller, by no
 * more than the pods that nobody would miss (the ReplicaSet controller picks those that are not
 * ready first, then the lowest deletion cost, which leaving pods have).
 */
#include "plan_internal.h"
#include "tidegate/base/str.h"

struct budget {
	int any[TRACKS]; /* pods */
	int own[TRACKS]; /* ready pods */
	int main;        /* ready pods of stable and target together */
	int all;         /* ready pods, strays too */
};

/* Where room is not known, a card is free where somebody left, and hardly anywhere else. */
static int free_places(const struct planner *p, const struct cell_view *c)
{
	int room = plan_zone_room(p, c->zone);
	int n = room < 0 ? c->places : room + plan_zone_win(p, c->zone);

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *x = &p->cells[i];

		if (str_eq(x->zone, c->zone))
			n -= x->count + x->terminating + x->grow;
	}
	return n;
}

static int lack(const struct cell_view *c)
{
	return c->goal - c->count - c->grow;
}

static bool is_hungrier(const struct planner *p, const struct cell_view *a,
                        const struct cell_view *b)
{
	int free_a = free_places(p, a), free_b = free_places(p, b);

	return free_a != free_b ? free_a > free_b : lack(a) > lack(b);
}

static struct cell_view *hungriest(struct planner *p, enum track_id track)
{
	struct cell_view *best = NULL;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (c->track == track && lack(c) > 0 && (!best || is_hungrier(p, c, best)))
			best = c;
	}
	return best;
}

static void grow(struct planner *p, enum track_id track, int *room)
{
	struct cell_view *c;

	for (; *room > 0 && (c = hungriest(p, track)); (*room)--)
		c->grow++;
}

/* --- what the route still sends ---------------------------------------------------------- */

static bool route_holds(struct planner *p, const struct cell_view *c)
{
	const struct rollout_traffic *t = &p->s->traffic;
	int64_t settled = plan_route_changed_ms(p) + PLAN_SETTLE_MS;

	if (!t->managed || !t->exists)
		return false;
	if (c->route_weight > 0 || c->chosen || c->copied || !t->in_force)
		return true;
	if (p->now < settled)
		plan_wake(p, settled);
	return p->now < settled;
}

/* Nothing is sent to its pods any more, which was seen at them. */
static bool is_idle(struct planner *p, const struct cell_view *c)
{
	bool back = c->track == TRACK_TARGET && p->st->phase == ROLLOUT_ROLLING_BACK &&
	            p->st->weight == 0 && plan_verified(p);

	return (back || c->track == TRACK_STRAY) && p->s->traffic.managed && p->s->traffic.exists &&
	       p->tracks[TRACK_STABLE].in_service > 0 && !route_holds(p, c);
}

/*
 * Pods of stable that no node of the zone has a place for, beyond those that are about to get the
 * places of pods that end. What carries nothing makes way for them, though it counts as available:
 * else stable could never be whole again, and nothing else would ever leave.
 */
static int stable_wants(const struct planner *p, const char *zone)
{
	const struct rollout_room *room = plan_room(p, zone);
	/* Who waits for a place that has just got free has not been bound yet. */
	int n = room ? -room->free : 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (!str_eq(c->zone, zone))
			continue;
		n -= c->terminating;
		for (unsigned j = 0; c->track == TRACK_STABLE && j < c->npods; j++)
			n += pod_has_no_place(c->pods[j].pod);
	}
	return n > 0 ? n : 0;
}

/* --- which pods leave -------------------------------------------------------------------- */

/* Removing a stray cannot take what stable and target were found to have. */
static bool has_budget(const struct budget *b, enum track_id track)
{
	return b->own[track] > 0 && b->all > 0 && (track == TRACK_STRAY || b->main > 0);
}

static bool can_take(const struct cell_view *c, const struct budget *b, bool ready)
{
	if (c->surplus <= 0 || b->any[c->track] <= 0)
		return false;
	return !ready || c->yields > 0 || has_budget(b, c->track);
}

static void take(struct cell_view *c, struct budget *b, bool ready)
{
	c->surplus--;
	b->any[c->track]--;
	if (ready && !has_budget(b, c->track)) {
		c->yields--;
		return;
	}
	b->own[c->track] -= ready;
	b->main -= ready && c->track != TRACK_STRAY;
	b->all -= ready;
}

/* They serve nobody where they are: whatever is short, it is not made worse. */
static void take_homeless(struct planner *p, enum track_id track, struct budget *b)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		for (unsigned j = 0; c->track == track && j < c->npods; j++) {
			struct pod_view *v = &c->pods[j];

			if (c->turns <= 0 || v->victim || !pod_has_no_place(v->pod))
				continue;
			c->turns--;
			take(c, b, false);
			v->victim = true;
		}
	}
}

static void take_unseen(struct planner *p, enum track_id track, struct budget *b)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		while (c->track == track && c->unseen_victims < c->unseen &&
		       can_take(c, b, false)) {
			take(c, b, false);
			c->unseen_victims++;
		}
	}
}

static void take_class(struct planner *p, enum track_id track, enum pod_class class,
                       struct budget *b)
{
	/* A stray that is out of service does not come back, so nobody counts on it. */
	bool ready = class == CLASS_READY_LEFT && track != TRACK_STRAY;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		for (unsigned j = 0; c->track == track && j < c->npods; j++) {
			struct pod_view *v = &c->pods[j];

			if (v->class != class || v->victim || !can_take(c, b, ready))
				continue;
			take(c, b, ready);
			/* It makes way already. */
			c->yields -= class == CLASS_READY_LEFT && !ready && c->yields > 0;
			v->victim = true;
		}
	}
}

/* The youngest is worth least: its caches are coldest. Sorted by name, so ties are stable. */
static struct pod_view *youngest(struct cell_view *c)
{
	struct pod_view *best = NULL;

	for (unsigned j = 0; j < c->npods; j++) {
		struct pod_view *v = &c->pods[j];

		if (v->class == CLASS_READY && !v->victim &&
		    (!best || v->pod->ready_since_ms > best->pod->ready_since_ms))
			best = v;
	}
	return best;
}

/* Pods that may wait in the zone for a card of this cell's. */
static int waiting_for(const struct planner *p, const struct cell_view *c)
{
	int n = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *x = &p->cells[i];

		if (x->track != c->track && str_eq(x->zone, c->zone) && x->goal > x->ready)
			n += x->goal - x->ready;
	}
	return n;
}

static bool goes_before(const struct planner *p, const struct cell_view *a,
                        const struct cell_view *b)
{
	bool wait_a = waiting_for(p, a) > 0, wait_b = waiting_for(p, b) > 0;

	return wait_a != wait_b ? wait_a : a->surplus > b->surplus;
}

static struct cell_view *fullest(struct planner *p, enum track_id track, const struct budget *b)
{
	struct cell_view *best = NULL;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (c->track == track && can_take(c, b, true) && youngest(c) &&
		    (!best || goes_before(p, c, best)))
			best = c;
	}
	return best;
}

static void take_ready(struct planner *p, enum track_id track, struct budget *b)
{
	struct cell_view *from;

	while ((from = fullest(p, track, b))) {
		struct pod_view *v = youngest(from);

		take(from, b, true);
		v->victim = true;
		from->keep--;
	}
}

static void take_useless(struct planner *p, enum track_id track, struct budget *b)
{
	take_homeless(p, track, b);
	take_unseen(p, track, b);
	for (int class = CLASS_PENDING; class < CLASS_READY; class ++)
		take_class(p, track, (enum pod_class) class, b);
}

/*
 * Those that have left already, of every track, go before any that is in service: what is free
 * changes as they leave, and the one would come back while another leaves, in every pass.
 */
static void choose_victims(struct planner *p, const struct replicas_limits *lim)
{
	const struct track_view *t = p->tracks;
	int ready = t[TRACK_STABLE].ready + t[TRACK_TARGET].ready + t[TRACK_STRAY].in_service;
	struct budget b = {.any = {lim->old_any, lim->new_any, t[TRACK_STRAY].count},
	                   .own = {lim->old_ready, lim->new_ready, t[TRACK_STRAY].ready},
	                   .main = lim->ready,
	                   .all = ready - lim->floor};

	for (int track = 0; track < TRACKS; track++)
		take_useless(p, (enum track_id)track, &b);
	for (int track = 0; track < TRACKS; track++)
		take_ready(p, (enum track_id)track, &b);
	/* Marks count on nothing that is only on its way back: half of this plan may get lost. */
	p->spare = t[TRACK_STABLE].in_service + t[TRACK_TARGET].in_service - lim->floor;
	p->spare_all = p->spare + t[TRACK_STRAY].in_service;
}

/* With no replicas wanted nothing is kept for the time when a zone that was left comes back. */
static void empty_left_zones(struct planner *p)
{
	for (unsigned i = 0; i < p->ncells && p->m->replicas <= 0; i++) {
		struct cell_view *c = &p->cells[i];

		if (!c->out)
			continue;
		c->unseen_victims = c->unseen;
		c->makes_way = true;
		for (unsigned j = 0; j < c->npods; j++)
			c->pods[j].victim = true;
	}
}

/* --- waiting for the route --------------------------------------------------------------- */

/* All leave but one, which the route's traffic goes on to meanwhile. */
static bool spare_one(struct cell_view *c)
{
	for (unsigned j = 0; j < c->npods; j++)
		if (c->pods[j].victim && c->pods[j].class == CLASS_READY && c->in_service > 1) {
			c->pods[j].victim = false;
			return true;
		}
	return false;
}

/*
 * The last pod of a cell goes when the route no longer names the cell: without an endpoint behind
 * it a Service answers 503. One replica that is swapped on its only card has nowhere to send
 * traffic meanwhile. A stray that holds every place and all traffic makes room for
 * what is to follow it: nothing else ever could.
 */
static void block_last_pods(struct planner *p)
{
	bool swap = p->m->replicas + p->surge < 2;
	bool alone = !p->tracks[TRACK_STABLE].in_service && !p->tracks[TRACK_TARGET].in_service;

	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		if (c->keep > 0 || c->in_service == 0 || p->m->replicas <= 0)
			continue;
		if (!swap || (c->track == TRACK_STRAY && !alone))
			c->blocked = route_holds(p, c) &&
			             !(c->track == TRACK_STRAY && alone && spare_one(c));
	}
}

/* --- wishes ------------------------------------------------------------------------------ */

static void wish_pod(struct planner *p, const struct pod *pod, bool leave)
{
	p->out->pods[p->out->npods++] = (struct rollout_pod_wish){.pod = pod, .leave = leave};
}

/*
 * All leaving pods cost the same, so the ReplicaSet controller may pick any of them: none may be
 * deleted before the last one has drained, or while one is on its way back.
 */
static bool all_drained(struct planner *p, const struct cell_view *c)
{
	for (unsigned j = 0; j < c->npods; j++) {
		const struct pod_view *v = &c->pods[j];

		if (v->class == CLASS_READY_LEFT && (!v->victim || p->now < v->gone_ms))
			return false;
	}
	return true;
}

/* For the same reason no more pods are marked while the ReplicaSet is about to delete some. */
static bool may_mark(struct planner *p, const struct cell_view *c)
{
	bool left = false;

	if (!c->makes_way && (p->spare_all <= 0 || (c->track != TRACK_STRAY && p->spare <= 0)))
		return false;
	for (unsigned j = 0; j < c->npods; j++)
		left = left || c->pods[j].class == CLASS_READY_LEFT;
	return !c->blocked && c->spec >= (int)c->npods && !(left && all_drained(p, c));
}

/* True when the ReplicaSet may be made smaller by this victim now. */
static bool may_delete(struct planner *p, const struct cell_view *c, struct pod_view *v)
{
	switch (v->class) {
	case CLASS_PENDING:
		return true;
	case CLASS_READY:
		if (!may_mark(p, c))
			return false;
		wish_pod(p, v->pod, true);
		p->spare -= c->track != TRACK_STRAY && !c->out;
		p->spare_all -= !c->out;
		return false;
	default:
		break;
	}
	if (!v->gone_ms) { /* marked first: should it become ready now, it is still the victim */
		wish_pod(p, v->pod, true);
		return false;
	}
	if (v->class == CLASS_BROKEN_LEFT)
		return true;
	if (p->now < v->gone_ms)
		plan_wake(p, v->gone_ms);
	if (!all_drained(p, c))
		return false;
	/* Not now: until the pod is gone every look would be a new status to write. */
	plan_moved(p, v->gone_ms);
	return true;
}

static bool out_of_service(const struct pod_view *v)
{
	return v->gone_ms || !v->labelled;
}

static int wish_pods(struct planner *p, const struct cell_view *c)
{
	int deletable = c->unseen_victims;

	for (unsigned j = 0; j < c->npods; j++) {
		struct pod_view *v = &c->pods[j];

		if (v->victim)
			deletable += may_delete(p, c, v);
		else if (c->track != TRACK_STRAY && out_of_service(v))
			wish_pod(p, v->pod, false);
	}
	return deletable;
}

static bool is_scaled(const struct rollout_cell *cell)
{
	return cell->asked >= 0 && cell->asked != cell->spec;
}

/* One edit by others may have been the scaling alone. */
bool plan_template_edited(const struct cell_view *c)
{
	return c->cell && c->cell->exists && c->cell->edits > is_scaled(c->cell);
}

/* Somebody else has scaled it: it is put back, by the same rules as any other surplus or lack. */
static void tell_edited(struct planner *p, const struct cell_view *c, int replicas)
{
	const struct rollout_cell *cell = c->cell;
	const char *in = *c->zone ? " in zone " : "";

	if (!cell || !cell->exists)
		return;
	if (is_scaled(cell))
		plan_event(p, true, "ReplicaSetEdited",
		           arena_printf(p->arena,
		                        "somebody scaled the ReplicaSet of revision %s%s%s from "
		                        "%d to %d; it goes to %d",
		                        c->revision, in, c->zone, cell->asked, cell->spec,
		                        replicas));
	else if (plan_template_edited(c) && str_eq(c->revision, p->m->revision))
		plan_event(p, true, "ReplicaSetEdited",
		           arena_printf(p->arena,
		                        "somebody changed the pod template of revision %s%s%s in "
		                        "its ReplicaSet; it is put back, pods made meanwhile have "
		                        "what was there",
		                        c->revision, in, c->zone));
}

/*
 * A zone in which the revision has no pods yet, but may need some: when another one is out, or when
 * it is returned to. An empty cell is made in time: once a newer revision is asked for, its
 * template is not known any more.
 */
static bool is_refuge(const struct planner *p, const struct cell_view *c)
{
	return c->track != TRACK_STRAY && c->order < (int)p->m->nzones &&
	       str_eq(c->revision, p->m->revision);
}

/* They went out of service while no replicas were wanted: the zone cannot return without them. */
static void call_back(struct planner *p, const struct cell_view *c)
{
	for (unsigned j = 0; c->track != TRACK_STRAY && j < c->npods; j++)
		if (out_of_service(&c->pods[j]))
			wish_pod(p, c->pods[j].pod, false);
}

static void wish_cell(struct planner *p, const struct cell_view *c)
{
	int deletable, replicas;

	if (c->out && (p->m->replicas > 0 || !c->cell)) {
		call_back(p, c);
		return;
	}
	deletable = wish_pods(p, c);
	replicas = c->count - deletable;
	if (c->count <= c->goal)
		replicas = c->count + c->grow;
	else if (replicas > c->spec)
		replicas = c->spec;
	if (c->track == TRACK_STRAY && c->spec == 0)
		return;
	if (!c->cell && replicas == 0 && !is_refuge(p, c))
		return;
	tell_edited(p, c, replicas);
	p->out->cells[p->out->ncells++] = (struct rollout_cell_wish){
		.revision = c->revision,
		.zone = c->zone,
		.replicas = replicas,
		.restore = c->cell && c->cell->exists && c->cell->edits > 0 &&
	                   str_eq(c->revision, p->m->revision)};
}

/* --- history ----------------------------------------------------------------------------- */

static bool is_empty(const struct planner *p, const char *revision)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (str_eq(p->cells[i].revision, revision) &&
		    (p->cells[i].count || p->cells[i].terminating))
			return false;
	return true;
}

/* How many other old revisions are newer than this one. */
static int newer_strays(const struct planner *p, const struct cell_view *of)
{
	int newer = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];
		bool counted = false;

		if (c->track != TRACK_STRAY || !c->cell ||
		    c->cell->revision_no <= of->cell->revision_no)
			continue;
		for (unsigned j = 0; j < i; j++)
			counted = counted ||
			          (p->cells[j].cell && str_eq(p->cells[j].revision, c->revision));
		newer += !counted;
	}
	return newer;
}

static void forget_history(struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		if (c->track != TRACK_STRAY || !c->cell || !c->cell->exists ||
		    str_eq(c->revision, p->m->revision) || !is_empty(p, c->revision) || c->named ||
		    newer_strays(p, c) < p->m->revision_history_limit)
			continue;
		p->out->cells[p->out->ncells++] = (struct rollout_cell_wish){
			.revision = c->revision, .zone = c->zone, .remove = true};
	}
}

static void count_surplus(struct planner *p)
{
	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];

		c->surplus = !c->out && c->count > c->goal ? c->count - c->goal : 0;
	}
}

void plan_pods(struct planner *p)
{
	struct replicas_limits lim;
	unsigned npods = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		npods += p->cells[i].npods;
		p->cells[i].keep = p->cells[i].in_service;
		p->cells[i].yields =
			is_idle(p, &p->cells[i]) ? stable_wants(p, p->cells[i].zone) : 0;
		p->cells[i].makes_way = p->cells[i].yields > 0;
	}
	/* plan_stranded() has wishes of its own. */
	p->out->pods = arena_array(p->arena, 2 * npods, sizeof(*p->out->pods));
	p->out->cells = arena_array(p->arena, 2 * p->ncells, sizeof(*p->out->cells));
	replicas_limits(&p->in, &lim);
	for (int t = 0; t < TRACKS; t++)
		plan_spread(p, (enum track_id)t);
	plan_lend(p);
	count_surplus(p);
	grow(p, TRACK_STABLE, &lim.room);
	grow(p, TRACK_TARGET, &lim.room);
	choose_victims(p, &lim);
	empty_left_zones(p);
	block_last_pods(p);
	for (unsigned i = 0; i < p->ncells; i++)
		wish_cell(p, &p->cells[i]);
	forget_history(p);
}
