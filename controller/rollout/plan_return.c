/*
 * Back to a revision whose ReplicaSets are kept, while spec goes on naming another. There are no
 * steps: the way is as fast as capacity allows. Ordered by rollback-to here, by a missed objective
 * in plan_slo.c; both end as phase RolledBack with the spec's revision as the failed target.
 */
#include <string.h>

#include "plan_internal.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define ORDERED     "RollbackOrdered"
#define KEPT_LENGTH 400

bool plan_has_replicasets(const struct planner *p, const char *revision)
{
	for (unsigned i = 0; i < p->s->ncells; i++)
		if (p->s->cells[i].exists && str_eq(p->s->cells[i].revision, revision))
			return true;
	return false;
}

/* Stable before all others, the spec's own last, else the newest. */
static int preference(const struct planner *p, const struct rollout_cell *c)
{
	if (str_eq(c->revision, p->st->stable))
		return 2;
	return str_eq(c->revision, p->m->revision) ? 0 : 1;
}

const char *plan_kept_revision(const struct planner *p, const char *word)
{
	const struct rollout_cell *best = NULL;

	for (unsigned i = 0; i < p->s->ncells; i++) {
		const struct rollout_cell *c = &p->s->cells[i];
		int better;

		if (!c->exists || !(str_eq(c->revision, word) || str_eq(c->model_version, word)))
			continue;
		better = best ? preference(p, c) - preference(p, best) : 1;
		if (better > 0 || (!better && c->revision_no > best->revision_no))
			best = c;
	}
	return best ? best->revision : NULL;
}

const char *plan_kept_text(struct planner *p)
{
	cleanup_buf struct buf b;

	buf_init(&b, KEPT_LENGTH);
	for (unsigned i = 0; i < p->s->ncells; i++) {
		const struct rollout_cell *c = &p->s->cells[i];
		bool told = !c->exists;

		for (unsigned j = 0; j < i && !told; j++)
			told = p->s->cells[j].exists &&
			       str_eq(p->s->cells[j].revision, c->revision);
		if (!told)
			buf_addf(&b, "%s%s (model version %s)", b.len ? ", " : "", c->revision,
			         str_or(c->model_version, "?"));
	}
	return b.len ? arena_strdup(p->arena, b.data) : "none";
}

/* Zones of spec in which the revision has no ReplicaSet: its template is not known any more. */
static const char *missing_zones(struct planner *p, const char *revision)
{
	cleanup_buf struct buf b;

	buf_init(&b, KEPT_LENGTH);
	for (unsigned z = 0; z < p->m->nzones; z++) {
		bool has = p->m->zones[z].role != ZONE_ACTIVE;

		for (unsigned i = 0; i < p->s->ncells && !has; i++)
			has = p->s->cells[i].exists && str_eq(p->s->cells[i].revision, revision) &&
			      str_eq(p->s->cells[i].zone, p->m->zones[z].name);
		if (!has)
			buf_addf(&b, "%s%s", b.len ? ", " : "", p->m->zones[z].name);
	}
	return b.len ? arena_strdup(p->arena, b.data) : NULL;
}

const char *plan_cannot_return_to(const struct planner *p, const char *revision)
{
	if (plan_first(p))
		return "this is the first release, there is nothing to return to";
	if (str_eq(revision, p->m->revision))
		return "spec names that revision: `retry` releases it";
	if (plan_returning(p) && str_eq(revision, p->st->target))
		return "it is under way";
	return NULL;
}

static void supersede_target(struct planner *p)
{
	struct mdep_revision_status *r = mdep_revision_find(p->st, p->m->revision);

	if (p->st->phase == ROLLOUT_COMPLETING)
		plan_promote(p);
	if (r)
		r->result = "RolledBack";
}

const char *plan_return_ordered(struct planner *p, const char *revision)
{
	const char *missing = missing_zones(p, revision);
	const char *text;

	supersede_target(p);
	text = arena_printf(p->arena, "by order rollback-to: from revision %s to %s",
	                    p->m->revision, revision);
	p->st->return_to = revision;
	p->st->return_from = p->m->revision;
	plan_return_to(p, revision);
	plan_event(p, true, "RollbackStarted", text);
	mdep_condition_set(p->st, "ReleaseFailed", "True", ORDERED, text, p->m->meta.generation,
	                   p->now);
	text = arena_printf(p->arena,
	                    "returning to revision %s, model version %s, which stays until spec "
	                    "names another revision or `retry`",
	                    revision, plan_model_version(p, revision));
	if (missing)
		text = arena_printf(p->arena,
		                    "%s; it has no ReplicaSet in zone %s, others carry "
		                    "its share",
		                    text, missing);
	return text;
}

bool plan_returning(const struct planner *p)
{
	const struct mdep_status *st = p->st;
	const struct mdep_revision_status *r = mdep_revision_find(st, st->stable);

	if (!plan_releasing(p) || str_eq(st->target, st->stable))
		return false;
	if (!str_empty(st->return_to))
		return str_eq(st->target, st->return_to) && str_eq(st->return_from, p->m->revision);
	/* Back to what was stable before it: another release that spec named meanwhile is none. */
	return r && str_eq(r->result, "RolledBack") && str_eq(st->stable, p->m->revision) &&
	       str_eq(st->target, st->previous);
}

void plan_return_forget(struct planner *p)
{
	p->st->return_to = p->st->return_from = NULL;
}

void plan_returned(struct planner *p)
{
	const struct mdep_condition *c = mdep_condition_get(p->st, "ReleaseFailed");
	struct mdep_status *st = p->st;
	bool told = c && str_eq(c->status, "True");

	st->stable = st->target;
	st->target = p->m->revision;
	st->phase = ROLLOUT_ROLLED_BACK;
	st->step = 0;
	st->weight = st->verified_weight = 0;
	st->hold_until_ms = 0;
	st->finished_ms = st->returned_ms = p->now;
	/* One way back a promotion: from here on a human decides. */
	st->previous = NULL;
	st->reason = told ? c->reason : "RolledBack";
	st->message = told ? c->message : "";
	plan_return_forget(p);
	plan_event(p, true, "RolledBack",
	           arena_printf(p->arena, "revision %s carries all traffic again, %s has no pods",
	                        st->stable, st->target));
	plan_tracks(p);
}
