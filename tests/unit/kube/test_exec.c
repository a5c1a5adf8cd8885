/* Credential plugins: small shell scripts in a temporary folder. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../../controller/kube/exec.h"
#include "fake_api.c"
#include "tidegate/base/file.h"

/* A literal in place of a string that a loaded configuration owns. */
#define S(text) ((char *)(text))

#define V1 "client.authentication.k8s.io/v1"

static char dir[] = "/tmp/tidegate-exec-XXXXXX";
static char plugin[64];

struct outcome {
	bool done;
	char token[64], cert[64], key[64];
	int64_t expires_ms;
	struct err err;
};

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(plugin, sizeof(plugin), "%s/plugin", dir);
	return 0;
}

static int teardown(void **state)
{
	cleanup_free char *side = xasprintf("%s/side", dir);

	(void)state;
	unlink(side);
	unlink(plugin);
	return rmdir(dir);
}

static void script(const char *text)
{
	cleanup_free char *all = xasprintf("#!/bin/sh\ncd '%s'\n%s\n", dir, text);

	assert_int_equal(file_write(plugin, all, strlen(all), 0700, NULL), 0);
}

static void done(void *arg, struct exec_credential *cred, const struct err *err)
{
	struct outcome *o = arg;

	o->done = true;
	o->err = *err;
	str_copy(o->token, sizeof(o->token), str_or(cred->token, ""));
	str_copy(o->cert, sizeof(o->cert), str_or(cred->cert_pem, ""));
	str_copy(o->key, sizeof(o->key), str_or(cred->key_pem, ""));
	o->expires_ms = cred->expires_ms;
}

static struct kube_exec exec_config(void)
{
	return (struct kube_exec){
		.command = plugin, .api_version = S(V1), .interactive_mode = S("Never")};
}

static struct outcome run_with(struct kube_exec *e, int timeout_ms)
{
	struct kube_config cfg = {.server = S("https://h:1"), .exec = e, .ca_pem = S("PEM")};
	struct loop *l = loop_new();
	struct outcome o = {.done = false};
	struct exec_run *r = exec_run_start(l, &cfg, timeout_ms, done, &o, &o.err);

	if (r)
		assert_true(fake_api_run(l, &o.done, 10000));
	loop_free(l);
	return o;
}

static struct outcome run(const char *text)
{
	struct kube_exec e = exec_config();

	script(text);
	return run_with(&e, EXEC_TIMEOUT_MS);
}

#define HEAD "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"
#define TAIL "}'"

static void test_token(void **state)
{
	struct outcome o = run(
		HEAD "{\"token\":\"t1\",\"expirationTimestamp\":\"2026-11-24T10:00:00Z\"}" TAIL);

	(void)state;
	assert_string_equal(o.err.msg, "");
	assert_string_equal(o.token, "t1");
	assert_int_equal(o.expires_ms, 1795514400000);
}

static void test_certificate(void **state)
{
	struct outcome o =
		run(HEAD "{\"clientCertificateData\":\"C\",\"clientKeyData\":\"K\"}" TAIL);

	(void)state;
	assert_string_equal(o.err.msg, "");
	assert_string_equal(o.cert, "C");
	assert_string_equal(o.key, "K");
	assert_string_equal(o.token, "");
	assert_int_equal(o.expires_ms, 0);
}

struct row {
	const char *script, *says;
};

static const struct row rows[] = {
	{"exit 0", "printed nothing"},
	{"echo s3cret", "printed something that is not JSON"},
	{"echo '{\"kind\":\"Pod\"}'", "printed kind Pod, not ExecCredential"},
	{"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"v9\",\"status\":{}}'",
         "printed apiVersion v9, but the kubeconfig says exec.apiVersion " V1},
	{"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}'", "without status"},
	{HEAD "{}" TAIL, "printed neither a token nor a client certificate"},
	{HEAD "{\"clientKeyData\":\"s3cret\"}" TAIL,
         "printed clientKeyData without clientCertificateData"},
	{HEAD "{\"token\":\"s3cret\\\\r\\\\nX: y\"}" TAIL,
         "printed a token with a blank or control"},
	{HEAD "{\"token\":\"s3cret\",\"expirationTimestamp\":\"soon\"}" TAIL, "not RFC 3339"},
	{"echo first >&2; echo 'please log in' >&2; exit 3",
         "failed with exit code 3: first please log in"},
	{"head -c 20000 /dev/zero | tr '\\0' x >&2; printf '\\nlast words\\n' >&2; exit 1",
         "failed with exit code 1: "},
	{"kill -9 $$", "was ended by signal 9"},
	{"head -c 2000000 /dev/zero", "printed more than 1048576 bytes"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = run(rows[i].script);

		if (!strstr(o.err.msg, rows[i].says) || !strstr(o.err.msg, plugin) || *o.token)
			fail_msg("row %zu: %s", i, o.err.msg);
		if (strstr(o.err.msg, "s3cret"))
			fail_msg("row %zu tells a secret: %s", i, o.err.msg);
	}
}

