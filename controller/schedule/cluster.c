#include "cluster.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

int extended_find(const struct schedule *s, const char *name)
{
	for (unsigned i = 0; i < s->nextended; i++)
		if (str_eq(s->extended_names[i], name))
			return (int)i;
	return -1;
}

int extended_index(struct schedule *s, const char *name)
{
	int i = extended_find(s, name);

	if (i >= 0 || s->nextended == EXTENDED_MAX)
		return i;
	s->extended_names[s->nextended] = xstrdup(name);
	return (int)s->nextended++;
}

char *sched_owner(const struct pod *p)
{
	return p->mdep ? xasprintf("%s/%s", p->meta.namespace, p->mdep) : NULL;
}

bool sched_pod_owned(const struct sched_pod *p, const char *owner)
{
	if (!owner || !p->owner_len)
		return !owner && !p->owner_len;
	return !strncmp(p->owner, owner, p->owner_len) && !owner[p->owner_len];
}

const char *sched_pod_key(const struct sched_pod *p)
{
	return (const char *)&p->extended[p->nextended];
}

/* --- nodes ------------------------------------------------------------------------------- */

static struct sched_node *node_get(struct schedule *s, const char *name)
{
	struct sched_node *n = map_get(&s->nodes_by_name, name);

	if (!n) {
		n = xcalloc(1, sizeof(*n));
		n->name = xstrdup(name);
		list_init(&n->pods_here);
		map_set(&s->nodes_by_name, n->name, n);
	}
	return n;
}

static void renumber(struct schedule *s)
{
	for (unsigned i = 0; i < s->nnodes; i++)
		s->nodes[i]->place = i;
	s->generation++;
}

static void node_enter(struct schedule *s, struct sched_node *n)
{
	unsigned i = s->nnodes;

	if (s->nnodes == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->nodes = xreallocarray(s->nodes, s->cap, sizeof(*s->nodes));
	}
	for (; i > 0 && strcmp(s->nodes[i - 1]->name, n->name) > 0; i--)
		s->nodes[i] = s->nodes[i - 1];
	s->nodes[i] = n;
	s->nnodes++;
	n->present = true;
	renumber(s);
}

static void terms_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct node *from = ctx;
	struct sched_terms *t = obj;

	t->labels = pack_labels(p, from->labels, from->nlabels);
	t->nlabels = from->nlabels;
	t->taints = pack_taints(p, from->taints, from->ntaints);
	t->ntaints = from->ntaints;
}

void schedule_set_node(struct schedule *s, const struct node *from)
{
	struct sched_node *n = node_get(s, from->meta.name);
	int x;

	free(n->terms);
	n->terms = object_pack(sizeof(*n->terms), terms_fill, from);
	n->unschedulable = from->unschedulable;
	n->has = (struct load){.cpu = from->cpu_milli,
	                       .memory = from->memory,
	                       .ephemeral = from->ephemeral,
	                       .pods = from->pods};
	for (unsigned i = 0; i < from->nextended; i++) {
		x = extended_index(s, from->extended[i].name);
		if (x >= 0)
			n->has.extended[x] = from->extended[i].amount;
	}
	if (n->present)
		s->generation++;
	else
		node_enter(s, n);
}

void schedule_remove_node(struct schedule *s, const char *name)
{
	struct sched_node *n = map_get(&s->nodes_by_name, name);

	if (!n || !n->present)
		return;
	memmove(&s->nodes[n->place], &s->nodes[n->place + 1],
	        (s->nnodes - n->place - 1) * sizeof(*s->nodes));
	s->nnodes--;
	n->present = false;
	renumber(s);
}

size_t schedule_nodes(const struct schedule *s)
{
	return s->nnodes;
}

/* --- pods -------------------------------------------------------------------------------- */

void load_count(struct load *l, const struct sched_pod *p, int sign)
{
	l->cpu += sign * p->cpu;
	l->memory += sign * p->memory;
	l->ephemeral += sign * p->ephemeral;
	l->pods += sign;
	for (unsigned i = 0; i < p->nextended; i++)
		l->extended[p->extended[i].resource] += sign * p->extended[i].amount;
}

static void pod_drop(struct schedule *s, const char *key)
{
	struct sched_pod *p = map_del(&s->pods, key);

	if (!p)
		return;
	load_count(&p->node->used, p, -1);
	p->node->nominated -= p->nominated;
	list_remove(&p->link);
	for (unsigned i = 0; i < p->nports; i++)
		free((char *)p->ports[i].ip);
	free(p->ports);
	free(p);
}

static void copy_ports(struct sched_pod *to, const struct pod *from)
{
	const struct pod_constraints *c = pod_constraints(from);

	if (!c->nhost_ports)
		return;
	to->ports = xcalloc(c->nhost_ports, sizeof(*to->ports));
	to->nports = c->nhost_ports;
	for (unsigned i = 0; i < c->nhost_ports; i++) {
		to->ports[i] = c->host_ports[i];
		to->ports[i].ip = xstrdup_null(c->host_ports[i].ip);
	}
}

/* What the caches' own copy says may be gone before this is: everything is copied. */
static struct sched_pod *pod_new(struct schedule *s, const struct pod *from)
{
	cleanup_free char *owned = sched_owner(from);
	const char *key = from->meta.key, *owner = str_or(owned, "");
	size_t key_size = strlen(key) + 1, owner_len = strlen(owner);
	bool apart = !str_starts(key, owner);
	struct sched_pod *p;
	char *text;

