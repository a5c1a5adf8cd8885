/*
 * Traefik's own TraefikService, which a user's IngressRoute refers to by name. It is always ours
 * and knows no matches: it carries weights, and the mirror of a step.
 *
 * A TraefikService splits requests or copies them, never both. So a mirror takes two more of them,
 * "<name>-answers" with the split of those that are answered and "<name>-copies" with that of the
 * copies, and "<name>" refers to both. Traefik refuses all of an object that refers to one that is
 * not there. It hears of all three by one watch, in the order of their writes: both are there
 * before "<name>" is written, and go after it was written without them. One write a pass keeps
 * that order, wherever a pass ends.
 */
#include <string.h>

#include "driver_internal.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

enum beside { ANSWERS, COPIES, BESIDE };
static const char *const endings[BESIDE] = {[ANSWERS] = "-answers", [COPIES] = "-copies"};

static const char *name_of(const struct mdep *m, enum beside i, struct arena *a)
{
	return arena_printf(a, "%s%s", m->route_name, endings[i]);
}

/* --- specs ------------------------------------------------------------------------------- */

/*
 * Cells that get nothing are left out: Traefik refuses the whole list for one Service without
 * endpoints, unless allowEmptyServices is set.
 */
static int write_split(const struct traffic_wish *w, bool copies, struct arena *a, struct buf *out)
{
	struct json_writer j;

	jw_init(&j, out);
	jw_object(&j, NULL);
	jw_object(&j, "weighted");
	jw_array(&j, "services");
	for (unsigned i = 0; i < w->nweights; i++) {
		const struct mdep_weight *x = &w->weights[i];
		int weight = copies ? wish_audience_weight(w, x) : x->weight;

		if (weight <= 0)
			continue;
		jw_object(&j, NULL);
		jw_str(&j, "kind", "Service");
		jw_str(&j, "name", wish_service(w, a, x));
		jw_i64(&j, "port", w->port);
		jw_i64(&j, "weight", weight);
		jw_end_object(&j);
	}
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_object(&j);
	return jw_end(&j);
}

static int write_mirror(const struct mdep *m, int percent, struct arena *a, struct buf *out)
{
	struct json_writer j;

	jw_init(&j, out);
	jw_object(&j, NULL);
	jw_object(&j, "mirroring");
	jw_str(&j, "kind", "TraefikService");
	jw_str(&j, "name", name_of(m, ANSWERS, a));
	jw_array(&j, "mirrors");
	jw_object(&j, NULL);
	jw_str(&j, "kind", "TraefikService");
	jw_str(&j, "name", name_of(m, COPIES, a));
	jw_i64(&j, "percent", percent);
	jw_end_object(&j);
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_object(&j);
	return jw_end(&j);
}

static int write_body(const struct mdep *m, const char *name, const char *spec, struct buf *out)
{
	struct json_writer j;

	jw_init(&j, out);
	jw_object(&j, NULL);
	write_owned_head(&j, m, "traefik.io/v1alpha1", "TraefikService", name);
	jw_end_object(&j);
	jw_raw(&j, "spec", spec);
	jw_end_object(&j);
	return jw_end(&j);
}

static const struct json *spec_of(const struct route *r, struct arena *a)
{
	return r && r->spec_json ? json_parse(a, r->spec_json, strlen(r->spec_json), NULL) : NULL;
}

/* --- edits ------------------------------------------------------------------------------- */

/* The CRD may add defaults, but it splits or copies as it should, and only that. */
static bool is_written(const struct json *want, const struct json *have)
{
	return json_same(want, have, true) &&
	       json_has(want, "weighted") == json_has(have, "weighted") &&
	       json_has(want, "mirroring") == json_has(have, "mirroring");
}

/* Stays TRAFFIC_KEEP when the object is like that already. */
static int apply(const struct mdep *m, const char *name, const struct buf *spec,
                 const struct route *have, struct arena *a, struct traffic_edit *out,
                 struct err *err)
{
	const struct json *want = json_parse(a, spec->data, spec->len, err);
	cleanup_buf struct buf body;

	buf_init(&body, 2 * ROUTE_BODY_MAX);
	if (!want)
		return -1;
	if (is_written(want, spec_of(have, a)))
		return 0;
	if (write_body(m, name, spec->data, &body))
		return err_set(err, ERR_TOO_BIG, "TraefikService %s is too large", name);
	*out = (struct traffic_edit){.how = TRAFFIC_APPLY,
	                             .name = name,
	                             .want = str_hash(STR_HASH_SEED, body.data, body.len),
	                             .body = arena_strndup(a, body.data, body.len)};
	return 0;
}

static int edit_split(const struct traffic_wish *w, const char *name, bool copies,
                      const struct route *have, struct arena *a, struct traffic_edit *out,
                      struct err *err)
{
	cleanup_buf struct buf spec;

	buf_init(&spec, ROUTE_BODY_MAX);
	if (write_split(w, copies, a, &spec))
		return err_set(err, ERR_TOO_BIG, "TraefikService %s is too large", name);
	return apply(w->mdep, name, &spec, have, a, out, err);
}

