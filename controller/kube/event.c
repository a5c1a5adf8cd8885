/* Event series: what belongs together, when the server is told, when it is over. */
#include "tidegate/kube/event.h"

#include <string.h>

#include "event_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#define EVENT_SERIES_MAX 4096
#define EVENT_REFRESH_MS (30 * 60 * 1000)
#define EVENT_SILENCE_MS (6 * 60 * 1000)
#define EVENT_SWEEP_MS   60000
#define EVENT_RETRY_MS   10000
#define EVENT_NOTE_MAX   1024 /* limits of the API's validation */
#define EVENT_WORD_MAX   128
#define EVENT_PREFIX_MAX 200

static int64_t loop_clock(void *arg)
{
	return loop_now(arg);
}

void event_set_clock(struct event_recorder *r, int64_t (*now)(void *arg), void *arg)
{
	r->now = now;
	r->now_arg = arg;
}

/* At most n bytes of s, whole UTF-8 sequences only. */
static char *cut(const char *s, size_t n)
{
	size_t len = strlen(s);

	if (len > n) {
		len = n;
		while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	}
	return xstrndup(s, len);
}

/* --- series ------------------------------------------------------------------------------- */

/* The note is not part of it: it tells numbers that change from one time to the next. */
static char *series_key(bool warning, const struct event_ref *about, const char *reason,
                        const char *action)
{
	return xasprintf("%d|%s|%s|%s|%s|%s|%s|%s", warning, action, reason,
	                 str_or(about->api_version, ""), str_or(about->kind, ""),
	                 str_or(about->namespace, ""), str_or(about->name, ""),
	                 str_or(about->uid, ""));
}

/* Object, dot, time: unique, and still readable in a listing. */
void event_name(struct event_series *s)
{
	uint64_t id = (uint64_t)clock_wall_ms() << 20 | (s->recorder->serial++ & 0xfffff);

	free(s->name);
	s->name = xasprintf("%.*s.%llx", EVENT_PREFIX_MAX, str_or(s->about_name, ""),
	                    (unsigned long long)id);
	if (str_is_dns_subdomain(s->name))
		return;
	free(s->name);
	s->name = xasprintf("event.%llx", (unsigned long long)id);
}

static struct event_series *series_new(struct event_recorder *r, char *key, bool warning,
                                       const struct event_ref *about, const char *reason,
                                       const char *action, const char *note)
{
	struct event_series *s = xcalloc(1, sizeof(*s));

	s->recorder = r;
	s->key = key;
	s->warning = warning;
	s->ns = xstrdup(str_empty(about->namespace) ? "default" : about->namespace);
	s->api_version = xstrdup_null(about->api_version);
	s->kind = xstrdup_null(about->kind);
	s->about_ns = xstrdup_null(about->namespace);
	s->about_name = xstrdup_null(about->name);
	s->uid = xstrdup_null(about->uid);
	s->reason = cut(reason, EVENT_WORD_MAX);
	s->action = cut(action, EVENT_WORD_MAX);
	s->note = cut(str_or(note, ""), EVENT_NOTE_MAX);
	s->first_wall_ms = clock_wall_ms();
	event_name(s);
	map_set(&r->series, key, s);
	list_push_back(&r->lru, &s->lru_link);
	return s;
}

void event_series_free(struct event_series *s)
{
	struct event_recorder *r = s->recorder;

	map_del(&r->series, s->key);
	list_remove(&s->lru_link);
	list_remove(&s->wait_link);
	r->nwaiting -= s->waiting;
	if (s->call) {
		kube_cancel(s->call);
		r->running--;
	}
	free(s->key);
	free(s->ns);
	free(s->name);
	free(s->api_version);
	free(s->kind);
	free(s->about_ns);
	free(s->about_name);
	free(s->uid);
	free(s->reason);
	free(s->action);
	free(s->note);
	free(s);
}

static bool busy(const struct event_series *s)
{
	return s->waiting || s->call;
}

/* Ends a series that is not busy: its last count is written first, if the server lacks it. */
static void series_end(struct event_series *s)
{
	if (s->count == s->written) {
		event_series_free(s);
		return;
	}
	s->ended = event_enqueue(s);
}

