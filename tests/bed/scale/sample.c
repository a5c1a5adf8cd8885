#include "sample.h"

#include <math.h>
#include <stdlib.h>

#include "tidegate/base/alloc.h"

void sample_release(struct sample *s)
{
	free(s->v);
	*s = (struct sample){NULL, 0, 0};
}

void sample_add(struct sample *s, int64_t us)
{
	if (s->len == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->len++] = us;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

double sample_percentile(struct sample *s, double p)
{
	size_t rank = (size_t)ceil(p / 100 * (double)s->len);

	if (!s->len)
		return 0;
	qsort(s->v, s->len, sizeof(*s->v), compare);
	return (double)s->v[rank ? rank - 1 : 0] / 1000;
}

void sample_write(struct sample *s, struct json_writer *w, const char *key)
{
	if (!s->len)
		return;
	jw_object(w, key);
	jw_i64(w, "n", (int64_t)s->len);
	jw_double(w, "min", sample_percentile(s, 0));
	jw_double(w, "median", sample_percentile(s, 50));
	jw_double(w, "p90", sample_percentile(s, 90));
	jw_double(w, "p99", sample_percentile(s, 99));
	jw_double(w, "max", sample_percentile(s, 100));
	jw_end_object(w);
}
