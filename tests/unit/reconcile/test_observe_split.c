/* The share that a judge is told of a look in which it changed: whose, where, and until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../controller/judge/sequential_internal.h"
#include "../../../controller/reconcile/observe.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/zone.h"

/* Two revisions in two zones, a driver that sets weights. */
struct scene {
	struct rollout_cell cells[4];
	struct rollout_snapshot s;
	struct rollout_plan plan;
	struct split_watch w;
	struct sequential *judge;
	double t;
};

static const char *const revisions[] = {"old", "new"};
static const char *const zones[] = {"a", "b"};

static void set_up(struct scene *x)
{
	struct sequential_options o;

	memset(x, 0, sizeof(*x));
	for (unsigned i = 0; i < 4; i++)
		x->cells[i] =
			(struct rollout_cell){.revision = revisions[i / 2], .zone = zones[i % 2]};
	x->s = (struct rollout_snapshot){.cells = x->cells, .ncells = 4};
	x->s.traffic.managed = true;
	x->plan.status = (struct mdep_status){.stable = "old", .target = "new"};
	sequential_options_default(&o);
	o.looks = true;
	x->judge = sequential_new(&o);
}

static void tear_down(struct scene *x)
{
	split_watch_release(&x->w);
	sequential_free(x->judge);
}

/* old in a, old in b, new in a, new in b; sum 10000. */
static void plan_weights(struct scene *x, const int *weights)
{
	x->plan.nweights = 4;
	for (unsigned i = 0; i < 4; i++)
		x->plan.weights[i] =
			(struct mdep_weight){revisions[i / 2], zones[i % 2], weights[i]};
}

static void route_weights(struct scene *x, const int *weights)
{
	struct rollout_traffic *r = &x->s.traffic;

	r->nweights = 4;
	for (unsigned i = 0; i < 4; i++) {
		r->revisions[i] = revisions[i / 2];
		r->zones[i] = zones[i % 2];
		r->weights[i] = weights[i];
	}
}

/* What the judge has been told of a stratum; 0 = that nothing changed. */
static double told(struct scene *x, const char *zone)
{
	uint64_t key = zone ? str_hash_fast(zone, strlen(zone)) : 0;

	if (!zone)
		return x->judge->rest.split;
	for (unsigned i = 0; i < x->judge->nstrata; i++)
		if (x->judge->strata[i].key == key)
			return x->judge->strata[i].split;
	return 0;
}

static void assert_look(struct scene *x, bool mixed, double all, double a, double b)
{
	split_watch_look_end(&x->w, mixed, x->judge);
	assert_float_equal(told(x, NULL), all, 1e-9);
	assert_float_equal(told(x, "a"), a, 1e-9);
	assert_float_equal(told(x, "b"), b, 1e-9);
	sequential_look_end(x->judge, x->t += 5);
	assert_float_equal(told(x, "a"), 0, 0);
}

static bool note(struct scene *x)
{
	return split_watch_set(&x->w, &x->s, &x->plan);
}

static const int a_tenth[] = {4500, 4500, 500, 500};
static const int in_one_zone[] = {3000, 4000, 3000, 0};

static void test_the_greatest_share_since_it_was_settled(void **state)
{
	struct scene x;

	(void)state;
	set_up(&x);
	plan_weights(&x, a_tenth);
	assert_true(note(&x));
	assert_false(note(&x));
	assert_look(&x, true, 0.1, 0.1, 0.1);
	assert_look(&x, false, 0, 0, 0);
	plan_weights(&x, in_one_zone);
	assert_true(note(&x));
	/* In zone b it had a tenth before, and has nothing now. */
	assert_look(&x, true, 0.3, 0.5, 0.1);
	assert_look(&x, true, 0.3, 0.5, 0.1);
	assert_look(&x, false, 0, 0, 0);
	/* With nothing it should get no requests: if it does, nobody knows which share. */
	assert_look(&x, true, 0.3, 0.5, 1);
	tear_down(&x);
}

/* Planned but not written, or written by others: both may be in force. */
static void test_plan_and_route(void **state)
{
	struct scene x;

	(void)state;
	set_up(&x);
	plan_weights(&x, a_tenth);
	route_weights(&x, in_one_zone);
	assert_true(note(&x));
	assert_look(&x, true, 0.3, 0.5, 0.1);
	route_weights(&x, a_tenth);
	assert_true(note(&x));
	assert_look(&x, false, 0, 0, 0);
	assert_look(&x, true, 0.1, 0.1, 0.1);
	/* A superseded version on its way out is no side of the comparison. */
	x.s.traffic.revisions[0] = x.plan.weights[0].revision = "older";
	assert_true(note(&x));
	assert_look(&x, true, 1000.0 / 5500, 1, 0.1);
	tear_down(&x);
}

