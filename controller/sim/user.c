/*
 * People and machines in mid-release. What ends by itself (a dark zone, a lost machine that is
 * replaced) does so whatever else is left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "run_priv.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

#define CARDS           8 /* of a node, unless they are scarce */
#define MORE_ORDERS     3
#define MINUTE_MS       60000LL
#define SHORT_SPAN_MS   (10 * MINUTE_MS)
#define LONG_SPAN_MS    (100 * MINUTE_MS)
#define INCIDENT_ERRORS 0.05
#define ZONE_ERRORS     0.3
#define RESUME_MS       (2 * MINUTE_MS) /* between two orders to go on */

/* --- sleep --------------------------------------------------------------------------------- */

/* replicas: 0 for a while. */
static void fall_asleep(struct run *r, uint64_t draw)
{
	struct user *u = &r->user;

	if (u->asleep_until_ms)
		return;
	u->awake = u->replicas;
	u->replicas = 0;
	u->asleep_until_ms = run_now(r) + 10000 + (int64_t)(draw % 300) * 1000;
}

static void wake_up(struct run *r)
{
	struct user *u = &r->user;

	u->replicas = u->awake;
	u->asleep_until_ms = 0;
	r->check.bounds_ms = run_now(r);
	user_put_manifest(r);
}

/* --- drawing ------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct act *x = a, *y = b;

	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

/* There are many orders, and one each of the others. */
static enum act_kind draw_kind(struct random *random)
{
	uint64_t n = random_below(random, ACT_KINDS + MORE_ORDERS);

	return n < ACT_KINDS ? (enum act_kind)n : ACT_ORDER;
}

/* With a card to spare, whichever zone it is in: surge takes none from others. */
static bool may_lack_none(const struct run *r)
{
	return r->user.surge > 0 && !r->others.n && r->o.seed % 2;
}

void user_draw(struct run *r, struct random *random)
{
	struct user *u = &r->user;
	int64_t span = r->scene.long_holds ? LONG_SPAN_MS : SHORT_SPAN_MS;

	u->replicas = 2 + (int64_t)random_below(random, 4);
	/* Without a card for it surge is asked for in vain, and must do no harm. */
	u->surge =
		r->scene.scarce ? (int64_t)(r->o.seed % 3) : 1 + (int64_t)random_below(random, 2);
	u->unavailable = r->scene.scarce ? !may_lack_none(r) : (int64_t)random_below(random, 2);
	u->steps = user_draw_steps(r, random_next(random));
	u->approve_after_ms = (int64_t)random_below(random, 4 * MINUTE_MS);
	if (r->scene.asleep)
		fall_asleep(r, random_next(random));
	if (!r->scene.lively)
		return;
	u->nacts = 1 + (unsigned)random_below(random, SIM_ACTS_MAX);
	for (unsigned i = 0; i < u->nacts; i++)
		u->acts[i] = (struct act){
			.at_ms = (int64_t)random_below(random, (uint64_t)span),
			.kind = draw_kind(random),
			.draw = random_next(random),
			.left_out = !(r->o.acts >> i & 1),
		};
	qsort(u->acts, u->nacts, sizeof(*u->acts), by_time);
	r->result->acts = u->nacts;
}

/* --- nodes --------------------------------------------------------------------------------- */

int user_cards(const struct run *r)
{
	return r->scene.scarce ? 1 : CARDS;
}

static void put_node(struct run *r, unsigned number, const char *zone)
{
	cleanup_free char *text = xasprintf(
		"{\"metadata\":{\"name\":\"node-%u\",\"labels\":{\"" TG_ZONE_LABEL
		"\":\"%s\",\"" TG_HOST_LABEL "\":\"node-%u\"}},\"status\":{"
		"\"allocatable\":{\"cpu\":\"64\",\"memory\":\"256Gi\",\"pods\":\"110\","
		"\"nvidia.com/gpu\":\"%d\"},\"conditions\":[{\"type\":\"Ready\",\"status\":"
		"\"True\"}]}}",
		number, zone, number, user_cards(r));

	sim_put(r->cluster.api, SIM_NODE, text, NULL);
}

void user_make_nodes(struct run *r)
{
	char zone[8];

	for (; r->user.nodes < RUN_NODES; r->user.nodes++) {
		snprintf(zone, sizeof(zone), "z%u",
		         r->scene.zones ? r->user.nodes % (unsigned)r->scene.zones : 0);
		put_node(r, r->user.nodes, zone);
	}
}

static void lose_node(struct run *r, const struct act *a)
{
	struct user *u = &r->user;
	cleanup_free char *name = NULL;
	struct sim_object *node;

	if (u->node_due_ms)
		return;
	name = xasprintf("node-%u", (unsigned)(a->draw % u->nodes));
	node = sim_get(r->cluster.api, SIM_NODE, NULL, name);
	if (!node || node->world.lost)
		return;
	str_copy(u->lost_zone, sizeof(u->lost_zone), str_or(world_label(node, TG_ZONE_LABEL), ""));
	world_lose_node(&r->world, name);
	u->node_due_ms = run_now(r) + (1 + (int64_t)((a->draw >> 8) % 5)) * MINUTE_MS;
}

