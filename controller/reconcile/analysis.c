#include "analysis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/scoreplan.h"
#include "tidegate/signal/prometheus.h"

#define QUERY_MAX       8192
#define SOURCE_RETRY_MS 5000
#define MARKS           16 /* looks back that the cross-check reaches */
/* Rates differ by scrape instants and extrapolation: only a factor of two is a contradiction. */
#define DISAGREE_FACTOR   2
#define DISAGREE_REQUESTS 20
#define DISAGREE_LOOKS    3
#define DISAGREE_MS       30000 /* a revision that is new, or a server, needs a while to be counted */
#define MARK_AGE_MAX      2     /* times what rates are taken over */
#define FAILED_LOOKS      2     /* one may be lost by a restart of the server */

enum side { CONTROL, EXPERIMENT, SIDES };

struct ask {
	struct analysis *analysis;
	struct prometheus_query query;
	const char *name;    /* of the metric, for messages */
	const double **into; /* NULL: the cross-check's */
	size_t *n;
	double value; /* last one */
};

struct mark {
	double t, requests[SIDES];
};

struct analysis {
	struct mdep_operator *op;
	char *key, *namespace, *name, *policy, *revision[SIDES];
	struct arena arena; /* of the plan */
	struct scoreplan plan;
	bool ready; /* the plan is made, the server can be asked */
	bool has_series;
	char *requests;
	struct source *source;
	struct prometheus *server;
	struct timer timer;
	int64_t began_ms, data_ms;

	/* One look. */
	struct arena look;
	struct kayenta_pair *pairs;
	struct ask *asks;
	unsigned nasks, pending;
	char failure[256], trouble[256]; /* of this look; of the last one that ended, "" = none */
	unsigned failed;                 /* looks in a row */
	bool refused;                    /* the credentials were */

	/* What has been found out. */
	unsigned bad, good;
	enum judge_verdict verdict;
	int score;
	char text[256], held[320];
	struct mdep_group_score groups[MDEP_GROUPS_MAX]; /* names live in `arena` */
	char texts[MDEP_GROUPS_MAX][192];                /* of the groups */
	unsigned ngroups;

	/* Cross-check. */
	double scraped[SIDES];
	struct mark marks[MARKS];
	unsigned nmarks, contradictions;
	double contradicted_t; /* the first one's */
	bool compared;         /* once, at least */
	char disagree[192];
};

static void wake(struct analysis *a, int64_t again_ms)
{
	timer_start(&a->timer, again_ms);
	operator_enqueue(a->op, a->key);
}

/* --- judging ----------------------------------------------------------------------------- */

static bool is_bad(const struct kayenta_metric_result *m)
{
	return !m->metric->muted && (m->class == KAYENTA_HIGH || m->class == KAYENTA_LOW ||
	                             m->class == KAYENTA_NODATA_FAIL);
}

/* "ctr 0.031 vs 0.052 (Low)" of what speaks against the canary, worst first in the order given. */
static void describe(struct analysis *a, const struct kayenta_result *r)
{
	size_t len = 0;

	if (*r->reason && r->score <= 0)
		len = (size_t)snprintf(a->text, sizeof(a->text), "metrics failed");
	else
		len = (size_t)snprintf(a->text, sizeof(a->text), "metrics score %.0f", r->score);
	for (size_t i = 0; i < r->nmetrics && len < sizeof(a->text); i++) {
		const struct kayenta_metric_result *m = &r->metrics[i];
		char *at = a->text + len;
		size_t room = sizeof(a->text) - len;

		if (!is_bad(m))
			continue;
		if (m->class == KAYENTA_NODATA_FAIL)
			len += (size_t)snprintf(at, room, ", %s has no data", m->metric->name);
		else
			len += (size_t)snprintf(at, room, ", %s %.4g vs %.4g (%s%s)",
			                        m->metric->name, m->experiment.mean,
			                        m->control.mean, kayenta_class_name(m->class),
			                        m->critical ? ", critical" : "");
	}
}

static bool is_member(const struct kayenta_metric *m, const char *group)
{
	for (unsigned i = 0; i < m->ngroups; i++)
		if (str_eq(m->groups[i], group))
			return true;
	return false;
}

