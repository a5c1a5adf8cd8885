/* The client against the server of this module, in one loop. */
#include "fixture.h"

#include <time.h>
#include <zlib.h>

#include "tidegate/base/str.h"
#include "tidegate/net/http.h"
#include "tidegate/net/server.h"

#define KEPT_MAX 8

static struct loop *loop;
static struct server *server;
static struct http_client *client;
static struct server_request *kept[KEPT_MAX];
static unsigned nkept;
static struct server_stream *stream;
static unsigned stream_closed;
static const struct server_conn *last_conn;
static unsigned nconns;
static char url[256];

/* Outcome of a call. */
struct outcome {
	bool done;
	unsigned times;
	enum err_class class;
	int status, retry_after_ms;
	char text[ERR_MSG_MAX];
	char body[512];
	char warning[64], type[64];
	size_t body_len;
	int64_t elapsed_ms;
};

static void on_kept(void *arg, const struct http_result *r)
{
	str_copy(arg, 32, str_or(r->kept_header, "(none)"));
}

static void on_done(void *arg, const struct http_result *r)
{
	struct outcome *o = arg;

	o->done = true;
	o->times++;
	o->class = r->err.class;
	o->status = r->status;
	o->retry_after_ms = r->retry_after_ms;
	o->body_len = r->body_len;
	o->elapsed_ms = r->elapsed_ms;
	assert_int_equal(strlen(r->body), r->body_len);
	str_copy(o->text, sizeof(o->text), r->err.msg);
	str_copy(o->body, sizeof(o->body), r->body);
	str_copy(o->warning, sizeof(o->warning), r->warning ? r->warning : "(none)");
	str_copy(o->type, sizeof(o->type), r->content_type ? r->content_type : "(none)");
}

static const char *at(const char *path)
{
	snprintf(url, sizeof(url), "http://%s%s", server_address(server), path);
	return url;
}

static struct http_call *start(struct outcome *o, struct http_request r)
{
	memset(o, 0, sizeof(*o));
	if (!r.on_done)
		r.on_done = on_done;
	if (!r.arg)
		r.arg = o;
	return http_start(client, &r);
}

static void fetch(struct outcome *o, struct http_request r)
{
	start(o, r);
	assert_false(o->done); /* never from inside http_start() */
	assert_true(run_until(loop, &o->done, 5000));
	assert_int_equal(o->times, 1);
}

/* --- the server's side --------------------------------------------------------------------- */

static void reply_big(struct server_request *r)
{
	char n[16] = "0";
	char *body;
	uint64_t size = 0;

	assert_true(server_query(r, "n", n, sizeof(n)) && str_to_u64(n, &size));
	body = xmalloc(size + 1);
	memset(body, 'x', size);
	server_reply(r, 200, "text/plain", NULL, body, size);
	free(body);
}

static void reply_gzip(struct server_request *r)
{
	static const char text[] = "squeezed squeezed squeezed squeezed squeezed squeezed";
	unsigned char out[256];
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)text,
	              .avail_in = sizeof(text) - 1,
	              .next_out = out,
	              .avail_out = sizeof(out)};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	server_reply(r, 200, "text/plain", "Content-Encoding: gzip\r\n", out, z.total_out);
	deflateEnd(&z);
}

/* Half a minute from now, as a date (RFC 9110 5.6.7). */
static void reply_late(struct server_request *r)
{
	char date[64], headers[128];
	time_t at = (time_t)(clock_wall_ms() / 1000 + 30);
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	snprintf(headers, sizeof(headers), "Retry-After: %s\r\nX-Rule: r-17\r\n", date);
	server_reply(r, 503, NULL, headers, "", 0);
}

static void reply_facts(struct server_request *r)
{
	cleanup_buf struct buf b;

	buf_init(&b, 4096);
	buf_addf(&b, "%s %s|%.*s|ae=%s|ct=%s|x=%s|host=%s|ua=%s|expect=%s", r->method, r->path,
	         (int)r->body_len, r->body, str_or(server_header(r, "Accept-Encoding"), "-"),
	         str_or(server_header(r, "Content-Type"), "-"),
	         str_or(server_header(r, "X-Test"), "-"), str_or(server_header(r, "Host"), "-"),
	         str_or(server_header(r, "User-Agent"), "-"),
	         str_or(server_header(r, "Expect"), "-"));
	server_reply(r, 200, "text/plain", NULL, b.data, b.len);
}

