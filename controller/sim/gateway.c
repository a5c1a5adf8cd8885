#include "world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

#define TAKE_OVER_MAX_MS 1500

/* --- endpoints ----------------------------------------------------------------------------- */

static bool selects(const struct sim_object *service, const struct sim_object *pod)
{
	const struct json *selector = json_path(service->json, "spec", "selector", NULL);
	const struct json *labels = json_path(pod->json, "metadata", "labels", NULL), *it;

	if (!str_eq(service->ns, pod->ns))
		return false;
	json_for_each (it, selector)
		if (!str_eq(json_str(labels, json_key(it)), json_value_str(it)))
			return false;
	return json_first(selector) != NULL;
}

bool world_is_behind(const struct sim_object *service, const struct sim_object *pod)
{
	return selects(service, pod) && world_pod_ready(pod);
}

/* The app whose pods alone it selects; NULL = any pod may be behind it. */
static struct world_app *app_of_service(struct world *w, const struct sim_object *service)
{
	const char *name =
		json_str(json_path(service->json, "spec", "selector", NULL), TG_LABEL_NAME);

	return name ? world_app(w, service->ns, name) : NULL;
}

static struct sim_object *next_of_app(struct world_app *a, struct sim_object *pod)
{
	struct list *next = pod ? pod->world.of_app.next : a->pods.next;

	return next == &a->pods ? NULL : list_entry(next, struct sim_object, world.of_app);
}

/* A pod that no kubelet has met is not Ready. */
struct sim_object *world_next_behind(struct world *w, const struct sim_object *service,
                                     struct sim_object *pod)
{
	struct world_app *a = app_of_service(w, service);

	do
		pod = a ? next_of_app(a, pod) : sim_next(w->api, SIM_POD, pod);
	while (pod && !world_is_behind(service, pod));
	return pod;
}

unsigned world_endpoints(struct world *w, const struct sim_object *service)
{
	struct sim_object *p = NULL;
	unsigned n = 0;

	while ((p = world_next_behind(w, service, p)))
		n++;
	return n;
}

static void write_endpoints(struct world *w, const struct sim_object *service,
                            struct json_writer *j)
{
	struct sim_object *p = NULL;

	jw_array(j, "endpoints");
	while ((p = world_next_behind(w, service, p))) {
		jw_object(j, NULL);
		jw_object(j, "targetRef");
		jw_str(j, "kind", "Pod");
		jw_str(j, "name", p->name);
		jw_end_object(j);
		jw_end_object(j);
	}
	jw_end_array(j);
}

static void write_slice_ports(const struct sim_object *service, struct json_writer *j)
{
	const struct json *it;

	jw_array(j, "ports");
	json_for_each (it, json_path(service->json, "spec", "ports", NULL)) {
		jw_object(j, NULL);
		jw_str(j, "name", json_str(it, "name"));
		jw_end_object(j);
	}
	jw_end_array(j);
}

/* What the endpoints controller copies from a Service: its labels, and whose it is. */
static void write_slice(struct world *w, const struct sim_object *service, struct json_writer *j)
{
	jw_object(j, NULL);
	jw_object(j, "metadata");
	jw_str(j, "name", service->name);
	jw_str(j, "namespace", service->ns);
	jw_value(j, "labels", json_path(service->json, "metadata", "labels", NULL));
	jw_array(j, "ownerReferences");
	jw_object(j, NULL);
	jw_str(j, "apiVersion", "v1");
	jw_str(j, "kind", "Service");
	jw_str(j, "name", service->name);
	jw_str(j, "uid", service->uid);
	jw_bool(j, "controller", true);
	jw_end_object(j);
	jw_end_array(j);
	jw_end_object(j);
	write_slice_ports(service, j);
	write_endpoints(w, service, j);
	jw_end_object(j);
}

/* All that a slice is made of. */
static uint64_t ingredients(struct world *w, const struct sim_object *service)
{
	uint64_t hash = str_hash(STR_HASH_SEED, &service->rv, sizeof(service->rv));
	struct sim_object *p = NULL;

	while ((p = world_next_behind(w, service, p)))
		hash = str_hash(hash, p->name, strlen(p->name) + 1);
	return hash;
}

