/*
 * Replica arithmetic of a release between two revisions, pure.
 *
 * "new" is the revision being released (canary), "old" the stable one. A rollback is the
 * same arithmetic with a target weight of 0. Invariants that hold for every input:
 *   - pods (terminating ones too) never exceed R + surge by our growth;
 *   - our shrinking never takes ready pods below R - unavailable;
 *   - a revision is never shrunk below what its held traffic share needs (minus
 *     unavailable), so capacity leaves only after traffic has been seen to leave;
 *   - from any state, with pods becoming ready and traffic following, the goal is
 *     reached (no dead-lock), also with surge 0 and without a spare card;
 *   - new pods are monotone in weight.
 * `capacity` asks for new pods beyond what the weight needs. They get what surge and unavailable
 * have room for beside the old pods that the weight needs, and never less than the weight's own.
 *
 * Differences from Argo Rollouts' canary arithmetic, whose cases and known defects this was
 * built from: weights are exact (a route carries them), so a share gets the pods that it needs and
 * not the nearest ratio; new pods never drop when weight rises (there: (R,w) = (2,75), (5,90),
 * (10,95) ... fall to 0 without surge); with a route the sum stays within R + surge instead of
 * 2 R; one replica without surge is swapped at 100 % only, and lower steps stay at 0 %; pods
 * that came to be above the limit by others' doing are not cut on the side that grows.
 *
 * What is less obvious:
 *   - stable is made whole before new pods get a place: for the share that it may get now, not for
 *     the one that the step will leave to it (a superseded release, replicas raised by an
 * autoscaler);
 *   - stable pods that are not ready leave at the pace at which new ones become ready: they
 *     may recover; new pods that are not ready leave at once when they are not wanted;
 *   - while a side may still get traffic it keeps a ready pod, even where maxUnavailable would
 *     allow none, unless R + surge is 1; and of several replicas the last ready pod stays until
 *     another is ready, whosever it is;
 *   - a held share counts within one percent of R (weights are whole percents), or more than
 *     ten pods with surge 1 could not take turns;
 *   - surge 0: new pods at R - 1 may take 100 %, because only the last old pod stands in the
 *     way of the last new one; `compare` keeps that pod, and its share, until it is taken away.
 * surge 0 and unavailable 0 count as unavailable 1.
 */
#ifndef TIDEGATE_ROLLOUT_REPLICAS_H
#define TIDEGATE_ROLLOUT_REPLICAS_H

#include <stdbool.h>

struct replicas_track {
	int spec;  /* asked of the ReplicaSets, all zones */
	int pods;  /* existing, without terminating */
	int ready; /* ready, and in service or able to come back (leaving, not yet drained) */
	int terminating;
};

struct replicas_input {
	int replicas; /* R */
	int surge, unavailable;
	int target_weight; /* percent of the step, 0..100 */
	int capacity;      /* new pods asked for apart from it, 0 = none */
	int held_new;      /* greatest share of new that may be in force, percent */
	int held_old;      /* greatest share of old that may be in force, percent */
	/* The old version is still needed beside the new one, to hold it against. */
	bool compare;
	struct replicas_track new_track, old_track;
};

struct replicas_plan {
	int new_goal, old_goal; /* where the step wants to be */
	int new_spec, old_spec; /* what to ask for now */
	/* Largest new share (<= target) that ready pods of both sides can carry now. */
	int weight_now;
	bool compares;              /* the last old pod stays beside new ones for now */
	const char *waiting_for;    /* what holds progress up, plain words; NULL at the goal */
	const char *waiting_reason; /* the same as a condition's reason */
};

/* Pods that carry `weight` percent of R pods' load; a tenth of a pod is tolerated as rounding. */
int replicas_needed(int replicas, int weight);
void replicas_plan(const struct replicas_input *in, struct replicas_plan *out);
/*
 * What stays of surge however little room there is: one where no ready pod may be missing, or the
 * only one would be.
 */
int replicas_surge_least(int replicas, int unavailable);

/*
 * Splits n over zones by weight with a house-monotone divisor method: one more replica
 * adds to exactly one zone. Weight 0 gets none (all 0: the first gets all).
 */
void replicas_split(int n, const int *weights, unsigned nzones, int *out);

#endif
