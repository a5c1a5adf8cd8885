/* `tidegate validate`: what an API server and the operator would say of manifests, without either.
 */
#include <getopt.h>
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

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"filename", required_argument, NULL, 'f'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {NULL, 0, NULL, 0}};
	struct tally t = {0, 0};
	unsigned files = 0;
	int c;

	/* 0: getopt starts afresh, whatever an earlier scan left. */
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+hf:", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(&cli_validate);
		if (c != 'f')
			return cli_usage_error(&cli_validate,
			                       "no such option, or its value is missing");
		check_file(optarg, &t);
		files++;
		/* -f a.yaml b.yaml, as a shell expands -f *.yaml. */
		for (; optind < argc && (argv[optind][0] != '-' || !argv[optind][1]); files++)
			check_file(argv[optind++], &t);
	}
	if (optind < argc)
		return cli_usage_error(&cli_validate, "takes no argument \"%s\"", argv[optind]);
	if (!files)
		return cli_usage_error(&cli_validate, "needs -f FILE");
	if (!t.objects && !t.errors)
		return cli_error(&cli_validate, "no ModelDeployment in what was given");
	return t.errors ? EXIT_ERROR : EXIT_OK;
}

const struct cli_verb cli_validate = {
	.name = "validate",
	.summary = "check manifests without a cluster",
	.usage = "Usage: tidegate validate -f FILE...\n"
		 "\n"
		 "Says what the API server would refuse and what the operator would not act\n"
		 "on, each as \"file:line: field.path: message\". Other kinds are passed over.\n"
		 "\n"
		 "  -f, --filename FILE...  YAML or JSON, several documents, Lists; - is\n"
		 "                          standard input\n"
		 "\n"
		 "Exit code: 0 nothing is wrong (warnings do not count), 1 something is.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate validate -f ranker.yaml\n",
	.run = run,
};
