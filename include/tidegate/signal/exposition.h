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
	unsigned place; /* how many samples were read before it */
	double value;
};
const char *exposition_label(const struct exposition_sample *s, const char *name);

typedef void (*exposition_fn)(void *arg, const struct exposition_sample *s);
int exposition_parse(const char *text, size_t len, exposition_fn fn, void *arg, struct err *err);

/*
 * What a server's texts look like: the samples' lines up to their values, by place. Zeroed it knows
 * none. Bounded, as texts are hostile: later places and longer lines are read as if it were not
 * there.
 */
#define EXPOSITION_PLACES_MAX 64
struct exposition_line {
	char *start;
	size_t len; /* 0 = not known */
};
struct exposition_layout {
	struct exposition_line *lines;
	unsigned n;
};
void exposition_layout_release(struct exposition_layout *l);

struct exposition_reader {
	/* Only samples of these names (NULL-terminated), which is several times as fast where a
	 * server tells much else: a line of another name is looked at no further than that. NULL:
	 * all. */
	const char *const *names;
	exposition_fn fn;
	/* Where there is a layout: a line that begins as the one in its place did in the text
	 * before is not taken apart again. again() is told of its value instead of fn(). */
	struct exposition_layout *layout;
	void (*again)(void *arg, unsigned place, double value);
	void *arg;
};
int exposition_read(const struct exposition_reader *r, const char *text, size_t len,
                    struct err *err);

#endif
