/*
 * The core kinds that we watch, as compact projections. Each is one allocation
 * (kube/object.h). Only what a decision needs is kept: about 300 bytes a pod.
 * Units: cpu in milli, memory and other resources in whole units (bytes, cards).
 */
#ifndef TIDEGATE_API_CORE_H
#define TIDEGATE_API_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/kube/object.h"

struct label {
	const char *key, *value;
};
/* NULL when absent. */
const char *label_get(const struct label *l, unsigned n, const char *key);

/* Of a status's list: the condition of that type, NULL when there is none. */
const struct json *json_condition(const struct json *conditions, const char *type);
bool json_condition_true(const struct json *conditions, const char *type);

/* --- scheduling terms, shared by pods ---------------------------------------------------- */
enum selector_op { SEL_IN, SEL_NOT_IN, SEL_EXISTS, SEL_NOT_EXISTS, SEL_GT, SEL_LT };
struct selector_req {
	const char *key;
	enum selector_op op;
	const char *const *values;
	unsigned nvalues;
	bool field; /* matchFields: key is metadata.name */
};
struct selector_term { /* ANDed; an empty term matches nothing */
	const struct selector_req *reqs;
	unsigned nreqs;
	int weight; /* preferred terms only */
};
enum taint_effect { TAINT_NO_SCHEDULE, TAINT_PREFER_NO_SCHEDULE, TAINT_NO_EXECUTE };
struct taint {
	const char *key, *value;
	enum taint_effect effect;
};
struct toleration {
	const char *key, *value;
	bool exists; /* operator Exists; else Equal */
	bool any_effect;
	enum taint_effect effect;
};
struct extended { /* extended resource */
	const char *name;
	int64_t amount;
};

/* Part of an object_pack() (kube/object.h), as are all copies of the terms. */
const struct label *pack_labels(struct packer *p, const struct label *l, unsigned n);
const struct taint *pack_taints(struct packer *p, const struct taint *t, unsigned n);

/* --- Pod --------------------------------------------------------------------------------- */
enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };

struct pod_port {
	int port;
	char protocol; /* 'T', 'U', 'S' */
	const char *ip;
};

struct pod_constraints {
	const struct label *node_selector;
	const struct selector_term *required; /* ORed */
	const struct selector_term *preferred;
	const struct toleration *tolerations;
	const struct pod_port *host_ports;
	/* One that the in-process scheduler does not implement: its field path; NULL = none. Such
	 * a pod is refused with a condition, never placed wrongly. */
	const char *unsupported;
	unsigned nnode_selector, nrequired, npreferred, ntolerations, nhost_ports;
	bool has_required; /* required affinity present, even with no terms */
};

/* Of nothing there are more, so members stand by their size. */
struct pod {
	struct object meta;
	/* labels below serving.tidegate.io/, NULL when absent */
	const char *mdep, *revision, *zone, *in_service;
	int64_t ready_since_ms; /* transition of Ready to True, 0 when not ready */
	const char *ip;
	const char *node; /* spec.nodeName, NULL when unbound */
	const char *nominated_node;
	const char *scheduler;
	/* status.reason, or the waiting reason of the first container that waits */
	const char *reason;
	const char *message;
	/* annotations of ours, as are max_per_node and deletion_cost */
	int64_t leaving_since_ms;
	const char *placement;
	/* effective request (sum, init and sidecar rules, overhead) */
	int64_t cpu_milli, memory, ephemeral;
	const struct extended *extended;
	/*
	 * Read it with pod_constraints(). A bound pod keeps its host ports only: it never moves,
	 * and most pods are bound.
	 */
	const struct pod_constraints *constraints; /* NULL when there are none */
	unsigned nextended;
	enum pod_phase phase;
	int restarts;
	int priority;
	int max_per_node;
	int deletion_cost;
	bool ready, initialized, scheduled, containers_ready;
	bool gate_model_ready_set; /* spec.readinessGates names ours */
	bool gate_model_ready;     /* status condition True */
	bool gate_model_told;      /* status condition there, whatever it says */
	bool preempt_never;
	bool gated; /* spec.schedulingGates not empty */
};
extern const struct object_kind pod_kind;
/* By its label, which Services select; whether it is ready is another matter. */
bool pod_is_in_service(const struct pod *p);
/* Never NULL. */
const struct pod_constraints *pod_constraints(const struct pod *p);
/* It waits, and no node has room for it as things are. */
bool pod_has_no_place(const struct pod *p);

