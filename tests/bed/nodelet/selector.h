/*
 * Whether a pod accepts a node: nodeSelector, required node affinity, NoExecute taints. Written
 * apart from the operator's scheduler on purpose: the bed judges that scheduler's binds.
 */
#ifndef BED_NODELET_SELECTOR_H
#define BED_NODELET_SELECTOR_H

#include <stdbool.h>

#include "tidegate/base/json.h"

/* node: the whole Node object. */
bool selector_matches_node(const struct json *pod_spec, const struct json *node);
bool selector_tolerates_no_execute(const struct json *pod_spec, const struct json *node);

#endif
