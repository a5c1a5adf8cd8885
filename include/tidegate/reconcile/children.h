/*
 * What a ModelDeployment is made of: bodies of its ReplicaSets and Services. Pure, also behind
 * `tidegate render`.
 *
 * A pod template is the runtime preset, filled from spec, with spec.template merged
 * over it: maps by key, lists of named things (containers, env, volumes, mounts,
 * ports) by name, other lists replaced. Labels and annotations below
 * serving.tidegate.io/ always stay ours.
 */
#ifndef TIDEGATE_RECONCILE_CHILDREN_H
#define TIDEGATE_RECONCILE_CHILDREN_H

#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"

#define CHILD_BODY_MAX (1u << 20)

struct child_cell {
	const char *zone; /* "" = no zones */
	int64_t revision_no;
	int replicas;
	int64_t spec_writes; /* this one included */
};
/* ReplicaSet of the spec's own revision. */
int child_replicaset(const struct mdep *m, const struct child_cell *cell, struct buf *out,
                     struct err *err);
/* Pod template alone (JSON object). */
int child_template(const struct mdep *m, const char *zone, struct buf *out, struct err *err);
/* What our pods' port is called, and what to give for `port` where they listen on several. */
#define CHILD_PORT_NAME    TG_PORT_NAME
#define CHILD_PORT_BY_NAME (-1)

/* Ports by which a Service answers. Of a ModelDeployment that stands still there is one. */
#define CHILD_PORTS_MAX 4
struct child_ports {
	struct service_port v[CHILD_PORTS_MAX];
	unsigned n;
};

/*
 * Service of one cell, and for drivers with one backend a path of a revision in all zones. `port`
 * is the pods' (0 = the Service's own): an older revision's need not be the spec's. ports NULL:
 * the spec's.
 * *hash identifies the content and stands in the body's annotation TG_ANN_APPLY_HASH, so
 * that an apply that would change nothing is skipped.
 */
int child_cell_service(const struct mdep *m, const char *revision, const char *zone, int port,
                       const struct child_ports *ports, struct buf *out, uint64_t *hash);
int child_revision_service(const struct mdep *m, const char *revision, int port,
                           const struct child_ports *ports, struct buf *out, uint64_t *hash);
/* Named as the ModelDeployment: every pod in service, or one revision's. */
int child_front_service(const struct mdep *m, const char *revision, int port,
                        const struct child_ports *ports, struct buf *out, uint64_t *hash);
/*
 * The strategic merge patch that makes `have` what body says. Not an apply: what was created by a
 * POST has another owner, and would keep the ports and selectors that an apply leaves out.
 */
int child_service_patch(const struct service *have, const struct buf *body, struct buf *out);

/*
 * PodDisruptionBudget over the pods in service of all revisions. Unless the spec has numbers of its
 * own it lets as many go at once as maxUnavailable does, and always one, so that a node can be
 * drained; hash as above.
 */
int child_disruption_budget(const struct mdep *m, struct buf *out, uint64_t *hash);

/*
 * Istio's DestinationRule of a cell's Service: its gateways raise the share of a pod that joins the
 * cell over spec.traffic.slowStart; hash as above.
 */
int child_slow_start(const struct mdep *m, const char *revision, const char *zone, struct buf *out,
                     uint64_t *hash);

/* Port that the model server listens on: spec's, else the preset's; 0 = none is known. */
int child_port(const struct mdep *m);
/* Text with $N, $V and $P replaced by model name, version and port. */
char *child_expand(struct arena *a, const struct mdep *m, const char *text);

#endif