/* --- Node -------------------------------------------------------------------------------- */
struct node {
	struct object meta;
	const struct label *labels;
	unsigned nlabels;
	const char *zone; /* topology.kubernetes.io/zone, "" when unlabelled */
	bool unschedulable, ready;
	const struct taint *taints;
	unsigned ntaints;
	int64_t cpu_milli, memory, ephemeral, pods; /* allocatable */
	const struct extended *extended;
	unsigned nextended;
};
extern const struct object_kind node_kind;

/* --- ReplicaSet -------------------------------------------------------------------------- */
struct replicaset {
	struct object meta;
	const char *name, *revision, *zone;              /* labels of ours; NULL when not ours */
	const char *model_version;                       /* annotation, as are the next: */
	const char *model_name, *runtime, *metrics_path; /* runtime NULL = nothing is on record */
	int port;                                        /* 0 = none */
	/* Of its pods: the model container's readiness probe when that is gRPC; port 0 = it is not.
	 */
	int grpc_port;
	const char *grpc_service;
	int64_t revision_no;
	int replicas; /* spec */
	int asked;    /* annotation: replicas as we last wrote them, -1 = unknown */
	/*
	 * Annotation: how often we wrote its spec; 0 = unknown. The generation counts everybody's
	 * writes, so a difference is an edit by others, whatever the server has filled in.
	 */
	int64_t spec_writes;
	int status_replicas, ready_replicas, available_replicas;
	int64_t observed_generation;
	uint64_t apply_hash; /* annotation, 0 when absent */
	const char *failure; /* message of ReplicaFailure=True, NULL */
};
extern const struct object_kind replicaset_kind;

/* --- Service ----------------------------------------------------------------------------- */
/* One that we may have made: called TG_PORT_NAME, or that with its number. */
struct service_port {
	uint16_t port;
	bool plain; /* without */
};
/* A number behind TG_PORT_NAME, 0 = none is; -1: another name. */
int service_port_suffix(const char *name);

struct service {
	struct object meta;
	uint64_t apply_hash;
	const char *revision; /* that its selector asks for; NULL = any */
	const struct service_port *ports;
	unsigned nports;
};
extern const struct object_kind service_kind;
/* PodDisruptionBudget, DestinationRule: as much is kept of them. */
extern const struct object_kind disruption_budget_kind, destinationrule_kind;

/* --- Deployment --------------------------------------------------------------------------- */
struct deployment {
	struct object meta;
	int replicas; /* spec */
	int pods, available;
};
extern const struct object_kind deployment_kind;

/* --- EndpointSlice ------------------------------------------------------------------------ */
/* Of a Service's pods those that take requests: conditions ready (absent counts as true). */
struct endpointslice {
	struct object meta;      /* controlled by the Service */
	const char *const *pods; /* names */
	unsigned npods;
	/* Suffixes of the names of its ports, as far as they may be ours. */
	const uint16_t *ports;
	unsigned nports;
};
extern const struct object_kind endpointslice_kind;

/* --- Lease of a replica of the operator --------------------------------------------------- */
struct vote_lease {
	struct object meta;
	const char *votes; /* annotation, NULL when absent */
};
extern const struct object_kind vote_lease_kind;

/* --- routes of the traffic drivers ------------------------------------------------------- */
/*
 * HTTPRoute, GRPCRoute, VirtualService, Ingress, TraefikService. There is one a model at most, and
 * drivers edit what users wrote, so spec is kept as text instead of being projected.
 */
struct route {
	struct object meta;
	bool ours;                    /* label managed-by=tidegate */
	const char *spec_json;        /* NULL when absent */
	const char *annotations_json; /* of an Ingress; NULL when absent */
	/* Gateway API, from status.parents: all parents that answered accept this generation. */
	unsigned nparents; /* spec.parentRefs */
	unsigned
		nanswered; /* parents with Accepted=True and ResolvedRefs=True at this generation */
	const char *problem; /* first reason: message that is False at this generation; NULL */
};
extern const struct object_kind httproute_kind, grpcroute_kind, virtualservice_kind, ingress_kind,
	traefikservice_kind;

#endif
