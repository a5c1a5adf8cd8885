/*
 * ZoneShift: an order, with an end, to keep the ModelDeployments that it selects out of a zone.
 * Cluster-scoped. What it means for one of them: failover/zone.h.
 *
 * One of which anything cannot be acted on has a `problem` and is not in force at all.
 * Units: wall milliseconds. Ownership: one allocation (kube/object.h), strings inside it.
 */
#ifndef TIDEGATE_API_ZONESHIFT_H
#define TIDEGATE_API_ZONESHIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/api/core.h"
#include "tidegate/api/mdep.h"

#define ZONESHIFT_NAMESPACES_MAX 64
#define ZONESHIFT_LABELS_MAX     16
#define ZONESHIFT_MIN_MS         (10 * 1000LL)
#define ZONESHIFT_MAX_MS         (7 * 24 * 3600 * 1000LL)

enum zoneshift_condition {
	ZONESHIFT_READY,
	ZONESHIFT_RECONCILING,
	ZONESHIFT_STALLED,
	ZONESHIFT_CONDITIONS
};

struct zoneshift {
	struct object meta;
	const char *zone, *reason;
	const char *const *namespaces; /* none = all */
	unsigned nnamespaces;
	const struct label *labels; /* that must be there with these values */
	unsigned nlabels;
	int64_t until_ms;
	const char *problem_path, *problem; /* first thing that is wrong; NULL */
	/* Its status as it stands, to write only what is new. */
	struct {
		int64_t generation, until_ms;
		int matched, evacuated, refused;          /* -1 = not told */
		const char *phase, *reason, *message;     /* of Ready */
		const char *status[ZONESHIFT_CONDITIONS]; /* NULL = the condition is not there */
		int64_t since_ms[ZONESHIFT_CONDITIONS];
	} said;
};

extern const struct object_kind zoneshift_kind;

static inline const struct zoneshift *zoneshift_from(const struct object *o)
{
	return (const struct zoneshift *)o;
}

const char *zoneshift_condition_name(enum zoneshift_condition c);
/* Fills *z (but for meta) from JSON; strings live in `a` and in the tree. */
void zoneshift_read(const struct json *json, struct arena *a, struct zoneshift *z);
/* m is selected, and has the zone. */
bool zoneshift_matches(const struct zoneshift *z, const struct mdep *m);
/* In force at that time. */
bool zoneshift_holds(const struct zoneshift *z, int64_t now_ms);

#endif
