/*
 * All models together: a zone's outage is one decision, and leaving it is done in order. Pure.
 *
 * A model that wants to leave a zone, or to come back to one, asks first (failover/zone.h says
 * what it then does). What is asked for is the zone's whole case when most of the models there
 * (60 %) fail too, or nobody else is there; then it is decided once, one zone for the cluster at a
 * time, and every model of that zone gets its turn: by the priority of its pods, then by who asked
 * first. Else the model is bad there alone: it may leave whatever other zones do, after
 * GROUP_ALONE_MS, by when a probe of every other pod there has ended.
 *
 * Storm: when models want to leave different zones within GROUP_STORM_MS it is rather we who see
 * badly, or something that is not a zone's fault: nobody leaves. Three models besides the zone that
 * most want to leave, and a fifth of all, make a storm; a zone that was decided on is past it.
 *
 * Rates. Leaving: 100 routes a second, 32 at once. Each costs three writes; an API server of 2
 * cores was seen to take some hundreds a second, and what is let go at once is not in order any
 * more. 1,000 models are out of a zone in 10 s. Coming back: 20 a second, so that the ramps of
 * 1,000 models are spread over most of a minute and no second brings them all to the next step.
 *
 * A decision stands while more than a tenth of the models that left are still out and do not
 * answer. It is kept in each model's status (state and reason), from which a new leader loads it.
 *
 * Cost of a question: O(log models + zones). Memory: models that ask or are out. Units: monotonic
 * milliseconds. Ownership: names are copied.
 */
#ifndef TIDEGATE_FAILOVER_GROUP_H
#define TIDEGATE_FAILOVER_GROUP_H

#include "tidegate/failover/zone.h"

#define GROUP_ALONE_MS 1100
#define GROUP_STORM_MS 30000

struct group;

struct group_question {
	const char *model; /* "namespace/name" */
	const char *zone;
	enum zone_lane lane;
	int priority; /* of the model's pods */
	int64_t now_ms;
	/* Models with pods in the zone, this one included; those of them that fail or are out. */
	unsigned models, bad;
	bool own_affair; /* whatever others do there */
	/* Models that fail in the zone that is worst apart from this one. */
	unsigned bad_elsewhere;
};

struct group_answer {
	enum zone_say say;
	bool alone;      /* others are well there */
	bool decided;    /* the zone's case was decided by this very question */
	int64_t wake_ms; /* ask again after so long; 0 = when group_next() names the model */
};

/* Of several models with pods in a zone so many fail that it is the zone's doing. */
bool group_most_fail(unsigned models, unsigned bad);

struct group *group_new(void);
void group_free(struct group *g);

void group_ask(struct group *g, const struct group_question *q, struct group_answer *out);
/* The model asks for nothing, at least not any more. */
void group_rest(struct group *g, const char *model);
/* The zone that the model is out of because the zone is bad; NULL = none. */
void group_record(struct group *g, const char *model, const char *zone);
void group_forget(struct group *g, const char *model);
/* The next model whose turn has come; NULL = none now. Valid until the next call. */
const char *group_next(struct group *g, int64_t now_ms);
/* Until then there is none; -1 = nobody waits. */
int64_t group_wait_ms(const struct group *g, int64_t now_ms);

#endif
