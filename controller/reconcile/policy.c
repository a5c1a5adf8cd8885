/* ScorePolicies: a cache for who refers to one, and a status that says whether it can be used. */
#include "internal.h"

#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/judge/scoreplan.h"

#define LIST_RETRY_MS 500

void policy_cache_start(struct mdep_operator *op, const struct mdep *m)
{
	if (!m->canary.policy || op->started[CACHE_SCOREPOLICY])
		return;
	op->started[CACHE_SCOREPOLICY] = true;
	reflector_start(op->reflectors[CACHE_SCOREPOLICY]);
}

/* --- status of a policy ------------------------------------------------------------------ */

struct telling {
	const struct scorepolicy *policy;
	bool ready;
	const char *message;
};

/* The time is that of the change of status: another message alone does not move it. */
static void fill(struct json_writer *w, const void *ctx)
{
	const struct telling *t = ctx;
	const struct scorepolicy *p = t->policy;
	bool as_before = str_eq(p->said_status, t->ready ? "True" : "False");

	jw_array(w, "conditions");
	condition_write(w, "Ready", t->ready, t->ready ? "Valid" : "Invalid", t->message,
	                p->meta.generation, as_before ? p->said_since_ms : 0);
	jw_end_array(w);
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
		kind_status_write(op, &scorepolicy_kind, &p->meta, fill,
		                  &(struct telling){p, ready, message});
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
