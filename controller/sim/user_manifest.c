/*
 * What people wrote down: the ModelDeployment and, where it is theirs, its route.
 */
#include <inttypes.h>

#include "run_priv.h"

#define MINUTE_MS 60000LL

/* What a step asks for beside weight and hold. */
enum { APPROVAL = 1, AUDIENCE = 2, MIRROR = 4 };

/*
 * By list and step; hold in minutes, 0 ends a list; weight -1: none of its own. The first list is
 * the one of long holds.
 */
static const struct {
	int weight, hold;
	unsigned also;
} steps[][4] = {
	{{10, 60, 0}, {50, 1, APPROVAL}},
	{{10, 2, 0}, {50, 1, 0}},
	{{25, 1, 0}, {50, 1, 0}, {75, 1, 0}},
	{{10, 1, APPROVAL}, {50, 1, 0}},
	{{20, 1, 0}, {40, 1, APPROVAL}, {80, 1, APPROVAL}},
	{{-1, 1, AUDIENCE}, {20, 1, 0}, {60, 1, 0}},
	{{10, 1, MIRROR}, {50, 1, 0}},
	{{-1, 1, MIRROR}, {30, 1, AUDIENCE}, {70, 1, 0}},
	{{-1, 1, AUDIENCE | MIRROR}, {50, 1, APPROVAL | AUDIENCE}},
};

static bool asks_for(const struct run *r, int64_t step, unsigned what)
{
	return step >= 0 && step < 4 && steps[r->user.steps][step].also & what;
}

/* What no step can ask the driver for. */
static unsigned lacks(enum mdep_traffic driver)
{
	unsigned can = mdep_traffic_can(&(struct mdep){.traffic = driver});

	return (can & TRAFFIC_CAN_HEADER ? 0 : AUDIENCE) | (can & TRAFFIC_CAN_MIRROR ? 0 : MIRROR);
}

static bool can(enum mdep_traffic driver, unsigned list)
{
	for (unsigned i = 0; i < 4; i++)
		if (steps[list][i].also & lacks(driver))
			return false;
	return true;
}

unsigned user_draw_steps(const struct run *r, uint64_t draw)
{
	unsigned fitting[ARRAY_SIZE(steps)], n = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(steps); i++)
		if (can(r->scene.driver, i))
			fitting[n++] = i;
	return r->scene.long_holds ? 0 : fitting[draw % n];
}

int64_t user_hold(const struct run *r, int64_t step)
{
	return step >= 0 && step < 4 ? steps[r->user.steps][step].hold * MINUTE_MS : 0;
}

bool user_must_approve(const struct run *r, int64_t step)
{
	return asks_for(r, step, APPROVAL);
}

bool user_has_audience(const struct run *r, int64_t step)
{
	return asks_for(r, step, AUDIENCE);
}

bool user_mirrors(const struct run *r, int64_t step)
{
	return asks_for(r, step, MIRROR);
}

static void add_zones(struct buf *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		buf_addf(b, "%s{\"name\":\"z%" PRId64 "\"}%s", i ? "," : "\"zones\":[", i,
		         i + 1 == n ? "]," : "");
}

