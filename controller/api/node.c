#include "project.h"

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"
#include "taint.h"

struct draft {
	const struct json *json;
	struct node node;
};

static void read_taints(const struct json *list, struct arena *a, struct node *n)
{
	struct taint *t = arena_array(a, json_size(list), sizeof(*t));
	const struct json *it;

	n->taints = t;
	json_for_each (it, list) {
		enum taint_effect effect;

		if (!taint_effect_parse(json_str(it, "effect"), &effect))
			continue;
		t[n->ntaints++] = (struct taint){.key = str_or(json_str(it, "key"), ""),
		                                 .value = str_or(json_str(it, "value"), ""),
		                                 .effect = effect};
	}
}

/* Resources that have a field of their own; all others are extended ones. */
static bool read_known(const struct json *v, struct node *n)
{
	const char *name = json_key(v);

	if (str_eq(name, "cpu"))
		n->cpu_milli = json_quantity_milli(v);
	else if (str_eq(name, "memory"))
		n->memory = json_quantity(v);
	else if (str_eq(name, "ephemeral-storage"))
		n->ephemeral = json_quantity(v);
	else if (str_eq(name, "pods"))
		n->pods = json_quantity(v);
	else
		return false;
	return true;
}

/* A node that reports no allocatable offers its capacity: the API server's own default. */
static void read_allocatable(const struct json *status, struct arena *a, struct node *n)
{
	const struct json *list = json_get(status, "allocatable"), *it;
	struct extended *e;

	if (!list)
		list = json_get(status, "capacity");
	if (!json_is_object(list))
		return;
	e = arena_array(a, json_size(list), sizeof(*e));
	n->extended = e;
	json_for_each (it, list)
		if (!read_known(it, n))
			e[n->nextended++] = (struct extended){json_key(it), json_quantity(it)};
}

const struct taint *pack_taints(struct packer *p, const struct taint *t, unsigned n)
{
	struct taint *out = n ? pack_array(p, n, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < n; i++) {
		struct taint x = {pack_name(p, t[i].key), pack_name(p, t[i].value), t[i].effect};

		if (out)
			out[i] = x;
	}
	return out;
}

static void node_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct node *n = obj;

	*n = d->node;
	object_meta_fill(&n->meta, p, d->json);
	n->labels = pack_labels(p, d->node.labels, d->node.nlabels);
	n->taints = pack_taints(p, d->node.taints, d->node.ntaints);
	n->extended = pack_extended(p, d->node.extended, d->node.nextended);
	n->zone = pack_name(p, d->node.zone);
}

static struct object *node_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	const struct json *spec = json_get(json, "spec"), *status = json_get(json, "status");
	struct draft d = {.json = json};

	if (object_meta_check(json, err))
		return NULL;
	d.node.labels = labels_decode(scratch, json_path(json, "metadata", "labels", NULL), NULL,
	                              &d.node.nlabels);
	d.node.zone = str_or(json_label(json, TG_ZONE_LABEL), "");
	d.node.unschedulable = json_bool(spec, "unschedulable", false);
	d.node.ready = json_condition_true(json_get(status, "conditions"), "Ready");
	read_taints(json_get(spec, "taints"), scratch, &d.node);
	read_allocatable(status, scratch, &d.node);
	return object_pack(sizeof(d.node), node_fill, &d);
}

static bool taints_same(const struct node *x, const struct node *y)
{
	if (x->ntaints != y->ntaints)
		return false;
	for (unsigned i = 0; i < x->ntaints; i++)
		if (x->taints[i].effect != y->taints[i].effect ||
		    !str_eq(x->taints[i].key, y->taints[i].key) ||
		    !str_eq(x->taints[i].value, y->taints[i].value))
			return false;
	return true;
}

/* Heartbeats change conditions' times and images only: not a change to anyone here. */
static bool node_same(const struct object *a, const struct object *b)
{
	const struct node *x = (const struct node *)a, *y = (const struct node *)b;

	return meta_same(a, b) && x->ready == y->ready && x->unschedulable == y->unschedulable &&
	       x->cpu_milli == y->cpu_milli && x->memory == y->memory &&
	       x->ephemeral == y->ephemeral && x->pods == y->pods && taints_same(x, y) &&
	       extended_same(x->extended, x->nextended, y->extended, y->nextended) &&
	       labels_same(x->labels, x->nlabels, y->labels, y->nlabels);
}

const struct object_kind node_kind = {
	.kind = "Node",
	.api = "/api/v1",
	.resource = "nodes",
	.cluster_scoped = true,
	.decode = node_decode,
	.same = node_same,
};
