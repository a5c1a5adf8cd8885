/* The command line: exit codes, and what is said where. */
#include "run.h"

static void test_exit_codes(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		int code;
		const char *out, *err; /* must be there; NULL = that stream stays empty */
	} rows[] = {
		{{"--help"}, EXIT_OK, "Usage: tidegate VERB", NULL},
		{{"-h"}, EXIT_OK, "controller", NULL},
		{{"help"}, EXIT_OK, "version", NULL},
		{{"--version"}, EXIT_OK, "tidegate " TIDEGATE_VERSION, NULL},
		{{"version"}, EXIT_OK, "tidegate " TIDEGATE_VERSION, NULL},
		{{"version", "--help"}, EXIT_OK, "Usage: tidegate version", NULL},
		{{"controller", "--help"}, EXIT_OK, "Example:", NULL},
		{{"validate", "--help"}, EXIT_OK, "Example:", NULL},
		{{"validate"}, EXIT_USAGE, NULL, "needs -f FILE"},
		{{"validate", "a.yaml"}, EXIT_USAGE, NULL, "takes no argument \"a.yaml\""},
		{{"validate", "-f"}, EXIT_USAGE, NULL, "value is missing"},
		{{"validate", "-f", "/nonexistent.yaml"}, EXIT_ERROR, "/nonexistent.yaml", NULL},
		{{"render", "--help"}, EXIT_OK, "Example:", NULL},
		{{"render"}, EXIT_USAGE, NULL, "needs -f FILE"},
		{{"render", "-f", "/nonexistent.yaml"}, EXIT_ERROR, NULL, "/nonexistent.yaml"},
		{{"controller", "-h"}, EXIT_OK, "--kubeconfig FILE", NULL},
		{{"controller", "--workers", "3", "--help"}, EXIT_OK, "Usage:", NULL},
		/* usage errors say what is wrong and where help is */
		{{NULL}, EXIT_USAGE, NULL, "Usage: tidegate VERB"},
		{{"frobnicate"}, EXIT_USAGE, NULL, "no verb \"frobnicate\""},
		{{""}, EXIT_USAGE, NULL, "no verb \"\""},
		{{"version", "now"}, EXIT_USAGE, NULL, "takes no argument \"now\""},
		{{"controller", "now"}, EXIT_USAGE, NULL, "takes no argument \"now\""},
		{{"controller", "--frobnicate"}, EXIT_USAGE, NULL, "--frobnicate"},
		{{"controller", "--kubeconfig"}, EXIT_USAGE, NULL, "--kubeconfig"},
		{{"controller", "--lease-duration", "soon"},
	         EXIT_USAGE,
	         NULL,
	         "--lease-duration: "},
		{{"controller", "--lease-renew-deadline", "-1s"},
	         EXIT_USAGE,
	         NULL,
	         "--lease-renew-deadline: "},
		{{"controller", "--lease-retry-period", "2"},
	         EXIT_USAGE,
	         NULL,
	         "--lease-retry-period: "},
		{{"controller", "--lease-duration", "90d"}, EXIT_USAGE, NULL, "--lease-duration: "},
		{{"controller", "--workers", "0"}, EXIT_USAGE, NULL, "\"0\" is not within 1..1024"},
		{{"controller", "--workers", "many"}, EXIT_USAGE, NULL, "--workers"},
		{{"controller", "--workers", "99999999999999999999"},
	         EXIT_USAGE,
	         NULL,
	         "--workers"},
		{{"controller", "--log-level", "loud"},
	         EXIT_USAGE,
	         NULL,
	         "debug, info, warn, error"},
		{{"controller", "--metrics-cert-file", "x"}, EXIT_USAGE, NULL, "go together"},
		{{"controller", "--metrics-key-file", "x"}, EXIT_USAGE, NULL, "go together"},
		/* a start that fails is no usage error, and names the file */
		{{"controller", "--kubeconfig", "/nonexistent/config"},
	         EXIT_ERROR,
	         NULL,
	         "/nonexistent/config"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o;

		run(&o, rows[i].args);
		if (o.code != rows[i].code)
			fail_msg("row %zu: exit %d, want %d: %s", i, o.code, rows[i].code,
			         o.err.data);
		if (rows[i].out ? !strstr(o.out.data, rows[i].out) : o.out.len > 0)
			fail_msg("row %zu: standard output \"%s\"", i, o.out.data);
		if (rows[i].err ? !strstr(o.err.data, rows[i].err) : o.err.len > 0)
			fail_msg("row %zu: standard error \"%s\"", i, o.err.data);
		if (o.code == EXIT_USAGE && !strstr(o.err.data, "--help"))
			fail_msg("row %zu does not say where help is: %s", i, o.err.data);
		release(&o);
	}
}

/* A kubeconfig that is there but wrong: the error names the file and keeps the secret. */
static void test_bad_kubeconfig(void **state)
{
	static const char text[] = "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
				   "contexts: [{name: c, context: {cluster: gone, user: u}}]\n"
				   "users: [{name: u, user: {token: s3cr3t-t0ken}}]\n";
	char path[] = "/tmp/tidegate-cli-XXXXXX";
	int fd = mkstemp(path);
	const char *const args[] = {"controller", "--kubeconfig", path, NULL};
	struct outcome o;

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	run(&o, args);
	unlink(path);
	assert_int_equal(o.code, EXIT_ERROR);
	assert_non_null(strstr(o.err.data, "gone"));
	assert_null(strstr(o.err.data, "s3cr3t"));
	release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_bad_kubeconfig),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
