/* Few cards, and hands that are not ours: nothing dead-locks, and what is waited for is told. */
#include "scene.h"

static const struct mdep_step straight[] = {{.weight = 25}, {.weight = 50}, {.weight = 100}};

/* Six pods on exactly six cards. */
static void six_on_six(struct world *w, int surge)
{
	world_init(w, 11);
	w->m.replicas = w->cards = 6;
	w->m.gpu.count = 1;
	w->requests_per_s = 100;
	w->m.max_surge.value = surge;
	world_first_release(w);
	world_steps(w, straight, 3);
	world_spec(w, NEW, "v2");
	world_settle(w);
}

static void test_maxSurge_0_swaps_in_place_on_the_cards_that_are_there(void **state)
{
	struct world w;

	(void)state;
	six_on_six(&w, 0);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_true(w.min_ready >= 5 && w.max_pods <= 6);
	world_release(&w);
}

/*
 * Without steps, on cards of which one may be missing: the last stable pod keeps its share until
 * the new version has been looked at beside it for 30 s. With the only card there is no choice.
 */
static void test_a_first_new_pod_never_takes_all(void **state)
{
	static const struct {
		int replicas, share; /* of the new version, while the last stable pod is there */
	} rows[] = {{2, 50}, {3, 66}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		int64_t since;

		world_init(&w, 11);
		w.m.replicas = w.cards = rows[i].replicas;
		w.requests_per_s = 100;
		w.m.max_surge.value = 0;
		w.m.max_unavailable.value = 1;
		world_first_release(&w);
		world_spec(&w, NEW, "v2");
		while (w.m.status.verified_weight < rows[i].share) {
			assert_in_range(w.m.status.weight, 0, rows[i].share);
			world_run(&w, 500);
		}
		since = w.now;
		assert_int_equal(world_ready(&w, OLD), 1);
		world_run(&w, 25000);
		assert_int_equal(w.m.status.weight, rows[i].share);
		assert_int_equal(world_ready(&w, OLD), 1);
		scene_until(&w, ROLLOUT_IDLE);
		assert_in_range(w.now - since, 28000, 60000);
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.min_ready >= rows[i].replicas - 1);
		world_release(&w);
	}
}

/* What is looked at there is judged: half of the requests, not all, went to a bad version. */
static void test_a_bad_first_pod_is_taken_back_from_half(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 11);
	w.m.replicas = w.cards = 2;
	w.requests_per_s = 100;
	w.m.max_surge.value = 0;
	w.m.max_unavailable.value = 1;
	world_first_release(&w);
	world_spec(&w, NEW, "v2");
	while (w.m.status.verified_weight < 50)
		world_run(&w, 500);
	world_run(&w, 10000);
	w.verdict = VERDICT_FAIL;
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	world_run(&w, 30000);
	assert_int_equal(world_ready(&w, OLD), 2);
	assert_true(w.min_ready >= 1);
	world_release(&w);
}

static void test_surge_without_a_spare_card_says_what_it_waits_for(void **state)
{
	const struct mdep_condition *c;
	struct world w;
	unsigned writes;

	(void)state;
	six_on_six(&w, 1);
	world_run(&w, 60000);
	c = world_condition(&w, "Waiting");
	assert_non_null(c);
	assert_string_equal(c->reason, "NoFreeCard");
	assert_non_null(strstr(c->message, "revision " NEW " that get no node: 1"));
	assert_non_null(strstr(c->message, "7 of 7 places (replicas 6 + maxSurge 1)"));
	assert_non_null(strstr(c->message, "with maxSurge 0"));
	writes = w.status_writes;
	world_run(&w, 60000);
	assert_int_equal(w.status_writes, writes);
	/* The advice is good. */
	w.m.max_surge.value = 0;
	world_touch(&w);
	scene_until(&w, ROLLOUT_IDLE);
	assert_string_equal(w.m.status.stable, NEW);
	assert_null(world_condition(&w, "Waiting"));
	assert_true(w.min_ready >= 5);
	world_release(&w);
}

