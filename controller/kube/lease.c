/*
 * Leader election: who holds the lease, and how long we may believe that it is us.
 *
 * An attempt is one PUT from the lease as last seen (a leader's fast path), or GET and then
 * POST or PUT. Times: `renewed_ms` is when the last successful write was *begun*, because from
 * then on nobody else can have seen our renewal later; `seen_ms` is when an answer
 * with another record *arrived*. Both err to the safe side.
 */
#include "tidegate/kube/lease.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "client_priv.h"
#include "lease_record.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/random.h"
#include "tidegate/base/str.h"

#define LEASE_DURATION_MS 15000
#define LEASE_RENEW_MS    10000
#define LEASE_RETRY_MS    2000
#define LEASE_JITTER      1.2
#define LEASE_TIMEOUT_MIN 500
#define LEASE_SPREAD_MS   20
#define LEASE_BODY_MAX    (256u << 10)
#define LEASE_RELEASED_S  1

enum lease_state {
	LEASE_IDLE,
	LEASE_CANDIDATE,
	LEASE_LEADER,
	LEASE_LOST,
	LEASE_RELEASING,
	LEASE_ENDED
};
enum lease_step { STEP_GET, STEP_POST, STEP_PUT };

struct lease {
	struct kube_client *client;
	char *ns, *name, *identity, *path; /* path of the collection */
	int64_t duration_ms, renew_deadline_ms, retry_ms;
	void (*on_acquired)(void *arg);
	void (*on_lost)(void *arg);
	void *arg;
	int64_t (*now)(void *arg);
	void *now_arg;

	enum lease_state state;
	struct lease_record seen; /* without an object: never, or it is gone */
	int64_t seen_ms;
	int64_t renewed_ms;

	struct timer tick, fence;
	struct kube_call *call;
	enum lease_step step;
	int64_t began_ms;
	bool looked;    /* this attempt has already done its GET */
	bool seen_good; /* nothing went wrong since it was received: fast path */
	enum err_class trouble;

	void (*stopped)(void *arg);
	void *stopped_arg;
	struct metric_series *master, *slowpath;
};

static struct metric_family master_status = {
	.name = "leader_election_master_status",
	.help = "1 while this process holds the lease, else 0.",
	.type = METRIC_GAUGE,
	.label_names = {"name"},
};
static struct metric_family slowpath_total = {
	.name = "leader_election_slowpath_total",
	.help = "Renewals that had to read the lease first.",
	.type = METRIC_COUNTER,
	.label_names = {"name"},
};

static void lease_attempt(struct lease *l);
static void lease_answer(void *arg, const struct kube_response *r);

static int64_t boot_clock(void *arg)
{
	(void)arg;
	return clock_mono_ms();
}

static int64_t lease_now(const struct lease *l)
{
	return l->now(l->now_arg);
}

void lease_set_clock(struct lease *l, int64_t (*now)(void *arg), void *arg)
{
	l->now = now ? now : boot_clock;
	l->now_arg = arg;
}

/* --- states ------------------------------------------------------------------------------- */

/* How long the holder that was seen may still be believed in. */
static int64_t lease_left(const struct lease *l)
{
	int64_t valid_ms = l->seen.duration_s > 0 ? l->seen.duration_s * 1000 : l->duration_ms;

	return l->seen_ms + valid_ms - lease_now(l);
}

/*
 * Candidates spread out, a leader keeps its pace. A candidate is there when the lease runs out,
 * give or take a little, so that several do not write in the same moment.
 */
static void next_tick(struct lease *l)
{
	int64_t ms = l->retry_ms, left = lease_left(l);

	if (l->state == LEASE_CANDIDATE) {
		ms = jitter_ms(ms, LEASE_JITTER);
		if (l->seen.object && left > 0 && left < ms)
			ms = jitter_ms(left, (double)LEASE_SPREAD_MS / (double)left);
	}
	timer_start(&l->tick, ms);
}

static void drop_call(struct lease *l)
{
	kube_cancel(l->call);
	l->call = NULL;
}

