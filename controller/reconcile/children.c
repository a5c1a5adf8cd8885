#include "tidegate/reconcile/children.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

static void write_cell(struct json_writer *w, const char *revision, const char *zone)
{
	if (!revision)
		return;
	jw_str(w, TG_LABEL_REVISION, revision);
	if (zone)
		jw_str(w, TG_LABEL_ZONE, *zone ? zone : "none");
}

/* Labels that say whose the object is; revision NULL = of no cell, zone NULL = of all zones. */
static void write_labels(struct json_writer *w, const char *key, const struct mdep *m,
                         const char *revision, const char *zone)
{
	jw_object(w, key);
	jw_str(w, TG_LABEL_MANAGED_BY, TG_MANAGED_BY);
	jw_str(w, TG_LABEL_NAME, m->meta.name);
	write_cell(w, revision, zone);
	jw_end_object(w);
}

static void write_selector(struct json_writer *w, const char *key, const struct mdep *m,
                           const char *revision, const char *zone, bool in_service)
{
	jw_object(w, key);
	jw_str(w, TG_LABEL_NAME, m->meta.name);
	write_cell(w, revision, zone);
	if (in_service)
		jw_str(w, TG_LABEL_IN_SERVICE, "true");
	jw_end_object(w);
}

int child_replicaset(const struct mdep *m, const struct child_cell *cell, struct buf *out,
                     struct err *err)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf template;
	struct json_writer w;

	arena_init(&a, 0);
	buf_init(&template, CHILD_BODY_MAX);
	if (child_template(m, cell->zone, &template, err))
		return -1;
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "apps/v1");
	jw_str(&w, "kind", "ReplicaSet");
	jw_object(&w, "metadata");
	jw_str(&w, "name", gateway_service_name(&a, m, m->revision, cell->zone));
	jw_str(&w, "namespace", str_nonempty(m->meta.namespace));
	write_labels(&w, "labels", m, m->revision, cell->zone);
	jw_object(&w, "annotations");
	jw_str(&w, TG_ANN_MODEL_VERSION, m->model.version);
	jw_str(&w, TG_ANN_MODEL_NAME, m->model.name);
	jw_str(&w, TG_ANN_RUNTIME, preset_get(m->runtime)->name);
	if (child_port(m))
		jw_strf(&w, TG_ANN_PORT, "%d", child_port(m));
	jw_str(&w, TG_ANN_METRICS_PATH, m->metrics_path);
	jw_strf(&w, TG_ANN_REVISION_NO, "%" PRId64, cell->revision_no);
	jw_strf(&w, TG_ANN_ASKED, "%d", cell->replicas);
	jw_strf(&w, TG_ANN_SPEC_WRITES, "%" PRId64, cell->spec_writes);
	jw_end_object(&w);
	mdep_owner_write(&w, m);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_i64(&w, "replicas", cell->replicas);
	jw_object(&w, "selector");
	write_selector(&w, "matchLabels", m, m->revision, cell->zone, false);
	jw_end_object(&w);
	jw_raw(&w, "template", template.data);
	jw_end_object(&w);
	jw_end_object(&w);
	if (jw_end(&w))
		return err_set(err, ERR_TOO_BIG, "ReplicaSet is larger than %zu bytes", out->max);
	return 0;
}

#define HASH_ZEROS  "0000000000000000"
#define HASH_DIGITS (sizeof(HASH_ZEROS) - 1)
#define HASH_KEY    "\"" TG_ANN_APPLY_HASH "\":\""

/* Zeros where seal() puts the hash. */
static void write_hash(struct json_writer *w)
{
	jw_object(w, "annotations");
	jw_str(w, TG_ANN_APPLY_HASH, HASH_ZEROS);
	jw_end_object(w);
}

