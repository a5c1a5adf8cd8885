/* Canary of Flagger (flagger.app/v1beta1). Source: its CRD and documentation. */
#include "import.h"

#include "tidegate/base/str.h"

#define INTERVAL_MS  60000
#define WEIGHTS_MAX  30 /* leaves room for a mirror and the end */
#define WEIGHT_WHOLE 100

struct reader {
	struct import *im;
	struct import_object *o;
	struct import_model *m;
	int64_t interval_ms;
};

#define PATH(r, ...) arena_printf(&(r)->im->a, __VA_ARGS__)

/* --- steps
 * ---------------------------------------------------------------------------------------- */

static void add_weight(struct reader *r, int weight)
{
	struct import_step *s = import_step_add(r->m);

	s->weight = weight;
	s->hold_ms = r->interval_ms;
}

static void read_step_weights(struct reader *r, const struct json *list)
{
	const struct json *it;
	int64_t last = 0;

	json_for_each (it, list) {
		int64_t w = json_value_i64(it, 0);

		if (w > last && w <= WEIGHT_WHOLE)
			add_weight(r, (int)w);
		else
			import_note(r->im, r->o, "spec.analysis.stepWeights",
			            "weights must rise up to 100: %lld is left out", (long long)w);
		last = w > last ? w : last;
	}
}

static void read_even_weights(struct reader *r, int64_t step, int64_t max)
{
	int64_t every = 1;

	while (max / (step * every) > WEIGHTS_MAX)
		every++;
	if (every > 1)
		import_note(
			r->im, r->o, "spec.analysis.stepWeight",
			"makes more steps than a ModelDeployment has: every %lld. is kept, with as "
			"much longer a hold",
			(long long)every);
	r->interval_ms *= every;
	for (int64_t w = step * every; w <= max; w += step * every)
		add_weight(r, (int)w);
	r->interval_ms /= every;
}

static void read_mirror(struct reader *r, const struct json *analysis)
{
	int percent = (int)import_take_i64(r->im, analysis, "mirrorWeight", 100);
	struct import_step *s;

	if (!import_take_bool(r->im, analysis, "mirror", false))
		return;
	s = import_step_add(r->m);
	s->weight = 0;
	s->mirror = percent;
	s->hold_ms = r->interval_ms;
}

/* {headers: {x-canary: {exact: insider}}}; of a cookie header the pattern is kept as it is. */
static const struct import_audience *read_match(struct reader *r, const struct json *match)
{
	const struct json *list =
		json_size(json_get(match, "headers")) ? json_get(match, "headers") : NULL;
	const struct json *first = json_first(list);
	const struct import_audience *a =
		first ? import_audience(r->im, json_key(first), first) : NULL;

	if (a)
		import_take(r->im, match, "headers");
	if (json_size(list) > 1)
		import_note(r->im, r->o, "spec.analysis.match",
		            "of several headers only the first is kept: write the others into "
		            "steps[].audience");
	return a;
}

/* A fixed number of looks: at an audience, or at new pods without traffic. */
static void read_iterations(struct reader *r, const struct json *analysis, int64_t n)
{
	const struct json *match = json_get(analysis, "match");
	const struct import_audience *a = read_match(r, json_first(match));
	struct import_step *s = import_step_add(r->m);

	if (json_size(match) > 1)
		import_note(
			r->im, r->o, "spec.analysis.match",
			"there any of several matches will do, here all conditions of an audience "
			"must hold: only the first is kept");
	s->audience = a;
	s->naudience = a ? 1 : 0;
	s->weight = 0;
	s->hold_ms = n * r->interval_ms;
	if (a)
		return;
	s->capacity = 100;
	s->capacity_percent = true;
	import_note(
		r->im, r->o, "spec.analysis.iterations",
		"pods of both versions at once need strategy.maxSurge: 100%% (1 is the default)");
}

static void read_steps(struct reader *r, const struct json *analysis)
{
	const struct json *interval = import_take(r->im, analysis, "interval");
	const struct json *weights = import_take(r->im, analysis, "stepWeights");
	int64_t step = import_take_i64(r->im, analysis, "stepWeight", 0);
	int64_t max = import_take_i64(r->im, analysis, "maxWeight", WEIGHT_WHOLE);
	int64_t iterations = import_take_i64(r->im, analysis, "iterations", 0);

	r->interval_ms = INTERVAL_MS;
	if (interval && !import_duration(interval, &r->interval_ms))
		import_refuse(r->im, r->o, "spec.analysis.interval", "is no time such as \"1m\"");
	read_mirror(r, analysis);
	if (iterations > 0)
		read_iterations(r, analysis, iterations);
	else if (json_size(weights))
		read_step_weights(r, weights);
	else if (step > 0 && max > 0 && max <= WEIGHT_WHOLE)
		read_even_weights(r, step, max);
}

/* --- traffic
 * -------------------------------------------------------------------------------------- */

