/*
 * What the files of the planner share: one struct planner, filled and worked on in the order that
 * rollout_plan() shows. Names: "stable" carries the service, "target" is being released,
 * "stray" is any other revision that still has pods (superseded, history).
 */
#ifndef TIDEGATE_ROLLOUT_PLAN_INTERNAL_H
#define TIDEGATE_ROLLOUT_PLAN_INTERNAL_H

#include "replicas_internal.h"
#include "tidegate/rollout/plan.h"

#define SHARE_WHOLE 10000

/* Endpoints and gateways need a moment after the API server has a change. */
#define PLAN_SETTLE_MS 2000
/*
 * From the moment a slice shows an endpoint to us until the gateway, which reads the same watch,
 * has it too. Shorter than PLAN_SETTLE_MS: a weight is never taken for in force before.
 */
#define PLAN_ENDPOINT_MS 500
/* Longest wait for a gateway that lags to say that it has read a route which names the cell. */
#define PLAN_ENDPOINT_NAMED_MS 10000
/* The same from Ready on, where slices are not watched; Ready is told in whole seconds. */
#define PLAN_ENDPOINT_BLIND_MS 1500
/* Longest wait, beyond the drain, for the endpoint of a pod that was taken out of service to go. */
#define PLAN_UNLIST_MS    30000
#define PLAN_DRAIN_MIN_MS 3000
/* leaving-since is written in whole seconds, rounded down. */
#define PLAN_STAMP_MS 1000
/* A pod that is long past its grace period sits on a dead node: it holds no card that counts. */
#define PLAN_DEAD_MS 60000

/* Counting of shares at the pods. */
#define PLAN_FEW_REQUESTS     50
#define PLAN_ENOUGH_REQUESTS  200
#define PLAN_FEW_WAIT_MS      10000
#define PLAN_UNSURE_WAIT_MS   30000
#define PLAN_TRAFFIC_GRACE_MS 30000
#define PLAN_POLL_MS          5000

/* A PASS ends a hold not before: every share is looked at for a while. */
#define PLAN_PASS_MS 30000
/* Status says at most so often that the hold is watched. */
#define PLAN_WATCH_MARK_MS 10000

/* Reason while spec.replicas is 0: a release waits, and its progress deadline with it. */
#define PLAN_SCALED_TO_ZERO "ScaledToZero"

enum track_id { TRACK_STABLE, TRACK_TARGET, TRACK_STRAY, TRACKS };

/* In the order in which pods are given up. */
enum pod_class {
	CLASS_PENDING,     /* nothing runs yet */
	CLASS_BROKEN_LEFT, /* not ready and out of service */
	CLASS_BROKEN,      /* runs, not ready */
	CLASS_READY_LEFT,  /* ready, out of service */
	CLASS_READY,       /* ready, in service */
	CLASSES,
};

struct pod_view {
	const struct pod *pod;
	enum pod_class class;
	int64_t gone_ms; /* leaving pods: when the drain is over */
	bool labelled;   /* in-service label says true */
	bool victim;
};

struct cell_view {
	const struct rollout_cell *cell; /* NULL: to be made when it gets pods */
	const char *revision, *zone;
	enum track_id track;
	int zone_weight;       /* 0: gets no pods */
	int order;             /* position of the zone in spec, behind all when it is not there */
	struct pod_view *pods; /* live ones */
	unsigned npods;
	int spec, count, unseen, terminating, ready, in_service;
	int placed;       /* pods that hold a place on a node, terminating ones too */
	int warming;      /* of in_service: not warm yet */
	int route_weight; /* what the route object carries for it */
	bool listed;      /* a pod of it stands in its Service's slices */
	bool named;       /* the route names it, with a weight or without */
	bool known;       /* the gateway has had time to hear of a pod of it */
	bool out;         /* its zone was left: its pods stay, and count for nothing */
	bool chosen;      /* the route sends it an audience */
	bool copied;      /* the route sends it copies */
	int percent;      /* of its part that the zone may have */
	/* decisions */
	int goal, surplus, grow, unseen_victims, keep;
	int places; /* its zone's part of replicas, whatever revision */
	int turns;  /* pods that wait without a place, while another zone has one for them */
	int yields; /* pods that carry nothing, and whose places stable needs */
	bool makes_way;
	bool blocked; /* its last pod waits for the route */
};

struct track_view {
	const char *revision; /* NULL: there is none */
	int count, live, ready, in_service, terminating;
	int warming; /* in service and not counted there */
	bool known;  /* one of its cells is */
};

struct planner {
	const struct rollout_snapshot *s;
	const struct mdep *m;
	const struct mdep_status *before;
	struct arena *arena;
	struct rollout_plan *out;
	struct mdep_status *st; /* &out->status */
	int64_t now;
	int max_surge, unavailable;
	int surge; /* what of max_surge there is room for */
	struct cell_view *cells;
	unsigned ncells;
	struct track_view tracks[TRACKS];
	struct replicas_input in;
	struct replicas_plan goals;
	int goal[TRACKS];
	int spare, spare_all; /* pods in service that may be marked, without and with strays */
	int64_t wake_ms;      /* next instant at which time alone changes something; 0 = none */
	int64_t drain_ms;     /* last end of a drain that is under way; 0 = none */
	bool begun;        /* a release was started in this very plan: verdicts are about another */
	bool deadline;     /* progress deadline passed and nothing can be rolled back */
	const char *doubt; /* why a weight is not verified yet; NULL */
	const char *note;  /* said of the phase in place of the ordinary message; NULL */
};

