/*
 * spec of a ModelDeployment. The API server has checked it against the schema, but objects may be
 * older than the schema, and files have not been checked at all: a value of a wrong type or form
 * becomes a fatal finding, never a default that nobody asked for.
 */
#include "mdep_internal.h"

#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "mdep_traffic.h"
#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

#define GOLDEN_TOLERANCE     1e-6
#define WARMUP_MAX           1000
#define REPLICAS_MAX         10000
#define HISTORY_DEFAULT      10
#define DEADLINE_MS          (30 * 60 * 1000)
#define DRAIN_MS             (10 * 1000)
#define INTERVAL_MS          (5 * 1000)
#define MIN_SCORE_DEFAULT    80
#define MIN_CAPACITY_DEFAULT 70
#define RECOVER_AFTER_MS     (60 * 1000)
#define RAMP_MS              (60 * 1000)
#define BAKE_MS              (60 * 60 * 1000)
#define COOL_DOWN_MS         (10 * 60 * 1000)
#define JSON_TEXT_MAX        ((size_t)4 << 20)

struct reader {
	struct mdep *m;
	struct findings *f;
	struct arena *a;
};

/* --- values ------------------------------------------------------------------------------ */

static int read_int(struct reader *r, const struct json *o, const char *key, const char *path,
                    int min, int max, int fallback)
{
	int64_t v = json_i64(o, key, INT64_MIN);

	if (!json_has(o, key))
		return fallback;
	if (v < min || v > max) {
		finding_add(r->f, true, path, "must be a whole number from %d to %d", min, max);
		return fallback;
	}
	return (int)v;
}

static const char *read_str(struct reader *r, const struct json *o, const char *key,
                            const char *path)
{
	if (json_has(o, key) && !json_str(o, key))
		finding_add(r->f, true, path, "must be a string");
	return str_empty(json_str(o, key)) ? NULL : json_str(o, key);
}

static bool read_bool(struct reader *r, const struct json *o, const char *key, const char *path)
{
	if (json_has(o, key) && !json_is_bool(json_get(o, key)))
		finding_add(r->f, true, path, "must be true or false");
	return json_bool(o, key, false);
}

static int64_t read_duration(struct reader *r, const struct json *o, const char *key,
                             const char *path, int64_t fallback)
{
	const char *s = json_str(o, key);
	struct err err = ERR_INIT;
	int64_t ms;

	if (!json_has(o, key))
		return fallback;
	if (!s) {
		finding_add(r->f, true, path, "must be a duration such as \"90s\" or \"10m\"");
		return fallback;
	}
	if (duration_parse(s, &ms, &err)) {
		finding_add(r->f, true, path, "%.160s", err.msg);
		return fallback;
	}
	return ms;
}

/* Place of the value in names; fallback and a finding when it is none of them. */
static int read_enum(struct reader *r, const struct json *o, const char *key, const char *path,
                     const char *const *names, size_t n, int fallback)
{
	const char *s = json_str(o, key);

	if (!json_has(o, key))
		return fallback;
	for (size_t i = 0; i < n; i++)
		if (str_eq(s, names[i]))
			return (int)i;
	finding_add(r->f, true, path, "\"%.40s\" is not known to this version", str_or(s, ""));
	return fallback;
}

/* A member as JSON text, NULL when absent. */
static const char *read_json(struct reader *r, const struct json *o, const char *key,
                             const char *path, bool want_array)
{
	const struct json *v = json_get(o, key);
	cleanup_buf struct buf text;

	buf_init(&text, JSON_TEXT_MAX);
	if (!json_has(o, key))
		return NULL;
	if (want_array ? !json_is_array(v) : !json_is_object(v)) {
		finding_add(r->f, true, path, want_array ? "must be a list" : "must be an object");
		return NULL;
	}
	if (json_write_value(&text, v)) {
		finding_add(r->f, true, path, "is larger than %zu bytes", JSON_TEXT_MAX);
		return NULL;
	}
	return arena_strndup(r->a, text.data, text.len);
}

