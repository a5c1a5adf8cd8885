/*
 * The rest of the cluster: ReplicaSet controller, kubelets, node and endpoint controllers, gateway,
 * model servers and users. It moves when something it looks at has changed, and when something is
 * due, on a timer of its own; in between nothing costs anything, because requests are counted from
 * their rates. Delays and counts are drawn from the seed.
 *
 * world.c   what is due, and when
 * pods.c    ReplicaSet controller and kubelets
 * nodes.c   zones and nodes that go dark and come back
 * gateway.c routes, as each kind of gateway reads them; EndpointSlices
 * users.c   who gets how many requests, and what becomes of them
 * server.c  what a model server answers
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "internal.h"
#include "tidegate/api/mdep.h"
#include "tidegate/api/preset.h"

#define WORLD_BACKENDS_MAX 32
#define WORLD_RULES_MAX    2
#define WORLD_ZONES_MAX    16
#define WORLD_VERSIONS_MAX 32

/* How the pods of one model version are. */
struct world_behaviour {
	char version[130]; /* "" = any that is not named */
	double errors;     /* share of the answers */
	double p50_s, p99_s;
	int64_t load_min_ms, load_max_ms; /* from its node's start of it until it answers */
	bool never_loads;
};

struct world_backend {
	char service[64];
	int port; /* 0 = whatever it has */
	int64_t weight;
};

struct world_split {
	struct world_backend v[WORLD_BACKENDS_MAX];
	unsigned n;
};

/* A rule that a gateway has in force. */
struct world_rule {
	struct world_split answers, copies;
	double copied; /* share of the requests */
};

/* What became of requests. */
struct world_tally {
	double requests;
	double errors;       /* answered with an error by a pod */
	double lost_dark;    /* sent to where a zone or node is dark */
	double lost_release; /* sent to where nothing was */
};

/* A ModelDeployment, as its users see it. */
struct world_app {
	struct list link;
	char *ns, *name;
	struct list pods; /* that a kubelet has met, oldest first */
	double rate;      /* requests per second */
	double audience;  /* share of the requests that a step's audience takes */
	struct world_behaviour versions[WORLD_VERSIONS_MAX];
	unsigned nversions; /* the first one is for any other */
	const struct preset *preset;
	bool driven; /* its traffic goes by a route */
	bool open;   /* it could be reached once: users come from now on */
	/* [0]: everybody's rule; [1]: the audience's, nobody answers it without one. */
	struct world_rule rules[WORLD_RULES_MAX];
	struct world_tally tally, rates; /* rates: of what comes in from since_ms on, per second */
	int64_t since_ms;
};

struct world_zone {
	char name[64];
	bool dark;
	/* What it adds to its pods' versions: share of errors; answers take so many times as long.
	 */
	double errors, slower;
};

/* How latencies spread over the histogram. */
struct world_latency {
	double p50_s, p99_s, slower; /* what it was made of */
	double shares[SIM_BUCKETS];
};
#define WORLD_LATENCIES 8

/* A line of a scrape, up to its count. */
struct world_line {
	char *start; /* NULL = not written yet */
	size_t len;
};
#define WORLD_SAMPLES (3 + SIM_BUCKETS + 1)

struct world {
	struct sim_api *api;
	struct random random;
	struct list apps;
	struct map apps_by_key;    /* "namespace/name" */
	struct buf key;            /* scratch */
	struct world_app defaults; /* of an app that nobody described */
	struct world_zone zones[WORLD_ZONES_MAX];
	unsigned nzones;
	struct sim_object **by_number; /* pods by their address */
	unsigned nnumbers;
	struct timer timer;
	int64_t wake_ms; /* what the timer is set to; INT64_MAX = off */
	unsigned serial;
	/* Of each runtime that was asked. */
	struct world_line lines[RUNTIME_V2 + 1][WORLD_SAMPLES];
	struct world_latency latencies[WORLD_LATENCIES]; /* those that were asked for last */
	unsigned next_latency;
	struct world_tally tally; /* of all apps, up to the last round */
};