static void test_a_weight_that_was_not_seen_yet(void **state)
{
	struct scene x;

	(void)state;
	set_up(&x);
	plan_weights(&x, a_tenth);
	x.plan.status.weight = 10;
	note(&x);
	assert_look(&x, false, 0.1, 0.1, 0.1);
	x.plan.status.verified_weight = 10;
	note(&x);
	assert_look(&x, false, 0, 0, 0);
	tear_down(&x);
}

static void test_an_audience_and_copies_are_of_no_known_share(void **state)
{
	struct mdep_step step = {.weight = 0};
	struct scene x;

	(void)state;
	set_up(&x);
	plan_weights(&x, a_tenth);
	route_weights(&x, a_tenth);
	x.plan.audience = &step;
	note(&x);
	assert_look(&x, true, 1, 1, 1);
	/* The plan ends it before the route does. */
	x.plan.audience = NULL;
	x.s.traffic.chosen[2] = true;
	assert_false(note(&x));
	x.s.traffic.chosen[2] = false;
	x.s.traffic.copied[3] = true;
	assert_false(note(&x));
	x.s.traffic.copied[3] = false;
	assert_true(note(&x));
	assert_look(&x, true, 1, 1, 1);
	assert_look(&x, false, 0, 0, 0);
	assert_look(&x, true, 0.1, 0.1, 0.1);
	tear_down(&x);
}

/* One Service for both: whoever is ready and in service gets its part. */
static void test_replica_ratio(void **state)
{
	struct pod in = {.ready = true, .in_service = "true"}, cold = {.in_service = "true"};
	struct pod left = {.ready = true, .in_service = "false"};
	const struct pod *old_a[] = {&in, &in, &in}, *new_a[] = {&in, &cold, &left};
	struct scene x;

	(void)state;
	set_up(&x);
	x.s.traffic.managed = false;
	x.cells[0].pods = old_a;
	x.cells[2].pods = new_a;
	x.cells[0].npods = x.cells[2].npods = 3;
	note(&x);
	assert_look(&x, true, 0.25, 0.25, 1);
	assert_false(note(&x));
	cold.ready = true;
	assert_true(note(&x));
	assert_look(&x, true, 0.4, 0.4, 1);
	tear_down(&x);
}

/* --- a zone on its way back --------------------------------------------------------------- */

static void feed_zone(struct return_watch *w, double t, const char *zone, double requests,
                      double errors)
{
	struct sequential_sample x = {
		.t = t, .stratum = zone, .pod = zone, .requests = requests, .errors = errors};

	return_watch_feed(w, &x);
}

/* Its part has just grown to two fifths when both begin to fail: half of all that it gets. */
static void test_an_outage_in_a_step_of_the_ramp(void **state)
{
	static const int ramp[] = {6000, 4000, 0, 0};
	struct mdep_zone_status back = {.name = "b", .state = ZONE_FAILBACK, .percent = 50};

	(void)state;
	for (int mixed = 0; mixed < 2; mixed++) {
		struct return_watch *w;
		struct scene x;

		set_up(&x);
		x.plan.status.nzones = 1;
		x.plan.status.zones = &back;
		w = return_watch_set(NULL, &x.plan.status);
		plan_weights(&x, ramp);
		assert_true(return_watch_split(w, &x.s, &x.plan));
		assert_false(return_watch_split(w, &x.s, &x.plan));
		feed_zone(w, 5, "a", 2000, 60);
		feed_zone(w, 5, "b", 80, 40);
		assert_true(return_watch_look_end(w, 5, mixed) != mixed);
		assert_true((return_watch_worse(w, "b") == NULL) == mixed);
		return_watch_free(w);
		tear_down(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_greatest_share_since_it_was_settled),
		cmocka_unit_test(test_plan_and_route),
		cmocka_unit_test(test_a_weight_that_was_not_seen_yet),
		cmocka_unit_test(test_an_audience_and_copies_are_of_no_known_share),
		cmocka_unit_test(test_replica_ratio),
		cmocka_unit_test(test_an_outage_in_a_step_of_the_ramp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
