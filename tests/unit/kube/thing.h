/* A small kind for tests of the cache: its only field of interest is spec.value. */
#ifndef TIDEGATE_TESTS_THING_H
#define TIDEGATE_TESTS_THING_H

#include "tidegate/base/str.h"
#include "tidegate/kube/object.h"

struct thing {
	struct object meta;
	const char *value;
};

static inline void thing_fill(void *obj, struct packer *p, const void *ctx)
{
	struct thing *t = obj;

	object_meta_fill(&t->meta, p, ctx);
	t->value = pack_str(p, json_str(json_get(ctx, "spec"), "value"));
}

/* A value of "poison" cannot be decoded. */
static inline struct object *thing_decode(const struct json *json, struct arena *scratch,
                                          struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	if (str_eq(json_str(json_get(json, "spec"), "value"), "poison")) {
		err_set(err, ERR_INVALID, "spec.value is poison");
		return NULL;
	}
	return object_pack(sizeof(struct thing), thing_fill, json);
}

static inline bool thing_same(const struct object *a, const struct object *b)
{
	return str_eq(((const struct thing *)a)->value, ((const struct thing *)b)->value);
}

static const struct object_kind thing_kind = {
	.by_owner = true,
	.kind = "Thing",
	.api = "/apis/test.tidegate.io/v1",
	.resource = "things",
	.decode = thing_decode,
	.same = thing_same,
};

#endif