static void on_stream_close(void *arg)
{
	(void)arg;
	stream = NULL;
	stream_closed++;
}

/* A connection is a different one when its object is, as long as none is freed. */
static void count_connection(const struct server_request *r)
{
	if (r->conn != last_conn)
		nconns++;
	last_conn = r->conn;
}

static void handle(void *arg, struct server_request *r)
{
	(void)arg;
	count_connection(r);
	if (str_eq(r->path, "/ok")) {
		server_reply(r, 200, "application/json", NULL, "hello", 5);
	} else if (str_eq(r->path, "/big")) {
		reply_big(r);
	} else if (str_eq(r->path, "/gzip")) {
		reply_gzip(r);
	} else if (str_eq(r->path, "/facts")) {
		reply_facts(r);
	} else if (str_eq(r->path, "/busy")) {
		server_reply(r, 429, NULL, "Retry-After: 7\r\nWarning: 299 - \"old API\"\r\n", "",
		             0);
	} else if (str_eq(r->path, "/late")) {
		reply_late(r);
	} else if (str_eq(r->path, "/empty")) {
		server_reply(r, 204, NULL, NULL, NULL, 0);
	} else if (str_eq(r->path, "/stream")) {
		assert_null(stream);
		stream = server_stream_begin(r, "text/plain", on_stream_close, NULL);
	} else if (str_eq(r->path, "/never")) {
		assert_true(nkept < KEPT_MAX);
		kept[nkept++] = r;
	} else {
		server_reply(r, 404, "application/json", NULL, "{\"kind\":\"Status\"}", 17);
	}
}

static int setup(void **state)
{
	struct server_options so = {.address = "127.0.0.1:0", .handler = handle};
	struct http_client_options co = {.user_agent = "test/1"};
	struct err err = ERR_INIT;

	(void)state;
	loop = loop_new();
	server = server_new(loop, &so, &err);
	client = http_client_new(loop, &co, &err);
	nkept = stream_closed = nconns = 0;
	last_conn = NULL;
	stream = NULL;
	return server && client ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	http_client_free(client);
	server_free(server);
	while (nkept)
		server_reply_text(kept[--nkept], 200, "too late");
	loop_free(loop);
	return 0;
}

/* --- plain calls --------------------------------------------------------------------------- */

static void an_answer_arrives(void **state)
{
	struct outcome o;

	(void)state;
	fetch(&o, (struct http_request){.url = at("/ok")});
	assert_int_equal(o.class, ERR_NONE);
	assert_int_equal(o.status, 200);
	assert_string_equal(o.body, "hello");
	assert_string_equal(o.type, "application/json");
	assert_string_equal(o.warning, "(none)");
	assert_int_equal(http_client_running(client), 0);
}

static void a_status_is_no_error(void **state)
{
	struct outcome o;

	(void)state;
	fetch(&o, (struct http_request){.url = at("/missing")});
	assert_int_equal(o.class, ERR_NONE);
	assert_int_equal(o.status, 404);
	assert_string_equal(o.body, "{\"kind\":\"Status\"}");
	fetch(&o, (struct http_request){.url = at("/empty")});
	assert_int_equal(o.status, 204);
	assert_int_equal(o.body_len, 0);
}

static void retry_after_and_warning_are_read(void **state)
{
	struct outcome o;
	char rule[32] = "";
	struct http_request r = {.keep_header = "X-Rule", .on_done = on_kept, .arg = rule};

	(void)state;
	fetch(&o, (struct http_request){.url = at("/busy")});
	assert_int_equal(o.status, 429);
	assert_int_equal(o.retry_after_ms, 7000);
	assert_string_equal(o.warning, "299 - \"old API\"");
	fetch(&o, (struct http_request){.url = at("/ok")});
	assert_int_equal(o.retry_after_ms, 0);
	fetch(&o, (struct http_request){.url = at("/late")});
	assert_in_range(o.retry_after_ms, 25000, 30000);
	r.url = at("/late");
	http_start(client, &r);
	run_for(loop, 50);
	assert_string_equal(rule, "r-17");
}

