/*
 * Invariants on the server's truth. What only the outside can break (a zone that goes dark, a
 * machine that dies, other bounds than a moment ago) is excused for a while, everything else never.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "run_priv.h"
#include "tidegate/api/names.h"
#include "tidegate/api/core.h"
#include "tidegate/base/clock.h"

#define AFTER_DAMAGE_MS (20 * 60000LL)
#define AFTER_BOUNDS_MS (10 * 60000LL)
#define SILENT_MS       60000 /* no step may end after so long without any metrics */
#define MIN_SCORE       80    /* what a release asks for when nothing is said of it */
#define JUDGE_ALPHA     0.01  /* what a judge declares when nothing is said of it */
#define HOLD_SLACK_MS   5000
/* Leases and all: one or two a second are usual. */
#define WRITES_MAX      10000
#define WRITES_A_SECOND 10
#define CALM_MS         (5 * 60000LL) /* until the last order has been heard of */

void check_violate(struct run *r, const char *fmt, ...)
{
	size_t size = sizeof(r->result->violation);
	va_list ap;
	int n;

	if (r->result->failed)
		return;
	r->result->failed = true;
	n = snprintf(r->result->violation, size, "at %" PRId64 " ms: ", run_now(r));
	va_start(ap, fmt);
	vsnprintf(r->result->violation + n, size - (size_t)n, fmt, ap);
	va_end(ap);
}

bool check_is_damaged(const struct run *r)
{
	return r->check.damage_ms && run_now(r) < r->check.damage_ms + AFTER_DAMAGE_MS;
}

static bool is_loose(const struct run *r)
{
	return check_is_damaged(r) ||
	       (r->check.bounds_ms && run_now(r) < r->check.bounds_ms + AFTER_BOUNDS_MS);
}

bool check_is_back(const char *phase)
{
	return str_eq(phase, "RollingBack") || str_eq(phase, "RolledBack") ||
	       str_eq(phase, "Aborted");
}

/* Not one of the other models'. */
static bool is_ours(const struct sim_object *o)
{
	return str_eq(world_label(o, TG_LABEL_NAME), RUN_MODEL);
}

/* --- traffic and pods ---------------------------------------------------------------------- */

const struct sim_object *check_read_route(struct run *r, struct world_rule out[WORLD_RULES_MAX])
{
	const struct sim_object *main =
		sim_get(r->cluster.api, world_route_kind(r->scene.driver), NULL, RUN_MODEL);

	if (main)
		world_read_route(&r->world, world_app(&r->world, "default", RUN_MODEL), main, out);
	return main;
}

/* Of a user's Ingress: the Service that it leads to comes before the first pod. */
static bool is_unopened(struct run *r)
{
	return r->scene.driver == TRAFFIC_INGRESS &&
	       !world_app(&r->world, "default", RUN_MODEL)->open;
}

static void check_weights(struct run *r, const struct world_split *split)
{
	bool excused = check_is_damaged(r) || r->check.asleep || is_unopened(r);
	int64_t sum = 0, whole = r->scene.driver == TRAFFIC_INGRESS ? 100 : 10000;

	for (unsigned i = 0; i < split->n; i++) {
		const struct world_backend *b = &split->v[i];
		const struct sim_object *service =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, b->service);

		sum += b->weight;
		if (b->weight && !excused && (!service || !world_endpoints(&r->world, service)))
			check_violate(r,
			              "weight %" PRId64 " on %s, which has no ready pod in service",
			              b->weight, b->service);
	}
	zone_route(r, split->v, split->n);
	if (sum != whole)
		check_violate(r, "weights sum to %" PRId64, sum);
}

/* The Service that an Ingress leads to selects the revision that gets the rest. */
static bool is_of_route(const struct run *r, const struct sim_object *o)
{
	if (r->scene.driver == TRAFFIC_NONE)
		return false;
	return o->resource == world_route_kind(r->scene.driver) ||
	       (r->scene.driver == TRAFFIC_INGRESS && o->resource == SIM_SERVICE &&
	        str_eq(o->name, RUN_MODEL));
}

static void check_route(struct run *r)
{
	struct world_rule rules[WORLD_RULES_MAX];

	if (!check_read_route(r, rules))
		return;
	check_weights(r, &rules[0].answers);
	audience_route(r, &rules[1]);
}

