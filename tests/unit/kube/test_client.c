/* The client: its fence, its queue, its channels, its certificates, what it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "client_bed.c"
#include "tidegate/base/metric.h"

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

	bed_client(b, 0);
	kube_client_set_write_gate(b->client, gate, NULL);
	fake_api_script(b->api, "POST", "/x", &ok, 1);
	fake_api_script(b->api, "PUT", "/x", &ok, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	gate_open = false;
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_CANCELED);
	bed_run(b, &a, APPLY);
	assert_int_equal(a.err.class, ERR_CANCELED);
	assert_int_equal(fake_api_count(b->api, NULL, ""), 0);
	bed_run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	bed_run(b, &a,
	        &(struct kube_request){
			.method = "PUT", .path = "/x", .body = "{}", .channel = KUBE_CH_LEASE});
	assert_int_equal(a.err.class, ERR_NONE);
	/* a review asks a question: standbys may, too */
	fake_api_script(b->api, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", &ok, 1);
	bed_run(b, &a,
	        &(struct kube_request){.method = "POST",
	                               .path = "/apis/authentication.k8s.io/v1/tokenreviews",
	                               .body = "{}"});
	assert_int_equal(a.err.class, ERR_NONE);
	gate_open = true;
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_NONE);
}

/* The gate is asked before each attempt, not only before the first. */
static void test_gate_closes_between_retries(void **state)
{
	static const struct fake_reply no = THROTTLED;
	struct bed *b = *state;
	struct answer a;

	bed_client(b, 0);
	b->client->retry_ms = 30;
	kube_client_set_write_gate(b->client, gate, NULL);
	fake_api_script(b->api, "PATCH", "/x", &no, 1);
	gate_open = true;
	bed_start(b, &a, APPLY);
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

	bed_client(b, 2);
	fake_api_script(b->api, "POST", "/x", &stall, 1);
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	fake_api_script(b->api, "PUT", "/x", &stall, 1);
	bed_start(b, &running, POST);
	calls[0] = bed_start(b, &reading, GET);
	bed_start(b, &queued, POST);
	calls[1] = bed_start(
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

	bed_client(b, 3);
	fake_api_script(b->api, "GET", "/q", &slow, 1);
	for (int i = 0; i < 12; i++) {
		memcpy(path[i], "/qa", 4);
		path[i][2] = (char)('a' + i);
		bed_start(b, &a[i], &(struct kube_request){.method = "GET", .path = path[i]});
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
		.method = "GET", .path = "/w", .channel = KUBE_CH_WATCH, .on_data = bed_data};
	struct kube_call *call;

	bed_client(b, 1);
	fake_api_script(b->api, "GET", "/w", &stream, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	call = bed_start(b, &w, &watch);
	bed_run(b, &a, GET);
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

	bed_client(b, 2);
	b->client->retry_ms = 5000;
	fake_api_script(b->api, "GET", "/x", &stall, 1);
	fake_api_script(b->api, "GET", "/t", &no, 1);
	calls[0] = bed_start(b, &a[0], GET);
	calls[1] = bed_start(b, &a[1], &(struct kube_request){.method = "GET", .path = "/t"});
	calls[2] = bed_start(b, &a[2], GET);
	calls[3] = bed_start(b, &a[3], &(struct kube_request){.method = "GET", .path = "bad"});
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
	bed_start(b, &a[0], GET);
	bed_start(b, &a[1], GET);
	bed_start(b, &a[2], GET);
	fake_api_idle(b->loop, 20);
	kube_client_free(b->client);
	b->client = NULL;
	assert_false(a[0].done || a[1].done || a[2].done);
}

/*
 * libcurl by itself would send again what a server took off a kept connection without a word;
 * that is right for a GET only.
 */
static void test_write_on_a_lost_connection(void **state)
{
	static const struct fake_reply replies[] = {OK, RESET, OK};
	struct bed *b = *state;
	struct answer a;

	bed_client(b, 0);
	fake_api_script(b->api, "POST", "/x", replies, 3);
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_NONE);
	bed_run(b, &a, POST);
	assert_int_equal(a.err.class, ERR_TRANSPORT);
	assert_int_equal(fake_api_count(b->api, "POST", "/x"), 2);
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
	bed_client(b, 0);
	clock_ms = loop_now(b->loop);
	kube_auth_set_clock(b->client->auth, test_clock, NULL);
	fake_api_script(b->api, "GET", "/w", &stream, 1);
	fake_api_script(b->api, "GET", "/x", &ok, 1);
	bed_start(b, &w,
	          &(struct kube_request){.method = "GET",
	                                 .path = "/w",
	                                 .channel = KUBE_CH_WATCH,
	                                 .on_data = bed_data});
	bed_run(b, &a, GET);
	bed_run(b, &a, GET);
	assert_int_equal(fake_api_connections(b->api), 2);
	/* half a rotation: the old pair stays in use */
	make_pair(b->file, NULL);
	clock_ms += 301000;
	bed_run(b, &a, GET);
	assert_int_equal(a.err.class, ERR_NONE);
	assert_int_equal(fake_api_connections(b->api), 2);
	/* the other half: looked at again soon, new connection, the watch goes on on its old one */
	make_pair(b->file, b->other);
	clock_ms += 10001;
	b->client->rebuild_ms = 0;
	bed_run(b, &a, GET);
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
	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", &warn, 1);
	log_set_fd(p[1]);
	bed_run(b, &a, GET);
	bed_run(b, &a, GET);
	bed_quiet(NULL);
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

	bed_client(b, 0);
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
	bed_client(b, 0);
	fake_api_script(b->api, "GET", "/x", replies, 3);
	bed_run(b, &a, GET);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_write_gate),
		T(test_gate_closes_between_retries),
		T(test_drop_writes),
		T(test_bound_and_order),
		T(test_channels_are_apart),
		T(test_cancel),
		T(test_write_on_a_lost_connection),
		T(test_new_certificates_new_connections),
		T(test_bad_certificates_at_start),
		T(test_warnings_once),
		T(test_sync),
		T(test_metrics),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
