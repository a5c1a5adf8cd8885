/*
 * PromQL with variables, and the replies of the Prometheus HTTP API (/api/v1). Pure.
 *
 * Variables: $namespace, $name, $revision, $track, $interval, and for canary configs $scope (the
 * revision) and $location (the namespace), also as ${name}; $$ is a dollar. A
 * dollar before anything but a letter, { or $ stays: it ends a regular expression. An unknown
 * variable is an error, because a query for nothing would read as "no data".
 * Replies: values are texts ("NaN", "+Inf" too); an error envelope may come with any HTTP status;
 * warnings mean that the answer may be partial. Source: prometheus.io/docs/.../querying/api.
 */
#ifndef TIDEGATE_SIGNAL_PROMQL_H
#define TIDEGATE_SIGNAL_PROMQL_H

#include <stdbool.h>
#include <stddef.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

#define PROMQL_MAX         4096
#define PROMQL_SERIES_MAX  64
#define PROMQL_SAMPLES_MAX 11000 /* the API's own limit for a series */

struct promql_vars {
	/* namespace, name and revision are names of objects; interval is a duration ("30s"). */
	const char *namespace, *name, *revision, *track, *interval;
};
/* Adds the query to out (which bounds it). */
int promql_expand(const char *query, const struct promql_vars *v, struct buf *out, struct err *err);

struct promql_series {
	const char *labels; /* {a="b",c="d"}, cut; for messages */
	unsigned n;
	const double *times, *values; /* seconds; a value may be NaN or infinite */
};

struct promql_reply {
	struct promql_series *series;
	unsigned nseries;
	const char *warning; /* first one, NULL when there is none: the answer may be partial */
};
/*
 * Reads a reply into `a`. Vector, matrix and scalar; native histograms and more than
 * PROMQL_SERIES_MAX series are errors that name the way out. -1 also for an error envelope:
 * ERR_REJECTED when asking again cannot help (the query is wrong), ERR_UNAUTHORIZED, ERR_FORBIDDEN,
 * ERR_TIMEOUT, ERR_SERVER otherwise.
 */
int promql_reply_read(int status, const char *body, size_t len, struct arena *a,
                      struct promql_reply *out, struct err *err);

#endif
