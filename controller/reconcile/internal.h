/* What the files of reconcile/ share. */
#ifndef TIDEGATE_RECONCILE_INTERNAL_H
#define TIDEGATE_RECONCILE_INTERNAL_H

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/api/scorepolicy.h"
#include "tidegate/api/zoneshift.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/failover/zone.h"
#include "tidegate/kube/client.h"
#include "tidegate/kube/event.h"
#include "tidegate/kube/queue.h"
#include "tidegate/kube/reflector.h"
#include "tidegate/kube/store.h"
#include "tidegate/reconcile/operator.h"
#include "tidegate/rollout/plan.h"
#include "tidegate/signal/model_probe.h"
#include "tidegate/signal/scrape.h"

/* The watched resources; also the slots of the read-your-writes floor. */
enum cache {
	CACHE_MDEP,
	CACHE_POD,
	CACHE_NODE,
	CACHE_REPLICASET,
	CACHE_SERVICE,
	CACHE_BUDGET, /* PodDisruptionBudget */
	CACHE_ROUTE,  /* HTTPRoute */
	CACHE_GRPCROUTE,
	CACHE_VIRTUALSERVICE,
	CACHE_DESTINATIONRULE,
	CACHE_INGRESS,
	CACHE_TRAEFIKSERVICE,
	CACHE_ENDPOINT,
	CACHE_SCOREPOLICY,
	CACHE_DEPLOYMENT,
	CACHE_VOTE, /* Leases of the operator's replicas */
	CACHE_ZONESHIFT,
	CACHES,
};

#define RV_MAX 24

/* What is remembered of one ModelDeployment between passes; losing it costs time, never truth. */
struct key_state {
	/*
	 * Newest resourceVersion that we wrote, by cache; "" = nothing outstanding there, NULL =
	 * nowhere, which is how it is most of the time.
	 */
	char (*floor)[RV_MAX];
	struct deleted *deleted;  /* what we deleted and the caches may still show; NULL mostly */
	int64_t written_ms;       /* monotonic, of the newest of both */
	int64_t route_written_ms; /* monotonic, of the last change of the route that may be done */
	int64_t front_written_ms; /* monotonic, of the last such change of the Service "<name>" */
	uint64_t route_want;      /* what the last answered write of the route wanted */
	uint64_t route_kept;      /* hash of a wish and a route that agree; 0 = of none */
	int64_t status_ms;        /* monotonic, of the last status write */
	uint64_t told_hash;       /* of the status that the last pass wrote: status_is_echo() */
	int64_t pass_ms;          /* monotonic, when the present pass began */
	bool again;               /* it has asked for another one later */
	uint8_t port_stage;       /* of a changed servicePort (service_port.c) */
	int64_t port_stage_ms;    /* monotonic, since when */
	uint64_t event_hash; /* of the last pass's events: a repeated plan does not repeat them */
	struct room_pods *room;          /* what room is asked for with; NULL = nothing is */
	struct taken *taken;             /* names that others hold; NULL mostly */
	struct made *made;               /* hashes of children's texts */
	struct map *stranded;            /* uid of a pod on a lost node -> int64_t; NULL mostly */
	struct observation *observation; /* NULL when nothing is judged */
};

struct barrier;
struct binder;
struct endpoints;
struct gate;
struct witness;
struct observer;
struct voter;
struct turns;

struct mdep_operator {
	struct loop *loop;
	struct kube_client *client;
	struct operator_options options;
	struct store stores[CACHES];
	struct reflector *reflectors[CACHES];
	bool started[CACHES];
	struct queue *queue;
	struct map keys; /* "ns/name" -> struct key_state */
	struct event_recorder *events;
	struct barrier *barrier;    /* since the election */
	int64_t hurried_ms[CACHES]; /* monotonic, because of our own writes */
	struct binder *binder;
	struct gate *gate;
	struct witness *witness;
	struct voter *voter;
	struct observer *observer;
	struct endpoints *endpoints;
	struct turns *turns;
	struct map passes; /* key -> struct pass being executed */
	struct list partings;
	struct timer begin;
	void (*flushed)(void *arg);
	void *flushed_arg;
	struct timer shift_count; /* soon, or when the next ZoneShift ends */
	bool shift_counts;        /* soon */
	bool leading;             /* elected */
	bool working;             /* elected, and the caches hold a first complete list */
};

