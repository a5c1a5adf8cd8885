/*
 * Credential plugins: runs a kubeconfig's exec command on the loop and reads the
 * ExecCredential it prints.
 *
 * Bounds: 60 s, 1 MiB of output. Standard input is the terminal when the plugin may
 * ask questions and there is one, else /dev/null; what it writes to standard error
 * is kept for the error message (or shown, on a terminal).
 * Source: client.authentication.k8s.io/v1 and v1beta1.
 */
#ifndef TIDEGATE_KUBE_EXEC_H
#define TIDEGATE_KUBE_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "tidegate/kube/config.h"
#include "tidegate/net/loop.h"

#define EXEC_TIMEOUT_MS 60000

/* What a plugin gave: a token, a certificate with its key, or both. */
struct exec_credential {
	char *token;
	char *cert_pem, *key_pem;
	int64_t expires_ms; /* wall; 0 = it did not say */
};
void exec_credential_release(struct exec_credential *c);

/* Reads an ExecCredential of exactly this apiVersion. No secret gets into *err. */
int exec_credential_parse(struct exec_credential *out, const char *api_version, const char *text,
                          size_t len, struct err *err);

struct exec_run;
/*
 * Starts the plugin; cfg must live until the end. done is called once, from the loop, with
 * err->class ERR_NONE and a credential that the callee may take parts of (setting them NULL).
 * NULL and *err when it cannot be started.
 */
struct exec_run *exec_run_start(struct loop *l, const struct kube_config *cfg, int timeout_ms,
                                void (*done)(void *arg, struct exec_credential *cred,
                                             const struct err *err),
                                void *arg, struct err *err);
/* Kills it; done is not called. */
void exec_run_cancel(struct exec_run *r);

#endif
