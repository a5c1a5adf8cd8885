#include "route.h"

#include <stdbool.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static const struct {
	const char *path;
	enum verb verb;
} fixed[] = {
	{"/metrics", VERB_METRICS},        {"/monitoring/prometheus/metrics", VERB_METRICS},
	{"/v2", VERB_V2_SERVER},           {"/v2/", VERB_V2_SERVER},
	{"/v2/health/live", VERB_V2_LIVE}, {"/v2/health/ready", VERB_V2_READY},
};

/* Copies up to the first of the characters in `stop` and returns what follows; NULL: too long. */
static const char *take(char *out, const char *p, const char *stop)
{
	size_t n = strcspn(p, stop);

	if (n >= ROUTE_NAME_MAX)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	return p + n;
}

static const char *take_model(struct route *r, const char *p)
{
	static const char versions[] = "/versions/";

	p = take(r->model, p, "/:");
	if (p && str_starts(p, versions))
		p = take(r->version, p + strlen(versions), "/:");
	return p;
}

static enum verb tfs_verb(const char *rest)
{
	if (str_eq(rest, ""))
		return VERB_TFS_STATUS;
	if (str_eq(rest, "/metadata"))
		return VERB_TFS_METADATA;
	return str_eq(rest, ":predict") ? VERB_TFS_PREDICT : VERB_NONE;
}

static enum verb v2_verb(const char *rest)
{
	if (str_eq(rest, ""))
		return VERB_V2_MODEL;
	if (str_eq(rest, "/ready"))
		return VERB_V2_MODEL_READY;
	return str_eq(rest, "/infer") ? VERB_V2_INFER : VERB_NONE;
}

static enum verb find(struct route *r, const char *path)
{
	static const char tfs[] = "/v1/models/", v2[] = "/v2/models/";
	const char *rest;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (str_eq(path, fixed[i].path))
			return fixed[i].verb;
	}
	if (str_starts(path, tfs)) {
		rest = take_model(r, path + strlen(tfs));
		return rest ? tfs_verb(rest) : VERB_NONE;
	}
	if (str_starts(path, v2)) {
		rest = take_model(r, path + strlen(v2));
		return rest ? v2_verb(rest) : VERB_NONE;
	}
	return VERB_NONE;
}

void route_parse(struct route *r, const char *method, const char *path)
{
	bool post;

	*r = (struct route){0};
	r->verb = find(r, path);
	if (r->verb == VERB_NONE)
		return;
	post = r->verb == VERB_TFS_PREDICT || r->verb == VERB_V2_INFER;
	if (!str_eq(method, post ? "POST" : "GET"))
		r->verb = VERB_BAD_METHOD;
}
