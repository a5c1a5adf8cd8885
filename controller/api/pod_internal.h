/* Parts of a pod's projection: its request, and where it may run. */
#ifndef TIDEGATE_API_POD_INTERNAL_H
#define TIDEGATE_API_POD_INTERNAL_H

#include "tidegate/api/core.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"

/* Effective request: cpu_milli, memory, ephemeral, extended. Refused when it is absurd. */
void pod_request_decode(const struct json *json, struct arena *a, struct pod *pod,
                        struct pod_constraints *c);
/*
 * nodeSelector, node affinity, tolerations, host ports; sets unsupported for what we do not
 * implement. Of a bound pod, which never moves, only the ports that it holds.
 */
void pod_constraints_decode(const struct json *spec, bool bound, struct arena *a,
                            struct pod_constraints *c);
/* Required and preferred node affinity, and the (anti)affinity that we do not implement. */
void pod_affinity_decode(const struct json *affinity, struct arena *a, struct pod_constraints *c);
/* The first reason stays. `field` is a constant. */
void pod_refuse(struct pod_constraints *c, const char *field);

const struct selector_term *pack_terms(struct packer *p, const struct selector_term *t, unsigned n);

#endif
