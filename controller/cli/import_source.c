#include "import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "manifest.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define MESSAGE_MAX 320

/* --- objects -----------------------------------------------------------------------------------
 */

static const struct buf *keep_text(struct import *im, const struct manifest *m)
{
	const struct import_object *last = im->nobjects ? &im->objects[im->nobjects - 1] : NULL;
	struct buf *text;

	if (last && last->file == m->file)
		return last->text;
	text = arena_alloc(&im->a, sizeof(*text));
	text->data = arena_strndup(&im->a, m->text->data, m->text->len);
	text->len = m->text->len;
	return text;
}

static void keep(void *arg, const struct manifest *m)
{
	struct import *im = arg;
	const struct json *meta;
	struct import_object *o;
	cleanup_buf struct buf json;

	if (im->nobjects == im->objects_cap) {
		im->objects_cap = im->objects_cap ? 2 * im->objects_cap : 32;
		im->objects = xreallocarray(im->objects, im->objects_cap, sizeof(*im->objects));
	}
	buf_init(&json, (size_t)1 << 30);
	json_write_value(&json, m->json);
	o = &im->objects[im->nobjects];
	*o = (struct import_object){
		.file = m->file,
		.prefix = arena_strdup(&im->a, m->prefix),
		.text = keep_text(im, m),
		.line = m->line,
		.json = json_parse(&im->a, json.data, json.len, NULL),
	};
	meta = json_get(o->json, "metadata");
	o->api_version = str_or(json_str(o->json, "apiVersion"), "");
	o->kind = str_or(json_str(o->json, "kind"), "");
	o->name = str_or(json_str(meta, "name"), "");
	o->namespace = str_or(json_str(meta, "namespace"), "");
	im->nobjects++;
}

int import_load(struct import *im, const char *path, struct err *err)
{
	return manifest_each(path, keep, im, err);
}

void import_release(struct import *im)
{
	arena_release(&im->a);
	free(im->objects);
	free(im->notes);
	free(im->taken);
}

struct import_object *import_find(struct import *im, const char *kind, const char *namespace,
                                  const char *name)
{
	for (size_t i = 0; i < im->nobjects; i++) {
		struct import_object *o = &im->objects[i];

		if (str_eq(o->kind, kind) && str_eq(o->name, name) &&
		    (!*o->namespace || str_empty(namespace) || str_eq(o->namespace, namespace)))
			return o;
	}
	return NULL;
}

/* --- what is taken ------------------------------------------------------------------------------
 */

bool import_is_taken(const struct import *im, const struct json *v)
{
	for (size_t i = 0; i < im->ntaken; i++)
		if (im->taken[i] == v)
			return true;
	return false;
}

const struct json *import_take(struct import *im, const struct json *o, const char *key)
{
	const struct json *v = json_get(o, key);

	if (!v)
		return NULL;
	if (im->ntaken == im->taken_cap) {
		im->taken_cap = im->taken_cap ? 2 * im->taken_cap : 64;
		im->taken = xreallocarray(im->taken, im->taken_cap, sizeof(*im->taken));
	}
	im->taken[im->ntaken++] = v;
	return v;
}

const char *import_take_str(struct import *im, const struct json *o, const char *key)
{
	return json_value_str(import_take(im, o, key));
}

int64_t import_take_i64(struct import *im, const struct json *o, const char *key, int64_t fallback)
{
	return json_value_i64(import_take(im, o, key), fallback);
}

bool import_take_bool(struct import *im, const struct json *o, const char *key, bool fallback)
{
	return json_value_bool(import_take(im, o, key), fallback);
}

/* --- notes
 * ---------------------------------------------------------------------------------------- */

static void add_note(struct import *im, const struct import_object *of, const char *path,
                     bool fatal, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX];

	vsnprintf(message, sizeof(message), fmt, ap);
	path = str_or(path, "");
	for (size_t i = 0; i < im->nnotes; i++)
		if (im->notes[i].of == of && str_eq(im->notes[i].path, path) &&
		    str_eq(im->notes[i].message, message))
			return;
	if (im->nnotes == im->notes_cap) {
		im->notes_cap = im->notes_cap ? 2 * im->notes_cap : 16;
		im->notes = xreallocarray(im->notes, im->notes_cap, sizeof(*im->notes));
	}
	im->notes[im->nnotes++] = (struct import_note){.of = of,
	                                               .path = arena_strdup(&im->a, path),
	                                               .message = arena_strdup(&im->a, message),
	                                               .fatal = fatal};
	im->failed |= fatal;
}

