/*
 * All ModelDeployments' zones together (failover/group.h): asks for whoever wants to leave a zone
 * or to come back, and looks at it again when its turn has come.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"
#include "tidegate/failover/group.h"

/* Probes tell news once a second; and looking at all pods costs some milliseconds. */
#define SURVEY_KEEP_MS 500
#define SURVEY_ZONES   32

static struct metric_family decisions = {
	.name = "tidegate_zone_decisions_total",
	.help = "Times that a zone was found bad for most models in it and was left",
	.type = METRIC_COUNTER,
	.label_names = {"zone"},
};

/* How the models in a zone are. */
struct count {
	char zone[64];
	unsigned models, bad;
};

struct turns {
	struct mdep_operator *op;
	struct group *group;
	struct timer timer;
	struct count counts[SURVEY_ZONES];
	unsigned ncounts;
	int64_t counted_ms; /* monotonic; 0 = never */
};

/* --- how other models are -------------------------------------------------------------------- */

static struct count *count_of(struct turns *t, const char *zone)
{
	for (unsigned i = 0; i < t->ncounts; i++)
		if (str_eq(t->counts[i].zone, zone))
			return &t->counts[i];
	if (t->ncounts == SURVEY_ZONES)
		return NULL;
	t->counts[t->ncounts] = (struct count){.models = 0};
	str_copy(t->counts[t->ncounts].zone, sizeof(t->counts[0].zone), zone);
	return &t->counts[t->ncounts++];
}

static void count_model(struct turns *t, const struct mdep *m)
{
	struct zone_facts facts[MDEP_ZONES_MAX];
	int serving[MDEP_ZONES_MAX];

	failover_look(t->op, m, clock_wall_ms(), facts, serving);
	for (unsigned i = 0; i < m->nzones; i++) {
		const struct zone_facts *f = &facts[i];
		const struct mdep_zone_status *z = mdep_zone_find(&m->status, f->name);
		struct count *c = f->pods ? count_of(t, f->name) : NULL;

		if (!c)
			continue;
		c->models++;
		c->bad += (f->shaky > f->served && (f->shaky - f->served) * 2 >= f->pods) ||
		          (z && mdep_zone_is_out(z) && !failover_is_ordered(z));
	}
}

static void survey(struct turns *t)
{
	const struct object *o;
	size_t it = 0;

	if (t->counted_ms && clock_mono_ms() - t->counted_ms < SURVEY_KEEP_MS)
		return;
	t->counted_ms = clock_mono_ms();
	t->ncounts = 0;
	while ((o = store_next(&t->op->stores[CACHE_MDEP], &it)))
		count_model(t, mdep_from(o));
}

void turns_count(struct turns *t, const char *zone, unsigned *models, unsigned *bad)
{
	survey(t);
	*models = *bad = 0;
	for (unsigned i = 0; i < t->ncounts; i++)
		if (str_eq(t->counts[i].zone, zone)) {
			*models = t->counts[i].models;
			*bad = t->counts[i].bad;
		}
}

static void fill_counts(struct turns *t, struct group_question *q)
{
	survey(t);
	for (unsigned i = 0; i < t->ncounts; i++) {
		const struct count *c = &t->counts[i];

		if (str_eq(c->zone, q->zone)) {
			q->models = c->models;
			q->bad = c->bad;
		} else if (c->bad > q->bad_elsewhere) {
			q->bad_elsewhere = c->bad;
		}
	}
}

/* --- turns ----------------------------------------------------------------------------------- */

static void arm(struct turns *t)
{
	int64_t ms = group_wait_ms(t->group, clock_mono_ms());

	if (ms >= 0)
		timer_start(&t->timer, ms);
	else
		timer_stop(&t->timer);
}

static void on_turn(void *arg)
{
	struct turns *t = arg;
	const char *key;

	while ((key = group_next(t->group, clock_mono_ms())))
		operator_enqueue(t->op, key);
	arm(t);
}

static int priority_of(const struct rollout_snapshot *s)
{
	int highest = INT32_MIN;

	for (unsigned i = 0; i < s->ncells; i++)
		for (unsigned j = 0; j < s->cells[i].npods; j++)
			if (s->cells[i].pods[j]->priority > highest)
				highest = s->cells[i].pods[j]->priority;
	return highest;
}

static void tell_decision(const struct group_question *q)
{
	metric_add(metric_series(&decisions, q->zone), 1);
	log_warn("zone is left by all models in it", LS("zone", q->zone), LI("models", q->models),
	         LI("failing", q->bad));
}

static void take_answer(const struct failover_input *in, struct zone_facts *f,
                        const struct group_answer *answer, struct failover_plan *plan)
{
	int64_t wake_ms = answer->wake_ms ? in->now_ms + answer->wake_ms : 0;

	if (answer->say == ZONE_GO && !answer->alone)
		return;
	f->say = answer->say;
	f->alone = answer->alone;
	failover_step(in, plan);
	if (wake_ms && (!plan->wake_ms || wake_ms < plan->wake_ms))
		plan->wake_ms = wake_ms;
}

static bool is_own_affair(const struct failover_plan *plan, const char *zone)
{
	const struct mdep_zone_status *z = failover_plan_zone(plan, zone);

	return z && failover_is_own_affair(z);
}

void turns_plan(struct turns *t, const struct rollout_snapshot *s, const struct failover_input *in,
                struct zone_facts *facts, struct failover_plan *plan)
{
	const char *key = s->mdep->meta.key;
	struct group_question q = {
		.model = key, .priority = priority_of(s), .now_ms = clock_mono_ms()};
	struct group_answer answer;
	int zone;

	failover_step(in, plan);
	zone = failover_wish(in, plan, &q.lane);
	if (zone < 0) {
		group_rest(t->group, key);
	} else {
		q.zone = facts[zone].name;
		q.own_affair = is_own_affair(plan, q.zone);
		if (q.lane == ZONE_LANE_LEAVE)
			fill_counts(t, &q);
		group_ask(t->group, &q, &answer);
		if (answer.decided)
			tell_decision(&q);
		take_answer(in, &facts[zone], &answer, plan);
	}
	group_record(t->group, key, failover_zone_out(plan->zones, plan->nzones));
	arm(t);
}

void turns_forget(struct turns *t, const char *key)
{
	group_forget(t->group, key);
}

void turns_begin(struct turns *t)
{
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(&t->op->stores[CACHE_MDEP], &it))) {
		const struct mdep_status *st = &mdep_from(o)->status;

		group_record(t->group, o->key, failover_zone_out(st->zones, st->nzones));
	}
}

struct turns *turns_new(struct mdep_operator *op)
{
	struct turns *t = xcalloc(1, sizeof(*t));

	t->op = op;
	t->group = group_new();
	timer_init(&t->timer, op->loop, on_turn, t);
	return t;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	timer_release(&t->timer);
	group_free(t->group);
	free(t);
}
