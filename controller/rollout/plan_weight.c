/* The canary's weight: when it may move, and when it is taken for in force. */
#include <math.h>

#include "plan_internal.h"
#include "tidegate/base/str.h"

bool plan_verified(const struct planner *p)
{
	return p->st->verified_weight == p->st->weight;
}

static void tell_change(struct planner *p, int weight)
{
	if (weight == p->st->weight)
		return;
	plan_event(p, false, "WeightChanged",
	           arena_printf(p->arena, "revision %s: %d %% -> %d %%", p->st->target,
	                        p->st->weight, weight));
}

void plan_weight_set(struct planner *p, int weight)
{
	tell_change(p, weight);
	/* What is taken back before it was verified may have been in force all the same. */
	if (p->st->weight > p->st->verified_weight && weight < p->st->weight)
		p->st->verified_weight = p->st->weight;
	p->st->weight = weight;
	p->st->weight_set_ms = p->now;
	p->st->observed_permille = -1;
}

int64_t plan_route_changed_ms(const struct planner *p)
{
	int64_t written = p->s->traffic.written_ms, set = p->st->weight_set_ms;

	return written > set ? written : set;
}

/* --- what the route object carries ------------------------------------------------------- */

static int route_share(const struct rollout_traffic *t, const char *revision)
{
	int64_t sum = 0, own = 0;

	for (unsigned i = 0; i < t->nweights; i++) {
		sum += t->weights[i];
		if (str_eq(t->revisions[i], revision))
			own += t->weights[i];
	}
	return sum ? (int)(own * SHARE_WHOLE / sum) : 0;
}

/* A superseded revision may still hold a share, so both sides are looked at. */
static bool route_carries(const struct planner *p, int target_share)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (!t->exists || !t->in_force || !t->nweights)
		return false;
	if (route_share(t, p->st->target) != target_share)
		return false;
	return plan_first(p) || str_eq(p->st->stable, p->st->target) ||
	       route_share(t, p->st->stable) == SHARE_WHOLE - target_share;
}

/* --- what the pods have counted ---------------------------------------------------------- */

/*
 * Two-sided: too small a share is a gateway that lags, too great a one a leak. Within `sigmas`
 * standard deviations and three points; requests of an audience come on top of the weight, and
 * nobody knows how many.
 */
static bool share_within(const struct planner *p, int weight, double sigmas)
{
	const struct rollout_traffic *t = &p->s->traffic;
	double n = (double)t->total_requests, w = weight / 100.0;
	double share = (double)t->canary_requests / n;
	double slack = sigmas * sqrt(w * (1.0 - w) / n) + 0.03;

	return share >= w - slack && (share <= w + slack || plan_audience(p));
}

/* A side that should get requests and got none at all, by a chance of less than 1 in 20,000. */
static bool side_missing(int64_t seen, int64_t total, int weight)
{
	return seen == 0 && total * weight > 10 * 100;
}

static bool share_confirmed(const struct planner *p, int weight)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (weight > 0 && t->canary_requests == 0)
		return false;
	return share_within(p, weight, 2.0);
}

static bool share_contradicts(const struct planner *p, int weight)
{
	const struct rollout_traffic *t = &p->s->traffic;

	if (t->total_requests < PLAN_ENOUGH_REQUESTS)
		return false;
	return !share_within(p, weight, 4.0) ||
	       side_missing(t->canary_requests, t->total_requests, weight);
}

static bool wait_until(struct planner *p, int64_t at_ms, const char *doubt)
{
	if (p->now >= at_ms)
		return false;
	plan_wake(p, at_ms);
	p->doubt = doubt;
	return true;
}

static bool pods_confirm(struct planner *p, int weight)
{
	const struct rollout_traffic *t = &p->s->traffic;
	int64_t since = plan_route_changed_ms(p);

	/* Away from a version that fails: nobody counts its requests first. */
	if (plan_returning(p))
		return !wait_until(p, since + PLAN_SETTLE_MS, "the gateway gets a moment");
	if (t->total_requests < 0 && !p->s->judgement.judging)
		return !wait_until(p, since + PLAN_SETTLE_MS, "the gateway gets a moment");
	if (t->total_requests < PLAN_FEW_REQUESTS)
		return !wait_until(p, since + PLAN_FEW_WAIT_MS, "too few requests to count");
	p->st->observed_permille = (int)(t->canary_requests * 1000 / t->total_requests);
	if (share_confirmed(p, weight))
		return true;
	if (!share_contradicts(p, weight))
		return !wait_until(p, since + PLAN_UNSURE_WAIT_MS,
		                   "the share counted at the pods is not clear yet");
	p->doubt =
		arena_printf(p->arena, "the route says %d %%, but the pods count %d.%d %%", weight,
	                     p->st->observed_permille / 10, p->st->observed_permille % 10);
	return false;
}

