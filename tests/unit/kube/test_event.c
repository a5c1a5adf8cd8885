/* Events: what is sent for the first, the second and later occurrences, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../../controller/kube/event_priv.h"
#include "client_bed.c"
#include "tidegate/base/json.h"
#include "tidegate/base/metric.h"

#define EVENTS "/apis/events.k8s.io/v1/namespaces/"

static const struct event_ref pod = {"v1", "Pod", "shop", "ranker-0", "u-1"};
static const struct fake_reply created = {.status = 201, .body = "{}"}, patched = OK;
static int64_t clock_ms = 1000000;

static int64_t test_clock(void *arg)
{
	(void)arg;
	return clock_ms;
}

static struct event_recorder *recorder(struct bed *b)
{
	struct event_recorder *r;

	bed_client(b, 0);
	fake_api_script(b->api, "POST", EVENTS, &created, 1);
	fake_api_script(b->api, "PATCH", EVENTS, &patched, 1);
	r = event_recorder_new(b->client, "tidegate.io/controller", "host_1");
	event_set_clock(r, test_clock, NULL);
	r->retry_ms = 5;
	return r;
}

static void emit(struct bed *b, struct event_recorder *r, const char *reason, const char *note)
{
	event_emit(r, false, &pod, reason, "Scale", note);
	fake_api_idle(b->loop, 10);
}

static unsigned posts(struct bed *b)
{
	return fake_api_count(b->api, "POST", EVENTS);
}

static unsigned patches(struct bed *b)
{
	return fake_api_count(b->api, "PATCH", EVENTS);
}

/* The value at a path of the body of the n-th request of this method, as text. */
static char *body_at(struct bed *b, const char *method, unsigned n, const char *k1, const char *k2)
{
	const struct fake_request *q = fake_api_nth(b->api, method, EVENTS, n);
	struct arena arena cleanup_arena;
	const struct json *v;
	static char text[2048];

	arena_init(&arena, 0);
	assert_non_null(q);
	v = json_get(json_parse(&arena, q->body, strlen(q->body), NULL), k1);
	if (k2)
		v = json_get(v, k2);
	if (json_is_number(v))
		snprintf(text, sizeof(text), "%d", (int)json_value_i64(v, -1));
	else
		str_copy(text, sizeof(text), str_or(json_value_str(v), "(none)"));
	return text;
}

static double outcome(const char *name)
{
	cleanup_free char *want = xasprintf("tidegate_events_total{outcome=\"%s\"} ", name);
	cleanup_buf struct buf text;
	char num[32];
	const char *p;
	double v;

	buf_init(&text, 1u << 20);
	metric_render(&text, 0);
	p = strstr(text.data, want);
	if (!p)
		return 0;
	p += strlen(want);
	snprintf(num, sizeof(num), "%.*s", (int)strcspn(p, "\n"), p);
	assert_true(str_to_double(num, &v));
	return v;
}

static void test_first_is_a_post(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	int64_t t;

	emit(b, r, "Scaled", "to 3");
	assert_int_equal(posts(b), 1);
	assert_string_equal(fake_api_nth(b->api, "POST", EVENTS, 0)->path, EVENTS "shop/events");
	assert_string_equal(body_at(b, "POST", 0, "apiVersion", NULL), "events.k8s.io/v1");
	assert_string_equal(body_at(b, "POST", 0, "kind", NULL), "Event");
	assert_true(str_starts(body_at(b, "POST", 0, "metadata", "name"), "ranker-0."));
	assert_string_equal(body_at(b, "POST", 0, "metadata", "namespace"), "shop");
	assert_int_equal(strlen(body_at(b, "POST", 0, "eventTime", NULL)),
	                 strlen("2026-11-24T10:52:17.123456Z"));
	assert_int_equal(clock_parse(body_at(b, "POST", 0, "eventTime", NULL), &t), 0);
	assert_string_equal(body_at(b, "POST", 0, "reportingController", NULL),
	                    "tidegate.io/controller");
	assert_string_equal(body_at(b, "POST", 0, "reportingInstance", NULL), "host_1");
	assert_string_equal(body_at(b, "POST", 0, "type", NULL), "Normal");
	assert_string_equal(body_at(b, "POST", 0, "reason", NULL), "Scaled");
	assert_string_equal(body_at(b, "POST", 0, "action", NULL), "Scale");
	assert_string_equal(body_at(b, "POST", 0, "note", NULL), "to 3");
	assert_string_equal(body_at(b, "POST", 0, "regarding", "kind"), "Pod");
	assert_string_equal(body_at(b, "POST", 0, "regarding", "uid"), "u-1");
	assert_string_equal(body_at(b, "POST", 0, "series", NULL), "(none)");
	event_emit(r, true, &pod, "Scaled", "Scale", "another type is another event");
	fake_api_idle(b->loop, 10);
	assert_string_equal(body_at(b, "POST", 1, "type", NULL), "Warning");
	event_recorder_free(r);
}

