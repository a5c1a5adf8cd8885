/*
 * What all verbs of scale share: the connection, the clock since the start, and running the loop
 * until something is reached, with a line of progress every second on standard error.
 */
#ifndef BED_SCALE_SESSION_H
#define BED_SCALE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/json.h"
#include "tidegate/kube/client.h"
#include "tidegate/net/loop.h"

#include "options.h"

struct session {
	const struct options *o;
	struct loop *loop;
	struct kube_config *config;
	struct kube_client *client;
	int64_t began_us;
	struct timer tick;
	/* while session_run() runs */
	bool (*done)(void *arg);
	void (*progress)(void *arg, char *text, size_t size);
	void *arg;
	bool timed_out;
};

int session_init(struct session *s, const struct options *o, struct err *err);
void session_release(struct session *s);

/* Microseconds of CLOCK_MONOTONIC: the library's milliseconds are coarse beside what is measured.
 */
int64_t session_now_us(void);
/* One line on standard error, behind the seconds since the start. */
void session_say(const struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Until done(arg), seen in session_look(); -1 when the time of the whole command is over. */
int session_run(struct session *s, bool (*done)(void *arg),
                void (*progress)(void *arg, char *text, size_t size), void *arg, struct err *err);
/* To be called whenever something changed that done() looks at. */
void session_look(struct session *s);

/* The summary: opens the object and writes what every verb tells; prints it. */
void summary_begin(const struct session *s, struct buf *b, struct json_writer *w);
int summary_end(struct buf *b, struct json_writer *w);

#endif
