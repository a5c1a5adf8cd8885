/* `tidegate simulate`: a release in a world of the user's own, on a virtual clock. */
#include "simulate.h"

#include "cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define DAY_MS 86400000LL

static const char *const formats[] = {[SIMULATE_TABLE] = "table", [SIMULATE_JSON] = "json", NULL};

static int add_file(void *into, const char *text, struct err *err)
{
	struct simulate_options *o = into;

	if (o->nfiles == SIMULATE_FILES_MAX)
		return err_set(err, ERR_INVALID, "at most %d files", SIMULATE_FILES_MAX);
	o->files[o->nfiles++] = text;
	return 0;
}

static const struct option_row rows[] = {
	{.name = "filename",
         .letter = 'f',
         .type = OPTION_CALL,
         .set = add_file,
         .value = "FILE",
         .help = "manifests, as kubectl takes them; may be given more than once.\n"
                 "A second ModelDeployment of the same name is its next version,\n"
                 "applied as soon as the one before is whole"},
#define ROW(field, name, type, ...)                                                                \
	OPTION_ROW(struct simulate_options, field, name, type, __VA_ARGS__)
	ROW(world, "world", OPTION_TEXT, .value = "FILE",
            .help = "zones, nodes, requests, how versions behave, and what happens when:\n"
                    "docs/simulate.md; a file with {} is a world of defaults"),
	ROW(seed, "seed", OPTION_INT, .min = 0, .max = INT64_MAX, .value = "N",
            .help = "of what is drawn: load times, requests, errors (1)"),
	ROW(until_ms, "until", OPTION_DURATION, .min = 1, .max = 366 * DAY_MS, .value = "DURATION",
            .help = "end (the world's duration, else when nothing more happens)"),
	ROW(output, "output", OPTION_WORD, .letter = 'o', .words = formats, .value = "FORMAT",
            .help = "json, or table (default)"),
	ROW(help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
#undef ROW
	{.name = NULL},
};

static void on_decision(void *arg, const struct script_decision *d)
{
	simulate_print_decision(arg, d);
}

static int simulate(struct simulate_options *o, struct simulate_input *in)
{
	struct script_options so = {.seed = (uint64_t)o->seed,
	                            .until_ms = o->until_ms,
	                            .scenario = &in->scenario,
	                            .tell = on_decision,
	                            .arg = o};
	struct script_summary *summary = xcalloc(1, sizeof(*summary));
	struct err err = ERR_INIT;
	int code = EXIT_OK;

	so.objects = in->objects;
	so.nobjects = in->nobjects;
	if (script_run(&so, summary, &err))
		code = cli_error(&cli_simulate, err.msg);
	else
		simulate_print_summary(o, summary);
	free(summary);
	return code;
}

static int run(int argc, char **argv)
{
	struct simulate_options o = {.seed = 1};
	struct simulate_input in = {.errors = 0};
	int words = cli_options(&cli_simulate, &o, argc, argv), code = EXIT_ERROR;

	if (words < 0)
		return EXIT_USAGE;
	if (o.help)
		return cli_help(&cli_simulate);
	/* `-f a.yaml b.yaml`: what follows is more of the same. */
	for (int i = 1; i <= words; i++)
		if (!o.nfiles || add_file(&o, argv[i], NULL))
			return cli_usage_error(&cli_simulate, "takes no argument \"%s\"", argv[i]);
	if (!o.nfiles || !o.world)
		return cli_usage_error(&cli_simulate, "needs -f FILE and --world FILE");
	/* What the operator logs is told as decisions. */
	log_set_level(LOG_ERROR);
	arena_init(&in.arena, 65536);
	if (!simulate_read(&o, &in))
		code = simulate(&o, &in);
	arena_release(&in.arena);
	return code;
}

const struct cli_verb cli_simulate = {
	.name = "simulate",
	.summary = "what would happen to a release in a world of your own",
	.usage = "Usage: tidegate simulate -f FILE... --world FILE [--seed N] [--until DURATION]\n"
		 "                         [-o json]\n"
		 "\n"
		 "Runs the operator on a virtual clock and prints what it decides, and what that\n"
		 "came to: requests lost, promotion or rollback, recovery times.\n"
		 "\n",
	.options = rows,
	.notes = "\n"
		 "Exit: 0 done, 1 bad input, 2 usage. Same seed, same bytes.\n"
		 "\n"
		 "Example:\n"
		 "  cat > world.yaml <<EOF\n"
		 "  zones: [{name: hz-a, nodes: 2, gpus: 8}, {name: hz-b, nodes: 2, gpus: 8}]\n"
		 "  models:\n"
		 "    - name: ranker\n"
		 "      requestsPerSecond: 200\n"
		 "      versions: [{version: \"2\", errors: 5%, load: 40s}]\n"
		 "  events:\n"
		 "    - {at: 10m, apply: ranker-v2.yaml}\n"
		 "    - {at: 40m, zoneDark: hz-a}\n"
		 "    - {at: 50m, zoneLight: hz-a}\n"
		 "  EOF\n"
		 "  tidegate simulate -f ranker-v1.yaml --world world.yaml\n",
	.run = run,
};
