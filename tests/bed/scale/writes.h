/*
 * The same write to every ModelDeployment, options.in_flight at a time, and what became of it.
 * Ownership: the fleet, when given, is told of every answer and must outlive this.
 */
#ifndef BED_SCALE_WRITES_H
#define BED_SCALE_WRITES_H

#include "fleet.h"
#include "sample.h"
#include "session.h"

struct write_item;

struct writes {
	struct session *session;
	struct fleet *fleet; /* NULL = nobody is told */
	struct write_item *items;
	unsigned count, answered, failed;
	int64_t first_us, last_us; /* answers */
	int64_t began_us;
	struct err first_failure;
};

/* All are queued at once; answers come while the loop runs. */
void writes_start(struct writes *w, struct session *s, struct fleet *f);
void writes_release(struct writes *w);

/* One write; on_done as in kube/client.h. */
void write_one(struct session *s, unsigned i, const char *version,
               void (*on_done)(void *arg, const struct kube_response *r), void *arg);
/* metadata.generation of the object that a write was answered with, 0 when there is none. */
int64_t written_generation(const struct kube_response *r);

#endif
