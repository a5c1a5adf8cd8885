/* The Lease in which a replica of the operator keeps its vote. */
#include "project.h"

#include "tidegate/api/names.h"

static void vote_lease_fill(void *obj, struct packer *p, const void *ctx)
{
	struct vote_lease *l = obj;

	object_meta_fill(&l->meta, p, ctx);
	l->votes = pack_str(p, json_annotation(ctx, TG_ANN_VOTES));
}

static struct object *vote_lease_decode(const struct json *json, struct arena *scratch,
                                        struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct vote_lease), vote_lease_fill, json);
}

/* Every renewal is a sign of life, so no two versions are the same. */
const struct object_kind vote_lease_kind = {
	.kind = "Lease",
	.api = "/apis/coordination.k8s.io/v1",
	.resource = "leases",
	.decode = vote_lease_decode,
};
