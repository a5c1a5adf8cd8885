/* The matrix revision x zone, and when a weight is taken for in force. */
#include "scene.h"

/* --- verification ------------------------------------------------------------------------ */

/* NEW asked to 25 %, the route written and accepted, nothing counted yet. */
static void asked_for_25(struct world *w, double requests_per_s)
{
	scene_release(w, two_steps, 2);
	w->requests_per_s = requests_per_s;
	while (w->m.status.weight != 25)
		world_run(w, 500);
}

static int64_t time_to_verify(struct world *w)
{
	int64_t from = w->now;

	scene_until(w, ROLLOUT_HOLDING);
	return w->now - from;
}

static void test_without_counters_the_gateway_gets_a_moment(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	assert_in_range(time_to_verify(&w), 3000, 4000);
	assert_int_equal(w.m.status.observed_permille, -1);
	world_release(&w);
}

/* A pod is Ready a moment before the gateway has its endpoint: until then its Service gets nothing.
 */
static void test_a_new_cell_gets_no_weight_before_its_endpoint_is_known(void **state)
{
	struct world w;
	int64_t ready;

	(void)state;
	scene_release(&w, two_steps, 2);
	while (world_ready(&w, NEW) == 0)
		world_run(&w, 100);
	ready = w.now;
	while (world_share(&w, NEW) == 0)
		world_run(&w, 100);
	assert_in_range(w.now - ready, 1000, 1700);
	world_release(&w);
}

static void test_enough_requests_verify_at_once(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 1000);
	assert_in_range(time_to_verify(&w), 0, 2500);
	world_release(&w);
}

/* 33 of the first 100 requests at a weight of 25 %: that is chance. */
static void test_chance_is_not_taken_for_a_contradiction(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	w.requests_per_s = 100;
	w.forced_permille = 330;
	assert_in_range(time_to_verify(&w), 0, 3000);
	world_release(&w);
}

static void test_a_weight_taken_back_unseen_may_have_been_in_force(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	world_order(&w, ORDER_ABORT, "now");
	world_plan(&w);
	assert_int_equal(w.plan.status.weight, 0);
	assert_int_equal(w.plan.status.verified_weight, 25);
	world_settle(&w);
	scene_until(&w, ROLLOUT_ABORTED);
	assert_int_equal(w.m.status.verified_weight, 0);
	world_release(&w);
}

static void test_too_few_requests_verify_after_10_s(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 1);
	world_run(&w, 5000);
	assert_non_null(strstr(w.m.status.message, "too few requests to count"));
	assert_in_range(time_to_verify(&w), 3000, 7000);
	world_release(&w);
}

static void test_counters_that_contradict_keep_the_weight_unverified(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	w.requests_per_s = 100;
	w.forced_permille = 0; /* the gateway says yes and does nothing */
	world_run(&w, 120000);
	assert_int_equal(w.m.status.phase, ROLLOUT_MOVING);
	assert_int_equal(w.m.status.verified_weight, 0);
	assert_non_null(strstr(w.m.status.message, "the pods count 0.0 %"));
	assert_int_equal(world_pods(&w, OLD), 4);
	w.forced_permille = -1;
	w.total = w.canary = 0;
	scene_until(&w, ROLLOUT_HOLDING);
	world_release(&w);
}

static void test_a_share_that_is_too_great_is_no_proof_either(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	w.requests_per_s = 100;
	w.forced_permille = 500;
	world_run(&w, 60000);
	assert_int_equal(w.m.status.verified_weight, 0);
	world_release(&w);
}

/* Three points of tolerance are more than 2 %: a canary that nobody reaches must not hide in them.
 */
static void test_a_small_weight_needs_a_request_that_arrived(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, (struct mdep_step[]){{.weight = 2, .hold_ms = 10000}}, 1);
	w.forced_permille = 0;
	world_run(&w, 120000);
	assert_int_equal(w.m.status.weight, 2);
	assert_int_equal(w.m.status.verified_weight, 0);
	w.forced_permille = -1;
	w.total = w.canary = 0;
	scene_until(&w, ROLLOUT_HOLDING);
	world_release(&w);
}