/* "ctr 0.031 vs 0.052, 12 points, Low; gmv no data" */
static void describe_group(const struct kayenta_result *r, const char *group, char *out,
                           size_t size)
{
	size_t len = 0;

	*out = '\0';
	for (size_t i = 0; i < r->nmetrics && len < size; i++) {
		const struct kayenta_metric_result *m = &r->metrics[i];
		const char *between = len ? "; " : "";

		if (!is_member(m->metric, group))
			continue;
		if (!m->experiment.count || !m->control.count)
			len += (size_t)snprintf(out + len, size - len, "%s%.63s has no data",
			                        between, m->metric->name);
		else
			len += (size_t)snprintf(
				out + len, size - len, "%s%.63s %.4g vs %.4g, %zu points, %s%s",
				between, m->metric->name, m->experiment.mean, m->control.mean,
				m->experiment.count, kayenta_class_name(m->class),
				m->critical ? ", critical" : "");
	}
}

static void take_groups(struct analysis *a, const struct kayenta_result *r)
{
	a->ngroups = 0;
	for (unsigned i = 0; i < r->ngroups && a->ngroups < MDEP_GROUPS_MAX; i++) {
		char *text = a->texts[a->ngroups];

		describe_group(r, r->groups[i].name, text, sizeof(a->texts[0]));
		a->groups[a->ngroups++] = (struct mdep_group_score){
			r->groups[i].name,
			r->groups[i].no_data ? -1 : (int)lround(r->groups[i].score), text};
	}
}

static bool has_data(const struct kayenta_result *r)
{
	for (size_t i = 0; i < r->nmetrics; i++)
		if (r->metrics[i].experiment.count > 0)
			return true;
	return false;
}

/* Silence is neither good nor bad, unless a metric must have data. */
static bool is_silence(const struct kayenta_result *r)
{
	size_t silent = 0;

	for (size_t i = 0; i < r->nmetrics; i++) {
		if (is_bad(&r->metrics[i]))
			return false;
		silent += r->metrics[i].class == KAYENTA_NODATA;
	}
	return 2 * silent >= r->nmetrics;
}

static void count_look(struct analysis *a, const struct kayenta_result *r)
{
	bool silence = is_silence(r);

	a->bad = !silence && r->verdict == KAYENTA_SCORE_FAIL ? a->bad + 1 : 0;
	a->good = !silence && r->verdict == KAYENTA_SCORE_PASS ? a->good + 1 : 0;
	/* Weights of a canary config may add up to more than 100. */
	a->score = silence ? -1 : (int)lround(fmin(100, fmax(0, r->score)));
	if (a->verdict == JUDGE_FAIL || a->bad >= a->plan.failures)
		a->verdict = JUDGE_FAIL;
	else
		a->verdict = a->good >= a->plan.failures ? JUDGE_PASS : JUDGE_NONE;
	if (a->verdict == JUDGE_FAIL)
		a->score = 0;
	if (silence)
		snprintf(a->text, sizeof(a->text), "most metrics have no data yet");
	else
		describe(a, r);
}

/* Too few points tell nothing: four that happen to lie apart are "proof" to a rank test. */
static void drop_short(struct analysis *a)
{
	for (size_t i = 0; i < a->plan.series.nmetrics; i++) {
		struct kayenta_pair *p = &a->pairs[i];

		if (p->ncontrol < a->plan.min_points || p->nexperiment < a->plan.min_points)
			p->ncontrol = p->nexperiment = 0;
	}
}

static void judge(struct analysis *a, int64_t now_ms)
{
	struct kayenta_result r;
	struct err err = ERR_INIT;
	double seen_s = (double)(now_ms - a->began_ms) / 1000;

	if (!a->plan.series.nmetrics || a->verdict == JUDGE_FAIL)
		return;
	if (seen_s < a->plan.step_s * (a->plan.min_points + 1)) {
		a->data_ms = now_ms;
		snprintf(a->text, sizeof(a->text), "metrics: %u points are awaited",
		         a->plan.min_points);
		return;
	}
	drop_short(a);
	if (kayenta_judge(&a->plan.series, a->pairs, a->plan.series.nmetrics, &a->look, &r, &err))
		return;
	if (has_data(&r))
		a->data_ms = now_ms;
	take_groups(a, &r);
	count_look(a, &r);
}

