/*
 * One pod bound to one of our nodes.
 *
 * Everything that happens to it (a new version of the object, the end of a process, a probe's
 * result, a timer) changes fields and calls pod_kick(); pod_sync() then looks at the whole and
 * does what is due next, as the kubelet's syncPod does.
 *
 * Lifecycle: NEW -> PREPARING -> RUNNING -> STOPPING -> DONE, or NEW -> DONE when refused. A pod
 * that is deleted goes through STOPPING; a pod whose object is gone is freed once its processes
 * are.
 */
#ifndef BED_NODELET_POD_H
#define BED_NODELET_POD_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"
#include "tidegate/kube/client.h"

#include "container.h"
#include "ips.h"
#include "node.h"
#include "raw.h"
#include "refs.h"

enum pod_stage { POD_NEW, POD_PREPARING, POD_RUNNING, POD_STOPPING, POD_DONE };
enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

/* A condition of ours, with the memory that its transition time needs. */
enum pod_condition {
	COND_READY_TO_START, /* PodReadyToStartContainers */
	COND_INITIALIZED,
	COND_CONTAINERS_READY,
	COND_READY,
	COND_SCHEDULED,
	COND_COUNT
};
struct condition_memory {
	bool known, value;
	int64_t since_ms; /* wall */
};

struct pod {
	struct list link; /* the node's */
	struct agent *agent;
	struct node *node;
	char *namespace, *name, *uid;
	char *dir; /* volumes and logs */
	/* The object as it was first seen: the spec is taken from here. */
	struct arena spec_arena;
	const struct json *spec;
	/* The newest version: metadata and conditions of others are taken from here. */
	struct arena live_arena;
	const struct json *live;

	enum pod_stage stage;
	enum restart_policy restart_policy;
	struct container *containers; /* init containers first, in order */
	unsigned ninit, ncontainers;
	bool initialized;
	struct refs refs;
	bool refs_asked;
	char ip[IP_TEXT_MAX]; /* "" before it has one */
	bool owns_ip;
	char *unsupported; /* why this agent cannot run it at all; NULL */
	int64_t start_ms;  /* wall, 0 before */

	bool failed; /* as a whole: refused, deadline, init container */
	char *failure_reason, *failure_message;
	bool settled_before; /* was terminal when we first saw it: nothing to say */

	bool deleting; /* deletionTimestamp is set */
	bool gone;     /* the object does not exist any more */
	bool sync_queued, dead;
	int64_t stop_deadline_ms;    /* monotonic */
	struct timer deadline_timer; /* activeDeadlineSeconds */

	/* status.c */
	struct condition_memory conditions[COND_COUNT];
	char *status_sent; /* text of the last patch that was accepted */
	char *status_rv;   /* resourceVersion it led to */
	struct kube_call *status_call, *delete_call;
	bool delete_done;
	struct timer status_retry;
	int64_t status_backoff_ms;
	char *status_pending; /* text of the patch under way */
};

struct pod *pod_new(struct node *n, const struct raw_object *raw);
/* A newer version of the object. */
void pod_update(struct pod *p, const struct raw_object *raw);
/* The object is gone; the pod ends and frees itself. */
void pod_object_gone(struct pod *p);
void pod_kick(struct pod *p);
/* At once, without a word to the API server: the node lost power. */
void pod_destroy(struct pod *p);
/* Frees what nothing refers to any more, after the callbacks of this round. */
void pod_free(struct pod *p);

/* pod_sync.c: does what is due; run from the loop by pod_kick(). */
void pod_sync(void *arg);
/* Of the spec, or of the deletion that is under way. */
int64_t pod_grace_ms(const struct pod *p);
/* Timer of spec.activeDeadlineSeconds. */
void pod_deadline_init(struct pod *p);

static inline struct container *pod_apps(const struct pod *p)
{
	return p->containers + p->ninit;
}
static inline unsigned pod_napps(const struct pod *p)
{
	return p->ncontainers - p->ninit;
}
/* Holds resources of the node. */
bool pod_counts(const struct pod *p);

#endif
