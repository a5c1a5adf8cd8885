/*
 * `tidegate import`: manifests of other controllers become ModelDeployments.
 *
 * The reading side marks each field that something is made of as taken. What is left untaken in an
 * object that was converted is told with its path and the way out, so nothing is dropped in
 * silence: not even a field that nobody here has heard of.
 *
 * Ownership: everything lives in the arena of struct import. Units: milliseconds.
 */
#ifndef TIDEGATE_CLI_IMPORT_H
#define TIDEGATE_CLI_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/scorepolicy.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/json.h"

#define IMPORT_STEPS_MAX 64 /* more than the schema allows: it is the one that refuses */

struct import_object {
	const char *file, *prefix; /* as in struct manifest */
	const struct buf *text;
	unsigned line;
	const char *api_version, *kind, *name, *namespace; /* "" when missing */
	const struct json *json;
	bool converted;
};

/* `fatal`: nothing is made of the object. */
struct import_note {
	const struct import_object *of;
	const char *path, *message;
	bool fatal;
};

/* What the command line says; NULL: not said. */
struct import_options {
	const char *name, *preset, *container, *model_name, *model_version, *http_route;
	bool take_over;
};

struct import {
	struct arena a;
	const struct import_options *options;
	struct import_object *objects;
	size_t nobjects, objects_cap;
	/* Of the object that is being converted: */
	struct import_note *notes;
	size_t nnotes, notes_cap;
	const struct json **taken;
	size_t ntaken, taken_cap;
	bool failed;
};

/* --- import_source.c ------------------------------------------------------------------------- */

int import_load(struct import *im, const char *path, struct err *err);
void import_release(struct import *im);

/* NULL when it is not among what was given. An empty namespace is the same as any. */
struct import_object *import_find(struct import *im, const char *kind, const char *namespace,
                                  const char *name);
/* The member, marked as taken; NULL when it is missing. */
const struct json *import_take(struct import *im, const struct json *o, const char *key);
const char *import_take_str(struct import *im, const struct json *o, const char *key);
int64_t import_take_i64(struct import *im, const struct json *o, const char *key, int64_t fallback);
bool import_take_bool(struct import *im, const struct json *o, const char *key, bool fallback);
bool import_is_taken(const struct import *im, const struct json *v);

/* path may be NULL: of the object as a whole. */
void import_note(struct import *im, const struct import_object *of, const char *path,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void import_refuse(struct import *im, const struct import_object *of, const char *path,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Notes all that is untaken below spec. */
void import_note_rest(struct import *im, const struct import_object *of);

/* --- what is made ---------------------------------------------------------------------------- */

struct import_audience {
	const char *header, *cookie; /* one of them */
	const char *exact, *regex;   /* one of them */
};

struct import_step {
	int weight; /* -1: as before */
	int64_t hold_ms, analysis_ms;
	bool approval;
	int capacity; /* 0: as before */
	bool capacity_percent;
	const struct import_audience *audience;
	unsigned naudience;
	int mirror; /* percent; 0: none */
};

struct import_policy {
	const char *name; /* NULL: none is needed */
	const char *url;
	int64_t interval_ms;
	int failures;           /* 0: not said */
	double max_errors;      /* share; NaN: not said */
	int64_t max_latency_ms; /* of 99 %; 0: not said */
	struct scorepolicy_metric metrics[SCOREPOLICY_METRICS_MAX];
	unsigned nmetrics;
};

struct import_model {
	const struct import_object *source;
	const char *name, *namespace;
	const struct json *labels, *annotations;
	int64_t replicas, history; /* -1: not said */
	bool paused;

	const char *take_over; /* Deployment whose place it takes; NULL */
	const struct import_object *template_of;
	const char *template_path; /* "spec.template" */
	const struct json *template;
	const char *preset, *container; /* container: its name in the template */
	const char *model_name, *model_version, *version_from;
	int port;

	const struct json *max_surge, *max_unavailable;
	int64_t deadline_ms, warmup_ms, drain_ms; /* 0: not said */
	struct import_step steps[IMPORT_STEPS_MAX];
	unsigned nsteps;

	enum mdep_traffic traffic;
	const char *route, *http_route, *annotation_prefix;
	const struct json *parent_refs, *hosts; /* given: the route is Tidegate's */
	int service_port;                       /* 0: not said */

	struct import_policy policy;
};

/* Something counts the requests of these pods, or a query does. */
bool import_is_measured(const struct import_model *m);

/* --- import_pods.c: container, image, ports, cards ------------------------------------------- */

/* Sets template, preset, container, model and port. Services are looked for by `service` first
 * (may be NULL), then by their selector. */
void import_pods(struct import *im, struct import_model *m, const struct import_object *of,
                 const char *path, const struct json *template, const char *service);
/* The members runtime, gpu, template and placement of spec. */
void import_pods_write(const struct import_model *m, struct json_writer *w);

/* --- import_steps.c -------------------------------------------------------------------------- */

struct import_step *import_step_add(struct import_model *m);
/* A step's header or cookie by a pattern as Argo and Flagger write it: {exact|prefix|regex}. NULL
 * when it is none of them. */
const struct import_audience *import_audience(struct import *im, const char *header,
                                              const struct json *match);
/* What a step asks for and the driver cannot is taken out, with a note. */
void import_steps_fit(struct import *im, struct import_model *m, const char *path);

/* --- one file a kind; each fills m, and notes or refuses what it cannot ------------------------
 */

void import_deployment(struct import *im, struct import_object *o, struct import_model *m);
void import_rollout(struct import *im, struct import_object *o, struct import_model *m);
void import_canary(struct import *im, struct import_object *o, struct import_model *m);

/* What Deployments and Rollouts share: replicas, history, paused, deadline, minReadySeconds. */
void import_workload(struct import *im, const struct json *spec, struct import_model *m);
/* The Deployment's pods, and its bounds unless m has its own. */
void import_deployment_pods(struct import *im, struct import_object *o, struct import_model *m,
                            const char *service);

/* --- import_metrics.c ------------------------------------------------------------------------ */

/* The metrics of an analysis of Argo Rollouts, {templates, args} at `path` of o. Returns how long
 * it takes, 0 when that cannot be told. */
int64_t import_analysis(struct import *im, struct import_object *o, const char *path,
                        const struct json *analysis, struct import_model *m);
/* spec.analysis.metrics of a Flagger Canary. */
void import_canary_metrics(struct import *im, struct import_object *o, const struct json *analysis,
                           struct import_model *m);
/* "5m", 300 or "300": as Argo and Flagger write a time. False when it is none. */
bool import_duration(const struct json *v, int64_t *ms);

/* --- import_write.c -------------------------------------------------------------------------- */

/* One document each, without "---". -1: too large. */
int import_write_model(const struct import_model *m, struct buf *json);
int import_write_policy(const struct import_model *m, struct buf *json);
/* An autoscaler with another target. */
int import_write_scaler(const struct import_object *hpa, const struct import_model *m,
                        struct buf *json);
void import_write_meta(struct json_writer *w, const char *name, const char *namespace,
                       const struct json *labels, const struct json *annotations);

#endif
