/* What has been heard of the other replicas; the I/O side is voter.c. */
#ifndef RECONCILE_BALLOT_H
#define RECONCILE_BALLOT_H

#include "internal.h"
#include "tidegate/failover/tally.h"

struct ballot {
	struct arena arena; /* of the vote */
	struct vote vote;
	uint64_t text_hash; /* of what it was read from; 0 = nothing was */
	char *uid;
	int64_t heard_ms; /* monotonic, seen to change; 0 = never: it may be a leftover */
	int64_t seen_ms;  /* monotonic, known since, or heard */
	bool spoiled;     /* its text cannot be read; told once */
};

struct ballots {
	struct map by_name; /* of the Lease -> struct ballot */
};

void ballots_init(struct ballots *b);
void ballots_release(struct ballots *b);
/* Takes over what a Lease says; fn is called for each model of which it now says something else. */
void ballots_put(struct ballots *b, const struct vote_lease *l, bool initial, int64_t now_ms,
                 void (*fn)(void *arg, const char *model), void *arg);
void ballots_remove(struct ballots *b, const char *name, void (*fn)(void *arg, const char *model),
                    void *arg);
/* Fresh ones first, TALLY_OTHERS_MAX at most. */
unsigned ballots_list(const struct ballots *b, int64_t now_ms, struct tally_other *out);
/* How many are alive. */
unsigned ballots_fresh(const struct ballots *b, int64_t now_ms);
/* Some other replica that is alive names a model. */
bool ballots_press(const struct ballots *b, int64_t now_ms);
/*
 * Name of one that has been silent for so long, with its uid; NULL when there is none. It is named
 * again only after as long: a removal that was refused, or is not yet seen, is no work for each
 * tick.
 */
const char *ballots_take_stale(struct ballots *b, int64_t now_ms, int64_t age_ms, const char **uid);

#endif
