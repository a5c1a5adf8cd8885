/*
 * Names that the outside relies on: API group, labels, annotations, field managers,
 * condition types. Nothing else spells them.
 */
#ifndef TIDEGATE_API_NAMES_H
#define TIDEGATE_API_NAMES_H

#define TG_GROUP       "serving.tidegate.io"
#define TG_API_VERSION TG_GROUP "/v1alpha1"
#define TG_API_PATH    "/apis/" TG_GROUP "/v1alpha1"

/* Labels on everything we make. NAME+REVISION+ZONE select the pods of one cell. */
#define TG_LABEL_NAME       TG_GROUP "/name"
#define TG_LABEL_REVISION   TG_GROUP "/revision"
#define TG_LABEL_ZONE       TG_GROUP "/zone" /* "" is written as "none" */
#define TG_LABEL_IN_SERVICE TG_GROUP "/in-service"
#define TG_LABEL_MANAGED_BY "app.kubernetes.io/managed-by"
#define TG_MANAGED_BY       "tidegate"

/* Annotations on children. */
#define TG_ANN_MODEL_VERSION TG_GROUP "/model-version"
/* On a ReplicaSet: what its pods run, for the spec may name another server by now. */
#define TG_ANN_MODEL_NAME     TG_GROUP "/model-name"
#define TG_ANN_RUNTIME        TG_GROUP "/runtime"
#define TG_ANN_PORT           TG_GROUP "/port"
#define TG_ANN_METRICS_PATH   TG_GROUP "/metrics-path"
#define TG_ANN_REVISION_NO    TG_GROUP "/revision-number"
#define TG_ANN_ASKED          TG_GROUP "/asked-replicas" /* on a ReplicaSet: what we last wrote */
#define TG_ANN_SPEC_WRITES    TG_GROUP "/spec-writes" /* on a ReplicaSet: our writes of its spec */
#define TG_ANN_LEAVING_SINCE  TG_GROUP "/leaving-since"  /* on a pod: RFC 3339 */
#define TG_ANN_MAX_PER_NODE   TG_GROUP "/max-per-node"   /* on a pod: for the scheduler */
#define TG_ANN_PLACEMENT      TG_GROUP "/placement"      /* on a pod: Pack, Spread, FGD */
#define TG_ANN_RUNTIME_CONFIG TG_GROUP "/runtime-config" /* on a pod: file of its model server */
#define TG_ANN_APPLY_HASH     TG_GROUP "/apply-hash"
/* On the Lease of a replica: its vote (failover/vote.h), and whose replica it is. */
#define TG_ANN_VOTES         TG_GROUP "/votes"
#define TG_LABEL_REPLICA_OF  TG_GROUP "/replica-of"
#define TG_ANN_DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

/*
 * Port of pods and of their Services. A Service that is to answer by another port meanwhile calls
 * that one "http-<number>".
 */
#define TG_PORT_NAME "http"

/* Human orders on a ModelDeployment (design 2.2): TG_GROUP "/" verb. */
#define TG_ORDER_PREFIX TG_GROUP "/"

#define TG_GATE_MODEL_READY TG_GROUP "/model-ready"
#define TG_SCHEDULER_NAME   "tidegate"
#define TG_ZONE_LABEL       "topology.kubernetes.io/zone"
#define TG_HOST_LABEL       "kubernetes.io/hostname"
#define TG_GPU_PRODUCT      "nvidia.com/gpu.product"
#define TG_GPU_MEMORY       "nvidia.com/gpu.memory"

/* Field managers, one a subsystem. */
#define TG_FM_WORKLOAD "tidegate-workload"
#define TG_FM_TRAFFIC  "tidegate-traffic"
#define TG_FM_STATUS   "tidegate-status"
#define TG_FM_POD      "tidegate-pod"
#define TG_FM_SCHED    "tidegate-scheduler"
#define TG_FM_VOTES    "tidegate-votes"

#endif
