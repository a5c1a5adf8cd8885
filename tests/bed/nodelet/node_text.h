/* Bodies that a node sends: its object, its status, its lease. */
#ifndef BED_NODELET_NODE_TEXT_H
#define BED_NODELET_NODE_TEXT_H

#include "tidegate/base/buf.h"

#include "node.h"

/* The whole Node, for its creation. */
int node_text_object(const struct node *n, struct buf *out);
/* Our labels alone, for a patch of a node that is there already. */
int node_text_labels(const struct node *n, struct buf *out);
/* A patch of the status. */
int node_text_status(const struct node *n, struct buf *out);
/* create: the whole Lease; else a patch of its renewal. */
int node_text_lease(const struct node *n, bool create, struct buf *out);

#endif