/* Surge that there is no card for is neither waited for nor asked for. */
static void test_surge_without_a_spare_card_swaps_in_place_within_maxUnavailable(void **state)
{
	static const struct {
		int replicas, cards, surge, unavailable, most, least;
	} rows[] = {
		{2, 2, 1, 1, 2, 1},    {6, 6, 1, 1, 6, 5}, {6, 6, 3, 1, 6, 5},
		{6, 6, 2, 2, 6, 4},    {6, 7, 3, 1, 7, 5}, {6, 7, 3, 0, 7, 6},
		{10, 11, 5, 1, 11, 9}, {2, 3, 1, 1, 3, 1}, {6, 100, 3, 0, 9, 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_init(&w, 11);
		w.m.replicas = rows[i].replicas;
		w.cards = rows[i].cards;
		w.m.max_surge.value = rows[i].surge;
		w.m.max_unavailable.value = rows[i].unavailable;
		w.requests_per_s = 100;
		world_first_release(&w);
		world_steps(&w, straight, 3);
		world_spec(&w, NEW, "v2");
		world_settle(&w);
		for (int t = 0; t < 1200 && w.m.status.phase != ROLLOUT_IDLE; t++) {
			world_run(&w, 500);
			assert_null(world_condition(&w, "Waiting"));
		}
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.max_pods <= rows[i].most);
		assert_true(w.min_ready >= rows[i].least);
		world_release(&w);
	}
}

/* A card that others take in between is not counted on, and one that they leave is used. */
static void test_cards_that_others_take_and_leave_hold_nothing_up(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		int all;

		world_init(&w, seed);
		w.m.replicas = 2 + (int)world_random(&w, 8);
		all = w.cards = w.m.replicas + 2;
		w.m.max_surge.value = 2;
		w.m.max_unavailable.value = 1;
		w.requests_per_s = 50;
		world_zones(&w, (unsigned)world_random(&w, 3));
		w.cards_tied = true;
		world_first_release(&w);
		world_steps(&w, straight, 3);
		world_spec(&w, NEW, "v2");
		world_settle(&w);
		for (int t = 0; t < 300 && w.m.status.phase != ROLLOUT_IDLE; t++) {
			world_run(&w, 2000);
			w.cards = all - (int)world_random(&w, 3);
			w.dirty = true;
		}
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.min_ready >= w.m.replicas - 1);
		world_release(&w);
	}
}

static void test_without_a_card_the_deadline_ends_it_and_stable_is_untouched(void **state)
{
	struct world w;

	(void)state;
	six_on_six(&w, 1);
	scene_until(&w, ROLLOUT_ROLLED_BACK);
	assert_string_equal(w.m.status.reason, "ProgressDeadlineExceeded");
	assert_int_equal(world_ready(&w, OLD), 6);
	assert_int_equal(w.min_ready, 6);
	world_release(&w);
}

/* The card that surge had is gone when the version turns out bad, and none may be missing. */
static void test_a_rollback_without_a_spare_card_swaps_back(void **state)
{
	static const struct mdep_step half[] = {{.weight = 50, .hold_ms = 60000}, {.weight = 100}};

	(void)state;
	for (int zones = 0; zones < 3; zones++) {
		struct world w;

		world_init(&w, 11);
		w.m.replicas = 6;
		w.cards = 8;
		w.m.max_surge.value = 2;
		w.requests_per_s = 100;
		world_zones(&w, (unsigned)zones);
		w.cards_tied = true;
		world_first_release(&w);
		world_steps(&w, half, 2);
		world_spec(&w, NEW, "v2");
		scene_until(&w, ROLLOUT_HOLDING);
		world_run(&w, 20000);
		assert_true(world_ready(&w, OLD) < 6);
		w.cards = 6;
		w.verdict = VERDICT_FAIL;
		w.dirty = true;
		scene_until(&w, ROLLOUT_ROLLED_BACK);
		world_run(&w, 20000);
		assert_int_equal(world_ready(&w, OLD), 6);
		assert_string_equal(w.m.status.reason, "JudgeFailed");
		world_release(&w);
	}
}

static void test_new_pods_that_do_not_come_up_are_waited_for_by_name(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	w.broken = NEW;
	world_steps(&w, straight, 3);
	world_spec(&w, NEW, "v2");
	world_run(&w, 90000);
	assert_string_equal(scene_reason(&w, "Waiting"), "NewPodsNotReady");
	assert_non_null(
		strstr(world_condition(&w, "Waiting")->message,
	               "new pods: 0 of 1 ready, old pods: 4 ready, 4 needed; 5 of 5 places"));
	world_release(&w);
}

