#include "project.h"

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

#define PROBLEM_MAX   512
#define GATEWAY_GROUP "gateway.networking.k8s.io"

struct draft {
	const struct cJSON *json;
	struct httproute route;
};

/* --- rules ------------------------------------------------------------------------------- */

/* Name of the Service that a backendRef means, NULL for another kind or another namespace. */
static const char *service_name(const struct cJSON *ref, const char *ns)
{
	if (!str_empty(json_str(ref, "group")) ||
	    !str_eq(str_or(json_str(ref, "kind"), "Service"), "Service") ||
	    !str_eq(str_or(json_str(ref, "namespace"), ns), ns))
		return NULL;
	return json_str(ref, "name");
}

static void read_rule(const struct cJSON *json, const char *ns, struct arena *a,
                      struct route_rule *rule)
{
	const struct cJSON *refs = json_get(json, "backendRefs"), *it;
	struct route_backend *b = arena_array(a, json_size(refs), sizeof(*b));

	rule->backends = b;
	json_for_each (it, refs)
		b[rule->nbackends++] = (struct route_backend){.name = service_name(it, ns),
		                                              .weight = json_int(it, "weight", 1),
		                                              .port = json_int(it, "port", 0)};
	json_for_each (it, json_get(json, "matches"))
		rule->nmatch_headers += (unsigned)json_size(json_get(it, "headers"));
}

static void read_rules(const struct cJSON *json, struct arena *a, struct httproute *r)
{
	const char *ns = str_or(json_str(json_get(json, "metadata"), "namespace"), "");
	const struct cJSON *list = json_path(json, "spec", "rules", NULL), *it;
	struct route_rule *rules = arena_array(a, json_size(list), sizeof(*rules));

	r->rules = rules;
	json_for_each (it, list)
		read_rule(it, ns, a, &rules[r->nrules++]);
}

/* --- what the gateways say --------------------------------------------------------------- */

static bool same_member(const struct cJSON *a, const struct cJSON *b, const char *key,
                        const char *fallback)
{
	return str_eq(str_or(json_str(a, key), fallback), str_or(json_str(b, key), fallback));
}

/* A parentRef is identified by all its fields, absent ones standing for their defaults. */
static bool same_parent(const struct cJSON *a, const struct cJSON *b, const char *ns)
{
	return same_member(a, b, "group", GATEWAY_GROUP) && same_member(a, b, "kind", "Gateway") &&
	       same_member(a, b, "namespace", ns) && same_member(a, b, "name", NULL) &&
	       same_member(a, b, "sectionName", "") &&
	       json_i64(a, "port", 0) == json_i64(b, "port", 0);
}

/* The condition's status if it speaks about this generation, else NULL. */
static const char *current_status(const struct cJSON *conditions, const char *type,
                                  int64_t generation)
{
	const struct cJSON *c = json_condition(conditions, type);

	return json_i64(c, "observedGeneration", -1) >= generation ? json_str(c, "status") : NULL;
}

static const char *describe(const struct cJSON *conditions, const char *type, struct arena *a)
{
	const struct cJSON *c = json_condition(conditions, type);
	const char *message = json_str(c, "message");

	return text_cut(a,
	                arena_printf(a, "%s: %.*s", str_or(json_str(c, "reason"), type),
	                             PROBLEM_MAX, str_or(message, "the gateway gives no message")),
	                PROBLEM_MAX);
}

static const char *problem_of(const struct cJSON *conditions, int64_t generation, struct arena *a)
{
	static const struct {
		const char *type, *bad;
	} checks[] = {
		{"Accepted", "False"}, {"ResolvedRefs", "False"}, {"PartiallyInvalid", "True"}};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (str_eq(current_status(conditions, checks[i].type, generation), checks[i].bad))
			return describe(conditions, checks[i].type, a);
	return NULL;
}