static bool parse_percent(const char *s, int *out)
{
	char digits[8];
	int64_t v;

	if (!str_ends(s, "%") || !str_copy(digits, sizeof(digits), s))
		return false;
	digits[strlen(digits) - 1] = '\0';
	if (!str_to_i64(digits, &v) || v < 0 || v > 100)
		return false;
	*out = (int)v;
	return true;
}

static struct int_or_percent read_amount(struct reader *r, const struct json *o, const char *key,
                                         const char *path, int fallback)
{
	struct int_or_percent v = {fallback, false};

	if (!json_str(o, key)) {
		v.value = read_int(r, o, key, path, 0, REPLICAS_MAX, fallback);
		return v;
	}
	v.percent = parse_percent(json_str(o, key), &v.value);
	if (!v.percent)
		finding_add(r->f, true, path,
		            "must be a whole number or a percentage from \"0%%\" to \"100%%\"");
	return v;
}

/* A member that must be an object when it is there. */
static const struct json *read_object(struct reader *r, const struct json *o, const char *key,
                                      const char *path)
{
	if (json_has(o, key) && !json_is_object(json_get(o, key)))
		finding_add(r->f, true, path, "must be an object");
	return json_get(o, key);
}

/* A list of at most max elements; NULL and a finding otherwise. */
static const struct json *read_list(struct reader *r, const struct json *o, const char *key,
                                    const char *path, size_t max)
{
	const struct json *v = json_get(o, key);

	if (!json_has(o, key))
		return NULL;
	if (json_is_array(v) && json_size(v) <= max)
		return v;
	finding_add(r->f, true, path, "must be a list of at most %zu elements", max);
	return NULL;
}

/* --- sections ---------------------------------------------------------------------------- */

static void read_model(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "model", "spec.model");
	struct mdep *m = r->m;

	m->model.name = read_str(r, o, "name", "spec.model.name");
	m->model.version = read_str(r, o, "version", "spec.model.version");
	m->model.uri = read_str(r, o, "uri", "spec.model.uri");
	m->model.digest = read_str(r, o, "digest", "spec.model.digest");
	m->model.verify = json_has(o, "verify");
}

static void read_golden_answer(struct reader *r, const struct json *runtime)
{
	static const char at[] = "spec.runtime.goldenAnswer";
	const struct json *o = read_object(r, runtime, "goldenAnswer", at);
	const char *text = json_str(o, "tolerance");
	struct mdep *m = r->m;

	m->golden_answer_json =
		read_json(r, o, "expected", "spec.runtime.goldenAnswer.expected", false);
	m->golden_tolerance = GOLDEN_TOLERANCE;
	if (text && (!str_to_double(text, &m->golden_tolerance) ||
	             !(m->golden_tolerance >= 0 && m->golden_tolerance <= 1)))
		finding_add(r->f, true, "spec.runtime.goldenAnswer.tolerance",
		            "must be a number from 0 to 1, such as \"0.001\"");
	if (o && !m->golden_json)
		finding_add(r->f, true, at, "needs spec.runtime.golden, the request");
	if (o && !preset_get(m->runtime)->model_path)
		finding_add(r->f, false, at, "is not looked at: this preset has no version check");
}

