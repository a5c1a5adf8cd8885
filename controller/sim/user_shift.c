/*
 * ZoneShifts. Some overlap, for one zone or for several; some select nobody; who made one may make
 * it longer or delete it before its end. All of them end by themselves.
 */
#include "run_priv.h"

#define SECOND_MS    1000LL
#define DURATION_MIN 10
#define DURATION_MAX 300
#define LONGER       600
#define SHIFT        "shift-%u"

static void lasts(struct run *r, int64_t seconds)
{
	int64_t end = run_now(r) + seconds * SECOND_MS;

	if (end > r->user.shifted_until_ms)
		r->user.shifted_until_ms = end;
}

static void make(struct run *r, uint64_t draw)
{
	static const char *const selectors[] = {
		"", "", ",\"selector\":{\"namespaces\":[\"default\"]}",
		",\"selector\":{\"matchLabels\":{\"tier\":\"gold\"}}"};
	int64_t seconds = DURATION_MIN + (int64_t)((draw >> 8) % (DURATION_MAX - DURATION_MIN));
	cleanup_free char *text = xasprintf(
		"{\"metadata\":{\"name\":\"" SHIFT "\"},\"spec\":{\"zone\":\"z%u\",\"duration\":"
		"\"%llds\"%s}}",
		r->user.shifts++, (unsigned)(draw % (uint64_t)r->scene.zones), (long long)seconds,
		selectors[(draw >> 32) % ARRAY_SIZE(selectors)]);

	sim_put(r->cluster.api, SIM_ZONESHIFT, text, NULL);
	lasts(r, seconds);
}

static void make_longer(struct run *r, struct sim_object *o)
{
	cleanup_free char *patch = xasprintf("{\"spec\":{\"duration\":\"%ds\"}}", LONGER);

	sim_patch(r->cluster.api, o, patch);
	lasts(r, LONGER);
}

void user_shift(struct run *r, uint64_t draw)
{
	struct sim_object *o = NULL;

	if (!r->scene.zones)
		return;
	if (r->user.shifts) {
		cleanup_free char *name =
			xasprintf(SHIFT, (unsigned)((draw >> 8) % r->user.shifts));

		o = sim_get(r->cluster.api, SIM_ZONESHIFT, NULL, name);
	}
	if (!o || draw >> 60 < 10)
		make(r, draw >> 16);
	else if (draw >> 60 < 13)
		sim_delete(r->cluster.api, o);
	else
		make_longer(r, o);
}
