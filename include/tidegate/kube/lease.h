/*
 * Leader election by a coordination.k8s.io/v1 Lease, on monotonic time.
 *
 * Defaults 15 s lease, 10 s renew deadline, 2 s retry. Only locally observed change counts; times
 * in the record are never compared with our clock (client-go's rule), so clock
 * skew does no harm. client-go does not fence; we do: lease_may_write() is false from the renew
 * deadline on, and on_lost is called then; the process must stop writing and end.
 * A suspended process finds out before its next write, because the gate looks
 * at CLOCK_BOOTTIME.
 * Release on a clean stop: holderIdentity "", so that the next leader starts at once.
 */
#ifndef TIDEGATE_KUBE_LEASE_H
#define TIDEGATE_KUBE_LEASE_H

#include <stdbool.h>

#include "tidegate/kube/client.h"

struct lease_options {
	const char *namespace, *name;
	const char *identity;                         /* hostname_uuid when NULL */
	int duration_ms, renew_deadline_ms, retry_ms; /* 0 = defaults */
	void (*on_acquired)(void *arg);
	void (*on_lost)(void *arg);
	void *arg;
};

struct lease;
struct lease *lease_new(struct kube_client *c, const struct lease_options *o, struct err *err);
void lease_start(struct lease *l);
/* Gives it up if held, then calls done (at the latest after renew_deadline). */
void lease_stop(struct lease *l, void (*done)(void *arg), void *arg);
void lease_free(struct lease *l);
bool lease_held(const struct lease *l);
bool lease_may_write(const struct lease *l);
const char *lease_holder(const struct lease *l); /* last seen, "" when unknown */
const char *lease_identity(const struct lease *l);
long lease_transitions(const struct lease *l);

#endif
