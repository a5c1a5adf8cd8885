/*
 * status of a ModelDeployment: everything that is needed to go on after a restart, and a summary
 * for people. Encoding depends on the status alone (and the object's name), so two statuses
 * that mean the same have the same text. Instants of the rollout keep milliseconds; those of
 * conditions have the whole seconds of metav1.Time.
 */
#include <stdio.h>
#include <string.h>

#include "project.h"
#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

/* The schema's bounds in bytes; longer texts are cut, for a refused status would be worse. */
#define MESSAGE_MAX 1024
#define VALUE_MAX   256
#define WORD_MAX    63

static const char *const verb_names[] = {
	[ORDER_ABORT] = "abort",   [ORDER_PAUSE] = "pause",
	[ORDER_RESUME] = "resume", [ORDER_ROLLBACK_TO] = "rollback-to",
	[ORDER_RETRY] = "retry",   [ORDER_PROMOTE] = "promote",
	[ORDER_RETURN] = "return", [ORDER_EVACUATE] = "evacuate",
};

static const char *const phase_names[] = {
	[ROLLOUT_IDLE] = "",
	[ROLLOUT_MOVING] = "Progressing",
	[ROLLOUT_HOLDING] = "Holding",
	[ROLLOUT_APPROVAL] = "AwaitingApproval",
	[ROLLOUT_PAUSED] = "Paused",
	[ROLLOUT_COMPLETING] = "Completing",
	[ROLLOUT_ROLLING_BACK] = "RollingBack",
	[ROLLOUT_ROLLED_BACK] = "RolledBack",
	[ROLLOUT_ABORTED] = "Aborted",
};

const char *mdep_verb_name(enum mdep_verb v)
{
	return verb_names[v];
}

const char *rollout_phase_name(enum rollout_phase p)
{
	return phase_names[p];
}

struct mdep_revision_status *mdep_revision_find(const struct mdep_status *s, const char *name)
{
	for (unsigned i = 0; name && i < s->nrevisions; i++)
		if (str_eq(s->revisions[i].name, name))
			return (struct mdep_revision_status *)&s->revisions[i];
	return NULL;
}

/* --- encoding ---------------------------------------------------------------------------- */

/* Empty texts are left out: absent and empty mean the same in status. */
static void write_text(struct json_writer *w, const char *key, const char *s, size_t max)
{
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	if (!str_empty(s))
		jw_str(w, key, text_cut(&a, s, max));
}

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms)
		jw_str(w, key, clock_format_ms(ms, text));
}

/* Weight asked for, and while the gateway does not show it yet, what it shows: "5%->25%". */
static void write_weight_summary(struct json_writer *w, const struct mdep_status *s)
{
	if (s->phase == ROLLOUT_IDLE)
		return;
	if (s->weight == s->verified_weight)
		jw_strf(w, "weight", "%d%%", s->weight);
	else
		jw_strf(w, "weight", "%d%%->%d%%", s->verified_weight, s->weight);
}

/* What `kubectl get` shows: short words, derived from the rest and never read back. */
static void write_summary(struct json_writer *w, const struct mdep_status *s)
{
	const char *idle = s->stable ? "Stable" : "Pending";
	int step = s->step < s->nsteps ? s->step + 1 : s->nsteps;

	jw_object(w, "summary");
	jw_str(w, "phase", s->phase == ROLLOUT_IDLE ? idle : rollout_phase_name(s->phase));
	if (s->phase != ROLLOUT_IDLE && s->nsteps)
		jw_strf(w, "step", "%d/%d", step, s->nsteps);
	write_weight_summary(w, s);
	jw_strf(w, "pods", "%d/%d", s->ready_replicas, s->replicas);
	jw_end_object(w);
}

/* Pods that carry the service: what an autoscaler may measure. */
static void write_selector(struct json_writer *w, const struct mdep *m, const struct mdep_status *s)
{
	const char *revision = s->stable ? s->stable : s->target;

	if (revision)
		jw_strf(w, "selector", TG_LABEL_NAME "=%s," TG_LABEL_REVISION "=%s", m->meta.name,
		        revision);
	else
		jw_strf(w, "selector", TG_LABEL_NAME "=%s", m->meta.name);
}