static void what_is_sent(void **state)
{
	static const char *const headers[] = {"X-Test: yes", "Content-Type: a/b", NULL};
	struct outcome o;
	char want[256];
	const char *a = server_address(server);

	(void)state;
	fetch(&o, (struct http_request){.url = at("/facts")});
	snprintf(want, sizeof(want), "GET /facts||ae=-|ct=-|x=-|host=%s|ua=test/1|expect=-", a);
	assert_string_equal(o.body, want);
	fetch(&o, (struct http_request){.method = "PATCH",
	                                .url = at("/facts/../x"),
	                                .headers = headers,
	                                .body = "data",
	                                .body_len = 4,
	                                .accept_gzip = true});
	assert_int_equal(o.status, 404); /* the path is not tidied up on the way */
	fetch(&o, (struct http_request){.method = "PATCH",
	                                .url = at("/facts"),
	                                .headers = headers,
	                                .body = "data",
	                                .body_len = 4,
	                                .accept_gzip = true});
	snprintf(want, sizeof(want),
	         "PATCH /facts|data|ae=gzip|ct=a/b|x=yes|host=%s|ua=test/1|expect=-", a);
	assert_string_equal(o.body, want);
	fetch(&o, (struct http_request){
			  .method = "DELETE", .url = at("/facts"), .body = "{}", .body_len = 2});
	assert_true(str_starts(o.body, "DELETE /facts|{}|"));
	fetch(&o, (struct http_request){.method = "DELETE", .url = at("/facts")});
	assert_true(str_starts(o.body, "DELETE /facts||"));
	fetch(&o, (struct http_request){.method = "POST", .url = at("/facts")});
	assert_true(str_starts(o.body, "POST /facts||"));
	fetch(&o, (struct http_request){.method = "HEAD", .url = at("/ok")});
	assert_int_equal(o.status, 200);
	assert_int_equal(o.body_len, 0);
}

static void gzip_only_when_asked(void **state)
{
	struct outcome o;

	(void)state;
	fetch(&o, (struct http_request){.url = at("/gzip"), .accept_gzip = true});
	assert_true(str_starts(o.body, "squeezed squeezed"));
}

static void a_long_body_is_refused(void **state)
{
	struct outcome o;

	(void)state;
	fetch(&o, (struct http_request){.url = at("/big?n=1000"), .max_body = 1000});
	assert_int_equal(o.class, ERR_NONE);
	assert_int_equal(o.body_len, 1000);
	fetch(&o, (struct http_request){.url = at("/big?n=1001"), .max_body = 1000});
	assert_int_equal(o.class, ERR_TOO_BIG);
	assert_non_null(strstr(o.text, "longer than 1000 bytes"));
	fetch(&o, (struct http_request){.url = at("/big?n=1048577")});
	assert_int_equal(o.class, ERR_TOO_BIG);
	fetch(&o, (struct http_request){.url = at("/big?n=3000000"), .max_body = 3000000});
	assert_int_equal(o.class, ERR_NONE);
	assert_int_equal(o.body_len, 3000000);
}

/* --- deadlines ----------------------------------------------------------------------------- */

static void the_whole_call_has_a_deadline(void **state)
{
	struct outcome o;

	(void)state;
	fetch(&o, (struct http_request){.url = at("/never"), .timeout_ms = 50});
	assert_int_equal(o.class, ERR_TIMEOUT);
	assert_int_equal(o.status, 0);
	assert_non_null(strstr(o.text, "no answer from 127.0.0.1:"));
	assert_true(o.elapsed_ms >= 45 && o.elapsed_ms < 1000);
}

struct tick {
	struct timer timer;
	unsigned left;
};

static void on_tick(void *arg)
{
	struct tick *t = arg;

	if (stream)
		server_stream_send(stream, "tick", 4);
	if (--t->left)
		timer_start(&t->timer, 20);
}

