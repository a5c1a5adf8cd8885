/*
 * Drivers of routes that are lists of rules. The wanted list is made of the list as it stands (of a
 * template, for a route of ours): rules that point at us get our backends, before each one
 * stands its copy for the audience, everything else stays as it is, text for text.
 */
#include <string.h>

#include "driver_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

/* Names of rules that we insert begin so. */
#define INSERTED "tidegate-audience"

struct maker {
	const struct rules_form *form;
	const struct traffic_wish *w;
	struct arena *a;
	struct json_writer *out;
	unsigned rules;
	unsigned ours;
};

static bool points_at_us(const struct rules_form *form, const struct mdep *m,
                         const struct json *rule, struct arena *a)
{
	const struct json *it;

	if (form->is_candidate && !form->is_candidate(m, rule))
		return false;
	json_for_each (it, json_get(rule, form->backends))
		if (gateway_names_us(m, form->service_of(m, it, a)))
			return true;
	return false;
}

static bool is_inserted(const struct json *rule)
{
	return str_starts(str_or(json_str(rule, "name"), ""), INSERTED);
}

/* --- writing ----------------------------------------------------------------------------- */

static void write_backends(struct maker *k, bool audience)
{
	const struct traffic_wish *w = k->w;

	jw_array(k->out, k->form->backends);
	if (w->parting)
		k->form->write_backend(k->out, NULL, w, w->mdep->meta.name, 1);
	for (unsigned i = 0; i < w->nweights; i++) {
		const struct mdep_weight *x = &w->weights[i];
		int weight = audience ? wish_audience_weight(w, x) : x->weight;

		if (weight >= 0)
			k->form->write_backend(k->out, NULL, w, wish_service(w, k->a, x), weight);
	}
	jw_end_array(k->out);
}

/* All matches with the audience's conditions; the number of those that it does not contradict. */
static unsigned write_audience_matches(struct maker *k, struct json_writer *out,
                                       const struct json *rule)
{
	const struct json *matches = json_get(rule, k->form->matches), *it;
	unsigned n = 0;

	jw_array(out, k->form->matches);
	if (!json_size(matches))
		n += k->form->write_match(out, NULL, k->w, k->a);
	json_for_each (it, matches)
		n += k->form->write_match(out, it, k->w, k->a);
	jw_end_array(out);
	return n;
}

static bool is_our_mirror(struct maker *k, const struct json *mirror)
{
	const struct json *backend = k->form->mirror_backend(mirror);

	return backend &&
	       gateway_names_us(k->w->mdep, k->form->service_of(k->w->mdep, backend, k->a));
}

/* The member with our mirror put in or taken out; nothing when it would be empty. */
static void write_mirrors(struct maker *k, const struct json *rule, bool audience)
{
	const struct json *list = json_get(rule, k->form->mirrors), *it;
	const char *service = NULL;
	int percent = audience ? 0 : wish_mirror(k->w, k->a, &service);
	bool open = percent > 0;

	json_for_each (it, list)
		open |= !is_our_mirror(k, it);
	if (!open)
		return;
	jw_array(k->out, k->form->mirrors);
	json_for_each (it, list)
		if (!is_our_mirror(k, it))
			jw_value(k->out, NULL, it);
	if (percent > 0)
		k->form->write_mirror(k->out, k->w, service, percent);
	jw_end_array(k->out);
}

static void write_rest(struct maker *k, const struct json *rule, bool audience)
{
	const struct json *it;

	json_for_each (it, rule) {
		const char *key = json_key(it);

		if (str_eq(key, k->form->backends) || str_eq(key, k->form->mirrors) ||
		    (audience && (str_eq(key, "name") || str_eq(key, k->form->matches))))
			continue;
		jw_value(k->out, key, it);
	}
}

static void write_audience(struct maker *k, const struct json *rule)
{
	cleanup_buf struct buf trial;
	struct json_writer w;
	unsigned n;

	buf_init(&trial, ROUTE_BODY_MAX);
	jw_init(&w, &trial);
	jw_object(&w, NULL);
	n = write_audience_matches(k, &w, rule);
	if (!n)
		return;
	jw_object(k->out, NULL);
	if (k->ours > 1)
		jw_strf(k->out, "name", INSERTED "-%u", k->ours);
	else
		jw_str(k->out, "name", INSERTED);
	write_rest(k, rule, true);
	write_audience_matches(k, k->out, rule);
	write_mirrors(k, rule, true);
	write_backends(k, true);
	jw_end_object(k->out);
	k->rules++;
}

static void write_ours(struct maker *k, const struct json *rule)
{
	k->ours++;
	if (wish_has_audience(k->w))
		write_audience(k, rule);
	jw_object(k->out, NULL);
	write_rest(k, rule, false);
	write_mirrors(k, rule, false);
	write_backends(k, false);
	jw_end_object(k->out);
	k->rules++;
}

