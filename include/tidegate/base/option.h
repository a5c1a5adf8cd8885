/*
 * Command-line options by a table: name, type, where the value goes, its bounds, its help text.
 *
 * Long options as GNU programs take them ("--name value", "--name=value"), short ones with a
 * letter ("-f value", "-fvalue"); "--" ends them, "-" is a word. Names are never abbreviated: a new
 * option must not change what an old command line means. An error names the option, what was
 * given, and what is allowed.
 *
 * Ownership: texts belong to argv. Units: durations in milliseconds.
 */
#ifndef TIDEGATE_BASE_OPTION_H
#define TIDEGATE_BASE_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tidegate/base/err.h"

enum option_type {
	OPTION_TEXT,     /* const char * */
	OPTION_FLAG,     /* bool; takes no value, but 0, 1, false or true from the environment */
	OPTION_INT,      /* int64_t, from min to max */
	OPTION_DURATION, /* int64_t, from min to max */
	OPTION_NUMBER,   /* double, from low to high */
	OPTION_WORD,     /* an enum: which of `words` */
	OPTION_CALL,     /* `set` reads it; may be given more than once */
	OPTION_IGNORED,  /* takes a value and forgets it */
};

/* A table of these ends with a row without a name. */
struct option_row {
	const char *name; /* without "--" */
	char letter;      /* 0: long form only */
	enum option_type type;
	size_t offset;            /* of the field in `into` */
	int64_t min, max;         /* max 0: no upper bound */
	double low, high;         /* both count as allowed */
	const char *const *words; /* ends with NULL */
	/* What it says in err is put behind "--name: ". */
	int (*set)(void *into, const char *text, struct err *err);
	const char *env;   /* variable that gives it too; NULL: none */
	const char *value; /* what the help calls the value: "FILE" */
	const char *help;  /* lines; NULL: not shown */
};

/* A row for `field` of struct `into`; the rest as designated initializers. */
#define OPTION_ROW(into_, field_, name_, type_, ...)                                               \
	{                                                                                          \
		.name = (name_), .type = (type_), .offset = offsetof(into_, field_), __VA_ARGS__   \
	}

/*
 * Reads argv[1] and on into the struct at `into`, which holds the defaults. What is no option is
 * moved to argv[1], argv[2], ... in its order; returns how many these are, -1 on an error.
 */
int option_read(const struct option_row *rows, void *into, int argc, char **argv, struct err *err);

/* Values from the environment, before the command line, which wins. Empty variables count for
 * nothing. */
int option_read_env(const struct option_row *rows, void *into, struct err *err);

/* The table as aligned lines of a help text. */
void option_help(const struct option_row *rows, FILE *out);

#endif
