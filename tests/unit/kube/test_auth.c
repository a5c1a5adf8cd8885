/* Credentials: when they are read again, and what is kept when that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/kube/auth.h"
#include "fake_api.c"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"

/* A literal in place of a string that a loaded configuration owns. */
#define S(text) ((char *)(text))

#define V1 "client.authentication.k8s.io/v1"

static char dir[] = "/tmp/tidegate-auth-XXXXXX";
static char file[64], other[64];
static struct loop *loop;
static int64_t clock_ms;

static int64_t test_clock(void *arg)
{
	(void)arg;
	return clock_ms;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, text, strlen(text), 0700, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/file", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	unlink(file);
	unlink(other);
	return rmdir(dir);
}

static struct kube_auth *auth_new(const struct kube_config *cfg)
{
	struct err err = ERR_INIT;
	struct kube_auth *a;

	clock_ms = loop_now(loop);
	a = kube_auth_new(loop, cfg, &err);
	if (!a)
		fail_msg("%s", err.msg);
	kube_auth_set_clock(a, test_clock, NULL);
	return a;
}

static const char *header_now(struct kube_auth *a)
{
	struct kube_auth_wait w = {.fn = NULL};
	struct err err = ERR_INIT;

	assert_int_equal(kube_auth_get(a, &w, &err), KUBE_AUTH_READY);
	return str_or(kube_auth_header(a), "(none)");
}

static void test_static(void **state)
{
	static const struct {
		struct kube_config cfg;
		const char *header;
	} rows[] = {
		{{.source = S("s")}, "(none)"},
		{{.source = S("s"), .token = S("abc")}, "Authorization: Bearer abc"},
		{{.source = S("s"), .username = S("u"), .password = S("p")},
	         "Authorization: Basic dTpw"},
		{{.source = S("s"), .username = S("u")}, "Authorization: Basic dTo="},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_auth *a = auth_new(&rows[i].cfg);

		assert_string_equal(header_now(a), rows[i].header);
		assert_false(kube_auth_rejected(a, clock_ms));
		kube_auth_free(a);
	}
}

static void test_token_file_rotates(void **state)
{
	struct kube_config cfg = {.source = S("s"), .token_file = file};
	struct kube_auth *a;

	(void)state;
	put(file, "one\n");
	a = auth_new(&cfg);
	assert_string_equal(header_now(a), "Authorization: Bearer one");
	put(file, " two \n");
	clock_ms += 59000;
	assert_string_equal(header_now(a), "Authorization: Bearer one");
	clock_ms += 1001;
	assert_string_equal(header_now(a), "Authorization: Bearer two");
	/* unreadable and empty keep the old one; it is looked at again soon */
	unlink(file);
	clock_ms += 61000;
	assert_string_equal(header_now(a), "Authorization: Bearer two");
	put(file, "\n");
	clock_ms += 10001;
	assert_string_equal(header_now(a), "Authorization: Bearer two");
	put(file, "three");
	clock_ms += 10001;
	assert_string_equal(header_now(a), "Authorization: Bearer three");
	kube_auth_free(a);
}

static void test_token_file_after_401(void **state)
{
	struct kube_config cfg = {.source = S("s"), .token_file = file};
	struct kube_auth *a;

	(void)state;
	put(file, "one");
	a = auth_new(&cfg);
	put(file, "two");
	/* read before the refused request began: again, at once */
	clock_ms += 1000;
	assert_true(kube_auth_rejected(a, clock_ms));
	assert_string_equal(header_now(a), "Authorization: Bearer two");
	/* read since: the file is left alone, and the new token may do */
	put(file, "three");
	assert_true(kube_auth_rejected(a, clock_ms - 1));
	assert_string_equal(header_now(a), "Authorization: Bearer two");
	kube_auth_free(a);
}

