/*
 * What several observers make of the zones together: partitions, silence, self-suspicion. Axx are
 * the cases of the acceptance catalogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/tally.h"

#define MONO 1000000
#define WALL 1700000000000
#define PODS 4

enum { A, B, C, ZONES };
static const char *const names[] = {"a", "b", "c"};

/* Observers by zone; the leader, whose probes are `own`, stands in b. */
static struct scene {
	struct zone_facts own[ZONES];
	int serving[ZONES];
	struct vote_sum sums[3][ZONES];
	struct vote_entry entries[3][ZONES];
	struct vote votes[3];
	struct tally_other others[TALLY_OTHERS_MAX];
	struct tally_input in;
	struct tally out;
} s;

static int setup(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	for (int z = 0; z < ZONES; z++) {
		s.own[z] = (struct zone_facts){.name = names[z],
		                               .pods = PODS,
		                               .ready = PODS,
		                               .good_since_ms = WALL - 50000,
		                               .in_route = true};
		s.serving[z] = PODS;
	}
	s.in = (struct tally_input){.mono_ms = MONO,
	                            .now_ms = WALL,
	                            .model = "shop/ranker",
	                            .nzones = ZONES,
	                            .own = s.own,
	                            .serving = s.serving,
	                            .own_zone = "b",
	                            .others = s.others,
	                            .contact_ms = MONO - 60000};
	return 0;
}

/* An observer that stands in zone `at`, sees everything well, and was heard so long ago. */
static struct vote *observer(int at, int64_t age_ms)
{
	unsigned i = s.in.nothers++;
	struct vote *v = &s.votes[i];

	for (int z = 0; z < ZONES; z++)
		s.sums[i][z] = (struct vote_sum){names[z], 10 * PODS, 0, 0};
	*v = (struct vote){.zone = names[at], .sums = s.sums[i], .nsums = ZONES};
	v->entries = s.entries[i];
	s.others[i] = (struct tally_other){v, MONO - age_ms};
	return v;
}

static void sees_failing(struct vote *v, int zone, int failing)
{
	struct vote_entry *e = &s.entries[v - s.votes][v->nentries++];

	*e = (struct vote_entry){"shop/ranker", names[zone],    PODS, failing,
	                         failing,       PODS - failing, -1,   0};
}

static void we_see_failing(int zone, int failing)
{
	s.own[zone].shaky = s.own[zone].failing = failing;
	s.own[zone].ready = PODS - failing;
	s.own[zone].good_since_ms = failing ? 0 : s.own[zone].good_since_ms;
}

static int failing(int zone)
{
	tally_count(&s.in, &s.out);
	return s.out.zones[zone].failing;
}

static void test_alone_decides(void **state)
{
	(void)state;
	we_see_failing(A, 4);
	s.in.contact_ms = 0;
	s.in.others = NULL;
	assert_int_equal(failing(A), 4);
	for (int z = 0; z < ZONES; z++) {
		assert_int_equal(s.out.zones[z].pods, s.own[z].pods);
		assert_int_equal(s.out.zones[z].failing, s.own[z].failing);
		assert_int_equal(s.out.zones[z].ready, s.own[z].ready);
		assert_int_equal(s.out.zones[z].good_since_ms, s.own[z].good_since_ms);
	}
	assert_false(s.out.blind);
	assert_false(s.out.disputed);
	assert_int_equal(s.out.wake_ms, 0);
	assert_int_equal(s.out.voters, 1);
}

/* A1: both who are left see it; the one in the dark zone last said that all is well. */
static void test_dark_zone(void **state)
{
	(void)state;
	observer(A, 2900);
	sees_failing(observer(C, 200), A, 4);
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 4);
	assert_int_equal(s.out.zones[A].ready, 0);
	assert_false(s.out.blind);
	assert_int_equal(failing(B), 0);
	assert_int_equal(s.out.zones[B].ready, PODS);
	assert_true(s.out.zones[A].in_route);
	assert_string_equal(s.out.zones[A].name, "a");
}

/* A9: cut off from one zone only. */
static void test_leader_cut_from_one_zone(void **state)
{
	(void)state;
	observer(A, 300);
	observer(C, 300);
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 0);
	assert_int_equal(s.out.zones[A].pods, PODS);
	assert_int_equal(s.out.zones[A].ready, PODS);
	assert_true(s.out.disputed);
	assert_true(s.out.zones[A].good_since_ms > 0);
	/* Whoever objects may fall silent: counted again then. */
	assert_int_equal(s.out.wake_ms, WALL + TALLY_FRESH_MS - 300);
}

