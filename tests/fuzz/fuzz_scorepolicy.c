/*
 * Any text as a ScorePolicy: it is taken with every number within its bounds, or its first problem
 * is named with its place.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/yaml.h"
#include "tidegate/judge/scoreplan.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_plan(const struct scoreplan *p)
{
	require(p->sequential.alpha >= 1e-6 && p->sequential.alpha <= 0.2);
	require(p->sequential.margin >= 1 && p->sequential.margin <= 10);
	require(p->thresholds.interval_s > 0 && p->thresholds.failures >= 1);
	require(p->thresholds.max_error_share >= 0 && p->thresholds.max_error_share <= 1);
	require(p->step_s >= 1 && p->interval_s >= 1 && p->window_s >= 10);
	require(p->min_points >= 5 && p->failures >= 1);
	require(p->series.nmetrics <= SCOREPLAN_SERIES_MAX);
	for (size_t i = 0; i < p->series.nmetrics; i++) {
		require(p->queries[i] && strlen(p->queries[i]) <= 4096);
		require(p->series.metrics[i].name && p->series.metrics[i].weight > 0);
	}
}

static int on_document(void *arg, const char *json, size_t len, unsigned line, struct err *err)
{
	struct scorepolicy p = {.judge = SCOREPOLICY_SEQUENTIAL};
	struct scoreplan plan;
	struct err why = ERR_INIT;
	struct arena a;
	const struct json *o;

	(void)arg;
	(void)line;
	arena_init(&a, 0);
	o = json_parse(&a, json, len, err);
	if (o) {
		scorepolicy_read(o, &a, &p);
		require(!p.problem || p.problem_path);
		if (!scoreplan_build(&p, NULL, &a, &plan, &why))
			check_plan(&plan);
		else
			require(why.class != ERR_NONE && why.msg[0]);
	}
	arena_release(&a);
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct err err = ERR_INIT;

	yaml_each_document((const char *)data, size, on_document, NULL, &err);
	return 0;
}
