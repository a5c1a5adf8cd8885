/* ScorePolicies: a cache for who refers to one, and a status that says whether it can be used. */
#include "internal.h"

#include "tidegate/api/names.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/scoreplan.h"

#define BODY_MAX      8192
#define LIST_RETRY_MS 500

void policy_cache_start(struct mdep_operator *op, const struct mdep *m)
{
	if (!m->canary.policy || op->started[CACHE_SCOREPOLICY])
		return;
	op->started[CACHE_SCOREPOLICY] = true;
	reflector_start(op->reflectors[CACHE_SCOREPOLICY]);
}

/* --- status of a policy ------------------------------------------------------------------ */

static void on_written(void *arg, const struct kube_response *r)
{
	(void)arg;
	if (r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND &&
	    r->err.class != ERR_CANCELED)
		log_warn("status of a ScorePolicy was not written", LE(&r->err));
}

static int status_body(const struct scorepolicy *p, bool ready, const char *message,
                       struct buf *out)
{
	/* The time is that of the change of status: another message alone does not move it. */
	bool as_before = str_eq(p->said_status, ready ? "True" : "False");
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", "ScorePolicy");
	jw_object(&w, "metadata");
	jw_str(&w, "name", p->meta.name);
	jw_end_object(&w);
	jw_object(&w, "status");
	jw_i64(&w, "observedGeneration", p->meta.generation);
	jw_array(&w, "conditions");
	condition_write(&w, "Ready", ready, ready ? "Valid" : "Invalid", message,
	                p->meta.generation, as_before ? p->said_since_ms : 0);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

static void write_status(struct mdep_operator *op, const struct scorepolicy *p, bool ready,
                         const char *message)
{
	cleanup_buf struct buf body;
	cleanup_free char *path = xasprintf(TG_API_PATH "/namespaces/%s/scorepolicies/%s/status",
	                                    p->meta.namespace, p->meta.name);
	struct kube_request req = {.method = "PATCH",
	                           .path = path,
	                           .patch = KUBE_PATCH_APPLY,
	                           .field_manager = TG_FM_STATUS,
	                           .on_done = on_written};

	buf_init(&body, BODY_MAX);
	if (status_body(p, ready, message, &body))
		return;
	req.body = body.data;
	req.body_len = body.len;
	kube_call(op->client, &req);
}

static void tell(struct mdep_operator *op, const struct scorepolicy *p)
{
	struct scoreplan plan;
	struct err err = ERR_INIT;
	cleanup_arena struct arena a;
	const char *message = "the policy can be acted on";
	bool ready;

	arena_init(&a, 0);
	ready = scoreplan_build(p, NULL, &a, &plan, &err) == 0;
	if (!ready)
		message = err.msg;
	if (p->said_generation != p->meta.generation ||
	    !str_eq(p->said_status, ready ? "True" : "False") || !str_eq(p->said_message, message))
		write_status(op, p, ready, message);
}

void policy_tell_all(struct mdep_operator *op)
{
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_SCOREPOLICY], &it)))
		tell(op, scorepolicy_from(o));
}

/* --- who refers to it -------------------------------------------------------------------- */

void policy_event(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	const struct object *o;
	size_t it = 0;

	if (op->working && ev->change != STORE_DELETED)
		tell(op, scorepolicy_from(ev->object));
	while ((o = store_next(&op->stores[CACHE_MDEP], &it)))
		if (str_eq(o->namespace, ev->object->namespace) &&
		    str_eq(mdep_from(o)->canary.policy, ev->object->name))
			queue_add(op->queue, o->key, ev->initial ? QUEUE_LOW : QUEUE_LIVE);
}

static const char *not_read(struct mdep_operator *op, const struct mdep *m)
{
	const struct reflector *r = op->reflectors[CACHE_SCOREPOLICY];

	queue_add_after(op->queue, m->meta.key, LIST_RETRY_MS);
	return reflector_trouble_ms(r) > 0 && reflector_trouble(r) ? reflector_trouble(r)
	                                                           : "they are being read";
}

void policy_view(struct mdep_operator *op, const struct mdep *m, struct arena *a,
                 struct policy_view *out)
{
	const char *name = m->canary.policy;
	const struct scorepolicy *p;

	*out = (struct policy_view){.policy = NULL};
	if (!name)
		return;
	p = scorepolicy_from(store_get(&op->stores[CACHE_SCOREPOLICY], m->meta.namespace, name));
	if (!op->stores[CACHE_SCOREPOLICY].synced)
		out->held =
			arena_printf(a, "ScorePolicy %s is not known: %s", name, not_read(op, m));
	else if (!p)
		out->held = arena_printf(a, "there is no ScorePolicy %s in namespace %s", name,
		                         m->meta.namespace);
	else if (p->problem)
		out->held = arena_printf(a, "ScorePolicy %s: %s: %s", name, p->problem_path,
		                         p->problem);
	else
		out->policy = p;
}
