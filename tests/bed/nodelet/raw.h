/*
 * Cached objects that keep their JSON text: the agent holds a few dozen pods and needs nearly
 * all of each, so a projection would not pay here.
 */
#ifndef BED_NODELET_RAW_H
#define BED_NODELET_RAW_H

#include "tidegate/kube/object.h"

struct raw_object {
	struct object meta;
	const char *json;
};

extern const struct object_kind raw_pods;
extern const struct object_kind raw_nodes;

#endif
