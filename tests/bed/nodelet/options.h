/* Command line of the node agent. Strings belong to argv. */
#ifndef BED_NODELET_OPTIONS_H
#define BED_NODELET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

#define NODES_MAX 64

struct options {
	const char *kubeconfig; /* NULL: as kubectl finds it */
	const char *zone, *region;
	const char *node_prefix; /* nodes are <prefix>-1, <prefix>-2, ... */
	int64_t nodes;
	int64_t gpus; /* a node */
	const char *gpu_resource, *gpu_product;
	int64_t gpu_memory_mib;   /* a card; goes into a label */
	const char *cpu, *memory; /* quantities, a node */
	int64_t max_pods;
	const char *pod_cidr;
	const char *image_map;
	const char *state_dir;
	int64_t lease_ms, status_ms;
	double backoff_scale; /* of the crash and pull back-offs; 1 = the kubelet's */
	bool help;
};

int options_parse(struct options *o, int argc, char **argv, struct err *err);
void options_usage(void);

#endif
