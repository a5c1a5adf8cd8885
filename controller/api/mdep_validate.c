/*
 * What the schema cannot say, and what this version does not do. Fail closed: a field whose
 * silent absence would be dangerous (verification, a traffic driver) is fatal; the rest is a
 * warning that names the field.
 */
#include "mdep_internal.h"
#include "mdep_traffic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define MESSAGE_MAX 256

void finding_add(struct findings *f, bool fatal, const char *path, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list ap;

	if (f->n == MDEP_FINDINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	f->v[f->n++] = (struct mdep_finding){
		.path = path, .message = arena_strdup(f->a, message), .fatal = fatal};
}

/* --- fatal ------------------------------------------------------------------------------- */

static void check_model(const struct mdep *m, struct findings *f)
{
	if (!m->model.name)
		finding_add(f, true, "spec.model.name", "is required");
	if (!m->model.version)
		finding_add(f, true, "spec.model.version", "is required");
	if (m->model.verify)
		finding_add(f, true, "spec.model.verify",
		            "this version cannot verify a model: remove spec.model.verify");
	if (m->model.digest)
		finding_add(f, true, "spec.model.digest",
		            "this version cannot check a model's digest: remove spec.model.digest");
}

static void check_runtime(const struct mdep *m, struct findings *f)
{
	const struct preset *p = preset_get(m->runtime);

	if (!m->image && !p->image && !m->template_json)
		finding_add(f, true, "spec.runtime.image", "is required with preset %s", p->name);
	if (!m->port && !p->port)
		finding_add(f, true, "spec.runtime.port", "is required with preset %s", p->name);
}

static void check_zones(const struct mdep *m, struct findings *f)
{
	unsigned active = 0;

	for (unsigned i = 0; i < m->nzones; i++) {
		active += m->zones[i].role == ZONE_ACTIVE;
		for (unsigned k = 0; k < i; k++)
			if (str_eq(m->zones[i].name, m->zones[k].name))
				finding_add(f, true, arena_printf(f->a, "spec.zones[%u].name", i),
				            "zone %s is listed twice", m->zones[i].name);
	}
	if (m->nzones && !active)
		finding_add(f, true, "spec.zones", "at least one zone must have the role Active");
}

static void check_step(const struct mdep *m, const struct mdep_step *s, const char *path,
                       struct findings *f)
{
	if (s->weight < 0 && !s->hold_ms && !s->approval && !s->nheaders && !s->mirror &&
	    !s->capacity.value && !s->analysis_ms)
		finding_add(f, true, path,
		            "a step needs weight, audience, mirror, capacity, hold, analysis or "
		            "approval");
	if (s->hold_ms && s->analysis_ms)
		finding_add(f, true, path,
		            "has hold and analysis: the analysis is a hold that a PASS ends");
	if (s->capacity.value && m->traffic == TRAFFIC_NONE)
		finding_add(f, true, arena_printf(f->a, "%s.capacity", path),
		            "without a traffic driver shares follow the pods: give spec.traffic");
}

static void check_steps(const struct mdep *m, struct findings *f)
{
	int last = -1;

	for (unsigned i = 0; i < m->nsteps; i++) {
		const struct mdep_step *s = &m->steps[i];
		const char *path = arena_printf(f->a, "spec.strategy.steps[%u]", i);

		check_step(m, s, path, f);
		if (s->weight >= 0 && s->weight <= last)
			finding_add(f, true, path,
			            "weight %d does not exceed the weight %d of the steps before",
			            s->weight, last);
		if (s->weight >= 0)
			last = s->weight;
	}
}

/* A route that leads to the Deployment today is what can be moved without a request lost. */
static void check_take_over(const struct mdep *m, struct findings *f)
{
	bool route = m->traffic == TRAFFIC_HTTPROUTE || m->traffic == TRAFFIC_GRPCROUTE ||
	             m->traffic == TRAFFIC_ISTIO;

	if (m->take_over && (!route || mdep_route_is_ours(m)))
		finding_add(f, true, "spec.takeOver",
		            "needs a route of yours that leads to the Deployment's Service: "
		            "traffic.httpRoute or grpcRoute without parentRefs, or istio without "
		            "hosts");
}

/* --- warnings ---------------------------------------------------------------------------- */

static bool is_known_annotation(const char *verb)
{
	for (int v = 0; v < ORDER_VERBS; v++)
		if (str_eq(verb, mdep_verb_name(v)))
			return true;
	return false;
}

/* An order with a typing mistake would otherwise be an order that nobody hears. */
static void warn_annotations(const struct json *json, struct findings *f)
{
	const struct json *list = json_path(json, "metadata", "annotations", NULL), *it;

	if (!json_is_object(list))
		return;
	json_for_each (it, list) {
		const char *key = json_key(it);

		if (!str_starts(key, TG_ORDER_PREFIX) ||
		    is_known_annotation(key + strlen(TG_ORDER_PREFIX)))
			continue;
		finding_add(f, false, arena_printf(f->a, "metadata.annotations[%.80s]", key),
		            "is no order that this version knows: abort, pause, resume, "
		            "rollback-to, retry, promote, return, evacuate");
	}
}

static void warn_objectives(const struct json *spec, const struct mdep *m, struct findings *f)
{
	const struct preset *p = preset_get(m->runtime);

	if (!json_has(spec, "slo"))
		return;
	if (!m->slo.n)
		finding_add(f, false, "spec.slo.objectives", "are empty: nothing is watched");
	else if (!p->requests_metric || !(m->metrics_path || p->metrics_path))
		finding_add(f, false, "spec.slo",
		            "preset %s has no request counters: nothing can be watched", p->name);
	for (unsigned i = 0; i < m->slo.n; i++)
		if (m->slo.objectives[i].threshold_ms && !p->latency_metric && p->requests_metric)
			finding_add(f, false, arena_printf(f->a, "spec.slo.objectives[%u]", i),
			            "preset %s has no latency histogram: this objective cannot be "
			            "watched",
			            p->name);
}

/* Traffic can leave a zone. */
static bool sets_zones(const struct mdep *m)
{
	return m->nzones > 1 && m->traffic != TRAFFIC_NONE && m->traffic != TRAFFIC_INGRESS;
}

static void warn_failover(const struct json *spec, const struct mdep *m, struct findings *f)
{
	if (json_has(spec, "failover") && m->failover.mode != FAILOVER_DISABLED && !sets_zones(m))
		finding_add(f, false, "spec.failover",
		            "zones are left by weights: give spec.traffic a driver that knows "
		            "zones and "
		            "spec.zones two zones or more");
}

static void warn_values(const struct mdep *m, struct findings *f)
{
	if (m->model.uri && !str_starts(m->model.uri, "file:"))
		finding_add(f, false, "spec.model.uri",
		            "this version fetches nothing: the container gets it as MODEL_URI");
	if (m->placement == PLACE_FGD)
		finding_add(f, false, "spec.placement.policy", "this version places FGD as Pack");
	for (unsigned i = 0; i < m->nzones; i++)
		if (m->zones[i].role == ZONE_STANDBY && !sets_zones(m))
			finding_add(f, false, arena_printf(f->a, "spec.zones[%u].role", i),
			            "a Standby zone is never brought in without a traffic driver "
			            "that knows zones");
}

void mdep_spec_check(const struct json *json, const struct mdep *m, struct findings *f)
{
	const struct json *spec = json_get(json, "spec");

	check_model(m, f);
	check_runtime(m, f);
	check_zones(m, f);
	check_steps(m, f);
	mdep_traffic_check(m, f);
	check_take_over(m, f);
	warn_objectives(spec, m, f);
	warn_failover(spec, m, f);
	warn_values(m, f);
	warn_annotations(json, f);
}
