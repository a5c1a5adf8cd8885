#include "tidegate/api/zoneshift.h"

#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

static const char *const condition_names[ZONESHIFT_CONDITIONS] = {
	[ZONESHIFT_READY] = "Ready",
	[ZONESHIFT_RECONCILING] = "Reconciling",
	[ZONESHIFT_STALLED] = "Stalled",
};

const char *zoneshift_condition_name(enum zoneshift_condition c)
{
	return condition_names[c];
}

static void problem(struct zoneshift *z, const char *path, const char *text)
{
	if (z->problem)
		return;
	z->problem_path = path;
	z->problem = text;
}

/* --- spec -------------------------------------------------------------------------------- */

static void read_zone(const struct json *spec, struct zoneshift *z)
{
	z->zone = json_str(spec, "zone");
	if (!z->zone || !str_is_dns_label(z->zone))
		problem(z, "spec.zone",
		        "must be a zone's name: lower-case letters, digits and "
		        "'-', at most 63");
	z->reason = json_str(spec, "reason");
}

static void read_namespaces(const struct json *list, struct arena *a, struct zoneshift *z)
{
	const char **out = arena_array(a, json_size(list), sizeof(*out));
	const struct json *it;

	z->namespaces = out;
	json_for_each (it, list) {
		if (!str_empty(json_value_str(it)))
			out[z->nnamespaces++] = json_value_str(it);
		else
			problem(z, "spec.selector.namespaces", "must be a list of names");
	}
}

static void check_labels(const struct json *map, struct zoneshift *z)
{
	const struct json *it;

	json_for_each (it, map)
		if (!json_value_str(it))
			problem(z, "spec.selector.matchLabels", "must be a map of texts");
}

/* A selector that is not understood must not select more than was meant. */
static void read_selector(const struct json *spec, struct arena *a, struct zoneshift *z)
{
	const struct json *o = json_get(spec, "selector"), *it;
	const struct json *spaces = json_get(o, "namespaces"), *labels = json_get(o, "matchLabels");

	if (json_has(spec, "selector") && !json_is_object(o))
		problem(z, "spec.selector", "must be an object");
	json_for_each (it, json_is_object(o) ? o : NULL)
		if (!str_eq(json_key(it), "namespaces") && !str_eq(json_key(it), "matchLabels"))
			problem(z, "spec.selector", "knows namespaces and matchLabels only");
	if (json_has(o, "namespaces") &&
	    (!json_is_array(spaces) || json_size(spaces) > ZONESHIFT_NAMESPACES_MAX))
		problem(z, "spec.selector.namespaces", "must be a list of at most 64 names");
	else
		read_namespaces(spaces, a, z);
	if (json_has(o, "matchLabels") &&
	    (!json_is_object(labels) || json_size(labels) > ZONESHIFT_LABELS_MAX)) {
		problem(z, "spec.selector.matchLabels", "must be a map of at most 16 labels");
		return;
	}
	check_labels(labels, z);
	z->labels = labels_decode(a, labels, NULL, &z->nlabels);
}

static void read_end(const struct json *spec, int64_t created_ms, struct zoneshift *z)
{
	const char *duration = json_str(spec, "duration"), *at = json_str(spec, "expiresAt");
	struct err err = ERR_INIT;
	int64_t ms = 0;

	if (json_has(spec, "duration") == json_has(spec, "expiresAt")) {
		problem(z, "spec", "needs an end: one of duration and expiresAt");
	} else if (json_has(spec, "duration")) {
		if (!duration || duration_parse(duration, &ms, &err) || ms < ZONESHIFT_MIN_MS ||
		    ms > ZONESHIFT_MAX_MS)
			problem(z, "spec.duration", "must be a duration from 10s to 168h");
		z->until_ms = created_ms + ms;
	} else if (!at || clock_parse(at, &z->until_ms)) {
		problem(z, "spec.expiresAt", "must be a time such as 2026-12-01T08:00:00Z");
	} else if (created_ms && z->until_ms > created_ms + ZONESHIFT_MAX_MS) {
		problem(z, "spec.expiresAt", "must be at most 168h after its creation");
	}
}

void zoneshift_read(const struct json *json, struct arena *a, struct zoneshift *z)
{
	const struct json *spec = json_get(json, "spec");
	int64_t created_ms = json_time(json_get(json, "metadata"), "creationTimestamp");

	if (!json_is_object(spec))
		problem(z, "spec", "must be an object");
	read_zone(spec, z);
	read_selector(spec, a, z);
	read_end(spec, created_ms, z);
}

