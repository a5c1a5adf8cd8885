#include "resources.h"

#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

static struct resource *find(const struct resources *r, const char *name)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (str_eq(r->v[i].name, name))
			return (struct resource *)&r->v[i];
	}
	return NULL;
}

int64_t resources_get(const struct resources *r, const char *name)
{
	const struct resource *found = find(r, name);

	return found ? found->amount : 0;
}

int resources_set(struct resources *r, const char *name, int64_t amount, struct err *err)
{
	struct resource *found = find(r, name);

	if (!found && r->n == RESOURCES_MAX)
		return err_set(err, ERR_TOO_BIG, "more than %d resources", RESOURCES_MAX);
	if (!found) {
		found = &r->v[r->n++];
		found->name = name;
	}
	found->amount = amount;
	return 0;
}

int resources_add(struct resources *r, const struct resources *other, struct err *err)
{
	for (unsigned i = 0; i < other->n; i++) {
		const struct resource *o = &other->v[i];

		if (resources_set(r, o->name, resources_get(r, o->name) + o->amount, err))
			return -1;
	}
	return 0;
}

/* Raises each amount to that of `other` where that is more. */
static int raise_to(struct resources *r, const struct resources *other, struct err *err)
{
	for (unsigned i = 0; i < other->n; i++) {
		const struct resource *o = &other->v[i];

		if (o->amount > resources_get(r, o->name) &&
		    resources_set(r, o->name, o->amount, err))
			return -1;
	}
	return 0;
}

int resources_parse(struct resources *r, const struct json *json, struct err *err)
{
	const struct json *it;

	*r = (struct resources){.n = 0};
	json_for_each (it, json) {
		const char *name = json_key(it), *text = json_value_str(it);
		int64_t amount;
		int rc;

		if (!text)
			return err_set(err, ERR_INVALID, "%s: not a quantity", name);
		if (str_eq(name, "cpu"))
			rc = quantity_parse_milli(text, &amount, err);
		else
			rc = quantity_parse(text, &amount, err);
		if (rc)
			return err_wrap(err, "%s", name);
		if (resources_set(r, name, amount, err))
			return -1;
	}
	return 0;
}

static int requests_of(struct resources *r, const struct json *container, struct err *err)
{
	return resources_parse(r, json_path(container, "resources", "requests", NULL), err);
}

/* *sidecars: what keeps running beside the containers; *peak: the most an init phase needs. */
static int add_init_containers(struct resources *sidecars, struct resources *peak,
                               const struct json *pod_spec, struct err *err)
{
	const struct json *c;

	json_for_each (c, json_get(pod_spec, "initContainers")) {
		struct resources own;

		if (requests_of(&own, c, err))
			return -1;
		if (str_eq(json_str(c, "restartPolicy"), "Always")) {
			if (resources_add(sidecars, &own, err) || raise_to(peak, sidecars, err))
				return -1;
		} else if (resources_add(&own, sidecars, err) || raise_to(peak, &own, err)) {
			return -1;
		}
	}
	return 0;
}

static int override_by_pod(struct resources *r, const struct json *pod_spec, struct err *err)
{
	struct resources pod;

	if (requests_of(&pod, pod_spec, err))
		return -1;
	for (unsigned i = 0; i < pod.n; i++) {
		if (resources_set(r, pod.v[i].name, pod.v[i].amount, err))
			return -1;
	}
	return 0;
}

int resources_of_pod(struct resources *r, const struct json *pod_spec, struct err *err)
{
	struct resources peak = {.n = 0}, own;
	const struct json *c;

	*r = (struct resources){.n = 0};
	if (add_init_containers(r, &peak, pod_spec, err))
		return -1;
	json_for_each (c, json_get(pod_spec, "containers")) {
		if (requests_of(&own, c, err) || resources_add(r, &own, err))
			return -1;
	}
	if (raise_to(r, &peak, err) || override_by_pod(r, pod_spec, err) ||
	    resources_parse(&own, json_get(pod_spec, "overhead"), err))
		return -1;
	return resources_add(r, &own, err);
}
