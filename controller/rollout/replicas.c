#include "replicas_internal.h"

#include <stddef.h>

static int clamp_int(int v, int low, int high)
{
	return max_int(low, min_int(v, high));
}

/* Pods for `weight` percent of R pods' load, `tolerance` hundredths of a pod too few allowed. */
static int pods_for(int replicas, int weight, int tolerance)
{
	int hundredths = replicas * min_int(weight, 100) - tolerance;

	if (replicas <= 0 || weight <= 0)
		return 0;
	return max_int(1, (hundredths + 99) / 100);
}

int replicas_needed(int replicas, int weight)
{
	if (weight >= 100)
		return max_int(0, replicas);
	return pods_for(replicas, weight, 10);
}

/*
 * Weights are whole percents: with more than 10 pods one pod is a fraction of what a percent is
 * worth, so a share is held within one percent. Without that, 40 pods with surge 1 would
 * never get past the first new pod (it carries 2 %, and 98 % would still ask for 40).
 */
static int pods_held(int replicas, int share)
{
	return pods_for(replicas, share, max_int(10, replicas));
}

int replicas_surge_least(int replicas, int unavailable)
{
	return unavailable > 0 && replicas > 1 ? 0 : 1;
}

int replicas_count(const struct replicas_track *t)
{
	return max_int(t->spec, t->pods);
}

static int unavailable(const struct replicas_input *in)
{
	return in->surge <= 0 && in->unavailable <= 0 ? 1 : max_int(0, in->unavailable);
}

static int limit(const struct replicas_input *in)
{
	return max_int(0, in->replicas) + max_int(0, in->surge);
}

/* With one place in all there is no split: the only pod is swapped by the step of 100 %. */
static bool can_split(const struct replicas_input *in)
{
	return limit(in) >= 2;
}

/* Where cards are short the last old pod would make way for the last new one. */
static bool last_old_stays(const struct replicas_input *in)
{
	return in->compare && in->surge <= 0 && in->target_weight >= 100 && can_split(in);
}

static void goals(const struct replicas_input *in, struct replicas_plan *out)
{
	int r = max_int(0, in->replicas), w = in->target_weight;

	out->new_goal = replicas_needed(r, w);
	out->old_goal = replicas_needed(r, 100 - w);
	out->compares = last_old_stays(in);
	if (out->compares) {
		out->new_goal = r - 1;
		out->old_goal = 1;
	}
	if (w <= 0 || w >= 100)
		return;
	if (!can_split(in)) {
		out->new_goal = 0;
		out->old_goal = r;
		return;
	}
	/* Both sides carry traffic, so each has a pod; what does not fit is the old one's loss. */
	out->new_goal = min_int(out->new_goal, limit(in) - 1);
	out->old_goal = min_int(out->old_goal, limit(in) - out->new_goal);
}

/* New pods that do not carry traffic yet may cost the old side what it may lack anyway. */
static void add_capacity(const struct replicas_input *in, struct replicas_plan *out)
{
	int carried = replicas_needed(in->replicas, 100 - in->target_weight);
	int least = max_int(carried - unavailable(in), 1);
	int want = min_int(min_int(in->capacity, in->replicas), limit(in) - least);

	if (in->target_weight >= 100 || want <= out->new_goal || !can_split(in))
		return;
	out->new_goal = want;
	out->old_goal = min_int(out->old_goal, limit(in) - want);
}

static int weight_now(const struct replicas_input *in, const struct replicas_plan *plan)
{
	int r = in->replicas, w = in->target_weight, ready = in->new_track.ready;

	if (r <= 0 || w <= 0 || ready <= 0 || (w < 100 && !can_split(in)))
		return 0;
	if (plan->compares)
		return 100 * min_int(ready, r - 1) / r;
	if (ready >= plan->new_goal)
		return w;
	/* Only the last old pod stands in the way of the last new one: it must go first. */
	if (w >= 100 && in->surge <= 0 && r >= 2 && ready >= r - 1)
		return 100;
	return min_int(w, 100 * ready / r);
}

/* Ready pods that a track must keep for the traffic it may still get. */
static int held_pods(const struct replicas_input *in, int share)
{
	if (share <= 0 || in->replicas <= 0)
		return 0;
	return max_int(pods_held(in->replicas, share) - unavailable(in), can_split(in) ? 1 : 0);
}

int replicas_weight_back(const struct replicas_input *in, int weight)
{
	int new_ready = in->new_track.ready, old_ready = in->old_track.ready, w = 0;

	if (new_ready <= 0)
		return 0;
	while (w < weight && held_pods(in, 100 - w) > old_ready)
		w++;
	/* Where no pod gets free by it, in whose place one of stable's is made, it is in vain. */
	if (w > 0 && pods_held(in->replicas, w) >= pods_held(in->replicas, weight))
		w = weight;
	/* Where neither has enough, each pod gets as much as any other. */
	return min_int(w, 100 * new_ready / (new_ready + max_int(0, old_ready)));
}

