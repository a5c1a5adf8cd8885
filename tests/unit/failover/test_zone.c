/*
 * The zones' state machine on a virtual clock: pods that are probed as signal/model_probe.h does,
 * zones that go dark, flap and come back. The names Axx are those of the acceptance catalogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/str.h"
#include "tidegate/failover/zone.h"

#define TICK_MS  100
#define START_MS 1700000000000
#define PODS_MAX 20
#define TIMEOUT  1000
#define DOUBT    700
#define PERIOD   1000
#define CONFIRM  3

struct pod {
	bool gone;       /* packets vanish */
	bool refuses;    /* answers at once, badly */
	int64_t next_ms; /* start of the next probe */
	int64_t end_ms;  /* of the probe under way; 0 = none */
	bool answers;    /* it was there when the probe began */
	unsigned failures;
	int64_t good_ms;
};

static struct world {
	int64_t now;
	struct mdep m;
	struct mdep_zone_status records[MDEP_ZONES_MAX]; /* its status's */
	struct pod pods[3][PODS_MAX];
	int per_zone, zones;
	unsigned loss; /* of 1000 probes */
	uint64_t seed;
	bool route[3]; /* carries the zone; follows the percent by 300 ms */
	int64_t route_ms[3];
	unsigned evacuations;
	char events[2048];
} w;

static const char *const names[] = {"a", "b", "c"};

static unsigned draw(unsigned n)
{
	w.seed = w.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(w.seed >> 33) % n;
}

static void world(int zones, int per_zone)
{
	memset(&w, 0, sizeof(w));
	w.now = START_MS;
	w.m.status.zones = w.records;
	w.seed = 7;
	w.zones = zones;
	w.per_zone = per_zone;
	w.m.replicas = zones * per_zone;
	w.m.failover.min_capacity = 60;
	w.m.failover.recover_after_ms = 60000;
	w.m.failover.ramp_ms = 40000;
	for (int z = 0; z < zones; z++) {
		w.route[z] = true;
		for (int i = 0; i < per_zone; i++) {
			w.pods[z][i].next_ms = w.now + (int64_t)draw(PERIOD);
			w.pods[z][i].good_ms = w.now;
		}
	}
}

static void probe_end(struct pod *p)
{
	bool ok = p->answers && draw(1000) >= w.loss;

	p->failures = ok ? 0 : p->failures + 1;
	p->good_ms = !ok ? 0 : p->good_ms ? p->good_ms : w.now;
	p->end_ms = 0;
	if (ok || p->failures >= CONFIRM)
		p->next_ms = w.now + PERIOD;
	else
		p->next_ms = p->refuses ? w.now + 300 : w.now;
}

static void probe_pod(struct pod *p)
{
	int64_t limit = p->failures && p->failures < CONFIRM ? DOUBT : TIMEOUT;

	if (p->end_ms && w.now >= p->end_ms)
		probe_end(p);
	if (p->end_ms || w.now < p->next_ms)
		return;
	p->answers = !p->gone && !p->refuses;
	p->end_ms = w.now + (p->gone ? limit : TICK_MS);
}

static struct zone_facts facts_of(int z)
{
	struct zone_facts f = {.name = names[z], .in_route = w.route[z]};

	for (int i = 0; i < w.per_zone; i++) {
		const struct pod *p = &w.pods[z][i];

		f.pods++;
		f.shaky += p->failures > 0;
		f.failing += p->failures >= CONFIRM;
		f.ready += !p->failures;
		if (i == 0 || !p->good_ms || (f.good_since_ms && p->good_ms > f.good_since_ms))
			f.good_since_ms = p->good_ms;
	}
	return f;
}

static enum zone_state state(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	return s ? s->state : ZONE_HEALTHY;
}

static int percent(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	return s ? mdep_zone_percent(s) : 100;
}

static void note_events(const struct failover_plan *plan)
{
	size_t used = strlen(w.events);

	for (unsigned i = 0; i < plan->nevents; i++) {
		w.evacuations += str_eq(plan->events[i].reason, "ZoneEvacuating") ||
		                 str_eq(plan->events[i].reason, "ZoneRelapsed");
		used += (size_t)snprintf(w.events + used, sizeof(w.events) - used, "%s:%s ",
		                         plan->events[i].zone, plan->events[i].reason);
		assert_true(used < sizeof(w.events));
	}
}

