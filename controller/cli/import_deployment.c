/* Deployment (apps/v1): a release without steps, as it was. */
#include "import.h"

#include "tidegate/base/str.h"

#define HISTORY_MAX 10

void import_workload(struct import *im, const struct json *spec, struct import_model *m)
{
	m->replicas = import_take_i64(im, spec, "replicas", -1);
	m->history = import_take_i64(im, spec, "revisionHistoryLimit", -1);
	if (m->history > HISTORY_MAX)
		m->history = HISTORY_MAX;
	m->paused = import_take_bool(im, spec, "paused", false);
	m->deadline_ms = 1000 * import_take_i64(im, spec, "progressDeadlineSeconds", 0);
	m->warmup_ms = 1000 * import_take_i64(im, spec, "minReadySeconds", 0);
	/* Tidegate's own labels take its place; those of the template stay on the pods. */
	import_take(im, spec, "selector");
}

static void read_strategy(struct import *im, struct import_object *o, struct import_model *m)
{
	const struct json *strategy = json_path(o->json, "spec", "strategy", NULL);
	const struct json *rolling = json_get(strategy, "rollingUpdate");

	if (str_eq(import_take_str(im, strategy, "type"), "Recreate"))
		import_note(
			im, o, "spec.strategy.type",
			"Recreate: two versions serve side by side for a while; with maxSurge: 0 "
			"pods are at least swapped in place");
	if (!m->max_surge)
		m->max_surge = import_take(im, rolling, "maxSurge");
	if (!m->max_unavailable)
		m->max_unavailable = import_take(im, rolling, "maxUnavailable");
}

void import_deployment_pods(struct import *im, struct import_object *o, struct import_model *m,
                            const char *service)
{
	const struct json *spec = json_get(o->json, "spec"), *template;

	if (im->options->take_over)
		m->take_over = o->name;
	template = import_take(im, spec, "template");
	if (template)
		import_pods(im, m, o, "spec.template", template, service);
	else
		import_refuse(im, o, "spec.template", "is required");
}

void import_deployment(struct import *im, struct import_object *o, struct import_model *m)
{
	import_workload(im, json_get(o->json, "spec"), m);
	read_strategy(im, o, m);
	import_deployment_pods(im, o, m, NULL);
}
