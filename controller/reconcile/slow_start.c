#include "intent.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"

static bool is_wanted(const struct mdep *m, const struct cell_services *services, const char *name)
{
	for (unsigned i = 0; m->slow_start_ms && i < services->n; i++)
		if (!services->v[i].front && str_eq(services->v[i].name, name))
			return true;
	return false;
}

static void collect_stale(struct mdep_operator *op, const struct mdep *m,
                          const struct cell_services *services, struct intents *t)
{
	const struct object *o = NULL;

	while ((o = store_next_owned(&op->stores[CACHE_DESTINATIONRULE], m->meta.uid, o)))
		if (!is_wanted(m, services, o->name))
			intent_delete(t, INTENT_CLEANUP, CACHE_DESTINATIONRULE, o);
}

/* Weights do not depend on it: a name that somebody else holds keeps no release waiting. */
static int collect_rule(struct mdep_operator *op, const struct mdep *m, const struct key_state *ks,
                        const struct cell_service *x, struct intents *t, struct err *err)
{
	cleanup_buf struct buf body;
	struct owned o = {.class = INTENT_SERVICE,
	                  .cache = CACHE_DESTINATIONRULE,
	                  .name = x->name,
	                  .have = (const struct service *)store_get(
				  &op->stores[CACHE_DESTINATIONRULE], m->meta.namespace, x->name),
	                  .taken_ok = true,
	                  .patch = KUBE_PATCH_MERGE,
	                  .body = &body};
	uint64_t hash;

	buf_init(&body, CHILD_BODY_MAX);
	if (child_slow_start(m, x->revision, x->zone, &body, &hash))
		return err_set(err, ERR_TOO_BIG, "DestinationRule body too large");
	if (!o.have || o.have->apply_hash != hash)
		intent_own(op, t, m, ks, &o);
	return 0;
}

int slow_start_collect(struct mdep_operator *op, const struct mdep *m, const struct key_state *ks,
                       const struct cell_services *services, struct intents *t, struct err *err)
{
	collect_stale(op, m, services, t);
	for (unsigned i = 0; m->slow_start_ms && i < services->n; i++)
		if (!services->v[i].front && collect_rule(op, m, ks, &services->v[i], t, err))
			return -1;
	return 0;
}
