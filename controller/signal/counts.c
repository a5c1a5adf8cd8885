#include "tidegate/signal/counts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/exposition.h"

#define COUNT_MAX       9007199254740992.0 /* 2^53 */
#define BUCKET_NAME_MAX 160

/* What a sample is, whatever its value. */
enum meaning_kind { NOTHING, REQUESTS, FAILED_REQUESTS, ERRORS, BUSY, BUCKET };
struct meaning {
	enum meaning_kind kind;
	double bound; /* of a bucket, seconds */
};

struct counts_reader {
	const struct preset *preset;
	char *model;
	char bucket_name[BUCKET_NAME_MAX];
	struct exposition_layout layout;
	struct meaning *meanings; /* by the layout's places */
	unsigned nmeanings;
};

/* One text. */
struct reading {
	struct counts_reader *reader;
	struct counts *out;
	bool overflow; /* more distinct bounds than we keep: latency is not used */
};

static bool is_ok(const struct preset *p, const struct exposition_sample *s)
{
	const char *value = p->error_label ? exposition_label(s, p->error_label) : NULL;

	if (!p->error_label || !p->ok_values)
		return true;
	for (const char *const *ok = p->ok_values; *ok; ok++)
		if (value && str_eq(value, *ok))
			return true;
	return false;
}

/* Below zero, not a number, or more than a double counts one by one: no count. */
static bool is_count(double v)
{
	return v >= 0 && v <= COUNT_MAX;
}

static bool other_model(const char *model, const struct exposition_sample *s)
{
	const char *label = exposition_label(s, "model_name");

	if (!label)
		label = exposition_label(s, "model");
	return label && model && !str_eq(label, model);
}

/* Adds to the bucket of this bound, in its place; false when there is no room for another. */
static bool add_bucket(unsigned *n, double *bounds, double *counts, double bound, double count)
{
	unsigned i = *n && bounds[*n - 1] < bound ? *n : 0; /* mostly they come in order */

	while (i < *n && bounds[i] < bound)
		i++;
	if (i == *n || bounds[i] > bound) {
		if (*n == COUNTS_BUCKETS_MAX)
			return false;
		if (i < *n) {
			memmove(&bounds[i + 1], &bounds[i], (*n - i) * sizeof(double));
			memmove(&counts[i + 1], &counts[i], (*n - i) * sizeof(double));
		}
		bounds[i] = bound;
		counts[i] = 0;
		++*n;
	}
	counts[i] += count;
	return true;
}

static bool bucket_bound(const struct exposition_sample *s, double *bound)
{
	const char *le = exposition_label(s, "le");

	return le && str_to_double(le, bound) && !isnan(*bound);
}

static struct meaning meaning_of(const struct counts_reader *r, const struct exposition_sample *s)
{
	const struct preset *p = r->preset;
	struct meaning m = {.kind = NOTHING};

	if (other_model(r->model, s))
		return m;
	if (str_eq(s->name, p->requests_metric)) {
		m.kind = is_ok(p, s) ? REQUESTS : FAILED_REQUESTS;
	} else if (p->errors_metric && str_eq(s->name, p->errors_metric)) {
		m.kind = ERRORS;
	} else if (p->busy_metric && str_eq(s->name, p->busy_metric)) {
		m.kind = BUSY;
	} else if (p->latency_metric && str_eq(s->name, r->bucket_name) &&
	           bucket_bound(s, &m.bound)) {
		m.kind = BUCKET;
		m.bound *= p->latency_unit;
	}
	return m;
}

static void add_value(struct reading *r, const struct meaning *m, double value)
{
	struct counts *c = r->out;

	if (!is_count(value))
		return;
	switch (m->kind) {
	case FAILED_REQUESTS:
		c->errors += value;
		/* fall through */
	case REQUESTS:
		c->known = true;
		c->requests += value;
		break;
	case ERRORS:
		c->errors += value;
		break;
	case BUSY:
		c->in_flight = (c->in_flight > 0 ? c->in_flight : 0) + value;
		break;
	case BUCKET:
		r->overflow |= !add_bucket(&c->nbuckets, c->bounds, c->buckets, m->bound, value);
		break;
	case NOTHING:
		break;
	}
}

static void remember(struct counts_reader *r, unsigned place, const struct meaning *m)
{
	if (place >= EXPOSITION_PLACES_MAX)
		return;
	if (place == r->nmeanings)
		r->meanings = xreallocarray(r->meanings, ++r->nmeanings, sizeof(*r->meanings));
	r->meanings[place] = *m;
}

static void on_sample(void *arg, const struct exposition_sample *s)
{
	struct reading *r = arg;
	struct meaning m = meaning_of(r->reader, s);

	remember(r->reader, s->place, &m);
	add_value(r, &m, s->value);
}

static void on_known(void *arg, unsigned place, double value)
{
	struct reading *r = arg;

	add_value(r, &r->reader->meanings[place], value);
}

static void bucket_name(char *out, const char *metric)
{
	snprintf(out, BUCKET_NAME_MAX, "%.150s_bucket", metric);
}

