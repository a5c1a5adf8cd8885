/* script.c (what happens when) and script_count.c (what came of it). */
#ifndef SIM_SCRIPT_PRIV_H
#define SIM_SCRIPT_PRIV_H

#include "cluster.h"
#include "tidegate/sim/script.h"
#include "world.h"

struct tracked {
	struct world_app *app;
	bool full;     /* it has been whole */
	bool released; /* its first release is over */
	int pods, serving;
	int64_t wanted;
	int64_t bake_until_ms;
};

struct outage {
	int before[SCRIPT_MODELS_MAX]; /* pods that served, or were wanted if fewer */
	bool over;                     /* both times are known */
};

struct script {
	const struct script_options *o;
	struct script_summary *out;
	struct err *err;
	bool failed;
	struct cluster cluster;
	struct world world;
	struct random random;
	struct timer next, look;
	unsigned event;  /* next one of the scenario */
	unsigned *later; /* objects that wait for the one before */
	unsigned nlater;
	int64_t end_ms;  /* on the virtual clock; INT64_MAX = when nothing more happens */
	int64_t news_ms; /* of the last decision or event */
	bool done, dirty;
	struct tracked tracked[SCRIPT_MODELS_MAX];
	unsigned ntracked;
	struct outage outages[SCRIPT_OUTAGES_MAX];
	bool was_full;
};

static inline int64_t script_now(const struct script *s)
{
	return s->cluster.clock.mono_ms - CLUSTER_START_MONO_MS;
}

struct tracked *script_track(struct script *s, const char *ns, const char *name);
/* Looks at the pods again. */
void script_count(struct script *s);
/* What a decision means for the summary. */
void script_note(struct script *s, const char *ns, const char *name, const char *decision);
void script_zone_dark(struct script *s, const char *zone);
void script_sum(struct script *s);

#endif