static void test_nothing_is_said_while_things_move(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, straight, 3);
	for (int i = 0; i < 400 && w.m.status.phase != ROLLOUT_IDLE; i++) {
		world_run(&w, 500);
		assert_null(world_condition(&w, "Waiting"));
	}
	world_release(&w);
}

/* As many cards as pods or some more, of any number, in any zones, over any steps: it always gets
 * there. */
static void test_any_release_on_just_enough_cards_completes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct mdep_step steps[3] = {{.weight = 1 + (int)(seed % 40)},
		                             {.weight = 41 + (int)(seed % 30)},
		                             {.weight = 100}};
		struct world w;

		world_init(&w, seed);
		w.m.replicas = w.cards = 1 + (int)world_random(&w, 16);
		w.m.max_surge.value = w.m.replicas > 1 ? (int)world_random(&w, 3) : 0;
		w.m.max_unavailable.value = (w.m.max_surge.value > 0) + (int)world_random(&w, 3);
		w.cards += (int)world_random(&w, (uint64_t)w.m.max_surge.value + 1);
		w.load_jitter_ms = (int64_t)world_random(&w, 5000);
		w.end_ms = 500 + (int64_t)world_random(&w, 8000);
		w.requests_per_s = world_random(&w, 2) ? 50 : 0;
		steps[0].capacity.value = (int)world_random(&w, 6);
		world_zones(&w, (unsigned)world_random(&w, 4));
		w.cards_tied = seed % 2 || w.m.max_surge.value > 0;
		world_first_release(&w);
		world_steps(&w, steps, 3);
		world_spec(&w, NEW, "v2");
		world_settle(&w);
		scene_until(&w, ROLLOUT_IDLE);
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.max_pods <= w.m.replicas + w.m.max_surge.value);
		world_release(&w);
	}
}

/* --- a spare card in another zone -------------------------------------------------------- */

/* No pod may be missing, each zone has as many cards as pods, and one zone has some more. */
static void scene_spare(struct world *w, uint64_t seed)
{
	world_init(w, seed);
	world_zones(w, 2 + (unsigned)world_random(w, 3));
	w->m.replicas = w->cards = 1 + (int)world_random(w, 12);
	w->m.max_surge.value = 1 + (int)world_random(w, 2);
	w->m.max_unavailable.value = 0;
	w->spare_cards = 1 + (int)world_random(w, 2);
	w->spare_zone = (unsigned)world_random(w, w->m.nzones);
	w->cards_tied = true;
	w->load_jitter_ms = (int64_t)world_random(w, 5000);
	w->end_ms = 500 + (int64_t)world_random(w, 8000);
	w->requests_per_s = world_random(w, 2) ? 50 : 0;
	w->m.traffic = world_random(w, 3) ? TRAFFIC_HTTPROUTE : TRAFFIC_NONE;
	world_first_release(w);
}

static int pods_in(const struct world *w, const char *revision, unsigned zone)
{
	int n = 0;

	for (unsigned i = 0; i < WORLD_PODS; i++)
		n += w->pods[i].used && !w->pods[i].pod.meta.deleted_ms &&
		     str_eq(w->cells[w->pods[i].cell].revision, revision) &&
		     str_eq(w->cells[w->pods[i].cell].zone, w->m.zones[zone].name);
	return n;
}

static void test_a_spare_card_in_another_zone_carries_the_release(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct mdep_step steps[2] = {{.weight = 1 + (int)(seed % 40)},
		                             {.weight = 41 + (int)(seed % 59)}};
		int before[MDEP_ZONES_MAX];
		struct world w;

		scene_spare(&w, seed);
		for (unsigned i = 0; i < w.m.nzones; i++)
			before[i] = pods_in(&w, OLD, i);
		w.min_ready = w.m.replicas;
		world_steps(&w, steps, 2);
		world_spec(&w, NEW, "v2");
		world_settle(&w);
		scene_until(&w, ROLLOUT_IDLE);
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.min_ready >= w.m.replicas);
		assert_true(w.max_pods <= w.m.replicas + w.m.max_surge.value);
		/* In the end each zone has its part again. */
		world_run(&w, 300000);
		for (unsigned i = 0; i < w.m.nzones; i++)
			assert_int_equal(pods_in(&w, NEW, i), before[i]);
		world_release(&w);
	}
}

