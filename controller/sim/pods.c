#include "world.h"

#include <inttypes.h>

#include "tidegate/api/core.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/clock.h"

#define GRACE_MS 15000

/* --- what a pod says ------------------------------------------------------------------------ */

static bool condition(const struct sim_object *o, const char *type)
{
	return json_condition_true(json_path(o->json, "status", "conditions", NULL), type);
}

bool world_pod_deleting(const struct sim_object *pod)
{
	return json_has(json_get(pod->json, "metadata"), "deletionTimestamp");
}

const char *world_label(const struct sim_object *o, const char *key)
{
	return json_str(json_path(o->json, "metadata", "labels", NULL), key);
}

bool world_pod_ready(const struct sim_object *pod)
{
	return condition(pod, "Ready") && !world_pod_deleting(pod);
}

bool world_pod_in_service(const struct sim_object *pod)
{
	return str_eq(world_label(pod, TG_LABEL_IN_SERVICE), "true");
}

static bool running(const struct sim_object *pod)
{
	return str_eq(json_str(json_get(pod->json, "status"), "phase"), "Running");
}

/* --- kubelet ------------------------------------------------------------------------------- */

/* Writes all conditions of a pod anew: ours (the gate) stays. */
static void set_status(struct world *w, struct sim_object *pod, bool containers, bool ready)
{
	cleanup_buf struct buf b;
	char stamp[CLOCK_RFC3339_MAX];

	clock_format(clock_wall_ms(), stamp);
	buf_init(&b, 4096);
	buf_addf(&b,
	         "{\"status\":{\"phase\":\"Running\",\"podIP\":\"10.%u.%u.%u\",\"conditions\":["
	         "{\"type\":\"PodScheduled\",\"status\":\"True\"},"
	         "{\"type\":\"ContainersReady\",\"status\":\"%s\"},",
	         pod->world.number >> 16 & 255, pod->world.number >> 8 & 255,
	         pod->world.number & 255, containers ? "True" : "False");
	if (condition(pod, TG_GATE_MODEL_READY))
		buf_addstr(&b, "{\"type\":\"" TG_GATE_MODEL_READY "\",\"status\":\"True\"},");
	buf_addf(&b, "{\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":\"%s\"}]}}",
	         ready ? "True" : "False", stamp);
	sim_patch(w->api, pod, b.data);
}

void pods_set_ready(struct world *w, struct sim_object *pod, bool ready)
{
	if (running(pod) && condition(pod, "Ready") != ready)
		set_status(w, pod, condition(pod, "ContainersReady"), ready);
}

static bool gates_pass(const struct sim_object *pod)
{
	const struct json *it;

	json_for_each (it, json_path(pod->json, "spec", "readinessGates", NULL))
		if (!condition(pod, json_str(it, "conditionType")))
			return false;
	return true;
}

static void give_address(struct world *w, struct sim_object *pod)
{
	pod->world.number = ++w->serial;
	if (w->serial >= w->nnumbers) {
		w->nnumbers = 2 * w->serial + 64;
		w->by_number = xreallocarray(w->by_number, w->nnumbers, sizeof(*w->by_number));
	}
	w->by_number[w->serial] = pod;
}

static void learn(struct sim_object *pod)
{
	const char *version = json_str(json_path(pod->json, "metadata", "annotations", NULL),
	                               TG_ANN_MODEL_VERSION);

	pod->world.behaviour = world_behaviour(pod->world.app, version);
}

void pods_learn(struct world *w, const struct world_app *a)
{
	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		if (p->world.app == a)
			learn(p);
}

static const struct preset *preset_of(struct world *w, const struct sim_object *pod)
{
	const struct json *owner =
		json_first(json_path(pod->json, "metadata", "ownerReferences", NULL));
	const struct sim_object *rs =
		sim_get(w->api, SIM_REPLICASET, pod->ns, str_or(json_str(owner, "name"), ""));
	const char *name =
		rs ? json_str(json_path(rs->json, "metadata", "annotations", NULL), TG_ANN_RUNTIME)
		   : NULL;

	return name ? preset_find(name) : pod->world.app->preset;
}