static void make_room(struct event_recorder *r)
{
	struct list *it;

	if (r->series.len < EVENT_SERIES_MAX)
		return;
	list_for_each (it, &r->lru) {
		struct event_series *s = list_entry(it, struct event_series, lru_link);

		if (!busy(s)) {
			series_end(s);
			return;
		}
	}
}

static void series_touch(struct event_series *s)
{
	struct event_recorder *r = s->recorder;

	s->count++;
	s->ended = false;
	s->last_ms = r->now(r->now_arg);
	s->last_wall_ms = clock_wall_ms();
	list_remove(&s->lru_link);
	list_push_back(&r->lru, &s->lru_link);
}

void event_sweep(struct event_recorder *r)
{
	int64_t now = r->now(r->now_arg);
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &r->lru) {
		struct event_series *s = list_entry(it, struct event_series, lru_link);

		if (busy(s))
			continue;
		if (now - s->last_ms >= EVENT_SILENCE_MS)
			series_end(s);
		else if (s->count > s->written && now - s->written_ms >= EVENT_REFRESH_MS)
			event_enqueue(s);
	}
	event_pump(r);
	if (r->series.len)
		timer_start(&r->sweep, EVENT_SWEEP_MS);
}

static void on_sweep(void *arg)
{
	event_sweep(arg);
}

static void on_pump(void *arg)
{
	event_pump(arg);
}

/* --- recorder ----------------------------------------------------------------------------- */

struct event_recorder *event_recorder_new(struct kube_client *c, const char *controller,
                                          const char *instance)
{
	struct event_recorder *r = xcalloc(1, sizeof(*r));

	r->client = c;
	r->controller = xstrdup(controller);
	r->instance = cut(instance, EVENT_WORD_MAX);
	r->retry_ms = EVENT_RETRY_MS;
	map_init(&r->series);
	list_init(&r->lru);
	list_init(&r->waiting);
	timer_init(&r->pump, kube_client_loop(c), on_pump, r);
	timer_init(&r->sweep, kube_client_loop(c), on_sweep, r);
	event_set_clock(r, loop_clock, kube_client_loop(c));
	return r;
}

void event_recorder_free(struct event_recorder *r)
{
	if (!r)
		return;
	while (!list_empty(&r->lru))
		event_series_free(list_entry(r->lru.next, struct event_series, lru_link));
	map_release(&r->series, NULL);
	timer_release(&r->pump);
	timer_release(&r->sweep);
	free(r->controller);
	free(r->instance);
	free(r);
}

static void emit(struct event_recorder *r, bool warning, bool once, const struct event_ref *about,
                 const char *reason, const char *action, const char *note)
{
	char *key = series_key(warning, about, reason, action);
	struct event_series *s = map_get(&r->series, key);

	if (s) {
		free(key);
		series_touch(s);
		/* The server learns of the second occurrence at once, of later ones in time. */
		if (s->written == 1 && s->count == 2 && !busy(s) && event_enqueue(s))
			event_pump(r);
		return;
	}
	make_room(r);
	s = series_new(r, key, warning, about, reason, action, note);
	series_touch(s);
	s->ended = once;
	if (!event_enqueue(s)) {
		event_series_free(s);
		event_count("dropped");
		return;
	}
	if (!timer_active(&r->sweep))
		timer_start(&r->sweep, EVENT_SWEEP_MS);
	event_pump(r);
}

void event_emit(struct event_recorder *r, bool warning, const struct event_ref *about,
                const char *reason, const char *action, const char *note)
{
	emit(r, warning, false, about, reason, action, note);
}

void event_emit_once(struct event_recorder *r, const struct event_ref *about, const char *reason,
                     const char *action, const char *note)
{
	emit(r, false, true, about, reason, action, note);
}

void event_flush(struct event_recorder *r, void (*done)(void *arg), void *arg)
{
	struct list *it;

	r->flushed = done;
	r->flushed_arg = arg;
	list_for_each (it, &r->lru) {
		struct event_series *s = list_entry(it, struct event_series, lru_link);

		if (s->count > s->written && !busy(s))
			event_enqueue(s);
	}
	/* Even when there is nothing to do, done is not called from in here. */
	timer_start(&r->pump, 0);
}
