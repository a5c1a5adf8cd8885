/* Event requests: a bounded queue, a few at a time, patient on failure. */
#include <string.h>

#include "client_priv.h"
#include "event_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"

/* Few at a time: a busy server shall first do the writes that events only tell of. */
#define EVENT_RUNNING_MAX 2
#define EVENT_TRIES_MAX   12
#define EVENT_JITTER      0.25
#define EVENT_BODY_MAX    16384
#define EVENT_TIMEOUT_MS  10000

static struct metric_family events_total = {
	.name = "tidegate_events_total",
	.help = "Event writes by outcome: written, failed (given up), dropped (too many wait).",
	.type = METRIC_COUNTER,
	.label_names = {"outcome"},
};

void event_count(const char *outcome)
{
	metric_add(metric_series(&events_total, outcome), 1);
}

void event_enqueue(struct event_series *s)
{
	struct event_recorder *r = s->recorder;

	if (s->waiting)
		return;
	s->waiting = true;
	s->tries = 0;
	s->not_before_ms = 0;
	list_push_back(&r->waiting, &s->wait_link);
	r->nwaiting++;
}

/* --- bodies ------------------------------------------------------------------------------- */

static void write_series(struct json_writer *w, const struct event_series *s)
{
	char t[CLOCK_RFC3339_MAX];

	jw_object(w, "series");
	jw_i64(w, "count", s->count);
	jw_str(w, "lastObservedTime", clock_format_micro(s->last_wall_ms, t));
	jw_end_object(w);
}

static void write_regarding(struct json_writer *w, const struct event_series *s)
{
	static const char *const keys[] = {[EVENT_API_VERSION] = "apiVersion",
	                                   [EVENT_KIND] = "kind",
	                                   [EVENT_NAMESPACE] = "namespace",
	                                   [EVENT_NAME] = "name",
	                                   [EVENT_UID] = "uid"};

	jw_object(w, "regarding");
	for (int i = 0; i <= EVENT_UID; i++) {
		const char *text = event_text(s, (enum event_text)i);

		jw_str(w, keys[i], *text ? text : NULL);
	}
	jw_end_object(w);
}

static void write_event(struct json_writer *w, const struct event_series *s)
{
	const struct event_recorder *r = s->recorder;
	char t[CLOCK_RFC3339_MAX], name[EVENT_OBJECT_NAME_MAX];

	jw_str(w, "apiVersion", "events.k8s.io/v1");
	jw_str(w, "kind", "Event");
	jw_object(w, "metadata");
	jw_str(w, "name", event_name(s, name));
	jw_str(w, "namespace", event_namespace(s));
	jw_end_object(w);
	jw_str(w, "eventTime", clock_format_micro(s->first_wall_ms, t));
	jw_str(w, "reportingController", r->controller);
	jw_str(w, "reportingInstance", r->instance);
	jw_str(w, "type", s->warning ? "Warning" : "Normal");
	jw_str(w, "reason", event_text(s, EVENT_REASON));
	jw_str(w, "action", event_text(s, EVENT_ACTION));
	jw_str(w, "note", event_text(s, EVENT_NOTE));
	write_regarding(w, s);
}

/* --- requests ----------------------------------------------------------------------------- */

static void event_answer(void *arg, const struct kube_response *r);

static void event_send(struct event_series *s)
{
	bool create = s->written == 0;
	char name[EVENT_OBJECT_NAME_MAX];
	cleanup_free char *path =
		xasprintf("/apis/events.k8s.io/v1/namespaces/%s/events%s%s", event_namespace(s),
	                  create ? "" : "/", create ? "" : event_name(s, name));
	cleanup_buf struct buf body;
	struct json_writer w;
	struct kube_request r = {
		.method = create ? "POST" : "PATCH",
		.path = path,
		.patch = create ? KUBE_PATCH_NONE : KUBE_PATCH_MERGE,
		.timeout_ms = EVENT_TIMEOUT_MS,
		.on_done = event_answer,
		.arg = s,
	};

	buf_init(&body, EVENT_BODY_MAX);
	jw_init(&w, &body);
	jw_object(&w, NULL);
	if (create)
		write_event(&w, s);
	if (s->count > 1)
		write_series(&w, s);
	jw_end_object(&w);
	jw_end(&w);
	r.body = body.data;
	r.body_len = body.len;
	s->sending = s->count;
	s->tries++;
	s->call = kube_call(s->recorder->client, &r);
}