static void read_runtime(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "runtime", "spec.runtime");
	const char *name = read_str(r, o, "preset", "spec.runtime.preset");
	const struct preset *p = preset_find(str_or(name, "custom"));
	struct mdep *m = r->m;

	if (!p)
		finding_add(r->f, true, "spec.runtime.preset",
		            "\"%.40s\" is not known to this version", name);
	m->runtime = p ? p->runtime : RUNTIME_CUSTOM;
	m->image = read_str(r, o, "image", "spec.runtime.image");
	m->port = read_int(r, o, "port", "spec.runtime.port", 1, 65535, 0);
	m->metrics_path = read_str(r, o, "metricsPath", "spec.runtime.metricsPath");
	m->args_json = read_json(r, o, "args", "spec.runtime.args", true);
	m->env_json = read_json(r, o, "env", "spec.runtime.env", true);
	m->probes_json = read_json(r, o, "probes", "spec.runtime.probes", false);
	m->golden_json = read_json(r, o, "golden", "spec.runtime.golden", false);
	read_golden_answer(r, o);
	m->warmup_requests =
		read_int(r, o, "warmupRequests", "spec.runtime.warmupRequests", 0, WARMUP_MAX, 0);
	if (m->warmup_requests && !m->golden_json)
		finding_add(r->f, true, "spec.runtime.warmupRequests",
		            "needs spec.runtime.golden, the request");
}

static void read_gpu_memory(struct reader *r, const struct json *gpu)
{
	const char *s = json_str(gpu, "minMemory");
	struct err err = ERR_INIT;

	if (!json_has(gpu, "minMemory"))
		return;
	if (s ? quantity_parse(s, &r->m->gpu.min_memory, &err)
	      : (r->m->gpu.min_memory = json_i64(gpu, "minMemory", -1)) < 0)
		finding_add(r->f, true, "spec.gpu.minMemory",
		            "must be a quantity of bytes such as \"20Gi\"");
}

static void read_gpu(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "gpu", "spec.gpu"), *list, *it;
	struct mdep *m = r->m;

	m->gpu.count = read_int(r, o, "count", "spec.gpu.count", 0, 64, json_is_object(o) ? 1 : 0);
	m->gpu.resource = str_or(read_str(r, o, "resource", "spec.gpu.resource"), "nvidia.com/gpu");
	list = read_list(r, o, "products", "spec.gpu.products", MDEP_PRODUCTS_MAX);
	m->gpu.products = arena_array(r->a, json_size(list), sizeof(*m->gpu.products));
	json_for_each (it, list) {
		if (json_value_str(it))
			m->gpu.products[m->gpu.nproducts++] = json_value_str(it);
		else
			finding_add(r->f, true, "spec.gpu.products", "must be a list of strings");
	}
	read_gpu_memory(r, o);
}

static void read_placement(struct reader *r, const struct json *spec)
{
	static const char *const policies[] = {
		[PLACE_PACK] = "Pack", [PLACE_SPREAD] = "Spread", [PLACE_FGD] = "FGD"};
	const struct json *o = read_object(r, spec, "placement", "spec.placement");
	struct mdep *m = r->m;

	m->placement = (enum mdep_placement)read_enum(r, o, "policy", "spec.placement.policy",
	                                              policies, ARRAY_SIZE(policies), PLACE_PACK);
	m->scheduler =
		str_or(read_str(r, o, "scheduler", "spec.placement.scheduler"), TG_SCHEDULER_NAME);
	m->max_per_node = read_int(r, o, "maxPerNode", "spec.placement.maxPerNode", 1, 10000, 0);
}

static void read_zones(struct reader *r, const struct json *spec)
{
	static const char *const roles[] = {[ZONE_ACTIVE] = "Active", [ZONE_STANDBY] = "Standby"};
	struct mdep *m = r->m;
	const struct json *list = read_list(r, spec, "zones", "spec.zones", MDEP_ZONES_MAX), *it;

	m->zones = arena_array(r->a, json_size(list), sizeof(*m->zones));
	json_for_each (it, list) {
		const char *path = arena_printf(r->a, "spec.zones[%u]", m->nzones);
		struct mdep_zone *z = &m->zones[m->nzones];

		z->name = json_str(it, "name");
		if (!z->name || !str_is_dns_label(z->name)) {
			finding_add(r->f, true, arena_concat(r->a, path, ".name", NULL),
			            "must be a zone's name: lower-case letters, digits and '-', at "
			            "most 63");
			continue;
		}
		z->weight = read_int(r, it, "weight", arena_concat(r->a, path, ".weight", NULL), 1,
		                     100, 1);
		z->role = (enum mdep_zone_role)read_enum(r, it, "role",
		                                         arena_concat(r->a, path, ".role", NULL),
		                                         roles, ARRAY_SIZE(roles), ZONE_ACTIVE);
		m->nzones++;
	}
}

