/*
 * What the state of the zones means for a release. A zone that was left keeps its pods and loses
 * its traffic; others are made in the remaining zones as if it did not exist, and in those that
 * stand by. Steps do not end
 * meanwhile and the progress deadline does not run: whatever goes wrong may be the zone's fault.
 */
#include "plan_internal.h"

void plan_zones(struct planner *p)
{
	const struct rollout_zones *z = &p->s->zones;

	if (!z->known)
		return;
	p->st->nzones = 0;
	for (unsigned i = 0; i < z->n && i < MDEP_ZONES_MAX; i++)
		p->st->zones[p->st->nzones++] = z->v[i];
	for (unsigned i = 0; i < z->nevents; i++)
		plan_event(p, z->events[i].warning, z->events[i].reason, z->events[i].note);
	if (z->wake_ms)
		plan_wake(p, z->wake_ms);
}

bool plan_zone_out(const struct planner *p)
{
	for (unsigned i = 0; i < p->st->nzones; i++)
		if (mdep_zone_is_troubled(&p->st->zones[i]))
			return true;
	return false;
}
