/*
 * What people wrote down: the ModelDeployment and, where it is theirs, its route.
 */
#include <inttypes.h>

#include "run_priv.h"

#define MINUTE_MS 60000LL

/* Holds in minutes, by list and step; 0 ends a list. The first list is the one of long holds. */
static const struct {
	int weight, hold;
	bool approval;
} steps[][4] = {
	{{10, 60, false}, {50, 1, true}},
	{{10, 2, false}, {50, 1, false}},
	{{25, 1, false}, {50, 1, false}, {75, 1, false}},
	{{10, 1, true}, {50, 1, false}},
	{{20, 1, false}, {40, 1, true}, {80, 1, true}},
};

unsigned user_draw_steps(const struct run *r, uint64_t draw)
{
	return r->scene.long_holds ? 0 : 1 + (unsigned)(draw % (ARRAY_SIZE(steps) - 1));
}

int64_t user_hold(const struct run *r, int64_t step)
{
	return step >= 0 && step < 4 ? steps[r->user.steps][step].hold * MINUTE_MS : 0;
}

bool user_must_approve(const struct run *r, int64_t step)
{
	return step >= 0 && step < 4 && steps[r->user.steps][step].approval;
}

static void add_zones(struct buf *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		buf_addf(b, "%s{\"name\":\"z%" PRId64 "\"}%s", i ? "," : "\"zones\":[", i,
		         i + 1 == n ? "]," : "");
}

static void add_steps(struct buf *b, unsigned list)
{
	for (unsigned i = 0; i < 4 && steps[list][i].hold; i++)
		buf_addf(b, "%s{\"weight\":%d,\"hold\":\"%dm\"%s}", i ? "," : "",
		         steps[list][i].weight, steps[list][i].hold,
		         steps[list][i].approval ? ",\"approval\":\"Required\"" : "");
}

static void add_objectives(struct buf *b, const char *on_breach)
{
	if (on_breach)
		buf_addf(
			b,
			"\"slo\":{\"objectives\":[{\"name\":\"availability\",\"target\":\"99.9\"}],"
			"\"onBreach\":\"%s\"},",
			on_breach);
}

void user_put_manifest(struct run *r)
{
	struct user *u = &r->user;
	cleanup_buf struct buf b;

	buf_init(&b, 16384);
	buf_addf(&b,
	         "{\"metadata\":{\"name\":\"" RUN_MODEL "\",\"namespace\":\"default\"},\"spec\":{"
	         "\"replicas\":%" PRId64 ",\"model\":{\"name\":\"" RUN_MODEL
	         "\",\"version\":\"%u\"},"
	         "\"runtime\":{\"preset\":\"triton\"},\"gpu\":{\"count\":1},",
	         u->replicas, u->version);
	add_zones(&b, r->scene.zones);
	add_objectives(&b, r->scene.on_breach);
	buf_addf(&b,
	         "\"strategy\":{\"maxSurge\":%" PRId64 ",\"maxUnavailable\":%" PRId64
	         ",\"progressDeadline\":\"90m\",\"steps\":[",
	         u->surge, u->unavailable);
	add_steps(&b, u->steps);
	buf_addf(&b,
	         "]},\"canary\":{\"interval\":\"%ds\"},\"traffic\":{\"httpRoute\":{\"name\":"
	         "\"" RUN_MODEL "\"%s}}}}",
	         r->scene.long_holds ? 15 : 5,
	         r->scene.own_route ? "" : ",\"parentRefs\":[{\"name\":\"gw\"}]");
	sim_put(r->cluster.api, SIM_MDEP, b.data, NULL);
}

void user_put_route(struct run *r)
{
	sim_put(r->cluster.api, SIM_ROUTE,
	        "{\"metadata\":{\"name\":\"" RUN_MODEL "\",\"namespace\":\"default\"},\"spec\":{"
	        "\"parentRefs\":[{\"name\":\"gw\"}],\"rules\":[{\"matches\":[{\"path\":{\"type\":"
	        "\"PathPrefix\",\"value\":\"/\"}}],\"backendRefs\":[{\"name\":\"" RUN_MODEL
	        "\",\"port\":80}]}]}}",
	        NULL);
}

void user_apply(struct run *r, unsigned version)
{
	if (!r->user.version && r->scene.own_route)
		user_put_route(r);
	if (r->user.version && !r->user.began_ms)
		r->user.began_ms = run_now(r);
	r->user.version = version;
	user_put_manifest(r);
}
