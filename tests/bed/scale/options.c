#include "options.h"

#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/option.h"
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

/* An order says when it is done; absence is for `delete` alone. */
static int set_goal(void *into, const char *text, struct err *err)
{
	struct options *o = into;

	if (str_eq(text, "ready"))
		o->goal = GOAL_READY;
	else if (str_eq(text, "step"))
		o->goal = GOAL_STEP;
	else
		return err_set(err, ERR_INVALID, "\"%.60s\" is none of ready, step", text);
	return 0;
}

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct options, field, name, type, __VA_ARGS__)
#define COUNT(field, name, low, text)                                                              \
	ROW(field, name, OPTION_INT, .min = (low), .max = OPTIONS_COUNT_MAX, .help = (text))
	ROW(kubeconfig, "kubeconfig", OPTION_TEXT,
            .help = "how to reach the API server ($KUBECONFIG)"),
	ROW(namespace, "namespace", OPTION_TEXT, .help = "prefix of the namespaces' names (bench)"),
	COUNT(namespaces, "namespaces", 1, "how many, filled by turns (20)"),
	COUNT(count, "count", 1, "how many ModelDeployments (1000)"),
	COUNT(replicas, "replicas", 0, "create: pods of each (3)"),
	ROW(version, "version", OPTION_TEXT, .help = "create, change: model version (1, 2)"),
	COUNT(in_flight, "in-flight", 1, "create, change, delete: writes at once (32)"),
	{.name = "until",
         .type = OPTION_CALL,
         .set = set_goal,
         .help = "create, change: go on watching until ready or step"},
	COUNT(rounds, "rounds", 1, "change-one: how many, one after the other (30)"),
	COUNT(seed, "seed", 0, "change-one: which ones (1)"),
	ROW(timeout_ms, "timeout", OPTION_DURATION, .help = "whole command (5m)"),
	ROW(help, "help", OPTION_FLAG, .help = "this text"),
#undef COUNT
#undef ROW
	{.name = NULL},
};

const char *verb_name(enum verb v)
{
	return verb_names[v];
}

const char *goal_name(enum goal g)
{
	return goal_names[g];
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
		return argc == 2 ? set_goal(o, argv[1], err) : 0;
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
	int words;

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
	words = option_read(rows, o, argc, argv, err);
	if (words < 0)
		return -1;
	if (o->help)
		return 0;
	if (parse_verb(o, words, argv + 1, err))
		return -1;
	return check(o, err);
}

void options_usage(void)
{
	printf("usage: scale create | wait ready | wait step | change | change-one | delete\n\n"
	       "Makes, changes and watches many ModelDeployments, and measures what a user would\n"
	       "see: one JSON object on standard output, progress on standard error. Exit code 0\n"
	       "when all was written and reached, 1 when not, 2 on wrong usage.\n\n");
	option_help(rows, stdout);
}
