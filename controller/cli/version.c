#include <stdio.h>

#include "cli.h"
#include "tidegate/base/str.h"

static int run(int argc, char **argv)
{
	if (argc > 1 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return cli_help(&cli_version);
	if (argc > 1)
		return cli_usage_error(&cli_version, "takes no argument \"%s\"", argv[1]);
	printf("tidegate %s\n", TIDEGATE_VERSION);
	return EXIT_OK;
}

const struct cli_verb cli_version = {
	.name = "version",
	.summary = "print the version",
	.usage = "Usage: tidegate version\n\nExample:\n  tidegate version\n",
	.run = run,
};
