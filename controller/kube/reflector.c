/*
 *                 +------------------- RN_SYNC, RN_FRESH -------------------+
 *                 v                                                         |
 *  start -> WATCH_LIST --end marker, same stream--> WATCH --error--> [WAIT] +
 *               |  \                                 ^  |  ^            |
 *               |   RN_LIST                          |  |  +- RN_WATCH -+
 *               |    v                               |  |
 *               +-> LIST --page--> LIST --last page--+  +-- orderly end: WATCH at once
 *
 * Requests run on the client's watch channel, because that one does not retry: each of our
 * retries looks at what has been learnt first. The table of errors is in reflector_policy.c.
 */
#include <stdlib.h>
#include <string.h>

#include "client_priv.h"
#include "reflector_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define STALL_MS            150000 /* 2.5 bookmark periods */
#define LIST_STALL_MS       60000
#define LIST_TIMEOUT_MS     300000
#define LIST_PAGES_MAX      10000
#define LIST_AGAIN_MS       30000
#define WATCH_TIMEOUT_MIN_S 300
#define HURRY_WATCH_S       3     /* the server tells its place two seconds before the end */
#define WATCH_GRACE_MS      30000 /* beyond timeoutSeconds, for a server that does not end it */
#define WATCH_SHORT_MS      1000
#define WATCH_LOOK_MS       1000
/* Longer than connecting and a refusal take: a watch that is still open then runs. */
#define WATCH_PEACE_MS     5000
#define WATCH_LIST_IDLE_MS 30000
#define REACH_AGAIN_MS     30000
#define REACH_SPREAD_MS    1000
#define WATCH_LIST_TOTAL   10 /* in idle deadlines */
#define WATCH_LIST_OFF_MS  3600000

static void sync_start(struct reflector *r);
static void list_start(struct reflector *r);
static void list_request(struct reflector *r);
static void watch_start(struct reflector *r);

/* --- waiting ----------------------------------------------------------------------------- */

static void wait_for(struct reflector *r, enum reflector_next next, int retry_after_ms)
{
	r->phase = RP_WAIT;
	r->next = next;
	timer_start(&r->wait, reflector_backoff(r, retry_after_ms));
}

static void on_wait(void *arg)
{
	struct reflector *r = arg;

	if (r->next == RN_WATCH)
		watch_start(r);
	else
		sync_start(r);
}

/*
 * Somebody got an answer again: the back-off was about a server that is no longer away. Not more
 * often than twice a minute, for a server that answers some and lets others fall; and not all
 * resources in the same moment.
 */
static void on_reach(void *arg)
{
	struct reflector *r = arg;
	int64_t now = loop_now(r->loop);

	if ((r->trouble_class != ERR_TRANSPORT && r->trouble_class != ERR_TIMEOUT) ||
	    (r->reached_ms && now - r->reached_ms < REACH_AGAIN_MS))
		return;
	r->reached_ms = now;
	r->backoff_step = 0; /* a try that is under way may still fail */
	if (r->phase == RP_WAIT)
		timer_start(&r->wait, (int64_t)reflector_random(r, REACH_SPREAD_MS));
}

/* Forgets a list that is half in. */
static void list_drop(struct reflector *r)
{
	if (r->replace)
		store_replace_abort(r->replace);
	r->replace = NULL;
	r->pages = 0;
	r->unpaged = false;
	xstr_replace(&r->continue_token, NULL);
	xstr_replace(&r->list_rv, NULL);
}

/* --- the end of a request ---------------------------------------------------------------- */

/*
 * A watch that has lost its place is a sign of age, not of trouble, and is answered by a list at
 * once; unless the last list is so young that we would go round in circles.
 */
static bool place_lost(const struct reflector *r, enum reflector_phase phase, const struct err *err)
{
	return phase == RP_WATCH && err->class == ERR_GONE &&
	       loop_now(r->loop) - r->listed_ms > LIST_AGAIN_MS;
}

