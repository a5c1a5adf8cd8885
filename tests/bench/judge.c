/*
 * Judges side by side on simulated streams with fixed seeds: the sequential judge, Kayenta's rule
 * and the constant limits of other progressive-delivery tools, all on the same observations.
 * Prints how often each rolls back and after how long, and holds the sequential judge against what
 * it promises. Usage: judge [STREAMS] (default 10000 a row for error rates).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/judge/random.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/kayenta.h"
#include "tidegate/judge/thresholds.h"

#define STABLE_PODS 3
#define PODS        (STABLE_PODS + 1)
#define MINUTES_MAX 60
#define RIVAL_STEP  60.0

static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, INFINITY};
#define BUCKETS (sizeof(bounds) / sizeof(bounds[0]))

struct scenario {
	const char *name;
	unsigned streams; /* 0 = as many as asked for */
	double seconds, every_s;
	double canary_rps, stable_rps;
	double stable_errors, canary_errors; /* shares */
	double stable_ms, canary_ms;         /* median latency; 0 = no buckets */
	double rate_cv;    /* of each pod's request rate, from observation to observation */
	double pod_spread; /* of each pod's error share and latency */
	double sigma;      /* of log latency; 0 = 0.5 */
	double missed;     /* share of observations that fail; the next one counts for both */
	bool tail;         /* only the slowest tenth is slower: p99 moves, the median does not */
	/* Pods are observed one after the other, as in recordings, and one joins late; else all at
	 * once, in looks, as the controller does. */
	bool stagger;
	bool silent; /* nothing to judge by: no verdict at all is promised */
	/* What the sequential judge promises: at most this share rolled back, or times to it. */
	double most_failed, median_s, p99_s;
};

static double sigma_of(const struct scenario *c)
{
	return c->sigma > 0 ? c->sigma : 0.5;
}

enum judge { SEQUENTIAL, KAYENTA_SPARSE, KAYENTA_OFTEN, KAYENTA_SLIDING, FLAGGER, ARGO, JUDGES };
static const char *const judge_names[] = {
	"tidegate",
	"kayenta, every 10 min",
	"kayenta, every minute",
	"kayenta, last 10 min",
	"flagger",
	"argo",
};

/* How Kayenta's users have it look: from `first` minutes on, every `every`, at the last `window`
 * minutes or, when that is 0, at all since the beginning. */
static const struct looks {
	unsigned first, every, window;
} kayenta_looks[JUDGES] = {
	[KAYENTA_SPARSE] = {10, 10, 0},
	[KAYENTA_OFTEN] = {5, 1, 0},
	[KAYENTA_SLIDING] = {10, 5, 10},
};

/* --- draws ------------------------------------------------------------------------------- */

/* Poisson and binomial by normal approximation where counts are large: the judges see counts only.
 */
static double draw_poisson(struct rng *r, double mean)
{
	return mean < 30 ? (double)rng_poisson(r, mean)
	                 : fmax(0, round(mean + sqrt(mean) * rng_normal(r)));
}

static double draw_binomial(struct rng *r, double n, double p)
{
	double mean = n * p, q, term, u, k = 0;

	if (p <= 0 || n <= 0)
		return 0;
	if (p > 0.5)
		return n - draw_binomial(r, n, 1 - p);
	if (mean > 30)
		return fmin(n, fmax(0, round(mean + sqrt(mean * (1 - p)) * rng_normal(r))));
	/* Inversion. */
	q = p / (1 - p);
	term = pow(1 - p, n);
	for (u = rng_uniform(r); u > term && k < n; k++) {
		u -= term;
		term *= q * (n - k) / (k + 1);
	}
	return k;
}

static double normal_cdf(double z)
{
	return 0.5 * erfc(-z / M_SQRT2);
}

/* Log-normal; with sigma 0.5 the p99 is 3.2 times the median. tail: the slowest tenth twice as
 * slow. */
struct latency {
	double median_s, sigma;
	bool tail;
};

static double latency_cdf(const struct latency *l, double bound)
{
	double log_over = log(bound / l->median_s);
	double p = normal_cdf(log_over / l->sigma);

	if (!l->tail)
		return p;
	/* Up to the slowest tenth as ever; beyond, what was there at half the bound. */
	return fmin(p, fmax(0.9, normal_cdf((log_over - M_LN2) / l->sigma)));
}

