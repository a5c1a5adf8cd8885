/* Virtual time and the stand-in for the network: no test here waits for anything. */
#include "fixture.h"

#include "tidegate/net/http_virtual.h"

struct peer {
	struct loop *loop;
	struct http_call *call;
	char seen[256];
	unsigned gone, done;
	struct err err;
	int status;
	char body[64];
	bool cancel;
};

static struct clock_virtual now;
static struct peer peer;

static void *on_start(void *arg, struct http_call *call, const struct http_sent *sent)
{
	struct peer *p = arg;

	p->call = call;
	snprintf(p->seen, sizeof(p->seen), "%s %s %s", sent->method, sent->url, sent->body);
	return call;
}

static void on_gone(void *arg, void *started)
{
	struct peer *p = arg;

	assert_ptr_equal(started, p->call);
	p->gone++;
	p->call = NULL;
}

static const struct http_transport transport = {on_start, on_gone, &peer};

static void on_done(void *arg, const struct http_result *r)
{
	struct peer *p = arg;

	p->done++;
	p->err = r->err;
	p->status = r->status;
	snprintf(p->body, sizeof(p->body), "%s", r->body);
}

static int on_data(void *arg, int status, const char *data, size_t len)
{
	struct peer *p = arg;

	p->status = status;
	snprintf(p->body, sizeof(p->body), "%.*s", (int)len, data);
	if (p->cancel)
		http_cancel(p->call);
	return 0;
}

static int setup(void **state)
{
	static const struct http_client_options o;

	peer = (struct peer){0};
	now = (struct clock_virtual){1000, 1700000000000};
	clock_use(&now);
	peer.loop = loop_new_virtual(&now);
	http_transport_use(&transport);
	*state = http_client_new(peer.loop, &o, NULL);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	http_client_free(*state);
	loop_free(peer.loop);
	http_transport_use(NULL);
	clock_use(NULL);
	return 0;
}

static void start(struct http_client *c, struct http_request r)
{
	r.url = r.known_url ? NULL : "http://10.0.0.1:80/x";
	r.on_done = on_done;
	r.arg = &peer;
	http_start(c, &r);
	assert_non_null(peer.call);
}

static void set(void *arg)
{
	*(int64_t *)arg = clock_mono_ms();
}

static void time_jumps_to_the_next_timer(void **state)
{
	struct timer late, early;
	int64_t at_late = 0, at_early = 0;

	(void)state;
	timer_init(&late, peer.loop, set, &at_late);
	timer_init(&early, peer.loop, set, &at_early);
	timer_start(&late, 3600000);
	timer_start(&early, 5);
	assert_int_equal(loop_next_timer(peer.loop), 1005);
	loop_run_once(peer.loop, true);
	loop_run_once(peer.loop, false); /* does not wait: the late one is not due */
	assert_int_equal(at_early, 1005);
	assert_int_equal(at_late, 0);
	loop_run_once(peer.loop, true);
	assert_int_equal(at_late, 3601000);
	assert_int_equal(loop_now(peer.loop), 3601000);
	assert_int_equal(clock_wall_ms(), 1700003600000);
	assert_true(loop_next_timer(peer.loop) == INT64_MAX);
	timer_release(&late);
	timer_release(&early);
}

static void time_stands_still_while_something_is_deferred(void **state)
{
	struct timer t;
	int64_t deferred = 0, fired = 0;

	(void)state;
	timer_init(&t, peer.loop, set, &fired);
	timer_start(&t, 10);
	loop_defer(peer.loop, set, &deferred);
	loop_run_once(peer.loop, true);
	assert_int_equal(deferred, 1000);
	assert_int_equal(fired, 1010);
	timer_release(&t);
}

static void an_answer_comes_in_pieces(void **state)
{
	start(*state, (struct http_request){.method = "PUT", .body = "abc", .body_len = 3});
	assert_string_equal(peer.seen, "PUT http://10.0.0.1:80/x abc");
	http_answer_head(peer.call, 201, 0);
	assert_true(http_answer_data(peer.call, "one ", 4));
	assert_true(http_answer_data(peer.call, "two", 3));
	http_answer_end(peer.call, NULL);
	assert_int_equal(peer.done, 1);
	assert_int_equal(peer.gone, 1);
	assert_int_equal(peer.status, 201);
	assert_int_equal(peer.err.class, ERR_NONE);
	assert_string_equal(peer.body, "one two");
}

