/*
 * What a pod asks of a node, as kube-scheduler counts it (component-helpers resource/helpers.go):
 *   max(sum of containers + sidecars, max over i of (init i + sidecars before i)),
 *   then pod-level requests override cpu, memory and huge pages, then overhead is added.
 * Where a container was resized in place, it counts the greatest of spec, allocated and actual;
 * when its resize is infeasible the spec does not count.
 */
#include "pod_internal.h"

#include "project.h"
#include "tidegate/base/str.h"

/* More different resources than any node offers. */
#define RESOURCES_MAX 64

struct request {
	int64_t cpu_milli, memory, ephemeral;
	struct extended extended[RESOURCES_MAX];
	unsigned n;
	bool overflow; /* too many resources */
};

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* The place of a resource in r, made when absent; NULL when there is no room. */
static int64_t *amount_of(struct request *r, const char *name)
{
	if (str_eq(name, "cpu"))
		return &r->cpu_milli;
	if (str_eq(name, "memory"))
		return &r->memory;
	if (str_eq(name, "ephemeral-storage"))
		return &r->ephemeral;
	for (unsigned i = 0; i < r->n; i++)
		if (str_eq(r->extended[i].name, name))
			return &r->extended[i].amount;
	if (r->n == RESOURCES_MAX) {
		r->overflow = true;
		return NULL;
	}
	r->extended[r->n] = (struct extended){name, 0};
	return &r->extended[r->n++].amount;
}

static int64_t quantity(const struct json *v)
{
	return str_eq(json_key(v), "cpu") ? json_quantity_milli(v) : json_quantity(v);
}

/* Each resource of the list raises r's to at least its amount. */
static void raise_list(struct request *r, const struct json *list)
{
	const struct json *it;

	if (!json_is_object(list))
		return;
	json_for_each (it, list) {
		int64_t *at = amount_of(r, json_key(it)), v = quantity(it);

		if (at && v > *at)
			*at = v;
	}
}

static void add_request(struct request *r, const struct request *x)
{
	r->cpu_milli = add(r->cpu_milli, x->cpu_milli);
	r->memory = add(r->memory, x->memory);
	r->ephemeral = add(r->ephemeral, x->ephemeral);
	r->overflow |= x->overflow;
	for (unsigned i = 0; i < x->n; i++) {
		int64_t *at = amount_of(r, x->extended[i].name);

		if (at)
			*at = add(*at, x->extended[i].amount);
	}
}

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void raise_request(struct request *r, const struct request *x)
{
	r->cpu_milli = greater(r->cpu_milli, x->cpu_milli);
	r->memory = greater(r->memory, x->memory);
	r->ephemeral = greater(r->ephemeral, x->ephemeral);
	r->overflow |= x->overflow;
	for (unsigned i = 0; i < x->n; i++) {
		int64_t *at = amount_of(r, x->extended[i].name);

		if (at)
			*at = greater(*at, x->extended[i].amount);
	}
}

/* --- one container ----------------------------------------------------------------------- */

/* A limit without a request is a request: the API server's default, which files do not have yet. */
static void read_spec(struct request *r, const struct json *resources)
{
	const struct json *requests = json_get(resources, "requests"), *it;
	const struct json *limits = json_get(resources, "limits");

	raise_list(r, requests);
	if (!json_is_object(limits))
		return;
	json_for_each (it, limits) {
		int64_t *at = json_has(requests, json_key(it)) ? NULL : amount_of(r, json_key(it));

		if (at)
			*at = quantity(it);
	}
}

static const struct json *by_name(const struct json *list, const char *name)
{
	const struct json *it;

	json_for_each (it, list)
		if (str_eq(json_str(it, "name"), name))
			return it;
	return NULL;
}

static bool resize_infeasible(const struct json *status)
{
	const struct json *c = json_condition(json_get(status, "conditions"), "PodResizePending");

	return c && str_eq(json_str(c, "reason"), "Infeasible");
}

static void read_container(struct request *r, const struct json *container,
                           const struct json *statuses, bool infeasible)
{
	const struct json *status = by_name(statuses, json_str(container, "name"));
	bool resizable = json_has(status, "resources");

	*r = (struct request){.n = 0};
	if (!resizable || !infeasible)
		read_spec(r, json_get(container, "resources"));
	if (resizable) {
		raise_list(r, json_path(status, "resources", "requests", NULL));
		raise_list(r, json_get(status, "allocatedResources"));
	}
}

/* --- the pod ----------------------------------------------------------------------------- */

static void sum_containers(const struct json *spec, const struct json *status, struct request *r)
{
	const struct json *statuses = json_get(status, "containerStatuses"), *it;
	bool infeasible = resize_infeasible(status);
	struct request one;

	json_for_each (it, json_get(spec, "containers")) {
		read_container(&one, it, statuses, infeasible);
		add_request(r, &one);
	}
}

/* Sidecars that start alone never exceed the sum that they end up in. */
static void count_init_containers(const struct json *spec, const struct json *status,
                                  struct request *r)
{
	const struct json *statuses = json_get(status, "initContainerStatuses"), *it;
	struct request one, sidecars = {.n = 0}, peak = {.n = 0};
	bool infeasible = resize_infeasible(status);

	json_for_each (it, json_get(spec, "initContainers")) {
		read_container(&one, it, statuses, infeasible);
		if (str_eq(json_str(it, "restartPolicy"), "Always")) {
			add_request(r, &one);
			add_request(&sidecars, &one);
		} else {
			add_request(&one, &sidecars);
			raise_request(&peak, &one);
		}
	}
	raise_request(r, &peak);
}

static void override_by_pod(const struct json *spec, struct request *r)
{
	const struct json *list = json_path(spec, "resources", "requests", NULL), *it;

	if (!json_is_object(list))
		return;
	json_for_each (it, list) {
		const char *name = json_key(it);
		int64_t *at;

		if (!str_eq(name, "cpu") && !str_eq(name, "memory") &&
		    !str_starts(name, "hugepages-"))
			continue;
		at = amount_of(r, name);
		if (at)
			*at = quantity(it);
	}
}

static void add_overhead(const struct json *spec, struct request *r)
{
	struct request overhead = {.n = 0};

	raise_list(&overhead, json_get(spec, "overhead"));
	add_request(r, &overhead);
}

void pod_request_decode(const struct json *json, struct arena *a, struct pod *pod,
                        struct pod_constraints *c)
{
	const struct json *spec = json_get(json, "spec"), *status = json_get(json, "status");
	struct request r = {.n = 0};
	struct extended *e;

	sum_containers(spec, status, &r);
	count_init_containers(spec, status, &r);
	override_by_pod(spec, &r);
	add_overhead(spec, &r);
	if (r.overflow)
		pod_refuse(c, "spec.containers[].resources (more than 64 different resources)");
	pod->cpu_milli = r.cpu_milli;
	pod->memory = r.memory;
	pod->ephemeral = r.ephemeral;
	e = arena_array(a, r.n, sizeof(*e));
	pod->extended = e;
	for (unsigned i = 0; i < r.n; i++)
		if (r.extended[i].amount)
			e[pod->nextended++] = r.extended[i];
}