static void darken(struct run *r, const struct act *a)
{
	struct user *u = &r->user;

	if (!r->scene.zones || u->dark_until_ms)
		return;
	snprintf(u->dark_zone, sizeof(u->dark_zone), "z%u",
	         (unsigned)(a->draw % (uint64_t)r->scene.zones));
	world_zone_set(&r->world, u->dark_zone, true);
	u->dark_until_ms = run_now(r) + 10000 + (int64_t)((a->draw >> 8) % 600) * 1000;
}

static void spoil(struct run *r, bool spoilt)
{
	if (*r->user.incident_zone)
		world_zone_spoil(&r->world, r->user.incident_zone, spoilt ? ZONE_ERRORS : 0, 1);
	else
		world_spoil(&r->world, RUN_MODEL, spoilt ? INCIDENT_ERRORS : -INCIDENT_ERRORS);
	r->check.incident_ms = run_now(r);
}

/* Something that all versions depend on answers with errors, in one zone or everywhere. */
static void begin_incident(struct run *r, uint64_t draw)
{
	struct user *u = &r->user;

	if (u->incident_until_ms)
		return;
	*u->incident_zone = '\0';
	if (r->scene.zones > 1 && draw >> 63)
		snprintf(u->incident_zone, sizeof(u->incident_zone), "z%u",
		         (unsigned)((draw >> 32) % (uint64_t)r->scene.zones));
	spoil(r, true);
	u->incident_until_ms = run_now(r) + 10000 + (int64_t)(draw % 300) * 1000;
}

static void end_incident(struct run *r)
{
	spoil(r, false);
	r->user.incident_until_ms = 0;
}

/* What ends by itself. */
static void end_outages(struct run *r)
{
	struct user *u = &r->user;
	int64_t now = run_now(r);

	if (u->dark_until_ms && now >= u->dark_until_ms) {
		world_zone_set(&r->world, u->dark_zone, false);
		u->dark_until_ms = 0;
		r->check.light_ms = now;
		r->check.light_is_new = true;
	}
	if (u->node_due_ms && now >= u->node_due_ms) {
		put_node(r, u->nodes++, u->lost_zone);
		u->node_due_ms = 0;
	}
	if (u->silent_until_ms && now >= u->silent_until_ms)
		u->silent_until_ms = 0;
	if (u->asleep_until_ms && now >= u->asleep_until_ms)
		wake_up(r);
	if (u->incident_until_ms && now >= u->incident_until_ms)
		end_incident(r);
}

bool user_metrics_are_silent(const struct run *r)
{
	return r->user.silent_until_ms != 0;
}

/* --- orders -------------------------------------------------------------------------------- */

/* Each is a new one: what stands behind '#' differs. */
static void order(struct run *r, const char *verb, const char *value)
{
	struct sim_object *o = sim_get(r->cluster.api, SIM_MDEP, NULL, RUN_MODEL);
	cleanup_free char *patch =
		xasprintf("{\"metadata\":{\"annotations\":{\"" TG_ORDER_PREFIX "%s\":\"%s#%u\"}}}",
	                  verb, value, ++r->user.orders);

	sim_patch(r->cluster.api, o, patch);
}

static void order_promote(struct run *r, uint64_t draw)
{
	static const char *const values[] = {"next", "full", "2", "3"};

	r->check.promotes++;
	r->check.promoted_full |= draw % 4 == 1;
	order(r, "promote", values[draw % 4]);
}

static void order_rollback(struct run *r, uint64_t draw)
{
	char version[8];

	snprintf(version, sizeof(version), "%d", 1 + (int)(draw % RUN_VERSIONS));
	r->check.rollbacks++;
	order(r, "rollback-to", version);
}

static void order_zone(struct run *r, bool evacuate, uint64_t draw)
{
	char value[32];

	if (!r->scene.zones)
		return;
	snprintf(value, sizeof(value), evacuate ? "z%d,%dm" : "z%d",
	         (int)(draw % (uint64_t)r->scene.zones), 1 + (int)((draw >> 8) % 8));
	order(r, evacuate ? "evacuate" : "return", value);
}

static void give_order(struct run *r, uint64_t draw)
{
	switch (draw % 8) {
	case 0:
		order_promote(r, draw >> 8);
		break;
	case 1:
		r->check.aborts++;
		order(r, "abort", "true");
		break;
	case 2:
		r->check.pauses++;
		order(r, "pause", "true");
		break;
	case 3:
		order(r, "resume", "true");
		break;
	case 4:
		order(r, "retry", "true");
		break;
	case 5:
		order_rollback(r, draw >> 8);
		break;
	default:
		order_zone(r, draw % 8 == 6, draw >> 8);
	}
}

