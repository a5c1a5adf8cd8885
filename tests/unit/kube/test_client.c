/* API calls: what is sent, what is retried, what is fenced, in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../../../controller/kube/client_priv.h"
#include "fake_api.c"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"

/* A literal in place of a string that a loaded configuration owns. */
#define S(text) ((char *)(text))

struct bed {
	struct loop *loop;
	struct fake_api *api;
	struct kube_config cfg;
	struct kube_client *client;
	char dir[32], file[64], other[64];
};

/* What came of one call. */
struct answer {
	bool done;
	int count; /* of on_done */
	int status;
	struct err err;
	char body[256];
	char data[256];
};

static int quiet(void **state)
{
	(void)state;
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return 0;
}

static int setup(void **state)
{
	struct bed *b = xcalloc(1, sizeof(*b));

	str_copy(b->dir, sizeof(b->dir), "/tmp/tidegate-call-XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->file, sizeof(b->file), "%s/file", b->dir);
	snprintf(b->other, sizeof(b->other), "%s/other", b->dir);
	b->loop = loop_new();
	b->api = fake_api_new(b->loop);
	b->cfg.source = S("test");
	b->cfg.server = S(fake_api_url(b->api));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	kube_client_free(b->client);
	fake_api_free(b->api);
	loop_free(b->loop);
	unlink(b->file);
	unlink(b->other);
	rmdir(b->dir);
	free(b);
	return 0;
}

static struct kube_client *client(struct bed *b, int max_in_flight)
{
	struct kube_client_options o = {.max_in_flight = max_in_flight};
	struct err err = ERR_INIT;

	b->client = kube_client_new(b->loop, &b->cfg, &o, &err);
	if (!b->client)
		fail_msg("%s", err.msg);
	b->client->retry_ms = 2;
	return b->client;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, text, strlen(text), 0700, NULL), 0);
}

static void on_done(void *arg, const struct kube_response *r)
{
	struct answer *a = arg;

	a->done = true;
	a->count++;
	a->status = r->status;
	a->err = r->err;
	snprintf(a->body, sizeof(a->body), "%.*s", (int)r->body_len, r->body);
}

static int on_data(void *arg, int status, const char *data, size_t len)
{
	struct answer *a = arg;

	assert_int_equal(status, 200);
	strncat(a->data, data, len);
	return 0;
}

static struct kube_call *start(struct bed *b, struct answer *a, const struct kube_request *r)
{
	struct kube_request copy = *r;
	struct kube_call *call;

	memset(a, 0, sizeof(*a));
	copy.on_done = on_done;
	copy.arg = a;
	if (copy.body)
		copy.body_len = strlen(copy.body);
	call = kube_call(b->client, &copy);
	assert_false(a->done); /* never from inside */
	return call;
}

static void run(struct bed *b, struct answer *a, const struct kube_request *r)
{
	start(b, a, r);
	assert_true(fake_api_run(b->loop, &a->done, 10000));
	fake_api_idle(b->loop, 1);
	assert_int_equal(a->count, 1);
}

#define GET  (&(struct kube_request){.method = "GET", .path = "/x"})
#define POST (&(struct kube_request){.method = "POST", .path = "/x", .body = "{}"})
#define APPLY                                                                                      \
	(&(struct kube_request){.method = "PATCH",                                                 \
	                        .path = "/x",                                                      \
	                        .body = "{}",                                                      \
	                        .patch = KUBE_PATCH_APPLY,                                         \
	                        .field_manager = "m"})
#define MERGE                                                                                      \
	(&(struct kube_request){                                                                   \
		.method = "PATCH", .path = "/x", .body = "{}", .patch = KUBE_PATCH_MERGE})

/* --- what is sent ------------------------------------------------------------------------- */

