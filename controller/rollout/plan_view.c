/* The snapshot's cells and pods, counted and sorted into stable, target and stray. */
#include <string.h>

#include "plan_internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

#define NO_ORDER (MDEP_ZONES_MAX + 1)

static bool pod_ended(const struct pod *pod)
{
	return pod->phase == POD_SUCCEEDED || pod->phase == POD_FAILED;
}

static enum pod_class class_of(const struct pod *pod, bool left)
{
	if (pod->phase == POD_PENDING)
		return CLASS_PENDING;
	if (pod->ready)
		return left ? CLASS_READY_LEFT : CLASS_READY;
	return left ? CLASS_BROKEN_LEFT : CLASS_BROKEN;
}

static int64_t drained_ms(const struct planner *p, const struct pod *pod,
                          const struct rollout_pod_fact *fact)
{
	int64_t drain = p->m->drain_ms > PLAN_DRAIN_MIN_MS ? p->m->drain_ms : PLAN_DRAIN_MIN_MS;

	if (fact && fact->listed_ms)
		drain += PLAN_UNLIST_MS;
	else if (fact && fact->idle)
		drain = PLAN_DRAIN_MIN_MS;
	return pod->leaving_since_ms + PLAN_STAMP_MS + drain;
}

static void view_pod(const struct planner *p, const struct pod *pod,
                     const struct rollout_pod_fact *fact, struct pod_view *v)
{
	bool left = pod->leaving_since_ms != 0;

	v->pod = pod;
	v->labelled = pod_is_in_service(pod);
	v->class = class_of(pod, left || !v->labelled);
	v->gone_ms = left ? drained_ms(p, pod, fact) : 0;
}

/* What serves already needs no warm-up, and in a first release there is nobody else to serve. */
static int64_t warmup_ms(const struct planner *p, const char *revision)
{
	return plan_first(p) || str_eq(revision, p->st->stable) ? 0 : p->m->warmup_ms;
}

static bool warm(struct planner *p, const struct pod *pod, int64_t warmup)
{
	int64_t warm_ms = pod->ready_since_ms + warmup;

	if (!warmup || pod->ready_since_ms > p->now || p->now >= warm_ms)
		return true;
	plan_wake(p, warm_ms);
	return false;
}

static bool has_audience(const struct rollout_traffic *t, const char *revision)
{
	for (unsigned i = 0; i < t->nweights; i++)
		if (t->chosen[i] && str_eq(t->revisions[i], revision))
			return true;
	return false;
}

/*
 * A gateway may lag by more than its moment. Where it answers, the route names a cell without a
 * weight as soon as that has an endpoint (plan_matrix.c): a gateway that has read this has been
 * through what happened before. An audience's rule gives a share to every cell that it names, so
 * none is named first.
 */
static bool is_read(const struct planner *p, const struct cell_view *c)
{
	const struct rollout_traffic *t = &p->s->traffic;

	return !t->answers || (c->named && t->in_force) || has_audience(t, c->revision);
}

/* A gateway that never answers gets as long for an endpoint as its weights get. */
static int64_t moment_ms(const struct planner *p, const struct rollout_pod_fact *fact)
{
	if (p->s->traffic.managed && !p->s->traffic.answers)
		return PLAN_SETTLE_MS;
	return fact ? PLAN_ENDPOINT_MS : PLAN_ENDPOINT_BLIND_MS;
}

/* A Ready time that lies ahead is another clock's and says nothing. */
static bool endpoint_known(struct planner *p, const struct cell_view *c, const struct pod *pod,
                           const struct rollout_pod_fact *fact)
{
	int64_t since = fact ? fact->listed_ms : pod->ready_since_ms;
	int64_t known_ms = since + moment_ms(p, fact);

	if (fact && !fact->listed_ms)
		return false;
	if (!is_read(p, c))
		known_ms = since + PLAN_ENDPOINT_NAMED_MS;
	if (since > p->now || p->now >= known_ms)
		return true;
	if (p->s->traffic.managed)
		plan_wake(p, known_ms);
	return false;
}

