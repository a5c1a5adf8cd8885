/* `tidegate score` from outside: exit codes, what is printed, and where a fault stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run.h"

#define FILES 3

struct files {
	char names[FILES][32];
};

static int setup(void **state)
{
	struct files *f = xcalloc(1, sizeof(*f));

	for (int i = 0; i < FILES; i++) {
		memcpy(f->names[i], "/tmp/tidegate-score-XXXXXX", 27);
		close(mkstemp(f->names[i]));
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct files *f = *state;

	for (int i = 0; i < FILES; i++)
		unlink(f->names[i]);
	free(f);
	return 0;
}

static void put(const struct files *f, int i, const char *text)
{
	assert_int_equal(file_write(f->names[i], text, strlen(text), 0600, NULL), 0);
}

static void contains(const struct buf *b, const char *text)
{
	if (!strstr(b->data, text))
		fail_msg("\"%s\" is not in: %s", text, b->data);
}

static void test_kayenta(void **state)
{
	const struct files *f = *state;
	const char *args[] = {"score",   "--judge",   "kayenta", "--config", f->names[0],
	                      "--pairs", f->names[1], "-o",      "json",     NULL};
	struct outcome o;

	put(f, 0, "{\"metrics\":[{\"name\":\"m\",\"groups\":[\"g\"]}]}");
	put(f, 1, "[{\"name\":\"m\",\"values\":{\"control\":[1,2],\"experiment\":[2,1]}}]");
	run(&o, args);
	assert_int_equal(o.code, EXIT_OK);
	contains(&o.out, "\"score\":{\"score\":100,\"classification\":\"Pass\"");
	release(&o);
	put(f, 1,
	    "[{\"name\":\"m\",\"values\":{\"control\":[1,2,3,4,5],"
	    "\"experiment\":[11,12,13,14,15]}}]");
	run(&o, args);
	assert_int_equal(o.code, EXIT_NEGATIVE);
	contains(&o.out, "\"classification\":\"High\"");
	release(&o);
	/* Infinite data, as a table: the mean is no number. */
	put(f, 1,
	    "[{\"name\":\"m\",\"values\":{\"control\":[\"-Infinity\",\"Infinity\",1],"
	    "\"experiment\":[\"Infinity\",\"Infinity\",1.25]}}]");
	args[8] = "table";
	run(&o, args);
	contains(&o.out, "       NaN        NaN");
	release(&o);
	args[8] = "json";
	put(f, 1, "[\n{\"name\":\"m\",\n\"values\":{\"control\":[],\"experiment\":[true]}}]");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, ":3: [0].values.experiment[0]: must be a number");
	release(&o);
	put(f, 0, "metrics:\n- name: m\n  groups: g\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, ":3: metrics[0].groups: must be a list");
	release(&o);
}

/* Minutes of 10 requests a second on each side, the canary's with so many errors of each 50. */
static void put_stream(const struct files *f, int seconds, int canary_errors)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int t = 5; t <= seconds; t += 5)
		buf_addf(&b,
		         "{\"stream\":\"s\",\"t\":%d,\"track\":\"stable\",\"pod\":\"a\","
		         "\"requests\":50,\"errors\":%d}\n"
		         "{\"stream\":\"s\",\"t\":%d,\"track\":\"canary\",\"pod\":\"b\","
		         "\"requests\":50,\"errors\":%d}\n",
		         t, t % 50 == 0, t, canary_errors);
	put(f, 0, b.data);
	buf_release(&b);
}

