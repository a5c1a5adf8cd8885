#include "world.h"

#include <stdio.h>

#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

/* As kube-controller-manager and a cloud's controller have them by default. */
#define NODE_GRACE_MS     50000  /* without a heartbeat until the node counts as gone */
#define NODE_EVICT_MS     300000 /* from then on until its pods are to be deleted */
#define NODE_FORGOTTEN_MS 90000  /* from then on until a machine that is no more is removed */
#define NODE_BACK_MS      5000

#define UNREACHABLE "node.kubernetes.io/unreachable"

/* --- zones --------------------------------------------------------------------------------- */

static struct world_zone *find_zone(const struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->nzones; i++)
		if (str_eq(w->zones[i].name, name))
			return (struct world_zone *)&w->zones[i];
	return NULL;
}

struct world_zone *world_zone(struct world *w, const char *name)
{
	struct world_zone *z = find_zone(w, name);

	if (z || w->nzones == WORLD_ZONES_MAX)
		return z;
	z = &w->zones[w->nzones++];
	str_copy(z->name, sizeof(z->name), name);
	return z;
}

bool world_zone_is_dark(const struct world *w, const char *zone)
{
	for (unsigned i = 0; i < w->nzones; i++)
		if (w->zones[i].dark && str_eq(w->zones[i].name, zone))
			return true;
	return false;
}

static const char *zone_of_node(const struct sim_object *node)
{
	return node ? str_or(world_label(node, TG_ZONE_LABEL), "") : "";
}

static struct sim_object *node_of(struct world *w, const struct sim_object *pod)
{
	const char *node = json_str(json_get(pod->json, "spec"), "nodeName");

	return node ? sim_get(w->api, SIM_NODE, NULL, node) : NULL;
}

const char *world_zone_of(struct world *w, const struct sim_object *pod)
{
	return zone_of_node(node_of(w, pod));
}

static bool is_unreachable(const struct world *w, const struct sim_object *node)
{
	return node->world.lost || world_zone_is_dark(w, zone_of_node(node));
}

bool world_pod_is_dark(struct world *w, const struct sim_object *pod)
{
	const struct sim_object *node = node_of(w, pod);

	return node && is_unreachable(w, node);
}

static void mark_pods(struct world *w)
{
	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		p->world.dark = world_pod_is_dark(w, p);
}

void world_zone_set(struct world *w, const char *zone, bool dark)
{
	struct world_zone *z = world_zone(w, zone);

	if (!z || z->dark == dark)
		return;
	users_count(w);
	z->dark = dark;
	for (struct sim_object *o = sim_next(w->api, SIM_NODE, NULL); o;
	     o = sim_next(w->api, SIM_NODE, o))
		if (str_eq(zone_of_node(o), zone))
			o->world.due_ms = 0;
	mark_pods(w);
	users_share(w);
	world_wake(w, clock_mono_ms());
}

void world_zone_spoil(struct world *w, const char *zone, double errors, double slower)
{
	struct world_zone *z = world_zone(w, zone);

	users_count(w);
	if (!z)
		return;
	z->errors = errors;
	z->slower = slower;
}

const struct world_zone *world_zone_spoils(struct world *w, const struct sim_object *pod)
{
	for (unsigned i = 0; i < w->nzones; i++) {
		const struct world_zone *z = &w->zones[i];

		if ((z->errors > 0 || z->slower > 1) && str_eq(z->name, world_zone_of(w, pod)))
			return z;
	}
	return NULL;
}

bool world_lose_node(struct world *w, const char *node)
{
	struct sim_object *o = sim_get(w->api, SIM_NODE, NULL, node);

	if (!o)
		return false;
	users_count(w);
	o->world.lost = true;
	/* One that counts as gone since its zone was dark may have been about to be back. */
	o->world.due_ms = o->world.unready ? clock_mono_ms() + NODE_FORGOTTEN_MS : 0;
	mark_pods(w);
	users_share(w);
	world_wake(w, clock_mono_ms());
	return true;
}

/* --- node controllers ---------------------------------------------------------------------- */

static void set_node(struct world *w, struct sim_object *node, bool ready)
{
	node->world.unready = !ready;
	sim_patch(w->api, node,
	          ready ? "{\"spec\":{\"taints\":null},\"status\":{\"conditions\":[{\"type\":"
	                  "\"Ready\",\"status\":\"True\"}]}}"
	                : "{\"spec\":{\"taints\":[{\"key\":\"" UNREACHABLE
	                  "\",\"effect\":\"NoSchedule\"},{\"key\":\"" UNREACHABLE
	                  "\",\"effect\":\"NoExecute\"}]},\"status\":{\"conditions\":[{\"type\":"
	                  "\"Ready\",\"status\":\"Unknown\"}]}}");
}

static void for_pods(struct world *w, const struct sim_object *node,
                     void (*fn)(struct world *w, struct sim_object *pod))
{
	struct sim_object *p, *after;

	for (p = sim_next(w->api, SIM_POD, NULL); p; p = after) {
		after = sim_next(w->api, SIM_POD, p);
		if (str_eq(json_str(json_get(p->json, "spec"), "nodeName"), node->name))
			fn(w, p);
	}
}

static void not_ready(struct world *w, struct sim_object *pod)
{
	pods_set_ready(w, pod, false);
}

static void evict(struct world *w, struct sim_object *pod)
{
	sim_delete(w->api, pod);
}

/* What is due for a node that does not answer. */
static void tick_silent(struct world *w, struct sim_object *node)
{
	int64_t now = clock_mono_ms();
	bool lost = node->world.lost;

	if (!node->world.due_ms)
		node->world.due_ms = now + NODE_GRACE_MS;
	if (now < node->world.due_ms)
		return;
	if (!node->world.unready) {
		set_node(w, node, false);
		for_pods(w, node, not_ready);
		node->world.due_ms = now + (lost ? NODE_FORGOTTEN_MS : NODE_EVICT_MS);
	} else if (lost) {
		for_pods(w, node, pods_remove);
		sim_remove(w->api, node);
	} else {
		for_pods(w, node, evict);
		node->world.due_ms = INT64_MAX;
	}
}

static void tick_answering(struct world *w, struct sim_object *node)
{
	int64_t now = clock_mono_ms();

	if (!node->world.unready) {
		node->world.due_ms = 0;
		return;
	}
	if (!node->world.due_ms || node->world.due_ms > now + NODE_BACK_MS)
		node->world.due_ms = now + NODE_BACK_MS;
	if (now < node->world.due_ms)
		return;
	set_node(w, node, true);
	node->world.due_ms = 0;
}

int64_t nodes_round(struct world *w)
{
	int64_t next = INT64_MAX;
	struct sim_object *o, *after;

	mark_pods(w);
	for (o = sim_next(w->api, SIM_NODE, NULL); o; o = after) {
		after = sim_next(w->api, SIM_NODE, o);
		if (is_unreachable(w, o))
			tick_silent(w, o);
		else
			tick_answering(w, o);
	}
	for (o = sim_next(w->api, SIM_NODE, NULL); o; o = sim_next(w->api, SIM_NODE, o))
		if (o->world.due_ms && o->world.due_ms < next)
			next = o->world.due_ms;
	return next;
}
