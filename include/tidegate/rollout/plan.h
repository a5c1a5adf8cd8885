/*
 * The release planner: one snapshot and a time in, next status and wishes out. Pure.
 *
 * Called on every change of anything in the snapshot and at *requeue_ms; calling it twice with the
 * same input gives the same output, and applying half of its wishes and calling it again converges
 * (crash at any instruction). All times are absolute wall milliseconds kept in status.
 * Precedence inside: spec validity, manual order, rollback, step.
 *
 * Revisions. mdep->revision is the wish. The first release has no steps: it gets all traffic from
 * its first ready pod on and becomes stable when all pods are in service. Any other revision
 * is released over the steps; a newer one supersedes it (stable stays, step 0) when it has given
 * its share back; a wish for stable itself in mid-release ends in that, result Superseded. A
 * release in phase Completing has passed every step: it is promoted when another revision is wished
 * for, and going back to the one before is then limited by capacity only, not by steps. A revision
 * that was rolled back or aborted waits for another spec or `retry`.
 *
 * Steps. Progressing until the pods of the step are in service and its weight is verified, then
 * Holding until an absolute time, then AwaitingApproval if asked for. A step without a weight keeps
 * the one before; a step with an audience needs one canary pod, and its rule stays until the next
 * step. `capacity` brings new pods apart from the weight, as many as surge and unavailable have
 * room for, and before the weight of its own step moves. After the last step the weight goes to
 * 100, then old pods leave, then target is stable. Changed steps of a running release: on to the
 * first step whose weight is not below the present one; its hold starts anew. Until Completing a
 * foothold of stable stays where surge has room (the way back). replicas 0: pods go, weights stay,
 * the release waits.
 *
 * Holds. A hold is time under a judge's eyes: what another leader's judge, which begins without
 * evidence, did not see is added (watched_ms). `analysis`, and any hold with canary.endHoldOnPass,
 * ends with a PASS, 30 s after arrival at the earliest and only with requests measured since then.
 * requireVerdict Pass: time over without one, the step waits for it or for approval. `warmup`: a
 * new pod counts from that time after Ready on, except in a first release and on the way back.
 *
 * Policy. While the ScorePolicy of canary.policyRef is not in force (missing, wrong, its Secret or
 * ConfigMap not to be had) no step ends by itself and no PASS counts; the built-in judge goes on
 * watching for a FAIL. A person may still promote.
 *
 * Weights go up in as many parts as capacity demands, each verified before the next; down only
 * when traffic is taken back. Verified: the route carries it, its status accepts it, and the pods
 * have counted it: at least 50 requests within two standard deviations and 3 points, one of the
 * canary among them; too few requests: after 10 s; unclear: after 30 s; contradiction (200 requests
 * or more, four standard deviations and 3 points, or a side that gets nothing at all): never. No
 * counters: 2 s after the route was written. An audience's requests come on top, so too great a
 * share proves nothing while there is one. status.verified_weight is also raised to a weight that
 * is taken back before it was verified: it may have been in force.
 *
 * Matrix. A revision's share is split over zones by its pods that stay in service; a cell
 * without one is not named; a side without any leaves its share to the other; nobody ready:
 * the route is not touched. The last matrix stays while it names the same cells, gives each
 * revision the same, and is nowhere off by more than a fifth. A cell's last pod leaves after the
 * route has let go of the cell.
 *
 * Back. A version that nobody finds fault with (superseded, order abort) keeps what stable has no
 * ready pods for, until it has; a FAIL, a low score, a breach, the progress deadline and the word
 * "now" end that at once.
 *
 * Rollback. A FAIL counts in Progressing, Holding, AwaitingApproval and Paused as soon as anybody
 * may be sent to the canary; weight 0 is in that very plan. onNoData: Hold keeps a step from
 * ending, Rollback acts after 30 s without data at a verified weight; both only with spec.canary.
 * Without progress for progressDeadline while Progressing: rollback; in the first release, in
 * Completing and in RollingBack, where there is no way back: Stalled, trying on. Holds, approvals,
 * pauses, drains, spec.paused, invalid specs and replicas 0 do not count.
 *
 * Objectives. A breach by the revision being released takes it back as a FAIL does (onBreach:
 * Rollback), pauses it (Pause) or is only told (Notify). A breach by the stable revision within its
 * bake time leads back to the revision before, if that one is known, was promoted, did not fail
 * itself and still has its ReplicaSets: by capacity, as in `overtake`, and at most once a
 * promotion and a cool-down; each ready pod gets its share without counting first. The spec still
 * wishes for the failed revision: its result says RolledBack while it is stable, which no other
 * state has, and the end is phase RolledBack. While `held` (a zone is dark) nothing is done.
 *
 * Ready pods that carry nothing any more leave, whatever maxUnavailable says, where stable's have
 * no place (Unschedulable): they stand in for nobody, and stable could not become whole without.
 *
 * Pods leave in three acts: label (rollout_pod_wish), drain (at least 3 s; until a slice lists the
 * pod no more and it is seen idle, else drain_ms), smaller
 * ReplicaSet, never by more than pods that are drained, not ready or not started. Pods that are
 * wanted again come back before new ones are asked for. In a cell either pods are marked or pods
 * are deleted, because the ReplicaSet controller chooses among the marked ones as it likes. Only
 * the spec's own revision can get cells that do not exist yet.
 *
 * Surge is what of maxSurge the zones have room for, held places and free ones; the rest is swapped
 * in place within maxUnavailable, and where that is 0 one place more is waited for.
 *
 * Zones. Each has a ReplicaSet of every revision from the release on, perhaps an empty one: its pod
 * template is known only as long as spec names it. A Standby zone has pods by its weight while an
 * Active zone is out; they leave as any surplus when that one is Healthy again.
 *
 * Orders: a value that differs from the recorded one is new; "#anything" behind it makes it so;
 * taking the annotation away forgets the value. abort, pause, resume, retry: revision, model
 * version, "true" or "now". promote: those two, "next" or "full"; given while Progressing or Paused
 * it is Pending. A pause does not stop the clock of a hold, nor the growth of pods towards the
 * step. abort in Completing is refused. rollback-to: stable in mid-release is an
 * abort; any other revision whose ReplicaSets are kept is released without steps and without a
 * judge, and not given up (Stalled, trying on). It ends as phase RolledBack with the spec's
 * revision as target, and stays until spec names another revision or `retry`; a spec that names the
 * very revision on the way simply goes on with it. Zones without a ReplicaSet of it get no pods,
 * which the order's message tells. undo_window_ms: a release back to what was stable within it, and
 * did not fail, has no steps either, but is judged.
 *
 * Told, not acted on: condition Waiting (plan_wait.c) with figures, when pods get no node for 30 s
 * or nothing has moved for 60 s. A ReplicaSet whose replicas are not what we last wrote was edited
 * by somebody: an event, and back it goes by the same rules as any surplus or lack. Any other edit
 * of its spec is an edit of the pod template: of the spec's own revision it is written anew, of
 * another it can only be told, in condition TemplatesIntact.
 *
 * evacuate and return: what becomes of them comes with the snapshot's zones.
 *
 * Take-over (plan_takeover.c): the route is not touched until all pods are in service, and what was
 * there before is retired only when the route has carried ours for a drain's time.
 *
 * spec.paused and fatal findings: no wish at all, only status; the judge goes on.
 * Replica ratio (traffic.managed false): the same arithmetic with nothing held; a weight is
 * verified when both sides' pods are there; audiences are not acted on. Ownership: the output's
 * strings live in `arena` or in the snapshot.
 */
