/*
 * Semantic readiness: asks a pod's runtime whether it serves exactly this model
 * version, and whether a golden request passes, before the operator sets the
 * readiness gate serving.tidegate.io/model-ready.
 *
 * A probe is started per pod and repeats every second (jittered) until it passes, then every
 * `period_ms`. A probe that fails after one that passed is repeated at once: three in a row
 * (MODEL_PROBE_CONFIRM) take 3.6 s at the most when packets vanish. The golden request is sent with
 * the first probe that passes and every GOLDEN_PERIOD_MS after: it costs the card's time. Where an
 * answer is expected, a pod that gives another one fails as one that gives none.
 * Reported are changes, and each failure until it is confirmed. Bounded concurrency.
 */
#ifndef TIDEGATE_SIGNAL_MODEL_PROBE_H
#define TIDEGATE_SIGNAL_MODEL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/preset.h"
#include "tidegate/net/loop.h"

#define MODEL_PROBE_CONFIRM 3

struct model_probe_target {
	const char *pod; /* "ns/name" */
	const char *uid;
	const char *ip;
	int port;
	const struct preset *preset;
	const char *model, *version;
	/* Port of the gRPC health check, for a preset without a version check; 0 = none. */
	int grpc_port;
	const char *grpc_service; /* that it asks about; "" = the server as a whole */
	const char *golden_json;  /* request body for the runtime's predict path; NULL = none */
	const char *golden_answer_json; /* what it must be answered; NULL = anything */
	double golden_tolerance;
	/* Golden requests in a row before it first passes: a pod that serves already gets none. */
	unsigned warmup;
};

struct model_prober;
/* fn: ready or not, with a reason in plain words ("serves version 3, want 4"); failures in a row.
 */
struct model_prober *model_prober_new(struct loop *l, unsigned concurrency, int64_t period_ms,
                                      void (*fn)(void *arg, const char *pod, const char *uid,
                                                 bool ready, unsigned failures, const char *why),
                                      void *arg, struct err *err);
void model_prober_free(struct model_prober *p);
/* Adds or keeps. Another uid or ip starts over, another warmup does not. */
void model_prober_set(struct model_prober *p, const struct model_probe_target *t);
void model_prober_remove(struct model_prober *p, const char *pod);
/* What was reported last got lost: it is asked and reported again, in a second. */
void model_prober_repeat(struct model_prober *p, const char *pod);

/* What is known of a pod; false when it is not probed or has not answered or failed yet. */
struct model_probe_state {
	unsigned failures; /* in a row; 0 = the last one passed */
	bool silent;       /* the last one got no answer at all */
	bool passed_once;
	int64_t good_since_ms; /* monotonic: first pass after the last failure; 0 = not passing */
};
bool model_prober_state(const struct model_prober *p, const char *pod,
                        struct model_probe_state *out);

/*
 * Nothing that has ever answered does so now, and it is more than one: rather we ourselves are cut
 * off than all of them gone.
 */
bool model_prober_blind(const struct model_prober *p);

/* Pure: does this answer say that `version` is served? `why` gets the reason when not. */
bool model_probe_answer(const struct preset *preset, const char *version, int status,
                        const char *body, size_t len, char *why, size_t why_size);
/*
 * Pure: every member that `expected` has is in the answer, too: numbers within tolerance (relative
 * above 1), lists of the same length, everything else equal. `why` gets the place that differs.
 */
bool model_probe_golden(const char *expected, double tolerance, const char *body, size_t len,
                        char *why, size_t why_size);

#endif