static void draw_buckets(struct rng *r, const struct latency *l, struct sequential_sample *x)
{
	double left = x->requests, share_left = 1, cumulated = 0, below = 0;

	x->nbuckets = BUCKETS;
	for (unsigned i = 0; i < BUCKETS; i++) {
		double upto = i + 1 < BUCKETS ? latency_cdf(l, bounds[i]) : 1;
		double n = i + 1 < BUCKETS && share_left > 1e-12
		                   ? draw_binomial(r, left, fmin(1, (upto - below) / share_left))
		                   : left;

		left -= n;
		cumulated += n;
		share_left = 1 - upto;
		below = upto;
		x->bounds[i] = bounds[i];
		x->counts[i] = cumulated;
	}
}

/* --- rivals ------------------------------------------------------------------------------ */

/* Per minute: what Kayenta's series are made of. */
struct minutes {
	double share[2][MINUTES_MAX], p99[2][MINUTES_MAX]; /* stable, canary */
	double requests[2], errors[2], counts[2][BUCKETS];
	unsigned n;
};

static void minutes_add(struct minutes *m, const struct sequential_sample *x)
{
	m->requests[x->canary] += x->requests;
	m->errors[x->canary] += x->errors;
	for (unsigned i = 0; i < x->nbuckets; i++)
		m->counts[x->canary][i] += x->counts[i];
}

static void minutes_close(struct minutes *m)
{
	for (int c = 0; c < 2; c++) {
		m->share[c][m->n] = m->requests[c] > 0 ? m->errors[c] / m->requests[c] : NAN;
		m->p99[c][m->n] = histogram_quantile(0.99, bounds, m->counts[c], BUCKETS);
	}
	m->n++;
	memset(m->requests, 0, sizeof(m->requests));
	memset(m->errors, 0, sizeof(m->errors));
	memset(m->counts, 0, sizeof(m->counts));
}

#define RIVAL_METRIC(metric, group)                                                                \
	{                                                                                          \
		.name = (metric), .groups = (const char *[]){group}, .ngroups = 1,                 \
		.direction = KAYENTA_INCREASE, .weight = 1, .allowed_increase = 1,                 \
		.critical_increase = 1                                                             \
	}

/* Two groups of equal weight, pass 95, marginal 75: one High is 50 and ends the analysis. */
static bool kayenta_fails(const struct minutes *m, const struct looks *l, bool latency)
{
	struct kayenta_metric metrics[] = {RIVAL_METRIC("errors", "errors"),
	                                   RIVAL_METRIC("latency", "latency")};
	const struct kayenta_config c = {.metrics = metrics,
	                                 .nmetrics = 2,
	                                 .tolerance = 0.25,
	                                 .confidence = 0.98,
	                                 .pass = 95,
	                                 .marginal = 75};
	unsigned n = l->window && l->window < m->n ? l->window : m->n, from = m->n - n;
	const struct kayenta_pair pairs[] = {{.name = "errors",
	                                      .control = &m->share[0][from],
	                                      .experiment = &m->share[1][from],
	                                      .ncontrol = n,
	                                      .nexperiment = n},
	                                     {.name = "latency",
	                                      .control = &m->p99[0][from],
	                                      .experiment = &m->p99[1][from],
	                                      .ncontrol = n,
	                                      .nexperiment = n}};
	struct arena cleanup_arena a;
	struct kayenta_result r;

	arena_init(&a, 0);
	kayenta_judge(&c, pairs, latency ? 2 : 1, &a, &r, NULL);
	return r.score <= c.marginal;
}

/* --- one stream -------------------------------------------------------------------------- */

struct judges {
	struct sequential *sequential;
	struct thresholds flagger, argo;
	struct minutes minutes;
	double next_minute;
	double failed_at[JUDGES]; /* NaN = never */
	enum judge_verdict final; /* of the sequential judge */
};

static void judges_start(struct judges *j, const struct scenario *c)
{
	struct sequential_options o;
	struct thresholds_rule rule;

	memset(j, 0, sizeof(*j));
	sequential_options_default(&o);
	o.looks = !c->stagger;
	j->sequential = sequential_new(&o);
	thresholds_rule_default(&rule);
	/* Limits that fit the service: twice what is normal, and never less than 1 % of errors. */
	rule.max_error_share = fmax(0.01, 2 * c->stable_errors);
	/* Without data the check of either fails. */
	rule.no_data_fails = true;
	rule.max_latency_s =
		c->stable_ms > 0 ? 2 * c->stable_ms / 1000 * exp(sigma_of(c) * 2.326) : NAN;
	/* The walk-through of the one: 5 failed checks; of the other: more than failureLimit 3. */
	rule.failures = 5;
	thresholds_init(&j->flagger, &rule);
	rule.failures = 4;
	thresholds_init(&j->argo, &rule);
	j->next_minute = RIVAL_STEP;
	for (unsigned i = 0; i < JUDGES; i++)
		j->failed_at[i] = NAN;
}

