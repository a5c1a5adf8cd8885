#include "node_text.h"

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LEASE_SECONDS 40 /* the kubelet's */

static void write_time(struct json_writer *w, const char *key, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_MAX];

	jw_str(w, key, clock_format(wall_ms, text));
}

static void write_labels(struct json_writer *w, const struct node *n)
{
	const struct options *o = n->agent->options;

	jw_object(w, "labels");
	jw_str(w, "kubernetes.io/hostname", n->name);
	jw_str(w, "kubernetes.io/os", "linux");
	jw_str(w, "kubernetes.io/arch", "amd64");
	jw_str(w, "topology.kubernetes.io/zone", o->zone);
	jw_str(w, "topology.kubernetes.io/region", o->region);
	if (o->gpus > 0) {
		jw_str(w, "nvidia.com/gpu.product", o->gpu_product);
		jw_strf(w, "nvidia.com/gpu.count", "%ld", (long)o->gpus);
		jw_strf(w, "nvidia.com/gpu.memory", "%ld", (long)o->gpu_memory_mib);
		jw_str(w, "nvidia.com/gpu.present", "true");
	}
	jw_end_object(w);
}

static void write_amounts(struct json_writer *w, const struct node *n, const char *key,
                          int64_t gpus)
{
	const struct options *o = n->agent->options;

	jw_object(w, key);
	jw_str(w, "cpu", o->cpu);
	jw_str(w, "memory", o->memory);
	jw_str(w, "ephemeral-storage", "100Gi");
	jw_strf(w, "pods", "%ld", (long)o->max_pods);
	if (o->gpus > 0)
		jw_strf(w, o->gpu_resource, "%ld", (long)gpus);
	jw_end_object(w);
}

static void write_condition(struct json_writer *w, const struct node *n, const char *type,
                            bool value, const char *reason, const char *message)
{
	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_str(w, "status", value ? "True" : "False");
	write_time(w, "lastHeartbeatTime", clock_wall_ms());
	write_time(w, "lastTransitionTime", n->ready_since_ms);
	jw_str(w, "reason", reason);
	jw_str(w, "message", message);
	jw_end_object(w);
}

static void write_address(struct json_writer *w, const char *type, const char *address)
{
	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_str(w, "address", address);
	jw_end_object(w);
}

static void write_info(struct json_writer *w, const struct node *n)
{
	jw_object(w, "nodeInfo");
	jw_str(w, "architecture", "amd64");
	jw_str(w, "bootID", n->name);
	jw_str(w, "containerRuntimeVersion", "nodelet://" TIDEGATE_VERSION);
	jw_str(w, "kernelVersion", "unknown");
	jw_str(w, "kubeProxyVersion", "");
	jw_str(w, "kubeletVersion", "nodelet-" TIDEGATE_VERSION);
	jw_str(w, "machineID", n->name);
	jw_str(w, "operatingSystem", "linux");
	jw_str(w, "osImage", "test bed");
	jw_str(w, "systemUUID", n->name);
	jw_end_object(w);
}

static void write_status(struct json_writer *w, const struct node *n)
{
	int64_t gpus = n->agent->options->gpus, left = gpus - n->lost_cards;

	jw_object(w, "status");
	write_amounts(w, n, "capacity", gpus);
	write_amounts(w, n, "allocatable", left > 0 ? left : 0);
	jw_array(w, "conditions");
	write_condition(w, n, "Ready", true, "KubeletReady", "nodelet is posting ready status");
	write_condition(w, n, "MemoryPressure", false, "KubeletHasSufficientMemory",
	                "nodelet has sufficient memory available");
	write_condition(w, n, "DiskPressure", false, "KubeletHasNoDiskPressure",
	                "nodelet has no disk pressure");
	write_condition(w, n, "PIDPressure", false, "KubeletHasSufficientPID",
	                "nodelet has sufficient PID available");
	jw_end_array(w);
	jw_array(w, "addresses");
	write_address(w, "InternalIP", n->ip);
	write_address(w, "Hostname", n->name);
	jw_end_array(w);
	write_info(w, n);
	jw_end_object(w);
}

int node_text_object(const struct node *n, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "v1");
	jw_str(&w, "kind", "Node");
	jw_object(&w, "metadata");
	jw_str(&w, "name", n->name);
	write_labels(&w, n);
	jw_end_object(&w);
	write_status(&w, n);
	jw_end_object(&w);
	return jw_end(&w);
}

int node_text_labels(const struct node *n, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	write_labels(&w, n);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

int node_text_status(const struct node *n, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	write_status(&w, n);
	jw_end_object(&w);
	return jw_end(&w);
}

static void write_lease_metadata(struct json_writer *w, const struct node *n)
{
	const char *uid = json_str(json_get(n->object, "metadata"), "uid");

	jw_str(w, "apiVersion", "coordination.k8s.io/v1");
	jw_str(w, "kind", "Lease");
	jw_object(w, "metadata");
	jw_str(w, "name", n->name);
	jw_str(w, "namespace", "kube-node-lease");
	if (uid) {
		jw_array(w, "ownerReferences");
		jw_object(w, NULL);
		jw_str(w, "apiVersion", "v1");
		jw_str(w, "kind", "Node");
		jw_str(w, "name", n->name);
		jw_str(w, "uid", uid);
		jw_end_object(w);
		jw_end_array(w);
	}
	jw_end_object(w);
}

int node_text_lease(const struct node *n, bool create, struct buf *out)
{
	char now[CLOCK_RFC3339_MAX];
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	if (create)
		write_lease_metadata(&w, n);
	jw_object(&w, "spec");
	jw_str(&w, "holderIdentity", n->name);
	jw_i64(&w, "leaseDurationSeconds", LEASE_SECONDS);
	jw_str(&w, "renewTime", clock_format_micro(clock_wall_ms(), now));
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}
