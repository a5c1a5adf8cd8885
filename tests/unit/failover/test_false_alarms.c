/* A day each of what is no outage, on the virtual clock: nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/failover/tally.h"
#include "world.h"

#define MINUTE    60000LL
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define OBSERVERS 3

/* Answers take 600 to 800 ms: the repeated probes, with 700 ms, are often too late. */
static void test_jitter_of_200_ms(void **st)
{
	(void)st;
	world(3, 4);
	w.delay_ms = 500;
	w.jitter_ms = 200;
	w.loss = 2;
	run(DAY);
	assert_int_equal(w.evacuations, 0);
}

/* Each node is drained and back after a while: one pod of four is gone, one zone after the other.
 */
static void test_rolling_node_drains(void **st)
{
	(void)st;
	world(3, 4);
	w.loss = 2;
	for (int64_t end = w.now + DAY; w.now < end;)
		for (int z = 0; z < 3; z++)
			for (int i = 0; i < 4; i++) {
				w.pods[z][i].refuses = true;
				run(45000);
				w.pods[z][i].refuses = false;
				run(15000);
			}
	assert_int_equal(w.evacuations, 0);
}

/* Nothing of it is in force at the gateway while it starts. */
static void test_gateway_restarts_every_hour(void **st)
{
	(void)st;
	world(3, 4);
	w.loss = 2;
	for (int hour = 0; hour < 24; hour++) {
		run(HOUR - 30000);
		for (int64_t end = w.now + 30000; w.now < end;) {
			w.route[0] = w.route[1] = w.route[2] = false;
			run(TICK_MS);
		}
	}
	assert_int_equal(w.evacuations, 0);
}

/* Nothing is decided meanwhile, and nothing of what was seen meanwhile is held against a zone. */
static void test_api_server_is_out_for_five_minutes_every_hour(void **st)
{
	(void)st;
	world(3, 4);
	w.loss = 10;
	for (int hour = 0; hour < 24; hour++) {
		run(HOUR - 5 * MINUTE);
		for (int64_t end = w.now + 5 * MINUTE; w.now < end; w.now += TICK_MS) {
			for (int z = 0; z < 3; z++)
				for (int i = 0; i < 4; i++)
					probe_pod(&w.pods[z][i]);
			look(true);
		}
	}
	assert_int_equal(w.evacuations, 0);
}

/* --- one replica with a broken network ---------------------------------------------------------
 */

/*
 * Observer 0 loses one probe in two and stands in zone a, the others see as it is. Each has probes
 * of its own; the leader is the broken one for a day, then another.
 */
static struct pod seen[OBSERVERS][3][PODS_MAX];

static void facts_by(int observer, struct zone_facts *facts)
{
	struct pod own[3][PODS_MAX];

	memcpy(own, w.pods, sizeof(own));
	memcpy(w.pods, seen[observer], sizeof(own));
	for (int z = 0; z < 3; z++)
		facts[z] = facts_of(z);
	memcpy(w.pods, own, sizeof(own));
}

struct ballot {
	struct vote vote;
	struct vote_sum sums[3];
	struct vote_entry entries[3];
};

static void cast(int observer, struct ballot *b)
{
	struct zone_facts f[3];

	facts_by(observer, f);
	*b = (struct ballot){.vote = {.zone = names[observer], .nsums = 3, .nentries = 3}};
	for (int z = 0; z < 3; z++) {
		b->sums[z] = (struct vote_sum){names[z], f[z].pods, f[z].shaky, f[z].failing};
		b->entries[z] =
			(struct vote_entry){"shop/m",
		                            names[z],
		                            f[z].pods,
		                            f[z].shaky,
		                            f[z].failing,
		                            f[z].ready,
		                            f[z].good_since_ms ? w.now - f[z].good_since_ms : -1,
		                            f[z].served};
	}
	b->vote.sums = b->sums;
	b->vote.entries = b->entries;
}

static void count(int leader, struct tally *t)
{
	static struct ballot ballots[OBSERVERS];
	struct tally_other others[OBSERVERS - 1];
	struct zone_facts own[3];
	int serving[3] = {4, 4, 4};
	struct tally_input in = {.mono_ms = w.now,
	                         .now_ms = w.now,
	                         .model = "shop/m",
	                         .nzones = 3,
	                         .own = own,
	                         .serving = serving,
	                         .own_zone = names[leader],
	                         .others = others,
	                         .contact_ms = w.now - DAY};

	facts_by(leader, own);
	for (int i = 0; i < OBSERVERS; i++) {
		if (i == leader)
			continue;
		cast(i, &ballots[i]);
		others[in.nothers++] = (struct tally_other){&ballots[i].vote, w.now - 500};
	}
	tally_count(&in, t);
}

static void look_together(int leader)
{
	struct failover_input in = {.now_ms = w.now, .mdep = &w.m, .nzones = 3};
	struct failover_plan plan;
	struct tally t;

	count(leader, &t);
	in.zones = t.zones;
	in.blind = t.blind;
	failover_step(&in, &plan);
	note_events(&plan);
	w.m.status.nzones = plan.nzones;
	memcpy(w.records, plan.zones, sizeof(plan.zones));
}

static void probe_together(void)
{
	for (int o = 0; o < OBSERVERS; o++) {
		w.loss = o == 0 ? 500 : 10;
		for (int z = 0; z < 3; z++)
			for (int i = 0; i < w.per_zone; i++)
				probe_pod(&seen[o][z][i]);
	}
}

static void watch_together(int leader, int64_t ms)
{
	for (int64_t end = w.now + ms; w.now < end; w.now += TICK_MS) {
		probe_together();
		look_together(leader);
		w.events[0] = '\0';
	}
}

static void test_one_replica_with_a_broken_network(void **st)
{
	(void)st;
	for (int leader = 0; leader < 2; leader++) {
		world(3, 4);
		for (int o = 0; o < OBSERVERS; o++)
			memcpy(seen[o], w.pods, sizeof(w.pods));
		watch_together(leader, DAY);
		assert_int_equal(w.evacuations, 0);
	}
}

/* That it sees nothing wrong is no blindness: a zone that is dark for all is left all the same. */
static void test_a_dark_zone_is_left_beside_a_broken_replica(void **st)
{
	(void)st;
	world(3, 4);
	for (int o = 0; o < OBSERVERS; o++)
		memcpy(seen[o], w.pods, sizeof(w.pods));
	watch_together(1, MINUTE);
	for (int o = 0; o < OBSERVERS; o++)
		for (int i = 0; i < 4; i++)
			seen[o][2][i].gone = true;
	watch_together(1, 5000);
	assert_int_equal(percent(2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jitter_of_200_ms),
		cmocka_unit_test(test_rolling_node_drains),
		cmocka_unit_test(test_gateway_restarts_every_hour),
		cmocka_unit_test(test_api_server_is_out_for_five_minutes_every_hour),
		cmocka_unit_test(test_one_replica_with_a_broken_network),
		cmocka_unit_test(test_a_dark_zone_is_left_beside_a_broken_replica),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
