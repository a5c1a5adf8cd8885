/*
 * Canary annotations on a second Ingress, "<name>-canary", which is ours: the dialect of
 * ingress-nginx, which Higress and MSE read too, and ALB under a prefix of its own. The user's
 * Ingress is only read; its paths to the Service "<mdep>" are those that are split.
 *
 * An Ingress has one backend a path, so there are Services per revision. The Service "<mdep>" (the
 * front) selects the revision that gets the rest of the requests, and it is switched only while
 * nobody comes by it:
 *   weight to 100 on the canary Ingress -> front to the new revision -> canary Ingress deleted,
 * and the canary Ingress is never lowered before the front stands where it should.
 */
#include <string.h>

#include "driver_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

#define WHOLE       10000
#define SETTLE_MS   2000 /* controllers hear of Services and endpoints by their own watches */
#define CLASS_ALIAS "kubernetes.io/ingress.class"

static const char *const endings[] = {"-canary"};

static const struct json *parse(struct arena *a, const char *text)
{
	return text ? json_parse(a, text, strlen(text), NULL) : NULL;
}

static const char *canary_name(struct arena *a, const struct mdep *m)
{
	return arena_printf(a, "%s%s", m->route_name, endings[0]);
}

static const struct route *canary_of(const struct traffic_view *v)
{
	return v->beside[0];
}

static const char *annotation(struct arena *a, const struct mdep *m, const char *what)
{
	return arena_printf(a, "%s/canary%s", m->annotation_prefix, what);
}

/* --- what the canary Ingress says -------------------------------------------------------- */

/* Percent; 0 when it has no weight or does not exist. */
static int canary_weight(const struct mdep *m, const struct route *canary, struct arena *a)
{
	const char *text =
		canary ? json_str(parse(a, canary->annotations_json), annotation(a, m, "-weight"))
		       : NULL;
	int64_t v;

	return text && str_to_i64(text, &v) && v >= 0 && v <= 100 ? (int)v : 0;
}

static const char *path_service(const struct json *path)
{
	return json_str(json_path(path, "backend", "service", NULL), "name");
}

static const char *canary_service(const struct route *canary, struct arena *a)
{
	const struct json *rule;

	if (!canary)
		return NULL;
	rule = json_first(json_get(parse(a, canary->spec_json), "rules"));
	return path_service(json_first(json_path(rule, "http", "paths", NULL)));
}

/* --- front ------------------------------------------------------------------------------- */

static bool steady(const struct traffic_wish *w)
{
	return !w->stable || str_eq(w->stable, w->target);
}

/* Whoever has most, the target left aside in a release. */
static const char *greatest(const struct traffic_wish *w)
{
	const char *best = NULL;

	for (unsigned i = 0; i < w->nweights; i++) {
		const char *r = w->weights[i].revision;

		if (!steady(w) && str_eq(r, w->target))
			continue;
		if (!best || wish_share(w, r) > wish_share(w, best))
			best = r;
	}
	return best;
}

static bool canary_has_all(const struct traffic_wish *w, const struct traffic_view *v,
                           struct arena *a)
{
	return canary_of(v) && canary_weight(w->mdep, canary_of(v), a) == 100 &&
	       str_eq(canary_service(canary_of(v), a),
	              gateway_service_name(a, w->mdep, w->target, "")) &&
	       v->now_ms - v->written_ms >= SETTLE_MS;
}

static const char *front(const struct traffic_wish *w, const struct traffic_view *v)
{
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	if (!w->nweights)
		return v->front;
	if (!steady(w) && wish_share(w, w->target) == WHOLE)
		return canary_has_all(w, v, &a) ? w->target : str_or(v->front, w->stable);
	return greatest(w);
}

/* --- bodies ------------------------------------------------------------------------------ */

static void write_audience(struct json_writer *j, const struct traffic_wish *w, struct arena *a)
{
	const struct mdep_header *h = w->step->headers;
	const struct mdep *m = w->mdep;

	if (h->cookie) {
		jw_str(j, annotation(a, m, "-by-cookie"), h->name);
		return;
	}
	jw_str(j, annotation(a, m, "-by-header"), h->name);
	if (h->exact)
		jw_str(j, annotation(a, m, "-by-header-value"), h->exact);
	else
		jw_str(j, annotation(a, m, "-by-header-pattern"), wish_pattern(h, a));
}

