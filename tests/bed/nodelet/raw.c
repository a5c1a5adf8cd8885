#include "raw.h"

#include "tidegate/base/buf.h"

#define OBJECT_MAX (4u << 20)

struct fill_context {
	const struct json *json;
	const char *text;
};

static void fill(void *obj, struct packer *p, const void *arg)
{
	struct raw_object *raw = obj;
	const struct fill_context *ctx = arg;

	object_meta_fill(&raw->meta, p, ctx->json);
	raw->json = pack_str(p, ctx->text);
}

static struct object *decode(const struct json *json, struct arena *scratch, struct err *err)
{
	cleanup_buf struct buf text;
	struct fill_context ctx = {.json = json};

	(void)scratch;
	buf_init(&text, OBJECT_MAX);
	if (object_meta_check(json, err))
		return NULL;
	if (json_write_value(&text, json)) {
		err_set(err, ERR_TOO_BIG, "object is longer than %u bytes", OBJECT_MAX);
		return NULL;
	}
	ctx.text = text.data;
	return object_pack(sizeof(struct raw_object), fill, &ctx);
}

const struct object_kind raw_pods = {
	.kind = "Pod", .api = "/api/v1", .resource = "pods", .decode = decode};

const struct object_kind raw_nodes = {.kind = "Node",
                                      .api = "/api/v1",
                                      .resource = "nodes",
                                      .cluster_scoped = true,
                                      .decode = decode};
