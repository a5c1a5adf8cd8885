#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

static const char *const verb_names[] = {
	[VERB_CREATE] = "create",         [VERB_WAIT] = "wait",     [VERB_CHANGE] = "change",
	[VERB_CHANGE_ONE] = "change-one", [VERB_DELETE] = "delete",
};

static const char *const goal_names[] = {
	[GOAL_NONE] = "none",
	[GOAL_READY] = "ready",
	[GOAL_STEP] = "step",
	[GOAL_ABSENT] = "absent",
};

enum option_type { OPT_STRING, OPT_COUNT, OPT_DURATION, OPT_GOAL, OPT_FLAG };

static const struct option_row {
	const char *flag;
	enum option_type type;
	size_t offset;
	int64_t min;
	const char *help;
} rows[] = {
#define ROW(flag, type, field, min, help)                                                          \
	{                                                                                          \
		flag, type, offsetof(struct options, field), min, help                             \
	}
	ROW("kubeconfig", OPT_STRING, kubeconfig, 0, "how to reach the API server ($KUBECONFIG)"),
	ROW("namespace", OPT_STRING, namespace, 0, "prefix of the namespaces' names (bench)"),
	ROW("namespaces", OPT_COUNT, namespaces, 1, "how many, filled by turns (20)"),
	ROW("count", OPT_COUNT, count, 1, "how many ModelDeployments (1000)"),
	ROW("replicas", OPT_COUNT, replicas, 0, "create: pods of each (3)"),
	ROW("version", OPT_STRING, version, 0, "create, change: model version (1, 2)"),
	ROW("in-flight", OPT_COUNT, in_flight, 1, "create, change, delete: writes at once (32)"),
	ROW("until", OPT_GOAL, goal, 0, "create, change: go on watching until ready or step"),
	ROW("rounds", OPT_COUNT, rounds, 1, "change-one: how many, one after the other (30)"),
	ROW("seed", OPT_COUNT, seed, 0, "change-one: which ones (1)"),
	ROW("timeout", OPT_DURATION, timeout_ms, 0, "whole command (5m)"),
	ROW("help", OPT_FLAG, help, 0, "this text"),
#undef ROW
};

const char *verb_name(enum verb v)
{
	return verb_names[v];
}

const char *goal_name(enum goal g)
{
	return goal_names[g];
}

static int set_goal(enum goal *at, const char *text, struct err *err)
{
	if (str_eq(text, "ready"))
		*at = GOAL_READY;
	else if (str_eq(text, "step"))
		*at = GOAL_STEP;
	else
		return err_set(err, ERR_INVALID, "\"%s\" is none of ready, step", text);
	return 0;
}

static int set_option(struct options *o, const struct option_row *row, const char *text,
                      struct err *err)
{
	char *at = (char *)o + row->offset;
	int64_t n;

	switch (row->type) {
	case OPT_STRING:
		*(const char **)at = text;
		return 0;
	case OPT_COUNT:
		if (!str_to_i64(text, &n) || n < row->min || n > OPTIONS_COUNT_MAX)
			return err_set(err, ERR_INVALID, "--%s: \"%s\" is not allowed", row->flag,
			               text);
		*(int64_t *)at = n;
		return 0;
	case OPT_DURATION:
		if (duration_parse(text, (int64_t *)at, err))
			return err_wrap(err, "--%s", row->flag);
		return 0;
	case OPT_GOAL:
		if (set_goal((enum goal *)at, text, err))
			return err_wrap(err, "--%s", row->flag);
		return 0;
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "--%s", row->flag);
}

static int parse_verb(struct options *o, int argc, char **argv, struct err *err)
{
	for (size_t v = 0; argc > 0 && v < ARRAY_SIZE(verb_names); v++) {
		if (!str_eq(argv[0], verb_names[v]))
			continue;
		o->verb = (enum verb)v;
		if (o->verb == VERB_DELETE)
			o->goal = GOAL_ABSENT;
		if (argc > 2 || (o->verb == VERB_WAIT) != (argc == 2))
			return err_set(err, ERR_INVALID, "%s",
			               o->verb == VERB_WAIT ? "wait wants ready or step"
			                                    : "too many words; see --help");
		return argc == 2 ? set_goal(&o->goal, argv[1], err) : 0;
	}
	return err_set(err, ERR_INVALID, "wants one of create, wait, change, change-one, delete");
}

static int check(struct options *o, struct err *err)
{
	if (!o->version)
		o->version = o->verb == VERB_CREATE ? "1" : "2";
	if (!str_is_dns_label(o->namespace))
		return err_set(err, ERR_INVALID, "--namespace: \"%s\" is no name of one",
		               o->namespace);
	if (o->verb == VERB_CHANGE_ONE && o->rounds > o->count)
		return err_set(err, ERR_INVALID, "--rounds: each changes another one of --count %d",
		               (int)o->count);
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	struct option longopts[ARRAY_SIZE(rows) + 1] = {0};
	int got, index;

	*o = (struct options){
		.namespace = "bench",
		.namespaces = 20,
		.count = 1000,
		.replicas = 3,
		.in_flight = 32,
		.rounds = 30,
		.seed = 1,
		.timeout_ms = 300000,
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		longopts[i].name = rows[i].flag;
		longopts[i].has_arg = rows[i].type == OPT_FLAG ? no_argument : required_argument;
	}
	while ((got = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		if (got != 0)
			return err_set(err, ERR_INVALID, "unknown flag; see --help");
		if (set_option(o, &rows[index], optarg, err))
			return -1;
	}
	if (o->help)
		return 0;
	if (parse_verb(o, argc - optind, argv + optind, err))
		return -1;
	return check(o, err);
}

void options_usage(void)
{
	printf("usage: scale create | wait ready | wait step | change | change-one | delete\n\n"
	       "Makes, changes and watches many ModelDeployments, and measures what a user would\n"
	       "see: one JSON object on standard output, progress on standard error. Exit code 0\n"
	       "when all was written and reached, 1 when not, 2 on wrong usage.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		printf("  --%-12s %s\n", rows[i].flag, rows[i].help);
}
