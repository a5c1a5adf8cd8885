/* One line of `tidegate score --samples`. */
#ifndef TIDEGATE_CLI_SCORE_LINE_H
#define TIDEGATE_CLI_SCORE_LINE_H

#include "tidegate/base/arena.h"
#include "tidegate/base/err.h"
#include "tidegate/judge/sequential.h"

struct score_line {
	const char *stream; /* "" when it was left out */
	struct sequential_sample sample;
};
/* Strings live in `a`. -1: *err names the field. */
int score_line_read(const char *text, size_t len, struct arena *a, struct score_line *out,
                    struct err *err);

#endif
