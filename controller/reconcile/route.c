/* Caches of routes, which are there for who asks for them, and what a driver sees of them. */
#include "internal.h"

#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

enum cache route_cache(const struct mdep *m)
{
	static const enum cache of[] = {
		[TRAFFIC_NONE] = CACHES,
		[TRAFFIC_HTTPROUTE] = CACHE_ROUTE,
		[TRAFFIC_GRPCROUTE] = CACHE_GRPCROUTE,
		[TRAFFIC_ISTIO] = CACHE_VIRTUALSERVICE,
		[TRAFFIC_INGRESS] = CACHE_INGRESS,
		[TRAFFIC_TRAEFIK] = CACHE_TRAEFIKSERVICE,
	};

	return of[m->traffic];
}

static void start(struct mdep_operator *op, enum cache cache)
{
	if (op->started[cache])
		return;
	op->started[cache] = true;
	reflector_start(op->reflectors[cache]);
}

/* The cells' endpoints matter where shares go to cells. */
void route_cache_start(struct mdep_operator *op, const struct mdep *m)
{
	enum cache cache = route_cache(m);

	if (cache == CACHES)
		return;
	start(op, cache);
	start(op, CACHE_ENDPOINT);
	/* Whether or not there is a slow start now: rules of an earlier one have to go. */
	if (m->traffic == TRAFFIC_ISTIO)
		start(op, CACHE_DESTINATIONRULE);
}

/* The first one that m needs and that has not been read; CACHES when there is none. */
static enum cache unread_cache(const struct mdep_operator *op, const struct mdep *m)
{
	enum cache cache = route_cache(m);

	if (cache != CACHES && op->stores[cache].synced)
		cache = m->slow_start_ms ? CACHE_DESTINATIONRULE : CACHES;
	return cache != CACHES && op->stores[cache].synced ? CACHES : cache;
}

bool route_cache_ready(const struct mdep_operator *op, const struct mdep *m,
                       struct route_trouble *out)
{
	enum cache cache = unread_cache(op, m);

	*out = (struct route_trouble){NULL, NULL};
	if (cache == CACHES)
		return true;
	out->kind = op->stores[cache].kind;
	/* A first list that is under way is no trouble. */
	if (reflector_trouble_ms(op->reflectors[cache]) > 0)
		out->why = reflector_trouble(op->reflectors[cache]);
	return false;
}

static const struct route *get(const struct mdep_operator *op, enum cache cache,
                               const struct mdep *m, const char *name)
{
	return (const struct route *)store_get(&op->stores[cache], m->meta.namespace, name);
}

static int plain_port(const struct service *s)
{
	for (unsigned i = 0; s && i < s->nports; i++)
		if (s->ports[i].plain)
			return s->ports[i].port;
	return 0;
}

/* A clock that was set since must not make a gateway's time to follow shorter or longer. */
static int64_t on_wall(int64_t mono_ms, int64_t now_ms)
{
	return mono_ms ? now_ms - (clock_mono_ms() - mono_ms) : 0;
}

void route_view(const struct mdep_operator *op, const struct mdep *m, const struct key_state *ks,
                int64_t now_ms, struct traffic_view *out)
{
	enum cache cache = route_cache(m);
	const struct traffic_driver *driver = traffic_driver_of(m);
	const struct service *front = (const struct service *)store_get(
		&op->stores[CACHE_SERVICE], m->meta.namespace, m->meta.name);

	*out = (struct traffic_view){.now_ms = now_ms,
	                             .written_ms = on_wall(ks->route_written_ms, now_ms),
	                             .front_ms = on_wall(ks->front_written_ms, now_ms),
	                             .front = front ? front->revision : NULL,
	                             .front_port = plain_port(front)};
	if (cache == CACHES)
		return;
	out->route = get(op, cache, m, m->route_name);
	for (unsigned i = 0; i < driver->nbeside; i++) {
		cleanup_free char *name = xasprintf("%s%s", m->route_name, driver->beside[i]);

		out->beside[i] = get(op, cache, m, name);
	}
}

void route_trouble_status(const struct mdep *m, const struct route_trouble *t, struct arena *a,
                          int64_t now_ms, struct mdep_status *out)
{
	const char *message =
		arena_printf(a, "%ss cannot be read, so nothing is released or moved: %s",
	                     t->kind->kind, t->why);

	*out = m->status;
	mdep_status_widen(out, arena_alloc(a, sizeof(struct mdep_status_room)));
	mdep_condition_set(out, "TrafficInForce", "False", "DriverUnavailable", message,
	                   m->meta.generation, now_ms);
	if (!m->status.stable)
		mdep_condition_set(out, "Ready", "False", "TrafficNotInForce", message,
		                   m->meta.generation, now_ms);
}
