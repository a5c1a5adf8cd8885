/* Leader election against a Lease held in memory, on clocks that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/kube/lease_record.h"
#include "client_bed.c"
#include "tidegate/base/json.h"
#include "tidegate/base/metric.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/ns/leases"

/* The one Lease of the server. */
static struct {
	bool exists;
	int rv;
	char *metadata; /* members beside name, namespace and resourceVersion, each with a comma */
	char *spec;
	char *answer;
	unsigned conflicts;
} server;

static int retry_ms;
static int64_t skew_ms; /* test clocks run this much ahead of the real one */

static int64_t test_clock(void *arg)
{
	(void)arg;
	return clock_mono_ms() + skew_ms;
}

static void answer_lease(struct fake_reply *out, int status)
{
	free(server.answer);
	server.answer =
		xasprintf("{\"kind\":\"Lease\",\"metadata\":{%s\"name\":\"l\",\"namespace\":\"ns\","
	                  "\"resourceVersion\":\"%d\"},\"spec\":%s}",
	                  str_or(server.metadata, ""), server.rv, server.spec);
	out->status = status;
	out->body = server.answer;
}

static void answer_status(struct fake_reply *out, int status, const char *reason)
{
	free(server.answer);
	server.answer = xasprintf("{\"kind\":\"Status\",\"code\":%d,\"reason\":\"%s\","
	                          "\"message\":\"%s\"}",
	                          status, reason, reason);
	out->status = status;
	out->body = server.answer;
	server.conflicts += status == 409;
}

static void set_spec(const struct json *spec)
{
	struct buf text;

	buf_init(&text, 4096);
	assert_int_equal(json_write_value(&text, spec), 0);
	free(server.spec);
	server.spec = buf_detach(&text);
	server.exists = true;
	server.rv++;
}

static void serve(void *arg, const struct fake_request *q, struct fake_reply *out)
{
	struct arena arena cleanup_arena;
	const struct json *body = NULL;
	char rv[16];

	(void)arg;
	arena_init(&arena, 0);
	if (*q->body) {
		body = json_parse(&arena, q->body, strlen(q->body), NULL);
		assert_non_null(body);
	}
	snprintf(rv, sizeof(rv), "%d", server.rv);
	if (str_eq(q->method, "POST")) {
		if (server.exists) {
			answer_status(out, 409, "AlreadyExists");
			return;
		}
		set_spec(json_get(body, "spec"));
		answer_lease(out, 201);
	} else if (!server.exists) {
		answer_status(out, 404, "NotFound");
	} else if (str_eq(q->method, "GET")) {
		answer_lease(out, 200);
	} else if (!str_eq(json_str(json_get(body, "metadata"), "resourceVersion"), rv)) {
		answer_status(out, 409, "Conflict");
	} else {
		set_spec(json_get(body, "spec"));
		answer_lease(out, 200);
	}
}

struct candidate {
	struct lease *lease;
	bool acquired, lost, stopped;
	bool write_allowed_in_lost;
};

static void on_acquired(void *arg)
{
	((struct candidate *)arg)->acquired = true;
}

static void on_lost(void *arg)
{
	struct candidate *c = arg;

	c->lost = true;
	c->write_allowed_in_lost = lease_may_write(c->lease);
}

static void on_stopped(void *arg)
{
	((struct candidate *)arg)->stopped = true;
}

static struct bed *lease_bed(void **state)
{
	struct bed *b = *state;
	static const char *const methods[] = {"GET", "PUT", "POST"};

	memset(&server, 0, sizeof(server));
	skew_ms = 0;
	retry_ms = 20;
	bed_client(b, 0);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		fake_api_handle(b->api, methods[i], LEASES, serve, NULL);
	return b;
}

static void server_reset(void)
{
	free(server.metadata);
	free(server.spec);
	free(server.answer);
	memset(&server, 0, sizeof(server));
}

/* 15 s, 10 s and 20 ms: the test's clock jumps over the first two. */
static void candidate(struct bed *b, struct candidate *c, const char *identity,
                      int renew_deadline_ms)
{
	struct lease_options o = {.namespace = "ns",
	                          .name = "l",
	                          .identity = identity,
	                          .retry_ms = retry_ms,
	                          .renew_deadline_ms = renew_deadline_ms,
	                          .on_acquired = on_acquired,
	                          .on_lost = on_lost,
	                          .arg = c};
	struct err err = ERR_INIT;

	memset(c, 0, sizeof(*c));
	c->lease = lease_new(b->client, &o, &err);
	if (!c->lease)
		fail_msg("%s", err.msg);
	lease_set_clock(c->lease, test_clock, NULL);
	lease_start(c->lease);
}

