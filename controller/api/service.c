/* Kinds that we write and of which only whose they are, and what was last written, is kept. */
#include "project.h"

#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

int service_port_suffix(const char *name)
{
	int64_t n;

	if (!name || !str_starts(name, TG_PORT_NAME))
		return -1;
	name += strlen(TG_PORT_NAME);
	if (!*name)
		return 0;
	return *name == '-' && str_to_i64(name + 1, &n) && n > 0 && n <= UINT16_MAX ? (int)n : -1;
}

static bool is_ours(const struct json *port)
{
	int suffix = service_port_suffix(json_str(port, "name"));

	return suffix == 0 || (suffix > 0 && suffix == json_int(port, "port", 0));
}

static void fill_ports(struct service *s, struct packer *p, const struct json *ports)
{
	struct service_port *out;
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, ports)
		n += is_ours(it);
	out = n ? pack_array(p, n, sizeof(*out)) : NULL;
	s->ports = out;
	s->nports = n;
	json_for_each (it, out ? ports : NULL)
		if (is_ours(it))
			*out++ = (struct service_port){
				.port = (uint16_t)json_int(it, "port", 0),
				.plain = str_eq(json_str(it, "name"), TG_PORT_NAME)};
}

static void service_fill(void *obj, struct packer *p, const void *ctx)
{
	struct service *s = obj;

	object_meta_fill(&s->meta, p, ctx);
	s->apply_hash = json_apply_hash(ctx);
	s->revision =
		pack_name(p, json_str(json_path(ctx, "spec", "selector", NULL), TG_LABEL_REVISION));
	fill_ports(s, p, json_path(ctx, "spec", "ports", NULL));
}

static struct object *service_decode(const struct json *json, struct arena *scratch,
                                     struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct service), service_fill, json);
}

static bool ports_same(const struct service *x, const struct service *y)
{
	if (x->nports != y->nports)
		return false;
	for (unsigned i = 0; i < x->nports; i++)
		if (x->ports[i].port != y->ports[i].port || x->ports[i].plain != y->ports[i].plain)
			return false;
	return true;
}

static bool service_same(const struct object *a, const struct object *b)
{
	const struct service *x = (const struct service *)a, *y = (const struct service *)b;

	return meta_same(a, b) && x->apply_hash == y->apply_hash &&
	       str_eq(x->revision, y->revision) && ports_same(x, y);
}

const struct object_kind service_kind = {
	.kind = "Service",
	.api = "/api/v1",
	.resource = "services",
	.decode = service_decode,
	.same = service_same,
};

const struct object_kind disruption_budget_kind = {
	.kind = "PodDisruptionBudget",
	.api = "/apis/policy/v1",
	.resource = "poddisruptionbudgets",
	.decode = service_decode,
	.same = service_same,
};

const struct object_kind destinationrule_kind = {
	.kind = "DestinationRule",
	.api = "/apis/networking.istio.io/v1",
	.resource = "destinationrules",
	.by_owner = true,
	.decode = service_decode,
	.same = service_same,
};