static void test_an_odd_share_of_few_requests_waits_30_s(void **state)
{
	struct world w;

	(void)state;
	asked_for_25(&w, 0);
	w.requests_per_s = 6; /* 50 after 8 s, 200 after 33 s */
	w.forced_permille = 0;
	world_run(&w, 20000);
	assert_int_equal(w.m.status.verified_weight, 0);
	world_run(&w, 15000);
	assert_int_equal(w.m.status.verified_weight, 25);
	world_release(&w);
}

static void test_a_route_with_a_problem_is_not_in_force(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.route_dead = true;
	world_run(&w, 60000);
	assert_int_equal(w.m.status.weight, 25);
	assert_int_equal(w.m.status.verified_weight, 0);
	assert_string_equal(scene_state(&w, "TrafficInForce"), "False");
	assert_string_equal(scene_reason(&w, "Ready"), "TrafficNotInForce");
	assert_int_equal(world_ready(&w, OLD), 4);
	world_release(&w);
}

static void test_pods_of_both_sides_stay_until_the_weight_is_seen(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	w.route_dead = true;
	world_run(&w, 60000);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(world_pod_of(&w, OLD, i)->pod.leaving_since_ms, 0);
	world_release(&w);
}

/* --- matrix ------------------------------------------------------------------------------ */

static int cell_share(const struct world *w, const char *revision, const char *zone)
{
	for (unsigned i = 0; i < w->plan.nweights; i++)
		if (str_eq(w->plan.weights[i].revision, revision) &&
		    str_eq(w->plan.weights[i].zone, zone))
			return w->plan.weights[i].weight;
	return -1;
}

static void zoned(struct world *w, int replicas, unsigned zones)
{
	world_init(w, 1);
	w->m.replicas = replicas;
	world_zones(w, zones);
	world_first_release(w);
	w->dirty = true;
	world_settle(w);
}

static void test_a_share_is_split_by_pods_and_sums_to_10000(void **state)
{
	struct world w;

	(void)state;
	zoned(&w, 7, 3);
	assert_int_equal(cell_share(&w, OLD, "z0"), 4286); /* 3 of 7, the remainders' rest too */
	assert_int_equal(cell_share(&w, OLD, "z1"), 2857);
	assert_int_equal(cell_share(&w, OLD, "z2"), 2857);
	world_release(&w);
}

static void test_a_zone_without_ready_pods_gets_nothing(void **state)
{
	struct world w;

	(void)state;
	zoned(&w, 3, 3);
	w.chaos = true;
	for (unsigned i = 0; i < 3; i++) {
		struct world_pod *p = world_pod_of(&w, OLD, i);

		if (str_eq(w.cells[p->cell].zone, "z1"))
			p->pod.ready = false;
	}
	world_plan(&w);
	assert_int_equal(cell_share(&w, OLD, "z1"), -1);
	assert_int_equal(cell_share(&w, OLD, "z0"), 5000);
	assert_int_equal(cell_share(&w, OLD, "z2"), 5000);
	world_release(&w);
}

static void set_ready(struct world *w, const char *revision, bool ready)
{
	for (unsigned i = 0; world_pod_of(w, revision, i); i++)
		world_pod_of(w, revision, i)->pod.ready = ready;
}

static void test_a_side_without_ready_pods_leaves_its_share_to_the_other(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	set_ready(&w, NEW, false);
	world_plan(&w);
	assert_int_equal(world_plan_share(&w, OLD), 10000);
	set_ready(&w, NEW, true);
	set_ready(&w, OLD, false);
	world_plan(&w);
	assert_int_equal(world_plan_share(&w, NEW), 10000);
	set_ready(&w, NEW, false);
	world_plan(&w);
	assert_int_equal(w.plan.nweights, 0); /* the route is left as it stands */
	world_release(&w);
}

