#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define ANSWER_MAX  (64u << 20)
#define HELD_MAX    (8u << 20)
#define NOISE       4096
#define FILL_CHUNK  65536
#define FILL_EVERY  2 /* ms */
#define HEADERS_MAX 4
#define TIMEOUT_MS  30000
#define URL_MAX     8192

struct exchange {
	struct list link;
	struct meddler *m;
	struct server_request *request; /* not answered yet, NULL for a watch */
	struct server_stream *stream;   /* of a watch */
	struct http_call *call;
	bool watch, list, spoilt;
	int status;
	struct buf held; /* of a watch: while it is held back, or an answer that is no 2xx */
	const struct fault *fault;
	size_t fill_left;
	struct timer fill;
};

static void exchange_free(struct exchange *x)
{
	list_remove(&x->link);
	if (x->call)
		http_cancel(x->call);
	timer_release(&x->fill);
	buf_release(&x->held);
	free(x);
}

static void end_stream(struct exchange *x)
{
	server_stream_end(x->stream);
	exchange_free(x);
}

/* --- spoiling ------------------------------------------------------------------------------ */

static void on_fill(void *arg)
{
	static char chunk[FILL_CHUNK];
	struct exchange *x = arg;
	size_t n = x->fill_left < sizeof(chunk) ? x->fill_left : sizeof(chunk);

	memset(chunk, x->fault->filler, n);
	if (!n || server_stream_send(x->stream, chunk, n) < 0)
		return;
	x->fill_left -= n;
	timer_start(&x->fill, FILL_EVERY);
}

static void put_fault(const struct fault *f, struct buf *out)
{
	char noise[NOISE];

	if (f->begin) {
		buf_addstr(out, f->begin);
		return;
	}
	fault_noise(noise, sizeof(noise));
	buf_add(out, noise, sizeof(noise));
}

/* From here on nothing of the server reaches the client. */
static void spoil_watch(struct exchange *x, const struct fault *f)
{
	struct buf text cleanup_buf;

	buf_init(&text, NOISE);
	if (x->call)
		http_cancel(x->call);
	x->call = NULL;
	x->spoilt = true;
	x->fault = f;
	x->m->spoilt++;
	put_fault(f, &text);
	server_stream_send(x->stream, text.data, text.len);
	if (f->end) {
		end_stream(x);
		return;
	}
	x->fill_left = f->fill;
	if (f->fill)
		timer_start(&x->fill, FILL_EVERY);
}

static void spoil_list(struct exchange *x, const struct http_result *h, const struct fault *f)
{
	struct buf text cleanup_buf;

	buf_init(&text, ANSWER_MAX);
	x->m->spoilt++;
	/* Cut in the middle, or something else in the middle. */
	buf_add(&text, h->body, h->body_len / 2);
	if (f->type)
		buf_reset(&text);
	if (!f->end || f->type)
		put_fault(f, &text);
	server_reply(x->request, h->status, f->type ? f->type : h->content_type, NULL, text.data,
	             text.len);
}

void exchange_all_meddle(struct meddler *m)
{
	struct list *it, *next;

	list_for_each_safe (it, next, &m->exchanges) {
		struct exchange *x = list_entry(it, struct exchange, link);

		if (!x->stream)
			continue;
		if (m->fault && !m->fault->hold && !x->spoilt) {
			spoil_watch(x, m->fault);
		} else if (!m->fault && x->spoilt) {
			end_stream(x);
		} else if (!m->fault && x->held.len && x->status / 100 == 2) {
			server_stream_send(x->stream, x->held.data, x->held.len);
			buf_reset(&x->held);
		}
	}
}

/* --- the way back -------------------------------------------------------------------------- */

static int on_watch_data(void *arg, int status, const char *data, size_t len)
{
	struct exchange *x = arg;

	x->status = status;
	if (status / 100 != 2 || (x->m->fault && x->m->fault->hold))
		return buf_add(&x->held, data, len);
	server_stream_send(x->stream, data, len);
	return 0;
}

static void on_watch_done(void *arg, const struct http_result *h)
{
	struct exchange *x = arg;

	x->call = NULL;
	if (h->status / 100 != 2 && x->held.len) {
		server_stream_send(x->stream, "{\"type\":\"ERROR\",\"object\":", 25);
		server_stream_send(x->stream, x->held.data, x->held.len);
		server_stream_send(x->stream, "}\n", 2);
	}
	end_stream(x);
}

static void on_client_gone(void *arg)
{
	exchange_free(arg);
}

static void on_answer(void *arg, const struct http_result *h)
{
	struct exchange *x = arg;
	const struct fault *f = x->m->fault;

	x->call = NULL;
	if (h->err.class != ERR_NONE)
		server_reply_text(x->request, 502, h->err.msg);
	else if (f && x->list && x->m->lists && !f->hold)
		spoil_list(x, h, f);
	else
		server_reply(x->request, h->status, h->content_type, NULL, h->body, h->body_len);
	exchange_free(x);
}

/* --- the way there ------------------------------------------------------------------------- */

static void forward(struct exchange *x, const struct server_request *r)
{
	static const char *const names[HEADERS_MAX] = {"Authorization", "Content-Type", "Accept",
	                                               "User-Agent"};
	char *lines[HEADERS_MAX + 1] = {NULL};
	struct buf url cleanup_buf;
	size_t n = 0;

	buf_init(&url, URL_MAX);
	buf_addf(&url, "%s%s%s%s", x->m->target, r->path, *r->query ? "?" : "", r->query);
	for (size_t i = 0; i < HEADERS_MAX; i++)
		if (server_header(r, names[i]))
			lines[n++] = xasprintf("%s: %s", names[i], server_header(r, names[i]));
	x->call =
		http_start(x->m->upstream, &(struct http_request){
						   .method = r->method,
						   .url = url.data,
						   .headers = (const char *const *)lines,
						   .body = r->body_len ? r->body : NULL,
						   .body_len = r->body_len,
						   .timeout_ms = x->watch ? 0 : TIMEOUT_MS,
						   .max_body = ANSWER_MAX,
						   .on_data = x->watch ? on_watch_data : NULL,
						   .on_done = x->watch ? on_watch_done : on_answer,
						   .arg = x,
					   });
	while (n)
		free(lines[--n]);
}

static void start_watch(struct exchange *x, struct server_request *r)
{
	const struct fault *f = x->m->fault;
	const char *type = f && f->type ? f->type : "application/json";

	x->m->watches++;
	forward(x, r); /* first: the request's strings go with the begin of the stream */
	x->stream = server_stream_begin(r, type, on_client_gone, x);
	if (f && !f->hold)
		spoil_watch(x, f);
}

void exchange_start(struct meddler *m, struct server_request *r)
{
	struct exchange *x = xcalloc(1, sizeof(*x));
	char value[64];

	x->m = m;
	buf_init(&x->held, HELD_MAX);
	timer_init(&x->fill, m->loop, on_fill, x);
	list_push_back(&m->exchanges, &x->link);
	x->watch = server_query(r, "watch", value, sizeof(value));
	if (x->watch) {
		start_watch(x, r);
		return;
	}
	x->list = str_eq(r->method, "GET") && (server_query(r, "limit", value, sizeof(value)) ||
	                                       server_query(r, "resourceVersion", value, 64));
	m->lists_asked += x->list;
	x->request = r;
	forward(x, r);
}