static void an_answer_comes_whole(void **state)
{
	start(*state, (struct http_request){.max_body = 3});
	http_answer_whole(peer.call, 200, 0, "one", 3);
	assert_int_equal(peer.err.class, ERR_NONE);
	assert_string_equal(peer.body, "one");
	start(*state, (struct http_request){.max_body = 3});
	http_answer_whole(peer.call, 200, 0, "more", 4);
	assert_int_equal(peer.err.class, ERR_TOO_BIG);
	start(*state, (struct http_request){.on_data = on_data});
	http_answer_whole(peer.call, 201, 0, "more", 4);
	assert_int_equal(peer.done, 3);
	assert_int_equal(peer.gone, 3);
	assert_int_equal(peer.err.class, ERR_NONE);
	assert_int_equal(peer.status, 201);
}

static void a_known_url_is_asked_as_any_other(void **state)
{
	static const char *const rows[] = {"http://10.0.0.2:8501/v1/models/m",
	                                   "https://models.example:8443/x"};
	char want[64];

	for (size_t i = 0; i < 2; i++) {
		struct http_url *url = http_url_new(rows[i]);

		start(*state, (struct http_request){.known_url = url});
		snprintf(want, sizeof(want), "GET %s ", http_url_text(url));
		assert_string_equal(peer.seen, want);
		http_answer_whole(peer.call, 200, 0, "", 0);
		http_url_free(url);
	}
}

static void a_known_url_may_be_none(void **state)
{
	struct http_url *url = http_url_new("ftp://10.0.0.2/x");

	http_start(*state,
	           &(struct http_request){.known_url = url, .on_done = on_done, .arg = &peer});
	loop_run_once(peer.loop, true);
	assert_int_equal(peer.done, 1);
	assert_int_equal(peer.err.class, ERR_INVALID);
	http_url_free(url);
}

static void silence_ends_by_the_limit_and_by_the_stall(void **state)
{
	static const struct http_request rows[] = {{.timeout_ms = 700}, {.stall_ms = 700}};

	for (size_t i = 0; i < 2; i++) {
		int64_t began = now.mono_ms;

		start(*state, rows[i]);
		loop_run_once(peer.loop, true);
		assert_int_equal(peer.done, i + 1);
		assert_int_equal(peer.gone, i + 1);
		assert_int_equal(peer.err.class, ERR_TIMEOUT);
		assert_int_equal(now.mono_ms, began + 700);
	}
}

static void a_cut_connection_is_told(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_TRANSPORT, "connection reset");
	start(*state, (struct http_request){0});
	http_answer_end(peer.call, &err);
	assert_int_equal(peer.err.class, ERR_TRANSPORT);
	assert_int_equal(peer.status, 0);
}

static void a_cancel_from_within_on_data_is_safe(void **state)
{
	peer.cancel = true;
	start(*state, (struct http_request){.on_data = on_data});
	http_answer_head(peer.call, 200, 0);
	assert_false(http_answer_data(peer.call, "x", 1));
	assert_string_equal(peer.body, "x");
	assert_int_equal(peer.gone, 1);
	assert_int_equal(peer.done, 0);
}

static void a_client_that_is_freed_takes_its_calls_along(void **state)
{
	static const struct http_client_options o;
	struct http_client *c = http_client_new(peer.loop, &o, NULL);

	(void)state;
	start(c, (struct http_request){.timeout_ms = 50});
	http_client_free(c);
	assert_int_equal(peer.gone, 1);
	assert_int_equal(peer.done, 0);
	assert_true(loop_next_timer(peer.loop) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(time_jumps_to_the_next_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(time_stands_still_while_something_is_deferred,
	                                        setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_comes_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_comes_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_known_url_is_asked_as_any_other, setup, teardown),
		cmocka_unit_test_setup_teardown(a_known_url_may_be_none, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_ends_by_the_limit_and_by_the_stall, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(a_cut_connection_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cancel_from_within_on_data_is_safe, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(a_client_that_is_freed_takes_its_calls_along, setup,
	                                        teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
