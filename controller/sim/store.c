#include "internal.h"

#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

/* Of a tree: what one takes at least, and mostly at most, in bytes for each of its text. */
#define TREE_MIN      4096
#define TREE_PER_TEXT 16

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
	s->history[s->nhistory++] =
		(struct sim_change){s->rv, o->resource, type, text_share(o->text)};
	s->changes++;
	watch_wake_all(s, o->resource);
	if (s->hooks.changed)
		s->hooks.changed(s->hooks.arg, o);
}

void sim_compact(struct sim_api *s)
{
	for (size_t i = 0; i < s->nhistory; i++)
		text_drop(s->history[i].text);
	s->nhistory = 0;
	s->floor = s->rv;
}

void sim_trim(struct sim_api *s)
{
	uint64_t told = watch_told(s);
	size_t n = 0;

	while (n < s->nhistory && s->history[n].rv <= told)
		text_drop(s->history[n++].text);
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
	text_drop(o->text);
	free(o);
}

/* Of metadata: what no write changes. */
static bool is_servers(const char *key)
{
	static const char *const keys[] = {"namespace",  "uid",           "resourceVersion",
	                                   "generation", "managedFields", "creationTimestamp"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
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

static bool write_meta(struct sim_object *o, const struct json *over)
{
	struct json *meta = json_edit(o->json, "metadata");
	const struct json *it;
	bool changed = false;

	json_for_each (it, json_get(over, "metadata"))
		if (!is_servers(json_key(it)))
			changed |= json_patch(&o->arena, meta, it);
	return changed;
}

/* An annotation goes when who applied it applies the object without it. */
static bool forget_applied(struct sim_object *o, const struct json *now)
{
	struct json *have = json_edit(json_edit(o->json, "metadata"), "annotations");
	const struct json *it;
	bool changed = false;

	json_for_each (it, o->applied)
		if (have && json_value_there(it) && !json_has(now, json_key(it)))
			changed |= json_remove(have, json_key(it));
	if (now && !json_same(now, o->applied, false))
		o->applied = json_copy(&o->arena, now);
	else if (!now)
		o->applied = NULL;
	return changed;
}

/* Another spec than there was is a generation. */
static bool write_members(struct sim_object *o, const struct json *over, enum store_how how,
                          bool status_only)
{
	bool fresh = !o->text, changed = false, differs;
	const struct json *it;

	json_for_each (it, over) {
		if (is_head(json_key(it)) || !json_value_there(it) ||
		    (!fresh && !writes_key(json_key(it), status_only)))
			continue;
		differs = how == STORE_MERGE ? json_patch(&o->arena, o->json, it)
		                             : json_put(&o->arena, o->json, it);
		o->generation += differs && !fresh && str_eq(json_key(it), "spec");
		changed |= differs;
	}
	return changed;
}

static void set_version(struct sim_object *o, uint64_t rv)
{
	struct json *meta = json_edit(o->json, "metadata");
	char text[STR_I64_MAX];

	o->rv = rv;
	str_from_i64((int64_t)rv, text);
	json_set(&o->arena, meta, "resourceVersion", json_new_str(&o->arena, text));
	json_set(&o->arena, meta, "generation", json_new_i64(&o->arena, o->generation));
}

static void write_text(struct sim_api *s, struct sim_object *o)
{
	struct buf *b = &s->text;

	buf_reset(b);
	json_write_value(b, o->json);
	text_drop(o->text);
	o->text = xmalloc(sizeof(*o->text) + b->len + 1);
	*o->text = (struct sim_text){.users = 1, .len = b->len};
	memcpy(o->text->s, b->data, b->len + 1);
}

/* What earlier versions left in the arena goes when it has become much. */
static void tidy(struct sim_object *o)
{
	struct arena room;

	if (o->arena.used < TREE_PER_TEXT * o->text->len + TREE_MIN)
		return;
	arena_init(&room, TREE_MIN);
	o->json = json_copy(&room, o->json);
	o->applied = o->applied ? json_copy(&room, o->applied) : NULL;
	arena_release(&o->arena);
	o->arena = room;
}

/* Of what the server itself says of an object, the part that stays. */
static struct json *new_json(struct sim_object *o)
{
	struct arena *a = &o->arena;
	struct json *json = json_new_object(a), *meta = json_new_object(a);
	char text[CLOCK_RFC3339_MAX];

	json_set(a, json, "apiVersion", json_new_str(a, sim_kinds[o->resource].version));
	json_set(a, json, "kind", json_new_str(a, sim_kinds[o->resource].kind));
	json_set(a, json, "metadata", meta);
	json_set(a, meta, "name", json_new_str(a, o->name));
	if (o->ns)
		json_set(a, meta, "namespace", json_new_str(a, o->ns));
	json_set(a, meta, "uid", json_new_str(a, o->uid));
	json_set(a, meta, "creationTimestamp", json_new_str(a, clock_format(o->created_ms, text)));
	return json;
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
	arena_init(&o->arena, TREE_MIN);
	o->json = new_json(o);
	set_version(o, 0);
	list_init(&o->world.of_app);
	list_push_back(&s->objects[r], &o->link);
	map_set(&s->by_key[r], key_of(s, r, ns, name), o);
	return o;
}

struct sim_object *store_write(struct sim_api *s, enum sim_resource r, struct sim_object *old,
                               const struct json *over, enum store_how how, bool status_only,
                               const char *ns)
{
	const struct json *meta = json_get(over, "metadata");
	struct sim_object *o = old ? old : object_new(s, r, ns, json_str(meta, "name"));
	bool changed = write_meta(o, over);

	if (how == STORE_APPLY && !status_only)
		changed |= forget_applied(o, json_get(meta, "annotations"));
	changed |= write_members(o, over, how, status_only);
	if (old && !changed)
		return old;
	set_version(o, ++s->rv);
	write_text(s, o);
	tidy(o);
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
	bool again = true;

	set_version(o, ++s->rv);
	write_text(s, o);
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
