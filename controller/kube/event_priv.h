/* What event.c (series and their upkeep) and event_write.c (queue and requests) share. */
#ifndef TIDEGATE_KUBE_EVENT_PRIV_H
#define TIDEGATE_KUBE_EVENT_PRIV_H

#include <stdint.h>

#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/kube/event.h"
#include "tidegate/net/loop.h"

/* One series: everything about it, and how much of it the server knows. */
struct event_series {
	struct list lru_link;  /* of recorder.lru, oldest last occurrence first */
	struct list wait_link; /* of recorder.waiting */
	struct event_recorder *recorder;
	char *key, *ns, *name; /* ns and name of the Event object */
	char *api_version, *kind, *about_ns, *about_name, *uid;
	char *reason, *action, *note;
	bool warning;
	int64_t first_wall_ms, last_wall_ms;
	int64_t last_ms;    /* of the last occurrence, monotonic */
	int64_t written_ms; /* of the last write, monotonic */
	unsigned count;     /* occurrences */
	unsigned written;   /* of which the server knows; 0 = no Event there yet */
	unsigned sending;   /* count in the request under way */
	unsigned tries;
	int64_t not_before_ms; /* of a repeated try */
	bool waiting, ended;   /* ended: freed when its last count is written */
	struct kube_call *call;
};

struct event_recorder {
	struct kube_client *client;
	char *controller, *instance;
	struct map series; /* key -> struct event_series */
	struct list lru, waiting;
	unsigned nwaiting, running;
	struct timer pump, sweep;
	int64_t (*now)(void *arg);
	void *now_arg;
	int64_t retry_ms;
	uint64_t serial; /* of names */
	void (*flushed)(void *arg);
	void *flushed_arg;
};

/* event_write.c: puts the series' news into the queue; false when the queue is full. */
bool event_enqueue(struct event_series *s);
void event_pump(struct event_recorder *r);
void event_count(const char *outcome);
/* event.c */
void event_series_free(struct event_series *s);
void event_name(struct event_series *s);

/* Looks for series to write or to end. The timer's; tests call it after moving the clock. */
void event_sweep(struct event_recorder *r);
void event_set_clock(struct event_recorder *r, int64_t (*now)(void *arg), void *arg);

#endif
