/* The server seen from raw sockets: framing, limits, bad clients. */
#include "fixture.h"

#include <netinet/tcp.h>

#include "tidegate/base/err.h"
#include "tidegate/base/str.h"
#include "tidegate/net/server.h"

static struct loop *loop;
static struct server *server;
static struct server_request *kept, *older;
static struct server_stream *stream;
static unsigned requests, closed;
static bool stream_in_handler_end;

static void on_close(void *arg)
{
	(void)arg;
	closed++;
	stream = NULL;
}

static void handle(void *arg, struct server_request *r)
{
	(void)arg;
	requests++;
	if (str_eq(r->path, "/later")) {
		older = kept;
		kept = r;
	} else if (str_eq(r->path, "/stream")) {
		stream = server_stream_begin(r, "text/event-stream", on_close, NULL);
		if (stream_in_handler_end) {
			server_stream_send(stream, "all", 3);
			server_stream_end(stream);
			stream = NULL;
		}
	} else if (str_eq(r->path, "/bye")) {
		server_reply(r, 200, NULL, "Connection: close\r\n", "bye", 3);
	} else if (str_eq(r->path, "/free")) {
		server_free(server);
		server = NULL;
		server_reply_text(r, 200, "gone");
	} else if (str_eq(r->path, "/huge")) {
		size_t n = 65 * 1024 * 1024;
		char *body = xcalloc(1, n);

		server_reply(r, 200, NULL, NULL, body, n);
		free(body);
	} else {
		server_reply(r, 200, "text/plain", NULL, r->body_len ? r->body : r->path,
		             r->body_len ? r->body_len : strlen(r->path));
	}
}

static int setup_with(struct server_options o)
{
	loop = loop_new();
	if (!o.address)
		o.address = "127.0.0.1:0";
	o.handler = handle;
	server = server_new(loop, &o, NULL);
	requests = closed = 0;
	kept = NULL;
	stream = NULL;
	stream_in_handler_end = false;
	return server ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	return setup_with((struct server_options){.request_ms = 60, .idle_ms = 60});
}

static int teardown(void **state)
{
	(void)state;
	server_free(server);
	loop_free(loop);
	return 0;
}

/* Sends a text in pieces of `piece` bytes and collects until the peer closes. */
static void exchange(const char *text, size_t len, size_t piece, struct buf *in)
{
	int fd = raw_connect(server_address(server)), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (size_t at = 0; at < len; at += piece) {
		raw_send(fd, text + at, len - at < piece ? len - at : piece);
		loop_run_once(loop, false);
		loop_run_once(loop, false);
	}
	assert_true(raw_read_until(loop, fd, in, NULL, 3000));
	close(fd);
}

static void expect_answer(const char *request, const char *answer)
{
	cleanup_buf struct buf in;

	buf_init(&in, 1 << 20);
	exchange(request, strlen(request), strlen(request) + 1, &in);
	if (!strstr(in.data, answer))
		fail_msg("%s\ngot %s\nwant %s", request, in.data, answer);
}

#define END "Host: a\r\nConnection: close\r\n\r\n"