static void react(struct reflector *r, enum reflector_phase phase, const struct err *err)
{
	enum reflector_next next = reflector_rule(phase, err->class);

	if (next == RN_FRESH && r->fresh)
		next = RN_SYNC; /* tried already: that was not it */
	if (phase == RP_WATCH_LIST && err->class == ERR_TRANSPORT && r->progress)
		next = RN_LIST; /* cut in the middle: too many events at once, and so the next time
		                 */
	if (next != RN_WATCH)
		list_drop(r);
	switch (next) {
	case RN_FRESH:
		reflector_count_relist(r, err_class_name(err->class));
		r->fresh = true;
		sync_start(r);
		return;
	case RN_LIST_ONLY:
		r->watch_list_off_until_ms = loop_now(r->loop) + WATCH_LIST_OFF_MS;
		/* fall through */
	case RN_LIST:
		log_debug("WatchList did not work, listing page by page",
		          LS("resource", r->resource), LE(err));
		list_start(r);
		return;
	case RN_SYNC:
		if (r->store->synced)
			reflector_count_relist(r, err_class_name(err->class));
		if (place_lost(r, phase, err)) {
			sync_start(r);
			return;
		}
		break;
	case RN_WATCH:
		break;
	}
	reflector_failed(r, err);
	wait_for(r, next, err->retry_after_ms);
}

static void list_page_done(struct reflector *r)
{
	struct store_replace *replace = r->replace;
	cleanup_free char *rv = NULL;

	r->pages++;
	if (r->continue_token && r->pages < LIST_PAGES_MAX) {
		r->paginated = r->paginated || str_empty(r->store->last_rv);
		list_request(r);
		return;
	}
	rv = xstrdup(r->list_rv);
	r->replace = NULL;
	r->fresh = false;
	list_drop(r);
	r->listed_ms = loop_now(r->loop);
	store_replace_commit(replace, rv);
	watch_start(r);
}

/* The token of page 2 or later is too old: everything at once instead (client-go's pager). */
static bool list_expired(struct reflector *r, const struct err *err)
{
	if (err->class != ERR_GONE || !r->continue_token || r->unpaged)
		return false;
	reflector_count_relist(r, "ContinueExpired");
	list_drop(r);
	r->unpaged = true;
	list_start(r);
	return true;
}

static void watch_ended(struct reflector *r, const struct err *err)
{
	bool brief = loop_now(r->loop) - r->started_ms < WATCH_SHORT_MS;
	struct err e = *err;

	if (e.class == ERR_NONE && !brief) {
		watch_start(r);
		return;
	}
	if (e.class == ERR_NONE && r->progress) {
		/* In order, but nobody may make us spin. */
		wait_for(r, RN_WATCH, 0);
		return;
	}
	if (e.class == ERR_NONE)
		err_set(&e, ERR_PROTOCOL, "the watch ended at once and brought nothing");
	react(r, RP_WATCH, &e);
}

static void request_ended(struct reflector *r, const struct err *err)
{
	timer_stop(&r->watchdog);
	frame_release(&r->frame);
	r->framing = false;
	r->call = NULL;
	if (r->phase == RP_WATCH)
		watch_ended(r, err);
	else if (r->phase == RP_LIST && err->class == ERR_NONE)
		list_page_done(r);
	else if (r->phase != RP_LIST || !list_expired(r, err))
		react(r, r->phase, err);
}

/* --- requests ---------------------------------------------------------------------------- */

static int on_data(void *arg, int status, const char *data, size_t len)
{
	struct reflector *r = arg;

	(void)status;
	r->last_byte_ms = loop_now(r->loop);
	return frame_feed(&r->frame, data, len, &r->stream_err);
}

static void on_done(void *arg, const struct kube_response *resp)
{
	struct reflector *r = arg;
	struct err err = resp->err;

	/* What was wrong with the body says more than that we broke off. */
	if (r->stream_err.class != ERR_NONE)
		err = r->stream_err;
	else if (err.class == ERR_NONE)
		frame_finish(&r->frame, &err);
	/* A watch cut inside an object is cut all the same; its place is known. */
	request_ended(r, &err);
}

static void request(struct reflector *r, enum frame_mode mode, const char *path, int timeout_ms,
                    int stall_ms)
{
	struct kube_request q = {
		.method = "GET",
		.path = path,
		.channel = KUBE_CH_WATCH,
		.timeout_ms = timeout_ms,
		.stall_ms = stall_ms,
		.accept_gzip = mode == FRAME_LIST, /* a compressed watch would be held back */
		.on_data = on_data,
		.on_done = on_done,
		.arg = r,
	};

	frame_init(&r->frame, mode, 0, reflector_on_frame, r);
	r->framing = true;
	err_clear(&r->stream_err);
	r->started_ms = loop_now(r->loop);
	r->call = kube_call(r->client, &q);
}

