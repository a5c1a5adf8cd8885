/*
 * Pod: of every pod in the cluster what capacity and health need, of unbound ones also where they
 * may run, of labels only ours.
 */
#include "pod_internal.h"

#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define MESSAGE_MAX 512

struct draft {
	const struct json *json;
	struct pod pod;
};

/* --- status ------------------------------------------------------------------------------ */

static enum pod_phase phase_parse(const char *s)
{
	static const char *const names[] = {
		[POD_PENDING] = "Pending", [POD_RUNNING] = "Running", [POD_SUCCEEDED] = "Succeeded",
		[POD_FAILED] = "Failed",   [POD_UNKNOWN] = "Unknown",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(s, names[i]))
			return (enum pod_phase)i;
	return s ? POD_UNKNOWN : POD_PENDING;
}

static void read_conditions(const struct json *list, struct pod *pod)
{
	pod->ready = json_condition_true(list, "Ready");
	pod->initialized = json_condition_true(list, "Initialized");
	pod->scheduled = json_condition_true(list, "PodScheduled");
	pod->containers_ready = json_condition_true(list, "ContainersReady");
	pod->gate_model_ready = json_condition_true(list, TG_GATE_MODEL_READY);
	pod->gate_model_told = json_condition(list, TG_GATE_MODEL_READY) != NULL;
	if (pod->ready)
		pod->ready_since_ms =
			json_time(json_condition(list, "Ready"), "lastTransitionTime");
}

static bool read_waiting(const struct json *statuses, struct pod *pod)
{
	const struct json *it;

	json_for_each (it, statuses) {
		const struct json *waiting = json_path(it, "state", "waiting", NULL);

		if (str_empty(json_str(waiting, "reason")))
			continue;
		pod->reason = json_str(waiting, "reason");
		pod->message = json_str(waiting, "message");
		return true;
	}
	return false;
}

/* Why it is not well: what the kubelet says of the pod, of a container, or what kept it unbound. */
static void read_reason(const struct json *status, struct pod *pod)
{
	const struct json *scheduled =
		json_condition(json_get(status, "conditions"), "PodScheduled");

	if (json_str(status, "reason")) {
		pod->reason = json_str(status, "reason");
		pod->message = json_str(status, "message");
		return;
	}
	if (read_waiting(json_get(status, "initContainerStatuses"), pod) ||
	    read_waiting(json_get(status, "containerStatuses"), pod))
		return;
	if (str_eq(json_str(scheduled, "status"), "False")) {
		pod->reason = json_str(scheduled, "reason");
		pod->message = json_str(scheduled, "message");
	}
}

static int count_restarts(const struct json *statuses)
{
	const struct json *it;
	int64_t n = 0;

	json_for_each (it, statuses)
		n += json_int(it, "restartCount", 0);
	return n > 0 && n < INT32_MAX ? (int)n : 0;
}

static void read_status(const struct json *status, struct arena *a, struct pod *pod)
{
	pod->phase = phase_parse(json_str(status, "phase"));
	read_conditions(json_get(status, "conditions"), pod);
	read_reason(status, pod);
	pod->reason = text_cut(a, pod->reason, MESSAGE_MAX);
	pod->message = text_cut(a, pod->message, MESSAGE_MAX);
	pod->ip = json_str(status, "podIP");
	pod->nominated_node = json_str(status, "nominatedNodeName");
	pod->restarts = count_restarts(json_get(status, "containerStatuses")) +
	                count_restarts(json_get(status, "initContainerStatuses"));
}

/* --- spec and annotations ---------------------------------------------------------------- */

static int annotation_int(const struct json *json, const char *key)
{
	const char *s = json_annotation(json, key);
	int64_t n;

	return s && str_to_i64(s, &n) && n >= INT32_MIN && n <= INT32_MAX ? (int)n : 0;
}

static void read_annotations(const struct json *json, struct pod *pod)
{
	pod->leaving_since_ms =
		json_time(json_path(json, "metadata", "annotations", NULL), TG_ANN_LEAVING_SINCE);
	pod->max_per_node = annotation_int(json, TG_ANN_MAX_PER_NODE);
	pod->deletion_cost = annotation_int(json, TG_ANN_DELETION_COST);
	pod->placement = json_annotation(json, TG_ANN_PLACEMENT);
}

static void read_spec(const struct json *spec, struct pod *pod)
{
	const struct json *it;

	pod->node = str_empty(json_str(spec, "nodeName")) ? NULL : json_str(spec, "nodeName");
	pod->scheduler = str_or(json_str(spec, "schedulerName"), "default-scheduler");
	pod->priority = json_int(spec, "priority", 0);
	pod->preempt_never = str_eq(json_str(spec, "preemptionPolicy"), "Never");
	pod->gated = json_size(json_get(spec, "schedulingGates")) > 0;
	json_for_each (it, json_get(spec, "readinessGates"))
		if (str_eq(json_str(it, "conditionType"), TG_GATE_MODEL_READY))
			pod->gate_model_ready_set = true;
}

