/*
 * Rollout of Argo Rollouts (argoproj.io/v1alpha1). Source: its CRD and documentation; where the
 * two controllers differ on purpose is told in docs/differences.md.
 */
#include "import.h"

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define GATEWAY_PLUGIN "argoproj-labs/gatewayAPI"
#define GUESS_MS       600000 /* of an analysis that does not tell its length */

struct reader {
	struct import *im;
	struct import_object *o;
	struct import_model *m;
	/* The step that is being filled; NULL: the next thing begins one. */
	struct import_step *step;
	int weight; /* of the steps so far; -1 none */
	/* Routes of Argo stay until they are removed. */
	const struct import_audience *audience;
	int mirror;
};

#define PATH(r, ...) arena_printf(&(r)->im->a, __VA_ARGS__)

/* --- steps
 * ---------------------------------------------------------------------------------------- */

static struct import_step *begin(struct reader *r)
{
	r->step = import_step_add(r->m);
	r->step->audience = r->audience;
	r->step->naudience = r->audience ? 1 : 0;
	r->step->mirror = r->mirror;
	return r->step;
}

/* Nothing waits in it yet, so that what comes next belongs to it. */
static struct import_step *moving(struct reader *r)
{
	if (!r->step || r->step->hold_ms || r->step->analysis_ms || r->step->approval)
		begin(r);
	return r->step;
}

static void read_weight(struct reader *r, const struct json *step, const char *path)
{
	int weight = (int)import_take_i64(r->im, step, "setWeight", -1);

	if (weight == r->weight)
		return;
	if (weight < r->weight) {
		import_note(r->im, r->o, PATH(r, "%s.setWeight", path),
		            "weights must rise: this one is left out");
		return;
	}
	if (moving(r)->weight >= 0)
		begin(r);
	r->step->weight = r->weight = weight;
}

static void read_pause(struct reader *r, const struct json *step, const char *path)
{
	const struct json *pause = import_take(r->im, step, "pause");
	int64_t ms;

	if (!json_has(pause, "duration")) {
		if (!r->step || r->step->approval)
			begin(r);
		r->step->approval = true;
	} else if (!import_duration(json_get(pause, "duration"), &ms)) {
		import_refuse(r->im, r->o, PATH(r, "%s.pause.duration", path),
		              "is no time such as 300 or \"5m\"");
	} else if (ms > 0) {
		moving(r)->hold_ms = ms;
	}
}

static void read_scale(struct reader *r, const struct json *step)
{
	const struct json *scale = import_take(r->im, step, "setCanaryScale");
	bool percent = json_has(scale, "weight");
	int n = (int)json_i64(scale, percent ? "weight" : "replicas", 0);

	/* matchTrafficWeight needs nothing: the weight's pods are always there. */
	if (n <= 0)
		return;
	begin(r);
	r->step->capacity = n;
	r->step->capacity_percent = percent;
}

static void read_header_route(struct reader *r, const struct json *step, const char *path)
{
	const struct json *route = import_take(r->im, step, "setHeaderRoute");
	const struct json *match = json_get(route, "match"), *first = json_first(match);

	r->audience = NULL;
	r->step = NULL;
	if (!first)
		return;
	r->audience = import_audience(r->im, json_str(first, "headerName"),
	                              json_get(first, "headerValue"));
	if (!r->audience || json_size(match) > 1) {
		import_note(
			r->im, r->o, PATH(r, "%s.setHeaderRoute.match", path),
			"there any of several matches will do, here all conditions of an audience "
			"must hold: %s",
			r->audience ? "only the first is kept; write the others as one regex"
				    : "none is kept; write a header with exact or regex");
	}
	if (r->audience)
		begin(r);
}

static void read_mirror_route(struct reader *r, const struct json *step, const char *path)
{
	const struct json *route = json_get(step, "setMirrorRoute");

	import_take(r->im, route, "name");
	r->step = NULL;
	r->mirror = 0;
	if (!json_size(json_get(route, "match"))) {
		import_take(r->im, step, "setMirrorRoute");
		return;
	}
	r->mirror = (int)import_take_i64(r->im, route, "percentage", 100);
	import_note(r->im, r->o, PATH(r, "%s.setMirrorRoute.match", path),
	            "has no equal: steps[].mirror copies from all requests");
	import_take(r->im, route, "match");
	begin(r);
}