static void note(struct judges *j, enum judge who, enum judge_verdict v, double t)
{
	if (v == JUDGE_FAIL && isnan(j->failed_at[who]))
		j->failed_at[who] = t;
}

static void judges_look(struct judges *j, const struct scenario *c, double t)
{
	struct sequential_result r;

	if (c->stagger)
		sequential_advance(j->sequential, t);
	else
		sequential_look_end(j->sequential, t);
	sequential_result(j->sequential, t, &r);
	j->final = r.verdict;
	note(j, SEQUENTIAL, r.verdict, t);
	if (t < j->next_minute)
		return;
	j->next_minute += RIVAL_STEP;
	minutes_close(&j->minutes);
	thresholds_advance(&j->flagger, t);
	thresholds_result(&j->flagger, &r);
	/* Its counter is looked at by the check after the one that failed. */
	note(j, FLAGGER, r.verdict, t + RIVAL_STEP);
	thresholds_advance(&j->argo, t);
	thresholds_result(&j->argo, &r);
	note(j, ARGO, r.verdict, t);
	for (unsigned k = KAYENTA_SPARSE; k <= KAYENTA_SLIDING; k++) {
		const struct looks *l = &kayenta_looks[k];

		if (j->minutes.n >= l->first && (j->minutes.n - l->first) % l->every == 0 &&
		    isnan(j->failed_at[k]) && kayenta_fails(&j->minutes, l, c->stable_ms > 0))
			note(j, k, JUDGE_FAIL, t);
	}
}

struct pod {
	double load, errors; /* requests a second, share */
	struct latency latency;
	double phase; /* of its observations, seconds */
	double owed;  /* seconds that no observation has told of */
};

static void observe(struct judges *j, struct rng *r, const struct scenario *c, double t, unsigned i,
                    struct pod *p)
{
	static const char *const names[PODS] = {"s0", "s1", "s2", "c0"};
	struct sequential_sample x = {
		.t = t + p->phase, .pod = names[i], .canary = i == STABLE_PODS};
	/* Gamma-like swing with the asked coefficient of variation. */
	double s2 = log1p(c->rate_cv * c->rate_cv);
	double swing = c->rate_cv > 0 ? exp(sqrt(s2) * rng_normal(r) - s2 / 2) : 1;
	bool whole = c->stagger || p->owed <= 0; /* not of two looks at once */

	p->owed += c->every_s;
	if (c->missed > 0 && rng_uniform(r) < c->missed)
		return;
	x.requests = draw_poisson(r, p->load * p->owed * swing);
	p->owed = 0;
	x.errors = draw_binomial(r, x.requests, p->errors);
	if (c->stable_ms > 0)
		draw_buckets(r, &p->latency, &x);
	if (whole)
		sequential_observe(j->sequential, &x);
	thresholds_observe(&j->flagger, &x);
	thresholds_observe(&j->argo, &x);
	minutes_add(&j->minutes, &x);
}

static void run_stream(struct judges *j, const struct scenario *c, uint64_t seed)
{
	struct rng r = {seed};
	struct pod pods[PODS];

	judges_start(j, c);
	for (unsigned i = 0; i < PODS; i++) {
		bool canary = i == STABLE_PODS;
		double more = fmax(0.1, 1 + c->pod_spread * rng_normal(&r));
		double slower = fmax(0.1, 1 + c->pod_spread * rng_normal(&r));

		pods[i].load = canary ? c->canary_rps : c->stable_rps / STABLE_PODS;
		pods[i].errors = fmin(1, more * (canary ? c->canary_errors : c->stable_errors));
		pods[i].latency =
			(struct latency){slower * (canary ? c->canary_ms : c->stable_ms) / 1000,
		                         sigma_of(c), c->tail && canary};
		pods[i].owed = 0;
		pods[i].phase = c->stagger ? c->every_s * i / PODS : 0;
	}
	for (double t = c->every_s; t <= c->seconds; t += c->every_s) {
		for (unsigned i = c->stagger && t < 60; i < PODS; i++)
			observe(j, &r, c, t, i, &pods[i]);
		judges_look(j, c, t + (c->stagger ? c->every_s * (PODS - 1) / PODS : 0));
	}
	judges_look(j, c, c->seconds + 5);
	sequential_free(j->sequential);
}

/* --- table ------------------------------------------------------------------------------- */

