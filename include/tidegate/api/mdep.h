/*
 * ModelDeployment as the controller keeps it: a projection of spec, annotations
 * and the part of status that is needed to go on after a restart.
 *
 * The CRD (crds/) bounds every list and string, so the fixed maxima here are the
 * schema's. What the schema cannot check (e.g. steps strictly increasing on old
 * servers) mdep_validate() does; its findings become the Stalled condition.
 * Units: weights in percent, times in wall milliseconds, durations in milliseconds.
 * Ownership: one allocation (kube/object.h), strings and lists inside it. Lists have room for what
 * is in them, for a thousand of these are cached and most lists are empty.
 */
#ifndef TIDEGATE_API_MDEP_H
#define TIDEGATE_API_MDEP_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/kube/object.h"

#define MDEP_ZONES_MAX      8
#define MDEP_STEPS_MAX      32
#define MDEP_PRODUCTS_MAX   16
#define MDEP_HEADERS_MAX    8
#define MDEP_REVISIONS_MAX  12 /* kept in status */
#define MDEP_ORDERS_MAX     8  /* one a verb */
#define MDEP_OBJECTIVES_MAX 4
#define MDEP_BURNS_MAX      3  /* windows of judge/burn.h */
#define MDEP_GROUPS_MAX     8  /* of metrics, kept in status */
#define MDEP_REVISION_LEN   10 /* characters of a revision name */

/* An int-or-percent as written; resolve with mdep_resolve_up()/_down(). */
struct int_or_percent {
	int value;
	bool percent;
};

enum mdep_zone_role { ZONE_ACTIVE, ZONE_STANDBY };
struct mdep_zone {
	const char *name;
	int weight; /* 1..100, default 1 */
	enum mdep_zone_role role;
};

/* One condition of an audience; all of a step's must hold. */
struct mdep_header {
	const char *name;
	const char *exact, *regex; /* one of them; a regex means the whole value */
	bool cookie;               /* `name` is a cookie's; at most one a step */
};

struct mdep_step {
	int weight;                        /* 0..100, -1 = as before */
	int64_t hold_ms;                   /* 0 = none */
	bool approval;                     /* approval: Required */
	struct int_or_percent capacity;    /* new pods, whatever the weight; 0 = as before */
	int64_t analysis_ms;               /* longest wait for a PASS, in place of hold; 0 = none */
	bool require_pass;                 /* analysis over without PASS: waits for approval */
	const struct mdep_header *headers; /* audience; NULL = none */
	unsigned nheaders;
	int mirror; /* percent of the requests that the canary gets a copy of; 0 = none */
};

enum mdep_runtime {
	RUNTIME_CUSTOM,
	RUNTIME_TENSORFLOW_SERVING,
	RUNTIME_TORCHSERVE,
	RUNTIME_TRITON,
	RUNTIME_VLLM,
	RUNTIME_SGLANG,
	RUNTIME_V2,
};

enum mdep_placement { PLACE_PACK, PLACE_SPREAD, PLACE_FGD };
enum mdep_traffic {
	TRAFFIC_NONE, /* replica ratio */
	TRAFFIC_HTTPROUTE,
	TRAFFIC_GRPCROUTE,
	TRAFFIC_ISTIO,
	TRAFFIC_INGRESS,
	TRAFFIC_TRAEFIK,
};
/* Controllers that know canary annotations on an Ingress. */
enum mdep_ingress { INGRESS_NGINX, INGRESS_HIGRESS, INGRESS_MSE, INGRESS_ALB };
/* What a driver can tell apart or do. */
enum mdep_traffic_can {
	TRAFFIC_CAN_HEADER = 1 << 0, /* send requests with a header of one value elsewhere */
	TRAFFIC_CAN_REGEX = 1 << 1,  /* ... of a pattern */
	TRAFFIC_CAN_MANY = 1 << 2,   /* ask for several headers at once */
	TRAFFIC_CAN_COOKIE = 1 << 3, /* tell by a cookie of any value */
	TRAFFIC_CAN_ALWAYS = 1 << 4, /* tell by a cookie of the value "always" only */
	TRAFFIC_CAN_MIRROR = 1 << 5,
};
enum mdep_no_data { NO_DATA_HOLD, NO_DATA_ROLLBACK, NO_DATA_PROCEED };
enum mdep_breach { BREACH_ROLLBACK, BREACH_PAUSE, BREACH_NOTIFY };