static int64_t analysis_time(struct reader *r, const char *path, const struct json *analysis)
{
	int64_t ms = import_analysis(r->im, r->o, path, analysis, r->m);

	if (ms)
		return ms;
	import_note(r->im, r->o, path,
	            "how long it takes is not told by the templates given: 10m was taken");
	return GUESS_MS;
}

static void read_analysis(struct reader *r, const struct json *step, const char *path)
{
	const struct json *analysis = import_take(r->im, step, "analysis");
	int64_t ms = analysis_time(r, PATH(r, "%s.analysis", path), analysis);

	moving(r)->analysis_ms = ms;
}

static void read_step(struct reader *r, const struct json *step, const char *path)
{
	if (json_has(step, "setWeight"))
		read_weight(r, step, path);
	else if (json_get(step, "pause"))
		read_pause(r, step, path);
	else if (json_has(step, "setCanaryScale"))
		read_scale(r, step);
	else if (json_has(step, "setHeaderRoute"))
		read_header_route(r, step, path);
	else if (json_has(step, "setMirrorRoute"))
		read_mirror_route(r, step, path);
	else if (json_has(step, "analysis"))
		read_analysis(r, step, path);
}

/* --- traffic
 * -------------------------------------------------------------------------------------- */

static void must_name(struct reader *r, const char *path, const char *what, const char *service)
{
	if (!str_eq(service, r->m->name))
		import_note(
			r->im, r->o, path,
			"%s must name the Service %s from now on%s%s: Tidegate makes it, and the "
			"Services of the revisions",
			what, r->m->name, service ? " in place of " : "", str_or(service, ""));
}

static void read_nginx(struct reader *r, const struct json *t, const char *path, const char *stable)
{
	const struct json *many = import_take(r->im, t, "stableIngresses");
	const char *one = import_take_str(r->im, t, "stableIngress");

	r->m->traffic = TRAFFIC_INGRESS;
	r->m->route = str_or(one, str_or(json_value_str(json_first(many)), ""));
	r->m->annotation_prefix = import_take_str(r->im, t, "annotationPrefix");
	if (json_size(many) > 1)
		import_note(r->im, r->o, PATH(r, "%s.stableIngresses", path),
		            "traffic.ingress has one: put the paths of the others into it");
	must_name(r, path, "a path of that Ingress", stable);
}

static void read_istio(struct reader *r, const struct json *t, const char *path, const char *stable)
{
	const struct json *one = import_take(r->im, t, "virtualService");
	const struct json *many = import_take(r->im, t, "virtualServices");
	const struct json *routes;

	if (!one)
		one = json_first(many);
	routes = json_get(one, "routes");
	r->m->traffic = TRAFFIC_ISTIO;
	r->m->route = str_or(json_str(one, "name"), "");
	r->m->http_route = json_value_str(json_first(routes));
	if (json_size(many) > 1 || json_size(routes) > 1)
		import_note(
			r->im, r->o, path,
			"traffic.istio has one VirtualService and one or all of its http routes: "
			"the first was taken");
	if (json_has(one, "tlsRoutes") || json_has(one, "tcpRoutes"))
		import_note(r->im, r->o, path,
		            "tlsRoutes and tcpRoutes have no equal: weights are set "
		            "in http routes only");
	if (import_take(r->im, t, "destinationRule"))
		import_note(r->im, r->o, PATH(r, "%s.destinationRule", path),
		            "subsets by revision are not used any more: take them out of the "
		            "DestinationRule");
	must_name(r, path, "a destination of that http route", stable);
}

