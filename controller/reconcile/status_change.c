#include "internal.h"
#include "tidegate/base/str.h"

#define AS_IT_IS_MAX 512

static bool machine_moved(const struct mdep_status *a, const struct mdep_status *b)
{
	return a->phase != b->phase || a->paused_from != b->paused_from || a->step != b->step ||
	       a->nsteps != b->nsteps || !str_eq(a->stable, b->stable) ||
	       !str_eq(a->target, b->target) || a->step_started_ms != b->step_started_ms ||
	       a->step_reached_ms != b->step_reached_ms || a->hold_until_ms != b->hold_until_ms ||
	       a->started_ms != b->started_ms || a->finished_ms != b->finished_ms ||
	       !str_eq(a->steps_hash, b->steps_hash) || !str_eq(a->reason, b->reason);
}

static bool traffic_moved(const struct mdep_status *a, const struct mdep_status *b)
{
	return a->weight != b->weight || a->verified_weight != b->verified_weight ||
	       a->weight_set_ms != b->weight_set_ms ||
	       a->weight_verified_ms != b->weight_verified_ms;
}

static bool orders_changed(const struct mdep_status *a, const struct mdep_status *b)
{
	if (a->norders != b->norders)
		return true;
	for (unsigned i = 0; i < a->norders; i++)
		if (a->orders[i].verb != b->orders[i].verb ||
		    !str_eq(a->orders[i].value, b->orders[i].value) ||
		    !str_eq(a->orders[i].outcome, b->orders[i].outcome))
			return true;
	return false;
}

static bool revisions_changed(const struct mdep_status *a, const struct mdep_status *b)
{
	if (a->nrevisions != b->nrevisions)
		return true;
	for (unsigned i = 0; i < a->nrevisions; i++)
		if (!str_eq(a->revisions[i].name, b->revisions[i].name) ||
		    !str_eq(str_or(a->revisions[i].result, ""), str_or(b->revisions[i].result, "")))
			return true;
	return false;
}

static bool says_other(const struct mdep_condition *a, const struct mdep_condition *b)
{
	return !str_eq(a->status, b->status) || a->observed_generation != b->observed_generation;
}

static bool gives_other_reason(const struct mdep_condition *a, const struct mdep_condition *b)
{
	return !str_eq(str_or(a->reason, ""), str_or(b->reason, ""));
}

static bool conditions_changed(const struct mdep_status *a, const struct mdep_status *b,
                               bool (*differs)(const struct mdep_condition *a,
                                               const struct mdep_condition *b))
{
	const struct mdep_condition *c;

	if (a->nconditions != b->nconditions)
		return true;
	for (unsigned i = 0; i < b->nconditions; i++) {
		c = mdep_condition_get(a, b->conditions[i].type);
		if (!c || differs(c, &b->conditions[i]))
			return true;
	}
	return false;
}

/* What a zone may get is on record before the route says so. */
static bool zones_changed(const struct mdep_status *a, const struct mdep_status *b)
{
	if (a->nzones != b->nzones)
		return true;
	for (unsigned i = 0; i < a->nzones; i++) {
		const struct mdep_zone_status *x = &a->zones[i], *y = &b->zones[i];

		if (!str_eq(x->name, y->name) || x->state != y->state || x->percent != y->percent ||
		    x->ordered_until_ms != y->ordered_until_ms || !str_eq(x->shift, y->shift) ||
		    x->shift_until_ms != y->shift_until_ms || !str_eq(x->refused, y->refused))
			return true;
	}
	return false;
}

/* What may be cut or mended where it is written is another text there. */
static bool is_written_as_it_is(const char *s)
{
	size_t n = 0;

	for (; *s; s++, n++)
		if (*s < ' ' || *s > '~' || n == AS_IT_IS_MAX)
			return false;
	return true;
}

static bool texts_differ(const char *a, const char *b)
{
	a = str_or(a, "");
	b = str_or(b, "");
	return !str_eq(a, b) && is_written_as_it_is(a) && is_written_as_it_is(b);
}

bool status_surely_differs(const struct mdep_status *now, const struct mdep_status *next)
{
	return now->replicas != next->replicas || now->ready_replicas != next->ready_replicas ||
	       texts_differ(now->score_message, next->score_message);
}

bool status_counts_changed(const struct mdep_status *now, const struct mdep_status *next)
{
	return conditions_changed(now, next, gives_other_reason) ||
	       now->replicas != next->replicas || now->ready_replicas != next->ready_replicas ||
	       now->updated_replicas != next->updated_replicas ||
	       now->stable_replicas != next->stable_replicas || now->nweights != next->nweights;
}

bool status_is_echo(const struct key_state *ks, const struct mdep *before, const struct mdep *now)
{
	return ks->told_hash && now->status_hash == ks->told_hash && mdep_same_wish(before, now);
}

bool status_change_is_urgent(const struct mdep_status *now, const struct mdep_status *next)
{
	return now->observed_generation != next->observed_generation || machine_moved(now, next) ||
	       traffic_moved(now, next) || orders_changed(now, next) ||
	       revisions_changed(now, next) || conditions_changed(now, next, says_other) ||
	       zones_changed(now, next) ||
	       !str_eq(str_or(now->verdict, ""), str_or(next->verdict, ""));
}