/* --- one pass over one key (reconcile.c) ------------------------------------------------- */
void reconcile_key(struct mdep_operator *op, const char *key);
struct key_state *operator_key(struct mdep_operator *op, const char *key); /* made when absent */
void operator_forget_key(struct mdep_operator *op, const char *key);
void key_state_free(void *state);
void operator_enqueue(struct mdep_operator *op, const char *key);
void operator_enqueue_pod(struct mdep_operator *op, const struct pod *p); /* its ModelDeployment */

/* --- read your writes (own_writes.c) ------------------------------------------------------ */
/* A write was answered with this version: no pass before the cache has it. */
void own_writes_note(struct key_state *ks, enum cache cache, const char *rv);
/* This object is gone: no pass while the cache shows it. key: "ns/name" */
void own_writes_note_deleted(struct key_state *ks, enum cache cache, const char *key,
                             const char *uid);
/* Some cache is still behind what we wrote for this key. Watches that take too long begin anew. */
bool own_writes_unseen(struct mdep_operator *op, struct key_state *ks);
void own_writes_forget(struct key_state *ks);

struct policy_view;
/* --- a new leader's caches (barrier.c) --------------------------------------------------- */
struct barrier *barrier_new(struct mdep_operator *op);
void barrier_free(struct barrier *b);
/* Every cache that had been started is as new as the server was when b was made. */
bool barrier_passed(const struct barrier *b);

/* --- snapshot.c -------------------------------------------------------------------------- */
void snapshot_build(struct mdep_operator *op, const struct mdep *m, struct key_state *ks,
                    const struct policy_view *policy, struct arena *a, int64_t now_ms,
                    struct rollout_snapshot *out);

/* --- intents (intent.c) ------------------------------------------------------------------ */

/*
 * In this order: what must be on record before it is done, what others point at, pods, traffic,
 * leftovers. A class starts when the one before it succeeded.
 */
enum intent_class {
	INTENT_STATUS,
	INTENT_SERVICE,
	INTENT_WORKLOAD,
	INTENT_TRAFFIC,
	INTENT_CLEANUP,
	INTENT_CLASSES,
};

struct intent {
	enum intent_class class;
	enum cache cache;
	const char *what; /* for the log: "scale ReplicaSet shop/ranker-x to 3" */
	const char *method, *path, *body, *manager;
	size_t body_len;
	enum kube_patch patch;
	bool missing_ok;           /* 404 is success */
	bool taken_ok;             /* it can be done without when the name is somebody else's */
	const char *creates;       /* name of what a POST makes; NULL */
	const char *deletes, *uid; /* key and uid of what a DELETE takes away; NULL */
	bool front;                /* of the Service "<name>" */
	uint64_t want;             /* INTENT_TRAFFIC: struct traffic_edit's */
};

struct intents {
	struct arena *arena;
	struct intent *v;
	unsigned n, cap;
	unsigned crowd;     /* ModelDeployments that wait for their own pass meanwhile */
	int64_t later_ms;   /* something was put off: plan again in so many ms; 0 = nothing */
	uint64_t told;      /* hash of a status that is written with nothing urgent in it; 0 */
	const char *undone; /* what somebody else changed and is being put back; NULL */
};

/* Everything the plan wishes and the caches do not show yet. */
int intents_collect(struct mdep_operator *op, const struct rollout_snapshot *s,
                    const struct rollout_plan *plan, struct key_state *ks, struct intents *out,
                    struct err *err);

/* What measurements tell has moved: a pass as soon as it may be written. */
void status_look(struct mdep_operator *op, const char *key);

/* Status alone: of a pass that may not do anything else. */
int intents_collect_status(const struct mdep *m, const struct mdep_status *next,
                           const struct key_state *ks, struct intents *out, struct err *err);

/* --- hashes of children (made.c) ----------------------------------------------------------- */
struct made;
/* ingredients: a hash of all that the child's text depends on. False: it is not known. */
bool made_find(const struct key_state *ks, uint64_t ingredients, uint64_t *hash);
void made_note(struct key_state *ks, uint64_t ingredients, uint64_t hash);
void made_forget(struct key_state *ks);

