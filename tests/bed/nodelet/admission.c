#include "admission.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#include "selector.h"

static bool refuse(struct admission_refusal *why, const char *predicate, const char *what)
{
	str_copy(why->reason, sizeof(why->reason), predicate);
	snprintf(why->message, sizeof(why->message), "Predicate %s failed: %s", predicate, what);
	return false;
}

static bool has(const struct resources *r, const char *name)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (str_eq(r->v[i].name, name))
			return true;
	}
	return false;
}

/* An extended resource that the node does not know at all is not asked for: the kubelet's own rule,
 * made for resources of the cluster. Such names have a domain. */
static bool unknown_extended(const struct admission *a, const char *name)
{
	return strchr(name, '/') && !str_starts(name, "kubernetes.io/") &&
	       !has(a->allocatable, name);
}

static bool enough(const struct admission *a, const char *name, int64_t requested, int64_t used,
                   struct admission_refusal *why)
{
	int64_t capacity = resources_get(a->allocatable, name);

	if (requested == 0 || requested <= capacity - used)
		return true;
	snprintf(why->reason, sizeof(why->reason), "OutOf%s", name);
	snprintf(why->message, sizeof(why->message),
	         "Node didn't have enough resource: %s, requested: %ld, used: %ld, capacity: %ld",
	         name, (long)requested, (long)used, (long)capacity);
	return false;
}

static bool fits(const struct admission *a, const struct resources *request,
                 struct admission_refusal *why)
{
	static const char *const first[] = {"cpu", "memory", "ephemeral-storage"};

	if (!enough(a, "pods", 1, a->pods, why))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		if (!enough(a, first[i], resources_get(request, first[i]),
		            resources_get(a->used, first[i]), why))
			return false;
	}
	for (unsigned i = 0; i < request->n; i++) {
		const char *name = request->v[i].name;

		if (!unknown_extended(a, name) &&
		    !enough(a, name, request->v[i].amount, resources_get(a->used, name), why))
			return false;
	}
	return true;
}

bool admission_check(const struct admission *a, struct admission_refusal *why)
{
	const struct json *spec = json_get(a->pod, "spec");
	const char *os = json_str(json_get(spec, "os"), "name");
	struct resources request;
	struct err err = ERR_INIT;

	*why = (struct admission_refusal){"", ""};
	if (os && !str_eq(os, "linux")) {
		str_copy(why->reason, sizeof(why->reason), "PodOSNotSupported");
		str_copy(why->message, sizeof(why->message),
		         "Failed to admit pod as the OS field doesn't match node OS");
		return false;
	}
	if (resources_of_pod(&request, spec, &err)) {
		str_copy(why->reason, sizeof(why->reason), "UnexpectedAdmissionError");
		str_copy(why->message, sizeof(why->message), err.msg);
		return false;
	}
	if (!fits(a, &request, why))
		return false;
	if (!selector_matches_node(spec, a->node))
		return refuse(why, "NodeAffinity",
		              "node(s) didn't match Pod's node affinity/selector");
	if (a->port_taken)
		return refuse(why, "NodePorts",
		              "node(s) didn't have free ports for the requested pod ports");
	if (!selector_tolerates_no_execute(spec, a->node))
		return refuse(why, "TaintToleration",
		              "node(s) had taints that the pod didn't tolerate");
	return true;
}