static void write_annotations(struct json_writer *j, const struct traffic_wish *w, int percent,
                              const struct json *theirs, struct arena *a)
{
	jw_object(j, "annotations");
	jw_str(j, CLASS_ALIAS, json_str(theirs, CLASS_ALIAS));
	jw_str(j, annotation(a, w->mdep, ""), "true");
	jw_strf(j, annotation(a, w->mdep, "-weight"), "%d", percent);
	if (wish_has_audience(w))
		write_audience(j, w, a);
	jw_end_object(j);
}

static void write_path(struct json_writer *j, const struct json *path, const char *service,
                       int port)
{
	jw_object(j, NULL);
	jw_str(j, "path", json_str(path, "path"));
	jw_str(j, "pathType", str_or(json_str(path, "pathType"), "ImplementationSpecific"));
	jw_object(j, "backend");
	jw_object(j, "service");
	jw_str(j, "name", service);
	jw_object(j, "port");
	jw_i64(j, "number", port);
	jw_end_object(j);
	jw_end_object(j);
	jw_end_object(j);
	jw_end_object(j);
}

static unsigned our_paths(const struct json *rule, const struct mdep *m)
{
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, json_path(rule, "http", "paths", NULL))
		n += str_eq(path_service(it), m->meta.name);
	return n;
}

static unsigned all_our_paths(const struct json *spec, const struct mdep *m)
{
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, json_get(spec, "rules"))
		n += our_paths(it, m);
	return n;
}

static void write_rules(struct json_writer *j, const struct json *spec, const char *service,
                        const struct traffic_wish *w)
{
	const struct mdep *m = w->mdep;
	const struct json *rule, *it;

	jw_array(j, "rules");
	json_for_each (rule, json_get(spec, "rules")) {
		if (!our_paths(rule, m))
			continue;
		jw_object(j, NULL);
		jw_str(j, "host", json_str(rule, "host"));
		jw_object(j, "http");
		jw_array(j, "paths");
		json_for_each (it, json_path(rule, "http", "paths", NULL))
			if (str_eq(path_service(it), m->meta.name))
				write_path(j, it, service, w->port);
		jw_end_array(j);
		jw_end_object(j);
		jw_end_object(j);
	}
	jw_end_array(j);
}

static int write_canary(const struct traffic_wish *w, const struct traffic_view *v, int percent,
                        struct arena *a, struct buf *out)
{
	const struct mdep *m = w->mdep;
	const struct json *spec = parse(a, v->route->spec_json);
	struct json_writer j;

	jw_init(&j, out);
	jw_object(&j, NULL);
	write_owned_head(&j, m, "networking.k8s.io/v1", "Ingress", canary_name(a, m));
	write_annotations(&j, w, percent, parse(a, v->route->annotations_json), a);
	jw_end_object(&j);
	jw_object(&j, "spec");
	jw_str(&j, "ingressClassName", json_str(spec, "ingressClassName"));
	write_rules(&j, spec, gateway_service_name(a, m, w->target, ""), w);
	jw_end_object(&j);
	jw_end_object(&j);
	return jw_end(&j);
}

/* --- edits ------------------------------------------------------------------------------- */

static unsigned canary_annotations(const struct json *annotations, const char *prefix)
{
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, annotations)
		n += str_starts(json_key(it), prefix);
	return n;
}

static bool is_written(const struct mdep *m, const struct route *canary, const struct json *body,
                       struct arena *a)
{
	const struct json *want = json_path(body, "metadata", "annotations", NULL);
	const struct json *have = canary ? parse(a, canary->annotations_json) : NULL;
	const char *prefix = annotation(a, m, "");

	return canary && json_same(want, have, true) &&
	       canary_annotations(want, prefix) == canary_annotations(have, prefix) &&
	       json_same(json_get(body, "spec"), parse(a, canary->spec_json), true);
}

static int apply(const struct traffic_wish *w, const struct traffic_view *v, int percent,
                 struct arena *a, struct traffic_edit *out, struct err *err)
{
	cleanup_buf struct buf body;
	const struct json *json;