/* The hash is of the text with zeros in its place: written once, most texts are only compared. */
static void seal(struct buf *out, uint64_t *hash)
{
	char digits[HASH_DIGITS + 1];

	*hash = str_hash(STR_HASH_SEED, out->data, out->len);
	snprintf(digits, sizeof(digits), "%016" PRIx64, *hash);
	memcpy(strstr(out->data, HASH_KEY) + strlen(HASH_KEY), digits, HASH_DIGITS);
}

/* Pods of one port are reached by its number: a user's template may have named it otherwise. */
static void write_target_port(struct json_writer *w, const struct mdep *m, int port)
{
	if (port == CHILD_PORT_BY_NAME)
		jw_str(w, "targetPort", CHILD_PORT_NAME);
	else
		jw_i64(w, "targetPort", port ? port : m->service_port);
}

static void write_port(struct json_writer *w, const struct mdep *m, const struct service_port *p,
                       int target)
{
	jw_object(w, NULL);
	if (p->plain)
		jw_str(w, "name", TG_PORT_NAME);
	else
		jw_strf(w, "name", TG_PORT_NAME "-%d", p->port);
	/* Or a gateway would speak HTTP/1.1 to the pods, by the port's name or by default. */
	if (m->traffic == TRAFFIC_GRPCROUTE)
		jw_str(w, "appProtocol", "kubernetes.io/h2c");
	jw_i64(w, "port", p->port);
	write_target_port(w, m, target);
	jw_str(w, "protocol", "TCP");
	jw_end_object(w);
}

static void write_ports(struct json_writer *w, const struct mdep *m, int target,
                        const struct child_ports *ports)
{
	struct child_ports one = {{{(uint16_t)m->service_port, true}}, 1};

	ports = ports ? ports : &one;
	jw_array(w, "ports");
	for (unsigned i = 0; i < ports->n; i++)
		write_port(w, m, &ports->v[i], target);
	jw_end_array(w);
}

/* Metadata of an object that is compared by the hash of its text. */
static void write_sealed_meta(struct json_writer *w, const struct mdep *m, const char *name,
                              const char *revision, const char *zone)
{
	jw_object(w, "metadata");
	jw_str(w, "name", name);
	jw_str(w, "namespace", str_nonempty(m->meta.namespace));
	write_labels(w, "labels", m, revision, zone);
	write_hash(w);
	mdep_owner_write(w, m);
	jw_end_object(w);
}

static int write_service_body(const struct mdep *m, const char *name, const char *revision,
                              const char *zone, int port, const struct child_ports *ports,
                              struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "v1");
	jw_str(&w, "kind", "Service");
	write_sealed_meta(&w, m, name, revision, zone);
	jw_object(&w, "spec");
	write_selector(&w, "selector", m, revision, zone, true);
	write_ports(&w, m, port, ports);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

static int write_service(const struct mdep *m, const char *name, const char *revision,
                         const char *zone, int port, const struct child_ports *ports,
                         struct buf *out, uint64_t *hash)
{
	if (write_service_body(m, name, revision, zone, port, ports, out))
		return -1;
	seal(out, hash);
	return 0;
}

int child_cell_service(const struct mdep *m, const char *revision, const char *zone, int port,
                       const struct child_ports *ports, struct buf *out, uint64_t *hash)
{
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	return write_service(m, gateway_service_name(&a, m, revision, zone), revision, zone, port,
	                     ports, out, hash);
}

int child_revision_service(const struct mdep *m, const char *revision, int port,
                           const struct child_ports *ports, struct buf *out, uint64_t *hash)
{
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	return write_service(m, gateway_service_name(&a, m, revision, ""), revision, NULL, port,
	                     ports, out, hash);
}

int child_front_service(const struct mdep *m, const char *revision, int port,
                        const struct child_ports *ports, struct buf *out, uint64_t *hash)
{
	return write_service(m, m->meta.name, revision, NULL, port, ports, out, hash);
}

