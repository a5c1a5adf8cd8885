/*
 * Metrics by PromQL of one comparison: asked for both revisions over a growing window, judged by
 * Kayenta's rule at every look; and requests as Prometheus counts them, held against the pods'.
 *
 * A look in which a query failed, was partial or gave several series decides nothing. FAIL is
 * final and needs spec.series.failures bad looks in a row, PASS as many good ones; a series with
 * fewer than minPoints points counts as empty.
 */
#ifndef TIDEGATE_RECONCILE_ANALYSIS_H
#define TIDEGATE_RECONCILE_ANALYSIS_H

#include "internal.h"
#include "tidegate/judge/sequential.h"

struct analysis;
/* p: for this call only. Wakes the key after each look. */
struct analysis *analysis_new(struct mdep_operator *op, const struct mdep *m,
                              const struct scorepolicy *p, const char *stable, const char *target);
void analysis_free(struct analysis *a);
/* Requests that were scraped at a pod. */
void analysis_count(struct analysis *a, bool canary, double requests);

struct analysis_view {
	enum judge_verdict verdict;
	int score;             /* -1 before the first look that said something */
	const char *text;      /* plain words; these live as long as the analysis does not move */
	const char *held;      /* Secret, ConfigMap or queries cannot be used; NULL */
	const char *failing;   /* the last looks came to nothing, and why; NULL */
	const char *disagree;  /* NULL */
	int64_t since_data_ms; /* how long without an answer with data */
	struct mdep_group_score groups[MDEP_GROUPS_MAX];
	unsigned ngroups;
	bool compares;
};
/* Metrics are judged, not only requests compared. */
bool analysis_has_series(const struct analysis *a);
void analysis_read(const struct analysis *a, int64_t now_ms, struct analysis_view *out);

/* --- what a policy needs before it can be asked (source.c) ------------------------------- */
struct prometheus;
struct source;
/* Exactly one call of done, never from inside; after source_free() none. */
struct source *source_new(struct mdep_operator *op, const struct scorepolicy *p,
                          void (*done)(void *arg, struct prometheus *server, const char *config,
                                       const struct err *err),
                          void *arg);
/* Also after done: the config's text is its own, the server is the receiver's. */
void source_free(struct source *s);

#endif