static void set_slice(struct world *w, struct sim_object *service)
{
	uint64_t hash = ingredients(w, service);
	cleanup_buf struct buf b;
	struct json_writer j;

	buf_init(&b, SIM_TEXT_MAX);
	if (service->world.slice == hash)
		return;
	service->world.slice = hash;
	jw_init(&j, &b);
	write_slice(w, service, &j);
	if (jw_end(&j) == 0)
		sim_put(w->api, SIM_SLICE, b.data, NULL);
}

/* --- ports of Services --------------------------------------------------------------------- */

static bool shows(const struct sim_object *service, int port)
{
	return json_find_i64(json_path(service->json, "spec", "ports", NULL), "port", port);
}

static bool has_heard(const struct sim_attached *x, int port)
{
	for (unsigned i = 0; i < x->nports; i++)
		if (x->ports[i] == port)
			return true;
	return false;
}

bool world_is_reached_by(const struct sim_object *service, int port)
{
	return !port || has_heard(&service->world, port);
}

static void hear_all(struct sim_object *service)
{
	struct sim_attached *x = &service->world;
	const struct json *it;

	x->due_ms = x->nports = 0;
	json_for_each (it, json_path(service->json, "spec", "ports", NULL))
		if (x->nports < SIM_PORTS_MAX)
			x->ports[x->nports++] = (int)json_i64(it, "port", 0);
}

static bool is_news(const struct sim_object *service)
{
	const struct json *it;

	json_for_each (it, json_path(service->json, "spec", "ports", NULL))
		if (!has_heard(&service->world, (int)json_i64(it, "port", 0)))
			return true;
	return false;
}

/* Ports that go are gone at once, those that come are heard of after a while. */
static void tick_ports(struct world *w, struct sim_object *service, int64_t *next)
{
	struct sim_attached *x = &service->world;
	int64_t now = clock_mono_ms();
	unsigned n = 0;

	if (!x->nports) { /* new: before its first endpoint nobody asks for it */
		hear_all(service);
		return;
	}
	for (unsigned i = 0; i < x->nports; i++)
		if (shows(service, x->ports[i]))
			x->ports[n++] = x->ports[i];
	x->nports = n;
	if (!is_news(service))
		return;
	if (!x->due_ms)
		x->due_ms = now + world_draw(w, 0, TAKE_OVER_MAX_MS);
	if (now >= x->due_ms)
		hear_all(service);
	else if (x->due_ms < *next)
		*next = x->due_ms;
}

/* --- reading routes ------------------------------------------------------------------------ */

/* "svc", "svc.ns.svc.cluster.local": the first label. */
static void add_backend(struct world_split *s, const char *host, int64_t port, int64_t weight)
{
	struct world_backend *b = &s->v[s->n];
	size_t n = host ? strcspn(host, ".") : 0;

	if (!n || n >= sizeof(b->service) || s->n == WORLD_BACKENDS_MAX)
		return;
	memcpy(b->service, host, n);
	b->service[n] = '\0';
	b->port = (int)port;
	b->weight = weight;
	s->n++;
}

static void read_mirror(const struct json *rule, struct world_rule *out)
{
	const struct json *it, *mirror;

	json_for_each (it, json_get(rule, "filters")) {
		mirror = json_get(it, "requestMirror");
		if (!mirror)
			continue;
		add_backend(&out->copies, json_str(json_get(mirror, "backendRef"), "name"),
		            json_i64(json_get(mirror, "backendRef"), "port", 0), 1);
		out->copied = json_double(mirror, "percent", 100) / 100;
	}
}

static void read_gateway_rule(const struct json *rule, struct world_rule *out)
{
	const struct json *it;

	*out = (struct world_rule){.copied = 0};
	json_for_each (it, json_get(rule, "backendRefs"))
		add_backend(&out->answers, json_str(it, "name"), json_i64(it, "port", 0),
		            json_i64(it, "weight", 1));
	read_mirror(rule, out);
}

