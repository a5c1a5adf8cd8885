/*
 * Performs a pass's intents, class by class, and keeps the read-your-writes floor:
 * resource versions of what was written, which the caches must reach before the key
 * is planned again.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

struct step;

struct pass {
	struct mdep_operator *op;
	char *key;
	struct arena arena;
	struct intents intents;
	enum intent_class class;
	unsigned running;
	bool ending;   /* pass_finish() is deferred, and frees it */
	bool canceled; /* the operator has gone */
	struct err err;
	struct list steps; /* calls under way */
	void (*done)(struct mdep_operator *op, const char *key, const struct err *err);
};

struct step {
	struct list link;
	struct pass *pass;
	const struct intent *intent;
	struct kube_call *call;
};

static void pass_free(struct pass *p)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &p->steps) {
		struct step *s = list_entry(it, struct step, link);

		kube_cancel(s->call);
		list_remove(&s->link);
		free(s);
	}
	arena_release(&p->arena);
	free(p->key);
	free(p);
}

static void pass_finish(void *arg)
{
	struct pass *p = arg;
	struct mdep_operator *op = p->op;

	if (!p->canceled) {
		map_del(&op->passes, p->key);
		p->done(op, p->key, &p->err);
	}
	pass_free(p);
}

static bool pass_start_class(struct pass *p);

static void pass_go_on(struct pass *p)
{
	while (!p->running && p->class < INTENT_CLASSES && p->err.class == ERR_NONE) {
		if (pass_start_class(p))
			return;
		p->class ++;
	}
	if (p->running)
		return;
	p->ending = true;
	loop_defer(p->op->loop, pass_finish, p);
}

/* The answer to a write is the object as it is now; its version is what the cache has to reach. */
static void note_written(struct pass *p, const struct intent *i, const struct kube_response *r)
{
	struct key_state *ks = operator_key(p->op, p->key);
	char rv[RV_MAX];

	if (!i->deletes && object_scan_rv(r->body, r->body_len, rv, sizeof(rv)))
		own_writes_note(ks, i->cache, rv);
	if (i->class == INTENT_STATUS)
		ks->status_ms = clock_mono_ms();
	if (i->class == INTENT_TRAFFIC)
		ks->route_want = i->want;
}

static bool may_be_done(const struct err *err)
{
	return err->class == ERR_NONE || err->class == ERR_TRANSPORT || err->class == ERR_TIMEOUT ||
	       err->class == ERR_SERVER;
}

/* What waits until gateways have heard of a write waits for one without an answer as well. */
static void note_moment(struct pass *p, const struct intent *i, const struct err *err)
{
	struct key_state *ks = operator_key(p->op, p->key);

	if (!may_be_done(err))
		return;
	if (i->front)
		ks->front_written_ms = clock_mono_ms();
	if (i->class == INTENT_TRAFFIC) {
		ks->route_written_ms = clock_mono_ms();
		observer_route_changed(p->op->observer, p->key, clock_wall_ms());
	}
}

static void note_name(struct pass *p, const struct intent *i, const struct err *err)
{
	struct key_state *ks = operator_key(p->op, p->key);

	if (!i->creates)
		return;
	if (err->class == ERR_EXISTS) {
		taken_note(ks, i->cache, i->creates);
		/* Nothing was written, nothing failed: no event asks for the pass that tells. */
		if (i->taken_ok)
			operator_enqueue(p->op, p->key);
	} else if (err->class == ERR_NONE) {
		taken_forget(ks, i->cache, i->creates);
	}
}

/* Not there is as good as deleted, and the cache may show it all the same. */
static void note_deleted(struct pass *p, const struct intent *i, const struct err *err)
{
	if (i->deletes && (err->class == ERR_NONE || err->class == ERR_NOT_FOUND))
		own_writes_note_deleted(operator_key(p->op, p->key), i->cache, i->deletes, i->uid);
}

static void step_done(void *arg, const struct kube_response *r)
{
	struct step *s = arg;
	struct pass *p = s->pass;
	bool fine = (r->err.class == ERR_NOT_FOUND && s->intent->missing_ok) ||
	            (r->err.class == ERR_EXISTS && s->intent->taken_ok);

	note_name(p, s->intent, &r->err);
	note_deleted(p, s->intent, &r->err);
	note_moment(p, s->intent, &r->err);
	if (r->err.class == ERR_NONE) {
		note_written(p, s->intent, r);
	} else if (!fine && p->err.class == ERR_NONE) {
		p->err = r->err;
		err_wrap(&p->err, "%s", s->intent->what);
	}
	list_remove(&s->link);
	free(s);
	if (--p->running)
		return;
	p->class ++;
	pass_go_on(p);
}

static void step_start(struct pass *p, const struct intent *i)
{
	struct step *s = xcalloc(1, sizeof(*s));
	struct kube_request req = {
		.method = i->method,
		.path = i->path,
		.patch = i->patch,
		.field_manager = i->manager,
		.body = i->body,
		.body_len = i->body_len,
		.max_body = 4u << 20,
		.on_done = step_done,
		.arg = s,
	};

	s->pass = p;
	s->intent = i;
	list_push_back(&p->steps, &s->link);
	p->running++;
	log_debug("write", LS("key", p->key), LS("what", i->what));
	s->call = kube_call(p->op->client, &req);
}

static bool pass_start_class(struct pass *p)
{
	for (unsigned i = 0; i < p->intents.n; i++)
		if (p->intents.v[i].class == p->class)
			step_start(p, &p->intents.v[i]);
	return p->running > 0;
}

void execute(struct mdep_operator *op, const char *key, struct arena *arena,
             struct intents *intents,
             void (*done)(struct mdep_operator *op, const char *key, const struct err *err))
{
	struct pass *p = xcalloc(1, sizeof(*p));

	p->op = op;
	p->key = xstrdup(key);
	p->arena = *arena;
	p->intents = *intents;
	p->done = done;
	list_init(&p->steps);
	map_set(&op->passes, key, p);
	pass_go_on(p);
}

void execute_cancel_all(struct mdep_operator *op)
{
	const char *key;
	void *value;
	size_t it = 0;

	while (map_next(&op->passes, &it, &key, &value)) {
		struct pass *p = value;

		p->canceled = true;
		if (!p->ending)
			pass_free(p);
	}
	map_release(&op->passes, NULL);
	map_init(&op->passes);
}
