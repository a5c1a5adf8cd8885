/*
 * Requests that found nobody: by the operator's doing, whatever else is out of order. What goes to
 * pods that are dark is not among them; excused is what is lost while people want no pods at all,
 * and in the moment in which a zone gets light: its kubelets hear there first that the model was
 * not served, and take its pods out of service until the operator has asked them again and been
 * able to write it: with what goes wrong at the API server that takes some tries, and where nobody
 * leads, somebody first.
 */
#include "run_priv.h"

#define LIGHT_MS 30000

static double lost_so_far(struct run *r)
{
	return world_app(&r->world, "default", RUN_MODEL)->tally.lost_release;
}

/* Weights stay while there are no pods, and those of one version are there before the other's. */
static bool is_losing(struct run *r)
{
	return world_app(&r->world, "default", RUN_MODEL)->rates.lost_release > 0;
}

static void excuse(struct run *r)
{
	struct check *c = &r->check;
	double lost = lost_so_far(r);

	if (c->excusing)
		c->excused += lost - c->lost;
	c->lost = lost;
}

static bool is_light_anew(const struct run *r)
{
	const struct check *c = &r->check;

	return c->light_ms && (c->light_is_new || run_now(r) < c->light_ms + LIGHT_MS);
}

void loss_tick(struct run *r, int64_t serving)
{
	struct check *c = &r->check;
	bool excusing;

	c->asleep =
		!r->user.replicas || (c->asleep && (serving < r->user.replicas || is_losing(r)));
	excusing = c->asleep || is_light_anew(r);
	if (excusing != c->excusing)
		world_settle(&r->world);
	excuse(r);
	c->excusing = excusing;
	if (c->lost > c->excused)
		check_violate(r, "%.0f requests lost", c->lost - c->excused);
}

double loss_of_release(struct run *r)
{
	world_settle(&r->world);
	excuse(r);
	return r->check.lost - r->check.excused;
}
