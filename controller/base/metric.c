#include "tidegate/base/metric.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* What a series is called that stands for all beyond METRIC_SERIES_MAX. */
static const char *const overflow_labels[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};

static struct metric_family *families, **families_tail = &families;

void metric_register(struct metric_family *f)
{
	if (f->next || families_tail == &f->next) /* it is there, the last one perhaps */
		return;
	*families_tail = f;
	families_tail = &f->next;
}

static unsigned label_count(const struct metric_family *f)
{
	unsigned n = 0;

	while (n < METRIC_LABELS_MAX && f->label_names[n])
		n++;
	return n;
}

static bool same_labels(const struct metric_series *s, const char *const *labels, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(s->labels[i], labels[i]) != 0)
			return false;
	return true;
}

/* The link that points at the series, or the last link of the family. */
static struct metric_series **find(struct metric_family *f, const char *const *labels, unsigned n)
{
	struct metric_series **link = &f->series;

	while (*link && !same_labels(*link, labels, n))
		link = &(*link)->next;
	return link;
}

static struct metric_series *new_series(const struct metric_family *f, const char *const *labels,
                                        unsigned n)
{
	struct metric_series *s = xcalloc(1, sizeof(*s));
	unsigned i;

	for (i = 0; i < n; i++)
		s->labels[i] = xstrdup(labels[i]);
	if (f->type == METRIC_HISTOGRAM)
		s->buckets = xcalloc(f->nbounds, sizeof(*s->buckets));
	return s;
}

struct metric_series *metric_series(struct metric_family *f, ...)
{
	const char *labels[METRIC_LABELS_MAX];
	unsigned i, n = label_count(f);
	struct metric_series **link;
	va_list ap;

	va_start(ap, f);
	for (i = 0; i < n; i++)
		labels[i] = str_or(va_arg(ap, const char *), "");
	va_end(ap);
	metric_register(f);
	link = find(f, labels, n);
	if (*link)
		return *link;
	if (f->nseries >= METRIC_SERIES_MAX) {
		memcpy(labels, overflow_labels, sizeof(labels));
		link = find(f, labels, n);
		if (*link)
			return *link;
	}
	f->nseries++;
	*link = new_series(f, labels, n);
	return *link;
}

void metric_clear(struct metric_family *f)
{
	struct metric_series *s;
	unsigned i;

	while ((s = f->series)) {
		f->series = s->next;
		for (i = 0; i < METRIC_LABELS_MAX; i++)
			free(s->labels[i]);
		free(s->buckets);
		free(s);
	}
	f->nseries = 0;
}

void metric_observe(struct metric_family *f, struct metric_series *s, double v)
{
	unsigned i;

	/* One NaN would make the sum useless for ever. */
	if (isnan(v))
		return;
	for (i = 0; i < f->nbounds && v > f->bounds[i]; i++)
		;
	if (i < f->nbounds)
		s->buckets[i]++;
	s->count++;
	s->value += v;
}

struct render {
	struct buf *out;
	bool openmetrics, failed;
};

static void put(struct render *r, const char *s)
{
	if (buf_addstr(r->out, s) < 0)
		r->failed = true;
}

/* Escapes as the format wants it; bytes that are not UTF-8 would make the whole page unreadable. */
static void put_escaped(struct render *r, const char *s, bool quotes)
{
	size_t n = strlen(s), i = 0, k;
	uint32_t cp;

	for (; i < n; i += k ? k : 1) {
		k = str_utf8_next(s + i, n - i, &cp);
		if (!k)
			put(r, "\xef\xbf\xbd");
		else if (s[i] == '\n')
			put(r, "\\n");
		else if (s[i] == '\\')
			put(r, "\\\\");
		else if (s[i] == '"' && quotes)
			put(r, "\\\"");
		else if (buf_add(r->out, s + i, k) < 0)
			r->failed = true;
	}
}

static void put_label(struct render *r, char *separator, const char *name, const char *value)
{
	char sep[] = {*separator, '\0'};

	put(r, sep);
	put(r, name);
	put(r, "=\"");
	put_escaped(r, value, true);
	put(r, "\"");
	*separator = ',';
}

/* One line: name, labels, value. `le` is NULL outside histogram buckets. */
static void put_sample(struct render *r, const char *name, const char *suffix,
                       const struct metric_family *f, const struct metric_series *s, const char *le,
                       double value)
{
	char number[STR_DOUBLE_MAX], separator = '{';
	unsigned i;

	put(r, name);
	put(r, suffix);
	for (i = 0; i < label_count(f); i++)
		put_label(r, &separator, f->label_names[i], s->labels[i]);
	if (le)
		put_label(r, &separator, "le", le);
	put(r, separator == ',' ? "} " : " ");
	put(r, str_from_double(value, number));
	put(r, "\n");
}

/* OpenMetrics wants bounds as floats in their shortest form: "1.0". */
static const char *bound_text(const struct render *r, double bound, char *text)
{
	str_from_double(bound, text);
	if (r->openmetrics && !strpbrk(text, ".e"))
		memcpy(text + strlen(text), ".0", 3);
	return text;
}

static void put_histogram(struct render *r, const struct metric_family *f,
                          const struct metric_series *s)
{
	char text[STR_DOUBLE_MAX + 2];
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < f->nbounds; i++) {
		sum += s->buckets[i];
		put_sample(r, f->name, "_bucket", f, s, bound_text(r, f->bounds[i], text),
		           (double)sum);
	}
	put_sample(r, f->name, "_bucket", f, s, "+Inf", (double)s->count);
	put_sample(r, f->name, "_sum", f, s, NULL, s->value);
	put_sample(r, f->name, "_count", f, s, NULL, (double)s->count);
}

static void put_header(struct render *r, const struct metric_family *f, const char *name)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	put(r, "# HELP ");
	put(r, name);
	put(r, " ");
	put_escaped(r, f->help, r->openmetrics);
	put(r, "\n# TYPE ");
	put(r, name);
	put(r, " ");
	put(r, types[f->type]);
	put(r, "\n");
}

/*
 * OpenMetrics names a counter's family without "_total" and its samples with it; the older format
 * knows only one name.
 */
static void put_family(struct render *r, const struct metric_family *f)
{
	bool counter = r->openmetrics && f->type == METRIC_COUNTER;
	size_t n =
		strlen(f->name) - (counter && str_ends(f->name, "_total") ? strlen("_total") : 0);
	char *name cleanup_free = xstrndup(f->name, n);
	const struct metric_series *s;

	put_header(r, f, name);
	for (s = f->series; s && !r->failed; s = s->next) {
		if (f->type == METRIC_HISTOGRAM)
			put_histogram(r, f, s);
		else
			put_sample(r, name, counter ? "_total" : "", f, s, NULL, s->value);
	}
}

int metric_render(struct buf *out, int openmetrics)
{
	struct render r = {.out = out, .openmetrics = openmetrics != 0};
	size_t before = out->len;
	struct metric_family *f;

	for (f = families; f && !r.failed; f = f->next) {
		if (f->collect)
			f->collect(f);
		if (f->series)
			put_family(&r, f);
	}
	if (r.openmetrics)
		put(&r, "# EOF\n");
	if (!r.failed)
		return 0;
	buf_truncate(out, before);
	return -1;
}
