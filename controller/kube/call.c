/*
 * One API call from queue to answer.
 *
 *     QUEUED -> AUTH -> RUNNING -> done
 *                ^         |
 *                +- WAIT <-+    retry; keeps its place among the running ones
 *     FAILED: the answer is known already and is given from the loop
 */
#include <string.h>

#include "client_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define CALL_TIMEOUT_MS    10000
#define CALL_TRIES_MAX     10
#define CALL_JITTER        0.25
#define CALL_ERROR_BODY    (64u << 10)
#define CALL_HEADERS_FIXED 4
/* Priority and fairness: which rule of the server put the request where it was refused. */
#define CALL_FLOW_HEADER "X-Kubernetes-PF-FlowSchema-UID"

#define CALL_ACCEPT_METADATA                                                                       \
	"Accept: "                                                                                 \
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

enum call_state { CALL_QUEUED, CALL_AUTH, CALL_RUNNING, CALL_WAIT, CALL_FAILED };

struct kube_call {
	struct list link;
	struct list queue_link;
	struct kube_client *client;
	enum call_state state;
	char *method, *path, *url, *body;
	struct kube_request req; /* scalars and callbacks; its strings are not ours */
	bool write, idempotent;
	bool has_slot, reauthed, delivered, fresh_connection;
	unsigned tries;
	int64_t auth_ms;     /* began to wait for credentials */
	int64_t sent_ms;     /* last attempt left */
	int64_t deadline_ms; /* 0 = not sent yet, or none */
	struct kube_auth_wait auth_wait;
	struct timer timer;
	struct http_call *http;
	struct buf error_body; /* of an answer to a streaming request that is no 2xx */
	struct err err;        /* CALL_FAILED: what to tell */
};

static void call_attempt(struct kube_call *call);

/* --- request line and headers ------------------------------------------------------------- */

static bool method_writes(const char *method)
{
	return !str_eq(method, "GET") && !str_eq(method, "HEAD");
}

/* Questions that are put as a POST: TokenReview, SubjectAccessReview and the like. */
static bool path_asks(const char *path)
{
	return str_starts(path, "/apis/authentication.k8s.io/") ||
	       str_starts(path, "/apis/authorization.k8s.io/");
}

static char *make_url(const struct kube_client *c, const struct kube_request *r)
{
	char sep = strchr(r->path, '?') ? '&' : '?';
	struct buf url;
	char *out;

	buf_init(&url, 64u << 10);
	buf_addstr(&url, c->cfg->server);
	buf_addstr(&url, r->path);
	if (r->field_manager && method_writes(r->method) && !str_eq(r->method, "DELETE")) {
		buf_addch(&url, sep);
		buf_addstr(&url, "fieldManager=");
		buf_add_url(&url, r->field_manager);
		sep = '&';
	}
	if (r->patch == KUBE_PATCH_APPLY) {
		buf_addch(&url, sep);
		buf_addstr(&url, "force=true");
	}
	out = buf_detach(&url);
	buf_release(&url);
	return out;
}

static const char *content_type(enum kube_patch patch)
{
	switch (patch) {
	case KUBE_PATCH_APPLY:
		return "Content-Type: application/apply-patch+yaml";
	case KUBE_PATCH_MERGE:
		return "Content-Type: application/merge-patch+json";
	case KUBE_PATCH_JSON:
		return "Content-Type: application/json-patch+json";
	case KUBE_PATCH_STRATEGIC:
		return "Content-Type: application/strategic-merge-patch+json";
	case KUBE_PATCH_NONE:
		break;
	}
	return "Content-Type: application/json";
}

