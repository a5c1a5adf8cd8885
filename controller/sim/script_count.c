#include "script_priv.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

/* --- models -------------------------------------------------------------------------------- */

static void start_model(struct script_model *m, const char *ns, const char *name)
{
	*m = (struct script_model){
		.promoted_ms = -1, .rollback_ms = -1, .rolled_back_ms = -1, .min_ready = -1};
	snprintf(m->name, sizeof(m->name), "%s%s%s", ns, *ns ? "/" : "", name);
}

struct tracked *script_track(struct script *s, const char *ns, const char *name)
{
	struct tracked *t;

	for (unsigned i = 0; i < s->ntracked; i++) {
		t = &s->tracked[i];
		if (str_eq(t->app->name, name) && str_eq(t->app->ns, ns))
			return t;
	}
	if (s->ntracked == SCRIPT_MODELS_MAX)
		return NULL;
	start_model(&s->out->models[s->ntracked], ns, name);
	t = &s->tracked[s->ntracked++];
	t->app = world_app(&s->world, ns, name);
	return t;
}

static struct script_model *model_of(struct script *s, const struct tracked *t)
{
	return &s->out->models[t - s->tracked];
}

static int64_t bake_of(struct script *s, const struct world_app *app)
{
	const struct sim_object *o = sim_get(s->cluster.api, SIM_MDEP, app->ns, app->name);
	cleanup_arena struct arena a;
	struct mdep m;

	arena_init(&a, 16384);
	return o && !mdep_read(o->json, &m, &a, NULL) && m.slo.n ? m.slo.bake_ms : 0;
}

void script_note(struct script *s, const char *ns, const char *name, const char *decision)
{
	struct tracked *t = script_track(s, ns, name);
	struct script_model *m = t ? model_of(s, t) : NULL;
	int64_t now = script_now(s);

	if (!m)
		return;
	if (str_eq(decision, "Promoted")) {
		if (t->released)
			m->promoted_ms = now;
		t->released = true;
		t->bake_until_ms = now + bake_of(s, t->app);
	} else if (str_eq(decision, "RollbackStarted") && m->rollback_ms < 0) {
		m->rollback_ms = now;
	} else if (str_eq(decision, "RolledBack") && m->rolled_back_ms < 0) {
		m->rolled_back_ms = now;
	}
}

/* --- pods ---------------------------------------------------------------------------------- */

static void note_least(struct script_model *m, int serving, int pods, bool full)
{
	if (full && (m->min_ready < 0 || serving < m->min_ready))
		m->min_ready = serving;
	if (pods > m->max_pods)
		m->max_pods = pods;
}

static void count_pods(struct script *s)
{
	for (unsigned i = 0; i < s->ntracked; i++)
		s->tracked[i].pods = s->tracked[i].serving = 0;
	for (struct sim_object *p = sim_next(s->cluster.api, SIM_POD, NULL); p;
	     p = sim_next(s->cluster.api, SIM_POD, p)) {
		for (unsigned i = 0; i < s->ntracked; i++) {
			struct tracked *t = &s->tracked[i];

			if (p->world.app != t->app &&
			    !str_eq(world_label(p, TG_LABEL_NAME), t->app->name))
				continue;
			if (!str_eq(p->ns, t->app->ns) || p->world.dark || world_pod_deleting(p))
				continue;
			t->pods++;
			t->serving += world_pod_ready(p) && world_pod_in_service(p);
		}
	}
}

static int64_t wanted(struct script *s, const struct world_app *app)
{
	const struct sim_object *o = sim_get(s->cluster.api, SIM_MDEP, app->ns, app->name);

	return o ? json_i64(json_get(o->json, "spec"), "replicas", 1) : 0;
}

static void count_models(struct script *s)
{
	int pods = 0, serving = 0;
	bool full = true;

	count_pods(s);
	for (unsigned i = 0; i < s->ntracked; i++) {
		struct tracked *t = &s->tracked[i];

		t->wanted = wanted(s, t->app);
		t->full |= t->wanted > 0 && t->serving >= t->wanted;
		note_least(model_of(s, t), t->serving, t->pods, t->full);
		pods += t->pods;
		serving += t->serving;
		full &= t->full;
	}
	s->was_full |= full && s->ntracked;
	note_least(&s->out->all, serving, pods, s->was_full);
}

/* --- outages ------------------------------------------------------------------------------- */

static int least(int a, int64_t b)
{
	return a < b ? a : (int)b;
}

void script_zone_dark(struct script *s, const char *zone)
{
	struct script_outage *x;

	if (s->out->noutages == SCRIPT_OUTAGES_MAX)
		return;
	x = &s->out->outages[s->out->noutages];
	*x = (struct script_outage){zone, script_now(s), -1, -1};
	for (unsigned i = 0; i < s->ntracked; i++)
		s->outages[s->out->noutages].before[i] =
			least(s->tracked[i].serving, s->tracked[i].wanted);
	s->out->noutages++;
}

static bool traffic_is_safe(const struct script *s)
{
	for (unsigned i = 0; i < s->ntracked; i++)
		if (s->tracked[i].app->rates.lost_dark > 0)
			return false;
	return true;
}

static bool capacity_is_back(const struct script *s, const struct outage *x)
{
	for (unsigned i = 0; i < s->ntracked; i++)
		if (s->tracked[i].serving < least(x->before[i], s->tracked[i].wanted))
			return false;
	return true;
}

static void watch_outages(struct script *s)
{
	for (unsigned i = 0; i < s->out->noutages; i++) {
		struct script_outage *x = &s->out->outages[i];
		int64_t after = script_now(s) - x->at_ms;

		if (x->traffic_ms < 0 && traffic_is_safe(s))
			x->traffic_ms = after;
		if (x->capacity_ms < 0 && capacity_is_back(s, &s->outages[i]))
			x->capacity_ms = after;
	}
}

void script_count(struct script *s)
{
	count_models(s);
	watch_outages(s);
}

/* --- summary ------------------------------------------------------------------------------- */

static int64_t first_of(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void add(struct script_model *all, const struct script_model *m)
{
	all->requests += m->requests;
	all->errors += m->errors;
	all->dark += m->dark;
	all->release += m->release;
	if (m->promoted_ms > all->promoted_ms)
		all->promoted_ms = m->promoted_ms;
	all->rollback_ms = first_of(all->rollback_ms, m->rollback_ms);
	all->rolled_back_ms = first_of(all->rolled_back_ms, m->rolled_back_ms);
}

/* The worst of them; -1 when one was not reached. */
static int64_t worse(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return -1;
	return a > b ? a : b;
}

void script_sum(struct script *s)
{
	struct script_summary *out = s->out;

	world_settle(&s->world);
	out->nmodels = s->ntracked;
	for (unsigned i = 0; i < s->ntracked; i++) {
		const struct world_tally *t = &s->tracked[i].app->tally;
		struct script_model *m = &out->models[i];

		m->requests = t->requests;
		m->errors = t->errors;
		m->dark = t->lost_dark;
		m->release = t->lost_release;
		add(&out->all, m);
	}
	for (unsigned i = 0; i < out->noutages; i++) {
		const struct script_outage *x = &out->outages[i];

		out->traffic_rto_ms = i ? worse(out->traffic_rto_ms, x->traffic_ms) : x->traffic_ms;
		out->capacity_rto_ms =
			i ? worse(out->capacity_rto_ms, x->capacity_ms) : x->capacity_ms;
	}
	out->simulated_ms = script_now(s);
}