static void read_gateway(struct reader *r, const struct json *t, const char *path,
                         const char *stable)
{
	const struct json *list = import_take(r->im, t, "httpRoutes");
	const char *http = import_take_str(r->im, t, "httpRoute");
	const char *grpc = import_take_str(r->im, t, "grpcRoute");
	const char *namespace = import_take_str(r->im, t, "namespace");

	if (!http)
		http = json_str(json_first(list), "name");
	r->m->traffic = http || !grpc ? TRAFFIC_HTTPROUTE : TRAFFIC_GRPCROUTE;
	r->m->route = str_or(http, str_or(grpc, ""));
	if (json_size(list) > 1)
		import_note(r->im, r->o, PATH(r, "%s.httpRoutes", path),
		            "traffic has one route: put the rules of the others into it");
	if (namespace && *r->o->namespace && !str_eq(namespace, r->o->namespace))
		import_note(r->im, r->o, PATH(r, "%s.namespace", path),
		            "the route must be in the ModelDeployment's namespace");
	must_name(r, path, "a backendRef of that route", stable);
}

static void read_traefik(struct reader *r, const struct json *t, const char *path)
{
	r->m->traffic = TRAFFIC_TRAEFIK;
	r->m->route = str_or(import_take_str(r->im, t, "weightedTraefikServiceName"), "");
	import_note(
		r->im, r->o, path,
		"Tidegate makes this TraefikService and leaves one of yours alone: delete yours "
		"when Tidegate's pods are Ready, or name another here and in the IngressRoute");
}

static void read_routing(struct reader *r, const struct json *canary)
{
	static const char *const path = "spec.strategy.canary.trafficRouting";
	const struct json *all = json_get(canary, "trafficRouting"), *it;
	const struct json *plugin = json_path(all, "plugins", GATEWAY_PLUGIN, NULL);
	const char *stable = json_str(canary, "stableService");

	import_take(r->im, all, "managedRoutes");
	if (json_i64(all, "maxTrafficWeight", 100) == 100)
		import_take(r->im, all, "maxTrafficWeight");
	if (r->im->options->http_route)
		import_take(r->im, canary, "trafficRouting");
	else if (plugin)
		read_gateway(r, plugin, PATH(r, "%s.plugins[%s]", path, GATEWAY_PLUGIN), stable);
	else if (json_has(all, "nginx"))
		read_nginx(r, json_get(all, "nginx"), PATH(r, "%s.nginx", path), stable);
	else if (json_has(all, "istio"))
		read_istio(r, json_get(all, "istio"), PATH(r, "%s.istio", path), stable);
	else if (json_has(all, "traefik"))
		read_traefik(r, json_get(all, "traefik"), PATH(r, "%s.traefik", path));
	else
		json_for_each (it, all)
			if (!import_is_taken(r->im, it) &&
			    !str_eq(json_key(it), "maxTrafficWeight"))
				import_refuse(
					r->im, r->o, PATH(r, "%s.%s", path, json_key(it)),
					"is no driver of Tidegate: --http-route NAME takes an "
					"HTTPRoute in its place (docs/traffic.md has the list)");
}

/* --- strategies
 * ------------------------------------------------------------------------------------ */

static void read_services(struct reader *r, const struct json *s, const char *const *keys)
{
	for (; *keys; keys++)
		import_take(r->im, s, *keys);
}

/* The time that old pods are kept for late requests. */
static void read_drain(struct reader *r, const struct json *s)
{
	int64_t seconds = import_take_i64(r->im, s, "scaleDownDelaySeconds", 0);

	if (seconds > 0)
		r->m->drain_ms = (seconds < 3 ? 3 : seconds) * 1000;
}

static void read_canary(struct reader *r, const struct json *s)
{
	static const char *const services[] = {"canaryService", "stableService", "pingPong", NULL};
	const struct json *background = import_take(r->im, s, "analysis"), *it;
	unsigned i = 0;

	r->m->max_surge = import_take(r->im, s, "maxSurge");
	r->m->max_unavailable = import_take(r->im, s, "maxUnavailable");
	read_drain(r, s);
	if (json_has(s, "dynamicStableScale") &&
	    !import_take_bool(r->im, s, "dynamicStableScale", true))
		import_note(r->im, r->o, "spec.strategy.canary.dynamicStableScale",
		            "stable pods always follow their traffic; strategy.maxSurge bounds the "
		            "sum");
	read_routing(r, s);
	read_services(r, s, services);
	if (background)
		import_analysis(r->im, r->o, "spec.strategy.canary.analysis", background, r->m);
	json_for_each (it, json_get(s, "steps"))
		read_step(r, it, PATH(r, "spec.strategy.canary.steps[%u]", i++));
}