static void silence_ends_a_stream_and_bytes_keep_it(void **state)
{
	struct outcome o;
	struct tick t = {.left = 6};
	struct http_call *call;
	int64_t start_ms = clock_mono_ms(), last;

	(void)state;
	call = start(&o, (struct http_request){.url = at("/stream"), .stall_ms = 60});
	timer_init(&t.timer, loop, on_tick, &t);
	timer_start(&t.timer, 20);
	run_for(loop, 100); /* longer than the limit, but never silent for so long */
	assert_false(o.done);
	last = http_last_byte_ms(call);
	assert_true(last > start_ms && last <= clock_mono_ms());
	assert_true(run_until(loop, &o.done, 5000));
	assert_int_equal(o.class, ERR_TIMEOUT);
	assert_int_equal(o.status, 200);
	assert_non_null(strstr(o.text, "no byte from"));
	assert_true(o.elapsed_ms >= 120 + 60 - 5);
	timer_release(&t.timer);
}

/* --- failures ------------------------------------------------------------------------------ */

static void nobody_listens(void **state)
{
	struct outcome o;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	char want[128];

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0); /* bound, not listening */
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
	fetch(&o, (struct http_request){.url = url});
	assert_int_equal(o.class, ERR_TRANSPORT);
	snprintf(want, sizeof(want), "connection refused: is the server at 127.0.0.1:%d running?",
	         ntohs(a.sin_port));
	assert_string_equal(o.text, want);
	close(fd);
}

static void bad_requests_are_told_through_on_done(void **state)
{
	static const char *const split[] = {"Authorization: Bearer secret\nX: y", NULL};
	static const struct {
		const char *url;
		const char *const *headers;
		const char *text;
	} rows[] = {
		{"ftp://127.0.0.1/", NULL, "scheme \"ftp\""},
		{"http://", NULL, "not a URL"},
		{"nonsense", NULL, "not a URL"},
		{NULL, NULL, "not a URL"},
		{"http://127.0.0.1:1/", split, "line break"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o;

		fetch(&o, (struct http_request){.url = rows[i].url, .headers = rows[i].headers});
		assert_int_equal(o.class, ERR_INVALID);
		assert_non_null(strstr(o.text, rows[i].text));
		assert_null(strstr(o.text, "secret"));
	}
}

/* A listener that answers every connection with fixed bytes and closes it. */
struct canned {
	struct io io;
	int fd;
	const char *bytes;
};

static void canned_accept(void *arg, int events)
{
	struct canned *c = arg;
	int fd = accept(c->fd, NULL, NULL);
	char in[2048];

	(void)events;
	assert_true(recv(fd, in, sizeof(in), 0) >= 0);
	raw_send(fd, c->bytes, strlen(c->bytes));
	close(fd);
}

static void garbled_answers(void **state)
{
	static const struct {
		const char *bytes;
		enum err_class class;
		const char *text;
	} rows[] = {
		{"", ERR_TRANSPORT, "closed the connection without an answer"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_TRANSPORT, "lost"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ERR_TRANSPORT,
	         "lost"},
		{"SSH-2.0-OpenSSH\r\n\r\n", ERR_PROTOCOL, "not proper HTTP"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ERR_NONE, ""},
	};
	struct canned c = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(c.fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(c.fd, 8), 0);
	getsockname(c.fd, (struct sockaddr *)&a, &len);
	io_init(&c.io, loop, canned_accept, &c);
	io_set(&c.io, c.fd, LOOP_READ);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o;

		c.bytes = rows[i].bytes;
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
		fetch(&o, (struct http_request){.url = url});
		assert_int_equal(o.class, rows[i].class);
		assert_non_null(strstr(o.text, rows[i].text));
	}
	io_release(&c.io);
	close(c.fd);
}

/* --- streaming and cancelling --------------------------------------------------------------- */

struct taker {
	struct outcome outcome;
	struct http_call *call, *victim;
	struct buf got;
	int status;
	int answer;
	bool cancel_self, free_client, start_other;
	bool seen;
	struct outcome other;
};

static int take(void *arg, int status, const char *data, size_t len)
{
	struct taker *t = arg;

	t->seen = true;
	t->status = status;
	buf_add(&t->got, data, len);
	if (t->victim)
		http_cancel(t->victim);
	t->victim = NULL;
	if (t->cancel_self)
		http_cancel(t->call);
	if (t->free_client) {
		http_client_free(client);
		client = NULL;
	}
	if (t->start_other) {
		t->start_other = false;
		start(&t->other, (struct http_request){.url = at("/ok")});
	}
	return t->answer;
}

