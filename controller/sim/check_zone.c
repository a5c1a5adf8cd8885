/* Zones that are left: nobody is sent there, and in the end all of them are back. */
#include <inttypes.h>

#include "run_priv.h"
#include "tidegate/api/names.h"

void zone_status(struct run *r, const struct json *status)
{
	struct check *c = &r->check;
	const struct json *it;

	c->zone_out = check_zone_out(status) != NULL;
	c->nleft = 0;
	json_for_each (it, json_get(status, "zones"))
		if (str_eq(json_str(it, "state"), "Evacuated") && c->nleft < RUN_ZONES_MAX)
			str_copy(c->left[c->nleft++], sizeof(c->left[0]), json_str(it, "name"));
}

void zone_route(struct run *r, const struct world_backend *b, unsigned n)
{
	const struct check *c = &r->check;

	for (unsigned i = 0; i < n; i++) {
		const struct sim_object *s =
			sim_get(r->cluster.api, SIM_SERVICE, NULL, b[i].service);

		for (unsigned z = 0; s && b[i].weight && z < c->nleft; z++)
			if (str_eq(world_label(s, TG_LABEL_ZONE), c->left[z]))
				check_violate(r,
				              "weight %" PRId64 " in zone %s, which is Evacuated",
				              b[i].weight, c->left[z]);
	}
}
