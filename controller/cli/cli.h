/* Subcommands of tidegate: one file each, one row each in the table of cli.c. */
#ifndef TIDEGATE_CLI_CLI_H
#define TIDEGATE_CLI_CLI_H

#include "tidegate/base/option.h"

enum exit_code { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_NEGATIVE = 3 };

struct cli_verb {
	const char *name;
	const char *summary;               /* one line, for the list of verbs */
	const char *usage;                 /* help text before the options */
	const struct option_row *options;  /* NULL: takes none but --help */
	const char *notes;                 /* help text behind the options, with an example */
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

extern const struct cli_verb cli_controller, cli_import, cli_score, cli_version, cli_validate,
	cli_render, cli_simulate;

/* Prints to standard error "tidegate VERB: message" and the way to help; returns EXIT_USAGE. */
int cli_usage_error(const struct cli_verb *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int cli_help(const struct cli_verb *v);                       /* returns EXIT_OK */
int cli_error(const struct cli_verb *v, const char *message); /* returns EXIT_ERROR */

/*
 * Reads v->options. Returns how many words are left at argv[1] and on, -1 when what is wrong has
 * been printed (EXIT_USAGE).
 */
int cli_options(const struct cli_verb *v, void *into, int argc, char **argv);

int cli_main(int argc, char **argv);

#endif