static void add_destination(struct world_split *s, const struct json *from, int64_t weight)
{
	const struct json *to = json_get(from, "destination");

	add_backend(s, json_str(to, "host"), json_i64(json_get(to, "port"), "number", 0), weight);
}

static void read_istio_rule(const struct json *rule, struct world_rule *out)
{
	const struct json *it;
	size_t n = json_size(json_get(rule, "route"));

	*out = (struct world_rule){.copied = 0};
	json_for_each (it, json_get(rule, "route"))
		add_destination(&out->answers, it, json_i64(it, "weight", n == 1 ? 100 : 0));
	json_for_each (it, json_get(rule, "mirrors")) {
		add_destination(&out->copies, it, 1);
		out->copied = json_double(json_get(it, "percentage"), "value", 100) / 100;
	}
}

static bool asks_for_headers(const struct json *rule)
{
	const struct json *it;

	json_for_each (it, json_get(rule, "matches"))
		if (json_size(json_get(it, "headers")))
			return true;
	json_for_each (it, json_get(rule, "match"))
		if (json_size(json_get(it, "headers")))
			return true;
	return false;
}

static bool leads_to(const struct world *w, const struct world_app *a, const struct world_rule *r)
{
	for (unsigned i = 0; i < r->answers.n; i++) {
		const struct sim_object *s =
			sim_get(w->api, SIM_SERVICE, a->ns, r->answers.v[i].service);

		if (str_eq(r->answers.v[i].service, a->name) ||
		    (s && str_eq(world_label(s, TG_LABEL_NAME), a->name)))
			return true;
	}
	return false;
}

/* The last rule that everybody gets, and the first one with headers; of those that lead to it. */
static void read_rules(const struct world *w, const struct world_app *a, const struct json *rules,
                       void (*read)(const struct json *rule, struct world_rule *out),
                       struct world_rule out[WORLD_RULES_MAX])
{
	struct world_rule r;
	const struct json *it;

	json_for_each (it, rules) {
		bool audience = asks_for_headers(it);

		read(it, &r);
		if (leads_to(w, a, &r) && !(audience && out[1].answers.n))
			out[audience] = r;
	}
}

static void read_weighted(const struct sim_object *route, struct world_split *out)
{
	const struct json *it;

	json_for_each (it, json_path(route->json, "spec", "weighted", "services", NULL))
		add_backend(out, json_str(it, "name"), json_i64(it, "port", 0),
		            json_i64(it, "weight", 1));
}

/* It takes nothing of an object that refers to one that is not there. */
static void read_traefik(const struct world *w, const struct sim_object *route,
                         struct world_rule *out)
{
	const struct json *mirroring = json_path(route->json, "spec", "mirroring", NULL);
	const struct json *mirror = json_first(json_get(mirroring, "mirrors"));
	const struct sim_object *answers, *copies;

	if (!mirroring) {
		read_weighted(route, &out->answers);
		return;
	}
	answers = sim_get(w->api, SIM_TRAEFIKSERVICE, route->ns,
	                  str_or(json_str(mirroring, "name"), ""));
	copies = sim_get(w->api, SIM_TRAEFIKSERVICE, route->ns,
	                 str_or(json_str(mirror, "name"), ""));
	if (!answers || !copies)
		return;
	read_weighted(answers, &out->answers);
	read_weighted(copies, &out->copies);
	out->copied = json_double(mirror, "percent", 100) / 100;
}

/* Its Service and port, by number or by name. */
static const struct json *ingress_backend(const struct sim_object *o)
{
	const struct json *rule = json_first(json_path(o->json, "spec", "rules", NULL));
	const struct json *path = json_first(json_get(json_get(rule, "http"), "paths"));
	const struct json *backend = path ? json_get(path, "backend")
	                                  : json_path(o->json, "spec", "defaultBackend", NULL);

	return json_get(backend, "service");
}

