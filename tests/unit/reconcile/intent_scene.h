/* A ModelDeployment, the plan for it and caches, for tests of what intents come of them. */
#ifndef TESTS_RECONCILE_INTENT_SCENE_H
#define TESTS_RECONCILE_INTENT_SCENE_H

#include "../kube/client_bed.c"

#include "fixture.h"
#include "put.h"

#define SERVICES "/api/v1/namespaces/shop/services"

#define SPEC "'model':{'name':'rec','version':'7'},'runtime':{'preset':'vllm'}"
/* By a route that is made for it. */
#define OURS SPEC ",'traffic':{'httpRoute':{'name':'route','parentRefs':[{'name':'gw'}]}}"

struct scene {
	struct arena a;
	struct mdep_operator *op;
	struct mdep *m;
	struct rollout_snapshot snap;
	struct rollout_plan plan;
	struct key_state ks;
	unsigned crowd;
	struct intents got;
};

/* As the spec wants it: the other tests are not about it. */
static void put_budget(struct scene *s)
{
	struct buf body;
	uint64_t hash;

	buf_init(&body, CHILD_BODY_MAX);
	child_disruption_budget(s->m, &body, &hash);
	buf_release(&body);
	put(s->op, CACHE_BUDGET, &disruption_budget_kind,
	    arena_printf(&s->a,
	                 "{'metadata':{'name':'ranker','namespace':'shop','uid':'b1',"
	                 "'resourceVersion':'3','annotations':{'" TG_ANN_APPLY_HASH
	                 "':'%016llx'}}}",
	                 (unsigned long long)hash));
}

static void open_scene(struct bed *b, struct scene *s, const char *spec)
{
	static const struct operator_options o = {.identity = "test"};

	memset(s, 0, sizeof(*s));
	arena_init(&s->a, 0);
	s->op = operator_new(b->loop, bed_client(b, 0), &o, NULL);
	assert_non_null(s->op);
	s->m = read_spec(&s->a, spec);
	s->snap = (struct rollout_snapshot){.now_ms = 1700000000000, .mdep = s->m};
	s->plan.status = s->m->status;
	s->got.arena = &s->a;
	put_budget(s);
}

static void close_scene(struct scene *s)
{
	operator_free(s->op);
	made_forget(&s->ks);
	arena_release(&s->a);
}

static void collect(struct scene *s)
{
	struct err err = ERR_INIT;

	s->got = (struct intents){.arena = &s->a, .crowd = s->crowd};
	if (intents_collect(s->op, &s->snap, &s->plan, &s->ks, &s->got, &err))
		fail_msg("%s", err.msg);
}

static inline void set_cell(struct scene *s, const char *revision, int replicas, bool remove)
{
	s->plan.cells = arena_array(&s->a, 1, sizeof(*s->plan.cells));
	s->plan.cells[0] = (struct rollout_cell_wish){revision, "", replicas, remove, false};
	s->plan.ncells = 1;
}

static const struct intent *find(const struct scene *s, const char *method, const char *path)
{
	for (unsigned i = 0; i < s->got.n; i++)
		if (str_eq(s->got.v[i].method, method) && str_eq(s->got.v[i].path, path))
			return &s->got.v[i];
	return NULL;
}

static const struct json *body_of(struct scene *s, const struct intent *i)
{
	const struct json *v;

	assert_non_null(i);
	assert_int_equal(strlen(i->body), i->body_len);
	v = json_parse(&s->a, i->body, i->body_len, NULL);
	assert_non_null(v);
	return v;
}

#endif