void import_note(struct import *im, const struct import_object *of, const char *path,
                 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(im, of, path, false, fmt, ap);
	va_end(ap);
}

void import_refuse(struct import *im, const struct import_object *of, const char *path,
                   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_note(im, of, path, true, fmt, ap);
	va_end(ap);
}

/* --- the rest
 * ------------------------------------------------------------------------------------- */

/* Fields that are known to have no equal, and what to do about it. "[]" is any index. */
static const struct {
	const char *kind, *path, *way;
} ways[] = {
	{"Rollout", "spec.analysis",
         "Tidegate keeps no analysis runs: results are in status.score and events"},
	{"Rollout", "spec.restartAt",
         "change an annotation in spec.template: that is a release as any other"},
	{"Rollout", "spec.rollbackWindow",
         "counts revisions; strategy.undoWindow is a time within which the way back takes no "
         "steps"},
	{"Rollout", "spec.strategy.canary.antiAffinity",
         "write the affinity in spec.template, or set placement.maxPerNode"},
	{"Rollout", "spec.strategy.canary.canaryMetadata",
         "pods of a revision carry the label serving.tidegate.io/revision; use that"},
	{"Rollout", "spec.strategy.canary.stableMetadata",
         "pods of a revision carry the label serving.tidegate.io/revision; use that"},
	{"Rollout", "spec.strategy.canary.scaleDownDelayRevisionLimit",
         "no idle pods are kept: old pods go when strategy.drain is over"},
	{"Rollout", "spec.strategy.canary.abortScaleDownDelaySeconds",
         "after an abort new pods go as soon as traffic has left them and strategy.drain is over"},
	{"Rollout", "spec.strategy.canary.minPodsPerReplicaSet",
         "a side with traffic always keeps a ready pod; for more give steps[].capacity"},
	{"Rollout", "spec.strategy.canary.replicaProgressThreshold",
         "a step is reached when its pods are in service; raise strategy.maxUnavailable"},
	{"Rollout", "spec.strategy.canary.steps[].experiment",
         "the judge compares new and stable pods in every release; mirror gives it traffic"},
	{"Rollout", "spec.strategy.canary.steps[].plugin",
         "let an approval step wait for what the plugin did, and promote from there"},
	{"Rollout", "spec.strategy.canary.steps[].setMirrorRoute.match",
         "steps[].mirror copies from all requests"},
	{"Rollout", "spec.strategy.canary.steps[].replicaProgressThreshold",
         "a step is reached when its pods are in service; raise strategy.maxUnavailable"},
	{"Rollout", "spec.strategy.canary.trafficRouting.maxTrafficWeight",
         "weights are percent of 100"},
	{"Rollout", "spec.strategy.canary.trafficRouting.nginx.additionalIngressAnnotations",
         "annotations of the canary Ingress are Tidegate's"},
	{"Rollout", "spec.strategy.canary.trafficRouting.nginx.canaryIngressAnnotations",
         "annotations of the canary Ingress are Tidegate's; an audience is steps[].audience"},
	{"Rollout", "spec.strategy.blueGreen.antiAffinity",
         "write the affinity in spec.template, or set placement.maxPerNode"},
	{"Rollout", "spec.strategy.blueGreen.activeMetadata",
         "pods of a revision carry the label serving.tidegate.io/revision; use that"},
	{"Rollout", "spec.strategy.blueGreen.previewMetadata",
         "pods of a revision carry the label serving.tidegate.io/revision; use that"},
	{"Rollout", "spec.strategy.blueGreen.scaleDownDelayRevisionLimit",
         "no idle pods are kept: old pods go when strategy.drain is over"},
	{"Rollout", "spec.strategy.blueGreen.abortScaleDownDelaySeconds",
         "after an abort new pods go as soon as traffic has left them and strategy.drain is over"},
	{"Rollout", "spec.strategy.blueGreen.postPromotionAnalysis",
         "give spec.slo objectives: slo.bake watches them after a promotion, with a way back"},
	{"Canary", "spec.analysis.webhooks[]",
         "Tidegate calls no hooks: let an approval step wait, and promote from your pipeline"},
	{"Canary", "spec.analysis.alerts[]",
         "watch the events and conditions of the ModelDeployment"},
	{"Canary", "spec.analysis.sessionAffinity",
         "an audience keeps users in: steps[].audience.bucket by a hash that the edge sets"},
	{"Canary", "spec.analysis.stepWeightPromotion",
         "after the last step all traffic moves as new pods become ready"},
	{"Canary", "spec.analysis.primaryReadyThreshold",
         "a step is reached when its pods are in service; raise strategy.maxUnavailable"},
	{"Canary", "spec.analysis.canaryReadyThreshold",
         "a step is reached when its pods are in service; raise strategy.maxUnavailable"},
	{"Canary", "spec.analysis.match[].sourceLabels",
         "audiences go by headers and cookies; let the caller set a header"},
	{"Canary", "spec.revertOnDeletion",
         "nothing is given back: the Deployment stays as it is until you scale it"},
	{"Canary", "spec.service.trafficPolicy",
         "keep a DestinationRule of your own for these hosts"},
	{"Canary", "spec.service.name", "--name sets the ModelDeployment's name and the Service's"},
	{"Canary", "spec.service.portDiscovery", "the Service has one port"},
	{"Canary", "spec.service.portName", "the Service's port is called http"},
	{"Canary", "spec.service.appProtocol", "the Service's port has none"},
	{"Canary", "spec.service.match",
         "make the route yourself with such a match and leave parentRefs or hosts out"},
	{"Canary", "spec.service.rewrite",
         "make the route yourself with such a filter and leave parentRefs or hosts out"},
	{"Canary", "spec.service.retries",
         "make the route yourself with retries and leave parentRefs or hosts out"},
	{"Canary", "spec.service.timeout",
         "make the route yourself with a timeout and leave parentRefs or hosts out"},
	{"Canary", "spec.service.headers",
         "make the route yourself with such a filter and leave parentRefs or hosts out"},
	{"Canary", "spec.service.corsPolicy",
         "make the route yourself with such a policy and leave parentRefs or hosts out"},
	{"Canary", "spec.service.apex",
         "label and annotate Services of your own beside Tidegate's"},
	{"Canary", "spec.service.primary",
         "label and annotate Services of your own beside Tidegate's"},
	{"Canary", "spec.service.canary",
         "label and annotate Services of your own beside Tidegate's"},
	{"AnalysisTemplate", "spec.dryRun", "leave out of the ScorePolicy what must not decide"},
	{"AnalysisTemplate", "spec.measurementRetention", "nothing is kept but the score"},
};

