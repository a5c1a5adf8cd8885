#include "tidegate/signal/counts.h"

#include <math.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/exposition.h"

#define COUNT_MAX 9007199254740992.0 /* 2^53 */

struct reading {
	const struct preset *preset;
	const char *model;
	char bucket_name[160];
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

static void add_bucket(struct reading *r, double bound, double count)
{
	struct counts *c = r->out;
	unsigned i = 0;

	while (i < c->nbuckets && c->bounds[i] < bound)
		i++;
	if (i == c->nbuckets || c->bounds[i] > bound) {
		if (c->nbuckets == COUNTS_BUCKETS_MAX) {
			r->overflow = true;
			return;
		}
		memmove(&c->bounds[i + 1], &c->bounds[i], (c->nbuckets - i) * sizeof(double));
		memmove(&c->buckets[i + 1], &c->buckets[i], (c->nbuckets - i) * sizeof(double));
		c->bounds[i] = bound;
		c->buckets[i] = 0;
		c->nbuckets++;
	}
	c->buckets[i] += count;
}

static bool other_model(const struct reading *r, const struct exposition_sample *s)
{
	const char *label = exposition_label(s, "model_name");

	if (!label)
		label = exposition_label(s, "model");
	return label && r->model && !str_eq(label, r->model);
}

static void on_sample(void *arg, const struct exposition_sample *s)
{
	struct reading *r = arg;
	const struct preset *p = r->preset;
	const char *le;
	double bound;

	/* Below zero, not a number, or more than a double counts one by one: no count. */
	if (!(s->value >= 0 && s->value <= COUNT_MAX) || other_model(r, s))
		return;
	if (str_eq(s->name, p->requests_metric)) {
		add_requests(r, s);
	} else if (p->errors_metric && str_eq(s->name, p->errors_metric)) {
		r->out->errors += s->value;
	} else if (p->busy_metric && str_eq(s->name, p->busy_metric)) {
		r->out->in_flight = (r->out->in_flight > 0 ? r->out->in_flight : 0) + s->value;
	} else if (p->latency_metric && str_eq(s->name, r->bucket_name)) {
		le = exposition_label(s, "le");
		if (le && str_to_double(le, &bound) && !isnan(bound))
			add_bucket(r, bound * p->latency_unit, s->value);
	}
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
	if (p->latency_metric) {
		str_copy(r.bucket_name, sizeof(r.bucket_name), p->latency_metric);
		str_copy(r.bucket_name + strlen(r.bucket_name),
		         sizeof(r.bucket_name) - strlen(r.bucket_name), "_bucket");
	}
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

static bool went_down(const struct counts *before, const struct counts *now)
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
	if (went_down(before, now))
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
