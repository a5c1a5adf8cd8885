/*
 * An API server in memory, behind the virtual transport (net/http_virtual.h): what the operator
 * needs of one, and honest in that. LIST, WATCH and WatchList with bookmarks and 410; POST, PUT,
 * merge and apply patches, DELETE with a uid precondition and collection of what is owned; the
 * status, binding and eviction subresources (of budgets, minAvailable as a number). Every manager
 * applies whole objects here, so an apply replaces spec (or status) as a whole: fields of several
 * managers in one object are not told apart.
 *
 * Ownership: sim_api_free() frees the objects; pointers to an object are valid until it is
 * deleted, its JSON until it is written. Times: virtual (base/clock.h).
 */
#ifndef TIDEGATE_SIM_API_H
#define TIDEGATE_SIM_API_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"
#include "tidegate/base/random.h"
#include "tidegate/net/http_virtual.h"

enum sim_resource {
	SIM_MDEP,
	SIM_POD,
	SIM_NODE,
	SIM_REPLICASET,
	SIM_SERVICE,
	SIM_SLICE,
	SIM_BUDGET,
	SIM_ROUTE,
	SIM_GRPCROUTE,
	SIM_VIRTUALSERVICE,
	SIM_DESTINATIONRULE,
	SIM_INGRESS,
	SIM_TRAEFIKSERVICE,
	SIM_SCOREPOLICY,
	SIM_ZONESHIFT,
	SIM_DEPLOYMENT,
	SIM_PRIORITYCLASS,
	SIM_LEASE,
	SIM_EVENT,
	SIM_RESOURCES,
};

/* Bounds of a model server's latency histogram; +Inf follows. */
#define SIM_BUCKETS 15

struct sim_text;
struct world_app;
struct world_behaviour;
struct preset;

/* Errors, and how many its share made one expect: those above are drawn. */
struct sim_draws {
	double errors, expected;
};

/* What a pod's model server counted, and what comes in from `since_ms` on. */
struct sim_counts {
	double rate, copies; /* requests per second, and mirrored ones */
	int64_t since_ms;
	double requests;
	struct sim_draws drawn;
	struct sim_draws before[2];      /* two moments that check.c looks back to */
	double buckets[SIM_BUCKETS + 1]; /* not cumulative */
};

/* What the world keeps with an object, on top of its JSON. */
#define SIM_PORTS_MAX 4

struct sim_attached {
	int64_t due_ms; /* next step of a pod, node or route, 0 = none */
	/* Of a pod. */
	unsigned number; /* what its address is made of */
	struct world_app *app;
	struct list of_app; /* in the app's pods */
	const struct world_behaviour *behaviour;
	const struct preset *preset; /* its ReplicaSet's, which need not be the spec's any more */
	struct sim_counts counts;
	bool dark; /* only its own zone reaches it, or nobody */
	/* Of a node. */
	bool lost, unready;
	/* Of a Service: its last endpoint was lost in the dark, and none came since. */
	bool bereft;
	uint64_t slice; /* what its EndpointSlice was last made of */
	/* By which gateways have heard that it can be reached; due_ms: they hear of the others. */
	int ports[SIM_PORTS_MAX];
	unsigned nports;
	/* Of a route: generations, as the gateway has them. */
	unsigned seen, in_force;
};

struct sim_object {
	struct list link;
	enum sim_resource resource;
	char *ns, *name, *uid;
	uint64_t rv;
	int64_t generation;
	int64_t created_ms;
	struct arena arena; /* of the trees */
	struct json *json;
	const struct json *applied; /* annotations of the last apply; NULL = none */
	struct sim_text *text;      /* of json */
	struct sim_attached world;
};

