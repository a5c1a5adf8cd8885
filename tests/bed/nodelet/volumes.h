/*
 * Volumes as folders. There are no mounts: a process gets paths that are rewritten from the mount
 * path to the folder, in its command, arguments and variables.
 * Done: emptyDir, hostPath, configMap, secret, downwardAPI, projected (without tokens). The
 * service account volume that the API server adds is left out. Everything else is an error.
 */
#ifndef BED_NODELET_VOLUMES_H
#define BED_NODELET_VOLUMES_H

#include <stdbool.h>

#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

struct pod;

bool volume_is_service_account(const struct json *volume);
/* Makes and fills the folders of all volumes; ERR_NOT_FOUND when an object is missing. */
int volumes_prepare(struct pod *p, struct err *err);
/* `text` with mount paths of the container replaced by folders; malloc'ed. */
char *volumes_rewrite(const struct pod *p, const struct json *container, const char *text);

#endif