/* plan.c */
void plan_wake(struct planner *p, int64_t at_ms);
void plan_event(struct planner *p, bool warning, const char *reason, const char *note);
const char *plan_model_version(const struct planner *p, const char *revision);

/* plan_stranded.c: pods on lost nodes; after plan_pods(). */
void plan_stranded(struct planner *p);

/* plan_view.c: pods and cells sorted into tracks. */
void plan_view(struct planner *p);
void plan_tracks(struct planner *p); /* again, after stable or target changed */

/* plan_start.c */
void plan_detect(struct planner *p);
void plan_restart(struct planner *p); /* `retry` */
void plan_promote(struct planner *p);
/* Releases a known revision without steps, as fast as capacity allows. */
void plan_return_to(struct planner *p, const char *revision);

/* plan_order.c */
void plan_orders(struct planner *p);
/* A pending `promote` takes effect on arriving at a step; true when there was one. */
bool plan_order_arrived(struct planner *p);

/* plan_step.c */
bool plan_releasing(const struct planner *p); /* a step machine is running */
bool plan_first(const struct planner *p);     /* no stable revision yet */
int plan_step_weight(const struct mdep *m, int step);
int plan_step_for(const struct mdep *m, int weight);
int plan_target_weight(const struct planner *p);
/* New pods that the step asks for apart from its weight; 0 = none. */
int plan_capacity(const struct planner *p);
bool plan_capacity_first(const struct planner *p);
const struct mdep_step *plan_audience(const struct planner *p);
void plan_step_enter(struct planner *p, int step);
void plan_steps(struct planner *p);

/* plan_zone.c */
void plan_zones(struct planner *p);
/* A zone is out and not back in full: nothing is decided that could be the zone's fault. */
bool plan_zone_out(const struct planner *p);

/* plan_rollback.c */
/* All traffic at once, whatever stable has: the version is in doubt. */
void plan_rollback(struct planner *p, const char *result, const char *reason, const char *message);
/* As fast as stable's pods can carry it. */
void plan_give_back(struct planner *p, const char *result, const char *reason, const char *message);
/* The progress deadline, if there is one. */
bool plan_deadline_runs(const struct planner *p);
void plan_safety(struct planner *p);
void plan_progress(struct planner *p);
/* The progress deadline runs from at_ms, unless something later moved. */
void plan_moved(struct planner *p, int64_t at_ms);
bool plan_rollback_finish(struct planner *p);

/* plan_return.c: back to a kept revision while spec names another. */
bool plan_has_replicasets(const struct planner *p, const char *revision);
/* Revision with ReplicaSets that a word names, as revision or model version; NULL = none. */
const char *plan_kept_revision(const struct planner *p, const char *word);
const char *plan_kept_text(struct planner *p);
/* What stands in the way; NULL when nothing does. */
const char *plan_cannot_return_to(const struct planner *p, const char *revision);
/* Begins the way back and says what becomes of it. */
const char *plan_return_ordered(struct planner *p, const char *revision);
bool plan_returning(const struct planner *p); /* by order, or because objectives were missed */
void plan_return_forget(struct planner *p);
void plan_returned(struct planner *p);

/* plan_slo.c */
void plan_slo(struct planner *p);
void plan_slo_condition(struct planner *p);

/* plan_judgement.c */
void plan_judgement(struct planner *p);
void plan_judgement_conditions(struct planner *p);
/* "; score 12: errors 12, latency 98", to end a note with; "" without a score. */
const char *plan_score_words(struct planner *p);
void plan_score_clear(struct planner *p);

/* plan_weight.c */
bool plan_verified(const struct planner *p);
void plan_weight_set(struct planner *p, int weight);
void plan_weight_verify(struct planner *p);
void plan_weight_move(struct planner *p);
/* What of the weight has to stay for now when traffic goes back (plan_arithmetic was called). */
int plan_weight_back(const struct planner *p);
int64_t plan_route_changed_ms(const struct planner *p);

/* plan_matrix.c */
/* Share of the target (1/10000) that the ready pods allow; -1 when no pod is ready. */
int plan_matrix_share(const struct planner *p);
void plan_matrix(struct planner *p);

/* plan_goal.c */
void plan_arithmetic(struct planner *p);
void plan_spread(struct planner *p, enum track_id track);
int plan_zone_room(const struct planner *p, const char *zone);
int plan_zone_win(const struct planner *p, const char *zone);
const struct rollout_room *plan_room(const struct planner *p,
                                     const char *zone); /* NULL: not known */

/* plan_lend.c: after all tracks were spread. */
void plan_lend(struct planner *p);

/* plan_pods.c */
void plan_pods(struct planner *p);
/* Somebody changed more of its ReplicaSet than the number of pods. */
bool plan_template_edited(const struct cell_view *c);

/* plan_takeover.c */
/* The route is still another's, and stays as it is. */
bool plan_takeover_holds(struct planner *p);
void plan_takeover(struct planner *p);

/* plan_wait.c */
void plan_wait_condition(struct planner *p);

/* plan_condition.c */
void plan_condition(struct planner *p, const char *type, const char *status, const char *reason,
                    const char *message);
void plan_counts(struct planner *p);
void plan_message(struct planner *p);
void plan_conditions(struct planner *p);
void plan_conditions_frozen(struct planner *p, const struct mdep_finding *fatal);

#endif