static void test_headers(void **state)
{
	static const struct fake_reply ok = {.body = "{\"a\":1}"};
	char *as[] = {S("Impersonate-User: jane"), S("Impersonate-Group: g"), NULL};
	struct bed *b = *state;
	const struct fake_request *q;
	struct answer a;
	char v[128];

	b->cfg.token = S("tok");
	b->cfg.as_headers = as;
	client(b, 0);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"a\":1}");
	q = fake_api_nth(b->api, "GET", "/x", 0);
	assert_true(fake_request_header(q, "Accept", v, sizeof(v)));
	assert_string_equal(v, "application/json");
	assert_true(fake_request_header(q, "Authorization", v, sizeof(v)));
	assert_string_equal(v, "Bearer tok");
	assert_true(fake_request_header(q, "Impersonate-User", v, sizeof(v)));
	assert_string_equal(v, "jane");
	assert_true(fake_request_header(q, "User-Agent", v, sizeof(v)));
	assert_true(str_starts(v, "tidegate/"));
	assert_false(fake_request_header(q, "Content-Type", v, sizeof(v)));
}

struct sent_row {
	const char *method, *path;
	enum kube_patch patch;
	const char *manager, *body;
	const char *want_path, *want_type;
};

static const struct sent_row sent_rows[] = {
	{"POST", "/a", KUBE_PATCH_NONE, "m", "{}", "/a?fieldManager=m", "application/json"},
	{"POST", "/a", KUBE_PATCH_NONE, NULL, "{}", "/a", "application/json"},
	{"PUT", "/a?x=1", KUBE_PATCH_NONE, "a b/c", "{}", "/a?x=1&fieldManager=a%20b%2Fc",
         "application/json"},
	{"PATCH", "/a", KUBE_PATCH_APPLY, "m", "{}", "/a?fieldManager=m&force=true",
         "application/apply-patch+yaml"},
	{"PATCH", "/a", KUBE_PATCH_MERGE, NULL, "{}", "/a", "application/merge-patch+json"},
	{"PATCH", "/a", KUBE_PATCH_JSON, "m", "[]", "/a?fieldManager=m",
         "application/json-patch+json"},
	{"PATCH", "/a", KUBE_PATCH_STRATEGIC, NULL, "{}", "/a",
         "application/strategic-merge-patch+json"},
	{"DELETE", "/a", KUBE_PATCH_NONE, "m", "{\"preconditions\":{}}", "/a", "application/json"},
	{"DELETE", "/a", KUBE_PATCH_NONE, "m", NULL, "/a", NULL},
	{"GET", "/a?limit=5", KUBE_PATCH_NONE, "m", NULL, "/a?limit=5", NULL},
};

static void test_url_and_content_type(void **state)
{
	static const struct fake_reply ok = {.body = "{}"};
	struct bed *b = *state;
	struct answer a;
	char v[128];

	client(b, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sent_rows); i++) {
		const struct sent_row *r = &sent_rows[i];
		const struct fake_request *q;

		fake_api_script(b->api, r->method, "/a", &ok, 1);
		run(b, &a,
		    &(struct kube_request){.method = r->method,
		                           .path = r->path,
		                           .patch = r->patch,
		                           .field_manager = r->manager,
		                           .body = r->body});
		q = fake_api_nth(b->api, NULL, "", i);
		assert_string_equal(q->method, r->method);
		assert_string_equal(q->path, r->want_path);
		assert_string_equal(q->body, str_or(r->body, ""));
		assert_int_equal(fake_request_header(q, "Content-Type", v, sizeof(v)),
		                 r->want_type != NULL);
		if (r->want_type)
			assert_string_equal(v, r->want_type);
	}
}

static void test_unsound_requests(void **state)
{
	static const struct kube_request rows[] = {
		{.method = "GET", .path = "no-slash"},
		{.method = NULL, .path = "/x"},
		{.method = "GET", .path = NULL},
		{.method = "PATCH", .path = "/x"},
		{.method = "POST", .path = "/x", .patch = KUBE_PATCH_MERGE},
		{.method = "PATCH", .path = "/x", .patch = KUBE_PATCH_APPLY},
	};
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(b, &a, &rows[i]);
		assert_int_equal(a.err.class, ERR_INTERNAL);
	}
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
}

/* --- retries ------------------------------------------------------------------------------ */

enum verb { V_GET, V_POST, V_APPLY, V_MERGE, V_DELETE, V_WATCH, V_LEASE };

static struct kube_request verb_request(enum verb v)
{
	switch (v) {
	case V_GET:
		return *GET;
	case V_POST:
		return *POST;
	case V_APPLY:
		return *APPLY;
	case V_MERGE:
		return *MERGE;
	case V_DELETE:
		return (struct kube_request){.method = "DELETE", .path = "/x"};
	case V_WATCH:
		return (struct kube_request){.method = "GET",
		                             .path = "/x",
		                             .channel = KUBE_CH_WATCH,
		                             .timeout_ms = 9000};
	case V_LEASE:
		break;
	}
	return (struct kube_request){.method = "GET", .path = "/x", .channel = KUBE_CH_LEASE};
}

