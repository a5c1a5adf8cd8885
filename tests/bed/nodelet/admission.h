/*
 * Admission of a pod bound to a node, as the kubelet does it: what does not hold makes the pod
 * Failed with a reason, for good. Order and texts are the kubelet's (its predicate handler).
 */
#ifndef BED_NODELET_ADMISSION_H
#define BED_NODELET_ADMISSION_H

#include <stdbool.h>

#include "tidegate/base/json.h"

#include "resources.h"

struct admission {
	const struct json *pod;
	const struct json *node; /* the Node object as the API server has it */
	const struct resources *allocatable;
	const struct resources *used; /* by the pods admitted before */
	unsigned pods;                /* how many those are */
	bool port_taken;              /* a host port of this pod is in use on the node */
};

struct admission_refusal {
	char reason[128];
	char message[384];
};

bool admission_check(const struct admission *a, struct admission_refusal *why);

#endif