static void answers(void **state)
{
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{"GET /x HTTP/1.1\r\n" END, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	                                    "Connection: close\r\nContent-Length: 2\r\n\r\n/x"},
		{"GET /x HTTP/1.0\r\n\r\n", "\r\n\r\n/x"},
		{"GET /bye HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nbye"},
		{"\r\n\r\nGET /x HTTP/1.1\r\n" END, "\r\n\r\n/x"},
		{"POST / HTTP/1.1\r\nContent-Length: 4\r\n" END "body", "\r\n\r\nbody"},
		{"GET /a%2fb HTTP/1.1\r\n" END, "\r\n\r\n/a/b"},
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		{"\rx", "HTTP/1.1 400 "},
		{"BREW / HTTP/1.1\r\n" END, "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET"},
		{"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n" END, "HTTP/1.1 413 "},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n",
	         "HTTP/1.1 411 "},
		{"POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n" END,
	         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "},
		{"GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "},
		{"POST / HTTP/1.1\r\nContent-Length: 4\r\n" END "bo", "HTTP/1.1 408 "},
		{"GET /huge HTTP/1.1\r\n" END, "HTTP/1.1 500 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_answer(rows[i].request, rows[i].answer);
}

static void head_has_no_body(void **state)
{
	cleanup_buf struct buf in;
	static const char request[] = "HEAD /xyz HTTP/1.1\r\n" END;

	(void)state;
	buf_init(&in, 4096);
	exchange(request, sizeof(request) - 1, 1000, &in);
	assert_non_null(strstr(in.data, "Content-Length: 4\r\n"));
	assert_true(str_ends(in.data, "\r\n\r\n"));
}

static void requests_split_at_every_byte(void **state)
{
	static const char text[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
				   "GET /b HTTP/1.1\r\n" END;

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece += piece < 4 ? 1 : 17) {
		cleanup_buf struct buf in;

		buf_init(&in, 4096);
		requests = 0;
		exchange(text, sizeof(text) - 1, piece, &in);
		assert_int_equal(requests, 2);
		assert_non_null(strstr(in.data, "\r\n\r\nabcHTTP/1.1 200 OK"));
		assert_true(str_ends(in.data, "\r\n\r\n/b"));
	}
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char text[] = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
				   "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\n" END;
	cleanup_buf struct buf in;
	int fd = raw_connect(server_address(server));

	(void)state;
	buf_init(&in, 4096);
	raw_send(fd, text, sizeof(text) - 1);
	run_for(loop, 20);
	assert_int_equal(requests, 1); /* one at a time */
	assert_non_null(kept);
	server_reply_text(kept, 200, "first");
	assert_int_equal(requests, 1); /* never from inside the answer of another */
	assert_true(raw_read_until(loop, fd, &in, NULL, 3000));
	assert_int_equal(requests, 3);
	assert_true(strstr(in.data, "first") < strstr(in.data, "/2"));
	assert_true(strstr(in.data, "/2") < strstr(in.data, "\r\n\r\n/3"));
	close(fd);
}

static void a_slow_client_is_dropped(void **state)
{
	cleanup_buf struct buf in;
	int fd = raw_connect(server_address(server));
	int64_t start = clock_mono_ms();

	(void)state;
	buf_init(&in, 4096);
	/* One byte every 10 ms does not extend the 60 ms that a request may take. */
	for (int i = 0; i < 20 && !in.len; i++) {
		if (send(fd, "G", 1, MSG_NOSIGNAL) < 0)
			break;
		raw_read_until(loop, fd, &in, "408", 10);
	}
	assert_non_null(strstr(in.data, "HTTP/1.1 408 "));
	assert_in_range(clock_mono_ms() - start, 50, 500);
	close(fd);
}

static void idle_connections_are_closed(void **state)
{
	cleanup_buf struct buf in;
	int silent = raw_connect(server_address(server));
	int fd = raw_connect(server_address(server));
	int64_t start = clock_mono_ms();

	(void)state;
	buf_init(&in, 4096);
	raw_say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, fd, &in, "\r\n\r\n/x", 1000));
	assert_true(raw_read_until(loop, fd, &in, NULL, 1000));
	assert_in_range(clock_mono_ms() - start, 50, 500);
	buf_reset(&in);
	assert_true(raw_read_until(loop, silent, &in, NULL, 1000));
	assert_int_equal(in.len, 0); /* who never spoke is not answered */
	close(fd);
	close(silent);
}

static void the_request_survives_its_peer(void **state)
{
	int fd = raw_connect(server_address(server));
	struct linger reset = {1, 0};

	(void)state;
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 100 && !kept; i++)
		run_for(loop, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	run_for(loop, 10);
	assert_string_equal(kept->path, "/later");
	server_reply_text(kept, 200, "nobody hears it");
	run_for(loop, 10);
}

static void a_half_closed_peer_gets_its_answer(void **state)
{
	cleanup_buf struct buf in;
	int fd = raw_connect(server_address(server));

	(void)state;
	buf_init(&in, 4096);
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(fd, SHUT_WR);
	run_for(loop, 20);
	server_reply_text(kept, 200, "still");
	assert_true(raw_read_until(loop, fd, &in, NULL, 1000));
	assert_true(str_ends(in.data, "still"));
	close(fd);
}

static void an_answer_is_unsent_until_the_next_round(void **state)
{
	int fd = raw_connect(server_address(server));

	(void)state;
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	run_for(loop, 10);
	assert_false(server_has_unsent(server));
	server_reply_text(kept, 200, "x");
	assert_true(server_has_unsent(server));
	loop_run_once(loop, true);
	assert_false(server_has_unsent(server));
	close(fd);
}

static void a_peer_that_left_gives_its_place_back(void **state)
{
	int fd = raw_connect(server_address(server));

	(void)state;
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	run_for(loop, 10);
	close(fd);
	run_for(loop, 90);                 /* idle_ms is 60 */
	server_reply_text(kept, 200, "x"); /* freed here; the leak checker would tell */
}

static void answers_after_server_free(void **state)
{
	int fd = raw_connect(server_address(server));
	struct server_request *r;

	(void)state;
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	run_for(loop, 10);
	r = kept;
	server_free(server);
	server = NULL;
	assert_string_equal(r->path, "/later");
	server_reply_text(r, 200, "x");
	close(fd);
}