#define THROTTLED                                                                                  \
	{                                                                                          \
		.status = 429                                                                      \
	}
#define RESET                                                                                      \
	{                                                                                          \
		.raw = "", .end = FAKE_RESET                                                       \
	}
#define OK                                                                                         \
	{                                                                                          \
		.body = "{}"                                                                       \
	}

struct retry_row {
	enum verb verb;
	struct fake_reply replies[3];
	unsigned n;
	enum err_class class;
	unsigned requests;
};

static const struct retry_row retry_rows[] = {
	{V_GET, {THROTTLED, THROTTLED, OK}, 3, ERR_NONE, 3},
	{V_GET, {RESET, RESET, OK}, 3, ERR_NONE, 3},
	{V_GET,
         {{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", .end = FAKE_RESET}, OK},
         2,
         ERR_NONE,
         2},
	{V_GET, {THROTTLED}, 1, ERR_THROTTLED, 10},
	{V_GET, {{.status = 503}, OK}, 2, ERR_SERVER, 1},
	{V_GET, {{.status = 404}, OK}, 2, ERR_NOT_FOUND, 1},
	{V_GET, {{.status = 429, .headers = "Retry-After: 60\r\n"}, OK}, 2, ERR_THROTTLED, 1},
	{V_APPLY, {THROTTLED, RESET, OK}, 3, ERR_NONE, 3},
	{V_APPLY, {{.status = 409}, OK}, 2, ERR_CONFLICT, 1},
	{V_POST, {THROTTLED, OK}, 2, ERR_THROTTLED, 1},
	{V_POST, {RESET, OK}, 2, ERR_TRANSPORT, 1},
	{V_MERGE, {THROTTLED, OK}, 2, ERR_THROTTLED, 1},
	{V_DELETE, {RESET, OK}, 2, ERR_TRANSPORT, 1},
	{V_WATCH, {THROTTLED, OK}, 2, ERR_THROTTLED, 1},
	{V_LEASE, {RESET, OK}, 2, ERR_TRANSPORT, 1},
};

static void test_retries(void **state)
{
	struct bed *b = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(retry_rows); i++) {
		const struct retry_row *r = &retry_rows[i];
		struct kube_request q = verb_request(r->verb);
		unsigned before = fake_api_count(b->api, NULL, "");

		/* A client each: on a connection used before libcurl itself sends again. */
		client(b, 0);
		fake_api_script(b->api, q.method, "/x", r->replies, r->n);
		run(b, &a, &q);
		if (a.err.class != r->class ||
		    fake_api_count(b->api, NULL, "") - before != r->requests)
			fail_msg("row %zu: %s \"%s\", %u requests", i, err_class_name(a.err.class),
			         a.err.msg, fake_api_count(b->api, NULL, "") - before);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

static void test_retry_after_is_kept(void **state)
{
	static const struct fake_reply replies[] = {
		{.status = 503, .headers = "Retry-After: 1\r\n"}, OK};
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 2);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_true(fake_api_nth(b->api, "GET", "/x", 1)->at_ms -
	                    fake_api_nth(b->api, "GET", "/x", 0)->at_ms >=
	            1000);
}

static void test_timeout(void **state)
{
	static const struct fake_reply stall = {.raw = "", .end = FAKE_STALL};
	struct bed *b = *state;
	struct answer a;
	int64_t begin;

	client(b, 0);
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	begin = clock_mono_ms();
	run(b, &a, &(struct kube_request){.method = "GET", .path = "/x", .timeout_ms = 80});
	assert_int_equal(a.err.class, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - begin < 2000);
	assert_int_equal(fake_api_count(b->api, "GET", "/x"), 1);
}

static void test_nobody_listens(void **state)
{
	struct bed *b = *state;
	struct answer a;

	b->cfg.server = S("http://127.0.0.1:1");
	client(b, 0);
	run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_TRANSPORT);
	assert_non_null(strstr(a.err.msg, "127.0.0.1:1"));
}

/* --- 401 ---------------------------------------------------------------------------------- */

static void test_401_reads_the_token_again(void **state)
{
	static const struct fake_reply replies[] = {{.status = 401}, OK, {.status = 401}};
	struct bed *b = *state;
	struct answer a;
	char v[64];

	b->cfg.token_file = b->file;
	put(b->file, "old");
	client(b, 0);
	put(b->file, "new");
	fake_api_script(b->api, "POST", "/x", replies, 3);
	fake_api_idle(b->loop, 2); /* the token was read before the call */
	run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_NONE);
	fake_request_header(fake_api_nth(b->api, "POST", "/x", 0), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer old");
	fake_request_header(fake_api_nth(b->api, "POST", "/x", 1), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer new");
	/* refused again: once is enough */
	run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_UNAUTHORIZED);
	assert_int_equal(fake_api_count(b->api, "POST", "/x"), 4);
}

static void test_401_with_a_static_token(void **state)
{
	static const struct fake_reply no = {.status = 401};
	struct bed *b = *state;
	struct answer a;

	b->cfg.token = S("tok");
	client(b, 0);
	fake_api_script(b->api, "GET", "/x", &no, 1);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_UNAUTHORIZED);
	assert_int_equal(fake_api_count(b->api, "GET", "/x"), 1);
}