static void test_series(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	cleanup_free char *first = NULL, *path = NULL;

	emit(b, r, "Scaled", "to 3");
	first = xstrdup(body_at(b, "POST", 0, "metadata", "name"));
	path = xasprintf(EVENTS "shop/events/%s", first);
	/* the second is told at once; later ones only counted */
	emit(b, r, "Scaled", "to 3");
	assert_int_equal(patches(b), 1);
	assert_string_equal(fake_api_nth(b->api, "PATCH", EVENTS, 0)->path, path);
	assert_string_equal(body_at(b, "PATCH", 0, "series", "count"), "2");
	for (int i = 0; i < 5; i++)
		emit(b, r, "Scaled", "to 3");
	assert_int_equal(posts(b), 1);
	assert_int_equal(patches(b), 1);
	/* told every 30 min while it goes on */
	for (int i = 0; i < 7; i++) {
		clock_ms += 5 * 60 * 1000;
		emit(b, r, "Scaled", "to 3");
		event_sweep(r);
		fake_api_idle(b->loop, 10);
		assert_int_equal(patches(b), i < 5 ? 1 : 2);
	}
	assert_string_equal(body_at(b, "PATCH", 1, "series", "count"), "13");
	/* and when 6 min of silence end it */
	clock_ms += 6 * 60 * 1000 - 1;
	event_sweep(r);
	fake_api_idle(b->loop, 10);
	assert_int_equal(patches(b), 2);
	clock_ms += 1;
	event_sweep(r);
	fake_api_idle(b->loop, 10);
	assert_int_equal(patches(b), 3);
	assert_string_equal(body_at(b, "PATCH", 2, "series", "count"), "14");
	assert_int_equal(r->series.len, 0);
	/* what comes then is a new event */
	emit(b, r, "Scaled", "to 5");
	assert_int_equal(posts(b), 2);
	assert_string_not_equal(body_at(b, "POST", 1, "metadata", "name"), first);
	/* one that never repeated ends without a word */
	clock_ms += 6 * 60 * 1000;
	event_sweep(r);
	fake_api_idle(b->loop, 10);
	assert_int_equal(r->series.len, 0);
	assert_int_equal(patches(b), 3);
	event_recorder_free(r);
}

/* The figures of an earlier one would mislead: another note is another Event. */
static void test_another_note_is_another_event(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	char note[16];

	emit(b, r, "RolledBack", "errors 6 %");
	emit(b, r, "RolledBack", "errors 6 %");
	emit(b, r, "RolledBack", "errors 6 %");
	emit(b, r, "RolledBack", "errors 9 %");
	fake_api_idle(b->loop, 20);
	assert_int_equal(posts(b), 2);
	assert_string_equal(body_at(b, "POST", 1, "note", NULL), "errors 9 %");
	assert_string_equal(body_at(b, "POST", 1, "series", NULL), "(none)");
	/* The first one's count is told to its end, and it is forgotten. */
	assert_int_equal(patches(b), 2);
	assert_string_equal(body_at(b, "PATCH", 1, "series", "count"), "3");
	assert_int_equal(r->series.len, 1);
	/* Two in one turn: the first is still under way, neither is lost. */
	event_emit(r, false, &pod, "RolledBack", "Scale", "errors 10 %");
	event_emit(r, false, &pod, "RolledBack", "Scale", "errors 11 %");
	fake_api_idle(b->loop, 20);
	assert_int_equal(posts(b), 4);
	assert_int_equal(r->series.len, 1);
	/* Notes that never stay the same are counted under the last one, for a while. */
	for (int i = 0; i < 20; i++) {
		snprintf(note, sizeof(note), "try %d", i);
		emit(b, r, "RolledBack", note);
	}
	assert_int_equal(posts(b), 10);
	assert_int_equal(patches(b), 3);
	clock_ms += 10 * 60 * 1000;
	emit(b, r, "RolledBack", "at last");
	fake_api_idle(b->loop, 20);
	assert_int_equal(posts(b), 11);
	assert_string_equal(body_at(b, "PATCH", 3, "series", "count"), "15");
	event_recorder_free(r);
	assert_int_equal(posts(b), 11);
}

