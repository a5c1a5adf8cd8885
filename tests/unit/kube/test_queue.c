/* Work queue: order, de-duplication, delays; random use against the promises it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/queue.h"

struct bed {
	struct loop *loop;
	struct queue *q;
	struct buf log;    /* keys in the order of handing out, a blank behind each */
	bool at_once;      /* done inside the handler */
	const char *again; /* added while in work, once */
};

static void handle(void *arg, const char *key)
{
	struct bed *b = arg;

	buf_addf(&b->log, "%s ", key);
	if (b->again) {
		queue_add(b->q, b->again, QUEUE_LIVE);
		b->again = NULL;
	}
	if (b->at_once) {
		queue_done(b->q, key);
		assert_true(strlen(key) > 0); /* still ours inside the handler */
	}
}

static void bed_init(struct bed *b, struct queue_options o)
{
	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	b->q = queue_new(b->loop, &o, handle, b);
	buf_init(&b->log, 1u << 20);
}

static void bed_release(struct bed *b)
{
	queue_free(b->q);
	loop_free(b->loop);
	buf_release(&b->log);
}

static void run_for(struct bed *b, int ms)
{
	int64_t end = clock_mono_ms() + ms;

	do
		loop_run_once(b->loop, false);
	while (clock_mono_ms() < end);
}

/* Runs until the log is as wanted, and then a little to see that nothing more comes. */
static void expect(struct bed *b, const char *log)
{
	int64_t end = clock_mono_ms() + 2000;

	while (strcmp(b->log.data, log) != 0 && clock_mono_ms() < end)
		loop_run_once(b->loop, false);
	run_for(b, 4);
	assert_string_equal(b->log.data, log);
	buf_reset(&b->log);
}

static void test_order_and_duplicates(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "order"});
	b.at_once = true;
	queue_add(b.q, "low1", QUEUE_LOW);
	queue_add(b.q, "low2", QUEUE_LOW);
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "b", QUEUE_LIVE);
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "a", QUEUE_LOW);
	queue_add(b.q, "low2", QUEUE_LIVE); /* moves up, behind b */
	assert_int_equal(queue_depth(b.q), 4);
	expect(&b, ""); /* not started */
	queue_start(b.q);
	assert_string_equal(b.log.data, ""); /* never from inside a call */
	expect(&b, "a b low2 low1 ");
	assert_int_equal(queue_depth(b.q), 0);
	assert_int_equal(queue_active(b.q), 0);
	bed_release(&b);
}

static void test_never_twice_at_once(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "twice", .workers = 8});
	queue_start(b.q);
	queue_add(b.q, "a", QUEUE_LIVE);
	expect(&b, "a ");
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "b", QUEUE_LIVE);
	expect(&b, "b ");
	assert_int_equal(queue_active(b.q), 2);
	queue_done(b.q, "a");
	expect(&b, "a ");
	queue_done(b.q, "a");
	queue_done(b.q, "b");
	queue_done(b.q, "b"); /* a mistake, logged and without effect */
	queue_done(b.q, "never");
	expect(&b, "");
	assert_int_equal(queue_active(b.q), 0);
	bed_release(&b);
}

static void test_workers(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "workers", .workers = 2});
	queue_start(b.q);
	for (const char *k = "abcd"; *k; k++)
		queue_add(b.q, (char[]){*k, '\0'}, QUEUE_LIVE);
	expect(&b, "a b ");
	queue_done(b.q, "b");
	expect(&b, "c ");
	queue_stop(b.q);
	queue_done(b.q, "a");
	queue_done(b.q, "c");
	expect(&b, "");
	assert_int_equal(queue_depth(b.q), 1);
	queue_start(b.q);
	expect(&b, "d ");
	bed_release(&b);
}

static void test_done_inside_handler(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "inside"});
	b.at_once = true;
	b.again = "a"; /* dirty while in work */
	queue_start(b.q);
	queue_add(b.q, "a", QUEUE_LIVE);
	expect(&b, "a a ");
	bed_release(&b);
}

