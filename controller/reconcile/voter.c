/*
 * Our vote, in a Lease of our own, and those of the other replicas.
 *
 * It is renewed every second while somebody sees something that is not well, else every two; at
 * once, within limits, when something changes. Whether we are in touch with the API server is known
 * by our own Lease coming back through the watch: that proves both ways.
 */
#include <inttypes.h>
#include <string.h>

#include "ballot.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/random.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/vote.h"

#define CALM_MS     2000
#define PRESSING_MS 1000
#define JITTER_MS   200
#define HURRY_MS    30  /* what happens together is told together */
#define APART_MS    250 /* between two votes at least */
#define TIMEOUT_MS  2000
#define STALE_MS    60000 /* a Lease that is not renewed for so long is a leftover */
#define BODY_MAX    (VOTE_MAX * 2)
#define NAME_HASH   10

struct voter {
	struct mdep_operator *op;
	char *name, *collection, *path;
	struct timer tick;
	struct kube_call *call, *removal;
	struct ballots ballots;
	bool started, again, pressing, changed;
	int64_t sent_ms;             /* monotonic, of our newest vote */
	int64_t contact_ms, echo_ms; /* in touch since; our own vote was last seen */
	char echo_rv[RV_MAX];        /* as it was seen then */
	void (*ended)(void *arg);
	void *ended_arg;
	struct metric_series *voting;
};

static struct metric_family replicas_voting = {
	.name = "tidegate_replicas_voting",
	.help = "Replicas whose votes on zones count now, this one included.",
	.type = METRIC_GAUGE,
};

/* --- what we see ------------------------------------------------------------------------- */

struct draft {
	struct arena arena;
	struct vote vote;
	struct vote_sum sums[VOTE_ZONES_MAX];
	struct vote_entry *entries;
	unsigned cap;
};

static struct vote_sum *sum_of(struct draft *d, const char *zone)
{
	unsigned i = 0;

	while (i < d->vote.nsums && !str_eq(d->sums[i].zone, zone))
		i++;
	if (i == VOTE_ZONES_MAX)
		return NULL;
	if (i == d->vote.nsums)
		d->sums[d->vote.nsums++] = (struct vote_sum){.zone = zone};
	return &d->sums[i];
}

static bool is_plain(const struct mdep *m, const struct zone_facts *f, int serving)
{
	const struct mdep_zone_status *z = mdep_zone_find(&m->status, f->name);

	return !f->shaky && (f->pods || !serving) && (!z || z->state == ZONE_HEALTHY);
}

static void add_entry(struct draft *d, const struct mdep *m, const struct zone_facts *f,
                      int64_t now_ms)
{
	if (d->vote.nentries == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->entries = xreallocarray(d->entries, d->cap, sizeof(*d->entries));
	}
	d->entries[d->vote.nentries++] = (struct vote_entry){
		.model = m->meta.key,
		.zone = f->name,
		.pods = f->pods,
		.shaky = f->shaky,
		.failing = f->failing,
		.ready = f->ready,
		.good_ms = f->good_since_ms ? now_ms - f->good_since_ms : -1,
		.served = f->served,
	};
}

static void look_at(struct mdep_operator *op, const struct mdep *m, int64_t now_ms, struct draft *d)
{
	struct zone_facts facts[MDEP_ZONES_MAX];
	int serving[MDEP_ZONES_MAX];

	failover_look(op, m, now_ms, facts, serving);
	for (unsigned i = 0; i < m->nzones; i++) {
		struct vote_sum *sum = sum_of(d, facts[i].name);

		if (sum) {
			sum->pods += facts[i].pods;
			sum->shaky += facts[i].shaky;
			sum->failing += facts[i].failing;
		}
		if (!is_plain(m, &facts[i], serving[i]))
			add_entry(d, m, &facts[i], now_ms);
	}
}

static const char *own_zone(const struct voter *v)
{
	const struct operator_options *o = &v->op->options;
	const struct object *node;

	if (o->zone || !o->node)
		return str_or(o->zone, "");
	node = store_get_key(&v->op->stores[CACHE_NODE], o->node);
	return node ? ((const struct node *)node)->zone : "";
}

/* What is borrowed here belongs to the caches: good until the next return to the loop. */
static void look(struct voter *v, struct draft *d)
{
	struct mdep_operator *op = v->op;
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&op->stores[CACHE_MDEP], &it)))
		if (failover_watches(mdep_from(o)))
			look_at(op, mdep_from(o), clock_wall_ms(), d);
	d->vote.zone = own_zone(v);
	d->vote.blind = gate_blind(op->gate);
	d->vote.sums = d->sums;
	d->vote.entries = d->entries;
}

/* --- our Lease --------------------------------------------------------------------------- */