static void meet(struct world *w, struct sim_object *pod)
{
	pod->world.app = world_app(w, pod->ns, str_or(world_label(pod, TG_LABEL_NAME), ""));
	list_push_back(&pod->world.app->pods, &pod->world.of_app);
	pod->world.preset = preset_of(w, pod);
	learn(pod);
	pod->world.counts.since_ms = clock_mono_ms();
	give_address(w, pod);
}

void pods_remove(struct world *w, struct sim_object *pod)
{
	if (pod->world.number)
		w->by_number[pod->world.number] = NULL;
	sim_remove(w->api, pod);
}

static void tick_loading(struct world *w, struct sim_object *pod)
{
	const struct world_behaviour *b = pod->world.behaviour;

	if (!pod->world.due_ms)
		pod->world.due_ms = clock_mono_ms() + world_draw(w, b->load_min_ms, b->load_max_ms);
	if (clock_mono_ms() >= pod->world.due_ms)
		set_status(w, pod, !b->never_loads, !b->never_loads && gates_pass(pod));
}

static void tick_leaving(struct world *w, struct sim_object *pod)
{
	if (!pod->world.due_ms)
		pod->world.due_ms = clock_mono_ms() + GRACE_MS;
	if (clock_mono_ms() >= pod->world.due_ms)
		pods_remove(w, pod);
}

/* A kubelet's next act for one of its pods; may take the pod away. */
static void tick_pod(struct world *w, struct sim_object *pod)
{
	if (!json_str(json_get(pod->json, "spec"), "nodeName"))
		return;
	if (!pod->world.number)
		meet(w, pod);
	if (pod->world.dark)
		return;
	if (world_pod_deleting(pod))
		tick_leaving(w, pod);
	else if (!running(pod))
		tick_loading(w, pod);
	else if (condition(pod, "ContainersReady"))
		pods_set_ready(w, pod, gates_pass(pod));
}

static bool waits(const struct sim_object *pod)
{
	return pod->world.due_ms && !pod->world.dark && (world_pod_deleting(pod) || !running(pod));
}

/* --- ReplicaSets --------------------------------------------------------------------------- */

static const char *owner_uid(const struct sim_object *pod)
{
	const struct json *owners = json_path(pod->json, "metadata", "ownerReferences", NULL);

	return json_str(json_first(owners), "uid");
}

static bool owns(const struct sim_object *rs, const struct sim_object *pod)
{
	return str_eq(owner_uid(pod), rs->uid);
}

static const struct sim_object *priority_class(struct world *w, const char *name)
{
	struct sim_object *o;

	if (name)
		return sim_get(w->api, SIM_PRIORITYCLASS, NULL, name);
	for (o = sim_next(w->api, SIM_PRIORITYCLASS, NULL); o;
	     o = sim_next(w->api, SIM_PRIORITYCLASS, o))
		if (json_bool(o->json, "globalDefault", false))
			return o;
	return NULL;
}

/* As admission leaves it: the class is resolved. */
static void write_pod_spec(struct world *w, struct json_writer *j, const struct json *spec)
{
	const struct sim_object *class = priority_class(w, json_str(spec, "priorityClassName"));
	const struct json *it;

	jw_object(j, "spec");
	json_for_each (it, spec)
		jw_value(j, json_key(it), it);
	if (class) {
		jw_i64(j, "priority", json_i64(class->json, "value", 0));
		if (!json_has(spec, "preemptionPolicy"))
			jw_str(j, "preemptionPolicy", json_str(class->json, "preemptionPolicy"));
	}
	jw_end_object(j);
}

