/*
 * The release planner: one snapshot and a time in, next status and wishes out. Pure.
 *
 * Called on every change of anything in the snapshot and at *requeue_ms; calling it twice with the
 * same input gives the same output, and applying half of its wishes and calling it again converges
 * (crash at any instruction). All times are absolute wall milliseconds kept in status.
 * Precedence inside: spec validity, manual order, rollback, step.
 * Ownership: the output's strings live in `arena` or in the snapshot.
 */
#ifndef TIDEGATE_ROLLOUT_PLAN_H
#define TIDEGATE_ROLLOUT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"

#define ROLLOUT_CELLS_MAX 128 /* kept revisions x zones */

/* One ReplicaSet as observed, with its pods. Zone "" when the ModelDeployment has no zones. */
struct rollout_cell {
	const char *revision, *zone;
	const char *model_version;
	int64_t revision_no;
	int64_t created_ms;
	int spec;                    /* 0 and exists=false when there is no ReplicaSet yet */
	bool exists;
	const char *failure;         /* the ReplicaSet cannot create pods: why */
	const struct pod *const *pods; /* its pods, terminating ones too, sorted by name */
	unsigned npods;
};

/* What is known of the data plane. */
struct rollout_traffic {
	bool managed;        /* a driver sets weights; false = replica ratio through one Service */
	bool exists;         /* the route object is there */
	bool in_force;       /* its status accepts our last written generation */
	const char *problem; /* why not; NULL */
	/* Shares that the route object carries right now, by revision, 1/10000; sum 10000. */
	const char *revisions[2 * MDEP_ZONES_MAX];
	const char *zones[2 * MDEP_ZONES_MAX];
	int weights[2 * MDEP_ZONES_MAX];
	unsigned nweights;
	int64_t written_ms;  /* when our last change of it was answered, 0 = unknown */
	/* Canary share counted at the pods since the last weight change: requests, -1 = no counters. */
	int64_t canary_requests, total_requests;
};

enum rollout_verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL };

struct rollout_judgement {
	bool judging;       /* a judge is running for (stable, target) */
	enum rollout_verdict verdict;
	int score;          /* 0..100, -1 none */
	const char *text;   /* plain words with the counts */
	int64_t since_data_ms; /* how long without data; 0 = data is fresh */
};

struct rollout_snapshot {
	int64_t now_ms; /* wall */
	const struct mdep *mdep;
	const struct rollout_cell *cells;
	unsigned ncells;
	struct rollout_traffic traffic;
	struct rollout_judgement judgement;
};

/* Wishes. The reconciler turns them into intents; equal ones cost nothing. */
struct rollout_cell_wish {
	const char *revision, *zone;
	int replicas;
	bool remove; /* delete the ReplicaSet (history beyond the limit) */
};

struct rollout_pod_wish {
	const struct pod *pod;
	bool leave; /* true: label out of service, cost down, leaving-since now; false: back in */
};

struct rollout_event {
	bool warning;
	const char *reason, *note;
};

#define ROLLOUT_EVENTS_MAX 8

struct rollout_plan {
	struct mdep_status status; /* next; conditions included */
	struct rollout_cell_wish *cells;
	unsigned ncells;
	struct rollout_pod_wish *pods;
	unsigned npods;
	/* The whole matrix, weights sum 10000; nweights 0 = do not touch the route (nothing ready yet). */
	struct mdep_weight weights[2 * MDEP_ZONES_MAX];
	unsigned nweights;
	/* Requests that match these headers go to the target revision; NULL = none. */
	const struct mdep_step *audience;
	bool judge;          /* the judge should compare status.stable with status.target now */
	struct rollout_event events[ROLLOUT_EVENTS_MAX];
	unsigned nevents;
	int64_t requeue_ms;  /* look again in so many ms; 0 = only on change */
};

void rollout_plan(const struct rollout_snapshot *s, struct arena *arena, struct rollout_plan *out);

#endif
