/* `tidegate import`: Rollouts, Canaries and Deployments become ModelDeployments, as YAML. */
#include "import.h"

#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "manifest.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"
#include "tidegate/base/yaml_write.h"

#define DOCUMENT_MAX ((size_t)4 << 20)

struct options {
	struct import_options import;
	struct import *im;
	bool help, failed;
	unsigned files;
};

/* --- what is said about an object
 * ------------------------------------------------------------------ */

static unsigned line_of(struct import *im, const struct import_object *o, const char *path)
{
	return yaml_line_of(o->text->data, o->text->len, o->line,
	                    arena_printf(&im->a, "%s%s", o->prefix, path));
}

static void print_notes(struct import *im)
{
	for (size_t i = 0; i < im->nnotes; i++) {
		const struct import_note *n = &im->notes[i];

		fprintf(stderr, "%s:%u: %s%s%s%s\n", n->of->file, line_of(im, n->of, n->path),
		        n->path, *n->path ? ": " : "", n->fatal ? "" : "warning: ", n->message);
	}
}

/* The same above what was made, for those who read the file later. */
static void print_header(struct import *im, const struct import_model *m)
{
	const struct import_object *o = m->source;

	printf("---\n# Made by `tidegate import` from %s %s (%s:%u).\n", o->kind, o->name, o->file,
	       o->line);
	printf("# placement.scheduler keeps the scheduler of the pods: without it Tidegate places "
	       "them.\n");
	if (m->version_from)
		printf("# model.version %s: give each version of the model its own.\n",
		       m->version_from);
	if (im->nnotes)
		printf("# To look at:\n");
	for (size_t i = 0; i < im->nnotes; i++) {
		const struct import_note *n = &im->notes[i];

		printf("# - %s %s%s%s: %s\n", n->of->kind, n->of->name, *n->path ? " " : "",
		       n->path, n->message);
	}
}

/* --- what is made of it
 * ---------------------------------------------------------------------------- */

static int print_document(struct import *im, const struct buf *json, struct err *err)
{
	const struct json *v = json_parse(&im->a, json->data, json->len, err);
	cleanup_buf struct buf text;

	buf_init(&text, DOCUMENT_MAX);
	if (!v || yaml_write(&text, v))
		return err_set(err, ERR_TOO_BIG, "an object is larger than %zu bytes", text.max);
	fputs(text.data, stdout);
	return 0;
}

/* What `tidegate validate` would say of it; lines are those of the YAML that is printed. */
static unsigned check(struct import *im, const struct import_model *m, const struct buf *json)
{
	const struct json *v = json_parse(&im->a, json->data, json->len, NULL);
	cleanup_buf struct buf text;
	struct manifest made = {.text = &text, .line = 1, .prefix = "", .json = v, .name = m->name};

	buf_init(&text, DOCUMENT_MAX);
	yaml_write(&text, v);
	made.file = arena_printf(&im->a, "%s: what %s %s became", m->source->file, m->source->kind,
	                         m->source->name);
	made.api_version = json_str(v, "apiVersion");
	made.kind = json_str(v, "kind");
	return manifest_is_mdep(&made) ? manifest_check_mdep(&made, stderr)
	                               : manifest_check_scorepolicy(&made, stderr);
}

/* Autoscalers of the source; spec.replicas is then theirs. */
static bool is_scaler_of(const struct import_object *hpa, const struct import_model *m)
{
	const struct json *ref = json_path(hpa->json, "spec", "scaleTargetRef", NULL);
	const char *kind = json_str(ref, "kind"), *name = json_str(ref, "name");

	return str_eq(hpa->kind, "HorizontalPodAutoscaler") &&
	       ((str_eq(kind, m->source->kind) && str_eq(name, m->source->name)) ||
	        (m->template_of && str_eq(kind, m->template_of->kind) &&
	         str_eq(name, m->template_of->name)));
}

static int print_scalers(struct import *im, const struct import_model *m, struct err *err)
{
	for (size_t i = 0; i < im->nobjects; i++) {
		cleanup_buf struct buf json;

		buf_init(&json, DOCUMENT_MAX);
		if (!is_scaler_of(&im->objects[i], m))
			continue;
		puts("---");
		if (import_write_scaler(&im->objects[i], m, &json) ||
		    print_document(im, &json, err))
			return err_set(err, ERR_TOO_BIG, "the autoscaler is too large");
	}
	return 0;
}

static int print_made(struct import *im, struct import_model *m, struct err *err)
{
	cleanup_buf struct buf model, policy;

	buf_init(&model, DOCUMENT_MAX);
	buf_init(&policy, DOCUMENT_MAX);
	if (import_write_model(m, &model) || (m->policy.name && import_write_policy(m, &policy)))
		return err_set(err, ERR_TOO_BIG, "what it became is larger than %zu bytes",
		               model.max);
	if (check(im, m, &model) + (m->policy.name ? check(im, m, &policy) : 0))
		return err_set(err, ERR_INVALID, "what it became is not valid, see above");
	print_header(im, m);
	if (m->policy.name) {
		if (print_document(im, &policy, err))
			return -1;
		puts("---");
	}
	return print_document(im, &model, err) || print_scalers(im, m, err) ? -1 : 0;
}

static const struct {
	const char *kind, *group;
	void (*read)(struct import *im, struct import_object *o, struct import_model *m);
} kinds[] = {
	{"Rollout", "argoproj.io/", import_rollout},
	{"Canary", "flagger.app/", import_canary},
	{"Deployment", "apps/", import_deployment},
};

static struct import_model *begin(struct import *im, const struct import_object *o)
{
	struct import_model *m = arena_alloc(&im->a, sizeof(*m));
	const struct json *meta = json_get(o->json, "metadata");