/* What happens to a request. */
enum sim_fault {
	SIM_OK,
	SIM_CONFLICT,     /* 409 */
	SIM_THROTTLE,     /* 429 with Retry-After */
	SIM_SERVER_ERROR, /* 500 */
	SIM_LOST_BEFORE,  /* the connection is cut and nothing was done */
	SIM_LOST_AFTER,   /* it was done, but the answer is lost */
	SIM_STALL,        /* no answer ever */
	SIM_CRASH_BEFORE, /* the writer dies, nothing was done */
	SIM_CRASH_AFTER,  /* it was done, then the writer dies */
};

/* Of a request that is not for the API server. */
enum sim_reach {
	SIM_ANSWERS,
	SIM_IS_SERVING, /* the same, to gRPC's question for its health */
	SIM_REFUSES,    /* nobody listens there: an error at once */
	SIM_SILENT,     /* packets vanish: the caller's time limit ends it */
};

struct sim_api;

/* Those that may be NULL say so. */
struct sim_hooks {
	/* The fate of a write, and whether a watch is cut before its next delivery; NULL: no
	 * faults, never. */
	enum sim_fault (*fate)(void *arg, const char *agent);
	bool (*cut)(void *arg);
	/* Delay of the next watch delivery, ms. */
	int64_t (*lag)(void *arg);
	/* For how long a watch hangs from now on, 0 = not at all. Asked before each delivery;
	 * NULL: never. */
	int64_t (*hang)(void *arg);
	/* Whether each change of a delivery is told twice; NULL: never. */
	bool (*twice)(void *arg);
	/* Whether the token of a list's next page has expired; NULL: never. */
	bool (*expire)(void *arg);
	/* Objects on a page of a list, where the client asks for pages; such a server knows no
	 * WatchList. 0: it knows it, and every list is whole. */
	unsigned page;
	/* After every change of the store, whoever made it; NULL: not told. */
	void (*changed)(void *arg, const struct sim_object *o);
	/* After every accepted write of a client. */
	void (*written)(void *arg, const char *agent, const struct sim_object *o);
	void (*crash)(void *arg, const char *agent);
	/* Whether the packets of this process reach the API server, and back. NULL: always. */
	bool (*connected)(void *arg, const char *agent);
	/* A request that is not for the API server. */
	enum sim_reach (*pod_request)(void *arg, const char *agent, const char *url,
	                              struct buf *answer);
	void *arg;
};

/*
 * Where one process is plugged into the network: its transport for http_transport_use(). The hooks
 * are told its agent. Must outlive the process's clients.
 */
struct sim_port {
	struct http_transport transport;
	struct sim_api *api;
	const char *agent; /* not owned */
};
void sim_port_init(struct sim_port *p, struct sim_api *s, const char *agent);

struct sim_api *sim_api_new(struct loop *l, const struct sim_hooks *h);
void sim_api_free(struct sim_api *s);
#define SIM_SERVER_URL "http://api.sim"

/* For the world: no faults, no limits. NULL and *err when the text is no object. */
struct sim_object *sim_put(struct sim_api *s, enum sim_resource r, const char *text,
                           struct err *err);
/* Which resource that is, in any version of its group. */
bool sim_find_kind(const char *api_version, const char *kind, enum sim_resource *out);
struct sim_object *sim_patch(struct sim_api *s, struct sim_object *o, const char *merge_patch);
/* Asks for deletion: a bound pod gets its deletionTimestamp, anything else goes at once. */
void sim_delete(struct sim_api *s, struct sim_object *o);
/* Takes the object away now. */
void sim_remove(struct sim_api *s, struct sim_object *o);
struct sim_object *sim_get(struct sim_api *s, enum sim_resource r, const char *ns,
                           const char *name);
/* NULL starts; the next one is taken before the present one may go. */
struct sim_object *sim_next(struct sim_api *s, enum sim_resource r, struct sim_object *o);
/* Versions up to now are forgotten: a watch that resumes before them gets 410. */
void sim_compact(struct sim_api *s);
/* Forgets what every watch has been told. */
void sim_trim(struct sim_api *s);

#endif
