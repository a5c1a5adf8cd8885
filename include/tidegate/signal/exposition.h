/*
 * Reader of Prometheus text and OpenMetrics exposition, pure.
 *
 * Calls back for each sample; keeps nothing. Hostile input is an error with its
 * line number, never a crash: line length 64 kB, 32 labels a sample. Names with leading
 * colons (TensorFlow Serving) are legal.
 */
#ifndef TIDEGATE_SIGNAL_EXPOSITION_H
#define TIDEGATE_SIGNAL_EXPOSITION_H

#include <stddef.h>

#include "tidegate/base/err.h"

#define EXPOSITION_LABELS_MAX 32
struct exposition_label {
	const char *name, *value; /* unescaped, NUL-terminated */
};
struct exposition_sample {
	const char *name;
	struct exposition_label labels[EXPOSITION_LABELS_MAX];
	unsigned nlabels;
	double value;
};
const char *exposition_label(const struct exposition_sample *s, const char *name);

typedef void (*exposition_fn)(void *arg, const struct exposition_sample *s);
int exposition_parse(const char *text, size_t len, exposition_fn fn, void *arg, struct err *err);
/*
 * Only samples of these names (NULL-terminated), which is several times as fast where a server
 * tells much else: a line of another name is looked at no further than that.
 */
int exposition_parse_some(const char *text, size_t len, const char *const *names, exposition_fn fn,
                          void *arg, struct err *err);

#endif
