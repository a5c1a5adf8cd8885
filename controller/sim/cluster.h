/*
 * What every simulation stands on: virtual clock, loop, API server (sim/api.h) and the operator's
 * processes. A process that dies or loses its lease is torn down outside of its own callbacks and
 * comes back after a while, as a new one.
 *
 * One cluster at a time in a process: the clock, the randomness and the transport are the
 * process's.
 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/kube/client.h"
#include "tidegate/kube/event.h"

#define CLUSTER_START_MONO_MS 1000
#define CLUSTER_START_WALL_MS 1800000000000LL
#define CLUSTER_REPLICAS_MAX  8
#define CLUSTER_NAMESPACE     "tidegate-system"
#define CLUSTER_LEASE         "tidegate-controller"

struct mdep_operator;
struct lease;

/* A place for a process of the operator, and the one that runs there. */
struct cluster_replica {
	char agent[16]; /* user agent and identity, new with each process; "" = none runs */
	struct sim_port port;
	struct kube_client *client;
	struct mdep_operator *op;
	struct lease *lease;
	bool dead; /* to be torn down */
	int64_t start_ms;
};

struct cluster {
	struct clock_virtual clock;
	struct loop *loop;
	struct sim_api *api;
	struct kube_config config;
	struct cluster_replica replica[CLUSTER_REPLICAS_MAX];
	const char *zones[CLUSTER_REPLICAS_MAX]; /* where they stand; NULL = nobody knows */
	unsigned nreplicas;
	unsigned processes;  /* that were started */
	event_listener told; /* what the operators tell */
	void *told_arg;
	uint64_t deaths;
};

/* The seed determines what random_fill() gives. */
void cluster_begin(struct cluster *c, uint64_t seed, const struct sim_hooks *hooks);
/* One more place, whose first process starts in `after_ms`. */
void cluster_add_replica(struct cluster *c, int64_t after_ms);
/* One round of the loop; the dead are buried and their successors started. */
void cluster_run_once(struct cluster *c);
void cluster_end(struct cluster *c);

/* NULL when that process is no more. */
struct cluster_replica *cluster_replica_of(struct cluster *c, const char *agent);
/* The zone that the replica goes dark with; NULL: none. */
const char *cluster_zone_of(struct cluster *c, const char *agent);
/* The process dies as soon as it is off the stack; nothing happens when it is no more. */
void cluster_kill(struct cluster *c, const char *agent);

#endif
