/*
 * Manifests as kubectl takes them: files or "-", several documents, Lists; YAML or JSON. What is
 * wrong is told by file, line and field.
 */
#ifndef TIDEGATE_CLI_MANIFEST_H
#define TIDEGATE_CLI_MANIFEST_H

#include <stdbool.h>
#include <stdio.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

struct manifest {
	const char *file; /* for messages */
	const struct buf *text;
	unsigned line;                         /* where its document begins */
	const char *prefix;                    /* "", or "items[2]." in a List */
	const char *api_version, *kind, *name; /* "" when missing */
	const struct json *json;
};

/*
 * Calls fn for each object; it and its texts live only as long as the call. 0, or -1 when the file
 * cannot be read; the message then begins with its name.
 */
int manifest_each(const char *path, void (*fn)(void *arg, const struct manifest *m), void *arg,
                  struct err *err);
/* Of a field of the object, or of what it should stand in. */
unsigned manifest_line(const struct manifest *m, struct arena *a, const char *field);

/* A ModelDeployment of the version that this program knows. */
bool manifest_is_mdep(const struct manifest *m);
/*
 * Prints what is wrong with a ModelDeployment: "FILE:LINE: FIELD: MESSAGE" a line, warnings with
 * "warning: " before the message. Returns the number of errors.
 */
unsigned manifest_check_mdep(const struct manifest *m, FILE *out);

/* The same for a ScorePolicy; its canary config too, when it is written in it. */
bool manifest_is_scorepolicy(const struct manifest *m);
unsigned manifest_check_scorepolicy(const struct manifest *m, FILE *out);

/* The same for a ZoneShift. */
bool manifest_is_zoneshift(const struct manifest *m);
unsigned manifest_check_zoneshift(const struct manifest *m, FILE *out);

#endif
