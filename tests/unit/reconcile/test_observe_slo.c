/* Objectives: whose breach it is, what a threshold counts, what a restart keeps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/reconcile/observe.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define START 1700000000000

static void objectives(struct mdep *m)
{
	static struct mdep_objective list[2];

	*m = (struct mdep){.slo = {.objectives = list, .n = 2}};
	m->slo.objectives[0] = (struct mdep_objective){.name = "availability", .target = 0.99};
	m->slo.objectives[1] =
		(struct mdep_objective){.name = "latency", .target = 0.9, .threshold_ms = 80};
}

/* Ten requests: so many errors, so many slower than 50 ms and than 100 ms. */
static struct counts reading(double errors, double over_50ms, double over_100ms)
{
	return (struct counts){.known = true,
	                       .requests = 10,
	                       .errors = errors,
	                       .nbuckets = 3,
	                       .bounds = {0.05, 0.1, INFINITY},
	                       .buckets = {10 - over_50ms, 10 - over_100ms, 10}};
}

static int64_t feed(struct slo_watch *w, bool target, int64_t t, int seconds, struct counts c)
{
	for (int i = 0; i < seconds; i++, t += 1000)
		slo_watch_feed(w, target, "a", t, &c);
	return t;
}

static struct rollout_slo read_at(struct slo_watch *w, int64_t t, struct arena *a)
{
	struct rollout_slo s = {.known = false};

	slo_watch_read(w, t, a, &s);
	assert_true(s.known);
	return s;
}

static void test_a_breach_is_one_revisions(void **state)
{
	struct mdep m;
	struct arena a;
	struct slo_watch *w;
	struct rollout_slo s;

	(void)state;
	objectives(&m);
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", "new");
	feed(w, false, START, 60, reading(0, 0, 0));
	feed(w, true, START, 60, reading(5, 0, 0));
	assert_true(slo_watch_news(w, START + 60000));
	s = read_at(w, START + 60000, &a);
	assert_true(s.breach && !s.held);
	assert_string_equal(s.revision, "new");
	assert_non_null(strstr(s.text, "availability 50 %"));
	assert_int_equal(s.objectives[0].requests, 1200);
	assert_int_equal(s.objectives[0].bad, 300);
	assert_int_equal(s.objectives[0].burn_centi[0], 2500);
	assert_false(slo_watch_news(w, START + 60000));

	slo_watch_revisions(w, "old", NULL); /* taken back: its errors were not the old one's */
	assert_false(read_at(w, START + 60000, &a).breach);
	slo_watch_free(w);
	arena_release(&a);
}

static void test_a_promoted_revision_takes_its_record_along(void **state)
{
	struct mdep m;
	struct arena a;
	struct slo_watch *w;

	(void)state;
	objectives(&m);
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", "new");
	feed(w, true, START, 60, reading(5, 0, 0));
	slo_watch_revisions(w, "new", "new");
	assert_string_equal(read_at(w, START + 60000, &a).revision, "new");
	slo_watch_revisions(w, "third", NULL);
	assert_false(read_at(w, START + 60000, &a).breach);
	slo_watch_free(w);
	arena_release(&a);
}

static void test_a_threshold_within_a_bucket_counts_as_its_end(void **state)
{
	static const struct {
		int threshold_ms;
		double over_50ms, over_100ms;
		int bad;
	} rows[] = {{50, 4, 1, 240}, {80, 4, 1, 60}, {100, 4, 1, 60}, {101, 4, 1, 0}};
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mdep m;
		struct slo_watch *w;

		objectives(&m);
		m.slo.objectives[1].threshold_ms = rows[i].threshold_ms;
		w = slo_watch_new(&m, START);
		slo_watch_revisions(w, "old", NULL);
		feed(w, false, START, 60, reading(0, rows[i].over_50ms, rows[i].over_100ms));
		assert_int_equal(read_at(w, START + 60000, &a).objectives[1].bad, rows[i].bad);
		assert_int_equal(read_at(w, START + 60000, &a).objectives[0].bad, 0);
		slo_watch_free(w);
	}
	arena_release(&a);
}

static void test_a_dark_zone_holds_and_then_is_forgotten(void **state)
{
	struct mdep m;
	struct arena a;
	struct slo_watch *w;
	struct rollout_slo s;

	(void)state;
	objectives(&m);
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", NULL);
	feed(w, false, START, 60, reading(5, 0, 0));
	slo_watch_excuse(w, START + 60000, "hz-a");
	s = read_at(w, START + 60000, &a);
	assert_true(s.breach);
	assert_non_null(strstr(s.held, "zone hz-a"));
	slo_watch_forget(w);
	s = read_at(w, START + 61000, &a);
	assert_true(s.breach); /* told for as long as the excuse holds, without new evidence */
	assert_non_null(strstr(s.held, "zone hz-a"));
	assert_string_equal(s.revision, "old");
	assert_non_null(strstr(s.text, "300 of 600 requests bad"));
	assert_int_equal(s.objectives[0].bad, 300); /* the users saw it all the same */
	assert_false(read_at(w, START + 60000 + 120000, &a).breach);
	feed(w, false, START + 61000, 120, reading(5, 0, 0));
	s = read_at(w, START + 181000, &a); /* long after, and bad by itself */
	assert_true(s.breach && !s.held);
	slo_watch_free(w);
	arena_release(&a);
}

