/*
 * One node: its Node object and Lease, its watches, and the pods bound to it.
 *
 * The node writes its own labels, capacity and conditions, and leaves alone what others add
 * (taints, labels, further resources).
 */
#ifndef BED_NODELET_NODE_H
#define BED_NODELET_NODE_H

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/kube/reflector.h"
#include "tidegate/kube/store.h"

#include "agent.h"
#include "resources.h"

struct node {
	struct agent *agent;
	char *name;
	char ip[IP_TEXT_MAX];
	struct store pod_store, node_store;
	struct reflector *pod_reflector, *node_reflector;
	struct list pods; /* struct pod */
	struct arena arena;
	const struct json *object; /* the Node as the API server has it, NULL before it came */
	struct kube_call *register_call, *lease_call, *status_call;
	struct timer lease_timer, status_timer;
	struct map pulled;      /* images that are on the node */
	int64_t lost_cards;     /* fault */
	int64_t ready_since_ms; /* wall */
	bool registered;
	bool lease_exists, lease_failing;
	bool down; /* fault: nothing runs, nothing is reported */
};

struct node *node_new(struct agent *a, unsigned index);
void node_start(struct node *n);
/* Kills its pods and says nothing any more. */
void node_stop(struct node *n);
void node_free(struct node *n);
/* Faults. */
void node_power_off(struct node *n);
void node_power_on(struct node *n);
void node_lose_cards(struct node *n, int64_t cards);
/* What pods may use: our own resources, and those that others put into the Node object. */
int node_allocatable(const struct node *n, struct resources *out, struct err *err);

#endif