/*
 * A bound pod never moves: of where it may run only the ports it holds are still of use. Most pods
 * are bound, so this is what keeps the cache small.
 */
static void forget_placement(struct pod *pod)
{
	pod->node_selector = NULL;
	pod->required = pod->preferred = NULL;
	pod->tolerations = NULL;
	pod->nnode_selector = pod->nrequired = pod->npreferred = pod->ntolerations = 0;
	pod->has_required = false;
}

/* --- packing ----------------------------------------------------------------------------- */

static const struct toleration *pack_tolerations(struct packer *p, const struct toleration *t,
                                                 unsigned n)
{
	struct toleration *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct toleration x = t[i];

		x.key = pack_name(p, x.key);
		x.value = pack_name(p, x.value);
		if (out)
			out[i] = x;
	}
	return out;
}

static const struct pod_port *pack_ports(struct packer *p, const struct pod_port *ports, unsigned n)
{
	struct pod_port *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct pod_port x = ports[i];

		x.ip = pack_str(p, x.ip);
		if (out)
			out[i] = x;
	}
	return out;
}

static void pod_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	const struct pod *from = &d->pod;
	struct pod *pod = obj;

	*pod = *from; /* unsupported is a constant */
	object_meta_fill(&pod->meta, p, d->json);
	pod->labels = pack_labels(p, from->labels, from->nlabels);
	pod->ip = pack_str(p, from->ip);
	pod->node = pack_word(p, from->node);
	pod->nominated_node = pack_str(p, from->nominated_node);
	pod->scheduler = pack_word(p, from->scheduler);
	pod->reason = pack_word(p, from->reason);
	pod->message = pack_str(p, from->message);
	pod->placement = pack_name(p, from->placement);
	pod->extended = pack_extended(p, from->extended, from->nextended);
	pod->node_selector = pack_labels(p, from->node_selector, from->nnode_selector);
	pod->required = pack_terms(p, from->required, from->nrequired);
	pod->preferred = pack_terms(p, from->preferred, from->npreferred);
	pod->tolerations = pack_tolerations(p, from->tolerations, from->ntolerations);
	pod->host_ports = pack_ports(p, from->host_ports, from->nhost_ports);
}

/* --- kind -------------------------------------------------------------------------------- */

static struct object *pod_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	const struct json *spec = json_get(json, "spec");
	struct draft d = {.json = json};
	struct pod *pod = &d.pod;

	if (object_meta_check(json, err))
		return NULL;
	pod->labels = labels_decode(scratch, json_path(json, "metadata", "labels", NULL),
	                            TG_GROUP "/", &pod->nlabels);
	read_annotations(json, pod);
	read_spec(spec, pod);
	read_status(json_get(json, "status"), scratch, pod);
	pod_constraints_decode(spec, scratch, pod);
	pod_request_decode(json, scratch, pod);
	if (pod->node)
		forget_placement(pod);
	return object_pack(sizeof(*pod), pod_fill, &d);
}

static bool status_same(const struct pod *x, const struct pod *y)
{
	return x->phase == y->phase && x->ready == y->ready && x->initialized == y->initialized &&
	       x->scheduled == y->scheduled && x->containers_ready == y->containers_ready &&
	       x->gate_model_ready == y->gate_model_ready &&
	       x->gate_model_told == y->gate_model_told && x->ready_since_ms == y->ready_since_ms &&
	       x->restarts == y->restarts && str_eq(x->ip, y->ip) &&
	       str_eq(x->nominated_node, y->nominated_node) && str_eq(x->reason, y->reason) &&
	       str_eq(x->message, y->message);
}

/* Of spec only what the API server lets change on a living pod. */
static bool spec_same(const struct pod *x, const struct pod *y)
{
	return str_eq(x->node, y->node) && x->gated == y->gated && x->cpu_milli == y->cpu_milli &&
	       x->memory == y->memory && x->ephemeral == y->ephemeral &&
	       x->ntolerations == y->ntolerations && x->has_required == y->has_required &&
	       x->nrequired == y->nrequired &&
	       extended_same(x->extended, x->nextended, y->extended, y->nextended) &&
	       labels_same(x->node_selector, x->nnode_selector, y->node_selector,
	                   y->nnode_selector);
}

static bool pod_same(const struct object *a, const struct object *b)
{
	const struct pod *x = (const struct pod *)a, *y = (const struct pod *)b;

	return meta_same(a, b) && status_same(x, y) && spec_same(x, y) &&
	       x->leaving_since_ms == y->leaving_since_ms && x->max_per_node == y->max_per_node &&
	       x->deletion_cost == y->deletion_cost && str_eq(x->placement, y->placement) &&
	       labels_same(x->labels, x->nlabels, y->labels, y->nlabels);
}

bool pod_is_in_service(const struct pod *p)
{
	return str_eq(label_get(p->labels, p->nlabels, TG_LABEL_IN_SERVICE), "true");
}

const struct object_kind pod_kind = {
	.kind = "Pod",
	.api = "/api/v1",
	.resource = "pods",
	.by_owner = true,
	.decode = pod_decode,
	.same = pod_same,
};
