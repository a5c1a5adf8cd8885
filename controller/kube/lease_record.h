/*
 * The record inside a coordination.k8s.io/v1 Lease: decoding one, and writing the
 * next version of it without losing what others keep in the object.
 * Pure; tests of lease.c reach the clock here too.
 */
#ifndef TIDEGATE_KUBE_LEASE_RECORD_H
#define TIDEGATE_KUBE_LEASE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"
#include "tidegate/kube/lease.h"

/* Of one that was read, the texts are the object's. */
struct lease_record {
	const char *holder; /* never NULL, "" = nobody */
	/* As written, "" = none; never compared with a clock. */
	const char *acquire_time, *renew_time;
	int64_t duration_s;
	int64_t transitions;
	/* The object that it was read from; NULL = none was. */
	const struct json *object;
	struct arena arena; /* of it */
};

void lease_record_init(struct lease_record *r);
void lease_record_release(struct lease_record *r);
/* Equal means "not a sign of life". */
bool lease_record_equal(const struct lease_record *a, const struct lease_record *b);
/* Replaces *r; on failure it stays. */
int lease_record_decode(struct lease_record *r, const char *json, size_t len, struct err *err);
/*
 * Body of a POST (current NULL) or of a PUT that follows `current`, the object last read. Its
 * resourceVersion, labels, annotations and unknown spec fields are kept.
 */
int lease_record_encode(struct buf *out, const struct lease_record *r, const char *ns,
                        const char *name, const struct json *current, struct err *err);

/* The clock of a lease, NULL = CLOCK_BOOTTIME. For tests. */
void lease_set_clock(struct lease *l, int64_t (*now)(void *arg), void *arg);

#endif
