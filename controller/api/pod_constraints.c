/* Node selector, tolerations, host ports, and the constraints that are refused. */
#include "pod_internal.h"

#include "project.h"
#include "taint.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

void pod_refuse(struct pod_constraints *c, const char *field)
{
	if (!c->unsupported)
		c->unsupported = field;
}

/* --- tolerations ------------------------------------------------------------------------- */

/* False when it tolerates nothing that we know of. */
static bool toleration_decode(const struct json *json, struct pod_constraints *c,
                              struct toleration *out)
{
	const char *op = str_or(json_str(json, "operator"), "Equal");
	const char *effect = json_str(json, "effect");

	*out = (struct toleration){.key = str_or(json_str(json, "key"), ""),
	                           .value = str_or(json_str(json, "value"), ""),
	                           .exists = str_eq(op, "Exists"),
	                           .any_effect = str_empty(effect)};
	if (!out->exists && !str_empty(op) && !str_eq(op, "Equal")) {
		pod_refuse(c, "spec.tolerations[].operator (neither Exists nor Equal)");
		return false;
	}
	return out->any_effect || taint_effect_parse(effect, &out->effect);
}

static void tolerations_decode(const struct json *list, struct arena *a, struct pod_constraints *c)
{
	struct toleration *t = arena_array(a, json_size(list), sizeof(*t));
	const struct json *it;

	c->tolerations = t;
	json_for_each (it, list)
		if (toleration_decode(it, c, &t[c->ntolerations]))
			c->ntolerations++;
}

/* --- host ports -------------------------------------------------------------------------- */

/* On the host's network a container port is a host port: the API server's default. */
static void container_ports(const struct json *container, bool host_network,
                            struct pod_constraints *c, struct pod_port *out)
{
	const struct json *it;

	json_for_each (it, json_get(container, "ports")) {
		int port = json_int(it, "hostPort", 0);
		const char *protocol = str_or(json_str(it, "protocol"), "TCP");

		if (!port && host_network)
			port = json_int(it, "containerPort", 0);
		if (port <= 0)
			continue;
		out[c->nhost_ports++] = (struct pod_port){.port = port,
		                                          .protocol = *protocol ? *protocol : 'T',
		                                          .ip = str_empty(json_str(it, "hostIP"))
		                                                        ? "0.0.0.0"
		                                                        : json_str(it, "hostIP")};
	}
}

static bool holds_ports(const struct json *container, bool init)
{
	return !init || str_eq(json_str(container, "restartPolicy"), "Always");
}

static size_t count_ports(const struct json *list)
{
	const struct json *it;
	size_t n = 0;

	json_for_each (it, list)
		n += json_size(json_get(it, "ports"));
	return n;
}

static void host_ports_decode(const struct json *spec, struct arena *a, struct pod_constraints *c)
{
	const struct json *containers = json_get(spec, "containers"), *it;
	const struct json *inits = json_get(spec, "initContainers");
	bool host_network = json_bool(spec, "hostNetwork", false);
	struct pod_port *ports =
		arena_array(a, count_ports(containers) + count_ports(inits), sizeof(*ports));

	c->host_ports = ports;
	json_for_each (it, containers)
		container_ports(it, host_network, c, ports);
	json_for_each (it, inits)
		if (holds_ports(it, true))
			container_ports(it, host_network, c, ports);
}

/* --- what is refused --------------------------------------------------------------------- */

/* Volumes that tie a pod to a node by rules that are not implemented. */
static void refuse_volumes(const struct json *volumes, struct pod_constraints *c)
{
	static const char *const kinds[][2] = {
		{"persistentVolumeClaim", "spec.volumes[].persistentVolumeClaim"},
		{"ephemeral", "spec.volumes[].ephemeral"},
		{"gcePersistentDisk", "spec.volumes[].gcePersistentDisk"},
		{"awsElasticBlockStore", "spec.volumes[].awsElasticBlockStore"},
		{"azureDisk", "spec.volumes[].azureDisk"},
		{"iscsi", "spec.volumes[].iscsi"},
		{"rbd", "spec.volumes[].rbd"},
	};
	const struct json *it;

	json_for_each (it, volumes)
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (json_has(it, kinds[i][0]))
				pod_refuse(c, kinds[i][1]);
}

static void refuse_spread(const struct json *constraints, struct pod_constraints *c)
{
	const struct json *it;

	json_for_each (it, constraints)
		if (!str_eq(json_str(it, "whenUnsatisfiable"), "ScheduleAnyway"))
			pod_refuse(c, "spec.topologySpreadConstraints[] (DoNotSchedule)");
}

void pod_constraints_decode(const struct json *spec, bool bound, struct arena *a,
                            struct pod_constraints *c)
{
	host_ports_decode(spec, a, c);
	if (bound)
		return;
	refuse_volumes(json_get(spec, "volumes"), c);
	refuse_spread(json_get(spec, "topologySpreadConstraints"), c);
	if (json_size(json_get(spec, "resourceClaims")))
		pod_refuse(c, "spec.resourceClaims");
	pod_affinity_decode(json_get(spec, "affinity"), a, c);
	c->node_selector =
		labels_decode(a, json_get(spec, "nodeSelector"), NULL, &c->nnode_selector);
	tolerations_decode(json_get(spec, "tolerations"), a, c);
}