static void streams_after_server_free(void **state)
{
	int fd = raw_connect(server_address(server));

	(void)state;
	raw_say(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	run_for(loop, 10);
	server_free(server);
	server = NULL;
	stream = server_stream_begin(kept, "text/plain", on_close, NULL);
	assert_int_equal(server_stream_send(stream, "x", 1), -1);
	assert_int_equal(closed, 0);
	loop_run_once(loop, false);
	assert_int_equal(closed, 1);
	close(fd);
}

static void the_server_may_be_freed_by_its_handler(void **state)
{
	cleanup_buf struct buf in;
	int fd = raw_connect(server_address(server));
	int idle = raw_connect(server_address(server));

	(void)state;
	buf_init(&in, 4096);
	raw_say(fd, "GET /free HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, fd, &in, NULL, 1000));
	assert_null(server);
	close(fd);
	close(idle);
}

/* --- limits of connections ------------------------------------------------------------------ */

static int setup_two(void **state)
{
	(void)state;
	return setup_with((struct server_options){.max_connections = 2});
}

/* Runs the loop until n requests have reached the handler; a busy machine may take its time. */
static void await_requests(int n)
{
	for (int i = 0; i < 200 && (int)requests < n; i++)
		run_for(loop, 5);
	assert_int_equal(requests, n);
}

static void idle_ones_make_room_then_503(void **state)
{
	cleanup_buf struct buf in;
	const char *a = server_address(server);
	int first = raw_connect(a), second, third, fourth;

	(void)state;
	buf_init(&in, 4096);
	raw_say(first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, first, &in, "\r\n\r\n/1", 1000));
	run_for(loop, 5);
	second = raw_connect(a);
	raw_say(second, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	await_requests(2);
	/* Full: the idle first one goes. */
	third = raw_connect(a);
	raw_say(third, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, first, &in, NULL, 1000));
	await_requests(3);
	/* Full of working ones: refused. */
	fourth = raw_connect(a);
	buf_reset(&in);
	assert_true(raw_read_until(loop, fourth, &in, "HTTP/1.1 503 ", 1000));
	server_reply_text(kept, 200, "x");
	server_reply_text(older, 200, "x");
	close(first);
	close(second);
	close(third);
	close(fourth);
}

/* --- streams -------------------------------------------------------------------------------- */

static int open_stream(void)
{
	cleanup_buf struct buf in;
	int fd = raw_connect(server_address(server));

	buf_init(&in, 4096);
	raw_say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, fd, &in, "\r\n\r\n", 1000));
	assert_non_null(strstr(in.data, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(in.data, "Content-Type: text/event-stream\r\n"));
	assert_non_null(stream);
	return fd;
}

static void a_stream_sends_chunks_and_the_connection_stays(void **state)
{
	cleanup_buf struct buf in;
	int fd = open_stream();

	(void)state;
	buf_init(&in, 4096);
	assert_int_equal(server_stream_send(stream, "hello", 5), 0);
	assert_int_equal(server_stream_send(stream, "", 0), 0); /* would be the end */
	assert_true(raw_read_until(loop, fd, &in, "5\r\nhello\r\n", 1000));
	run_for(loop, 80); /* a quiet stream is not an idle connection (idle_ms is 60) */
	assert_int_equal(closed, 0);
	server_stream_end(stream);
	assert_true(raw_read_until(loop, fd, &in, "0\r\n\r\n", 1000));
	raw_say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(raw_read_until(loop, fd, &in, "\r\n\r\n/x", 1000));
	assert_int_equal(closed, 0);
	close(fd);
}

static void a_stream_tells_that_its_peer_left(void **state)
{
	int fd = open_stream();

	(void)state;
	close(fd);
	run_for(loop, 20);
	assert_int_equal(closed, 1);
}

static void a_stream_ends_with_the_server(void **state)
{
	int fd = open_stream();

	(void)state;
	server_free(server);
	server = NULL;
	assert_int_equal(closed, 1);
	close(fd);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
	static char block[16384];
	int fd = open_stream(), rc = 0;
	size_t sent = 0;

	(void)state;
	while (rc == 0 && sent < 64UL * 1024 * 1024) {
		rc = server_stream_send(stream, block, sizeof(block));
		if (rc == 0)
			sent += sizeof(block);
		assert_int_equal(closed, 0);
		loop_run_once(loop, false);
		if (!stream)
			break;
	}
	/* What the kernel took, and at most 256 kB of ours. */
	assert_int_equal(rc, -1);
	run_for(loop, 5);
	assert_int_equal(closed, 1);
	close(fd);
}