/* --- release ----------------------------------------------------------------------------- */

static void read_analysis(struct reader *r, const struct json *json, const char *path,
                          struct mdep_step *step)
{
	static const char *const verdicts[] = {"Any", "Pass"};
	const char *at = arena_concat(r->a, path, ".analysis", NULL);
	const struct json *o = read_object(r, json, "analysis", at);

	if (!json_has(json, "analysis"))
		return;
	step->analysis_ms =
		read_duration(r, o, "duration", arena_concat(r->a, at, ".duration", NULL), 0);
	if (step->analysis_ms <= 0)
		finding_add(r->f, true, at, "needs a duration such as \"10m\"");
	step->require_pass =
		read_enum(r, o, "requireVerdict", arena_concat(r->a, at, ".requireVerdict", NULL),
	                  verdicts, ARRAY_SIZE(verdicts), 0) == 1;
}

static void read_step(struct reader *r, const struct json *spec, const struct json *json,
                      unsigned i, struct mdep_step *step)
{
	static const char *const approvals[] = {"Required"};
	const char *path = arena_printf(r->a, "spec.strategy.steps[%u]", i);

	step->weight =
		read_int(r, json, "weight", arena_concat(r->a, path, ".weight", NULL), 0, 100, -1);
	step->hold_ms = read_duration(r, json, "hold", arena_concat(r->a, path, ".hold", NULL), 0);
	step->approval = read_enum(r, json, "approval", arena_concat(r->a, path, ".approval", NULL),
	                           approvals, ARRAY_SIZE(approvals), -1) == 0;
	step->capacity =
		read_amount(r, json, "capacity", arena_concat(r->a, path, ".capacity", NULL), 0);
	read_analysis(r, json, path, step);
	mdep_audience_decode(json, spec, path, step, r->f);
}

static const char *hash_name(struct arena *a, uint64_t hash)
{
	char name[MDEP_REVISION_LEN + 1];

	str_safe_encode(hash, name, MDEP_REVISION_LEN);
	return arena_strdup(a, name);
}

/* A release ends at 100 %: a plan that does not say so gets that step added. */
static void read_steps(struct reader *r, const struct json *spec, const struct json *strategy)
{
	const struct json *list =
		read_list(r, strategy, "steps", "spec.strategy.steps", MDEP_STEPS_MAX);
	struct mdep_step *steps = arena_array(r->a, json_size(list) + 1, sizeof(*steps));
	const struct json *it;
	unsigned n = 0;
	int last = 0;

	json_for_each (it, list) {
		read_step(r, spec, it, n, &steps[n]);
		last = steps[n].weight >= 0 ? steps[n].weight : last;
		n++;
	}
	if (last < 100)
		steps[n++] = (struct mdep_step){.weight = 100};
	if (n > MDEP_STEPS_MAX)
		finding_add(r->f, true, "spec.strategy.steps",
		            "with the last weight below 100 there may be at most %d steps",
		            MDEP_STEPS_MAX - 1);
	r->m->steps = steps;
	r->m->nsteps = n > MDEP_STEPS_MAX ? MDEP_STEPS_MAX : n;
	r->m->steps_hash = hash_name(r->a, canonical_hash(STR_HASH_SEED, list, NULL, r->a));
}

