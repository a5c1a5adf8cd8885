/*
 * What the parts of the agent share: one loop, one client, the zone's addresses, images and
 * faults.
 */
#ifndef BED_NODELET_AGENT_H
#define BED_NODELET_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/kube/client.h"
#include "tidegate/kube/event.h"
#include "tidegate/net/http.h"
#include "tidegate/net/loop.h"

#include "images.h"
#include "ips.h"
#include "options.h"

struct node;

struct agent {
	struct loop *loop;
	const struct options *options;
	struct kube_config *config;
	struct kube_client *client;
	struct http_client *http; /* probes and hooks */
	struct event_recorder *events;
	struct images images;
	struct ips ips;
	struct node **nodes;
	unsigned nnodes;
	int64_t pull_ms; /* fault: how long the first pull of an image by a node takes */
	bool stopping;
};

#endif
