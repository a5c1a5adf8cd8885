/* What event.c (series and their upkeep) and event_write.c (queue and requests) share. */
#ifndef TIDEGATE_KUBE_EVENT_PRIV_H
#define TIDEGATE_KUBE_EVENT_PRIV_H

#include <stdint.h>

#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/kube/event.h"
#include "tidegate/net/loop.h"

/* A series' texts, one behind the other in this order; absent is empty. */
enum event_text {
	EVENT_API_VERSION,
	EVENT_KIND,
	EVENT_NAMESPACE,
	EVENT_NAME,
	EVENT_UID,
	EVENT_REASON,
	EVENT_ACTION,
	EVENT_NOTE,
	EVENT_TEXTS,
};

#define EVENT_OBJECT_NAME_MAX 254 /* of the Event itself, with its NUL */
#define EVENT_KEY_MAX         33  /* a hash of what a series is about, with its NUL */

/*
 * One series: everything about it, and how much of it the server knows. One allocation, for in a
 * storm thousands of them wait.
 */
struct event_series {
	struct list lru_link;  /* of recorder.lru, oldest last occurrence first */
	struct list wait_link; /* of recorder.waiting */
	struct event_recorder *recorder;
	struct kube_call *call;
	uint64_t id; /* makes the Event's name unique */
	int64_t first_wall_ms, last_wall_ms;
	int64_t last_ms;       /* of the last occurrence, monotonic */
	int64_t written_ms;    /* of the last write, monotonic */
	int64_t not_before_ms; /* of a repeated try */
	unsigned count;        /* occurrences */
	unsigned written;      /* of which the server knows; 0 = no Event there yet */
	unsigned sending;      /* count in the request under way */
	unsigned notes;        /* Events that this reason had since notes_ms, one for each note */
	int64_t notes_ms;
	uint32_t size; /* bytes of this allocation */
	uint8_t tries;
	bool warning, waiting, ended; /* ended: freed when its last count is written */
	char key[EVENT_KEY_MAX];      /* in recorder.series */
	char text[];
};

struct event_recorder {
	struct kube_client *client;
	char *controller, *instance;
	struct map series; /* key -> struct event_series, the one with the newest note */
	size_t memory;     /* bytes that they take */
	struct list lru, waiting;
	unsigned nwaiting, running;
	struct timer pump, sweep;
	int64_t (*now)(void *arg);
	void *now_arg;
	int64_t retry_ms;
	uint64_t serial; /* of names */
	void (*flushed)(void *arg);
	void *flushed_arg;
	event_listener listener;
	void *listener_arg;
};

/* event_write.c: puts the series' news into the queue. */
void event_enqueue(struct event_series *s);
void event_pump(struct event_recorder *r);
void event_count(const char *outcome);
/* event.c */
void event_series_free(struct event_series *s);
/* More is remembered than need be: the oldest series that does not wait is ended. */
void event_make_room(struct event_recorder *r);
/* Another Event object for the series: its name is new. */
void event_rename(struct event_series *s);
const char *event_text(const struct event_series *s, enum event_text which);
/* Of the Event object: where it is, and its name, in `name` of EVENT_OBJECT_NAME_MAX. */
const char *event_namespace(const struct event_series *s);
const char *event_name(const struct event_series *s, char *name);

/* Looks for series to write or to end. The timer's; tests call it after moving the clock. */
void event_sweep(struct event_recorder *r);
void event_set_clock(struct event_recorder *r, int64_t (*now)(void *arg), void *arg);

#endif
