/*
 * Events (events.k8s.io/v1) with aggregation; never blocks a reconcile.
 *
 * Same type, action, reason, reporter, object and note = one series: the first is a POST, the
 * second a PATCH with series.count 2, later ones only count locally and are written
 * out every 30 min and when the series ends (6 min of silence, or another note). Of one reason
 * ten notes in 10 min have an Event of their own; what comes beyond counts under the last one.
 * What waits takes 2 MiB at most (about 5,000); what comes beyond is dropped and counted. Two
 * requests run at a time, so that on a busy server events come late instead of in the way.
 */
#ifndef TIDEGATE_KUBE_EVENT_H
#define TIDEGATE_KUBE_EVENT_H

#include <stdbool.h>

#include "tidegate/kube/client.h"

struct event_ref {
	const char *api_version, *kind;
	const char *namespace, *name, *uid;
};

/* As it was emitted, each time: no series is made of it. Texts live as long as the call. */
typedef void (*event_listener)(void *arg, bool warning, const struct event_ref *about,
                               const char *reason, const char *note);

struct event_recorder;
struct event_recorder *event_recorder_new(struct kube_client *c, const char *controller,
                                          const char *instance);
/* Drops what waits; call event_flush() first. */
void event_recorder_free(struct event_recorder *r);
/* NULL: nobody listens (any more). */
void event_listen(struct event_recorder *r, event_listener fn, void *arg);
/* warning: type Warning, else Normal. note is cut at 1024 bytes. */
void event_emit(struct event_recorder *r, bool warning, const struct event_ref *about,
                const char *reason, const char *action, const char *note);
/* The same for what happens to an object once: no series is kept when it is written. */
void event_emit_once(struct event_recorder *r, const struct event_ref *about, const char *reason,
                     const char *action, const char *note);
/* Writes pending series counts; done is called when all are written or failed. */
void event_flush(struct event_recorder *r, void (*done)(void *arg), void *arg);

#endif