/* A preview is a step without traffic in which all new pods are there. */
static void read_blue_green(struct reader *r, const struct json *s)
{
	static const char *const services[] = {"activeService", "previewService", NULL};
	static const char *const path = "spec.strategy.blueGreen";
	bool automatic = import_take_bool(r->im, s, "autoPromotionEnabled", true);
	int64_t wait = import_take_i64(r->im, s, "autoPromotionSeconds", 0);
	int64_t preview = import_take_i64(r->im, s, "previewReplicaCount", 0);
	const struct json *before = import_take(r->im, s, "prePromotionAnalysis");
	struct import_step *step = begin(r);

	step->weight = 0;
	step->capacity = preview > 0 ? (int)preview : 100;
	step->capacity_percent = preview <= 0;
	if (before)
		step->analysis_ms =
			analysis_time(r, PATH(r, "%s.prePromotionAnalysis", path), before);
	else if (wait > 0)
		step->hold_ms = wait * 1000;
	step->approval = !automatic && wait <= 0;
	r->m->max_unavailable = import_take(r->im, s, "maxUnavailable");
	read_drain(r, s);
	must_name(r, PATH(r, "%s.activeService", path), "clients", json_str(s, "activeService"));
	if (json_has(s, "previewService"))
		import_note(
			r->im, r->o, PATH(r, "%s.previewService", path),
			"the new revision has Services of its own, NAME-REVISION[-ZONE]; with a "
			"traffic driver steps[].audience leads testers there by a header");
	import_note(
		r->im, r->o, path,
		"pods of both versions at once need strategy.maxSurge: 100%% (1 is the default)");
	read_services(r, s, services);
}

/* --- pods
 * ------------------------------------------------------------------------------------------ */

static void read_pods(struct reader *r, const struct json *spec, const char *service)
{
	const struct json *ref = import_take(r->im, spec, "workloadRef");
	const struct json *template = import_take(r->im, spec, "template");
	const char *kind = json_str(ref, "kind"), *name = json_str(ref, "name");
	struct import_object *d;

	if (!ref && !template) {
		import_refuse(r->im, r->o, "spec", "has neither template nor workloadRef");
		return;
	}
	if (!ref) {
		import_pods(r->im, r->m, r->o, "spec.template", template, service);
		return;
	}
	d = str_eq(kind, "Deployment") ? import_find(r->im, kind, r->o->namespace, name) : NULL;
	if (!d) {
		import_refuse(
			r->im, r->o, "spec.workloadRef",
			"%.40s %.63s is not among what was given: add its manifest with -f; only "
			"Deployments are read",
			str_or(kind, "the workload"), str_or(name, ""));
		return;
	}
	d->converted = true;
	import_deployment_pods(r->im, d, r->m, service);
}

void import_rollout(struct import *im, struct import_object *o, struct import_model *m)
{
	struct reader r = {.im = im, .o = o, .m = m, .weight = -1};
	const struct json *spec = json_get(o->json, "spec");
	const struct json *canary = json_path(spec, "strategy", "canary", NULL);
	const struct json *blue_green = json_path(spec, "strategy", "blueGreen", NULL);

	import_workload(im, spec, m);
	if (!import_take_bool(im, spec, "progressDeadlineAbort", true))
		import_note(im, o, "spec.progressDeadlineAbort",
		            "a release that does not move for strategy.progressDeadline goes back");
	read_pods(&r, spec,
	          str_or(json_str(canary, "stableService"), json_str(blue_green, "activeService")));
	if (canary)
		read_canary(&r, canary);
	else if (blue_green)
		read_blue_green(&r, blue_green);
	else
		import_refuse(im, o, "spec.strategy", "has neither canary nor blueGreen");
	if (m->template)
		import_steps_fit(im, m,
		                 canary ? "spec.strategy.canary.steps" : "spec.strategy.blueGreen");
}
