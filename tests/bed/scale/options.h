/* Command line of scale. Strings belong to argv. */
#ifndef BED_SCALE_OPTIONS_H
#define BED_SCALE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

#define OPTIONS_COUNT_MAX 100000

enum verb { VERB_CREATE, VERB_WAIT, VERB_CHANGE, VERB_CHANGE_ONE, VERB_DELETE };

/* What is waited for, of every ModelDeployment. */
enum goal {
	GOAL_NONE,
	GOAL_READY,  /* condition Ready is True at the present generation, nothing is being released
	              */
	GOAL_STEP,   /* the first step is reached and waits for approval */
	GOAL_ABSENT, /* the object is gone */
};

struct options {
	enum verb verb;
	enum goal goal;
	const char *kubeconfig;
	const char *namespace;
	const char *version; /* spec.model.version */
	int64_t namespaces, count, replicas, in_flight, rounds, seed;
	int64_t timeout_ms;
	bool help;
};

/* "create", "change-one", ... */
const char *verb_name(enum verb v);
const char *goal_name(enum goal g);

int options_parse(struct options *o, int argc, char **argv, struct err *err);
void options_usage(void);

#endif