static void a_stalled_stream_is_dropped_in_time(void **state)
{
	static char block[200000];
	int fd = open_stream();

	(void)state;
	/* Fill the kernel's buffers until something stays with us, below the limit. */
	for (int i = 0; i < 1000 && stream; i++) {
		if (server_stream_send(stream, block, 100000) < 0)
			break;
		run_for(loop, 1);
	}
	for (int i = 0; i < 3 && !closed; i++)
		run_for(loop, 50);
	assert_int_equal(closed, 1);
	close(fd);
}

static void short_streams(void **state)
{
	static const struct {
		const char *request, *end;
	} rows[] = {
		{"GET /stream HTTP/1.1\r\n" END, "\r\n\r\n3\r\nall\r\n0\r\n\r\n"},
		{"GET /stream HTTP/1.0\r\n\r\n", "\r\n\r\nall"},
		{"HEAD /stream HTTP/1.1\r\n" END, "Transfer-Encoding: chunked\r\n\r\n"},
	};

	(void)state;
	stream_in_handler_end = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf in;

		buf_init(&in, 4096);
		exchange(rows[i].request, strlen(rows[i].request), 1000, &in);
		assert_true(str_ends(in.data, rows[i].end));
	}
	assert_int_equal(closed, 0);
	/* HEAD with a stream that would go on: its head is all. */
	stream_in_handler_end = false;
	expect_answer("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "chunked\r\n\r\n");
	assert_int_equal(closed, 1);
}

/* --- addresses ------------------------------------------------------------------------------ */

static void addresses(void **state)
{
	static const struct {
		const char *address, *bound, *error;
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1:", NULL}, {"localhost:0", "127.0.0.1:", NULL},
		{"[::1]:0", "[::1]:", NULL},         {":0", "", NULL},
		{"127.0.0.1", NULL, "want IP:PORT"}, {"127.0.0.1:", NULL, "port must be"},
		{"127.0.0.1:65536", NULL, "port"},   {"127.0.0.1:-1", NULL, "port"},
		{"1.2.3:1", NULL, "not an IP"},      {"::1:1", NULL, "not an IP"},
		{"[::1:1", NULL, "not an IP"},       {NULL, NULL, "want IP:PORT"},
		{"a.b:1", NULL, "not an IP"},        {"192.0.2.1:1", NULL, "cannot listen"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server_options o = {.address = rows[i].address, .handler = handle};
		struct err err = ERR_INIT;
		struct server *s = server_new(loop, &o, &err);

		assert_int_equal(s != NULL, rows[i].bound != NULL);
		if (s) {
			assert_true(str_starts(server_address(s), rows[i].bound));
			assert_true(port_of(server_address(s)) > 0);
		} else {
			assert_non_null(strstr(err.msg, rows[i].error));
		}
		server_free(s);
	}
}

static void a_taken_port_is_told(void **state)
{
	struct server_options o = {.address = server_address(server), .handler = handle};
	struct err err = ERR_INIT;

	(void)state;
	assert_null(server_new(loop, &o, &err));
	assert_non_null(strstr(err.msg, server_address(server)));
	assert_non_null(strstr(err.msg, "in use"));
}

static void a_listening_socket_handed_in(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct server_options o = {.address = "ignored", .handler = handle};
	struct err err = ERR_INIT;
	int fd;

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = o.listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_null(server_new(loop, &o, &err));
	assert_non_null(strstr(err.msg, "not a listening socket"));
	assert_int_equal(listen(fd, 4), 0);
	server_free(server);
	server = server_new(loop, &o, &err);
	assert_non_null(server);
	expect_answer("GET /x HTTP/1.1\r\n" END, "\r\n\r\n/x");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(answers),
		T(head_has_no_body),
		T(requests_split_at_every_byte),
		T(pipelined_requests_are_answered_in_order),
		T(a_slow_client_is_dropped),
		T(idle_connections_are_closed),
		T(the_request_survives_its_peer),
		T(a_half_closed_peer_gets_its_answer),
		T(an_answer_is_unsent_until_the_next_round),
		T(a_peer_that_left_gives_its_place_back),
		T(answers_after_server_free),
		T(streams_after_server_free),
		T(the_server_may_be_freed_by_its_handler),
		cmocka_unit_test_setup_teardown(idle_ones_make_room_then_503, setup_two, teardown),
		T(a_stream_sends_chunks_and_the_connection_stays),
		T(a_stream_tells_that_its_peer_left),
		T(a_stream_ends_with_the_server),
		T(a_client_that_does_not_read_is_dropped),
		T(a_stalled_stream_is_dropped_in_time),
		T(short_streams),
		T(addresses),
		T(a_taken_port_is_told),
		T(a_listening_socket_handed_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
