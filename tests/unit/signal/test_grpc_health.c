/*
 * The gRPC health check: its bytes, what answers mean however hostile they are, and the prober
 * against a virtual server and against gRPC's own.
 */
#include "site.h"

#include <signal.h>
#include <sys/wait.h>

#include "tidegate/base/random.h"
#include "tidegate/net/http_virtual.h"
#include "tidegate/signal/grpc_health.h"
#include "tidegate/signal/model_probe.h"

/* --- bytes ------------------------------------------------------------------------------- */

static void test_requests(void **state)
{
	static const struct {
		const char *service, *bytes;
		size_t len;
	} rows[] = {{"", "\0\0\0\0\0", 5},
	            {"rank", "\0\0\0\0\6\x0a\4rank", 11},
	            {"rank.v1.Ranker", "\0\0\0\0\x10\x0a\x0erank.v1.Ranker", 21}};
	char longest[400];
	cleanup_buf struct buf b;

	(void)state;
	buf_init(&b, GRPC_HEALTH_REQUEST_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		b.len = 0;
		grpc_health_request(rows[i].service, &b);
		assert_int_equal(b.len, rows[i].len);
		assert_memory_equal(b.data, rows[i].bytes, rows[i].len);
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	b.len = 0;
	grpc_health_request(longest, &b);
	assert_int_equal(b.len, GRPC_HEALTH_REQUEST_MAX);
	assert_memory_equal(b.data, "\0\0\0\1\0\x0a\xfd\1x", 9);
}

#define BYTES(s) (s), sizeof(s) - 1
#define OK_TYPE  "application/grpc"

static void test_answers(void **state)
{
	static const struct {
		int status;
		const char *type, *code, *body;
		size_t len;
		enum grpc_health health;
		const char *why;
	} rows[] = {
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_SERVING, "SERVING"},
		{200, "application/grpc+proto", "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_SERVING, ""},
		/* fields that are not known: varint, text, 8 and 4 bytes; of two the last counts */
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\x0a\x10\xff\1\x1a\1x\x08\2\x08\1"),
	         GRPC_SERVING, ""},
		{200, OK_TYPE, "0",
	         BYTES("\0\0\0\0\x10\x11"
	               "12345678\x1d"
	               "1234\x08\1"),
	         GRPC_SERVING, ""},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\2"), GRPC_NOT_SERVING,
	         "says NOT_SERVING"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\3"), GRPC_NOT_SERVING, "SERVICE_UNKNOWN"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\0"), GRPC_NOT_SERVING, "says UNKNOWN"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\x63"), GRPC_NOT_SERVING, "says UNKNOWN"},
		/* no message, though all is well; half of one; two; compressed; length that lies */
		{200, OK_TYPE, "0", BYTES(""), GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\0\0"), GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08"), GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\1\0\0\0\2\x08\1"), GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\xff\xff\xff\xff\x08\1"), GRPC_NOT_SERVING,
	         "cannot be read"},
		/* a varint without an end, a text longer than the message, groups */
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\xff"), GRPC_NOT_SERVING,
	         "cannot be read"},
		{200, OK_TYPE, "0",
	         BYTES("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
	         GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\3\x1a\x09x"), GRPC_NOT_SERVING,
	         "cannot be read"},
		{200, OK_TYPE, "0", BYTES("\0\0\0\0\1\x0b"), GRPC_NOT_SERVING, "cannot be read"},
		{200, OK_TYPE, "12", BYTES(""), GRPC_NO_HEALTH, "no grpc.health.v1.Health"},
		{200, OK_TYPE, "5", BYTES(""), GRPC_NOT_SERVING, "does not know the service"},
		{200, OK_TYPE, "14", BYTES(""), GRPC_NOT_SERVING, "code 14 (UNAVAILABLE)"},
		/* a message does not make up for a code */
		{200, OK_TYPE, "13", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING, "INTERNAL"},
		{200, OK_TYPE, "-3", BYTES(""), GRPC_NOT_SERVING, "code -3 (unknown)"},
		{200, OK_TYPE, "9000000000", BYTES(""), GRPC_NOT_SERVING, "(unknown)"},
		{200, OK_TYPE, NULL, BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "without a grpc-status"},
		{200, OK_TYPE, "ok", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "without a grpc-status"},
		{200, "text/html", "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "does not speak gRPC"},
		{200, "application/grpc-web", "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "does not speak gRPC"},
		{200, NULL, "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING,
	         "does not speak gRPC"},
		{503, OK_TYPE, "0", BYTES("\0\0\0\0\2\x08\1"), GRPC_NOT_SERVING, "HTTP 503"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_result r = {.status = rows[i].status,
		                        .content_type = rows[i].type,
		                        .kept_header = rows[i].code,
		                        .body = rows[i].body,
		                        .body_len = rows[i].len};
		char why[160] = "";

		if (grpc_health_answer(&r, why, sizeof(why)) != rows[i].health ||
		    !strstr(why, rows[i].why))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, why, rows[i].why);
	}
}

/* Bytes that mean something are drawn more often than others. */
static char any_byte(struct random *random)
{
	static const char telling[] = {0x08, 1, 2, 0x0a, 0x10, 0x1d, 0x11, (char)0xff};
	uint64_t n = random_below(random, 512);

	return n < 256 ? (char)n : telling[n % sizeof(telling)];
}

/*
 * Any bytes, in a block that ends where they end (the sanitizers see what is read beyond). Most are
 * a frame of the right length, so that the message within is read.
 */
static void test_any_bytes_are_read_within_their_bounds(void **state)
{
	struct random random = {1};
	unsigned serving = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t n = 5 + random_below(&random, 16);
		cleanup_free char *body = xmalloc(n);
		struct http_result r = {
			.status = 200, .content_type = OK_TYPE, .kept_header = "0", .body = body};
		char why[160];

		for (size_t j = 0; j < n; j++)
			body[j] = j < 4 ? 0 : j == 4 ? (char)(n - 5) : any_byte(&random);
		r.body_len = i % 4 ? n : random_below(&random, n + 1);
		serving += grpc_health_answer(&r, why, sizeof(why)) == GRPC_SERVING;
	}
	assert_in_range(serving, 100, 20000);
}