static int make_list(struct maker *k, const struct json *rules, bool ours, struct buf *out)
{
	struct json_writer w;
	const struct json *it;

	jw_init(&w, out);
	k->out = &w;
	jw_array(&w, NULL);
	json_for_each (it, rules) {
		if (is_inserted(it))
			continue;
		if (ours || points_at_us(k->form, k->w->mdep, it, k->a)) {
			write_ours(k, it);
			continue;
		}
		jw_value(&w, NULL, it);
		k->rules++;
	}
	k->out = NULL;
	jw_end_array(&w);
	return jw_end(&w);
}

/* --- comparing --------------------------------------------------------------------------- */

/* Backends get defaults from the API server; a member that is added elsewhere is a change. */
static bool same_rule(const struct rules_form *form, const struct json *want,
                      const struct json *have)
{
	const struct json *it;

	json_for_each (it, want)
		if (!json_same(it, json_get(have, json_key(it)),
		               str_eq(json_key(it), form->backends)))
			return false;
	return json_size(want) == json_size(have);
}

static bool same_list(const struct rules_form *form, const struct json *want,
                      const struct json *have)
{
	const struct json *x = json_first(want), *y = json_first(have);

	for (; x && y; x = json_next(x), y = json_next(y))
		if (!same_rule(form, x, y))
			return false;
	return !x && !y;
}

static bool same_member(const struct json *x, const struct json *y, const char *key, bool loose)
{
	return json_same(json_get(x, key), json_get(y, key), loose);
}

/* A rule's name has been a standard field since Gateway API 1.4; an older server drops it. */
static bool lost_names(const struct rules_form *form, const struct json *want,
                       const struct json *have)
{
	const struct json *x, *y;

	json_for_each (x, want) {
		if (!is_inserted(x))
			continue;
		json_for_each (y, have)
			if (!json_has(y, "name") && same_member(x, y, form->matches, false) &&
			    same_member(x, y, form->backends, true))
				return true;
	}
	return false;
}

/* --- edits ------------------------------------------------------------------------------- */

