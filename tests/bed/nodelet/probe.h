/* A startup, readiness or liveness probe of a container, timed as the kubelet's worker does. */
#ifndef BED_NODELET_PROBE_H
#define BED_NODELET_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "action.h"
#include "tidegate/net/loop.h"

enum probe_kind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS };

struct probe {
	struct container *container;
	enum probe_kind kind;
	struct action action; /* type ACTION_NONE: there is no such probe */
	int64_t initial_delay_ms, period_ms, timeout_ms, grace_ms; /* grace_ms -1: the pod's */
	unsigned success_threshold, failure_threshold;
	/* of the present execution */
	struct timer timer;
	struct action_run *run;
	unsigned streak; /* equal results in a row */
	bool last_ok;
	bool passing;
};

int probe_init(struct probe *p, struct container *c, enum probe_kind kind, struct err *err);
void probe_release(struct probe *p);
/* For a new execution of the container, whose started_mono_ms the delay counts from. */
void probe_start(struct probe *p);
void probe_stop(struct probe *p);

static inline bool probe_exists(const struct probe *p)
{
	return p->action.type != ACTION_NONE;
}

#endif