bool zoneshift_holds(const struct zoneshift *z, int64_t now_ms)
{
	return !z->problem && !z->meta.deleted_ms && z->until_ms > now_ms;
}

/* --- whom it is about -------------------------------------------------------------------- */

static bool names_namespace(const struct zoneshift *z, const char *namespace)
{
	for (unsigned i = 0; i < z->nnamespaces; i++)
		if (str_eq(z->namespaces[i], namespace))
			return true;
	return !z->nnamespaces;
}

static bool has_zone(const struct mdep *m, const char *zone)
{
	for (unsigned i = 0; i < m->nzones; i++)
		if (str_eq(m->zones[i].name, zone))
			return true;
	return false;
}

bool zoneshift_matches(const struct zoneshift *z, const struct mdep *m)
{
	if (m->meta.deleted_ms || !has_zone(m, z->zone) || !names_namespace(z, m->meta.namespace))
		return false;
	for (unsigned i = 0; i < z->nlabels; i++)
		if (!str_eq(label_get(m->labels, m->nlabels, z->labels[i].key), z->labels[i].value))
			return false;
	return true;
}

/* --- kind -------------------------------------------------------------------------------- */

struct draft {
	const struct json *json;
	struct zoneshift z;
};

static void read_status(const struct json *status, struct zoneshift *z)
{
	const struct json *list = json_get(status, "conditions");

	z->said.generation = json_i64(status, "observedGeneration", 0);
	z->said.until_ms = json_time(status, "expiresAt");
	z->said.matched = json_int(status, "matched", -1);
	z->said.evacuated = json_int(status, "evacuated", -1);
	z->said.refused = json_int(status, "refused", -1);
	z->said.phase = json_str(status, "phase");
	z->said.reason = json_str(json_condition(list, "Ready"), "reason");
	z->said.message = json_str(json_condition(list, "Ready"), "message");
	for (int i = 0; i < ZONESHIFT_CONDITIONS; i++) {
		const struct json *c = json_condition(list, condition_names[i]);

		z->said.status[i] = json_str(c, "status");
		z->said.since_ms[i] = json_time(c, "lastTransitionTime");
	}
}

static const char *const *pack_texts(struct packer *k, const char *const *v, unsigned n)
{
	const char **out = n ? pack_array(k, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		const char *s = pack_name(k, v[i]);

		if (out)
			out[i] = s;
	}
	return out;
}

static void zoneshift_fill(void *obj, struct packer *k, const void *ctx)
{
	const struct draft *d = ctx;
	struct zoneshift *z = obj;

	*z = d->z;
	object_meta_fill(&z->meta, k, d->json);
	z->zone = pack_str(k, d->z.zone);
	z->reason = pack_str(k, d->z.reason);
	z->namespaces = pack_texts(k, d->z.namespaces, d->z.nnamespaces);
	z->labels = pack_labels(k, d->z.labels, d->z.nlabels);
	z->problem_path = pack_str(k, d->z.problem_path);
	z->problem = pack_str(k, d->z.problem);
	z->said.phase = pack_name(k, d->z.said.phase);
	z->said.reason = pack_name(k, d->z.said.reason);
	z->said.message = pack_str(k, d->z.said.message);
	for (int i = 0; i < ZONESHIFT_CONDITIONS; i++)
		z->said.status[i] = pack_name(k, d->z.said.status[i]);
}

static struct object *zoneshift_decode(const struct json *json, struct arena *scratch,
                                       struct err *err)
{
	struct draft *d = arena_alloc(scratch, sizeof(*d));

	if (object_meta_check(json, err))
		return NULL;
	d->json = json;
	zoneshift_read(json, scratch, &d->z);
	read_status(json_get(json, "status"), &d->z);
	return object_pack(sizeof(d->z), zoneshift_fill, d);
}

static bool zoneshift_same(const struct object *a, const struct object *b)
{
	return meta_same(a, b) && a->generation == b->generation;
}

const struct object_kind zoneshift_kind = {
	.kind = "ZoneShift",
	.api = TG_API_PATH,
	.resource = "zoneshifts",
	.cluster_scoped = true,
	.decode = zoneshift_decode,
	.same = zoneshift_same,
};