/* Never all zones, never two at once by our own doing. */
static void check_invariants(void)
{
	int out = 0;

	for (int z = 0; z < w.zones; z++)
		out += percent(z) == 0;
	assert_true(out <= 1);
}

static void look(bool blind)
{
	struct zone_facts facts[3];
	struct failover_input in = {.now_ms = w.now,
	                            .mdep = &w.m,
	                            .zones = facts,
	                            .nzones = (unsigned)w.zones,
	                            .blind = blind};
	struct failover_plan plan;

	for (int z = 0; z < w.zones; z++)
		facts[z] = facts_of(z);
	failover_step(&in, &plan);
	note_events(&plan);
	w.m.status.nzones = plan.nzones;
	memcpy(w.records, plan.zones, sizeof(plan.zones));
	check_invariants();
}

static void move_route(int z)
{
	bool want = percent(z) > 0;

	if (want == w.route[z])
		w.route_ms[z] = 0;
	else if (!w.route_ms[z])
		w.route_ms[z] = w.now + 300;
	else if (w.now >= w.route_ms[z])
		w.route[z] = want;
}

static void run(int64_t ms)
{
	for (int64_t end = w.now + ms; w.now < end; w.now += TICK_MS) {
		for (int z = 0; z < w.zones; z++)
			for (int i = 0; i < w.per_zone; i++)
				probe_pod(&w.pods[z][i]);
		for (int z = 0; z < w.zones; z++)
			move_route(z);
		look(false);
	}
}

static void dark(int z, bool gone)
{
	for (int i = 0; i < w.per_zone; i++)
		w.pods[z][i].gone = gone;
}

static int64_t until_out(int z, int64_t limit)
{
	int64_t from = w.now;

	while (w.route[z]) {
		if (w.now - from > limit)
			fail_msg("zone %s still has traffic after %lld ms: %s", names[z],
			         (long long)limit, w.events);
		run(TICK_MS);
	}
	return w.now - from;
}

/* --- catalogue --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void test_a1_black_holed_zone_is_left_in_time(void **st)
{
	int64_t took[60];

	(void)st;
	for (unsigned i = 0; i < 60; i++) {
		world(3, 4);
		w.seed = i;
		run(3000 + draw(1000));
		dark(0, true);
		took[i] = until_out(0, 10000);
	}
	qsort(took, 60, sizeof(took[0]), compare);
	assert_true(took[30] <= 4000);
	assert_true(took[59] <= 6000);
}

static void test_a2_refusing_zone_is_left_within_four_seconds(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	for (int i = 0; i < 4; i++)
		w.pods[1][i].refuses = true;
	assert_true(until_out(1, 4000) <= 4000);
}

static void test_a4_a5_only_most_of_the_pods_are_a_zone(void **st)
{
	static const struct {
		int failing;
		bool leaves;
	} rows[] = {{4, false}, {5, false}, {6, true}, {8, true}, {10, true}};

	(void)st;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		world(3, 10);
		run(3000);
		for (int i = 0; i < rows[r].failing; i++)
			w.pods[0][i].gone = true;
		run(20000);
		if ((percent(0) == 0) != rows[r].leaves)
			fail_msg("%d of 10 pods: %s", rows[r].failing, w.events);
	}
}

static void test_a6_flapping_is_damped(void **st)
{
	(void)st;
	world(3, 4);
	for (int i = 0; i < 120; i++) {
		dark(0, true);
		run(2000);
		dark(0, false);
		run(3000);
	}
	assert_true(w.evacuations <= 1);
}

static void test_a7_lost_probes_are_no_outage(void **st)
{
	(void)st;
	world(3, 4);
	w.loss = 10;
	run(24LL * 3600 * 1000);
	assert_int_equal(w.evacuations, 0);
}

static void test_a8_all_zones_dark_freezes(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	for (int z = 0; z < 3; z++)
		dark(z, true);
	run(60000);
	assert_int_equal(w.evacuations, 0);
	for (int z = 0; z < 3; z++)
		assert_int_equal(percent(z), 100);
	assert_int_equal(state(0), ZONE_FROZEN);
	for (int z = 0; z < 3; z++)
		dark(z, false);
	run(5000);
	for (int z = 0; z < 3; z++)
		assert_int_equal(state(z), ZONE_HEALTHY);
}

static void test_a14_a15_a_second_zone_waits(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_EVACUATED);
	dark(1, true);
	run(10000);
	assert_int_equal(percent(1), 100);
	assert_int_equal(state(1), ZONE_DEGRADED);
	dark(1, false);
	run(5000);
	assert_int_equal(state(1), ZONE_HEALTHY);
}

static void test_a16_without_capacity_only_a_part_is_shifted(void **st)
{
	(void)st;
	world(2, 5);
	w.m.failover.min_capacity = 80;
	run(3000);
	dark(0, true);
	run(10000);
	assert_int_equal(state(0), ZONE_DEGRADED);
	/* 5 ready of 8 needed: three eighths stay */
	assert_int_equal(percent(0), 37);
	assert_non_null(strstr(w.events, "a:CapacityShortfall"));
}

