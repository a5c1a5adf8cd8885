/*
 * Other ModelDeployments that share the cards. What is checked of a release is checked of one model
 * (RUN_MODEL), whose priority is the highest: these make way for it where cards are short, release
 * versions of their own meanwhile, and are whole again in the end where there is a card for each.
 */
#include <inttypes.h>

#include "run_priv.h"
#include "tidegate/api/names.h"

#define SECONDS_MS   1000LL
#define FIRST_MAX_S  120
#define REPLICAS_MAX 2
#define OTHER        "other-%u"

static const char *const classes[] = {"",
                                      ",\"template\":{\"spec\":{\"priorityClassName\":\"mid\"}}"};

static void put(struct run *r, unsigned i)
{
	const struct other *o = &r->others.v[i];
	cleanup_free char *text = xasprintf(
		"{\"metadata\":{\"name\":\"" OTHER "\",\"namespace\":\"default\"},\"spec\":{"
		"\"replicas\":%" PRId64 ",\"model\":{\"name\":\"other\",\"version\":\"v%u\"},"
		"\"runtime\":{\"preset\":\"triton\"},\"gpu\":{\"count\":1},\"strategy\":{"
		"\"maxSurge\":0,\"maxUnavailable\":1},\"disruptionBudget\":{\"maxUnavailable\":"
		"\"100%%\"}%s}}",
		i, o->replicas, o->version, classes[i % ARRAY_SIZE(classes)]);

	sim_put(r->cluster.api, SIM_MDEP, text, NULL);
}

void others_draw(struct run *r, struct random *random)
{
	r->others.n = random_below(random, r->scene.scarce ? 2 : 8)
	                      ? 0
	                      : 1 + (unsigned)random_below(random, OTHERS_MAX);
	for (unsigned i = 0; i < r->others.n; i++)
		r->others.v[i] = (struct other){
			.replicas = 1 + (int64_t)random_below(random, REPLICAS_MAX),
			.due_ms = SECONDS_MS * (1 + (int64_t)random_below(random, FIRST_MAX_S)),
		};
}

void others_begin(struct run *r)
{
	if (!r->others.n)
		return;
	sim_put(r->cluster.api, SIM_PRIORITYCLASS,
	        "{\"metadata\":{\"name\":\"" RUN_CLASS "\"},\"value\":1000,\"preemptionPolicy\":"
	        "\"PreemptLowerPriority\"}",
	        NULL);
	sim_put(r->cluster.api, SIM_PRIORITYCLASS,
	        "{\"metadata\":{\"name\":\"mid\"},\"value\":100,\"preemptionPolicy\":"
	        "\"PreemptLowerPriority\"}",
	        NULL);
}

void others_tick(struct run *r)
{
	for (unsigned i = 0; i < r->others.n; i++) {
		struct other *o = &r->others.v[i];

		if (o->version || run_now(r) < o->due_ms)
			continue;
		o->version = 1;
		put(r, i);
	}
}

void others_change(struct run *r, uint64_t draw)
{
	unsigned i = r->others.n ? (unsigned)(draw % r->others.n) : 0;
	struct other *o = &r->others.v[i];

	if (!r->others.n || !o->version)
		return;
	if (draw >> 32 & 1)
		o->version++;
	else
		o->replicas = (int64_t)((draw >> 8) % (REPLICAS_MAX + 1));
	put(r, i);
}

static int64_t ready_pods(struct run *r, const char *model)
{
	int64_t n = 0;

	for (struct sim_object *p = sim_next(r->cluster.api, SIM_POD, NULL); p;
	     p = sim_next(r->cluster.api, SIM_POD, p))
		n += str_eq(world_label(p, TG_LABEL_NAME), model) && world_pod_ready(p);
	return n;
}

static int64_t cards(struct run *r)
{
	int64_t n = 0;

	for (struct sim_object *o = sim_next(r->cluster.api, SIM_NODE, NULL); o;
	     o = sim_next(r->cluster.api, SIM_NODE, o))
		n += o->world.lost ? 0 : user_cards(r);
	return n;
}

const char *others_missing(struct run *r)
{
	int64_t wanted = r->user.replicas;

	for (unsigned i = 0; i < r->others.n; i++)
		wanted += r->others.v[i].replicas;
	for (unsigned i = 0; i < r->others.n && wanted <= cards(r); i++) {
		cleanup_free char *name = xasprintf(OTHER, i);

		if (!r->others.v[i].version)
			return "another model is to come";
		if (ready_pods(r, name) != r->others.v[i].replicas)
			return "another model is not whole";
	}
	return NULL;
}