static void add_steps(struct buf *b, unsigned list)
{
	for (unsigned i = 0; i < 4 && steps[list][i].hold; i++) {
		unsigned also = steps[list][i].also;

		buf_addf(b, "%s{\"hold\":\"%dm\"", i ? "," : "", steps[list][i].hold);
		if (steps[list][i].weight >= 0)
			buf_addf(b, ",\"weight\":%d", steps[list][i].weight);
		if (also & APPROVAL)
			buf_addstr(b, ",\"approval\":\"Required\"");
		if (also & AUDIENCE)
			buf_addstr(b, ",\"audience\":{\"headers\":[{\"name\":\"x-gray\","
			              "\"exact\":\"1\"}]}");
		if (also & MIRROR)
			buf_addstr(b, ",\"mirror\":{\"percent\":50}");
		buf_addstr(b, "}");
	}
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

/* A route that is the operator's: by which gateways, for which hosts. */
static void add_traffic(struct buf *b, const struct run *r)
{
	static const struct {
		const char *names, *makes;
	} drivers[] = {
		[TRAFFIC_HTTPROUTE] = {"\"httpRoute\":{\"name\"",
	                               ",\"parentRefs\":[{\"name\":\"gw\"}]"},
		[TRAFFIC_GRPCROUTE] = {"\"grpcRoute\":{\"name\"",
	                               ",\"parentRefs\":[{\"name\":\"gw\"}]"},
		[TRAFFIC_ISTIO] = {"\"istio\":{\"virtualService\"",
	                           ",\"hosts\":[\"" RUN_MODEL "\"]"},
		[TRAFFIC_INGRESS] = {"\"ingress\":{\"name\"", ""},
		[TRAFFIC_TRAEFIK] = {"\"traefik\":{\"name\"", ""},
	};

	buf_addf(b, ",\"traffic\":{%s%s:\"" RUN_MODEL "\"%s}}",
	         r->user.other_port ? "\"servicePort\":8080," : "", drivers[r->scene.driver].names,
	         r->scene.own_route ? "" : drivers[r->scene.driver].makes);
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
	if (r->others.n)
		buf_addstr(&b,
		           "\"template\":{\"spec\":{\"priorityClassName\":\"" RUN_CLASS "\"}},");
	add_zones(&b, r->scene.zones);
	add_objectives(&b, r->scene.on_breach);
	buf_addf(&b,
	         "\"strategy\":{\"maxSurge\":%" PRId64 ",\"maxUnavailable\":%" PRId64
	         ",\"progressDeadline\":\"90m\",\"steps\":[",
	         u->surge, u->unavailable);
	add_steps(&b, u->steps);
	buf_addf(&b, "]},\"canary\":{\"interval\":\"%ds\"}", r->scene.long_holds ? 15 : 5);
	if (r->scene.driver != TRAFFIC_NONE)
		add_traffic(&b, r);
	buf_addstr(&b, "}}");
	sim_put(r->cluster.api, SIM_MDEP, b.data, NULL);
}

/* Who writes a route looks first by which port the Service can be reached. */
static int route_port(const struct run *r)
{
	const struct sim_object *front = sim_get(r->cluster.api, SIM_SERVICE, NULL, RUN_MODEL);
	bool other = r->user.other_port;

	if (front && !world_is_reached_by(front, other ? 8080 : 80))
		other = !other;
	return other ? 8080 : 80;
}

/* Of a route of the user's: all before the port and behind it. */
static const struct {
	const char *head, *tail;
} routes[] = {
	[TRAFFIC_HTTPROUTE] = {"\"parentRefs\":[{\"name\":\"gw\"}],\"rules\":[{\"matches\":[{"
                               "\"path\":{\"type\":\"PathPrefix\",\"value\":\"/\"}}],"
                               "\"backendRefs\":[{\"name\":\"" RUN_MODEL "\",\"port\":",
                               "}]}]"},
	[TRAFFIC_GRPCROUTE] = {"\"parentRefs\":[{\"name\":\"gw\"}],\"rules\":[{"
                               "\"backendRefs\":[{\"name\":\"" RUN_MODEL "\",\"port\":",
                               "}]}]"},
	[TRAFFIC_ISTIO] = {"\"hosts\":[\"" RUN_MODEL "\"],\"http\":[{\"route\":[{"
                           "\"destination\":{\"host\":\"" RUN_MODEL "\",\"port\":{\"number\":",
                           "}}}]}]"},
	[TRAFFIC_INGRESS] = {"\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/\",\"pathType\":"
                             "\"Prefix\",\"backend\":{\"service\":{\"name\":\"" RUN_MODEL
                             "\",\"port\":{\"number\":",
                             "}}}}]}}]"},
};

void user_put_route(struct run *r)
{
	cleanup_free char *text = xasprintf("{\"metadata\":{\"name\":\"" RUN_MODEL
	                                    "\",\"namespace\":\"default\"},\"spec\":{%s%d%s}}",
	                                    routes[r->scene.driver].head, route_port(r),
	                                    routes[r->scene.driver].tail);

	sim_put(r->cluster.api, world_route_kind(r->scene.driver), text, NULL);
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
