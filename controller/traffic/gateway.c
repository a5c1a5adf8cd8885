#include "tidegate/traffic/gateway.h"

#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LABEL_MAX 63
#define HASH_LEN  8
#define KEEP_MAX  (LABEL_MAX - HASH_LEN - 1) /* of a name that is too long */

char *gateway_service_name(struct arena *a, const struct mdep *m, const char *revision,
                           const char *zone)
{
	char *full = *zone ? arena_printf(a, "%s-%s-%s", m->meta.name, revision, zone)
	                   : arena_printf(a, "%s-%s", m->meta.name, revision);
	size_t len = strlen(full);
	char hash[HASH_LEN + 1];

	if (len <= LABEL_MAX)
		return full;
	str_safe_encode(str_hash(STR_HASH_SEED, full, len), hash, HASH_LEN);
	return arena_printf(a, "%.*s-%s", KEEP_MAX, full, hash);
}

/* --- wishes ------------------------------------------------------------------------------ */

static const char *service_of(const struct gateway_wish *w, struct arena *a,
                              const struct mdep_weight *x)
{
	return gateway_service_name(a, w->mdep, x->revision, str_or(x->zone, ""));
}

static void write_backend(struct json_writer *w, const char *service, int port, int weight)
{
	jw_object(w, NULL);
	/* Defaults are written out: the object then reads back as it was applied. */
	jw_str(w, "group", "");
	jw_str(w, "kind", "Service");
	jw_str(w, "name", service);
	jw_i64(w, "port", port);
	jw_i64(w, "weight", weight);
	jw_end_object(w);
}

static void write_backends(struct json_writer *w, const char *key, const struct gateway_wish *g,
                           struct arena *a)
{
	jw_array(w, key);
	for (unsigned i = 0; i < g->nweights; i++)
		write_backend(w, service_of(g, a, &g->weights[i]), g->mdep->service_port,
		              g->weights[i].weight);
	jw_end_array(w);
}

static bool is_target(const struct gateway_wish *g, const struct mdep_weight *x)
{
	return str_eq(x->revision, g->target);
}

/*
 * An audience goes to the target whatever its weight; among its zones as the weights say, or evenly
 * while they are all 0.
 */
static int audience_weight(const struct gateway_wish *g, const struct mdep_weight *x)
{
	int sum = 0;

	if (!is_target(g, x))
		return -1;
	for (unsigned i = 0; i < g->nweights; i++)
		sum += is_target(g, &g->weights[i]) ? g->weights[i].weight : 0;
	return sum ? x->weight : 1;
}

static void write_any_path(struct json_writer *w)
{
	jw_object(w, "path");
	jw_str(w, "type", "PathPrefix");
	jw_str(w, "value", "/");
	jw_end_object(w);
}