/* The array is the caller's to free; its strings live elsewhere. */
static const char **make_headers(const struct kube_call *call)
{
	char *const *as = call->client->cfg->as_headers;
	size_t nas = 0, n = 0;
	const char **h;

	while (as && as[nas])
		nas++;
	h = xcalloc(nas + CALL_HEADERS_FIXED, sizeof(*h));
	h[n++] = call->req.metadata_only ? CALL_ACCEPT_METADATA : "Accept: application/json";
	if (call->body)
		h[n++] = content_type(call->req.patch);
	if (kube_auth_header(call->client->auth))
		h[n++] = kube_auth_header(call->client->auth);
	for (size_t i = 0; i < nas; i++)
		h[n++] = as[i];
	return h;
}

/* --- slots -------------------------------------------------------------------------------- */

static void queue_pump(struct kube_client *c)
{
	while (c->running < (unsigned)c->max_in_flight && !list_empty(&c->waiting)) {
		struct list *n = list_pop_front(&c->waiting);
		struct kube_call *call = list_entry(n, struct kube_call, queue_link);

		call->has_slot = true;
		c->running++;
		call_attempt(call);
	}
}

/* --- end ---------------------------------------------------------------------------------- */

/* Takes the call out of everything and frees it. */
static void call_destroy(struct kube_call *call)
{
	list_remove(&call->link);
	list_remove(&call->queue_link);
	kube_auth_cancel(&call->auth_wait);
	timer_release(&call->timer);
	if (call->http)
		http_cancel(call->http);
	if (call->has_slot)
		call->client->running--;
	buf_release(&call->error_body);
	free(call->method);
	free(call->path);
	free(call->url);
	free(call->body);
	free(call);
}

void call_abandon_all(struct kube_client *c)
{
	while (!list_empty(&c->calls))
		call_destroy(list_entry(c->calls.next, struct kube_call, link));
}

void kube_cancel(struct kube_call *call)
{
	struct kube_client *c;

	if (!call)
		return;
	c = call->client;
	call_destroy(call);
	queue_pump(c);
}

/* Frees the call before it tells, so that the callee may start or cancel whatever it likes. */
static void call_finish(struct kube_call *call, const struct kube_response *r)
{
	void (*on_done)(void *arg, const struct kube_response *r) = call->req.on_done;
	void *arg = call->req.arg;
	struct kube_client *c = call->client;

	call_destroy(call);
	if (on_done)
		on_done(arg, r);
	queue_pump(c);
}

/* To be told from the loop: the caller may be inside kube_call(). */
static void call_fail(struct kube_call *call)
{
	call->state = CALL_FAILED;
	timer_start(&call->timer, 0);
}

/* --- answer ------------------------------------------------------------------------------- */

/* 0 when no retry fits into what is left of the call's time. */
static int64_t retry_wait(const struct kube_call *call, const struct err *err)
{
	const struct kube_client *c = call->client;
	int64_t ms =
		jitter_ms(err->retry_after_ms > 0 ? err->retry_after_ms : c->retry_ms, CALL_JITTER);

	if (call->deadline_ms && loop_now(c->loop) + ms >= call->deadline_ms)
		return 0;
	return ms > 0 ? ms : 1;
}

static bool may_retry(const struct kube_call *call, const struct err *err)
{
	if (call->req.channel != KUBE_CH_SHORT || !call->idempotent || call->delivered ||
	    call->tries >= CALL_TRIES_MAX)
		return false;
	return err->class == ERR_TRANSPORT || err->class == ERR_TIMEOUT ||
	       err->class == ERR_THROTTLED;
}

static void call_again(struct kube_call *call, const struct err *err, int64_t ms)
{
	client_count_retry(call->client, call->method, err->status);
	buf_reset(&call->error_body);
	call->fresh_connection = err->status == 0;
	call->state = CALL_WAIT;
	timer_start(&call->timer, ms);
}

static bool call_retry(struct kube_call *call, const struct err *err)
{
	int64_t ms;

	if (err->class == ERR_UNAUTHORIZED && !call->reauthed && !call->delivered &&
	    kube_auth_rejected(call->client->auth, call->sent_ms)) {
		call->reauthed = true;
		call_again(call, err, 0);
		return true;
	}
	if (!may_retry(call, err))
		return false;
	ms = retry_wait(call, err);
	if (!ms)
		return false;
	call_again(call, err, ms);
	return true;
}