static void test_missing_command(void **state)
{
	struct kube_exec e = exec_config();
	struct outcome o;

	(void)state;
	e.command = S("tidegate-no-such-plugin");
	e.install_hint = S("apt install it");
	o = run_with(&e, 1000);
	assert_false(o.done);
	assert_string_equal(o.err.msg,
	                    "credential plugin tidegate-no-such-plugin is not installed: "
	                    "apt install it");
	e.interactive_mode = S("Always");
	if (!isatty(0)) {
		o = run_with(&e, 1000);
		assert_non_null(strstr(o.err.msg, "asks for a terminal"));
	}
}

static void test_environment(void **state)
{
	struct kube_exec_env env[] = {{S("GREETING"), S("hello")}, {S("HOME"), S("/elsewhere")}};
	char *args[] = {S("one"), S("two words"), NULL};
	struct kube_exec e = exec_config();
	cleanup_free char *side = xasprintf("%s/side", dir);
	cleanup_buf struct buf got;
	struct outcome o;
	int leak;

	(void)state;
	buf_init(&got, 4096);
	e.env = env;
	e.nenv = 2;
	e.args = args;
	e.provide_cluster_info = true;
	e.cluster_config = S("{\"a\":1}");
	/* neither a descriptor of ours nor an outer plugin's info gets through */
	leak = open("/dev/null", O_RDONLY);
	assert_true(leak > 2);
	script("{ printf '%s|' \"$GREETING\" \"$HOME\" \"$#\" \"$2\" \"$KUBERNETES_EXEC_INFO\" "
	       "\"$(tr '\\0' '\\n' < /proc/$$/environ | grep -c ^KUBERNETES_EXEC_INFO=)\"; ls "
	       "/proc/self/fd | tr '\\n' ' '; } > side; " HEAD "{\"token\":\"t\"}" TAIL);
	setenv("KUBERNETES_EXEC_INFO", "outer", 1);
	o = run_with(&e, EXEC_TIMEOUT_MS);
	unsetenv("KUBERNETES_EXEC_INFO");
	close(leak);
	assert_string_equal(o.err.msg, "");
	assert_int_equal(file_read(side, &got, NULL), 0);
	assert_true(str_starts(
		got.data,
		"hello|/elsewhere|2|two words|{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		"\",\"spec\":{\"cluster\":{\"server\":\"https://h:1\","
		"\"certificate-authority-data\":\"UEVN\",\"config\":{\"a\":1}},\"interactive\":"
		"false}}"
		"|"));
	/* 0, 1, 2 and the one ls reads the folder with: nothing of ours leaks in */
	assert_true(str_ends(got.data, "|1|0 1 2 3 "));
}

static void test_timeout_kills_the_whole_group(void **state)
{
	struct kube_exec e = exec_config();
	cleanup_free char *side = xasprintf("%s/side", dir);
	cleanup_buf struct buf got;
	struct outcome o;
	int64_t pid = 0;

	(void)state;
	buf_init(&got, 64);
	script("sleep 600 & printf $! > side; wait");
	o = run_with(&e, 90);
	assert_int_equal(o.err.class, ERR_TIMEOUT);
	assert_non_null(strstr(o.err.msg, "did not end within"));
	assert_int_equal(file_read(side, &got, NULL), 0);
	assert_true(str_to_i64(got.data, &pid));
	for (int i = 0; i < 100 && kill((pid_t)pid, 0) == 0; i++) {
		cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
		cleanup_buf struct buf st;

		buf_init(&st, 4096);
		if (file_read(path, &st, NULL) < 0 || strstr(st.data, ") Z"))
			return; /* a zombie that its new parent has yet to reap */
		usleep(1000);
	}
	assert_int_not_equal(kill((pid_t)pid, 0), 0);
}

/* A child left behind that holds the pipe open must not hold us up. */
static void test_background_child(void **state)
{
	int64_t begin = clock_mono_ms();
	struct outcome o = run("sleep 5 & " HEAD "{\"token\":\"t\"}" TAIL);

	(void)state;
	assert_string_equal(o.token, "t");
	assert_true(clock_mono_ms() - begin < 3000);
}

static void test_cancel(void **state)
{
	struct kube_exec e = exec_config();
	struct kube_config cfg = {.server = S("https://h:1"), .exec = &e};
	struct loop *l = loop_new();
	struct outcome o = {.done = false};
	struct exec_run *r;

	(void)state;
	script("sleep 600");
	r = exec_run_start(l, &cfg, 1000, done, &o, &o.err);
	assert_non_null(r);
	fake_api_idle(l, 20);
	exec_run_cancel(r);
	fake_api_idle(l, 20);
	assert_false(o.done);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_missing_command),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_timeout_kills_the_whole_group),
		cmocka_unit_test(test_background_child),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
