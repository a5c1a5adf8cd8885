#include "status.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define STATUS_MAX     (256u << 10)
#define RETRY_FIRST_MS 200
#define RETRY_MAX_MS   5000

static void kick(void *arg)
{
	pod_kick(arg);
}

void status_init(struct pod *p)
{
	timer_init(&p->status_retry, p->agent->loop, kick, p);
}

void status_stop(struct pod *p)
{
	timer_stop(&p->status_retry);
	if (p->status_call)
		kube_cancel(p->status_call);
	if (p->delete_call)
		kube_cancel(p->delete_call);
	p->status_call = p->delete_call = NULL;
}

void status_release(struct pod *p)
{
	timer_release(&p->status_retry);
	free(p->status_sent);
	free(p->status_rv);
	free(p->status_pending);
}

static void retry_later(struct pod *p)
{
	int64_t ms = p->status_backoff_ms ? p->status_backoff_ms * 2 : RETRY_FIRST_MS;

	p->status_backoff_ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
	timer_start(&p->status_retry, p->status_backoff_ms);
}

static void remember_version(struct pod *p, const struct kube_response *r)
{
	struct err err = ERR_INIT;
	cleanup_arena struct arena a;
	const struct json *o;

	arena_init(&a, 0);
	o = json_parse(&a, r->body, r->body_len, &err);
	xstr_replace(&p->status_rv, json_str(json_get(o, "metadata"), "resourceVersion"));
}

/* Repeating it cannot help: the object is gone, is another one, or our text is wrong. */
static bool is_final(const struct err *err)
{
	return err->class == ERR_NOT_FOUND || err->class == ERR_CONFLICT ||
	       err->class == ERR_REJECTED;
}

static void on_written(void *arg, const struct kube_response *r)
{
	struct pod *p = arg;

	p->status_call = NULL;
	if (r->err.class == ERR_NONE || is_final(&r->err)) {
		free(p->status_sent);
		p->status_sent = p->status_pending;
		p->status_backoff_ms = 0;
	} else {
		free(p->status_pending);
		retry_later(p);
	}
	p->status_pending = NULL;
	if (r->err.class == ERR_NONE)
		remember_version(p, r);
	else if (r->err.class != ERR_NOT_FOUND)
		log_warn("cannot write a pod's status", LS("namespace", p->namespace),
		         LS("name", p->name), LE(&r->err));
	pod_kick(p);
}

void status_refresh(struct pod *p)
{
	cleanup_free char *path = NULL;
	cleanup_buf struct buf text;
	struct kube_request req = {.method = "PATCH",
	                           .patch = KUBE_PATCH_STRATEGIC,
	                           .field_manager = "nodelet",
	                           .on_done = on_written,
	                           .arg = p};

	buf_init(&text, STATUS_MAX);
	if (p->gone || p->settled_before || p->stage == POD_NEW || p->status_call ||
	    timer_active(&p->status_retry) || p->delete_call || p->delete_done)
		return;
	if (status_text(p, &text)) {
		log_error("a pod's status is too long", LS("namespace", p->namespace),
		          LS("name", p->name));
		return;
	}
	if (str_eq(text.data, p->status_sent))
		return;
	path = xasprintf("/api/v1/namespaces/%s/pods/%s/status", p->namespace, p->name);
	req.path = path;
	req.body = text.data;
	req.body_len = text.len;
	p->status_pending = xstrdup(text.data);
	p->status_call = kube_call(p->agent->client, &req);
}

bool status_settled(const struct pod *p)
{
	return !p->status_call && !timer_active((struct timer *)&p->status_retry);
}

static const char *live_condition(const struct pod *p, const char *type)
{
	const struct json *it;

	json_for_each (it, json_path(p->live, "status", "conditions", NULL)) {
		if (str_eq(json_str(it, "type"), type))
			return json_str(it, "status");
	}
	return NULL;
}

void status_compare_live(struct pod *p, const struct raw_object *raw)
{
	const struct condition_memory *ready = &p->conditions[COND_READY];
	const char *live = live_condition(p, "Ready");

	if (!p->status_sent || p->status_call || !ready->known)
		return;
	/* An event from before our last write says nothing about it. */
	if (rv_cmp(raw->meta.resource_version, p->status_rv) < 0)
		return;
	if (!str_eq(live, ready->value ? "True" : "False")) {
		free(p->status_sent);
		p->status_sent = NULL;
	}
}

static void on_deleted(void *arg, const struct kube_response *r)
{
	struct pod *p = arg;

	p->delete_call = NULL;
	p->delete_done = r->err.class == ERR_NONE || is_final(&r->err);
	if (p->delete_done)
		return; /* the watch tells the end */
	log_warn("cannot delete a pod that has ended", LS("namespace", p->namespace),
	         LS("name", p->name), LE(&r->err));
	retry_later(p);
}

void status_delete_object(struct pod *p)
{
	cleanup_free char *path = NULL, *body = NULL;
	struct kube_request req = {.method = "DELETE", .on_done = on_deleted, .arg = p};

	if (p->delete_call || p->delete_done)
		return;
	path = xasprintf("/api/v1/namespaces/%s/pods/%s", p->namespace, p->name);
	body = xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
	                 "\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}",
	                 p->uid);
	req.path = path;
	req.body = body;
	req.body_len = strlen(body);
	p->delete_call = kube_call(p->agent->client, &req);
}
