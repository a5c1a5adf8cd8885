#include "options.h"

#include <stdio.h>

#include "tidegate/base/option.h"
#include "tidegate/base/quantity.h"

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct options, field, name, type, __VA_ARGS__)
	ROW(kubeconfig, "kubeconfig", OPTION_TEXT, .help = "how to reach the API server"),
	ROW(zone, "zone", OPTION_TEXT, .help = "label topology.kubernetes.io/zone (required)"),
	ROW(region, "region", OPTION_TEXT, .help = "label topology.kubernetes.io/region (local)"),
	ROW(nodes, "nodes", OPTION_INT, .min = 1, .max = NODES_MAX, .help = "how many nodes (1)"),
	ROW(node_prefix, "node-prefix", OPTION_TEXT,
            .help = "nodes are PREFIX-1, PREFIX-2, ... (the zone)"),
	ROW(gpus, "gpus", OPTION_INT, .help = "cards a node (0)"),
	ROW(gpu_resource, "gpu-resource", OPTION_TEXT,
            .help = "their resource name (nvidia.com/gpu)"),
	ROW(gpu_product, "product", OPTION_TEXT, .help = "label nvidia.com/gpu.product"),
	ROW(gpu_memory_mib, "gpu-memory", OPTION_INT,
            .help = "MiB a card, label nvidia.com/gpu.memory (24576)"),
	ROW(cpu, "cpu", OPTION_TEXT, .help = "a node (32)"),
	ROW(memory, "memory", OPTION_TEXT, .help = "a node (128Gi)"),
	ROW(max_pods, "max-pods", OPTION_INT, .help = "a node (110)"),
	ROW(pod_cidr, "pod-cidr", OPTION_TEXT,
            .help = "IPv4 addresses of nodes and pods, all bindable (required)"),
	ROW(image_map, "image-map", OPTION_TEXT,
            .help = "JSON: image -> command, env, paths (required)"),
	ROW(state_dir, "state-dir", OPTION_TEXT,
            .help = "volumes, logs, control socket (required)"),
	ROW(lease_ms, "lease-interval", OPTION_DURATION,
            .help = "renewal of the node leases (10s)"),
	ROW(status_ms, "status-interval", OPTION_DURATION,
            .help = "node status without a change (5m)"),
	ROW(backoff_scale, "backoff-scale", OPTION_NUMBER, .low = 0.001, .high = 1,
            .help = "factor on crash and pull back-offs (1)"),
	ROW(help, "help", OPTION_FLAG, .help = "this text"),
#undef ROW
	{.name = NULL},
};

static int check(const struct options *o, struct err *err)
{
	int64_t ignored;

	if (!o->zone || !o->pod_cidr || !o->image_map || !o->state_dir)
		return err_set(err, ERR_INVALID,
		               "--zone, --pod-cidr, --image-map and --state-dir are required");
	if (quantity_parse(o->cpu, &ignored, err))
		return err_wrap(err, "--cpu");
	if (quantity_parse(o->memory, &ignored, err))
		return err_wrap(err, "--memory");
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	int words;

	*o = (struct options){
		.region = "local",
		.nodes = 1,
		.gpu_resource = "nvidia.com/gpu",
		.gpu_memory_mib = 24576,
		.cpu = "32",
		.memory = "128Gi",
		.max_pods = 110,
		.lease_ms = 10000,
		.status_ms = 300000,
		.backoff_scale = 1,
	};
	words = option_read(rows, o, argc, argv, err);
	if (words < 0)
		return -1;
	if (o->help)
		return 0;
	if (words)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[1]);
	if (!o->node_prefix)
		o->node_prefix = o->zone;
	return check(o, err);
}

void options_usage(void)
{
	puts("usage: nodelet --zone Z --pod-cidr C --image-map F --state-dir D [flags]\n"
	     "       nodelet ctl STATE_DIR COMMAND...\n\n"
	     "Node agent of one zone: registers nodes, runs the pods bound to them as "
	     "processes.\n");
	option_help(rows, stdout);
	puts("\nctl commands: freeze, thaw, node-down NODE, node-up NODE, card-lost NODE COUNT,\n"
	     "              slow-image MS, crash [NAMESPACE/]POD\n\n"
	     "example: nodelet --kubeconfig admin.conf --zone hz-a --nodes 2 --gpus 4 \\\n"
	     "           --product NVIDIA-A10 --pod-cidr 10.244.1.0/24 --image-map images.json \\\n"
	     "           --state-dir /tmp/hz-a");
}