/* What carries traffic now is made whole first, whatever the step will leave to it. */
static void make_whole(const struct replicas_input *in, struct replicas_plan *out)
{
	out->old_goal = max_int(out->old_goal, held_pods(in, in->held_old));
}

/*
 * Where all may be missing the last one stays all the same until another is ready: somebody has to
 * answer. An only replica that may be missing makes way: there may be no other place.
 */
static int least_ready(const struct replicas_input *in)
{
	return max_int(in->replicas - unavailable(in), in->replicas > 1 ? 1 : 0);
}

void replicas_limits(const struct replicas_input *in, struct replicas_limits *out)
{
	const struct replicas_track *n = &in->new_track, *o = &in->old_track;

	out->floor = least_ready(in);
	out->room = max_int(0, limit(in) - replicas_count(n) - replicas_count(o) - n->terminating -
	                               o->terminating);
	out->ready = max_int(0, n->ready + o->ready - out->floor);
	out->new_ready = max_int(0, n->ready - held_pods(in, in->held_new));
	out->old_ready = max_int(0, o->ready - held_pods(in, in->held_old));
	/* Broken old pods go at the pace at which new ones become ready: they may recover. */
	out->old_any = max_int(0, replicas_count(o) + n->ready - out->floor);
	out->new_any = replicas_count(n);
}

/* How many pods of a track may be asked to go now; *ready is the budget both tracks share. */
static int removable(const struct replicas_track *t, int goal, int any, int own_ready, int *ready)
{
	int surplus = min_int(replicas_count(t) - goal, any);
	int idle, busy;

	if (surplus <= 0)
		return 0;
	idle = min_int(surplus, replicas_count(t) - t->ready);
	busy = min_int(surplus - idle, min_int(own_ready, *ready));
	*ready -= busy;
	return idle + busy;
}

static int next_spec(const struct replicas_track *t, int goal, int remove, int *room)
{
	int grow = clamp_int(goal - replicas_count(t), 0, *room);

	*room -= grow;
	if (remove > 0)
		return min_int(t->spec, replicas_count(t) - remove);
	return grow > 0 ? replicas_count(t) + grow : t->spec;
}

static void say(struct replicas_plan *plan, const char *reason, const char *what)
{
	plan->waiting_reason = reason;
	plan->waiting_for = what;
}

static void say_waiting(const struct replicas_input *in, struct replicas_plan *plan)
{
	const struct replicas_track *n = &in->new_track, *o = &in->old_track;
	bool no_place = replicas_count(n) < plan->new_goal && plan->new_spec <= replicas_count(n);

	say(plan, NULL, NULL);
	if (n->ready < plan->new_goal && no_place)
		say(plan, "NoPlace", "a free place: pods are at replicas + maxSurge");
	else if (n->ready < plan->new_goal)
		say(plan, "NewPodsNotReady", "new pods to become ready");
	else if (o->ready < plan->old_goal)
		say(plan, "StablePodsNotReady", "stable pods to become ready");
	else if (replicas_count(n) > plan->new_goal && in->held_new > in->target_weight)
		say(plan, "TrafficNotMoved", "traffic to leave the new pods");
	else if (replicas_count(n) > plan->new_goal)
		say(plan, "PodsLeaving", "surplus new pods to leave");
	else if (replicas_count(o) > plan->old_goal && in->held_old > 100 - in->target_weight)
		say(plan, "TrafficNotMoved", "traffic to leave the old pods");
	else if (replicas_count(o) > plan->old_goal)
		say(plan, "PodsLeaving", "surplus old pods to leave");
}

void replicas_plan(const struct replicas_input *in, struct replicas_plan *out)
{
	struct replicas_limits lim;
	int remove_old, remove_new;

	goals(in, out);
	add_capacity(in, out);
	make_whole(in, out);
	out->weight_now = weight_now(in, out);
	replicas_limits(in, &lim);
	remove_old =
		removable(&in->old_track, out->old_goal, lim.old_any, lim.old_ready, &lim.ready);
	remove_new =
		removable(&in->new_track, out->new_goal, lim.new_any, lim.new_ready, &lim.ready);
	/* Old first: what serves is made whole before anything new is tried. */
	out->old_spec = next_spec(&in->old_track, out->old_goal, remove_old, &lim.room);
	out->new_spec = next_spec(&in->new_track, out->new_goal, remove_new, &lim.room);
	say_waiting(in, out);
}
