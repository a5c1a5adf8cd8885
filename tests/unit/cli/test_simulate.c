/* `tidegate simulate` from outside: the example of docs/simulate.md, faults with line and field,
 * exit codes. */
#include "run.h"

#include <stdlib.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define DOC "docs/simulate.md"

struct place {
	struct arena arena;
	char dir[40];
	const char *v1, *v2, *v3, *world;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	arena_init(&p->arena, 16384);
	memcpy(p->dir, "/tmp/tidegate-simulate-XXXXXX", 30);
	assert_non_null(mkdtemp(p->dir));
	p->v1 = arena_printf(&p->arena, "%s/ranker-v1.yaml", p->dir);
	p->v2 = arena_printf(&p->arena, "%s/ranker-v2.yaml", p->dir);
	p->v3 = arena_printf(&p->arena, "%s/ranker-v3.yaml", p->dir);
	p->world = arena_printf(&p->arena, "%s/world.yaml", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->v1);
	unlink(p->v2);
	unlink(p->v3);
	unlink(p->world);
	rmdir(p->dir);
	arena_release(&p->arena);
	free(p);
	return 0;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void contains(const struct buf *b, const char *text)
{
	if (!strstr(b->data, text))
		fail_msg("\"%s\" is not in: %s", text, b->data);
}

/* The block of the document that begins with this comment. */
static char *block(struct arena *a, const char *name)
{
	cleanup_buf struct buf doc;
	const char *head = arena_printf(a, "```yaml\n# %s\n", name), *start, *end;

	buf_init(&doc, 1 << 20);
	assert_int_equal(file_read(DOC, &doc, NULL), 0);
	start = strstr(doc.data, head);
	assert_non_null(start);
	start += strlen("```yaml\n");
	end = strstr(start, "```");
	assert_non_null(end);
	return arena_strndup(a, start, (size_t)(end - start));
}

static void put_version(struct place *p, const char *path, char version)
{
	char *text = block(&p->arena, "ranker-v1.yaml"), *at = strstr(text, "version: \"1\"");

	assert_non_null(at);
	at[strlen("version: \"")] = version;
	put(path, text);
}

static void put_example(struct place *p)
{
	put_version(p, p->v1, '1');
	put_version(p, p->v2, '2');
	put_version(p, p->v3, '3');
	put(p->world, block(&p->arena, "world.yaml"));
}

static const struct json *summary_of(struct place *p, const struct buf *out)
{
	const char *last = strstr(out->data, "{\"summary\"");
	const struct json *json;

	assert_non_null(last);
	assert_true(last == out->data || last[-1] == '\n');
	json = json_parse(&p->arena, last, strcspn(last, "\n"), NULL);
	assert_non_null(json);
	return json_get(json, "summary");
}

static void test_example(void **state)
{
	struct place *p = *state;
	const char *args[] = {"simulate", "-f", p->v1, "--world", p->world, "-o", "json", NULL};
	const struct json *s;
	struct outcome x, y;

	put_example(p);
	run(&x, args);
	assert_int_equal(x.code, EXIT_OK);
	assert_string_equal(x.err.data, "");
	contains(&x.out, "\"object\":\"World\",\"decision\":\"OperatorKilled\"");
	contains(&x.out, "\"decision\":\"AwaitingApproval\"");
	s = summary_of(p, &x.out);
	assert_true(json_double(s, "promotedAt", -1) > 1200);
	assert_true(json_double(s, "promotedAt", -1) < 1800);
	assert_true(json_double(s, "rolledBackAt", -1) > 1800);
	assert_true(json_double(s, "trafficRTO", -1) < 15);
	assert_true(json_double(s, "capacityRTO", -1) > json_double(s, "trafficRTO", -1));
	assert_int_equal(json_i64(s, "lostByRelease", -1), 0);
	assert_true(json_i64(s, "failed", 0) ==
	            json_i64(s, "errorAnswers", 0) + json_i64(s, "lostInDark", 0));
	assert_true(json_i64(s, "requests", 0) > 1000000);
	assert_int_equal(json_i64(s, "minReady", 0), 4);
	run(&y, args);
	assert_string_equal(x.out.data, y.out.data);
	release(&x);
	release(&y);
}

/* Nobody's terminal breaks a line. */
static void test_table(void **state)
{
	struct place *p = *state;
	const char *args[] = {"simulate", "-f",     p->v1,     "-f", p->v2,
	                      "--world",  p->world, "--until", "8m", NULL};
	struct outcome o;
	const char *line;

	put_example(p);
	put(p->world, "{}");
	run(&o, args);
	assert_int_equal(o.code, EXIT_OK);
	contains(&o.out, "shop/ranker\n  requests ");
	contains(&o.out, "  lost by the release        0\n");
	contains(&o.out, "0:08:00.0\n");
	for (line = o.out.data; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 80)
			fail_msg("longer than 80: %.100s", line);
	release(&o);
}

static void refused(struct place *p, const char *world, const char *message)
{
	const char *args[] = {"simulate", "-f", p->v1, "--world", p->world, NULL};
	const char *want = arena_printf(&p->arena, "%s%s", p->world, message);
	struct outcome o;

	put(p->world, world);
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	assert_string_equal(o.out.data, "");
	contains(&o.err, want);
	release(&o);
}

static void test_faults_name_their_line(void **state)
{
	struct place *p = *state;

	put_example(p);
	refused(p, "zones:\n- name: a\n  gpus: many\n",
	        ":3: zones[0].gpus: must be a whole number from 0 to 64");
	refused(p, "zones: [a]\nevents:\n- at: 1m\n  zoneDark: b\n",
	        ":4: events[0].zoneDark: there is no zone b");
	refused(p, "duration: 1h\nzonse: []\n", ":2: zonse: no such field");
	refused(p, "", ":1: is empty");
	refused(p, "a: [\n", ": ");
	refused(p, "{}\n---\n{}\n", ":3: a world is one document");
	refused(p,
	        "events:\n- at: 1m\n  apply:\n    apiVersion: serving.tidegate.io/v1alpha1\n"
	        "    kind: ModelDeployment\n    metadata: {name: x}\n    spec:\n      replicas: "
	        "-1\n",
	        ":8: spec.replicas: ");
}

static void test_faults_of_manifests(void **state)
{
	struct place *p = *state;
	const char *args[] = {"simulate", "-f", p->v1, "--world", p->world, NULL};
	struct outcome o;

	put(p->world, "events:\n- {at: 1m, apply: ranker-v2.yaml}\n");
	put_version(p, p->v1, '1');
	put(p->v2, "apiVersion: serving.tidegate.io/v1alpha1\nkind: ModelDeployment\n"
	           "metadata: {name: ranker}\nspec:\n  replicas: x\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, "ranker-v2.yaml:5: spec.replicas: ");
	release(&o);
	unlink(p->v2);
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, "ranker-v2.yaml: ");
	release(&o);
	put(p->v1, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
	put(p->world, "{}");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, "ranker-v1.yaml:1: kind: ConfigMap is not simulated, it is passed over");
	contains(&o.err, "has no ModelDeployment");
	release(&o);
}

static void test_usage(void **state)
{
	struct place *p = *state;
	const char *none[] = {"simulate", NULL};
	const char *until[] = {"simulate", "-f",      p->v1,  "--world",
	                       p->world,   "--until", "soon", NULL};
	const char *help[] = {"simulate", "--help", NULL};
	struct outcome o;

	run(&o, none);
	assert_int_equal(o.code, EXIT_USAGE);
	contains(&o.err, "needs -f FILE and --world FILE");
	release(&o);
	run(&o, until);
	assert_int_equal(o.code, EXIT_USAGE);
	contains(&o.err, "--until");
	release(&o);
	run(&o, help);
	assert_int_equal(o.code, EXIT_OK);
	contains(&o.out, "Example:");
	release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_example, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults_name_their_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults_of_manifests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