/* What one attempt tells about the server rather than about the call. */
static void note(struct kube_call *call, const struct http_result *h, const struct err *err)
{
	const struct kube_request shown = {.method = call->method, .path = call->path};

	if (h->tls_refused)
		kube_auth_tls_refused(call->client->auth);
	if (err->class == ERR_THROTTLED)
		client_throttled(call->client, &shown, err, h->kept_header);
	if (err->class != ERR_TRANSPORT && err->class != ERR_TIMEOUT)
		client_seen(call->client, h->status > 0);
	else if (h->status == 0) /* else: an old stream that broke, which says nothing of now */
		client_seen(call->client, false);
}

static void call_answered(void *arg, const struct http_result *h)
{
	struct kube_call *call = arg;
	struct kube_response r = {.status = h->status, .body = h->body, .body_len = h->body_len};
	bool streams = call->req.on_data != NULL;

	call->http = NULL;
	client_count(call->client, call->method, call->req.channel != KUBE_CH_WATCH, h,
	             call->req.body_len);
	client_warn(call->client, call->method, call->path, h->warning);
	if (h->err.class != ERR_NONE)
		r.err = h->err;
	else if (streams)
		kube_classify(h->status, h->retry_after_ms, call->error_body.data,
		              call->error_body.len, &r.err);
	else
		kube_classify(h->status, h->retry_after_ms, h->body, h->body_len, &r.err);
	note(call, h, &r.err);
	if (r.err.class != ERR_NONE && call_retry(call, &r.err))
		return;
	call_finish(call, &r);
}

static int call_data(void *arg, int status, const char *data, size_t len)
{
	struct kube_call *call = arg;
	size_t room = call->error_body.max - call->error_body.len;

	if (status >= 200 && status < 300) {
		call->delivered = true;
		return call->req.on_data(call->req.arg, status, data, len);
	}
	/* Enough for a Status; the rest of a longer page tells nothing more. */
	buf_add(&call->error_body, data, len < room ? len : room);
	return 0;
}

/* --- start -------------------------------------------------------------------------------- */

static void call_send(struct kube_call *call)
{
	struct kube_client *c = call->client;
	cleanup_free const char **headers = NULL;
	int64_t now = loop_now(c->loop);
	struct http_request h = {
		.method = call->method,
		.url = call->url,
		.body = call->body,
		.body_len = call->req.body_len,
		.stall_ms = call->req.stall_ms,
		.max_body = call->req.max_body,
		.accept_gzip = call->req.accept_gzip && !c->cfg->no_compression,
		.fresh_connection = call->fresh_connection,
		.keep_header = CALL_FLOW_HEADER,
		.on_data = call->req.on_data ? call_data : NULL,
		.on_done = call_answered,
		.arg = call,
	};

	if (call->write && call->req.channel != KUBE_CH_LEASE && c->may_write &&
	    !c->may_write(c->may_write_arg)) {
		err_set(&call->err, ERR_CANCELED, "not the leader: write dropped");
		call_fail(call);
		return;
	}
	if (!call->deadline_ms && call->req.timeout_ms > 0)
		call->deadline_ms = now + call->req.timeout_ms;
	if (call->deadline_ms)
		h.timeout_ms = call->deadline_ms > now ? (int)(call->deadline_ms - now) : 1;
	headers = make_headers(call);
	h.headers = headers;
	call->state = CALL_RUNNING;
	call->tries++;
	call->sent_ms = now;
	call->http = http_start(client_http(c, call->req.channel), &h);
}

static void call_authorized(void *arg, const struct err *err)
{
	struct kube_call *call = arg;

	if (call->deadline_ms)
		call->deadline_ms += loop_now(call->client->loop) - call->auth_ms;
	if (err->class != ERR_NONE) {
		call->err = *err;
		call_fail(call);
		return;
	}
	call_send(call);
}

