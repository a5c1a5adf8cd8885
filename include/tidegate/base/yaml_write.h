/*
 * JSON trees as YAML that people read: block style, two blanks a level. Strings are plain where no
 * YAML reader, old or new, takes them for anything else, and quoted as in JSON otherwise.
 */
#ifndef TIDEGATE_BASE_YAML_WRITE_H
#define TIDEGATE_BASE_YAML_WRITE_H

#include "tidegate/base/buf.h"
#include "tidegate/base/json.h"

/* One document without its "---", ended by a newline. -1 when the buffer's maximum was passed. */
int yaml_write(struct buf *out, const struct json *v);

#endif
