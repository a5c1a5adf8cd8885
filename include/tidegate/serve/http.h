/*
 * What the controller serves: /metrics on one address, /healthz and /readyz on another.
 *
 * Liveness does not depend on the API server; readiness is "all caches hold a complete
 * list". Both are served by standbys too.
 */
#ifndef TIDEGATE_SERVE_HTTP_H
#define TIDEGATE_SERVE_HTTP_H

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"

struct serve;

struct serve_options {
	const char *metrics_address, *health_address; /* NULL or "" = not served */
	const char *tls_cert_file, *tls_key_file;     /* of the metrics address; both or none */
	/* Readiness: NULL when ready, else what is missing. */
	const char *(*not_ready)(void *arg);
	void *arg;
};

struct serve *serve_new(struct loop *l, const struct serve_options *o, struct err *err);
void serve_free(struct serve *s);
/* Really bound addresses, "" when not served. */
const char *serve_metrics_address(const struct serve *s);
const char *serve_health_address(const struct serve *s);

#endif
