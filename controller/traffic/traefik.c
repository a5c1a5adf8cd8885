/*
 * Traefik's own TraefikService with weights, which a user's IngressRoute refers to by name. The
 * object is always ours; it knows no matches, so it carries weights only.
 */
#include <string.h>

#include "driver_internal.h"
#include "tidegate/base/str.h"

static int write_services(const struct traffic_wish *w, struct arena *a, struct buf *out)
{
	struct json_writer j;

	jw_init(&j, out);
	jw_array(&j, NULL);
	for (unsigned i = 0; i < w->nweights; i++) {
		jw_object(&j, NULL);
		jw_str(&j, "kind", "Service");
		jw_str(&j, "name", wish_service(w, a, &w->weights[i]));
		jw_i64(&j, "port", w->mdep->service_port);
		jw_i64(&j, "weight", w->weights[i].weight);
		jw_end_object(&j);
	}
	jw_end_array(&j);
	return jw_end(&j);
}

static int write_body(const struct mdep *m, const char *services, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	write_owned_head(&w, m, "traefik.io/v1alpha1", "TraefikService", m->route_name);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_object(&w, "weighted");
	jw_raw(&w, "services", services);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

static const struct cJSON *services_of(const struct route *r, struct arena *a)
{
	if (!r || !r->spec_json)
		return NULL;
	return json_path(json_parse(a, r->spec_json, strlen(r->spec_json), NULL), "weighted",
	                 "services", NULL);
}

static int edit(const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
                struct traffic_edit *out, struct err *err)
{
	cleanup_buf struct buf list, body;
	const struct cJSON *want;

	buf_init(&list, ROUTE_BODY_MAX);
	buf_init(&body, 2 * ROUTE_BODY_MAX);
	*out = (struct traffic_edit){.name = w->mdep->route_name};
	if (!w->nweights || (v->route && !v->route->ours))
		return 0;
	if (write_services(w, a, &list))
		return err_set(err, ERR_TOO_BIG, "TraefikService %s is too large", out->name);
	want = json_parse(a, list.data, list.len, err);
	if (!want)
		return -1;
	if (json_same(want, services_of(v->route, a), true))
		return 0;
	if (write_body(w->mdep, list.data, &body))
		return err_set(err, ERR_TOO_BIG, "TraefikService %s is too large", out->name);
	out->how = TRAFFIC_APPLY;
	out->want = str_hash(STR_HASH_SEED, list.data, list.len);
	out->body = arena_strndup(a, body.data, body.len);
	return 0;
}

static void observe(const struct mdep *m, const struct traffic_view *v,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	const struct cJSON *it;

	*out = (struct rollout_traffic){.managed = true, .exists = v->route != NULL};
	if (v->route && !v->route->ours)
		out->problem = arena_printf(a,
		                            "TraefikService %s is not made by Tidegate: remove it, "
		                            "or name another in spec.traffic.traefik.name",
		                            m->route_name);
	out->in_force = out->exists && !out->problem;
	json_for_each (it, services_of(v->route, a))
		observe_weight(m, json_str(it, "name"), (int)json_i64(it, "weight", 1), cells,
		               ncells, a, out);
}

const struct traffic_driver traefik_driver = {
	.kind = &traefikservice_kind, .edit = edit, .observe = observe};