static void test_exec_plugin(void **state)
{
	static const struct fake_reply replies[] = {OK, {.status = 401}, OK};
	struct kube_exec e = {.api_version = S("client.authentication.k8s.io/v1"),
	                      .interactive_mode = S("Never")};
	struct bed *b = *state;
	cleanup_free char *text = NULL;
	struct answer a, a2;
	char v[64];

	e.command = b->file;
	b->cfg.exec = &e;
	text = xasprintf("#!/bin/sh\necho x >> %s\nn=$(wc -l < %s | tr -d ' ')\n"
	                 "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"'%s'\",\"status\":{"
	                 "\"token\":\"t'$n'\"}}'\n",
	                 b->other, b->other, e.api_version);
	put(b->file, text);
	client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 3);
	run(b, &a, GET);
	assert_string_equal(a.err.msg, "");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 0), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t1");
	run(b, &a, GET);
	assert_string_equal(a.err.msg, "");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 1), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t1");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 2), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t2");
	/* waiting for a plugin can be cancelled, alone */
	put(b->file, "#!/bin/sh\necho no >&2; exit 1\n");
	kube_auth_rejected(b->client->auth, INT64_MAX);
	kube_cancel(start(b, &a2, GET));
	run(b, &a, GET);
	assert_non_null(strstr(a.err.msg, "failed with exit code 1: no"));
	assert_false(a2.done);
	assert_int_equal(fake_api_count(b->api, "GET", "/x"), 3);
}

/* --- fence -------------------------------------------------------------------------------- */

static bool gate_open;

static bool gate(void *arg)
{
	(void)arg;
	return gate_open;
}

static void test_write_gate(void **state)
{
	static const struct fake_reply ok = OK;
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	kube_client_set_write_gate(b->client, gate, NULL);
	fake_api_script(b->api, "POST", "/x", &ok, 1);
	fake_api_script(b->api, "PUT", "/x", &ok, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	gate_open = false;
	run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_CANCELED);
	run(b, &a, APPLY);
	assert_int_equal(a.err.class, ERR_CANCELED);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	run(b, &a,
	    &(struct kube_request){
		    .method = "PUT", .path = "/x", .body = "{}", .channel = KUBE_CH_LEASE});
	assert_int_equal(a.err.class, ERR_NONE);
	gate_open = true;
	run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_NONE);
}

/* The gate is asked before each attempt, not only before the first. */
static void test_gate_closes_between_retries(void **state)
{
	static const struct fake_reply no = THROTTLED;
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	b->client->retry_ms = 30;
	kube_client_set_write_gate(b->client, gate, NULL);
	fake_api_script(b->api, "PATCH", "/x", &no, 1);
	gate_open = true;
	start(b, &a, APPLY);
	fake_api_idle(b->loop, 10);
	gate_open = false;
	assert_true(fake_api_run(b->loop, &a.done, 5000));
	assert_int_equal(a.err.class, ERR_CANCELED);
	assert_int_equal(fake_api_count(b->api, "PATCH", "/x"), 1);
}