/* A share of the requests that must be answered well, or well and in time. */
struct mdep_objective {
	const char *name;
	double target;    /* 0..1 */
	int threshold_ms; /* 0: errors count; else answers slower than this */
};

/* Over the last 5 min, 30 min, 1 h, 6 h and 3 d, for the next leader to go on from. */
#define MDEP_RECENT_MAX 5
struct mdep_recent_counts {
	const char *revision; /* whose they are; NULL = all */
	int64_t since_ms;     /* 0 = none */
	uint32_t requests[MDEP_RECENT_MAX], bad[MDEP_RECENT_MAX];
};

struct mdep_objective_status {
	const char *name;
	int64_t requests, bad, since_ms; /* in the running period of the error budget */
	int budget_left;                 /* percent; below 0 = overspent */
	int burn_centi[MDEP_BURNS_MAX];  /* hundredths of a burn rate, by long window */
	struct mdep_recent_counts all, stable, target; /* of every revision, and of two */
};

/* Score of a group of metrics. */
struct mdep_group_score {
	const char *name;
	int score;        /* 0..100, -1 = no data */
	const char *text; /* plain words with the figures; NULL = none */
};

enum mdep_failover { FAILOVER_AUTOMATIC, FAILOVER_MANUAL, FAILOVER_DISABLED };
enum mdep_failback { FAILBACK_GRADUAL, FAILBACK_IMMEDIATE, FAILBACK_MANUAL };

/* Where a zone stands (failover/zone.h). Names as in status.zones[].state. */
enum zone_state {
	ZONE_HEALTHY,
	ZONE_SUSPECT,
	ZONE_IMPAIRED,
	ZONE_EVACUATING,
	ZONE_EVACUATED,
	ZONE_RECOVERING,
	ZONE_FAILBACK,
	ZONE_DEGRADED,
	ZONE_FROZEN,
	ZONE_STATES,
};
const char *zone_state_name(enum zone_state s);

struct mdep_zone_status {
	const char *name;
	enum zone_state state;
	const char *reason;
	const char *objective; /* that it misses, or was left for; NULL = it is not that */
	int percent;           /* of its part of the traffic that it may have */
	int64_t since_ms;      /* of state and percent */
	int relapses;          /* times that it was left within the hour */
	int64_t relapse_ms;    /* the last time */
	/* Kept out by people: an order `evacuate` holds until then, a ZoneShift until then. */
	int64_t ordered_until_ms; /* 0 = none */
	const char *ordered_reason;
	const char *shift; /* its name, NULL = none */
	int64_t shift_until_ms;
	const char *refused; /* why that cannot be done now, CamelCase; NULL = it is */
};

/* Human orders, in order of precedence when several arrive at once. */
enum mdep_verb {
	ORDER_ABORT,
	ORDER_PAUSE,
	ORDER_RESUME,
	ORDER_ROLLBACK_TO,
	ORDER_RETRY,
	ORDER_PROMOTE,
	ORDER_RETURN,
	ORDER_EVACUATE,
	ORDER_VERBS,
};
/* "abort", "pause", ...: the annotation's last part. */
const char *mdep_verb_name(enum mdep_verb v);

/* A finding of mdep_validate(): a field that is wrong, or that this version does not act on. */
struct mdep_finding {
	const char *path, *message;
	bool fatal; /* Stalled: nothing is done until it is mended; else a warning condition */
};
#define MDEP_FINDINGS_MAX 32

struct mdep_condition {
	const char *type, *status, *reason, *message;
	int64_t transition_ms;
	int64_t observed_generation;
};
#define MDEP_CONDITIONS_MAX 16

/* Where the rollout machine stands. Names as in status.rollout.phase. */
enum rollout_phase {
	ROLLOUT_IDLE,         /* "": nothing is being released */
	ROLLOUT_MOVING,       /* Progressing: pods and weight go to the step's target */
	ROLLOUT_HOLDING,      /* Holding: at the target, until holdUntil */
	ROLLOUT_APPROVAL,     /* AwaitingApproval */
	ROLLOUT_PAUSED,       /* Paused by order */
	ROLLOUT_COMPLETING,   /* Completing: 100 %, the old revision's pods leave */
	ROLLOUT_ROLLING_BACK, /* RollingBack: traffic, then pods, return to stable */
	ROLLOUT_ROLLED_BACK,  /* RolledBack: by judge or SLO; waits for a new spec or retry */
	ROLLOUT_ABORTED,      /* Aborted: by order; as above */
	ROLLOUT_PHASES,
};
const char *rollout_phase_name(enum rollout_phase p);