/* What happens once is forgotten when it is written, unless it happens again before that. */
static void test_once(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);

	event_emit_once(r, &pod, "Scheduled", "Binding", "to n1");
	assert_int_equal(r->series.len, 1);
	fake_api_idle(b->loop, 10);
	assert_int_equal(posts(b), 1);
	assert_string_equal(body_at(b, "POST", 0, "type", NULL), "Normal");
	assert_int_equal(r->series.len, 0);
	event_emit_once(r, &pod, "Scheduled", "Binding", "to n1");
	event_emit_once(r, &pod, "Scheduled", "Binding", "to n1");
	fake_api_idle(b->loop, 30);
	assert_int_equal(posts(b), 2);
	assert_int_equal(patches(b), 1);
	assert_string_equal(body_at(b, "PATCH", 0, "series", "count"), "2");
	event_recorder_free(r);
}

/* Occurrences during the POST: one PATCH after it. */
static void test_burst(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);

	for (int i = 0; i < 10; i++)
		event_emit(r, false, &pod, "Scaled", "Scale", "n");
	fake_api_idle(b->loop, 30);
	assert_int_equal(posts(b), 1);
	assert_int_equal(patches(b), 1);
	assert_string_equal(body_at(b, "POST", 0, "series", NULL), "(none)");
	assert_string_equal(body_at(b, "PATCH", 0, "series", "count"), "10");
	event_recorder_free(r);
}

static void test_failures(void **state)
{
	static const struct {
		struct fake_reply replies[3];
		unsigned n, posts;
		bool kept; /* the series goes on */
	} rows[] = {
		{{{.status = 500}, RESET, {.status = 201, .body = "{}"}}, 3, 3, true},
		{{{.status = 429}, {.status = 201, .body = "{}"}}, 2, 2, true},
		{{{.status = 422}}, 1, 1, false},
		{{{.status = 403}}, 1, 1, false},
		{{{.status = 409, .body = "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}"}},
	         1,
	         1,
	         true},
		{{{.status = 500}}, 1, 12, false},
	};
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event_recorder *r = recorder(b);
		unsigned before = posts(b);

		r->retry_ms = 1;
		fake_api_script(b->api, "POST", EVENTS, rows[i].replies, rows[i].n);
		event_emit(r, false, &pod, "Scaled", "Scale", "n");
		fake_api_idle(b->loop, 90);
		if (posts(b) - before != rows[i].posts || r->series.len != rows[i].kept)
			fail_msg("row %zu: %u posts, %zu series", i, posts(b) - before,
			         r->series.len);
		event_recorder_free(r);
		kube_client_free(b->client);
		b->client = NULL;
	}
}

/* The server forgets events after an hour; the series goes on in a new one. */
static void test_expired_event(void **state)
{
	static const struct fake_reply gone = {.status = 404};
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);

	fake_api_script(b->api, "PATCH", EVENTS, &gone, 1);
	emit(b, r, "Scaled", "n");
	emit(b, r, "Scaled", "n");
	assert_int_equal(patches(b), 1);
	assert_int_equal(posts(b), 2);
	assert_string_equal(body_at(b, "POST", 1, "series", "count"), "2");
	fake_api_idle(b->loop, 20);
	assert_int_equal(patches(b), 1);
	event_recorder_free(r);
}

static void test_note_bound(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	char note[2048];

	memset(note, 'a', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	emit(b, r, "Long", note);
	assert_int_equal(strlen(body_at(b, "POST", 0, "note", NULL)), 1024);
	memcpy(note + 1022, "\xe6\xbd\xae", 3); /* would be cut in its middle */
	emit(b, r, "Longer", note);
	assert_int_equal(strlen(body_at(b, "POST", 1, "note", NULL)), 1022);
	event_recorder_free(r);
}

static void test_names(void **state)
{
	static const struct event_ref node = {"v1", "Node", NULL, "n1", NULL};
	static const struct event_ref role = {"rbac.authorization.k8s.io/v1", "Role", "shop",
	                                      "system:x", NULL};
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);

	event_emit(r, false, &node, "A", "B", NULL);
	event_emit(r, false, &role, "A", "B", NULL);
	fake_api_idle(b->loop, 20);
	assert_int_equal(fake_api_count(b->api, "POST", EVENTS "default/events"), 1);
	assert_string_equal(body_at(b, "POST", 0, "regarding", "namespace"), "(none)");
	assert_true(str_starts(body_at(b, "POST", 1, "metadata", "name"), "event."));
	event_recorder_free(r);
}

