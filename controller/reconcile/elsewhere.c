/*
 * What is known of a zone by others than a model's own pods. It matters for a model whose pods all
 * stand in one zone: when they fail no other zone has one that could answer.
 *
 * The zone itself is dark when most models with pods there fail (and it is not this one alone), or
 * when the operator's replicas that stand there have fallen silent. Another zone has room when one
 * of its nodes is Ready, most models there answer, and somebody is heard from there: models or a
 * replica. A node's Ready alone is up to 50 s old, which is why it is not enough. Whether there are
 * cards enough is for the scheduler to find out: the traffic stays until a pod answers.
 */
#include "internal.h"
#include "tidegate/failover/group.h"
#include "tidegate/failover/tally.h"
#include "tidegate/failover/zone.h"

static bool is_dark(struct mdep_operator *op, const struct tally_input *in, const char *zone)
{
	unsigned models, bad;

	turns_count(op->turns, zone, &models, &bad);
	return group_most_fail(models, bad) || tally_presence(in, zone) == TALLY_SILENT;
}

static bool has_room(struct mdep_operator *op, const struct tally_input *in, const char *zone)
{
	unsigned models, bad;

	turns_count(op->turns, zone, &models, &bad);
	if (models && bad * 2 >= models)
		return false;
	return (models || tally_presence(in, zone) == TALLY_HEARD) && failover_has_node(op, zone);
}

/* Some zone fails, and some has nobody of ours who could answer. */
static bool matters(const struct zone_facts *zones, unsigned n)
{
	bool fails = false, empty = false;

	for (unsigned i = 0; i < n; i++) {
		fails |= zones[i].failing > 0;
		empty |= zones[i].pods == 0;
	}
	return fails && empty;
}

void elsewhere_read(struct mdep_operator *op, const struct mdep *m, const struct tally_input *in,
                    struct zone_facts *zones)
{
	if (!matters(zones, m->nzones))
		return;
	for (unsigned i = 0; i < m->nzones; i++) {
		zones[i].dark = zones[i].failing && is_dark(op, in, zones[i].name);
		zones[i].room = !zones[i].pods && has_room(op, in, zones[i].name);
	}
}