static void list_names(const struct counts_reader *r, const char **names)
{
	const struct preset *p = r->preset;
	const char *const all[] = {p->requests_metric, p->errors_metric, p->busy_metric,
	                           p->latency_metric ? r->bucket_name : NULL};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			*names++ = all[i];
	*names = NULL;
}

int counts_reader_read(struct counts_reader *r, const char *text, size_t len, struct counts *out,
                       struct err *err)
{
	struct reading d = {.reader = r, .out = out};
	const char *names[5];
	const struct exposition_reader x = {.names = names,
	                                    .fn = on_sample,
	                                    .layout = &r->layout,
	                                    .again = on_known,
	                                    .arg = &d};

	memset(out, 0, sizeof(*out));
	out->in_flight = -1;
	list_names(r, names);
	if (exposition_read(&x, text, len, err))
		return -1;
	if (d.overflow)
		out->nbuckets = 0;
	if (r->preset->errors_apart)
		out->requests += out->errors;
	else if (out->errors > out->requests)
		out->errors = out->requests;
	return 0;
}

struct counts_reader *counts_reader_new(const struct preset *p, const char *model)
{
	struct counts_reader *r = xcalloc(1, sizeof(*r));

	r->preset = p;
	r->model = xstrdup_null(model);
	if (p->latency_metric)
		bucket_name(r->bucket_name, p->latency_metric);
	return r;
}

void counts_reader_free(struct counts_reader *r)
{
	if (!r)
		return;
	exposition_layout_release(&r->layout);
	free(r->meanings);
	free(r->model);
	free(r);
}

bool counts_reader_is_for(const struct counts_reader *r, const struct preset *p, const char *model)
{
	return r && r->preset == p && str_eq(r->model, model);
}

int counts_read(const struct preset *p, const char *model, const char *text, size_t len,
                struct counts *out, struct err *err)
{
	struct counts_reader *r = counts_reader_new(p, model);
	int rc = counts_reader_read(r, text, len, out, err);

	counts_reader_free(r);
	return rc;
}

static bool same_bounds(const struct counts *a, const struct counts *b)
{
	if (a->nbuckets != b->nbuckets)
		return false;
	for (unsigned i = 0; i < a->nbuckets; i++)
		if (a->bounds[i] != b->bounds[i] && !(isinf(a->bounds[i]) && isinf(b->bounds[i])))
			return false;
	return true;
}

bool counts_restarted(const struct counts *before, const struct counts *now)
{
	if (now->requests < before->requests || now->errors < before->errors)
		return true;
	for (unsigned i = 0; i < now->nbuckets && i < before->nbuckets; i++)
		if (now->buckets[i] < before->buckets[i])
			return true;
	return false;
}

bool counts_increment(const struct counts *before, const struct counts *now, struct counts *out)
{
	*out = *now;
	if (!before->known || !now->known)
		return false;
	if (!same_bounds(before, now))
		out->nbuckets = 0;
	if (counts_restarted(before, now))
		return true; /* restarted: everything it shows is new */
	out->requests -= before->requests;
	out->errors -= before->errors;
	/* Two counters are not read at one instant: an error may show before its request does. */
	if (out->errors > out->requests)
		out->errors = out->requests;
	for (unsigned i = 0; i < out->nbuckets; i++)
		out->buckets[i] -= before->buckets[i];
	return true;
}

bool counts_quiet(const struct counts *total, const struct counts *increment)
{
	return total && total->known && total->in_flight <= 0 && increment && increment->known &&
	       increment->requests == 0;
}

/* --- any histogram ----------------------------------------------------------------------- */

struct histogram_reading {
	const char *model;
	struct counts_histogram *out;
	bool overflow;
};

static void on_histogram_sample(void *arg, const struct exposition_sample *s)
{
	struct histogram_reading *r = arg;
	double bound;

	if (is_count(s->value) && !other_model(r->model, s) && bucket_bound(s, &bound))
		r->overflow |=
			!add_bucket(&r->out->n, r->out->bounds, r->out->counts, bound, s->value);
}

int counts_histogram_read(const char *metric, const char *model, const char *text, size_t len,
                          struct counts_histogram *out, struct err *err)
{
	struct histogram_reading r = {.model = model, .out = out};
	char name[BUCKET_NAME_MAX];
	const char *names[] = {name, NULL};
	const struct exposition_reader x = {.names = names, .fn = on_histogram_sample, .arg = &r};

	memset(out, 0, sizeof(*out));
	bucket_name(name, metric);
	if (exposition_read(&x, text, len, err))
		return -1;
	if (r.overflow)
		out->n = 0;
	return 0;
}

bool counts_histogram_increment(const struct counts_histogram *before,
                                const struct counts_histogram *now, struct counts_histogram *out)
{
	*out = *now;
	if (!now->n || before->n != now->n)
		return false;
	for (unsigned i = 0; i < now->n; i++) {
		if (before->bounds[i] < now->bounds[i] || before->bounds[i] > now->bounds[i])
			return false;
		/* restarted: everything it shows is new */
		if (now->counts[i] < before->counts[i]) {
			*out = *now;
			return true;
		}
		out->counts[i] -= before->counts[i];
	}
	return true;
}