/* --- cross-check ------------------------------------------------------------------------- */

static double rate_window_s(const struct analysis *a)
{
	return 4 * a->plan.step_s;
}

/* The newest mark that is at least as old as what rates are taken over, and not much older. */
static const struct mark *mark_before(const struct analysis *a, double t)
{
	const struct mark *best = NULL;

	for (unsigned i = 0; i < a->nmarks && i < MARKS; i++)
		if (a->marks[i].t <= t - rate_window_s(a) &&
		    a->marks[i].t > t - MARK_AGE_MAX * rate_window_s(a) &&
		    (!best || a->marks[i].t > best->t))
			best = &a->marks[i];
	return best;
}

static bool contradicts(double a, double b)
{
	return fmax(a, b) > DISAGREE_FACTOR * fmin(a, b) + DISAGREE_REQUESTS;
}

static void cross_check(struct analysis *a, double t)
{
	static const char *const names[] = {[CONTROL] = "stable", [EXPERIMENT] = "canary"};
	const struct mark *m = mark_before(a, t);
	struct mark *now = &a->marks[a->nmarks % MARKS];
	bool found = false;

	a->compared |= m != NULL;
	for (unsigned i = 0; m && i < SIDES && !found; i++) {
		double asked = a->asks[a->nasks - SIDES + i].value * (t - m->t);
		double scraped = a->scraped[i] - m->requests[i];

		found = contradicts(asked, scraped);
		if (found && !a->contradictions)
			a->contradicted_t = t;
		if (found && ++a->contradictions >= DISAGREE_LOOKS &&
		    t >= a->contradicted_t + DISAGREE_MS / 1000.0)
			snprintf(
				a->disagree, sizeof(a->disagree),
				"in %.0f s Prometheus counts %.0f requests of the %s revision, its "
				"pods %.0f",
				t - m->t, asked, names[i], scraped);
	}
	if (!found)
		a->contradictions = 0;
	if (!a->contradictions)
		a->disagree[0] = '\0';
	*now = (struct mark){t, {a->scraped[CONTROL], a->scraped[EXPERIMENT]}};
	a->nmarks++;
}

/* --- one look ---------------------------------------------------------------------------- */

static void failed_look(struct analysis *a)
{
	a->failed++;
	a->bad = a->good = 0;
	a->verdict = a->verdict == JUDGE_FAIL ? JUDGE_FAIL : JUDGE_NONE;
	if (a->verdict != JUDGE_FAIL)
		str_copy(a->text, sizeof(a->text), a->trouble);
	a->held[0] = '\0';
	if (a->refused)
		snprintf(a->held, sizeof(a->held),
		         "Prometheus refuses what ScorePolicy %.64s gives as secretRef: %.160s",
		         a->policy, a->trouble);
}

static void look_end(struct analysis *a)
{
	int64_t now_ms = clock_wall_ms();

	str_copy(a->trouble, sizeof(a->trouble), a->failure);
	if (*a->failure) {
		failed_look(a);
	} else {
		a->failed = 0;
		a->held[0] = '\0';
		judge(a, now_ms);
		if (a->requests)
			cross_check(a, (double)now_ms / 1000);
	}
	/* Credentials may have been changed: they are read again. */
	if (a->refused)
		a->ready = false;
	wake(a, a->refused ? SOURCE_RETRY_MS : (int64_t)(a->plan.interval_s * 1000));
}

static void look_failed(const struct ask *q, const char *what)
{
	struct analysis *a = q->analysis;

	if (!*a->failure)
		snprintf(a->failure, sizeof(a->failure), "metric %.63s cannot be judged: %.160s",
		         q->name, what);
}