/* Flagger makes the route, named after the Service; so does Tidegate when it is told where. */
static void read_gateway(struct reader *r, const struct json *service)
{
	r->m->traffic = TRAFFIC_HTTPROUTE;
	r->m->route = r->m->name;
	r->m->parent_refs = import_take(r->im, service, "gatewayRefs");
	r->m->hosts = import_take(r->im, service, "hosts");
	if (!json_size(r->m->parent_refs))
		import_refuse(r->im, r->o, "spec.service.gatewayRefs",
		              "are needed: a route of Tidegate's must know its gateways");
}

static void read_istio(struct reader *r, const struct json *service)
{
	r->m->traffic = TRAFFIC_ISTIO;
	r->m->route = r->m->name;
	r->m->parent_refs = import_take(r->im, service, "gateways");
	r->m->hosts = import_take(r->im, service, "hosts");
	if (!json_size(r->m->hosts))
		import_refuse(
			r->im, r->o, "spec.service.hosts",
			"are needed: Flagger takes the Service's name for the host, here it must "
			"be said");
}

static void read_ingress(struct reader *r, const struct json *spec)
{
	const struct json *ref = import_take(r->im, spec, "ingressRef");

	r->m->traffic = TRAFFIC_INGRESS;
	r->m->route = str_or(json_str(ref, "name"), "");
	if (!str_eq(str_or(json_str(ref, "kind"), "Ingress"), "Ingress"))
		import_refuse(r->im, r->o, "spec.ingressRef.kind",
		              "only an Ingress: --http-route NAME takes an HTTPRoute in its place");
}

static void read_provider(struct reader *r, const struct json *spec)
{
	const char *provider = str_or(import_take_str(r->im, spec, "provider"), "");
	const struct json *service = json_get(spec, "service");

	if (r->im->options->http_route)
		return;
	if (!*provider)
		provider = json_has(spec, "ingressRef")       ? "nginx"
		           : json_has(service, "gatewayRefs") ? "gatewayapi:v1"
		           : json_has(service, "gateways")    ? "istio"
		                                              : "kubernetes";
	if (str_starts(provider, "gatewayapi"))
		read_gateway(r, service);
	else if (str_eq(provider, "istio"))
		read_istio(r, service);
	else if (str_eq(provider, "nginx"))
		read_ingress(r, spec);
	else if (!str_eq(provider, "kubernetes"))
		import_refuse(
			r->im, r->o, "spec.provider",
			"%.40s is no driver of Tidegate: --http-route NAME takes an HTTPRoute in "
			"its place (docs/traffic.md has the list)",
			provider);
	if (r->m->traffic != TRAFFIC_NONE && r->m->traffic != TRAFFIC_INGRESS)
		import_note(r->im, r->o, NULL,
		            "the route %s is made by Flagger and goes with the Canary; Tidegate "
		            "leaves it "
		            "alone as long as it is there: give traffic another route's name to "
		            "have both",
		            r->m->route);
}

/* --- the whole
 * ------------------------------------------------------------------------------------ */

static void read_target(struct reader *r, const struct json *spec)
{
	const struct json *ref = import_take(r->im, spec, "targetRef");
	const char *kind = str_or(json_str(ref, "kind"), ""),
		   *name = str_or(json_str(ref, "name"), "");
	struct import_object *d;

	d = str_eq(kind, "Deployment") ? import_find(r->im, kind, r->o->namespace, name) : NULL;
	if (!d) {
		import_refuse(
			r->im, r->o, "spec.targetRef",
			"%.40s %.63s is not among what was given: add its manifest with -f; only "
			"Deployments are read",
			*kind ? kind : "the workload", name);
		return;
	}
	d->converted = true;
	import_workload(r->im, json_get(d->json, "spec"), r->m);
	import_deployment_pods(r->im, d, r->m, NULL);
}

static void read_service(struct reader *r, const struct json *spec)
{
	const struct json *service = json_get(spec, "service");
	const struct json *target = import_take(r->im, service, "targetPort");

	r->m->service_port = (int)import_take_i64(r->im, service, "port", 0);
	if (json_is_number(target))
		r->m->port = (int)json_value_i64(target, 0);
}

void import_canary(struct import *im, struct import_object *o, struct import_model *m)
{
	struct reader r = {.im = im, .o = o, .m = m};
	const struct json *spec = json_get(o->json, "spec");
	const struct json *analysis = json_get(spec, "analysis");
	int64_t deadline = import_take_i64(im, spec, "progressDeadlineSeconds", 0);

	read_service(&r, spec);
	read_target(&r, spec);
	read_provider(&r, spec);
	/* The scaler itself is among the files, or it goes on by hand. */
	import_take(im, spec, "autoscalerRef");
	if (deadline > 0)
		m->deadline_ms = 1000 * deadline;
	m->paused |= import_take_bool(im, spec, "suspend", false);
	if (!import_take_bool(im, spec, "skipAnalysis", false)) {
		read_steps(&r, analysis);
		import_canary_metrics(im, o, analysis, m);
	} else {
		import_take(im, spec, "analysis");
	}
	if (m->template)
		import_steps_fit(im, m, "spec.analysis");
}
