/*
 * Durations as Kubernetes users write them: Go syntax ("30s", "5m", "1h30m",
 * "250ms", "1.5h"), extended by "d" (24 h). Units: milliseconds. Not negative.
 */
#ifndef TIDEGATE_BASE_DURATION_H
#define TIDEGATE_BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/err.h"

#define DURATION_MAX 32

int duration_parse(const char *s, int64_t *ms, struct err *err);
/* Shortest Go form: "1h30m", "0s", "250ms". buf needs DURATION_MAX bytes; returns buf. */
char *duration_format(int64_t ms, char *buf);

#endif