static void taker_done(void *arg, const struct http_result *r)
{
	struct taker *t = arg;

	on_done(&t->outcome, r);
}

static void taker_start(struct taker *t, const char *path)
{
	buf_init(&t->got, 1 << 20);
	t->call = start(&t->outcome,
	                (struct http_request){
				.url = at(path), .on_data = take, .on_done = taker_done, .arg = t});
}

static void bytes_come_as_they_are_sent(void **state)
{
	struct taker t = {0};

	(void)state;
	taker_start(&t, "/stream");
	for (int i = 0; i < 100 && !stream; i++)
		run_for(loop, 1);
	assert_non_null(stream);
	server_stream_send(stream, "one", 3);
	assert_true(run_until(loop, &t.seen, 2000));
	assert_string_equal(t.got.data, "one");
	assert_int_equal(t.status, 200);
	assert_false(t.outcome.done);
	server_stream_send(stream, "two", 3);
	server_stream_end(stream);
	assert_true(run_until(loop, &t.outcome.done, 2000));
	assert_string_equal(t.got.data, "onetwo");
	assert_int_equal(t.outcome.class, ERR_NONE);
	assert_int_equal(t.outcome.body_len, 0);
	assert_int_equal(stream_closed, 0); /* not after server_stream_end() */
	stream = NULL;
	buf_release(&t.got);
}

static void a_consumer_can_refuse(void **state)
{
	struct taker t = {.answer = -1};

	(void)state;
	taker_start(&t, "/ok");
	assert_true(run_until(loop, &t.outcome.done, 2000));
	assert_int_equal(t.outcome.class, ERR_PROTOCOL);
	assert_int_equal(t.outcome.status, 200);
	assert_int_equal(t.outcome.times, 1);
	buf_release(&t.got);
}

static void a_call_may_cancel_itself_in_on_data(void **state)
{
	struct taker t = {.cancel_self = true};
	struct outcome o;

	(void)state;
	taker_start(&t, "/ok");
	assert_true(run_until(loop, &t.seen, 2000));
	fetch(&o, (struct http_request){.url = at("/ok")}); /* the client still works */
	assert_int_equal(o.status, 200);
	assert_int_equal(t.outcome.times, 0);
	assert_int_equal(http_client_running(client), 0);
	buf_release(&t.got);
}

static void a_call_may_cancel_another_in_on_data(void **state)
{
	struct taker t = {0};
	struct outcome victim;

	(void)state;
	t.victim = start(&victim, (struct http_request){.url = at("/never")});
	for (int i = 0; i < 100 && !nkept; i++)
		run_for(loop, 1);
	assert_int_equal(nkept, 1);
	taker_start(&t, "/ok");
	assert_true(run_until(loop, &t.outcome.done, 2000));
	assert_int_equal(t.outcome.class, ERR_NONE);
	assert_int_equal(http_client_running(client), 0);
	run_for(loop, 5);
	assert_int_equal(victim.times, 0);
	buf_release(&t.got);
}

static void a_call_may_start_another_in_on_data(void **state)
{
	struct taker t = {.start_other = true};

	(void)state;
	taker_start(&t, "/ok");
	assert_true(run_until(loop, &t.other.done, 2000));
	assert_int_equal(t.other.status, 200);
	assert_true(t.outcome.done);
	buf_release(&t.got);
}

static void the_client_may_be_freed_in_on_data(void **state)
{
	struct taker t = {.free_client = true};
	struct outcome o;

	(void)state;
	start(&o, (struct http_request){.url = at("/never")});
	taker_start(&t, "/ok");
	assert_true(run_until(loop, &t.seen, 2000));
	run_for(loop, 5);
	assert_int_equal(t.outcome.times, 0);
	assert_int_equal(o.times, 0);
	buf_release(&t.got);
}

static void free_client_done(void *arg, const struct http_result *r)
{
	on_done(arg, r);
	http_client_free(client);
	client = NULL;
}

