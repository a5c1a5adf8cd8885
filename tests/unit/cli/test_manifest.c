/* `tidegate validate` and `tidegate render` on files, told by file, line and field. */
#include "run.h"

static const char good[] = "# a comment\n"
			   "apiVersion: v1\n"
			   "kind: ConfigMap\n"
			   "metadata: {name: x}\n"
			   "---\n"
			   "apiVersion: serving.tidegate.io/v1alpha1\n"
			   "kind: ModelDeployment\n"
			   "metadata: {name: ranker}\n"
			   "spec:\n"
			   "  replicas: 3\n"
			   "  model: {name: ranker, version: \"7\"}\n"
			   "  runtime: {preset: vllm}\n"
			   "  zones: [{name: hz-a}, {name: hz-b, weight: 2}]\n"
			   "  traffic: {httpRoute: {name: ranker, parentRefs: [{name: gw}]}}\n";

static const char bad[] = "apiVersion: v1\n"
			  "kind: List\n"
			  "items:\n"
			  "- apiVersion: serving.tidegate.io/v1alpha1\n"
			  "  kind: ModelDeployment\n"
			  "  metadata: {name: Ranker}\n"
			  "  spec:\n"
			  "    replica: 3\n"
			  "    model: {name: ranker}\n"
			  "    runtime: {preset: vllm}\n"
			  "    strategy:\n"
			  "      steps:\n"
			  "      - weight: 50\n"
			  "      - weight: 5\n";

static char *put(const char *text)
{
	char *path = xstrdup("/tmp/tidegate-manifest-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

static void has(const struct outcome *o, const char *file, const char *line)
{
	cleanup_free char *want = xasprintf("%s:%s", file, line);

	if (!strstr(o->out.data, want))
		fail_msg("no \"%s\" in\n%s", want, o->out.data);
}

static void test_validate(void **state)
{
	cleanup_free char *right = put(good), *wrong = put(bad);
	struct outcome o;

	(void)state;
	run(&o, (const char *[]){"validate", "-f", right, NULL});
	assert_int_equal(o.code, EXIT_OK);
	assert_string_equal(o.out.data, "");
	release(&o);

	run(&o, (const char *[]){"validate", "-f", right, wrong, NULL});
	assert_int_equal(o.code, EXIT_ERROR);
	has(&o, wrong, "6: metadata.name: ");
	has(&o, wrong, "8: spec.replica: is no field of this version\n");
	has(&o, wrong, "9: spec.model.version: is required\n");
	has(&o, wrong, "14: spec.strategy.steps[1]: weight 5 does not exceed the weight 50");
	release(&o);
	unlink(right);
	unlink(wrong);
}

static void test_validate_other_input(void **state)
{
	static const struct {
		const char *text, *out, *err;
		int code;
	} rows[] = {
		{"a: [\n", "line ", "", EXIT_ERROR},
		{"", "", "no ModelDeployment", EXIT_ERROR},
		{"apiVersion: v1\nkind: Pod\n", "", "no ModelDeployment", EXIT_ERROR},
		{"just: this\n", "is no kind that this version knows", "", EXIT_ERROR},
		{"apiVersion: serving.tidegate.io/v1\nkind: ModelDeployment\n",
	         ":2: kind: \"ModelDeployment\" of \"serving.tidegate.io/v1\"", "", EXIT_ERROR},
		{"{\"apiVersion\":\"serving.tidegate.io/v1alpha1\",\"kind\":\"ModelDeployment\","
	         "\"metadata\":{\"name\":\"x\"},\"spec\":{\"model\":{\"name\":\"m\",\"version\":"
	         "\"1\"},\"runtime\":{\"preset\":\"triton\"}}}",
	         "", "", EXIT_OK},
		{"apiVersion: serving.tidegate.io/v1alpha1\nkind: ModelDeployment\nmetadata: "
	         "{name: "
	         "x}\nspec:\n  model: {name: m, version: \"1\"}\n  runtime: {preset: vllm}\n"
	         "  placement: {policy: FGD}\n",
	         ":7: spec.placement.policy: warning: ", "", EXIT_OK},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *path = put(rows[i].text);
		struct outcome o;

		run(&o, (const char *[]){"validate", "-f", path, NULL});
		if (o.code != rows[i].code)
			fail_msg("row %zu: exit %d: %s", i, o.code, o.out.data);
		if (*rows[i].out ? !strstr(o.out.data, rows[i].out) : o.out.len > 0)
			fail_msg("row %zu: \"%s\"", i, o.out.data);
		if (!strstr(o.err.data, rows[i].err))
			fail_msg("row %zu: \"%s\"", i, o.err.data);
		release(&o);
		unlink(path);
	}
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
		n++;
	return n;
}

static void test_render(void **state)
{
	cleanup_free char *path = put(good);
	struct outcome o;

	(void)state;
	run(&o, (const char *[]){"render", "-f", path, NULL});
	assert_int_equal(o.code, EXIT_OK);
	assert_int_equal(count(o.out.data, "\nkind: Service\n"), 3);
	assert_int_equal(count(o.out.data, "\nkind: ReplicaSet\n"), 2);
	assert_int_equal(count(o.out.data, "\nkind: HTTPRoute\n"), 1);
	assert_int_equal(count(o.out.data, "replicas: 1\n"), 1);
	assert_int_equal(count(o.out.data, "replicas: 2\n"), 1);
	assert_int_equal(count(o.out.data, "ownerReferences"), 0);
	assert_int_equal(count(o.out.data, "namespace"), 0);
	release(&o);
	unlink(path);
}

static void test_render_refuses_what_is_wrong(void **state)
{
	cleanup_free char *path = put(bad);
	struct outcome o;

	(void)state;
	run(&o, (const char *[]){"render", "-f", path, NULL});
	assert_int_equal(o.code, EXIT_ERROR);
	assert_string_equal(o.out.data, "");
	assert_non_null(strstr(o.err.data, ":8: spec.replica: "));
	release(&o);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_validate_other_input),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_render_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
