/* Event series: what belongs together, when the server is told, when it is over. */
#include "tidegate/kube/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

/*
 * Series that wait for the server may take as much as a storm of some thousands needs; those that
 * are only remembered, lest a repetition be told anew, make room for them early.
 */
#define EVENT_MEMORY_MAX  (2u << 20)
#define EVENT_MEMORY_IDLE (256u << 10)
#define EVENT_ROOM_LOOKS  16
#define EVENT_REFRESH_MS  (30 * 60 * 1000)
#define EVENT_SILENCE_MS  (6 * 60 * 1000)
#define EVENT_SWEEP_MS    60000
#define EVENT_RETRY_MS    10000
#define EVENT_NOTES_MAX   10
#define EVENT_NOTES_MS    (10 * 60 * 1000)
#define EVENT_NOTE_MAX    1024 /* limits of the API's validation */
#define EVENT_WORD_MAX    128
#define EVENT_PREFIX_MAX  200

static int64_t loop_clock(void *arg)
{
	return loop_now(arg);
}

void event_set_clock(struct event_recorder *r, int64_t (*now)(void *arg), void *arg)
{
	r->now = now;
	r->now_arg = arg;
}

/* Bytes of s, at most n, whole UTF-8 sequences only. */
static size_t cut(const char *s, size_t n)
{
	size_t len = strlen(s);

	if (len <= n)
		return len;
	len = n;
	while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* --- series ------------------------------------------------------------------------------- */

const char *event_text(const struct event_series *s, enum event_text which)
{
	const char *t = s->text;

	for (int i = 0; i < (int)which; i++)
		t += strlen(t) + 1;
	return t;
}

/* The note is not part of it: emit() decides what becomes of another one. */
static void series_key(const char *const texts[EVENT_TEXTS], bool warning, char key[EVENT_KEY_MAX])
{
	uint64_t a = STR_HASH_SEED ^ warning, b = ~a;

	for (int i = 0; i < EVENT_NOTE; i++) {
		a = str_hash(a, texts[i], strlen(texts[i]) + 1);
		b = str_hash(b, texts[i], strlen(texts[i]) + 1);
	}
	snprintf(key, EVENT_KEY_MAX, "%016" PRIx64 "%016" PRIx64, a, b);
}

void event_rename(struct event_series *s)
{
	s->id = (uint64_t)clock_wall_ms() << 20 | (s->recorder->serial++ & 0xfffff);
}

const char *event_namespace(const struct event_series *s)
{
	const char *ns = event_text(s, EVENT_NAMESPACE);

	return *ns ? ns : "default";
}

/* Object, dot, time: unique, and still readable in a listing. */
const char *event_name(const struct event_series *s, char *name)
{
	snprintf(name, EVENT_OBJECT_NAME_MAX, "%.*s.%" PRIx64, EVENT_PREFIX_MAX,
	         event_text(s, EVENT_NAME), s->id);
	if (!str_is_dns_subdomain(name))
		snprintf(name, EVENT_OBJECT_NAME_MAX, "event.%" PRIx64, s->id);
	return name;
}

static struct event_series *series_new(struct event_recorder *r, const char key[EVENT_KEY_MAX],
                                       bool warning, const char *const texts[EVENT_TEXTS])
{
	static const size_t most[EVENT_TEXTS] = {[EVENT_REASON] = EVENT_WORD_MAX,
	                                         [EVENT_ACTION] = EVENT_WORD_MAX,
	                                         [EVENT_NOTE] = EVENT_NOTE_MAX};
	size_t len[EVENT_TEXTS], size = sizeof(struct event_series);
	struct event_series *s;
	char *to;

	for (int i = 0; i < EVENT_TEXTS; i++) {
		len[i] = most[i] ? cut(texts[i], most[i]) : strlen(texts[i]);
		size += len[i] + 1;
	}
	s = xcalloc(1, size);
	s->recorder = r;
	s->size = (uint32_t)size;
	s->warning = warning;
	to = s->text;
	for (int i = 0; i < EVENT_TEXTS; i++) {
		memcpy(to, texts[i], len[i]);
		to += len[i] + 1;
	}
	s->first_wall_ms = clock_wall_ms();
	s->notes = 1;
	s->notes_ms = r->now(r->now_arg);
	event_rename(s);
	memcpy(s->key, key, EVENT_KEY_MAX);
	map_set(&r->series, s->key, s);
	r->memory += size;
	list_push_back(&r->lru, &s->lru_link);
	return s;
}

void event_series_free(struct event_series *s)
{
	struct event_recorder *r = s->recorder;

	if (map_get(&r->series, s->key) == s)
		map_del(&r->series, s->key);
	r->memory -= s->size;
	list_remove(&s->lru_link);
	list_remove(&s->wait_link);
	r->nwaiting -= s->waiting;
	if (s->call) {
		kube_cancel(s->call);
		r->running--;
	}
	free(s);
}

static bool busy(const struct event_series *s)
{
	return s->waiting || s->call;
}

/* Ends a series: its last count is written first, if the server lacks it. */
static void series_end(struct event_series *s)
{
	if (busy(s)) {
		s->ended = true;
		return;
	}
	if (s->count == s->written) {
		event_series_free(s);
		return;
	}
	s->ended = true;
	event_enqueue(s);
}

/*
 * One idle series, the oldest, for each that is new or has been written, so that what a storm left
 * is gone when it is over. The queue is served in turn: when the oldest few all wait, so do the
 * others.
 */
void event_make_room(struct event_recorder *r)
{
	struct list *it;
	int looks = 0;

	if (r->memory < EVENT_MEMORY_IDLE)
		return;
	list_for_each (it, &r->lru) {
		struct event_series *s = list_entry(it, struct event_series, lru_link);

		if (looks++ == EVENT_ROOM_LOOKS)
			return;
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

static void series_repeat(struct event_series *s)
{
	series_touch(s);
	/* The server learns of the second occurrence at once, of later ones in time. */
	if (s->written == 1 && s->count == 2 && !busy(s)) {
		event_enqueue(s);
		event_pump(s->recorder);
	}
}

/* Has taken the place of `last`, which another note ended. */
static void series_follow(struct event_series *s, struct event_series *last)
{
	s->notes = last->notes + 1;
	s->notes_ms = last->notes_ms;
	series_end(last);
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

/*
 * An Event's note cannot be changed at the server, and one with the figures of last time would
 * mislead: another note is another Event. A reason whose note never stays the same is counted
 * under the last one when it has had EVENT_NOTES_MAX within EVENT_NOTES_MS.
 */
static bool takes_note(struct event_series *s, const char *note)
{
	const char *have = event_text(s, EVENT_NOTE);
	int64_t now = s->recorder->now(s->recorder->now_arg);

	if (now - s->notes_ms >= EVENT_NOTES_MS) {
		s->notes = 0;
		s->notes_ms = now;
	}
	return s->notes >= EVENT_NOTES_MAX ||
	       (cut(note, EVENT_NOTE_MAX) == strlen(have) && !strncmp(note, have, strlen(have)));
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
	r->instance = xstrndup(instance, cut(instance, EVENT_WORD_MAX));
	r->retry_ms = EVENT_RETRY_MS;
	map_init_borrowing(&r->series);
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

void event_listen(struct event_recorder *r, event_listener fn, void *arg)
{
	r->listener = fn;
	r->listener_arg = arg;
}

static void emit(struct event_recorder *r, bool warning, bool once, const struct event_ref *about,
                 const char *reason, const char *action, const char *note)
{
	const char *const texts[EVENT_TEXTS] = {[EVENT_API_VERSION] =
	                                                str_or(about->api_version, ""),
	                                        [EVENT_KIND] = str_or(about->kind, ""),
	                                        [EVENT_NAMESPACE] = str_or(about->namespace, ""),
	                                        [EVENT_NAME] = str_or(about->name, ""),
	                                        [EVENT_UID] = str_or(about->uid, ""),
	                                        [EVENT_REASON] = reason,
	                                        [EVENT_ACTION] = action,
	                                        [EVENT_NOTE] = str_or(note, "")};
	struct event_series *s, *last;
	char key[EVENT_KEY_MAX];

	if (r->listener)
		r->listener(r->listener_arg, warning, about, reason, str_or(note, ""));
	series_key(texts, warning, key);
	last = map_get(&r->series, key);
	if (last && takes_note(last, texts[EVENT_NOTE])) {
		series_repeat(last);
		return;
	}
	event_make_room(r);
	if (r->memory >= EVENT_MEMORY_MAX) {
		event_count("dropped");
		return;
	}
	/* event_make_room() may have ended it. */
	last = map_get(&r->series, key);
	s = series_new(r, key, warning, texts);
	if (last)
		series_follow(s, last);
	series_touch(s);
	s->ended = once;
	event_enqueue(s);
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
