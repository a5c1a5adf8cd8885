/* Subcommands of tidegate: one file each, one row each in the table of cli.c. */
#ifndef TIDEGATE_CLI_CLI_H
#define TIDEGATE_CLI_CLI_H

enum exit_code { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_NEGATIVE = 3 };

struct cli_verb {
	const char *name;
	const char *summary;               /* one line, for the list of verbs */
	const char *usage;                 /* whole help text, with an example */
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

extern const struct cli_verb cli_controller, cli_score, cli_version, cli_validate, cli_render;

/* Prints to standard error "tidegate VERB: message" and the way to help; returns EXIT_USAGE. */
int cli_usage_error(const struct cli_verb *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int cli_help(const struct cli_verb *v);                       /* prints v->usage, returns EXIT_OK */
int cli_error(const struct cli_verb *v, const char *message); /* returns EXIT_ERROR */

int cli_main(int argc, char **argv);

#endif
