/* The scraper against a server in the same loop. */
#include <math.h>

#include "site.h"
#include "tidegate/signal/scrape.h"

#define READINGS_MAX 512
#define SLOW_MS      60000

static const struct preset preset = {.requests_metric = "requests_total"};

struct reading {
	char group[16], pod[16];
	enum err_class class;
	bool has_total, has_increment, whole;
	unsigned round; /* that were over before it */
	double total, increment;
	double scores; /* increment of the histogram; -1 = none */
};

static struct world {
	struct site site;
	struct scraper *scraper;
	struct reading readings[READINGS_MAX];
	unsigned n;
	bool got;  /* a reading has come since it was cleared */
	bool over; /* a round has ended since it was cleared */
	unsigned rounds;
	const char *bad; /* path that is answered with an error */
	bool drop_in_callback;
	double counter;
} w;

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct reading *x = &w.readings[w.n < READINGS_MAX ? w.n : READINGS_MAX - 1];

	(void)arg;
	memset(x, 0, sizeof(*x));
	str_copy(x->group, sizeof(x->group), r->group);
	str_copy(x->pod, sizeof(x->pod), r->pod);
	x->class = r->err ? r->err->class : ERR_NONE;
	x->has_total = r->total != NULL;
	x->has_increment = r->increment != NULL;
	x->whole = r->whole;
	x->round = w.rounds;
	x->total = r->total ? r->total->requests : -1;
	x->increment = r->increment ? r->increment->requests : -1;
	x->scores = r->scores ? r->scores->counts[r->scores->n - 1] : -1;
	assert_true(r->wall_ms > 0);
	assert_true((r->total == NULL) == (r->err != NULL));
	w.n++;
	w.got = true;
	if (w.drop_in_callback)
		scraper_set(w.scraper, r->group, 0, NULL, 0);
}

static void on_round(void *arg, const char *group)
{
	(void)arg;
	assert_string_equal(group, "g");
	w.rounds++;
	w.over = true;
}

/* Ten more at each look. */
static const char *counting(struct site *s, const struct server_request *r)
{
	s->status = w.bad && str_starts(r->path, w.bad) ? 500 : 200;
	w.counter += 10;
	snprintf(s->buf, sizeof(s->buf), "requests_total{model=\"rec\"} %g\n", w.counter);
	return s->buf;
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	site_open(&w.site);
	w.site.body = "requests_total 5\n";
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scraper_free(w.scraper);
	site_close(&w.site);
	return 0;
}

static void make_scraper(unsigned concurrency)
{
	struct err err = ERR_INIT;

	w.scraper = scraper_new(w.site.loop, concurrency, on_reading, NULL, &err);
	if (!w.scraper)
		fail_msg("%s", err.msg);
}

/* Targets p0..p<n-1> of group g, at /pN; uids uN, or `uid` for all. */
static void set_targets(const char *model, int64_t period_ms, unsigned n, const char *uid)
{
	struct scrape_target t[64];
	char text[64][3][96];

	assert_true(n <= 64);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text[i][0], sizeof(text[i][0]), "p%u", i);
		snprintf(text[i][1], sizeof(text[i][1]), "u%u", i);
		snprintf(text[i][2], sizeof(text[i][2]), "http://%s/p%u",
		         server_address(w.site.server), i);
		t[i] = (struct scrape_target){text[i][0], uid ? uid : text[i][1], text[i][2],
		                              &preset, model};
	}
	scraper_set(w.scraper, "g", period_ms, t, n);
}

static const struct reading *last(void)
{
	return &w.readings[w.n - 1];
}

/* The next one that is no time-out: short periods allow little time, and machines are busy. */
static void next_reading(void)
{
	do {
		w.got = false;
		assert_true(run_until(w.site.loop, &w.got, 5000));
		assert_true(w.n < READINGS_MAX);
	} while (last()->class == ERR_TIMEOUT);
}

/* What the counting server adds in one look, or in several when an answer came too late. */
static void assert_counted(void)
{
	assert_true(last()->has_increment);
	assert_true(last()->increment >= 10 && fmod(last()->increment, 10) == 0);
}

static unsigned readings_of(const char *pod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w.n && i < READINGS_MAX; i++)
		n += str_eq(w.readings[i].pod, pod);
	return n;
}

/* --- time -------------------------------------------------------------------------------- */