static void test_a22_a_relapse_waits_longer(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	dark(0, false);
	run(75000);
	assert_int_equal(state(0), ZONE_FAILBACK);
	dark(0, true);
	assert_true(until_out(0, 6000) <= 5000);
	dark(0, false);
	run(100000); /* 60 s would have been enough for the first time */
	assert_int_equal(percent(0), 0);
	run(80000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_failback_goes_in_steps(void **st)
{
	int seen[5] = {0}, last = 0, n = 0;

	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	run(10000);
	dark(0, false);
	for (int i = 0; i < 1300 && n < 4; i++) {
		run(TICK_MS);
		if (percent(0) != last)
			seen[n++] = last = percent(0);
	}
	assert_int_equal(seen[0], 5);
	assert_int_equal(seen[1], 25);
	assert_int_equal(seen[2], 50);
	assert_int_equal(seen[3], 100);
	run(20000);
	assert_int_equal(state(0), ZONE_HEALTHY);
}

static void test_manual_modes_wait(void **st)
{
	(void)st;
	world(3, 4);
	w.m.failover.mode = FAILOVER_MANUAL;
	dark(0, true);
	run(20000);
	assert_int_equal(percent(0), 100);
	assert_int_equal(state(0), ZONE_IMPAIRED);
	world(3, 4);
	w.m.failover.failback = FAILBACK_MANUAL;
	dark(0, true);
	run(10000);
	dark(0, false);
	run(600000);
	assert_int_equal(state(0), ZONE_RECOVERING);
	assert_int_equal(percent(0), 0);
}

static void test_whoever_sees_nothing_decides_nothing(void **st)
{
	(void)st;
	world(3, 4);
	run(3000);
	dark(0, true);
	for (int i = 0; i < 100; i++) {
		for (int z = 0; z < 3; z++)
			for (int p = 0; p < 4; p++)
				probe_pod(&w.pods[z][p]);
		w.now += TICK_MS;
		look(true);
	}
	assert_string_equal(w.events, "");
}

static void test_a_zone_without_pods_proves_nothing(void **st)
{
	struct zone_facts facts[] = {{.name = "a"}, {.name = "b", .pods = 3, .ready = 3}};
	struct mdep m = {.replicas = 3, .failover = {.min_capacity = 70}};
	struct failover_input in = {.now_ms = START_MS, .mdep = &m, .zones = facts, .nzones = 2};
	struct failover_plan plan;

	(void)st;
	failover_step(&in, &plan);
	assert_int_equal(plan.nzones, 0);
	assert_int_equal(plan.nevents, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a1_black_holed_zone_is_left_in_time),
		cmocka_unit_test(test_a2_refusing_zone_is_left_within_four_seconds),
		cmocka_unit_test(test_a4_a5_only_most_of_the_pods_are_a_zone),
		cmocka_unit_test(test_a6_flapping_is_damped),
		cmocka_unit_test(test_a7_lost_probes_are_no_outage),
		cmocka_unit_test(test_a8_all_zones_dark_freezes),
		cmocka_unit_test(test_a14_a15_a_second_zone_waits),
		cmocka_unit_test(test_a16_without_capacity_only_a_part_is_shifted),
		cmocka_unit_test(test_a22_a_relapse_waits_longer),
		cmocka_unit_test(test_failback_goes_in_steps),
		cmocka_unit_test(test_manual_modes_wait),
		cmocka_unit_test(test_whoever_sees_nothing_decides_nothing),
		cmocka_unit_test(test_a_zone_without_pods_proves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
