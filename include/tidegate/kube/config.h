/*
 * How to reach an API server: kubeconfig files, in-cluster files, exec plugins.
 *
 * Follows clientcmd: KUBECONFIG is a colon list merged with first-wins, relative
 * paths resolve against their file, *-data wins over the file form. Bad input is
 * an error that names file and field; no secret is ever part of a message.
 *
 * Ownership: kube_config_free(). Files that rotate (token, certificates) are only named here;
 * the client reads them again: token every 60 s and after a 401, certificates every 5 min by
 * content.
 */
#ifndef TIDEGATE_KUBE_CONFIG_H
#define TIDEGATE_KUBE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

struct kube_exec_env {
	char *name, *value;
};

struct kube_exec {
	char *command;
	char **args; /* NULL-terminated */
	struct kube_exec_env *env;
	unsigned nenv;
	char *api_version;
	char *install_hint;
	bool provide_cluster_info;
	char *interactive_mode; /* Never, IfAvailable, Always */
	char *cluster_config;   /* JSON of the cluster's exec extension, NULL when none */
};

struct kube_config {
	char *source;    /* file the context came from, or "in-cluster" */
	char *context;   /* name of the chosen context, NULL in-cluster */
	char *server;    /* https://host:port, no trailing slash */
	char *namespace; /* never NULL: "default" when the context names none */
	char *tls_server_name;
	bool insecure;
	char *proxy_url;
	char *ca_pem, *ca_file; /* one of them, or none */
	char *cert_pem, *cert_file;
	char *key_pem, *key_file;
	char *token, *token_file;
	char *username, *password;
	char *as_user;
	char **as_headers; /* ready Impersonate-* header lines, NULL-terminated; NULL when none */
	bool no_compression;
	struct kube_exec *exec; /* NULL when none */
};

/*
 * path: a file, or NULL = $KUBECONFIG, else ~/.kube/config, else in-cluster.
 * context: NULL = current-context.
 */
struct kube_config *kube_config_load(const char *path, const char *context, struct err *err);
struct kube_config *kube_config_in_cluster(struct err *err);
void kube_config_free(struct kube_config *c);

#endif