static void test_low_does_not_starve(void **state)
{
	struct bed b;
	char key[16];

	(void)state;
	bed_init(&b, (struct queue_options){.name = "starve"});
	b.at_once = true;
	for (int i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "L%d", i);
		queue_add(b.q, key, QUEUE_LOW);
	}
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%d", i);
		queue_add(b.q, key, QUEUE_LIVE);
	}
	queue_start(b.q);
	expect(&b, "0 1 2 3 4 5 6 L0 7 8 9 10 11 12 13 L1 14 15 16 17 18 19 L2 ");
	bed_release(&b);
}

static void test_rounds_are_bounded(void **state)
{
	struct bed b;
	char key[16];
	unsigned before, rounds = 0;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "rounds", .workers = 1000});
	b.at_once = true;
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "%d", i);
		queue_add(b.q, key, QUEUE_LIVE);
	}
	queue_start(b.q);
	while ((before = queue_depth(b.q)) > 0 && rounds < 1000) {
		loop_run_once(b.loop, true);
		assert_true(before - queue_depth(b.q) <= 16);
		rounds++;
	}
	assert_int_equal(queue_depth(b.q), 0);
	bed_release(&b);
}

static void test_delays(void **state)
{
	int64_t start = clock_mono_ms();
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "delays"});
	b.at_once = true;
	queue_add_after(b.q, "late", 60);
	queue_add_after(b.q, "soon", 25);
	queue_add_after(b.q, "soon", 5000); /* the earlier wins */
	queue_add_after(b.q, "sooner", 5000);
	queue_add_after(b.q, "sooner", 12);
	queue_add_after(b.q, "now", 0);
	assert_int_equal(queue_depth(b.q), 1);
	queue_start(b.q);
	expect(&b, "now sooner soon late ");
	assert_true(clock_mono_ms() - start >= 58);
	bed_release(&b);
}

/* Who was handed the key early knew all there was; a delay from before has nothing to add. */
static void test_an_early_handling_takes_the_delay_along(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "early"});
	b.at_once = true;
	queue_start(b.q);
	queue_add_after(b.q, "a", 20);
	queue_add(b.q, "a", QUEUE_LIVE);
	run_for(&b, 50);
	expect(&b, "a ");
	bed_release(&b);
}

static void test_delay_ends_while_in_work(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "inwork"});
	queue_start(b.q);
	queue_add(b.q, "a", QUEUE_LIVE);
	expect(&b, "a ");
	queue_add_after(b.q, "a", 10);
	run_for(&b, 20);
	expect(&b, "");
	queue_done(b.q, "a");
	expect(&b, "a ");
	bed_release(&b);
}

/* Milliseconds until "a" comes again. */
static int64_t time_of_retry(struct bed *b)
{
	int64_t start = clock_mono_ms();

	queue_add_rate_limited(b->q, "a");
	while (!b->log.len)
		loop_run_once(b->loop, true);
	buf_reset(&b->log);
	return clock_mono_ms() - start;
}

static void test_back_off(void **state)
{
	static const int64_t want[] = {4, 8, 16, 32, 64, 64};
	int64_t fastest = 1000;
	struct bed b;

	(void)state;
	bed_init(&b,
	         (struct queue_options){.name = "backoff", .base_delay_ms = 4, .max_delay_ms = 64});
	b.at_once = true;
	queue_start(b.q);
	/* The cached time of the round may be 1 ms old; a busy machine is late. */
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_true(time_of_retry(&b) >= want[i] - 2);
	for (int i = 0; i < 5; i++) {
		int64_t ms;

		queue_forget(b.q, "a");
		ms = time_of_retry(&b);
		fastest = ms < fastest ? ms : fastest;
	}
	assert_true(fastest < 60);
	bed_release(&b);
}

static double metric_of(const char *name_and_labels)
{
	double v = -1;
	struct buf out;
	char *at;

	buf_init(&out, 1u << 20);
	assert_int_equal(metric_render(&out, 0), 0);
	at = strstr(out.data, name_and_labels);
	if (at) {
		at += strlen(name_and_labels);
		at[strcspn(at, "\n")] = '\0';
		assert_true(str_to_double(at + strspn(at, " "), &v));
	}
	buf_release(&out);
	return v;
}

#define SERIES(name) name "{name=\"m\",controller=\"m\"}"

