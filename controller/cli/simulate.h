/* What the files of `tidegate simulate` share. */
#ifndef TIDEGATE_CLI_SIMULATE_H
#define TIDEGATE_CLI_SIMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/sim/script.h"

#define SIMULATE_FILES_MAX 64

enum simulate_format { SIMULATE_TABLE, SIMULATE_JSON };

struct simulate_options {
	const char *files[SIMULATE_FILES_MAX];
	unsigned nfiles;
	const char *world;
	int64_t seed, until_ms;
	int output;
	bool help;
};

/* Manifests and world as read; everything lives in the arena. */
struct simulate_input {
	struct arena arena;
	const char **objects;
	unsigned nobjects;
	struct scenario scenario;
	unsigned errors; /* that were printed */
};
/* Reads all files; what is wrong goes to standard error. 0, or -1 when anything is. */
int simulate_read(const struct simulate_options *o, struct simulate_input *in);

void simulate_print_decision(const struct simulate_options *o, const struct script_decision *d);
void simulate_print_summary(const struct simulate_options *o, const struct script_summary *s);

#endif
