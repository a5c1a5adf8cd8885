/*
 * Kubernetes resource quantities ("500m", "20Gi", "1e3", "2"), exact in
 * thousandths. Source: apimachinery pkg/api/resource. Rounds up, as the API
 * server does, below one thousandth; saturates at INT64_MAX/1000 units.
 */
#ifndef TIDEGATE_BASE_QUANTITY_H
#define TIDEGATE_BASE_QUANTITY_H

#include <stdint.h>

#include "tidegate/base/err.h"

/* Value in thousandths of a unit ("500m" = 500, "2" = 2000, "1Ki" = 1024000). */
int quantity_parse_milli(const char *s, int64_t *milli, struct err *err);
/* Value in whole units, rounded up ("500m" = 1, "20Gi" = 21474836480). */
int quantity_parse(const char *s, int64_t *units, struct err *err);

#endif