static void add_ingress(const struct world *w, struct world_split *out, const struct sim_object *o,
                        int64_t weight)
{
	const struct json *to = ingress_backend(o), *it;
	const struct sim_object *service =
		sim_get(w->api, SIM_SERVICE, o->ns, str_or(json_str(to, "name"), ""));
	const char *name = json_str(json_get(to, "port"), "name");
	int64_t port = json_i64(json_get(to, "port"), "number", 0);

	json_for_each (it, service && name ? json_path(service->json, "spec", "ports", NULL) : NULL)
		if (str_eq(json_str(it, "name"), name))
			port = json_i64(it, "port", 0);
	add_backend(out, json_str(to, "name"), port, weight);
}

static const struct sim_object *canary_of(const struct world *w, const struct sim_object *main)
{
	cleanup_free char *name = xasprintf("%s-canary", main->name);

	return sim_get(w->api, SIM_INGRESS, main->ns, name);
}

/* Value of the annotation under whatever dialect's prefix; NULL = there is none. */
static const char *canary_says(const struct sim_object *canary, const char *what)
{
	const struct json *it;

	json_for_each (it, json_path(canary->json, "metadata", "annotations", NULL))
		if (str_ends(json_key(it), what))
			return json_value_str(it);
	return NULL;
}

/* The second Ingress takes a share in percent away, and who has the header. */
static void read_ingress(const struct world *w, const struct sim_object *main,
                         struct world_rule out[WORLD_RULES_MAX])
{
	const struct sim_object *canary = canary_of(w, main);
	int64_t share = 0;

	if (canary)
		str_to_i64(str_or(canary_says(canary, "/canary-weight"), ""), &share);
	add_ingress(w, &out[0].answers, main, 100 - share);
	if (canary)
		add_ingress(w, &out[0].answers, canary, share);
	if (canary && canary_says(canary, "/canary-by-header"))
		add_ingress(w, &out[1].answers, canary, 1);
}

void world_read_route(const struct world *w, const struct world_app *a,
                      const struct sim_object *main, struct world_rule out[WORLD_RULES_MAX])
{
	const struct json *spec = json_get(main->json, "spec");

	out[0] = out[1] = (struct world_rule){.copied = 0};
	switch (main->resource) {
	case SIM_ROUTE:
	case SIM_GRPCROUTE:
		read_rules(w, a, json_get(spec, "rules"), read_gateway_rule, out);
		break;
	case SIM_VIRTUALSERVICE:
		read_rules(w, a, json_get(spec, "http"), read_istio_rule, out);
		break;
	case SIM_INGRESS:
		read_ingress(w, main, out);
		break;
	default:
		read_traefik(w, main, &out[0]);
	}
}

unsigned world_backends(const struct world *w, const struct world_app *a,
                        const struct sim_object *main, struct world_backend *out)
{
	struct world_rule r[WORLD_RULES_MAX];

	world_read_route(w, a, main, r);
	memcpy(out, r[0].answers.v, sizeof(r[0].answers.v));
	return r[0].answers.n;
}

const char *world_service_revision(const struct sim_object *service)
{
	return json_str(json_path(service->json, "spec", "selector", NULL), TG_LABEL_REVISION);
}

/* --- taking over --------------------------------------------------------------------------- */

static const enum sim_resource kinds[] = {
	[TRAFFIC_HTTPROUTE] = SIM_ROUTE,        [TRAFFIC_GRPCROUTE] = SIM_GRPCROUTE,
	[TRAFFIC_ISTIO] = SIM_VIRTUALSERVICE,   [TRAFFIC_INGRESS] = SIM_INGRESS,
	[TRAFFIC_TRAEFIK] = SIM_TRAEFIKSERVICE,
};

enum sim_resource world_route_kind(enum mdep_traffic driver)
{
	return kinds[driver];
}

/* A TraefikService refers to others; an Ingress's version is that of its second one, too. */
static bool has_more(const struct sim_object *route)
{
	return route->resource == SIM_TRAEFIKSERVICE;
}