static int64_t pods_wanted(struct run *r)
{
	int64_t n = 0;

	for (struct sim_object *o = sim_next(r->cluster.api, SIM_REPLICASET, NULL); o;
	     o = sim_next(r->cluster.api, SIM_REPLICASET, o))
		n += is_ours(o) ? json_i64(json_get(o->json, "spec"), "replicas", 0) : 0;
	return n;
}

/* there: those that are not being deleted. Asked far more often than the store changes. */
static int64_t pods_serving(struct run *r, int64_t *there)
{
	struct check *c = &r->check;
	int64_t n = 0;

	*there = c->there;
	if (c->counted_at == r->cluster.api->changes)
		return c->serving;
	*there = 0;
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o)) {
		n += is_ours(o) && world_pod_ready(o) && world_pod_in_service(o);
		*there += is_ours(o) && !world_pod_deleting(o);
	}
	c->counted_at = r->cluster.api->changes;
	c->serving = n;
	c->there = *there;
	return n;
}

/* Pods of a version that gave way to another before it was promoted. */
static bool has_strays(struct run *r)
{
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o)) {
		const char *revision = world_label(o, TG_LABEL_REVISION);

		if (is_ours(o) && !str_eq(revision, r->check.stable) &&
		    !str_eq(revision, r->check.target))
			return true;
	}
	return false;
}

/* Pods of the revision wait for a node: what carries nothing may make way for them. */
static bool lacks_places(struct run *r, const char *revision)
{
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		if (str_eq(world_label(o, TG_LABEL_REVISION), revision) &&
		    !json_str(json_get(o->json, "spec"), "nodeName"))
			return true;
	return false;
}

/* Of a write, or of what became of one. */
static void check_counts(struct run *r)
{
	const struct user *u = &r->user;
	struct check *c = &r->check;
	int64_t there, wanted = pods_wanted(r), serving = pods_serving(r, &there);

	if (wanted > u->replicas + u->surge && wanted > c->wanted && !is_loose(r))
		check_violate(r, "%" PRId64 " pods wanted, %" PRId64 " + %" PRId64 " allowed",
		              wanted, u->replicas, u->surge);
	c->was_full = (c->was_full || serving >= u->replicas) && !is_loose(r) &&
	              !(lacks_places(r, c->stable) && (check_is_back(c->phase) || has_strays(r)));
	if (c->was_full && serving < u->replicas - u->unavailable)
		check_violate(r, "%" PRId64 " pods serve, %" PRId64 " - %" PRId64 " must", serving,
		              u->replicas, u->unavailable);
	c->wanted = wanted;
}

/* --- places -------------------------------------------------------------------------------- */

static int64_t cards_of(const struct json *resources)
{
	int64_t n = 0;

	str_to_i64(str_or(json_str(resources, "nvidia.com/gpu"), "0"), &n);
	return n;
}

static void check_place(struct run *r, const struct sim_object *pod)
{
	const char *name = json_str(json_get(pod->json, "spec"), "nodeName");
	const struct sim_object *node = name ? sim_get(r->cluster.api, SIM_NODE, NULL, name) : NULL;
	int64_t used = 0, there;

	if (!node)
		return;
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		if (str_eq(json_str(json_get(o->json, "spec"), "nodeName"), name))
			used += cards_of(json_path(
				json_first(json_path(o->json, "spec", "containers", NULL)),
				"resources", "limits", NULL));
	there = cards_of(json_path(node->json, "status", "allocatable", NULL));
	if (used > there)
		check_violate(r, "%" PRId64 " cards taken of %" PRId64 " on %s", used, there, name);
}

/* --- decisions ----------------------------------------------------------------------------- */

int64_t check_version_of(struct run *r, const char *revision)
{
	int64_t version = 0;

	for (struct sim_object *o = sim_next(r->cluster.api, SIM_REPLICASET, NULL); o;
	     o = sim_next(r->cluster.api, SIM_REPLICASET, o))
		if (is_ours(o) && str_eq(world_label(o, TG_LABEL_REVISION), revision))
			str_to_i64(str_or(json_str(json_path(o->json, "spec", "template",
			                                     "metadata", "annotations", NULL),
			                           TG_ANN_MODEL_VERSION),
			                  "0"),
			           &version);
	return version;
}

bool check_is_bad(const struct run *r, int64_t version)
{
	return version == 2 && r->scene.canary_is_bad;
}

