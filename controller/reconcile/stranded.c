/*
 * Pods whose node is lost: the control plane has given the node up, the pod is not Ready, and does
 * not answer us either. (A pod that answers runs on: it is the node's agent that is away.) Since
 * when is remembered here only: a new leader waits anew. Whether another would find room in its
 * zone is asked with a pod as spec's template makes it.
 */
#include "internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static bool node_is_lost(const struct mdep_operator *op, const struct pod *p)
{
	const struct object *o = p->node ? store_get_key(&op->stores[CACHE_NODE], p->node) : NULL;

	return o && !((const struct node *)o)->ready;
}

static bool answers(const struct mdep_operator *op, const struct pod *p)
{
	struct model_probe_state s;

	return gate_state(op->gate, p, &s) && s.passed_once && s.failures < MODEL_PROBE_CONFIRM;
}

static bool is_stranded(const struct mdep_operator *op, const struct pod *p)
{
	return !p->ready && !p->meta.deleted_ms && !p->leaving_since_ms && node_is_lost(op, p) &&
	       !answers(op, p);
}

static int64_t since(struct key_state *ks, const struct pod *p, int64_t now_ms)
{
	int64_t *at;

	if (!ks->stranded) {
		ks->stranded = xcalloc(1, sizeof(*ks->stranded));
		map_init(ks->stranded);
	}
	at = map_get(ks->stranded, p->meta.uid);
	if (!at) {
		at = xmalloc(sizeof(*at));
		*at = now_ms;
		map_set(ks->stranded, p->meta.uid, at);
	}
	/* The clock was set back: it has been so for no longer than that. */
	if (*at > now_ms)
		*at = now_ms;
	return *at;
}

void stranded_forget(struct key_state *ks)
{
	if (!ks->stranded)
		return;
	map_release(ks->stranded, free);
	free(ks->stranded);
	ks->stranded = NULL;
}

/* Pods of the cell that are about to take a place: made and not bound, or about to be made. */
static int claims(const struct mdep_operator *op, const struct rollout_cell *c)
{
	int n = c->exists ? c->spec : 0;

	for (unsigned i = 0; i < c->npods; i++) {
		const struct pod *p = c->pods[i];

		if (p->meta.deleted_ms)
			continue;
		n -= p->node || binder_has_assumed(op->binder, p->meta.key);
	}
	return n > 0 ? n : 0;
}

/* Places of a zone, which its cells share; left over is what is not claimed or given yet. */
struct zone_places {
	const char *zone;
	int left;
};

static int most_needed(const struct rollout_snapshot *s, const char *zone, int claimed)
{
	int n = claimed;

	for (unsigned i = 0; i < s->ncells; i++)
		n += str_eq(s->cells[i].zone, zone) ? (int)s->cells[i].npods : 0;
	return n;
}

static struct zone_places *places_of(struct mdep_operator *op, const struct rollout_snapshot *s,
                                     const char *zone, struct zone_places *all, unsigned *n)
{
	int claimed = 0;

	for (unsigned i = 0; i < *n; i++)
		if (str_eq(all[i].zone, zone))
			return &all[i];
	for (unsigned i = 0; i < s->ncells; i++)
		claimed += str_eq(s->cells[i].zone, zone) ? claims(op, &s->cells[i]) : 0;
	all[*n] = (struct zone_places){
		zone, room_in_zone(op, s->mdep, zone, most_needed(s, zone, claimed)) - claimed};
	return &all[(*n)++];
}

/* Places of the zone are given to its stranded pods in their order, whatever their revision. */
static unsigned read_cell(struct mdep_operator *op, struct key_state *ks, struct arena *a,
                          const struct rollout_snapshot *s, struct rollout_cell *c,
                          struct zone_places *all, unsigned *nall)
{
	struct rollout_stranded *v = NULL;
	struct zone_places *places = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < c->npods; i++) {
		const struct pod *p = c->pods[i];

		if (!is_stranded(op, p)) {
			if (ks->stranded)
				free(map_del(ks->stranded, p->meta.uid));
			continue;
		}
		if (!v) {
			v = arena_array(a, c->npods, sizeof(*v));
			places = places_of(op, s, c->zone, all, nall);
		}
		v[i].since_ms = since(ks, p, s->now_ms);
		v[i].room = places->left-- > 0;
		n++;
	}
	c->stranded = v;
	return n;
}

void stranded_read(struct mdep_operator *op, struct key_state *ks, struct arena *a,
                   const struct rollout_snapshot *s, struct rollout_cell *cells)
{
	struct zone_places *all = arena_array(a, s->ncells, sizeof(*all));
	unsigned n = 0, nall = 0;

	if (gate_blind(op->gate))
		return;
	for (unsigned i = 0; i < s->ncells; i++)
		n += read_cell(op, ks, a, s, &cells[i], all, &nall);
	if (!n)
		stranded_forget(ks);
}

void stranded_node(struct mdep_operator *op, const struct store_event *ev)
{
	const struct node *was = (const struct node *)ev->previous;
	const struct node *n = (const struct node *)ev->object;
	const struct object *o;
	size_t it = 0;

	if (ev->change == STORE_DELETED || n->ready || !was || !was->ready)
		return;
	while ((o = store_next(&op->stores[CACHE_POD], &it))) {
		const struct pod *p = (const struct pod *)o;

		if (str_eq(p->node, n->meta.name))
			operator_enqueue_pod(op, p);
	}
}
