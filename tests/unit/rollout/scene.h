/* What the scenario tests share: a small world with a first release, and a second one over steps.
 */
#ifndef TIDEGATE_TESTS_SCENE_H
#define TIDEGATE_TESTS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.c"

#define OLD "aaaaaaaaaa"
#define NEW "bbbbbbbbbb"

static const struct mdep_step two_steps[] = {{.weight = 25, .hold_ms = 10000}, {.weight = 100}};

/* Stable OLD with 4 pods, requests flowing, nothing being released. */
static inline void scene_stable(struct world *w)
{
	world_init(w, 1);
	w->requests_per_s = 100;
	world_first_release(w);
}

/* NEW is released over the steps given, as far as its first plan. */
static inline void scene_begin(struct world *w, const struct mdep_step *steps, unsigned n)
{
	world_steps(w, steps, n);
	world_spec(w, NEW, "v2");
	world_settle(w);
}

/* Stable OLD, and NEW over the steps given. */
static inline void scene_release(struct world *w, const struct mdep_step *steps, unsigned n)
{
	scene_stable(w);
	scene_begin(w, steps, n);
}

static inline void scene_until(struct world *w, enum rollout_phase phase)
{
	if (!world_until(w, PHASE_BIT(phase), 600000))
		fail_msg("never %s, but %s: %s", rollout_phase_name(phase),
		         rollout_phase_name(w->m.status.phase), w->m.status.message);
}

static inline const struct mdep_order_status *scene_order(const struct world *w, enum mdep_verb v)
{
	for (unsigned i = 0; i < w->m.status.norders; i++)
		if (w->m.status.orders[i].verb == v)
			return &w->m.status.orders[i];
	return NULL;
}

static inline const char *scene_outcome(const struct world *w, enum mdep_verb v)
{
	return scene_order(w, v) ? scene_order(w, v)->outcome : "no record";
}

static inline const char *scene_result(const struct world *w, const char *revision)
{
	const struct mdep_revision_status *r = mdep_revision_find(&w->m.status, revision);

	return r ? r->result : "not kept";
}

static inline const char *scene_reason(const struct world *w, const char *condition)
{
	const struct mdep_condition *c = world_condition(w, condition);

	return c ? c->reason : "absent";
}

static inline const char *scene_state(const struct world *w, const char *condition)
{
	const struct mdep_condition *c = world_condition(w, condition);

	return c ? c->status : "absent";
}

#endif