static void test_period(void **state)
{
	int64_t begin;

	(void)state;
	w.site.answer = counting;
	make_scraper(4);
	begin = clock_mono_ms();
	set_targets("rec", 30, 1, NULL);
	next_reading();
	assert_true(last()->has_total && !last()->has_increment);
	assert_string_equal(last()->group, "g");
	assert_string_equal(last()->pod, "p0");
	for (int i = 0; i < 4; i++) {
		next_reading();
		assert_counted();
	}
	/* never sooner than four periods; a busy machine may be later */
	assert_true(clock_mono_ms() - begin >= 3 * 30);
}

/* Groups p0..p49 of one target each. */
static void set_groups(int64_t period_ms)
{
	char pod[16], url[96];

	for (unsigned i = 0; i < 50; i++) {
		struct scrape_target t = {pod, "u", url, &preset, "rec"};

		snprintf(pod, sizeof(pod), "p%u", i);
		snprintf(url, sizeof(url), "http://%s/p%u", server_address(w.site.server), i);
		scraper_set(w.scraper, pod, period_ms, &t, 1);
	}
}

/* Many groups make no burst: of fifty a minute hardly one comes in a twentieth of a second. */
static void test_groups_are_spread(void **state)
{
	(void)state;
	make_scraper(64);
	set_groups(SLOW_MS);
	run_for(w.site.loop, 50);
	assert_true(w.site.requests <= 5);
	/* a shorter period holds for groups that wait already */
	set_groups(30);
	for (unsigned i = 0; i < 50; i++) {
		char pod[16];

		snprintf(pod, sizeof(pod), "p%u", i);
		for (int tries = 0; tries < 500 && !readings_of(pod); tries++)
			next_reading();
		assert_true(readings_of(pod) > 0);
	}
}

/* What all of them are told in one moment must not be told of some a while later. */
static void test_a_group_is_asked_at_one_moment(void **state)
{
	(void)state;
	w.site.hold = "/";
	make_scraper(64);
	set_targets("rec", 2000, 40, NULL);
	for (int i = 0; i < 500 && !w.site.nheld; i++)
		run_for(w.site.loop, 5);
	run_for(w.site.loop, 100);
	assert_int_equal(w.site.nheld, 40);
}

static void test_slow_target_delays_nobody(void **state)
{
	(void)state;
	w.site.hold = "/p0";
	make_scraper(4);
	set_targets("rec", 100, 2, NULL);
	for (int i = 0; i < 200 && (!readings_of("p0") || readings_of("p1") < 2); i++) {
		w.got = false;
		assert_true(run_until(w.site.loop, &w.got, 5000));
	}
	assert_true(readings_of("p1") >= 2);
	for (unsigned i = 0; i < w.n; i++)
		assert_int_equal(w.readings[i].class,
		                 str_eq(w.readings[i].pod, "p0") ? ERR_TIMEOUT : ERR_NONE);
}

static void test_concurrency(void **state)
{
	(void)state;
	w.site.hold = "/";
	make_scraper(2);
	set_targets("rec", 1000, 10, NULL);
	for (int i = 0; i < 300 && w.site.requests < 10; i++) {
		run_for(w.site.loop, 5);
		assert_true(w.site.nheld <= 2);
		if (w.site.nheld == 2)
			site_release(&w.site);
	}
	assert_true(w.site.requests >= 10);
	assert_int_equal(w.site.most_held, 2);
}

/* --- rounds ------------------------------------------------------------------------------ */

#define ROUND_MS 250

static void make_rounds(unsigned targets)
{
	w.site.answer = counting;
	make_scraper(8);
	scraper_on_round(w.scraper, on_round);
	set_targets("rec", ROUND_MS, targets, NULL);
}

static void next_round(void)
{
	w.over = false;
	assert_true(run_until(w.site.loop, &w.over, 5000));
	assert_true(w.n < READINGS_MAX);
}

/* Its reading of the last round that is over; NULL: it is none of that. */
static const struct reading *told_in_round(const char *pod)
{
	for (unsigned i = 0; i < w.n; i++)
		if (str_eq(w.readings[i].pod, pod) && w.readings[i].round + 1 == w.rounds)
			return &w.readings[i];
	return NULL;
}

static void assert_whole(const char *pod, bool whole)
{
	const struct reading *r = told_in_round(pod);

	assert_int_equal(r && r->whole, whole);
	if (r && r->whole)
		assert_true(r->has_increment);
}