struct mdep_order_status {
	enum mdep_verb verb;
	const char *value;    /* as written in the annotation */
	const char *revision; /* what it was bound to */
	const char *outcome;  /* Done, Ignored, Pending */
	const char *message;
	int64_t time_ms;
};

struct mdep_revision_status {
	const char *name; /* MDEP_REVISION_LEN characters */
	const char *model_version;
	int64_t number; /* 1, 2, 3 ... by first appearance */
	int64_t created_ms;
	const char *result; /* "", Promoted, RolledBack, Aborted, Superseded */
	int64_t retired_ms; /* when it ceased to be stable; 0 = it is, or never was */
};

struct mdep_weight {
	const char *revision, *zone;
	int weight; /* share in 1/10000 */
};
#define MDEP_WEIGHTS_MAX (2 * MDEP_ZONES_MAX)

/*
 * Lists have room for what is in them, or, after mdep_status_widen(), for their maxima: most
 * ModelDeployments fill a tenth of that, and a thousand of them are cached.
 */
struct mdep_status {
	int64_t observed_generation;
	const char *stable; /* revision that carries the service; NULL before the first */
	const char *target; /* revision being released, or last released; NULL before the first */
	int replicas, ready_replicas, updated_replicas; /* pods in total, ready, of target */
	int stable_replicas; /* pods of the stable revision: the scale subresource's answer */

	enum rollout_phase phase;
	enum rollout_phase paused_from; /* phase to go back to on resume */
	int step;                       /* index into strategy.steps; nsteps = past the last */
	int nsteps;                     /* as it was at the last write */
	int64_t step_started_ms;        /* when the step's target was set */
	int64_t step_reached_ms;        /* when weight was seen at the pods; 0 = not yet */
	int64_t hold_until_ms;          /* absolute, 0 = none */
	int64_t watched_ms; /* until when a judge has watched the hold; 0 = nobody did */
	int64_t started_ms, finished_ms;
	int64_t progress_ms;    /* last time anything moved: the progress deadline's base */
	const char *steps_hash; /* of strategy.steps: a changed plan is noticed */
	const char *reason;     /* why the phase is what it is, CamelCase */
	const char *message;
	/* Order rollback-to: return_to is wished for as long as spec names return_from. NULL = none
	 */
	const char *return_to, *return_from;

	int weight;          /* canary percent asked of the data plane */
	int verified_weight; /* canary percent last seen to be in force (route status and pods) */
	int64_t weight_set_ms, weight_verified_ms;
	int observed_permille;       /* canary share counted at the pods, -1 = no counters */
	struct mdep_weight *weights; /* the matrix */
	unsigned nweights;

	const char *verdict;       /* PASS FAIL NONE, "" when nothing is judged */
	int score;                 /* 0..100, -1 = none */
	const char *score_message; /* plain words with the counts */
	const struct mdep_group_score *score_groups;
	unsigned nscore_groups;

	const char *previous;             /* stable before this one: where a breach leads back to */
	int64_t promoted_ms, returned_ms; /* the stable one's promotion; the last way back */
	struct mdep_objective_status *objectives;
	unsigned nobjectives;
	int64_t counted_ms; /* time of their counts */

	struct mdep_revision_status *revisions; /* newest first */
	unsigned nrevisions;
	struct mdep_order_status *orders;
	unsigned norders;
	struct mdep_condition *conditions;
	unsigned nconditions;
	struct mdep_zone_status *zones; /* those that are not simply Healthy */
	unsigned nzones;
};

struct mdep_status_room {
	struct mdep_weight weights[MDEP_WEIGHTS_MAX];
	struct mdep_objective_status objectives[MDEP_OBJECTIVES_MAX];
	struct mdep_revision_status revisions[MDEP_REVISIONS_MAX];
	struct mdep_order_status orders[MDEP_ORDERS_MAX];
	struct mdep_condition conditions[MDEP_CONDITIONS_MAX];
	struct mdep_zone_status zones[MDEP_ZONES_MAX];
};

