/*
 * Shapes: pods that ask the same of a node, resources aside, share one answer.
 *
 * A shape is the hash of selector, affinity and tolerations; its answer, one reason a node, holds
 * until a node changes in more than its load. So the terms are evaluated once for
 * a thousand pods of a rollout, not a thousand times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define SHAPES_MAX 4096

/* --- node affinity ----------------------------------------------------------------------- */

static bool in_values(const struct selector_req *r, const char *v)
{
	for (unsigned i = 0; v && i < r->nvalues; i++)
		if (str_eq(r->values[i], v))
			return true;
	return false;
}

static bool compares(const struct selector_req *r, const char *v)
{
	int64_t have, want;

	if (!v || r->nvalues != 1 || !str_to_i64(v, &have) || !str_to_i64(r->values[0], &want))
		return false;
	return r->op == SEL_GT ? have > want : have < want;
}

static const char *node_label(const struct sched_node *n, const char *key)
{
	return label_get(n->terms->labels, n->terms->nlabels, key);
}

static bool req_matches(const struct selector_req *r, const struct sched_node *n)
{
	const char *v = r->field ? (str_eq(r->key, "metadata.name") ? n->name : NULL)
	                         : node_label(n, r->key);

	switch (r->op) {
	case SEL_IN:
		return in_values(r, v);
	case SEL_NOT_IN:
		return !in_values(r, v);
	case SEL_EXISTS:
		return v != NULL;
	case SEL_NOT_EXISTS:
		return v == NULL;
	case SEL_GT:
	case SEL_LT:
		return compares(r, v);
	}
	return false;
}

bool selector_term_matches(const struct selector_term *t, const struct sched_node *n)
{
	for (unsigned i = 0; i < t->nreqs; i++)
		if (!req_matches(&t->reqs[i], n))
			return false;
	return t->nreqs > 0;
}

static bool affinity_matches(const struct pod *p, const struct sched_node *n)
{
	const struct pod_constraints *c = pod_constraints(p);

	for (unsigned i = 0; i < c->nnode_selector; i++)
		if (!str_eq(node_label(n, c->node_selector[i].key), c->node_selector[i].value))
			return false;
	if (!c->has_required)
		return true;
	for (unsigned i = 0; i < c->nrequired; i++)
		if (selector_term_matches(&c->required[i], n))
			return true;
	return false;
}

/* --- taints ------------------------------------------------------------------------------ */

static bool tolerates(const struct toleration *t, const struct taint *taint)
{
	if (!t->any_effect && t->effect != taint->effect)
		return false;
	if (str_empty(t->key))
		return t->exists;
	if (!str_eq(t->key, taint->key))
		return false;
	return t->exists || str_eq(str_or(t->value, ""), str_or(taint->value, ""));
}

static bool tolerated(const struct pod *p, const struct taint *taint)
{
	const struct pod_constraints *c = pod_constraints(p);

	for (unsigned i = 0; i < c->ntolerations; i++)
		if (tolerates(&c->tolerations[i], taint))
			return true;
	return false;
}

const struct taint *untolerated(const struct sched_node *n, const struct pod *p, bool prefer)
{
	for (unsigned i = 0; i < n->terms->ntaints; i++) {
		const struct taint *t = &n->terms->taints[i];

		if ((t->effect == TAINT_PREFER_NO_SCHEDULE) == prefer && !tolerated(p, t))
			return t;
	}
	return NULL;
}

/* A cordoned node is passed only by a toleration of the taint that cordoning stands for. */
static bool cordoned(const struct sched_node *n, const struct pod *p)
{
	static const struct taint cordon = {"node.kubernetes.io/unschedulable", "",
	                                    TAINT_NO_SCHEDULE};

	return n->unschedulable && !tolerated(p, &cordon);
}

enum reason static_reason(const struct sched_node *n, const struct pod *p)
{
	if (cordoned(n, p))
		return REASON_UNSCHEDULABLE;
	if (!affinity_matches(p, n))
		return REASON_AFFINITY;
	if (untolerated(n, p, false))
		return REASON_TAINT;
	return REASON_NONE;
}

/* --- cache ------------------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t h, const char *s)
{
	return str_hash(h, s ? s : "\1", s ? strlen(s) + 1 : 2);
}

static uint64_t hash_term(uint64_t h, const struct selector_term *t)
{
	for (unsigned i = 0; i < t->nreqs; i++) {
		const struct selector_req *r = &t->reqs[i];

		h = hash_text(h, r->key);
		h = str_hash(h, &r->op, sizeof(r->op));
		h = str_hash(h, &r->field, sizeof(r->field));
		for (unsigned j = 0; j < r->nvalues; j++)
			h = hash_text(h, r->values[j]);
	}
	return str_hash(h, "|", 1);
}

static uint64_t shape_hash(const struct pod *p, uint64_t h)
{
	const struct pod_constraints *c = pod_constraints(p);

	for (unsigned i = 0; i < c->nnode_selector; i++) {
		h = hash_text(h, c->node_selector[i].key);
		h = hash_text(h, c->node_selector[i].value);
	}
	h = str_hash(h, &c->has_required, sizeof(c->has_required));
	for (unsigned i = 0; i < c->nrequired; i++)
		h = hash_term(h, &c->required[i]);
	for (unsigned i = 0; i < c->ntolerations; i++) {
		const struct toleration *t = &c->tolerations[i];

		h = hash_text(h, t->key);
		h = hash_text(h, t->value);
		h = str_hash(h, &t->effect, sizeof(t->effect));
		h = str_hash(h, &t->exists, sizeof(t->exists));
		h = str_hash(h, &t->any_effect, sizeof(t->any_effect));
	}
	return h;
}

static void shape_free(void *arg)
{
	struct shape *sh = arg;

	free(sh->why);
	free(sh);
}

static void shape_fill(const struct schedule *s, const struct pod *p, struct shape *sh)
{
	sh->why = xreallocarray(sh->why, s->nnodes + 1, 1);
	for (unsigned i = 0; i < s->nnodes; i++)
		sh->why[i] = (unsigned char)static_reason(s->nodes[i], p);
	sh->generation = s->generation;
}

const struct shape *shape_get(struct schedule *s, const struct pod *p)
{
	char key[48];
	struct shape *sh;

	/* Two seeds: a collision of 128 bits is not going to place a pod wrongly. */
	snprintf(key, sizeof(key), "%016llx%016llx",
	         (unsigned long long)shape_hash(p, STR_HASH_SEED),
	         (unsigned long long)shape_hash(p, ~STR_HASH_SEED));
	sh = map_get(&s->shapes, key);
	if (!sh) {
		if (s->shapes.len >= SHAPES_MAX)
			shapes_release(s);
		sh = xcalloc(1, sizeof(*sh));
		map_set(&s->shapes, key, sh);
		shape_fill(s, p, sh);
	} else if (sh->generation != s->generation) {
		shape_fill(s, p, sh);
	}
	return sh;
}

void shapes_release(struct schedule *s)
{
	map_release(&s->shapes, shape_free);
	map_init(&s->shapes);
}
