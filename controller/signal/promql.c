#include "tidegate/signal/promql.h"

#include <ctype.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LABELS_TEXT_MAX 256
#define TEXT_MAX        200

/* --- variables --------------------------------------------------------------------------- */

static const char *const *variable(const struct promql_vars *v, const char *name, size_t n)
{
	const struct {
		const char *name;
		const char *const *value;
	} known[] = {{"namespace", &v->namespace}, {"name", &v->name},
	             {"revision", &v->revision},   {"track", &v->track},
	             {"scope", &v->revision},      {"location", &v->namespace},
	             {"interval", &v->interval}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].name) == n && !strncmp(known[i].name, name, n))
			return known[i].value;
	return NULL;
}

/* Values stand inside PromQL's quotes: none may end them. */
static bool is_plain(const char *s)
{
	return s && !s[strcspn(s, "\"'`\\\n")];
}

static int add_variable(const char *name, size_t n, const struct promql_vars *v, struct buf *out,
                        struct err *err)
{
	const char *const *value = variable(v, name, n);

	if (!value)
		return err_set(err, ERR_INVALID,
		               "PromQL variable $%.*s is not known: namespace, name, revision, "
		               "track and interval are ($$ is a dollar)",
		               n > 40 ? 40 : (int)n, name);
	if (!is_plain(*value))
		return err_set(err, ERR_INVALID, "PromQL variable $%.*s has no usable value",
		               (int)n, name);
	return buf_addstr(out, *value);
}

static size_t word_length(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* What stands behind a dollar at p; returns how many characters were taken, -1 on an error. */
static long take_dollar(const char *p, const struct promql_vars *v, struct buf *out,
                        struct err *err)
{
	size_t n = word_length(p + (*p == '{'));

	if (*p == '$')
		return buf_addch(out, '$') ? -1 : 1;
	if (*p == '{') {
		if (p[1 + n] != '}')
			return err_set(err, ERR_INVALID, "PromQL: \"${\" without \"}\"");
		return add_variable(p + 1, n, v, out, err) ? -1 : (long)n + 2;
	}
	if (!isalpha((unsigned char)*p))
		return buf_addch(out, '$');
	return add_variable(p, n, v, out, err) ? -1 : (long)n;
}

int promql_expand(const char *query, const struct promql_vars *v, struct buf *out, struct err *err)
{
	struct err why = ERR_INIT;
	long taken = 0;

	for (const char *p = query; *p; p += taken) {
		if (*p == '$') {
			p++;
			taken = take_dollar(p, v, out, &why);
		} else {
			taken = buf_addch(out, *p) ? -1 : 1;
		}
		if (taken < 0 && why.class == ERR_NONE)
			return err_set(err, ERR_TOO_BIG, "PromQL query is longer than %zu bytes",
			               out->max);
		if (taken < 0)
			return err_set(err, why.class, "%s", why.msg);
	}
	return 0;
}

/* --- replies ----------------------------------------------------------------------------- */

struct reader {
	struct arena *a;
	struct promql_reply *out;
	struct err *err;
};

static int bad_reply(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_PROTOCOL, "Prometheus' reply: %s", what);
}

static const char *labels_text(struct reader *r, const struct json *metric)
{
	cleanup_buf struct buf b;
	const struct json *it;
	bool full = false;

	buf_init(&b, LABELS_TEXT_MAX);
	buf_addch(&b, '{');
	json_for_each (it, metric)
		full = full || buf_addf(&b, "%s%s=\"%s\"", b.len > 1 ? "," : "", json_key(it),
		                        str_or(json_value_str(it), ""));
	buf_addch(&b, '}');
	return arena_strndup(r->a, b.data, b.len);
}

/* [1435781451.781, "0.5"] */
static int read_point(struct reader *r, const struct json *point, double *t, double *v)
{
	const struct json *time = json_first(point), *value = time ? json_next(time) : NULL;
	const char *text = json_value_str(value);

	if (!json_is_array(point) || json_size(point) != 2 || !json_is_number(time) || !text)
		return bad_reply(r, "a sample is not [time, \"value\"]");
	*t = json_value_double(time, 0);
	if (!str_to_double(text, v))
		return bad_reply(r, "a value is not a number");
	return 0;
}

