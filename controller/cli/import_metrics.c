/*
 * Metrics of Argo Rollouts and Flagger become a ScorePolicy. Their limits are constant numbers;
 * here a figure is held against the stable revision's, so a query must tell revisions apart, and
 * only the direction of a limit is kept. Flagger's built-in checks become the judge Thresholds.
 */
#include "import.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

#define QUERY_MAX 4096

bool import_duration(const struct json *v, int64_t *ms)
{
	const char *text = json_value_str(v);
	int64_t seconds;

	if (!text) {
		seconds = json_value_i64(v, -1);
	} else if (!str_to_i64(text, &seconds)) {
		return duration_parse(text, ms, NULL) == 0;
	}
	if (seconds < 0 || seconds > INT32_MAX)
		return false;
	*ms = seconds * 1000;
	return true;
}

/* --- queries
 * --------------------------------------------------------------------------------------- */

/* Values for {{name}}; NULL: not known. */
typedef const char *(*value_fn)(void *arg, const char *name);

struct place {
	const char *begin, *end; /* of "{{ name }}" */
	char name[64];
};

static bool next_place(const char *text, struct place *p)
{
	const char *begin = strstr(text, "{{"), *end = begin ? strstr(begin, "}}") : NULL;
	size_t n;

	if (!end)
		return false;
	p->begin = begin;
	p->end = end + 2;
	for (begin += 2; isspace((unsigned char)*begin); begin++)
		;
	for (; end > begin && isspace((unsigned char)end[-1]); end--)
		;
	n = (size_t)(end - begin);
	if (n >= sizeof(p->name))
		n = sizeof(p->name) - 1;
	memcpy(p->name, begin, n);
	p->name[n] = '\0';
	return true;
}

/* A dollar that is not ours is doubled. */
static void add_literal(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '$')
			buf_addch(out, '$');
		buf_addch(out, text[i]);
	}
}

/* NULL when a value is not known; its name is then in *unknown. */
static const char *fill(struct import *im, const char *text, value_fn value, void *arg,
                        const char **unknown)
{
	/* Pods of a Deployment as Flagger's documentation finds them; ours have one part less or
	 * more. */
	static const char pods[] = "-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)";
	cleanup_buf struct buf out;
	struct place p;
	const char *with;

	buf_init(&out, QUERY_MAX);
	for (; next_place(text, &p); text = p.end) {
		add_literal(&out, text, (size_t)(p.begin - text));
		with = value(arg, p.name);
		if (!with) {
			*unknown = arena_strdup(&im->a, p.name);
			return NULL;
		}
		buf_addstr(&out, with);
		if (str_starts(p.end, pods) && strstr(with, "$revision")) {
			buf_addstr(&out, "-.+");
			p.end += strlen(pods);
		}
	}
	add_literal(&out, text, strlen(text));
	return arena_strdup(&im->a, out.data);
}

/* Two templates may call a metric by one name. */
static const char *unique_name(struct import *im, const struct import_policy *p, const char *name)
{
	for (unsigned i = 0; i < p->nmetrics; i++)
		if (str_eq(p->metrics[i].name, name))
			return arena_printf(&im->a, "%.50s-%u", name, p->nmetrics + 1);
	return name;
}

/* `path` is where the metric stands in `of`; false when nothing was made of it. */
static bool add_metric(struct import *im, struct import_model *m, const struct import_object *of,
                       const char *path, const char *name, const char *query, const char *unknown,
                       enum scorepolicy_direction direction)
{
	struct import_policy *p = &m->policy;

	if (!query) {
		import_note(im, of, path,
		            "{{%.40s}} has no value here: put the query into the "
		            "ScorePolicy's metrics, with $revision for the version",
		            unknown);
		return false;
	}
	if (!strstr(query, "$revision") && !strstr(query, "$track")) {
		import_note(
			im, of, path,
			"the query does not tell versions apart, so both would get one figure: put "
			"it into the ScorePolicy's metrics with $revision in its labels");
		return false;
	}
	if (p->nmetrics == SCOREPOLICY_METRICS_MAX) {
		import_note(im, of, path, "a ScorePolicy has %d metrics at most",
		            SCOREPOLICY_METRICS_MAX);
		return false;
	}
	p->metrics[p->nmetrics] =
		(struct scorepolicy_metric){.name = unique_name(im, p, str_or(name, "metric")),
	                                    .query = query,
	                                    .direction = direction};
	p->nmetrics++;
	p->name = m->name;
	import_note(im, of, path,
	            "is held against the stable revision's figure, not against a constant; try its "
	            "query with a revision's name for $revision%s",
	            strstr(query, "rollouts_pod_template_hash")
	                    ? ", and the label that your Prometheus makes of the pods' label "
	                      "serving.tidegate.io/revision in place of rollouts_pod_template_hash"
	                    : "");
	return true;
}