struct label;

struct mdep {
	struct object meta;
	const struct label *labels; /* the user's too: a ZoneShift may ask for them */
	unsigned nlabels;

	int replicas;
	bool paused; /* spec.paused: nothing is planned */

	struct {
		const char *name, *version, *uri, *digest;
		bool verify; /* model.verify is set */
	} model;

	enum mdep_runtime runtime;
	const char *image;
	int port; /* 0 = the preset's */
	/* JSON texts, NULL when absent: rendered into the pod template. */
	const char *args_json, *env_json, *probes_json, *template_json, *golden_json;
	const char *golden_answer_json; /* what golden must be answered; NULL = anything */
	double golden_tolerance;        /* of its numbers */
	int warmup_requests;            /* of golden, before a pod is Ready for the first time */
	const char *metrics_path;       /* override; NULL = the preset's */

	struct {
		int count; /* 0 = no GPU asked */
		const char *resource;
		const char **products; /* at most MDEP_PRODUCTS_MAX */
		unsigned nproducts;
		int64_t min_memory; /* bytes, 0 = none */
	} gpu;

	enum mdep_placement placement;
	const char *scheduler; /* "tidegate" by default */
	int max_per_node;      /* 0 = no limit */

	struct mdep_zone *zones; /* at most MDEP_ZONES_MAX */
	unsigned nzones;         /* 0 = one cell without a zone */

	struct int_or_percent max_surge, max_unavailable;
	int64_t progress_deadline_ms;
	int64_t drain_ms;       /* longest wait for a leaving pod's last request */
	int64_t warmup_ms;      /* from Ready until a new pod counts for the weight */
	int64_t undo_window_ms; /* back to what was stable within it without steps; 0 = none */
	int revision_history_limit;
	const struct mdep_step *steps;
	unsigned nsteps;
	const char *steps_hash;

	struct {
		bool enabled; /* false: canary: {} absent; errors are still judged by default */
		const char *policy; /* policyRef.name */
		int min_score;
		enum mdep_no_data on_no_data;
		bool end_hold_on_pass;
		int64_t interval_ms; /* scrape period, default 5 s */
	} canary;

	struct {
		struct mdep_objective *objectives; /* at most MDEP_OBJECTIVES_MAX */
		unsigned n;
		enum mdep_breach on_breach;
		int64_t bake_ms;      /* a promotion can be taken back for so long */
		int64_t cool_down_ms; /* from one such return to the next, at least */
	} slo;

	struct {
		enum mdep_failover mode;
		enum mdep_failback failback;
		int min_capacity;         /* percent of replicas */
		int64_t recover_after_ms; /* good for so long before it comes back */
		int64_t ramp_ms;          /* of the whole way back */
	} failover;

	const char *take_over; /* name of the Deployment whose place it takes; NULL */

	/* PodDisruptionBudget; neither number: as maxUnavailable of the strategy. */
	struct {
		bool off, has_min, has_max;
		struct int_or_percent min_available, max_unavailable;
	} budget;

	enum mdep_traffic traffic;
	const char *route_name;       /* the driver's object */
	const char *parent_refs_json; /* parentRefs; of Istio, gateways */
	const char *hostnames_json;   /* hostnames; of Istio, hosts */
	const char *http_route;       /* Istio: name of the http route that is ours; NULL = any */
	enum mdep_ingress ingress;
	const char *annotation_prefix; /* of the canary annotations */
	int service_port;              /* port of the Services, default 80 */
	int64_t slow_start_ms;         /* until a pod has its full share; 0 = at once */

	/* Hash of everything that makes a pod different: model, runtime, template, gpu. */
	char revision[MDEP_REVISION_LEN + 1];

	const char **orders; /* annotations' values by verb; NULL = no order: mdep_order_value() */
	const struct mdep_finding *findings; /* of mdep_validate(), fatal ones first */
	unsigned nfindings;

	bool has_status; /* our controller has written one (not only the schema's default) */
	struct mdep_status status;
	/* For the apply that writes status: text of what was last written, to skip equal ones. */
	uint64_t status_hash;
};

/* The order's annotation as it stands; NULL = absent. */
static inline const char *mdep_order_value(const struct mdep *m, enum mdep_verb v)
{
	return m->orders ? m->orders[v] : NULL;
}

