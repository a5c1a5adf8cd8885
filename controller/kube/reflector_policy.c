/*
 * What a reflector does about errors: one table, client-go's reflector.go as its source, and
 * what people are told about it.
 */
#include <string.h>

#include "reflector_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define BACKOFF_BASE_MS   800
#define BACKOFF_CAP_MS    30000
#define BACKOFF_PEACE_MS  120000
#define BACKOFF_PEACE_MIN 10000
#define BACKOFF_PEACE     3 /* times the last delay */
/* A Retry-After beyond this is taken for a mistake. */
#define RETRY_AFTER_MAX_MS (5 * 60 * 1000)

/*
 * The three columns: what follows when the error ends a WatchList before its end marker, a list
 * (or one page of it), a watch. All of it goes through the back-off except RN_FRESH, RN_LIST
 * and RN_LIST_ONLY, which happen at once because they change what is asked.
 *
 * GONE, RV_TOO_LARGE: a list at resourceVersion N means "not older than N", so after a watch
 * has lost its place N is good enough; a list that is refused at N goes on at "".
 * ERR_NONE is an orderly end. Ahead of a WatchList's end marker it means that the server gave up
 * on us (too many events, k8s#129197) and would again.
 * TIMEOUT is a stall: the connection is dead, the place is not. During a WatchList it is more
 * likely a server that never sends the marker (k8s#135895).
 */
static const struct {
	enum reflector_next watch_list, list, watch;
} rules[] = {
	[ERR_NONE] = {RN_LIST_ONLY, RN_SYNC, RN_WATCH},
	[ERR_INVALID] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_IO] = {RN_SYNC, RN_SYNC, RN_WATCH},
	[ERR_TIMEOUT] = {RN_LIST_ONLY, RN_SYNC, RN_WATCH},
	[ERR_TRANSPORT] = {RN_SYNC, RN_SYNC, RN_WATCH},
	[ERR_CANCELED] = {RN_SYNC, RN_SYNC, RN_WATCH},
	[ERR_UNAUTHORIZED] = {RN_SYNC, RN_SYNC, RN_SYNC},
	[ERR_FORBIDDEN] = {RN_SYNC, RN_SYNC, RN_SYNC},
	[ERR_NOT_FOUND] = {RN_SYNC, RN_SYNC, RN_SYNC},
	[ERR_CONFLICT] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_EXISTS] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_GONE] = {RN_FRESH, RN_FRESH, RN_SYNC},
	[ERR_RV_TOO_LARGE] = {RN_FRESH, RN_FRESH, RN_SYNC},
	[ERR_THROTTLED] = {RN_SYNC, RN_SYNC, RN_WATCH},
	[ERR_REJECTED] = {RN_LIST_ONLY, RN_SYNC, RN_SYNC},
	[ERR_NS_TERMINATING] = {RN_SYNC, RN_SYNC, RN_SYNC},
	[ERR_SERVER] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_TOO_BIG] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_PROTOCOL] = {RN_LIST, RN_SYNC, RN_SYNC},
	[ERR_INTERNAL] = {RN_LIST, RN_SYNC, RN_SYNC},
};
_Static_assert(ARRAY_SIZE(rules) == ERR_INTERNAL + 1, "a rule for every class");

enum reflector_next reflector_rule(enum reflector_phase phase, enum err_class class)
{
	switch (phase) {
	case RP_WATCH_LIST:
		return rules[class].watch_list;
	case RP_LIST:
		return rules[class].list;
	default:
		return rules[class].watch;
	}
}

/* xorshift64*: spread, not secrecy. */
uint64_t reflector_random(struct reflector *r, uint64_t below)
{
	uint64_t x = r->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->random = x;
	return ((x * 0x2545f4914f6cdd1dULL) >> 16) % below;
}

/*
 * How long after the last failure the next one counts as the first of another trouble: two minutes
 * as in client-go after long trouble, less after short, so that two short outages soon after each
 * other are both over soon; what fails time and again still works twice as long as it waited.
 */