/* Members that the selector is to lose. */
static void write_merged_selector(struct json_writer *w, const struct json *selector)
{
	static const char *const optional[] = {TG_LABEL_REVISION, TG_LABEL_ZONE};
	const struct json *it;

	jw_object(w, "selector");
	json_for_each (it, selector)
		jw_value(w, json_key(it), it);
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		if (!json_has(selector, optional[i]))
			jw_raw(w, optional[i], "null");
	jw_end_object(w);
}

/* Ports that somebody else added stay. */
static void write_merged_ports(struct json_writer *w, const struct service *have,
                               const struct json *ports)
{
	const struct json *it;

	jw_array(w, "ports");
	for (unsigned i = 0; i < have->nports; i++) {
		if (json_find_i64(ports, "port", have->ports[i].port))
			continue;
		jw_object(w, NULL);
		jw_str(w, "$patch", "delete");
		jw_i64(w, "port", have->ports[i].port);
		jw_end_object(w);
	}
	json_for_each (it, ports)
		jw_value(w, NULL, it);
	jw_end_array(w);
}

int child_service_patch(const struct service *have, const struct buf *body, struct buf *out)
{
	cleanup_arena struct arena a;
	const struct json *json, *spec;
	struct json_writer w;

	arena_init(&a, 0);
	json = json_parse(&a, body->data, body->len, NULL);
	spec = json_get(json, "spec");
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_value(&w, "metadata", json_get(json, "metadata"));
	jw_object(&w, "spec");
	write_merged_selector(&w, json_get(spec, "selector"));
	write_merged_ports(&w, have, json_get(spec, "ports"));
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

/* --- slow start -------------------------------------------------------------------------- */

/* As protobuf writes durations. */
static void write_seconds(struct json_writer *w, const char *key, int64_t ms)
{
	if (ms % 1000)
		jw_strf(w, key, "%" PRId64 ".%03" PRId64 "s", ms / 1000, ms % 1000);
	else
		jw_strf(w, key, "%" PRId64 "s", ms / 1000);
}

/* LEAST_REQUEST is Istio's default; only with it or ROUND_ROBIN a warm-up has effect. */
static void write_warmup(struct json_writer *w, const struct mdep *m)
{
	jw_object(w, "trafficPolicy");
	jw_object(w, "loadBalancer");
	jw_str(w, "simple", "LEAST_REQUEST");
	jw_object(w, "warmup");
	write_seconds(w, "duration", m->slow_start_ms);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

int child_slow_start(const struct mdep *m, const char *revision, const char *zone, struct buf *out,
                     uint64_t *hash)
{
	cleanup_arena struct arena a;
	struct json_writer w;
	const char *name;

	arena_init(&a, 0);
	name = gateway_service_name(&a, m, revision, zone);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "networking.istio.io/v1");
	jw_str(&w, "kind", "DestinationRule");
	write_sealed_meta(&w, m, name, revision, zone);
	jw_object(&w, "spec");
	jw_strf(&w, "host", GATEWAY_SERVICE_HOST, name, m->meta.namespace);
	write_warmup(&w, m);
	jw_end_object(&w);
	jw_end_object(&w);
	if (jw_end(&w))
		return -1;
	seal(out, hash);
	return 0;
}

/* --- disruption budget ------------------------------------------------------------------- */

static int write_budget_body(const struct mdep *m, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "policy/v1");
	jw_str(&w, "kind", "PodDisruptionBudget");
	write_sealed_meta(&w, m, m->meta.name, NULL, NULL);
	jw_object(&w, "spec");
	jw_i64(&w, "minAvailable", mdep_budget_min(m));
	/* A pod that serves nothing yet, or hangs, never holds up a drain. */
	jw_str(&w, "unhealthyPodEvictionPolicy", "AlwaysAllow");
	jw_object(&w, "selector");
	write_selector(&w, "matchLabels", m, NULL, NULL, true);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}

int child_disruption_budget(const struct mdep *m, struct buf *out, uint64_t *hash)
{
	if (write_budget_body(m, out))
		return -1;
	seal(out, hash);
	return 0;
}
