/* Zones in status: names of their states and what these mean for traffic and pods. */
#include "tidegate/api/mdep.h"
#include "tidegate/base/str.h"

static const char *const state_names[ZONE_STATES] = {
	[ZONE_HEALTHY] = "Healthy",       [ZONE_SUSPECT] = "Suspect",
	[ZONE_IMPAIRED] = "Impaired",     [ZONE_EVACUATING] = "Evacuating",
	[ZONE_EVACUATED] = "Evacuated",   [ZONE_RECOVERING] = "Recovering",
	[ZONE_FAILBACK] = "FailbackRamp", [ZONE_DEGRADED] = "Degraded",
	[ZONE_FROZEN] = "Frozen",
};

const char *zone_state_name(enum zone_state s)
{
	return state_names[s];
}

enum zone_state zone_state_parse(const char *name)
{
	for (int i = 0; name && i < ZONE_STATES; i++)
		if (str_eq(name, state_names[i]))
			return (enum zone_state)i;
	return ZONE_HEALTHY;
}

int mdep_zone_percent(const struct mdep_zone_status *z)
{
	switch (z->state) {
	case ZONE_EVACUATING:
	case ZONE_EVACUATED:
	case ZONE_RECOVERING:
		return 0;
	case ZONE_FAILBACK:
	case ZONE_DEGRADED:
	case ZONE_FROZEN:
		return z->percent;
	default:
		return 100;
	}
}

bool mdep_zone_is_out(const struct mdep_zone_status *z)
{
	return z->state == ZONE_EVACUATING || z->state == ZONE_EVACUATED ||
	       z->state == ZONE_RECOVERING || z->state == ZONE_FAILBACK ||
	       z->state == ZONE_DEGRADED;
}

bool mdep_zone_is_troubled(const struct mdep_zone_status *z)
{
	return mdep_zone_is_out(z) || z->state == ZONE_FROZEN;
}

unsigned mdep_zone_count(const struct mdep *m)
{
	return m->nzones ? m->nzones : 1;
}

const char *mdep_zone_name(const struct mdep *m, unsigned i)
{
	return m->nzones ? m->zones[i].name : "";
}

const struct mdep_zone_status *mdep_zone_find(const struct mdep_status *s, const char *zone)
{
	for (unsigned i = 0; i < s->nzones; i++)
		if (str_eq(s->zones[i].name, zone))
			return &s->zones[i];
	return NULL;
}