/* --- names that others hold (taken.c) ---------------------------------------------------- */
struct taken;
/* A POST was answered by 409; or it was not. */
void taken_note(struct key_state *ks, enum cache cache, const char *name);
void taken_forget(struct key_state *ks, enum cache cache, const char *name);
/* Until it is worth another try; 0 = now. */
int64_t taken_wait_ms(const struct key_state *ks, enum cache cache, const char *name);
/* Kinds and names, NULL when there are none. Forgets those that are ours by now. */
const char *taken_text(const struct mdep_operator *op, const struct mdep *m, struct key_state *ks,
                       struct arena *a);
void taken_free(struct key_state *ks);

/* --- Deployments that are taken over (takeover.c) ----------------------------------------- */
void takeover_cache_start(struct mdep_operator *op, const struct mdep *m);
void takeover_event(void *arg, const struct store_event *ev);
void takeover_read(const struct mdep_operator *op, const struct mdep *m, struct arena *a,
                   struct rollout_takeover *out);

/* --- ModelDeployments that are deleted (parting.c) ---------------------------------------- */
void parting_begin(struct mdep_operator *op, const struct mdep *m);
void parting_forget(struct mdep_operator *op, const char *key); /* NULL: all */

/* --- routes of the traffic drivers (route.c) --------------------------------------------- */
struct traffic_view;
/* Of the object that m's driver writes. */
const char *route_path(struct arena *a, const struct mdep *m);
/* The driver's cache; CACHES without a driver. */
enum cache route_cache(const struct mdep *m);
/* Starts the caches that m needs, once somebody needs them: their CRDs are others'. */
void route_cache_start(struct mdep_operator *op, const struct mdep *m);
struct route_trouble {
	const struct object_kind *kind; /* that cannot be read */
	const char *why;                /* NULL while the first list is under way */
};
/* False: nothing can be planned. */
bool route_cache_ready(const struct mdep_operator *op, const struct mdep *m,
                       struct route_trouble *out);
void route_view(const struct mdep_operator *op, const struct mdep *m, const struct key_state *ks,
                int64_t now_ms, struct traffic_view *out);
/* m's status with a condition that says why its routes cannot be read. */
void route_trouble_status(const struct mdep *m, const struct route_trouble *t, struct arena *a,
                          int64_t now_ms, struct mdep_status *out);

/* --- ScorePolicies (policy.c) ------------------------------------------------------------ */
struct policy_view {
	const struct scorepolicy *policy; /* NULL: the built-in one */
	const char *held;                 /* what is asked for is not in force, and why; NULL */
};
/* Starts the cache, once somebody needs it. */
void policy_cache_start(struct mdep_operator *op, const struct mdep *m);
/* Handler of the cache: whoever refers to the policy is looked at, and its status says how it is.
 */
void policy_event(void *arg, const struct store_event *ev);
void policy_tell_all(struct mdep_operator *op);
void policy_view(struct mdep_operator *op, const struct mdep *m, struct arena *a,
                 struct policy_view *out);

/* --- ZoneShifts (shift.c) ---------------------------------------------------------------- */
/* Its cache is optional: without the CRD there is nothing that could be wanted. */
void shift_cache_start(struct mdep_operator *op);
void shift_event(void *arg, const struct store_event *ev);
/* They have been read. */
bool shift_known(const struct mdep_operator *op);
/* The one that wants m out of the zone for longest. */
struct zone_shift shift_of_zone(const struct mdep_operator *op, const struct mdep *m,
                                const char *zone, int64_t now_ms);
/* Something moved: how far each is will be counted in a moment, and told. */
void shift_count_soon(struct mdep_operator *op);
void shift_count(void *arg);

/* --- what can wait the longer, the longer nothing has changed ------------------------------ */
/* A part of the time since then, within bounds. */
static inline int64_t easing_ms(int64_t age_ms, int part, int64_t least, int64_t most)
{
	int64_t ms = age_ms / part;

	return ms < least ? least : ms < most ? ms : most;
}

/* --- what cannot wait (status_change.c) -------------------------------------------------- */
/*
 * True when the next status differs in what decisions are made from or people wait for; counts and
 * texts alone may be written later, together with what comes after them.
 */
bool status_change_is_urgent(const struct mdep_status *now, const struct mdep_status *next);
/*
 * True only when the texts of both differ, which is found out without making them; false says
 * nothing.
 */
bool status_surely_differs(const struct mdep_status *now, const struct mdep_status *next);
/*
 * All that is new is a status that a pass wrote which did nothing else, and nothing in it is
 * urgent: the next pass would decide as that one did.
 */