/* "a.b[12].c" fits "a.b[].c". */
static bool fits(const char *pattern, const char *path)
{
	while (*pattern && *pattern == *path) {
		if (*path == '[')
			path += strcspn(path, "]") - 1;
		pattern++;
		path++;
	}
	return !*pattern && !*path;
}

static const char *find_way(const struct import_object *of, const char *path)
{
	const char *kind =
		str_eq(of->kind, "ClusterAnalysisTemplate") ? "AnalysisTemplate" : of->kind;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (str_eq(ways[i].kind, kind) && fits(ways[i].path, path))
			return ways[i].way;
	return NULL;
}

static bool has_taken(const struct import *im, const struct json *v)
{
	const struct json *it;

	if (import_is_taken(im, v))
		return true;
	json_for_each (it, v)
		if (has_taken(im, it))
			return true;
	return false;
}

/* Lists and their elements member by member, because they may be of different sorts. */
static void walk(struct import *im, const struct import_object *of, const struct json *v,
                 const char *path)
{
	const char *way = find_way(of, path);
	bool element = json_is_object(v) && str_ends(path, "]");
	const struct json *it;
	unsigned i = 0;

	if (import_is_taken(im, v))
		return;
	if (way || (!json_is_array(v) && !element && !has_taken(im, v))) {
		import_note(im, of, path, "has no equal: %s",
		            str_or(way, "nothing was made of it"));
		return;
	}
	json_for_each (it, v) {
		walk(im, of, it,
		     json_is_array(v) ? arena_printf(&im->a, "%s[%u]", path, i)
		                      : arena_printf(&im->a, "%s.%s", path, json_key(it)));
		i++;
	}
}

void import_note_rest(struct import *im, const struct import_object *of)
{
	if (json_has(of->json, "spec"))
		walk(im, of, json_get(of->json, "spec"), "spec");
}