static void set_url(struct import *im, struct import_model *m, const struct import_object *of,
                    const char *path, const char *url)
{
	if (!url)
		return;
	if (!m->policy.url)
		m->policy.url = url;
	else if (!str_eq(m->policy.url, url))
		import_note(im, of, path, "a ScorePolicy asks one Prometheus: %.120s is not asked",
		            url);
}

/* --- Argo Rollouts
 * --------------------------------------------------------------------------------- */

struct arguments {
	struct import *im;
	const struct json *given, *declared;
};

static const struct json *argument(const struct json *list, const char *name)
{
	const struct json *it;

	json_for_each (it, list)
		if (str_eq(json_str(it, "name"), name))
			return it;
	return NULL;
}

static const char *argument_value(void *arg, const char *name)
{
	const struct arguments *args = arg;
	const struct json *a, *from;
	const char *field;

	if (!str_starts(name, "args."))
		return NULL;
	a = argument(args->given, name + strlen("args."));
	if (!json_has(a, "value") && !json_has(a, "valueFrom"))
		a = argument(args->declared, name + strlen("args."));
	if (json_str(a, "value"))
		return json_str(a, "value");
	from = json_get(a, "valueFrom");
	field = str_or(json_str(json_get(from, "fieldRef"), "fieldPath"), "");
	if (json_has(from, "podTemplateHashValue"))
		return "$revision";
	return str_eq(field, "metadata.name")        ? "$name"
	       : str_eq(field, "metadata.namespace") ? "$namespace"
	                                             : NULL;
}

/* "result[0] >= 0.95" is broken by a fall; of a failureCondition it is the other way round. */
static enum scorepolicy_direction direction_of(const char *success, const char *failure)
{
	const char *text = success ? success : failure;
	bool above = text && strchr(text, '>'), below = text && strchr(text, '<');

	if (above == below)
		return SCOREPOLICY_EITHER;
	return above == (success != NULL) ? SCOREPOLICY_DECREASE : SCOREPOLICY_INCREASE;
}

static int64_t metric_time(const struct json *metric)
{
	int64_t delay = 0, interval = 0, count = json_i64(metric, "count", 0);

	import_duration(json_get(metric, "initialDelay"), &delay);
	import_duration(json_get(metric, "interval"), &interval);
	if (interval && !count)
		return 0; /* for as long as nobody ends it */
	return delay + (count > 1 ? (count - 1) * interval : 0) + 1000;
}

static void read_prometheus(struct import *im, struct import_model *m,
                            const struct import_object *of, const char *path,
                            const struct json *metric, struct arguments *args)
{
	static const char *const own[] = {"count", "initialDelay", "consecutiveErrorLimit",
	                                  "inconclusiveLimit"};
	const struct json *provider = json_get(metric, "provider");
	const struct json *prometheus = json_get(provider, "prometheus");
	const char *query = json_str(prometheus, "query"), *unknown = "";
	const struct json *interval = import_take(im, metric, "interval");
	int64_t limit = import_take_i64(im, metric, "failureLimit", 0), ms;

	if (query)
		query = fill(im, query, argument_value, args, &unknown);
	if (!add_metric(im, m, of, path, json_str(metric, "name"), query, unknown,
	                direction_of(json_str(metric, "successCondition"),
	                             json_str(metric, "failureCondition")))) {
		import_take(im, metric, "name"); /* told as a whole */
		for (const struct json *it = json_first(metric); it; it = json_next(it))
			import_take(im, metric, json_key(it));
		return;
	}
	set_url(im, m, of, path, json_str(prometheus, "address"));
	if (interval && import_duration(interval, &ms) &&
	    (!m->policy.interval_ms || ms < m->policy.interval_ms))
		m->policy.interval_ms = ms;
	if (limit > 0 && limit < 100 && (int)limit + 1 > m->policy.failures)
		m->policy.failures = (int)limit + 1;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		import_take(im, metric, own[i]);
	import_take(im, metric, "name");
	import_take(im, metric, "successCondition");
	import_take(im, metric, "failureCondition");
	import_take(im, prometheus, "query");
	import_take(im, prometheus, "address");
}

static int64_t read_template(struct import *im, struct import_model *m, struct import_object *t,
                             const struct json *given)
{
	const struct json *spec = json_get(t->json, "spec"), *it;
	struct arguments args = {im, given, import_take(im, spec, "args")};
	int64_t longest = 0, ms;
	unsigned i = 0;

	json_for_each (it, json_get(spec, "metrics")) {
		const char *path = arena_printf(&im->a, "spec.metrics[%u]", i++);
		const char *provider = str_or(json_key(json_first(json_get(it, "provider"))), "");

		ms = metric_time(it);
		longest = ms > longest ? ms : longest;
		if (t->converted) /* by another step */
			continue;
		if (str_eq(provider, "prometheus")) {
			read_prometheus(im, m, t, path, it, &args);
			continue;
		}
		import_note(im, t, path,
		            "metrics come from pods and from Prometheus, not from %.30s: let an "
		            "approval step wait for it",
		            *provider ? provider : "elsewhere");
		for (const struct json *field = json_first(it); field; field = json_next(field))
			import_take(im, it, json_key(field));
	}
	if (!t->converted)
		import_note_rest(im, t);
	t->converted = true;
	return longest;
}

