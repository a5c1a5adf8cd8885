/* The verdict of counts, and for how long the canary has been silent. */
#include "observe.h"

void observe_counts(const struct sequential *judge, struct thresholds *limits, int64_t silent_ms,
                    int64_t now_ms, struct sequential_result *res)
{
	double now = (double)now_ms / 1000.0;

	*res = (struct sequential_result){.verdict = JUDGE_NONE, .score = -1};
	if (limits) {
		thresholds_advance(limits, now);
		thresholds_result(limits, res);
	}
	if (judge)
		sequential_result(judge, now, res);
	/* Neither judge knows of a silence before its first sample, or of a wall clock set back. */
	if (limits || judge)
		res->since_data_s = (double)silent_ms / 1000.0;
}

enum judge_verdict observe_verdict(const struct sequential *judge, struct thresholds *limits,
                                   int64_t now_ms)
{
	struct sequential_result res = {.verdict = JUDGE_NONE};
	double now = (double)now_ms / 1000.0;

	if (judge)
		return sequential_verdict(judge, now);
	if (limits) {
		thresholds_advance(limits, now);
		thresholds_result(limits, &res);
	}
	return res.verdict;
}
