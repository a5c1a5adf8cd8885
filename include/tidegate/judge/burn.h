/*
 * Burn rate of an error budget: is an objective ("99.9 % of requests are good") being missed so
 * fast that somebody, or the operator itself, has to act?
 *
 * Multi-window, multi-burn-rate (Google SRE workbook, chapter 5): a window is exceeded when the
 * budget burns faster than its factor over a long stretch and over a short one, so that it fires
 * early and ends soon after the cause has ended. A window that is not filled yet is as long as what
 * has been seen. At low traffic a ratio says nothing (one error in thirty requests burns a 99.9 %
 * budget 33 times too fast), so the count must also be beyond chance: Chernoff's bound on the
 * Poisson tail at the budgeted rate, and bad requests in three different slots of the short
 * stretch, so that one burst, such as one pod that dies, is not a breach.
 *
 * Pure: time comes in. Bounded memory: 6 kB an objective, whatever the traffic and the time.
 * Units: seconds, fractions.
 */
#ifndef TIDEGATE_JUDGE_BURN_H
#define TIDEGATE_JUDGE_BURN_H

#include <stdbool.h>

#define BURN_WINDOWS  3
#define BURN_PERIOD_S (30.0 * 86400)

struct burn_window {
	double long_s, short_s, factor;
	bool acts; /* exceeded: a breach; else it is only reported */
};
extern const struct burn_window burn_windows[BURN_WINDOWS];

struct burn;
/* target: share of good requests, 0 to 1. */
struct burn *burn_new(double target);
void burn_free(struct burn *b);
/* Requests that ended about t; bad <= requests. What is older than a ring reaches is dropped. */
void burn_add(struct burn *b, double t, double requests, double bad);
/* What was counted before a restart: it belongs to the budget; the windows have burn_recent. */
void burn_restore(struct burn *b, double since, double t, double requests, double bad);

/* What the windows were filled with, short enough to be kept beyond a restart. */
#define BURN_RECENT 5
extern const double burn_recent_s[BURN_RECENT]; /* ascending: 5 and 30 min, 1 and 6 h, 3 d */
struct burn_recent {
	double since, t; /* first request, 0 = none; time of the count */
	double requests[BURN_RECENT], bad[BURN_RECENT];
};
void burn_recent(const struct burn *b, double t, struct burn_recent *out);
/*
 * Into a fresh one: rates go on as they were, spread evenly within each stretch. How the bad
 * requests of a short stretch were spread is not known any more, so that they are one slot there:
 * by themselves, without new ones, they are no breach.
 */
void burn_resume(struct burn *b, const struct burn_recent *r);

struct burn_rate {
	double long_rate, short_rate; /* 1 = exactly the budget, 0 = nothing bad or nothing seen */
	bool exceeded;
};

struct burn_result {
	bool breach;
	unsigned window; /* which one, when breach */
	struct burn_rate rates[BURN_WINDOWS];
	double requests, bad; /* in the period */
	double since;         /* first request of the period, 0 = none */
	double budget_left;   /* 1 = untouched, below 0 = overspent */
	char text[192];       /* plain words; "" when there is no breach */
};
/* name: of the objective, for the text. */
void burn_result(const struct burn *b, const char *name, double t, struct burn_result *out);

#endif
