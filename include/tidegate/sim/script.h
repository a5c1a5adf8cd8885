/*
 * A scripted simulation: the whole operator, unmodified, on a virtual clock against sim/api.h, in
 * the world that a scenario describes. What it decides is told as it happens.
 *
 * One run at a time in a process: the clock, the randomness and the transport are the process's.
 * Same options, same decisions and figures. Units: milliseconds from the start; -1 = it did not
 * happen.
 */
#ifndef TIDEGATE_SIM_SCRIPT_H
#define TIDEGATE_SIM_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/sim/scenario.h"

#define SCRIPT_MODELS_MAX  64
#define SCRIPT_OUTAGES_MAX 16

struct script_decision {
	int64_t t_ms;
	const char *object;   /* "ModelDeployment shop/ranker"; "World" when nobody decided it */
	const char *decision; /* "WeightChanged" */
	const char *reason;   /* plain words */
};

struct script_options {
	uint64_t seed;
	int64_t until_ms; /* 0: the scenario's duration */
	const struct scenario *scenario;
	/*
	 * JSON texts of manifests, applied at the start in their order. A second one of a
	 * ModelDeployment is its next version: it is applied when the first is whole and at rest.
	 */
	const char *const *objects;
	unsigned nobjects;
	void (*tell)(void *arg, const struct script_decision *d);
	void *arg;
};

struct script_model {
	char name[320];                         /* "shop/ranker" */
	double requests, errors, dark, release; /* sent; answered with an error; lost */
	int64_t promoted_ms;                    /* the last promotion, but for the first release */
	int64_t rollback_ms, rolled_back_ms;    /* the first one's begin and end */
	int min_ready, max_pods;
};

struct script_outage {
	const char *zone;
	int64_t at_ms;
	int64_t traffic_ms, capacity_ms; /* after at_ms */
};

struct script_summary {
	struct script_model all; /* of all models: sums, and first or last instants */
	struct script_model models[SCRIPT_MODELS_MAX];
	unsigned nmodels;
	struct script_outage outages[SCRIPT_OUTAGES_MAX];
	unsigned noutages;
	int64_t traffic_rto_ms, capacity_rto_ms; /* the worst; -1 also when one was not reached */
	int64_t simulated_ms;
};

/* True for a kind that the simulated cluster has. */
bool script_takes(const char *api_version, const char *kind);
/* -1: an object or an event of the scenario cannot be carried out. */
int script_run(const struct script_options *o, struct script_summary *out, struct err *err);

#endif
