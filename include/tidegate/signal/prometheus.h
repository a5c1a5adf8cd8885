/*
 * Client of one Prometheus-compatible server (Prometheus, Thanos, Mimir, VictoriaMetrics).
 *
 * Queries are POSTs, so that no proxy's log shows them and no length limit cuts them. At most
 * `concurrency` are under way, the others wait; each has the time-out, which the server is told
 * too. A reply is bounded (4 MB) and read before the call-back; nothing is kept.
 * Ownership: strings are copied. Exactly one call-back a query, never from inside
 * prometheus_query(); none after prometheus_cancel_all() or prometheus_free().
 */
#ifndef TIDEGATE_SIGNAL_PROMETHEUS_H
#define TIDEGATE_SIGNAL_PROMETHEUS_H

#include <stdint.h>

#include "tidegate/net/http.h"
#include "tidegate/signal/promql.h"

struct prometheus_options {
	const char *url;   /* "https://prometheus.monitoring:9090", a path may follow */
	const char *token; /* bearer; NULL = none. Never logged */
	const char *username, *password; /* basic; NULL = none. Never logged */
	struct http_tls tls;
	int timeout_ms;       /* 0 = 10 s */
	unsigned concurrency; /* 0 = 4 */
};

struct prometheus;
struct prometheus *prometheus_new(struct loop *l, const struct prometheus_options *o,
                                  struct err *err);
void prometheus_free(struct prometheus *p);

struct prometheus_query {
	const char *promql;
	/* step 0: instant, at `end`. Else a range; both in seconds since 1970. */
	double start, end, step;
	void *arg;
	/* reply: NULL when err says why. It lives until the call-back returns. */
	void (*on_done)(void *arg, const struct promql_reply *reply, const struct err *err);
};
void prometheus_query(struct prometheus *p, const struct prometheus_query *q);
void prometheus_cancel_all(struct prometheus *p);

#endif