static void call_attempt(struct kube_call *call)
{
	call->state = CALL_AUTH;
	call->auth_ms = loop_now(call->client->loop);
	call->auth_wait.fn = call_authorized;
	call->auth_wait.arg = call;
	switch (kube_auth_get(call->client->auth, &call->auth_wait, &call->err)) {
	case KUBE_AUTH_READY:
		call_send(call);
		break;
	case KUBE_AUTH_PENDING:
		break;
	case KUBE_AUTH_FAILED:
		call_fail(call);
		break;
	}
}

static void call_timer(void *arg)
{
	struct kube_call *call = arg;
	struct kube_response r = {.body = ""};

	if (call->state == CALL_WAIT) {
		call_attempt(call);
		return;
	}
	r.err = call->err;
	call_finish(call, &r);
}

static bool request_is_sound(const struct kube_request *r, struct err *err)
{
	if (str_empty(r->method) || str_empty(r->path) || r->path[0] != '/')
		err_set(err, ERR_INTERNAL, "API call without method or path");
	else if ((r->patch != KUBE_PATCH_NONE) != str_eq(r->method, "PATCH"))
		err_set(err, ERR_INTERNAL, "%s %s: method and patch type do not fit", r->method,
		        r->path);
	else if (r->patch == KUBE_PATCH_APPLY && str_empty(r->field_manager))
		err_set(err, ERR_INTERNAL, "%s %s: an apply needs a field manager", r->method,
		        r->path);
	else
		return true;
	return false;
}

static void copy_request(struct kube_call *call, const struct kube_request *r)
{
	call->req = *r;
	call->method = xstrdup(str_or(r->method, ""));
	call->path = xstrdup(str_or(r->path, ""));
	call->url = make_url(call->client, &(struct kube_request){
						   .method = call->method,
						   .path = call->path,
						   .patch = r->patch,
						   .field_manager = r->field_manager,
					   });
	if (r->body) {
		call->body = xmalloc(r->body_len + 1);
		memcpy(call->body, r->body, r->body_len);
		call->body[r->body_len] = '\0';
	}
	if (call->req.timeout_ms <= 0 && r->channel != KUBE_CH_WATCH)
		call->req.timeout_ms = CALL_TIMEOUT_MS;
	call->write = method_writes(call->method) && !path_asks(call->path);
	call->idempotent = !call->write || r->patch == KUBE_PATCH_APPLY;
}

struct kube_call *kube_call(struct kube_client *c, const struct kube_request *r)
{
	struct kube_call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	copy_request(call, r);
	buf_init(&call->error_body, CALL_ERROR_BODY);
	timer_init(&call->timer, c->loop, call_timer, call);
	list_push_back(&c->calls, &call->link);
	if (!request_is_sound(r, &call->err)) {
		call_fail(call);
	} else if (r->channel == KUBE_CH_SHORT) {
		list_push_back(&c->waiting, &call->queue_link);
		queue_pump(c);
	} else {
		call_attempt(call);
	}
	return call;
}

int64_t kube_last_byte_ms(const struct kube_call *call)
{
	return call->http ? http_last_byte_ms(call->http) : loop_now(call->client->loop);
}

void call_drop_writes(struct kube_client *c)
{
	struct list *it;

	list_for_each (it, &c->calls) {
		struct kube_call *call = list_entry(it, struct kube_call, link);

		if (!call->write || call->req.channel == KUBE_CH_LEASE ||
		    call->state == CALL_FAILED)
			continue;
		list_remove(&call->queue_link);
		kube_auth_cancel(&call->auth_wait);
		if (call->http)
			http_cancel(call->http);
		call->http = NULL;
		err_set(&call->err, ERR_CANCELED, "not the leader any more: write cut");
		call_fail(call);
	}
}
