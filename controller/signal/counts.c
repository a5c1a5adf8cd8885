#include "tidegate/signal/counts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/exposition.h"

#define COUNT_MAX       9007199254740992.0 /* 2^53 */
#define BUCKET_NAME_MAX 160

struct reading {
	const struct preset *preset;
	const char *model;
	char bucket_name[BUCKET_NAME_MAX];
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

static void add_requests(struct reading *r, const struct exposition_sample *s)
{
	r->out->known = true;
	r->out->requests += s->value;
	if (!is_ok(r->preset, s))
		r->out->errors += s->value;
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
	unsigned i = 0;

	while (i < *n && bounds[i] < bound)
		i++;
	if (i == *n || bounds[i] > bound) {
		if (*n == COUNTS_BUCKETS_MAX)
			return false;
		memmove(&bounds[i + 1], &bounds[i], (*n - i) * sizeof(double));
		memmove(&counts[i + 1], &counts[i], (*n - i) * sizeof(double));
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

static void on_sample(void *arg, const struct exposition_sample *s)
{
	struct reading *r = arg;
	const struct preset *p = r->preset;
	struct counts *c = r->out;
	double bound;

	if (!is_count(s->value) || other_model(r->model, s))
		return;
	if (str_eq(s->name, p->requests_metric)) {
		add_requests(r, s);
	} else if (p->errors_metric && str_eq(s->name, p->errors_metric)) {
		r->out->errors += s->value;
	} else if (p->busy_metric && str_eq(s->name, p->busy_metric)) {
		r->out->in_flight = (r->out->in_flight > 0 ? r->out->in_flight : 0) + s->value;
	} else if (p->latency_metric && str_eq(s->name, r->bucket_name)) {
		if (bucket_bound(s, &bound))
			r->overflow |= !add_bucket(&c->nbuckets, c->bounds, c->buckets,
			                           bound * p->latency_unit, s->value);
	}
}

static void bucket_name(char *out, const char *metric)
{
	snprintf(out, BUCKET_NAME_MAX, "%.150s_bucket", metric);
}

static void list_names(const struct reading *r, const char **names)
{
	const struct preset *p = r->preset;
	const char *const all[] = {p->requests_metric, p->errors_metric, p->busy_metric,
	                           p->latency_metric ? r->bucket_name : NULL};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			*names++ = all[i];
	*names = NULL;
}

int counts_read(const struct preset *p, const char *model, const char *text, size_t len,
                struct counts *out, struct err *err)
{
	struct reading r = {.preset = p, .model = model, .out = out};
	const char *names[5];

	memset(out, 0, sizeof(*out));
	out->in_flight = -1;
	if (p->latency_metric)
		bucket_name(r.bucket_name, p->latency_metric);
	list_names(&r, names);
	if (exposition_parse_some(text, len, names, on_sample, &r, err))
		return -1;
	if (r.overflow)
		out->nbuckets = 0;
	if (p->errors_apart)
		out->requests += out->errors;
	else if (out->errors > out->requests)
		out->errors = out->requests;
	return 0;
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

	memset(out, 0, sizeof(*out));
	bucket_name(name, metric);
	if (exposition_parse_some(text, len, names, on_histogram_sample, &r, err))
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
