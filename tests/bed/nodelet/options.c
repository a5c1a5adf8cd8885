#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

enum option_type { OPT_STRING, OPT_INT, OPT_DURATION, OPT_SCALE, OPT_FLAG };

static const struct option_row {
	const char *flag;
	enum option_type type;
	size_t offset;
	const char *help;
} rows[] = {
#define ROW(flag, type, field, help)                                                               \
	{                                                                                          \
		flag, type, offsetof(struct options, field), help                                  \
	}
	ROW("kubeconfig", OPT_STRING, kubeconfig, "how to reach the API server"),
	ROW("zone", OPT_STRING, zone, "label topology.kubernetes.io/zone (required)"),
	ROW("region", OPT_STRING, region, "label topology.kubernetes.io/region (local)"),
	ROW("nodes", OPT_INT, nodes, "how many nodes (1)"),
	ROW("node-prefix", OPT_STRING, node_prefix, "nodes are PREFIX-1, PREFIX-2, ... (the zone)"),
	ROW("gpus", OPT_INT, gpus, "cards a node (0)"),
	ROW("gpu-resource", OPT_STRING, gpu_resource, "their resource name (nvidia.com/gpu)"),
	ROW("product", OPT_STRING, gpu_product, "label nvidia.com/gpu.product"),
	ROW("gpu-memory", OPT_INT, gpu_memory_mib,
            "MiB a card, label nvidia.com/gpu.memory (24576)"),
	ROW("cpu", OPT_STRING, cpu, "a node (32)"),
	ROW("memory", OPT_STRING, memory, "a node (128Gi)"),
	ROW("max-pods", OPT_INT, max_pods, "a node (110)"),
	ROW("pod-cidr", OPT_STRING, pod_cidr,
            "IPv4 addresses of nodes and pods, all bindable (required)"),
	ROW("image-map", OPT_STRING, image_map, "JSON: image -> command, env, paths (required)"),
	ROW("state-dir", OPT_STRING, state_dir, "volumes, logs, control socket (required)"),
	ROW("lease-interval", OPT_DURATION, lease_ms, "renewal of the node leases (10s)"),
	ROW("status-interval", OPT_DURATION, status_ms, "node status without a change (5m)"),
	ROW("backoff-scale", OPT_SCALE, backoff_scale, "factor on crash and pull back-offs (1)"),
	ROW("help", OPT_FLAG, help, "this text"),
#undef ROW
};

static int set_option(struct options *o, const struct option_row *row, const char *text,
                      struct err *err)
{
	char *at = (char *)o + row->offset;
	double d;

	switch (row->type) {
	case OPT_STRING:
		*(const char **)at = text;
		return 0;
	case OPT_INT:
		if (str_to_i64(text, (int64_t *)at) && *(int64_t *)at >= 0)
			return 0;
		break;
	case OPT_DURATION:
		if (duration_parse(text, (int64_t *)at, err))
			return err_wrap(err, "--%s", row->flag);
		return 0;
	case OPT_SCALE:
		if (str_to_double(text, &d) && d > 0 && d <= 1) {
			*(double *)at = d;
			return 0;
		}
		break;
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	}
	return err_set(err, ERR_INVALID, "--%s: \"%s\" is not allowed", row->flag, text);
}

static int check(const struct options *o, struct err *err)
{
	int64_t ignored;

	if (!o->zone || !o->pod_cidr || !o->image_map || !o->state_dir)
		return err_set(err, ERR_INVALID,
		               "--zone, --pod-cidr, --image-map and --state-dir are required");
	if (o->nodes < 1 || o->nodes > NODES_MAX)
		return err_set(err, ERR_INVALID, "--nodes: from 1 to %d", NODES_MAX);
	if (quantity_parse(o->cpu, &ignored, err))
		return err_wrap(err, "--cpu");
	if (quantity_parse(o->memory, &ignored, err))
		return err_wrap(err, "--memory");
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct option longopts[ARRAY_SIZE(rows) + 1] = {0};
	int got, index;

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
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		longopts[i].name = rows[i].flag;
		longopts[i].has_arg = rows[i].type == OPT_FLAG ? no_argument : required_argument;
	}
	while ((got = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		if (got != 0)
			return err_set(err, ERR_INVALID, "unknown flag; see --help");
		if (set_option(o, &rows[index], optarg, err))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[optind]);
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
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		printf("  --%-16s %s\n", rows[i].flag, rows[i].help);
	puts("\nctl commands: freeze, thaw, node-down NODE, node-up NODE, card-lost NODE COUNT,\n"
	     "              slow-image MS, crash [NAMESPACE/]POD\n\n"
	     "example: nodelet --kubeconfig admin.conf --zone hz-a --nodes 2 --gpus 4 \\\n"
	     "           --product NVIDIA-A10 --pod-cidr 10.244.1.0/24 --image-map images.json \\\n"
	     "           --state-dir /tmp/hz-a");
}
