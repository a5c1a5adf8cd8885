/*
 * A small world for the release planner: a ReplicaSet controller that chooses its victims as the
 * real one does, pods that need time to become ready and to end, a route that is accepted late and
 * a data plane that follows later still, counters at the pods, and status kept as JSON. Virtual
 * clock, seeded randomness. After every plan that is applied, and at every instant, the
 * invariants of the design are checked; a breach ends the test with the seed and the story.
 *
 * Included as world.c.
 */
#ifndef TIDEGATE_TESTS_WORLD_H
#define TIDEGATE_TESTS_WORLD_H

#include "tidegate/base/arena.h"
#include "tidegate/rollout/plan.h"
#include "tidegate/rollout/replicas.h"

#define WORLD_PODS     128
#define WORLD_CELLS    64
#define WORLD_NO_CRASH (-1)

struct world_pod {
	struct pod pod;
	char name[48], uid[16];
	int cell;
	int64_t runs_ms, ready_ms; /* when it starts to run, and becomes ready; 0 = never */
	bool serves;               /* as last looked at, since turned_ms */
	int64_t turned_ms;
	int64_t listed_ms; /* its Service's slices name it since then; 0 = they do not */
	int64_t gone_ms;   /* terminating: when the object goes */
	bool used;
};

struct world_cell {
	char revision[MDEP_REVISION_LEN + 1], zone[16], version[16];
	int64_t number, created_ms;
	int spec, asked, edits;
	bool used;
};

struct world_share {
	int cell, weight;
	int chosen; /* an audience goes there */
	int copied; /* copies do */
};

struct world {
	uint64_t seed, rng;
	int64_t start_ms, now;
	struct mdep m;
	struct mdep_step steps[MDEP_STEPS_MAX];
	struct arena status_arena[2];
	int status_turn;
	const char *stored; /* status as text */
	char version[16], orders[ORDER_VERBS][64];
	/* m's lists */
	const char *order_values[ORDER_VERBS];
	struct mdep_zone zones_of_spec[MDEP_ZONES_MAX];
	struct mdep_objective objectives_of_spec[MDEP_OBJECTIVES_MAX];
	char zone_names[MDEP_ZONES_MAX][16];
	struct mdep_header header;
	struct mdep_finding finding;

	struct world_cell cells[WORLD_CELLS];
	struct world_pod pods[WORLD_PODS];
	unsigned serial; /* of pod names */

	/* route object, and what the data plane does */
	bool route_exists;
	struct world_share route[MDEP_WEIGHTS_MAX], plane[MDEP_WEIGHTS_MAX];
	unsigned nroute, nplane;
	int64_t written_ms, accepted_ms, effective_ms; /* 0 = never */
	bool route_dead;                               /* never accepted */

	/* character */
	int64_t load_ms, load_jitter_ms, end_ms, accept_ms, follow_ms;
	int cards;       /* pods that find a node; 0 = any number */
	bool cards_tied; /* each zone has its part of them, and no more */
	int spare_cards; /* beyond those, tied to one zone */
	unsigned spare_zone;
	int lower_cards; /* of one zone's: others hold them, and make way for missing replicas */
	unsigned lower_zone;
	const char *broken; /* revision whose pods never become ready */
	bool slices;        /* endpoints are watched */
	bool mute;          /* the gateway says nothing of its route: what stands there counts */
	int64_t list_ms;    /* from in or out of service until the slices tell */
	int64_t hear_ms;    /* and from then on until the gateway has the endpoint */
	int64_t quiet_ms;   /* from the slices on until no request is under way; -1 = never seen */
	double requests_per_s; /* 0: no counters */
	int forced_permille;   /* share the pods count whatever the route says; -1 = honest */
	double total, canary;  /* counted since the route was changed */
	bool counted;
	enum rollout_verdict verdict;
	int doubt; /* taken off the score of a release that is not judged bad */
	int64_t no_data_ms, resumed_ms;
	bool resumed_first;
	int64_t judge_began_ms;    /* another leader's judge began then; 0 = the first one */
	int64_t judge_step_ms;     /* in the midst of that step, whatever the clock says */
	bool no_judge, judge_gone; /* it has not begun yet; it never will */
	const char *taken;         /* names that others hold */
	struct rollout_takeover takeover;
	const char *policy_held;    /* the ScorePolicy is not in force, and why */
	const char *disagree;       /* signals contradict each other */
	const char *breach;         /* revision that misses an objective; NULL = none does */
	const char *held;           /* why that is not acted on */
	struct rollout_zones zones; /* their states, and the answers to orders about them */
	struct mdep_objective_status objectives[MDEP_OBJECTIVES_MAX];
	int crash_percent; /* chance that a plan is applied only in part */
	bool chaos;        /* pods die and flap: some invariants are then nobody's promise */
	bool excused;      /* a loss is not the planner's doing */

	/* the last plan, and what happened so far */
	struct arena arena;
	struct rollout_plan plan;
	bool dirty;
	int64_t due_ms; /* requeue; 0 = none */
	unsigned plans, plans_now, route_writes, status_writes;
	int max_pods, min_ready;
	unsigned done_orders[ORDER_VERBS];
	char story[4096]; /* events as "Reason Reason ..." */
	char last_note[512];
	const struct mdep_group_score *groups; /* of the judge */
	unsigned ngroups;
};

/* Replicas 4, surge 1, unavailable 0, one cell, no steps, managed traffic; revision "aaaaaaaaaa".
 */
void world_init(struct world *w, uint64_t seed);
void world_release(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);

void world_spec(struct world *w, const char *revision, const char *version);
void world_steps(struct world *w, const struct mdep_step *steps, unsigned n);
void world_zones(struct world *w, unsigned n);
/* NULL takes the annotation away. */
void world_order(struct world *w, enum mdep_verb verb, const char *value);
void world_touch(struct world *w); /* something about the object has changed */

/* Plans once, without applying. Now and then asserts that the same snapshot gives the same plan. */
void world_plan(struct world *w);
/* Plans and applies until nothing asks for another pass at this instant. */
void world_settle(struct world *w);
/* Lets time pass in steps, planning only on a change or when the planner asked to be called. */
void world_run(struct world *w, int64_t ms);
/* Runs until the phase is one of the set (bits by phase) or ms have passed; true when reached. */
bool world_until(struct world *w, unsigned phases, int64_t ms);
#define PHASE_BIT(p) (1u << (p))
/* Brings up the first release and returns when it is stable. */
void world_first_release(struct world *w);

int world_pods(const struct world *w, const char *revision);  /* not terminating */
int world_ready(const struct world *w, const char *revision); /* in service */
int world_share(const struct world *w, const char *revision); /* in the route, 1/10000 */
int world_plan_share(const struct world *w, const char *revision);
bool world_saw(const struct world *w, const char *reason); /* an event so far */
unsigned world_count(const struct world *w, const char *reason);
const struct mdep_condition *world_condition(const struct world *w, const char *type);
struct world_pod *world_pod_of(struct world *w, const char *revision, unsigned nth);
bool world_cell_exists(const struct world *w, const char *revision);
void world_kill(struct world *w, struct world_pod *p);

#endif
