/*
 * Names of the Services that gateways send requests to. Pure.
 */
#ifndef TIDEGATE_TRAFFIC_GATEWAY_H
#define TIDEGATE_TRAFFIC_GATEWAY_H

#include <stdbool.h>

#include "tidegate/api/mdep.h"
#include "tidegate/base/arena.h"

/* Name of the Service of one cell: "<mdep>-<revision>[-<zone>]", shortened with a hash at 63. */
char *gateway_service_name(struct arena *a, const struct mdep *m, const char *revision,
                           const char *zone);
/* Name and namespace of a Service as Istio's objects name it: a short one would be resolved in the
 * namespace of whoever reads it. */
#define GATEWAY_SERVICE_HOST "%s.%s.svc.cluster.local"
/* "<mdep>", or such a name of a cell; not "<mdep>-other". NULL is nobody's. */
bool gateway_names_us(const struct mdep *m, const char *service);

#endif
