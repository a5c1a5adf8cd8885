/* Names, paths and bodies of the ModelDeployments mdep-00000, mdep-00001, ... in bench-0, bench-1,
 * ... */
#ifndef BED_SCALE_MANIFEST_H
#define BED_SCALE_MANIFEST_H

#include <stdint.h>

#include "tidegate/base/buf.h"

#include "options.h"

#define MANIFEST_NAME_MAX      16
#define MANIFEST_NAMESPACE_MAX 80
#define MANIFEST_PATH_MAX      256

/* name needs MANIFEST_NAME_MAX bytes; returns it. */
char *manifest_name(unsigned i, char *name);
/* The number in a name; -1 when it is none of ours. */
int64_t manifest_index(const char *name);
/* Namespace of member i, which is that of i modulo options.namespaces; returns its argument. */
char *manifest_namespace(const struct options *o, unsigned i, char *ns);
/* Path of member i's collection; path needs MANIFEST_PATH_MAX bytes; returns it. */
char *manifest_collection(const struct options *o, unsigned i, char *path);
char *manifest_path(const struct options *o, unsigned i, char *path);
/* A gray release in two steps, the first of which waits for approval. */
int manifest_body(const struct options *o, unsigned i, struct buf *out);
/* Merge patch to another model version. */
int manifest_change(const char *version, struct buf *out);

#endif
