/*
 * Requests that found nobody: by the operator's doing, whatever else is out of order, but for the
 * time in which people want no pods at all. What goes to pods that are dark is not among them.
 */
#include "run_priv.h"

static double lost_up_to_now(struct run *r)
{
	world_settle(&r->world);
	return r->world.tally.lost_release;
}

void loss_tick(struct run *r, int64_t serving)
{
	struct check *c = &r->check;

	if (!r->user.replicas && !c->asleep) {
		c->asleep = true;
		c->lost = lost_up_to_now(r);
	} else if (c->asleep && r->user.replicas && serving >= r->user.replicas) {
		c->asleep = false;
		c->excused += lost_up_to_now(r) - c->lost;
	}
}

double loss_of_release(struct run *r)
{
	double lost = lost_up_to_now(r);

	return (r->check.asleep ? r->check.lost : lost) - r->check.excused;
}
