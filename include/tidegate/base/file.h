/* Whole files, bounded. */
#ifndef TIDEGATE_BASE_FILE_H
#define TIDEGATE_BASE_FILE_H

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

/* Reads path ("-" = standard input) into *out, whose maximum bounds it. */
int file_read(const char *path, struct buf *out, struct err *err);
/* Writes beside it and renames into place; mode as given. */
int file_write(const char *path, const void *data, size_t len, int mode, struct err *err);
/* Absolute path of `rel` as seen from the folder of `base_file`; caller frees. */
char *file_resolve(const char *base_file, const char *rel);

#endif
