/* PodDisruptionBudgets, as far as evictions ask for them. */
#include "world.h"

static bool selects(const struct sim_object *budget, const struct sim_object *pod)
{
	const struct json *want = json_path(budget->json, "spec", "selector", "matchLabels", NULL),
			  *have = json_path(pod->json, "metadata", "labels", NULL), *it;

	json_for_each (it, want)
		if (!str_eq(json_str(have, json_key(it)), json_str(want, json_key(it))))
			return false;
	return str_eq(budget->ns, pod->ns);
}

bool sim_budget_guards(struct sim_api *s, const struct sim_object *pod)
{
	for (struct sim_object *b = sim_next(s, SIM_BUDGET, NULL); b;
	     b = sim_next(s, SIM_BUDGET, b)) {
		int64_t healthy = 0;

		if (!selects(b, pod) || !world_pod_ready(pod))
			continue;
		for (struct sim_object *p = sim_next(s, SIM_POD, NULL); p;
		     p = sim_next(s, SIM_POD, p))
			healthy += selects(b, p) && world_pod_ready(p);
		if (healthy <= json_i64(json_get(b->json, "spec"), "minAvailable", 0))
			return true;
	}
	return false;
}
