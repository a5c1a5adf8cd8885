/*
 * Pods on nodes that are lost, but not their zone. Kubernetes deletes them 300 s after it has
 * given up the node, and only then another is made. Here they are evicted as soon as it is plain
 * that the zone is not lost with the node: after a wait in which its other nodes would have been
 * given up, too (heartbeats are 10 s apart, and looked at every 5 s), and only where a node of the
 * zone is left that has room. A pod without a place to go to stays, and serves at once if its node
 * comes back.
 */
#include "plan_internal.h"

#define STRANDED_MS 30000
/* Room may be freed by others, whom nobody tells us of. */
#define AGAIN_MS 10000

static void replace(struct planner *p, const struct pod *pod)
{
	p->out->pods[p->out->npods++] = (struct rollout_pod_wish){.pod = pod, .evict = true};
	plan_event(p, true, "NodeLost",
	           arena_printf(p->arena, "pod %s is evicted and replaced: its node %s is lost",
	                        pod->meta.name, pod->node));
}

void plan_stranded(struct planner *p)
{
	for (unsigned i = 0; i < p->s->ncells; i++) {
		const struct rollout_cell *c = &p->s->cells[i];

		for (unsigned j = 0; c->stranded && j < c->npods; j++) {
			int64_t since_ms = c->stranded[j].since_ms;

			if (since_ms && p->now < since_ms + STRANDED_MS)
				plan_wake(p, since_ms + STRANDED_MS);
			else if (since_ms && c->stranded[j].room)
				replace(p, c->pods[j]);
			else if (since_ms)
				plan_wake(p, p->now + AGAIN_MS);
		}
	}
}