static void write_audience(struct json_writer *w, const struct gateway_wish *g, struct arena *a)
{
	jw_object(w, NULL);
	jw_array(w, "matches");
	jw_object(w, NULL);
	write_any_path(w);
	jw_array(w, "headers");
	for (unsigned i = 0; i < g->audience->nheaders; i++) {
		jw_object(w, NULL);
		jw_str(w, "type", "Exact");
		jw_str(w, "name", g->audience->headers[i].name);
		jw_str(w, "value", g->audience->headers[i].exact);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	jw_array(w, "backendRefs");
	for (unsigned i = 0; i < g->nweights; i++) {
		int weight = audience_weight(g, &g->weights[i]);

		if (weight >= 0)
			write_backend(w, service_of(g, a, &g->weights[i]), g->mdep->service_port,
			              weight);
	}
	jw_end_array(w);
	jw_end_object(w);
}

static bool has_target(const struct gateway_wish *g)
{
	for (unsigned i = 0; i < g->nweights; i++)
		if (is_target(g, &g->weights[i]))
			return true;
	return false;
}

static bool wants_audience(const struct gateway_wish *g)
{
	return g->audience && g->audience->nheaders && has_target(g);
}

static void write_default_rule(struct json_writer *w, const struct gateway_wish *g, struct arena *a)
{
	jw_object(w, NULL);
	jw_array(w, "matches");
	jw_object(w, NULL);
	write_any_path(w);
	jw_end_object(w);
	jw_end_array(w);
	write_backends(w, "backendRefs", g, a);
	jw_end_object(w);
}

static void write_route_meta(struct json_writer *w, const struct mdep *m)
{
	jw_object(w, "metadata");
	jw_str(w, "name", m->route_name);
	jw_str(w, "namespace", m->meta.namespace);
	jw_object(w, "labels");
	jw_str(w, TG_LABEL_MANAGED_BY, TG_MANAGED_BY);
	jw_str(w, TG_LABEL_NAME, m->meta.name);
	jw_end_object(w);
	mdep_owner_write(w, m);
	jw_end_object(w);
}

int gateway_apply_body(const struct gateway_wish *g, struct buf *out)
{
	cleanup_arena struct arena a;
	struct json_writer w;

	arena_init(&a, 0);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "gateway.networking.k8s.io/v1");
	jw_str(&w, "kind", "HTTPRoute");
	write_route_meta(&w, g->mdep);
	jw_object(&w, "spec");
	jw_raw(&w, "parentRefs", g->mdep->parent_refs_json);
	if (g->mdep->hostnames_json)
		jw_raw(&w, "hostnames", g->mdep->hostnames_json);
	jw_array(&w, "rules");
	if (wants_audience(g))
		write_audience(&w, g, &a);
	write_default_rule(&w, g, &a);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

/* --- a user's route ---------------------------------------------------------------------- */

/* What is left of "<name>-<revision>-<zone>" where gateway_service_name() had to cut it. */
static bool names_us_shortened(const struct mdep *m, const char *service)
{
	size_t n = strlen(m->meta.name);
	size_t rest = n + 1 < KEEP_MAX ? KEEP_MAX - n - 1 : 0;

	if (strlen(service) != LABEL_MAX || service[KEEP_MAX] != '-' ||
	    strspn(service + KEEP_MAX + 1, STR_SAFE_ALPHABET) != HASH_LEN)
		return false;
	if (n >= KEEP_MAX)
		return !strncmp(service, m->meta.name, KEEP_MAX);
	return !strncmp(service, m->meta.name, n) && service[n] == '-' &&
	       strspn(service + n + 1, STR_SAFE_ALPHABET) >=
	               (rest < MDEP_REVISION_LEN ? rest : MDEP_REVISION_LEN);
}

/* "<name>", or "<name>-<revision>" with or without a zone; not "<name>-other". */
static bool names_us(const struct mdep *m, const char *service)
{
	size_t n = strlen(m->meta.name);
	const char *rest;

	if (!service)
		return false;
	if (names_us_shortened(m, service))
		return true;
	if (strncmp(service, m->meta.name, n))
		return false;
	rest = service + n;
	if (*rest == '\0')
		return true;
	return *rest == '-' && strspn(rest + 1, STR_SAFE_ALPHABET) >= MDEP_REVISION_LEN &&
	       (rest[1 + MDEP_REVISION_LEN] == '\0' || rest[1 + MDEP_REVISION_LEN] == '-');
}

static bool rule_is_ours(const struct mdep *m, const struct route_rule *r)
{
	for (unsigned i = 0; i < r->nbackends; i++)
		if (names_us(m, r->backends[i].name))
			return true;
	return false;
}

static bool backends_match(const struct gateway_wish *g, const struct route_rule *r,
                           struct arena *a)
{
	if (r->nbackends != g->nweights)
		return false;
	for (unsigned i = 0; i < r->nbackends; i++)
		if (!str_eq(r->backends[i].name, service_of(g, a, &g->weights[i])) ||
		    r->backends[i].weight != g->weights[i].weight ||
		    r->backends[i].port != g->mdep->service_port)
			return false;
	return true;
}

int gateway_patch_body(const struct gateway_wish *g, const struct httproute *r, struct buf *out,
                       struct err *err)
{
	cleanup_arena struct arena a;
	struct json_writer w;
	unsigned ours = 0, changed = 0;

	arena_init(&a, 0);
	if (wants_audience(g))
		return err_set(
			err, ERR_INVALID,
			"HTTPRoute %s is not made by Tidegate, so no rule for an audience can "
			"be added: give spec.traffic.httpRoute.parentRefs, or take the audience "
			"out of spec.strategy.steps",
			r->meta.name);
	jw_init(&w, out);
	jw_array(&w, NULL);
	jw_object(&w, NULL);
	jw_str(&w, "op", "test");
	jw_str(&w, "path", "/metadata/resourceVersion");
	jw_str(&w, "value", r->meta.resource_version);
	jw_end_object(&w);
	for (unsigned i = 0; i < r->nrules; i++) {
		if (!rule_is_ours(g->mdep, &r->rules[i]))
			continue;
		ours++;
		if (backends_match(g, &r->rules[i], &a))
			continue;
		changed++;
		jw_object(&w, NULL);
		jw_str(&w, "op", "replace");
		jw_strf(&w, "path", "/spec/rules/%u/backendRefs", i);
		write_backends(&w, "value", g, &a);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	if (!ours)
		return err_set(
			err, ERR_INVALID,
			"HTTPRoute %s has no rule with a backendRef to Service %s: add one, it "
			"is where Tidegate writes its weights",
			r->meta.name, g->mdep->meta.name);
	if (!changed)
		buf_reset(out);
	return jw_end(&w);
}

/* --- comparison and observation ---------------------------------------------------------- */

static bool audience_matches(const struct gateway_wish *g, const struct httproute *r,
                             struct arena *a)
{
	const struct route_rule *rule = &r->rules[0];
	unsigned n = 0;

	if (rule->nmatch_headers != g->audience->nheaders)
		return false;
	for (unsigned i = 0; i < g->nweights; i++) {
		int weight = audience_weight(g, &g->weights[i]);

		if (weight < 0)
			continue;
		if (n >= rule->nbackends || rule->backends[n].weight != weight ||
		    !str_eq(rule->backends[n].name, service_of(g, a, &g->weights[i])))
			return false;
		n++;
	}
	return n == rule->nbackends;
}

static bool ours_matches(const struct gateway_wish *g, const struct httproute *r, struct arena *a)
{
	unsigned first = wants_audience(g) ? 1 : 0;

	if (r->nrules != first + 1 || !backends_match(g, &r->rules[first], a))
		return false;
	return !first || audience_matches(g, r, a);
}

static bool theirs_matches(const struct gateway_wish *g, const struct httproute *r, struct arena *a)
{
	unsigned ours = 0;

	for (unsigned i = 0; i < r->nrules; i++) {
		if (!rule_is_ours(g->mdep, &r->rules[i]))
			continue;
		ours++;
		if (!backends_match(g, &r->rules[i], a))
			return false;
	}
	return ours > 0 && !wants_audience(g);
}

bool gateway_matches(const struct gateway_wish *g, const struct httproute *r)
{
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	return g->mdep->parent_refs_json ? ours_matches(g, r, &a) : theirs_matches(g, r, &a);
}

/* The rule that everybody without an audience header gets; NULL when none is ours. */
static const struct route_rule *default_rule(const struct mdep *m, const struct httproute *r)
{
	for (unsigned i = 0; i < r->nrules; i++)
		if (!r->rules[i].nmatch_headers && rule_is_ours(m, &r->rules[i]))
			return &r->rules[i];
	return NULL;
}

static const struct rollout_cell *cell_of(const struct mdep *m, const char *service,
                                          const struct rollout_cell *cells, unsigned ncells,
                                          struct arena *a)
{
	for (unsigned i = 0; i < ncells; i++)
		if (str_eq(service, gateway_service_name(a, m, cells[i].revision, cells[i].zone)))
			return &cells[i];
	return NULL;
}

static void observe_weights(const struct mdep *m, const struct route_rule *rule,
                            const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                            struct rollout_traffic *out)
{
	for (unsigned i = 0; i < rule->nbackends; i++) {
		const struct rollout_cell *c = cell_of(m, rule->backends[i].name, cells, ncells, a);

		if (!c || out->nweights == ARRAY_SIZE(out->weights))
			continue;
		out->revisions[out->nweights] = c->revision;
		out->zones[out->nweights] = c->zone;
		out->weights[out->nweights++] = rule->backends[i].weight;
	}
}

void gateway_observe(const struct mdep *m, const struct httproute *r,
                     const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                     struct rollout_traffic *out)
{
	const struct route_rule *rule;

	*out = (struct rollout_traffic){.managed = true, .exists = r != NULL};
	if (!r) {
		if (!m->parent_refs_json)
			out->problem = arena_printf(
				a,
				"HTTPRoute %s does not exist: create it, or give "
				"spec.traffic.httpRoute.parentRefs and Tidegate makes it",
				m->route_name);
		return;
	}
	out->problem = r->problem ? arena_strdup(a, r->problem) : NULL;
	out->in_force = r->nparents > 0 && r->nanswered >= r->nparents && !r->problem;
	rule = default_rule(m, r);
	if (rule)
		observe_weights(m, rule, cells, ncells, a, out);
	else
		out->problem =
			arena_printf(a, "HTTPRoute %s has no rule with a backendRef to Service %s",
		                     r->meta.name, m->meta.name);
}
