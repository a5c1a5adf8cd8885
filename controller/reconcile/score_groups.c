#include "score_groups.h"

#include <math.h>

#include "tidegate/base/str.h"

static bool is_taken(const struct score_groups *g, const char *name)
{
	for (unsigned i = 0; i < g->n; i++)
		if (str_eq(g->v[i].name, name))
			return true;
	return false;
}

static void add(struct score_groups *g, char *name, int score, const char *text)
{
	if (g->n == MDEP_GROUPS_MAX) {
		free(name);
		return;
	}
	g->v[g->n].name = name;
	g->v[g->n].text = xstrdup_null(str_nonempty(text));
	g->v[g->n++].score = score;
}

/* Without a request there is no evidence against the canary, and none for it. */
static bool is_silent(const struct sequential_result *counts, const struct sequential_metric *m)
{
	return counts->canary_requests <= 0 || isnan(m->effect);
}

void score_groups_take(struct score_groups *g, const struct sequential_result *counts,
                       const struct drift_result *scores, const struct analysis_view *series)
{
	score_groups_clear(g);
	for (unsigned i = 0; i < counts->nmetrics; i++) {
		const struct sequential_metric *m = &counts->metrics[i];

		add(g, xstrdup(m->name), is_silent(counts, m) ? -1 : m->score, m->text);
	}
	if (scores)
		add(g, xstrdup("scores"), scores->score, scores->text);
	for (unsigned i = 0; i < series->ngroups; i++) {
		const struct mdep_group_score *s = &series->groups[i];

		/* Names are keys in status. */
		add(g, is_taken(g, s->name) ? xasprintf("%s by query", s->name) : xstrdup(s->name),
		    s->score, s->text);
	}
}

void score_groups_clear(struct score_groups *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		free(g->v[i].name);
		free(g->v[i].text);
	}
	g->n = 0;
}

const struct mdep_group_score *score_groups_copy(const struct score_groups *g, struct arena *a)
{
	struct mdep_group_score *out = g->n ? arena_array(a, g->n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < g->n; i++)
		out[i] = (struct mdep_group_score){arena_strdup(a, g->v[i].name), g->v[i].score,
		                                   arena_strdup(a, g->v[i].text)};
	return out;
}