void world_init(struct world *w, struct sim_api *api, uint64_t seed);
void world_release(struct world *w);
/* For the hook `changed`. */
void world_changed(struct world *w, const struct sim_object *o);
/* Looks at everything at the latest then. */
void world_wake(struct world *w, int64_t at_ms);
/* Counts requests up to now, and shares them out anew. */
void world_settle(struct world *w);
enum sim_reach world_answer(struct world *w, const char *url, const char *from_zone,
                            struct buf *out);
int64_t world_draw(struct world *w, int64_t lo, int64_t hi);

/* Made when absent. */
struct world_app *world_app(struct world *w, const char *ns, const char *name);
/* So much more of its answers are errors from now on, whatever the version; below 0: fewer. */
void world_spoil(struct world *w, const char *name, double errors);
const struct world_behaviour *world_behaviour(const struct world_app *a, const char *version);

/* pods.c */
bool world_pod_ready(const struct sim_object *pod);
bool world_pod_in_service(const struct sim_object *pod);
bool world_pod_deleting(const struct sim_object *pod);
const char *world_label(const struct sim_object *o, const char *key);
/* Everything that is due; the next instant at which something is. */
int64_t pods_round(struct world *w);
/* The app's versions are others: its pods behave by them. */
void pods_learn(struct world *w, const struct world_app *a);
/* Takes it away now. */
void pods_remove(struct world *w, struct sim_object *pod);
/* Another value of its condition Ready. */
void pods_set_ready(struct world *w, struct sim_object *pod, bool ready);

/* nodes.c */
/* Made when absent. NULL: there are too many. */
struct world_zone *world_zone(struct world *w, const char *name);
bool world_zone_is_dark(const struct world *w, const char *zone);
void world_zone_set(struct world *w, const char *zone, bool dark);
/* slower: 1 = not at all. */
void world_zone_spoil(struct world *w, const char *zone, double errors, double slower);
/* Of a pod that is worse for its zone; NULL = it is not. */
const struct world_zone *world_zone_spoils(struct world *w, const struct sim_object *pod);
/* It and its pods fall silent for good. False: there is none of that name. */
bool world_lose_node(struct world *w, const char *node);
/* "" when it is not bound, or its node has no zone. */
const char *world_zone_of(struct world *w, const struct sim_object *pod);
/* Nobody outside of its zone gets an answer from it. */
bool world_pod_is_dark(struct world *w, const struct sim_object *pod);
int64_t nodes_round(struct world *w);

/* gateway.c */
int64_t gateway_round(struct world *w);
/* Pods behind a Service, as EndpointSlices and gateways see them. */
bool world_is_behind(const struct sim_object *service, const struct sim_object *pod);
/* The gateways have heard that it answers by this port; 0 = by any. */
bool world_is_reached_by(const struct sim_object *service, int port);
unsigned world_endpoints(struct world *w, const struct sim_object *service);
/* The first after `pod` (NULL: of all) that is behind it. */
struct sim_object *world_next_behind(struct world *w, const struct sim_object *service,
                                     struct sim_object *pod);
/* Kind of the object that the driver splits by. */
enum sim_resource world_route_kind(enum mdep_traffic driver);
/*
 * What a gateway that has heard of everything makes of the object that the app's ModelDeployment
 * names, and of those beside it: [0] as everybody gets it, [1] as the audience does, if there is
 * one.
 */
void world_read_route(const struct world *w, const struct world_app *a,
                      const struct sim_object *main, struct world_rule out[WORLD_RULES_MAX]);
/* Backends of the rule that everybody gets; the number of them. */
unsigned world_backends(const struct world *w, const struct world_app *a,
                        const struct sim_object *main, struct world_backend *out);
/* Whose pods it selects; NULL = any's. */
const char *world_service_revision(const struct sim_object *service);

/* users.c */
void users_count(struct world *w); /* what came in up to now */
void users_share(struct world *w); /* from now on */
/* Of one pod, up to now. */
void users_count_pod(struct world *w, struct sim_object *pod);
extern const double users_bounds[SIM_BUCKETS]; /* seconds */

#endif
