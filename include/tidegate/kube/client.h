/*
 * API server client: short calls on pooled connections, watches on one
 * connection each, the lease on its own.
 *
 * Credentials are looked up per request (token file re-read, exec plugin re-run
 * when it expires or after a 401); a change of certificates makes a new
 * generation of HTTP clients, the old one drains.
 * Responses are classified once (enum err_class); a Status body's message becomes
 * the error's text. Idempotent calls (GET, and apply patches) that fail in transport or are
 * throttled are retried here within their deadline; other writes never are.
 *
 * Ownership: as in net/http.h: exactly one on_done per call, never from inside
 * kube_call(), none after kube_cancel(). The config must outlive the client; the request's
 * strings and body are copied. kube_client_free() is not for inside a callback.
 * Time: timeout_ms counts from when a call leaves the queue, retries included, without the time
 * that a credential plugin takes. A KUBE_CH_WATCH call without timeout_ms has none.
 * on_data sees the body of a 2xx only; the body of any other answer becomes the error.
 * Retries: KUBE_CH_SHORT only; a watch and the lease have loops of their own. A 401 is answered
 * with fresh credentials once, for every method and channel, because such a request did not run.
 */
#ifndef TIDEGATE_KUBE_CLIENT_H
#define TIDEGATE_KUBE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/base/list.h"
#include "tidegate/kube/config.h"
#include "tidegate/net/loop.h"

struct kube_client;

struct kube_client_options {
	const char *user_agent; /* NULL = tidegate/VERSION */
	int max_in_flight;      /* short calls at once; 0 = 16; more wait in order */
};

struct kube_client *kube_client_new(struct loop *l, const struct kube_config *cfg,
                                    const struct kube_client_options *o, struct err *err);
void kube_client_free(struct kube_client *c);
struct loop *kube_client_loop(const struct kube_client *c);
const struct kube_config *kube_client_config(const struct kube_client *c);
/* Short calls waiting or running. */
unsigned kube_client_in_flight(const struct kube_client *c);

/*
 * Called before every write leaves, retries too (not before reads, reviews and lease calls);
 * false = drop it with ERR_CANCELED. The leader's fence: past the renew deadline nothing may be
 * written.
 */
void kube_client_set_write_gate(struct kube_client *c, bool (*may_write)(void *arg), void *arg);

/* Cuts every write that waits or runs (not lease calls): on_done with ERR_CANCELED follows. */
void kube_client_drop_writes(struct kube_client *c);

/*
 * Told, from the loop, when the server answers again after an attempt that it did not answer.
 * For those who are in a long back-off because of that. Must be off before the client is freed.
 */
struct kube_reach {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};
void kube_client_on_reach(struct kube_client *c, struct kube_reach *w);
void kube_client_off_reach(struct kube_reach *w);

enum kube_channel { KUBE_CH_SHORT, KUBE_CH_WATCH, KUBE_CH_LEASE };

enum kube_patch {
	KUBE_PATCH_NONE,
	KUBE_PATCH_APPLY,     /* server-side apply, force=true */
	KUBE_PATCH_MERGE,     /* RFC 7386 */
	KUBE_PATCH_JSON,      /* RFC 6902 */
	KUBE_PATCH_STRATEGIC, /* core kinds only */
};

struct kube_response {
	struct err err; /* class ERR_NONE for a 2xx */
	int status;
	const char *body; /* JSON */
	size_t body_len;
};

struct kube_request {
	const char *method;        /* GET POST PUT PATCH DELETE */
	const char *path;          /* "/api/v1/namespaces/x/pods/y?..." */
	enum kube_patch patch;     /* sets the content type */
	const char *field_manager; /* writes: appended as fieldManager= */
	const char *body;          /* JSON, NULL = none */
	size_t body_len;
	int timeout_ms; /* 0 = 10 s */
	enum kube_channel channel;
	size_t max_body;
	/* Streaming (watch, big list): as in net/http.h. */
	int stall_ms;
	bool accept_gzip;
	bool metadata_only; /* a list's items without spec and status */
	int (*on_data)(void *arg, int status, const char *data, size_t len);
	void (*on_done)(void *arg, const struct kube_response *r);
	void *arg;
};

struct kube_call;
struct kube_call *kube_call(struct kube_client *c, const struct kube_request *r);
void kube_cancel(struct kube_call *call);
int64_t kube_last_byte_ms(const struct kube_call *call);

/*
 * Class of a response: HTTP status, Status body (reason, causes), Retry-After. Also used for the
 * Status object of a watch's ERROR event (http_status 0: taken from its code).
 */
void kube_classify(int http_status, int retry_after_ms, const char *body, size_t len,
                   struct err *err);

/* Runs the loop until the call is done: for the CLI and tools, never inside a callback.
 * The body is copied to *body (malloc) when body is not NULL. */
int kube_call_sync(struct kube_client *c, const struct kube_request *r, char **body,
                   struct err *err);

#endif
