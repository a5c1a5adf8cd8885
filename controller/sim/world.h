/*
 * The rest of the cluster: ReplicaSet controller, kubelets, gateway and users, moved on by
 * world_tick() every WORLD_TICK_MS. Delays are drawn from the seed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "internal.h"

#define WORLD_TICK_MS      500
#define WORLD_BACKENDS_MAX 16

struct world_backend {
	char service[64];
	int64_t weight;
};

struct world {
	struct sim_api *api;
	struct random random;
	int64_t load_ms, rate; /* model load time; requests per second */
	double bad_share;      /* errors of model version "2" */
	struct world_backend in_force[WORLD_BACKENDS_MAX]; /* what the gateway does now */
	unsigned nin_force;
	unsigned serial;
	double requests, lost;
};

void world_tick(struct world *w);
bool world_answer(struct world *w, const char *url, struct buf *out);
bool world_pod_ready(const struct sim_object *pod);
bool world_pod_in_service(const struct sim_object *pod);
/* Ready pods in service behind a Service. */
unsigned world_endpoints(struct world *w, const struct sim_object *service);
/* Backends of the rule that everybody gets; the number of them. */
unsigned world_backends(const struct sim_object *route, struct world_backend *out);

#endif