static void view_endpoint(struct planner *p, struct cell_view *c, const struct pod_view *v,
                          const struct rollout_pod_fact *fact)
{
	if (v->class != CLASS_READY)
		return;
	c->listed |= !fact || fact->listed_ms;
	c->known |= endpoint_known(p, c, v->pod, fact);
}

/* The ReplicaSet controller counts neither ended nor terminating pods. */
static void view_pods(struct planner *p, struct cell_view *c)
{
	const struct rollout_cell *cell = c->cell;
	int64_t warmup = warmup_ms(p, c->revision);

	c->pods = arena_array(p->arena, cell->npods, sizeof(*c->pods));
	for (unsigned i = 0; i < cell->npods; i++) {
		const struct pod *pod = cell->pods[i];
		const struct rollout_pod_fact *fact = cell->facts ? &cell->facts[i] : NULL;
		struct pod_view *v = &c->pods[c->npods];

		if (pod_ended(pod))
			continue;
		if (pod->meta.deleted_ms && p->now >= pod->meta.deleted_ms + PLAN_DEAD_MS)
			continue;
		c->placed += pod->node || pod->scheduled;
		if (pod->meta.deleted_ms) {
			c->terminating++;
			continue;
		}
		if (cell->called && cell->called[i]) {
			c->terminating++;
			continue;
		}
		view_pod(p, pod, fact, v);
		if (v->gone_ms > p->drain_ms)
			p->drain_ms = v->gone_ms;
		c->ready += v->class == CLASS_READY || v->class == CLASS_READY_LEFT;
		c->in_service += v->class == CLASS_READY;
		if (v->class == CLASS_READY && !warm(p, pod, warmup))
			c->warming++;
		else
			view_endpoint(p, c, v, fact);
		c->npods++;
	}
	c->spec = cell->exists ? cell->spec : 0;
	c->count = c->spec > (int)c->npods ? c->spec : (int)c->npods;
	c->unseen = c->count - (int)c->npods;
}

static int zone_order(const struct mdep *m, const char *zone)
{
	for (unsigned i = 0; i < m->nzones; i++)
		if (str_eq(m->zones[i].name, zone))
			return (int)i;
	return !m->nzones && !*zone ? 0 : NO_ORDER;
}

/* An Active zone is out: its pods count for nothing, and Standby zones take their part. */
static bool standby_needed(const struct planner *p)
{
	for (unsigned i = 0; i < p->m->nzones; i++) {
		const struct mdep_zone_status *z = mdep_zone_find(p->st, p->m->zones[i].name);

		if (p->m->zones[i].role == ZONE_ACTIVE && z && mdep_zone_is_out(z))
			return true;
	}
	return false;
}

static int zone_weight(const struct planner *p, int order)
{
	const struct mdep *m = p->m;

	if (!m->nzones)
		return order == 0;
	if (order >= (int)m->nzones || (m->zones[order].role == ZONE_STANDBY && !standby_needed(p)))
		return 0;
	return m->zones[order].weight > 0 ? m->zones[order].weight : 1;
}

static void view_route(const struct planner *p, struct cell_view *c)
{
	const struct rollout_traffic *t = &p->s->traffic;

	for (unsigned i = 0; i < t->nweights; i++) {
		if (!str_eq(t->revisions[i], c->revision) ||
		    !str_eq(str_or(t->zones[i], ""), c->zone))
			continue;
		c->named = true;
		c->route_weight += t->weights[i];
		c->chosen |= t->chosen[i];
		c->copied |= t->copied[i];
	}
}

static void view_zone(const struct planner *p, struct cell_view *c)
{
	const struct mdep_zone_status *z = mdep_zone_find(p->st, c->zone);

	c->percent = z ? mdep_zone_percent(z) : 100;
	c->out = z && mdep_zone_is_out(z);
	if (c->out)
		c->zone_weight = 0;
}