/* --- the prober, the other end played by the test ------------------------------------------ */

static struct peer {
	struct clock_virtual now;
	struct loop *loop;
	struct model_prober *prober;
	struct http_call *call;
	char seen[300];
	unsigned reports, failures;
	bool ready;
	char why[200];
} v;

static void *on_start(void *arg, struct http_call *call, const struct http_sent *sent)
{
	(void)arg;
	v.call = call;
	snprintf(v.seen, sizeof(v.seen), "%s %s %s %zu", sent->method, sent->url,
	         str_or(sent->content_type, ""), sent->body_len);
	return NULL;
}

static void on_gone(void *arg, void *started)
{
	(void)arg;
	(void)started;
	v.call = NULL;
}

static void on_report(void *arg, const char *pod, const char *uid, bool ready, unsigned failures,
                      const char *why)
{
	(void)arg;
	(void)pod;
	(void)uid;
	v.reports++;
	v.ready = ready;
	v.failures = failures;
	str_copy(v.why, sizeof(v.why), why);
}

static int setup_virtual(void **state)
{
	static const struct http_transport transport = {on_start, on_gone, NULL};

	(void)state;
	v = (struct peer){.now = {1000, 1700000000000}};
	clock_use(&v.now);
	v.loop = loop_new_virtual(&v.now);
	http_transport_use(&transport);
	v.prober = model_prober_new(v.loop, 4, 1000, on_report, NULL, NULL);
	return v.prober ? 0 : -1;
}

static int teardown_virtual(void **state)
{
	(void)state;
	model_prober_free(v.prober);
	loop_free(v.loop);
	http_transport_use(NULL);
	clock_use(NULL);
	return 0;
}

static void ask(enum mdep_runtime runtime, const char *ip, const char *service)
{
	model_prober_set(v.prober, &(struct model_probe_target){.pod = "shop/p",
	                                                        .uid = "u",
	                                                        .ip = ip,
	                                                        .port = 8000,
	                                                        .preset = preset_get(runtime),
	                                                        .model = "rec",
	                                                        .version = "4",
	                                                        .grpc_port = 9000,
	                                                        .grpc_service = service});
}

static void next_call(void)
{
	for (int i = 0; i < 50 && !v.call; i++)
		loop_run_once(v.loop, true);
	assert_non_null(v.call);
}

