/* Deployment, of which only what a take-over needs is kept: how many pods it has and shall have. */
#include "project.h"

#include "tidegate/base/str.h"

static void deployment_fill(void *obj, struct packer *p, const void *ctx)
{
	struct deployment *d = obj;
	const struct json *status = json_get(ctx, "status");

	object_meta_fill(&d->meta, p, ctx);
	d->replicas = json_int(json_get(ctx, "spec"), "replicas", 1);
	d->pods = json_int(status, "replicas", 0);
	d->available = json_int(status, "availableReplicas", 0);
}

static struct object *deployment_decode(const struct json *json, struct arena *scratch,
                                        struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct deployment), deployment_fill, json);
}

static bool deployment_same(const struct object *a, const struct object *b)
{
	const struct deployment *x = (const struct deployment *)a;
	const struct deployment *y = (const struct deployment *)b;

	return meta_same(a, b) && x->replicas == y->replicas && x->pods == y->pods &&
	       x->available == y->available;
}

const struct object_kind deployment_kind = {
	.kind = "Deployment",
	.api = "/apis/apps/v1",
	.resource = "deployments",
	.decode = deployment_decode,
	.same = deployment_same,
};
