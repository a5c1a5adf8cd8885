#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

/* What one pod asks, with names resolved, so that a node is checked by comparing numbers. */
struct request {
	const struct pod *pod;
	char *owner;
	unsigned n;
	struct {
		int index; /* -1: no node ever had it */
		int64_t amount;
	} extended[EXTENDED_MAX];
};

struct tally {
	unsigned count[REASONS];
	const struct taint *taint; /* of one node, for the message */
	int unknown;               /* index in pod->extended of a resource nobody has */
};

/* --- fit --------------------------------------------------------------------------------- */

static void request_fill(struct schedule *s, const struct pod *p, struct request *r)
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

static unsigned owned_here(const struct sched_node *n, const char *owner)
{
	struct list *it;
	unsigned count = 0;

	list_for_each (it, &n->pods_here)
		if (str_eq(list_entry(it, struct sched_pod, link)->owner, owner))
			count++;
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

static bool ports_taken(const struct sched_node *n, const struct pod *p)
{
	struct list *it;

	if (!p->nhost_ports)
		return false;
	list_for_each (it, &n->pods_here) {
		const struct sched_pod *q = list_entry(it, struct sched_pod, link);

		for (unsigned i = 0; i < q->nports; i++)
			for (unsigned j = 0; j < p->nhost_ports; j++)
				if (ports_clash(&q->ports[i], &p->host_ports[j]))
					return true;
	}
	return false;
}

/* Counts every resource that is short, as kube-scheduler's message does; true when all fit. */
static bool resources_fit(const struct sched_node *n, const struct request *r, struct tally *t)
{
	const struct pod *p = r->pod;
	bool fits = true;

	if (n->used_pods + 1 > n->pods)
		fits = (t->count[REASON_PODS]++, false);
	if (p->cpu_milli > 0 && n->used_cpu + p->cpu_milli > n->cpu)
		fits = (t->count[REASON_CPU]++, false);
	if (p->memory > 0 && n->used_memory + p->memory > n->memory)
		fits = (t->count[REASON_MEMORY]++, false);
	if (p->ephemeral > 0 && n->used_ephemeral + p->ephemeral > n->ephemeral)
		fits = (t->count[REASON_EPHEMERAL]++, false);
	for (unsigned i = 0; i < r->n; i++) {
		int x = r->extended[i].index;

		if (x < 0)
			fits = (t->count[REASON_EXTENDED_UNKNOWN]++, t->unknown = (int)i, false);
		else if (n->used_extended[x] + r->extended[i].amount > n->extended[x])
			fits = (t->count[REASON_EXTENDED + x]++, false);
	}
	return fits;
}

static bool node_fits(const struct sched_node *n, const struct request *r, enum reason why,
                      struct tally *t)
{
	if (why != REASON_NONE) {
		t->count[why]++;
		if (why == REASON_TAINT && !t->taint)
			t->taint = untolerated(n, r->pod, false);
		return false;
	}
	if (!resources_fit(n, r, t))
		return false;
	if (ports_taken(n, r->pod)) {
		t->count[REASON_PORTS]++;
		return false;
	}
	if (r->pod->max_per_node && owned_here(n, r->owner) >= (unsigned)r->pod->max_per_node) {
		t->count[REASON_MAX_PER_NODE]++;
		return false;
	}
	return true;
}

/* --- score ------------------------------------------------------------------------------- */

static double fraction(int64_t used, int64_t more, int64_t of)
{
	return of > 0 ? (double)(used + more) / (double)of : 0;
}

/* How full the node would be, 0..100: cards count nine times what CPU and memory do. */
static double fullness(const struct sched_node *n, const struct request *r)
{
	const struct pod *p = r->pod;
	double host = (fraction(n->used_cpu, p->cpu_milli, n->cpu) +
	               fraction(n->used_memory, p->memory, n->memory)) /
	              2;
	double cards = 0;

	if (!r->n)
		return 100 * host;
	for (unsigned i = 0; i < r->n; i++)
		cards += fraction(n->used_extended[r->extended[i].index], r->extended[i].amount,
		                  n->extended[r->extended[i].index]);
	return 100 * (0.9 * cards / r->n + 0.1 * host);
}

static bool has_cards(const struct sched_node *n)
{
	for (int i = 0; i < EXTENDED_MAX; i++)
		if (n->extended[i])
			return true;
	return false;
}

static double preference(const struct sched_node *n, const struct pod *p)
{
	int sum = 0, total = 0;

	for (unsigned i = 0; i < p->npreferred; i++) {
		total += p->preferred[i].weight;
		if (selector_term_matches(&p->preferred[i], n))
			sum += p->preferred[i].weight;
	}
	return total ? 100.0 * sum / total : 0;
}

static double score(const struct sched_node *n, const struct request *r)
{
	const struct pod *p = r->pod;
	bool spread = str_eq(p->placement, "Spread");
	double s = fullness(n, r);

	if (spread)
		s = 100 - s - 20.0 * owned_here(n, r->owner);
	s += preference(n, p);
	if (untolerated(n, p, true))
		s -= 100;
	/* Cards are scarce: who asks for none leaves their hosts to those who do. */
	if (!r->n && has_cards(n))
		s -= 50;
	return s;
}

/* --- messages ---------------------------------------------------------------------------- */

static void reason_text(const struct schedule *s, const struct pod *p, const struct tally *t,
                        int why, struct buf *out)
{
	static const char *const texts[] = {
		[REASON_UNSCHEDULABLE] = "node(s) were unschedulable",
		[REASON_AFFINITY] = "node(s) didn't match Pod's node affinity/selector",
		[REASON_PORTS] = "node(s) didn't have free ports for the requested pod ports",
		[REASON_MAX_PER_NODE] =
			"node(s) already hold maxPerNode pods of the ModelDeployment",
		[REASON_PODS] = "Too many pods",
		[REASON_CPU] = "Insufficient cpu",
		[REASON_MEMORY] = "Insufficient memory",
		[REASON_EPHEMERAL] = "Insufficient ephemeral-storage",
	};

	if (why == REASON_TAINT)
		buf_addf(out, "node(s) had untolerated taint {%s: %s}", t->taint->key,
		         str_or(t->taint->value, ""));
	else if (why == REASON_EXTENDED_UNKNOWN)
		buf_addf(out, "Insufficient %s", p->extended[t->unknown].name);
	else if (why >= REASON_EXTENDED)
		buf_addf(out, "Insufficient %s", s->extended_names[why - REASON_EXTENDED]);
	else
		buf_addstr(out, texts[why]);
}

/* "0/6 nodes are available: 4 Insufficient nvidia.com/gpu, 2 Too many pods." */
static void explain(const struct schedule *s, const struct pod *p, struct tally *t, char *out,
                    size_t size)
{
	cleanup_buf struct buf b;
	const char *sep = ": ";

	buf_init(&b, size - 1);
	buf_addf(&b, "0/%u nodes are available", s->nnodes);
	for (;;) {
		int best = 0;

		for (int i = REASON_NONE + 1; i < REASONS; i++)
			if (t->count[i] > (best ? t->count[best] : 0))
				best = i;
		if (!best)
			break;
		buf_addf(&b, "%s%u ", sep, t->count[best]);
		reason_text(s, p, t, best, &b);
		t->count[best] = 0;
		sep = ", ";
	}
	buf_addch(&b, '.');
	str_copy(out, size, b.data);
}

/* --- decision ---------------------------------------------------------------------------- */

static const struct sched_node *best_node(struct schedule *s, const struct request *r,
                                          struct tally *t)
{
	const struct shape *shape = shape_get(s, r->pod);
	const struct sched_node *best = NULL;
	double best_score = 0, x;

	for (unsigned i = 0; i < s->nnodes; i++) {
		if (!node_fits(s->nodes[i], r, shape->why[i], t))
			continue;
		x = score(s->nodes[i], r);
		/* Nodes are sorted by name: of equals the first stays. */
		if (!best || x > best_score) {
			best = s->nodes[i];
			best_score = x;
		}
	}
	return best;
}

void schedule_place(struct schedule *s, const struct pod *p, struct schedule_decision *out)
{
	const struct sched_node *n;
	struct request r;
	struct tally t = {.taint = NULL};

	out->node = NULL;
	out->message[0] = '\0';
	out->refused = p->unsupported != NULL;
	if (p->unsupported) {
		snprintf(out->message, sizeof(out->message),
		         "scheduler tidegate does not implement %.200s: remove it, or set "
		         "spec.placement.scheduler to default-scheduler",
		         p->unsupported);
		return;
	}
	request_fill(s, p, &r);
	n = best_node(s, &r, &t);
	if (n)
		out->node = n->name;
	else
		explain(s, p, &t, out->message, sizeof(out->message));
	free(r.owner);
}

/* --- room -------------------------------------------------------------------------------- */

static void cap(int64_t *room, int64_t free, int64_t each)
{
	if (each > 0 && free / each < *room)
		*room = free > 0 ? free / each : 0;
}

/* On a node that has room for one. */
static int64_t node_room(const struct sched_node *n, const struct request *r, int64_t most)
{
	const struct pod *p = r->pod;
	int64_t room = p->nhost_ports ? 1 : most;

	cap(&room, n->pods - n->used_pods, 1);
	cap(&room, n->cpu - n->used_cpu, p->cpu_milli);
	cap(&room, n->memory - n->used_memory, p->memory);
	cap(&room, n->ephemeral - n->used_ephemeral, p->ephemeral);
	for (unsigned i = 0; i < r->n; i++) {
		int x = r->extended[i].index;

		cap(&room, n->extended[x] - n->used_extended[x], r->extended[i].amount);
	}
	if (p->max_per_node)
		cap(&room, p->max_per_node - (int64_t)owned_here(n, r->owner), 1);
	return room;
}

int schedule_room(struct schedule *s, const struct pod *p, int most)
{
	const struct shape *shape;
	struct tally t = {.taint = NULL};
	struct request r;
	int64_t room = 0;

	if (p->unsupported)
		return -1;
	request_fill(s, p, &r);
	shape = shape_get(s, p);
	for (unsigned i = 0; i < s->nnodes && room < most; i++)
		if (node_fits(s->nodes[i], &r, shape->why[i], &t))
			room += node_room(s->nodes[i], &r, most - room);
	free(r.owner);
	return (int)room;
}

const char *schedule_why_not(struct schedule *s, const struct pod *p, const char *node)
{
	static char text[256];
	const struct sched_node *n = map_get(&s->nodes_by_name, node);
	struct request r;
	struct tally t = {.taint = NULL};
	cleanup_buf struct buf b;
	bool fits;

	buf_init(&b, sizeof(text) - 1);
	if (!n || !n->present)
		return "no such node";
	request_fill(s, p, &r);
	fits = node_fits(n, &r, static_reason(n, p), &t);
	free(r.owner);
	if (fits)
		return NULL;
	for (int i = REASON_NONE + 1; i < REASONS && !b.len; i++)
		if (t.count[i])
			reason_text(s, p, &t, i, &b);
	str_copy(text, sizeof(text), b.data);
	return text;
}
