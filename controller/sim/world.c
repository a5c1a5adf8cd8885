#include "world.h"

#include <inttypes.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

#define GRACE_MS 15000

static int64_t draw(struct world *w, int64_t lo, int64_t hi)
{
	return lo + (int64_t)random_below(&w->random, (uint64_t)(hi - lo + 1));
}

/* --- pods ---------------------------------------------------------------------------------- */

static bool condition(const struct sim_object *o, const char *type)
{
	const struct cJSON *it;

	json_for_each (it, json_path(o->json, "status", "conditions", NULL))
		if (str_eq(json_str(it, "type"), type))
			return str_eq(json_str(it, "status"), "True");
	return false;
}

static bool deleting(const struct sim_object *o)
{
	return json_has(json_get(o->json, "metadata"), "deletionTimestamp");
}

static const char *label(const struct sim_object *o, const char *key)
{
	return json_str(json_path(o->json, "metadata", "labels", NULL), key);
}

bool world_pod_ready(const struct sim_object *pod)
{
	return condition(pod, "Ready") && !deleting(pod);
}

bool world_pod_in_service(const struct sim_object *pod)
{
	return str_eq(label(pod, TG_LABEL_IN_SERVICE), "true");
}

static bool running(const struct sim_object *pod)
{
	return str_eq(json_str(json_get(pod->json, "status"), "phase"), "Running");
}

/* Writes all conditions of a pod anew: ours (the gate) stays. */
static void set_pod_status(struct world *w, struct sim_object *pod, bool ready)
{
	cleanup_buf struct buf b;
	char stamp[CLOCK_RFC3339_MAX];

	clock_format(clock_wall_ms(), stamp);
	buf_init(&b, 4096);
	buf_addf(&b,
	         "{\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.%u.%u\",\"conditions\":["
	         "{\"type\":\"PodScheduled\",\"status\":\"True\"},"
	         "{\"type\":\"ContainersReady\",\"status\":\"True\"},",
	         pod->world.number / 250, pod->world.number % 250 + 1);
	if (condition(pod, TG_GATE_MODEL_READY))
		buf_addstr(&b, "{\"type\":\"" TG_GATE_MODEL_READY "\",\"status\":\"True\"},");
	buf_addf(&b, "{\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":\"%s\"}]}}",
	         ready ? "True" : "False", stamp);
	sim_patch(w->api, pod, b.data);
}

static bool gates_pass(const struct sim_object *pod)
{
	const struct cJSON *it;

	json_for_each (it, json_path(pod->json, "spec", "readinessGates", NULL))
		if (!condition(pod, json_str(it, "conditionType")))
			return false;
	return true;
}

/* A kubelet's next act for one of its pods; may take the pod away. */
static void tick_pod(struct world *w, struct sim_object *pod)
{
	int64_t now = clock_mono_ms();

	if (!json_str(json_get(pod->json, "spec"), "nodeName"))
		return;
	if (!pod->world.due_ms) {
		pod->world.due_ms =
			now + (deleting(pod) ? GRACE_MS : draw(w, w->load_ms / 2, w->load_ms));
		return;
	}
	if (deleting(pod)) {
		if (now >= pod->world.due_ms)
			sim_remove(w->api, pod);
		return;
	}
	if (!running(pod)) {
		if (now < pod->world.due_ms)
			return;
		pod->world.number = ++w->serial;
		set_pod_status(w, pod, gates_pass(pod));
	} else if (gates_pass(pod) != condition(pod, "Ready")) {
		set_pod_status(w, pod, gates_pass(pod));
	}
}

/* --- ReplicaSets --------------------------------------------------------------------------- */

static bool owns(const struct sim_object *rs, const struct sim_object *pod)
{
	return str_eq(
		json_str(json_first(json_path(pod->json, "metadata", "ownerReferences", NULL)),
	                 "uid"),
		rs->uid);
}

static void create_pod(struct world *w, const struct sim_object *rs)
{
	const struct cJSON *template = json_path(rs->json, "spec", "template", NULL), *it;
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
	jw_value(&j, "spec", json_get(template, "spec"));
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
		if (owns(rs, p) && !deleting(p) &&
		    (!worst || deletion_rank(p) <= deletion_rank(worst)))
			worst = p;
	if (worst)
		sim_delete(w->api, worst);
}

/* Most ticks find nothing new, and a write that changes nothing costs as much as one that does. */
static void set_replicaset_status(struct world *w, struct sim_object *rs, int64_t have,
                                  int64_t ready)
{
	const struct cJSON *status = json_get(rs->json, "status");
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

static void tick_replicaset(struct world *w, struct sim_object *rs)
{
	int64_t want = json_i64(json_get(rs->json, "spec"), "replicas", 1), have = 0, ready = 0;

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p)) {
		have += owns(rs, p) && !deleting(p);
		ready += owns(rs, p) && world_pod_ready(p);
	}
	set_replicaset_status(w, rs, have, ready);
	for (; have < want; have++)
		create_pod(w, rs);
	for (; have > want; have--)
		delete_one(w, rs);
}

/* --- gateway ------------------------------------------------------------------------------- */

