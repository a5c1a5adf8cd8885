/* What the files of the observer share: see observe.c. */
#ifndef TIDEGATE_RECONCILE_OBSERVE_H
#define TIDEGATE_RECONCILE_OBSERVE_H

#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/map.h"
#include "tidegate/judge/sequential.h"
#include "tidegate/judge/thresholds.h"
#include "tidegate/rollout/plan.h"
#include "tidegate/signal/counts.h"

/* --- pods that are scraped (observe_pods.c) ------------------------------------------------ */
struct watched {
	bool canary;
	bool failing; /* the last scrape was not answered, an earlier one was */
	bool marked;  /* watched_sweep's */
	char zone[64];
	int64_t last_ms; /* wall time of the last reading */
};
/* pods: "ns/name" -> struct watched. No pod of the zone answers any more, and pods elsewhere do. */
bool watched_silent(const struct map *pods, const char *zone);
/* Frees those that are not marked, and takes the marks away. */
void watched_sweep(struct map *pods);

/* --- counts (observe_counts.c) ------------------------------------------------------------- */
/* What the judge of counts says, or the limits; neither: nothing. For how long the canary has been
 * silent is told by a clock that nobody sets. */
void observe_counts(const struct sequential *judge, struct thresholds *limits, int64_t silent_ms,
                    int64_t now_ms, struct sequential_result *res);
/* The same verdict without figures and words: it is asked for after every look. */
enum judge_verdict observe_verdict(const struct sequential *judge, struct thresholds *limits,
                                   int64_t now_ms);

/* --- looks in which the split changed (observe_split.c) ------------------------------------ */
/* The share of the side that is judged, 0 to 1. */
struct split {
	double now, most; /* most: of the looks since it last changed, and of before that */
};
/* True when it is another than before. */
bool split_note(struct split *x, double share);
/* Before sequential_look_end(). mixed: requests of the look are of before and after a change. */
void split_look_end(struct split *x, bool mixed, struct sequential *judge, const char *stratum);

struct zone_split {
	char zone[64];
	struct split share;
};

/* The canary's, for one judge; zeroed = nothing is known yet. */
struct split_watch {
	struct split all;
	struct zone_split *zones;
	unsigned n;
	bool unseen; /* the weight has not been seen at the pods yet */
};
bool split_watch_set(struct split_watch *w, const struct rollout_snapshot *s,
                     const struct rollout_plan *plan);
void split_watch_look_end(struct split_watch *w, bool mixed, struct sequential *judge);
void split_watch_release(struct split_watch *w);

/* --- objectives (observe_slo.c) ---------------------------------------------------------- */
struct slo_watch;
/* The budget goes on from what m's status has recorded. */
struct slo_watch *slo_watch_new(const struct mdep *m, int64_t now_ms);
void slo_watch_free(struct slo_watch *w);
/* It watches just the objectives of m. */
bool slo_watch_fits(const struct slo_watch *w, const struct mdep *m);
/* target: NULL when nothing is being released. */
void slo_watch_revisions(struct slo_watch *w, const char *stable, const char *target);
/* True when a zone misses an objective from now on that the others keep, or no more. */
bool slo_watch_feed(struct slo_watch *w, bool target, const char *zone, int64_t wall_ms,
                    const struct counts *c);
/* The objective's name; NULL = none. */
const char *slo_watch_zone_misses(const struct slo_watch *w, const char *zone);
void slo_watch_zone_forget(struct slo_watch *w, const char *zone);
/* A zone is dark right now: breaches are held for a while. */
void slo_watch_excuse(struct slo_watch *w, int64_t now_ms, const char *zone);
/* Drops the revisions' evidence; the budget stays. */
void slo_watch_forget(struct slo_watch *w);
/* Something that the planner or status should hear of. */
bool slo_watch_news(struct slo_watch *w, int64_t now_ms);
void slo_watch_read(struct slo_watch *w, int64_t now_ms, struct arena *a, struct rollout_slo *out);

/* --- zones on their way back (observe_return.c) -------------------------------------------- */
struct return_watch;
bool return_watch_wanted(const struct mdep_status *st);
/* Watches the zones that st ramps up; NULL when there are none. Takes w (NULL: none yet). */
struct return_watch *return_watch_set(struct return_watch *w, const struct mdep_status *st);
void return_watch_free(struct return_watch *w);
/* Of the stable revision's pods, stratum = zone. */
void return_watch_feed(struct return_watch *w, const struct sequential_sample *x);
/* What the zones are planned to get, or get now. True when it is something else than before. */
bool return_watch_split(struct return_watch *w, const struct rollout_snapshot *s,
                        const struct rollout_plan *plan);
/* A look is complete; mixed: see split_look_end(). True when a zone is found worse from now on. */
bool return_watch_look_end(struct return_watch *w, double t, bool mixed);
/* In words, valid until the next return_watch_set(); NULL = nothing speaks against it. */
const char *return_watch_worse(struct return_watch *w, const char *zone);

#endif