/* The version a list must not be older than; "0" = whatever the server's cache has. */
static const char *list_floor(const struct reflector *r)
{
	if (r->fresh)
		return "";
	if (r->store->last_rv)
		return r->store->last_rv;
	return r->quorum_first_list ? "" : "0";
}

static void list_request(struct reflector *r)
{
	cleanup_free char *path = reflector_list_path(r, list_floor(r));
	int stall = r->stall_ms < LIST_STALL_MS ? r->stall_ms : LIST_STALL_MS;

	request(r, FRAME_LIST, path, LIST_TIMEOUT_MS, stall);
}

static void list_start(struct reflector *r)
{
	r->phase = RP_LIST;
	r->replace = store_replace_begin(r->store);
	metric_add(r->m.lists, 1);
	list_request(r);
}

static int watch_seconds(struct reflector *r)
{
	return WATCH_TIMEOUT_MIN_S + (int)reflector_random(r, WATCH_TIMEOUT_MIN_S);
}

static void watch_request(struct reflector *r, const char *rv, bool initial_events, int seconds)
{
	cleanup_free char *path = reflector_watch_path(r, rv, initial_events, seconds);

	r->progress = false;
	metric_add(r->m.watches, 1);
	request(r, FRAME_WATCH, path, seconds * 1000 + WATCH_GRACE_MS, r->stall_ms);
}

static void watch_for(struct reflector *r, int seconds)
{
	r->phase = RP_WATCH;
	watch_request(r, r->store->last_rv, false, seconds);
	if (r->trouble)
		timer_start(&r->watchdog, WATCH_LOOK_MS);
}

static void watch_start(struct reflector *r)
{
	watch_for(r, watch_seconds(r));
}

static void watch_list_start(struct reflector *r)
{
	const char *rv = r->fresh ? NULL : r->store->last_rv;

	r->phase = RP_WATCH_LIST;
	r->replace = store_replace_begin(r->store);
	metric_add(r->m.lists, 1);
	watch_request(r, str_or(rv, ""), true, watch_seconds(r));
	timer_start(&r->watchdog, r->watch_list_idle_ms);
}

static void sync_start(struct reflector *r)
{
	if (!r->no_watch_list && loop_now(r->loop) >= r->watch_list_off_until_ms)
		watch_list_start(r);
	else
		list_start(r);
}

/* --- progress ---------------------------------------------------------------------------- */

void reflector_initial_events_end(struct reflector *r, const char *rv)
{
	struct store_replace *replace = r->replace;

	timer_stop(&r->watchdog);
	r->replace = NULL;
	r->phase = RP_WATCH;
	r->fresh = r->progress = false;
	r->started_ms = r->listed_ms = loop_now(r->loop);
	store_replace_commit(replace, rv);
}

void reflector_alive(struct reflector *r)
{
	int64_t left;

	if (r->phase == RP_WATCH) {
		if (r->trouble)
			reflector_recovered(r);
		return;
	}
	r->progress = true;
	left = r->started_ms + r->watch_list_total_ms - loop_now(r->loop);
	timer_start(&r->watchdog, left < r->watch_list_idle_ms ? left : r->watch_list_idle_ms);
}

/* Is a watch that says nothing at work again? It may just have nothing to say. */
static void watch_look(struct reflector *r)
{
	bool answered = kube_last_byte_ms(r->call) > r->started_ms; /* its head counts */
	bool open = loop_now(r->loop) - r->started_ms >= WATCH_PEACE_MS;

	/* A server that hung before may just hang again: that one must say something. */
	if (answered || (open && r->trouble_class != ERR_TIMEOUT))
		reflector_recovered(r);
	else
		timer_start(&r->watchdog, WATCH_LOOK_MS);
}

static void on_watchdog(void *arg)
{
	struct reflector *r = arg;
	struct err err = ERR_INIT;

	if (r->phase == RP_WATCH) {
		if (r->trouble)
			watch_look(r);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "the server did not end the initial events in time");
	kube_cancel(r->call);
	request_ended(r, &err);
}

