/* Kinds that we write and of which only whose they are, and what was last written, is kept. */
#include "project.h"

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

static void service_fill(void *obj, struct packer *p, const void *ctx)
{
	struct service *s = obj;

	object_meta_fill(&s->meta, p, ctx);
	s->apply_hash = json_apply_hash(ctx);
	s->revision =
		pack_name(p, json_str(json_path(ctx, "spec", "selector", NULL), TG_LABEL_REVISION));
}

static struct object *service_decode(const struct cJSON *json, struct arena *scratch,
                                     struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct service), service_fill, json);
}

static bool service_same(const struct object *a, const struct object *b)
{
	const struct service *x = (const struct service *)a, *y = (const struct service *)b;

	return meta_same(a, b) && x->apply_hash == y->apply_hash &&
	       str_eq(x->revision, y->revision);
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