/* The message comes in pieces, or not at all; the code comes after it. */
static void answer(const char *body, size_t len, const char *code_line)
{
	next_call();
	http_answer_head(v.call, 200, 0);
	http_answer_header(v.call, "content-type: application/grpc");
	for (size_t i = 0; i < len; i++)
		if (!http_answer_data(v.call, body + i, 1))
			return;
	if (code_line)
		http_answer_header(v.call, code_line);
	http_answer_end(v.call, NULL);
}

#define SERVING_FRAME BYTES("\0\0\0\0\2\x08\1")

/* A preset's version check tells more than the health check, its health path less. */
static void test_who_is_asked_what(void **state)
{
	static const struct {
		enum mdep_runtime runtime;
		const char *ip, *service, *seen;
	} rows[] = {
		{RUNTIME_CUSTOM, "10.0.0.1", "",
	         "POST http://10.0.0.1:9000/grpc.health.v1.Health/Check application/grpc 5"},
		{RUNTIME_CUSTOM, "fd00::1", "rank",
	         "POST http://[fd00::1]:9000/grpc.health.v1.Health/Check application/grpc 11"},
		{RUNTIME_VLLM, "10.0.0.1", NULL,
	         "POST http://10.0.0.1:9000/grpc.health.v1.Health/Check application/grpc 5"},
		{RUNTIME_TRITON, "10.0.0.1", "",
	         "GET http://10.0.0.1:8000/v2/models/rec/versions/4/ready  0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask(rows[i].runtime, rows[i].ip, rows[i].service);
		next_call();
		assert_string_equal(v.seen, rows[i].seen);
		model_prober_remove(v.prober, "shop/p");
	}
}

static void test_serving_then_not(void **state)
{
	struct model_probe_state s;

	(void)state;
	ask(RUNTIME_CUSTOM, "10.0.0.1", "");
	answer(SERVING_FRAME, "grpc-status: 0");
	assert_true(v.ready);
	answer(BYTES("\0\0\0\0\2\x08\2"), "grpc-status: 0");
	assert_false(v.ready);
	assert_int_equal(v.failures, 1);
	assert_non_null(strstr(v.why, "NOT_SERVING"));
	assert_true(model_prober_state(v.prober, "shop/p", &s));
	assert_false(s.silent); /* it answered */
	answer(SERVING_FRAME, "grpc-status: 0");
	assert_true(v.ready);
}

/* Silence, an answer without its end or its code, and one that is too long are failures. */
static void test_answers_that_are_none(void **state)
{
	char flood[GRPC_HEALTH_ANSWER_MAX + 1] = "";

	(void)state;
	ask(RUNTIME_CUSTOM, "10.0.0.1", "");
	answer(SERVING_FRAME, "grpc-status: 0");
	next_call();
	for (int i = 0; i < 50 && v.reports < 2; i++)
		loop_run_once(v.loop, true);
	assert_false(v.ready);
	assert_non_null(strstr(v.why, "no answer"));
	answer(SERVING_FRAME, NULL);
	assert_int_equal(v.failures, 2);
	assert_non_null(strstr(v.why, "without a grpc-status"));
	answer(flood, sizeof(flood), "grpc-status: 0");
	assert_int_equal(v.failures, 3);
	assert_non_null(strstr(v.why, "larger than"));
}

/* Nothing is known of its health: that it answers is what a connection would have shown. */
static void test_without_a_health_service_an_answer_counts(void **state)
{
	(void)state;
	ask(RUNTIME_CUSTOM, "10.0.0.1", "");
	answer("", 0, "grpc-status: 12");
	assert_true(v.ready);
}

/* --- gRPC's own server -------------------------------------------------------------------- */

static struct world {
	struct site site; /* a server of HTTP/1.1, and the loop */
	struct model_prober *prober;
	pid_t pid;
	int in;
	bool got, ready;
	char why[200];
} w;

static void on_real_report(void *arg, const char *pod, const char *uid, bool ready,
                           unsigned failures, const char *why)
{
	(void)arg;
	(void)pod;
	(void)uid;
	(void)failures;
	w.got = true;
	w.ready = ready;
	str_copy(w.why, sizeof(w.why), why);
}

static int setup_real(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	site_open(&w.site);
	w.prober = model_prober_new(w.site.loop, 4, 50, on_real_report, NULL, NULL);
	return w.prober ? 0 : -1;
}

static int teardown_real(void **state)
{
	(void)state;
	model_prober_free(w.prober);
	site_close(&w.site);
	if (w.pid) {
		kill(w.pid, SIGKILL);
		close(w.in);
		waitpid(w.pid, NULL, 0);
	}
	return 0;
}

#define PYTHON "/usr/bin/python3" /* Debian's, for which python3-grpcio is made */

static void run_python(int in, int out, const char *a, const char *b)
{
	dup2(in, 0);
	dup2(out, 1);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	execl(PYTHON, PYTHON, "tests/unit/signal/grpc_server.py", a, b, (char *)NULL);
	_exit(127);
}

/* Its port; `make deps` installs what it needs, without which there is nothing to ask. */
static int start_server(const char *a, const char *b)
{
	char port[16] = "";
	int in[2], out[2];

	if (access("/usr/lib/python3/dist-packages/grpc/__init__.py", R_OK))
		skip();
	assert_int_equal(pipe(in) | pipe(out), 0);
	w.pid = fork();
	if (!w.pid)
		run_python(in[0], out[1], a, b);
	close(in[0]);
	close(out[1]);
	w.in = in[1];
	/* To the end of the line: one that nobody reads to its end kills the writer. */
	for (size_t n = 0; n < sizeof(port) - 1 && !strchr(port, '\n'); n++)
		assert_int_equal(read(out[0], port + n, 1), 1);
	close(out[0]);
	return (int)strtoul(port, NULL, 10);
}

static void probe_real(int port, const char *service)
{
	model_prober_set(w.prober,
	                 &(struct model_probe_target){.pod = "shop/p",
	                                              .uid = "u",
	                                              .ip = "127.0.0.1",
	                                              .preset = preset_get(RUNTIME_CUSTOM),
	                                              .version = "4",
	                                              .grpc_port = port,
	                                              .grpc_service = service});
	w.got = false;
	assert_true(run_until(w.site.loop, &w.got, 10000));
}

static void test_real_server(void **state)
{
	static const struct {
		const char *service, *why; /* why NULL = ready */
	} rows[] = {{"", NULL},
	            {"rank.v1.Ranker", "says NOT_SERVING"},
	            {"other", "does not know the service"}};
	int port = start_server("=1", "rank.v1.Ranker=2");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		probe_real(port, rows[i].service);
		assert_int_equal(w.ready, rows[i].why == NULL);
		if (rows[i].why && !strstr(w.why, rows[i].why))
			fail_msg("\"%s\" lacks \"%s\"", w.why, rows[i].why);
		model_prober_remove(w.prober, "shop/p");
	}
}

