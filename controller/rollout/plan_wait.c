/*
 * What a release waits for, as a condition that is there only while it does: pods that no node has
 * a place for, or a step of the arithmetic that has not come for a minute. Figures only, no clock,
 * so that it is written once.
 */
#include "plan_internal.h"
#include "tidegate/base/str.h"

#define UNPLACED_MS 30000
#define STUCK_MS    60000

/* A scheduler needs a moment: only pods that have had no node for a while count. */
static int unplaced(struct planner *p, enum track_id track)
{
	int n = 0;

	for (unsigned i = 0; i < p->ncells; i++) {
		const struct cell_view *c = &p->cells[i];

		for (unsigned j = 0; c->track == track && j < c->npods; j++) {
			const struct pod *pod = c->pods[j].pod;
			int64_t late = pod->meta.created_ms + UNPLACED_MS;

			if (pod->phase != POD_PENDING || pod->scheduled || pod->node)
				continue;
			if (p->now < late)
				plan_wake(p, late);
			n += p->now >= late;
		}
	}
	return n;
}

static int places_taken(const struct planner *p)
{
	int n = 0;

	for (int t = 0; t < TRACKS; t++)
		n += p->tracks[t].count + p->tracks[t].terminating;
	return n;
}

static const char *places_text(struct planner *p)
{
	const char *room =
		p->surge < p->max_surge ? arena_printf(p->arena, ", room for %d", p->surge) : "";

	return arena_printf(p->arena, "%d of %d places (replicas %d + maxSurge %d%s) are taken",
	                    places_taken(p), p->m->replicas + p->surge, p->m->replicas,
	                    p->max_surge, room);
}

static bool waits_for_node(struct planner *p)
{
	for (int t = TRACK_STABLE; t <= TRACK_TARGET; t++) {
		int n = unplaced(p, (enum track_id)t);
		const char *text;

		if (!n)
			continue;
		text = arena_printf(p->arena, "pods of revision %s that get no node: %d; %s%s",
		                    p->tracks[t].revision, n, places_text(p),
		                    p->surge > 0 && plan_releasing(p)
		                            ? "; with maxSurge 0 they would be swapped on the "
		                              "cards that are there"
		                            : "");
		plan_condition(p, "Waiting", "True", p->m->gpu.count > 0 ? "NoFreeCard" : "NoNode",
		               text);
		return true;
	}
	return false;
}

static bool may_wait(const struct planner *p)
{
	return p->m->replicas > 0 && p->goals.waiting_for &&
	       (p->st->phase == ROLLOUT_MOVING || p->st->phase == ROLLOUT_COMPLETING ||
	        p->st->phase == ROLLOUT_ROLLING_BACK);
}

static bool waits_for_pods(struct planner *p)
{
	const struct track_view *t = p->tracks;
	int64_t stuck = p->st->progress_ms + STUCK_MS;

	if (!may_wait(p))
		return false;
	if (p->now < stuck) {
		plan_wake(p, stuck);
		return false;
	}
	plan_condition(p, "Waiting", "True", p->goals.waiting_reason,
	               arena_printf(p->arena,
	                            "waiting for %s; new pods: %d of %d ready, old pods: %d "
	                            "ready, %d needed; %s",
	                            p->goals.waiting_for, t[TRACK_TARGET].ready, p->goals.new_goal,
	                            t[TRACK_STABLE].ready, p->goals.old_goal, places_text(p)));
	return true;
}

void plan_wait_condition(struct planner *p)
{
	if (!waits_for_node(p) && !waits_for_pods(p))
		plan_condition(p, "Waiting", "False", "", "");
}
