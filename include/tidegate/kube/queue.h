/*
 * Work queue of string keys: each key once, never handled twice at once, with
 * per-key back-off and two priorities.
 *
 * Semantics of client-go's workqueue: adding a key that is being handled marks it
 * dirty and it comes again after queue_done(); of two delayed adds the earlier
 * wins. Other than there, a key that is handed out takes delayed adds from before along: its
 * handling must say when it is to come again. Back-off 5 ms doubling to 1000 s, forgotten on
 * success. Live changes go before resync and initial-list keys.
 * The queue does not call the clock: it is driven by the loop's timers.
 * Metrics: workqueue_* under controller-runtime's names.
 */
#ifndef TIDEGATE_KUBE_QUEUE_H
#define TIDEGATE_KUBE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/net/loop.h"

enum queue_priority { QUEUE_LIVE, QUEUE_LOW };

struct queue_options {
	const char *name;  /* label of the metrics */
	unsigned workers;  /* keys in work at once; 0 = 1 */
	int base_delay_ms; /* back-off; 0 = 5 */
	int max_delay_ms;  /* 0 = 1,000,000 */
};

struct queue;
/* fn is called from the loop with a key to handle; it, or something later, calls queue_done(). */
struct queue *queue_new(struct loop *l, const struct queue_options *o,
                        void (*fn)(void *arg, const char *key), void *arg);
void queue_free(struct queue *q);
/* Nothing is handed out before. Keys may be added earlier. */
void queue_start(struct queue *q);
/* Hands out no more; what is in work may finish. */
void queue_stop(struct queue *q);

void queue_add(struct queue *q, const char *key, enum queue_priority prio);
void queue_add_after(struct queue *q, const char *key, int64_t ms);
/* After a failure: comes again after the key's back-off, which doubles. */
void queue_add_rate_limited(struct queue *q, const char *key);
/* Success: the back-off starts over. */
void queue_forget(struct queue *q, const char *key);
void queue_done(struct queue *q, const char *key);
unsigned queue_depth(const struct queue *q);
unsigned queue_active(const struct queue *q);

#endif