static void test_a_superseded_first_release_serves_until_there_is_another(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	world_zones(&w, 2);
	w.load_jitter_ms = 20000;
	world_settle(&w);
	while (world_ready(&w, OLD) < 3)
		world_run(&w, 500);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	assert_string_equal(w.m.status.target, NEW);
	assert_int_equal(world_plan_share(&w, OLD), 10000);
	w.chaos = true;
	for (unsigned i = 0; world_pod_of(&w, OLD, i); i++)
		if (str_eq(w.cells[world_pod_of(&w, OLD, i)->cell].zone, "z1"))
			world_pod_of(&w, OLD, i)->pod.ready = false;
	world_plan(&w);
	assert_int_equal(cell_share(&w, OLD, "z0"), 10000);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	world_release(&w);
}

static void test_a_broken_stable_does_not_block_its_successor(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.chaos = true;
	w.broken = OLD;
	for (unsigned i = 0; i < 4; i++) {
		struct world_pod *p = world_pod_of(&w, OLD, i);

		p->pod.ready = false;
		p->ready_ms = 0;
	}
	w.chaos = false;
	w.excused = true;
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	scene_until(&w, ROLLOUT_HOLDING);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_int_equal(world_ready(&w, NEW), 4);
	world_release(&w);
}

static void test_the_route_is_not_rewritten_for_small_shifts(void **state)
{
	struct world w;
	unsigned writes;
	struct world_pod *p;

	(void)state;
	zoned(&w, 24, 3);
	writes = w.route_writes;
	w.chaos = true;
	p = world_pod_of(&w, OLD, 0);
	p->pod.ready = false; /* 7:8:8 in place of 8:8:8 */
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.route_writes, writes);
	for (unsigned i = 0, off = 0; off < 5; i++) {
		p = world_pod_of(&w, OLD, i);
		if (str_eq(w.cells[p->cell].zone, "z0") && p->pod.ready) {
			p->pod.ready = false;
			off++;
		}
	}
	w.dirty = true;
	world_settle(&w);
	assert_int_equal(w.route_writes, writes + 1); /* 2:8:8 is another matter */
	world_release(&w);
}

static void test_a_zone_is_emptied_before_its_last_pod_leaves(void **state)
{
	struct world w;

	(void)state;
	zoned(&w, 4, 2);
	w.m.zones[1].role = ZONE_STANDBY;
	world_touch(&w);
	world_run(&w, 60000); /* the world would tell of a request to an empty cell */
	assert_int_equal(cell_share(&w, OLD, "z0"), 10000);
	assert_int_equal(world_pods(&w, OLD), 4);
	assert_true(w.min_ready >= 4 && w.max_pods <= 5);
	world_release(&w);
}

static void test_a_new_zone_gets_pods_only_of_the_revision_that_can_be_made(void **state)
{
	struct world w;

	(void)state;
	zoned(&w, 4, 2);
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_settle(&w);
	world_zones(&w, 3);
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 30000);
	assert_string_equal(w.m.status.stable, NEW);
	for (unsigned i = 0; i < w.plan.ncells; i++)
		assert_false(str_eq(w.plan.cells[i].revision, OLD) &&
		             str_eq(w.plan.cells[i].zone, "z2"));
	assert_true(cell_share(&w, NEW, "z2") > 0);
	world_release(&w);
}

static void test_zones_that_are_all_renamed_do_not_strand_stable(void **state)
{
	struct world w;

	(void)state;
	zoned(&w, 4, 2);
	world_steps(&w, two_steps, 2);
	world_spec(&w, NEW, "v2");
	world_zones(&w, 0);
	scene_until(&w, ROLLOUT_HOLDING);
	assert_true(world_ready(&w, OLD) >= 3);
	scene_until(&w, ROLLOUT_IDLE);
	world_release(&w);
}

