/* One observation as a line of JSON: bounds, and messages that name the field. */
#include "score_line.h"

#include <math.h>

#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

static int wrong(struct err *err, const char *field, const char *what)
{
	return err_set(err, ERR_INVALID, "%s: %s", field, what);
}

static int read_count(const struct json *o, const char *key, double *out, struct err *err)
{
	double v = json_double(o, key, NAN);

	*out = 0;
	if (!json_has(o, key))
		return 0;
	if (!(v >= 0 && v <= 1e15))
		return wrong(err, key, "must be a number that is not negative");
	*out = v;
	return 0;
}

/* Ascending by bound, whatever the order of the keys. */
static void insert_bucket(struct sequential_sample *x, double bound, double count)
{
	unsigned i = x->nbuckets++;

	for (; i && x->bounds[i - 1] > bound; i--) {
		x->bounds[i] = x->bounds[i - 1];
		x->counts[i] = x->counts[i - 1];
	}
	x->bounds[i] = bound;
	x->counts[i] = count;
}

static int check_buckets(struct sequential_sample *x, struct err *err)
{
	if (x->nbuckets && isfinite(x->bounds[x->nbuckets - 1])) {
		if (x->nbuckets == JUDGE_BUCKETS_MAX)
			return wrong(err, "buckets", "has too many bounds (at most 40)");
		insert_bucket(x, INFINITY, x->requests);
	}
	for (unsigned i = 1; i < x->nbuckets; i++)
		if (x->counts[i] < x->counts[i - 1] || x->bounds[i] == x->bounds[i - 1])
			return wrong(err, "buckets",
			             "must be cumulative: a count is lower than that of a smaller "
			             "bound");
	return 0;
}

static int read_buckets(const struct json *o, struct sequential_sample *x, struct err *err)
{
	const struct json *buckets = json_get(o, "buckets"), *it;
	double bound, count;

	x->nbuckets = 0;
	if (!json_has(o, "buckets"))
		return 0;
	if (!json_is_object(buckets))
		return wrong(err, "buckets", "must be an object of counts by upper bound");
	json_for_each (it, buckets) {
		count = json_value_double(it, NAN);
		if (!str_to_double(json_key(it), &bound) || isnan(bound))
			return err_set(err, ERR_INVALID,
			               "buckets: \"%s\" is not an upper bound in seconds",
			               json_key(it));
		if (!json_is_number(it) || !(count >= 0))
			return err_set(err, ERR_INVALID,
			               "buckets.%s: must be a number that is not negative",
			               json_key(it));
		if (x->nbuckets == JUDGE_BUCKETS_MAX)
			return wrong(err, "buckets", "has too many bounds (at most 40)");
		insert_bucket(x, bound, count);
	}
	return check_buckets(x, err);
}

static int read_text(const struct json *o, const char *key, const char **out, struct err *err)
{
	*out = str_or(json_str(o, key), "");
	if (json_has(o, key) && !json_str(o, key))
		return wrong(err, key, "must be a text");
	return 0;
}

static int read_sample(const struct json *o, struct sequential_sample *x, struct err *err)
{
	const char *track = json_str(o, "track");

	if (!json_is_object(o))
		return err_set(err, ERR_INVALID, "an observation is an object");
	*x = (struct sequential_sample){.t = json_double(o, "t", NAN),
	                                .canary = str_eq(track, "canary")};
	if (!isfinite(x->t))
		return wrong(err, "t", "must be a number of seconds");
	if (!x->canary && !str_eq(track, "stable"))
		return wrong(err, "track", "must be stable or canary");
	if (read_text(o, "zone", &x->stratum, err) || read_text(o, "pod", &x->pod, err))
		return -1;
	if (!json_has(o, "requests"))
		return wrong(err, "requests", "is missing");
	if (read_count(o, "requests", &x->requests, err) ||
	    read_count(o, "errors", &x->errors, err) || read_buckets(o, x, err))
		return -1;
	if (x->errors > x->requests)
		return wrong(err, "errors", "must not be more than requests");
	return 0;
}

int score_line_read(const char *text, size_t len, struct arena *a, struct score_line *out,
                    struct err *err)
{
	const struct json *o = json_parse(a, text, len, err);

	if (!o || read_sample(o, &out->sample, err))
		return -1;
	return read_text(o, "stream", &out->stream, err);
}