static void must(struct bed *b, const bool *flag)
{
	assert_true(fake_api_run(b->loop, flag, 5000));
}

static bool server_says(const char *key, const char *value)
{
	cleanup_free char *want = xasprintf("\"%s\":%s", key, value);

	return strstr(server.spec, want) != NULL;
}

static double master_metric(void)
{
	cleanup_buf struct buf text;
	const char *p;
	double v = -1;
	char num[8];

	buf_init(&text, 1u << 20);
	metric_render(&text, 0);
	p = strstr(text.data, "leader_election_master_status{name=\"l\"} ");
	assert_non_null(p);
	snprintf(num, sizeof(num), "%.*s", (int)strcspn(strchr(p, ' ') + 1, "\n"),
	         strchr(p, ' ') + 1);
	assert_true(str_to_double(num, &v));
	return v;
}

/* --- tests -------------------------------------------------------------------------------- */

static void test_acquire_and_renew(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;
	cleanup_free char *first = NULL;

	candidate(b, &a, "a", 0);
	assert_false(lease_may_write(a.lease));
	assert_true(master_metric() == 0);
	must(b, &a.acquired);
	assert_true(lease_held(a.lease) && lease_may_write(a.lease));
	assert_true(server_says("holderIdentity", "\"a\""));
	assert_true(server_says("leaseDurationSeconds", "15"));
	assert_true(server_says("leaseTransitions", "0"));
	assert_string_equal(lease_holder(a.lease), "a");
	assert_true(master_metric() == 1);
	first = xstrdup(server.spec);
	fake_api_idle(b->loop, 80);
	/* renewals are PUTs from what is known: no GET after the first */
	assert_true(fake_api_count(b->api, "PUT", LEASES) >= 2);
	assert_int_equal(fake_api_count(b->api, "GET", LEASES), 1);
	assert_string_not_equal(first, server.spec);
	assert_int_equal(server.conflicts, 0);
	lease_free(a.lease);
	server_reset();
}

static void test_candidate_waits_and_takes_over(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a, c;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	candidate(b, &c, "c", 0);
	fake_api_idle(b->loop, 60);
	assert_false(c.acquired);
	assert_string_equal(lease_holder(c.lease), "a");
	/* the holder vanishes without a word */
	lease_free(a.lease);
	fake_api_idle(b->loop, 60);
	skew_ms += 14000;
	fake_api_idle(b->loop, 80);
	assert_false(c.acquired);
	skew_ms += 2000;
	must(b, &c.acquired);
	assert_true(server_says("holderIdentity", "\"c\""));
	assert_int_equal(lease_transitions(c.lease), 1);
	lease_free(c.lease);
	server_reset();
}

/* A candidate does not sleep over the end of the lease that it has seen. */
static void test_candidate_wakes_at_expiry(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate c;
	int64_t began = clock_mono_ms();

	server.exists = true;
	server.rv = 1;
	server.spec = xasprintf("{\"holderIdentity\":\"z\",\"leaseDurationSeconds\":1}");
	retry_ms = 900; /* its second look would be 1800 to 3960 ms from now */
	candidate(b, &c, "c", 0);
	must(b, &c.acquired);
	assert_in_range(clock_mono_ms() - began, 1000, 1500);
	lease_free(c.lease);
	server_reset();
}

/*
 * The times in a record mean nothing: a candidate that comes to an old one waits a full duration
 * all the same, and one from the future does not keep it out for longer.
 */
static void test_only_observed_time_counts(void **state)
{
	static const char *const renewed[] = {"2001-01-01T00:00:00.000000Z",
	                                      "2999-01-01T00:00:00.000000Z"};
	for (size_t i = 0; i < 2; i++) {
		struct bed *b;
		struct candidate c;

		if (i)
			bed_teardown(state), bed_setup(state);
		b = lease_bed(state);
		server.exists = true;
		server.rv = 7;
		server.spec = xasprintf("{\"holderIdentity\":\"z\",\"leaseDurationSeconds\":15,"
		                        "\"renewTime\":\"%s\",\"leaseTransitions\":3}",
		                        renewed[i]);
		candidate(b, &c, "c", 0);
		fake_api_idle(b->loop, 60);
		skew_ms += 14500;
		fake_api_idle(b->loop, 80);
		assert_false(c.acquired);
		skew_ms += 1000;
		must(b, &c.acquired);
		assert_int_equal(lease_transitions(c.lease), 4);
		lease_free(c.lease);
		server_reset();
	}
}