static void test_drop_writes(void **state)
{
	static const struct fake_reply stall = {.raw = "", .end = FAKE_STALL};
	struct bed *b = *state;
	struct answer running, queued, reading, lease;
	struct kube_call *calls[2];

	client(b, 2);
	fake_api_script(b->api, "POST", "/x", &stall, 1);
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	fake_api_script(b->api, "PUT", "/x", &stall, 1);
	start(b, &running, POST);
	calls[0] = start(b, &reading, GET);
	start(b, &queued, POST);
	calls[1] = start(
		b, &lease,
		&(struct kube_request){
			.method = "PUT", .path = "/x", .body = "{}", .channel = KUBE_CH_LEASE});
	fake_api_idle(b->loop, 20);
	kube_client_drop_writes(b->client);
	assert_false(running.done);
	assert_true(fake_api_run(b->loop, &queued.done, 1000));
	assert_true(running.done);
	assert_int_equal(running.err.class, ERR_CANCELED);
	assert_int_equal(queued.err.class, ERR_CANCELED);
	assert_false(reading.done);
	assert_false(lease.done);
	assert_int_equal(fake_api_count(b->api, "POST", "/x"), 1);
	kube_cancel(calls[0]);
	kube_cancel(calls[1]);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

/* --- queue -------------------------------------------------------------------------------- */

static void test_bound_and_order(void **state)
{
	static const struct fake_reply slow = {.body = "{}", .delay_ms = 10};
	struct bed *b = *state;
	struct answer a[12];
	char path[12][4];

	client(b, 3);
	fake_api_script(b->api, "GET", "/q", &slow, 1);
	for (int i = 0; i < 12; i++) {
		memcpy(path[i], "/qa", 4);
		path[i][2] = (char)('a' + i);
		start(b, &a[i], &(struct kube_request){.method = "GET", .path = path[i]});
	}
	assert_int_equal(kube_client_in_flight(b->client), 12);
	for (int i = 0; i < 12; i++)
		assert_true(fake_api_run(b->loop, &a[i].done, 5000));
	assert_int_equal(kube_client_in_flight(b->client), 0);
	assert_true(fake_api_connections(b->api) <= 3);
	/* The three that run at once may overtake each other, no others can. */
	for (int i = 0; i < 12; i++) {
		const struct fake_request *q = fake_api_nth(b->api, "GET", "/q", (unsigned)i);
		assert_in_range(q->path[2] - 'a' - i + 2, 0, 4);
	}
}

/* A watch takes no place among the short calls, and none of their connections. */
static void test_channels_are_apart(void **state)
{
	static const char *const hello[] = {"{}", NULL};
	static const struct fake_reply stream = {.chunks = hello, .end = FAKE_STALL}, ok = OK;
	struct bed *b = *state;
	struct answer w, a;
	struct kube_request watch = {
		.method = "GET", .path = "/w", .channel = KUBE_CH_WATCH, .on_data = on_data};
	struct kube_call *call;

	client(b, 1);
	fake_api_script(b->api, "GET", "/w", &stream, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	call = start(b, &w, &watch);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	fake_api_push(b->api, "/w", "{\"more\":1}");
	fake_api_idle(b->loop, 20);
	assert_string_equal(w.data, "{}{\"more\":1}");
	assert_false(w.done);
	assert_true(loop_now(b->loop) - kube_last_byte_ms(call) < 1000);
	fake_api_end(b->api, "/w", FAKE_KEEP);
	assert_true(fake_api_run(b->loop, &w.done, 1000));
	assert_int_equal(w.err.class, ERR_NONE);
	assert_int_equal(fake_api_connections(b->api), 2);
}

static void test_cancel(void **state)
{
	static const struct fake_reply stall = {.raw = "", .end = FAKE_STALL}, no = THROTTLED;
	struct bed *b = *state;
	struct answer a[4];
	struct kube_call *calls[4];

	client(b, 2);
	b->client->retry_ms = 5000;
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	fake_api_script(b->api, "GET", "/t", &no, 1);
	calls[0] = start(b, &a[0], GET);
	calls[1] = start(b, &a[1], &(struct kube_request){.method = "GET", .path = "/t"});
	calls[2] = start(b, &a[2], GET);
	calls[3] = start(b, &a[3], &(struct kube_request){.method = "GET", .path = "bad"});
	fake_api_idle(b->loop, 0);
	/* queued, waiting for its retry, running */
	fake_api_idle(b->loop, 20);
	assert_true(a[3].done);
	kube_cancel(calls[2]);
	kube_cancel(calls[1]);
	kube_cancel(calls[0]);
	fake_api_idle(b->loop, 20);
	assert_false(a[0].done || a[1].done || a[2].done);
	assert_int_equal(kube_client_in_flight(b->client), 0);
	/* and what runs when the client goes is gone as well (the sanitizer looks) */
	start(b, &a[0], GET);
	start(b, &a[1], GET);
	start(b, &a[2], GET);
	fake_api_idle(b->loop, 20);
	kube_client_free(b->client);
	b->client = NULL;
	assert_false(a[0].done || a[1].done || a[2].done);
}

/* --- streams ------------------------------------------------------------------------------ */

static void test_stream_error_is_no_data(void **state)
{
	static const struct fake_reply gone = {
		.status = 410,
		.body = "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","
			"\"message\":\"too old resource version\"}"};
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	fake_api_script(b->api, "GET", "/w", &gone, 1);
	run(b, &a,
	    &(struct kube_request){
		    .method = "GET", .path = "/w", .channel = KUBE_CH_WATCH, .on_data = on_data});
	assert_int_equal(a.err.class, ERR_GONE);
	assert_string_equal(a.err.msg, "too old resource version");
	assert_string_equal(a.data, "");
}

/* What was delivered once is not delivered again by a retry. */
static void test_stream_cut_is_not_retried(void **state)
{
	static const char *const part[] = {"{\"items\":[", NULL};
	static const struct fake_reply cut = {.chunks = part, .end = FAKE_RESET};
	struct bed *b = *state;
	struct answer a;

	client(b, 0);
	fake_api_script(b->api, "GET", "/l", &cut, 1);
	run(b, &a, &(struct kube_request){.method = "GET", .path = "/l", .on_data = on_data});
	assert_int_equal(a.err.class, ERR_TRANSPORT);
	assert_int_equal(fake_api_count(b->api, "GET", "/l"), 1);
}

/* --- rotation ----------------------------------------------------------------------------- */

static void write_pem(const char *path, X509 *x, EVP_PKEY *k)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (x)
		PEM_write_X509(f, x);
	else
		PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

/* A self-signed certificate and its key; either file may be NULL. */
static void make_pair(const char *cert, const char *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	X509_set_version(x, 2);
	X509_set_pubkey(x, k);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	if (cert)
		write_pem(cert, x, NULL);
	if (key)
		write_pem(key, NULL, k);
	X509_free(x);
	EVP_PKEY_free(k);
}

static int64_t clock_ms;

static int64_t test_clock(void *arg)
{
	(void)arg;
	return clock_ms;
}

static void test_new_certificates_new_connections(void **state)
{
	static const char *const hello[] = {"{}", NULL};
	static const struct fake_reply stream = {.chunks = hello, .end = FAKE_STALL}, ok = OK;
	struct bed *b = *state;
	struct answer w, a;

	make_pair(b->file, b->other);
	b->cfg.cert_file = b->file;
	b->cfg.key_file = b->other;
	client(b, 0);
	clock_ms = loop_now(b->loop);
	kube_auth_set_clock(b->client->auth, test_clock, NULL);
	fake_api_script(b->api, "GET", "/w", &stream, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	start(b, &w,
	      &(struct kube_request){
		      .method = "GET", .path = "/w", .channel = KUBE_CH_WATCH, .on_data = on_data});
	run(b, &a, GET);
	run(b, &a, GET);
	assert_int_equal(fake_api_connections(b->api), 2);
	/* half a rotation: the old pair stays in use */
	make_pair(b->file, NULL);
	clock_ms += 301000;
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_int_equal(fake_api_connections(b->api), 2);
	/* the other half: looked at again soon, new connection, the watch goes on on its old one */
	make_pair(b->file, b->other);
	clock_ms += 10001;
	b->client->rebuild_ms = 0;
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_int_equal(fake_api_connections(b->api), 3);
	assert_int_equal(fake_api_open(b->api), 2);
	fake_api_push(b->api, "/w", "{}");
	fake_api_idle(b->loop, 20);
	assert_string_equal(w.data, "{}{}");
	assert_false(w.done);
}

static void test_bad_certificates_at_start(void **state)
{
	struct bed *b = *state;
	struct err err = ERR_INIT;

	make_pair(b->file, NULL);
	make_pair(NULL, b->other);
	b->cfg.cert_file = b->file;
	b->cfg.key_file = b->other;
	assert_null(kube_client_new(b->loop, &b->cfg, NULL, &err));
	assert_true(str_starts(err.msg, "test: "));
	assert_null(strstr(err.msg, "PRIVATE"));
}

/* --- the rest ----------------------------------------------------------------------------- */

static void test_warnings_once(void **state)
{
	static const struct fake_reply warn = {
		.body = "{}", .headers = "Warning: 299 - \"v1beta1 is \\\"old\\\"\"\r\n"};
	struct bed *b = *state;
	struct answer a;
	char line[4096];
	int p[2];
	ssize_t n;

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	client(b, 0);
	fake_api_script(b->api, "GET", "/x", &warn, 1);
	log_set_fd(p[1]);
	run(b, &a, GET);
	run(b, &a, GET);
	quiet(NULL);
	n = read(p[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, "\"warning\":\"v1beta1 is \\\"old\\\"\""));
	assert_ptr_equal(strchr(line, '\n'), strrchr(line, '\n'));
	close(p[0]);
	close(p[1]);
}

static void test_sync(void **state)
{
	static const struct fake_reply ok = {.body = "{\"a\":1}"};
	struct bed *b = *state;
	struct err err = ERR_INIT;
	char *body = NULL;

	client(b, 0);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	assert_int_equal(kube_call_sync(b->client, GET, &body, &err), 0);
	assert_string_equal(body, "{\"a\":1}");
	free(body);
	assert_int_equal(kube_call_sync(b->client, POST, &body, &err), -1);
	assert_int_equal(err.class, ERR_NOT_FOUND);
	assert_null(body);
	/* someone stops the loop: the call is given up */
	loop_stop(b->loop);
	assert_int_equal(kube_call_sync(b->client, GET, &body, &err), -1);
	assert_int_equal(err.class, ERR_CANCELED);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

static void test_metrics(void **state)
{
	static const struct fake_reply replies[] = {RESET, THROTTLED, OK};
	struct bed *b = *state;
	cleanup_buf struct buf text;
	cleanup_free char *requests = NULL, *errors = NULL, *retries = NULL, *count = NULL;
	const char *host = fake_api_url(b->api) + strlen("http://");
	struct answer a;

	buf_init(&text, 1u << 20);
	client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 3);
	run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_int_equal(metric_render(&text, 0), 0);
	requests = xasprintf(
		"rest_client_requests_total{code=\"200\",method=\"GET\",host=\"%s\"} 1\n", host);
	errors = xasprintf(
		"rest_client_requests_total{code=\"<error>\",method=\"GET\",host=\"%s\"} 1\n",
		host);
	retries = xasprintf(
		"rest_client_request_retries_total{code=\"429\",verb=\"GET\",host=\"%s\"} 1\n",
		host);
	count = xasprintf(
		"rest_client_request_duration_seconds_count{verb=\"GET\",host=\"%s\"} 3\n", host);
	assert_non_null(strstr(text.data, requests));
	assert_non_null(strstr(text.data, errors));
	assert_non_null(strstr(text.data, retries));
	assert_non_null(strstr(text.data, count));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_headers),
		T(test_url_and_content_type),
		T(test_unsound_requests),
		T(test_retries),
		T(test_retry_after_is_kept),
		T(test_timeout),
		T(test_nobody_listens),
		T(test_401_reads_the_token_again),
		T(test_401_with_a_static_token),
		T(test_exec_plugin),
		T(test_write_gate),
		T(test_gate_closes_between_retries),
		T(test_drop_writes),
		T(test_bound_and_order),
		T(test_channels_are_apart),
		T(test_cancel),
		T(test_stream_error_is_no_data),
		T(test_stream_cut_is_not_retried),
		T(test_new_certificates_new_connections),
		T(test_bad_certificates_at_start),
		T(test_warnings_once),
		T(test_sync),
		T(test_metrics),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