static void write_rollout(struct json_writer *w, const struct mdep_status *s)
{
	jw_object(w, "rollout");
	write_text(w, "phase", rollout_phase_name(s->phase), VALUE_MAX);
	write_text(w, "pausedFrom", rollout_phase_name(s->paused_from), VALUE_MAX);
	jw_i64(w, "step", s->step);
	jw_i64(w, "steps", s->nsteps);
	write_text(w, "stepsHash", s->steps_hash, WORD_MAX);
	write_time(w, "stepStartedTime", s->step_started_ms);
	write_time(w, "stepReachedTime", s->step_reached_ms);
	write_time(w, "holdUntilTime", s->hold_until_ms);
	write_time(w, "watchedTime", s->watched_ms);
	write_time(w, "startedTime", s->started_ms);
	write_time(w, "finishedTime", s->finished_ms);
	write_time(w, "progressTime", s->progress_ms);
	write_text(w, "reason", s->reason, VALUE_MAX);
	write_text(w, "message", s->message, MESSAGE_MAX);
	write_text(w, "returnTo", s->return_to, WORD_MAX);
	write_text(w, "returnFrom", s->return_from, WORD_MAX);
	jw_end_object(w);
}

static void write_traffic(struct json_writer *w, const struct mdep_status *s)
{
	jw_object(w, "traffic");
	jw_i64(w, "weight", s->weight);
	jw_i64(w, "verifiedWeight", s->verified_weight);
	write_time(w, "setTime", s->weight_set_ms);
	write_time(w, "verifiedTime", s->weight_verified_ms);
	if (s->observed_permille >= 0)
		jw_i64(w, "observedPermille", s->observed_permille);
	jw_array(w, "weights");
	for (unsigned i = 0; i < s->nweights; i++) {
		jw_object(w, NULL);
		jw_str(w, "revision", str_or(s->weights[i].revision, ""));
		write_text(w, "zone", s->weights[i].zone, WORD_MAX);
		jw_i64(w, "share", s->weights[i].weight);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}

/*
 * The message is always written: a server-side apply that drops the last field of an object
 * leaves null in its place, which the schema refuses.
 */
static void write_score(struct json_writer *w, const struct mdep_status *s)
{
	jw_object(w, "score");
	if (s->nscore_groups)
		jw_array(w, "groups");
	for (unsigned i = 0; i < s->nscore_groups; i++) {
		jw_object(w, NULL);
		write_text(w, "name", s->score_groups[i].name, VALUE_MAX);
		if (s->score_groups[i].score >= 0)
			jw_i64(w, "score", s->score_groups[i].score);
		write_text(w, "message", s->score_groups[i].text, VALUE_MAX);
		jw_end_object(w);
	}
	if (s->nscore_groups)
		jw_end_array(w);
	write_text(w, "verdict", s->verdict, VALUE_MAX);
	if (s->score >= 0)
		jw_i64(w, "score", s->score);
	if (str_empty(s->score_message))
		jw_str(w, "message", "");
	else
		write_text(w, "message", s->score_message, MESSAGE_MAX);
	jw_end_object(w);
}

/* A burn rate is no whole number, and floats do not belong into an API: it is a text. */
static void write_burn(struct json_writer *w, const char *key, int centi)
{
	jw_strf(w, key, "%d.%02d", centi / 100, centi % 100);
}

static const char *const requests_keys[MDEP_RECENT_MAX] = {
	"requests5m", "requests30m", "requests1h", "requests6h", "requests3d"};
static const char *const bad_keys[MDEP_RECENT_MAX] = {"bad5m", "bad30m", "bad1h", "bad6h", "bad3d"};

static void write_recent(struct json_writer *w, const char *key, const struct mdep_recent_counts *c)
{
	if (!c->since_ms)
		return;
	jw_object(w, key);
	write_text(w, "revision", c->revision, WORD_MAX);
	write_time(w, "sinceTime", c->since_ms);
	for (unsigned i = 0; i < MDEP_RECENT_MAX; i++) {
		jw_i64(w, requests_keys[i], c->requests[i]);
		jw_i64(w, bad_keys[i], c->bad[i]);
	}
	jw_end_object(w);
}

static void write_slo(struct json_writer *w, const struct mdep_status *s)
{
	if (str_empty(s->previous) && !s->promoted_ms && !s->returned_ms && !s->nobjectives)
		return;
	jw_object(w, "slo");
	write_text(w, "previousRevision", s->previous, WORD_MAX);
	write_time(w, "promotedTime", s->promoted_ms);
	write_time(w, "returnedTime", s->returned_ms);
	write_time(w, "countedTime", s->counted_ms);
	jw_array(w, "objectives");
	for (unsigned i = 0; i < s->nobjectives; i++) {
		const struct mdep_objective_status *o = &s->objectives[i];

		jw_object(w, NULL);
		jw_str(w, "name", str_or(o->name, ""));
		jw_i64(w, "requests", o->requests);
		jw_i64(w, "bad", o->bad);
		write_time(w, "sinceTime", o->since_ms);
		jw_i64(w, "budgetLeftPercent", o->budget_left);
		write_burn(w, "burn1h", o->burn_centi[0]);
		write_burn(w, "burn6h", o->burn_centi[1]);
		write_burn(w, "burn3d", o->burn_centi[2]);
		write_recent(w, "all", &o->all);
		write_recent(w, "stable", &o->stable);
		write_recent(w, "target", &o->target);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}

static void write_revisions(struct json_writer *w, const struct mdep_status *s)
{
	jw_array(w, "revisions");
	for (unsigned i = 0; i < s->nrevisions; i++) {
		const struct mdep_revision_status *r = &s->revisions[i];

		jw_object(w, NULL);
		jw_str(w, "name", str_or(r->name, ""));
		write_text(w, "modelVersion", r->model_version, VALUE_MAX);
		jw_i64(w, "number", r->number);
		write_time(w, "createdTime", r->created_ms);
		write_text(w, "result", r->result, WORD_MAX);
		write_time(w, "retiredTime", r->retired_ms);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_orders(struct json_writer *w, const struct mdep_status *s)
{
	jw_array(w, "orders");
	for (unsigned i = 0; i < s->norders; i++) {
		const struct mdep_order_status *o = &s->orders[i];

		jw_object(w, NULL);
		jw_str(w, "order", mdep_verb_name(o->verb));
		write_text(w, "value", o->value, VALUE_MAX);
		write_text(w, "revision", o->revision, WORD_MAX);
		write_text(w, "outcome", o->outcome, WORD_MAX);
		write_text(w, "message", o->message, MESSAGE_MAX);
		write_time(w, "time", o->time_ms);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_conditions(struct json_writer *w, const struct mdep_status *s)
{
	char stamp[CLOCK_RFC3339_MAX];

	jw_array(w, "conditions");
	for (unsigned i = 0; i < s->nconditions; i++) {
		const struct mdep_condition *c = &s->conditions[i];

		jw_object(w, NULL);
		jw_str(w, "type", c->type);
		jw_str(w, "status", str_or(c->status, "Unknown"));
		jw_i64(w, "observedGeneration", c->observed_generation);
		jw_str(w, "lastTransitionTime", clock_format(c->transition_ms, stamp));
		jw_str(w, "reason", str_empty(c->reason) ? "Unknown" : c->reason);
		/* Required by metav1.Condition, so written even when empty. */
		if (str_empty(c->message))
			jw_str(w, "message", "");
		else
			write_text(w, "message", c->message, MESSAGE_MAX);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* Zones that are simply healthy are not named, and without any other the list is left out. */
static void write_zones(struct json_writer *w, const struct mdep_status *s)
{
	if (!s->nzones)
		return;
	jw_array(w, "zones");
	for (unsigned i = 0; i < s->nzones; i++) {
		const struct mdep_zone_status *z = &s->zones[i];

		jw_object(w, NULL);
		jw_str(w, "name", z->name);
		jw_str(w, "state", zone_state_name(z->state));
		write_text(w, "reason", z->reason, WORD_MAX);
		write_text(w, "objective", z->objective, WORD_MAX);
		jw_i64(w, "percent", z->percent);
		write_time(w, "sinceTime", z->since_ms);
		if (z->relapses)
			jw_i64(w, "evacuations", z->relapses);
		write_time(w, "evacuatedTime", z->relapse_ms);
		write_time(w, "orderedUntilTime", z->ordered_until_ms);
		write_text(w, "orderedReason", z->ordered_reason, VALUE_MAX);
		write_text(w, "shift", z->shift, VALUE_MAX);
		write_time(w, "shiftUntilTime", z->shift_until_ms);
		write_text(w, "refused", z->refused, WORD_MAX);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_status(struct json_writer *w, const struct mdep *m, const struct mdep_status *s)
{
	jw_object(w, "status");
	jw_i64(w, "observedGeneration", s->observed_generation);
	write_selector(w, m, s);
	write_text(w, "stableRevision", s->stable, WORD_MAX);
	write_text(w, "targetRevision", s->target, WORD_MAX);
	jw_i64(w, "replicas", s->replicas);
	jw_i64(w, "readyReplicas", s->ready_replicas);
	jw_i64(w, "updatedReplicas", s->updated_replicas);
	jw_i64(w, "stableReplicas", s->stable_replicas);
	write_summary(w, s);
	write_rollout(w, s);
	write_traffic(w, s);
	write_score(w, s);
	write_slo(w, s);
	write_revisions(w, s);
	write_orders(w, s);
	write_zones(w, s);
	write_conditions(w, s);
	jw_end_object(w);
}

int mdep_status_encode(const struct mdep *m, const struct mdep_status *s, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", "ModelDeployment");
	jw_object(&w, "metadata");
	jw_str(&w, "name", m->meta.name);
	jw_str(&w, "namespace", m->meta.namespace);
	jw_end_object(&w);
	write_status(&w, m, s);
	jw_end_object(&w);
	return jw_end(&w);
}

/* --- decoding ---------------------------------------------------------------------------- */

static int name_index(const char *s, const char *const *names, size_t n, int fallback)
{
	for (size_t i = 0; s && i < n; i++)
		if (str_eq(s, names[i]))
			return (int)i;
	return fallback;
}

static enum rollout_phase phase_parse(const char *s)
{
	return (enum rollout_phase)name_index(s, phase_names, ARRAY_SIZE(phase_names),
	                                      ROLLOUT_IDLE);
}

static void read_rollout(const struct json *o, struct mdep_status *s)
{
	s->phase = phase_parse(json_str(o, "phase"));
	s->paused_from = phase_parse(json_str(o, "pausedFrom"));
	s->step = json_int(o, "step", 0);
	s->nsteps = json_int(o, "steps", 0);
	s->steps_hash = json_str(o, "stepsHash");
	s->step_started_ms = json_time(o, "stepStartedTime");
	s->step_reached_ms = json_time(o, "stepReachedTime");
	s->hold_until_ms = json_time(o, "holdUntilTime");
	s->watched_ms = json_time(o, "watchedTime");
	s->started_ms = json_time(o, "startedTime");
	s->finished_ms = json_time(o, "finishedTime");
	s->progress_ms = json_time(o, "progressTime");
	s->reason = json_str(o, "reason");
	s->message = json_str(o, "message");
	s->return_to = json_str(o, "returnTo");
	s->return_from = json_str(o, "returnFrom");
}

/* NULL for an empty list. */
static void *room_for(struct arena *a, const struct json *list, size_t max, size_t size)
{
	size_t n = json_size(list);

	return n ? arena_array(a, n < max ? n : max, size) : NULL;
}

static void read_traffic(const struct json *o, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->weight = json_int(o, "weight", 0);
	s->verified_weight = json_int(o, "verifiedWeight", 0);
	s->weight_set_ms = json_time(o, "setTime");
	s->weight_verified_ms = json_time(o, "verifiedTime");
	s->observed_permille = json_int(o, "observedPermille", -1);
	s->weights = room_for(a, json_get(o, "weights"), MDEP_WEIGHTS_MAX, sizeof(*s->weights));
	json_for_each (it, json_get(o, "weights")) {
		if (s->nweights == MDEP_WEIGHTS_MAX)
			break;
		s->weights[s->nweights++] =
			(struct mdep_weight){.revision = str_or(json_str(it, "revision"), ""),
		                             .zone = str_or(json_str(it, "zone"), ""),
		                             .weight = json_int(it, "share", 0)};
	}
}

static int read_burn(const struct json *o, const char *key)
{
	double v;

	if (!json_str(o, key) || !str_to_double(json_str(o, key), &v) || !(v >= 0 && v <= 1e6))
		return 0;
	return (int)(v * 100 + 0.5);
}

static uint32_t read_count(const struct json *o, const char *key)
{
	int64_t v = json_i64(o, key, 0);

	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static struct mdep_recent_counts read_recent(const struct json *o)
{
	struct mdep_recent_counts c = {.revision = json_str(o, "revision"),
	                               .since_ms = json_time(o, "sinceTime")};

	for (unsigned i = 0; i < MDEP_RECENT_MAX; i++) {
		c.requests[i] = read_count(o, requests_keys[i]);
		c.bad[i] = read_count(o, bad_keys[i]);
	}
	return c;
}

static void read_slo(const struct json *o, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->previous = json_str(o, "previousRevision");
	s->promoted_ms = json_time(o, "promotedTime");
	s->returned_ms = json_time(o, "returnedTime");
	s->counted_ms = json_time(o, "countedTime");
	s->objectives =
		room_for(a, json_get(o, "objectives"), MDEP_OBJECTIVES_MAX, sizeof(*s->objectives));
	json_for_each (it, json_get(o, "objectives")) {
		if (s->nobjectives == MDEP_OBJECTIVES_MAX)
			break;
		s->objectives[s->nobjectives++] = (struct mdep_objective_status){
			.name = str_or(json_str(it, "name"), ""),
			.requests = json_i64(it, "requests", 0),
			.bad = json_i64(it, "bad", 0),
			.since_ms = json_time(it, "sinceTime"),
			.budget_left = json_int(it, "budgetLeftPercent", 0),
			.burn_centi = {read_burn(it, "burn1h"), read_burn(it, "burn6h"),
		                       read_burn(it, "burn3d")},
			.all = read_recent(json_get(it, "all")),
			.stable = read_recent(json_get(it, "stable")),
			.target = read_recent(json_get(it, "target"))};
	}
}

static void read_revisions(const struct json *list, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->revisions = room_for(a, list, MDEP_REVISIONS_MAX, sizeof(*s->revisions));
	json_for_each (it, list) {
		if (s->nrevisions == MDEP_REVISIONS_MAX)
			break;
		s->revisions[s->nrevisions++] =
			(struct mdep_revision_status){.name = str_or(json_str(it, "name"), ""),
		                                      .model_version = json_str(it, "modelVersion"),
		                                      .number = json_i64(it, "number", 0),
		                                      .created_ms = json_time(it, "createdTime"),
		                                      .result = str_or(json_str(it, "result"), ""),
		                                      .retired_ms = json_time(it, "retiredTime")};
	}
}

static void read_orders(const struct json *list, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->orders = room_for(a, list, MDEP_ORDERS_MAX, sizeof(*s->orders));
	json_for_each (it, list) {
		int verb =
			name_index(json_str(it, "order"), verb_names, ARRAY_SIZE(verb_names), -1);

		if (verb < 0 || s->norders == MDEP_ORDERS_MAX)
			continue;
		s->orders[s->norders++] =
			(struct mdep_order_status){.verb = (enum mdep_verb)verb,
		                                   .value = str_or(json_str(it, "value"), ""),
		                                   .revision = json_str(it, "revision"),
		                                   .outcome = json_str(it, "outcome"),
		                                   .message = json_str(it, "message"),
		                                   .time_ms = json_time(it, "time")};
	}
}

static void read_zones(const struct json *list, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->zones = room_for(a, list, MDEP_ZONES_MAX, sizeof(*s->zones));
	json_for_each (it, list) {
		if (s->nzones == MDEP_ZONES_MAX)
			break;
		s->zones[s->nzones++] = (struct mdep_zone_status){
			.name = str_or(json_str(it, "name"), ""),
			.state = zone_state_parse(json_str(it, "state")),
			.reason = str_or(json_str(it, "reason"), ""),
			.objective = json_str(it, "objective"),
			.percent = json_int(it, "percent", 100),
			.since_ms = json_time(it, "sinceTime"),
			.relapses = json_int(it, "evacuations", 0),
			.relapse_ms = json_time(it, "evacuatedTime"),
			.ordered_until_ms = json_time(it, "orderedUntilTime"),
			.ordered_reason = json_str(it, "orderedReason"),
			.shift = json_str(it, "shift"),
			.shift_until_ms = json_time(it, "shiftUntilTime"),
			.refused = json_str(it, "refused")};
	}
}

static void read_conditions(const struct json *list, struct mdep_status *s, struct arena *a)
{
	const struct json *it;

	s->conditions = room_for(a, list, MDEP_CONDITIONS_MAX, sizeof(*s->conditions));
	json_for_each (it, list) {
		if (!json_str(it, "type") || s->nconditions == MDEP_CONDITIONS_MAX)
			continue;
		s->conditions[s->nconditions++] = (struct mdep_condition){
			.type = json_str(it, "type"),
			.status = str_or(json_str(it, "status"), "Unknown"),
			.reason = str_or(json_str(it, "reason"), "Unknown"),
			.message = str_or(json_str(it, "message"), ""),
			.transition_ms = json_time(it, "lastTransitionTime"),
			.observed_generation = json_i64(it, "observedGeneration", 0)};
	}
}

static void read_score(const struct json *score, struct mdep_status *out, struct arena *a)
{
	const struct json *list = json_get(score, "groups"), *it;
	struct mdep_group_score *groups = room_for(a, list, MDEP_GROUPS_MAX, sizeof(*groups));

	out->verdict = str_or(json_str(score, "verdict"), "");
	out->score = json_int(score, "score", -1);
	out->score_message = json_str(score, "message");
	out->score_groups = groups;
	json_for_each (it, json_is_array(list) ? list : NULL)
		if (out->nscore_groups < MDEP_GROUPS_MAX)
			groups[out->nscore_groups++] = (struct mdep_group_score){
				str_or(json_str(it, "name"), ""), json_int(it, "score", -1),
				json_str(it, "message")};
}

void mdep_status_decode(const struct json *status, struct mdep_status *out, struct arena *a)
{
	*out = (struct mdep_status){.observed_generation =
	                                    json_i64(status, "observedGeneration", 0)};
	out->stable = json_str(status, "stableRevision");
	out->target = json_str(status, "targetRevision");
	out->replicas = json_int(status, "replicas", 0);
	out->ready_replicas = json_int(status, "readyReplicas", 0);
	out->updated_replicas = json_int(status, "updatedReplicas", 0);
	out->stable_replicas = json_int(status, "stableReplicas", 0);
	read_rollout(json_get(status, "rollout"), out);
	read_traffic(json_get(status, "traffic"), out, a);
	read_score(json_get(status, "score"), out, a);
	read_slo(json_get(status, "slo"), out, a);
	read_revisions(json_get(status, "revisions"), out, a);
	read_orders(json_get(status, "orders"), out, a);
	read_zones(json_get(status, "zones"), out, a);
	read_conditions(json_get(status, "conditions"), out, a);
}

#define WIDEN(s, room, list)                                                                       \
	do {                                                                                       \
		if ((s)->n##list)                                                                  \
			memmove((room)->list, (s)->list, (s)->n##list * sizeof(*(s)->list));       \
		(s)->list = (room)->list;                                                          \
	} while (0)

void mdep_status_widen(struct mdep_status *s, struct mdep_status_room *room)
{
	WIDEN(s, room, weights);
	WIDEN(s, room, objectives);
	WIDEN(s, room, revisions);
	WIDEN(s, room, orders);
	WIDEN(s, room, conditions);
	WIDEN(s, room, zones);
}
