/*
 * What the process holds of memory that it does not use. Work leaves holes in the heap that malloc
 * keeps: a first list, a thousand releases at once, and every pass a little. Whole pages of them
 * are given back soon after work was done; an idle process does nothing. So are the pages of the
 * program and its libraries: with each that is read the kernel maps the fifteen around it, and most
 * of them serve the start alone. The few that are in use come again from the page cache.
 *
 * Ownership: embedded; the loop must outlive it.
 */
#ifndef TIDEGATE_SERVE_FOOTPRINT_H
#define TIDEGATE_SERVE_FOOTPRINT_H

#include <stdint.h>

#include "tidegate/net/loop.h"

struct footprint {
	struct timer timer;
	int64_t seen_cpu_ms; /* of the process, when it was trimmed last */
	unsigned trims;
};

/* Also sets malloc's thresholds, for the whole process. */
void footprint_init(struct footprint *f, struct loop *l);
void footprint_release(struct footprint *f);

#endif
