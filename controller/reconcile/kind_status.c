/* Status of an object that is not a ModelDeployment: written whole, fire and forget. */
#include "internal.h"

#include "tidegate/api/names.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"

#define BODY_MAX 8192

static void on_written(void *arg, const struct kube_response *r)
{
	const struct object_kind *kind = arg;

	if (r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND &&
	    r->err.class != ERR_CANCELED)
		log_warn("status was not written", LS("kind", kind->kind), LE(&r->err));
}

static int body_write(const struct object_kind *kind, const struct object *o,
                      void (*fill)(struct json_writer *w, const void *ctx), const void *ctx,
                      struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", kind->kind);
	jw_object(&w, "metadata");
	jw_str(&w, "name", o->name);
	jw_end_object(&w);
	jw_object(&w, "status");
	jw_i64(&w, "observedGeneration", o->generation);
	fill(&w, ctx);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

static char *status_path(const struct object_kind *kind, const struct object *o)
{
	if (kind->cluster_scoped)
		return xasprintf("%s/%s/%s/status", kind->api, kind->resource, o->name);
	return xasprintf("%s/namespaces/%s/%s/%s/status", kind->api, o->namespace, kind->resource,
	                 o->name);
}

void kind_status_write(struct mdep_operator *op, const struct object_kind *kind,
                       const struct object *o, void (*fill)(struct json_writer *w, const void *ctx),
                       const void *ctx)
{
	cleanup_buf struct buf body;
	cleanup_free char *path = status_path(kind, o);
	struct kube_request req = {.method = "PATCH",
	                           .path = path,
	                           .patch = KUBE_PATCH_APPLY,
	                           .field_manager = TG_FM_STATUS,
	                           .on_done = on_written,
	                           .arg = (void *)kind};

	buf_init(&body, BODY_MAX);
	if (body_write(kind, o, fill, ctx, &body))
		return;
	req.body = body.data;
	req.body_len = body.len;
	kube_call(op->client, &req);
}