static bool accepts(const struct cJSON *conditions, int64_t generation)
{
	return str_eq(current_status(conditions, "Accepted", generation), "True") &&
	       str_eq(current_status(conditions, "ResolvedRefs", generation), "True");
}

static void read_parent(const struct cJSON *json, const struct cJSON *ref, struct arena *a,
                        struct httproute *r)
{
	const char *ns = str_or(json_str(json_get(json, "metadata"), "namespace"), "");
	int64_t generation = json_i64(json_get(json, "metadata"), "generation", 0);
	bool answered = false;
	const struct cJSON *it;

	json_for_each (it, json_path(json, "status", "parents", NULL)) {
		const struct cJSON *conditions = json_get(it, "conditions");

		if (!same_parent(ref, json_get(it, "parentRef"), ns))
			continue;
		answered |= accepts(conditions, generation);
		if (!r->problem)
			r->problem = problem_of(conditions, generation, a);
	}
	r->nparents++;
	r->nanswered += answered;
}

/* --- kind -------------------------------------------------------------------------------- */

static const struct route_backend *pack_backends(struct packer *p, const struct route_rule *rule)
{
	struct route_backend *out =
		rule->nbackends ? pack_array(p, rule->nbackends, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < rule->nbackends; i++) {
		struct route_backend b = rule->backends[i];

		b.name = pack_str(p, b.name);
		if (out)
			out[i] = b;
	}
	return out;
}

static void httproute_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct httproute *r = obj;
	struct route_rule *rules;

	*r = d->route;
	object_meta_fill(&r->meta, p, d->json);
	rules = r->nrules ? pack_array(p, r->nrules, sizeof(*rules)) : NULL;
	for (unsigned i = 0; i < r->nrules; i++) {
		struct route_rule rule = d->route.rules[i];

		rule.backends = pack_backends(p, &d->route.rules[i]);
		if (rules)
			rules[i] = rule;
	}
	r->rules = rules;
	r->problem = pack_str(p, d->route.problem);
}

static struct object *httproute_decode(const struct cJSON *json, struct arena *scratch,
                                       struct err *err)
{
	struct draft d = {.json = json};
	const struct cJSON *it;

	if (object_meta_check(json, err))
		return NULL;
	d.route.apply_hash = json_apply_hash(json);
	d.route.ours = str_eq(json_label(json, TG_LABEL_MANAGED_BY), TG_MANAGED_BY);
	read_rules(json, scratch, &d.route);
	json_for_each (it, json_path(json, "spec", "parentRefs", NULL))
		read_parent(json, it, scratch, &d.route);
	return object_pack(sizeof(d.route), httproute_fill, &d);
}

static bool rule_same(const struct route_rule *x, const struct route_rule *y)
{
	if (x->nbackends != y->nbackends || x->nmatch_headers != y->nmatch_headers)
		return false;
	for (unsigned i = 0; i < x->nbackends; i++)
		if (x->backends[i].weight != y->backends[i].weight ||
		    x->backends[i].port != y->backends[i].port ||
		    !str_eq(x->backends[i].name, y->backends[i].name))
			return false;
	return true;
}

static bool httproute_same(const struct object *a, const struct object *b)
{
	const struct httproute *x = (const struct httproute *)a, *y = (const struct httproute *)b;

	if (!meta_same(a, b) || a->generation != b->generation || x->ours != y->ours ||
	    x->apply_hash != y->apply_hash || x->nparents != y->nparents ||
	    x->nanswered != y->nanswered || x->nrules != y->nrules ||
	    !str_eq(x->problem, y->problem))
		return false;
	for (unsigned i = 0; i < x->nrules; i++)
		if (!rule_same(&x->rules[i], &y->rules[i]))
			return false;
	return true;
}

const struct object_kind httproute_kind = {
	.kind = "HTTPRoute",
	.api = "/apis/gateway.networking.k8s.io/v1",
	.resource = "httproutes",
	.decode = httproute_decode,
	.same = httproute_same,
};