/* Two replicas, the other one in the zone that is dark: silent, and no longer heard. */
static void test_silence_gives_way(void **state)
{
	static const struct {
		int64_t age_ms;
		int failing;
	} rows[] = {{0, 0}, {TALLY_FRESH_MS - 1, 0}, {TALLY_FRESH_MS, 4}, {60000, 4}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		observer(A, rows[i].age_ms);
		we_see_failing(A, 4);
		assert_int_equal(failing(A), rows[i].failing);
		assert_int_equal(s.out.voters, rows[i].failing ? 1 : 2);
	}
}

/* Two in one zone share its network: they are one observer. */
static void test_same_zone_is_one_observer(void **state)
{
	(void)state;
	sees_failing(observer(B, 100), A, 4);
	observer(C, 100);
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 0);
	sees_failing(&s.votes[1], A, 4);
	assert_int_equal(failing(A), 4);
}

/* Nobody else: two of one zone decide when both see it. */
static void test_only_one_zone_has_observers(void **state)
{
	(void)state;
	observer(B, 100);
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 0);
	sees_failing(&s.votes[0], A, 4);
	assert_int_equal(failing(A), 4);
}

/* Without a zone to tell them apart each counts for itself. */
static void test_unknown_zones(void **state)
{
	(void)state;
	s.in.own_zone = "";
	sees_failing(observer(A, 100), C, 3);
	s.votes[0].zone = "";
	we_see_failing(C, 4);
	assert_int_equal(failing(C), 3);
}

/* A leader without a network has no say; one that alone is left has, and will be Frozen. */
static void test_blind(void **state)
{
	(void)state;
	for (int z = 0; z < ZONES; z++)
		we_see_failing(z, 4);
	s.in.own_blind = true;
	observer(A, 100);
	for (int z = 0; z < ZONES; z++)
		assert_int_equal(failing(z), 0);
	assert_int_equal(s.out.voters, 1);
	s.votes[0].blind = true;
	for (int z = 0; z < ZONES; z++)
		assert_int_equal(failing(z), 4);
}

/* The replica in the zone that is cut off from all others sees the rest dark, and is outvoted. */
static void test_isolated_zone(void **state)
{
	struct vote *a;

	(void)state;
	a = observer(A, 100);
	sees_failing(a, B, 4);
	sees_failing(a, C, 4);
	sees_failing(observer(C, 100), A, 4);
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 4);
	assert_int_equal(failing(B), 0);
	assert_int_equal(failing(C), 0);
}

/* A new process has seen no pod of a zone answer yet: others know better. */
static void test_who_knows_nothing_has_no_say(void **state)
{
	(void)state;
	s.own[A] = (struct zone_facts){.name = "a"};
	sees_failing(observer(C, 100), A, 4);
	assert_int_equal(failing(A), 4);
	s.sums[0][A].pods = 0;
	s.votes[0].nentries = 0;
	we_see_failing(A, 0);
	s.own[A].pods = 0;
	assert_int_equal(failing(A), 0);
	assert_int_equal(s.out.zones[A].pods, 0);
}

/* After a time without the API server silence may be our own: nothing is decided yet. */
static void test_new_contact_waits(void **state)
{
	static const struct {
		int64_t contact_ms, age_ms;
		bool blind;
	} rows[] = {
		{0, 100, false},
		{0, 5000, true},
		{MONO - 100, 5000, true},
		{MONO - TALLY_FRESH_MS + 1, 5000, true},
		{MONO - TALLY_FRESH_MS, 5000, false},
		{MONO - 100, MONO, true}, /* heard_ms 0: never */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		observer(C, rows[i].age_ms);
		s.in.contact_ms = rows[i].contact_ms;
		tally_count(&s.in, &s.out);
		assert_int_equal(s.out.blind, rows[i].blind);
		assert_int_equal(s.out.wake_ms > WALL, rows[i].blind);
	}
}

/* How long it has been well comes with the vote, and grows with its age. */
static void test_age_of_health(void **state)
{
	(void)state;
	observer(A, 1500);
	s.entries[0][0] = (struct vote_entry){"shop/ranker", "c", PODS, 0, 0, PODS, 7000, 0};
	s.votes[0].nentries = 1;
	s.own[C].good_since_ms = WALL - 9500;
	tally_count(&s.in, &s.out);
	assert_int_equal(s.out.zones[C].good_since_ms, WALL - 9500);
	observer(C, 0);
	tally_count(&s.in, &s.out);
	assert_int_equal(s.out.zones[C].good_since_ms, WALL - 9500);
	s.entries[0][0].good_ms = 2000;
	s.own[C].good_since_ms = WALL - 900;
	tally_count(&s.in, &s.out);
	assert_int_equal(s.out.zones[C].good_since_ms, WALL - 3500);
}

