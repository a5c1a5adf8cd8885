/*
 * A changed spec.traffic.servicePort, in an order that loses no request: every Service answers by
 * both ports; when all EndpointSlices list the new one the route names it; when the gateway has
 * taken that over the old one goes. Where each ModelDeployment stands is read from its Services and
 * its route at every pass: what is remembered here are waits, which a new leader begins anew.
 */
#include "internal.h"
#include "service_port.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

/* A gateway hears of Services and their slices by other watches than of routes. */
#define LISTED_MS 2000
/* Of drivers whose routes have no status nobody says when the gateway has read them. */
#define FREE_MS 10000

enum stage { STAGE_NONE, STAGE_LISTED, STAGE_FREE };

/* --- what the Services show -------------------------------------------------------------- */

static bool is_old(const struct service_ports *p, int port)
{
	for (unsigned i = 0; i < p->nold; i++)
		if (p->old[i] == port)
			return true;
	return false;
}

static void note_old(struct service_ports *p, const struct service *s)
{
	for (unsigned i = 0; i < s->nports && p->nold < CHILD_PORTS_MAX - 1; i++)
		if (s->ports[i].port != p->wanted && !is_old(p, s->ports[i].port))
			p->old[p->nold++] = s->ports[i].port;
}

/* -1: it does not answer by that port. */
static int suffix_of(const struct service *s, int port)
{
	for (unsigned i = 0; i < s->nports; i++)
		if (s->ports[i].port == port)
			return s->ports[i].plain ? 0 : port;
	return -1;
}

static bool slice_has(const struct endpointslice *s, int suffix)
{
	for (unsigned i = 0; i < s->nports; i++)
		if (s->ports[i] == suffix)
			return true;
	return false;
}

/* Every slice of it that names pods says by which port of theirs this one is answered. */
static bool is_listed(const struct mdep_operator *op, const struct service *s, int port)
{
	const struct store *slices = &op->stores[CACHE_ENDPOINT];
	int suffix = suffix_of(s, port);
	const struct object *o = NULL;

	while ((o = store_next_owned(slices, s->meta.uid, o))) {
		const struct endpointslice *slice = (const struct endpointslice *)o;

		if (slice->npods && !slice_has(slice, suffix))
			return false;
	}
	return suffix >= 0 && slices->synced;
}

static bool all_listed(const struct mdep_operator *op, const struct service *const *services,
                       unsigned n, int port)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_listed(op, services[i], port))
			return false;
	return true;
}

/* --- waits ------------------------------------------------------------------------------- */

/* It has been so for long enough. */
static bool has_lasted(struct key_state *ks, enum stage stage, int64_t ms, struct service_ports *p)
{
	int64_t left;

	if (ks->port_stage != stage) {
		ks->port_stage = stage;
		ks->port_stage_ms = clock_mono_ms();
	}
	left = ks->port_stage_ms + ms - clock_mono_ms();
	if (left > 0)
		p->later_ms = left;
	return left <= 0;
}

static int named_of(const struct mdep *m, const struct traffic_view *v, struct arena *a,
                    const struct service_ports *p)
{
	const struct traffic_driver *driver = traffic_driver_of(m);

	for (unsigned i = 0; i < p->nold; i++)
		if (driver->names_port(m, v, p->old[i], a))
			return p->old[i];
	return 0;
}

/*
 * People may have written the new one into a route that led to a Service which had it already. What
 * we write in its place leads to other Services as well, and an old one is still answered by all.
 */
static int answered_by_all(const struct mdep_operator *op, const struct service *const *services,
                           unsigned n, const struct service_ports *p)
{
	for (unsigned i = 0; i < p->nold; i++)
		if (all_listed(op, services, n, p->old[i]))
			return p->old[i];
	return p->wanted;
}

void service_ports_plan(const struct mdep_operator *op, const struct rollout_snapshot *s,
                        const struct service *const *services, unsigned n, struct key_state *ks,
                        struct arena *a, struct service_ports *out)
{
	const struct mdep *m = s->mdep;
	bool all = true, listed = all_listed(op, services, n, m->service_port);
	struct traffic_view view;
	int named;

	*out = (struct service_ports){.wanted = m->service_port, .route = m->service_port};
	/* Nobody says whether somebody still asks for the old one. */
	if (!traffic_driver_of(m))
		return;
	for (unsigned i = 0; i < n; i++) {
		note_old(out, services[i]);
		all = all && suffix_of(services[i], m->service_port) >= 0;
	}
	if (!out->nold) {
		ks->port_stage = STAGE_NONE;
		return;
	}
	route_view(op, m, ks, s->now_ms, &view);
	named = named_of(m, &view, a, out);
	if (named && !listed)
		ks->port_stage = STAGE_NONE;
	if (named && (!listed || !has_lasted(ks, STAGE_LISTED, LISTED_MS, out)))
		out->route = named;
	if (named)
		return;
	if (!listed)
		out->route = answered_by_all(op, services, n, out);
	if (!all || !s->traffic.in_force)
		ks->port_stage = STAGE_NONE;
	else if (has_lasted(ks, STAGE_FREE, FREE_MS, out))
		out->nold = 0;
}

/* --- what a Service is to show ----------------------------------------------------------- */

static void add_port(const struct service *have, int port, bool *plain_taken,
                     struct child_ports *out)
{
	int suffix = have ? suffix_of(have, port) : -1;
	bool plain = suffix < 0 ? !*plain_taken : suffix == 0;

	*plain_taken = *plain_taken || plain;
	out->v[out->n++] = (struct service_port){.port = (uint16_t)port, .plain = plain};
}

/*
 * A port keeps its name for as long as it is there: Service and slices are read one after the
 * other, and meanwhile a renamed port has no endpoints.
 */
void service_ports_of(const struct service_ports *p, const struct service *have,
                      struct child_ports *out)
{
	bool plain_taken = false;

	out->n = 0;
	for (unsigned i = 0; have && i < have->nports; i++)
		plain_taken =
			plain_taken || (have->ports[i].plain && (have->ports[i].port == p->wanted ||
		                                                 is_old(p, have->ports[i].port)));
	add_port(have, p->wanted, &plain_taken, out);
	for (unsigned i = 0; i < p->nold; i++)
		add_port(have, p->old[i], &plain_taken, out);
}

bool service_ports_shown(const struct service *s, const struct child_ports *want)
{
	for (unsigned i = 0; i < want->n; i++)
		if (suffix_of(s, want->v[i].port) != (want->v[i].plain ? 0 : want->v[i].port))
			return false;
	return s->nports == want->n;
}
