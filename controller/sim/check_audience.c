/* Audiences and mirrors: who is chosen is answered by the version that is released, and nobody
 * else. */
#include "run_priv.h"
#include "tidegate/api/names.h"

static bool leads_to(struct run *r, const struct world_split *s, const char *revision)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!str_eq(world_label(sim_get(r->cluster.api, SIM_SERVICE, NULL, s->v[i].service),
		                        TG_LABEL_REVISION),
		            revision))
			return false;
	return s->n > 0;
}

static bool has_pods(struct run *r, const struct world_split *s)
{
	bool any = false;

	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_object *o =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, s->v[i].service);

		if (s->v[i].weight && !world_endpoints(&r->world, o))
			return false;
		any |= s->v[i].weight > 0;
	}
	return any;
}

void audience_route(struct run *r, const struct sim_object *route)
{
	struct world_rule rules[WORLD_RULES_MAX];

	world_read_route(route, rules);
	if (!rules[1].answers.n)
		return;
	if (!leads_to(r, &rules[1].answers, r->check.target))
		check_violate(r, "an audience is sent elsewhere than to the version released");
	else if (!check_is_damaged(r) && !r->check.asleep && !has_pods(r, &rules[1].answers))
		check_violate(r, "an audience is sent to where no pod is ready");
}

void audience_reached(struct run *r, int64_t step, const char *target)
{
	const struct world_app *a = world_app(&r->world, "default", RUN_MODEL);

	if (user_has_audience(r, step) && !leads_to(r, &a->rules[1].answers, target))
		check_violate(r, "a step is reached without its audience");
	if (user_mirrors(r, step) && !leads_to(r, &a->rules[0].copies, target))
		check_violate(r, "a step is reached without its mirror");
}

bool audience_is_left(const struct sim_object *route)
{
	struct world_rule rules[WORLD_RULES_MAX];

	world_read_route(route, rules);
	return rules[1].answers.n || rules[0].copies.n;
}