struct outcome {
	double failed; /* share of streams */
	double median, p99;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Streams that were never rolled back count as later than all others. */
static struct outcome summarise(double *t, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		if (isnan(t[i]))
			t[i] = INFINITY;
		else
			found++;
	}
	qsort(t, n, sizeof(*t), by_value);
	return (struct outcome){(double)found / n, t[n / 2], t[(unsigned)(0.99 * (n - 1))]};
}

static const char *time_text(double t, char *buf, size_t size)
{
	if (isinf(t))
		return "never";
	snprintf(buf, size, "%.0f s", t);
	return buf;
}

static bool keeps_promise(const struct scenario *c, const struct outcome *o, double passed)
{
	if (c->silent && passed > 0)
		return false;
	if (!isnan(c->most_failed))
		return o->failed <= c->most_failed;
	return o->median <= c->median_s && (isnan(c->p99_s) || o->p99 <= c->p99_s);
}

static bool print_scenario(const struct scenario *c, struct outcome *o, unsigned n, double passed,
                           double spent)
{
	bool kept = keeps_promise(c, &o[SEQUENTIAL], passed);
	char a[32], b[32];

	printf("%s (%u streams of %.0f s; %.1f %% end with PASS; %.1f s)\n", c->name, n, c->seconds,
	       100 * passed, spent);
	for (unsigned i = 0; i < JUDGES; i++) {
		printf("  %-21s rolled back %6.2f %%", judge_names[i], 100 * o[i].failed);
		if (isnan(c->most_failed))
			printf("  median %-7s p99 %-7s", time_text(o[i].median, a, sizeof(a)),
			       time_text(o[i].p99, b, sizeof(b)));
		if (isnan(c->most_failed) && i && isfinite(o[i].median))
			printf("  %.1f times as long", o[i].median / o[SEQUENTIAL].median);
		if (!i)
			printf("  %s", kept ? "kept" : "MISSED");
		printf("\n");
	}
	fflush(stdout);
	return kept;
}

static bool run_scenario(const struct scenario *c, uint64_t index, unsigned streams)
{
	unsigned n = c->streams ? c->streams : streams, passed = 0;
	struct outcome o[JUDGES];
	int64_t began = clock_mono_ms();
	double *t[JUDGES];
	struct judges j;
	bool kept;

	for (unsigned k = 0; k < JUDGES; k++)
		t[k] = xcalloc(n, sizeof(double));
	for (unsigned i = 0; i < n; i++) {
		run_stream(&j, c, index * 1000003 + i);
		for (unsigned k = 0; k < JUDGES; k++)
			t[k][i] = j.failed_at[k];
		passed += j.final == JUDGE_PASS;
	}
	for (unsigned k = 0; k < JUDGES; k++) {
		o[k] = summarise(t[k], n);
		free(t[k]);
	}
	kept = print_scenario(c, o, n, (double)passed / n,
	                      (double)(clock_mono_ms() - began) / 1000);
	return kept;
}

#define NULL_ROW(share)   .most_failed = (share)
#define FOUND_ROW(md, pc) .most_failed = NAN, .median_s = (md), .p99_s = (pc)