/* Any change of the record is a sign of life, whatever it says. */
static void test_change_is_a_sign_of_life(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate c;

	server.exists = true;
	server.rv = 1;
	for (int i = 0; i < 4; i++) {
		free(server.spec);
		server.spec = xasprintf("{\"holderIdentity\":\"z\",\"leaseDurationSeconds\":15,"
		                        "\"renewTime\":\"2026-01-01T00:00:0%d.000000Z\"}",
		                        9 - i);
		server.rv++;
		if (i == 0)
			candidate(b, &c, "c", 0);
		fake_api_idle(b->loop, 60);
		skew_ms += 10000;
	}
	fake_api_idle(b->loop, 60);
	assert_false(c.acquired);
	skew_ms += 6000;
	must(b, &c.acquired);
	lease_free(c.lease);
	server_reset();
}

/* The server accepts and never answers: the gate closes by the clock, without any event. */
static void test_fence_when_the_server_hangs(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;
	struct answer w;
	int64_t begin;

	candidate(b, &a, "a", 90);
	must(b, &a.acquired);
	fake_api_hang(b->api, true);
	bed_start(b, &w, POST); /* a write under way */
	begin = clock_mono_ms();
	must(b, &a.lost);
	assert_true(clock_mono_ms() - begin < 1000); /* long before a request's own timeout */
	assert_false(a.write_allowed_in_lost || lease_held(a.lease));
	assert_true(master_metric() == 0);
	must(b, &w.done);
	assert_int_equal(w.err.class, ERR_CANCELED);
	/* it does not come back by itself */
	fake_api_hang(b->api, false);
	a.acquired = false;
	fake_api_idle(b->loop, 60);
	assert_false(a.acquired);
	lease_free(a.lease);
	server_reset();
}

/* A suspended process looks at the clock before its next write, not at its timers. */
static void test_gate_after_suspend(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	assert_true(lease_may_write(a.lease));
	skew_ms += 9000;
	assert_true(lease_may_write(a.lease));
	skew_ms += 1500;
	assert_false(lease_may_write(a.lease));
	assert_false(a.lost);
	must(b, &a.lost);
	lease_free(a.lease);
	server_reset();
}

/* Failing renewals are repeated until the deadline; one success is enough. */
static void test_renewal_survives_errors(void **state)
{
	static const struct fake_reply bad[] = {{.status = 500}, RESET};
	struct bed *b = lease_bed(state);
	struct candidate a;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	fake_api_script(b->api, "PUT", LEASES, bad, 2);
	fake_api_script(b->api, "GET", LEASES, bad, 2);
	fake_api_idle(b->loop, 100);
	assert_true(lease_may_write(a.lease));
	skew_ms += 9000;
	fake_api_handle(b->api, "PUT", LEASES, serve, NULL);
	fake_api_handle(b->api, "GET", LEASES, serve, NULL);
	fake_api_idle(b->loop, 100);
	skew_ms += 9000;
	assert_true(lease_may_write(a.lease));
	lease_free(a.lease);
	server_reset();
}

/* Somebody touched the object: one conflict, one GET, and on. Their annotation stays. */
static void test_conflict_is_resolved(void **state)
{
	struct bed *b = lease_bed(state);
	const struct fake_request *q;
	cleanup_free char *spec = NULL;
	struct candidate a;
	unsigned puts;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	server.metadata = xstrdup("\"annotations\":{\"who\":\"admin\"},\"managedFields\":[{}],");
	spec = server.spec;
	spec[strlen(spec) - 1] = '\0';
	server.spec = xasprintf("%s,\"strategy\":\"OldestEmulationVersion\"}", spec);
	server.rv++;
	fake_api_idle(b->loop, 80);
	assert_int_equal(server.conflicts, 1);
	assert_int_equal(fake_api_count(b->api, "GET", LEASES), 2);
	assert_true(lease_may_write(a.lease));
	assert_true(server_says("strategy", "\"OldestEmulationVersion\""));
	puts = fake_api_count(b->api, "PUT", LEASES);
	q = fake_api_nth(b->api, "PUT", LEASES, puts - 1);
	assert_non_null(strstr(q->body, "\"annotations\":{\"who\":\"admin\"}"));
	assert_null(strstr(q->body, "managedFields"));
	lease_free(a.lease);
	server_reset();
}

static void test_taken_by_another(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	free(server.spec);
	server.spec = xstrdup("{\"holderIdentity\":\"z\",\"leaseDurationSeconds\":15}");
	server.rv++;
	must(b, &a.lost);
	assert_false(lease_may_write(a.lease));
	assert_true(server_says("holderIdentity", "\"z\""));
	lease_free(a.lease);
	server_reset();
}

static void test_deleted_is_made_again(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	server.exists = false;
	fake_api_idle(b->loop, 80);
	assert_true(server.exists);
	assert_true(lease_may_write(a.lease));
	assert_false(a.lost);
	lease_free(a.lease);
	server_reset();
}

