/*
 * What room the zones have for pods of a ModelDeployment that is being released, as far as its
 * bounds leave a choice between more pods and pods in place, or between zones. Nodes are asked with
 * a pod as spec's template makes it: pods that are bound tell no more where else they could run,
 * and those of an older revision that is released again are taken to need the same.
 */
#include <string.h>

#include "internal.h"
#include "merge.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"
#include "tidegate/rollout/replicas.h"

/* One pod a zone, of one generation of the spec; NULL = none could be made. */
struct room_pods {
	int64_t generation;
	unsigned n;
	struct object *v[MDEP_ZONES_MAX];
};

void room_forget(struct key_state *ks)
{
	for (unsigned i = 0; ks->room && i < ks->room->n; i++)
		free(ks->room->v[i]);
	free(ks->room);
	ks->room = NULL;
}

/* The template with a name, as an API server would give it back. */
static struct object *make_pod(const struct mdep *m, const char *zone)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf template, whole;
	struct err err = ERR_INIT;
	const struct json *json, *name;
	const char *meta;

	arena_init(&a, 16384);
	buf_init(&template, CHILD_BODY_MAX);
	buf_init(&whole, CHILD_BODY_MAX);
	if (child_template(m, zone, &template, &err))
		return NULL;
	meta = arena_printf(&a,
	                    "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"uid\":\"%s\"}}",
	                    m->meta.namespace, m->meta.name, m->meta.uid);
	json = json_parse(&a, template.data, template.len, &err);
	name = json_parse(&a, meta, strlen(meta), &err);
	if (!json || !name || json_merge(json, name, &whole))
		return NULL;
	json = json_parse(&a, whole.data, whole.len, &err);
	return json ? pod_kind.decode(json, &a, &err) : NULL;
}

static void make_pods(const struct mdep *m, struct key_state *ks)
{
	if (ks->room && ks->room->generation == m->meta.generation)
		return;
	room_forget(ks);
	ks->room = xcalloc(1, sizeof(*ks->room));
	ks->room->generation = m->meta.generation;
	ks->room->n = mdep_zone_count(m);
	for (unsigned i = 0; i < ks->room->n; i++)
		ks->room->v[i] = make_pod(m, mdep_zone_name(m, i));
}

static bool any_has_no_place(const struct rollout_snapshot *s)
{
	for (unsigned i = 0; i < s->ncells; i++)
		for (unsigned j = 0; j < s->cells[i].npods; j++)
			if (pod_has_no_place(s->cells[i].pods[j]))
				return true;
	return false;
}

/*
 * There is a choice, and a release is on its way, or will be in this pass, or a pod has no place
 * where it is.
 */
static bool is_wanted(const struct rollout_snapshot *s, int *surge)
{
	const struct mdep *m = s->mdep;
	int unavailable;
	bool choice;

	mdep_resolve_bounds(m, surge, &unavailable);
	choice = mdep_zone_count(m) > 1 || *surge > replicas_surge_least(m->replicas, unavailable);
	return choice && !str_empty(m->status.stable) &&
	       (m->status.phase != ROLLOUT_IDLE || !str_eq(m->revision, m->status.stable) ||
	        any_has_no_place(s));
}

/* Of the zone's pods that are seen on no node yet, those with which the binder has got so far. */
static int waiting(const struct mdep_operator *op, const struct rollout_snapshot *s,
                   const char *zone, bool (*so_far)(const struct binder *b, const char *key))
{
	int n = 0;

	for (unsigned i = 0; i < s->ncells; i++) {
		const struct rollout_cell *c = &s->cells[i];

		for (unsigned j = 0; str_eq(c->zone, zone) && j < c->npods; j++)
			n += !c->pods[j]->node && so_far(op->binder, c->pods[j]->meta.key);
	}
	return n;
}

/* What its class says is known of a pod that was made. */
static const struct pod *any_pod(const struct rollout_snapshot *s)
{
	for (unsigned i = 0; i < s->ncells; i++)
		if (s->cells[i].npods)
			return s->cells[i].pods[0];
	return NULL;
}

static bool could_preempt(struct mdep_operator *op, const struct rollout_snapshot *s,
                          const struct pod *p)
{
	const struct pod *made = any_pod(s);
	struct pod probe = *p;

	if (!made)
		return false;
	probe.priority = made->priority;
	probe.preempt_never = made->preempt_never;
	return binder_could_preempt(op->binder, &probe);
}

int room_in_zone(struct mdep_operator *op, const struct mdep *m, const char *zone, int most)
{
	cleanup_free struct object *o = make_pod(m, zone);

	return o ? binder_room(op->binder, (const struct pod *)o, most) : 0;
}

void room_read(struct mdep_operator *op, struct key_state *ks, struct arena *a,
               struct rollout_snapshot *s)
{
	const struct mdep *m = s->mdep;
	struct rollout_room *rooms;
	int surge;

	if (!is_wanted(s, &surge)) {
		room_forget(ks);
		return;
	}
	make_pods(m, ks);
	rooms = arena_array(a, ks->room->n, sizeof(*rooms));
	for (unsigned i = 0; i < ks->room->n; i++) {
		const struct pod *p = (const struct pod *)ks->room->v[i];
		int room = p ? binder_room(op->binder, p, m->replicas + surge) : -1;
		const char *zone = mdep_zone_name(m, i);

		/* Places of pods that are being bound are taken already. */
		if (room >= 0)
			rooms[s->nrooms++] = (struct rollout_room){
				.zone = zone,
				.free = room + waiting(op, s, zone, binder_has_assumed),
				.win = waiting(op, s, zone, binder_has_nominated) +
			               (!room && could_preempt(op, s, p))};
	}
	s->rooms = rooms;
}