static void read_strategy(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "strategy", "spec.strategy");
	struct mdep *m = r->m;

	m->max_surge = read_amount(r, o, "maxSurge", "spec.strategy.maxSurge", 1);
	m->max_unavailable = read_amount(r, o, "maxUnavailable", "spec.strategy.maxUnavailable", 0);
	m->progress_deadline_ms = read_duration(r, o, "progressDeadline",
	                                        "spec.strategy.progressDeadline", DEADLINE_MS);
	m->drain_ms = read_duration(r, o, "drain", "spec.strategy.drain", DRAIN_MS);
	m->warmup_ms = read_duration(r, o, "warmup", "spec.strategy.warmup", 0);
	m->undo_window_ms = read_duration(r, o, "undoWindow", "spec.strategy.undoWindow", 0);
	read_steps(r, spec, o);
}

static void read_canary(struct reader *r, const struct json *spec)
{
	static const char *const no_data[] = {[NO_DATA_HOLD] = "Hold",
	                                      [NO_DATA_ROLLBACK] = "Rollback",
	                                      [NO_DATA_PROCEED] = "Proceed"};
	const struct json *o = read_object(r, spec, "canary", "spec.canary");
	struct mdep *m = r->m;

	m->canary.enabled = json_is_object(o);
	m->canary.policy = read_str(r, json_get(o, "policyRef"), "name", "spec.canary.policyRef");
	m->canary.min_score =
		read_int(r, o, "minScore", "spec.canary.minScore", 0, 100, MIN_SCORE_DEFAULT);
	m->canary.on_no_data =
		(enum mdep_no_data)read_enum(r, o, "onNoData", "spec.canary.onNoData", no_data,
	                                     ARRAY_SIZE(no_data), NO_DATA_HOLD);
	m->canary.end_hold_on_pass = read_bool(r, o, "endHoldOnPass", "spec.canary.endHoldOnPass");
	m->canary.interval_ms =
		read_duration(r, o, "interval", "spec.canary.interval", INTERVAL_MS);
	if (m->canary.interval_ms < 1000) {
		finding_add(r->f, true, "spec.canary.interval", "must be at least 1s");
		m->canary.interval_ms = INTERVAL_MS;
	}
}

/* "99.95" is a share of 0.9995. */
static double read_target(struct reader *r, const struct json *o, const char *path)
{
	double percent = 0;

	if (!json_str(o, "target") || !str_to_double(json_str(o, "target"), &percent) ||
	    !(percent > 0 && percent <= 100))
		finding_add(r->f, true, path, "must be a percentage as text, such as \"99.95\"");
	return percent / 100;
}

static void read_objective(struct reader *r, const struct json *o, unsigned i)
{
	const char *path = arena_printf(r->a, "spec.slo.objectives[%u]", i);
	struct mdep_objective *x = &r->m->slo.objectives[r->m->slo.n++];

	x->name = read_str(r, o, "name", arena_concat(r->a, path, ".name", NULL));
	x->target = read_target(r, o, arena_concat(r->a, path, ".target", NULL));
	x->threshold_ms = read_int(r, o, "thresholdMs",
	                           arena_concat(r->a, path, ".thresholdMs", NULL), 1, 3600000, 0);
	if (!x->name || !str_is_dns_label(x->name)) {
		finding_add(r->f, true, arena_concat(r->a, path, ".name", NULL),
		            "must be a name: lower-case letters, digits and '-', at most 63");
		x->name = "objective";
	}
	if (str_eq(x->name, "latency") && !x->threshold_ms)
		finding_add(r->f, true, path, "objective latency needs thresholdMs");
}

static void read_slo(struct reader *r, const struct json *spec)
{
	static const char *const breaches[] = {[BREACH_ROLLBACK] = "Rollback",
	                                       [BREACH_PAUSE] = "Pause",
	                                       [BREACH_NOTIFY] = "Notify"};
	const struct json *o = read_object(r, spec, "slo", "spec.slo"), *it;
	const struct json *list =
		read_list(r, o, "objectives", "spec.slo.objectives", MDEP_OBJECTIVES_MAX);
	struct mdep *m = r->m;
	unsigned i = 0;

	m->slo.objectives = arena_array(r->a, json_size(list), sizeof(*m->slo.objectives));
	json_for_each (it, list)
		read_objective(r, it, i++);
	m->slo.on_breach =
		(enum mdep_breach)read_enum(r, o, "onBreach", "spec.slo.onBreach", breaches,
	                                    ARRAY_SIZE(breaches), BREACH_ROLLBACK);
	m->slo.bake_ms = read_duration(r, o, "bake", "spec.slo.bake", BAKE_MS);
	m->slo.cool_down_ms = read_duration(r, o, "coolDown", "spec.slo.coolDown", COOL_DOWN_MS);
}

