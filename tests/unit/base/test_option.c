/* Command lines read by a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/option.h"
#include "tidegate/base/str.h"

enum colour { RED, GREEN };

struct into {
	const char *text;
	bool flag;
	int64_t count, any, ms, wait;
	double share;
	enum colour colour;
	unsigned called;
};

static int add(void *into, const char *text, struct err *err)
{
	struct into *o = into;

	if (str_eq(text, "bad"))
		return err_set(err, ERR_INVALID, "must not be bad");
	o->called++;
	return 0;
}

static const char *const colours[] = {"red", "green", NULL};

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct into, field, name, type, __VA_ARGS__)
	ROW(text, "text", OPTION_TEXT, .letter = 't', .value = "TEXT", .help = "a\nb"),
	ROW(flag, "flag", OPTION_FLAG, .letter = 'g', .env = "TG_OPTION_FLAG", .help = "a flag"),
	ROW(count, "count", OPTION_INT, .min = 1, .max = 9, .env = "TG_OPTION_COUNT",
            .help = "a count"),
	ROW(any, "any", OPTION_INT, .min = -3),
	ROW(ms, "ms", OPTION_DURATION, .min = 1, .max = 3600000),
	ROW(wait, "wait", OPTION_DURATION, .min = 1000),
	ROW(share, "share", OPTION_NUMBER, .low = 0, .high = 1),
	ROW(colour, "colour", OPTION_WORD, .words = colours),
#undef ROW
	{.name = "add", .letter = 'a', .type = OPTION_CALL, .set = add},
	{.name = "old", .type = OPTION_IGNORED},
	{.name = NULL},
};

#define ARGS_MAX 8

/* Returns what option_read() does; words are put together in `left`. */
static int read_args(const char *const *args, struct into *o, char *left, struct err *err)
{
	char *argv[ARGS_MAX + 2] = {NULL}, program[] = "program";
	int argc = 1, words;

	for (; *args; args++)
		argv[argc++] = (char *)*args;
	argv[0] = program;
	*left = '\0';
	words = option_read(rows, o, argc, argv, err);
	for (int i = 1; i <= words; i++) {
		left += snprintf(left, 24, "%.20s ", argv[i]);
	}
	return words;
}

static void test_values(void **state)
{
	const char *const args[] = {"--text=x", "--flag", "--count", "9", "--any=-3", NULL};
	const char *const more[] = {
		"--ms", "1h", "--share=0.25", "--colour", "green", "--wait=1s", "-a", "x", NULL};
	struct into o = {.colour = RED};
	struct err err = ERR_INIT;
	char left[ARGS_MAX * 24];

	(void)state;
	assert_int_equal(read_args(args, &o, left, &err), 0);
	assert_string_equal(o.text, "x");
	assert_true(o.flag);
	assert_int_equal(o.count, 9);
	assert_int_equal(o.any, -3);
	assert_int_equal(read_args(more, &o, left, &err), 0);
	assert_int_equal(o.ms, 3600000);
	assert_int_equal(o.wait, 1000);
	assert_true(o.share == 0.25);
	assert_int_equal(o.colour, GREEN);
	assert_int_equal(o.called, 1);
}

