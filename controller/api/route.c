#include "project.h"

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

#define PROBLEM_MAX   512
#define GATEWAY_GROUP "gateway.networking.k8s.io"

/* etcd takes objects of 1.5 MiB at most. */
#define TEXT_MAX ((size_t)2 << 20)

struct draft {
	const struct json *json;
	struct route route;
};

/* --- what the gateways say --------------------------------------------------------------- */

static bool same_member(const struct json *a, const struct json *b, const char *key,
                        const char *fallback)
{
	return str_eq(str_or(json_str(a, key), fallback), str_or(json_str(b, key), fallback));
}

/* A parentRef is identified by all its fields, absent ones standing for their defaults. */
static bool same_parent(const struct json *a, const struct json *b, const char *ns)
{
	return same_member(a, b, "group", GATEWAY_GROUP) && same_member(a, b, "kind", "Gateway") &&
	       same_member(a, b, "namespace", ns) && same_member(a, b, "name", NULL) &&
	       same_member(a, b, "sectionName", "") &&
	       json_i64(a, "port", 0) == json_i64(b, "port", 0);
}

/* The condition's status if it speaks about this generation, else NULL. */
static const char *current_status(const struct json *conditions, const char *type,
                                  int64_t generation)
{
	const struct json *c = json_condition(conditions, type);

	return json_i64(c, "observedGeneration", -1) >= generation ? json_str(c, "status") : NULL;
}

static const char *describe(const struct json *conditions, const char *type, struct arena *a)
{
	const struct json *c = json_condition(conditions, type);
	const char *message = json_str(c, "message");

	return text_cut(a,
	                arena_printf(a, "%s: %.*s", str_or(json_str(c, "reason"), type),
	                             PROBLEM_MAX, str_or(message, "the gateway gives no message")),
	                PROBLEM_MAX);
}

static const char *problem_of(const struct json *conditions, int64_t generation, struct arena *a)
{
	static const struct {
		const char *type, *bad;
	} checks[] = {
		{"Accepted", "False"}, {"ResolvedRefs", "False"}, {"PartiallyInvalid", "True"}};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (str_eq(current_status(conditions, checks[i].type, generation), checks[i].bad))
			return describe(conditions, checks[i].type, a);
	return NULL;
}

static bool accepts(const struct json *conditions, int64_t generation)
{
	return str_eq(current_status(conditions, "Accepted", generation), "True") &&
	       str_eq(current_status(conditions, "ResolvedRefs", generation), "True");
}

static void read_parent(const struct json *json, const struct json *ref, struct arena *a,
                        struct route *r)
{
	const char *ns = str_or(json_str(json_get(json, "metadata"), "namespace"), "");
	int64_t generation = json_i64(json_get(json, "metadata"), "generation", 0);
	bool answered = false;
	const struct json *it;

	json_for_each (it, json_path(json, "status", "parents", NULL)) {
		const struct json *conditions = json_get(it, "conditions");

		if (!same_parent(ref, json_get(it, "parentRef"), ns))
			continue;
		answered |= accepts(conditions, generation);
		if (!r->problem)
			r->problem = problem_of(conditions, generation, a);
	}
	r->nparents++;
	r->nanswered += answered;
}

/* --- kinds ------------------------------------------------------------------------------- */

static const char *text_of(const struct json *v, struct arena *a, struct err *err)
{
	cleanup_buf struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!json_is_object(v))
		return NULL;
	if (json_write_value(&b, v)) {
		err_set(err, ERR_TOO_BIG, "a route is larger than %zu bytes", TEXT_MAX);
		return NULL;
	}
	return arena_strndup(a, b.data, b.len);
}

static void route_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct route *r = obj;

	*r = d->route;
	object_meta_fill(&r->meta, p, d->json);
	r->spec_json = pack_str(p, d->route.spec_json);
	r->annotations_json = pack_str(p, d->route.annotations_json);
	r->problem = pack_str(p, d->route.problem);
}

static int route_draft(const struct json *json, struct arena *scratch, struct draft *d,
                       struct err *err)
{
	if (object_meta_check(json, err))
		return -1;
	d->json = json;
	d->route.ours = str_eq(json_label(json, TG_LABEL_MANAGED_BY), TG_MANAGED_BY);
	d->route.spec_json = text_of(json_get(json, "spec"), scratch, err);
	return json_is_object(json_get(json, "spec")) && !d->route.spec_json ? -1 : 0;
}

/* Kinds whose status says nothing that could be relied on. */
static struct object *plain_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	struct draft d = {.json = NULL};

	if (route_draft(json, scratch, &d, err))
		return NULL;
	return object_pack(sizeof(d.route), route_fill, &d);
}

static struct object *gateway_decode(const struct json *json, struct arena *scratch,
                                     struct err *err)
{
	struct draft d = {.json = NULL};
	const struct json *it;

	if (route_draft(json, scratch, &d, err))
		return NULL;
	json_for_each (it, json_path(json, "spec", "parentRefs", NULL))
		read_parent(json, it, scratch, &d.route);
	return object_pack(sizeof(d.route), route_fill, &d);
}

static struct object *ingress_decode(const struct json *json, struct arena *scratch,
                                     struct err *err)
{
	struct draft d = {.json = NULL};
	const struct json *annotations = json_path(json, "metadata", "annotations", NULL);

	if (route_draft(json, scratch, &d, err))
		return NULL;
	d.route.annotations_json = text_of(annotations, scratch, err);
	if (json_is_object(annotations) && !d.route.annotations_json)
		return NULL;
	return object_pack(sizeof(d.route), route_fill, &d);
}

static bool route_same(const struct object *a, const struct object *b)
{
	const struct route *x = (const struct route *)a, *y = (const struct route *)b;

	return meta_same(a, b) && a->generation == b->generation && x->ours == y->ours &&
	       x->nparents == y->nparents && x->nanswered == y->nanswered &&
	       str_eq(x->problem, y->problem) && str_eq(x->spec_json, y->spec_json) &&
	       str_eq(x->annotations_json, y->annotations_json);
}

const struct object_kind httproute_kind = {
	.kind = "HTTPRoute",
	.api = "/apis/gateway.networking.k8s.io/v1",
	.resource = "httproutes",
	.decode = gateway_decode,
	.same = route_same,
};

const struct object_kind grpcroute_kind = {
	.kind = "GRPCRoute",
	.api = "/apis/gateway.networking.k8s.io/v1",
	.resource = "grpcroutes",
	.decode = gateway_decode,
	.same = route_same,
};

const struct object_kind virtualservice_kind = {
	.kind = "VirtualService",
	.api = "/apis/networking.istio.io/v1",
	.resource = "virtualservices",
	.decode = plain_decode,
	.same = route_same,
};

const struct object_kind ingress_kind = {
	.kind = "Ingress",
	.api = "/apis/networking.k8s.io/v1",
	.resource = "ingresses",
	.decode = ingress_decode,
	.same = route_same,
};

const struct object_kind traefikservice_kind = {
	.kind = "TraefikService",
	.api = "/apis/traefik.io/v1alpha1",
	.resource = "traefikservices",
	.decode = plain_decode,
	.same = route_same,
};