bool status_is_echo(const struct key_state *ks, const struct mdep *before, const struct mdep *now);
/* Pods came or went, or there is another reason: more than the figures of measurements differ. */
bool status_counts_changed(const struct mdep_status *now, const struct mdep_status *next);

/* --- counts of passes (metric.c) --------------------------------------------------------- */
enum pass_result { PASS_SUCCESS, PASS_AGAIN, PASS_ERROR, PASS_RESULTS };
void pass_metric_init(unsigned workers);
/* So many passes are under way. */
void pass_metric_busy(unsigned active);
void pass_metric_count(enum pass_result r, int64_t ms);

/* --- execution (execute.c) --------------------------------------------------------------- */
struct pass;
/* Takes the intents' arena over. done: once, never from inside the call. */
void execute(struct mdep_operator *op, const char *key, struct arena *arena,
             struct intents *intents,
             void (*done)(struct mdep_operator *op, const char *key, const struct err *err));
void execute_cancel_all(struct mdep_operator *op);

/* --- conditions of what is not a ModelDeployment (condition.c) ---------------------------- */
struct json_writer;
/* Without a generation (0) none is told. since_ms: its status has been so since then; 0 = from now.
 */
void condition_write(struct json_writer *w, const char *type, bool holds, const char *reason,
                     const char *message, int64_t generation, int64_t since_ms);

/* --- status of what is not a ModelDeployment (kind_status.c) ------------------------------ */
/* Fire and forget; fill writes what stands beside observedGeneration. */
void kind_status_write(struct mdep_operator *op, const struct object_kind *kind,
                       const struct object *o, void (*fill)(struct json_writer *w, const void *ctx),
                       const void *ctx);

/* --- conditions of pods (pod_condition.c) ------------------------------------------------ */
struct pod_condition {
	const char *type, *reason, *message;
	bool status;
	bool unready; /* the pod is not Ready, too: said for a kubelet that may be gone */
};
/* Fire and forget: what it is derived from is looked at again. */
/* done NULL: a failure is only logged. Returns NULL, without a call of done, when c is too long. */
struct kube_call *pod_condition_write(struct mdep_operator *op, const struct pod *p,
                                      const char *manager, const struct pod_condition *c,
                                      void (*done)(void *arg, const struct kube_response *r),
                                      void *arg);
/* For `done`: logs a failure; false when there was none, or the pod or our lease has gone. */
bool pod_condition_lost(const struct kube_response *r);

/* --- scheduler side (bind.c) ------------------------------------------------------------- */
struct binder *binder_new(struct mdep_operator *op);
void binder_free(struct binder *b);
void binder_start(struct binder *b);
void binder_stop(struct binder *b);
void binder_pod(struct binder *b, const struct store_event *ev);
void binder_node(struct binder *b, const struct store_event *ev);
/* schedule_room() and schedule_assumed(), of the cluster as it is now. */
int binder_room(struct binder *b, const struct pod *p, int most);
bool binder_has_assumed(const struct binder *b, const char *key);
/* schedule_nominated() for a node of ours, and preempt_could(). */
bool binder_has_nominated(const struct binder *b, const char *key);
bool binder_could_preempt(struct binder *b, const struct pod *p);

/* --- room for pods of a release (room.c) -------------------------------------------------- */
/* Fills s->rooms while it matters; s->cells have been read. */
void room_read(struct mdep_operator *op, struct key_state *ks, struct arena *a,
               struct rollout_snapshot *s);
void room_forget(struct key_state *ks);
/* Places for a pod of m's spec that could be bound there now, `most` at most. */
int room_in_zone(struct mdep_operator *op, const struct mdep *m, const char *zone, int most);

/* --- pods on lost nodes (stranded.c) ------------------------------------------------------ */
/* Fills in `stranded` of s's cells, which are these. */
void stranded_read(struct mdep_operator *op, struct key_state *ks, struct arena *a,
                   const struct rollout_snapshot *s, struct rollout_cell *cells);
void stranded_forget(struct key_state *ks);
/* A node was given up: whoever has pods there is looked at. */
void stranded_node(struct mdep_operator *op, const struct store_event *ev);

/* The pod has to make way for another, and is about to be evicted. */
bool binder_calls(const struct binder *b, const char *pod);

