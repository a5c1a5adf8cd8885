#include "service.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#include "predict.h"
#include "route.h"
#include "stats.h"

#define ANSWER_MAX      (4u << 20)
#define DRAIN_QUIET_MS  200
#define CONNECTIONS_MAX 4096
/* Longer than a gateway keeps an idle connection (90 s is common): the side that sends should be
 * the one that closes, or its next request is lost. So for one that was opened ahead and never
 * used: Go's Transport dials for a request that another connection takes in the end. */
#define IDLE_MS 600000

/* A prediction that is answered later. */
struct pending {
	struct service *service;
	struct server_request *request;
	struct timer timer;
	struct buf body;
	int status;
	int64_t start_us;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void reply(struct service *s, struct server_request *r, int status, const char *type,
                  const struct buf *body)
{
	server_reply(r, status, type, s->draining ? s->headers_closing : s->headers, body->data,
	             body->len);
}

static void reply_json(struct service *s, struct server_request *r, int status,
                       const struct buf *body)
{
	reply(s, r, status, "application/json", body);
}

static void error_body(struct buf *out, const char *message)
{
	struct json_writer w;

	buf_reset(out);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "error", message);
	jw_end_object(&w);
	jw_end(&w);
}

static void reply_error(struct service *s, struct server_request *r, int status,
                        const char *message)
{
	cleanup_buf struct buf body;

	buf_init(&body, ANSWER_MAX);
	error_body(&body, message);
	reply_json(s, r, status, &body);
}

static void finish_prediction(struct service *s, struct server_request *r, int status,
                              const struct buf *body, int64_t start_us)
{
	if (status == 200)
		stats_ok(now_us() - start_us);
	else
		stats_failed(status == 500 ? "INTERNAL" : "INVALID_ARGUMENT");
	reply_json(s, r, status, body);
	s->in_flight--;
}

static void pending_due(void *arg)
{
	struct pending *p = arg;

	finish_prediction(p->service, p->request, p->status, &p->body, p->start_us);
	timer_release(&p->timer);
	buf_release(&p->body);
	free(p);
}

static void answer_later(struct service *s, struct server_request *r, int status, struct buf *body,
                         int64_t start_us, int64_t delay_ms)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	*p = (struct pending){
		.service = s, .request = r, .body = *body, .status = status, .start_us = start_us};
	buf_init(body, ANSWER_MAX); /* the content is the pending answer's now */
	timer_init(&p->timer, s->loop, pending_due, p);
	timer_start(&p->timer, delay_ms);
}

static void on_score(void *arg, double score)
{
	struct service *s = arg;
	double noise = s->config->score_noise, z = log(score / (1 - score));
	bool clicked;

	s->clicks_due += s->config->ctr;
	clicked = s->clicks_due >= 1;
	s->clicks_due -= clicked ? 1 : 0;
	if (noise > 0)
		score = 1 / (1 + exp(-(z + noise * fault_noise(&s->fault))));
	stats_shown(score, clicked);
}

static int compute(struct service *s, const struct server_request *r, enum verb verb,
                   struct buf *body)
{
	struct predict_listener l = {on_score, s};
	struct err err = ERR_INIT;
	int rc;

	if (fault_fails(&s->fault)) {
		error_body(body, "injected fault");
		return 500;
	}
	if (verb == VERB_V2_INFER)
		rc = predict_v2(&s->model, &l, s->config->model_name, s->version, r->body,
		                r->body_len, body, &err);
	else
		rc = predict_rest(&s->model, &l, r->body, r->body_len, body, &err);
	if (rc)
		error_body(body, err.msg);
	return rc ? 400 : 200;
}

/* Accepted and never answered, until the end. */
static void keep_hanging(struct service *s, struct server_request *r)
{
	s->hanging = xreallocarray(s->hanging, s->nhanging + 1, sizeof(struct server_request *));
	s->hanging[s->nhanging++] = r;
}

static void predict(struct service *s, struct server_request *r, enum verb verb)
{
	int64_t start_us = now_us(), delay_ms = fault_delay_ms(&s->fault);
	cleanup_buf struct buf body;
	int status;

	buf_init(&body, ANSWER_MAX);
	if (fault_hang(&s->fault) == HANG_PREDICT) {
		keep_hanging(s, r);
		return;
	}
	s->in_flight++;
	status = compute(s, r, verb, &body);
	if (delay_ms > 0)
		answer_later(s, r, status, &body, start_us, delay_ms);
	else
		finish_prediction(s, r, status, &body, start_us);
}

