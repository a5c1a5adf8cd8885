#include "score_policy.h"

#include "score.h"

int score_policy_load(struct scoreplan *plan, const char *path, struct err *err)
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
	if (!rc && p.problem) {
		rc = err_set(err, ERR_INVALID, "%s", p.problem);
		document_locate(&d, p.problem_path, err);
	}
	document_release(&d);
	return rc;
}