static void test_metrics(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, (struct queue_options){.name = "m"});
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "a", QUEUE_LIVE);
	queue_add(b.q, "b", QUEUE_LOW);
	assert_true(metric_of("workqueue_depth{name=\"m\",controller=\"m\",priority=\"0\"}") == 1);
	assert_true(metric_of("workqueue_depth{name=\"m\",controller=\"m\",priority=\"-100\"}") ==
	            1);
	assert_true(metric_of(SERIES("workqueue_adds_total")) == 2);
	queue_start(b.q);
	run_for(&b, 30);
	assert_true(metric_of(SERIES("workqueue_unfinished_work_seconds")) >= 0.015);
	assert_true(metric_of(SERIES("workqueue_longest_running_processor_seconds")) >= 0.015);
	queue_add_rate_limited(b.q, "a");
	queue_done(b.q, "a");
	assert_true(metric_of(SERIES("workqueue_retries_total")) == 1);
	assert_true(metric_of(SERIES("workqueue_work_duration_seconds_count")) == 1);
	assert_true(metric_of(SERIES("workqueue_work_duration_seconds_sum")) >= 0.015);
	assert_true(metric_of(SERIES("workqueue_queue_duration_seconds_count")) == 1);
	bed_release(&b);
	assert_true(metric_of(SERIES("workqueue_unfinished_work_seconds")) == 0);
}

/* --- random use ---------------------------------------------------------------------------- */

#define MODEL_KEYS 12

struct model {
	struct loop *loop;
	struct queue *q;
	uint64_t rng;
	bool active[MODEL_KEYS], owed[MODEL_KEYS];
	unsigned nactive, workers, handled;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->rng = m->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(m->rng >> 33) % below;
}

static const char *key_of(unsigned i)
{
	static char key[16];

	snprintf(key, sizeof(key), "k%u", i);
	return key;
}

static void model_handle(void *arg, const char *key)
{
	struct model *m = arg;
	unsigned i = (unsigned)strtoul(key + 1, NULL, 10);

	assert_false(m->active[i]);
	assert_true(m->owed[i]); /* nothing comes unasked */
	assert_true(m->nactive < m->workers);
	m->owed[i] = false;
	m->active[i] = true;
	m->nactive++;
	m->handled++;
}

static void model_done(struct model *m, unsigned i)
{
	if (!m->active[i])
		return;
	m->active[i] = false;
	m->nactive--;
	queue_done(m->q, key_of(i));
}

static void model_step(struct model *m)
{
	unsigned i = draw(m, MODEL_KEYS), what = draw(m, 10), active = i;

	while (m->nactive && !m->active[active])
		active = (active + 1) % MODEL_KEYS;

	if (what < 4) {
		queue_add(m->q, key_of(i), draw(m, 2) ? QUEUE_LIVE : QUEUE_LOW);
		m->owed[i] = true;
	} else if (what < 7) {
		model_done(m, active);
	} else if (what < 9) {
		loop_run_once(m->loop, false);
	} else {
		queue_forget(m->q, key_of(i));
	}
	assert_int_equal(queue_active(m->q), m->nactive);
}

static bool model_settled(const struct model *m)
{
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		if (m->owed[i] || m->active[i])
			return false;
	return true;
}

static void test_random_use(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct model m = {.rng = seed, .workers = 1 + (unsigned)(seed % 4)};
		int rounds = 0;

		m.loop = loop_new();
		m.q = queue_new(m.loop, &(struct queue_options){.name = "r", .workers = m.workers},
		                model_handle, &m);
		queue_start(m.q);
		for (int step = 0; step < 2000; step++)
			model_step(&m);
		/* Whatever was added is handed out in the end. */
		while (!model_settled(&m) && rounds++ < 2000) {
			loop_run_once(m.loop, false);
			for (unsigned i = 0; i < MODEL_KEYS; i++)
				model_done(&m, i);
		}
		assert_true(model_settled(&m));
		assert_int_equal(queue_depth(m.q), 0);
		assert_true(m.handled > 100);
		queue_free(m.q);
		loop_free(m.loop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_duplicates),
		cmocka_unit_test(test_never_twice_at_once),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_done_inside_handler),
		cmocka_unit_test(test_low_does_not_starve),
		cmocka_unit_test(test_rounds_are_bounded),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_an_early_handling_takes_the_delay_along),
		cmocka_unit_test(test_delay_ends_while_in_work),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