static void tfs_status(struct service *s, struct json_writer *w)
{
	jw_array(w, "model_version_status");
	jw_object(w, NULL);
	jw_str(w, "version", s->version);
	jw_str(w, "state", "AVAILABLE");
	jw_object(w, "status");
	jw_str(w, "error_code", "OK");
	jw_str(w, "error_message", "");
	jw_end_object(w);
	jw_end_object(w);
	jw_end_array(w);
}

static void tfs_tensor(struct json_writer *w, const char *name, const char *type, int64_t width)
{
	jw_object(w, name);
	jw_str(w, "dtype", type);
	jw_object(w, "tensor_shape");
	jw_array(w, "dim");
	jw_object(w, NULL);
	jw_str(w, "size", "-1");
	jw_end_object(w);
	if (width) {
		jw_object(w, NULL);
		jw_strf(w, "size", "%ld", (long)width);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_bool(w, "unknown_rank", false);
	jw_end_object(w);
	jw_strf(w, "name", "%s:0", name);
	jw_end_object(w);
}

static void tfs_metadata(struct service *s, struct json_writer *w)
{
	jw_object(w, "model_spec");
	jw_str(w, "name", s->config->model_name);
	jw_str(w, "signature_name", "");
	jw_str(w, "version", s->version);
	jw_end_object(w);
	jw_object(w, "metadata");
	jw_object(w, "signature_def");
	jw_object(w, "signature_def");
	jw_object(w, "serving_default");
	jw_object(w, "inputs");
	tfs_tensor(w, "features", "DT_DOUBLE", s->model.features);
	jw_end_object(w);
	jw_object(w, "outputs");
	tfs_tensor(w, "score", "DT_DOUBLE", 0);
	jw_end_object(w);
	jw_str(w, "method_name", "tensorflow/serving/predict");
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void v2_server(struct service *s, struct json_writer *w)
{
	(void)s;
	jw_str(w, "name", "modelserver");
	jw_str(w, "version", TIDEGATE_VERSION);
	jw_array(w, "extensions");
	jw_end_array(w);
}

static void v2_tensor(struct json_writer *w, const char *list, const char *name, int64_t width)
{
	jw_array(w, list);
	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_str(w, "datatype", "FP64");
	jw_array(w, "shape");
	jw_i64(w, NULL, -1);
	if (width)
		jw_i64(w, NULL, width);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
}

static void v2_model(struct service *s, struct json_writer *w)
{
	jw_str(w, "name", s->config->model_name);
	jw_array(w, "versions");
	jw_str(w, NULL, s->version);
	jw_end_array(w);
	jw_str(w, "platform", "modelserver_weights");
	v2_tensor(w, "inputs", "features", s->model.features);
	v2_tensor(w, "outputs", "score", 0);
}

static void v2_live(struct service *s, struct json_writer *w)
{
	(void)s;
	jw_bool(w, "live", true);
}

static void v2_ready(struct service *s, struct json_writer *w)
{
	jw_bool(w, "ready", !s->draining);
}

static void v2_model_ready(struct service *s, struct json_writer *w)
{
	jw_str(w, "name", s->config->model_name);
	jw_bool(w, "ready", !s->draining);
}

/* The answers that say something about the server or the model. */
static void (*const facts[])(struct service *s, struct json_writer *w) = {
	[VERB_TFS_STATUS] = tfs_status,
	[VERB_TFS_METADATA] = tfs_metadata,
	[VERB_V2_SERVER] = v2_server,
	[VERB_V2_LIVE] = v2_live,
	[VERB_V2_READY] = v2_ready,
	[VERB_V2_MODEL] = v2_model,
	[VERB_V2_MODEL_READY] = v2_model_ready,
	[VERB_V2_INFER] = NULL,
};

static void reply_fact(struct service *s, struct server_request *r, enum verb verb)
{
	bool readiness = verb == VERB_V2_READY || verb == VERB_V2_MODEL_READY;
	cleanup_buf struct buf body;
	struct json_writer w;

	buf_init(&body, ANSWER_MAX);
	jw_init(&w, &body);
	jw_object(&w, NULL);
	facts[verb](s, &w);
	jw_end_object(&w);
	jw_end(&w);
	reply_json(s, r, readiness && s->draining ? 503 : 200, &body);
}

static void reply_metrics(struct service *s, struct server_request *r)
{
	cleanup_buf struct buf body;

	buf_init(&body, ANSWER_MAX);
	if (stats_render(&body))
		reply_error(s, r, 500, "metrics are too long");
	else
		reply(s, r, 200, "text/plain; version=0.0.4", &body);
}

/* True when the path names no model, or the one that is served. */
static bool serves(const struct service *s, const struct route *route)
{
	if (route->model[0] && !str_eq(route->model, s->config->model_name))
		return false;
	return !route->version[0] || str_eq(route->version, s->version);
}

static void reply_unknown_model(struct service *s, struct server_request *r,
                                const struct route *route)
{
	cleanup_free char *text = NULL;

	if (route->version[0])
		text = xasprintf("Servable not found for request: Specific(%s, %s)", route->model,
		                 route->version);
	else
		text = xasprintf("Servable not found for request: Latest(%s)", route->model);
	reply_error(s, r, 404, text);
}

static void handle(void *arg, struct server_request *r)
{
	struct service *s = arg;
	enum hang hang = fault_hang(&s->fault);
	struct route route;

	route_parse(&route, r->method, r->path);
	s->last_request_ms = loop_now(s->loop);
	if (hang == HANG_ALL || (hang == HANG_STATUS && route.verb == VERB_TFS_STATUS))
		keep_hanging(s, r);
	else if (route.verb == VERB_NONE)
		reply_error(s, r, 404, "Malformed request: no such path");
	else if (route.verb == VERB_BAD_METHOD)
		reply_error(s, r, 405, "Malformed request: method not allowed here");
	else if (!serves(s, &route))
		reply_unknown_model(s, r, &route);
	else if (route.verb == VERB_METRICS)
		reply_metrics(s, r);
	else if (route.verb == VERB_TFS_PREDICT || route.verb == VERB_V2_INFER)
		predict(s, r, route.verb);
	else
		reply_fact(s, r, route.verb);
}

static void drain_check(void *arg)
{
	struct service *s = arg;
	int64_t quiet = loop_now(s->loop) - s->last_request_ms;

	if (!s->in_flight && !server_has_unsent(s->server) && quiet >= DRAIN_QUIET_MS)
		s->on_drained(s->arg);
	else
		timer_start(&s->drain_timer, quiet < DRAIN_QUIET_MS ? DRAIN_QUIET_MS - quiet : 10);
}

void service_init(struct service *s, struct loop *l, const struct config *c)
{
	*s = (struct service){.loop = l, .config = c};
	fault_init(&s->fault, c);
	timer_init(&s->drain_timer, l, drain_check, s);
}

int service_load(struct service *s, struct err *err)
{
	const struct config *c = s->config;

	if (model_load(&s->model, c->model_name, c->model_version, c->base_path, err))
		return -1;
	s->version = str_or(c->report_version, s->model.version);
	s->headers = xasprintf("x-model-version: %s\r\nx-pod-name: %s\r\nx-zone: %s\r\n",
	                       s->version, str_or(c->pod_name, ""), str_or(c->zone, ""));
	s->headers_closing = xasprintf("%sConnection: close\r\n", s->headers);
	stats_init(c->model_name);
	return 0;
}

int service_open(struct service *s, struct err *err)
{
	const struct config *c = s->config;
	bool ipv6 = strchr(c->address, ':') != NULL;
	cleanup_free char *address = xasprintf("%s%s%s:%ld", ipv6 ? "[" : "", c->address,
	                                       ipv6 ? "]" : "", (long)c->port);
	struct server_options o = {.address = address,
	                           .handler = handle,
	                           .arg = s,
	                           .max_connections = CONNECTIONS_MAX,
	                           .request_ms = IDLE_MS,
	                           .idle_ms = IDLE_MS};

	s->server = server_new(s->loop, &o, err);
	return s->server ? 0 : -1;
}

void service_drain(struct service *s, void (*on_drained)(void *arg), void *arg)
{
	if (s->draining)
		return;
	s->draining = true;
	/* What a client has sent but we have not read yet is under way too. */
	s->last_request_ms = loop_now(s->loop);
	s->on_drained = on_drained;
	s->arg = arg;
	timer_start(&s->drain_timer, DRAIN_QUIET_MS);
}

void service_release(struct service *s)
{
	if (s->server)
		server_free(s->server);
	/* Each request is to be answered once, also when nobody listens any more. */
	for (size_t i = 0; i < s->nhanging; i++)
		server_reply_text(s->hanging[i], 503, "ended");
	free(s->hanging);
	timer_release(&s->drain_timer);
	model_release(&s->model);
	free(s->headers);
	free(s->headers_closing);
}