static void write_lease(const struct voter *v, const char *votes, struct buf *out)
{
	const struct operator_options *o = &v->op->options;
	char stamp[CLOCK_RFC3339_MAX];
	struct json_writer w;

	clock_format_micro(clock_wall_ms(), stamp);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "coordination.k8s.io/v1");
	jw_str(&w, "kind", "Lease");
	jw_object(&w, "metadata");
	jw_str(&w, "name", v->name);
	jw_str(&w, "namespace", o->votes_namespace);
	jw_object(&w, "labels");
	jw_str(&w, TG_LABEL_REPLICA_OF, o->votes_group);
	jw_end_object(&w);
	jw_object(&w, "annotations");
	jw_str(&w, TG_ANN_VOTES, votes);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_object(&w, "spec");
	jw_str(&w, "holderIdentity", o->replica);
	jw_i64(&w, "leaseDurationSeconds", STALE_MS / 1000);
	jw_str(&w, "renewTime", stamp);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end(&w);
}

static void set_tick(struct voter *v)
{
	unsigned jitter = 0;
	int64_t ms = CALM_MS;

	random_fill(&jitter, sizeof(jitter));
	if (v->pressing || ballots_press(&v->ballots, loop_now(v->op->loop)))
		ms = PRESSING_MS;
	timer_start(&v->tick, ms + jitter % JITTER_MS);
}

static void on_written(void *arg, const struct kube_response *r)
{
	struct voter *v = arg;

	v->call = NULL;
	if (r->err.class != ERR_NONE && v->contact_ms)
		log_warn("our vote was not written", LE(&r->err));
	if (r->err.class != ERR_NONE)
		v->contact_ms = 0;
	set_tick(v);
	if (v->again)
		voter_hurry(v);
}

static void cast(struct voter *v, const char *votes)
{
	cleanup_buf struct buf body;
	struct kube_request r = {.method = "PATCH",
	                         .path = v->path,
	                         .patch = KUBE_PATCH_APPLY,
	                         .field_manager = TG_FM_VOTES,
	                         .timeout_ms = TIMEOUT_MS,
	                         .channel = KUBE_CH_LEASE,
	                         .max_body = BODY_MAX + VOTE_MAX,
	                         .on_done = on_written,
	                         .arg = v};

	buf_init(&body, BODY_MAX);
	write_lease(v, votes, &body);
	r.body = body.data;
	r.body_len = body.len;
	v->sent_ms = loop_now(v->op->loop);
	v->again = false;
	v->call = kube_call(v->op->client, &r);
}

static void on_collected(void *arg, const struct kube_response *r)
{
	struct voter *v = arg;

	v->removal = NULL;
	if (r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND)
		log_warn("Lease of a replica that is gone was not removed", LE(&r->err));
}

static struct kube_call *remove_lease(struct voter *v, const char *name, const char *uid,
                                      void (*done)(void *arg, const struct kube_response *r))
{
	cleanup_free char *path = xasprintf("%s/%s", v->collection, name);
	cleanup_free char *body =
		uid ? xasprintf("{\"preconditions\":{\"uid\":\"%s\"}}", uid) : NULL;
	struct kube_request r = {.method = "DELETE",
	                         .path = path,
	                         .body = body,
	                         .body_len = body ? strlen(body) : 0,
	                         .timeout_ms = TIMEOUT_MS,
	                         .channel = KUBE_CH_LEASE,
	                         .on_done = done,
	                         .arg = v};

	return kube_call(v->op->client, &r);
}

/* The leader clears up; only who has heard itself for as long may say that another is silent. */
static void collect(struct voter *v)
{
	int64_t now = loop_now(v->op->loop);
	const char *name, *uid;

	if (!v->op->working || v->removal || !v->contact_ms || now - v->contact_ms < STALE_MS)
		return;
	name = ballots_take_stale(&v->ballots, now, STALE_MS, &uid);
	if (name)
		v->removal = remove_lease(v, name, uid, on_collected);
}

static void on_tick(void *arg)
{
	struct voter *v = arg;
	struct draft d = {.cap = 0};
	cleanup_buf struct buf text;

	buf_init(&text, VOTE_MAX);
	if (v->call) {
		v->again = true;
		return;
	}
	look(v, &d);
	v->pressing = d.vote.nentries > 0;
	metric_set(v->voting, ballots_fresh(&v->ballots, loop_now(v->op->loop)) + 1);
	vote_encode(&d.vote, &text);
	free(d.entries);
	collect(v);
	cast(v, text.data);
}

void voter_hurry(struct voter *v)
{
	int64_t wait;

	if (!v->started || v->ended)
		return;
	v->again = v->call != NULL;
	if (v->call)
		return;
	wait = v->sent_ms + APART_MS - loop_now(v->op->loop);
	timer_start(&v->tick, wait > HURRY_MS ? wait : HURRY_MS);
}

/* --- the others -------------------------------------------------------------------------- */

static void on_change(void *arg, const char *model)
{
	struct voter *v = arg;

	if (v->op->working)
		operator_enqueue(v->op, model);
	v->changed = true;
}