static void kill_some_pods(struct world *w)
{
	w->excused = true;
	for (unsigned n = (unsigned)world_random(w, 4); n > 0 && world_pods(w, NULL) > 0;) {
		struct world_pod *p = &w->pods[world_random(w, WORLD_PODS)];

		if (!pod_live(p))
			continue;
		world_kill(w, p);
		n--;
	}
}

/*
 * Pods of the target that carry nothing make way for those of stable; what carries its share stays
 * until those are ready, wherever there is a card for them.
 */
static void test_a_spare_card_in_another_zone_carries_the_way_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;

		scene_spare(&w, seed);
		world_steps(&w, (struct mdep_step[]){{.weight = 30}, {.weight = 80}}, 2);
		world_spec(&w, NEW, "v2");
		world_run(&w, 1000 + (int64_t)world_random(&w, 120000));
		if (w.m.status.phase == ROLLOUT_MOVING || w.m.status.phase == ROLLOUT_HOLDING) {
			world_order(&w, ORDER_ABORT, "now");
			kill_some_pods(&w);
			scene_until(&w, ROLLOUT_ABORTED);
			world_run(&w, 300000);
			assert_int_equal(world_ready(&w, OLD), w.m.replicas);
		}
		world_release(&w);
	}
}

/* All pods are made anew in mid-release: what is left of stable waits where the target has filled
 * up. */
static void test_a_release_from_nothing_goes_on(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		int replicas;

		scene_spare(&w, seed);
		world_steps(&w, (struct mdep_step[]){{.weight = 25}, {.weight = 75}}, 2);
		world_spec(&w, NEW, "v2");
		world_run(&w, 1000 + (int64_t)world_random(&w, 200000));
		replicas = w.m.replicas;
		w.m.replicas = 0;
		w.dirty = true;
		world_run(&w, 200000);
		w.m.replicas = replicas;
		w.excused = true;
		w.dirty = true;
		scene_until(&w, ROLLOUT_IDLE);
		world_run(&w, 300000);
		assert_int_equal(world_ready(&w, NEW), w.m.replicas);
		world_release(&w);
	}
}

/* The first pod is made when no room is known yet, and may wait where there is none. */
static void test_a_way_back_by_order_takes_cards_where_they_are(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;

		world_init(&w, seed);
		world_zones(&w, 2 + (unsigned)world_random(&w, 2));
		w.m.replicas = 2 + (int)world_random(&w, 9);
		w.cards = w.m.replicas + (int)world_random(&w, 2);
		w.m.max_surge.value = 1;
		w.m.max_unavailable.value = 1;
		w.cards_tied = true;
		w.load_jitter_ms = (int64_t)world_random(&w, 5000);
		w.requests_per_s = world_random(&w, 2) ? 50 : 0;
		world_first_release(&w);
		world_steps(&w, (struct mdep_step[]){{.weight = 40}}, 1);
		world_spec(&w, NEW, "v2");
		scene_until(&w, ROLLOUT_IDLE);
		world_run(&w, 60000);
		world_order(&w, ORDER_ROLLBACK_TO, OLD);
		scene_until(&w, ROLLOUT_ROLLED_BACK);
		world_run(&w, 300000);
		assert_int_equal(world_ready(&w, OLD), w.m.replicas);
		world_release(&w);
	}
}

/* Replicas that lost their place in one zone take what the other has: surge cannot have it, too. */
static void test_a_card_that_moves_to_another_zone_holds_nothing_up(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct world w;

		world_init(&w, seed);
		world_zones(&w, 2);
		w.m.replicas = w.cards = 4;
		w.m.max_surge.value = 2;
		w.m.max_unavailable.value = 1;
		w.cards_tied = true;
		w.requests_per_s = 50;
		world_first_release(&w);
		world_steps(&w, (struct mdep_step[]){{.weight = 20}, {.weight = 60}}, 2);
		world_spec(&w, NEW, "v2");
		world_run(&w, 1000 * (int64_t)seed);
		w.cards = 2;
		w.spare_cards = 2;
		w.spare_zone = seed % 2;
		w.dirty = true;
		scene_until(&w, ROLLOUT_IDLE);
		assert_string_equal(w.m.status.stable, NEW);
		world_release(&w);
	}
}