static void add_cell(struct planner *p, const struct rollout_cell *cell, const char *revision,
                     const char *zone)
{
	struct cell_view *c = &p->cells[p->ncells++];

	c->cell = cell;
	c->revision = revision;
	c->zone = zone;
	c->order = zone_order(p->m, zone);
	c->zone_weight = zone_weight(p, c->order);
	view_route(p, c);
	view_zone(p, c);
	c->known = c->route_weight > 0;
	if (cell)
		view_pods(p, c);
}

static bool has_cell(const struct planner *p, const char *revision, const char *zone)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (str_eq(p->cells[i].revision, revision) && str_eq(p->cells[i].zone, zone))
			return true;
	return false;
}

/* Only the spec's own revision can be made anew: no other's pod template is known. */
static void add_missing(struct planner *p)
{
	for (unsigned i = 0; i < mdep_zone_count(p->m); i++) {
		const char *zone = mdep_zone_name(p->m, i);

		if (!has_cell(p, p->m->revision, zone))
			add_cell(p, NULL, p->m->revision, zone);
	}
}

/* Cells in the order of spec.zones, so that every list that comes out has one order. */
static void sort_cells(struct planner *p)
{
	for (unsigned i = 1; i < p->ncells; i++) {
		struct cell_view c = p->cells[i];
		unsigned j = i;

		for (; j > 0 && p->cells[j - 1].order > c.order; j--)
			p->cells[j] = p->cells[j - 1];
		p->cells[j] = c;
	}
}

void plan_view(struct planner *p)
{
	p->cells = arena_array(p->arena, p->s->ncells + MDEP_ZONES_MAX + 1, sizeof(*p->cells));
	for (unsigned i = 0; i < p->s->ncells; i++)
		add_cell(p, &p->s->cells[i], p->s->cells[i].revision,
		         str_or(p->s->cells[i].zone, ""));
	add_missing(p);
	sort_cells(p);
	plan_tracks(p);
}

/* A revision none of whose zones is in spec any more keeps the zones that it has. */
static void keep_old_zones(struct planner *p, enum track_id track)
{
	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].track == track && p->cells[i].zone_weight > 0)
			return;
	for (unsigned i = 0; i < p->ncells; i++)
		if (p->cells[i].track == track && !p->cells[i].out)
			p->cells[i].zone_weight = 1;
}

static enum track_id track_of(const struct planner *p, const char *revision)
{
	if (p->st->stable && str_eq(revision, p->st->stable))
		return TRACK_STABLE;
	if (p->st->target && str_eq(revision, p->st->target))
		return TRACK_TARGET;
	return TRACK_STRAY;
}

/* On the way back nobody waits for pods to be warm, and at the end none is new. */
static bool warming_counts(const struct planner *p)
{
	return plan_releasing(p) && p->st->phase != ROLLOUT_COMPLETING;
}

void plan_tracks(struct planner *p)
{
	memset(p->tracks, 0, sizeof(p->tracks));
	p->tracks[TRACK_STABLE].revision = p->st->stable;
	p->tracks[TRACK_TARGET].revision =
		str_eq(p->st->stable, p->st->target) ? NULL : p->st->target;
	for (unsigned i = 0; i < p->ncells; i++) {
		struct cell_view *c = &p->cells[i];
		struct track_view *t;

		c->track = track_of(p, c->revision);
		t = &p->tracks[c->track];
		if (c->out)
			continue;
		t->count += c->count;
		t->live += (int)c->npods;
		t->ready += c->ready;
		t->in_service += c->in_service;
		if (c->track == TRACK_TARGET && warming_counts(p)) {
			t->ready -= c->warming;
			t->in_service -= c->warming;
			t->warming += c->warming;
		}
		t->terminating += c->terminating;
		t->known |= c->known;
	}
	keep_old_zones(p, TRACK_STABLE);
	keep_old_zones(p, TRACK_TARGET);
}