static const struct scenario scenarios[] = {
	{"no difference, errors 0.2 %, canary 1 request/s of 10", 0, 600, 5, 1, 9, 0.002, 0.002, 0,
         0, 0, 0, NULL_ROW(0.01)},
	{"no difference, errors 2 %, canary 10 requests/s of 40, latency", 0, 600, 5, 10, 30, 0.02,
         0.02, 80, 80, 0, 0, NULL_ROW(0.01)},
	{"no difference, request rate CV 0.3, pods differ by 10 %", 0, 600, 5, 10, 30, 0.02, 0.02,
         80, 80, 0.3, 0.1, NULL_ROW(0.02)},
	{"no difference, request rate CV 0.5, pods differ by 10 %", 0, 600, 5, 10, 30, 0.02, 0.02,
         80, 80, 0.5, 0.1, NULL_ROW(0.02)},
	{"no difference, 100 requests/s, CV 0.5, pods differ by 10 %", 2000, 600, 5, 100, 300, 0.01,
         0.01, 20, 20, 0.5, 0.1, NULL_ROW(0.02)},
	{"no difference, an hour, errors 2 %, canary 10 requests/s of 40", 2000, 3600, 5, 10, 30,
         0.02, 0.02, 80, 80, 0, 0, NULL_ROW(0.01)},
	{"no difference, an hour, CV 0.5, pods differ by 10 %", 2000, 3600, 5, 10, 30, 0.02, 0.02,
         80, 80, 0.5, 0.1, NULL_ROW(0.02)},
	{"no difference, CV 0.5, pods differ by 10 %, a fifth of the observations missed", 2000,
         600, 5, 10, 30, 0.02, 0.02, 80, 80, 0.5, 0.1, NULL_ROW(0.02), .missed = 0.2},
	{"no requests at all", 100, 600, 5, 0, 0, 0, 0, 80, 80, 0, 0, NULL_ROW(0), .silent = true},
	{"canary silent", 100, 600, 5, 0, 30, 0.1, 0.1, 80, 80, 0, 0, NULL_ROW(0), .silent = true},
	{"stable silent, canary fails", 100, 600, 5, 10, 0, 0.1, 0.5, 80, 80, 0, 0, NULL_ROW(0),
         .silent = true},
	{"50 % errors, canary 1 request/s of 10", 2000, 1800, 1, 1, 9, 0.005, 0.5, 0, 0, 0, 0,
         FOUND_ROW(20, 40)},
	{"50 % errors, canary 1 request/s of 2", 2000, 1800, 1, 1, 1, 0.005, 0.5, 0, 0, 0, 0,
         FOUND_ROW(30, 60)},
	{"errors 0.5 % to 2.5 %, canary 10 requests/s of 40", 2000, 1800, 5, 10, 30, 0.005, 0.025,
         0, 0, 0, 0, FOUND_ROW(240, NAN)},
	{"errors 0.5 % to 2.5 %, CV 0.5, pods differ by 10 %", 1000, 1800, 5, 10, 30, 0.005, 0.025,
         0, 0, 0.5, 0.1, FOUND_ROW(240, NAN)},
	{"errors 0.5 % to 1.25 %, canary 10 requests/s of 40", 500, 3600, 5, 10, 30, 0.005, 0.0125,
         0, 0, 0, 0, FOUND_ROW(900, NAN)},
	{"latency doubled, canary 10 requests/s of 40", 1000, 1800, 5, 10, 30, 0.005, 0.005, 80,
         160, 0, 0, FOUND_ROW(120, 120)},
	{"latency doubled, CV 0.5, pods differ by 10 %", 1000, 1800, 5, 10, 30, 0.005, 0.005, 20,
         40, 0.5, 0.1, FOUND_ROW(120, NAN)},
	{"latency by a half, canary 10 requests/s of 40", 500, 1800, 5, 10, 30, 0.005, 0.005, 80,
         120, 0, 0, FOUND_ROW(600, NAN)},
	{"latency doubled, sigma 1", 1000, 1800, 5, 10, 30, 0.005, 0.005, 80, 160, 0, 0,
         FOUND_ROW(120, NAN), .sigma = 1},
	{"p99 doubled: the slowest tenth is twice as slow", 1000, 1800, 5, 10, 30, 0.005, 0.005, 80,
         80, 0, 0, FOUND_ROW(120, NAN), .tail = true},
	{"p99 doubled by the tail, 20 ms", 1000, 1800, 1, 10, 30, 0.005, 0.005, 20, 20, 0, 0,
         FOUND_ROW(120, NAN), .tail = true},
	{"no difference, pods one after the other every 10 s, one joins late", 2000, 600, 10, 10,
         30, 0.02, 0.02, 80, 80, 0.5, 0.1, NULL_ROW(0.02), .stagger = true},
	{"no difference, sigma 1, CV 0.5, pods differ by 10 %", 2000, 600, 5, 10, 30, 0.005, 0.005,
         80, 80, 0.5, 0.1, NULL_ROW(0.02), .sigma = 1},
	{"no difference, sigma 0.25, CV 0.5, pods differ by 10 %", 2000, 600, 5, 10, 30, 0.005,
         0.005, 80, 80, 0.5, 0.1, NULL_ROW(0.02), .sigma = 0.25},
	{"50 % errors, pods one after the other every 10 s, canary 1 request/s of 10", 1000, 1800,
         10, 1, 9, 0.005, 0.5, 0, 0, 0, 0, FOUND_ROW(30, 60), .stagger = true},
	{"latency doubled, pods one after the other every 10 s", 500, 1800, 10, 10, 30, 0.005,
         0.005, 80, 160, 0, 0, FOUND_ROW(120, NAN), .stagger = true},
};

int main(int argc, char **argv)
{
	int64_t streams = 10000;
	bool kept = true;

	if (argc > 1 && (!str_to_i64(argv[1], &streams) || streams < 1 || streams > 1000000)) {
		fputs("usage: judge [STREAMS]\n", stderr);
		return 2;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(scenarios); i++)
		kept &= run_scenario(&scenarios[i], i + 1, (unsigned)streams);
	printf("bench-judge: %s\n", kept ? "PASS" : "FAIL");
	return kept ? 0 : 1;
}
