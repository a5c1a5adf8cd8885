/* Merge of a user's pod template over the generated one; the rules stand in children.h. */
#ifndef TIDEGATE_RECONCILE_MERGE_H
#define TIDEGATE_RECONCILE_MERGE_H

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"

int json_merge(const struct json *base, const struct json *over, struct buf *out);

#endif
