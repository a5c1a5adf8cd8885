/*
 * The ModelDeployments as a watch shows them, and how many have reached what is waited for.
 *
 * A member that was just written reaches a goal only at the generation that the write made, so
 * that what the watch still shows from before does not count.
 * Ownership: fleet_release() stops the watch. Times: session_now_us().
 */
#ifndef BED_SCALE_FLEET_H
#define BED_SCALE_FLEET_H

#include <stdbool.h>

#include "sample.h"
#include "session.h"
#include "watch.h"

#define FLEET_VERSION_MAX 64

struct fleet_member {
	bool exists, ready, at_step;
	int64_t generation, observed_generation;
	int64_t wanted_generation;
	int64_t written_us;              /* answer to our write, 0 = none */
	int64_t reached_us;              /* 0 = not yet */
	char version[FLEET_VERSION_MAX]; /* spec.model.version */
};

struct fleet {
	struct session *session;
	struct watch watch;
	enum goal goal;
	struct fleet_member *members;
	unsigned count, reached;
	int64_t last_reached_us;
	void (*on_reached)(void *arg); /* a member did; may be NULL */
	void *arg;
};

/* Starts watching and returns when the first list has come in. Release it also after a failure. */
int fleet_init(struct fleet *f, struct session *s, enum goal goal, struct err *err);
void fleet_release(struct fleet *f);
/* From now on something else is waited for. */
void fleet_aim(struct fleet *f, enum goal goal);
/* Member i was written; its object has this generation now. */
void fleet_written(struct fleet *f, unsigned i, int64_t generation);
bool fleet_all_reached(const struct fleet *f);
/* Per member, from the answer to our write to the goal; 0 when that was seen first. */
void fleet_sample(const struct fleet *f, struct sample *out);

#endif
