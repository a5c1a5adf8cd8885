/* Node affinity; pod affinity and anti-affinity are recognised and refused. */
#include "pod_internal.h"

#include "project.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define REQUIRED  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static const char *const op_names[] = {
	[SEL_IN] = "In",         [SEL_NOT_IN] = "NotIn",
	[SEL_EXISTS] = "Exists", [SEL_NOT_EXISTS] = "DoesNotExist",
	[SEL_GT] = "Gt",         [SEL_LT] = "Lt",
};

static bool op_parse(const char *s, enum selector_op *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(op_names); i++) {
		if (str_eq(s, op_names[i])) {
			*out = (enum selector_op)i;
			return true;
		}
	}
	return false;
}

static bool req_decode(const struct json *json, bool field, struct arena *a,
                       struct selector_req *out)
{
	const struct json *values = json_get(json, "values"), *it;
	const char **v = arena_array(a, json_size(values), sizeof(*v));

	*out = (struct selector_req){
		.key = str_or(json_str(json, "key"), ""), .values = v, .field = field};
	json_for_each (it, values)
		v[out->nvalues++] = str_or(json_value_str(it), "");
	if (!op_parse(json_str(json, "operator"), &out->op))
		return false;
	/* The only field the API server takes, in the only forms it takes. */
	return !field || (str_eq(out->key, "metadata.name") && out->nvalues == 1 &&
	                  (out->op == SEL_IN || out->op == SEL_NOT_IN));
}

/* False when some requirement is of a form that we do not know. */
static bool term_decode(const struct json *json, struct arena *a, struct selector_term *out)
{
	const struct json *exprs = json_get(json, "matchExpressions"), *it;
	const struct json *fields = json_get(json, "matchFields");
	struct selector_req *r = arena_array(a, json_size(exprs) + json_size(fields), sizeof(*r));
	bool known = true;

	out->reqs = r;
	json_for_each (it, exprs)
		known &= req_decode(it, false, a, &r[out->nreqs++]);
	json_for_each (it, fields)
		known &= req_decode(it, true, a, &r[out->nreqs++]);
	return known;
}

static void required_decode(const struct json *required, struct arena *a, struct pod_constraints *c)
{
	const struct json *list = json_get(required, "nodeSelectorTerms"), *it;
	struct selector_term *t = arena_array(a, json_size(list), sizeof(*t));

	c->has_required = true;
	c->required = t;
	json_for_each (it, list)
		if (!term_decode(it, a, &t[c->nrequired++]))
			pod_refuse(c, "spec.affinity.nodeAffinity." REQUIRED);
}

/* A preference that we cannot read is worth nothing: it is left out. */
static void preferred_decode(const struct json *list, struct arena *a, struct pod_constraints *c)
{
	struct selector_term *t = arena_array(a, json_size(list), sizeof(*t));
	const struct json *it;

	c->preferred = t;
	json_for_each (it, list) {
		struct selector_term *term = &t[c->npreferred];

		*term = (struct selector_term){.weight = json_int(it, "weight", 0)};
		if (term->weight > 0 && term_decode(json_get(it, "preference"), a, term))
			c->npreferred++;
	}
}

void pod_affinity_decode(const struct json *affinity, struct arena *a, struct pod_constraints *c)
{
	const struct json *node = json_get(affinity, "nodeAffinity");

	if (json_has(node, REQUIRED))
		required_decode(json_get(node, REQUIRED), a, c);
	if (json_has(node, PREFERRED))
		preferred_decode(json_get(node, PREFERRED), a, c);
	if (json_size(json_path(affinity, "podAffinity", REQUIRED, NULL)))
		pod_refuse(c, "spec.affinity.podAffinity." REQUIRED);
	if (json_size(json_path(affinity, "podAntiAffinity", REQUIRED, NULL)))
		pod_refuse(c, "spec.affinity.podAntiAffinity." REQUIRED);
}

/* --- packing ----------------------------------------------------------------------------- */

static const char *const *pack_values(struct packer *p, const struct selector_req *r)
{
	const char **out = r->nvalues ? pack_array(p, r->nvalues, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < r->nvalues; i++) {
		const char *v = pack_name(p, r->values[i]);

		if (out)
			out[i] = v;
	}
	return out;
}

static const struct selector_req *pack_reqs(struct packer *p, const struct selector_term *t)
{
	struct selector_req *out = t->nreqs ? pack_array(p, t->nreqs, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < t->nreqs; i++) {
		struct selector_req r = t->reqs[i];

		r.key = pack_name(p, r.key);
		r.values = pack_values(p, &t->reqs[i]);
		if (out)
			out[i] = r;
	}
	return out;
}

const struct selector_term *pack_terms(struct packer *p, const struct selector_term *t, unsigned n)
{
	struct selector_term *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct selector_term x = t[i];

		x.reqs = pack_reqs(p, &t[i]);
		if (out)
			out[i] = x;
	}
	return out;
}
