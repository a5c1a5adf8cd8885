#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

static int pod_by_name(const void *a, const void *b)
{
	const struct pod *const *x = a, *const *y = b;

	return strcmp((*x)->meta.name, (*y)->meta.name);
}

static unsigned count_owned(const struct store *s, const char *owner_uid, unsigned most)
{
	const struct object *o;
	unsigned n = 0;

	for (o = store_next_owned(s, owner_uid, NULL); o && n < most;
	     o = store_next_owned(s, owner_uid, o))
		n++;
	return n;
}

static void collect_pods(const struct store *pods, const char *owner_uid, struct arena *a,
                         struct rollout_cell *cell)
{
	unsigned n = 0, max = count_owned(pods, owner_uid, UINT_MAX);
	const struct pod **list = arena_array(a, max, sizeof(struct pod *));
	const struct object *o;

	for (o = store_next_owned(pods, owner_uid, NULL); o;
	     o = store_next_owned(pods, owner_uid, o))
		list[n++] = (const struct pod *)o;
	if (n)
		qsort(list, n, sizeof(struct pod *), pod_by_name);
	cell->pods = list;
	cell->npods = n;
}

/* Traffic goes before a pod does that has to make way. */
static void collect_called(const struct mdep_operator *op, struct arena *a,
                           struct rollout_cell *cell)
{
	bool *called = NULL;

	for (unsigned i = 0; i < cell->npods; i++) {
		if (!binder_calls(op->binder, cell->pods[i]->meta.key))
			continue;
		if (!called)
			called = arena_array(a, cell->npods, sizeof(*called));
		called[i] = true;
	}
	cell->called = called;
}

static void collect_cell(struct mdep_operator *op, const struct replicaset *rs, struct arena *a,
                         struct rollout_cell *cell)
{
	*cell = (struct rollout_cell){
		.revision = rs->revision,
		.zone = !rs->zone || str_eq(rs->zone, "none") ? "" : rs->zone,
		.model_version = rs->model_version,
		.revision_no = rs->revision_no,
		.created_ms = rs->meta.created_ms,
		.spec = rs->replicas,
		.asked = rs->asked,
		.edits = rs->spec_writes ? (int)(rs->meta.generation - rs->spec_writes) : 0,
		.exists = true,
		.failure = rs->failure,
	};
	collect_pods(&op->stores[CACHE_POD], rs->meta.uid, a, cell);
	collect_called(op, a, cell);
	/* A cell's Service has the name of its ReplicaSet. */
	if (store_get(&op->stores[CACHE_SERVICE], rs->meta.namespace, rs->meta.name))
		endpoints_read(op->endpoints, a, cell);
}

static void collect_cells(struct mdep_operator *op, const struct mdep *m, struct key_state *ks,
                          struct arena *a, struct rollout_snapshot *out)
{
	const struct store *sets = &op->stores[CACHE_REPLICASET];
	unsigned n = 0, max = count_owned(sets, m->meta.uid, ROLLOUT_CELLS_MAX);
	struct rollout_cell *cells = arena_array(a, max, sizeof(*cells));
	const struct object *o;

	for (o = store_next_owned(sets, m->meta.uid, NULL); o && n < max;
	     o = store_next_owned(sets, m->meta.uid, o)) {
		const struct replicaset *rs = (const struct replicaset *)o;

		if (rs->revision && !rs->meta.deleted_ms)
			collect_cell(op, rs, a, &cells[n++]);
	}
	out->cells = cells;
	out->ncells = n;
	stranded_read(op, ks, a, out, cells);
}

void snapshot_build(struct mdep_operator *op, const struct mdep *m, struct key_state *ks,
                    const struct policy_view *policy, struct arena *a, int64_t now_ms,
                    struct rollout_snapshot *out)
{
	const struct traffic_driver *driver = traffic_driver_of(m);
	struct traffic_view view;

	*out = (struct rollout_snapshot){.now_ms = now_ms, .mdep = m};
	out->taken = taken_text(op, m, ks, a);
	takeover_read(op, m, a, &out->takeover);
	collect_cells(op, m, ks, a, out);
	room_read(op, ks, a, out);
	if (driver) {
		route_view(op, m, ks, now_ms, &view);
		driver->observe(m, &view, out->cells, out->ncells, a, &out->traffic);
		out->traffic.written_ms = view.written_ms;
	}
	out->traffic.canary_requests = out->traffic.total_requests = -1;
	observer_read(op->observer, m->meta.key, a, policy, out);
	failover_read(op, a, out);
}
