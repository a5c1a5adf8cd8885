/*
 * Report: what became of the requests in a file of records, phase by phase.
 *
 * A phase file has lines "<wall ms> <name>": the name holds from then until the next line.
 * Percentiles are nearest-rank over the answered requests. A record whose line is cut (the
 * generator is still writing) ends the report there.
 */
#ifndef BED_LOAD_REPORT_H
#define BED_LOAD_REPORT_H

#include <stdbool.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

struct report;

struct report *report_new(void);
void report_free(struct report *r);
/* Before report_read(); without it there is one phase "all". */
int report_read_phases(struct report *r, const char *path, struct err *err);
int report_read(struct report *r, const char *path, struct err *err);
int report_write_table(struct report *r, struct buf *out);
int report_write_json(struct report *r, struct buf *out);

#endif