static void lease_lost(struct lease *l, const char *why)
{
	l->state = LEASE_LOST;
	timer_stop(&l->tick);
	timer_stop(&l->fence);
	drop_call(l);
	metric_set(l->master, 0);
	kube_client_drop_writes(l->client);
	log_error("lease lost, no more writes", LS("lease", l->name), LS("identity", l->identity),
	          LS("reason", why));
	if (l->on_lost)
		l->on_lost(l->arg);
}

static bool past_deadline(const struct lease *l)
{
	return lease_now(l) - l->renewed_ms >= l->renew_deadline_ms;
}

static void fence_set(struct lease *l)
{
	timer_start(&l->fence, l->renewed_ms + l->renew_deadline_ms - lease_now(l));
}

/* In a stop the same timer bounds the release. */
static void on_fence(void *arg)
{
	struct lease *l = arg;
	void (*stopped)(void *arg) = l->stopped;

	if (l->state == LEASE_LEADER) {
		if (past_deadline(l))
			lease_lost(l, "not renewed within the renew deadline");
		else
			fence_set(l);
		return;
	}
	if (l->state == LEASE_RELEASING)
		log_warn("lease not released in time, it will expire", LS("lease", l->name));
	l->state = LEASE_ENDED;
	timer_stop(&l->tick);
	drop_call(l);
	l->stopped = NULL;
	if (stopped)
		stopped(l->stopped_arg);
}

/* A write of ours was accepted. */
static void lease_renewed(struct lease *l)
{
	bool first = l->state == LEASE_CANDIDATE;

	l->renewed_ms = l->began_ms;
	if (past_deadline(l)) {
		/* The answer came too late to be believed; a leader's fence is about to say so. */
		next_tick(l);
		return;
	}
	l->state = LEASE_LEADER;
	fence_set(l);
	next_tick(l);
	if (!first)
		return;
	metric_set(l->master, 1);
	log_info("lease acquired", LS("lease", l->name), LS("identity", l->identity),
	         LI("transitions", l->seen.transitions));
	if (l->on_acquired)
		l->on_acquired(l->arg);
}

/* --- requests ----------------------------------------------------------------------------- */

static void lease_call(struct lease *l, enum lease_step step, const char *body)
{
	cleanup_free char *path =
		step == STEP_POST ? xstrdup(l->path) : xasprintf("%s/%s", l->path, l->name);
	int64_t half = l->renew_deadline_ms / 2;
	struct kube_request r = {
		.method = step == STEP_GET    ? "GET"
	                  : step == STEP_POST ? "POST"
	                                      : "PUT",
		.path = path,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = (int)(half > LEASE_TIMEOUT_MIN ? half : LEASE_TIMEOUT_MIN),
		.channel = KUBE_CH_LEASE,
		.max_body = LEASE_BODY_MAX,
		.on_done = lease_answer,
		.arg = l,
	};

	l->step = step;
	l->began_ms = lease_now(l);
	l->call = kube_call(l->client, &r);
}

/* The record that makes us the holder, or nobody. */
static struct lease_record next_record(const struct lease *l, const char *now)
{
	bool release = l->state == LEASE_RELEASING;
	bool ours = l->seen.object && str_eq(l->seen.holder, l->identity);

	return (struct lease_record){
		.holder = release ? "" : l->identity,
		.renew_time = now,
		.acquire_time = ours && !release ? l->seen.acquire_time : now,
		.duration_s = release ? LEASE_RELEASED_S : (l->duration_ms + 999) / 1000,
		.transitions = l->seen.object ? l->seen.transitions + (ours ? 0 : 1) : 0,
	};
}

static void lease_write(struct lease *l)
{
	char now[CLOCK_RFC3339_MAX];
	struct lease_record r = next_record(l, clock_format_micro(clock_wall_ms(), now));
	struct err err = ERR_INIT;
	cleanup_buf struct buf body;

	buf_init(&body, LEASE_BODY_MAX);
	if (lease_record_encode(&body, &r, l->ns, l->name, l->seen.object, &err) == 0) {
		lease_call(l, l->seen.object ? STEP_PUT : STEP_POST, body.data);
	} else {
		log_error("lease cannot be written", LS("lease", l->name), LE(&err));
		next_tick(l);
	}
}

static void lease_look(struct lease *l)
{
	if (l->state == LEASE_LEADER)
		metric_add(l->slowpath, 1);
	l->looked = true;
	lease_call(l, STEP_GET, NULL);
}