/* A gap as long as silence is taken for absence begins anew. */
static void heard_ourselves(struct voter *v)
{
	int64_t now = loop_now(v->op->loop);

	if (!v->contact_ms || now - v->echo_ms >= TALLY_FRESH_MS)
		v->contact_ms = now;
	v->echo_ms = now;
}

/* Who is asked to look closer answers soon, so that a vote that was cast before counts no more. */
static void heard_another(struct voter *v, const struct store_event *ev)
{
	const struct vote_lease *l = (const struct vote_lease *)ev->object;

	v->changed = false;
	if (ev->change == STORE_DELETED)
		ballots_remove(&v->ballots, l->meta.name, on_change, v);
	else
		ballots_put(&v->ballots, l, ev->initial, loop_now(v->op->loop), on_change, v);
	if (v->changed && loop_now(v->op->loop) - v->sent_ms > PRESSING_MS / 2)
		voter_hurry(v);
}

/* Of what we have written every version says the same: that it came back. */
static void on_own_version(void *arg, const char *rv)
{
	struct voter *v = arg;

	str_copy(v->echo_rv, sizeof(v->echo_rv), rv);
	heard_ourselves(v);
}

/* The cache holds ours as it was before the versions that came alone. */
static bool is_news(const struct voter *v, const struct store_event *ev)
{
	return ev->change != STORE_DELETED && rv_cmp(ev->object->resource_version, v->echo_rv) > 0;
}

void voter_event(void *arg, const struct store_event *ev)
{
	struct mdep_operator *op = arg;
	struct voter *v = op->voter;

	if (!str_eq(ev->object->name, v->name))
		heard_another(v, ev);
	else if (is_news(v, ev))
		on_own_version(v, ev->object->resource_version);
}

/* Whoever there may be, while the first list is on its way. */
static const struct vote unknown = {.zone = "", .blind = true};

void voter_read(struct voter *v, struct arena *a, struct tally_input *in)
{
	struct tally_other *others;

	in->own_zone = "";
	if (!v->started)
		return;
	others = arena_array(a, TALLY_OTHERS_MAX, sizeof(*others));
	in->own_zone = own_zone(v);
	in->others = others;
	in->nothers = ballots_list(&v->ballots, in->mono_ms, others);
	if (!v->op->stores[CACHE_VOTE].synced && !reflector_trouble(v->op->reflectors[CACHE_VOTE]))
		others[in->nothers++] = (struct tally_other){&unknown, 0};
	if (v->contact_ms && in->mono_ms - v->echo_ms < TALLY_FRESH_MS)
		in->contact_ms = v->contact_ms;
}

/* --- life -------------------------------------------------------------------------------- */

struct voter *voter_new(struct mdep_operator *op)
{
	struct voter *v = xcalloc(1, sizeof(*v));
	const struct operator_options *o = &op->options;
	char hash[NAME_HASH + 1];

	v->op = op;
	ballots_init(&v->ballots);
	timer_init(&v->tick, op->loop, on_tick, v);
	if (!o->replica)
		return v;
	str_safe_encode(str_hash(STR_HASH_SEED, o->replica, strlen(o->replica)), hash, NAME_HASH);
	hash[NAME_HASH] = '\0';
	v->voting = metric_series(&replicas_voting);
	v->name = xasprintf("%s-votes-%s", o->votes_group, hash);
	v->collection =
		xasprintf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", o->votes_namespace);
	v->path = xasprintf("%s/%s", v->collection, v->name);
	return v;
}

void voter_start(struct voter *v)
{
	if (v->started || !v->name)
		return;
	v->started = true;
	v->op->started[CACHE_VOTE] = true;
	reflector_versions_only(v->op->reflectors[CACHE_VOTE], v->name, on_own_version, v);
	reflector_start(v->op->reflectors[CACHE_VOTE]);
	timer_start(&v->tick, HURRY_MS);
}

static void on_removed(void *arg, const struct kube_response *r)
{
	struct voter *v = arg;

	v->removal = NULL;
	if (r && r->err.class != ERR_NONE && r->err.class != ERR_NOT_FOUND)
		log_warn("our vote was not taken away, it will expire", LE(&r->err));
	v->ended(v->ended_arg);
}

static void on_nothing(void *arg)
{
	struct voter *v = arg;

	v->ended(v->ended_arg);
}

void voter_end(struct voter *v, void (*done)(void *arg), void *arg)
{
	v->ended = done;
	v->ended_arg = arg;
	kube_cancel(v->call);
	kube_cancel(v->removal);
	v->call = v->removal = NULL;
	if (v->started) {
		timer_stop(&v->tick);
		v->removal = remove_lease(v, v->name, NULL, on_removed);
		return;
	}
	timer_release(&v->tick);
	timer_init(&v->tick, v->op->loop, on_nothing, v);
	timer_start(&v->tick, 0);
}

void voter_free(struct voter *v)
{
	if (!v)
		return;
	kube_cancel(v->call);
	kube_cancel(v->removal);
	timer_release(&v->tick);
	ballots_release(&v->ballots);
	free(v->name);
	free(v->collection);
	free(v->path);
	free(v);
}
