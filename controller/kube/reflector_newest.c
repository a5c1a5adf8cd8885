/* Waits until a store is as new as the server is. */
#include "reflector_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define ASK_TIMEOUT_MS 3000
#define ASK_BODY_MAX   (1u << 20)
#define ASK_AGAIN_MS   500
#define POLL_MS        20
#define HURRY_AFTER_MS 200
#define HURRY_AGAIN_MS 4000
/*
 * A watch that was hurried tells its place within 3 s; one of a resource that was made just now may
 * never, as nothing has been written to it. A list is the last word, and no load when it is rare.
 */
#define RELIST_AFTER_MS 5000
#define RELIST_AGAIN_MS 60000

#define RV_MAX 24

struct reflector_newest {
	struct reflector *reflector;
	struct kube_call *call;
	struct timer timer;
	char rv[RV_MAX]; /* "" = not known yet */
	int64_t hurry_ms, relist_ms;
	void (*done)(void *arg);
	void *arg;
};

static void ask(struct reflector_newest *n);

static bool reached(const struct reflector_newest *n)
{
	const struct store *s = n->reflector->store;

	return s->synced && rv_cmp(s->last_rv, n->rv) >= 0;
}

static void wait_on(struct reflector_newest *n)
{
	int64_t now = loop_now(n->reflector->loop);

	if (now >= n->relist_ms) {
		n->relist_ms = now + RELIST_AGAIN_MS;
		n->hurry_ms = now + HURRY_AGAIN_MS;
		reflector_relist(n->reflector);
	} else if (now >= n->hurry_ms) {
		n->hurry_ms = now + HURRY_AGAIN_MS;
		reflector_hurry(n->reflector);
	}
	timer_start(&n->timer, POLL_MS);
}

static void on_timer(void *arg)
{
	struct reflector_newest *n = arg;

	if (!*n->rv)
		ask(n);
	else if (!reached(n))
		wait_on(n);
	else
		n->done(n->arg);
}

/* What was never there is not missed; whoever needs it is told by the reflector. */
static bool nothing_there(const struct reflector_newest *n, enum err_class class)
{
	return !n->reflector->store->synced && (class == ERR_NOT_FOUND || class == ERR_FORBIDDEN);
}

static void answered(void *arg, const struct kube_response *r)
{
	struct reflector_newest *n = arg;
	int64_t now = loop_now(n->reflector->loop);

	n->call = NULL;
	if (nothing_there(n, r->err.class)) {
		n->done(n->arg);
		return;
	}
	if (r->err.class != ERR_NONE ||
	    !object_scan_rv(r->body, r->body_len, n->rv, sizeof(n->rv))) {
		*n->rv = '\0';
		timer_start(&n->timer, ASK_AGAIN_MS);
		return;
	}
	n->hurry_ms = now + HURRY_AFTER_MS;
	n->relist_ms = now + RELIST_AFTER_MS;
	timer_start(&n->timer, 0);
}

/* Without a resourceVersion: what is committed now, not what some cache has. */
static void ask(struct reflector_newest *n)
{
	const struct reflector *r = n->reflector;
	cleanup_free char *path = xasprintf("%s?limit=1%s", r->base_path, r->selectors);
	struct kube_request q = {
		.method = "GET",
		.path = path,
		.timeout_ms = ASK_TIMEOUT_MS,
		.max_body = ASK_BODY_MAX,
		.metadata_only = true,
		.on_done = answered,
		.arg = n,
	};

	n->call = kube_call(r->client, &q);
}

struct reflector_newest *reflector_newest_new(struct reflector *r, void (*done)(void *arg),
                                              void *arg)
{
	struct reflector_newest *n = xcalloc(1, sizeof(*n));

	n->reflector = r;
	n->done = done;
	n->arg = arg;
	timer_init(&n->timer, r->loop, on_timer, n);
	ask(n);
	return n;
}

void reflector_newest_free(struct reflector_newest *n)
{
	if (!n)
		return;
	kube_cancel(n->call);
	timer_release(&n->timer);
	free(n);
}
