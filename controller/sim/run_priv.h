/*
 * What the files of a seed share.
 *
 * run.c     scene, begin and end
 * faults.c  what goes wrong between the operator and the API server
 * user.c    what people and machines do: orders, zones, nodes, clock
 * user_manifest.c what people wrote down
 * user_shift.c ZoneShifts
 * others.c  other models on the same cards
 * check.c   invariants on the server's truth
 * check_zone.c zones that are left
 * check_audience.c audiences and mirrors
 * check_slo.c objectives: what a breach may lead to, and must
 * loss.c    whose fault it is that requests find nobody
 */
#ifndef SIM_RUN_PRIV_H
#define SIM_RUN_PRIV_H

#include "cluster.h"
#include "tidegate/sim/run.h"
#include "world.h"

#define RUN_MODEL       "ranker"
#define RUN_ZONES_MAX   3
#define RUN_CLASS       "live" /* its priority, where there are other models */
#define OTHERS_MAX      2
#define RUN_NODES       6
#define RUN_FAULTS_MS   (40 * 60000LL)
#define RUN_LIVENESS_MS (3 * 3600000LL) /* from the last fault to the expected end */
#define RUN_VERSIONS    3               /* that are changed to in mid-release: "1".. */

/* Drawn once; what people may change in mid-release stands in struct user. */
struct scene {
	int64_t zones, fault_permille, load_ms, rate;
	bool canary_is_bad; /* version "2" */
	bool lively;        /* people and machines act in mid-release */
	bool scarce;        /* a card for each pod that is wanted, hardly more */
	bool long_holds;
	bool paged; /* no WatchList, lists come page by page */
	enum mdep_traffic driver;
	bool own_route;        /* the route is the user's */
	bool asleep;           /* replicas is 0 at first */
	const char *on_breach; /* of objectives; NULL = there are none */
	bool apart;            /* the operator's processes stand in zones */
};

enum act_kind {
	ACT_ORDER,
	ACT_VERSION,
	ACT_REPLICAS,
	ACT_SLEEP,
	ACT_BOUNDS,
	ACT_STEPS,
	ACT_ZONE_DARK,
	ACT_SHIFT,
	ACT_NODE_LOST,
	ACT_CLOCK,
	ACT_SILENCE,
	ACT_INCIDENT,
	ACT_OTHER,
	ACT_ROUTE,
	ACT_KILL,
	ACT_KINDS,
};

/* One thing that happens in mid-release; all of it is drawn beforehand, so that each may be left
 * out without changing the others. */
struct act {
	int64_t at_ms; /* after the second version was applied */
	enum act_kind kind;
	uint64_t draw;
	bool left_out;
};

struct user {
	struct act acts[SIM_ACTS_MAX];
	unsigned nacts, next;
	int64_t began_ms; /* mono; 0 = the second version is not applied yet */
	/* The manifest. */
	int64_t replicas, surge, unavailable;
	unsigned version; /* 1.. */
	unsigned steps;
	bool other_port; /* of the Services */
	/* What ends by itself. */
	int64_t dark_until_ms, silent_until_ms, node_due_ms, asleep_until_ms, incident_until_ms;
	int64_t shifted_until_ms; /* end of the last ZoneShift */
	unsigned shifts;          /* that were made */
	int64_t awake;            /* replicas after that */
	char dark_zone[8];
	char lost_zone[8];
	char incident_zone[8]; /* "" = everywhere */
	unsigned nodes, orders;
	int64_t calm_ms;    /* since when nothing more happens; 0 = not yet */
	int64_t resumed_ms; /* last order to go on, given while all is calm */
	int64_t asked_ms;   /* a release waits for a word since then; 0 = none does */
	int64_t approve_after_ms;
};

/* Another ModelDeployment. */
struct other {
	int64_t replicas, due_ms;
	unsigned version; /* 0: it is not there yet */
};

struct others {
	struct other v[OTHERS_MAX];
	unsigned n;
};

