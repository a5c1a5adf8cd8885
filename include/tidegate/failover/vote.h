/*
 * One replica's vote: what its probes see of every model in every zone, as text that stands in an
 * annotation of its own Lease. Pure.
 *
 * Only what is not plainly healthy is named; whatever a vote does not name is well. A model whose
 * zone is out is named even when it is well: how long it has been well is what its way back
 * depends on. Ages are relative to the vote, so clocks are never compared.
 *
 *   {"zone":"hz-b","sees":{"hz-a":[200,180,3],...},"models":{"shop/ranker":{"hz-a":[2,2,2,0,-1]}}}
 *
 * `sees` sums over all models: pods, shaky, failing. `models`: pods, shaky, failing, ready, seconds
 * of health (-1 = not healthy), and where there are any those that serve clients all the same.
 * "blind":true: nothing at all answers, so it is rather the observer that is cut off. "more":true:
 * there was no room for all; what is not named is as its zone is. Bounds: VOTE_MAX bytes,
 * VOTE_ZONES_MAX zones. Ownership: a decoded vote lives in the arena.
 */
#ifndef TIDEGATE_FAILOVER_VOTE_H
#define TIDEGATE_FAILOVER_VOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"
#include "tidegate/failover/zone.h"

/* An object's annotations may be 256 KiB together. */
#define VOTE_MAX       (128u << 10)
#define VOTE_ZONES_MAX 64

struct vote_sum {
	const char *zone;
	int pods, shaky, failing;
};

struct vote_entry {
	const char *model; /* "namespace/name" */
	const char *zone;
	int pods, shaky, failing, ready; /* as in struct zone_facts */
	int64_t good_ms;                 /* for so long when the vote was cast; -1 = not healthy */
	int served;
};

struct vote {
	const char *zone; /* the observer's own; "" = unknown */
	bool blind, more;
	const struct vote_sum *sums;
	unsigned nsums;
	const struct vote_entry *entries; /* by model, then zone */
	unsigned nentries;
};

/* Entries of one model stand together; those that find no room are left out, and `more` is set. */
void vote_encode(const struct vote *v, struct buf *out);
/* Sorted by model and zone, however they came. */
int vote_decode(const char *text, size_t len, struct arena *a, struct vote *out, struct err *err);

/* NULL: not named. */
const struct vote_entry *vote_find(const struct vote *v, const char *model, const char *zone);

/*
 * Calls fn for every model whose counts in a and b differ; how long it has been well is no
 * difference.
 */
void vote_compare(const struct vote *a, const struct vote *b,
                  void (*fn)(void *arg, const char *model), void *arg);

#endif