static void test_real_server_without_a_health_service(void **state)
{
	(void)state;
	probe_real(start_server("none", NULL), "");
	assert_true(w.ready);
}

/* The first failure is known after a second, and each has a connection of its own. */
static void test_real_server_that_is_late_and_one_that_went(void **state)
{
	int port = start_server("slow", NULL);
	int64_t began = clock_mono_ms();

	(void)state;
	probe_real(port, "");
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "no answer"));
	assert_in_range(clock_mono_ms() - began, 900, 30000);
	kill(w.pid, SIGKILL);
	model_prober_remove(w.prober, "shop/p");
	probe_real(port, "");
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "connection refused"));
}

static void test_a_server_of_http_1(void **state)
{
	(void)state;
	probe_real(port_of(server_address(w.site.server)), "");
	assert_false(w.ready);
	assert_non_null(strstr(w.why, "does not answer"));
	assert_int_equal(w.site.requests, 0);
}

#define V(fn) cmocka_unit_test_setup_teardown(fn, setup_virtual, teardown_virtual)
#define R(fn) cmocka_unit_test_setup_teardown(fn, setup_real, teardown_real)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_any_bytes_are_read_within_their_bounds),
		V(test_who_is_asked_what),
		V(test_serving_then_not),
		V(test_answers_that_are_none),
		V(test_without_a_health_service_an_answer_counts),
		R(test_real_server),
		R(test_real_server_without_a_health_service),
		R(test_real_server_that_is_late_and_one_that_went),
		R(test_a_server_of_http_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