/* --- pods of lower priority that make way (preempt.c) -------------------------------------- */
struct preemptor;
struct schedule;
#define PREEMPT_UNDER_WAY (-1)
/* done: a preemption has ended; its pod is to be looked at again after so long, 0 = when room is
 * freed. */
struct preemptor *preemptor_new(struct mdep_operator *op, struct schedule *s,
                                void (*done)(void *arg, const char *key, int64_t again_ms),
                                void *arg);
void preemptor_free(struct preemptor *x);
/*
 * p fits nowhere: makes room for it if it may and if that helps. PREEMPT_UNDER_WAY: done follows;
 * else when to look again, as there. note: why nobody makes way although that would help.
 */
int64_t preempt(struct preemptor *x, const struct pod *p, char *note, size_t size);
bool preempt_calls(const struct preemptor *x, const char *pod);
/*
 * Others would make way for p, were it to wait. Which of them a budget guards at the moment is not
 * asked: that comes and goes, and pods would be sent after it from zone to zone.
 */
bool preempt_could(const struct preemptor *x, const struct pod *p);
/* What is POSTed to a pod's `eviction`, allocated. dry: nothing is done. */
char *eviction_body(const char *namespace, const char *name, const char *uid, bool dry);

/* --- readiness gate (gate.c) ------------------------------------------------------------- */
struct gate *gate_new(struct mdep_operator *op, struct err *err);
void gate_free(struct gate *g);
void gate_pod(struct gate *g, const struct store_event *ev);
void gate_replicaset(struct gate *g, const struct store_event *ev);
void gate_mdep(struct gate *g, const struct store_event *ev);
/* Probing on, on standby too; and what was found out is written from now on. */
void gate_start(struct gate *g);
void gate_lead(struct gate *g);
/* What the probes of a pod say; false when it is not probed. */
bool gate_state(const struct gate *g, const struct pod *p, struct model_probe_state *out);
/* No pod answers any more: it is rather we who are cut off. */
bool gate_blind(const struct gate *g);

/* --- pods that do not answer us, but clients (witness.c) ----------------------------------- */
struct witness *witness_new(struct mdep_operator *op, struct err *err);
void witness_free(struct witness *w);
/* A pod gave no answer to a probe: its counters are read until it is forgotten or tells nothing. */
void witness_call(struct witness *w, const struct mdep *m, const struct pod *p);
void witness_forget(struct witness *w, const char *pod);
/* Clients were answered by it within the last two seconds. */
bool witness_serves(const struct witness *w, const struct pod *p);

/* --- zones (failover.c) ------------------------------------------------------------------ */
struct zone_facts;
/* Zones of this ModelDeployment are watched. */
bool failover_watches(const struct mdep *m);
/*
 * What our own probes say of its zones, all but in_route, in the spec's order; and how many pods of
 * each are in service by label and Ready.
 */
void failover_look(struct mdep_operator *op, const struct mdep *m, int64_t now_ms,
                   struct zone_facts *facts, int *serving);
/* A pod fails for us, but others see its zone better, or it answers clients: that is no reason to
 * act on it. */
bool failover_doubts(struct mdep_operator *op, const struct mdep *m, const struct pod *p);
/* Most pods of p's zone answer, or no route could take care of the zone. */
bool failover_fails_alone(struct mdep_operator *op, const struct mdep *m, const struct pod *p);
/* A pod's probe failed, or passes again: its ModelDeployment is looked at soon. */
void failover_probed(struct mdep_operator *op, const struct pod *p, unsigned failures);
/* Some node of the zone is Ready. */
bool failover_has_node(const struct mdep_operator *op, const char *zone);
/* One has become Ready: whoever is out of its zone is looked at. */
void failover_node(struct mdep_operator *op, const struct store_event *ev);
/* Next state of the zones, into s->zones; what is to be told, and when to look again. */
void failover_read(struct mdep_operator *op, struct arena *a, struct rollout_snapshot *s);

/* --- zones without this model's pods (elsewhere.c) ----------------------------------------- */
struct tally_input;
/* What is known of m's zones by others than its own pods: `dark` and `room`, where they matter. */
void elsewhere_read(struct mdep_operator *op, const struct mdep *m, const struct tally_input *in,
                    struct zone_facts *zones);

