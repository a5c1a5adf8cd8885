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
 * Source of the cases: Argo Rollouts' canary arithmetic and its known defects.
 */
#ifndef TIDEGATE_ROLLOUT_REPLICAS_H
#define TIDEGATE_ROLLOUT_REPLICAS_H

struct replicas_track {
	int spec;        /* asked of the ReplicaSets, all zones */
	int pods;        /* existing, without terminating */
	int ready;       /* ready and in service */
	int terminating;
};

struct replicas_input {
	int replicas;          /* R */
	int surge, unavailable;
	int target_weight;     /* percent of the step, 0..100 */
	int held_new;          /* greatest share of new that may be in force, percent */
	int held_old;          /* greatest share of old that may be in force, percent */
	struct replicas_track new_track, old_track;
};

struct replicas_plan {
	int new_goal, old_goal; /* where the step wants to be */
	int new_spec, old_spec; /* what to ask for now */
	/* Largest new share (<= target) that ready pods of both sides can carry now. */
	int weight_now;
	const char *waiting_for; /* what holds progress up, plain words; NULL at the goal */
};

/* Pods that carry `weight` percent of R pods' load; a tenth of a pod is tolerated as rounding. */
int replicas_needed(int replicas, int weight);
void replicas_plan(const struct replicas_input *in, struct replicas_plan *out);

/*
 * Splits n over zones by weight with a house-monotone divisor method: one more replica
 * adds to exactly one zone. Weight 0 gets none (all 0: the first gets all).
 */
void replicas_split(int n, const int *weights, unsigned nzones, int *out);

#endif