static bool worth_a_retry(const struct event_series *s, const struct err *err)
{
	if (s->tries >= EVENT_TRIES_MAX || s->recorder->flushed)
		return false;
	switch (err->class) {
	case ERR_TRANSPORT:
	case ERR_TIMEOUT:
	case ERR_THROTTLED:
	case ERR_SERVER:
	case ERR_UNAUTHORIZED:
		return true;
	default:
		return false;
	}
}

static void try_later(struct event_series *s, const struct err *err)
{
	struct event_recorder *r = s->recorder;
	int64_t wait = err->retry_after_ms > r->retry_ms ? err->retry_after_ms : r->retry_ms;

	s->not_before_ms = loop_now(kube_client_loop(r->client)) + jitter_ms(wait, EVENT_JITTER);
	s->waiting = true;
	list_push_back(&r->waiting, &s->wait_link);
	r->nwaiting++;
}

/* A series without an Event at the server is forgotten, so that its next occurrence may try. */
static void give_up(struct event_series *s, const struct err *err)
{
	event_count("failed");
	if (err->class != ERR_NS_TERMINATING && err->class != ERR_CANCELED)
		log_warn("event not written", LS("namespace", event_namespace(s)),
		         LS("name", event_text(s, EVENT_NAME)),
		         LS("reason", event_text(s, EVENT_REASON)), LE(err));
	if (s->written == 0 || s->ended)
		event_series_free(s);
	else
		s->written_ms = s->recorder->now(s->recorder->now_arg);
}

static void written(struct event_series *s)
{
	struct event_recorder *r = s->recorder;
	bool first = s->written == 0;

	event_count("written");
	s->written = s->sending;
	s->written_ms = r->now(r->now_arg);
	if (s->ended && s->written == s->count)
		event_series_free(s);
	else if (s->ended || (first && s->written == 1 && s->count > 1))
		event_enqueue(s);
	else
		event_make_room(r);
}

static void event_answer(void *arg, const struct kube_response *resp)
{
	struct event_series *s = arg;
	struct event_recorder *r = s->recorder;
	const struct err *err = &resp->err;
	bool create = s->written == 0;

	s->call = NULL;
	r->running--;
	if (err->class == ERR_NONE || (create && err->class == ERR_EXISTS)) {
		written(s);
	} else if (!create && err->class == ERR_NOT_FOUND) {
		/* Events expire; the series goes on in a new one. */
		s->written = 0;
		event_rename(s);
		event_enqueue(s);
	} else if (worth_a_retry(s, err)) {
		try_later(s, err);
	} else {
		give_up(s, err);
	}
	event_pump(r);
}

static void finish_flush(struct event_recorder *r)
{
	void (*flushed)(void *arg) = r->flushed;

	r->flushed = NULL;
	flushed(r->flushed_arg);
}

void event_pump(struct event_recorder *r)
{
	int64_t now = loop_now(kube_client_loop(r->client)), next = INT64_MAX;
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &r->waiting) {
		struct event_series *s = list_entry(it, struct event_series, wait_link);

		if (r->running == EVENT_RUNNING_MAX)
			return; /* an answer comes back here */
		if (s->not_before_ms > now && !r->flushed) {
			next = s->not_before_ms < next ? s->not_before_ms : next;
			continue;
		}
		list_remove(&s->wait_link);
		s->waiting = false;
		r->nwaiting--;
		r->running++;
		event_send(s);
	}
	if (next != INT64_MAX)
		timer_start(&r->pump, next - now);
	/* Never inside event_emit(): it has just left something running. */
	if (r->flushed && !r->nwaiting && !r->running)
		finish_flush(r);
}