static void test_forms(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		int words;
		const char *left, *text;
	} table[] = {
		{{NULL}, 0, "", NULL},
		{{"-t", "x"}, 0, "", "x"},
		{{"-tx"}, 0, "", "x"},
		{{"-t", "-"}, 0, "", "-"},
		{{"--text="}, 0, "", ""},
		{{"--text=a=b"}, 0, "", "a=b"},
		{{"--text", "--flag"}, 0, "", "--flag"},
		{{"a", "--text", "x", "b", "-", "c"}, 4, "a b - c ", "x"},
		{{"--", "--text", "-t"}, 2, "--text -t ", NULL},
		{{"--old", "x", "y", "--old=1"}, 1, "y ", NULL},
		{{"-ax", "--add", "y", ""}, 1, " ", NULL},
		{{"--text", "x", "--text", "y"}, 0, "", "y"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct into o = {.text = NULL};
		struct err err = ERR_INIT;
		char left[ARGS_MAX * 24];
		int words = read_args(table[i].args, &o, left, &err);

		if (words != table[i].words || !str_eq(left, table[i].left) ||
		    !str_eq(o.text, table[i].text))
			fail_msg("row %zu: %d words \"%s\", text \"%s\": %s", i, words, left,
			         str_or(o.text, "(none)"), err.msg);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		const char *says;
	} table[] = {
		{{"--txt", "x"}, "--txt: no such option"},
		{{"--tex", "x"}, "--tex: no such option"},
		{{"--text2=x"}, "--text2: no such option"},
		{{"--=x"}, "--: no such option"},
		{{"-x"}, "-x: no such option"},
		{{"a", "--text"}, "--text: its value is missing"},
		{{"-t"}, "--text: its value is missing"},
		{{"--flag=1"}, "--flag: takes no value"},
		{{"-gg"}, "--flag: takes no value"},
		{{"--count", "0"}, "--count: \"0\" is not within 1..9"},
		{{"--count", "10"}, "--count: \"10\" is not within 1..9"},
		{{"--count", "99999999999999999999"}, "is not within 1..9"},
		{{"--count", ""}, "--count: \"\" is not within 1..9"},
		{{"--any", "-4"}, "--any: \"-4\" is not a whole number from -3"},
		{{"--ms", "soon"}, "--ms: "},
		{{"--ms", "0s"}, "--ms: \"0s\" is not within 1ms..1h"},
		{{"--ms", "2h"}, "--ms: \"2h\" is not within 1ms..1h"},
		{{"--wait", "999ms"}, "--wait: \"999ms\" is below 1s"},
		{{"--share", "1.1"}, "--share: \"1.1\" is not a number from 0 to 1"},
		{{"--share", "NaN"}, "--share: \"NaN\" is not a number from 0 to 1"},
		{{"--colour", "blue"}, "--colour: \"blue\" is none of red, green"},
		{{"--add", "bad"}, "--add: must not be bad"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct into o = {.count = 5, .ms = 7};
		struct err err = ERR_INIT;
		char left[ARGS_MAX * 24];

		if (read_args(table[i].args, &o, left, &err) != -1)
			fail_msg("row %zu is accepted", i);
		if (!strstr(err.msg, table[i].says))
			fail_msg("row %zu: \"%s\"", i, err.msg);
		/* A value that is refused leaves the default. */
		assert_int_equal(o.count, 5);
		assert_int_equal(o.ms, 7);
	}
}

static void test_help(void **state)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	option_help(rows, out);
	fclose(out);
	assert_string_equal(text, "  -t, --text TEXT  a\n"
	                          "                   b\n"
	                          "  -g, --flag       a flag [TG_OPTION_FLAG]\n"
	                          "  --count          a count [TG_OPTION_COUNT]\n");
	free(text);
}

static void test_environment(void **state)
{
	struct into o = {.count = 5};
	struct err err = ERR_INIT;

	(void)state;
	unsetenv("TG_OPTION_COUNT");
	assert_int_equal(option_read_env(rows, &o, &err), 0);
	setenv("TG_OPTION_COUNT", "", 1);
	assert_int_equal(option_read_env(rows, &o, &err), 0);
	assert_int_equal(o.count, 5);
	setenv("TG_OPTION_COUNT", "3", 1);
	assert_int_equal(option_read_env(rows, &o, &err), 0);
	assert_int_equal(o.count, 3);
	setenv("TG_OPTION_COUNT", "10", 1);
	assert_int_equal(option_read_env(rows, &o, &err), -1);
	assert_string_equal(err.msg,
	                    "environment variable TG_OPTION_COUNT: \"10\" is not within 1..9");
	unsetenv("TG_OPTION_COUNT");
}

static void test_flag_in_the_environment(void **state)
{
	static const struct {
		const char *text;
		bool before, after;
	} cases[] = {
		{"1", false, true}, {"true", false, true}, {"0", true, false}, {"", true, true}};
	struct into o = {0};
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		o.flag = cases[i].before;
		setenv("TG_OPTION_FLAG", cases[i].text, 1);
		assert_int_equal(option_read_env(rows, &o, &err), 0);
		assert_int_equal(o.flag, cases[i].after);
	}
	setenv("TG_OPTION_FLAG", "yes", 1);
	assert_int_equal(option_read_env(rows, &o, &err), -1);
	assert_string_equal(
		err.msg,
		"environment variable TG_OPTION_FLAG: \"yes\" is none of 0, 1, false, true");
	unsetenv("TG_OPTION_FLAG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),      cmocka_unit_test(test_forms),
		cmocka_unit_test(test_errors),      cmocka_unit_test(test_help),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_flag_in_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
