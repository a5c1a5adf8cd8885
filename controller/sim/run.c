#include "tidegate/sim/run.h"

#include <stdio.h>

#include "run_priv.h"

#define HISTORY_MAX    5000
#define CHECK_MS       500
#define REQUESTS_MIN_S 20
#define AUDIENCE       0.05
#define BASE_ERRORS    0.0003 /* within the budget */
#define SCENE_SALT     0x7469646567617465ULL
#define DRIVER_SALT    0x6472697665726e6fULL

static void on_tick(void *arg)
{
	struct run *r = arg;

	user_tick(r);
	check_tick(r);
	if (!r->user.calm_ms && user_is_done(r))
		user_calm(r);
	if (r->cluster.api->nhistory > HISTORY_MAX)
		sim_compact(r->cluster.api);
	timer_start(&r->tick, CHECK_MS);
}

static const char *draw_on_breach(struct random *random)
{
	static const char *const values[] = {NULL, NULL, "Rollback", "Rollback", "Pause", "Notify"};

	return values[random_below(random, ARRAY_SIZE(values))];
}

/* Of three seeds two go by the driver that most people use. */
static enum mdep_traffic draw_driver(const struct run *r)
{
	static const enum mdep_traffic others[] = {TRAFFIC_GRPCROUTE, TRAFFIC_ISTIO,
	                                           TRAFFIC_INGRESS, TRAFFIC_TRAEFIK};
	struct random random = {r->o.seed ^ DRIVER_SALT};

	return random_below(&random, 3) ? TRAFFIC_HTTPROUTE
	                                : others[random_below(&random, ARRAY_SIZE(others))];
}

static bool may_be_own(enum mdep_traffic driver)
{
	return driver == TRAFFIC_HTTPROUTE || driver == TRAFFIC_GRPCROUTE ||
	       driver == TRAFFIC_ISTIO;
}

static void draw_scene(struct run *r, struct random *random)
{
	struct scene *s = &r->scene;

	s->zones = (int64_t)random_below(random, RUN_ZONES_MAX + 1);
	s->fault_permille = (int64_t)random_below(random, 80);
	s->canary_is_bad = random_below(random, 3) == 0;
	s->load_ms = 4000 + (int64_t)random_below(random, 60000);
	s->rate = REQUESTS_MIN_S + (int64_t)random_below(random, 200);
	s->lively = random_below(random, 3) > 0;
	s->scarce = random_below(random, 6) == 0;
	s->long_holds = random_below(random, 12) == 0;
	s->paged = random_below(random, 4) == 0;
	s->driver = random_below(random, 8) ? draw_driver(r) : TRAFFIC_NONE;
	s->own_route = random_below(random, 4) == 0 && may_be_own(s->driver);
	s->own_route |= s->driver == TRAFFIC_INGRESS;
	s->asleep = random_below(random, 12) == 0;
	s->on_breach = draw_on_breach(random);
	s->apart = s->zones > 1 && random_below(random, 2);
}

/* Version "2" may be a bad one. */
static void make_world(struct run *r)
{
	struct world_app *a = &r->world.defaults;

	world_init(&r->world, r->cluster.api, random_next(&r->random));
	a->rate = (double)r->scene.rate;
	a->audience = AUDIENCE;
	a->versions[0].load_min_ms = r->scene.load_ms / 2;
	a->versions[0].load_max_ms = r->scene.load_ms;
	a->versions[1] = a->versions[0];
	a->versions[0].errors = r->scene.on_breach ? BASE_ERRORS : 0;
	str_copy(a->versions[1].version, sizeof(a->versions[1].version), "2");
	a->versions[1].errors = r->scene.canary_is_bad ? 0.4 : a->versions[0].errors;
	a->nversions = 2;
}

static void begin(struct run *r)
{
	struct random scene = {r->o.seed ^ SCENE_SALT};
	struct sim_hooks hooks;

	r->random.state = r->o.seed;
	draw_scene(r, &scene);
	others_draw(r, &scene);
	user_draw(r, &scene);
	faults_hooks(r, &hooks);
	cluster_begin(&r->cluster, r->o.seed, &hooks);
	make_world(r);
	user_make_nodes(r);
	others_begin(r);
	timer_init(&r->tick, r->cluster.loop, on_tick, r);
	timer_start(&r->tick, CHECK_MS);
	cluster_add_replica(&r->cluster, 0);
	cluster_add_replica(&r->cluster, 4000);
	if (r->scene.apart) {
		r->cluster.zones[0] = "z0";
		r->cluster.zones[1] = "z1";
	}
}

static void end(struct run *r)
{
	world_release(&r->world);
	timer_release(&r->tick);
	r->result->crashes = r->cluster.deaths;
	cluster_end(&r->cluster);
}

static void release(struct run *r, unsigned version)
{
	if (r->result->failed)
		return;
	user_apply(r, version);
	do
		cluster_run_once(&r->cluster);
	while (!r->result->failed && !check_settled(r));
}

void sim_run(const struct sim_options *o, struct sim_result *result)
{
	struct run r = {.o = *o, .result = result};

	*result = (struct sim_result){.failed = false};
	begin(&r);
	release(&r, 1);
	release(&r, 2);
	/* Whatever happened before: no order of then has a say in this one. */
	if (r.scene.lively)
		release(&r, RUN_VERSIONS + 1);
	result->lost = loss_of_release(&r);
	result->requests = world_app(&r.world, "default", RUN_MODEL)->tally.requests;
	result->virtual_ms = r.cluster.clock.mono_ms;
	if (!result->failed)
		check_end(&r);
	end(&r);
}