static void test_a_round_is_over_when_all_have_answered(void **state)
{
	(void)state;
	make_rounds(3);
	next_round();
	assert_int_equal(w.n, 3);
	assert_whole("p0", false); /* there is nothing to compare with yet */
	for (int i = 2; i < 5; i++) {
		next_round();
		assert_int_equal(w.n, 3 * i);
		assert_whole("p0", true);
		assert_whole("p1", true);
		assert_whole("p2", true);
	}
}

/* A dark pod holds up one round, not those that follow. */
static void test_a_silent_target_is_left_out(void **state)
{
	(void)state;
	make_rounds(2);
	next_round();
	next_round();
	w.site.hold = "/p0";
	next_round();
	assert_whole("p0", false);
	assert_whole("p1", true);
	for (int i = 0; i < 3; i++) {
		next_round();
		assert_whole("p1", true);
		assert_int_equal(w.site.nheld > 0, true);
	}
}

/* Late: after the others were read. It is no part of that round, nor of the next, for which it
 * lacks a beginning. */
static void test_a_late_answer_belongs_to_no_round(void **state)
{
	unsigned before;

	(void)state;
	make_rounds(2);
	next_round();
	next_round();
	w.site.hold = "/p0";
	next_round();
	next_round();
	before = w.n;
	w.site.hold = NULL;
	site_release(&w.site);
	next_reading();
	assert_int_equal(w.n, before + 1);
	assert_string_equal(last()->pod, "p0");
	assert_true(last()->has_increment && !last()->whole);
	next_round();
	assert_non_null(told_in_round("p0"));
	assert_whole("p0", false);
	assert_whole("p1", true);
	next_round();
	assert_whole("p0", true);
}

/* Its increment is of two rounds, that of the others of one. */
static void test_a_missed_round_is_not_made_up_for(void **state)
{
	(void)state;
	make_rounds(2);
	next_round();
	next_round();
	w.bad = "/p0";
	next_round();
	assert_whole("p0", false);
	w.bad = NULL;
	next_round();
	assert_whole("p0", false);
	next_round();
	assert_whole("p0", true);
}

static void test_who_joins_or_restarts_begins_anew(void **state)
{
	(void)state;
	make_rounds(1);
	next_round();
	next_round();
	set_targets("rec", ROUND_MS, 2, NULL);
	next_round();
	assert_whole("p0", true);
	assert_whole("p1", false);
	next_round();
	assert_whole("p1", true);
	w.counter = 0; /* both servers were restarted */
	next_round();
	assert_true(told_in_round("p0")->has_increment);
	assert_whole("p0", false);
	next_round();
	assert_whole("p0", true);
}

/* Nobody is left to wait for: the round is over, not a period later. */
static void test_who_leaves_ends_the_round(void **state)
{
	int64_t begin;

	(void)state;
	w.site.hold = "/p1";
	w.site.answer = counting;
	make_scraper(8);
	scraper_on_round(w.scraper, on_round);
	set_targets("rec", 3000, 2, NULL);
	next_reading();
	assert_string_equal(last()->pod, "p0");
	assert_int_equal(w.rounds, 0);
	begin = clock_mono_ms();
	set_targets("rec", 3000, 1, NULL);
	next_round();
	assert_true(clock_mono_ms() - begin < 2000);
}

/* --- counters ---------------------------------------------------------------------------- */

static void test_another_uid_starts_afresh(void **state)
{
	(void)state;
	w.site.answer = counting;
	make_scraper(4);
	set_targets("rec", 20, 1, "a");
	next_reading();
	next_reading();
	assert_counted();
	set_targets("rec", 20, 1, "b");
	next_reading();
	assert_false(last()->has_increment);
	set_targets("rec", 20, 1, "b"); /* nothing new: counters stay */
	next_reading();
	assert_counted();
}

/* The counters of another model are no base for this one's. */
static void test_another_model_starts_afresh(void **state)
{
	(void)state;
	make_scraper(4);
	w.site.body = "requests_total{model=\"a\"} 5\nrequests_total{model=\"b\"} 500\n";
	set_targets("a", 20, 1, NULL);
	next_reading();
	next_reading();
	assert_true(last()->total == 5 && last()->increment == 0);
	set_targets("b", 20, 1, NULL);
	next_reading();
	assert_true(last()->total == 500);
	assert_false(last()->has_increment);
}