/* Nobody is outvoted who sees that clients are answered, be it the one who sees nothing else. */
static void test_what_serves_clients_is_believed_of_any(void **state)
{
	struct vote *v;

	(void)state;
	we_see_failing(A, 4);
	sees_failing(observer(B, 100), A, 4);
	v = observer(C, 2900);
	sees_failing(v, A, 4);
	v->blind = true;
	s.entries[1][0].served = 3;
	assert_int_equal(failing(A), 4);
	assert_int_equal(s.out.zones[A].served, 3);
	s.own[A].served = 4;
	tally_count(&s.in, &s.out);
	assert_int_equal(s.out.zones[A].served, 4);
	/* What was heard too long ago is no evidence any more. */
	s.own[A].served = 0;
	s.others[1].heard_ms = MONO - TALLY_FRESH_MS;
	tally_count(&s.in, &s.out);
	assert_int_equal(s.out.zones[A].served, 0);
}

/* A vote that had no room for all: what it does not name is as its zone is. */
static void test_more(void **state)
{
	struct vote *v;

	(void)state;
	v = observer(C, 100);
	v->more = true;
	s.sums[0][A] = (struct vote_sum){"a", 4000, 4000, 3990};
	we_see_failing(A, 4);
	assert_int_equal(failing(A), 3990);
	assert_int_equal(s.out.zones[A].pods, 4000);
	assert_int_equal(s.out.zones[A].ready, 0);
	assert_int_equal(failing(B), 0);
	assert_int_equal(s.out.zones[B].ready, PODS);
}

/* One pod that all see failing is as bad as it is, no matter who is second. */
static void test_part_of_a_zone(void **state)
{
	(void)state;
	sees_failing(observer(A, 100), A, 1);
	sees_failing(observer(C, 100), A, 1);
	we_see_failing(A, 3);
	assert_int_equal(failing(A), 1);
	assert_true(s.out.disputed);
}

#define T(f) cmocka_unit_test_setup(f, setup)

static void test_who_is_heard_from_a_zone(void **st)
{
	static const struct {
		int64_t heard_ms[2]; /* two observers in c, before now; -1 = there is none */
		bool blind[2];
		enum tally_presence presence;
	} rows[] = {
		{{-1, -1}, {false, false}, TALLY_NOBODY},
		{{500, -1}, {false, false}, TALLY_HEARD},
		{{500, -1}, {true, false}, TALLY_NOBODY},
		{{3000, -1}, {false, false}, TALLY_SILENT},
		{{3000, 9000}, {true, false}, TALLY_SILENT},
		{{3000, 500}, {false, false}, TALLY_HEARD},
		{{3000, 500}, {false, true}, TALLY_NOBODY},
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		s.in.nothers = 0;
		for (int o = 0; o < 2 && rows[i].heard_ms[o] >= 0; o++) {
			s.votes[o] = (struct vote){.zone = "c", .blind = rows[i].blind[o]};
			s.others[s.in.nothers++] =
				(struct tally_other){&s.votes[o], MONO - rows[i].heard_ms[o]};
		}
		if (tally_presence(&s.in, "c") != rows[i].presence)
			fail_msg("row %zu", i);
		assert_int_equal(tally_presence(&s.in, "a"), TALLY_NOBODY);
		assert_int_equal(tally_presence(&s.in, "b"), TALLY_HEARD); /* we ourselves */
	}
	s.in.own_blind = true;
	assert_int_equal(tally_presence(&s.in, "b"), TALLY_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_alone_decides),
		T(test_dark_zone),
		T(test_leader_cut_from_one_zone),
		T(test_silence_gives_way),
		T(test_same_zone_is_one_observer),
		T(test_only_one_zone_has_observers),
		T(test_unknown_zones),
		T(test_blind),
		T(test_isolated_zone),
		T(test_who_knows_nothing_has_no_say),
		T(test_new_contact_waits),
		T(test_age_of_health),
		T(test_what_serves_clients_is_believed_of_any),
		T(test_more),
		T(test_part_of_a_zone),
		T(test_who_is_heard_from_a_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
