/*
 * ConfigMaps and Secrets that a pod reads, fetched before its containers start. What is missing
 * is asked for again every two seconds, as long as somebody wants it.
 */
#ifndef BED_NODELET_REFS_H
#define BED_NODELET_REFS_H

#include <stdbool.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"
#include "tidegate/kube/client.h"

struct refs {
	struct kube_client *client;
	const char *namespace;
	struct list all;
	struct timer retry;
	void (*changed)(void *arg); /* an answer came */
	void *arg;
};

enum ref_state { REF_PENDING, REF_FOUND, REF_MISSING };

void refs_init(struct refs *r, struct kube_client *c, const char *namespace,
               void (*changed)(void *arg), void *arg);
void refs_release(struct refs *r);
/* Registers everything that a pod's containers and volumes name, and asks for it. */
void refs_collect(struct refs *r, const struct json *pod_spec);
/* Still waiting for a first answer. */
bool refs_pending(const struct refs *r);
/* The object, valid until the next answer; NULL when it is not there (or never was registered). */
const struct json *refs_get(const struct refs *r, bool secret, const char *name);

#endif
