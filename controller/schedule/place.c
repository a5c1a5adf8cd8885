#include <stdio.h>
#include <string.h>

#include "fit.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

/* --- score ------------------------------------------------------------------------------- */

static double fraction(int64_t used, int64_t more, int64_t of)
{
	return of > 0 ? (double)(used + more) / (double)of : 0;
}

/* How full the node would be, 0..100: cards count nine times what CPU and memory do. */
static double fullness(const struct sched_node *n, const struct request *r)
{
	const struct pod *p = r->pod;
	double host = (fraction(n->used.cpu, p->cpu_milli, n->has.cpu) +
	               fraction(n->used.memory, p->memory, n->has.memory)) /
	              2;
	double cards = 0;

	if (!r->n)
		return 100 * host;
	for (unsigned i = 0; i < r->n; i++)
		cards += fraction(n->used.extended[r->extended[i].index], r->extended[i].amount,
		                  n->has.extended[r->extended[i].index]);
	return 100 * (0.9 * cards / r->n + 0.1 * host);
}

static bool has_cards(const struct sched_node *n)
{
	for (int i = 0; i < EXTENDED_MAX; i++)
		if (n->has.extended[i])
			return true;
	return false;
}

static double preference(const struct sched_node *n, const struct pod *p)
{
	const struct pod_constraints *c = pod_constraints(p);
	int sum = 0, total = 0;

	for (unsigned i = 0; i < c->npreferred; i++) {
		total += c->preferred[i].weight;
		if (selector_term_matches(&c->preferred[i], n))
			sum += c->preferred[i].weight;
	}
	return total ? 100.0 * sum / total : 0;
}

static double score(const struct sched_node *n, const struct request *r)
{
	const struct pod *p = r->pod;
	bool spread = str_eq(p->placement, "Spread");
	double s = fullness(n, r);

	if (spread)
		s = 100 - s - 20.0 * fit_owned(n, r);
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

/* The node whose room is kept for it, if it can go there by now. */
static const struct sched_node *nominated_node(const struct schedule *s, const struct request *r,
                                               const struct shape *shape)
{
	const struct sched_pod *kept = map_get(&s->pods, r->pod->meta.key);
	struct tally t = {.taint = NULL};

	if (!kept || !kept->nominated || !kept->node->present)
		return NULL;
	return node_fits(kept->node, r, shape->why[kept->node->place], &t) ? kept->node : NULL;
}

static const struct sched_node *best_node(struct schedule *s, const struct request *r,
                                          struct tally *t)
{
	const struct shape *shape = shape_get(s, r->pod);
	const struct sched_node *best = nominated_node(s, r, shape);
	double best_score = 0, x;

	if (best)
		return best;
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
	const char *unsupported = pod_constraints(p)->unsupported;
	const struct sched_node *n;
	struct request r;
	struct tally t = {.taint = NULL};

	out->node = NULL;
	out->message[0] = '\0';
	out->refused = unsupported != NULL;
	if (unsupported) {
		snprintf(out->message, sizeof(out->message),
		         "scheduler tidegate does not implement %.200s: remove it, or set "
		         "spec.placement.scheduler to default-scheduler",
		         unsupported);
		return;
	}
	request_fill(s, p, &r);
	n = best_node(s, &r, &t);
	if (n)
		out->node = n->name;
	else
		explain(s, p, &t, out->message, sizeof(out->message));
	request_release(&r);
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
	int64_t room = pod_constraints(p)->nhost_ports ? 1 : most;
	struct load used;

	fit_load(n, r, &used);
	cap(&room, n->has.pods - used.pods, 1);
	cap(&room, n->has.cpu - used.cpu, p->cpu_milli);
	cap(&room, n->has.memory - used.memory, p->memory);
	cap(&room, n->has.ephemeral - used.ephemeral, p->ephemeral);
	for (unsigned i = 0; i < r->n; i++) {
		int x = r->extended[i].index;

		cap(&room, n->has.extended[x] - used.extended[x], r->extended[i].amount);
	}
	if (p->max_per_node)
		cap(&room, p->max_per_node - (int64_t)fit_owned(n, r), 1);
	return room;
}

int schedule_room(struct schedule *s, const struct pod *p, int most)
{
	const struct shape *shape;
	struct tally t = {.taint = NULL};
	struct request r;
	int64_t room = 0;

	if (pod_constraints(p)->unsupported)
		return -1;
	request_fill(s, p, &r);
	shape = shape_get(s, p);
	for (unsigned i = 0; i < s->nnodes && room < most; i++)
		if (node_fits(s->nodes[i], &r, shape->why[i], &t))
			room += node_room(s->nodes[i], &r, most - room);
	request_release(&r);
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
	request_release(&r);
	if (fits)
		return NULL;
	for (int i = REASON_NONE + 1; i < REASONS && !b.len; i++)
		if (t.count[i])
			reason_text(s, p, &t, i, &b);
	str_copy(text, sizeof(text), b.data);
	return text;
}