/* --- hurry ------------------------------------------------------------------------------- */

static void drop_request(struct reflector *r)
{
	timer_stop(&r->watchdog);
	kube_cancel(r->call);
	r->call = NULL;
	if (r->framing)
		frame_release(&r->frame);
	r->framing = false;
}

/* A list that is coming in is left alone: it has limits of its own. */
void reflector_hurry(struct reflector *r)
{
	if (r->phase == RP_WAIT)
		timer_start(&r->wait, 0);
	if (r->phase != RP_WATCH)
		return;
	drop_request(r);
	watch_for(r, HURRY_WATCH_S);
}

void reflector_relist(struct reflector *r)
{
	if (r->phase != RP_WATCH) {
		reflector_hurry(r);
		return;
	}
	drop_request(r);
	reflector_count_relist(r, "Late");
	r->fresh = true;
	sync_start(r);
}

/* --- life -------------------------------------------------------------------------------- */

static char *api_version(const struct object_kind *k)
{
	return xstrdup(k->api + (str_starts(k->api, "/apis/") ? 6 : 5));
}

static void copy_options(struct reflector *r, const struct reflector_options *o)
{
	int idle = o->watch_list_deadline_ms > 0 ? o->watch_list_deadline_ms : WATCH_LIST_IDLE_MS;
	uint64_t seed = o->seed ? o->seed : (uint64_t)clock_wall_ms();

	r->namespace = xstrdup(str_or(o->namespace, ""));
	r->base_path = reflector_base_path(r->kind, o->namespace);
	r->selectors = reflector_selectors(o->label_selector, o->field_selector);
	r->quorum_first_list = o->quorum_first_list;
	r->no_watch_list = o->no_watch_list;
	r->stall_ms = o->stall_ms > 0 ? o->stall_ms : STALL_MS;
	r->watch_list_idle_ms = idle;
	r->watch_list_total_ms = idle * WATCH_LIST_TOTAL;
	r->backoff_base_ms = o->backoff_ms;
	/* Resources that start together must not try again together. */
	r->random = str_hash(seed, r->base_path, strlen(r->base_path)) | 1;
}

struct reflector *reflector_new(struct kube_client *c, struct store *s,
                                const struct reflector_options *o)
{
	static const struct reflector_options defaults;
	struct reflector *r = xcalloc(1, sizeof(*r));

	r->client = c;
	r->loop = kube_client_loop(c);
	r->store = s;
	r->kind = s->kind;
	r->api_version = api_version(r->kind);
	r->resource = xasprintf("%s/%s", r->api_version, r->kind->resource);
	copy_options(r, o ? o : &defaults);
	r->arena = client_scratch(c);
	timer_init(&r->wait, r->loop, on_wait, r);
	timer_init(&r->watchdog, r->loop, on_watchdog, r);
	r->reach = (struct kube_reach){.fn = on_reach, .arg = r};
	kube_client_on_reach(c, &r->reach);
	reflector_metrics_init(r);
	return r;
}

void reflector_versions_only(struct reflector *r, const char *name,
                             void (*fn)(void *arg, const char *rv), void *arg)
{
	r->known_name = name;
	r->on_version = fn;
	r->on_version_arg = arg;
}

void reflector_start(struct reflector *r)
{
	if (r->phase != RP_STOPPED)
		return;
	r->last_byte_ms = loop_now(r->loop);
	sync_start(r);
}

void reflector_free(struct reflector *r)
{
	if (!r)
		return;
	kube_client_off_reach(&r->reach);
	kube_cancel(r->call);
	if (r->framing)
		frame_release(&r->frame);
	list_drop(r);
	timer_release(&r->wait);
	timer_release(&r->watchdog);
	reflector_metrics_release(r);
	free(r->resource);
	free(r->api_version);
	free(r->base_path);
	free(r->selectors);
	free(r->namespace);
	free(r->trouble);
	free(r);
}

const char *reflector_trouble(const struct reflector *r)
{
	if (r->phase == RP_STOPPED)
		return "not started";
	if (r->trouble)
		return r->trouble;
	return r->store->synced ? NULL : "the first list has not been received yet";
}

int64_t reflector_trouble_ms(const struct reflector *r)
{
	return r->trouble ? loop_now(r->loop) - r->trouble_since_ms : 0;
}
