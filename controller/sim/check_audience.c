/* Audiences and mirrors: who is chosen is answered by the version that is released, and nobody
 * else. */
#include "run_priv.h"

static bool leads_to(struct run *r, const struct world_split *s, const char *revision)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_object *o =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, s->v[i].service);

		if (!o || !str_eq(world_service_revision(o), revision))
			return false;
	}
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

void audience_route(struct run *r, const struct world_rule *audience)
{
	if (!audience->answers.n)
		return;
	if (!leads_to(r, &audience->answers, r->check.target))
		check_violate(r, "an audience is sent elsewhere than to the version released");
	else if (!check_is_damaged(r) && !r->check.asleep && !has_pods(r, &audience->answers))
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