static int64_t peace_ms(const struct reflector *r)
{
	int64_t ms = r->backoff_delay_ms * BACKOFF_PEACE;

	if (ms < BACKOFF_PEACE_MIN)
		return BACKOFF_PEACE_MIN;
	return ms < BACKOFF_PEACE_MS ? ms : BACKOFF_PEACE_MS;
}

/* Delay before the next try, drawn from [d, 2d), d doubling until there is peace for a while. */
int64_t reflector_backoff(struct reflector *r, int retry_after_ms)
{
	int64_t now = loop_now(r->loop), base = r->backoff_base_ms, d;

	if (base <= 0)
		base = BACKOFF_BASE_MS;
	if (now - r->backoff_last_ms > peace_ms(r))
		r->backoff_step = 0;
	d = base << r->backoff_step;
	if (d < BACKOFF_CAP_MS)
		r->backoff_step++;
	else
		d = BACKOFF_CAP_MS;
	r->backoff_last_ms = now;
	d += (int64_t)reflector_random(r, (uint64_t)d);
	r->backoff_delay_ms = d;
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	return d < retry_after_ms ? retry_after_ms : d;
}

/* --- what people are told --------------------------------------------------------------- */

static char *way_out(const struct reflector *r, enum err_class class)
{
	const char *group = str_starts(r->kind->api, "/apis/") ? r->kind->api + 6 : "";
	int len = (int)strcspn(group, "/");

	switch (class) {
	case ERR_NOT_FOUND:
		if (memmem(group, (size_t)len, "tidegate.io", 11))
			return xstrdup("is the CRD installed? kubectl apply -f crds/");
		return xasprintf("does this cluster have %s? Its CRD or API group is missing",
		                 r->resource);
	case ERR_UNAUTHORIZED:
		return xstrdup("the API server does not accept the credentials: renew the token or "
		               "client certificate");
	case ERR_FORBIDDEN:
		return xasprintf("grant list and watch on %s%s%.*s to this user or service account",
		                 r->kind->resource, len ? "." : "", len, group);
	case ERR_PROTOCOL:
		return xasprintf("is %s an API server, or is a proxy in between?",
		                 kube_client_config(r->client)->server);
	default:
		return NULL;
	}
}

/* The text of the error and the way out of it. */
static char *explain(const struct reflector *r, const struct err *err)
{
	cleanup_free char *hint = way_out(r, err->class);

	return xasprintf("%s%s%s", err->msg[0] ? err->msg : err_class_name(err->class),
	                 hint ? "; " : "", str_or(hint, ""));
}

static bool needs_a_person(enum err_class class)
{
	return class == ERR_UNAUTHORIZED || class == ERR_FORBIDDEN || class == ERR_NOT_FOUND;
}

/*
 * A watch that breaks and comes back at the second try is everyday life and not told. A server
 * that restarts fails in several ways one after the other: only the first is told, and what does
 * not go away by itself, once each.
 */
static bool is_news(const struct reflector *r, enum err_class class)
{
	if (needs_a_person(class))
		return !(r->told_classes & 1U << class);
	return !r->told_classes && (!r->store->synced || r->failures > 1);
}

void reflector_failed(struct reflector *r, const struct err *err)
{
	cleanup_free char *text = explain(r, err);

	r->failures++;
	if (!r->trouble)
		r->trouble_since_ms = loop_now(r->loop);
	free(r->trouble);
	r->trouble = xasprintf("%s: %s", r->resource, text);
	r->trouble_class = err->class;
	if (!is_news(r, err->class))
		return;
	r->told_classes |= 1U << err->class;
	log_warn("resource is not available, trying again until it is", LS("resource", r->resource),
	         LS("error", text), LS("reason", err_class_name(err->class)));
}

void reflector_recovered(struct reflector *r)
{
	if (r->told_classes)
		log_info("resource is available again", LS("resource", r->resource),
		         LI("failures", r->failures), LI("objects", store_len(r->store)));
	r->failures = 0;
	r->told_classes = 0;
	xstr_replace(&r->trouble, NULL);
	r->trouble_class = ERR_NONE;
}
