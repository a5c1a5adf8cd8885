#include "internal.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"

#define BODY_MAX 65536

bool pod_condition_lost(const struct kube_response *r)
{
	bool lost = r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND &&
	            r->err.class != ERR_CANCELED;

	if (lost)
		log_warn("pod condition was not written", LE(&r->err));
	return lost;
}

static void on_written(void *arg, const struct kube_response *r)
{
	(void)arg;
	pod_condition_lost(r);
}

/*
 * A kubelet whose node is lost does not draw the conclusion, and the pod would stay in the
 * endpoints until the node controller gives the node up, 50 s later. One that lives comes to the
 * same, and says so when the gate is open again.
 */
static void write_unready(struct json_writer *w, const char *gate)
{
	cleanup_free char *message = xasprintf("readiness gate \"%s\" is not True", gate);

	condition_write(w, "Ready", false, "ReadinessGatesNotReady", message, 0, 0);
}

/* The uid makes the write fail on a later pod of the same name. */
static int write_body(struct buf *out, const struct pod *p, const struct pod_condition *c)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_str(&w, "uid", p->meta.uid);
	jw_end_object(&w);
	jw_object(&w, "status");
	jw_array(&w, "conditions");
	condition_write(&w, c->type, c->status, c->reason, c->message, 0, 0);
	if (c->unready)
		write_unready(&w, c->type);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

struct kube_call *pod_condition_write(struct mdep_operator *op, const struct pod *p,
                                      const char *manager, const struct pod_condition *c,
                                      void (*done)(void *arg, const struct kube_response *r),
                                      void *arg)
{
	cleanup_buf struct buf body;
	cleanup_free char *path =
		xasprintf("/api/v1/namespaces/%s/pods/%s/status", p->meta.namespace, p->meta.name);
	struct kube_request req = {.method = "PATCH",
	                           .path = path,
	                           .patch = KUBE_PATCH_STRATEGIC,
	                           .field_manager = manager,
	                           .on_done = done ? done : on_written,
	                           .arg = arg};

	buf_init(&body, BODY_MAX);
	if (write_body(&body, p, c))
		return NULL;
	req.body = body.data;
	req.body_len = body.len;
	return kube_call(op->client, &req);
}