extern const struct object_kind mdep_kind;

static inline const struct mdep *mdep_from(const struct object *o)
{
	return (const struct mdep *)o;
}

/* The two versions of an object differ in nothing that counts but, perhaps, their status. */
bool mdep_same_wish(const struct mdep *x, const struct mdep *y);

/*
 * Collects what is wrong with, or not acted on in, a ModelDeployment whose spec has been decoded
 * into m: at most MDEP_FINDINGS_MAX, fatal ones first. Findings and strings live in `a`.
 */
void mdep_validate(const struct json *json, struct mdep *m, struct arena *a);
/*
 * Fills m from JSON for use without a cluster (validate, render, simulate): no uid is needed, and
 * everything lives in `a` and in the tree. -1 when metadata.name is missing.
 */
int mdep_read(const struct json *json, struct mdep *m, struct arena *a, struct err *err);

/* Bits of enum mdep_traffic_can. */
unsigned mdep_traffic_can(const struct mdep *m);
/* "httpRoute", ...: the driver's member of spec.traffic; NULL without a driver. */
const char *mdep_traffic_field(enum mdep_traffic t);
/* True when the driver's object is made by us, not edited by us. */
bool mdep_route_is_ours(const struct mdep *m);

/* Pods in service that its PodDisruptionBudget keeps. */
int mdep_budget_min(const struct mdep *m);

/* Resolves against replicas: surge rounds up, unavailable rounds down; both 0 becomes
 * unavailable 1. */
void mdep_resolve_bounds(const struct mdep *m, int *surge, int *unavailable);

/*
 * Status as JSON object {"apiVersion","kind","metadata":{name,namespace},"status":{...}} for a
 * server-side apply to /status. Every list is complete: what is left out is removed.
 */
int mdep_status_encode(const struct mdep *m, const struct mdep_status *s, struct buf *out);
/* Decodes .status of a ModelDeployment's JSON: lists into `a`, strings point into the JSON. */
void mdep_status_decode(const struct json *status, struct mdep_status *out, struct arena *a);
/* Copies the lists of s into `room`, where they can grow to their maxima. */
void mdep_status_widen(struct mdep_status *s, struct mdep_status_room *room);

/*
 * Sets a condition in s, which was widened: transition time changes only when status does (now_ms).
 * The strings must outlive s. Conditions named Reconciling, Stalled and Waiting are removed instead
 * of set False.
 */
void mdep_condition_set(struct mdep_status *s, const char *type, const char *status,
                        const char *reason, const char *message, int64_t generation,
                        int64_t now_ms);
const struct mdep_condition *mdep_condition_get(const struct mdep_status *s, const char *type);

enum zone_state zone_state_parse(const char *name); /* Healthy when it is none */
/* Percent of its part of the traffic that a zone in this state may have. */
int mdep_zone_percent(const struct mdep_zone_status *z);
/* Its pods do not count as capacity: others are made instead. */
bool mdep_zone_is_out(const struct mdep_zone_status *z);
/* Out, or Frozen: it keeps its traffic, but nothing goes on by itself meanwhile. */
bool mdep_zone_is_troubled(const struct mdep_zone_status *z);
/* Its record; NULL = Healthy. */
const struct mdep_zone_status *mdep_zone_find(const struct mdep_status *s, const char *zone);
/* Zones that cells are made for: without spec.zones one, named "". */
unsigned mdep_zone_count(const struct mdep *m);
const char *mdep_zone_name(const struct mdep *m, unsigned i);

/* The last order of that kind; NULL = none was ever given. */
struct mdep_order_status *mdep_order_find(const struct mdep_status *s, enum mdep_verb v);
/* The annotation asks for something that is not on record as carried out or ignored. */
bool mdep_order_is_due(const struct mdep *m, const struct mdep_status *s, enum mdep_verb v);
/* The order's word: its value without "#anything"; cut to `size`. */
void mdep_order_word(const char *value, char *word, size_t size);

/* Finds a revision's entry, NULL when it is not kept. */
struct mdep_revision_status *mdep_revision_find(const struct mdep_status *s, const char *name);

/* Writes "ownerReferences" of a child into its open metadata object: m controls it. */
void mdep_owner_write(struct json_writer *w, const struct mdep *m);

#endif
