/* What client.c and call.c share. */
#ifndef TIDEGATE_KUBE_CLIENT_PRIV_H
#define TIDEGATE_KUBE_CLIENT_PRIV_H

#include "auth.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/kube/client.h"
#include "tidegate/net/http.h"

#define KUBE_CHANNELS (KUBE_CH_LEASE + 1)

struct kube_client {
	struct loop *loop;
	const struct kube_config *cfg;
	struct kube_auth *auth;
	char *user_agent;
	char *host; /* host:port of the server, for metrics */
	struct http_client *http[KUBE_CHANNELS];
	unsigned generation; /* of the TLS material they were made with */
	int64_t rebuild_ms;  /* no earlier try to make new ones; after a failure */
	bool (*may_write)(void *arg);
	void *may_write_arg;
	int max_in_flight;
	int retry_ms; /* wait before a retry for which the server names none */
	unsigned running;
	struct list calls;   /* every call, by kube_call.link */
	struct list waiting; /* short calls without a slot, by kube_call.queue_link */
	struct map warnings; /* texts of Warning headers already logged */
	struct list reach;   /* kube_reach.link */
	struct arena scratch;
	bool unreachable; /* the last attempt was not answered at all */
	int64_t throttle_told_ms;
	unsigned throttled; /* answers of 429 and the like since the last line about them */
	struct client_counts *counts;
};

/*
 * For one user at a time, who resets it before he returns to the loop: reflectors decode in it, of
 * which there are many and never two at work.
 */
struct arena *client_scratch(struct kube_client *c);
/* The HTTP client of a channel, made anew when the TLS material has changed. */
struct http_client *client_http(struct kube_client *c, enum kube_channel ch);
/* Logs a Warning header's text once. */
void client_warn(struct kube_client *c, const char *method, const char *path, const char *warning);
/* Tells, once a minute at most, that the server asks us to wait, and by which of its rules. */
void client_throttled(struct kube_client *c, const struct kube_request *r, const struct err *err,
                      const char *flow_schema);
/* An attempt was answered, whatever the answer, or was not. */
void client_seen(struct kube_client *c, bool answered);
/* client_metric.c: counts one attempt; status 0 = no answer. */
void client_count(struct kube_client *c, const char *method, bool timed,
                  const struct http_result *r, size_t sent);
void client_counts_free(struct kube_client *c);
void client_count_retry(const struct kube_client *c, const char *method, int status);

/* call.c */
void call_abandon_all(struct kube_client *c); /* no on_done, for kube_client_free() */
void call_drop_writes(struct kube_client *c);

/* Uniformly random in [ms, ms * (1 + factor)). */
int64_t jitter_ms(int64_t ms, double factor);

#endif
