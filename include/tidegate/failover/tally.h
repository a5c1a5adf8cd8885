/*
 * What all observers together say of one model's zones: the facts that zone.h decides on. Pure.
 *
 * A zone is as bad as the second worst observer sees it, and the two must stand in different
 * zones: what only one of them sees may be its own network. A single observer decides alone.
 * An observer without pods in a zone has no say on it. One that sees nothing at all (blind) has no
 * say on anything, unless all are blind.
 * That clients are served (zone.h) is believed of any of them.
 * A vote counts for TALLY_FRESH_MS after it was last seen to change, by our own clock: an observer
 * in a dark zone falls silent and does not hold up the others. But silence is believed only by who
 * has been in touch with the API server itself for as long: until then nothing is decided (blind).
 * Units: milliseconds; mono_ms by the monotonic clock, now_ms wall, for good_since_ms only.
 */
#ifndef TIDEGATE_FAILOVER_TALLY_H
#define TIDEGATE_FAILOVER_TALLY_H

#include "tidegate/failover/vote.h"
#include "tidegate/failover/zone.h"

#define TALLY_FRESH_MS   3000
#define TALLY_OTHERS_MAX 15

struct tally_other {
	const struct vote *vote;
	int64_t heard_ms; /* monotonic, when it last changed; 0 = it has never been seen to */
};

struct tally_input {
	int64_t mono_ms, now_ms;
	const char *model; /* "namespace/name" */
	unsigned nzones;
	/* What our own probes say, and where we stand ("" = unknown). */
	const struct zone_facts *own;
	const int
		*serving; /* by zone: pods in service by label and Ready, whoever can reach them */
	const char *own_zone;
	bool own_blind;
	const struct tally_other *others;
	unsigned nothers;
	int64_t contact_ms; /* monotonic, in touch with the API server since; 0 = not now */
};

struct tally {
	struct zone_facts zones[MDEP_ZONES_MAX];
	unsigned voters; /* counted, ourselves included */
	bool blind;      /* nothing may be decided now */
	bool disputed;   /* some observer sees a zone worse than it is taken for */
	int64_t wake_ms; /* wall: count again then; 0 = only when a vote or a probe changes */
};

bool tally_is_fresh(const struct tally_other *o, int64_t mono_ms);
void tally_count(const struct tally_input *in, struct tally *out);

/* Whether an observer that stands in the zone is heard: no zone is dark from which one is. */
enum tally_presence {
	TALLY_NOBODY, /* none is known there, or those that are see nothing */
	TALLY_SILENT, /* all that are known there have fallen silent */
	TALLY_HEARD,
};
enum tally_presence tally_presence(const struct tally_input *in, const char *zone);

#endif
