/*
 * Who we are to the API server: Authorization header and TLS material, kept fresh.
 *
 * Sources: static token, token file (read again after 60 s), basic, exec plugin (run again 10 s
 * before its credential expires), certificates given as text, as files (compared every 5 min
 * by content) or by the plugin. A file that cannot be read or is empty leaves the old one in
 * use; it is said in the log and tried again.
 *
 * A caller asks before each attempt of a request. It looks at the generation too: another
 * number means other TLS material, and that means new HTTP clients.
 * Source: client-go transport/token_source.go, cert_rotation.go, plugin exec.go.
 */
#ifndef TIDEGATE_KUBE_AUTH_H
#define TIDEGATE_KUBE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/list.h"
#include "tidegate/kube/config.h"
#include "tidegate/net/http.h"

struct kube_auth;

/* Embedded in whoever waits for a plugin; err->class is ERR_NONE when credentials are there. */
struct kube_auth_wait {
	struct list link;
	void (*fn)(void *arg, const struct err *err);
	void *arg;
};

enum kube_auth_state { KUBE_AUTH_READY, KUBE_AUTH_PENDING, KUBE_AUTH_FAILED };

/* cfg must outlive it. Fails when certificates or a token file cannot be used at all. */
struct kube_auth *kube_auth_new(struct loop *l, const struct kube_config *cfg, struct err *err);
void kube_auth_free(struct kube_auth *a); /* nobody may be waiting */

/* PENDING: w->fn will be called from the loop, unless cancelled. FAILED: *err says why. */
enum kube_auth_state kube_auth_get(struct kube_auth *a, struct kube_auth_wait *w, struct err *err);
void kube_auth_cancel(struct kube_auth_wait *w);

/* "Authorization: ..." of now; NULL when the certificate is all there is. */
const char *kube_auth_header(const struct kube_auth *a);
/* TLS material of now; the texts live until the next kube_auth_get(). */
void kube_auth_tls(const struct kube_auth *a, struct http_tls *out);
unsigned kube_auth_generation(const struct kube_auth *a);
/* The TLS material is unusable: compare the files again in `ms` already. */
void kube_auth_look_again(struct kube_auth *a, int64_t ms);

/*
 * The server refused (401) a request that began at `began_ms`, monotonic. Drops what was obtained
 * before that; true when asking again may bring something else.
 */
bool kube_auth_rejected(struct kube_auth *a, int64_t began_ms);
/*
 * One side did not accept the other's certificate: the files are compared before the next
 * request already, but not more often than once a second.
 */
void kube_auth_tls_refused(struct kube_auth *a);

/* --- for tests ---------------------------------------------------------------------------- */
/* Clock of the refresh periods, NULL = the loop's. */
void kube_auth_set_clock(struct kube_auth *a, int64_t (*now)(void *arg), void *arg);

#endif