/* Each order to promote ends one step, or all of them. */
static bool is_promoted(struct run *r)
{
	const struct check *c = &r->check;

	return c->promoted_full || ++r->check.skips <= c->promotes + c->approvals;
}

/* Who asks for a word waits for it; else a step ends after its hold, when something was measured.
 */
static void check_step_end(struct run *r, int64_t step, const char *zone_out)
{
	const struct check *c = &r->check;
	int64_t held = clock_wall_ms() - c->holding_wall_ms;
	int64_t silent = c->silent_since_ms ? run_now(r) - c->silent_since_ms : 0;
	bool holding = str_eq(c->phase, "Holding"), waiting = str_eq(c->phase, "AwaitingApproval");
	bool unasked = waiting || user_must_approve(r, c->step);
	bool early = held < c->hold_ms - HOLD_SLACK_MS && !c->clock_jumped;

	if (step <= c->step || !(holding || waiting) || c->steps_changed ||
	    !(unasked || zone_out || early || silent >= SILENT_MS) || is_promoted(r))
		return;
	if (unasked)
		check_violate(r, "step %" PRId64 " ended, and nobody approved", c->step);
	else if (zone_out)
		check_violate(r, "step %" PRId64 " ended while zone %s is out", c->step, zone_out);
	else if (early)
		check_violate(r, "step %" PRId64 " ended after %" PRId64 " of %" PRId64 " ms",
		              c->step, held, c->hold_ms);
	else
		check_violate(r, "step %" PRId64 " ended, with nothing measured for %" PRId64 " ms",
		              c->step, silent);
}

/* A step is reached when its weight is in force at the gateway, not when it was asked for. */
static void check_arrival(struct run *r, const struct json *status, const char *target)
{
	struct world_app *a = world_app(&r->world, "default", RUN_MODEL);
	int64_t weight = json_i64(json_get(status, "traffic"), "weight", 0), part = 0, sum = 0;

	for (unsigned i = 0; i < a->rules[0].answers.n; i++) {
		const struct world_backend *b = &a->rules[0].answers.v[i];
		const struct sim_object *s = sim_get(r->cluster.api, SIM_SERVICE, NULL, b->service);

		sum += b->weight;
		part += s && str_eq(world_service_revision(s), target) ? b->weight : 0;
	}
	if (sum && !is_loose(r) && !r->check.route_reset && llabs(100 * part - weight * sum) > sum)
		check_violate(r,
		              "%" PRId64 " %% reached, and %" PRId64 " of %" PRId64
		              " in force at the gateway",
		              weight, part, sum);
}

static bool gets_requests(struct run *r, const char *revision, const char *zone)
{
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		if (is_ours(o) && o->world.counts.rate + o->world.counts.copies > 0 &&
		    str_eq(world_label(o, TG_LABEL_REVISION), revision) &&
		    str_eq(world_zone_of(&r->world, o), zone))
			return true;
	return false;
}

/*
 * A zone gets worse as a whole, and of the two versions the new one alone serves there: no count
 * tells that from a bad version. What a judge has seen it goes on holding against the release.
 */
static void note_lonely(struct run *r)
{
	struct check *c = &r->check;
	const char *zone = r->user.incident_until_ms ? r->user.incident_zone : "";

	if (*zone && gets_requests(r, c->target, zone) && !gets_requests(r, c->stable, zone))
		c->lonely_ms = run_now(r);
}

static bool is_upset(const struct run *r)
{
	return r->check.lonely_ms && r->check.lonely_ms >= r->check.target_ms;
}

/* Chance of so many or more where so many are expected (Poisson). */
static double chance_of(double errors, double expected)
{
	double less = 0;

	for (int64_t i = 0; i < (int64_t)errors; i++)
		less += exp((double)i * log(expected) - expected - lgamma((double)i + 1));
	return 1 - less;
}

/* Chance that of n errors so many or more fall to the one that has this part of them (binomial). */
static double chance_of_split(double n, double mine, double part)
{
	double more = 0;

	for (int64_t k = (int64_t)mine; k <= (int64_t)n; k++) {
		double i = (double)k;

		more += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(part) +
		            (n - i) * log1p(-part));
	}
	return more;
}

/* How far back: a judge is its leader's, so what it saw may be less than the release's. */
enum since { SINCE_RELEASE, SINCE_JUDGE };