/* --- votes of all replicas (voter.c, ballot.c) -------------------------------------------- */
struct tally_input;
struct voter *voter_new(struct mdep_operator *op);
void voter_free(struct voter *v);
/* From now on our probes are told to the others. Without a replica's identity: nothing. */
void voter_start(struct voter *v);
/* Takes our vote away; done is called once, also when there is none, never from in here. */
void voter_end(struct voter *v, void (*done)(void *arg), void *arg);
/* Something has changed that the others should know of soon. */
void voter_hurry(struct voter *v);
/* Handler of the cache. */
void voter_event(void *arg, const struct store_event *ev);
/* Fills others, contact_ms and own_zone; the array lives in the arena. */
void voter_read(struct voter *v, struct arena *a, struct tally_input *in);

/* --- zones of all ModelDeployments (turns.c) ---------------------------------------------- */
struct failover_input;
struct failover_plan;
struct turns *turns_new(struct mdep_operator *op);
void turns_free(struct turns *t);
/* What is on record of each is known before the first one asks. */
void turns_begin(struct turns *t);
/* failover_step(), as far as all others allow it; facts: in->zones. */
void turns_plan(struct turns *t, const struct rollout_snapshot *s, const struct failover_input *in,
                struct zone_facts *facts, struct failover_plan *plan);
void turns_forget(struct turns *t, const char *key);
/* How many models have pods in the zone, and how many of them fail there or are out of it. */
void turns_count(struct turns *t, const char *zone, unsigned *models, unsigned *bad);

/* --- what a pod's server is (serving.c) --------------------------------------------------- */
/*
 * The spec tells it of its own revision only. Of an older one its ReplicaSet does, which matters
 * when a release changes the runtime, the port or the model's name. Strings live as long as m and
 * the set.
 */
struct serving {
	const struct preset *preset;
	const char *model, *metrics_path; /* metrics_path NULL = the preset's */
	int port;
	int grpc_port; /* of its pods' gRPC readiness probe; 0 = they have none */
	const char *grpc_service;
};
/* rs NULL: as the spec has it. */
void serving_of_set(const struct mdep *m, const struct replicaset *rs, struct serving *out);
/* The ReplicaSet that owns the pod; NULL while it is not seen. */
const struct replicaset *serving_set(struct mdep_operator *op, const struct pod *p);
/* Where its counters are read; false when it has none. Strings live in the arena and in p. */
bool serving_target(struct mdep_operator *op, struct arena *a, const struct mdep *m,
                    const struct pod *p, struct scrape_target *out);

/* --- what is seen of pods from outside (endpoint.c) --------------------------------------- */
struct endpoints *endpoints_new(struct mdep_operator *op, struct err *err);
void endpoints_free(struct endpoints *e);
void endpoints_slice(struct endpoints *e, const struct store_event *ev);
/* Fills cell->facts, unless slices cannot be read. */
void endpoints_read(struct endpoints *e, struct arena *a, struct rollout_cell *cell);
/* Watches the leaving pods of a ModelDeployment for their last requests; others no more. */
void endpoints_watch(struct endpoints *e, const char *key, const struct rollout_snapshot *s);
void endpoints_forget(struct endpoints *e, const char *key);

/* --- judge and signals (observe.c) ------------------------------------------------------- */
struct observer *observer_new(struct mdep_operator *op, struct err *err);
void observer_free(struct observer *o);
/* The spec's runtime tells its requests. */
bool observer_can_scrape(const struct mdep *m);
/* Starts, keeps or ends the comparison that the plan asks for. */
void observer_set(struct observer *o, const char *key, const struct rollout_snapshot *s,
                  const struct rollout_plan *plan, const struct policy_view *policy);
void observer_forget(struct observer *o, const char *key);
/* Fills judgement and the counted share. */
void observer_read(struct observer *o, const char *key, struct arena *a,
                   const struct policy_view *policy, struct rollout_snapshot *s);
/* The objective that the zone misses and the others keep; and what was counted of it is void. */
const char *observer_zone_misses(const struct observer *o, const char *key, const char *zone);
/* On its way back it answers clients worse than the others: in words, NULL = not so. */
const char *observer_zone_worse(const struct observer *o, const char *key, const char *zone);
void observer_zone_forget(struct observer *o, const char *key, const char *zone);
/* The route was changed at this wall time: shares are counted anew. */
void observer_route_changed(struct observer *o, const char *key, int64_t wall_ms);

#endif
