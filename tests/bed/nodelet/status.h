/*
 * Status of a pod: what the agent knows, written to the API server.
 *
 * One strategic merge patch is under way at a time, with the pod's uid in it, so that it can never
 * hit a namesake; what changes meanwhile goes with the next. Only conditions of ours are written:
 * those of others (readiness gates) are merged by the server.
 */
#ifndef BED_NODELET_STATUS_H
#define BED_NODELET_STATUS_H

#include <stdbool.h>

#include "tidegate/base/buf.h"

#include "pod.h"

void status_init(struct pod *p);
/* Ends calls and timers; nothing is written any more. */
void status_stop(struct pod *p);
void status_release(struct pod *p);
/* Writes when it differs from what was written last. */
void status_refresh(struct pod *p);
/* Everything that is to be told has been told. */
bool status_settled(const struct pod *p);
/* Writes again when somebody else has changed a condition of ours (node lifecycle does). */
void status_compare_live(struct pod *p, const struct raw_object *raw);
/* Deletes the object with grace period 0; once. */
void status_delete_object(struct pod *p);

/* status_text.c: the body of the patch. */
int status_text(struct pod *p, struct buf *out);
const char *status_phase(const struct pod *p);

#endif