static int pods_in(const struct world *w, const char *zone)
{
	int n = 0;

	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && str_eq(w->cells[i].zone, zone))
			n += cell_pods(w, i, pod_live);
	return n;
}

static void zone_becomes(struct world *w, struct mdep_zone_status *z, enum zone_state state,
                         int percent)
{
	z->state = state;
	z->percent = percent;
	w->zones = (struct rollout_zones){
		.known = true, .v = z, .n = state != ZONE_HEALTHY, .text = ""};
	world_touch(w);
	world_run(w, 60000);
}

static void test_a_standby_zone_serves_while_another_is_out(void **state)
{
	struct mdep_zone_status out = {.name = "z0", .reason = ""};
	struct world w;

	(void)state;
	zoned(&w, 6, 3);
	w.m.zones[2].role = ZONE_STANDBY;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(pods_in(&w, "z2"), 0);
	zone_becomes(&w, &out, ZONE_EVACUATED, 0);
	for (unsigned i = 0; i < w.nroute; i++)
		assert_string_not_equal(w.cells[w.route[i].cell].zone, out.name);
	assert_int_equal(pods_in(&w, "z2"), 3);
	assert_int_equal(pods_in(&w, "z1"), 3);
	assert_int_equal(pods_in(&w, "z0"), 3); /* left alone */
	assert_true(cell_share(&w, OLD, "z0") <= 0);
	assert_int_equal(cell_share(&w, OLD, "z2"), 5000);
	zone_becomes(&w, &out, ZONE_FAILBACK, 25);
	assert_int_equal(pods_in(&w, "z2"), 3);
	assert_true(cell_share(&w, OLD, "z0") > 0);
	zone_becomes(&w, &out, ZONE_HEALTHY, 100);
	assert_int_equal(pods_in(&w, "z2"), 0);
	assert_int_equal(pods_in(&w, "z0"), 3);
	assert_true(w.min_ready >= 6);
	world_release(&w);
}

/* No replicas are wanted: nothing is kept in a zone that was left, nor made there before it is
 * back. */
static void test_replicas_0_empties_a_zone_that_was_left(void **state)
{
	struct mdep_zone_status out = {.name = "z0", .reason = ""};
	struct world w;

	(void)state;
	zoned(&w, 6, 3);
	zone_becomes(&w, &out, ZONE_EVACUATED, 0);
	assert_int_equal(pods_in(&w, "z0"), 2);
	w.m.replicas = 0;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(pods_in(&w, "z0"), 0);
	assert_int_equal(world_pods(&w, OLD), 0);
	w.m.replicas = 6;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(pods_in(&w, "z0"), 0);
	assert_int_equal(world_ready(&w, OLD), 6);
	zone_becomes(&w, &out, ZONE_HEALTHY, 100);
	assert_int_equal(pods_in(&w, "z0"), 2);
	world_release(&w);
}

static int serving_in(const struct world *w, const char *zone)
{
	int n = 0;

	for (unsigned i = 0; i < WORLD_PODS; i++)
		n += w->pods[i].used && pod_is_in_service(&w->pods[i].pod) &&
		     str_eq(w->cells[w->pods[i].cell].zone, zone);
	return n;
}

/* The order to have no pods is taken back when they are out of service and still there. */
static void test_pods_of_a_left_zone_come_back_into_service(void **state)
{
	struct mdep_zone_status out = {.name = "z0", .reason = ""};
	struct world w;

	(void)state;
	zoned(&w, 6, 3);
	zone_becomes(&w, &out, ZONE_EVACUATED, 0);
	w.m.replicas = 0;
	world_touch(&w);
	world_run(&w, 1000);
	assert_int_equal(serving_in(&w, "z0"), 0);
	assert_int_equal(pods_in(&w, "z0"), 2);
	w.m.replicas = 6;
	world_touch(&w);
	world_run(&w, 60000);
	assert_int_equal(serving_in(&w, "z0"), 2);
	zone_becomes(&w, &out, ZONE_HEALTHY, 100);
	assert_true(cell_share(&w, OLD, "z0") > 0);
	world_release(&w);
}