static void take_series(struct ask *q, const struct promql_reply *r)
{
	const struct promql_series *s = r->nseries ? &r->series[0] : NULL;
	double *copy;

	if (r->warning) {
		look_failed(q, r->warning);
	} else if (r->nseries > 1) {
		look_failed(q, "the query gives several series, aggregate them");
	} else if (q->into && s) {
		copy = arena_array(&q->analysis->look, s->n, sizeof(double));
		memcpy(copy, s->values, s->n * sizeof(double));
		*q->into = copy;
		*q->n = s->n;
	} else {
		q->value = s && s->n && isfinite(s->values[s->n - 1]) ? s->values[s->n - 1] : 0;
	}
}

static void on_answer(void *arg, const struct promql_reply *r, const struct err *err)
{
	struct ask *q = arg;
	struct analysis *a = q->analysis;

	if (err)
		look_failed(q, err->msg);
	else
		take_series(q, r);
	if (err && (err->class == ERR_UNAUTHORIZED || err->class == ERR_FORBIDDEN))
		a->refused = true;
	if (!--a->pending)
		look_end(a);
}

/* Text of a query for one side; NULL: it cannot be asked, and `held` says why. */
static const char *expand(struct analysis *a, const char *query, const char *name, enum side side)
{
	cleanup_buf struct buf b;
	char interval[32];
	struct err err = ERR_INIT;
	struct promql_vars v = {.namespace = a->namespace,
	                        .name = a->name,
	                        .revision = a->revision[side],
	                        .track = side == CONTROL ? "stable" : "canary",
	                        .interval = interval};

	snprintf(interval, sizeof(interval), "%lds", lround(ceil(rate_window_s(a))));
	buf_init(&b, QUERY_MAX);
	if (promql_expand(query, &v, &b, &err)) {
		snprintf(a->held, sizeof(a->held), "metric %.64s: %.200s", name, err.msg);
		return NULL;
	}
	return arena_strdup(&a->look, b.data);
}

static int prepare(struct analysis *a, const char *query, const char *name,
                   struct kayenta_pair *pair, double start_s, double end_s)
{
	for (enum side side = CONTROL; side < SIDES; side++) {
		struct ask *q = &a->asks[a->nasks++];

		*q = (struct ask){.analysis = a, .name = name, .value = 0};
		q->query = (struct prometheus_query){.promql = expand(a, query, name, side),
		                                     .start = start_s,
		                                     .end = end_s,
		                                     .step = pair ? a->plan.step_s : 0,
		                                     .arg = q,
		                                     .on_done = on_answer};
		if (!q->query.promql)
			return -1;
		if (pair) {
			q->into = side == CONTROL ? &pair->control : &pair->experiment;
			q->n = side == CONTROL ? &pair->ncontrol : &pair->nexperiment;
		}
	}
	if (!str_eq(a->asks[a->nasks - 2].query.promql, a->asks[a->nasks - 1].query.promql))
		return 0;
	snprintf(a->held, sizeof(a->held),
	         "metric %.64s: the query is the same for both revisions, use $revision or $track",
	         name);
	return -1;
}

static int prepare_all(struct analysis *a, int64_t now_ms)
{
	size_t n = a->plan.series.nmetrics;
	double end = (double)now_ms / 1000, start = (double)a->began_ms / 1000;

	start = fmax(start, end - a->plan.window_s);
	a->pairs = arena_array(&a->look, n, sizeof(*a->pairs));
	a->asks = arena_array(&a->look, SIDES * (n + 1), sizeof(*a->asks));
	a->nasks = 0;
	for (size_t i = 0; i < n; i++) {
		a->pairs[i].name = a->plan.series.metrics[i].name;
		if (prepare(a, a->plan.queries[i], a->pairs[i].name, &a->pairs[i], start, end))
			return -1;
	}
	return a->requests ? prepare(a, a->requests, "requestsQuery", NULL, start, end) : 0;
}

static void look_begin(struct analysis *a)
{
	arena_reset(&a->look);
	a->failure[0] = '\0';
	a->refused = false;
	if (prepare_all(a, clock_wall_ms())) {
		wake(a, SOURCE_RETRY_MS);
		return;
	}
	a->pending = a->nasks;
	for (unsigned i = 0; i < a->nasks; i++)
		prometheus_query(a->server, &a->asks[i].query);
}