static void test_failure_keeps_the_base(void **state)
{
	static const struct {
		int status;
		const char *body;
	} bad[] = {{500, "requests_total 9\n"}, {404, ""}, {200, "requests_total nine\n"}};

	(void)state;
	make_scraper(4);
	set_targets("rec", 20, 1, NULL);
	next_reading();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		w.site.status = bad[i].status;
		w.site.body = bad[i].body;
		next_reading();
		assert_int_equal(last()->class, ERR_PROTOCOL);
		assert_false(last()->has_total);
	}
	w.site.status = 200;
	w.site.body = "requests_total 12\n";
	next_reading();
	assert_true(last()->increment == 7);
	w.site.body = "requests_total 2\n"; /* restarted */
	next_reading();
	assert_true(last()->increment == 2);
}

static void test_nobody_listens(void **state)
{
	struct scrape_target t = {"p0", "u", "http://127.0.0.1:1/metrics", &preset, "rec"};

	(void)state;
	make_scraper(4);
	scraper_set(w.scraper, "g", 1000, &t, 1);
	next_reading();
	assert_int_equal(last()->class, ERR_TRANSPORT);
}

/* --- targets that go --------------------------------------------------------------------- */

static void test_removed_while_running(void **state)
{
	(void)state;
	w.site.hold = "/p0";
	make_scraper(1);
	set_targets("rec", 400, 1, NULL);
	for (int i = 0; i < 200 && !w.site.nheld; i++)
		run_for(w.site.loop, 5);
	assert_int_equal(w.site.nheld, 1);
	scraper_set(w.scraper, "g", 0, NULL, 0);
	site_release(&w.site);
	run_for(w.site.loop, 20);
	assert_int_equal(w.n, 0);
	/* and its slot is free again */
	w.site.hold = NULL;
	set_targets("rec", 20, 1, NULL);
	next_reading();
	assert_int_equal(last()->class, ERR_NONE);
}

static void test_one_of_a_group_removed(void **state)
{
	unsigned before;

	(void)state;
	make_scraper(4);
	set_targets("rec", 20, 3, NULL);
	for (int i = 0; i < 200 && !(readings_of("p2") && readings_of("p0")); i++)
		next_reading();
	set_targets("rec", 20, 2, NULL);
	before = readings_of("p2");
	for (int i = 0; i < 8; i++)
		next_reading();
	assert_int_equal(readings_of("p2"), before);
	assert_true(readings_of("p2") > 0);
}

/* Seven scores more at each look; asked for only when somebody wants them. */
static const char *scoring(struct site *s, const struct server_request *r)
{
	(void)r;
	w.counter += 7;
	snprintf(s->buf, sizeof(s->buf),
	         "requests_total 5\nscore_bucket{le=\"0.5\"} 1\nscore_bucket{le=\"+Inf\"} %g\n",
	         w.counter);
	return s->buf;
}

static void test_scores(void **state)
{
	(void)state;
	w.site.answer = scoring;
	make_scraper(4);
	set_targets("rec", 20, 1, NULL);
	next_reading();
	next_reading();
	assert_true(last()->scores == -1);
	scraper_scores(w.scraper, "g", "score");
	next_reading();
	assert_true(last()->scores == -1); /* nothing to compare with yet */
	next_reading();
	assert_true(last()->scores >= 7 && fmod(last()->scores, 7) == 0);
	scraper_scores(w.scraper, "g", "score"); /* the same: the base stays */
	next_reading();
	assert_true(last()->scores >= 7 && fmod(last()->scores, 7) == 0);
	scraper_scores(w.scraper, "g", NULL);
	next_reading();
	assert_true(last()->scores == -1);
}

static void test_removed_by_the_receiver(void **state)
{
	(void)state;
	w.drop_in_callback = true;
	make_scraper(4);
	set_targets("rec", 20, 1, NULL);
	next_reading();
	run_for(w.site.loop, 30);
	assert_int_equal(w.n, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_period),
		T(test_groups_are_spread),
		T(test_a_group_is_asked_at_one_moment),
		T(test_a_round_is_over_when_all_have_answered),
		T(test_a_silent_target_is_left_out),
		T(test_a_late_answer_belongs_to_no_round),
		T(test_a_missed_round_is_not_made_up_for),
		T(test_who_joins_or_restarts_begins_anew),
		T(test_who_leaves_ends_the_round),
		T(test_slow_target_delays_nobody),
		T(test_concurrency),
		T(test_another_uid_starts_afresh),
		T(test_another_model_starts_afresh),
		T(test_failure_keeps_the_base),
		T(test_nobody_listens),
		T(test_removed_while_running),
		T(test_one_of_a_group_removed),
		T(test_removed_by_the_receiver),
		T(test_scores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