static const struct route *not_ours(const struct traffic_view *v)
{
	for (enum beside i = ANSWERS; i < BESIDE; i++)
		if (v->beside[i] && !v->beside[i]->ours)
			return v->beside[i];
	return NULL;
}

static int edit_mirror(const struct traffic_wish *w, const struct traffic_view *v, int percent,
                       struct arena *a, struct traffic_edit *out, struct err *err)
{
	cleanup_buf struct buf spec;

	buf_init(&spec, ROUTE_BODY_MAX);
	for (enum beside i = ANSWERS; i < BESIDE; i++) {
		if (edit_split(w, name_of(w->mdep, i, a), i == COPIES, v->beside[i], a, out, err))
			return -1;
		if (out->how != TRAFFIC_KEEP)
			return 0;
	}
	if (write_mirror(w->mdep, percent, a, &spec))
		return err_set(err, ERR_TOO_BIG, "TraefikService %s is too large", out->name);
	return apply(w->mdep, w->mdep->route_name, &spec, v->route, a, out, err);
}

static void drop_beside(const struct traffic_view *v, struct traffic_edit *out)
{
	for (enum beside i = ANSWERS; i < BESIDE; i++)
		if (v->beside[i] && v->beside[i]->ours) {
			*out = (struct traffic_edit){.how = TRAFFIC_DELETE,
			                             .name = v->beside[i]->meta.name,
			                             .gone = v->beside[i]};
			return;
		}
}

static int edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                struct traffic_edit *out, struct err *err)
{
	const char *name = w->mdep->route_name, *first;
	int percent = wish_mirror(w, a, &first);

	*out = (struct traffic_edit){.name = name};
	if (!w->nweights || (v->route && !v->route->ours))
		return 0;
	if (percent && !not_ours(v))
		return edit_mirror(w, v, percent, a, out, err);
	if (edit_split(w, name, false, v->route, a, out, err))
		return -1;
	if (out->how == TRAFFIC_KEEP)
		drop_beside(v, out);
	return 0;
}

/* --- observation ------------------------------------------------------------------------- */

static const struct json *services_of(const struct json *spec)
{
	return json_path(spec, "weighted", "services", NULL);
}

static void observe_services(const struct mdep *m, const struct json *spec,
                             const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                             struct rollout_traffic *out)
{
	const struct json *it;

	json_for_each (it, services_of(spec))
		observe_weight(m, json_str(it, "name"), (int)json_i64(it, "weight", 1), cells,
		               ncells, a, out);
}

/* A cell that gets copies is in use, whatever it weighs. */
static void observe_copies(const struct mdep *m, const struct json *spec,
                           const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                           struct rollout_traffic *out)
{
	const struct json *it;

	json_for_each (it, services_of(spec)) {
		observe_weight(m, json_str(it, "name"), 0, cells, ncells, a, out);
		observe_copied(m, json_str(it, "name"), a, out);
	}
}

static bool has_mirror(const struct mdep *m)
{
	for (unsigned i = 0; i < m->nsteps; i++)
		if (m->steps[i].mirror)
			return true;
	return false;
}

static const char *problem_of(const struct mdep *m, const struct traffic_view *v, struct arena *a)
{
	const struct route *taken = v->route && !v->route->ours ? v->route : NULL;

	if (!taken && has_mirror(m))
		taken = not_ours(v);
	return taken ? arena_printf(a,
	                            "TraefikService %s is not made by Tidegate, which needs this "
	                            "name: remove it, or name another in spec.traffic.traefik.name",
	                            taken->meta.name)
	             : NULL;
}

static void observe(const struct mdep *m, const struct traffic_view *v,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	const struct json *spec = spec_of(v->route, a);

	*out = (struct rollout_traffic){.managed = true, .exists = v->route != NULL};
	out->problem = problem_of(m, v, a);
	out->in_force = out->exists && !out->problem;
	if (!json_has(spec, "mirroring")) {
		observe_services(m, spec, cells, ncells, a, out);
		return;
	}
	out->in_force = out->in_force && v->beside[ANSWERS] && v->beside[COPIES];
	observe_services(m, spec_of(v->beside[ANSWERS], a), cells, ncells, a, out);
	observe_copies(m, spec_of(v->beside[COPIES], a), cells, ncells, a, out);
}

static bool split_names(const struct mdep *m, const struct route *r, int port, struct arena *a)
{
	const struct json *it;

	json_for_each (it, services_of(spec_of(r, a)))
		if (json_i64(it, "port", 0) == port && gateway_names_us(m, json_str(it, "name")))
			return true;
	return false;
}

static bool names_port(const struct mdep *m, const struct traffic_view *v, int port,
                       struct arena *a)
{
	bool found = split_names(m, v->route, port, a);

	for (enum beside i = ANSWERS; i < BESIDE; i++)
		found = found || split_names(m, v->beside[i], port, a);
	return found;
}

const struct traffic_driver traefik_driver = {.kind = &traefikservice_kind,
                                              .beside = endings,
                                              .nbeside = BESIDE,
                                              .edit = edit,
                                              .observe = observe,
                                              .names_port = names_port};