static void test_streams(void **state)
{
	const struct files *f = *state;
	const char *args[] = {"score", "--samples", f->names[0], "-o", "json", NULL};
	struct outcome o;

	put_stream(f, 120, 10);
	run(&o, args);
	assert_int_equal(o.code, EXIT_NEGATIVE);
	contains(&o.out, "{\"stream\":\"s\",\"verdict\":\"FAIL\",\"decidedAt\":");
	contains(&o.out, "\"text\":\"canary errors 20.0 % vs ");
	release(&o);
	put_stream(f, 600, 0);
	run(&o, args);
	assert_int_equal(o.code, EXIT_OK);
	contains(&o.out, "\"verdict\":\"PASS\"");
	release(&o);
	/* Nothing: no verdict, and that is no success. */
	put(f, 0, "\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_NEGATIVE);
	assert_string_equal(o.out.data, "");
	contains(&o.err, "no observation");
	release(&o);
}

static void test_policy(void **state)
{
	const struct files *f = *state;
	const char *args[] = {"score",     "--judge",   "thresholds", "--policy", f->names[1],
	                      "--samples", f->names[0], "-o",         "json",     NULL};
	struct outcome o;

	put_stream(f, 600, 1);
	put(f, 1, "kind: ScorePolicy\nspec:\n  thresholds: {maxErrors: \"0.05\"}\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_OK);
	release(&o);
	put(f, 1, "spec:\n  thresholds:\n    maxErrors: 0.01\n    failures: 2\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_NEGATIVE);
	contains(&o.out, "\"verdict\":\"FAIL\",\"decidedAt\":125,");
	release(&o);
	put(f, 1, "spec:\n  sequential:\n    alpha: 2\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, ":3: spec.sequential.alpha: must be a number from");
	release(&o);
}

/* Who names no judge gets the policy's. */
static void test_policy_names_the_judge(void **state)
{
	const struct files *f = *state;
	const char *args[] = {"score", "--policy", f->names[1], "--samples", f->names[0], NULL};
	const char *named[] = {"score",     "--judge",   "sequential", "--policy",
	                       f->names[1], "--samples", f->names[0],  NULL};
	struct outcome o;

	put_stream(f, 600, 1);
	put(f, 1, "spec:\n  judge: Thresholds\n  thresholds: {maxErrors: \"0.05\"}\n");
	run(&o, args);
	contains(&o.out, "allowed 5 %");
	release(&o);
	run(&o, named);
	assert_null(strstr(o.out.data, "allowed"));
	release(&o);
	put(f, 1,
	    "spec:\n  judge: Kayenta\n  prometheus: {url: \"http://p\"}\n"
	    "  metrics: [{name: m, query: q}]\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, ":2: spec.judge: Kayenta judges series: use --judge kayenta");
	release(&o);
}

static void test_a_misspelled_field_is_told(void **state)
{
	const struct files *f = *state;
	const char *args[] = {"score", "--policy", f->names[1], "--samples", f->names[0], NULL};
	struct outcome o;

	put_stream(f, 600, 0);
	put(f, 1, "spec:\n  sequential:\n    alhpa: \"0.1\"\n");
	run(&o, args);
	assert_int_equal(o.code, EXIT_OK);
	contains(&o.err, ":3: spec.sequential.alhpa: is no field of this version, it is ignored");
	release(&o);
}

static void test_bad_observations_name_line_and_field(void **state)
{
	static const struct {
		const char *line, *message;
	} rows[] = {
		{"{\"t\":1,\"track\":\"blue\",\"requests\":1}",
	         ":2: track: must be stable or canary"},
		{"{\"track\":\"stable\",\"requests\":1}", ":2: t: must be a number"},
		{"{\"t\":1,\"track\":\"stable\"}", ":2: requests: is missing"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":-1}", ":2: requests: must be"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":1,\"errors\":2}",
	         ":2: errors: must not"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":2,\"buckets\":{\"x\":1}}",
	         ":2: buckets: \"x\" is not an upper bound"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":2,\"buckets\":{\"1\":2,\"2\":1}}",
	         ":2: buckets: must be cumulative"},
		{"{\"t\":-100,\"track\":\"stable\",\"requests\":2}", ":2: t: -100 comes after 0"},
		{"{\"t\":\"NaN\",\"track\":\"stable\",\"requests\":2}", ":2: t: must be a number"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":\"NaN\"}", ":2: requests: must be"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":2,\"pod\":7}",
	         ":2: pod: must be a text"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":2,\"zone\":[]}",
	         ":2: zone: must be a text"},
		{"{\"t\":1,\"track\":\"stable\",\"requests\":2,\"stream\":7}",
	         ":2: stream: must be a text"},
		{"[]", ":2: an observation is an object"},
		{"{", ":2: "},
	};
	const struct files *f = *state;
	const char *args[] = {"score", "--samples", f->names[0], NULL};
	char text[512];
	struct outcome o;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "{\"t\":0,\"track\":\"stable\",\"requests\":0}\n%s\n",
		         rows[i].line);
		put(f, 0, text);
		run(&o, args);
		assert_int_equal(o.code, EXIT_ERROR);
		contains(&o.err, rows[i].message);
		release(&o);
	}
}

static void test_usage(void **state)
{
	static const char *const rows[][8] = {
		{"score", NULL},
		{"score", "--judge", "magic", NULL},
		{"score", "--judge", "kayenta", "--samples", "x", NULL},
		{"score", "--judge", "kayenta", "--config", "-", "--pairs", "-", NULL},
		{"score", "--samples", "x", "--pass", "50", NULL},
		{"score", "--samples", "x", "-o", "xml", NULL},
		{"score", "--samples", "x", "y", NULL},
		{"score", "--pass", "101", NULL},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(&o, rows[i]);
		if (o.code != EXIT_USAGE)
			fail_msg("row %zu: exit %d", i, o.code);
		contains(&o.err, "tidegate score --help");
		release(&o);
	}
	run(&o, (const char *const[]){"score", "--samples", "/nonexistent/x", NULL});
	assert_int_equal(o.code, EXIT_ERROR);
	contains(&o.err, "cannot open /nonexistent/x");
	release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kayenta, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_names_the_judge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_misspelled_field_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_observations_name_line_and_field, setup,
	                                        teardown),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
