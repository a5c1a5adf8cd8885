/*
 * `tidegate import`: manifests as teams have them, and what becomes of each.
 * tests/data/import/X.yaml becomes X.made (standard output) and X.said (standard error); to write
 * them anew:
 *
 *     for f in tests/data/import/?*.yaml; do
 *         build/tidegate import -f $f >${f%.yaml}.made 2>${f%.yaml}.said; done
 */
#include "run.h"

static char *put(const char *text)
{
	char *path = xstrdup("/tmp/tidegate-import-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

static void same(const char *file, const char *got)
{
	struct buf want;

	buf_init(&want, 65536);
	if (file_read(file, &want, NULL))
		fail_msg("cannot read %s (run from the root of the repository)", file);
	if (strcmp(want.data, got) != 0)
		fail_msg("%s is not what is said now:\n%s", file, got);
	buf_release(&want);
}

static void test_golden(void **state)
{
	static const char *const names[] = {"rollout-istio",   "rollout-blue-green",
	                                    "rollout-gateway", "canary-gateway",
	                                    "canary-ab",       "deployment"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *in = xasprintf("tests/data/import/%s.yaml", names[i]);
		cleanup_free char *made = xasprintf("tests/data/import/%s.made", names[i]);
		cleanup_free char *said = xasprintf("tests/data/import/%s.said", names[i]);
		cleanup_free char *again = NULL;
		struct outcome o, v;

		run(&o, (const char *[]){"import", "-f", in, NULL});
		assert_int_equal(o.code, EXIT_OK);
		same(made, o.out.data);
		same(said, o.err.data);
		again = put(o.out.data);
		run(&v, (const char *[]){"validate", "-f", again, NULL});
		if (v.code != EXIT_OK || v.out.len)
			fail_msg("%s: what was made is not valid: %s", names[i], v.out.data);
		unlink(again);
		release(&v);
		release(&o);
	}
}

#define POD                                                                                        \
	"template: {metadata: {labels: {a: b}}, spec: {containers: [{name: model, image: 'x:1', "  \
	"ports: [{containerPort: 80}]}]}}"
#define ROLLOUT(strategy)                                                                          \
	"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\nspec:\n  " POD      \
	"\n  strategy: {" strategy "}\n"
#define CANARY(spec)                                                                               \
	"apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: c}\nspec:\n"              \
	"  targetRef: {kind: Deployment, name: d}\n  " spec "\n---\n"                              \
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {" POD "}\n"

/* Each with what it becomes, what is said, and what must not be there. */
static void test_rows(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *out[3], *err, *never;
		const char *args[5];
	} rows[] = {
		/* drivers that there are not */
		{ROLLOUT("canary: {trafficRouting: {smi: {}}}"),
	         EXIT_ERROR,
	         {NULL},
	         ":6: spec.strategy.canary.trafficRouting.smi: is no driver of Tidegate",
	         "kind:",
	         {NULL}},
		{ROLLOUT("canary: {trafficRouting: {plugins: {acme/mesh: {}}}}"),
	         EXIT_ERROR,
	         {NULL},
	         "trafficRouting.plugins: is no driver",
	         "kind:",
	         {NULL}},
		{ROLLOUT("canary: {trafficRouting: {smi: {}}}"),
	         EXIT_OK,
	         {"httpRoute:\n      name: web"},
	         NULL,
	         "smi",
	         {"--http-route", "web"}},
		{CANARY("provider: linkerd"),
	         EXIT_ERROR,
	         {NULL},
	         "spec.provider: linkerd is no driver",
	         "kind:",
	         {NULL}},
		/* what is missing */
		{ROLLOUT("{}: x"), EXIT_ERROR, {NULL}, "", "kind:", {NULL}},
		{"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\nspec:\n"
	         "  workloadRef: {kind: Deployment, name: gone}\n  strategy: {canary: {}}\n",
	         EXIT_ERROR,
	         {NULL},
	         ":5: spec.workloadRef: Deployment gone is not among what was given",
	         "kind:",
	         {NULL}},
		{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n",
	         EXIT_ERROR,
	         {NULL},
	         "spec: is required",
	         "kind:",
	         {NULL}},
		{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"
	         "  template: {spec: {containers: [{name: x, image: y}]}}\n",
	         EXIT_ERROR,
	         {NULL},
	         ":5: spec.template.spec.containers: no port is named",
	         "kind:",
	         {NULL}},
		{"kind: Pod\napiVersion: v1\n",
	         EXIT_ERROR,
	         {NULL},
	         "no Rollout, Canary or Deployment",
	         "kind:",
	         {NULL}},
		{"a: [\n", EXIT_ERROR, {NULL}, "line ", "kind:", {NULL}},
		/* what the schema refuses of the result is an error of the import, too */
		{ROLLOUT("canary: {maxSurge: many}"),
	         EXIT_ERROR,
	         {NULL},
	         "what Rollout r became:",
	         "kind:",
	         {NULL}},
		/* steps */
		{ROLLOUT("canary: {steps: [{setWeight: 100}]}"),
	         EXIT_OK,
	         {"name: model"},
	         NULL,
	         "steps:",
	         {NULL}},
		{ROLLOUT("canary: {steps: [{setWeight: 5}, {setWeight: 10}, {pause: {duration: "
	                 "'30'}},"
	                 " {pause: {}}, {pause: {duration: 0}}]}"),
	         EXIT_OK,
	         {"- weight: 5\n      - weight: 10\n        hold: \"30s\"\n        approval: "
	          "Required\n"},
	         NULL,
	         NULL,
	         {NULL}},
		{ROLLOUT("canary: {steps: [{setWeight: 5}, {pause: {duration: soon}}]}"),
	         EXIT_ERROR,
	         {NULL},
	         "steps[1].pause.duration: is no time",
	         "kind:",
	         {NULL}},
		{ROLLOUT("canary: {steps: [{setWeight: 5}, {analysis: {templates: [{templateName: "
	                 "t}]}}]}"),
	         EXIT_OK,
	         {"- weight: 5\n        approval: Required"},
	         "nothing measures these pods",
	         "requireVerdict",
	         {NULL}},
		{ROLLOUT("canary: {steps: [{setWeight: 5}, {analysis: {templates: [{templateName: "
	                 "t}]}}]}"),
	         EXIT_OK,
	         {"duration: \"10m\"", "requireVerdict: Pass", "preset: vllm"},
	         "t is not among what was given",
	         "approval:",
	         {"--preset", "vllm"}},
		{ROLLOUT("canary: {steps: [{plugin: {name: p}}, {setWeight: 3}]}"),
	         EXIT_OK,
	         {"- weight: 3"},
	         "steps[0].plugin: warning: has no equal: let an approval step wait",
	         NULL,
	         {NULL}},
		{CANARY("analysis: {stepWeights: [1, 5, 5, 50], interval: 90s}"),
	         EXIT_OK,
	         {"weight: 1\n", "hold: \"1m30s\"\n      - weight: 50"},
	         "stepWeights: warning: weights must rise up to 100: 5 is left out",
	         NULL,
	         {NULL}},
		{CANARY("analysis: {stepWeight: 1, maxWeight: 100, interval: 10s}"),
	         EXIT_OK,
	         {"weight: 4\n        hold: \"40s\"", "weight: 100\n        hold: \"40s\""},
	         "stepWeight: warning: makes more steps",
	         "weight: 5\n",
	         {NULL}},
		{CANARY("skipAnalysis: true\n  analysis: {stepWeight: 10}"),
	         EXIT_OK,
	         {"name: c\n"},
	         NULL,
	         "steps:",
	         {NULL}},
		/* options */
		{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {" POD
	         "}\n---\n"
	         "apiVersion: v1\nkind: Service\nmetadata: {name: d}\nspec: {selector: {a: b}, "
	         "ports: [{port: 80}]}\n",
	         EXIT_OK,
	         {"takeOver:\n    deployment:\n      name: d\n", "httpRoute:\n      name: web\n"},
	         NULL,
	         "Tidegate makes a Service of this name",
	         {"--http-route=web", "--take-over"}},
		{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {" POD "}\n",
	         EXIT_ERROR,
	         {NULL},
	         "spec.takeOver: needs a route of yours",
	         "kind:",
	         {"--take-over"}},
		{ROLLOUT("canary: {}"),
	         EXIT_OK,
	         {"name: other\n", "name: m\n", "version: \"7\"\n"},
	         NULL,
	         "name: r\n",
	         {"--name=other", "--model-name=m", "--model-version=7"}},
		{ROLLOUT("canary: {}"),
	         EXIT_ERROR,
	         {NULL},
	         "none is called \"x\"",
	         "kind:",
	         {"--container=x"}},
		{ROLLOUT("canary: {}"),
	         EXIT_ERROR,
	         {NULL},
	         "\"tfs\" is no preset",
	         "kind:",
	         {"--preset=tfs"}},
		/* fields that nobody here has heard of are told, at any depth */
		{ROLLOUT("canary: {brandNew: {deep: [1]}, steps: [{setWeight: 5, extra: 1}]}"),
	         EXIT_OK,
	         {"- weight: 5"},
	         "steps[0].extra: warning: has no equal",
	         NULL,
	         {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *path = put(rows[i].text);
		const char *args[ARGS_MAX] = {"import", "-f", path};
		struct outcome o;

		for (size_t k = 0; k < ARRAY_SIZE(rows[i].args) && rows[i].args[k]; k++)
			args[3 + k] = rows[i].args[k];
		run(&o, args);
		if (o.code != rows[i].code)
			fail_msg("row %zu: exit %d: %s%s", i, o.code, o.err.data, o.out.data);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].out) && rows[i].out[k]; k++)
			if (!strstr(o.out.data, rows[i].out[k]))
				fail_msg("row %zu: no \"%s\" in\n%s", i, rows[i].out[k],
				         o.out.data);
		if (rows[i].err && !strstr(o.err.data, rows[i].err))
			fail_msg("row %zu: no \"%s\" in\n%s", i, rows[i].err, o.err.data);
		if (rows[i].never && strstr(o.out.data, rows[i].never))
			fail_msg("row %zu: \"%s\" in\n%s", i, rows[i].never, o.out.data);
		release(&o);
		unlink(path);
	}
}

static void test_usage(void **state)
{
	struct outcome o;

	(void)state;
	run(&o, (const char *[]){"import", "--help", NULL});
	assert_int_equal(o.code, EXIT_OK);
	assert_non_null(strstr(o.out.data, "Example:"));
	release(&o);
	run(&o, (const char *[]){"import", NULL});
	assert_int_equal(o.code, EXIT_USAGE);
	assert_non_null(strstr(o.err.data, "needs -f FILE"));
	release(&o);
	run(&o, (const char *[]){"import", "a.yaml", NULL});
	assert_int_equal(o.code, EXIT_USAGE);
	release(&o);
	run(&o, (const char *[]){"import", "-f", "/nonexistent.yaml", NULL});
	assert_int_equal(o.code, EXIT_ERROR);
	assert_non_null(strstr(o.err.data, "/nonexistent.yaml"));
	release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