unsigned world_backends(const struct sim_object *route, struct world_backend *out)
{
	const struct cJSON *rule = NULL, *it;
	unsigned n = 0;

	json_for_each (it, json_path(route->json, "spec", "rules", NULL))
		rule = it; /* the last one has no header matches */
	json_for_each (it, json_get(rule, "backendRefs")) {
		if (n == WORLD_BACKENDS_MAX)
			break;
		str_copy(out[n].service, sizeof(out[n].service), str_or(json_str(it, "name"), ""));
		out[n++].weight = json_i64(it, "weight", 1);
	}
	return n;
}

static void accept_route(struct world *w, struct sim_object *route)
{
	const struct cJSON *parent = json_first(json_path(route->json, "spec", "parentRefs", NULL));
	cleanup_buf struct buf b;
	struct json_writer j;

	buf_init(&b, SIM_TEXT_MAX);
	jw_init(&j, &b);
	jw_object(&j, NULL);
	jw_object(&j, "status");
	jw_array(&j, "parents");
	jw_object(&j, NULL);
	jw_value(&j, "parentRef", parent);
	jw_str(&j, "controllerName", "sim/gateway");
	jw_array(&j, "conditions");
	for (int i = 0; i < 2; i++) {
		jw_object(&j, NULL);
		jw_str(&j, "type", i ? "ResolvedRefs" : "Accepted");
		jw_str(&j, "status", "True");
		jw_str(&j, "reason", i ? "ResolvedRefs" : "Accepted");
		jw_i64(&j, "observedGeneration", route->generation);
		jw_end_object(&j);
	}
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_array(&j);
	jw_end_object(&j);
	jw_end_object(&j);
	jw_end(&j);
	sim_patch(w->api, route, b.data);
}

/* What was written takes force at the gateway after a while, and its status says so then. */
static void tick_route(struct world *w, struct sim_object *route)
{
	struct sim_attached *a = &route->world;
	int64_t now = clock_mono_ms();

	if (a->seen != (unsigned)route->generation) {
		a->seen = (unsigned)route->generation;
		a->due_ms = now + draw(w, 0, 1500);
	}
	if (a->in_force == a->seen || now < a->due_ms)
		return;
	a->in_force = a->seen;
	w->nin_force = world_backends(route, w->in_force);
	accept_route(w, route);
}

/* --- users --------------------------------------------------------------------------------- */

static bool behind(const struct sim_object *service, const struct sim_object *pod)
{
	const struct cJSON *it;

	json_for_each (it, json_path(service->json, "spec", "selector", NULL))
		if (!str_eq(label(pod, json_key(it)), json_value_str(it)))
			return false;
	return world_pod_ready(pod);
}

unsigned world_endpoints(struct world *w, const struct sim_object *service)
{
	unsigned n = 0;

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		n += behind(service, p);
	return n;
}

static double error_share(const struct world *w, const struct sim_object *pod)
{
	const char *version = json_str(json_path(pod->json, "metadata", "annotations", NULL),
	                               TG_ANN_MODEL_VERSION);

	return str_eq(version, "2") ? w->bad_share : 0;
}

static void send_requests(struct world *w, const struct world_backend *b, double n)
{
	const struct sim_object *service = sim_get(w->api, SIM_SERVICE, NULL, b->service);
	unsigned endpoints = service ? world_endpoints(w, service) : 0;

	w->requests += n;
	if (!endpoints) {
		w->lost += n;
		return;
	}
	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p)) {
		if (!behind(service, p))
			continue;
		p->world.requests += n / endpoints;
		p->world.errors += n / endpoints * error_share(w, p);
	}
}

static void tick_traffic(struct world *w)
{
	double n = (double)w->rate * WORLD_TICK_MS / 1000.0;
	int64_t sum = 0;

	for (unsigned i = 0; i < w->nin_force; i++)
		sum += w->in_force[i].weight;
	for (unsigned i = 0; sum && i < w->nin_force; i++)
		if (w->in_force[i].weight)
			send_requests(w, &w->in_force[i],
			              n * (double)w->in_force[i].weight / (double)sum);
}

/* The model server of the pod at that address: Triton's answers. */
bool world_answer(struct world *w, const char *url, struct buf *out)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, ":/");

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p)) {
		const char *ip = json_str(json_get(p->json, "status"), "podIP");

		if (!ip || strlen(ip) != n || strncmp(ip, host, n) != 0)
			continue;
		if (str_ends(url, "/metrics"))
			buf_addf(out,
			         "nv_inference_request_success{model=\"ranker\"} %.0f\n"
			         "nv_inference_request_failure{model=\"ranker\"} %.0f\n",
			         p->world.requests - p->world.errors, p->world.errors);
		return true;
	}
	return false;
}

void world_tick(struct world *w)
{
	struct sim_object *o, *next;

	for (o = sim_next(w->api, SIM_REPLICASET, NULL); o; o = sim_next(w->api, SIM_REPLICASET, o))
		tick_replicaset(w, o);
	for (o = sim_next(w->api, SIM_POD, NULL); o; o = next) {
		next = sim_next(w->api, SIM_POD, o);
		tick_pod(w, o);
	}
	for (o = sim_next(w->api, SIM_ROUTE, NULL); o; o = sim_next(w->api, SIM_ROUTE, o))
		tick_route(w, o);
	tick_traffic(w);
}
