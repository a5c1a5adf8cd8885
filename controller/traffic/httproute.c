/* Gateway API: HTTPRoute and GRPCRoute, which differ in what a match may ask for. */
#include <string.h>
#include <strings.h>

#include "driver_internal.h"
#include "tidegate/base/str.h"

#define MAX_RULES 16 /* of a route, by its schema */

/* Defaults are written out: the object then reads back as it was applied. */
static void write_ref(struct json_writer *w, const char *key, const struct traffic_wish *t,
                      const char *service, int weight)
{
	jw_object(w, key);
	jw_str(w, "group", "");
	jw_str(w, "kind", "Service");
	jw_str(w, "name", service);
	jw_i64(w, "port", t->port);
	if (weight >= 0)
		jw_i64(w, "weight", weight);
	jw_end_object(w);
}

static const char *service_of(const struct mdep *m, const struct json *ref, struct arena *a)
{
	const char *ns = m->meta.namespace;

	(void)a;
	if (!str_empty(json_str(ref, "group")) ||
	    !str_eq(str_or(json_str(ref, "kind"), "Service"), "Service") ||
	    !str_eq(str_or(json_str(ref, "namespace"), ns), ns))
		return NULL;
	return json_str(ref, "name");
}

static int weight_of(const struct json *ref)
{
	return (int)json_i64(ref, "weight", 1);
}

static int port_of(const struct json *ref)
{
	return (int)json_i64(ref, "port", 0);
}

static void write_header(struct json_writer *w, const struct mdep_header *h, struct arena *a)
{
	bool exact = h->exact && !h->cookie;

	jw_object(w, NULL);
	jw_str(w, "type", exact ? "Exact" : "RegularExpression");
	jw_str(w, "name", h->cookie ? "Cookie" : h->name);
	jw_str(w, "value", exact ? h->exact : wish_pattern(h, a));
	jw_end_object(w);
}

/* What the match asks of that header already, NULL when nothing. */
static const struct json *asked(const struct json *match, const char *name)
{
	const struct json *it;

	json_for_each (it, json_get(match, "headers"))
		if (json_str(it, "name") && !strcasecmp(json_str(it, "name"), name))
			return it;
	return NULL;
}

static bool contradicts(const struct json *have, const struct mdep_header *h)
{
	return h->cookie || !h->exact || !str_eq(json_str(have, "value"), h->exact) ||
	       !str_eq(str_or(json_str(have, "type"), "Exact"), "Exact");
}

/* Of two conditions on one header only the first counts, so a match with another is left out. */
static bool write_match(struct json_writer *w, const struct json *match,
                        const struct traffic_wish *t, struct arena *a)
{
	const struct mdep_header *h = t->step->headers;
	const struct json *it;

	for (unsigned i = 0; i < t->step->nheaders; i++) {
		const struct json *have = asked(match, h[i].cookie ? "Cookie" : h[i].name);

		if (have && contradicts(have, &h[i]))
			return false;
	}
	jw_object(w, NULL);
	json_for_each (it, match)
		if (!str_eq(json_key(it), "headers"))
			jw_value(w, json_key(it), it);
	jw_array(w, "headers");
	json_for_each (it, json_get(match, "headers"))
		jw_value(w, NULL, it);
	for (unsigned i = 0; i < t->step->nheaders; i++)
		if (!asked(match, h[i].cookie ? "Cookie" : h[i].name))
			write_header(w, &h[i], a);
	jw_end_array(w);
	jw_end_object(w);
	return true;
}

static bool has_headers(const struct json *match)
{
	return json_size(json_get(match, "headers")) > 0;
}

static void write_mirror(struct json_writer *w, const struct traffic_wish *t, const char *service,
                         int percent)
{
	jw_object(w, NULL);
	jw_str(w, "type", "RequestMirror");
	jw_object(w, "requestMirror");
	write_ref(w, "backendRef", t, service, -1);
	if (percent < 100)
		jw_i64(w, "percent", percent);
	jw_end_object(w);
	jw_end_object(w);
}

static const struct json *mirror_backend(const struct json *filter)
{
	return json_path(filter, "requestMirror", "backendRef", NULL);
}

static void write_spec(struct json_writer *w, const struct mdep *m)
{
	jw_raw(w, "parentRefs", m->parent_refs_json);
	if (m->hostnames_json)
		jw_raw(w, "hostnames", m->hostnames_json);
}

/* template: a first rule of ours, in a route that has none. */
#define ROUTE_FORM(rule)                                                                           \
	{                                                                                          \
		.list = "rules", .matches = "matches", .backends = "backendRefs",                  \
		.mirrors = "filters", .template = (rule), .max_rules = MAX_RULES,                  \
		.write_backend = write_ref, .service_of = service_of, .weight_of = weight_of,      \
		.port_of = port_of, .write_match = write_match, .has_headers = has_headers,        \
		.write_mirror = write_mirror, .mirror_backend = mirror_backend,                    \
		.write_spec = write_spec,                                                          \
	}
static const struct rules_form http_form =
	ROUTE_FORM("[{\"matches\":[{\"path\":{\"type\":\"PathPrefix\",\"value\":\"/\"}}]}]");
/* A rule without matches takes every call. */
static const struct rules_form grpc_form = ROUTE_FORM("[{}]");

static void observe(const struct rules_form *form, const struct object_kind *kind,
                    const struct mdep *m, const struct traffic_view *v,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	const struct route *r = v->route;

	rules_observe(form, kind, m, r, cells, ncells, a, out);
	out->answers = true;
	out->in_force = r && r->nparents > 0 && r->nanswered >= r->nparents && !r->problem;
}

static int http_edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                     struct traffic_edit *out, struct err *err)
{
	return rules_edit(&http_form, &httproute_kind, w, v, a, out, err);
}

static void http_observe(const struct mdep *m, const struct traffic_view *v,
                         const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                         struct rollout_traffic *out)
{
	observe(&http_form, &httproute_kind, m, v, cells, ncells, a, out);
}

static int grpc_edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                     struct traffic_edit *out, struct err *err)
{
	return rules_edit(&grpc_form, &grpcroute_kind, w, v, a, out, err);
}

static void grpc_observe(const struct mdep *m, const struct traffic_view *v,
                         const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                         struct rollout_traffic *out)
{
	observe(&grpc_form, &grpcroute_kind, m, v, cells, ncells, a, out);
}

/* Both name Services in the same way. */
static bool names_port(const struct mdep *m, const struct traffic_view *v, int port,
                       struct arena *a)
{
	return rules_name_port(&http_form, m, v->route, port, a);
}

const struct traffic_driver httproute_driver = {.kind = &httproute_kind,
                                                .edit = http_edit,
                                                .observe = http_observe,
                                                .names_port = names_port};
const struct traffic_driver grpcroute_driver = {.kind = &grpcroute_kind,
                                                .edit = grpc_edit,
                                                .observe = grpc_observe,
                                                .names_port = names_port};
