/* `tidegate validate`: what an API server and the operator would say of manifests, without either.
 */
#include <stdbool.h>
#include <stdio.h>

#include "cli.h"
#include "manifest.h"
#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

struct tally {
	unsigned objects, errors;
};

static void check_object(void *arg, const struct manifest *m)
{
	struct tally *t = arg;

	if (manifest_is_mdep(m)) {
		t->objects++;
		t->errors += manifest_check_mdep(m, stdout);
	} else if (manifest_is_scorepolicy(m)) {
		t->objects++;
		t->errors += manifest_check_scorepolicy(m, stdout);
	} else if (manifest_is_zoneshift(m)) {
		t->objects++;
		t->errors += manifest_check_zoneshift(m, stdout);
	} else if (str_starts(m->api_version, TG_GROUP "/") || !*m->kind) {
		cleanup_arena struct arena a;

		arena_init(&a, 0);
		t->errors++;
		printf("%s:%u: %s: \"%.60s\" of \"%.60s\" is no kind that this version knows\n",
		       m->file, manifest_line(m, &a, "kind"), "kind", m->kind, m->api_version);
	}
}

static void check_file(const char *path, struct tally *t)
{
	struct err err = ERR_INIT;

	if (manifest_each(path, check_object, t, &err)) {
		printf("%s\n", err.msg);
		t->errors++;
	}
}

struct options {
	struct tally tally;
	unsigned files;
	bool help;
};

static int add_file(void *into, const char *path, struct err *err)
{
	struct options *o = into;

	(void)err;
	check_file(path, &o->tally);
	o->files++;
	return 0;
}

static const struct option_row rows[] = {
	{.name = "filename",
         .letter = 'f',
         .type = OPTION_CALL,
         .set = add_file,
         .value = "FILE...",
         .help = "YAML or JSON, several documents, Lists; - is standard input"},
	OPTION_ROW(struct options, help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
	{.name = NULL},
};

static int run(int argc, char **argv)
{
	struct options o = {.files = 0};
	int words = cli_options(&cli_validate, &o, argc, argv);

	if (words < 0)
		return EXIT_USAGE;
	if (o.help)
		return cli_help(&cli_validate);
	if (words && !o.files)
		return cli_usage_error(&cli_validate, "takes no argument \"%s\" without -f",
		                       argv[1]);
	/* -f a.yaml b.yaml, as a shell expands -f *.yaml. */
	for (int i = 1; i <= words; i++)
		add_file(&o, argv[i], NULL);
	if (!o.files)
		return cli_usage_error(&cli_validate, "needs -f FILE");
	if (!o.tally.objects && !o.tally.errors)
		return cli_error(&cli_validate, "no ModelDeployment in what was given");
	return o.tally.errors ? EXIT_ERROR : EXIT_OK;
}

const struct cli_verb cli_validate = {
	.name = "validate",
	.summary = "check manifests without a cluster",
	.usage = "Usage: tidegate validate -f FILE...\n"
		 "\n"
		 "Says what the API server would refuse and what the operator would not act\n"
		 "on, each as \"file:line: field.path: message\". Other kinds are passed over.\n"
		 "\n",
	.options = rows,
	.notes = "\n"
		 "Exit code: 0 nothing is wrong (warnings do not count), 1 something is.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate validate -f ranker.yaml\n",
	.run = run,
};