static void test_release_hands_over_at_once(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a, c;

	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	candidate(b, &c, "c", 0);
	fake_api_idle(b->loop, 40);
	lease_stop(a.lease, on_stopped, &a);
	assert_false(lease_may_write(a.lease));
	assert_false(a.stopped);
	must(b, &a.stopped);
	assert_false(a.lost);
	must(b, &c.acquired); /* no clock was moved */
	assert_int_equal(lease_transitions(c.lease), 1);
	/* who does not hold it has nothing to release */
	lease_free(a.lease);
	candidate(b, &a, "a", 0);
	fake_api_idle(b->loop, 40);
	lease_stop(a.lease, on_stopped, &a);
	must(b, &a.stopped);
	assert_true(server_says("holderIdentity", "\"c\""));
	lease_free(a.lease);
	lease_free(c.lease);
	server_reset();
}

static void test_release_writes_nobody(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;

	retry_ms = 5000;
	candidate(b, &a, "a", 0);
	must(b, &a.acquired);
	server.rv++; /* a conflict on the way out is resolved at once */
	lease_stop(a.lease, on_stopped, &a);
	assert_true(fake_api_run(b->loop, &a.stopped, 1000));
	assert_int_equal(server.conflicts, 1);
	assert_true(server_says("holderIdentity", "\"\""));
	assert_true(server_says("leaseDurationSeconds", "1"));
	lease_free(a.lease);
	server_reset();
}

static void test_release_is_bounded(void **state)
{
	struct bed *b = lease_bed(state);
	struct candidate a;

	candidate(b, &a, "a", 90);
	must(b, &a.acquired);
	fake_api_hang(b->api, true);
	lease_stop(a.lease, on_stopped, &a);
	assert_true(fake_api_run(b->loop, &a.stopped, 900));
	assert_false(a.lost);
	lease_free(a.lease);
	server_reset();
}

/* A stop while the acquiring write is under way must not leave a lease behind. */
static void test_stop_while_acquiring(void **state)
{
	static const struct fake_reply stall = {.raw = "", .end = FAKE_STALL};
	struct bed *b = lease_bed(state);
	struct candidate a;

	fake_api_script(b->api, "POST", LEASES, &stall, 1);
	candidate(b, &a, "a", 0);
	while (!fake_api_count(b->api, "POST", LEASES))
		fake_api_idle(b->loop, 1);
	server.exists = true;
	server.rv = 5;
	server.spec = xstrdup("{\"holderIdentity\":\"a\",\"leaseDurationSeconds\":15}");
	lease_stop(a.lease, on_stopped, &a);
	must(b, &a.stopped);
	assert_true(server_says("holderIdentity", "\"\""));
	assert_false(a.acquired);
	lease_free(a.lease);
	server_reset();
}

static void test_options(void **state)
{
	static const struct {
		struct lease_options o;
		const char *says; /* NULL = fine */
	} rows[] = {
		{{.namespace = "ns", .name = "l"}, NULL},
		{{.namespace = "ns", .name = ""}, "is invalid"},
		{{.namespace = NULL, .name = "l"}, "is invalid"},
		{{.namespace = "ns/x", .name = "l"}, "is invalid"},
		{{.namespace = "ns", .name = "l", .duration_ms = 10000},
	         "must be longer than the renew"},
		{{.namespace = "ns", .name = "l", .renew_deadline_ms = 2400},
	         "1.2 times the retry"},
		{{.namespace = "ns", .name = "l", .renew_deadline_ms = 2401}, NULL},
	};
	struct bed *b = lease_bed(state);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		struct lease *l = lease_new(b->client, &rows[i].o, &err);

		if (rows[i].says ? l || !strstr(err.msg, rows[i].says) : !l)
			fail_msg("row %zu: %s", i, err.msg);
		if (l)
			assert_true(strlen(lease_identity(l)) > 37 &&
			            lease_identity(l)[strlen(lease_identity(l)) - 37] == '_');
		lease_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_acquire_and_renew),         T(test_candidate_waits_and_takes_over),
		T(test_candidate_wakes_at_expiry), T(test_only_observed_time_counts),
		T(test_change_is_a_sign_of_life),  T(test_fence_when_the_server_hangs),
		T(test_gate_after_suspend),        T(test_renewal_survives_errors),
		T(test_conflict_is_resolved),      T(test_taken_by_another),
		T(test_deleted_is_made_again),     T(test_release_hands_over_at_once),
		T(test_release_writes_nobody),     T(test_release_is_bounded),
		T(test_stop_while_acquiring),      T(test_options),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
