/*
 * Traffic drivers: a weight matrix (with the audience and mirror of a step) as an object of some
 * gateway, and what that object says back. Pure.
 *
 * A driver never keeps anything: it looks at the object as it stands and says what it should be.
 *   ours   - one server-side apply of the whole object, owned by the ModelDeployment;
 *   theirs - an object of the user's: its lists are atomic, so applying one weight would take
 *            everything over. Only what points at our Services (or at the Service named as the
 *            ModelDeployment) is replaced, by a merge patch guarded by resourceVersion;
 *            rules that we insert carry a name of ours, and go when they are not wanted any more.
 * A weight is in force when the object's status says so at its current generation. Istio,
 * Ingress and TraefikService have no such status: there what stands in the object counts, and
 * the planner waits for its settling time and for the share that the pods count.
 * Sources: Gateway API v1.4 (GEP-718, GEP-995 names of rules, GEP-3171 mirror in percent),
 * Istio networking/v1, ingress-nginx' canary annotations. docs/traffic.md has the tables.
 * Ownership: texts live in the arena given.
 */
#ifndef TIDEGATE_TRAFFIC_DRIVER_H
#define TIDEGATE_TRAFFIC_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/err.h"
#include "tidegate/rollout/plan.h"

#define TRAFFIC_BESIDE_MAX 2

struct traffic_wish {
	const struct mdep *mdep;
	const struct mdep_weight *weights; /* sum 10000 */
	unsigned nweights;                 /* 0: nothing is to be written */
	const struct mdep_step *step;      /* its audience and mirror hold now; NULL = neither */
	const char *target, *stable;       /* revisions; stable NULL before the first */
	int port;                          /* of the Services, by which they are named */
	/* Of a ModelDeployment that is deleted, without weights: a route of the user's gets back
	 * the Service "<mdep>". */
	bool parting;
};

/* What the caches show. */
struct traffic_view {
	const struct route *route; /* the object that spec.traffic names; NULL = absent */
	/* In the order of the driver's list; NULL = absent. */
	const struct route *beside[TRAFFIC_BESIDE_MAX];
	const char *front; /* revision that the Service "<mdep>" selects; NULL = any */
	int front_port;    /* which port of it is called TG_PORT_NAME; 0 = none */
	int64_t front_ms;  /* wall, of our last write of it that may be done; 0 = unknown */
	int64_t now_ms, written_ms; /* wall; of our last write that may be done, 0 = unknown */
};

enum traffic_how { TRAFFIC_KEEP, TRAFFIC_APPLY, TRAFFIC_PATCH, TRAFFIC_DELETE };
struct traffic_edit {
	enum traffic_how how;
	const char *name;         /* of the object */
	const char *body;         /* NULL with TRAFFIC_KEEP and TRAFFIC_DELETE */
	const struct route *gone; /* TRAFFIC_DELETE: this one of the view */
	uint64_t want; /* identifies what is wanted: the same twice = somebody undid it */
	bool later;    /* settling: look again soon */
};

struct traffic_driver {
	const struct object_kind *kind;
	bool by_revision; /* Services per revision instead of per cell, and a front that switches */
	/* Further objects of the same kind that it makes: what their names add to the route's. */
	const char *const *beside;
	unsigned nbeside;
	/* -1: the object as it is cannot carry the wish; err says what to change. */
	int (*edit)(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
	            struct traffic_edit *out, struct err *err);
	/*
	 * Existence, in force, problem, and the weights that stand in the object, mapped back to
	 * the cells (revision, zone) given.
	 */
	void (*observe)(const struct mdep *m, const struct traffic_view *v,
	                const struct rollout_cell *cells, unsigned ncells, struct arena *a,
	                struct rollout_traffic *out);
	/* Some Service of m's is named there by this port. */
	bool (*names_port)(const struct mdep *m, const struct traffic_view *v, int port,
	                   struct arena *a);
	/* Revision that the Service "<mdep>" should select; NULL = any. by_revision only. */
	const char *(*front)(const struct traffic_wish *w, const struct traffic_view *v);
};

/* NULL for plain replica ratio. */
const struct traffic_driver *traffic_driver_of(const struct mdep *m);

#endif