/* --- beginning --------------------------------------------------------------------------- */

static int make_plan(struct analysis *a, const char *config, struct err *err)
{
	const struct scorepolicy *p = scorepolicy_from(
		store_get(&a->op->stores[CACHE_SCOREPOLICY], a->namespace, a->policy));

	/* The observer hears of it too and ends this. */
	if (!p)
		return err_set(err, ERR_NOT_FOUND, "it has gone");
	arena_reset(&a->arena);
	a->ngroups = 0;
	return scoreplan_build(p, config, &a->arena, &a->plan, err);
}

static void on_source(void *arg, struct prometheus *server, const char *config,
                      const struct err *err)
{
	struct analysis *a = arg;
	struct err why = ERR_INIT;

	if (!err && make_plan(a, config, &why))
		err = &why;
	if (err) {
		prometheus_free(server);
		snprintf(a->held, sizeof(a->held), "ScorePolicy %.64s: %.230s", a->policy,
		         err->msg);
		wake(a, SOURCE_RETRY_MS);
		return;
	}
	prometheus_free(a->server);
	a->server = server;
	a->ready = true;
	timer_start(&a->timer, 0);
}

static void on_timer(void *arg)
{
	struct analysis *a = arg;
	const struct scorepolicy *p;

	if (a->ready) {
		look_begin(a);
		return;
	}
	p = scorepolicy_from(store_get(&a->op->stores[CACHE_SCOREPOLICY], a->namespace, a->policy));
	source_free(a->source);
	a->source = p ? source_new(a->op, p, on_source, a) : NULL;
}

struct analysis *analysis_new(struct mdep_operator *op, const struct mdep *m,
                              const struct scorepolicy *p, const char *stable, const char *target)
{
	struct analysis *a = xcalloc(1, sizeof(*a));

	a->op = op;
	a->key = xstrdup(m->meta.key);
	a->namespace = xstrdup(m->meta.namespace);
	a->name = xstrdup(m->meta.name);
	a->policy = xstrdup(p->meta.name);
	a->revision[CONTROL] = xstrdup(stable);
	a->revision[EXPERIMENT] = xstrdup(target);
	a->has_series = scorepolicy_has_series(p);
	a->requests = xstrdup_null(p->prometheus.requests);
	a->began_ms = a->data_ms = clock_wall_ms();
	a->score = -1;
	arena_init(&a->arena, 0);
	arena_init(&a->look, 0);
	timer_init(&a->timer, op->loop, on_timer, a);
	timer_start(&a->timer, 0);
	return a;
}

void analysis_free(struct analysis *a)
{
	if (!a)
		return;
	timer_release(&a->timer);
	source_free(a->source);
	prometheus_free(a->server);
	arena_release(&a->look);
	arena_release(&a->arena);
	free(a->key);
	free(a->namespace);
	free(a->name);
	free(a->policy);
	free(a->revision[CONTROL]);
	free(a->revision[EXPERIMENT]);
	free(a->requests);
	free(a);
}

void analysis_count(struct analysis *a, bool canary, double requests)
{
	a->scraped[canary ? EXPERIMENT : CONTROL] += requests;
}

bool analysis_has_series(const struct analysis *a)
{
	return a->has_series;
}

void analysis_read(const struct analysis *a, int64_t now_ms, struct analysis_view *out)
{
	*out = (struct analysis_view){.verdict = a->verdict,
	                              .score = a->score,
	                              .text = a->text,
	                              .held = *a->held ? a->held : NULL,
	                              .failing = a->failed >= FAILED_LOOKS ? a->trouble : NULL,
	                              .disagree = *a->disagree ? a->disagree : NULL,
	                              .since_data_ms = now_ms - a->data_ms,
	                              .ngroups = a->ngroups,
	                              .compares = a->requests && a->compared};
	memcpy(out->groups, a->groups, sizeof(out->groups));
	/* Between two looks nothing new can be known. */
	if (out->since_data_ms <= (int64_t)(2 * a->plan.interval_s * 1000) && !*a->trouble)
		out->since_data_ms = 0;
}
