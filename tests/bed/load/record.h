/*
 * One request as it is written down: a JSON object a line.
 * {"seq":1,"t":1764000000123,"latency_us":870,"status":200,"version":"v1","pod":"p","zone":"a"}
 * t is the wall time in ms at which it was scheduled, latency_us counts from there. A request
 * without an answer has status 0 and says why in "error". "retried" marks one whose idle
 * connection had been closed by the peer and that was sent again on a fresh one.
 */
#ifndef BED_LOAD_RECORD_H
#define BED_LOAD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

struct record {
	int64_t seq;
	int64_t t;
	int64_t latency_us;
	int status;
	bool retried;
	const char *version, *pod, *zone, *error; /* NULL when unknown */
};

int record_write(struct buf *out, const struct record *r);
/* Strings live in the arena. */
int record_parse(struct record *r, struct arena *a, const char *line, size_t len, struct err *err);

static inline bool record_answered(const struct record *r)
{
	return r->status != 0;
}

static inline bool record_failed(const struct record *r)
{
	return r->status < 200 || r->status > 299;
}

#endif