static void test_unusable_at_start(void **state)
{
	struct kube_config empty = {.source = S("s"), .token_file = file};
	struct kube_config gone = {.source = S("s"), .ca_file = other};
	struct kube_config with_token = {.source = S("s"), .token = S("t"), .token_file = other};
	struct err err = ERR_INIT;
	struct kube_auth *a;

	(void)state;
	put(file, "");
	unlink(other);
	assert_null(kube_auth_new(loop, &empty, &err));
	assert_non_null(strstr(err.msg, "token file is empty"));
	put(file, "s3cret more");
	assert_null(kube_auth_new(loop, &empty, &err));
	assert_non_null(strstr(err.msg, "more than one word"));
	assert_null(strstr(err.msg, "s3cret"));
	assert_null(kube_auth_new(loop, &gone, &err));
	assert_non_null(strstr(err.msg, other));
	a = auth_new(&with_token);
	assert_string_equal(header_now(a), "Authorization: Bearer t");
	kube_auth_free(a);
}

static void test_certificates_by_content(void **state)
{
	struct kube_config cfg = {.source = S("s"), .cert_file = file, .key_file = other};
	struct kube_auth *a;
	struct http_tls tls;
	unsigned first;

	(void)state;
	put(file, "C1");
	put(other, "K1");
	a = auth_new(&cfg);
	first = kube_auth_generation(a);
	put(file, "C1"); /* another file, same content */
	clock_ms += 301000;
	header_now(a);
	assert_int_equal(kube_auth_generation(a), first);
	put(file, "C2");
	put(other, "K2");
	clock_ms += 200000;
	header_now(a);
	assert_int_equal(kube_auth_generation(a), first);
	clock_ms += 101000;
	header_now(a);
	assert_int_not_equal(kube_auth_generation(a), first);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.cert_pem, "C2");
	assert_string_equal(tls.key_pem, "K2");
	/* gone for a moment: the old ones stay */
	unlink(other);
	clock_ms += 301000;
	header_now(a);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.key_pem, "K2");
	/* a 401 looks at once */
	put(file, "C3");
	put(other, "K3");
	assert_true(kube_auth_rejected(a, clock_ms));
	assert_false(kube_auth_rejected(a, clock_ms));
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.cert_pem, "C3");
	kube_auth_free(a);
}

/* A refused certificate looks at once, but not at each of many requests that fail together. */
static void test_refused_tls_looks_at_once(void **state)
{
	struct kube_config cfg = {.source = S("s"), .ca_file = file};
	struct kube_auth *a;
	struct http_tls tls;

	(void)state;
	put(file, "A1");
	a = auth_new(&cfg);
	put(file, "A2");
	clock_ms += 5000;
	header_now(a);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.ca_pem, "A1");
	kube_auth_tls_refused(a);
	header_now(a);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.ca_pem, "A2");
	put(file, "A3");
	clock_ms += 500;
	kube_auth_tls_refused(a);
	header_now(a);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.ca_pem, "A2");
	clock_ms += 600;
	header_now(a);
	kube_auth_tls(a, &tls);
	assert_string_equal(tls.ca_pem, "A3");
	kube_auth_free(a);
}

/* --- exec ------------------------------------------------------------------------------- */

struct waiter {
	struct kube_auth_wait wait;
	bool done;
	struct err err;
};

static void waited(void *arg, const struct err *err)
{
	struct waiter *w = arg;

	w->done = true;
	w->err = *err;
}

static enum kube_auth_state ask(struct kube_auth *a, struct waiter *w)
{
	memset(w, 0, sizeof(*w));
	w->wait.fn = waited;
	w->wait.arg = w;
	return kube_auth_get(a, &w->wait, &w->err);
}

/* Prints a token with the number of its run, expiring in `seconds` (0 = never says). */
static void counting_plugin(const char *count, int seconds)
{
	char when[CLOCK_RFC3339_MAX];
	cleanup_free char *text =
		xasprintf("#!/bin/sh\necho x >> '%s'\nn=$(wc -l < '%s' | tr -d ' ')\n"
	                  "echo \"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"apiVersion\\\":\\\"" V1
	                  "\\\",\\\"status\\\":{\\\"token\\\":\\\"t$n\\\"%s%s%s}}\"\n",
	                  count, count, seconds ? ",\\\"expirationTimestamp\\\":\\\"" : "",
	                  seconds ? clock_format(clock_wall_ms() + seconds * 1000, when) : "",
	                  seconds ? "\\\"" : "");

	put(file, text);
}

