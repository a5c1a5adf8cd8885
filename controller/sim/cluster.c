#include "cluster.h"

#include <stdio.h>

#include "tidegate/kube/lease.h"
#include "tidegate/reconcile/operator.h"

#define RESTART_MS 3000

static void on_acquired(void *arg)
{
	struct cluster_replica *p = arg;

	operator_lead(p->op);
}

static void on_lost(void *arg)
{
	struct cluster_replica *p = arg;

	p->dead = true;
}

static bool may_write(void *arg)
{
	const struct cluster_replica *p = arg;

	return p->lease && !p->dead && lease_may_write(p->lease);
}

static void replica_stop(struct cluster_replica *p)
{
	lease_free(p->lease);
	operator_free(p->op);
	kube_client_free(p->client);
	*p = (struct cluster_replica){.dead = false};
}

static void replica_start(struct cluster *c, struct cluster_replica *p)
{
	struct kube_client_options ko = {.user_agent = p->agent};
	struct operator_options oo = {.identity = p->agent,
	                              .replica = p->agent,
	                              .zone = c->zones[p - c->replica],
	                              .votes_namespace = CLUSTER_NAMESPACE,
	                              .votes_group = CLUSTER_LEASE,
	                              .told = c->told,
	                              .told_arg = c->told_arg};
	struct lease_options lo = {.namespace = CLUSTER_NAMESPACE,
	                           .name = CLUSTER_LEASE,
	                           .identity = p->agent,
	                           .on_acquired = on_acquired,
	                           .on_lost = on_lost,
	                           .arg = p};

	*p = (struct cluster_replica){.dead = false};
	snprintf(p->agent, sizeof(p->agent), "sim-%u", ++c->processes);
	sim_port_init(&p->port, c->api, p->agent);
	http_transport_use(&p->port.transport);
	p->client = kube_client_new(c->loop, &c->config, &ko, NULL);
	kube_client_set_write_gate(p->client, may_write, p);
	p->op = operator_new(c->loop, p->client, &oo, NULL);
	p->lease = lease_new(p->client, &lo, NULL);
	operator_start(p->op);
	lease_start(p->lease);
}

static void bury_and_restart(struct cluster *c)
{
	for (unsigned i = 0; i < c->nreplicas; i++) {
		struct cluster_replica *p = &c->replica[i];

		if (p->client && p->dead) {
			replica_stop(p);
			c->deaths++;
			p->start_ms = c->clock.mono_ms + RESTART_MS;
		}
		if (!p->client && c->clock.mono_ms >= p->start_ms)
			replica_start(c, p);
	}
}

struct cluster_replica *cluster_replica_of(struct cluster *c, const char *agent)
{
	for (unsigned i = 0; i < c->nreplicas; i++)
		if (c->replica[i].client && str_eq(c->replica[i].agent, agent))
			return &c->replica[i];
	return NULL;
}

const char *cluster_zone_of(struct cluster *c, const char *agent)
{
	const struct cluster_replica *p = cluster_replica_of(c, agent);

	return p ? c->zones[p - c->replica] : NULL;
}

void cluster_kill(struct cluster *c, const char *agent)
{
	struct cluster_replica *p = cluster_replica_of(c, agent);

	if (p)
		p->dead = true;
}

void cluster_add_replica(struct cluster *c, int64_t after_ms)
{
	c->replica[c->nreplicas++] =
		(struct cluster_replica){.start_ms = c->clock.mono_ms + after_ms};
}

void cluster_run_once(struct cluster *c)
{
	loop_run_once(c->loop, true);
	bury_and_restart(c);
}

void cluster_begin(struct cluster *c, uint64_t seed, const struct sim_hooks *hooks)
{
	*c = (struct cluster){.clock = {CLUSTER_START_MONO_MS, CLUSTER_START_WALL_MS}};
	clock_use(&c->clock);
	random_use_seed(seed | 1ULL << 63);
	c->loop = loop_new_virtual(&c->clock);
	c->api = sim_api_new(c->loop, hooks);
	c->config = (struct kube_config){.server = xstrdup(SIM_SERVER_URL),
	                                 .source = xstrdup("simulation"),
	                                 .namespace = xstrdup("default")};
}

void cluster_end(struct cluster *c)
{
	for (unsigned i = 0; i < c->nreplicas; i++)
		if (c->replica[i].client)
			replica_stop(&c->replica[i]);
	loop_free(c->loop);
	sim_api_free(c->api);
	http_transport_use(NULL);
	clock_use(NULL);
	random_use_seed(0);
	free(c->config.server);
	free(c->config.source);
	free(c->config.namespace);
}
