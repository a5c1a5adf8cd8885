/* Deployments whose place a ModelDeployment takes (spec.takeOver): cached for who asks for one. */
#include "internal.h"
#include "tidegate/base/str.h"

void takeover_cache_start(struct mdep_operator *op, const struct mdep *m)
{
	if (!m->take_over || op->started[CACHE_DEPLOYMENT])
		return;
	op->started[CACHE_DEPLOYMENT] = true;
	reflector_start(op->reflectors[CACHE_DEPLOYMENT]);
}

void takeover_event(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_MDEP], &it)))
		if (str_eq(mdep_from(o)->take_over, ev->object->name) &&
		    str_eq(o->namespace, ev->object->namespace))
			queue_add(op->queue, o->key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
}

void takeover_read(const struct mdep_operator *op, const struct mdep *m, struct arena *a,
                   struct rollout_takeover *out)
{
	const struct store *deployments = &op->stores[CACHE_DEPLOYMENT];
	const struct deployment *d;

	if (!m->take_over)
		return;
	out->known = deployments->synced;
	if (!out->known && reflector_trouble_ms(op->reflectors[CACHE_DEPLOYMENT]) > 0)
		out->trouble = arena_printf(a, "Deployments cannot be read: %s",
		                            reflector_trouble(op->reflectors[CACHE_DEPLOYMENT]));
	d = (const struct deployment *)store_get(deployments, m->meta.namespace, m->take_over);
	if (!d)
		return;
	out->exists = true;
	out->replicas = d->replicas;
	out->pods = d->pods;
	out->available = d->available;
	if (d->meta.owner_uid)
		out->controller = arena_printf(a, "%s %s", str_or(d->meta.owner_kind, "an object"),
		                               str_or(d->meta.owner_name, ""));
}
