/*
 * Istio VirtualService. Destinations are the Services of the cells, so no subsets are needed;
 * DestinationRules are made for spec.traffic.slowStart only (reconcile/slow_start.c).
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "driver_internal.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

static void write_destination(struct json_writer *w, const struct traffic_wish *t,
                              const char *service)
{
	jw_object(w, "destination");
	jw_strf(w, "host", GATEWAY_SERVICE_HOST, service, t->mdep->meta.namespace);
	jw_object(w, "port");
	jw_i64(w, "number", t->port);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_backend(struct json_writer *w, const char *key, const struct traffic_wish *t,
                          const char *service, int weight)
{
	jw_object(w, key);
	write_destination(w, t, service);
	if (weight >= 0)
		jw_i64(w, "weight", weight);
	jw_end_object(w);
}

/* "svc", "svc.ns", "svc.ns.svc" and "svc.ns.svc.<domain>": the first label, if ns is ours. */
static const char *service_of(const struct mdep *m, const struct json *backend, struct arena *a)
{
	const struct json *destination = json_get(backend, "destination");
	const char *host = json_str(destination ? destination : backend, "host"), *rest;
	size_t len = host ? strcspn(host, ".") : 0, ns = strlen(m->meta.namespace);

	if (!len)
		return NULL;
	if (host[len]) {
		rest = host + len + 1;
		if (strncmp(rest, m->meta.namespace, ns) != 0)
			return NULL;
		rest += ns;
		if (*rest && !str_eq(rest, ".svc") && !str_starts(rest, ".svc."))
			return NULL;
	}
	return arena_strndup(a, host, len);
}

static int weight_of(const struct json *backend)
{
	return (int)json_i64(backend, "weight", 1);
}

static int port_of(const struct json *backend)
{
	return (int)json_i64(json_path(backend, "destination", "port", NULL), "number", 0);
}

static const struct json *asked(const struct json *match, const char *name)
{
	const struct json *headers = json_get(match, "headers"), *it;

	json_for_each (it, headers)
		if (json_is_object(headers) && !strcasecmp(json_key(it), name))
			return it;
	return NULL;
}

/* Istio knows headers by their lower-case names only. */
static const char *lower(struct arena *a, const char *name)
{
	char *s = arena_strdup(a, name);

	for (char *p = s; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

static const char *header_name(const struct mdep_header *h, struct arena *a)
{
	return h->cookie ? "cookie" : lower(a, h->name);
}

static bool write_match(struct json_writer *w, const struct json *match,
                        const struct traffic_wish *t, struct arena *a)
{
	const struct mdep_header *h = t->step->headers;
	const struct json *it, *have;

	for (unsigned i = 0; i < t->step->nheaders; i++) {
		have = asked(match, header_name(&h[i], a));
		if (have &&
		    (h[i].cookie || !h[i].exact || !str_eq(json_str(have, "exact"), h[i].exact)))
			return false;
	}
	jw_object(w, NULL);
	json_for_each (it, match)
		if (!str_eq(json_key(it), "headers"))
			jw_value(w, json_key(it), it);
	jw_object(w, "headers");
	json_for_each (it, json_get(match, "headers"))
		jw_value(w, json_key(it), it);
	for (unsigned i = 0; i < t->step->nheaders; i++) {
		bool exact = h[i].exact && !h[i].cookie;

		if (asked(match, header_name(&h[i], a)))
			continue;
		jw_object(w, header_name(&h[i], a));
		jw_str(w, exact ? "exact" : "regex", exact ? h[i].exact : wish_pattern(&h[i], a));
		jw_end_object(w);
	}
	jw_end_object(w);
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
	write_destination(w, t, service);
	jw_object(w, "percentage");
	jw_i64(w, "value", percent);
	jw_end_object(w);
	jw_end_object(w);
}

static const struct json *mirror_backend(const struct json *mirror)
{
	return mirror; /* has a destination, as a backend has */
}

/* With a name in the spec only that http route is ours, whatever the others point at. */
static bool is_candidate(const struct mdep *m, const struct json *rule)
{
	return !m->http_route || str_eq(json_str(rule, "name"), m->http_route);
}

static void write_spec(struct json_writer *w, const struct mdep *m)
{
	jw_raw(w, "hosts", m->hostnames_json);
	if (m->parent_refs_json)
		jw_raw(w, "gateways", m->parent_refs_json);
}

static const struct rules_form form = {
	.list = "http",
	.matches = "match",
	.backends = "route",
	.mirrors = "mirrors",
	.template = "[{\"name\":\"tidegate\"}]",
	.write_backend = write_backend,
	.service_of = service_of,
	.weight_of = weight_of,
	.port_of = port_of,
	.write_match = write_match,
	.has_headers = has_headers,
	.write_mirror = write_mirror,
	.mirror_backend = mirror_backend,
	.is_candidate = is_candidate,
	.write_spec = write_spec,
};

static int edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                struct traffic_edit *out, struct err *err)
{
	return rules_edit(&form, &virtualservice_kind, w, v, a, out, err);
}

static void observe(const struct mdep *m, const struct traffic_view *v,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	rules_observe(&form, &virtualservice_kind, m, v->route, cells, ncells, a, out);
	out->in_force = out->exists && !out->problem;
}

static bool names_port(const struct mdep *m, const struct traffic_view *v, int port,
                       struct arena *a)
{
	return rules_name_port(&form, m, v->route, port, a);
}

const struct traffic_driver istio_driver = {
	.kind = &virtualservice_kind, .edit = edit, .observe = observe, .names_port = names_port};
