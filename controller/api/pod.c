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
	struct pod_constraints constraints;
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

/* --- metadata and spec ------------------------------------------------------------------- */

static int annotation_int(const struct json *json, const char *key)
{
	const char *s = json_annotation(json, key);
	int64_t n;

	return s && str_to_i64(s, &n) && n >= INT32_MIN && n <= INT32_MAX ? (int)n : 0;
}

static void read_labels(const struct json *json, struct pod *pod)
{
	pod->mdep = json_label(json, TG_LABEL_NAME);
	pod->revision = json_label(json, TG_LABEL_REVISION);
	pod->zone = json_label(json, TG_LABEL_ZONE);
	pod->in_service = json_label(json, TG_LABEL_IN_SERVICE);
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

static const struct pod_constraints *pack_constraints(struct packer *p,
                                                      const struct pod_constraints *c)
{
	struct pod_constraints *out = pack_array(p, 1, sizeof(*out)), x = *c;

	x.node_selector = pack_labels(p, c->node_selector, c->nnode_selector);
	x.required = pack_terms(p, c->required, c->nrequired);
	x.preferred = pack_terms(p, c->preferred, c->npreferred);
	x.tolerations = pack_tolerations(p, c->tolerations, c->ntolerations);
	x.host_ports = pack_ports(p, c->host_ports, c->nhost_ports);
	if (out)
		*out = x; /* unsupported is a constant */
	return out;
}

static void pod_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	const struct pod *from = &d->pod;
	struct pod *pod = obj;

	*pod = *from;
	object_meta_fill(&pod->meta, p, d->json);
	pod->mdep = pack_str(p, from->mdep);
	pod->revision = pack_str(p, from->revision);
	pod->zone = pack_word(p, from->zone);
	pod->in_service = pack_word(p, from->in_service);
	pod->ip = pack_str(p, from->ip);
	pod->node = pack_word(p, from->node);
	pod->nominated_node = pack_str(p, from->nominated_node);
	pod->scheduler = pack_word(p, from->scheduler);
	pod->reason = pack_word(p, from->reason);
	pod->message = pack_str(p, from->message);
	pod->placement = pack_name(p, from->placement);
	pod->extended = pack_extended(p, from->extended, from->nextended);
	if (from->constraints)
		pod->constraints = pack_constraints(p, from->constraints);
}

/* --- kind -------------------------------------------------------------------------------- */

static struct object *pod_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	const struct json *spec = json_get(json, "spec");
	struct draft d = {.json = json};
	struct pod *pod = &d.pod;
	struct pod_constraints *c = &d.constraints;

	if (object_meta_check(json, err))
		return NULL;
	read_labels(json, pod);
	read_annotations(json, pod);
	read_spec(spec, pod);
	read_status(json_get(json, "status"), scratch, pod);
	pod_constraints_decode(spec, pod->node != NULL, scratch, c);
	pod_request_decode(json, scratch, pod, c);
	if (!pod->node || c->nhost_ports)
		pod->constraints = c;
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
	const struct pod_constraints *a = pod_constraints(x), *b = pod_constraints(y);

	return str_eq(x->node, y->node) && x->gated == y->gated && x->cpu_milli == y->cpu_milli &&
	       x->memory == y->memory && x->ephemeral == y->ephemeral &&
	       extended_same(x->extended, x->nextended, y->extended, y->nextended) &&
	       a->ntolerations == b->ntolerations && a->has_required == b->has_required &&
	       a->nrequired == b->nrequired &&
	       labels_same(a->node_selector, a->nnode_selector, b->node_selector,
	                   b->nnode_selector);
}

static bool labels_of_ours_same(const struct pod *x, const struct pod *y)
{
	return str_eq(x->mdep, y->mdep) && str_eq(x->revision, y->revision) &&
	       str_eq(x->zone, y->zone) && str_eq(x->in_service, y->in_service);
}

static bool pod_same(const struct object *a, const struct object *b)
{
	const struct pod *x = (const struct pod *)a, *y = (const struct pod *)b;

	return meta_same(a, b) && labels_of_ours_same(x, y) && status_same(x, y) &&
	       spec_same(x, y) && x->leaving_since_ms == y->leaving_since_ms &&
	       x->max_per_node == y->max_per_node && x->deletion_cost == y->deletion_cost &&
	       str_eq(x->placement, y->placement);
}

bool pod_is_in_service(const struct pod *p)
{
	return str_eq(p->in_service, "true");
}

const struct pod_constraints *pod_constraints(const struct pod *p)
{
	static const struct pod_constraints none;

	return p->constraints ? p->constraints : &none;
}

bool pod_has_no_place(const struct pod *p)
{
	return p->phase == POD_PENDING && !p->node && str_eq(p->reason, "Unschedulable");
}

const struct object_kind pod_kind = {
	.kind = "Pod",
	.api = "/api/v1",
	.resource = "pods",
	.by_owner = true,
	.decode = pod_decode,
	.same = pod_same,
};