	*m = (struct import_model){
		.source = o,
		.name = str_or(im->options->name, o->name),
		.namespace = o->namespace,
		.labels = json_get(meta, "labels"),
		.annotations = json_get(meta, "annotations"),
		.replicas = -1,
		.history = -1,
		.traffic = im->options->http_route ? TRAFFIC_HTTPROUTE : TRAFFIC_NONE,
		.route = im->options->http_route,
		.policy.max_errors = NAN,
	};
	im->nnotes = 0;
	im->ntaken = 0;
	im->failed = false;
	return m;
}

static int convert(struct import *im, struct import_object *o, size_t kind)
{
	struct import_model *m = begin(im, o);
	struct err err = ERR_INIT;

	if (!json_is_object(json_get(o->json, "spec")))
		import_refuse(im, o, "spec", "is required");
	else
		kinds[kind].read(im, o, m);
	for (size_t i = 0; i < im->nobjects; i++)
		if (is_scaler_of(&im->objects[i], m))
			m->replicas = -1;
	import_note_rest(im, o);
	if (m->policy.nmetrics && !m->policy.url)
		import_note(
			im, o, NULL,
			"where Prometheus is was not said: set the ScorePolicy's prometheus.url");
	print_notes(im);
	if (im->failed)
		return -1;
	if (print_made(im, m, &err) == 0)
		return 0;
	fprintf(stderr, "%s:%u: %s\n", o->file, o->line, err.msg);
	return -1;
}

/* Rollouts and Canaries first: Deployments that they refer to are theirs. */
static int convert_all(struct options *o)
{
	unsigned made = 0, failed = 0;
	struct import *im = o->im;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < im->nobjects; i++) {
			struct import_object *it = &im->objects[i];

			if (!str_eq(it->kind, kinds[k].kind) || it->converted ||
			    !str_starts(it->api_version, kinds[k].group))
				continue;
			it->converted = true;
			made++;
			failed += convert(im, it, k) != 0;
		}
	if (!made && !o->failed)
		return cli_error(&cli_import, "no Rollout, Canary or Deployment in what was given");
	return failed || o->failed ? EXIT_ERROR : EXIT_OK;
}

/* --- the verb
 * ---------------------------------------------------------------------------------------- */

static int add_file(void *into, const char *path, struct err *err)
{
	struct options *o = into;
	struct err own = ERR_INIT;

	(void)err;
	o->files++;
	if (import_load(o->im, path, &own)) {
		fprintf(stderr, "%s\n", own.msg);
		o->failed = true;
	}
	return 0;
}

static const struct option_row rows[] = {
	{.name = "filename",
         .letter = 'f',
         .type = OPTION_CALL,
         .set = add_file,
         .value = "FILE...",
         .help = "YAML or JSON, several documents, Lists; - is standard input"},
	OPTION_ROW(struct options, import.name, "name", OPTION_TEXT, .value = "NAME",
                   .help = "of the ModelDeployment and its Service; that of the object"),
	OPTION_ROW(struct options, import.http_route, "http-route", OPTION_TEXT, .value = "NAME",
                   .help = "an HTTPRoute of yours splits the traffic, whatever was there"),
	OPTION_ROW(struct options, import.take_over, "take-over", OPTION_FLAG,
                   .help = "takes the Deployment's place without a request lost"),
	OPTION_ROW(struct options, import.container, "container", OPTION_TEXT, .value = "NAME",
                   .help = "the model server's; that called model, that with a GPU, the first"),
	OPTION_ROW(struct options, import.preset, "preset", OPTION_TEXT, .value = "NAME",
                   .help = "of the model server: counters, probes, version check; custom"),
	OPTION_ROW(struct options, import.model_name, "model-name", OPTION_TEXT, .value = "NAME",
                   .help = "name under which it serves the model"),
	OPTION_ROW(struct options, import.model_version, "model-version", OPTION_TEXT,
                   .value = "VERSION", .help = "version of the model; the image's tag"),
	OPTION_ROW(struct options, help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
	{.name = NULL},
};

static int run(int argc, char **argv)
{
	struct import im = {.nobjects = 0};
	struct options o = {.im = &im};
	int words, code;

	im.options = &o.import;
	arena_init(&im.a, 65536);
	words = cli_options(&cli_import, &o, argc, argv);
	/* -f a.yaml b.yaml, as a shell expands -f *.yaml. */
	for (int i = 1; i <= words && o.files; i++)
		add_file(&o, argv[i], NULL);
	if (words < 0)
		code = EXIT_USAGE;
	else if (o.help)
		code = cli_help(&cli_import);
	else if (!o.files)
		code = words ? cli_usage_error(&cli_import, "takes no argument \"%s\" without -f",
		                               argv[1])
		             : cli_usage_error(&cli_import, "needs -f FILE");
	else
		code = convert_all(&o);
	import_release(&im);
	return code;
}

const struct cli_verb cli_import = {
	.name = "import",
	.summary = "make a ModelDeployment of a Rollout, Canary or Deployment",
	.usage =
		"Usage: tidegate import -f FILE... [OPTIONS]\n"
		"\n"
		"Reads a Rollout of Argo Rollouts, a Canary of Flagger with its Deployment, or a\n"
		"Deployment, and what they refer to (Services, AnalysisTemplates, "
		"MetricTemplates,\n"
		"HorizontalPodAutoscalers), and prints the ModelDeployment that does the same,\n"
		"with a ScorePolicy where metrics are said. What has no equal is told on standard\n"
		"error and above the object, with the way out.\n"
		"\n",
	.options = rows,
	.notes = "\n"
		 "Exit code: 0, or 1 when something could not be converted; that is left out.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate import -f rollout.yaml -f service.yaml >ranker.yaml\n"
		 "  tidegate validate -f ranker.yaml\n",
	.run = run,
};
