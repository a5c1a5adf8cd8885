#include "fit.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

void request_fill(struct schedule *s, const struct pod *p, struct request *r)
{
	memset(r, 0, sizeof(*r));
	r->pod = p;
	r->owner = p->max_per_node || str_eq(p->placement, "Spread") ? sched_owner(p) : NULL;
	for (unsigned i = 0; i < p->nextended && r->n < EXTENDED_MAX; i++) {
		if (p->extended[i].amount <= 0)
			continue;
		r->extended[r->n].index = extended_find(s, p->extended[i].name);
		r->extended[r->n++].amount = p->extended[i].amount;
	}
}

void request_release(struct request *r)
{
	free(r->owner);
}

/* --- whom it has to share with ------------------------------------------------------------- */

static bool counts(const struct sched_pod *q, const struct request *r)
{
	if (q->away)
		return false;
	return !q->nominated ||
	       (q->priority >= r->pod->priority && !str_eq(sched_pod_key(q), r->pod->meta.key));
}

void fit_load(const struct sched_node *n, const struct request *r, struct load *out)
{
	struct list *it;

	*out = n->used;
	list_for_each (it, &n->pods_here) {
		const struct sched_pod *q = list_entry(it, struct sched_pod, link);

		if (!counts(q, r))
			load_count(out, q, -1);
	}
}

unsigned fit_owned(const struct sched_node *n, const struct request *r)
{
	struct list *it;
	unsigned count = 0;

	list_for_each (it, &n->pods_here) {
		const struct sched_pod *q = list_entry(it, struct sched_pod, link);

		if (sched_pod_owned(q, r->owner) && counts(q, r))
			count++;
	}
	return count;
}

static bool any_address(const char *ip)
{
	return str_empty(ip) || str_eq(ip, "0.0.0.0") || str_eq(ip, "::");
}

static bool ports_clash(const struct pod_port *a, const struct pod_port *b)
{
	return a->port == b->port && a->protocol == b->protocol &&
	       (any_address(a->ip) || any_address(b->ip) || str_eq(a->ip, b->ip));
}

static bool ports_taken(const struct sched_node *n, const struct request *r)
{
	const struct pod_constraints *c = pod_constraints(r->pod);
	struct list *it;

	if (!c->nhost_ports)
		return false;
	list_for_each (it, &n->pods_here) {
		const struct sched_pod *q = list_entry(it, struct sched_pod, link);

		if (!q->nports || !counts(q, r))
			continue;
		for (unsigned i = 0; i < q->nports; i++)
			for (unsigned j = 0; j < c->nhost_ports; j++)
				if (ports_clash(&q->ports[i], &c->host_ports[j]))
					return true;
	}
	return false;
}

/* --- fit --------------------------------------------------------------------------------- */

/* Counts every resource that is short, as kube-scheduler's message does; true when all fit. */
static bool resources_fit(const struct load *has, const struct load *used, const struct request *r,
                          struct tally *t)
{
	const struct pod *p = r->pod;
	bool fits = true;

	if (used->pods + 1 > has->pods)
		fits = (t->count[REASON_PODS]++, false);
	if (p->cpu_milli > 0 && used->cpu + p->cpu_milli > has->cpu)
		fits = (t->count[REASON_CPU]++, false);
	if (p->memory > 0 && used->memory + p->memory > has->memory)
		fits = (t->count[REASON_MEMORY]++, false);
	if (p->ephemeral > 0 && used->ephemeral + p->ephemeral > has->ephemeral)
		fits = (t->count[REASON_EPHEMERAL]++, false);
	for (unsigned i = 0; i < r->n; i++) {
		int x = r->extended[i].index;

		if (x < 0)
			fits = (t->count[REASON_EXTENDED_UNKNOWN]++, t->unknown = (int)i, false);
		else if (used->extended[x] + r->extended[i].amount > has->extended[x])
			fits = (t->count[REASON_EXTENDED + x]++, false);
	}
	return fits;
}

bool fit_with(const struct sched_node *n, const struct request *r, const struct load *used,
              struct tally *t)
{
	if (!resources_fit(&n->has, used, r, t))
		return false;
	if (ports_taken(n, r)) {
		t->count[REASON_PORTS]++;
		return false;
	}
	if (r->pod->max_per_node && fit_owned(n, r) >= (unsigned)r->pod->max_per_node) {
		t->count[REASON_MAX_PER_NODE]++;
		return false;
	}
	return true;
}

bool node_fits(const struct sched_node *n, const struct request *r, enum reason why,
               struct tally *t)
{
	struct load used;

	if (why != REASON_NONE) {
		t->count[why]++;
		if (why == REASON_TAINT && !t->taint)
			t->taint = untolerated(n, r->pod, false);
		return false;
	}
	if (!n->nominated)
		return fit_with(n, r, &n->used, t);
	fit_load(n, r, &used);
	return fit_with(n, r, &used, t);
}