	buf_init(&body, ROUTE_BODY_MAX);
	if (write_canary(w, v, percent, a, &body))
		return err_set(err, ERR_TOO_BIG, "Ingress %s is too large", out->name);
	json = json_parse(a, body.data, body.len, err);
	if (!json)
		return -1;
	if (is_written(w->mdep, canary_of(v), json, a))
		return 0;
	out->how = TRAFFIC_APPLY;
	out->want = str_hash(STR_HASH_SEED, body.data, body.len);
	out->body = arena_strndup(a, body.data, body.len);
	return 0;
}

/* The canary Ingress is not changed while the front is on its way. */
static bool front_settled(const struct traffic_wish *w, const struct traffic_view *v)
{
	return str_eq(front(w, v), v->front) && v->now_ms - v->front_ms >= SETTLE_MS;
}

static int edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                struct traffic_edit *out, struct err *err)
{
	int share = steady(w) ? 0 : wish_share(w, w->target);
	bool audience = !steady(w) && wish_has_audience(w);

	*out = (struct traffic_edit){.name = canary_name(a, w->mdep)};
	if (!w->nweights || !v->route || (canary_of(v) && !canary_of(v)->ours) ||
	    !all_our_paths(parse(a, v->route->spec_json), w->mdep))
		return 0;
	if (canary_of(v) ? !front_settled(w, v) : !str_eq(front(w, v), v->front)) {
		out->later = true;
		return 0;
	}
	if (share || audience)
		return apply(w, v, share / (WHOLE / 100), a, out, err);
	if (!canary_of(v))
		return 0;
	if (!steady(w) && canary_weight(w->mdep, canary_of(v), a))
		return apply(w, v, 0, a, out, err);
	out->how = TRAFFIC_DELETE;
	out->gone = canary_of(v);
	return 0;
}

/* --- observation ------------------------------------------------------------------------- */

static int planned_share(const struct mdep *m, const char *revision)
{
	int sum = 0;

	for (unsigned i = 0; i < m->status.nweights; i++)
		if (str_eq(m->status.weights[i].revision, revision))
			sum += m->status.weights[i].weight;
	return sum;
}

static void add(struct rollout_traffic *out, const char *revision, const char *zone, int weight)
{
	if (out->nweights == ARRAY_SIZE(out->weights))
		return;
	out->revisions[out->nweights] = revision;
	out->zones[out->nweights] = zone;
	out->weights[out->nweights++] = weight;
}

/* Among all that it may reach: a cell whose share is not known must not look as if it had none. */
static void add_evenly(const char *revision, int share, const struct rollout_cell *cells,
                       unsigned ncells, struct rollout_traffic *out)
{
	int n = 0, k = 0;

	for (unsigned i = 0; i < ncells; i++)
		n += str_eq(cells[i].revision, revision);
	for (unsigned i = 0; i < ncells; i++) {
		if (!str_eq(cells[i].revision, revision))
			continue;
		add(out, revision, cells[i].zone, share * (k + 1) / n - share * k / n);
		k++;
	}
}

static void add_as_planned(const struct mdep *m, const char *revision,
                           const struct rollout_cell *cells, unsigned ncells,
                           struct rollout_traffic *out)
{
	for (unsigned i = 0; i < ncells; i++) {
		if (!str_eq(cells[i].revision, revision))
			continue;
		for (unsigned k = 0; k < m->status.nweights; k++)
			if (str_eq(m->status.weights[k].revision, revision) &&
			    str_eq(str_or(m->status.weights[k].zone, ""), cells[i].zone))
				add(out, revision, cells[i].zone, m->status.weights[k].weight);
	}
}

/*
 * A Service per revision spreads over zones by itself: the last matrix tells which cells take part,
 * as far as its sum is what stands in the Ingress.
 */
static void add_revision(const struct mdep *m, const char *revision, int share,
                         const struct rollout_cell *cells, unsigned ncells,
                         struct rollout_traffic *out)
{
	if (planned_share(m, revision) == share)
		add_as_planned(m, revision, cells, ncells, out);
	else
		add_evenly(revision, share, cells, ncells, out);
}