#ifndef TIDEGATE_ROLLOUT_PLAN_H
#define TIDEGATE_ROLLOUT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"

#define ROLLOUT_CELLS_MAX 128 /* kept revisions x zones */

/* What is seen of one pod from outside. */
struct rollout_pod_fact {
	int64_t listed_ms; /* its Service's slices have named it ready since then; 0 = they do not
	                    */
	bool idle;         /* out of the slices, and its own metrics show no request any more */
};

/* A pod on a node that is gone, as far as its control plane and our own probes can tell. */
struct rollout_stranded {
	int64_t since_ms; /* wall, first seen so; 0 = it is not */
	bool room;        /* another could be bound in its zone now */
};

/* One ReplicaSet as observed, with its pods. Zone "" when the ModelDeployment has no zones. */
struct rollout_cell {
	const char *revision, *zone;
	const char *model_version;
	int64_t revision_no;
	int64_t created_ms;
	int spec;  /* 0 and exists=false when there is no ReplicaSet yet */
	int asked; /* what we last wrote as spec; another value is somebody else's. -1 = unknown */
	int edits; /* writes of its spec that are not ours; below 0: a write of ours changed nothing
	            */
	bool exists;
	const char *failure;           /* the ReplicaSet cannot create pods: why */
	const struct pod *const *pods; /* its pods, terminating ones too, sorted by name */
	unsigned npods;
	/* Of each of its pods; NULL = endpoints are not watched, only time is known. */
	const struct rollout_pod_fact *facts;
	/* Of each of its pods: it is about to be taken away by others, and counts as gone. NULL =
	 * none. */
	const bool *called;
	const struct rollout_stranded *stranded; /* of each of its pods; NULL = none is */
};