	p = xcalloc(1, sizeof(*p) + from->nextended * sizeof(p->extended[0]) + key_size +
	                       (apart ? owner_len : 0));
	for (unsigned i = 0; i < from->nextended; i++) {
		int x = extended_index(s, from->extended[i].name);

		if (x >= 0)
			p->extended[p->nextended++] = (struct sched_amount){
				.amount = from->extended[i].amount, .resource = x};
	}
	text = memcpy(&p->extended[p->nextended], key, key_size);
	p->owner = apart ? memcpy(text + key_size, owner, owner_len) : text;
	p->owner_len = (uint16_t)owner_len;
	return p;
}

/* A mirror pod is the picture of one that its kubelet keeps; a DaemonSet's comes back to its node.
 */
static bool is_pinned(const struct pod *p)
{
	return str_eq(p->meta.owner_kind, "Node") || str_eq(p->meta.owner_kind, "DaemonSet");
}

/* That a pod is being taken away cannot be undone, so an older picture of it changes nothing. */
static int64_t gone_ms(const struct schedule *s, const struct pod *from)
{
	const struct sched_pod *have = map_get(&s->pods, from->meta.key);

	return from->meta.deleted_ms || !have ? from->meta.deleted_ms : have->gone_ms;
}

static struct sched_pod *pod_count(struct schedule *s, const struct pod *from, const char *node)
{
	struct sched_pod *p = pod_new(s, from);

	p->gone_ms = gone_ms(s, from);
	pod_drop(s, from->meta.key);
	p->node = node_get(s, node);
	p->cpu = from->cpu_milli;
	p->memory = from->memory;
	p->ephemeral = from->ephemeral;
	p->priority = from->priority;
	p->created_ms = from->meta.created_ms;
	p->pinned = is_pinned(from);
	copy_ports(p, from);
	load_count(&p->node->used, p, 1);
	list_push_back(&p->node->pods_here, &p->link);
	map_set(&s->pods, sched_pod_key(p), p);
	if (p->priority < s->lowest)
		s->lowest = p->priority;
	return p;
}

static void nominate(struct schedule *s, const struct pod *from, const char *node, bool unseen)
{
	struct sched_pod *p = pod_count(s, from, node);

	p->nominated = true;
	p->unseen = unseen;
	p->node->nominated++;
}

/*
 * A pod that has been nominated for a node, by whatever scheduler, counts there for those of no
 * higher priority, as it does for kube-scheduler. Assumptions, and nominations of ours, outlive
 * updates that do not show them yet.
 */
void schedule_set_pod(struct schedule *s, const struct pod *p)
{
	const struct sched_pod *have = map_get(&s->pods, p->meta.key);
	bool ended = p->phase == POD_SUCCEEDED || p->phase == POD_FAILED;
	bool ahead = have && !p->meta.deleted_ms && (have->assumed || have->unseen);

	if (p->node && !ended)
		pod_count(s, p, p->node);
	else if (!ended && ahead && (have->assumed || !p->nominated_node))
		return;
	else if (p->nominated_node && !ended && !p->meta.deleted_ms)
		nominate(s, p, p->nominated_node, false);
	else
		pod_drop(s, p->meta.key);
}

void schedule_remove_pod(struct schedule *s, const char *key)
{
	pod_drop(s, key);
}

void schedule_assume(struct schedule *s, const struct pod *p, const char *node)
{
	pod_count(s, p, node)->assumed = true;
}

void schedule_forget(struct schedule *s, const char *key)
{
	if (schedule_assumed(s, key))
		pod_drop(s, key);
}

bool schedule_assumed(const struct schedule *s, const char *key)
{
	const struct sched_pod *p = map_get(&s->pods, key);

	return p && p->assumed;
}

void schedule_nominate(struct schedule *s, const struct pod *p, const char *node)
{
	nominate(s, p, node, true);
}

void schedule_unnominate(struct schedule *s, const char *key)
{
	if (schedule_nominated(s, key))
		pod_drop(s, key);
}

const char *schedule_nominated(const struct schedule *s, const char *key)
{
	const struct sched_pod *p = map_get(&s->pods, key);

	return p && p->nominated ? p->node->name : NULL;
}

void schedule_set_gone(struct schedule *s, const char *key, int64_t by_ms)
{
	struct sched_pod *p = map_get(&s->pods, key);

	if (p)
		p->gone_ms = by_ms;
}

bool schedule_leaves(const struct schedule *s, const char *key)
{
	const struct sched_pod *p = map_get(&s->pods, key);

	return p && p->gone_ms;
}

/* --- lifecycle --------------------------------------------------------------------------- */

struct schedule *schedule_new(void)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	map_init_borrowing(&s->nodes_by_name);
	map_init_borrowing(&s->pods);
	map_init(&s->shapes);
	s->lowest = INT_MAX;
	return s;
}

static void node_free(void *arg)
{
	struct sched_node *n = arg;

	free(n->terms);
	free(n->name);
	free(n);
}

void schedule_free(struct schedule *s)
{
	const char *key;
	void *value;
	size_t it = 0;

	if (!s)
		return;
	while (map_next(&s->pods, &it, &key, &value))
		pod_drop(s, key);
	map_release(&s->pods, NULL);
	map_release(&s->nodes_by_name, node_free);
	shapes_release(s);
	for (unsigned i = 0; i < s->nextended; i++)
		free((char *)s->extended_names[i]);
	free(s->nodes);
	free(s);
}