/* --- acts ---------------------------------------------------------------------------------- */

static void change_bounds(struct run *r, uint64_t draw)
{
	struct user *u = &r->user;
	int64_t most = u->asleep_until_ms ? u->awake : u->replicas;

	if (r->scene.scarce) {
		u->unavailable = 1 + (int64_t)(draw % (uint64_t)most);
	} else {
		u->surge = 1 + (int64_t)(draw % 3);
		u->unavailable = (int64_t)((draw >> 8) % 2);
	}
	u->other_port ^= draw >> 40 & 1;
	r->check.bounds_ms = run_now(r);
	user_put_manifest(r);
}

/* Whoever asks for none meanwhile goes on doing so. */
static void change_replicas(struct run *r, uint64_t draw)
{
	int64_t n = 2 + (int64_t)(draw % 4);

	if (r->user.asleep_until_ms) {
		r->user.awake = n;
		return;
	}
	r->user.replicas = n;
	if (r->user.unavailable > r->user.replicas)
		r->user.unavailable = r->user.replicas;
	r->check.bounds_ms = run_now(r);
	user_put_manifest(r);
}

static void jump(struct run *r, uint64_t draw)
{
	int64_t ms = 1000 * (1 + (int64_t)((draw >> 8) % 300));

	r->cluster.clock.wall_ms += draw % 2 ? ms : -ms;
	r->check.clock_jumped = true;
}

static void kill_all(struct run *r)
{
	for (unsigned i = 0; i < r->cluster.nreplicas; i++)
		cluster_kill(&r->cluster, r->cluster.replica[i].agent);
}

static void happen(struct run *r, const struct act *a)
{
	switch (a->kind) {
	case ACT_VERSION:
		r->user.version = 1 + (unsigned)(a->draw % RUN_VERSIONS);
		user_put_manifest(r);
		break;
	case ACT_REPLICAS:
		change_replicas(r, a->draw);
		break;
	case ACT_SLEEP:
		fall_asleep(r, a->draw);
		r->check.bounds_ms = run_now(r);
		user_put_manifest(r);
		break;
	case ACT_BOUNDS:
		change_bounds(r, a->draw);
		break;
	case ACT_STEPS:
		r->user.steps = user_draw_steps(r, a->draw);
		r->check.steps_changed = true;
		user_put_manifest(r);
		break;
	case ACT_ZONE_DARK:
		darken(r, a);
		break;
	case ACT_SHIFT:
		user_shift(r, a->draw);
		break;
	case ACT_NODE_LOST:
		lose_node(r, a);
		break;
	case ACT_CLOCK:
		jump(r, a->draw);
		break;
	case ACT_SILENCE:
		r->user.silent_until_ms = run_now(r) + (1 + (int64_t)(a->draw % 20)) * MINUTE_MS;
		break;
	case ACT_OTHER:
		others_change(r, a->draw);
		break;
	case ACT_INCIDENT:
		begin_incident(r, a->draw);
		break;
	case ACT_ROUTE:
		if (r->scene.own_route)
			user_put_route(r);
		r->check.route_reset |= r->scene.own_route;
		break;
	case ACT_KILL:
		kill_all(r);
		break;
	default:
		give_order(r, a->draw);
	}
}

/* Nobody forgets a pause for good. */
static void end_pause(struct run *r)
{
	struct user *u = &r->user;

	if (!str_eq(r->check.phase, "Paused") || run_now(r) < u->resumed_ms + RESUME_MS)
		return;
	u->resumed_ms = run_now(r);
	order(r, "resume", "true");
}

/* Nor who waits for a word, which may take its time. */
static void approve(struct run *r)
{
	struct user *u = &r->user;

	if (!str_eq(r->check.phase, "AwaitingApproval")) {
		u->asked_ms = 0;
		return;
	}
	if (!u->asked_ms)
		u->asked_ms = run_now(r);
	if (run_now(r) < u->asked_ms + u->approve_after_ms)
		return;
	u->asked_ms = 0;
	r->check.approvals++;
	order(r, "promote", "next");
}

void user_tick(struct run *r)
{
	struct user *u = &r->user;

	end_outages(r);
	others_tick(r);
	if (!u->began_ms)
		return;
	if (u->calm_ms) {
		end_pause(r);
		approve(r);
	}
	while (u->next < u->nacts && run_now(r) >= u->began_ms + u->acts[u->next].at_ms) {
		const struct act *a = &u->acts[u->next++];

		if (!a->left_out)
			happen(r, a);
	}
}

bool user_is_done(const struct run *r)
{
	const struct user *u = &r->user;

	return u->began_ms && u->next == u->nacts && !u->dark_until_ms && !u->node_due_ms &&
	       !u->silent_until_ms && !u->asleep_until_ms && !u->incident_until_ms &&
	       run_now(r) >= u->shifted_until_ms;
}

void user_calm(struct run *r)
{
	r->user.calm_ms = run_now(r);
}