static int apply_body(const struct rules_form *form, const struct object_kind *kind,
                      const struct mdep *m, const char *list, struct buf *out)
{
	cleanup_arena struct arena a;
	struct json_writer w;

	arena_init(&a, 0);
	jw_init(&w, out);
	jw_object(&w, NULL);
	write_owned_head(&w, m, arena_printf(&a, "%s", kind->api + strlen("/apis/")), kind->kind,
	                 m->route_name);
	jw_end_object(&w);
	jw_object(&w, "spec");
	form->write_spec(&w, m);
	jw_raw(&w, form->list, list);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

/* The version makes it a conflict when somebody else was faster. */
static int patch_body(const struct rules_form *form, const struct route *r, const char *list,
                      struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_str(&w, "resourceVersion", r->meta.resource_version);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_raw(&w, form->list, list);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

static const struct json *rules_of(const struct rules_form *form, const struct route *r,
                                   struct arena *a)
{
	if (!r || !r->spec_json)
		return NULL;
	return json_get(json_parse(a, r->spec_json, strlen(r->spec_json), NULL), form->list);
}

static int check_list(const struct maker *k, const struct json *want, const struct json *have,
                      const char *name, struct err *err)
{
	if (k->form->max_rules && k->rules > k->form->max_rules)
		return err_set(err, ERR_INVALID,
		               "%s has no room for the audience's rules: %u are allowed, %u are "
		               "needed; take the audience out of spec.strategy.steps or split the "
		               "route",
		               name, k->form->max_rules, k->rules);
	if (lost_names(k->form, want, have))
		return err_set(err, ERR_INVALID,
		               "%s: the server drops the names of rules, by which rules for an "
		               "audience are known again: install the CRDs of Gateway API 1.4 or "
		               "later, or take the audience out of spec.strategy.steps",
		               name);
	return 0;
}

int rules_edit(const struct rules_form *form, const struct object_kind *kind,
               const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
               struct traffic_edit *out, struct err *err)
{
	struct maker k = {.form = form, .w = w, .a = a};
	bool ours = mdep_route_is_ours(w->mdep);
	const struct json *have = rules_of(form, v->route, a), *want;
	cleanup_buf struct buf list, body;

	buf_init(&list, ROUTE_BODY_MAX);
	buf_init(&body, 2 * ROUTE_BODY_MAX);
	*out = (struct traffic_edit){.name = w->mdep->route_name};
	if (w->parting ? ours : !w->nweights)
		return 0;
	if (v->route ? ours && !v->route->ours : !ours)
		return 0;
	if (make_list(&k, ours ? json_parse(a, form->template, strlen(form->template), NULL) : have,
	              ours, &list))
		return err_set(err, ERR_TOO_BIG, "%s %s would be larger than %zu bytes", kind->kind,
		               out->name, list.max);
	want = json_parse(a, list.data, list.len, err);
	/* Without a rule for us there is nothing to write: the observation says so. */
	if (!want || !k.ours || same_list(form, want, have))
		return want ? 0 : -1;
	if (check_list(&k, want, have, arena_printf(a, "%s %s", kind->kind, out->name), err))
		return -1;
	out->how = ours ? TRAFFIC_APPLY : TRAFFIC_PATCH;
	out->want = str_hash(STR_HASH_SEED, list.data, list.len);
	if (ours ? apply_body(form, kind, w->mdep, list.data, &body)
	         : patch_body(form, v->route, list.data, &body))
		return err_set(err, ERR_TOO_BIG, "%s %s: the request is too large", kind->kind,
		               out->name);
	out->body = arena_strndup(a, body.data, body.len);
	return 0;
}

/* --- observation ------------------------------------------------------------------------- */

static bool asks_for_headers(const struct rules_form *form, const struct json *rule)
{
	const struct json *it;

	json_for_each (it, json_get(rule, form->matches))
		if (form->has_headers(it))
			return true;
	return false;
}

/* The rule that everybody without a special header gets, else any that is ours. */
static const struct json *default_rule(const struct rules_form *form, const struct mdep *m,
                                       const struct json *rules, struct arena *a)
{
	const struct json *it, *found = NULL;

	json_for_each (it, rules) {
		if (is_inserted(it) || !points_at_us(form, m, it, a))
			continue;
		if (!asks_for_headers(form, it))
			return it;
		found = found ? found : it;
	}
	return found;
}

static const char *absent(const struct object_kind *kind, const struct mdep *m, struct arena *a)
{
	bool istio = m->traffic == TRAFFIC_ISTIO;

	return arena_printf(a,
	                    "%s %s does not exist: create it, or give spec.traffic.%s.%s and "
	                    "Tidegate makes it",
	                    kind->kind, m->route_name, mdep_traffic_field(m->traffic),
	                    istio ? "hosts" : "parentRefs");
}

static void observe_marked(const struct rules_form *form, const struct mdep *m,
                           const struct json *rules, struct arena *a, struct rollout_traffic *out)
{
	const struct json *rule, *it;

	json_for_each (rule, rules) {
		json_for_each (it, is_inserted(rule) ? json_get(rule, form->backends) : NULL)
			if (form->weight_of(it) > 0)
				observe_chosen(m, form->service_of(m, it, a), a, out);
		json_for_each (it, json_get(rule, form->mirrors))
			observe_copied(m, form->service_of(m, form->mirror_backend(it), a), a, out);
	}
}

void rules_observe(const struct rules_form *form, const struct object_kind *kind,
                   const struct mdep *m, const struct route *r, const struct rollout_cell *cells,
                   unsigned ncells, struct arena *a, struct rollout_traffic *out)
{
	const struct json *rules, *rule, *it;

	*out = (struct rollout_traffic){.managed = true, .exists = r != NULL};
	if (!r) {
		out->problem = mdep_route_is_ours(m) ? NULL : absent(kind, m, a);
		return;
	}
	out->problem = r->problem ? arena_strdup(a, r->problem) : NULL;
	if (mdep_route_is_ours(m) && !r->ours)
		out->problem = arena_printf(a,
		                            "%s %s is there already and not made by Tidegate: "
		                            "remove it, or take %s out of spec.traffic.%s",
		                            kind->kind, r->meta.name,
		                            m->traffic == TRAFFIC_ISTIO ? "hosts" : "parentRefs",
		                            mdep_traffic_field(m->traffic));
	rules = rules_of(form, r, a);
	rule = default_rule(form, m, rules, a);
	if (!rule && !out->problem)
		out->problem = arena_printf(a,
		                            "%s %s has no rule that sends requests to Service %s: "
		                            "add one, it is where Tidegate writes its weights",
		                            kind->kind, r->meta.name, m->meta.name);
	json_for_each (it, json_get(rule, form->backends))
		observe_weight(m, form->service_of(m, it, a), form->weight_of(it), cells, ncells, a,
		               out);
	observe_marked(form, m, rules, a, out);
}

static bool names_port(const struct rules_form *form, const struct mdep *m,
                       const struct json *backend, int port, struct arena *a)
{
	return backend && form->port_of(backend) == port &&
	       gateway_names_us(m, form->service_of(m, backend, a));
}

/* In any rule, whoever may have written it. */
bool rules_name_port(const struct rules_form *form, const struct mdep *m, const struct route *r,
                     int port, struct arena *a)
{
	const struct json *rule, *it;

	json_for_each (rule, rules_of(form, r, a)) {
		json_for_each (it, json_get(rule, form->backends))
			if (names_port(form, m, it, port, a))
				return true;
		json_for_each (it, json_get(rule, form->mirrors))
			if (names_port(form, m, form->mirror_backend(it), port, a))
				return true;
	}
	return false;
}
