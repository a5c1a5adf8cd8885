/*
 * The generator: sends on schedule, whatever happens to earlier requests (open loop), and hands
 * out one record for each, exactly once.
 *
 * Time is kept in microseconds of CLOCK_MONOTONIC by a timerfd, because the loop's milliseconds
 * would be most of a fast answer's latency.
 */
#ifndef BED_LOAD_GENERATOR_H
#define BED_LOAD_GENERATOR_H

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"

#include "options.h"
#include "record.h"
#include "target.h"

struct generator;

struct generator_events {
	void (*on_record)(void *arg, const struct record *r);
	void (*on_finished)(void *arg); /* nothing is under way, nothing more will be sent */
	void *arg;
};

struct generator *generator_new(struct loop *l, const struct options *o, const struct target *t,
                                const struct generator_events *ev, struct err *err);
/* Sends no more; on_finished follows when the last answer has come or timed out. */
void generator_stop(struct generator *g);
/* Records what is under way as canceled; on_finished follows. */
void generator_cancel(struct generator *g);
void generator_free(struct generator *g);

#endif