static void lease_attempt(struct lease *l)
{
	l->looked = false;
	if (l->seen.object && l->seen_good && l->state != LEASE_CANDIDATE)
		lease_write(l);
	else
		lease_look(l);
}

static void on_tick(void *arg)
{
	struct lease *l = arg;

	if (l->state == LEASE_LEADER && past_deadline(l))
		lease_lost(l, "not renewed within the renew deadline");
	else
		lease_attempt(l);
}

/* --- answers ------------------------------------------------------------------------------ */

static void observe(struct lease *l, const struct kube_response *a, struct err *err)
{
	struct lease_record r;
	bool known = l->seen.object != NULL;

	lease_record_init(&r);
	if (lease_record_decode(&r, a->body, a->body_len, err) < 0) {
		lease_record_release(&r);
		return;
	}
	l->seen_good = true;
	if (!known || !lease_record_equal(&r, &l->seen))
		l->seen_ms = lease_now(l);
	if (!str_eq(r.holder, l->seen.holder) && !str_empty(r.holder) &&
	    !str_eq(r.holder, l->identity))
		log_info("lease is held by another", LS("lease", l->name), LS("holder", r.holder));
	lease_record_release(&l->seen);
	l->seen = r;
}

static void forget(struct lease *l)
{
	lease_record_release(&l->seen);
	lease_record_init(&l->seen);
}

/* Held by another that has shown a sign of life within its lease. */
static bool taken(const struct lease *l)
{
	return !str_empty(l->seen.holder) && !str_eq(l->seen.holder, l->identity) &&
	       lease_left(l) > 0;
}

static void lease_ended(struct lease *l)
{
	log_info("lease released", LS("lease", l->name), LS("identity", l->identity));
	l->state = LEASE_ENDED;
	timer_start(&l->fence, 0);
}

/* The lease as it is now, or that there is none, has arrived. */
static void decide(struct lease *l)
{
	if (l->state == LEASE_RELEASING) {
		if (l->seen.object && str_eq(l->seen.holder, l->identity))
			lease_write(l);
		else
			lease_ended(l);
		return;
	}
	if (!l->seen.object || !taken(l)) {
		lease_write(l);
		return;
	}
	if (l->state == LEASE_LEADER)
		lease_lost(l, "another took it");
	else
		next_tick(l);
}

/* Said once when it begins, and again only when the kind of trouble changes. */
static void lease_failed(struct lease *l, const struct err *err)
{
	l->seen_good = false;
	if (err->class != l->trouble)
		log_warn(l->state == LEASE_LEADER ? "lease cannot be renewed"
		                                  : "lease cannot be had",
		         LS("lease", l->name), LS("class", err_class_name(err->class)), LE(err));
	l->trouble = err->class;
	next_tick(l);
}

static void lease_answer(void *arg, const struct kube_response *r)
{
	struct lease *l = arg;
	struct err err = r->err;
	bool moved = err.class == ERR_CONFLICT || err.class == ERR_EXISTS ||
	             (err.class == ERR_NOT_FOUND && l->step == STEP_PUT);

	l->call = NULL;
	if (l->step == STEP_GET && err.class == ERR_NOT_FOUND) {
		forget(l);
		decide(l);
		return;
	}
	if (moved && !l->looked) {
		lease_look(l);
		return;
	}
	if (moved) { /* somebody was faster, twice: no trouble, just not now */
		l->seen_good = false;
		next_tick(l);
		return;
	}
	if (err.class == ERR_NONE)
		observe(l, r, &err);
	if (err.class != ERR_NONE) {
		lease_failed(l, &err);
		return;
	}
	l->trouble = ERR_NONE;
	if (l->step == STEP_GET)
		decide(l);
	else if (l->state == LEASE_RELEASING)
		lease_ended(l);
	else
		lease_renewed(l);
}

/* --- life --------------------------------------------------------------------------------- */

static char *make_identity(void)
{
	char host[HOST_NAME_MAX + 1] = "";
	unsigned char u[16] = {0};

	gethostname(host, sizeof(host) - 1);
	random_fill(u, sizeof(u));
	u[6] = (u[6] & 0x0f) | 0x40; /* RFC 9562 version 4, variant 10 */
	u[8] = (u[8] & 0x3f) | 0x80;
	return xasprintf("%s_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	                 host, u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10],
	                 u[11], u[12], u[13], u[14], u[15]);
}