static struct sim_draws draws_of(struct run *r, const char *revision, enum since since)
{
	struct sim_draws d = {0, 0};

	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o)) {
		const struct sim_counts *c = &o->world.counts;

		if (!is_ours(o) || !str_eq(world_label(o, TG_LABEL_REVISION), revision))
			continue;
		d.errors += c->drawn.errors - c->before[since].errors;
		d.expected += c->drawn.expected - c->before[since].expected;
	}
	return d;
}

/*
 * Chance drew so many errors more than they are made to have for the target's pods, or of all of
 * them so many for these, as it does once in 1 / alpha releases, and so often a judge may be wrong.
 * Whatever errors an incident brings are expected, so a judge that holds those against the target
 * is not excused.
 */
static bool has_drawn_badly(struct run *r, enum since since)
{
	struct sim_draws new = draws_of(r, r->check.target, since);
	struct sim_draws old = draws_of(r, r->check.stable, since);
	double all = new.expected + old.expected;

	return chance_of(new.errors, new.expected) < JUDGE_ALPHA ||
	       (old.expected > 0 && chance_of_split(new.errors + old.errors, new.errors,
	                                            new.expected / all) < JUDGE_ALPHA);
}

static bool is_unlucky(struct run *r)
{
	return has_drawn_badly(r, SINCE_RELEASE) || has_drawn_badly(r, SINCE_JUDGE);
}

/* Of a version that is not bad. */
static void check_verdict(struct run *r)
{
	struct check *c = &r->check;

	if (is_upset(r))
		return;
	c->unlucky = is_unlucky(r);
	if (!c->unlucky)
		check_violate(r, "good version %" PRId64 " was judged worse",
		              check_version_of(r, c->target));
}

static void check_retreat(struct run *r, const char *phase, const char *reason)
{
	struct check *c = &r->check;

	if (!check_is_back(phase) || check_is_back(c->phase))
		return;
	if (str_eq(reason, "JudgeFailed") && !check_is_bad(r, check_version_of(r, c->target)))
		check_verdict(r);
	if (str_eq(reason, "Aborted") && ++c->retreats > c->aborts)
		check_violate(r, "%u times aborted by %u orders", c->retreats, c->aborts);
	if (str_eq(reason, "RollbackOrdered") && ++c->returns > c->rollbacks)
		check_violate(r, "%u times rolled back by %u orders", c->returns, c->rollbacks);
}

/* It is there for what no plan can get over, and must not be what gets a plan on. */
static void check_deadline(struct run *r, const struct json *status, const char *reason)
{
	static const char passed[] = "ProgressDeadlineExceeded";
	const struct json *stalled = json_condition(json_get(status, "conditions"), "Stalled");
	bool told = str_eq(json_str(stalled, "reason"), passed) &&
	            str_eq(json_str(stalled, "status"), "True");

	if ((told || str_eq(reason, passed)) && !r->check.clock_jumped)
		check_violate(r, "nothing has moved for as long as the deadline: %s",
		              str_or(json_str(json_get(status, "rollout"), "message"), ""));
}

static void check_pause(struct run *r, const char *phase)
{
	struct check *c = &r->check;

	if (str_eq(phase, "Paused") && !str_eq(c->phase, "Paused") &&
	    ++c->stops > c->pauses + c->breaches)
		check_violate(r, "%u pauses by %u orders and %u breaches", c->stops, c->pauses,
		              c->breaches);
}

static void check_stable(struct run *r, const char *stable)
{
	const struct check *c = &r->check;

	if (!str_eq(stable, c->stable) && check_is_bad(r, check_version_of(r, stable)) &&
	    !c->promotes && !c->rollbacks)
		check_violate(r, "a bad version became stable");
}

const char *check_zone_out(const struct json *status)
{
	static const char *const in[] = {"Healthy", "Suspect", "Impaired"};
	const struct json *it;

	json_for_each (it, json_get(status, "zones")) {
		bool out = true;

		for (size_t i = 0; i < ARRAY_SIZE(in); i++)
			out &= !str_eq(json_str(it, "state"), in[i]);
		if (out)
			return json_str(it, "name");
	}
	return NULL;
}

static bool is_resumed(const struct run *r, int64_t step)
{
	return str_eq(r->check.phase, "Paused") && step == r->check.holding_step;
}