static struct promql_series *add_series(struct reader *r, const struct json *metric, size_t n,
                                        double **times, double **values)
{
	struct promql_series *s = &r->out->series[r->out->nseries++];

	*times = arena_array(r->a, n, sizeof(double));
	*values = arena_array(r->a, n, sizeof(double));
	*s = (struct promql_series){.labels = labels_text(r, metric),
	                            .n = (unsigned)n,
	                            .times = *times,
	                            .values = *values};
	return s;
}

static int read_single(struct reader *r, const struct json *metric, const struct json *point)
{
	double *t, *v;

	add_series(r, metric, 1, &t, &v);
	return read_point(r, point, t, v);
}

static int read_values(struct reader *r, const struct json *metric, const struct json *list)
{
	const struct json *it;
	double *t, *v;

	if (!json_is_array(list) || json_size(list) > PROMQL_SAMPLES_MAX)
		return bad_reply(r, "a series has no list of values, or one of more than 11000");
	add_series(r, metric, json_size(list), &t, &v);
	json_for_each (it, list)
		if (read_point(r, it, t++, v++))
			return -1;
	return 0;
}

static int read_one(struct reader *r, const struct json *o)
{
	const struct json *metric = json_get(o, "metric");

	if (json_has(o, "histogram") || json_has(o, "histograms"))
		return err_set(r->err, ERR_REJECTED,
		               "the query gives native histograms: take histogram_quantile() or "
		               "histogram_fraction() of them");
	if (json_has(o, "value"))
		return read_single(r, metric, json_get(o, "value"));
	return read_values(r, metric, json_get(o, "values"));
}

static int read_data(struct reader *r, const struct json *data)
{
	const struct json *result = json_get(data, "result"), *it;
	const char *type = str_or(json_str(data, "resultType"), "");

	r->out->series = arena_array(r->a, PROMQL_SERIES_MAX, sizeof(struct promql_series));
	if (str_eq(type, "scalar"))
		return read_single(r, NULL, result);
	if ((!str_eq(type, "vector") && !str_eq(type, "matrix")) || !json_is_array(result))
		return bad_reply(r, "neither vector, matrix nor scalar");
	if (json_size(result) > PROMQL_SERIES_MAX)
		return err_set(r->err, ERR_REJECTED,
		               "the query gives %zu series, at most %d are taken: aggregate them",
		               json_size(result), PROMQL_SERIES_MAX);
	json_for_each (it, result)
		if (read_one(r, it))
			return -1;
	return 0;
}

static enum err_class class_of(int status, const char *type)
{
	if (status == 401)
		return ERR_UNAUTHORIZED;
	if (status == 403)
		return ERR_FORBIDDEN;
	if (str_eq(type, "timeout") || str_eq(type, "canceled"))
		return ERR_TIMEOUT;
	if (status == 429)
		return ERR_THROTTLED;
	if (str_eq(type, "bad_data") || str_eq(type, "execution") || str_eq(type, "not_acceptable"))
		return ERR_REJECTED;
	return status >= 400 && status < 500 ? ERR_REJECTED : ERR_SERVER;
}

static int error_reply(int status, const struct json *json, struct err *err)
{
	const char *type = json_str(json, "errorType"), *text = json_str(json, "error");

	if (!text)
		return err_set(err, class_of(status, NULL),
		               "Prometheus answered HTTP %d without a reason", status);
	return err_set(err, class_of(status, type), "Prometheus answered %.40s: %.*s",
	               str_or(type, "an error"), TEXT_MAX, text);
}

int promql_reply_read(int status, const char *body, size_t len, struct arena *a,
                      struct promql_reply *out, struct err *err)
{
	struct reader r = {.a = a, .out = out, .err = err};
	const struct json *json, *warning;

	*out = (struct promql_reply){.nseries = 0};
	json = json_parse(a, body, len, NULL);
	if (status < 200 || status > 299 || str_eq(json_str(json, "status"), "error"))
		return error_reply(status, json, err);
	if (!json || !str_eq(json_str(json, "status"), "success"))
		return bad_reply(&r, "not the JSON of a Prometheus server (is the URL right?)");
	warning = json_first(json_get(json, "warnings"));
	if (warning)
		out->warning = str_or(json_value_str(warning), "");
	return read_data(&r, json_get(json, "data"));
}
