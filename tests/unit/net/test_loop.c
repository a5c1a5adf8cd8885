#include "fixture.h"

#include <signal.h>

struct trace {
	struct loop *loop;
	char text[256];
	size_t len;
	bool done;
};

static struct trace trace;

static void note(const char *s)
{
	trace.len +=
		(size_t)snprintf(trace.text + trace.len, sizeof(trace.text) - trace.len, "%s", s);
}

static int setup(void **state)
{
	memset(&trace, 0, sizeof(trace));
	trace.loop = loop_new();
	*state = trace.loop;
	return trace.loop ? 0 : -1;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

static void note_arg(void *arg)
{
	note(arg);
}

static void note_and_finish(void *arg)
{
	note(arg);
	trace.done = true;
}

static void timers_fire_in_order_of_time(void **state)
{
	struct loop *l = *state;
	static const struct {
		int ms;
		const char *name;
	} rows[] = {{30, "d"}, {10, "b"}, {20, "c"}, {0, "a"}};
	struct timer t[4], last;
	int64_t start = clock_mono_ms();

	for (size_t i = 0; i < 4; i++) {
		timer_init(&t[i], l, note_arg, (void *)(uintptr_t)rows[i].name);
		timer_start(&t[i], rows[i].ms);
		assert_true(timer_active(&t[i]));
	}
	timer_init(&last, l, note_and_finish, (void *)"e");
	timer_start(&last, 40);
	assert_true(run_until(l, &trace.done, 2000));
	assert_string_equal(trace.text, "abcde");
	assert_true(clock_mono_ms() - start >= 40);
	assert_true(loop_now(l) - start >= 40);
	for (size_t i = 0; i < 4; i++) {
		assert_false(timer_active(&t[i]));
		timer_release(&t[i]);
	}
	timer_release(&last);
}

static void equal_timers_fire_in_order_of_start(void **state)
{
	struct loop *l = *state;
	struct timer t[3];
	const char *names[] = {"1", "2", "3"};

	for (int i = 0; i < 3; i++) {
		timer_init(&t[i], l, i == 2 ? note_and_finish : note_arg,
		           (void *)(uintptr_t)names[i]);
		timer_start(&t[i], 5);
	}
	assert_true(run_until(l, &trace.done, 2000));
	assert_string_equal(trace.text, "123");
	for (int i = 0; i < 3; i++)
		timer_release(&t[i]);
}

static void a_timer_can_be_moved_and_stopped(void **state)
{
	struct loop *l = *state;
	struct timer moved, stopped, last;

	timer_init(&moved, l, note_arg, (void *)"m");
	timer_init(&stopped, l, note_arg, (void *)"s");
	timer_init(&last, l, note_and_finish, (void *)"l");
	timer_start(&moved, 5);
	timer_start(&moved, 30);
	timer_start(&stopped, 5);
	timer_start(&last, 15);
	timer_stop(&stopped);
	assert_true(run_until(l, &trace.done, 2000));
	assert_string_equal(trace.text, "l");
	assert_true(timer_active(&moved));
	timer_release(&moved);
	timer_release(&stopped);
	timer_release(&last);
}

static struct timer skewed;
static int64_t skew_start;

static void block_and_start(void *arg)
{
	(void)arg;
	usleep(60000);
	skew_start = clock_mono_ms();
	timer_start(&skewed, 40);
}

static void a_long_callback_does_not_shorten_a_timer(void **state)
{
	struct loop *l = *state;
	struct timer first;

	timer_init(&first, l, block_and_start, NULL);
	timer_init(&skewed, l, note_and_finish, (void *)"x");
	timer_start(&first, 0);
	assert_true(run_until(l, &trace.done, 2000));
	assert_true(clock_mono_ms() - skew_start >= 40);
	timer_release(&first);
	timer_release(&skewed);
}

static void release_self(void *arg)
{
	timer_release(arg);
	note_and_finish((void *)"r");
}

static void a_timer_may_release_itself(void **state)
{
	struct timer t;

	timer_init(&t, *state, release_self, &t);
	timer_start(&t, 0);
	assert_true(run_until(*state, &trace.done, 2000));
	assert_string_equal(trace.text, "r");
	assert_null(t.ev);
}

static void defer_more(void *arg)
{
	note("1");
	loop_defer(trace.loop, note_arg, (void *)"3");
	loop_defer(trace.loop, note_and_finish, (void *)"4");
	(void)arg;
}

static void deferred_calls_keep_their_order_and_may_defer(void **state)
{
	struct loop *l = *state;

	loop_defer(l, defer_more, NULL);
	loop_defer(l, note_arg, (void *)"2");
	assert_string_equal(trace.text, "");
	/* No event is due: neither batch must wait for one. */
	loop_run_once(l, true);
	assert_string_equal(trace.text, "1234");
}

/* Defers itself until the timer has fired. */
static void defer_again(void *arg)
{
	if (!trace.done)
		loop_defer(trace.loop, defer_again, arg);
}

static void a_call_that_defers_itself_starves_nobody(void **state)
{
	struct loop *l = *state;
	struct timer t;

	timer_init(&t, l, note_and_finish, (void *)"t");
	timer_start(&t, 5);
	loop_defer(l, defer_again, NULL);
	assert_true(run_until(l, &trace.done, 2000));
	assert_string_equal(trace.text, "t");
	timer_release(&t);
}

static void freeing_the_loop_runs_what_is_deferred(void **state)
{
	struct loop *l = loop_new();

	trace.loop = l;
	loop_defer(l, defer_more, NULL);
	loop_free(l);
	assert_string_equal(trace.text, "134");
	trace.loop = *state;
}

static void stop_loop(void *arg)
{
	note("s");
	loop_stop(arg);
}

static void stop_ends_run_and_it_can_run_again(void **state)
{
	struct loop *l = *state;
	struct timer t;

	timer_init(&t, l, stop_loop, l);
	for (int i = 0; i < 2; i++) {
		timer_start(&t, 1);
		loop_run(l);
	}
	loop_stop(l);
	loop_run(l);
	assert_string_equal(trace.text, "ss");
	timer_release(&t);
}

static void got_signal(void *arg, int signo)
{
	assert_ptr_equal(arg, &trace);
	note(signo == SIGHUP ? "H" : signo == SIGTERM ? "T" : "?");
	if (signo == SIGTERM)
		trace.done = true;
}

static void signals_arrive_as_events(void **state)
{
	loop_on_signal(*state, SIGHUP, got_signal, &trace);
	loop_on_signal(*state, SIGTERM, got_signal, &trace);
	kill(getpid(), SIGHUP);
	assert_string_equal(trace.text, "");
	run_for(*state, 20);
	assert_string_equal(trace.text, "H");
	kill(getpid(), SIGTERM);
	assert_true(run_until(*state, &trace.done, 2000));
	assert_string_equal(trace.text, "HT");
}

static struct io pipe_io;
static int pipe_fd;

static void got_pipe(void *arg, int events)
{
	char c;

	(void)arg;
	assert_int_equal(events, LOOP_READ);
	assert_int_equal(read(pipe_fd, &c, 1), 1);
	trace.text[trace.len++] = c;
	if (c == 'b')
		io_release(&pipe_io); /* from its own callback */
	trace.done = c == 'b';
}

static void descriptors_are_watched_and_released(void **state)
{
	struct loop *l = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	pipe_fd = fds[0];
	io_init(&pipe_io, l, got_pipe, NULL);
	io_set(&pipe_io, fds[0], LOOP_READ);
	assert_int_equal(write(fds[1], "a", 1), 1);
	run_for(l, 10);
	assert_string_equal(trace.text, "a");
	io_set(&pipe_io, fds[0], 0);
	assert_int_equal(write(fds[1], "b", 1), 1);
	run_for(l, 10);
	assert_string_equal(trace.text, "a");
	io_set(&pipe_io, fds[0], LOOP_READ);
	assert_true(run_until(l, &trace.done, 2000));
	assert_string_equal(trace.text, "ab");
	close(fds[0]);
	close(fds[1]);
}

static void an_idle_loop_uses_no_cpu(void **state)
{
	int64_t cpu = clock_cpu_ms();

	run_for(*state, 100);
	assert_true(clock_cpu_ms() - cpu < 50);
}

/* Its pipe is never empty, so the loop has an event as often as it looks. */
static void got_one_more(void *arg, int events)
{
	int *fds = arg;
	char c;

	(void)events;
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(write(fds[1], &c, 1), 1);
	trace.len++;
}

static size_t events_under_load(struct loop *l, int ms)
{
	trace.len = 0;
	run_for(l, ms);
	return trace.len;
}

static void a_paced_loop_gathers_under_load(void **state)
{
	struct loop *l = *state;
	int fds[2];
	size_t one_by_one;
	struct io io;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	io_init(&io, l, got_one_more, fds);
	io_set(&io, fds[0], LOOP_READ);
	one_by_one = events_under_load(l, 300);
	loop_pace(l);
	run_for(l, 300);
	/* 30, and what libev looks for in the last millisecond before a timer, as fast as it can.
	 */
	assert_true(events_under_load(l, 300) < one_by_one / 5);
	/* Idle for a while, it hears of the next one at once. */
	io_set(&io, fds[0], 0);
	run_for(l, 300);
	io_set(&io, fds[0], LOOP_READ);
	assert_true(events_under_load(l, 8) > 1);
	io_release(&io);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_order_of_time, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_timers_fire_in_order_of_start, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(a_timer_can_be_moved_and_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_callback_does_not_shorten_a_timer, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(a_timer_may_release_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(deferred_calls_keep_their_order_and_may_defer,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(a_call_that_defers_itself_starves_nobody, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(freeing_the_loop_runs_what_is_deferred, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(stop_ends_run_and_it_can_run_again, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(signals_arrive_as_events, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_are_watched_and_released, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(an_idle_loop_uses_no_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(a_paced_loop_gathers_under_load, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