static const char *problem_of(const struct mdep *m, const struct traffic_view *v, struct arena *a)
{
	if (!v->route)
		return arena_printf(a,
		                    "Ingress %s does not exist: create it, with a path to "
		                    "Service %s",
		                    m->route_name, m->meta.name);
	if (!all_our_paths(parse(a, v->route->spec_json), m))
		return arena_printf(a,
		                    "Ingress %s has no path to Service %s: add one, it is what "
		                    "is split",
		                    m->route_name, m->meta.name);
	if (canary_of(v) && !canary_of(v)->ours)
		return arena_printf(a,
		                    "Ingress %s is not made by Tidegate, which needs this name: "
		                    "remove it",
		                    canary_of(v)->meta.name);
	return NULL;
}

static bool seen_before(const struct rollout_cell *cells, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (str_eq(cells[k].revision, cells[i].revision))
			return true;
	return false;
}

static bool has_audience(const struct mdep *m, const struct route *canary, struct arena *a)
{
	const struct json *notes = canary ? parse(a, canary->annotations_json) : NULL;

	return json_has(notes, annotation(a, m, "-by-header")) ||
	       json_has(notes, annotation(a, m, "-by-cookie"));
}

/* The audience's cells stand there even when the last matrix names them no more. */
static void choose(const char *revision, const struct rollout_cell *cells, unsigned ncells,
                   struct rollout_traffic *out)
{
	for (unsigned i = 0; i < ncells; i++) {
		unsigned k = 0;

		if (!str_eq(cells[i].revision, revision))
			continue;
		while (k < out->nweights && !(str_eq(out->revisions[k], revision) &&
		                              str_eq(out->zones[k], cells[i].zone)))
			k++;
		if (k == out->nweights)
			add(out, revision, cells[i].zone, 0);
		if (k < out->nweights)
			out->chosen[k] = true;
	}
}

static void observe(const struct mdep *m, const struct traffic_view *v,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	int share = canary_weight(m, canary_of(v), a) * (WHOLE / 100);
	const char *service = canary_service(canary_of(v), a);
	bool audience = has_audience(m, canary_of(v), a);

	*out = (struct rollout_traffic){.managed = true, .exists = v->route != NULL};
	out->problem = problem_of(m, v, a);
	out->in_force = out->exists && !out->problem;
	if (!v->front)
		return;
	for (unsigned i = 0; i < ncells; i++) {
		const char *r = cells[i].revision;
		bool canary = service && str_eq(service, gateway_service_name(a, m, r, ""));

		if (seen_before(cells, i))
			continue;
		if (canary && str_eq(r, v->front))
			add_revision(m, r, WHOLE, cells, ncells, out);
		else if (canary)
			add_revision(m, r, share, cells, ncells, out);
		else if (str_eq(r, v->front))
			add_revision(m, r, WHOLE - share, cells, ncells, out);
		if (canary && audience)
			choose(r, cells, ncells, out);
	}
}

/* --- ports ------------------------------------------------------------------------------- */

/* By number, or by name, which is the front's. */
static int port_of(const struct json *path, int front_port)
{
	const struct json *port = json_path(path, "backend", "service", "port", NULL);
	int suffix = service_port_suffix(json_str(port, "name"));

	if (suffix < 0)
		return (int)json_i64(port, "number", 0);
	return suffix ? suffix : front_port;
}

static bool ingress_names(const struct mdep *m, const struct route *ingress, int front_port,
                          int port, struct arena *a)
{
	const struct json *rule, *it;

	json_for_each (rule, ingress ? json_get(parse(a, ingress->spec_json), "rules") : NULL)
		json_for_each (it, json_path(rule, "http", "paths", NULL))
			if (gateway_names_us(m, path_service(it)) &&
			    port_of(it, front_port) == port)
				return true;
	return false;
}

/* The user's Ingress is not ours to change: it may name the port that it names for good. */
static bool names_port(const struct mdep *m, const struct traffic_view *v, int port,
                       struct arena *a)
{
	return ingress_names(m, v->route, v->front_port, port, a) ||
	       ingress_names(m, canary_of(v), v->front_port, port, a);
}

const struct traffic_driver ingress_driver = {.kind = &ingress_kind,
                                              .by_revision = true,
                                              .beside = endings,
                                              .nbeside = ARRAY_SIZE(endings),
                                              .edit = edit,
                                              .observe = observe,
                                              .names_port = names_port,
                                              .front = front};