static void note_draws(struct run *r, enum since since)
{
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		o->world.counts.before[since] = o->world.counts.drawn;
}

/* Another release: one in mid-incident began after that had. `newest`: by the newest spec. */
static void check_target(struct run *r, bool newest)
{
	struct check *c = &r->check;

	if (newest)
		c->steps_changed = false;
	if (r->user.incident_until_ms)
		c->incident_ms = run_now(r);
	c->target_ms = run_now(r);
	c->unlucky = false;
	note_draws(r, SINCE_RELEASE);
	note_draws(r, SINCE_JUDGE);
}

static void check_status(struct run *r, const struct sim_object *o)
{
	const struct json *status = json_get(o->json, "status");
	const struct json *rollout = json_get(status, "rollout");
	const char *phase = str_or(json_str(rollout, "phase"), "");
	const char *target = str_or(json_str(status, "targetRevision"), "");
	const char *stable = str_or(json_str(status, "stableRevision"), "");
	const char *started = str_or(json_str(rollout, "startedTime"), "");
	const char *zone_out = check_zone_out(status);
	int64_t step = json_i64(rollout, "step", 0);
	struct check *c = &r->check;

	if (zone_out)
		c->damage_ms = run_now(r);
	/* What gave way and was ordered back at once is the same target of another release. */
	if (str_eq(target, c->target) && str_eq(started, c->started))
		check_step_end(r, step, zone_out);
	else
		check_target(r, json_i64(status, "observedGeneration", 0) == o->generation);
	zone_status(r, status);
	slo_status(r, status);
	check_retreat(r, phase, str_or(json_str(rollout, "reason"), ""));
	check_deadline(r, status, str_or(json_str(rollout, "reason"), ""));
	check_pause(r, phase);
	check_stable(r, stable);
	/* A pause does not stop the clock of a hold. */
	if (str_eq(phase, "Holding") && (!(str_eq(c->phase, "Holding") || is_resumed(r, step)) ||
	                                 step != c->step || !str_eq(target, c->target))) {
		check_arrival(r, status, target);
		if (!is_loose(r) && !c->route_reset && !c->steps_changed)
			audience_reached(r, step, target);
		c->holding_wall_ms = clock_wall_ms();
		c->hold_ms = user_hold(r, step);
		c->holding_step = step;
	}
	str_copy(c->phase, sizeof(c->phase), phase);
	str_copy(c->target, sizeof(c->target), target);
	str_copy(c->started, sizeof(c->started), started);
	str_copy(c->stable, sizeof(c->stable), stable);
	c->step = step;
}

/* --- after each event ---------------------------------------------------------------------- */

static void check_lease(struct run *r, const char *agent, const struct sim_object *o)
{
	const char *holder = json_str(json_get(o->json, "spec"), "holderIdentity");

	if (str_empty(holder))
		agent = "";
	else if (!str_eq(agent, r->holder))
		note_draws(r, SINCE_JUDGE);
	str_copy(r->holder, sizeof(r->holder), agent);
}

void check_written(void *arg, const char *agent, const struct sim_object *o)
{
	struct run *r = arg;

	r->result->writes++;
	if (o->resource == SIM_LEASE && str_eq(o->name, CLUSTER_LEASE))
		check_lease(r, agent, o);
	if (o->resource == SIM_LEASE || o->resource == SIM_EVENT)
		return;
	if (r->check.light_is_new && (is_ours(o) || str_eq(o->name, RUN_MODEL))) {
		r->check.light_ms = run_now(r);
		r->check.light_is_new = false;
	}
	if (!str_eq(agent, r->holder))
		check_violate(r, "%s wrote %s %s while %s leads", agent,
		              sim_kinds[o->resource].kind, o->name, r->holder);
	if (is_of_route(r, o))
		check_route(r);
	if (o->resource == SIM_POD)
		check_place(r, o);
	if (o->resource == SIM_MDEP && str_eq(o->name, RUN_MODEL))
		check_status(r, o);
	check_counts(r);
}

/* Done and undone in turns, at each look: no state that is checked need ever be wrong. */
static void check_writes(struct run *r)
{
	uint64_t most = WRITES_MAX + (uint64_t)(run_now(r) / 1000 * WRITES_A_SECOND);

	if (r->result->writes > most)
		check_violate(r, "%" PRIu64 " writes: it goes round in circles", r->result->writes);
}

