#include "score_policy.h"

#include <stdio.h>

#include "score.h"
#include "tidegate/api/names.h"
#include "tidegate/api/schema.h"
#include "tidegate/base/str.h"

/* A field that is misspelled would be a default that nobody asked for. */
static void warn_unknown(void *arg, const char *path, const char *message)
{
	struct err err = ERR_INIT;

	if (!str_eq(message, SCHEMA_UNKNOWN))
		return;
	err_set(&err, ERR_INVALID, "%s, it is ignored", message);
	document_locate(arg, path, &err);
	fprintf(stderr, "tidegate score: %s\n", err.msg);
}

int score_policy_load(struct scoreplan *plan, const char *path, bool decides, struct err *err)
{
	struct scorepolicy p = {.judge = SCOREPOLICY_SEQUENTIAL};
	struct arena cleanup_arena empty;
	struct document d;
	int rc = 0;

	arena_init(&empty, 0);
	if (!path) {
		scorepolicy_read(json_parse(&empty, "{}", 2, err), &empty, &p);
		scoreplan_counts(&p, plan);
		return 0;
	}
	document_init(&d, path);
	rc = document_load(&d, err);
	if (!rc) {
		scorepolicy_read(d.json, &d.arena, &p);
		scoreplan_counts(&p, plan);
	}
	if (!rc && !p.problem)
		schema_check(schema_of(TG_API_VERSION, "ScorePolicy"), d.json, &d.arena,
		             warn_unknown, &d);
	if (!rc && !p.problem && decides && p.judge == SCOREPOLICY_KAYENTA) {
		p.problem_path = "spec.judge";
		p.problem = "Kayenta judges series: use --judge kayenta with --config and --pairs";
	}
	if (!rc && p.problem) {
		rc = err_set(err, ERR_INVALID, "%s", p.problem);
		document_locate(&d, p.problem_path, err);
	}
	document_release(&d);
	return rc;
}