/* --- replica ratio ----------------------------------------------------------------------- */

static bool ratio_reached(const struct planner *p)
{
	return p->tracks[TRACK_TARGET].in_service >= p->goals.new_goal &&
	       p->tracks[TRACK_STABLE].in_service <= p->goals.old_goal;
}

static bool ratio_in_force(const struct planner *p)
{
	return p->st->weight == 0 ? p->tracks[TRACK_TARGET].in_service == 0 : ratio_reached(p);
}

/* It has pods, and the gateway has not had time to hear of them: the route leaves them out. */
static bool is_unheard_of(const struct track_view *t)
{
	return t->in_service > 0 && !t->known;
}

static bool in_force(struct planner *p)
{
	int share;

	if (!p->s->traffic.managed)
		return ratio_in_force(p);
	share = plan_matrix_share(p);
	if (share < 0)
		return false;
	if (!route_carries(p, share)) {
		p->doubt = p->s->traffic.problem ? p->s->traffic.problem
		                                 : "the route does not carry it yet";
		return false;
	}
	if (share != p->st->weight * (SHARE_WHOLE / 100) &&
	    (is_unheard_of(&p->tracks[TRACK_TARGET]) || is_unheard_of(&p->tracks[TRACK_STABLE]))) {
		p->doubt = "the gateway has not heard of the pods yet";
		return false;
	}
	/* One side has no ready pod: the other has everything, and counting proves nothing. */
	if (share != p->st->weight * (SHARE_WHOLE / 100))
		return !wait_until(p, plan_route_changed_ms(p) + PLAN_SETTLE_MS,
		                   "the gateway gets a moment");
	return pods_confirm(p, p->st->weight);
}

void plan_weight_verify(struct planner *p)
{
	if (plan_verified(p) || !p->st->target || !in_force(p))
		return;
	p->st->verified_weight = p->st->weight;
	p->st->weight_verified_ms = p->now;
	p->doubt = NULL;
}

/*
 * Shares follow the pods, and nobody is asked for them first: a weight is on record when it is
 * there. What surplus stable pods still take away from it is waited for.
 */
static void follow_pods(struct planner *p, int want)
{
	bool whole = p->tracks[TRACK_TARGET].in_service >= p->goals.new_goal;

	if (want <= p->st->weight || (whole && !ratio_reached(p)))
		return;
	if (!whole) /* else the step is reached in this very pass, which says the same */
		tell_change(p, want);
	p->st->weight = p->st->verified_weight = want;
	p->st->weight_set_ms = p->st->weight_verified_ms = p->now;
	p->st->observed_permille = -1;
	plan_steps(p);
}

/* Somebody finds fault with the version that traffic is taken from. */
static bool in_doubt(const struct planner *p)
{
	const struct rollout_judgement *j = &p->s->judgement;
	const struct rollout_slo *slo = &p->s->slo;

	if (j->judging && (j->verdict == VERDICT_FAIL || (p->m->canary.enabled && j->score >= 0 &&
	                                                  j->score < p->m->canary.min_score)))
		return true;
	return slo->breach && !slo->held && str_eq(slo->revision, p->st->target);
}

/*
 * Back to stable where nothing is wrong with the new version: it goes on carrying what stable has
 * no pods for yet, unless stable does not get them.
 */
int plan_weight_back(const struct planner *p)
{
	struct replicas_input in = p->in;

	if (!p->s->traffic.managed || p->deadline || in_doubt(p))
		return 0;
	/* One that is on its way back into service carries nothing yet. */
	in.old_track.ready = p->tracks[TRACK_STABLE].in_service;
	return replicas_weight_back(&in, p->st->weight);
}

static void move_back(struct planner *p)
{
	int want = plan_weight_back(p);

	if (want < p->st->weight)
		plan_weight_set(p, want);
}

/*
 * Up only, and only from where the data plane has been seen to be; away from a stable version that
 * fails as soon as pods allow.
 */
void plan_weight_move(struct planner *p)
{
	int want = plan_step_weight(p->m, p->st->step);

	if (p->st->phase == ROLLOUT_ROLLING_BACK)
		move_back(p);
	if (p->st->phase != ROLLOUT_MOVING || p->m->replicas <= 0)
		return;
	if (plan_first(p)) {
		if (p->tracks[TRACK_TARGET].in_service > 0 && p->st->weight != 100)
			plan_weight_set(p, 100);
		return;
	}
	if (want > p->goals.weight_now)
		want = p->goals.weight_now;
	if (!plan_verified(p) && !(plan_returning(p) && p->s->traffic.managed))
		return;
	if (!p->s->traffic.managed)
		follow_pods(p, want);
	else if (want > p->st->weight && !plan_capacity_first(p))
		plan_weight_set(p, want);
}
