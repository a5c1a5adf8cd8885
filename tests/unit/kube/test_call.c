/* One API call: what is sent, what is tried again, what a stream delivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client_bed.c"

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
	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	bed_run(b, &a, GET);
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

	bed_client(b, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sent_rows); i++) {
		const struct sent_row *r = &sent_rows[i];
		const struct fake_request *q;

		fake_api_script(b->api, r->method, "/a", &ok, 1);
		bed_run(b, &a,
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

	bed_client(b, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bed_run(b, &a, &rows[i]);
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
		bed_client(b, 0);
		fake_api_script(b->api, q.method, "/x", r->replies, r->n);
		bed_run(b, &a, &q);
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

	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 2);
	bed_run(b, &a, GET);
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

	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	begin = clock_mono_ms();
	bed_run(b, &a, &(struct kube_request){.method = "GET", .path = "/x", .timeout_ms = 80});
	assert_int_equal(a.err.class, ERR_TIMEOUT);
	assert_true(clock_mono_ms() - begin < 2000);
	assert_int_equal(fake_api_count(b->api, "GET", "/x"), 1);
}

static void test_nobody_listens(void **state)
{
	struct bed *b = *state;
	struct answer a;

	b->cfg.server = S("http://127.0.0.1:1");
	bed_client(b, 0);
	bed_run(b, &a, POST);
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
	bed_put(b->file, "old");
	bed_client(b, 0);
	bed_put(b->file, "new");
	fake_api_script(b->api, "POST", "/x", replies, 3);
	fake_api_idle(b->loop, 2); /* the token was read before the call */
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_NONE);
	fake_request_header(fake_api_nth(b->api, "POST", "/x", 0), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer old");
	fake_request_header(fake_api_nth(b->api, "POST", "/x", 1), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer new");
	/* refused again: once is enough */
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_UNAUTHORIZED);
	assert_int_equal(fake_api_count(b->api, "POST", "/x"), 4);
}

static void test_401_with_a_static_token(void **state)
{
	static const struct fake_reply no = {.status = 401};
	struct bed *b = *state;
	struct answer a;

	b->cfg.token = S("tok");
	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", &no, 1);
	bed_run(b, &a, GET);
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
	bed_put(b->file, text);
	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 3);
	bed_run(b, &a, GET);
	assert_string_equal(a.err.msg, "");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 0), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t1");
	bed_run(b, &a, GET);
	assert_string_equal(a.err.msg, "");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 1), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t1");
	fake_request_header(fake_api_nth(b->api, "GET", "/x", 2), "Authorization", v, sizeof(v));
	assert_string_equal(v, "Bearer t2");
	/* waiting for a plugin can be cancelled, alone */
	bed_put(b->file, "#!/bin/sh\necho no >&2; exit 1\n");
	kube_auth_rejected(b->client->auth, INT64_MAX);
	kube_cancel(bed_start(b, &a2, GET));
	bed_run(b, &a, GET);
	assert_non_null(strstr(a.err.msg, "failed with exit code 1: no"));
	assert_false(a2.done);
	assert_int_equal(fake_api_count(b->api, "GET", "/x"), 3);
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

	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/w", &gone, 1);
	bed_run(b, &a,
	        &(struct kube_request){.method = "GET",
	                               .path = "/w",
	                               .channel = KUBE_CH_WATCH,
	                               .on_data = bed_data});
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

	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/l", &cut, 1);
	bed_run(b, &a, &(struct kube_request){.method = "GET", .path = "/l", .on_data = bed_data});
	assert_int_equal(a.err.class, ERR_TRANSPORT);
	assert_int_equal(fake_api_count(b->api, "GET", "/l"), 1);
}

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
		T(test_stream_error_is_no_data),
		T(test_stream_cut_is_not_retried),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
