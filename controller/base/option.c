#include "tidegate/base/option.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

/* --- values ------------------------------------------------------------------------------ */

static bool within(const struct option_row *row, int64_t v)
{
	return v >= row->min && (!row->max || v <= row->max);
}

static int set_int(const struct option_row *row, int64_t *to, const char *text, struct err *err)
{
	int64_t v;

	if (str_to_i64(text, &v) && within(row, v)) {
		*to = v;
		return 0;
	}
	if (!row->max)
		return err_set(err, ERR_INVALID, "\"%.60s\" is not a whole number from %" PRId64,
		               text, row->min);
	return err_set(err, ERR_INVALID, "\"%.60s\" is not within %" PRId64 "..%" PRId64, text,
	               row->min, row->max);
}

static int set_duration(const struct option_row *row, int64_t *to, const char *text,
                        struct err *err)
{
	char low[DURATION_MAX], high[DURATION_MAX];
	int64_t v;

	if (duration_parse(text, &v, err))
		return -1;
	if (within(row, v)) {
		*to = v;
		return 0;
	}
	duration_format(row->min, low);
	if (!row->max)
		return err_set(err, ERR_INVALID, "\"%.60s\" is below %s", text, low);
	return err_set(err, ERR_INVALID, "\"%.60s\" is not within %s..%s", text, low,
	               duration_format(row->max, high));
}

static int set_number(const struct option_row *row, double *to, const char *text, struct err *err)
{
	double v;

	if (str_to_double(text, &v) && v >= row->low && v <= row->high) {
		*to = v;
		return 0;
	}
	return err_set(err, ERR_INVALID, "\"%.60s\" is not a number from %g to %g", text, row->low,
	               row->high);
}

/* Only the environment gives one a value. */
static int set_flag(bool *to, const char *text, struct err *err)
{
	*to = str_eq(text, "1") || str_eq(text, "true");
	if (*to || str_eq(text, "0") || str_eq(text, "false"))
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is none of 0, 1, false, true", text);
}

static int set_word(const struct option_row *row, unsigned *to, const char *text, struct err *err)
{
	char all[256] = "";
	size_t used = 0;

	for (unsigned i = 0; row->words[i]; i++) {
		if (str_eq(text, row->words[i])) {
			*to = i;
			return 0;
		}
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
			                         i ? ", " : "", row->words[i]);
	}
	return err_set(err, ERR_INVALID, "\"%.60s\" is none of %s", text, all);
}

static int set_value(const struct option_row *row, void *into, const char *text, struct err *err)
{
	void *at = (char *)into + row->offset;

	switch (row->type) {
	case OPTION_TEXT:
		*(const char **)at = text;
		return 0;
	case OPTION_INT:
		return set_int(row, at, text, err);
	case OPTION_DURATION:
		return set_duration(row, at, text, err);
	case OPTION_NUMBER:
		return set_number(row, at, text, err);
	case OPTION_WORD:
		return set_word(row, at, text, err);
	case OPTION_CALL:
		return row->set(into, text, err);
	case OPTION_FLAG:
		return set_flag(at, text, err);
	case OPTION_IGNORED:
		break;
	}
	return 0;
}

int option_read_env(const struct option_row *rows, void *into, struct err *err)
{
	for (const struct option_row *row = rows; row->name; row++) {
		const char *text = row->env ? getenv(row->env) : NULL;

		if (!str_empty(text) && set_value(row, into, text, err))
			return err_wrap(err, "environment variable %s", row->env);
	}
	return 0;
}

/* --- the command line -------------------------------------------------------------------- */

struct scan {
	const struct option_row *rows;
	void *into;
	int argc, at; /* the argument that is being read */
	char **argv;
};

/* `value`: what stands in the same argument, NULL when nothing does. */
static int take(struct scan *s, const struct option_row *row, const char *value, struct err *err)
{
	if (row->type == OPTION_FLAG) {
		if (value)
			return err_set(err, ERR_INVALID, "--%s: takes no value", row->name);
		*(bool *)((char *)s->into + row->offset) = true;
		return 0;
	}
	if (!value && s->at + 1 == s->argc)
		return err_set(err, ERR_INVALID, "--%s: its value is missing", row->name);
	if (set_value(row, s->into, value ? value : s->argv[++s->at], err))
		return err_wrap(err, "--%s", row->name);
	return 0;
}

static int take_long(struct scan *s, const char *arg, struct err *err)
{
	size_t len = strcspn(arg, "=");

	for (const struct option_row *row = s->rows; row->name; row++)
		if (strlen(row->name) == len && memcmp(row->name, arg, len) == 0)
			return take(s, row, arg[len] ? arg + len + 1 : NULL, err);
	return err_set(err, ERR_INVALID, "--%.*s: no such option", len < 60 ? (int)len : 60, arg);
}

static int take_short(struct scan *s, const char *arg, struct err *err)
{
	for (const struct option_row *row = s->rows; row->name; row++)
		if (row->letter == arg[0])
			return take(s, row, arg[1] ? arg + 1 : NULL, err);
	return err_set(err, ERR_INVALID, "-%.60s: no such option", arg);
}

/* What stood there has been read already; nothing of argv is lost, whoever frees it. */
static void swap(char **a, char **b)
{
	char *was = *a;

	*a = *b;
	*b = was;
}

int option_read(const struct option_row *rows, void *into, int argc, char **argv, struct err *err)
{
	struct scan s = {.rows = rows, .into = into, .argc = argc, .argv = argv};
	bool ended = false;
	int words = 0;

	for (s.at = 1; s.at < argc; s.at++) {
		char *arg = argv[s.at];
		int rc = 0;

		if (ended || arg[0] != '-' || !arg[1])
			swap(&argv[++words], &argv[s.at]);
		else if (str_eq(arg, "--"))
			ended = true;
		else
			rc = arg[1] == '-' ? take_long(&s, arg + 2, err)
			                   : take_short(&s, arg + 1, err);
		if (rc)
			return -1;
	}
	return words;
}

/* --- help -------------------------------------------------------------------------------- */

#define HELP_NAME_MAX 64

/* "-f, --filename FILE" */
static int format_name(const struct option_row *row, char *to)
{
	char letter[] = {'-', row->letter, ',', ' ', 0};

	return snprintf(to, HELP_NAME_MAX, "%s--%s%s%s", row->letter ? letter : "", row->name,
	                row->value ? " " : "", str_or(row->value, ""));
}

static void print_row(const struct option_row *row, int width, FILE *out)
{
	char name[HELP_NAME_MAX];
	const char *line = row->help;

	format_name(row, name);
	fprintf(out, "  %-*s  ", width, name);
	for (;;) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "%.*s", (int)len, line);
		if (!line[len])
			break;
		fputc('\n', out);
		line += len + 1;
		fprintf(out, "%*s", width + 4, "");
	}
	if (row->env)
		fprintf(out, " [%s]", row->env);
	fputc('\n', out);
}

void option_help(const struct option_row *rows, FILE *out)
{
	char name[HELP_NAME_MAX];
	int width = 0;

	for (const struct option_row *row = rows; row->name; row++) {
		int len = row->help ? format_name(row, name) : 0;

		width = len > width ? len : width;
	}
	for (const struct option_row *row = rows; row->name; row++)
		if (row->help)
			print_row(row, width, out);
}
