/*
 * Gateway API driver: a weight matrix as an HTTPRoute, and what its status says. Pure.
 *
 * Two ways, by who owns the route:
 *   ours   - spec.traffic.httpRoute.parentRefs given: one server-side apply of the whole
 *            route, owned by the ModelDeployment;
 *   theirs - a route of the user's: `rules` is an atomic list, so applying one weight
 *            would take the whole list over. Only backendRefs of those rules that point at our
 *            Services (or at the Service named as the ModelDeployment) are replaced, by a
 *            JSON patch guarded by resourceVersion.
 * A weight counts as in force when every parent accepts the route's current
 * generation (Accepted, ResolvedRefs); see struct httproute.
 */
#ifndef TIDEGATE_TRAFFIC_GATEWAY_H
#define TIDEGATE_TRAFFIC_GATEWAY_H

#include <stdbool.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/rollout/plan.h"

/* Name of the Service of one cell: "<mdep>-<revision>[-<zone>]", shortened with a hash at 63. */
char *gateway_service_name(struct arena *a, const struct mdep *m, const char *revision,
                           const char *zone);

struct gateway_wish {
	const struct mdep *mdep;
	const struct mdep_weight *weights; /* sum 10000 */
	unsigned nweights;
	const struct mdep_step
		*audience;  /* requests with these headers go to `target`; NULL = none */
	const char *target; /* revision */
};

/* Body of the apply for a route of ours. */
int gateway_apply_body(const struct gateway_wish *w, struct buf *out);
/*
 * JSON patch for a user's route as it stands; empty buffer = nothing to change. -1 when no rule
 * points at us (the error says what to write) or when an audience is asked for.
 */
int gateway_patch_body(const struct gateway_wish *w, const struct httproute *r, struct buf *out,
                       struct err *err);
/* True when the route carries exactly these weights (and audience rule). */
bool gateway_matches(const struct gateway_wish *w, const struct httproute *r);
/*
 * What the planner needs: existence, in force, problem, and the weights that stand in the
 * route, mapped back from Service names to the cells (revision, zone) given.
 */
void gateway_observe(const struct mdep *m, const struct httproute *r, /* NULL = absent */
                     const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                     struct rollout_traffic *out);

#endif