int64_t import_analysis(struct import *im, struct import_object *o, const char *path,
                        const struct json *analysis, struct import_model *m)
{
	const struct json *it;
	int64_t longest = 0, ms;

	json_for_each (it, json_get(analysis, "templates")) {
		const char *name = str_or(json_str(it, "templateName"), "");
		bool cluster = json_bool(it, "clusterScope", false);
		struct import_object *t =
			cluster ? import_find(im, "ClusterAnalysisTemplate", "", name)
				: import_find(im, "AnalysisTemplate", o->namespace, name);

		if (!t) {
			import_note(im, o, arena_printf(&im->a, "%s.templates", path),
			            "%.63s is not among what was given: add its manifest with -f "
			            "to have "
			            "its metrics",
			            name);
			continue;
		}
		ms = read_template(im, m, t, json_get(analysis, "args"));
		longest = ms > longest ? ms : longest;
	}
	return longest;
}

/* --- Flagger
 * ---------------------------------------------------------------------------------------- */

static const char *flagger_value(void *arg, const char *name)
{
	static const struct {
		const char *name, *value;
	} known[] = {{"namespace", "$namespace"},
	             {"target", "$name-$revision"},
	             {"interval", "$interval"}};
	const struct json *metric = arg;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(known[i].name, name))
			return known[i].value;
	return str_starts(name, "variables.") ? json_str(json_get(metric, "templateVariables"),
	                                                 name + strlen("variables."))
	                                      : NULL;
}

static enum scorepolicy_direction range_direction(const struct json *range)
{
	bool min = json_has(range, "min"), max = json_has(range, "max");

	return min == max ? SCOREPOLICY_EITHER : min ? SCOREPOLICY_DECREASE : SCOREPOLICY_INCREASE;
}

/* "request-success-rate" and "request-duration", which Flagger knows without a query. */
static bool read_builtin(struct import_model *m, const char *name, const struct json *range)
{
	double min = json_double(range, "min", 99), max = json_double(range, "max", 500);

	if (str_eq(name, "request-success-rate"))
		m->policy.max_errors = min >= 0 && min <= 100 ? (100 - min) / 100 : 0.01;
	else if (str_eq(name, "request-duration"))
		m->policy.max_latency_ms = max >= 1 && max < INT32_MAX ? (int64_t)max : 500;
	else
		return false;
	m->policy.name = m->name;
	return true;
}

static void read_metric_template(struct import *im, struct import_object *o, const char *path,
                                 const struct json *metric, struct import_model *m)
{
	const struct json *ref = json_get(metric, "templateRef");
	const char *query = json_str(metric, "query"), *unknown = "";
	const char *name = str_or(json_str(ref, "name"), "");
	struct import_object *t =
		ref ? import_find(im, "MetricTemplate",
	                          str_or(json_str(ref, "namespace"), o->namespace), name)
		    : NULL;
	const struct json *provider = json_path(t ? t->json : NULL, "spec", "provider", NULL);

	if (!query && !t) {
		import_note(im, o, path,
		            "MetricTemplate %.63s is not among what was given: add its "
		            "manifest with -f to have the metric",
		            name);
		return;
	}
	if (t && !str_eq(json_str(provider, "type"), "prometheus")) {
		import_note(im, o, path,
		            "metrics come from pods and from Prometheus, not from %.30s",
		            str_or(json_str(provider, "type"), "elsewhere"));
		return;
	}
	query = fill(
		im,
		str_or(query, str_or(json_str(json_get(t ? t->json : NULL, "spec"), "query"), "")),
		flagger_value, (void *)(uintptr_t)metric, &unknown);
	if (add_metric(im, m, o, path, json_str(metric, "name"), query, unknown,
	               range_direction(json_get(metric, "thresholdRange"))))
		set_url(im, m, o, path, json_str(provider, "address"));
	if (json_has(provider, "secretRef"))
		import_note(im, t, "spec.provider.secretRef",
		            "give the ScorePolicy prometheus.secretRef: a Secret with the label "
		            "serving.tidegate.io/credentials");
}

void import_canary_metrics(struct import *im, struct import_object *o, const struct json *analysis,
                           struct import_model *m)
{
	const struct json *list = import_take(im, analysis, "metrics"), *it;
	int64_t failures = import_take_i64(im, analysis, "threshold", 0);
	unsigned i = 0;

	json_for_each (it, list) {
		const char *path = arena_printf(&im->a, "spec.analysis.metrics[%u]", i++);

		if (!read_builtin(m, json_str(it, "name"), json_get(it, "thresholdRange")))
			read_metric_template(im, o, path, it, m);
	}
	if (!m->policy.name)
		return;
	if (failures > 0 && failures <= 100)
		m->policy.failures = (int)failures;
	if (!import_duration(json_get(analysis, "interval"), &m->policy.interval_ms))
		m->policy.interval_ms = 0;
}