/* What is known of the data plane. */
struct rollout_traffic {
	bool managed;        /* a driver sets weights; false = replica ratio through one Service */
	bool exists;         /* the route object is there */
	bool in_force;       /* its status accepts our last written generation */
	bool answers;        /* the gateway itself writes that status, having read the object */
	const char *problem; /* why not; NULL */
	/* Shares that the route object carries right now, by revision, 1/10000; sum 10000. */
	const char *revisions[2 * MDEP_ZONES_MAX];
	const char *zones[2 * MDEP_ZONES_MAX];
	int weights[2 * MDEP_ZONES_MAX];
	bool chosen[2 * MDEP_ZONES_MAX]; /* an audience is sent there, whatever the weight */
	bool copied[2 * MDEP_ZONES_MAX]; /* copies are */
	unsigned nweights;
	int64_t written_ms; /* when our last change of it was answered, 0 = unknown */
	/* Canary share counted at the pods since the last weight change: requests, -1 = no
	 * counters. */
	int64_t canary_requests, total_requests;
};

/* So long without any data a judge sees nothing. */
#define ROLLOUT_NO_DATA_MS 30000

enum rollout_verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL };

struct rollout_judgement {
	bool can_judge; /* one begins as soon as a plan asks for it */
	bool judging;   /* a judge is running for (stable, target) */
	enum rollout_verdict verdict;
	int score;             /* 0..100, -1 none */
	const char *text;      /* plain words with the counts */
	int64_t since_data_ms; /* how long without data; 0 = data is fresh */
	int64_t resumed_ms;    /* wall: end of the last silence, ROLLOUT_NO_DATA_MS long or that of
	                          its beginning; 0 = none */
	int64_t began_ms;      /* wall time from which it has gathered evidence */
	int64_t began_step_ms; /* step_started_ms of the step in whose midst that was; 0 = in none
	                        */
	const struct mdep_group_score *groups; /* of the metrics by query */
	unsigned ngroups;
	const char *held;     /* the ScorePolicy that is asked for is not in force, and why; NULL */
	bool heard;           /* it was told of the canary's requests since it began */
	bool resumed_first;   /* resumed_ms is when it heard of any for the first time */
	bool compared;        /* two sources of requests are held against each other */
	const char *disagree; /* they contradict each other, and how; NULL */
};