static void the_client_may_be_freed_in_on_done(void **state)
{
	struct outcome o, other;

	(void)state;
	start(&other, (struct http_request){.url = at("/never")});
	start(&o, (struct http_request){.url = at("/ok"), .on_done = free_client_done});
	assert_true(run_until(loop, &o.done, 2000));
	assert_string_equal(o.body, "hello");
	assert_int_equal(other.times, 0);
	/* Also when the call fails before libcurl sees it. */
	teardown(NULL);
	setup(NULL);
	start(&o, (struct http_request){.url = "x:", .on_done = free_client_done});
	start(&other, (struct http_request){.url = at("/ok")});
	assert_true(run_until(loop, &o.done, 2000));
	assert_int_equal(other.times, 0);
}

static void cancel_before_and_while_running(void **state)
{
	struct outcome a, b;
	struct http_call *call;

	(void)state;
	http_cancel(start(&a, (struct http_request){.url = at("/ok")}));
	assert_int_equal(http_client_running(client), 0);
	call = start(&b, (struct http_request){.url = at("/never"), .stall_ms = 50});
	for (int i = 0; i < 100 && !nkept; i++)
		run_for(loop, 1);
	assert_int_equal(http_client_running(client), 1);
	http_cancel(call);
	assert_int_equal(http_client_running(client), 0);
	run_for(loop, 60);
	assert_int_equal(a.times + b.times, 0);
}

static void a_retired_client_ends_its_calls(void **state)
{
	struct taker t = {0};
	struct outcome o;

	(void)state;
	taker_start(&t, "/stream");
	for (int i = 0; i < 100 && !stream; i++)
		run_for(loop, 1);
	http_client_retire(client);
	fetch(&o, (struct http_request){.url = at("/ok")});
	assert_int_equal(o.class, ERR_CANCELED);
	server_stream_send(stream, "still", 5);
	server_stream_end(stream);
	stream = NULL;
	assert_true(run_until(loop, &t.outcome.done, 2000));
	assert_string_equal(t.got.data, "still");
	client = NULL; /* freed itself; the leak checker would tell otherwise */
	buf_release(&t.got);
}

/* --- many ---------------------------------------------------------------------------------- */

static long rss_kb(void)
{
	cleanup_file FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0, skip;

	assert_int_equal(fscanf(f, "%ld %ld", &skip, &pages), 2);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void sequential_calls_use_one_connection_and_no_memory(void **state)
{
	struct outcome o;
	long after_warmup = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		fetch(&o, (struct http_request){.url = at("/big?n=2000"), .max_body = 4000});
		assert_int_equal(o.class, ERR_NONE);
		if (i == 200)
			after_warmup = rss_kb();
	}
	printf("RSS after 200 calls %ld kB, after 2000 %ld kB\n", after_warmup, rss_kb());
#ifndef __SANITIZE_ADDRESS__
	assert_true(rss_kb() - after_warmup < 256);
#endif
	assert_int_equal(nconns, 1);
}

static void parallel_calls(void **state)
{
	static struct outcome o[50];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		start(&o[i], (struct http_request){.url = at("/ok"), .timeout_ms = 4000});
	assert_int_equal(http_client_running(client), 50);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		assert_true(run_until(loop, &o[i].done, 5000));
		assert_int_equal(o[i].status, 200);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_arrives),
		T(a_status_is_no_error),
		T(retry_after_and_warning_are_read),
		T(what_is_sent),
		T(gzip_only_when_asked),
		T(a_long_body_is_refused),
		T(the_whole_call_has_a_deadline),
		T(silence_ends_a_stream_and_bytes_keep_it),
		T(nobody_listens),
		T(bad_requests_are_told_through_on_done),
		T(garbled_answers),
		T(bytes_come_as_they_are_sent),
		T(a_consumer_can_refuse),
		T(a_call_may_cancel_itself_in_on_data),
		T(a_call_may_cancel_another_in_on_data),
		T(a_call_may_start_another_in_on_data),
		T(the_client_may_be_freed_in_on_data),
		T(the_client_may_be_freed_in_on_done),
		T(cancel_before_and_while_running),
		T(a_retired_client_ends_its_calls),
		T(sequential_calls_use_one_connection_and_no_memory),
		T(parallel_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