static void read_failover(struct reader *r, const struct json *spec)
{
	static const char *const modes[] = {[FAILOVER_AUTOMATIC] = "Automatic",
	                                    [FAILOVER_MANUAL] = "Manual",
	                                    [FAILOVER_DISABLED] = "Disabled"};
	static const char *const failbacks[] = {[FAILBACK_GRADUAL] = "Gradual",
	                                        [FAILBACK_IMMEDIATE] = "Immediate",
	                                        [FAILBACK_MANUAL] = "Manual"};
	const struct json *o = read_object(r, spec, "failover", "spec.failover");
	struct mdep *m = r->m;
	const char *capacity = read_str(r, o, "minCapacity", "spec.failover.minCapacity");

	m->failover.mode = (enum mdep_failover)read_enum(r, o, "mode", "spec.failover.mode", modes,
	                                                 ARRAY_SIZE(modes), FAILOVER_AUTOMATIC);
	m->failover.failback =
		(enum mdep_failback)read_enum(r, o, "failback", "spec.failover.failback", failbacks,
	                                      ARRAY_SIZE(failbacks), FAILBACK_GRADUAL);
	m->failover.min_capacity = MIN_CAPACITY_DEFAULT;
	if (capacity && !parse_percent(capacity, &m->failover.min_capacity))
		finding_add(r->f, true, "spec.failover.minCapacity", "must be a percentage");
	m->failover.recover_after_ms =
		read_duration(r, o, "recoverAfter", "spec.failover.recoverAfter", RECOVER_AFTER_MS);
	m->failover.ramp_ms = read_duration(r, o, "ramp", "spec.failover.ramp", RAMP_MS);
}

static void read_budget(struct reader *r, const struct json *spec)
{
	static const char *const modes[] = {"Automatic", "Disabled"};
	const struct json *o = read_object(r, spec, "disruptionBudget", "spec.disruptionBudget");
	struct mdep *m = r->m;

	m->budget.off = read_enum(r, o, "mode", "spec.disruptionBudget.mode", modes,
	                          ARRAY_SIZE(modes), 0) == 1;
	m->budget.has_min = json_has(o, "minAvailable");
	m->budget.has_max = json_has(o, "maxUnavailable");
	m->budget.min_available =
		read_amount(r, o, "minAvailable", "spec.disruptionBudget.minAvailable", 0);
	m->budget.max_unavailable =
		read_amount(r, o, "maxUnavailable", "spec.disruptionBudget.maxUnavailable", 0);
	if (m->budget.has_min && m->budget.has_max)
		finding_add(r->f, true, "spec.disruptionBudget",
		            "has minAvailable and maxUnavailable: one says what the other does");
}

static void read_take_over(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "takeOver", "spec.takeOver");

	if (!json_has(spec, "takeOver"))
		return;
	r->m->take_over = read_str(r, read_object(r, o, "deployment", "spec.takeOver.deployment"),
	                           "name", "spec.takeOver.deployment.name");
	if (!r->m->take_over)
		finding_add(r->f, true, "spec.takeOver.deployment.name", "is required");
}

static void read_traffic(struct reader *r, const struct json *spec)
{
	const struct json *o = read_object(r, spec, "traffic", "spec.traffic");
	struct mdep *m = r->m;

	m->service_port = read_int(r, o, "servicePort", "spec.traffic.servicePort", 1, 65535, 80);
	m->slow_start_ms = read_duration(r, o, "slowStart", "spec.traffic.slowStart", 0);
	mdep_traffic_decode(spec, m, r->f);
}