/* What the objectives say. A breach is one revision's: nothing is held against another. */
struct rollout_slo {
	bool known;           /* they are being watched */
	bool breach;          /* of the target while it is released, else of the stable revision */
	const char *revision; /* whose requests they were */
	const char *text;     /* plain words with the counts */
	const char *held;     /* a breach that is not acted on, and why; NULL */
	const struct mdep_objective_status *objectives;
	unsigned nobjectives;
	int64_t counted_ms; /* when they were counted */
};

/* spec.takeOver: the Deployment as it is. */
struct rollout_takeover {
	bool known; /* Deployments can be read */
	bool exists;
	const char *trouble;    /* why they cannot; NULL */
	const char *controller; /* kind and name of who owns it; NULL */
	int replicas;           /* spec */
	int pods, available;
};

struct rollout_event {
	bool warning;
	const char *reason, *note;
};

/* What became of an order about a zone; outcome NULL = it could not even be looked at. */
struct rollout_answer {
	const char *outcome, *message;
};

/* The zones' next state, decided before the release: its events and its next look are the plan's.
 */
struct rollout_zones {
	bool known; /* false: status.zones stays as it is */
	const struct mdep_zone_status *v;
	unsigned n;
	const char *text; /* which zones are not healthy and why; "" = all are */
	const struct rollout_event *events;
	unsigned nevents;
	int64_t wake_ms;                           /* wall; 0 = on change */
	struct rollout_answer evacuate, give_back; /* of the orders `evacuate` and `return` */
};

/* A zone's places for pods of the spec's own revision. */
struct rollout_room {
	const char *zone; /* "" = there are no zones */
	int free;         /* that could be bound now, or are being bound */
	/* Where others make way: promised to pods that wait, or one that yet another would get. */
	int win;
};

struct rollout_snapshot {
	int64_t now_ms; /* wall */
	const struct mdep *mdep;
	const struct rollout_cell *cells;
	unsigned ncells;
	const struct rollout_room *rooms; /* of a zone that is not named nothing is known */
	unsigned nrooms;
	struct rollout_traffic traffic;
	struct rollout_judgement judgement;
	struct rollout_slo slo;
	struct rollout_zones zones;
	const char *taken; /* kinds and names that others hold; NULL */
	struct rollout_takeover takeover;
};

/* Wishes. The reconciler turns them into intents; equal ones cost nothing. */
struct rollout_cell_wish {
	const char *revision, *zone;
	int replicas;
	bool remove;  /* delete the ReplicaSet (history beyond the limit) */
	bool restore; /* write all of it again: somebody has edited it */
};

struct rollout_pod_wish {
	const struct pod *pod;
	bool leave; /* true: label out of service, cost down, leaving-since now; false: back in */
	bool evict; /* this instead: its node is lost */
};

#define ROLLOUT_EVENTS_MAX 8

struct rollout_plan {
	struct mdep_status status;     /* next; conditions included */
	struct mdep_status_room lists; /* its */
	struct rollout_cell_wish *cells;
	unsigned ncells;
	struct rollout_pod_wish *pods;
	unsigned npods;
	/* The whole matrix, weights sum 10000; nweights 0 = do not touch the route (nothing ready
	 * yet). */
	struct mdep_weight weights[2 * MDEP_ZONES_MAX];
	unsigned nweights;
	/* The step whose audience goes to the target, or whose mirror does; NULL = neither. */
	const struct mdep_step *audience;
	const char *retire; /* Deployment to scale to 0; NULL */
	bool judge;         /* the judge should compare status.stable with status.target now */
	struct rollout_event events[ROLLOUT_EVENTS_MAX];
	unsigned nevents;
	int64_t requeue_ms; /* look again in so many ms; 0 = only on change */
};

void rollout_plan(const struct rollout_snapshot *s, struct arena *arena, struct rollout_plan *out);

#endif
