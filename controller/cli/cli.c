#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static const struct cli_verb *const verbs[] = {&cli_controller, &cli_validate, &cli_render,
                                               &cli_import,     &cli_score,    &cli_simulate,
                                               &cli_version};

int cli_usage_error(const struct cli_verb *v, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "tidegate %s: ", v->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nSee `tidegate %s --help`.\n", v->name);
	return EXIT_USAGE;
}

int cli_help(const struct cli_verb *v)
{
	fputs(v->usage, stdout);
	if (v->options)
		option_help(v->options, stdout);
	if (v->notes)
		fputs(v->notes, stdout);
	return EXIT_OK;
}

int cli_options(const struct cli_verb *v, void *into, int argc, char **argv)
{
	struct err err = ERR_INIT;
	int words = option_read(v->options, into, argc, argv, &err);

	if (words < 0)
		cli_usage_error(v, "%s", err.msg);
	return words;
}

int cli_error(const struct cli_verb *v, const char *message)
{
	fprintf(stderr, "tidegate %s: %s\n", v->name, message);
	return EXIT_ERROR;
}

static int print_verbs(FILE *out, int code)
{
	fputs("tidegate releases GPU-served models to live traffic and keeps them serving.\n\n"
	      "Usage: tidegate VERB [OPTIONS]\n\nVerbs:\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n`tidegate VERB --help` shows options and an example.\n", out);
	return code;
}

int cli_main(int argc, char **argv)
{
	if (argc < 2)
		return print_verbs(stderr, EXIT_USAGE);
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help"))
		return print_verbs(stdout, EXIT_OK);
	if (str_eq(argv[1], "--version"))
		return cli_version.run(1, argv + 1);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(argv[1], verbs[i]->name))
			return verbs[i]->run(argc - 1, argv + 1);
	fprintf(stderr, "tidegate: no verb \"%s\"\n", argv[1]);
	return print_verbs(stderr, EXIT_USAGE);
}