static void create_pod(struct world *w, const struct sim_object *rs)
{
	const struct json *template = json_path(rs->json, "spec", "template", NULL), *it;
	cleanup_buf struct buf b;
	struct json_writer j;

	buf_init(&b, SIM_TEXT_MAX);
	jw_init(&j, &b);
	jw_object(&j, NULL);
	jw_object(&j, "metadata");
	jw_strf(&j, "name", "%s-%05u", rs->name, ++w->serial);
	jw_str(&j, "namespace", rs->ns);
	json_for_each (it, json_get(template, "metadata"))
		jw_value(&j, json_key(it), it);
	jw_array(&j, "ownerReferences");
	jw_object(&j, NULL);
	jw_str(&j, "apiVersion", "apps/v1");
	jw_str(&j, "kind", "ReplicaSet");
	jw_str(&j, "name", rs->name);
	jw_str(&j, "uid", rs->uid);
	jw_bool(&j, "controller", true);
	jw_end_object(&j);
	jw_end_array(&j);
	jw_end_object(&j);
	write_pod_spec(w, &j, json_get(template, "spec"));
	jw_raw(&j, "status", "{\"phase\":\"Pending\"}");
	jw_end_object(&j);
	jw_end(&j);
	sim_put(w->api, SIM_POD, b.data, NULL);
}

/* Unplaced first, then not ready, then by deletion cost, then the youngest (kcm's order). */
static int64_t deletion_rank(const struct sim_object *pod)
{
	const char *text = json_str(json_path(pod->json, "metadata", "annotations", NULL),
	                            TG_ANN_DELETION_COST);
	int64_t cost = 0;

	str_to_i64(str_or(text, "0"), &cost);
	if (!json_str(json_get(pod->json, "spec"), "nodeName"))
		return -2000000;
	return (world_pod_ready(pod) ? 0 : -1000000) + cost;
}

static void delete_one(struct world *w, const struct sim_object *rs)
{
	struct sim_object *worst = NULL;

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		if (owns(rs, p) && !world_pod_deleting(p) &&
		    (!worst || deletion_rank(p) <= deletion_rank(worst)))
			worst = p;
	if (worst)
		sim_delete(w->api, worst);
}

/* A write that changes nothing costs as much as one that does. */
static void set_replicaset_status(struct world *w, struct sim_object *rs, int64_t have,
                                  int64_t ready)
{
	const struct json *status = json_get(rs->json, "status");
	cleanup_free char *patch = NULL;

	if (json_i64(status, "replicas", -1) == have &&
	    json_i64(status, "readyReplicas", -1) == ready &&
	    json_i64(status, "observedGeneration", -1) == rs->generation)
		return;
	patch = xasprintf("{\"status\":{\"replicas\":%" PRId64 ",\"readyReplicas\":%" PRId64
	                  ",\"availableReplicas\":%" PRId64 ",\"observedGeneration\":%" PRId64 "}}",
	                  have, ready, ready, rs->generation);
	sim_patch(w->api, rs, patch);
}

/* Pods of one ReplicaSet. */
struct crew {
	int64_t have, ready;
};

static void count_crews(struct world *w, struct map *crews)
{
	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p)) {
		const char *uid = str_or(owner_uid(p), "");
		struct crew *c = map_get(crews, uid);

		if (!c) {
			c = xcalloc(1, sizeof(*c));
			map_set(crews, uid, c);
		}
		c->have += !world_pod_deleting(p);
		c->ready += world_pod_ready(p);
	}
}

static void tick_replicaset(struct world *w, struct sim_object *rs, const struct crew *crew)
{
	int64_t want = json_i64(json_get(rs->json, "spec"), "replicas", 1);
	int64_t have = crew ? crew->have : 0;

	set_replicaset_status(w, rs, have, crew ? crew->ready : 0);
	for (; have < want; have++)
		create_pod(w, rs);
	for (; have > want; have--)
		delete_one(w, rs);
}

int64_t pods_round(struct world *w)
{
	int64_t next = INT64_MAX;
	struct sim_object *o, *after;
	struct map crews;

	map_init(&crews);
	count_crews(w, &crews);
	for (o = sim_next(w->api, SIM_REPLICASET, NULL); o; o = sim_next(w->api, SIM_REPLICASET, o))
		tick_replicaset(w, o, map_get(&crews, o->uid));
	map_release(&crews, free);
	for (o = sim_next(w->api, SIM_POD, NULL); o; o = after) {
		after = sim_next(w->api, SIM_POD, o);
		tick_pod(w, o);
	}
	for (o = sim_next(w->api, SIM_POD, NULL); o; o = sim_next(w->api, SIM_POD, o))
		if (waits(o) && o->world.due_ms < next)
			next = o->world.due_ms;
	return next;
}
