#include "tidegate/net/http_virtual.h"

#include <string.h>
#include <strings.h>

#include "http_internal.h"
#include "tidegate/base/str.h"

static const struct http_transport *transport;

void http_transport_use(const struct http_transport *t)
{
	transport = t;
}

const struct http_transport *http_virtual_transport(void)
{
	return transport;
}

static const char *header_value(const struct http_call *call, const char *name)
{
	size_t n = strlen(name);

	for (const struct curl_slist *l = call->headers; l; l = l->next)
		if (!strncasecmp(l->data, name, n) && l->data[n] == ':')
			return l->data + n + 1 + strspn(l->data + n + 1, " ");
	return NULL;
}

static void on_limit(void *arg)
{
	struct http_call *call = arg;
	struct err err = ERR_INIT;

	err_set(&err, ERR_TIMEOUT, "no answer from %s within %d ms", call->target,
	        call->timeout_ms);
	http_call_finish(call, &err);
}

void http_virtual_launch(struct http_call *call)
{
	const struct http_transport *t = call->client->transport;
	struct http_sent sent = {.method = call->method,
	                         .url = call->url,
	                         .user_agent = call->client->user_agent,
	                         .content_type = header_value(call, "Content-Type"),
	                         .body = str_or(call->body, ""),
	                         .body_len = call->body_len};

	call->virtual = true;
	timer_init(&call->limit, call->client->loop, on_limit, call);
	if (call->timeout_ms > 0)
		timer_start(&call->limit, call->timeout_ms);
	if (call->stall_ms > 0)
		timer_start(&call->stall, call->stall_ms);
	call->started = t->start(t->arg, call, &sent);
}

void http_virtual_unlink(struct http_call *call)
{
	const struct http_transport *t = call->client->transport;

	call->virtual = false;
	timer_release(&call->limit);
	t->gone(t->arg, call->started);
}

void http_answer_head(struct http_call *call, int status, int retry_after_ms)
{
	call->status = status;
	call->retry_after_ms = retry_after_ms;
	call->last_byte_ms = loop_now(call->client->loop);
}

void http_answer_header(struct http_call *call, const char *line)
{
	http_call_take_header(call, line, strlen(line));
}

/* As on_body() of libcurl's calls; *err says what is wrong with it. */
static int take(struct http_call *call, const char *data, size_t len, struct err *err)
{
	if (!call->on_data) {
		if (buf_add(&call->answer, data, len) < 0)
			return err_set(err, ERR_TOO_BIG, "answer of %s is larger than %zu bytes",
			               call->target, call->answer.max);
		return 0;
	}
	if (call->on_data(call->arg, call->status, data, len) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer of %s was not understood",
		               call->target);
	return 0;
}

bool http_answer_data(struct http_call *call, const char *data, size_t len)
{
	struct http_client *c = call->client;
	struct err err = ERR_INIT;
	bool alive;
	int rc;

	http_client_enter(c);
	call->last_byte_ms = loop_now(c->loop);
	c->in_curl++; /* a cancel from within only marks */
	rc = take(call, data, len, &err);
	c->in_curl--;
	alive = !rc && !call->cancelled && !c->free_wanted;
	if (rc && !call->cancelled && !c->free_wanted)
		http_call_finish(call, &err);
	http_client_leave(c);
	return alive;
}

void http_answer_whole(struct http_call *call, int status, int retry_after_ms, const char *body,
                       size_t len)
{
	http_answer_head(call, status, retry_after_ms);
	if (!call->on_data && len <= call->answer.max) {
		call->whole = body;
		call->whole_len = len;
	} else if (!http_answer_data(call, body, len)) {
		return;
	}
	http_answer_end(call, NULL);
}

void http_answer_end(struct http_call *call, const struct err *err)
{
	static const struct err none = ERR_INIT;

	http_call_finish(call, err ? err : &none);
}