/* What the check remembers of what it has seen; times on the virtual clock. */
struct check {
	int64_t wanted;
	bool was_full;
	int64_t damage_ms; /* last sign of a zone that is out or a node that is gone; 0 = none */
	int64_t bounds_ms; /* last change of what may be wanted or must serve */
	/* Of status. */
	char phase[32], target[64], started[32], stable[64];
	int64_t step, holding_step, holding_wall_ms, hold_ms;
	/* Orders given, and what was done by order. */
	unsigned aborts, retreats, rollbacks, returns, pauses, stops, promotes, approvals, skips,
		breaches;
	bool promoted_full;
	int64_t silent_since_ms;     /* metrics are silent since then; 0 = they are not */
	int64_t target_ms;           /* the release that is under way was seen first */
	int64_t incident_ms;         /* last begin or end of one; 0 = none was */
	int64_t lonely_ms;           /* last sight of one where the target alone served; 0 = none */
	bool unlucky;                /* a judge took its errors, which chance drew, for its fault */
	char left[RUN_ZONES_MAX][8]; /* zones that nobody is sent to, as status has it */
	unsigned nleft;
	bool zone_out;
	int64_t breach_ms; /* status tells of a breach that is to be acted on; 0 = of none */
	bool asleep;       /* people want no pods, or those that they want are not all there yet */
	double lost, excused; /* requests: of all time, and of these excused */
	bool excusing;
	/* When a zone got light last, and a leader wrote for the model; 0 = never. */
	int64_t light_ms;
	bool light_is_new;                             /* nobody has since */
	bool steps_changed, clock_jumped, route_reset; /* people did that */
	uint64_t counted_at;                           /* changes of the store by then */
	int64_t serving, there;                        /* pods, as counted then */
};

struct run {
	struct sim_options o;
	struct sim_result *result;
	struct cluster cluster;
	struct world world;
	struct random random; /* of faults */
	struct timer tick;
	char holder[16]; /* agent that renewed the lease last */
	struct scene scene;
	struct user user;
	struct others others;
	struct check check;
};

static inline int64_t run_now(const struct run *r)
{
	return r->cluster.clock.mono_ms;
}

/* faults.c */
void faults_hooks(struct run *r, struct sim_hooks *h);

/* user.c */
void user_draw(struct run *r, struct random *random);
void user_make_nodes(struct run *r);
/* Of each node. */
int user_cards(const struct run *r);
/* Does what is due. */
void user_tick(struct run *r);
/* Nobody does anything any more, but to end a pause and to approve. */
void user_calm(struct run *r);
bool user_is_done(const struct run *r);
bool user_metrics_are_silent(const struct run *r);

/* user_manifest.c */
unsigned user_draw_steps(const struct run *r, uint64_t draw);
void user_apply(struct run *r, unsigned version);
void user_put_manifest(struct run *r);
void user_put_route(struct run *r);
/* Of the step, ms. */
int64_t user_hold(const struct run *r, int64_t step);
/* A person must let the step end. */
bool user_must_approve(const struct run *r, int64_t step);
bool user_has_audience(const struct run *r, int64_t step);
bool user_mirrors(const struct run *r, int64_t step);

/* user_shift.c: makes one, makes one longer, or deletes one. */
void user_shift(struct run *r, uint64_t draw);

/* others.c */
void others_draw(struct run *r, struct random *random);
void others_begin(struct run *r);
void others_tick(struct run *r);
void others_change(struct run *r, uint64_t draw);
/* What they lack though there are cards for it; NULL = nothing. */
const char *others_missing(struct run *r);

/* check.c */
/* What stands at the server, whatever is in force; NULL = there is no such object. */
const struct sim_object *check_read_route(struct run *r, struct world_rule out[WORLD_RULES_MAX]);
/* Something outside is out of order, or was a moment ago. */
bool check_is_damaged(const struct run *r);
void check_violate(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For the hook `written`. */
void check_written(void *arg, const char *agent, const struct sim_object *o);
void check_tick(struct run *r);
/* The release has come to its end: what the status says of it. */
bool check_settled(struct run *r);
void check_end(struct run *r);

/* Version "2", when it is drawn so. */
bool check_is_bad(const struct run *r, int64_t version);
/* The model version of a revision; 0 = nobody knows. */
int64_t check_version_of(struct run *r, const char *revision);
bool check_is_back(const char *phase);
/* A zone that is neither Healthy nor merely looked at; NULL = none. */
const char *check_zone_out(const struct json *status);

/* check_zone.c */
void zone_status(struct run *r, const struct json *status);
/* Of a split that the operator wrote. */
void zone_route(struct run *r, const struct world_backend *b, unsigned n);

/* check_audience.c */
/* Of a split that the operator wrote. */
void audience_route(struct run *r, const struct world_rule *audience);
/* A step is reached: its audience and its mirror are in force at the gateway. */
void audience_reached(struct run *r, int64_t step, const char *target);

/* check_slo.c: of a status, before the last one is forgotten. */
void slo_status(struct run *r, const struct json *status);
void slo_tick(struct run *r);

/* loss.c */
/* `serving`: pods that do. */
void loss_tick(struct run *r, int64_t serving);
/* Requests that were lost though they should not have been. */
double loss_of_release(struct run *r);

#endif
