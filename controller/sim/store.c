#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "merge_patch.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

const struct sim_kind sim_kinds[SIM_RESOURCES] = {
	[SIM_MDEP] = {TG_API_PATH, "modeldeployments", "ModelDeployment", TG_API_VERSION, false},
	[SIM_POD] = {"/api/v1", "pods", "Pod", "v1", false},
	[SIM_NODE] = {"/api/v1", "nodes", "Node", "v1", true},
	[SIM_REPLICASET] = {"/apis/apps/v1", "replicasets", "ReplicaSet", "apps/v1", false},
	[SIM_SERVICE] = {"/api/v1", "services", "Service", "v1", false},
	[SIM_SLICE] = {"/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice",
                       "discovery.k8s.io/v1", false},
	[SIM_BUDGET] = {"/apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget",
                        "policy/v1", false},
	[SIM_ROUTE] = {"/apis/gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute",
                       "gateway.networking.k8s.io/v1", false},
	[SIM_GRPCROUTE] = {"/apis/gateway.networking.k8s.io/v1", "grpcroutes", "GRPCRoute",
                           "gateway.networking.k8s.io/v1", false},
	[SIM_VIRTUALSERVICE] = {"/apis/networking.istio.io/v1", "virtualservices", "VirtualService",
                                "networking.istio.io/v1", false},
	[SIM_DESTINATIONRULE] = {"/apis/networking.istio.io/v1", "destinationrules",
                                 "DestinationRule", "networking.istio.io/v1", false},
	[SIM_INGRESS] = {"/apis/networking.k8s.io/v1", "ingresses", "Ingress",
                         "networking.k8s.io/v1", false},
	[SIM_TRAEFIKSERVICE] = {"/apis/traefik.io/v1alpha1", "traefikservices", "TraefikService",
                                "traefik.io/v1alpha1", false},
	[SIM_DEPLOYMENT] = {"/apis/apps/v1", "deployments", "Deployment", "apps/v1", false},
	[SIM_PRIORITYCLASS] = {"/apis/scheduling.k8s.io/v1", "priorityclasses", "PriorityClass",
                               "scheduling.k8s.io/v1", true},
	[SIM_SCOREPOLICY] = {TG_API_PATH, "scorepolicies", "ScorePolicy", TG_API_VERSION, false},
	[SIM_ZONESHIFT] = {TG_API_PATH, "zoneshifts", "ZoneShift", TG_API_VERSION, true},
	[SIM_LEASE] = {"/apis/coordination.k8s.io/v1", "leases", "Lease", "coordination.k8s.io/v1",
                       false},
	[SIM_EVENT] = {"/apis/events.k8s.io/v1", "events", "Event", "events.k8s.io/v1", false},
};

static void remember(struct sim_api *s, const struct sim_object *o, const char *type)
{
	if (s->nhistory == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->history = xreallocarray(s->history, s->cap, sizeof(*s->history));
	}
	s->history[s->nhistory++] = (struct sim_change){s->rv, o->resource, type, xstrdup(o->text)};
	s->changes++;
	watch_wake_all(s, o->resource);
	if (s->hooks.changed)
		s->hooks.changed(s->hooks.arg, o);
}

void sim_compact(struct sim_api *s)
{
	for (size_t i = 0; i < s->nhistory; i++)
		free(s->history[i].text);
	s->nhistory = 0;
	s->floor = s->rv;
}

void sim_trim(struct sim_api *s)
{
	uint64_t told = watch_told(s);
	size_t n = 0;

	while (n < s->nhistory && s->history[n].rv <= told)
		free(s->history[n++].text);
	if (!n)
		return;
	s->floor = s->history[n - 1].rv;
	s->nhistory -= n;
	memmove(s->history, s->history + n, s->nhistory * sizeof(*s->history));
}

/* "apps/v1" and "apps/v1beta1" are of one group; "v1" has none. */
static bool same_group(const char *a, const char *b)
{
	size_t n = strcspn(a, "/");

	return a[n] ? !strncmp(a, b, n + 1) : str_eq(a, b);
}