void check_tick(struct run *r)
{
	struct check *c = &r->check;
	int64_t there;

	if (r->user.dark_until_ms || r->user.node_due_ms)
		c->damage_ms = run_now(r);
	if (!user_metrics_are_silent(r))
		c->silent_since_ms = 0;
	else if (!c->silent_since_ms)
		c->silent_since_ms = run_now(r);
	check_counts(r);
	check_writes(r);
	note_lonely(r);
	slo_tick(r);
	loss_tick(r, pods_serving(r, &there));
}

/* --- the end ------------------------------------------------------------------------------- */

/* Without a gateway each pod in service gets its part. */
static bool all_are_stable(struct run *r)
{
	for (struct sim_object *o = sim_next(r->cluster.api, SIM_POD, NULL); o;
	     o = sim_next(r->cluster.api, SIM_POD, o))
		if (is_ours(o) && !str_eq(world_label(o, TG_LABEL_REVISION), r->check.stable))
			return false;
	return true;
}

static bool all_to_stable(struct run *r)
{
	struct world_rule rules[WORLD_RULES_MAX];
	const struct world_split *split = &rules[0].answers;

	if (!check_read_route(r, rules) || !split->n || rules[1].answers.n || rules[0].copies.n)
		return false;
	for (unsigned i = 0; i < split->n; i++) {
		const struct sim_object *s =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, split->v[i].service);

		if (split->v[i].weight &&
		    (!s || !str_eq(world_service_revision(s), r->check.stable)))
			return false;
	}
	return true;
}

/* Not judged worse, but held for as long as its score is no better. */
static bool is_in_doubt(struct run *r)
{
	const struct sim_object *o = sim_get(r->cluster.api, SIM_MDEP, NULL, RUN_MODEL);

	return json_i64(json_path(o->json, "status", "score", NULL), "score", 100) < MIN_SCORE;
}

/* What is missing to the end, NULL when nothing is. */
static const char *missing(struct run *r)
{
	const struct sim_object *o = sim_get(r->cluster.api, SIM_MDEP, NULL, RUN_MODEL);
	const struct json *status = json_get(o->json, "status");
	const struct check *c = &r->check;
	int64_t there, serving;

	if (r->user.began_ms && (!r->user.calm_ms || run_now(r) < r->user.calm_ms + CALM_MS))
		return "people are still at it";
	if (!*c->stable || json_i64(status, "observedGeneration", 0) < o->generation)
		return "the spec was not looked at";
	if (!*c->phase ? !str_eq(c->stable, c->target)
	               : !str_eq(c->phase, "RolledBack") && !str_eq(c->phase, "Aborted"))
		return "the release is under way";
	serving = pods_serving(r, &there);
	if (serving != r->user.replicas || there != r->user.replicas)
		return "pods are missing or too many";
	if (r->user.began_ms && others_missing(r))
		return others_missing(r);
	if (c->zone_out)
		return "a zone is still out";
	return (r->scene.driver == TRAFFIC_NONE ? all_are_stable(r) : all_to_stable(r))
	               ? NULL
	               : "traffic goes elsewhere than to the stable revision";
}

bool check_settled(struct run *r)
{
	const char *what = missing(r);
	int64_t from = r->user.calm_ms > RUN_FAULTS_MS ? r->user.calm_ms : RUN_FAULTS_MS;

	if (!what) {
		r->result->promoted = !*r->check.phase;
		r->result->rolled_back = str_eq(r->check.phase, "RolledBack");
		return true;
	}
	if ((!r->user.calm_ms && r->user.began_ms) || run_now(r) <= from + RUN_LIVENESS_MS)
		return false;
	r->check.unlucky = is_in_doubt(r) && is_unlucky(r);
	if (!r->check.unlucky)
		check_violate(r, "it does not come to an end: %s; phase %s, step %" PRId64, what,
		              *r->check.phase ? r->check.phase : "idle", r->check.step);
	return r->check.unlucky;
}

void check_end(struct run *r)
{
	bool bad = check_is_bad(r, r->user.version);

	if (bad == r->result->promoted && !r->check.unlucky)
		check_violate(r, "a %s version was %s", bad ? "bad" : "good",
		              bad ? "promoted" : "taken back");
	if (r->result->lost > 0)
		check_violate(r, "%.0f requests lost", r->result->lost);
}