static int check_options(const struct lease_options *o, const struct lease *l, struct err *err)
{
	if (!str_is_dns_label(str_or(o->namespace, "")) ||
	    !str_is_dns_subdomain(str_or(o->name, "")))
		return err_set(err, ERR_INVALID,
		               "lease: namespace \"%s\" or name \"%s\" is invalid",
		               str_or(o->namespace, ""), str_or(o->name, ""));
	if (l->duration_ms <= l->renew_deadline_ms)
		return err_set(err, ERR_INVALID,
		               "lease duration (%lld ms) must be longer than the renew deadline "
		               "(%lld ms)",
		               (long long)l->duration_ms, (long long)l->renew_deadline_ms);
	if ((double)l->renew_deadline_ms <= (double)l->retry_ms * LEASE_JITTER)
		return err_set(err, ERR_INVALID,
		               "lease renew deadline (%lld ms) must be longer than %.1f times the "
		               "retry period (%lld ms)",
		               (long long)l->renew_deadline_ms, LEASE_JITTER,
		               (long long)l->retry_ms);
	return 0;
}

struct lease *lease_new(struct kube_client *c, const struct lease_options *o, struct err *err)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->client = c;
	l->duration_ms = o->duration_ms ? o->duration_ms : LEASE_DURATION_MS;
	l->renew_deadline_ms = o->renew_deadline_ms ? o->renew_deadline_ms : LEASE_RENEW_MS;
	l->retry_ms = o->retry_ms ? o->retry_ms : LEASE_RETRY_MS;
	l->on_acquired = o->on_acquired;
	l->on_lost = o->on_lost;
	l->arg = o->arg;
	lease_set_clock(l, NULL, NULL);
	lease_record_init(&l->seen);
	timer_init(&l->tick, kube_client_loop(c), on_tick, l);
	timer_init(&l->fence, kube_client_loop(c), on_fence, l);
	if (check_options(o, l, err) < 0) {
		lease_free(l);
		return NULL;
	}
	l->ns = xstrdup(o->namespace);
	l->name = xstrdup(o->name);
	l->identity = str_empty(o->identity) ? make_identity() : xstrdup(o->identity);
	l->path = xasprintf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", l->ns);
	l->master = metric_series(&master_status, l->name);
	l->slowpath = metric_series(&slowpath_total, l->name);
	metric_set(l->master, 0);
	return l;
}

void lease_start(struct lease *l)
{
	if (l->state != LEASE_IDLE)
		return;
	l->state = LEASE_CANDIDATE;
	lease_attempt(l);
}

void lease_stop(struct lease *l, void (*done)(void *arg), void *arg)
{
	/* A write whose answer is not awaited may have made us the holder all the same. */
	bool unsure = l->call && l->step != STEP_GET;
	bool held = l->state == LEASE_LEADER || (l->state == LEASE_CANDIDATE && unsure);

	l->stopped = done;
	l->stopped_arg = arg;
	timer_stop(&l->tick);
	drop_call(l);
	metric_set(l->master, 0);
	if (!held) {
		l->state = LEASE_ENDED;
		timer_start(&l->fence, 0);
		return;
	}
	l->state = LEASE_RELEASING;
	if (unsure)
		l->seen_good = false;
	timer_start(&l->fence, l->renew_deadline_ms);
	lease_attempt(l);
}

void lease_free(struct lease *l)
{
	if (!l)
		return;
	drop_call(l);
	timer_release(&l->tick);
	timer_release(&l->fence);
	lease_record_release(&l->seen);
	free(l->ns);
	free(l->name);
	free(l->identity);
	free(l->path);
	free(l);
}

bool lease_held(const struct lease *l)
{
	return l->state == LEASE_LEADER;
}

bool lease_may_write(const struct lease *l)
{
	return l->state == LEASE_LEADER && !past_deadline(l);
}

const char *lease_holder(const struct lease *l)
{
	return l->seen.holder;
}

const char *lease_identity(const struct lease *l)
{
	return l->identity;
}

long lease_transitions(const struct lease *l)
{
	return (long)l->seen.transitions;
}
