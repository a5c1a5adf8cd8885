/*
 * The world of `tidegate simulate`: zones and nodes, how many requests each model gets, how its
 * versions behave, and what happens when. docs/simulate.md describes the file field by field.
 *
 * Ownership: everything lives in the arena given and in the JSON tree. Units: times in
 * milliseconds, shares 0..1, latencies in seconds.
 */
#ifndef TIDEGATE_SIM_SCENARIO_H
#define TIDEGATE_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

#define SCENARIO_ZONES_MAX     16
#define SCENARIO_NODES_MAX     1000
#define SCENARIO_MODELS_MAX    64
#define SCENARIO_VERSIONS_MAX  31
#define SCENARIO_EVENTS_MAX    1000
#define SCENARIO_OPERATORS_MAX 8

struct scenario_node {
	const char *name, *zone; /* zone "" = none */
	int64_t gpus, pods;
	const char *resource, *product, *gpu_memory_mib, *cpu, *memory; /* product NULL: not told */
};

/* NAN and -1: as the model says, or the defaults. */
struct scenario_version {
	const char *version; /* NULL: any that is not named */
	double errors, p50_s, p99_s;
	int64_t load_min_ms, load_max_ms;
	int loads; /* 0: never becomes ready */
};

struct scenario_model {
	const char *ns, *name; /* name NULL: any that is not named */
	double rate, audience; /* NAN: default */
	struct scenario_version versions[SCENARIO_VERSIONS_MAX + 1]; /* [0]: any other */
	unsigned nversions;
};

enum scenario_what {
	SCENARIO_ZONE_DARK,
	SCENARIO_ZONE_LIGHT,
	SCENARIO_NODE_LOST,
	SCENARIO_OPERATOR_KILLED,
	SCENARIO_ANNOTATE,
	SCENARIO_APPLY,
	SCENARIO_REQUESTS,
	SCENARIO_VERSION,
};

struct scenario_event {
	int64_t at_ms;
	enum scenario_what what;
	const char *path;         /* in the file, "events[3].zoneDark" */
	const char *target;       /* zone, node, "leader" or "all", file to apply */
	const char *ns, *name;    /* ModelDeployment; name NULL: every one */
	const struct json *value; /* annotations, or the object or list to apply */
	double rate;
	struct scenario_version version;
	/* JSON texts of the objects to apply; whoever reads files fills them in. */
	const char **objects;
	unsigned nobjects;
};

struct scenario {
	int64_t duration_ms; /* 0: until nothing more happens */
	const char *zones[SCENARIO_ZONES_MAX];
	unsigned nzones;
	struct scenario_node *nodes;
	unsigned nnodes;
	unsigned operators;
	const char *operator_zones[SCENARIO_OPERATORS_MAX]; /* NULL: not said */
	struct scenario_model *models;
	unsigned nmodels;
	struct scenario_event *events; /* by time */
	unsigned nevents;
};

typedef void (*scenario_fn)(void *arg, const char *path, const char *message);
/* Tells all that is wrong with it, field by field; true when nothing is. */
bool scenario_read(const struct json *json, struct arena *a, struct scenario *out, scenario_fn fn,
                   void *arg);
/* A zone with nodes of the default kind, for a world that names none. False: there are too many. */
bool scenario_add_zone(struct scenario *s, struct arena *a, const char *name);

#endif
