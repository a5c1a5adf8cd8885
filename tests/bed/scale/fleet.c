#include "fleet.h"

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#include "manifest.h"

/* --- projection -------------------------------------------------------------------------- */

struct seen {
	struct object meta;
	const char *version;
	int64_t observed_generation;
	bool ready, at_step;
};

/* Ready and at rest: a release under way serves as well as before, so it may be Ready too. */
static bool is_ready(const struct json *status, int64_t generation)
{
	const struct json *c;

	if (json_has(json_get(status, "rollout"), "phase"))
		return false;
	json_for_each (c, json_get(status, "conditions"))
		if (str_eq(json_str(c, "type"), "Ready"))
			return str_eq(json_str(c, "status"), "True") &&
			       json_i64(c, "observedGeneration", 0) == generation;
	return false;
}

static bool is_at_step(const struct json *status)
{
	const struct json *rollout = json_get(status, "rollout");

	return str_eq(json_str(rollout, "phase"), "AwaitingApproval") &&
	       json_i64(rollout, "step", -1) == 0 && json_has(rollout, "stepReachedTime");
}

static void fill(void *obj, struct packer *p, const void *ctx)
{
	const struct json *status = json_get(ctx, "status");
	struct seen *s = obj;

	object_meta_fill(&s->meta, p, ctx);
	s->version = pack_str(p, json_str(json_path(ctx, "spec", "model", NULL), "version"));
	s->observed_generation = json_i64(status, "observedGeneration", 0);
	s->ready = is_ready(status, s->meta.generation);
	s->at_step = is_at_step(status);
}

static struct object *decode(const struct json *json, struct arena *scratch, struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct seen), fill, json);
}

static const struct object_kind kind = {
	.kind = "ModelDeployment",
	.api = TG_API_PATH,
	.resource = "modeldeployments",
	.decode = decode,
};

/* --- goals ------------------------------------------------------------------------------- */

static bool member_reached(const struct fleet *f, const struct fleet_member *m)
{
	if (f->goal == GOAL_ABSENT)
		return !m->exists;
	if (!m->exists || m->generation < m->wanted_generation ||
	    m->observed_generation != m->generation)
		return false;
	return f->goal == GOAL_STEP ? m->at_step : m->ready;
}

static void member_look(struct fleet *f, struct fleet_member *m)
{
	if (m->reached_us || !member_reached(f, m))
		return;
	m->reached_us = f->last_reached_us = session_now_us();
	f->reached++;
	if (f->on_reached)
		f->on_reached(f->arg);
}

static void on_event(void *arg, const struct store_event *ev)
{
	const struct seen *s = (const struct seen *)ev->object;
	struct fleet *f = arg;
	int64_t i = manifest_index(s->meta.name);
	struct fleet_member *m;

	if (i < 0 || i >= f->count)
		return;
	m = &f->members[i];
	m->exists = ev->change != STORE_DELETED;
	str_copy(m->version, sizeof(m->version), str_or(s->version, ""));
	m->ready = s->ready;
	m->at_step = s->at_step;
	m->generation = s->meta.generation;
	m->observed_generation = s->observed_generation;
	member_look(f, m);
	session_look(f->session);
}

void fleet_written(struct fleet *f, unsigned i, int64_t generation)
{
	struct fleet_member *m = &f->members[i];

	m->written_us = session_now_us();
	m->wanted_generation = generation;
	if (m->reached_us && !member_reached(f, m)) {
		m->reached_us = 0;
		f->reached--;
	}
	member_look(f, m);
}

bool fleet_all_reached(const struct fleet *f)
{
	return f->watch.store.synced && f->reached == f->count;
}

void fleet_sample(const struct fleet *f, struct sample *out)
{
	for (unsigned i = 0; i < f->count; i++) {
		const struct fleet_member *m = &f->members[i];

		if (m->written_us && m->reached_us)
			sample_add(out, m->reached_us > m->written_us
			                        ? m->reached_us - m->written_us
			                        : 0);
	}
}

/* --- start ------------------------------------------------------------------------------- */

int fleet_init(struct fleet *f, struct session *s, enum goal goal, struct err *err)
{
	*f = (struct fleet){.session = s, .goal = goal, .count = (unsigned)s->o->count};
	f->members = xcalloc(f->count, sizeof(*f->members));
	if (watch_init(&f->watch, s, &kind, on_event, f, err))
		return -1;
	fleet_aim(f, goal);
	return 0;
}

void fleet_aim(struct fleet *f, enum goal goal)
{
	f->goal = goal;
	f->reached = 0;
	for (unsigned i = 0; i < f->count; i++) {
		f->members[i].reached_us = 0;
		member_look(f, &f->members[i]);
	}
}

void fleet_release(struct fleet *f)
{
	watch_release(&f->watch);
	free(f->members);
}