/* A server that hangs costs bounded memory; what is beyond is dropped and counted. */
static void test_memory_is_bounded(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	double before = outcome("dropped");
	unsigned emitted = 0;

	fake_api_hang(b->api, true);
	for (; emitted - r->series.len < 100 && emitted < 20000; emitted++) {
		cleanup_free char *name = xasprintf("pod-%u", emitted);
		struct event_ref ref = {"v1", "Pod", "shop", name, NULL};

		event_emit_once(r, &ref, "A", "B", "Successfully assigned to some node");
	}
	assert_int_equal(outcome("dropped") - before, 100);
	assert_in_range(r->series.len, 5000, 15000);
	assert_in_range(r->memory, 2 << 20, (2 << 20) + 1000);
	assert_int_equal(r->running, 2);
	assert_int_equal(r->nwaiting, r->series.len - 2);
	fake_api_idle(b->loop, 20);
	event_recorder_free(r);
	assert_int_equal(kube_client_in_flight(b->client), 0);
}

/* What is only remembered makes room, without a word to the server; also after a storm. */
static void test_idle_series_make_room(void **state)
{
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);

	for (int i = 0; i < 1500; i++) {
		cleanup_free char *name = xasprintf("pod-%d", i);
		struct event_ref ref = {"v1", "Pod", "shop", name, NULL};

		event_emit(r, false, &ref, "A", "B", "Successfully assigned to some node");
		if (i < 750 && i % 100 == 99)
			fake_api_idle(b->loop, 50);
	}
	for (int i = 0; i < 100 && r->nwaiting + r->running; i++)
		fake_api_idle(b->loop, 20);
	assert_int_equal(posts(b), 1500);
	assert_int_equal(patches(b), 0);
	assert_in_range(r->memory, 200 << 10, (256 << 10) + 30000);
	/* The youngest are still known. */
	event_emit(r, false, &(struct event_ref){"v1", "Pod", "shop", "pod-1499", NULL}, "A", "B",
	           "Successfully assigned to some node");
	fake_api_idle(b->loop, 20);
	assert_int_equal(posts(b), 1500);
	assert_int_equal(patches(b), 1);
	event_recorder_free(r);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void test_flush(void **state)
{
	static const struct fake_reply bad = {.status = 500};
	struct bed *b = *state;
	struct event_recorder *r = recorder(b);
	bool done = false;

	/* nothing to do: told all the same, later */
	event_flush(r, set_flag, &done);
	assert_false(done);
	assert_true(fake_api_run(b->loop, &done, 1000));
	/* counts that the server lacks */
	emit(b, r, "A", "n");
	emit(b, r, "A", "n");
	emit(b, r, "A", "n");
	assert_int_equal(patches(b), 1);
	done = false;
	event_flush(r, set_flag, &done);
	assert_true(fake_api_run(b->loop, &done, 1000));
	assert_int_equal(patches(b), 2);
	assert_string_equal(body_at(b, "PATCH", 1, "series", "count"), "3");
	/* a server that fails is not waited for: one try */
	r->retry_ms = 60000;
	fake_api_script(b->api, "POST", EVENTS, &bad, 1);
	emit(b, r, "B", "n");
	assert_int_equal(posts(b), 2);
	done = false;
	event_flush(r, set_flag, &done);
	assert_true(fake_api_run(b->loop, &done, 1000));
	assert_int_equal(posts(b), 3);
	event_recorder_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_is_a_post),
		T(test_series),
		T(test_burst),
		T(test_failures),
		T(test_expired_event),
		T(test_another_note_is_another_event),
		T(test_note_bound),
		T(test_names),
		T(test_memory_is_bounded),
		T(test_flush),
		T(test_once),
		T(test_idle_series_make_room),
	};

	return cmocka_run_group_tests(tests, bed_quiet, NULL);
}