/* --- revision and orders ----------------------------------------------------------------- */

/*
 * Members that do not count for the revision: of runtime what is the operator's own business, so
 * that changing it replaces no pod; and what the API server fills in by default, so that a file and
 * the stored object have one revision.
 */
static const struct {
	const char *section, *member;
	const char *text; /* not counted when it has this value; NULL = never counted */
	int64_t number;
} not_counted[] = {
	{"runtime", "golden", NULL, 0},
	{"runtime", "goldenAnswer", NULL, 0},
	{"runtime", "metricsPath", NULL, 0},
	{"runtime", "preset", "custom", 0},
	{"runtime", "warmupRequests", NULL, 0},
	{"gpu", "resource", "nvidia.com/gpu", 0},
	{"gpu", "count", "", 1},
};

static bool counts(const struct json *section, const char *name, size_t i)
{
	const char *member = not_counted[i].member, *text = not_counted[i].text;

	if (!str_eq(not_counted[i].section, name))
		return true;
	if (!text)
		return false;
	return *text ? !str_eq(json_str(section, member), text)
	             : json_i64(section, member, -1) != not_counted[i].number;
}

/* An empty section is the same as none, but of gpu, where it asks for one card. */
static uint64_t hash_section(struct reader *r, uint64_t h, const struct json *spec,
                             const char *name)
{
	const struct json *v = json_get(spec, name);
	const char *skip[ARRAY_SIZE(not_counted) + 1];
	size_t n = 0;

	if (!json_size(v) && !(json_is_object(v) && str_eq(name, "gpu")))
		return h;
	for (size_t i = 0; i < ARRAY_SIZE(not_counted); i++)
		if (!counts(v, name, i))
			skip[n++] = not_counted[i].member;
	skip[n] = NULL;
	h = str_hash(h, name, strlen(name) + 1);
	return canonical_hash(h, v, skip, r->a);
}

/* What makes a pod different, and only that. */
static void set_revision(struct reader *r, const struct json *spec)
{
	static const char *const sections[] = {"gpu", "model", "runtime", "template"};
	uint64_t h = STR_HASH_SEED;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		h = hash_section(r, h, spec, sections[i]);
	str_safe_encode(h, r->m->revision, MDEP_REVISION_LEN);
}

static void read_orders(struct reader *r, const struct json *json)
{
	const char **values = arena_array(r->a, ORDER_VERBS, sizeof(*values));

	for (int v = 0; v < ORDER_VERBS; v++) {
		values[v] = json_annotation(
			json, arena_concat(r->a, TG_ORDER_PREFIX, mdep_verb_name(v), NULL));
		if (values[v])
			r->m->orders = values;
	}
}

void mdep_spec_decode(const struct json *json, struct mdep *m, struct findings *f)
{
	struct reader r = {.m = m, .f = f, .a = f->a};
	const struct json *spec = read_object(&r, json, "spec", "spec");

	m->replicas = read_int(&r, spec, "replicas", "spec.replicas", 0, REPLICAS_MAX, 1);
	m->paused = read_bool(&r, spec, "paused", "spec.paused");
	m->revision_history_limit =
		read_int(&r, spec, "revisionHistoryLimit", "spec.revisionHistoryLimit", 0,
	                 HISTORY_DEFAULT, HISTORY_DEFAULT);
	m->template_json = read_json(&r, spec, "template", "spec.template", false);
	read_model(&r, spec);
	read_runtime(&r, spec);
	read_gpu(&r, spec);
	read_placement(&r, spec);
	read_zones(&r, spec);
	read_strategy(&r, spec);
	read_canary(&r, spec);
	read_slo(&r, spec);
	read_failover(&r, spec);
	read_budget(&r, spec);
	read_take_over(&r, spec);
	read_traffic(&r, spec);
	set_revision(&r, spec);
	read_orders(&r, json);
}
