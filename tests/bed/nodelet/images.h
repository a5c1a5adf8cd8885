/*
 * Image map: what stands for the content of an image.
 *
 *     {"registry/app:1": {"command": ["/opt/app"], "env": {"K": "v"},
 *                         "paths": {"/usr/bin/app": "/opt/app"}}}
 *
 * command is the entrypoint, env the image's own variables, paths say what a program of the
 * image is on this machine when a pod's command names it. A key without tag fits all tags.
 */
#ifndef BED_NODELET_IMAGES_H
#define BED_NODELET_IMAGES_H

#include "tidegate/base/arena.h"
#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

struct images {
	struct arena arena;
	const struct json *map;
};

int images_load(struct images *m, const char *path, struct err *err);
void images_release(struct images *m);
/* The entry, NULL when there is no such image. */
const struct json *images_find(const struct images *m, const char *image);
/* Program on this machine for argv[0] of a container: the entry's path, or argv0 itself. */
const char *image_path(const struct json *entry, const char *argv0);

#endif
