#include "tidegate/serve/http.h"

#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"
#include "tidegate/net/server.h"

#define METRICS_MAX (8u << 20)

struct serve {
	struct server *metrics, *health;
	const char *(*not_ready)(void *arg);
	void *arg;
};

static void answer_metrics(struct server_request *r)
{
	const char *accept = server_header(r, "accept");
	bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
	cleanup_buf struct buf out;

	buf_init(&out, METRICS_MAX);
	if (metric_render(&out, openmetrics)) {
		server_reply_text(r, 500, "metrics are larger than the limit\n");
		return;
	}
	server_reply(r, 200,
	             openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                         : "text/plain; version=0.0.4; charset=utf-8",
	             NULL, out.data, out.len);
}

static void on_metrics_request(void *arg, struct server_request *r)
{
	(void)arg;
	if (str_eq(r->path, "/metrics"))
		answer_metrics(r);
	else
		server_reply_text(r, 404, "not found; try /metrics\n");
}

static void answer_ready(struct serve *s, struct server_request *r)
{
	const char *missing = s->not_ready ? s->not_ready(s->arg) : NULL;

	if (missing)
		server_reply_text(r, 503, missing);
	else
		server_reply_text(r, 200, "ok");
}

static void on_health_request(void *arg, struct server_request *r)
{
	struct serve *s = arg;

	if (str_eq(r->path, "/healthz") || str_eq(r->path, "/livez"))
		server_reply_text(r, 200, "ok");
	else if (str_eq(r->path, "/readyz"))
		answer_ready(s, r);
	else
		server_reply_text(r, 404, "not found; try /healthz or /readyz\n");
}

static int start(struct loop *l, struct serve *s, const struct serve_options *o, struct err *err)
{
	struct server_options m = {.address = o->metrics_address,
	                           .tls_cert_file = o->tls_cert_file,
	                           .tls_key_file = o->tls_key_file,
	                           .handler = on_metrics_request,
	                           .arg = s};
	struct server_options h = {
		.address = o->health_address, .handler = on_health_request, .arg = s};

	if (!str_empty(o->metrics_address)) {
		s->metrics = server_new(l, &m, err);
		if (!s->metrics)
			return err_wrap(err, "metrics address %s", o->metrics_address);
	}
	if (!str_empty(o->health_address)) {
		s->health = server_new(l, &h, err);
		if (!s->health)
			return err_wrap(err, "health address %s", o->health_address);
	}
	return 0;
}

struct serve *serve_new(struct loop *l, const struct serve_options *o, struct err *err)
{
	struct serve *s = xcalloc(1, sizeof(*s));

	s->not_ready = o->not_ready;
	s->arg = o->arg;
	process_metrics_register();
	if (start(l, s, o, err)) {
		serve_free(s);
		return NULL;
	}
	return s;
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	server_free(s->metrics);
	server_free(s->health);
	free(s);
}

const char *serve_metrics_address(const struct serve *s)
{
	return s->metrics ? server_address(s->metrics) : "";
}

const char *serve_health_address(const struct serve *s)
{
	return s->health ? server_address(s->health) : "";
}
