/* Parts of config.c that its tests reach. */
#ifndef TIDEGATE_KUBE_CONFIG_PRIV_H
#define TIDEGATE_KUBE_CONFIG_PRIV_H

#include "tidegate/base/json.h"
#include "tidegate/kube/config.h"

/* As kube_config_in_cluster(), with the folder of the service account's files. */
struct kube_config *kube_config_in_cluster_at(const char *dir, struct err *err);

/* A named field of a kubeconfig, for messages: FILE: users[name].user.FIELD */
struct config_place {
	const char *file;
	const char *list;  /* "users" */
	const char *entry; /* "user" */
	const char *name;
};

/*
 * Sets *out (malloc'ed) to the string o.key, relative to `at` when it is wrong. Missing, null and
 * "" leave NULL.
 */
int config_take_str(const struct config_place *at, const struct json *o, const char *key,
                    char **out, struct err *err);
int config_take_bool(const struct config_place *at, const struct json *o, const char *key,
                     bool *out, struct err *err);
/* Fills c->exec from users[].user.exec. */
int config_take_exec(const struct config_place *at, const struct json *exec, struct kube_config *c,
                     struct err *err);
void kube_exec_free(struct kube_exec *e);
/* Fills c->as_user and c->as_headers from the user's as* fields. */
int config_take_impersonation(const struct config_place *at, const struct json *user,
                              struct kube_config *c, struct err *err);

int config_refuse(const struct config_place *at, const char *key, struct err *err, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

#endif