static void test_the_budget_goes_on_from_status(void **state)
{
	struct mdep_objective_status recorded = {
		.name = "availability", .requests = 1000, .bad = 20, .since_ms = START - 86400000};
	struct mdep m;
	struct arena a;
	struct slo_watch *w;

	(void)state;
	objectives(&m);
	m.status.nobjectives = 1;
	m.status.objectives = &recorded;
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", NULL);
	feed(w, false, START, 10, reading(0, 0, 0));
	assert_int_equal(read_at(w, START + 10000, &a).objectives[0].requests, 1100);
	assert_int_equal(read_at(w, START + 10000, &a).objectives[0].bad, 20);
	assert_int_equal(read_at(w, START + 10000, &a).objectives[1].requests, 100);
	assert_true(slo_watch_fits(w, &m));
	m.slo.objectives[0].target = 0.999;
	assert_false(slo_watch_fits(w, &m));
	slo_watch_free(w);
	arena_release(&a);
}

/* What one leader saw for half an hour, the next one acts on at once; not under another spec. */
static void test_the_windows_go_on_from_status(void **state)
{
	const int64_t later = START + 1500000;
	struct mdep_objective_status recorded[2];
	int burnt;
	struct rollout_slo s;
	struct slo_watch *w;
	struct arena a;
	struct mdep m;

	(void)state;
	objectives(&m);
	m.meta.generation = m.status.observed_generation = 3;
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", "new");
	for (int64_t t = START; t < later; t += 60000)
		feed(w, true, t, 8, reading((t / 60000) % 2 ? 2 : 0, 0, 0));
	s = read_at(w, later, &a);
	assert_false(s.breach);
	assert_int_equal(s.objectives[0].target.requests[3], 2000);
	burnt = s.objectives[0].burn_centi[2];
	assert_true(burnt > 0);
	for (unsigned i = 0; i < 2; i++) {
		recorded[i] = s.objectives[i];
		recorded[i].name = m.slo.objectives[i].name;
		recorded[i].stable.revision = "old";
		recorded[i].target.revision = "new";
	}
	m.status.objectives = recorded;
	m.status.nobjectives = 2;
	m.status.counted_ms = s.counted_ms;
	m.status.stable = "old";
	m.status.target = "new";
	slo_watch_free(w);
	for (int generation = 3; generation < 5; generation++) {
		m.meta.generation = generation;
		w = slo_watch_new(&m, later);
		slo_watch_revisions(w, "old", "new");
		for (unsigned k = 0; k < MDEP_BURNS_MAX; k++)
			assert_int_equal(read_at(w, later, &a).objectives[0].burn_centi[k],
			                 generation == 3 ? burnt : 0);
		for (int64_t t = later; t < later + 400000; t += 60000)
			feed(w, true, t, 8, reading((t / 60000) % 2 ? 2 : 0, 0, 0));
		s = read_at(w, later + 400000, &a);
		assert_int_equal(s.breach, generation == 3);
		assert_true(!s.breach || str_eq(s.revision, "new"));
		slo_watch_free(w);
	}
	arena_release(&a);
}

/* In the minute after it was written status names other revisions: the counts stay with theirs. */
static void test_windows_from_status_stay_with_their_revision(void **state)
{
	static const struct {
		const char *stable, *target;
		unsigned stable_requests, stable_bad, target_requests, target_bad;
	} rows[] = {
		{"old", "new", 600, 0, 600, 300},   /* as they were */
		{"old", "another", 600, 0, 0, 0},   /* taken back, and the next release began */
		{"new", "another", 600, 300, 0, 0}, /* promoted */
		{"another", "old", 0, 0, 600, 0},   /* the way back after another's promotion */
	};
	const int64_t later = START + 60000;
	struct mdep_objective_status recorded;
	const struct mdep_objective_status *now;
	struct slo_watch *w;
	struct arena a;
	struct mdep m;

	(void)state;
	objectives(&m);
	m.slo.n = 1;
	m.meta.generation = m.status.observed_generation = 3;
	arena_init(&a, 0);
	w = slo_watch_new(&m, START);
	slo_watch_revisions(w, "old", "new");
	feed(w, false, START, 60, reading(0, 0, 0));
	feed(w, true, START, 60, reading(5, 0, 0));
	recorded = read_at(w, later, &a).objectives[0];
	assert_string_equal(recorded.stable.revision, "old");
	assert_string_equal(recorded.target.revision, "new");
	recorded.name = "availability";
	recorded.stable.revision = "old";
	recorded.target.revision = "new";
	slo_watch_free(w);
	m.status.objectives = &recorded;
	m.status.nobjectives = 1;
	m.status.counted_ms = later;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		m.status.stable = rows[i].stable;
		m.status.target = rows[i].target;
		w = slo_watch_new(&m, later);
		slo_watch_revisions(w, rows[i].stable, rows[i].target);
		now = read_at(w, later, &a).objectives;
		assert_int_equal(now->stable.requests[0], rows[i].stable_requests);
		assert_int_equal(now->stable.bad[0], rows[i].stable_bad);
		assert_int_equal(now->target.requests[0], rows[i].target_requests);
		assert_int_equal(now->target.bad[0], rows[i].target_bad);
		slo_watch_free(w);
	}
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_breach_is_one_revisions),
		cmocka_unit_test(test_a_promoted_revision_takes_its_record_along),
		cmocka_unit_test(test_a_threshold_within_a_bucket_counts_as_its_end),
		cmocka_unit_test(test_a_dark_zone_holds_and_then_is_forgotten),
		cmocka_unit_test(test_the_budget_goes_on_from_status),
		cmocka_unit_test(test_the_windows_go_on_from_status),
		cmocka_unit_test(test_windows_from_status_stay_with_their_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
