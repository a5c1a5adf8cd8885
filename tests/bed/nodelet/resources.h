/*
 * Resource amounts, and what a pod asks for in all.
 * Units: "cpu" in thousandths, everything else in whole units. Names belong to the JSON.
 */
#ifndef BED_NODELET_RESOURCES_H
#define BED_NODELET_RESOURCES_H

#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

#define RESOURCES_MAX 48

struct resources {
	struct resource {
		const char *name;
		int64_t amount;
	} v[RESOURCES_MAX];
	unsigned n;
};

int64_t resources_get(const struct resources *r, const char *name);
int resources_set(struct resources *r, const char *name, int64_t amount, struct err *err);
int resources_add(struct resources *r, const struct resources *other, struct err *err);
/* Reads {"cpu":"500m",...}; NULL is empty. */
int resources_parse(struct resources *r, const struct json *json, struct err *err);
/*
 * Effective request: the larger of containers plus sidecars, and each init container plus the
 * sidecars before it; pod-level requests win over that; overhead comes on top.
 */
int resources_of_pod(struct resources *r, const struct json *pod_spec, struct err *err);

#endif