static void test_exec_cached_and_shared(void **state)
{
	struct kube_exec e = {
		.command = file, .api_version = S(V1), .interactive_mode = S("Never")};
	struct kube_config cfg = {.source = S("s"), .server = S("https://h"), .exec = &e};
	struct waiter w1, w2, w3;
	struct kube_auth *a;

	(void)state;
	unlink(other);
	counting_plugin(other, 3600);
	a = auth_new(&cfg);
	assert_int_equal(ask(a, &w1), KUBE_AUTH_PENDING);
	assert_int_equal(ask(a, &w2), KUBE_AUTH_PENDING);
	assert_int_equal(ask(a, &w3), KUBE_AUTH_PENDING);
	kube_auth_cancel(&w3.wait);
	assert_true(fake_api_run(loop, &w1.done, 5000));
	assert_true(w2.done);
	assert_false(w3.done);
	assert_string_equal(w1.err.msg, "");
	assert_string_equal(header_now(a), "Authorization: Bearer t1");
	/* a 401 runs it again */
	clock_ms += 1;
	assert_true(kube_auth_rejected(a, clock_ms));
	assert_int_equal(ask(a, &w1), KUBE_AUTH_PENDING);
	assert_true(fake_api_run(loop, &w1.done, 5000));
	assert_string_equal(header_now(a), "Authorization: Bearer t2");
	kube_auth_free(a);
}

/* Within 10 s of its end a credential counts as expired, but who waited for it may use it. */
static void test_exec_leeway(void **state)
{
	struct kube_exec e = {
		.command = file, .api_version = S(V1), .interactive_mode = S("Never")};
	struct kube_config cfg = {.source = S("s"), .server = S("https://h"), .exec = &e};
	struct waiter w;
	struct kube_auth *a;

	(void)state;
	unlink(other);
	counting_plugin(other, 9);
	a = auth_new(&cfg);
	assert_int_equal(ask(a, &w), KUBE_AUTH_PENDING);
	assert_true(fake_api_run(loop, &w.done, 5000));
	assert_string_equal(kube_auth_header(a), "Authorization: Bearer t1");
	assert_int_equal(ask(a, &w), KUBE_AUTH_PENDING);
	assert_true(fake_api_run(loop, &w.done, 5000));
	assert_string_equal(kube_auth_header(a), "Authorization: Bearer t2");
	kube_auth_free(a);
}

/* A failing plugin is not run for every request. */
static void test_exec_failure_backs_off(void **state)
{
	struct kube_exec e = {
		.command = file, .api_version = S(V1), .interactive_mode = S("Never")};
	struct kube_config cfg = {.source = S("s"), .server = S("https://h"), .exec = &e};
	struct waiter w;
	struct kube_auth *a;

	(void)state;
	put(file, "#!/bin/sh\necho log in first >&2\nexit 1\n");
	a = auth_new(&cfg);
	assert_int_equal(ask(a, &w), KUBE_AUTH_PENDING);
	assert_true(fake_api_run(loop, &w.done, 5000));
	assert_non_null(strstr(w.err.msg, "log in first"));
	assert_int_equal(ask(a, &w), KUBE_AUTH_FAILED);
	assert_non_null(strstr(w.err.msg, "log in first"));
	clock_ms += 1001;
	assert_int_equal(ask(a, &w), KUBE_AUTH_PENDING);
	assert_true(fake_api_run(loop, &w.done, 5000));
	clock_ms += 1500;
	assert_int_equal(ask(a, &w), KUBE_AUTH_FAILED);
	clock_ms += 600;
	assert_int_equal(ask(a, &w), KUBE_AUTH_PENDING);
	kube_auth_cancel(&w.wait);
	kube_auth_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_token_file_rotates),
		cmocka_unit_test(test_token_file_after_401),
		cmocka_unit_test(test_unusable_at_start),
		cmocka_unit_test(test_certificates_by_content),
		cmocka_unit_test(test_refused_tls_looks_at_once),
		cmocka_unit_test(test_exec_cached_and_shared),
		cmocka_unit_test(test_exec_leeway),
		cmocka_unit_test(test_exec_failure_backs_off),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
