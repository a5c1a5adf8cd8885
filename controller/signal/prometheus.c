#include "tidegate/signal/prometheus.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/list.h"
#include "tidegate/base/str.h"

#define BODY_MAX    (4u << 20)
#define TIMEOUT_MS  10000
#define CONCURRENCY 4
#define FORM_MAX    (4 * PROMQL_MAX)

struct query {
	struct list node; /* waiting or running */
	struct prometheus *server;
	struct http_call *call; /* NULL while it waits */
	char *path, *form;
	struct prometheus_query q;
};

struct prometheus {
	struct loop *loop;
	struct http_client *http;
	char *url, *authorization;
	int timeout_ms;
	unsigned concurrency, running;
	struct list waiting, under_way;
	struct timer start;
};

static void query_free(struct query *x)
{
	if (x->call) {
		http_cancel(x->call);
		x->server->running--;
	}
	list_remove(&x->node);
	free(x->path);
	free(x->form);
	free(x);
}

static void on_done(void *arg, const struct http_result *res)
{
	struct query *x = arg;
	struct prometheus *p = x->server;
	struct prometheus_query q = x->q;
	struct promql_reply reply;
	struct err err = res->err;
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	x->call = NULL;
	p->running--;
	query_free(x);
	if (!list_empty(&p->waiting))
		timer_start(&p->start, 0);
	if (err.class == ERR_NONE)
		promql_reply_read(res->status, res->body, res->body_len, &a, &reply, &err);
	/* Last: the receiver may free this very client. */
	q.on_done(q.arg, err.class == ERR_NONE ? &reply : NULL,
	          err.class == ERR_NONE ? NULL : &err);
}

static void query_start(struct query *x)
{
	struct prometheus *p = x->server;
	cleanup_free char *url = xasprintf("%s%s", p->url, x->path);
	const char *headers[] = {"Content-Type: application/x-www-form-urlencoded",
	                         "Accept: application/json", p->authorization, NULL};
	struct http_request req = {.method = "POST",
	                           .url = url,
	                           .headers = headers,
	                           .body = x->form,
	                           .body_len = strlen(x->form),
	                           .timeout_ms = p->timeout_ms,
	                           .max_body = BODY_MAX,
	                           .accept_gzip = true,
	                           .on_done = on_done,
	                           .arg = x};

	p->running++;
	list_push_back(&p->under_way, &x->node);
	x->call = http_start(p->http, &req);
}

static void start_waiting(void *arg)
{
	struct prometheus *p = arg;

	while (p->running < p->concurrency && !list_empty(&p->waiting))
		query_start(list_entry(list_pop_front(&p->waiting), struct query, node));
}

static void form_write(struct buf *form, const struct prometheus_query *q, int timeout_ms)
{
	buf_addstr(form, "query=");
	buf_add_url(form, q->promql);
	if (q->step > 0)
		buf_addf(form, "&start=%.3f&end=%.3f&step=%.3f", q->start, q->end, q->step);
	else
		buf_addf(form, "&time=%.3f", q->end);
	buf_addf(form, "&timeout=%dms", timeout_ms);
}

void prometheus_query(struct prometheus *p, const struct prometheus_query *q)
{
	struct query *x = xcalloc(1, sizeof(*x));
	struct buf form;

	buf_init(&form, FORM_MAX);
	form_write(&form, q, p->timeout_ms);
	x->server = p;
	x->path = xstrdup(q->step > 0 ? "/api/v1/query_range" : "/api/v1/query");
	x->form = buf_detach(&form);
	x->q = *q;
	x->q.promql = NULL;
	list_init(&x->node);
	list_push_back(&p->waiting, &x->node);
	timer_start(&p->start, 0);
	buf_release(&form);
}

static void drop_all(struct list *l)
{
	while (!list_empty(l))
		query_free(list_entry(list_pop_front(l), struct query, node));
}

void prometheus_cancel_all(struct prometheus *p)
{
	drop_all(&p->waiting);
	drop_all(&p->under_way);
}

static char *authorization(const struct prometheus_options *o)
{
	cleanup_free char *pair = NULL, *coded = NULL;

	if (o->token)
		return xasprintf("Authorization: Bearer %s", o->token);
	if (!o->username)
		return NULL;
	pair = xasprintf("%s:%s", o->username, str_or(o->password, ""));
	coded = xcalloc(1, 4 * ((strlen(pair) + 2) / 3) + 1);
	base64_encode(pair, strlen(pair), coded);
	return xasprintf("Authorization: Basic %s", coded);
}

static bool is_header_safe(const char *s)
{
	return !s || !s[strcspn(s, "\r\n")];
}

struct prometheus *prometheus_new(struct loop *l, const struct prometheus_options *o,
                                  struct err *err)
{
	struct http_client_options h = {.tls = o->tls, .user_agent = "tidegate-signals"};
	struct prometheus *p;

	if (!str_starts(str_or(o->url, ""), "http://") &&
	    !str_starts(str_or(o->url, ""), "https://")) {
		err_set(err, ERR_INVALID, "Prometheus' URL must begin with http:// or https://");
		return NULL;
	}
	if (!is_header_safe(o->token) || !is_header_safe(o->username) ||
	    !is_header_safe(o->password)) {
		err_set(err, ERR_INVALID, "Prometheus' credentials contain a line break");
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->loop = l;
	p->url = xstrdup(o->url);
	while (str_ends(p->url, "/"))
		p->url[strlen(p->url) - 1] = '\0';
	p->authorization = authorization(o);
	p->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
	p->concurrency = o->concurrency ? o->concurrency : CONCURRENCY;
	list_init(&p->waiting);
	list_init(&p->under_way);
	timer_init(&p->start, l, start_waiting, p);
	p->http = http_client_new(l, &h, err);
	if (!p->http) {
		prometheus_free(p);
		return NULL;
	}
	return p;
}

void prometheus_free(struct prometheus *p)
{
	if (!p)
		return;
	prometheus_cancel_all(p);
	http_client_free(p->http);
	timer_release(&p->start);
	free(p->url);
	free(p->authorization);
	free(p);
}