/* From its first release in z0 on, into the next one, when z0 is left. */
static void leave_z0_in_mid_release(struct world *w)
{
	static const struct mdep_step steps[] = {{.weight = 20, .approval = true}, {.weight = 100}};
	struct mdep_zone_status out = {.name = "z0", .reason = ""};

	w->requests_per_s = 100;
	world_first_release(w);
	assert_int_equal(pods_in(w, "z0"), w->m.replicas);
	assert_int_equal(pods_in(w, "z1"), 0);
	world_steps(w, steps, 2);
	world_spec(w, NEW, "v2");
	scene_until(w, ROLLOUT_APPROVAL);
	zone_becomes(w, &out, ZONE_EVACUATED, 0);
	assert_true(cell_share(w, OLD, "z1") >= 7900);
}

/* In mid-release the stable revision's template is known no more, but its ReplicaSet is there. */
static void test_a_standby_zone_serves_the_stable_revision_in_mid_release(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	world_zones(&w, 2);
	w.m.zones[1].role = ZONE_STANDBY;
	leave_z0_in_mid_release(&w);
	assert_true(cell_share(&w, NEW, "z1") > 0);
	world_release(&w);
}

/* So it is with an Active zone for which there were too few replicas. */
static void test_a_zone_without_pods_can_be_gone_to_in_mid_release(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	world_zones(&w, 2);
	w.m.replicas = 1;
	leave_z0_in_mid_release(&w);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_counters_the_gateway_gets_a_moment),
		cmocka_unit_test(test_a_new_cell_gets_no_weight_before_its_endpoint_is_known),
		cmocka_unit_test(test_enough_requests_verify_at_once),
		cmocka_unit_test(test_chance_is_not_taken_for_a_contradiction),
		cmocka_unit_test(test_a_weight_taken_back_unseen_may_have_been_in_force),
		cmocka_unit_test(test_too_few_requests_verify_after_10_s),
		cmocka_unit_test(test_counters_that_contradict_keep_the_weight_unverified),
		cmocka_unit_test(test_a_share_that_is_too_great_is_no_proof_either),
		cmocka_unit_test(test_a_small_weight_needs_a_request_that_arrived),
		cmocka_unit_test(test_an_odd_share_of_few_requests_waits_30_s),
		cmocka_unit_test(test_a_route_with_a_problem_is_not_in_force),
		cmocka_unit_test(test_pods_of_both_sides_stay_until_the_weight_is_seen),
		cmocka_unit_test(test_a_share_is_split_by_pods_and_sums_to_10000),
		cmocka_unit_test(test_a_zone_without_ready_pods_gets_nothing),
		cmocka_unit_test(test_a_side_without_ready_pods_leaves_its_share_to_the_other),
		cmocka_unit_test(test_a_superseded_first_release_serves_until_there_is_another),
		cmocka_unit_test(test_a_broken_stable_does_not_block_its_successor),
		cmocka_unit_test(test_the_route_is_not_rewritten_for_small_shifts),
		cmocka_unit_test(test_a_zone_is_emptied_before_its_last_pod_leaves),
		cmocka_unit_test(test_a_new_zone_gets_pods_only_of_the_revision_that_can_be_made),
		cmocka_unit_test(test_zones_that_are_all_renamed_do_not_strand_stable),
		cmocka_unit_test(test_a_standby_zone_serves_while_another_is_out),
		cmocka_unit_test(test_replicas_0_empties_a_zone_that_was_left),
		cmocka_unit_test(test_pods_of_a_left_zone_come_back_into_service),
		cmocka_unit_test(test_a_standby_zone_serves_the_stable_revision_in_mid_release),
		cmocka_unit_test(test_a_zone_without_pods_can_be_gone_to_in_mid_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