/* --- cards of lower priority ------------------------------------------------------------- */

/* Pods die at random until those of the zone are no more than its cards. */
static void lose_cards(struct world *w)
{
	w->excused = true;
	while (free_cards(w, "z0") < 0) {
		struct world_pod *p = &w->pods[world_random(w, WORLD_PODS)];

		if (pod_live(p))
			p->used = false;
	}
	w->dirty = true;
}

/*
 * A step is held with all pods in one zone. Then another is to have its part again, but pods of
 * lower priority hold its cards, and the first one has no more than its own part.
 */
static void scene_lower(struct world *w, uint64_t seed, const struct mdep_step *steps, unsigned n)
{
	world_init(w, seed);
	world_zones(w, 2);
	w->m.replicas = w->cards = 3 + (int)world_random(w, 8);
	w->m.max_surge.value = 1 + (int)world_random(w, 2);
	w->m.max_unavailable.value = 1;
	w->cards_tied = true;
	w->load_jitter_ms = (int64_t)world_random(w, 5000);
	w->requests_per_s = 50;
	world_first_release(w);
	world_zones(w, 1);
	world_run(w, 120000);
	world_steps(w, steps, n);
	world_spec(w, NEW, "v2");
	scene_until(w, ROLLOUT_HOLDING);
	world_zones(w, 2);
	w->lower_zone = 1;
	w->lower_cards = w->m.replicas / 2;
	lose_cards(w);
}

static void test_cards_of_lower_priority_in_another_zone_carry_the_release(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 10, .hold_ms = 60000}, {.weight = 50}};

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;

		scene_lower(&w, seed, steps, 2);
		scene_until(&w, ROLLOUT_IDLE);
		assert_string_equal(w.m.status.stable, NEW);
		assert_true(w.max_pods <= w.m.replicas + w.m.max_surge.value);
		world_run(&w, 300000);
		assert_int_equal(world_ready(&w, NEW), w.m.replicas);
		world_release(&w);
	}
}

/* All but the one that may be missing, and one more whose card a broken pod may hold. */
static void test_cards_of_lower_priority_in_another_zone_make_stable_whole(void **state)
{
	static const struct mdep_step steps[] = {{.weight = 10, .hold_ms = 300000}, {.weight = 50}};

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world_pod *p;
		struct world w;

		scene_lower(&w, seed, steps, 2);
		w.broken = NEW;
		p = world_pod_of(&w, NEW, 0);
		if (p) {
			p->pod.ready = false;
			p->ready_ms = p->pod.ready_since_ms = 0;
		}
		world_run(&w, 120000);
		assert_true(world_ready(&w, OLD) >= w.m.replicas - 2);
		world_release(&w);
	}
}

/* --- hands that are not ours ------------------------------------------------------------- */

static struct world_cell *cell_of(struct world *w, const char *revision)
{
	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && str_eq(w->cells[i].revision, revision))
			return &w->cells[i];
	return NULL;
}

static void hand_scales(struct world *w, const char *revision, int replicas)
{
	cell_of(w, revision)->spec = replicas;
	cell_of(w, revision)->edits++;
	w->dirty = true;
}

static void test_a_replicaset_scaled_up_by_hand_is_put_back_with_an_event(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	hand_scales(&w, OLD, 7);
	world_run(&w, 60000);
	assert_int_equal(world_pods(&w, OLD), 4);
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 1);
	world_release(&w);
}

static void test_a_replicaset_scaled_down_by_hand_is_put_back_with_an_event(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	world_pod_of(&w, OLD, 0)->pod.leaving_since_ms = w.now - 60000; /* kill what may be */
	hand_scales(&w, OLD, 3);
	world_run(&w, 30000);
	assert_int_equal(world_ready(&w, OLD), 4);
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 1);
	world_release(&w);
}