bool sim_find_kind(const char *api_version, const char *kind, enum sim_resource *out)
{
	for (int i = 0; i < SIM_RESOURCES; i++)
		if (str_eq(sim_kinds[i].kind, kind) &&
		    same_group(sim_kinds[i].version, api_version)) {
			*out = (enum sim_resource)i;
			return true;
		}
	return false;
}

/* Good until the next one is made. */
static const char *key_of(struct sim_api *s, enum sim_resource r, const char *ns, const char *name)
{
	buf_truncate(&s->key, 0);
	buf_addstr(&s->key, sim_kinds[r].cluster_scoped ? "" : str_or(ns, "default"));
	buf_addch(&s->key, '/');
	buf_addstr(&s->key, name);
	return s->key.data;
}

void store_free_object(struct sim_api *s, struct sim_object *o)
{
	s->changes++;
	map_del(&s->by_key[o->resource], key_of(s, o->resource, o->ns, o->name));
	list_remove(&o->link);
	list_remove(&o->world.of_app);
	arena_release(&o->arena);
	free(o->ns);
	free(o->name);
	free(o->uid);
	free(o->text);
	free(o->applied);
	free(o);
}

static bool is_servers(const char *key)
{
	static const char *const keys[] = {"uid", "resourceVersion", "generation", "managedFields",
	                                   "creationTimestamp"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
}

/* What the server itself says of an object, and what else stands in its metadata. */
static void fill_meta(struct arena *a, struct json *to, const struct sim_object *o,
                      const struct json *meta)
{
	const struct json *it;
	char text[CLOCK_RFC3339_MAX];

	json_for_each (it, meta)
		if (!is_servers(json_key(it)) && !str_eq(json_key(it), "namespace"))
			json_add(a, to, json_key(it), json_copy(a, it));
	if (o->ns)
		json_add(a, to, "namespace", json_new_str(a, o->ns));
	json_add(a, to, "uid", json_new_str(a, o->uid));
	snprintf(text, sizeof(text), "%" PRIu64, o->rv);
	json_add(a, to, "resourceVersion", json_new_str(a, text));
	json_add(a, to, "generation", json_new_i64(a, o->generation));
	json_add(a, to, "creationTimestamp", json_new_str(a, clock_format(o->created_ms, text)));
}

/* Members that are written first, by themselves. */
static bool is_head(const char *key)
{
	return str_eq(key, "apiVersion") || str_eq(key, "kind") || str_eq(key, "metadata");
}

/* Which part of an object a write to it, or to its status, may touch. */
static bool writes_key(const char *key, bool status_only)
{
	return str_eq(key, "status") == status_only;
}

static void add_written(struct arena *a, struct json *to, const struct json *old,
                        const struct json *over, enum store_how how)
{
	const char *key = json_key(over);

	json_add(a, to, key,
	         how == STORE_MERGE ? merge_patch(a, json_get(old, key), over)
	                            : json_copy(a, over));
}

static void add_members(struct arena *a, struct json *to, const struct json *old,
                        const struct json *over, enum store_how how, bool status_only)
{
	const struct json *it;

	json_for_each (it, old)
		if (!is_head(json_key(it)) &&
		    (!json_has(over, json_key(it)) || !writes_key(json_key(it), status_only)))
			json_add(a, to, json_key(it), json_copy(a, it));
	json_for_each (it, over)
		if (!is_head(json_key(it)) && json_has(over, json_key(it)) &&
		    (!old || writes_key(json_key(it), status_only)))
			add_written(a, to, old, it, how);
}

/* Most writes leave metadata alone. */
static bool same_meta(const struct json *meta, const struct json *over)
{
	const struct json *it;

	json_for_each (it, over)
		if (!is_servers(json_key(it)) && !json_same(it, json_get(meta, json_key(it)), true))
			return false;
	return meta;
}

static const struct json *merge_meta(struct arena *a, const struct json *old,
                                     const struct json *over)
{
	old = json_get(old, "metadata");
	over = json_get(over, "metadata");
	return same_meta(old, over) ? old : merge_patch(a, old, over);
}

static bool is_applied_no_more(const struct json *before, const struct json *now, const char *key)
{
	return json_has(before, key) && !json_has(now, key);
}

/* An annotation goes when who applied it applies the object without it. */
static const struct json *forget_applied(struct arena *a, const struct sim_object *o,
                                         const struct json *meta, const struct json *over)
{
	const struct json *before = json_parse(a, o->applied, strlen(o->applied), NULL), *it;
	const struct json *now = json_path(over, "metadata", "annotations", NULL);
	struct json *out = json_new_object(a), *kept = json_new_object(a);

	json_for_each (it, json_get(meta, "annotations"))
		if (!is_applied_no_more(before, now, json_key(it)))
			json_add(a, kept, json_key(it), json_copy(a, it));
	json_for_each (it, meta)
		if (!str_eq(json_key(it), "annotations"))
			json_add(a, out, json_key(it), json_copy(a, it));
	json_add(a, out, "annotations", kept);
	return out;
}

static bool spec_differs(const struct json *a, const struct json *b)
{
	a = json_get(a, "spec");
	b = json_get(b, "spec");
	return a ? !json_same(a, b, false) : b != NULL;
}

/* The object as it is after the write, at its present version; another spec is a generation. */
static struct json *merge_object(struct arena *a, struct sim_object *o, const struct json *meta,
                                 const struct json *old, const struct json *over,
                                 enum store_how how, bool status_only)
{
	struct json *json = json_new_object(a), *head = json_new_object(a);

	json_add(a, json, "apiVersion", json_new_str(a, sim_kinds[o->resource].version));
	json_add(a, json, "kind", json_new_str(a, sim_kinds[o->resource].kind));
	json_add(a, json, "metadata", head);
	add_members(a, json, old, over, how, status_only);
	o->generation += old && !status_only && spec_differs(old, json);
	fill_meta(a, head, o, meta);
	return json;
}

static char *text_of(const struct json *json)
{
	cleanup_buf struct buf b;

	buf_init(&b, SIM_TEXT_MAX);
	json_write_value(&b, json);
	return buf_detach(&b);
}

/* Quotes within strings are escaped, so the key is found where it is one. */
static bool same_but_version(const char *a, const char *b)
{
	static const char key[] = "\"resourceVersion\":\"";
	const char *x = strstr(a, key), *y = strstr(b, key);

	if (!x || !y || x - a != y - b || strncmp(a, b, (size_t)(x - a)) != 0)
		return false;
	return str_eq(strchr(x + sizeof(key) - 1, '"'), strchr(y + sizeof(key) - 1, '"'));
}

static void note_applied(struct sim_object *o, const struct json *over)
{
	const struct json *annotations = json_path(over, "metadata", "annotations", NULL);

	free(o->applied);
	o->applied = annotations ? text_of(annotations) : NULL;
}

static struct sim_object *object_new(struct sim_api *s, enum sim_resource r, const char *ns,
                                     const char *name)
{
	struct sim_object *o = xcalloc(1, sizeof(*o));

	o->resource = r;
	o->ns = sim_kinds[r].cluster_scoped ? NULL : xstrdup(str_or(ns, "default"));
	o->name = xstrdup(name);
	o->uid = xasprintf("uid-%06u", ++s->serial);
	o->created_ms = clock_wall_ms();
	o->generation = 1;
	arena_init(&o->arena, 4096);
	list_init(&o->world.of_app);
	list_push_back(&s->objects[r], &o->link);
	map_set(&s->by_key[r], key_of(s, r, ns, name), o);
	return o;
}

struct sim_object *store_write(struct sim_api *s, enum sim_resource r, struct sim_object *old,
                               const struct json *over, enum store_how how, bool status_only,
                               const char *ns)
{
	cleanup_arena struct arena a;
	const struct json *meta, *before = old ? old->json : NULL, *json;
	uint64_t rv = old ? old->rv : 0;
	struct sim_object *o = old;
	struct arena room;
	char *text;

	arena_init(&a, 4096);
	arena_init(&room, 4096);
	meta = merge_meta(&a, before, over);
	if (old && old->applied && how == STORE_APPLY && !status_only)
		meta = forget_applied(&a, old, meta, over);
	if (!o)
		o = object_new(s, r, ns, json_str(meta, "name"));
	if (how == STORE_APPLY && !status_only)
		note_applied(o, over);
	o->rv = s->rv + 1;
	json = merge_object(&room, o, meta, before, over, how, status_only);
	text = text_of(json);
	if (old && same_but_version(text, old->text)) {
		free(text);
		arena_release(&room);
		old->rv = rv;
		return old;
	}
	s->rv = o->rv;
	free(o->text);
	o->text = text;
	arena_release(&o->arena);
	o->arena = room;
	o->json = json;
	remember(s, o, old ? "MODIFIED" : "ADDED");
	return o;
}

/* --- for the world ------------------------------------------------------------------------- */

struct sim_object *sim_put(struct sim_api *s, enum sim_resource r, const char *text,
                           struct err *err)
{
	cleanup_arena struct arena a;
	const struct json *json, *meta;

	arena_init(&a, 16384);
	json = json_parse(&a, text, strlen(text), err);
	meta = json_get(json, "metadata");
	if (json && !json_str(meta, "name"))
		err_set(err, ERR_INVALID, "metadata.name: missing");
	if (!json_str(meta, "name"))
		return NULL;
	return store_write(s, r, sim_get(s, r, json_str(meta, "namespace"), json_str(meta, "name")),
	                   json, STORE_APPLY, false, json_str(meta, "namespace"));
}

struct sim_object *sim_patch(struct sim_api *s, struct sim_object *o, const char *patch)
{
	cleanup_arena struct arena a;
	const struct json *json;

	arena_init(&a, 4096);
	json = json_parse(&a, patch, strlen(patch), NULL);
	o = store_write(s, o->resource, o, json, STORE_MERGE, false, o->ns);
	return json_has(json, "status")
	               ? store_write(s, o->resource, o, json, STORE_MERGE, true, o->ns)
	               : o;
}

static bool owned_by(const struct sim_object *o, const char *uid)
{
	const struct json *it;

	json_for_each (it, json_path(o->json, "metadata", "ownerReferences", NULL))
		if (str_eq(json_str(it, "uid"), uid))
			return true;
	return false;
}

void sim_remove(struct sim_api *s, struct sim_object *o)
{
	cleanup_free char *uid = xstrdup(o->uid);
	cleanup_arena struct arena a;
	bool again = true;

	arena_init(&a, 4096);
	o->rv = ++s->rv;
	free(o->text);
	o->text = text_of(merge_object(&a, o, json_get(o->json, "metadata"), NULL, o->json,
	                               STORE_APPLY, false));
	remember(s, o, "DELETED");
	store_free_object(s, o);
	while (again) {
		again = false;
		for (int r = 0; r < SIM_RESOURCES && !again; r++)
			for (struct sim_object *c = sim_next(s, (enum sim_resource)r, NULL); c;
			     c = sim_next(s, (enum sim_resource)r, c))
				if (owned_by(c, uid) &&
				    !json_has(json_get(c->json, "metadata"), "deletionTimestamp")) {
					sim_delete(s, c);
					again = true;
					break;
				}
	}
}

void sim_delete(struct sim_api *s, struct sim_object *o)
{
	char stamp[CLOCK_RFC3339_MAX];
	cleanup_free char *patch = NULL;

	if (o->resource != SIM_POD || !json_str(json_get(o->json, "spec"), "nodeName")) {
		sim_remove(s, o);
		return;
	}
	if (json_has(json_get(o->json, "metadata"), "deletionTimestamp"))
		return;
	patch = xasprintf("{\"metadata\":{\"deletionTimestamp\":\"%s\"}}",
	                  clock_format(clock_wall_ms(), stamp));
	o->world.due_ms = 0;
	sim_patch(s, o, patch);
}

struct sim_object *sim_get(struct sim_api *s, enum sim_resource r, const char *ns, const char *name)
{
	return map_get(&s->by_key[r], key_of(s, r, ns, name));
}

struct sim_object *sim_next(struct sim_api *s, enum sim_resource r, struct sim_object *o)
{
	struct list *next = o ? o->link.next : s->objects[r].next;

	return next == &s->objects[r] ? NULL : list_entry(next, struct sim_object, link);
}
