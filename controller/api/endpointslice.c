/*
 * EndpointSlice (discovery.k8s.io/v1): what proxies and gateways know of a Service's pods, so the
 * only proof that a pod can be reached through it, or no longer is.
 */
#include "project.h"
#include "tidegate/base/str.h"

/* The API server's own bound. */
#define ENDPOINTS_MAX 1000

struct draft {
	const struct json *json;
	const char **pods;
	unsigned npods;
};

static void fill_ports(struct endpointslice *s, struct packer *p, const struct json *ports)
{
	const struct json *it;
	uint16_t *out;
	unsigned n = 0;

	json_for_each (it, ports)
		n += service_port_suffix(json_str(it, "name")) >= 0;
	out = n ? pack_array(p, n, sizeof(*out)) : NULL;
	s->ports = out;
	s->nports = n;
	json_for_each (it, out ? ports : NULL) {
		int suffix = service_port_suffix(json_str(it, "name"));

		if (suffix >= 0)
			*out++ = (uint16_t)suffix;
	}
}

static void slice_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct endpointslice *s = obj;
	const char **out = d->npods ? pack_array(p, d->npods, sizeof(*out)) : NULL;

	object_meta_fill(&s->meta, p, d->json);
	s->pods = out;
	s->npods = d->npods;
	for (unsigned i = 0; i < d->npods; i++) {
		const char *pod = pack_str(p, d->pods[i]);

		if (out)
			out[i] = pod;
	}
	fill_ports(s, p, json_get(d->json, "ports"));
}

static const char *ready_pod(const struct json *endpoint)
{
	const struct json *target = json_get(endpoint, "targetRef");

	if (!str_eq(json_str(target, "kind"), "Pod") ||
	    !json_bool(json_get(endpoint, "conditions"), "ready", true))
		return NULL;
	return json_str(target, "name");
}

static struct object *slice_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	const struct json *endpoints = json_get(json, "endpoints"), *it;
	struct draft d = {.json = json};
	size_t n = json_is_array(endpoints) ? json_size(endpoints) : 0;

	if (object_meta_check(json, err))
		return NULL;
	d.pods = arena_array(scratch, n < ENDPOINTS_MAX ? n : ENDPOINTS_MAX, sizeof(*d.pods));
	json_for_each (it, n ? endpoints : NULL) {
		const char *pod = ready_pod(it);

		if (pod && d.npods < ENDPOINTS_MAX)
			d.pods[d.npods++] = pod;
	}
	return object_pack(sizeof(struct endpointslice), slice_fill, &d);
}

static bool slice_same(const struct object *a, const struct object *b)
{
	const struct endpointslice *x = (const struct endpointslice *)a;
	const struct endpointslice *y = (const struct endpointslice *)b;

	if (!meta_same(a, b) || x->npods != y->npods || x->nports != y->nports)
		return false;
	for (unsigned i = 0; i < x->nports; i++)
		if (x->ports[i] != y->ports[i])
			return false;
	for (unsigned i = 0; i < x->npods; i++)
		if (!str_eq(x->pods[i], y->pods[i]))
			return false;
	return true;
}

const struct object_kind endpointslice_kind = {
	.kind = "EndpointSlice",
	.api = "/apis/discovery.k8s.io/v1",
	.resource = "endpointslices",
	.by_owner = true,
	.decode = slice_decode,
	.same = slice_same,
};
