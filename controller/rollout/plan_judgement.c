/* What the judge says, in status, and how far it judges by what was asked for. */
#include "plan_internal.h"
#include "tidegate/base/str.h"

static void record_groups(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	p->st->score_groups = j->groups;
	p->st->nscore_groups = j->ngroups < MDEP_GROUPS_MAX ? j->ngroups : MDEP_GROUPS_MAX;
}

const char *plan_score_words(struct planner *p)
{
	const struct mdep_status *st = p->st;
	const char *out;

	if (st->score < 0)
		return "";
	out = arena_printf(p->arena, "; score %d", st->score);
	for (unsigned i = 0; i < st->nscore_groups; i++) {
		const struct mdep_group_score *g = &st->score_groups[i];

		out = arena_printf(p->arena, g->score < 0 ? "%s%s%s without data" : "%s%s%s %d",
		                   out, i ? ", " : ": ", g->name, g->score);
	}
	return out;
}

void plan_score_clear(struct planner *p)
{
	p->st->verdict = p->st->score_message = "";
	p->st->score = -1;
	p->st->score_groups = NULL;
	p->st->nscore_groups = 0;
}

void plan_judgement(struct planner *p)
{
	static const char *const names[] = {
		[VERDICT_NONE] = "NONE", [VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL"};
	const struct rollout_judgement *j = &p->s->judgement;

	if (!j->judging || p->begun || !plan_releasing(p) || plan_first(p))
		return;
	p->st->verdict = names[j->verdict];
	p->st->score = j->score;
	p->st->score_message = str_or(j->text, "");
	record_groups(p);
}

/* Told once: it was not so the pass before. */
static void condition(struct planner *p, const char *type, const char *reason, const char *problem,
                      const char *fine)
{
	const struct mdep_condition *old = mdep_condition_get(p->before, type);

	if (problem && !(old && str_eq(old->status, "False")))
		plan_event(p, true, reason, problem);
	if (problem)
		plan_condition(p, type, "False", reason, problem);
	else
		plan_condition(p, type, "True", "AsAsked", fine);
}

void plan_judgement_conditions(struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;

	if (p->m->canary.policy || mdep_condition_get(p->st, "ScorePolicyInForce"))
		condition(p, "ScorePolicyInForce", "ScorePolicyNotInForce", j->held,
		          p->m->canary.policy
		                  ? arena_printf(p->arena, "releases are judged by ScorePolicy %s",
		                                 p->m->canary.policy)
		                  : "releases are judged by the built-in policy");
	if (j->compared || j->disagree)
		condition(p, "SignalsAgree", "SignalsDisagree", j->disagree,
		          "pods and Prometheus count the same requests");
}