/* A ModelDeployment that does not name it has another one. */
static bool may_be_of(const struct sim_object *route, const struct sim_object *mdep)
{
	return str_eq(mdep->ns, route->ns) &&
	       (has_more(route) || strstr(mdep->text->s, route->name));
}

/* Whoever's traffic goes by this route from now on sees it. */
static void tell_apps(struct world *w, const struct sim_object *route)
{
	struct sim_object *o;

	for (o = sim_next(w->api, SIM_MDEP, NULL); o; o = sim_next(w->api, SIM_MDEP, o)) {
		cleanup_arena struct arena a;
		const struct sim_object *main;
		struct world_app *app;
		struct mdep m;

		arena_init(&a, 16384);
		if (!may_be_of(route, o) || mdep_read(o->json, &m, &a, NULL) ||
		    m.traffic == TRAFFIC_NONE || kinds[m.traffic] != route->resource)
			continue;
		main = sim_get(w->api, route->resource, o->ns, m.route_name);
		if (main && (main == route || has_more(route))) {
			app = world_app(w, o->ns, o->name);
			world_read_route(w, app, main, app->rules);
		}
	}
}

static void accept_route(struct world *w, struct sim_object *route)
{
	const struct json *parent = json_first(json_path(route->json, "spec", "parentRefs", NULL));
	cleanup_buf struct buf b;
	struct json_writer j;

	buf_init(&b, SIM_TEXT_MAX);
	jw_init(&j, &b);
	jw_object(&j, NULL);
	jw_object(&j, "status");
	jw_array(&j, "parents");
	jw_object(&j, NULL);
	jw_value(&j, "parentRef", parent);
	jw_str(&j, "controllerName", "sim/gateway");
	jw_array(&j, "conditions");
	for (int i = 0; i < 2; i++) {
		jw_object(&j, NULL);
		jw_str(&j, "type", i ? "ResolvedRefs" : "Accepted");
		jw_str(&j, "status", "True");
		jw_str(&j, "reason", i ? "ResolvedRefs" : "Accepted");
		jw_i64(&j, "observedGeneration", route->generation);
		jw_end_object(&j);
	}
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_object(&j);
	jw_end(&j);
	sim_patch(w->api, route, b.data);
}

/*
 * An Ingress's annotations are no part of its spec, so its generation does not tell; nor is
 * anything told of one that is gone.
 */
static unsigned version_of(const struct world *w, const struct sim_object *route)
{
	const struct sim_object *canary;

	if (route->resource != SIM_INGRESS)
		return (unsigned)route->generation;
	canary = canary_of(w, route);
	return (unsigned)(route->rv + (canary ? canary->rv : 0));
}

/* What was written takes force at the gateway after a while, and its status says so then. */
static void tick_route(struct world *w, struct sim_object *route, int64_t *next)
{
	struct sim_attached *a = &route->world;
	unsigned version = version_of(w, route);
	int64_t now = clock_mono_ms();

	if (a->seen != version) {
		a->seen = version;
		a->due_ms = now + world_draw(w, 0, TAKE_OVER_MAX_MS);
	}
	if (a->in_force == a->seen)
		return;
	if (now < a->due_ms) {
		*next = a->due_ms < *next ? a->due_ms : *next;
		return;
	}
	a->in_force = a->seen;
	tell_apps(w, route);
	if (route->resource == SIM_ROUTE || route->resource == SIM_GRPCROUTE)
		accept_route(w, route);
}

int64_t gateway_round(struct world *w)
{
	int64_t next = INT64_MAX;
	struct sim_object *o;

	for (o = sim_next(w->api, SIM_SERVICE, NULL); o; o = sim_next(w->api, SIM_SERVICE, o)) {
		set_slice(w, o);
		tick_ports(w, o, &next);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (i == TRAFFIC_NONE)
			continue;
		for (o = sim_next(w->api, kinds[i], NULL); o; o = sim_next(w->api, kinds[i], o))
			tick_route(w, o, &next);
	}
	return next;
}
