#include "rounds.h"

#include <stdio.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#include "fleet.h"
#include "manifest.h"
#include "sample.h"
#include "watch.h"
#include "writes.h"

/* Rest between two rounds, so that one's last writes are not part of the next. */
#define REST_MS 300

struct rounds {
	struct session *session;
	struct fleet fleet;
	struct watch sets;
	struct timer rest;
	unsigned *order; /* the members, shuffled */
	unsigned round, total;
	char version[FLEET_VERSION_MAX];
	char (*before)[FLEET_VERSION_MAX]; /* version of each round's member */
	unsigned taken_back;
	/* the present round */
	unsigned member;
	int64_t sent_us, answered_us, visible_us;
	/* what came of them */
	struct sample from_answer, from_send, to_step;
	struct err failure;
};

/* --- ReplicaSets ------------------------------------------------------------------------- */

static void fill(void *obj, struct packer *p, const void *ctx)
{
	object_meta_fill(obj, p, ctx);
}

static struct object *decode(const struct json *json, struct arena *scratch, struct err *err)
{
	(void)scratch;
	if (object_meta_check(json, err))
		return NULL;
	return object_pack(sizeof(struct object), fill, json);
}

static const struct object_kind set_kind = {
	.kind = "ReplicaSet",
	.api = "/apis/apps/v1",
	.resource = "replicasets",
	.decode = decode,
};

/* --- a round ----------------------------------------------------------------------------- */

static void round_look(void *arg);

static void on_set(void *arg, const struct store_event *ev)
{
	struct rounds *r = arg;

	if (ev->change != STORE_ADDED || ev->initial || r->visible_us || !r->sent_us)
		return;
	if (manifest_index(ev->object->owner_name) != r->member)
		return;
	r->visible_us = session_now_us();
	round_look(r);
}

static bool answer_failed(struct rounds *r, const struct kube_response *resp)
{
	if (resp->err.class == ERR_NONE)
		return false;
	r->failure = resp->err;
	session_look(r->session);
	return true;
}

static void on_answer(void *arg, const struct kube_response *resp)
{
	struct rounds *r = arg;

	if (answer_failed(r, resp))
		return;
	r->answered_us = session_now_us();
	fleet_written(&r->fleet, r->member, written_generation(resp));
	round_look(r);
}

static void round_start(struct rounds *r)
{
	r->member = r->order[r->round];
	r->answered_us = r->visible_us = 0;
	str_copy(r->before[r->round], FLEET_VERSION_MAX, r->fleet.members[r->member].version);
	snprintf(r->version, sizeof(r->version), "%s-round-%u", r->session->o->version, r->round);
	r->sent_us = session_now_us();
	write_one(r->session, r->member, r->version, on_answer, r);
}

/* The ReplicaSet may be there before the answer to the write is: that is no time at all. */
static void round_end(struct rounds *r)
{
	int64_t us = r->visible_us - r->answered_us;

	sample_add(&r->from_answer, us > 0 ? us : 0);
	sample_add(&r->from_send, r->visible_us - r->sent_us);
	sample_add(&r->to_step, r->fleet.members[r->member].reached_us - r->answered_us);
	r->sent_us = 0;
	if (++r->round < r->total)
		timer_start(&r->rest, REST_MS);
}

static void round_look(void *arg)
{
	struct rounds *r = arg;

	if (r->sent_us && r->answered_us && r->visible_us && r->fleet.members[r->member].reached_us)
		round_end(r);
	session_look(r->session);
}

static void on_rest(void *arg)
{
	round_start(arg);
}

/* --- taking back ------------------------------------------------------------------------- */

static void on_taken_back(void *arg, const struct kube_response *resp)
{
	struct rounds *r = arg;

	if (answer_failed(r, resp))
		return;
	r->taken_back++;
	session_look(r->session);
}

static bool back_done(void *arg)
{
	const struct rounds *r = arg;

	return r->failure.class != ERR_NONE ||
	       (r->taken_back == r->total && fleet_all_reached(&r->fleet));
}

static void back_progress(void *arg, char *text, size_t size)
{
	const struct rounds *r = arg;

	snprintf(text, size, "%u of %u taken back; ready: %u of %u", r->taken_back, r->total,
	         r->fleet.reached, r->fleet.count);
}

/* The fleet is left as it was found, for what is measured next. */
static int take_back(struct rounds *r, struct err *err)
{
	fleet_aim(&r->fleet, GOAL_READY);
	for (unsigned i = 0; i < r->total; i++)
		write_one(r->session, r->order[i], r->before[i], on_taken_back, r);
	return session_run(r->session, back_done, back_progress, r, err);
}

/* --- all of them ------------------------------------------------------------------------- */

/* splitmix64: the same members in the same order for the same seed. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned *shuffle(unsigned n, uint64_t seed)
{
	unsigned *order = xcalloc(n, sizeof(*order));

	for (unsigned i = 0; i < n; i++) {
		unsigned j = (unsigned)(next_random(&seed) % (i + 1));

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

static bool done(void *arg)
{
	const struct rounds *r = arg;

	return r->round == r->total || r->failure.class != ERR_NONE;
}

static void progress(void *arg, char *text, size_t size)
{
	struct rounds *r = arg;

	snprintf(text, size, "%u of %u rounds, new ReplicaSet after %.1f ms (median)", r->round,
	         r->total, sample_percentile(&r->from_answer, 50));
}

static void summarize(struct rounds *r)
{
	struct json_writer w;
	struct buf b;

	summary_begin(r->session, &b, &w);
	jw_i64(&w, "rounds", r->round);
	sample_write(&r->from_answer, &w, "replicaSetMs");
	sample_write(&r->from_send, &w, "replicaSetFromSendMs");
	sample_write(&r->to_step, &w, "stepMs");
	summary_end(&b, &w);
}

static int run(struct rounds *r, struct session *s, struct err *err)
{
	if (fleet_init(&r->fleet, s, GOAL_STEP, err) ||
	    watch_init(&r->sets, s, &set_kind, on_set, r, err))
		return -1;
	r->fleet.on_reached = round_look;
	r->fleet.arg = r;
	round_start(r);
	if (session_run(s, done, progress, r, err))
		return -1;
	r->fleet.on_reached = NULL;
	if (r->failure.class == ERR_NONE && take_back(r, err))
		return -1;
	if (r->failure.class != ERR_NONE) {
		*err = r->failure;
		return -1;
	}
	return 0;
}

int rounds_run(struct session *s, struct err *err)
{
	struct rounds r = {.session = s, .total = (unsigned)s->o->rounds, .failure = ERR_INIT};
	int rc;

	timer_init(&r.rest, s->loop, on_rest, &r);
	r.order = shuffle((unsigned)s->o->count, (uint64_t)s->o->seed);
	r.before = xcalloc(r.total, sizeof(*r.before));
	rc = run(&r, s, err);
	summarize(&r);
	timer_release(&r.rest);
	watch_release(&r.sets);
	fleet_release(&r.fleet);
	sample_release(&r.from_answer);
	sample_release(&r.from_send);
	sample_release(&r.to_step);
	free(r.order);
	free(r.before);
	return rc;
}