static void test_old_history_scaled_up_by_hand_gets_no_traffic_and_goes(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, straight, 3);
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 10000);
	hand_scales(&w, OLD, 2);
	for (int i = 0; i < 120; i++) {
		world_run(&w, 500);
		assert_int_equal(world_share(&w, OLD), 0);
	}
	assert_int_equal(world_pods(&w, OLD), 0);
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 1);
	world_release(&w);
}

static void hand_edits_template(struct world *w, const char *revision)
{
	cell_of(w, revision)->edits++;
	w->dirty = true;
}

static void test_a_pod_template_edited_by_hand_is_put_back_with_an_event(void **state)
{
	struct world w;

	(void)state;
	scene_stable(&w);
	hand_edits_template(&w, OLD);
	world_run(&w, 1000);
	assert_int_equal(cell_of(&w, OLD)->edits, 0);
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 1);
	assert_non_null(strstr(w.last_note, "pod template"));
	assert_string_equal(scene_state(&w, "TemplatesIntact"), "absent");
	hand_scales(&w, OLD, 5);
	hand_edits_template(&w, OLD);
	world_run(&w, 20000);
	assert_int_equal(cell_of(&w, OLD)->edits, 0);
	assert_int_equal(world_pods(&w, OLD), 4);
	world_release(&w);
}

/* Nobody knows any more what it was. */
static void test_an_edited_template_of_another_revision_is_told_of_while_it_has_pods(void **state)
{
	struct world w;

	(void)state;
	scene_release(&w, two_steps, 2);
	scene_until(&w, ROLLOUT_HOLDING);
	hand_scales(&w, OLD, 6);
	world_run(&w, 1000);
	assert_string_equal(scene_state(&w, "TemplatesIntact"), "absent");
	hand_edits_template(&w, OLD);
	world_run(&w, 1000);
	assert_string_equal(scene_reason(&w, "TemplatesIntact"), "TemplateEdited");
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 2);
	scene_until(&w, ROLLOUT_IDLE);
	world_run(&w, 20000);
	assert_string_equal(scene_reason(&w, "TemplatesIntact"), "AsWritten");
	assert_int_equal(world_count(&w, "ReplicaSetEdited"), 2);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maxSurge_0_swaps_in_place_on_the_cards_that_are_there),
		cmocka_unit_test(test_a_first_new_pod_never_takes_all),
		cmocka_unit_test(test_a_bad_first_pod_is_taken_back_from_half),
		cmocka_unit_test(test_surge_without_a_spare_card_says_what_it_waits_for),
		cmocka_unit_test(
			test_surge_without_a_spare_card_swaps_in_place_within_maxUnavailable),
		cmocka_unit_test(test_cards_that_others_take_and_leave_hold_nothing_up),
		cmocka_unit_test(test_without_a_card_the_deadline_ends_it_and_stable_is_untouched),
		cmocka_unit_test(test_a_rollback_without_a_spare_card_swaps_back),
		cmocka_unit_test(test_new_pods_that_do_not_come_up_are_waited_for_by_name),
		cmocka_unit_test(test_nothing_is_said_while_things_move),
		cmocka_unit_test(test_any_release_on_just_enough_cards_completes),
		cmocka_unit_test(test_a_release_from_nothing_goes_on),
		cmocka_unit_test(test_a_way_back_by_order_takes_cards_where_they_are),
		cmocka_unit_test(test_a_card_that_moves_to_another_zone_holds_nothing_up),
		cmocka_unit_test(test_a_spare_card_in_another_zone_carries_the_release),
		cmocka_unit_test(test_a_spare_card_in_another_zone_carries_the_way_back),
		cmocka_unit_test(test_cards_of_lower_priority_in_another_zone_carry_the_release),
		cmocka_unit_test(test_cards_of_lower_priority_in_another_zone_make_stable_whole),
		cmocka_unit_test(test_a_replicaset_scaled_up_by_hand_is_put_back_with_an_event),
		cmocka_unit_test(test_a_replicaset_scaled_down_by_hand_is_put_back_with_an_event),
		cmocka_unit_test(test_old_history_scaled_up_by_hand_gets_no_traffic_and_goes),
		cmocka_unit_test(test_a_pod_template_edited_by_hand_is_put_back_with_an_event),
		cmocka_unit_test(
			test_an_edited_template_of_another_revision_is_told_of_while_it_has_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
